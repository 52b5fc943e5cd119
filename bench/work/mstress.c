/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * mstress.c - after mimalloc's stress test: few blocks are large, some live long, some pass to other
 * threads; generations of threads; every word of every block is checked when it is freed.
 */
#include "bench/work/work.h"

#include <stdatomic.h>

#define KEPT 1000
#define SHARED 1000
#define OPERATIONS 200000
#define GENERATIONS 4


struct WORK_APART worker {
	_Atomic(uint64_t *) *shared;
	uint64_t *kept[KEPT];
	uint64_t random;
	size_t operations;
};

#define COOKIE 0xbf58476d1ce4e5b9u

static uint64_t *make(uint64_t *random)
{
	/* One in 128 is up to 64 times as large, one in 4096 up to 4096 times. */
	uint64_t chance = random_next(random) >> 40;
	size_t n = 1 + random_below(random, 64);
	uint64_t *block;

	if ((chance & 4095) == 0)
		n *= 1 + random_below(random, 1024);
	else if ((chance & 127) == 0)
		n *= 1 + random_below(random, 64);
	block = work_get(n * sizeof(*block));
	for (size_t i = 0; i < n; i++)
		block[i] = COOKIE ^ n;
	return block;
}

static void drop(uint64_t *block)
{
	size_t n;

	if (block == NULL)
		return;
	n = block[0] ^ COOKIE;
	for (size_t i = 1; i < n; i++)
		if (block[i] != block[0])
			work_corrupt("a block's contents changed");
	peer.put(block, n * sizeof(*block));
}

static void stress(void *argument)
{
	struct worker *w = argument;

	for (size_t i = 0; i < w->operations; i++) {
		uint64_t **kept = &w->kept[random_below(&w->random, KEPT)];

		switch (random_below(&w->random, 4)) {
		case 0: /* to or from another thread */
			*kept = atomic_exchange(&w->shared[random_below(&w->random, SHARED)], *kept);
			break;
		case 1: /* short-lived */
			drop(make(&w->random));
			break;
		default:
			drop(*kept);
			*kept = make(&w->random);
		}
	}
	for (size_t i = 0; i < KEPT; i++)
		drop(w->kept[i]);
}

static void look(struct work_run *run, _Atomic(uint64_t *) *shared)
{
	struct slot slots[SHARED];

	for (size_t i = 0; i < SHARED; i++)
		slots[i] = (struct slot){ shared[i], 8 };
	work_look(run, slots, SHARED);
}

static void run(struct work_run *run)
{
	unsigned n = run->n_threads;
	_Atomic(uint64_t *) *shared = work_private(SHARED * sizeof(*shared));
	struct worker *workers = work_private(n * sizeof(*workers));

	for (unsigned generation = 0; generation < GENERATIONS; generation++) {
		for (unsigned i = 0; i < n; i++)
			workers[i] = (struct worker){ .shared = shared,
				.random = random_seed(generation * n + i),
				.operations = work_scaled(run, OPERATIONS, 10) };
		work_threads(n, stress, workers, sizeof(*workers));
	}
	look(run, shared);
	for (size_t i = 0; i < SHARED; i++)
		drop(shared[i]);
}

const struct work work_mstress = { "mstress", "sizes by a power law, generations of threads, contents checked", 0,
	8 << 20, SHARED + 4 * KEPT, run };
