/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * cache.h - one thread's free blocks of one heap: a stack per size class.
 *
 * Whatever lies in a cache was allocated by its heap, so whatever comes out of it lies in the heap's
 * area. A cache is touched by its thread alone (see thread.h for the two exceptions, which hold the
 * threads' lock).
 *
 * Invariant: for every bin base <= top <= limit <= base + max, base[-1] is NULL, and the sum over all
 * bins of max * block size is at most the bytes the heap allows a thread to cache, so the bound needs
 * no counting. Page map classes that are not cached have a bin too, always empty and always full, so
 * that free needs no test for them.
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
};

/* What only the slow paths look at. */
struct cache_room {
	void **base;
	size_t max;
	void **seen; /* top when cache__age last came by */
};

struct heap_arena;

struct cache {
	/* Beside the bins that are used, so that both touch one page. */
	struct cache_room rooms[SIZE_CLASSES];
	struct situs_heap *heap;
	struct heap_arena *arena; /* where refills come from */
	size_t mapped;            /* bytes of this struct and its slots */
	unsigned trims_seen;      /* of heap->n_trims */
	unsigned n_slow;          /* refills and overflows so far */
	unsigned next_to_age;     /* class */
#ifdef SITUS_GUARDED
	struct quarantine quarantine;
#endif
	struct cache_bin bins[1 << OWNER_CLASS_BITS];
	void *slots[];
};

/* Bytes a thread may cache of a heap whose configuration does not say. */
#define CACHE_DEFAULT ((size_t)2 * 1024 * 1024)

/* A cache bounded to `bytes`; NULL where the kernel has no memory. */
struct cache *cache__create(struct situs_heap *heap, struct heap_arena *arena, size_t bytes);

/* Frees the cache itself; its blocks go back to jemalloc first where `flush`. */
void cache__destroy(struct cache *cache, bool flush);

/* Takes a block out, refilling an empty bin; NULL with errno. The class is shifted, as in cache__bin. */
void *cache__refill_and_get(struct cache *cache, size_t shifted);

/* Makes room in a full bin and puts the block there; frees it where the class is not cached. Leaves it where
   it is, and says so, if it is the block on top. */
void cache__put_full(void *block, struct cache *cache);

/* Gives every cached block back. */
void cache__flush(struct cache *cache);

static inline void cache__set_top(struct cache_bin *bin, void **top)
{
	__atomic_store_n(&bin->top, top, __ATOMIC_RELAXED);
}

/* How many blocks of a class lie here, seen from any thread. */
static inline size_t cache__count(struct cache *cache, unsigned class)
{
	return (size_t)(__atomic_load_n(&cache->bins[class].top, __ATOMIC_RELAXED) -
		cache->rooms[class].base);
}

/*
 * A bin by its class, shifted as in page map words. Written as a count of pointers, because processors scale
 * by eight in an address and not by sixteen.
 */
static inline struct cache_bin *cache__bin(struct cache *cache, size_t shifted)
{
	_Static_assert(sizeof(struct cache_bin) == sizeof(void *) << OWNER_CLASS_SHIFT, "pointers count");
	return (struct cache_bin *)(void *)((void **)(void *)cache->bins + shifted);
}

/* Takes a block out; NULL where there is none. */
static inline void *cache__take(struct cache *cache, size_t shifted)
{
	struct cache_bin *bin = cache__bin(cache, shifted);
	void **last = bin->top - 1;
	void *block = *last;

	if (__builtin_expect(block != NULL, 1))
		cache__set_top(bin, last);
	return block;
}

static inline void *cache__get(struct cache *cache, size_t shifted)
{
	void *block = cache__take(cache, shifted);

	return __builtin_expect(block != NULL, 1) ? block : cache__refill_and_get(cache, shifted);
}

/* The block's page map word says which class it is of: shifted, as in cache__bin. */
static inline void cache__put(void *block, struct cache *cache, size_t shifted)
{
	struct cache_bin *bin = cache__bin(cache, shifted);
	void **top = bin->top;

	/* The block that was freed last, once more? What stands there has just been read or written: measured,
	   the comparison costs less than 1 % of a pair. */
	if (__builtin_expect(top == bin->limit, 0) || __builtin_expect(top[-1] == block, 0)) {
		cache__put_full(block, cache);
		return;
	}
	*top = block;
	cache__set_top(bin, top + 1);
}

#endif
