/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sh.c - after MicroQuill's SmartHeap benchmarks: many small blocks of mixed sizes, freed in several
 * orders. In sh8 the threads also exchange what they hold, so that most blocks are freed by another
 * thread than allocated them.
 */
#include "bench/work/work.h"

#include <stdatomic.h>

#define HELD 4096
#define ROUNDS 700

struct WORK_APART worker {
	struct slot *slots;
	_Atomic(struct slot *) *exchange; /* NULL: keeps to itself */
	uint64_t random;
	size_t rounds;
};

static void fill(struct worker *w, size_t from, size_t step)
{
	for (size_t i = from; i < HELD; i += step) {
		struct slot *slot = &w->slots[i];

		slot->size = random_size(&w->random, 3, 6);
		slot->p = work_get(slot->size);
		work_touch(slot->p, slot->size);
	}
}

static void drop(struct slot *slot)
{
	if (slot->p != NULL)
		peer.put(slot->p, slot->size);
	slot->p = NULL;
}

static void play(void *argument)
{
	struct worker *w = argument;

	for (size_t round = 0; round < w->rounds; round++) {
		fill(w, 0, 1);
		if (w->exchange != NULL)
			w->slots = atomic_exchange(w->exchange, w->slots);
		for (size_t i = 0; i < HELD; i += 2)
			drop(&w->slots[i]);
		for (size_t i = 0; i < HELD; i += 2)
			w->slots[i].size = 0;
		fill(w, 0, 2);
		for (size_t i = HELD; i-- > 0;)
			drop(&w->slots[i]);
	}
	fill(w, 0, 1);
}

static void run(struct work_run *run, bool exchanging)
{
	unsigned n = run->n_threads;
	struct worker *workers = work_private(n * sizeof(*workers));
	/* One set more than threads: an exchange never waits. */
	struct slot *slots = work_private((n + 1) * HELD * sizeof(*slots));
	_Atomic(struct slot *) exchange = slots + (size_t)n * HELD;

	for (unsigned i = 0; i < n; i++)
		workers[i] = (struct worker){ slots + (size_t)i * HELD, exchanging ? &exchange : NULL,
			random_seed(i), work_scaled(run, ROUNDS, 1) };
	work_threads(n, play, workers, sizeof(*workers));
	work_look(run, slots, n * HELD);
	for (size_t i = 0; i < (n + 1) * (size_t)HELD; i++)
		drop(&slots[i]);
}

static void run_sh6(struct work_run *r)
{
	run(r, false);
}

static void run_sh8(struct work_run *r)
{
	run(r, true);
}

const struct work work_sh6 = { "sh6", "small blocks freed in several orders", 0, 4 << 20, 4 * HELD, run_sh6 };
const struct work work_sh8 = { "sh8", "the same, threads exchange what they hold", 0, 4 << 20, 4 * HELD,
	run_sh8 };
