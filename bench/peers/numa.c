/* SPDX-License-Identifier: BSD-3-Clause */
/* numa.c - libnuma's numa_alloc_onnode: a mapping of its own for every block. */
#include <numa.h>

#include "bench/peer.h"

static inline void *get(size_t size)
{
	return numa_alloc_onnode(size, 0);
}

static inline void *get_zeroed(size_t size)
{
	return numa_alloc_onnode(size, 0);
}

static inline void *get_aligned(size_t alignment, size_t size)
{
	return alignment <= 4096 ? numa_alloc_onnode(size, 0) : NULL;
}

static inline void *resize(void *p, size_t old_size, size_t size)
{
	return numa_realloc(p, old_size, size);
}

static inline void put(void *p, size_t size)
{
	numa_free(p, size);
}

#include "bench/loops.h"

static const char *version(void)
{
	return "libnuma 2"; /* it has no call that says more */
}

static const char *open_numa(const struct peer_options *options)
{
	(void)options;
	return numa_available() >= 0 ? NULL : "the kernel has no NUMA calls, or this process may not use them";
}

const struct peer peer = {
	.name = "numa_alloc",
	.placement = "node",
	.grain = 4096,
	.version = version,
	.open = open_numa,
	PEER_FUNCTIONS,
};
