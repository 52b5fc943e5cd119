/* SPDX-License-Identifier: BSD-3-Clause */
/* map.h - the address space of a process's heaps, gathered for the table, the JSON and the picture. */
#ifndef TOOL_MAP_H
#define TOOL_MAP_H

#include "tool/process.h"

/* Is address space in an extent, that is, does the allocator hold it from the area? */
enum map_held { MAP_FREE, MAP_HELD, MAP_NOT_TOLD };

struct map_run {
	uintptr_t start, end;
	int state; /* enum process_state, or a node */
	enum map_held held;
	unsigned link; /* of a chain */
};

/* One heap's address space: runs by address, neighbours that are alike joined, gaps between ranges. */
struct map_heap {
	struct process_heap *heap;
	struct map_run *runs;
	size_t n_runs;
	size_t next_extent; /* while runs are added */
	struct process_pages pages;
};

struct map {
	struct process_table *table;
	struct map_heap *heaps; /* table->n_heaps of them */
};

/* "node 1", "not touched", ... */
const char *map__state_text(int state, char *text, size_t size);

/* Draws each heap as strips of address space, coloured by node and state; the exit status. */
int map__draw(const struct map *map, const char *file);

#endif
