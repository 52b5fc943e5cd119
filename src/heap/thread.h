/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * thread.h - what a thread knows of heaps: its caches, by the owner's number, and its bound heap.
 *
 * Three pointers of initial-exec TLS lead here: the thread's state, its table of caches, and the cache that
 * malloc draws from under the preload; fast paths want the latter two. None ever is NULL: a thread that has
 * not used a heap, or whose end has begun, has an empty table that all such threads share.
 *
 * The table is address space, a row for every owner there may be, which becomes memory as caches are made:
 * what the page map says of a block leads to its bin by one addition.
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
	struct cache *caches; /* by owner number, OWNER_MAX + 1 rows */
	size_t writable;      /* bytes of them, from the first on */
	uint32_t highest;     /* no cache stands above this number */
	struct cache **noted; /* where this thread's thread__noted is */
	struct situs_heap *bound;
	struct thread *next, **link_to_this;
};

extern _Thread_local struct thread *thread__self __attribute__((tls_model("initial-exec")));

extern _Thread_local struct cache *thread__caches __attribute__((tls_model("initial-exec")));

/*
 * What malloc draws from under the preload: one of the table's caches, noted by thread__note_cache, or an empty
 * row where malloc must look for itself. Binding the thread and the end of its heap forget it.
 */
extern _Thread_local struct cache *thread__noted __attribute__((tls_model("initial-exec")));

/* This thread's bin that a page map word tells of; what is no cache's is empty and full. */
static inline struct cache_bin *thread__bin(uint32_t word)
{
	return (struct cache_bin *)(void *)((void **)(void *)thread__caches + word);
}

/* The same of the noted cache, by the code alone. */
static inline struct cache_bin *thread__noted_bin(uint32_t code)
{
	struct cache *noted = __atomic_load_n(&thread__noted, __ATOMIC_RELAXED);

	return (struct cache_bin *)(void *)((void **)(void *)noted + code);
}

/* This thread's cache of the owner with this number, or NULL. */
static inline struct cache *thread__cache(uint32_t owner)
{
	struct cache *cache = &thread__caches[owner];

	return cache->heap != NULL ? cache : NULL;
}

/* Notes it, where there is one. */
static inline void thread__note_cache(uint32_t owner)
{
	struct cache *cache = thread__cache(owner);

	if (cache != NULL)
		__atomic_store_n(&thread__noted, cache, __ATOMIC_RELAXED);
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
