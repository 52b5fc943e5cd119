/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * micro.cc - the micro-benchmarks of one peer. An iteration is one operation (a pair of malloc and free,
 * say), so google-benchmark's CPU time is the processor time of all threads for one operation, and its
 * real time what a user waits for one, all threads working.
 *
 * Names say what is done and, after slashes, with how much: pairs/64, live/1000000, cross/64/threads:2.
 */
#include <benchmark/benchmark.h>

#include <pthread.h>

#include <array>
#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "bench/micro.h"
#include "bench/peer.h"
#include "bench/random.h"
#include "bench/words.h"

namespace {

using State = benchmark::State;

constexpr std::size_t KIB = 1024;

/* google-benchmark makes threads of its own, and runs the first in the main thread. */
class InThread {
      public:
	InThread()
	{
		peer_thread_begin();
	}
	~InThread()
	{
		peer_thread_end();
	}
	InThread(const InThread &) = delete;
	InThread &operator=(const InThread &) = delete;
};

void no_memory(State &state)
{
	state.SkipWithError("no memory");
}

/* Loops of BATCH operations. */
template <class Loop> void batches(State &state, Loop loop)
{
	InThread in;

	while (state.KeepRunningBatch(BATCH))
		if (!loop())
			return no_memory(state);
}

void pairs(State &state)
{
	batches(state, [&] { return peer.loops.pairs(static_cast<std::size_t>(state.range(0))); });
}

void zeroed(State &state)
{
	batches(state, [&] { return peer.loops.zeroed(static_cast<std::size_t>(state.range(0))); });
}

void aligned(State &state)
{
	batches(state, [&] {
		return peer.loops.aligned(static_cast<std::size_t>(state.range(0)),
			static_cast<std::size_t>(state.range(0)));
	});
}

void grow(State &state)
{
	InThread in;

	for (auto _ : state)
		if (!peer.loops.grow(16, static_cast<std::size_t>(state.range(0))))
			return no_memory(state);
}

/* What n live blocks take at the least, doubled since others live here too; said, not tried. */
bool too_much(State &state, std::size_t n, std::size_t size)
{
	return words::too_much(state, 2 * n * (size > peer.grain ? size : peer.grain));
}

/* n live blocks, of which a random one is replaced at a time. */
void churn(State &state, std::size_t n, struct sizes sizes, std::size_t mean)
{
	InThread in;

	if (too_much(state, n * static_cast<std::size_t>(state.threads()), mean))
		return;

	std::vector<struct slot> slots(n);
	std::uint64_t random = random_seed(static_cast<std::uint64_t>(state.thread_index()));
	bool ok = true;

	/* Filled before the clock runs; churned, so that the order is no longer that of birth. */
	for (struct slot &slot : slots)
		ok = ok && peer.loops.churn(&slot, 1, &sizes, &random, 1);
	ok = ok && peer.loops.churn(slots.data(), n, &sizes, &random, n / 4);
	while (state.KeepRunningBatch(BATCH)) {
		if (!ok) {
			no_memory(state);
			break;
		}
		ok = peer.loops.churn(slots.data(), n, &sizes, &random, BATCH);
	}
	for (struct slot &slot : slots)
		if (slot.p != nullptr)
			peer.put(slot.p, slot.size);
}

/* 8 to 4096 bytes, 450 on average; the blocks are shared out among the threads. */
void live(State &state)
{
	if (peer.grain != 0 && state.range(0) > 10000)
		return state.SkipWithError("a page and a mapping for each block: too many");
	churn(state, static_cast<std::size_t>(state.range(0) / state.threads()), {3, 9, true}, 450);
}

/* 64 KiB to 4 MiB, untouched. */
void large(State &state)
{
	churn(state, 16, {16, 6, false}, 4 * KIB);
}

/*
 * Two threads free each other's blocks, all of them: each fills some batches, meets its partner, and
 * frees the partner's while that one may go on filling. Few meetings, so that waiting does not count.
 */
constexpr std::size_t MOST_THREADS = 64, BATCHES = 256;

struct Exchange {
	pthread_barrier_t meeting;
	std::array<std::array<std::array<struct batch, BATCHES>, 2>, 2> filled; /* by thread and by turn */
};
std::array<std::unique_ptr<Exchange>, MOST_THREADS / 2> exchanges;
std::atomic<bool> failed;

void fill(std::array<struct batch, BATCHES> &batches, std::size_t size)
{
	for (struct batch &batch : batches) {
		batch.full = peer.loops.fill(&batch, size);
		if (!batch.full)
			failed = true;
	}
}

void drain(std::array<struct batch, BATCHES> &batches, std::size_t size)
{
	for (struct batch &batch : batches)
		if (batch.full)
			peer.loops.drain(&batch, size);
}

void cross(State &state)
{
	if (peer.grain != 0)
		return state.SkipWithError("a page and a mapping for each block: too many");

	InThread in;
	auto size = static_cast<std::size_t>(state.range(0));
	auto thread = static_cast<std::size_t>(state.thread_index());
	auto &exchange = exchanges[thread / 2];
	std::size_t own = thread % 2, turn = 0;

	/* The partner waits for the first iteration as all threads do. */
	if (own == 0) {
		exchange = std::make_unique<Exchange>();
		pthread_barrier_init(&exchange->meeting, nullptr, 2);
		failed = false;
	}
	while (state.KeepRunningBatch(BATCH * BATCHES)) {
		fill(exchange->filled[own][turn], size);
		pthread_barrier_wait(&exchange->meeting);
		drain(exchange->filled[1 - own][turn], size);
		turn = 1 - turn;
	}
	if (failed)
		no_memory(state);
}

/* Hot: the same 1000 blocks of 64 bytes over and over. */
void owner(State &state)
{
	InThread in;
	std::vector<void *> blocks(1000);
	std::size_t n = 0;

	for (; n < blocks.size() && (blocks[n] = peer.get(64)) != nullptr; n++)
		;
	if (n < blocks.size())
		no_memory(state);
	else
		while (state.KeepRunningBatch(1000))
			benchmark::DoNotOptimize(peer.loops.owner(blocks.data(), n));
	while (n-- > 0)
		peer.put(blocks[n], 64);
}

void heap(State &state)
{
	InThread in;

	for (auto _ : state)
		if (!peer.heap_cycle())
			return state.SkipWithError("no heap, or no memory in it");
}

/* A thread starts, takes a hundred blocks, frees them and ends; the heap is in use all the while. */
void *short_life(void *ok)
{
	InThread in;

	*static_cast<bool *>(ok) = peer.loops.pairs(64) && peer.loops.pairs(256);
	return nullptr;
}

void threads(State &state)
{
	InThread in;
	void *used = peer.get(64);

	for (auto _ : state) {
		pthread_t thread;
		bool ok = false;

		if (pthread_create(&thread, nullptr, short_life, &ok) != 0)
			return state.SkipWithError("no more threads can be had");
		pthread_join(thread, nullptr);
		if (!ok)
			return no_memory(state);
	}
	if (used != nullptr)
		peer.put(used, 64);
}

using Benchmark = benchmark::internal::Benchmark;

void with_threads(Benchmark *b)
{
	for (int n : {1, 2, 4, 8})
		b->Threads(n);
}

void declare()
{
	benchmark::RegisterBenchmark("pairs", pairs)->Arg(64)->Apply(with_threads);
	benchmark::RegisterBenchmark("live", live)->Arg(10000)->Apply(with_threads);
	benchmark::RegisterBenchmark("live", live)->Arg(1000)->Apply(with_threads);
	/* So often in any case, all threads together: to find a good number would fill the heap over and over. */
	for (int n : {1, 2, 4, 8})
		benchmark::RegisterBenchmark("live", live)->Arg(100000)->Arg(1000000)->Threads(n)
			->Iterations(256 * 1024 / n);
	benchmark::RegisterBenchmark("zeroed", zeroed)->Arg(256)->Arg(16384)->Apply(with_threads);
	benchmark::RegisterBenchmark("grow", grow)->Arg(4096)->Arg(1 << 20)->Apply(with_threads);
	benchmark::RegisterBenchmark("aligned", aligned)->Arg(64)->Arg(4096)->Apply(with_threads);
	benchmark::RegisterBenchmark("large", large)->Apply(with_threads);
	benchmark::RegisterBenchmark("cross", cross)->Arg(64)->Threads(2)->Threads(4)->Threads(8);
	if (peer.loops.owner != nullptr)
		benchmark::RegisterBenchmark("owner", owner)->Apply(with_threads);
	if (peer.heap_cycle != nullptr)
		benchmark::RegisterBenchmark("heap", heap)->Apply(with_threads);
	benchmark::RegisterBenchmark("threads", threads)->Apply(with_threads);
}

} // namespace

int micro_main(int argc, char **argv)
{
	words::begin(peer.name);
	benchmark::Initialize(&argc, argv);
	if (benchmark::ReportUnrecognizedArguments(argc, argv))
		return 2;
	declare();
	benchmark::RunSpecifiedBenchmarks();
	return 0;
}
