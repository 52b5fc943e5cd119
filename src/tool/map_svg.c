/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * map_svg.c - the heaps of a process as strips of address space.
 *
 * A heap's ranges follow each other from left to right and from strip to strip, with a small gap where
 * the address space has one. A strip is cut into cells of a few pixels; a cell shows the states of its
 * pages as shares of its height, so that nothing small is hidden by something large. Neighbouring
 * cells that look the same become one rectangle.
 */
#include "config.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/size.h"
#include "tool/map.h"
#include "tool/svg.h"
#include "tool/tool.h"

enum {
	MARGIN = 24,
	ADDRESS = 112, /* width of the strips' addresses */
	WIDTH = 880,   /* of a strip */
	CELL = 2,
	STRIP = 22,
	GAP = 5,       /* between ranges and between strips */
	MAX_STRIPS = 12, /* of one heap, but for gaps */
	N_STATES = OS_MAX_NODES + 3,
	N_SHARES = 2 * N_STATES, /* what is free after what is held */
};

struct picture {
	struct svg *svg;
	const struct map_heap *heap;
	double x, y;      /* of the next cell */
	size_t per_cell;  /* bytes */
	int n_strips;     /* of this heap so far */
	uintptr_t start;  /* of the rectangle that grows */
	double start_x;
	size_t part[N_SHARES]; /* of its cells; see share */
	bool grows;
};

/* Where a state stands among shares; what was not told is drawn as held. */
static int share(int state, bool is_free)
{
	return state + 3 + (is_free ? N_STATES : 0);
}

/* Bytes of [start, end) in each state, from the runs; returns the first run that ends beyond `start`. */
static size_t measure(const struct map_heap *heap, size_t run, uintptr_t start, uintptr_t end,
	size_t part[N_SHARES])
{
	memset(part, 0, N_SHARES * sizeof(part[0]));
	while (run < heap->n_runs && heap->runs[run].end <= start)
		run++;
	for (size_t i = run; i < heap->n_runs && heap->runs[i].start < end; i++) {
		const uintptr_t from = heap->runs[i].start > start ? heap->runs[i].start : start;
		const uintptr_t to = heap->runs[i].end < end ? heap->runs[i].end : end;

		part[share(heap->runs[i].state, heap->runs[i].held == MAP_FREE)] += to - from;
	}
	return run;
}

static const char *shape_of(int state, bool is_free, char *shape, size_t size)
{
	if (state >= 0)
		snprintf(shape, size, "fill=\"%s\"%s", svg__node_colour(state),
			is_free ? " fill-opacity=\"0.4\"" : "");
	else if (state == PROCESS_ABSENT)
		snprintf(shape, size, "fill=\"%s\"", is_free ? "#eef1f4" : "#d3dae1");
	else
		snprintf(shape, size, "fill=\"%s\"", state == PROCESS_SWAPPED ? "url(#hatch)" : "#9aa5b1");
	return shape;
}

static void draw_share(struct picture *picture, int state, bool is_free, uintptr_t end, size_t total,
	double *bottom)
{
	const size_t bytes = picture->part[share(state, is_free)];
	const double height = STRIP * (double)bytes / (double)total;
	char shape[64], tip[160], text[48], size[SIZE_TEXT_SIZE];

	if (bytes == 0)
		return;
	snprintf(tip, sizeof(tip), "%lx-%lx: %s%s, %s", (unsigned long)picture->start, (unsigned long)end,
		map__state_text(state, text, sizeof(text)), is_free ? ", free" : "",
		size__format((size_t)((double)(end - picture->start) * height / STRIP), size));
	*bottom -= height;
	svg__rect(picture->svg, picture->start_x, *bottom, picture->x - picture->start_x, height,
		shape_of(state, is_free, shape, sizeof(shape)), tip);
}

/* Draws what has grown up to address `end`, states from the bottom up. */
static void flush(struct picture *picture, uintptr_t end)
{
	size_t total = 0;
	double bottom = picture->y + STRIP;

	if (!picture->grows)
		return;
	picture->grows = false;
	for (int i = 0; i < N_SHARES; i++)
		total += picture->part[i];
	if (total == 0)
		return;
	/* Nodes below, held before free; then what is on none, what is swapped, and what is absent on top. */
	for (int node = 0; node < OS_MAX_NODES; node++) {
		draw_share(picture, node, false, end, total, &bottom);
		draw_share(picture, node, true, end, total, &bottom);
	}
	for (int state = PROCESS_UNKNOWN; state <= PROCESS_ABSENT; state++) {
		draw_share(picture, state, false, end, total, &bottom);
		draw_share(picture, state, true, end, total, &bottom);
	}
}

static void next_strip(struct picture *picture, uintptr_t at)
{
	if (picture->n_strips++)
		picture->y += STRIP + GAP;
	picture->x = MARGIN + ADDRESS;
	svg__text(picture->svg, MARGIN + ADDRESS - 10, picture->y + 15, SVG_RIGHT, "mono light", "%lx",
		(unsigned long)at);
}

static void draw_range(struct picture *picture, const struct process_range *range)
{
	size_t part[N_SHARES], run = 0;
	uintptr_t at = range->start;

	while (at < range->end) {
		const uintptr_t end = range->end - at > picture->per_cell ? at + picture->per_cell
			: range->end;

		if (picture->n_strips == 0 || picture->x + CELL > MARGIN + ADDRESS + WIDTH) {
			flush(picture, at);
			next_strip(picture, at);
		}
		run = measure(picture->heap, run, at, end, part);
		if (picture->grows && memcmp(part, picture->part, sizeof(part)) != 0)
			flush(picture, at);
		if (!picture->grows) {
			picture->grows = true;
			picture->start = at;
			picture->start_x = picture->x;
			memcpy(picture->part, part, sizeof(part));
		}
		picture->x += CELL;
		at = end;
	}
	flush(picture, range->end);
	picture->x += GAP;
}

static size_t address_space(const struct process_heap *heap)
{
	size_t sum = 0;

	for (size_t i = 0; i < heap->n_ranges; i++)
		sum += heap->ranges[i].end - heap->ranges[i].start;
	return sum;
}

/* One entry of a legend, where there is something of it; returns where the next begins. */
static double legend_entry(struct picture *picture, double x, int state, bool is_free, size_t bytes)
{
	char shape[64], text[48], line[96], size[SIZE_TEXT_SIZE];

	if (bytes == 0)
		return x;
	svg__rect(picture->svg, x, picture->y - 10, 12, 12, shape_of(state, is_free, shape, sizeof(shape)),
		NULL);
	snprintf(line, sizeof(line), "%s%s %s", map__state_text(state, text, sizeof(text)),
		is_free ? ", free" : "", size__format(bytes, size));
	svg__text(picture->svg, x + 18, picture->y, SVG_LEFT, "value", "%s", line);
	return x + 18 + 7.2 * (double)strlen(line) + 14;
}

static void draw_legend(struct picture *picture, const struct map_heap *map)
{
	size_t part[N_SHARES] = { 0 };
	double x = MARGIN + ADDRESS;

	for (size_t i = 0; i < map->n_runs; i++)
		part[share(map->runs[i].state, map->runs[i].held == MAP_FREE)] +=
			map->runs[i].end - map->runs[i].start;
	for (int node = 0; node < OS_MAX_NODES; node++) {
		x = legend_entry(picture, x, node, false, part[share(node, false)]);
		x = legend_entry(picture, x, node, true, part[share(node, true)]);
	}
	for (int state = PROCESS_UNKNOWN; state <= PROCESS_ABSENT; state++) {
		x = legend_entry(picture, x, state, false, part[share(state, false)]);
		x = legend_entry(picture, x, state, true, part[share(state, true)]);
	}
}

static void draw_heap(struct picture *picture, const struct map_heap *map)
{
	const size_t space = address_space(map->heap), cells = (size_t)MAX_STRIPS * WIDTH / CELL;
	char drawn[SIZE_TEXT_SIZE], per_cell[SIZE_TEXT_SIZE];

	picture->heap = map;
	picture->n_strips = 0;
	picture->per_cell = 4096;
	while (picture->per_cell * cells < space)
		picture->per_cell *= 2;
	picture->y += 22;
	svg__text(picture->svg, MARGIN, picture->y, SVG_LEFT, "h2", "%s", map->heap->name);
	svg__text(picture->svg, MARGIN + ADDRESS, picture->y, SVG_LEFT, "label", "%s", map->heap->place);
	svg__text(picture->svg, MARGIN + ADDRESS + WIDTH, picture->y, SVG_RIGHT, "small light",
		"%s drawn, a strip is %s", size__format(map->heap->counters[PUBLISH_MAPPED], drawn),
		size__format(picture->per_cell * WIDTH / CELL, per_cell));
	picture->y += 22;
	draw_legend(picture, map);
	picture->y += 14;
	for (size_t i = 0; i < map->heap->n_ranges; i++)
		draw_range(picture, &map->heap->ranges[i]);
	picture->y += (picture->n_strips ? STRIP : 0) + 22;
}

static void describe(const struct map *map, char *text, size_t size)
{
	size_t n = (size_t)snprintf(text, size, "Each heap's address space as strips from left to right, "
		"coloured by the node its pages are on.");
	char bytes[SIZE_TEXT_SIZE];

	for (size_t i = 0; i < map->table->n_heaps && n < size; i++) {
		const struct map_heap *heap = &map->heaps[i];

		n += (size_t)snprintf(text + n, size - n, " Heap %s in %s:", heap->heap->name,
			heap->heap->place);
		for (int node = 0; node < OS_MAX_NODES && n < size; node++)
			if (heap->pages.on_node[node])
				n += (size_t)snprintf(text + n, size - n, " %s on node %d,",
					size__format(heap->pages.on_node[node], bytes), node);
		if (n < size)
			n += (size_t)snprintf(text + n, size - n, " %s present of %zu bytes of address space.",
				size__format(heap->pages.present, bytes), address_space(heap->heap));
	}
}

int map__draw(const struct map *map, const char *file)
{
	const double width = 2 * MARGIN + ADDRESS + WIDTH;
	struct picture picture = { 0 };
	char title[128], description[4096];

	snprintf(title, sizeof(title), "Heaps of %s, process %ld", map->table->program,
		(long)map->table->pid);
	describe(map, description, sizeof(description));
	picture.svg = svg__new(title, description);
	svg__text(picture.svg, MARGIN, 44, SVG_LEFT, "h1", "%s", title);
	svg__text(picture.svg, width - MARGIN, 44, SVG_RIGHT, "light", "%zu heap%s", map->table->n_heaps,
		map->table->n_heaps == 1 ? "" : "s");
	svg__line(picture.svg, MARGIN, 58, width - MARGIN, 58, "#cbd2d9");
	picture.y = 62;
	for (size_t i = 0; i < map->table->n_heaps; i++)
		draw_heap(&picture, &map->heaps[i]);
	return svg__write(picture.svg, width, picture.y + 8, file);
}
