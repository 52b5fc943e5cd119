/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * area_bench.cc - what areas cost beside the kernel's own calls.
 *
 *   call/...   map + unmap, nothing touched: the calls' own cost, at 64 KiB; by one thread, or by
 *              several at once in one area
 *   touch/...  map + write to each page + unmap, 64 KiB to 1 GiB; what has no room for that much, or
 *              comes in larger pieces, is skipped by name
 *
 * Each area stands beside `raw` code that makes the same system calls by hand, and beside
 * numa_alloc_onnode. Compare medians of several repetitions, interleaved:
 *
 *   bench/area_bench --benchmark_repetitions=9 --benchmark_enable_random_interleaving=true
 *
 * Areas that cannot be had here (no huge pages, no right to bind) are left out and say so.
 */
#include <benchmark/benchmark.h>

#include <numa.h>
#include <numaif.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "aml.h"
#include "bench/words.h"

namespace {

constexpr size_t PAGE = 4096;
constexpr size_t KIB = 1024, MIB = 1024 * KIB, GIB = 1024 * MIB;

void touch(void *p, size_t size, size_t page)
{
	for (size_t i = 0; i < size; i += page)
		static_cast<volatile char *>(p)[i] = 1;
}

void *raw_map(size_t size)
{
	void *p = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
		-1, 0);

	return p == MAP_FAILED ? nullptr : p;
}

void *not_here(void *p, size_t size)
{
	munmap(p, size);
	return nullptr;
}

void *raw_map_bind(size_t size, int mode)
{
	unsigned long nodes[16] = {1};
	void *p = raw_map(size);

	if (p != nullptr && mbind(p, size, mode, nodes, sizeof(nodes) * 8 + 1, 0) != 0)
		return not_here(p, size);
	return p;
}

void *raw_map_populate(size_t size)
{
	void *p = raw_map(size);

	if (p != nullptr && madvise(p, size, 23 /* MADV_POPULATE_WRITE */) != 0)
		return not_here(p, size);
	return p;
}

/* Where a strict area cannot save: no huge pages, populate, ask for each page, seal. */
void *raw_map_strict(size_t size)
{
	constexpr size_t N = 256;
	unsigned long nodes[16] = {1};
	void *pages[N];
	int where[N];
	void *p = raw_map_bind(size, MPOL_PREFERRED);

	if (p == nullptr)
		return p;
	if (madvise(p, size, MADV_NOHUGEPAGE) != 0 || madvise(p, size, 23) != 0)
		return not_here(p, size);
	for (size_t i = 0; i < size; i += N * PAGE) {
		size_t n = 0;

		for (; n < N && i + n * PAGE < size; n++)
			pages[n] = static_cast<char *>(p) + i + n * PAGE;
		if (move_pages(0, n, pages, nullptr, where, 0) != 0)
			return not_here(p, size);
		for (size_t k = 0; k < n; k++)
			if (where[k] != 0)
				return not_here(p, size);
	}
	if (mbind(p, size, MPOL_BIND, nodes, sizeof(nodes) * 8 + 1, 0) != 0)
		return not_here(p, size);
	return p;
}

std::vector<struct aml_area *> opened;

struct contestant {
	std::string name;
	std::function<void *(size_t)> map;
	std::function<void(void *, size_t)> unmap;
	size_t page;
	size_t max;
};

void raw_unmap(void *p, size_t size)
{
	munmap(p, size);
}

/* The calls' own cost: nothing is touched. */
void run_call(benchmark::State &state, const contestant &c)
{
	for (auto _ : state) {
		void *p = c.map(64 * KIB);

		if (p == nullptr) {
			state.SkipWithError("wants more memory, or more rights, than this process has");
			return;
		}
		benchmark::DoNotOptimize(p);
		c.unmap(p, 64 * KIB);
	}
}

void run_touch(benchmark::State &state, const contestant &c)
{
	size_t size = static_cast<size_t>(state.range(0));

	/* An eighth more, for what else the kernel needs then. */
	if (words::too_much(state, size + size / 8))
		return;
	for (auto _ : state) {
		void *p = c.map(size);

		if (p == nullptr) {
			state.SkipWithError("wants more memory, or more rights, than this process has");
			return;
		}
		touch(p, size, c.page);
		c.unmap(p, size);
	}
	state.SetBytesProcessed(static_cast<int64_t>(state.iterations()) * state.range(0));
}

void add_area(std::vector<contestant> &all, const char *place, size_t page = PAGE, size_t max = GIB)
{
	struct aml_area *area;

	if (aml_area_open(&area, place) != AML_SUCCESS) {
		fprintf(stderr, "left out: %s: %s\n", place, aml_strerror(aml_errno));
		return;
	}

	/* Opened is not had: a pool may be empty. */
	void *p = aml_area_mmap(area, nullptr, page);

	if (p == nullptr) {
		fprintf(stderr, "left out: %s: %s\n", place, aml_strerror(aml_errno));
		aml_area_close(&area);
		return;
	}
	aml_area_munmap(area, p, page);
	opened.push_back(area);
	all.push_back({std::string("area/") + place,
		[area](size_t size) { return aml_area_mmap(area, nullptr, size); },
		[area](void *q, size_t size) { aml_area_munmap(area, q, size); }, page, max});
}

void add_buffer(std::vector<contestant> &all)
{
	struct aml_area *area;
	size_t size = GIB;

	if (aml_area_buffer_create(&area, raw_map(size + PAGE), size) != AML_SUCCESS)
		return;
	all.push_back({"area/buffer", [area](size_t n) { return aml_area_mmap(area, nullptr, n); },
		[area](void *q, size_t n) { aml_area_munmap(area, q, n); }, PAGE, size});
}

} // namespace

int main(int argc, char **argv)
{
	words::begin("area_bench");

	std::vector<contestant> all = {
		{"raw/mmap", raw_map, raw_unmap, PAGE, GIB},
		{"raw/mmap+mbind", [](size_t n) { return raw_map_bind(n, MPOL_BIND); }, raw_unmap, PAGE, GIB},
		{"raw/mmap+populate", raw_map_populate, raw_unmap, PAGE, GIB},
		{"raw/strict_by_hand", raw_map_strict, raw_unmap, PAGE, GIB},
	};

	if (numa_available() >= 0)
		all.push_back({"numa_alloc_onnode", [](size_t n) { return numa_alloc_onnode(n, 0); },
			[](void *p, size_t n) { numa_free(p, n); }, PAGE, GIB});
	add_area(all, "anon");
	add_area(all, "any");
	add_area(all, "local");
	add_area(all, "node:0,bind");
	add_area(all, "node:0,preferred");
	add_area(all, "any,preferred");
	add_area(all, "node:0,interleave");
	add_area(all, "node:0,weighted");
	add_area(all, "node:0,strict");
	add_area(all, "node:0,strict,thp", 2 * MIB);
	add_area(all, "node:0,thp");
	add_area(all, "node:0,limit:8G");
	add_area(all, "node:0,strict > any");
	add_area(all, "any,limit:8G");
	add_area(all, "any > any");
	add_area(all, "hugetlb:2M", 2 * MIB);
	add_area(all, "hugetlb:2M,node:0,strict", 2 * MIB);
	add_area(all, "hugetlb:1G", GIB);
	add_area(all, "shm:situs-bench");
	add_area(all, "file:/tmp");
	add_buffer(all);

	for (const contestant &c : all) {
		if (c.page == PAGE) {
			auto call = [c](benchmark::State &state) { run_call(state, c); };

			benchmark::RegisterBenchmark(("call/" + c.name).c_str(), call);
			for (int n : {2, 4, 8})
				benchmark::RegisterBenchmark(("call/" + c.name).c_str(), call)->Threads(n);
		}
		for (size_t size : {64 * KIB, MIB, 16 * MIB, 512 * MIB, GIB}) {
			if (size < c.page || size > c.max)
				continue;

			auto *touching = benchmark::RegisterBenchmark(("touch/" + c.name).c_str(),
				[c](benchmark::State &state) { run_touch(state, c); });

			touching->Arg(static_cast<int64_t>(size))->Unit(benchmark::kMicrosecond);
			if (size >= 512 * MIB) /* long enough, and no number of them has to be found */
				touching->Iterations(1);
		}
	}
	benchmark::Initialize(&argc, argv);
	benchmark::RunSpecifiedBenchmarks();
	for (struct aml_area *area : opened)
		aml_area_close(&area);
	return 0;
}
