/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * cache.h - one thread's free blocks of one heap: a stack per size class.
 *
 * Whatever lies in a cache was allocated by its heap, so whatever comes out of it lies in the heap's
 * area. A cache is touched by its thread alone (see thread.h for the exceptions, which hold the
 * threads' lock).
 *
 * A cache is a row of its thread's table (thread.h), one pointer for each code that page map words have, so
 * that a word leads to a bin by one addition. A row of zeros is no cache: its bins are empty and full at once,
 * and so is what the codes of classes lead to that are not cached. The fast paths need no test for either.
 *
 * Invariant: for every bin base <= top <= limit <= base + max, base[-1] is NULL, and the sum over all
 * bins of max * block size is at most the bytes the heap allows a thread to cache, so the bound needs
 * no counting.
 *
 * Statistics read the tops from other threads: the owner stores them as relaxed atomics, which are plain
 * moves, through cache__set_top.
 */
#ifndef HEAP_CACHE_H
#define HEAP_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "heap/quarantine.h"
#include "heap/size_class.h"
#include "hooks/owner.h"

struct situs_heap;

struct cache_bin {
	void **top;   /* blocks stand in [base, top), the hottest last */
	void **limit; /* as far as it may grow now: starts low and doubles as the bin is used */
	void **base;
	void **seen;  /* top when cache__age last came by */
};

_Static_assert(sizeof(struct cache_bin) == OWNER_BIN * sizeof(void *), "page map words count them");

struct heap_arena;

/* Slots, as many as the cache is large. */
struct cache_slots {
	size_t mapped; /* bytes, with this */
#ifdef SITUS_GUARDED
	struct quarantine quarantine;
#endif
	void *slots[];
};

struct cache {
	struct cache_bin bins[SIZE_CLASSES];
	void *none[OWNER_CODES_END - OWNER_BINS_END]; /* NULL: bins of what is not cached */
	struct situs_heap *heap;  /* NULL: this is no cache */
	struct heap_arena *arena; /* where refills come from */
	struct cache_slots *slots;
	uint16_t max[SIZE_CLASSES];
	unsigned trims_seen;      /* of heap->n_trims */
	unsigned n_slow;          /* refills and overflows so far */
	unsigned next_to_age;     /* class */
} __attribute__((aligned(OWNER_ROW * sizeof(void *))));

_Static_assert(sizeof(struct cache) == OWNER_ROW * sizeof(void *), "a row");

/* Bytes a thread may cache of a heap whose configuration does not say. */
#define CACHE_DEFAULT ((size_t)2 * 1024 * 1024)

/* Makes a cache bounded to `bytes` of a row of zeros, all but its heap, which is what makes it one; false, and
   nothing changed, where the kernel has no memory. */
bool cache__prepare(struct cache *cache, const struct situs_heap *heap, struct heap_arena *arena, size_t bytes);

/* The row is zeros again; blocks that still lie there are forgotten. */
void cache__clear(struct cache *cache);

/* Takes a block out, refilling the bin where it is empty; NULL with errno. */
void *cache__get(struct cache *cache, unsigned class);

/* Puts a block there that cache__put had no place for: makes room in a full bin; frees it where the class is
   not cached. Leaves it where it is, and says so, if it is the block on top. */
void cache__put_slowly(void *block, struct cache *cache);

/* Gives every cached block back. */
void cache__flush(struct cache *cache);

static inline void cache__set_top(struct cache_bin *bin, void **top)
{
	__atomic_store_n(&bin->top, top, __ATOMIC_RELAXED);
}

/* How many blocks of a class lie here, seen from any thread. */
static inline size_t cache__count(struct cache *cache, unsigned class)
{
	return (size_t)(__atomic_load_n(&cache->bins[class].top, __ATOMIC_RELAXED) - cache->bins[class].base);
}

/* Takes a block out; NULL where there is none. */
static inline void *cache__take(struct cache_bin *bin)
{
	void **top = bin->top, *block;

	if (__builtin_expect(top == bin->base, 0))
		return NULL;
	block = top[-1];
	cache__set_top(bin, top - 1);
	/* Callers need not ask a second time. */
	if (block == NULL)
		__builtin_unreachable();
	return block;
}

/* False: nothing was done, since there is no room, no cache, or the block is the one on top already. */
static inline bool cache__put(void *block, struct cache_bin *bin)
{
	void **top = bin->top;

	/* The block that was freed last, once more? What stands there has just been read or written: measured,
	   the comparison costs less than 1 % of a pair. */
	if (__builtin_expect(top == bin->limit, 0) || __builtin_expect(top[-1] == block, 0))
		return false;
	*top = block;
	cache__set_top(bin, top + 1);
	return true;
}

#endif
