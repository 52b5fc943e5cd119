/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * arena_tcache.c - jemalloc arenas with an explicit cache for each thread. Blocks of another thread's
 * arena may end up in this cache: all arenas here stand for one place.
 */
#include "bench/peers/arena.h"

static __thread unsigned cache;
static __thread bool has_cache;

static void thread_begin(void)
{
	size_t size = sizeof(cache);
	unsigned arena = this_threads_arena();

	has_cache = mallctl("tcache.create", &cache, &size, NULL, 0) == 0;
	flags = (int)(MALLOCX_ARENA(arena) | (has_cache ? MALLOCX_TCACHE(cache) : MALLOCX_TCACHE_NONE));
}

static void thread_end(void)
{
	if (has_cache)
		mallctl("tcache.destroy", NULL, NULL, &cache, sizeof(cache));
}

const struct peer peer = {
	.name = "arena, own cache",
	.thread_begin = thread_begin,
	.thread_end = thread_end,
	PEER_ARENA,
};
