/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * start.h - the one heap that a program under the preload draws from, and how it came to be.
 */
#ifndef PRELOAD_START_H
#define PRELOAD_START_H

#include <stdatomic.h>
#include <stddef.h>

#include "heap/thread.h"
#include "hooks/owner.h"
#include "situs.h"

/*
 * Set once, by a constructor; until `heap` is set, and for good where no heap could be made, every
 * block comes from the C library. The sizes are set before the heap.
 */
struct preload {
	_Atomic(situs_heap_t *) heap;
	size_t size_min, size_max; /* blocks of these sizes, both included, go to the heap */
};

extern struct preload preload;

/* The heap a block of that size is drawn from; NULL: the C library's. */
static inline situs_heap_t *preload__heap_for(size_t size)
{
	situs_heap_t *heap = atomic_load_explicit(&preload.heap, memory_order_acquire);
	situs_heap_t *bound = thread__self->bound;

	if (__builtin_expect(bound != NULL, 0))
		return bound;
	return size >= preload.size_min && size <= preload.size_max ? heap : NULL;
}

/* The owner of a block, or NULL where the C library made it. A block of an arena that the program made
   itself has an owner without a heap. */
static inline struct owner *preload__owner(const void *ptr)
{
	return owner__of_word(pagemap__get_masked(ptr));
}

#endif
