/* SPDX-License-Identifier: BSD-3-Clause */
/* arena.h - blocks of a jemalloc arena; the adapter that includes this sets each thread's flags. */
#include "bench/peers/arena_make.h"

static __thread int flags;

static inline void *get(size_t size)
{
	return mallocx(size, flags);
}

static inline void *get_zeroed(size_t size)
{
	return mallocx(size, flags | MALLOCX_ZERO);
}

static inline void *get_aligned(size_t alignment, size_t size)
{
	return mallocx(size, flags | MALLOCX_ALIGN(alignment));
}

static inline void *resize(void *p, size_t old_size, size_t size)
{
	(void)old_size;
	return rallocx(p, size, flags);
}

static inline void put(void *p, size_t size)
{
	(void)size;
	dallocx(p, flags);
}

#define OWNER(p) ((uintptr_t)arena_of(p))
#include "bench/loops.h"

#define PEER_ARENA                                                                                 \
	.placement = "arena", .has_decay0 = true, .version = jemalloc_version,                     \
	.open = open_arenas, .heap_cycle = heap_cycle, PEER_FUNCTIONS
