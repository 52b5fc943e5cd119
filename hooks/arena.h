/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * arena.h - jemalloc's arenas and allocation calls, for the heap floor.
 *
 * Everything goes past jemalloc's automatic thread cache, which would pass memory from one place to
 * another (but see conduit__drop, which empties it at once). Blocks are placement-exact with one exception that callers check (arena__malloc).
 */
#ifndef HOOKS_ARENA_H
#define HOOKS_ARENA_H

#include <stdbool.h>
#include <stddef.h>

#include "hooks/hooks.h"

/* An arena on these hooks, jemalloc's metadata kept off the area where it can be. 0, -EAGAIN when
   jemalloc has no arena left. decay_ms as in struct situs_config. */
int arena__create(unsigned *arena, struct hooks *hooks, long decay_ms);

/* Gives the arena's extents back through the hooks. 0 or -EBUSY. */
int arena__destroy(unsigned arena);

/*
 * A block, alignment 0 for the natural one; NULL with errno. On a thread whose jemalloc state is
 * gone already (late destructors) jemalloc silently serves arena 0: the caller asks the page map.
 */
void *arena__malloc(unsigned arena, size_t size, size_t alignment, bool zero);

/* Resizes a block where it stands, up or down; false: it cannot, and the block is as it was. */
bool arena__resize(void *block, size_t size);

void arena__free(void *block);
size_t arena__usable_size(const void *block);

/* What a request of this size would get; 0 where it is too large. */
size_t arena__good_size(size_t size, size_t alignment);

/* Gives unused pages back to the area now. */
void arena__purge(unsigned arena);

#endif
