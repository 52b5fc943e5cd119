/* SPDX-License-Identifier: BSD-3-Clause */
/* tbb.c - oneTBB's scalable allocator. */
#include <stddef.h>
#include <tbb/scalable_allocator.h>

#define PLAIN_MALLOC(size) scalable_malloc(size)
#define PLAIN_ZEROED(size) scalable_calloc(1, size)
#define PLAIN_ALIGNED(alignment, size) scalable_aligned_malloc(size, alignment)
#define PLAIN_REALLOC(p, size) scalable_realloc(p, size)
#define PLAIN_FREE(p) scalable_free(p)
#include "bench/peers/plain.h"
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
