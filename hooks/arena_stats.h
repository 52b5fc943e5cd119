/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * arena_stats.h - what jemalloc counts of an arena.
 *
 * jemalloc counts as it works, under locks it holds anyway; arena__refresh_stats sums that up, for all
 * arenas of the process at once: some 30 us an arena, of which none holds up an allocating thread for
 * longer than one size class. The figures below are those of the last refresh.
 */
#ifndef HOOKS_ARENA_STATS_H
#define HOOKS_ARENA_STATS_H

#include <stddef.h>

/* 0, or -ENOTSUP: this jemalloc was built without statistics. */
int arena__refresh_stats(void);

/* Bytes of blocks that were allocated from the arena and not given back to it. */
size_t arena__allocated(unsigned arena);

/* jemalloc's size classes, smallest first: bytes of one, and how many of its blocks are out. */
unsigned arena__n_classes(void);
size_t arena__class_size(unsigned class);
size_t arena__class_blocks(unsigned arena, unsigned class);

#endif
