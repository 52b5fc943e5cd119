/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * loops.h - the innermost loops of the micro-benchmarks, on the functions of the adapter that includes
 * it (see peer.h). A loop that finds no memory frees what it holds and says false.
 */
#include "bench/random.h"

#define LOOP_PAGE 4096

/* Blocks are written to: a program has some use for them, and no compiler may drop the pair. */
static inline void loop_touch(void *p)
{
	*(volatile char *)p = 1;
}

static inline bool loop_free_all(void **block, size_t n, size_t size)
{
	for (size_t i = 0; i < n; i++)
		put(block[i], size);
	return n == BATCH;
}

static bool loop_pairs(size_t size)
{
	void *block[BATCH];
	size_t n = 0;

	for (; n < BATCH && (block[n] = get(size)) != NULL; n++)
		loop_touch(block[n]);
	return loop_free_all(block, n, size);
}

static bool loop_zeroed(size_t size)
{
	void *block[BATCH];
	size_t n = 0;

	for (; n < BATCH && (block[n] = get_zeroed(size)) != NULL; n++)
		loop_touch(block[n]);
	return loop_free_all(block, n, size);
}

static bool loop_aligned(size_t alignment, size_t size)
{
	void *block[BATCH];
	size_t n = 0;

	for (; n < BATCH && (block[n] = get_aligned(alignment, size)) != NULL; n++)
		loop_touch(block[n]);
	return loop_free_all(block, n, size);
}

static bool loop_churn(struct slot *slots, size_t n, const struct sizes *sizes, uint64_t *random,
	size_t times)
{
	for (; times > 0; times--) {
		struct slot *slot = &slots[random_below(random, n)];

		if (slot->p != NULL)
			put(slot->p, slot->size);
		slot->size = random_size(random, sizes->low, sizes->n);
		slot->p = get(slot->size);
		if (slot->p == NULL)
			return false;
		for (size_t at = 0; sizes->touch && at < slot->size; at += LOOP_PAGE)
			loop_touch((char *)slot->p + at);
	}
	return true;
}

static bool loop_grow(size_t from, size_t to)
{
	size_t size = from;
	char *p = get(size);

	while (p != NULL && size < to) {
		size_t larger = size + size / 2;
		char *moved = resize(p, size, larger);

		if (moved == NULL) {
			put(p, size);
			return false;
		}
		p = moved;
		size = larger;
		loop_touch(p + size - 1);
	}
	if (p == NULL)
		return false;
	put(p, size);
	return true;
}

static bool loop_fill(struct batch *batch, size_t size)
{
	size_t n = 0;

	for (; n < BATCH && (batch->block[n] = get(size)) != NULL; n++)
		loop_touch(batch->block[n]);
	return n == BATCH || loop_free_all(batch->block, n, size);
}

static void loop_drain(struct batch *batch, size_t size)
{
	loop_free_all(batch->block, BATCH, size);
}

#ifdef OWNER
static uintptr_t loop_owner(void *const *blocks, size_t n)
{
	uintptr_t sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += OWNER(blocks[i]);
	return sum;
}
#else
#define loop_owner NULL
#endif

/* The part of struct peer that is the same for all. */
#define PEER_FUNCTIONS                                                                             \
	.get = get, .get_zeroed = get_zeroed, .get_aligned = get_aligned, .resize = resize,        \
	.put = put,                                                                                \
	.loops = { loop_pairs, loop_zeroed, loop_aligned, loop_churn, loop_grow, loop_fill,        \
		loop_drain, loop_owner }
