/* SPDX-License-Identifier: BSD-3-Clause */
/* arena_nocache.c - jemalloc arenas without a cache: the simplest way that keeps a place exact. */
#include "bench/peers/arena.h"

static void thread_begin(void)
{
	flags = (int)(MALLOCX_ARENA(this_threads_arena()) | MALLOCX_TCACHE_NONE);
}

const struct peer peer = {
	.name = "arena, no cache",
	.thread_begin = thread_begin,
	PEER_ARENA,
};
