/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * plain.h - an allocator that is no more than malloc and free: the one the program was linked with, or one that has
 * said before what its functions are called. See peer.h.
 */
#include <errno.h>
#include <stdlib.h>

#include "bench/peer.h"

#ifndef PLAIN_MALLOC
#define PLAIN_MALLOC(size) malloc(size)
#define PLAIN_ZEROED(size) calloc(1, size)
#define PLAIN_ALIGNED(alignment, size) aligned_alloc(alignment, size)
#define PLAIN_REALLOC(p, size) realloc(p, size)
#define PLAIN_FREE(p) free(p)
#endif

static inline void *get(size_t size)
{
	return PLAIN_MALLOC(size);
}

static inline void *get_zeroed(size_t size)
{
	return PLAIN_ZEROED(size);
}

static inline void *get_aligned(size_t alignment, size_t size)
{
	return PLAIN_ALIGNED(alignment, size);
}

static inline void *resize(void *p, size_t old_size, size_t size)
{
	(void)old_size;
	return PLAIN_REALLOC(p, size);
}

static inline void put(void *p, size_t size)
{
	(void)size;
	PLAIN_FREE(p);
}
