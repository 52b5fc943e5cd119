/* SPDX-License-Identifier: BSD-3-Clause */
/* plain.h - malloc and free, whichever library the program was linked with; see peer.h. */
#include <errno.h>
#include <stdlib.h>

#include "bench/peer.h"

static inline void *get(size_t size)
{
	return malloc(size);
}

static inline void *get_zeroed(size_t size)
{
	return calloc(1, size);
}

static inline void *get_aligned(size_t alignment, size_t size)
{
	return aligned_alloc(alignment, size);
}

static inline void *resize(void *p, size_t old_size, size_t size)
{
	(void)old_size;
	return realloc(p, size);
}

static inline void put(void *p, size_t size)
{
	(void)size;
	free(p);
}
