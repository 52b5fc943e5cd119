/* SPDX-License-Identifier: BSD-3-Clause */
/* arena_make.h - jemalloc arenas with its default hooks, one for each of the first CPUs threads. */
#include <jemalloc/jemalloc.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include "bench/peer.h"
#include "bench/peers/jemalloc_version.h"

#define MAX_ARENAS 64

static unsigned arenas[MAX_ARENAS];
static size_t n_arenas;
static atomic_size_t next_arena;
static size_t lookup_mib[2], lookup_length = 2;

static int set_decay0(unsigned arena)
{
	char name[64];
	ssize_t decay = 0;

	snprintf(name, sizeof(name), "arena.%u.dirty_decay_ms", arena);
	return mallctl(name, NULL, NULL, &decay, sizeof(decay));
}

static const char *open_arenas(const struct peer_options *options)
{
	long n_cpus = sysconf(_SC_NPROCESSORS_ONLN);
	size_t size = sizeof(arenas[0]);

	n_arenas = n_cpus < 1 ? 1 : n_cpus > MAX_ARENAS ? MAX_ARENAS : (size_t)n_cpus;
	for (size_t i = 0; i < n_arenas; i++)
		if (mallctl("arenas.create", &arenas[i], &size, NULL, 0) != 0 ||
			(options->decay0 && set_decay0(arenas[i]) != 0))
			return "jemalloc gives no arenas";
	return mallctlnametomib("arenas.lookup", lookup_mib, &lookup_length) == 0 ? NULL : "no arenas.lookup";
}

static unsigned this_threads_arena(void)
{
	return arenas[atomic_fetch_add(&next_arena, 1) % n_arenas];
}

static bool heap_cycle(void)
{
	unsigned arena;
	size_t size = sizeof(arena);
	char name[32];
	bool ok;

	if (mallctl("arenas.create", &arena, &size, NULL, 0) != 0)
		return false;
	ok = mallocx(64, (int)(MALLOCX_ARENA(arena) | MALLOCX_TCACHE_NONE)) != NULL;
	snprintf(name, sizeof(name), "arena.%u.destroy", arena);
	return mallctl(name, NULL, NULL, NULL, 0) == 0 && ok;
}

/* By its MIB, which is five times as fast as by name. */
static inline unsigned arena_of(void *p)
{
	unsigned arena = 0;
	size_t size = sizeof(arena);

	mallctlbymib(lookup_mib, lookup_length, &arena, &size, &p, sizeof(p));
	return arena;
}
