/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * thread.h - what a thread knows of heaps: its caches, by the owner's number, and its bound heap.
 *
 * One pointer of initial-exec TLS leads here. It never is NULL: a thread that has not used a heap
 * points at `thread__none`, one whose end has begun at `thread__ended`; both have no caches, so fast
 * paths need no test of their own.
 *
 * Locking: the threads' lock orders threads coming and going, growth of the table, and the two
 * places where one thread touches another's caches: destroying a heap (nobody uses that heap then)
 * and the child of a fork (nobody else is there). Lock order: threads, then jemalloc's, then spaces.
 */
#ifndef HEAP_THREAD_H
#define HEAP_THREAD_H

#include <stdbool.h>
#include <stdint.h>

#include "heap/cache.h"

struct thread {
	uint32_t n_caches;     /* entries in the table */
	struct cache **caches; /* by owner number; NULL: none yet */
	struct situs_heap *bound;
	struct thread *next, **link_to_this;
};

extern _Thread_local struct thread *thread__self __attribute__((tls_model("initial-exec")));

/* This thread's cache of the owner with this number, or NULL. */
static inline struct cache *thread__cache(uint32_t owner)
{
	struct thread *self = thread__self;

	return __builtin_expect(owner < self->n_caches, 1) ? self->caches[owner] : NULL;
}

/* Makes that cache, as the heap wants it; NULL: this thread goes without (it is ending, the heap has
   no caches, or there is no memory). */
struct cache *thread__make_cache(struct situs_heap *heap);

/* 0 or -ENOMEM. */
int thread__bind(struct situs_heap *heap);

/* The heap is going: every thread's cache of it is dropped, blocks and all, and bindings end. */
void thread__forget_heap(struct situs_heap *heap);

/* How many threads hold a cache of the heap. */
size_t thread__count(struct situs_heap *heap);

#endif
