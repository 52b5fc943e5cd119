/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * thread.h - what a thread knows of heaps: its caches, by the owner's number, and its bound heap.
 *
 * Two pointers of initial-exec TLS lead here: the thread's state, and its table of caches, which is
 * what fast paths want. Neither ever is NULL: a thread that has not used a heap, or whose end has
 * begun, has an empty table that all such threads share.
 *
 * Locking: the threads' lock orders threads coming and going, and the places where one thread looks into
 * another's caches: statistics (which only read), destroying a heap (nobody uses that heap then) and the
 * child of a fork (nobody else is there). Nothing under it calls malloc. Lock order: threads, then
 * jemalloc's, then spaces.
 */
#ifndef HEAP_THREAD_H
#define HEAP_THREAD_H

#include <stdbool.h>
#include <stdint.h>

#include "heap/cache.h"

struct thread {
	struct cache **caches; /* by owner number (OWNER_MAX + 1 of them); NULL: none yet */
	uint32_t highest;      /* no cache stands above this number */
	struct situs_heap *bound;
	struct thread *next, **link_to_this;
};

extern _Thread_local struct thread *thread__self __attribute__((tls_model("initial-exec")));

extern _Thread_local struct cache **thread__caches __attribute__((tls_model("initial-exec")));

/*
 * Before the table stands one cache more: that which malloc draws from under the preload, or NULL where
 * malloc must look for itself. It is one of the others, noted by thread__note_cache; binding the thread
 * and the end of its heap forget it.
 */
static inline struct cache *thread__noted_cache(void)
{
	return __atomic_load_n(&thread__caches[-1], __ATOMIC_RELAXED);
}

/* This thread's cache of the owner with this number, or NULL. */
static inline struct cache *thread__cache(uint32_t owner)
{
	return thread__caches[owner];
}

/* Notes it, where there is one. */
static inline void thread__note_cache(uint32_t owner)
{
	struct cache *cache = thread__cache(owner);

	/* Threads without state share a table that nobody writes to. */
	if (cache != NULL)
		__atomic_store_n(&thread__caches[-1], cache, __ATOMIC_RELAXED);
}

/* Makes that cache, as the heap wants it; NULL: this thread goes without (it is ending, the heap has
   no caches, or there is no memory). */
struct cache *thread__make_cache(struct situs_heap *heap);

/* 0 or -ENOMEM. */
int thread__bind(struct situs_heap *heap);

/* The heap is going: every thread's cache of it is dropped, blocks and all, and bindings end. */
void thread__forget_heap(struct situs_heap *heap);

/* How many threads hold a cache of the heap; adds the blocks that lie in them to n_blocks[class], where
   that is not NULL. */
size_t thread__count(struct situs_heap *heap, size_t n_blocks[SIZE_CLASSES]);

#endif
