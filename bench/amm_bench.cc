/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * amm_bench - the address map beside std::map, absl::btree_map and boost::icl::interval_map, all doing
 * the same look-ups and the same range updates, in one run.
 *
 * A map of n entries of 4096 addresses each, of which every second is free (flags 0) and the others
 * have one of three flag words, made in random order. Accesses are random. `modify` is two updates:
 * the middle of a random entry gets flags of its own, which splits it in three, and gets its old ones
 * back, which joins it; the time is that of one update. The peers map the start of each range to its
 * flags, which is all that a library leaves to say; what the address map does besides (entries of the
 * caller's, summaries) it does here too. Every benchmark leaves the map as it was, so that those of one
 * kind and size share one.
 *
 * Several threads have a map each, or read one and the same; `read_beside_writer` while another thread, whose
 * time does not count, changes entries now and then. The peers stand behind a std::shared_mutex there, which
 * is what a program would put around them.
 */
#include <benchmark/benchmark.h>

#ifdef HAVE_ABSL
#include <absl/container/btree_map.h>
#endif
#ifdef HAVE_ICL
#include <boost/icl/interval_map.hpp>
#endif

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <new>
#include <numeric>
#include <random>
#include <shared_mutex>
#include <thread>
#include <utility>
#include <vector>

#include "amm.h"
#include "bench/machine.h"
#include "bench/words.h"

namespace {

using Address = std::uintptr_t;

constexpr Address entry_size = 4096;
constexpr int middle_flags = 9;

int flags_of(std::size_t i)
{
	return i % 2 == 0 ? 0 : static_cast<int>(1 + i / 2 % 3);
}

/* Free entries have sizes of their own, so that best fit has something to choose. */
class Amm {
      public:
	Amm()
	{
		if (amm_init_gen(&map_, -1, nullptr, nullptr, nullptr, nullptr, nullptr) != 0)
			throw std::bad_alloc();
	}
	~Amm()
	{
		amm_destroy(&map_);
	}
	Amm(const Amm &) = delete;
	Amm &operator=(const Amm &) = delete;

	int find(Address address)
	{
		return amm_entry_flags(amm_find_addr(&map_, address));
	}
	void modify(Address start, Address size, int flags)
	{
		if (amm_modify(&map_, start, size, flags, nullptr) != 0)
			throw std::bad_alloc();
	}
	long iterate()
	{
		long sum = 0;

		amm_iterate(&map_, add, &sum);
		return sum;
	}
	amm_t *get()
	{
		return &map_;
	}

      private:
	static int add(amm_t *, amm_entry_t *entry, void *sum)
	{
		*static_cast<long *>(sum) += amm_entry_flags(entry);
		return 0;
	}
	amm_t map_;
};

/* The same map as readers beside a writer see it. */
class Readers {
      public:
	Readers()
	{
		if (amm_init_with(&map_, AMM_READERS, -1, nullptr, nullptr, nullptr, nullptr, nullptr) != 0)
			throw std::bad_alloc();
	}
	~Readers()
	{
		amm_destroy(&map_);
	}
	Readers(const Readers &) = delete;
	Readers &operator=(const Readers &) = delete;

	int find(Address address)
	{
		struct amm_range range;

		if (amm_read(&map_, address, &range, nullptr, nullptr) != 0)
			throw std::bad_alloc();
		return range.flags;
	}
	void modify(Address start, Address size, int flags)
	{
		if (amm_modify(&map_, start, size, flags, nullptr) != 0)
			throw std::bad_alloc();
	}

      private:
	amm_t map_;
};

/* Start of a range to its flags, as a program would write it over an ordered map. */
template <class Map> class Starts {
      public:
	Starts()
	{
		map_.emplace(0, -1);
	}
	int find(Address address)
	{
		return std::prev(map_.upper_bound(address))->second;
	}
	void modify(Address start, Address size, int flags)
	{
		Address end = start + size;

		split(end);

		auto at = split(start);

		at->second = flags;
		for (auto next = std::next(at); next != map_.end() && next->first < end;)
			next = map_.erase(next);
		at = map_.find(start);
		auto next = std::next(at);

		if (next != map_.end() && next->second == flags)
			at = std::prev(map_.erase(next));
		if (at != map_.begin() && std::prev(at)->second == flags)
			map_.erase(at);
	}
	long iterate()
	{
		long sum = 0;

		for (const auto &range : map_)
			sum += range.second;
		return sum;
	}

      private:
	typename Map::iterator split(Address at)
	{
		auto next = map_.lower_bound(at);

		if (next != map_.end() && next->first == at)
			return next;
		return map_.emplace_hint(next, at, std::prev(next)->second);
	}
	Map map_;
};

using StdMap = Starts<std::map<Address, int>>;
#ifdef HAVE_ABSL
using AbslBtree = Starts<absl::btree_map<Address, int>>;
#endif

#ifdef HAVE_ICL
class BoostIcl {
      public:
	BoostIcl()
	{
		map_.set({Interval::right_open(0, ~Address(0)), -1});
	}
	int find(Address address)
	{
		return map_.find(address)->second;
	}
	void modify(Address start, Address size, int flags)
	{
		map_.set({Interval::right_open(start, start + size), flags});
	}
	long iterate()
	{
		long sum = 0;

		for (const auto &range : map_)
			sum += range.second;
		return sum;
	}

      private:
	using Map = boost::icl::interval_map<Address, int, boost::icl::total_enricher>;
	using Interval = Map::interval_type;
	Map map_;
};
#endif

/* A map as a program would share it: readers beside each other, a writer alone. */
template <class Map> class Shared {
      public:
	int find(Address address)
	{
		std::shared_lock<std::shared_mutex> lock(mutex_);

		return map_.find(address);
	}
	void modify(Address start, Address size, int flags)
	{
		std::unique_lock<std::shared_mutex> lock(mutex_);

		map_.modify(start, size, flags);
	}

      private:
	std::shared_mutex mutex_;
	Map map_;
};

/* Of what is made once and kept: all threads of a benchmark come at the same time. */
std::mutex making;

/* Kept for the next benchmark of that size. */
const std::vector<std::size_t> &random_order(std::size_t n)
{
	static std::mutex ordering;
	std::lock_guard<std::mutex> lock(ordering);
	static std::map<std::size_t, std::vector<std::size_t>> orders;
	std::vector<std::size_t> &order = orders[n];
	std::mt19937_64 random(n);

	if (!order.empty())
		return order;
	order.resize(n);

	std::iota(order.begin(), order.end(), std::size_t(0));
	std::shuffle(order.begin(), order.end(), random);
	return order;
}

template <class Map> void fill(Map &map, const std::vector<std::size_t> &order)
{
	for (std::size_t i : order)
		map.modify(i * entry_size, entry_size, flags_of(i));
}

/* A map of n entries, the same for all benchmarks of that kind and size; of one thread, or of all. */
template <class Map> Map &filled(std::size_t n, int thread = 0)
{
	static std::map<std::pair<std::size_t, int>, std::unique_ptr<Map>> maps;
	std::lock_guard<std::mutex> lock(making);
	std::unique_ptr<Map> &map = maps[{n, thread}];

	if (map == nullptr) {
		map = std::make_unique<Map>();
		fill(*map, random_order(n));
	}
	return *map;
}

template <class Map> void find_in(benchmark::State &state, Map &map)
{
	const auto &order = random_order(static_cast<std::size_t>(state.range(0)));
	std::size_t i = order.size() / static_cast<std::size_t>(state.threads()) *
		static_cast<std::size_t>(state.thread_index());

	for (auto _ : state) {
		benchmark::DoNotOptimize(map.find(order[i] * entry_size + 100));
		if (++i == order.size())
			i = 0;
	}
}

template <class Map> void find(benchmark::State &state)
{
	find_in(state, filled<Map>(static_cast<std::size_t>(state.range(0)), state.thread_index()));
}

/* One map, read by all threads. */
template <class Map> void read(benchmark::State &state)
{
	find_in(state, filled<Map>(static_cast<std::size_t>(state.range(0))));
}

/* Some thousand changes a second. */
template <class Map> void change(Map &map, const std::vector<std::size_t> &order, const std::atomic<bool> &stop)
{
	for (std::size_t i = 0; !stop; i = (i + 1) % order.size()) {
		std::size_t k = order[i];

		map.modify(k * entry_size + 1024, 1024, middle_flags);
		map.modify(k * entry_size + 1024, 1024, flags_of(k));
		std::this_thread::sleep_for(std::chrono::microseconds(50));
	}
}

template <class Map> void read_beside_writer(benchmark::State &state)
{
	const auto &order = random_order(static_cast<std::size_t>(state.range(0)));
	Map &map = filled<Map>(order.size());
	std::atomic<bool> stop{false};
	std::thread writer;

	if (state.thread_index() == 0)
		writer = std::thread([&] { change(map, order, stop); });
	find_in(state, map);
	stop = true;
	if (writer.joinable())
		writer.join();
}

template <class Map> void modify(benchmark::State &state)
{
	const auto &order = random_order(static_cast<std::size_t>(state.range(0)));
	Map &map = filled<Map>(order.size(), state.thread_index());
	std::size_t i = 0;

	while (state.KeepRunningBatch(2)) {
		std::size_t k = order[i];

		map.modify(k * entry_size + 1024, 1024, middle_flags);
		map.modify(k * entry_size + 1024, 1024, flags_of(k));
		if (++i == order.size())
			i = 0;
	}
}

template <class Map> void iterate(benchmark::State &state)
{
	Map &map = filled<Map>(static_cast<std::size_t>(state.range(0)));

	for (auto _ : state)
		benchmark::DoNotOptimize(map.iterate());
	state.counters["ns/entry"] = benchmark::Counter(
		static_cast<double>(state.iterations() * state.range(0)) * 1e-9,
		benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

/* The rest only the address map has. */

void select(benchmark::State &state)
{
	const auto &order = random_order(static_cast<std::size_t>(state.range(0)));
	Amm &map = filled<Amm>(order.size());
	std::size_t i = 0;

	while (state.KeepRunningBatch(2)) {
		std::size_t k = order[i];
		amm_entry_t *entry = amm_select(map.get(), k * entry_size + 1024, 1024);

		/* An entry in its own place, of its own flags: only the joins are done. */
		amm_modify(map.get(), k * entry_size + 1024, 1024, flags_of(k), entry);
		if (++i == order.size())
			i = 0;
	}
}

/* Holes of many sizes: the free entries are cut down to 1..4095 addresses. */
void cut_holes(Amm &map, std::size_t n)
{
	std::mt19937_64 random(n);

	for (std::size_t i = 0; i < n; i += 2)
		map.modify(i * entry_size, 1 + random() % (entry_size - 1), flags_of(i + 1));
}

/* Changes pay for every index that is kept: those that are measured with one have a map of their own. */
Amm &holed(std::size_t n, bool changing = false)
{
	static std::map<std::pair<std::size_t, bool>, std::unique_ptr<Amm>> maps;
	std::unique_ptr<Amm> &map = maps[{n, changing}];

	if (map == nullptr) {
		map = std::make_unique<Amm>();
		fill(*map, random_order(n));
		cut_holes(*map, n);
	}
	return *map;
}

/* The first queries, which may make an index, are not timed; first_query below is that. */
void find_gen(benchmark::State &state, int mask, int align_bits, int find_flags, bool hinted,
	bool changing)
{
	auto n = static_cast<std::size_t>(state.range(0));
	const auto &order = random_order(n);
	Amm &map = holed(n, changing);
	std::size_t i = 0;
	std::mt19937_64 random(1);

	for (int warm_up = 0; warm_up < 1000; warm_up++) {
		Address address = warm_up < 2 ? 0 : random() % n * entry_size;

		amm_find_gen(map.get(), &address, warm_up < 2 ? 4095 : 1 + random() % 4000, 0, mask, align_bits, 0,
			find_flags);
	}
	for (auto _ : state) {
		Address address = hinted ? order[i] * entry_size
			: find_flags & AMM_BACKWARD ? AMM_MAXADDR
						    : AMM_MINADDR;
		Address size = find_flags & AMM_BESTFIT ? 1 + random() % 4000 : 4000;
		amm_entry_t *entry = amm_find_gen(map.get(), &address, size, 0, mask, align_bits, 0,
			find_flags);

		benchmark::DoNotOptimize(entry);
		if (changing && entry != nullptr) {
			amm_modify(map.get(), address, size, middle_flags, nullptr);
			amm_modify(map.get(), address, size, 0, nullptr);
		}
		if (++i == order.size())
			i = 0;
	}
}

/* The simple interface: a first fit near a random address made use of and released; the time of either. */
void allocate(benchmark::State &state)
{
	auto n = static_cast<std::size_t>(state.range(0));
	const auto &order = random_order(n);
	Amm &map = holed(n, true);
	std::size_t i = 0;

	while (state.KeepRunningBatch(2)) {
		Address address = order[i] * entry_size;
		Address size = 1 + order[i] % 2000;

		if (amm_allocate(map.get(), &address, size, 1) != 0 ||
			amm_deallocate(map.get(), address, size) != 0)
			throw std::bad_alloc();
		if (++i == order.size())
			i = 0;
	}
}

/* A best fit that no index is there for: makes one. */
void first_query(benchmark::State &state)
{
	auto n = static_cast<std::size_t>(state.range(0));
	const auto &order = random_order(n);

	for (auto _ : state) {
		state.PauseTiming();
		{
			Amm map;
			Address address = 0;

			fill(map, order);
			cut_holes(map, n);
			state.ResumeTiming();
			amm_find_gen(map.get(), &address, 4095, 0, -1, 0, 0, AMM_BESTFIT);
			state.PauseTiming();
		}
		state.ResumeTiming();
	}
}

/* What a map of that many entries takes, all told: right in a process that did nothing before. */
void memory(benchmark::State &state)
{
	const auto &order = random_order(static_cast<std::size_t>(state.range(0)));
	std::size_t before = machine_resident();
	double bytes = 0, index = 0, index_with_fits = 0;

	for (auto _ : state) {
		Amm map;
		Address address = 0;

		fill(map, order);
		bytes = static_cast<double>(machine_resident() - before);
		index = static_cast<double>(amm_index_size(map.get()));
		cut_holes(map, order.size());
		amm_find_gen(map.get(), &address, 4095, 0, -1, 0, 0, AMM_BESTFIT);
		address = 0;
		amm_find_gen(map.get(), &address, Address(1) << 62, 0, -1, 0, 0, AMM_FORWARD);
		index_with_fits = static_cast<double>(amm_index_size(map.get())) /
			static_cast<double>(amm_count(map.get()));
	}
	/* All that the process takes for it, malloc's share of an entry included; the index alone; that with the
	   run indices of a program that asks for best fits and first fits. */
	state.counters["bytes/entry"] = bytes / static_cast<double>(order.size());
	state.counters["index/entry"] = index / static_cast<double>(order.size());
	state.counters["index+fits/entry"] = index_with_fits;
	state.counters["sizeof"] = sizeof(amm_entry_t);
}

void sizes(benchmark::internal::Benchmark *b)
{
	b->RangeMultiplier(10)->Range(1000, 1000000);
}

/* Each thread has a map of its own, or all read one. */
void with_threads(benchmark::internal::Benchmark *b)
{
	b->Arg(100000);
	for (int n : {1, 2, 4, 8})
		b->Threads(n);
}

BENCHMARK_TEMPLATE(find, Amm)->Apply(sizes)->Arg(200000);
#ifdef HAVE_ABSL
BENCHMARK_TEMPLATE(find, AbslBtree)->Apply(sizes);
#endif
BENCHMARK_TEMPLATE(find, StdMap)->Apply(sizes);
#ifdef HAVE_ICL
BENCHMARK_TEMPLATE(find, BoostIcl)->Apply(sizes);
#endif
BENCHMARK_TEMPLATE(modify, Amm)->Apply(sizes);
#ifdef HAVE_ABSL
BENCHMARK_TEMPLATE(modify, AbslBtree)->Apply(sizes);
#endif
BENCHMARK_TEMPLATE(modify, StdMap)->Apply(sizes);
#ifdef HAVE_ICL
BENCHMARK_TEMPLATE(modify, BoostIcl)->Apply(sizes);
#endif
BENCHMARK_TEMPLATE(iterate, Amm)->Apply(sizes);
#ifdef HAVE_ABSL
BENCHMARK_TEMPLATE(iterate, AbslBtree)->Apply(sizes);
#endif
BENCHMARK_TEMPLATE(iterate, StdMap)->Apply(sizes);
#ifdef HAVE_ICL
BENCHMARK_TEMPLATE(iterate, BoostIcl)->Apply(sizes);
#endif
BENCHMARK_TEMPLATE(find, Readers)->Name("read")->Apply(sizes);
BENCHMARK_TEMPLATE(find, Amm)->Apply(with_threads);
BENCHMARK_TEMPLATE(find, StdMap)->Apply(with_threads);
BENCHMARK_TEMPLATE(modify, Amm)->Apply(with_threads);
BENCHMARK_TEMPLATE(modify, StdMap)->Apply(with_threads);
BENCHMARK_TEMPLATE(read, Readers)->Name("read<Amm>")->Apply(with_threads);
BENCHMARK_TEMPLATE(read, Shared<StdMap>)->Name("read<StdMap>")->Apply(with_threads);
BENCHMARK_TEMPLATE(read_beside_writer, Readers)->Name("read_beside_writer<Amm>")->Apply(with_threads);
BENCHMARK_TEMPLATE(read_beside_writer, Shared<StdMap>)->Name("read_beside_writer<StdMap>")->Apply(with_threads);
#ifdef HAVE_ABSL
BENCHMARK_TEMPLATE(find, AbslBtree)->Apply(with_threads);
BENCHMARK_TEMPLATE(modify, AbslBtree)->Apply(with_threads);
BENCHMARK_TEMPLATE(read, Shared<AbslBtree>)->Name("read<AbslBtree>")->Apply(with_threads);
BENCHMARK_TEMPLATE(read_beside_writer, Shared<AbslBtree>)->Name("read_beside_writer<AbslBtree>")
	->Apply(with_threads);
#endif
BENCHMARK(select)->Apply(sizes);
BENCHMARK(allocate)->Apply(sizes);
BENCHMARK_CAPTURE(find_gen, first_forward, -1, 0, AMM_FORWARD, true, false)->Apply(sizes);
BENCHMARK_CAPTURE(find_gen, first_backward, -1, 0, AMM_BACKWARD, true, false)->Apply(sizes);
BENCHMARK_CAPTURE(find_gen, first_aligned, -1, 6, AMM_FORWARD, true, false)->Apply(sizes);
BENCHMARK_CAPTURE(find_gen, best, -1, 0, AMM_BESTFIT, false, false)->Apply(sizes)->Arg(200000);
BENCHMARK_CAPTURE(find_gen, best_forward, -1, 0, AMM_BESTFIT, true, false)->Apply(sizes);
BENCHMARK_CAPTURE(find_gen, best_backward, -1, 0, AMM_BESTFIT | AMM_BACKWARD, true, false)
	->Apply(sizes);
BENCHMARK_CAPTURE(find_gen, best_aligned, -1, 6, AMM_BESTFIT, true, false)->Apply(sizes);
BENCHMARK_CAPTURE(find_gen, best_masked, 1, 0, AMM_BESTFIT, false, false)->Apply(sizes);
BENCHMARK_CAPTURE(find_gen, exact, -1, 0, AMM_EXACT_ADDR, true, false)->Apply(sizes);
BENCHMARK_CAPTURE(find_gen, best_then_two_modifies, -1, 0, AMM_BESTFIT, false, true)->Apply(sizes);
BENCHMARK(memory)->Arg(1000000)->Iterations(1);
BENCHMARK(first_query)->Apply(sizes)->Unit(benchmark::kMicrosecond);

} // namespace

int main(int argc, char **argv)
{
	words::begin("amm_bench");
	benchmark::Initialize(&argc, argv);
	if (benchmark::ReportUnrecognizedArguments(argc, argv))
		return 2;
	benchmark::RunSpecifiedBenchmarks();
	return 0;
}
