/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * start.h - the one heap that a program under the preload draws from, and how it came to be.
 */
#ifndef PRELOAD_START_H
#define PRELOAD_START_H

#include <stdatomic.h>
#include <stddef.h>

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
	situs_heap_t *heap = atomic_load_explicit(&preload.heap, memory_order_acquire), *bound;

	if (!heap)
		return NULL;
	bound = situs_thread_heap();
	if (bound)
		return bound;
	return size >= preload.size_min && size <= preload.size_max ? heap : NULL;
}

#endif
