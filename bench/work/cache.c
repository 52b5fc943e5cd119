/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * cache.c - after the Hoard benchmarks: small blocks that are written to many times. An allocator that
 * puts blocks of two threads into one cache line makes the threads wait for each other: actively (thrash),
 * or by handing a thread the line of a block that another thread gave it to free (scratch).
 */
#include "bench/work/work.h"

#define SIZE 8
#define WRITES 400
#define TIMES 250000

struct WORK_APART worker {
	char *given; /* by the first thread, to be freed here; NULL: nothing */
	struct slot last; /* block, which the first thread looks at and frees */
	size_t times;
};

static void write_often(void *argument)
{
	struct worker *w = argument;

	if (w->given != NULL)
		peer.put(w->given, SIZE);
	for (size_t i = 0; i < w->times; i++) {
		volatile char *p = work_get(SIZE);

		for (size_t k = 0; k < WRITES; k++)
			p[k % SIZE]++;
		if (i + 1 == w->times)
			w->last = (struct slot){ (void *)p, SIZE };
		else
			peer.put((void *)p, SIZE);
	}
}

static void run(struct work_run *run, bool give)
{
	unsigned n = run->n_threads;
	struct worker *workers = work_private(n * sizeof(*workers));
	struct slot *last = work_private(n * sizeof(*last));

	for (unsigned i = 0; i < n; i++)
		workers[i] = (struct worker){ .given = give ? work_get(SIZE) : NULL,
			.times = work_scaled(run, TIMES, 2) };
	work_threads(n, write_often, workers, sizeof(*workers));
	for (unsigned i = 0; i < n; i++)
		last[i] = workers[i].last;
	work_look(run, last, n);
	for (unsigned i = 0; i < n; i++)
		peer.put(last[i].p, SIZE);
}

static void run_scratch(struct work_run *r)
{
	run(r, true);
}

static void run_thrash(struct work_run *r)
{
	run(r, false);
}

const struct work work_cache_scratch = { "cache-scratch", "threads write to what another thread's line held", 0,
	4096, 8, run_scratch };
const struct work work_cache_thrash = { "cache-thrash", "threads write to small blocks of their own", 0, 4096, 8,
	run_thrash };
