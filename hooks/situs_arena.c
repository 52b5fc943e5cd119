/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * situs_arena.c - arenas for programs that call mallocx themselves.
 *
 * A destroyed arena's index comes back in jemalloc with default hooks, or from the next
 * arenas.create, so a table says which indices are ours and alive. Its entries are atomic and no lock
 * stands beside them: a fork leaves its child a whole table, and situs_arena_flags costs a load.
 */
#include <errno.h>
#include <jemalloc/jemalloc.h>
#include <stdatomic.h>

#include "base/error.h"
#include "hooks/arena.h"
#include "hooks/config.h"

/* jemalloc numbers arenas below 1 << 12 (MALLOCX_ARENA_BITS, internal). */
enum { N_INDICES = 4096 };

static _Atomic(struct situs_hooks *) arenas[N_INDICES];

int situs_arena_create(unsigned *arena, const struct aml_area *area, const struct situs_config *config)
{
	struct situs_config settings;
	struct situs_hooks *made;
	unsigned index;
	int err;

	if (arena == NULL || area == NULL)
		return error__set(EINVAL, "situs_arena_create: %s is NULL", arena == NULL ? "arena" : "area");
	err = config__read(config, &settings);
	if (err == 0)
		err = hooks__open(&made, area, &settings, true);
	if (err != 0)
		return err;
	err = arena__create(&index, made->hooks, settings.decay_ms);
	if (err != 0) {
		(void)hooks__close(made); /* nothing was drawn */
		return err;
	}
	atomic_store(&arenas[index], made);
	*arena = index;
	return 0;
}

/* Takes the record out, so that of two destroyers one finds it. */
static struct situs_hooks *take(unsigned arena)
{
	return arena < N_INDICES ? atomic_exchange(&arenas[arena], NULL) : NULL;
}

int situs_arena_destroy(unsigned arena)
{
	struct situs_hooks *taken = take(arena);
	int err;

	if (taken == NULL)
		return error__set(EINVAL, "arena %u is not a live arena of situs_arena_create", arena);
	err = arena__destroy(arena);
	if (err != 0) {
		atomic_store(&arenas[arena], taken);
		return err;
	}
	/* Its number may be another's at once, so nobody could ask for the rest a second time. */
	err = hooks__close(taken);
	return err == 0 ? 0 : hooks__close(taken);
}

int situs_arena_flags(unsigned arena)
{
	if (arena >= N_INDICES || atomic_load_explicit(&arenas[arena], memory_order_acquire) == NULL)
		return error__set(EINVAL, "arena %u is not a live arena of situs_arena_create", arena);
	/* jemalloc's automatic cache would hand the arena's memory to others. */
	return (int)(MALLOCX_ARENA(arena) | MALLOCX_TCACHE_NONE);
}
