/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * snapshot.h - the figures of all heaps, taken first and written at leisure: a slow stream holds up
 * nobody who makes or destroys a heap.
 */
#ifndef HEAP_SNAPSHOT_H
#define HEAP_SNAPSHOT_H

#include <stdio.h>

#include "area/area.h"
#include "heap/heap.h"
#include "hooks/space.h"

enum { SNAPSHOT_SIZES = 256 }; /* jemalloc 5.3 has 232 size classes */

struct snapshot {
	char name[HEAP_NAME_SIZE];
	char place[HEAP_PLACE_SIZE];
	uint32_t id; /* tells heaps of one name apart; reused after a heap has gone */
	struct situs_heap_stats stats;
	struct situs_refusals refusals;
	int n_sizes, n_lifetimes, n_links;
	size_t bytes_on_link[AREA_MAX_LINKS];
	struct situs_count sizes[SNAPSHOT_SIZES];
	struct situs_count lifetimes[SPACE_LIFETIMES];
};

struct snapshots {
	struct snapshot *heaps; /* malloced; the caller frees it */
	size_t n, room;
};

/* Every heap there is: 0, -ENOMEM, or -ENOTSUP (stats__refresh). */
int snapshots__take(struct snapshots *snapshots);

/* 0 and errno as it was before, or the stream's error with a sentence that begins with `who`. */
int snapshots__finish(FILE *stream, const char *who, int errno_before);

#endif
