/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * heap_bench.cc - what it costs to ask about a heap, and to move it, beside the kernel's own calls.
 *
 *   locate/...   where 64 MiB of touched pages lie
 *   locate_heap/...  where a heap lies that holds as much in blocks of 1 MiB, in pages of the smallest size
 *   sampled/...  pairs of malloc and free while another thread takes statistics every so many milliseconds
 *   migrate/...  64 MiB from one node to another and back; wants two nodes
 */
#include <benchmark/benchmark.h>

#include <numa.h>
#include <numaif.h>
#include <sys/mman.h>

#include <atomic>
#include <chrono>
#include <cstring>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "bench/words.h"
#include "situs.h"

namespace {

using State = benchmark::State;

constexpr std::size_t PAGE = 4096, SIZE = std::size_t(64) << 20, N_PAGES = SIZE / PAGE;

/* What move_pages is asked at once by hand; larger batches are no faster. */
constexpr std::size_t AT_ONCE = 4096;

class Heap {
      public:
	explicit Heap(const char *place) : heap_(situs_heap_open(place))
	{
		if (heap_ != nullptr)
			block = static_cast<char *>(situs_malloc(heap_, SIZE));
		if (block != nullptr)
			std::memset(block, 1, SIZE);
	}
	~Heap()
	{
		if (heap_ != nullptr)
			situs_heap_destroy(heap_);
	}
	Heap(const Heap &) = delete;
	Heap &operator=(const Heap &) = delete;
	situs_heap_t *get()
	{
		return heap_;
	}
	char *block = nullptr;

      private:
	situs_heap_t *heap_;
};

bool failed(State &state, const Heap &heap)
{
	if (heap.block == nullptr)
		state.SkipWithError((std::string("wants what this process may not have: ") + situs_error()).c_str());
	return heap.block == nullptr;
}

void locate_situs(State &state)
{
	Heap heap("node:0");
	std::size_t bytes[8];

	if (failed(state, heap))
		return;
	for (auto _ : state)
		benchmark::DoNotOptimize(situs_locate(heap.block, SIZE, bytes, 8));
}

/* The pages of a range to `node` (-1: only asked about); false: some could not be. */
bool raw_move(char *from, int node, std::vector<void *> &pages, std::vector<int> &where)
{
	std::vector<int> nodes(AT_ONCE, node);
	bool ok = true;

	for (std::size_t i = 0; i < N_PAGES; i += AT_ONCE) {
		for (std::size_t k = 0; k < AT_ONCE; k++)
			pages[k] = from + (i + k) * PAGE;
		ok = ok && move_pages(0, AT_ONCE, pages.data(), node < 0 ? nullptr : nodes.data(),
				   where.data(), MPOL_MF_MOVE) == 0;
	}
	return ok;
}

/* A heap of many blocks, and the names of all their pages. */
void locate_heap(State &state, bool raw)
{
	constexpr std::size_t N_BLOCKS = 64, BLOCK = SIZE / N_BLOCKS;
	std::unique_ptr<situs_heap_t, int (*)(situs_heap_t *)> heap(
		situs_heap_open("node:0,nothp"), situs_heap_destroy);
	std::vector<void *> pages;
	std::vector<int> where(N_PAGES);
	std::size_t bytes[8];

	for (std::size_t i = 0; i < N_BLOCKS && heap; i++) {
		char *block = static_cast<char *>(situs_malloc(heap.get(), BLOCK));

		if (block == nullptr)
			break;
		std::memset(block, 1, BLOCK);
		for (std::size_t at = 0; at < BLOCK; at += PAGE)
			pages.push_back(block + at);
	}
	if (pages.size() != N_PAGES)
		return state.SkipWithError(situs_error());
	for (auto _ : state) {
		if (!raw)
			benchmark::DoNotOptimize(situs_heap_locate(heap.get(), bytes, 8));
		for (std::size_t i = 0; i < N_PAGES && raw; i += AT_ONCE)
			if (move_pages(0, AT_ONCE, &pages[i], nullptr, &where[i], 0) != 0)
				return state.SkipWithError("wants to know where pages lie; this process may not");
	}
}

void locate_raw(State &state)
{
	Heap heap("node:0");
	std::vector<void *> pages(AT_ONCE);
	std::vector<int> where(AT_ONCE);

	if (failed(state, heap))
		return;
	for (auto _ : state)
		if (!raw_move(heap.block, -1, pages, where))
			return state.SkipWithError("wants to know where pages lie; this process may not");
}

/* milliseconds between samples; 0: none are taken. */
void sampled(State &state)
{
	Heap heap("node:0");
	std::atomic<bool> stop{false};
	std::thread sampler;

	if (failed(state, heap))
		return;
	if (state.range(0) != 0)
		sampler = std::thread([&] {
			struct situs_heap_stats stats = {};

			stats.struct_size = sizeof(stats);
			while (!stop) {
				situs_heap_stats(heap.get(), &stats);
				std::this_thread::sleep_for(std::chrono::milliseconds(state.range(0)));
			}
		});
	while (state.KeepRunningBatch(64)) {
		void *blocks[64];

		for (void *&block : blocks)
			block = situs_malloc(heap.get(), 64);
		benchmark::DoNotOptimize(blocks);
		for (void *block : blocks)
			situs_free(block);
	}
	stop = true;
	if (sampler.joinable())
		sampler.join();
}

bool one_node(State &state)
{
	if (numa_max_node() >= 1)
		return false;
	state.SkipWithError("wants two nodes; this machine has one");
	return true;
}

void migrate_situs(State &state)
{
	struct aml_area *areas[2];

	if (one_node(state))
		return;

	Heap heap("node:0");

	if (failed(state, heap))
		return;
	for (int i = 0; i < 2; i++)
		if (aml_area_open(&areas[i], i == 0 ? "node:0" : "node:1") != AML_SUCCESS)
			return state.SkipWithError(situs_error());
	for (auto _ : state)
		for (int to : {1, 0})
			if (situs_heap_migrate(heap.get(), areas[to], nullptr, nullptr) != 0)
				return state.SkipWithError(situs_error());
	/* The areas must outlive the heap, and so are left to the end of the process. */
}

void migrate_raw(State &state)
{
	std::vector<void *> pages(AT_ONCE);
	std::vector<int> where(AT_ONCE);

	if (one_node(state))
		return;

	char *p = static_cast<char *>(mmap(nullptr, SIZE, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));

	if (p == MAP_FAILED)
		return state.SkipWithError("no memory");
	numa_tonode_memory(p, SIZE, 0);
	std::memset(p, 1, SIZE);
	for (auto _ : state)
		for (int to : {1, 0})
			if (!raw_move(p, to, pages, where)) {
				state.SkipWithError("pages stayed behind");
				break;
			}
	munmap(p, SIZE);
}

BENCHMARK(locate_situs)->Name("locate/situs")->Unit(benchmark::kMicrosecond);
BENCHMARK(locate_raw)->Name("locate/move_pages")->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(locate_heap, situs, false)->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(locate_heap, move_pages, true)->Unit(benchmark::kMicrosecond);
BENCHMARK(sampled)->Name("sampled")->Arg(0)->Arg(1)->Arg(100);
BENCHMARK(migrate_situs)->Name("migrate/situs")->Unit(benchmark::kMicrosecond);
BENCHMARK(migrate_raw)->Name("migrate/move_pages")->Unit(benchmark::kMicrosecond);

} // namespace

int main(int argc, char **argv)
{
	words::begin("heap_bench");
	benchmark::Initialize(&argc, argv);
	if (benchmark::ReportUnrecognizedArguments(argc, argv))
		return 2;
	benchmark::RunSpecifiedBenchmarks();
	return 0;
}
