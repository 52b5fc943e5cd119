/* SPDX-License-Identifier: BSD-3-Clause */
/* map.h - the address space of a process's heaps, gathered for the table, the JSON and the picture. */
#ifndef TOOL_MAP_H
#define TOOL_MAP_H

#include "tool/process.h"

/* One heap's address space: runs by address, neighbours of one state joined, gaps between ranges. */
struct map_heap {
	const struct process_heap *heap;
	struct process_run *runs;
	size_t n_runs;
	struct process_pages pages;
};

struct map {
	const struct process_table *table;
	struct map_heap *heaps; /* table->n_heaps of them */
};

/* "node 1", "not touched", ... */
const char *map__state_text(int state, char *text, size_t size);

/* Draws each heap as strips of address space, coloured by node and state; the exit status. */
int map__draw(const struct map *map, const char *file);

#endif
