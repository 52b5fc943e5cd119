/* SPDX-License-Identifier: BSD-3-Clause */
/* tbb.c - oneTBB's scalable allocator. */
#include <stddef.h>
#include <tbb/scalable_allocator.h>

#include "bench/peer.h"

static inline void *get(size_t size)
{
	return scalable_malloc(size);
}

static inline void *get_zeroed(size_t size)
{
	return scalable_calloc(1, size);
}

static inline void *get_aligned(size_t alignment, size_t size)
{
	return scalable_aligned_malloc(size, alignment);
}

static inline void *resize(void *p, size_t old_size, size_t size)
{
	(void)old_size;
	return scalable_realloc(p, size);
}

static inline void put(void *p, size_t size)
{
	(void)size;
	scalable_free(p);
}

#include "bench/loops.h"

static const char *version(void)
{
	return "oneTBB"; /* the allocator has no call that says more */
}

const struct peer peer = {
	.name = "TBB",
	.placement = "none",
	.version = version,
	PEER_FUNCTIONS,
};
