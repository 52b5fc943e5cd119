/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * start.h - the heaps that a program under the preload draws from, and how they came to be.
 */
#ifndef PRELOAD_START_H
#define PRELOAD_START_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "heap/settings.h"
#include "heap/thread.h"
#include "hooks/owner.h"
#include "situs.h"

enum { PRELOAD_HEAPS_MAX = 64 };

/*
 * Set once, by a constructor; until `heap` is set, and for good where no heap could be made, every
 * block comes from the C library. Everything else is set before the heap.
 */
struct preload {
	_Atomic(situs_heap_t *) heap; /* the first of `heaps` */
	size_t size_min, size_max;    /* blocks of these sizes, both included, go to the heaps */
	/* Of these sizes, from size_min on so many, blocks come from the cache that the thread noted (see
	   thread.h), where it did. 0: of none, since which heap is split.c's to choose, or blocks are checked. */
	size_t n_noted;
	bool is_split;                /* which heap is split.c's to choose */
	bool is_shared;               /* a heap's pages would be the parent's and the child's after a fork */
	int n_heaps;
	pid_t pid; /* that started; a fork's child has another */
	situs_heap_t *heaps[PRELOAD_HEAPS_MAX];
};

extern struct preload preload;

/* One line on standard error, where SITUS_LOG lets such lines pass. Allocates nothing. */
void preload__say(enum settings_log of, const char *format, ...) __attribute__((format(printf, 2, 3)));

/*
 * The heap a block of that size is drawn from; NULL: the C library's. Where is_split, only whether it is
 * NULL counts.
 */
static inline situs_heap_t *preload__heap_for(size_t size)
{
	situs_heap_t *heap = atomic_load_explicit(&preload.heap, memory_order_acquire);
	situs_heap_t *bound = thread__self->bound;

	if (__builtin_expect(bound != NULL, 0))
		return bound;
	return size >= preload.size_min && size <= preload.size_max ? heap : NULL;
}

/* Is it one of the preload's own, whose blocks go by size, and not one the program made? */
static inline bool preload__is_own(const situs_heap_t *heap)
{
	for (int i = 0; i < preload.n_heaps; i++)
		if (preload.heaps[i] == heap)
			return true;
	return false;
}

/* The owner of a block, or NULL where the C library made it. A block of an arena that the program made
   itself has an owner without a heap. */
static inline struct owner *preload__owner(const void *ptr)
{
	return owner__of_word(pagemap__get_masked(ptr));
}

#endif
