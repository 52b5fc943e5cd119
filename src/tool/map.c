/* SPDX-License-Identifier: BSD-3-Clause */
/* map.c - situs map: the address space of each heap of a running program, run by run. */
#include "config.h"

#include "tool/map.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/size.h"
#include "tool/tool.h"

enum { ANSWER_MS = 100 };

static const struct argp_option option_list[] = {
	TOOL_OPTION_JSON,
	TOOL_OPTION_SVG("the heaps"),
	TOOL_OPTIONS_END,
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct tool_common *options = state->input;

	switch (key) {
	case ARGP_KEY_NO_ARGS:
		tool__usage(state->name, "which process? situs map PID");
	case ARGP_KEY_END:
		if (options->json && options->svg)
			tool__usage(state->name, "either --json or --svg");
		return 0;
	default:
		return tool__common_pid(key, arg, state, options);
	}
}

const char *map__state_text(int state, char *text, size_t size)
{
	switch (state) {
	case PROCESS_ABSENT:
		snprintf(text, size, "not touched");
		break;
	case PROCESS_SWAPPED:
		snprintf(text, size, "swapped out");
		break;
	case PROCESS_UNKNOWN:
		snprintf(text, size, "on no node that the kernel names");
		break;
	default:
		snprintf(text, size, "node %d", state);
	}
	return text;
}

static void count(struct process_pages *pages, const struct process_run *run)
{
	const size_t size = run->end - run->start;

	if (run->state == PROCESS_SWAPPED)
		pages->swapped += size;
	else if (run->state == PROCESS_UNKNOWN)
		pages->unknown += size;
	else if (run->state >= 0)
		pages->on_node[run->state] += size;
	if (run->state >= 0 || run->state == PROCESS_UNKNOWN)
		pages->present += size;
}

static int append(struct map_heap *map, const struct map_run *run)
{
	struct map_run *last = map->n_runs ? &map->runs[map->n_runs - 1] : NULL;

	if (last && last->end == run->start && last->state == run->state && last->held == run->held &&
		last->link == run->link) {
		last->end = run->end;
		return 0;
	}
	/* Room is doubled whenever the number of runs is a power of two. */
	if ((map->n_runs & (map->n_runs - 1)) == 0) {
		struct map_run *more = reallocarray(map->runs, map->n_runs ? 2 * map->n_runs : 1, sizeof(*more));

		if (!more)
			return error__set(ENOMEM, "out of memory");
		map->runs = more;
	}
	map->runs[map->n_runs++] = *run;
	return 0;
}

/* Cuts a run of pages where extents begin and end. */
static int add_run(const struct process_run *run, void *arg)
{
	struct map_heap *map = arg;
	const struct process_heap *heap = map->heap;
	uintptr_t at = run->start;
	int err = 0;

	count(&map->pages, run);
	while (at < run->end && !err) {
		const struct publish_extent *extent = NULL;
		struct map_run piece = { at, run->end, run->state, heap->extents ? MAP_FREE : MAP_NOT_TOLD, 0 };

		while (map->next_extent < heap->n_extents &&
			heap->extents[map->next_extent].start + heap->extents[map->next_extent].size <= at)
			map->next_extent++;
		if (map->next_extent < heap->n_extents)
			extent = &heap->extents[map->next_extent];
		if (extent && extent->start <= at) {
			piece.held = MAP_HELD;
			piece.link = extent->link;
			if (extent->start + extent->size < piece.end)
				piece.end = extent->start + extent->size;
		} else if (extent && extent->start < piece.end) {
			piece.end = extent->start;
		}
		err = append(map, &piece);
		at = piece.end;
	}
	return err;
}

static int gather(struct process_table *table, struct map *map)
{
	int err = 0;

	map->table = table;
	map->heaps = calloc(table->n_heaps ? table->n_heaps : 1, sizeof(*map->heaps));
	if (!map->heaps)
		return error__set(ENOMEM, "out of memory");
	for (size_t i = 0; i < table->n_heaps && !err; i++) {
		struct process_heap *heap = &table->heaps[i];

		map->heaps[i].heap = heap;
		process__extents(table->pid, heap, ANSWER_MS);
		for (size_t k = 0; k < heap->n_ranges && !err; k++)
			err = process__runs(table->pid, &heap->ranges[k], add_run, &map->heaps[i]);
	}
	return err;
}

static const char *const held_words[] = {
	[MAP_FREE] = "free",
	[MAP_HELD] = "in extents",
	[MAP_NOT_TOLD] = "-",
};

static json_t *run_json(const struct map_run *run)
{
	char start[24], end[24], text[48];

	/* Addresses as text: they do not fit the doubles that many readers of JSON make of numbers. */
	snprintf(start, sizeof(start), "0x%lx", (unsigned long)run->start);
	snprintf(end, sizeof(end), "0x%lx", (unsigned long)run->end);
	return json_pack("{ss ss sI ss so so}", "start", start, "end", end, "size",
		(json_int_t)(run->end - run->start), "state",
		run->state >= 0 ? "present" : map__state_text(run->state, text, sizeof(text)),
		"node", run->state >= 0 ? json_integer(run->state) : json_null(),
		"in_extents", run->held == MAP_NOT_TOLD ? json_null() : json_boolean(run->held == MAP_HELD));
}

static json_t *extents_json(const struct process_heap *heap)
{
	json_t *extents;
	char start[24];

	if (!heap->extents)
		return json_null();
	extents = json_array();
	for (size_t i = 0; i < heap->n_extents; i++) {
		snprintf(start, sizeof(start), "0x%llx", (unsigned long long)heap->extents[i].start);
		json_array_append_new(extents, json_pack("{ss sI si si}", "start", start, "size",
			(json_int_t)heap->extents[i].size, "arena", (int)heap->extents[i].arena, "link",
			(int)heap->extents[i].link));
	}
	return extents;
}

static int print_json(const struct map *map)
{
	json_t *heaps = json_array(), *runs;

	for (size_t i = 0; i < map->table->n_heaps; i++) {
		const struct map_heap *heap = &map->heaps[i];

		runs = json_array();
		for (size_t k = 0; k < heap->n_runs; k++)
			json_array_append_new(runs, run_json(&heap->runs[k]));
		json_array_append_new(heaps, json_pack("{so so sI so so}",
			"name", tool__json_text(heap->heap->name), "place", tool__json_text(heap->heap->place),
			"mapped", (json_int_t)heap->heap->counters[PUBLISH_MAPPED], "runs", runs,
			"extents", extents_json(heap->heap)));
	}
	return tool__json(json_pack("{sI so so}", "pid", (json_int_t)map->table->pid, "program",
		tool__json_text(map->table->program), "heaps", heaps));
}

static void print_text(const struct map *map)
{
	struct table *out = table__new(6);
	char text[48];

	table__add(out, false, "HEAP");
	table__add(out, true, "START");
	table__add(out, true, "END");
	table__add(out, true, "SIZE");
	table__add(out, false, "PAGES");
	table__add(out, false, "HELD");
	for (size_t i = 0; i < map->table->n_heaps; i++) {
		const struct map_heap *heap = &map->heaps[i];

		for (size_t k = 0; k < heap->n_runs; k++) {
			const struct map_run *run = &heap->runs[k];

			table__add(out, false, "%s", heap->heap->name);
			table__add(out, true, "%lx", (unsigned long)run->start);
			table__add(out, true, "%lx", (unsigned long)run->end);
			table__size(out, run->end - run->start);
			table__add(out, false, "%s", map__state_text(run->state, text, sizeof(text)));
			if (run->link)
				table__add(out, false, "%s of link %u", held_words[run->held], run->link);
			else
				table__add(out, false, "%s", held_words[run->held]);
		}
	}
	printf("%s, process %ld: %zu heap%s\n", map->table->program, (long)map->table->pid,
		map->table->n_heaps, map->table->n_heaps == 1 ? "" : "s");
	table__print(out, stdout);
	for (size_t i = 0; i < map->table->n_heaps; i++)
		if (!map->heaps[i].heap->extents) {
			puts("HELD is not known: the program, which asks for no memory just now, tells it when it does;\n"
				"one that is started with 'situs run --listen' tells it at once");
			break;
		}
}

static int show(const struct tool_common *options, struct process_table *table)
{
	struct map map = { 0 };
	int status = TOOL_OK;

	if (gather(table, &map))
		status = tool__fail(TOOL_FAILED, "%s", error__text());
	else if (options->svg)
		status = map__draw(&map, options->svg);
	else if (options->json)
		status = print_json(&map);
	else
		print_text(&map);
	for (size_t i = 0; map.heaps && i < table->n_heaps; i++)
		free(map.heaps[i].runs);
	free(map.heaps);
	return status;
}

int map__main(int argc, char **argv)
{
	static const struct argp argp = {
		.options = option_list,
		.parser = parse,
		.args_doc = "PID",
		.doc = "Shows the address space of each heap of a running program, run by run.\v"
		       "A run is a range of pages of one state: on a node, not touched (reserved, or given "
		       "back to the kernel), swapped out; held in extents of the allocator, or free. --svg draws "
		       "each heap as strips, a colour for each node.",
	};
	struct tool_common options = { 0 };
	struct process_table table;
	int status;

	tool__parse(&argp, argc, argv, 0, &options);
	status = tool__read_process(options.pid, &table);
	if (status)
		return status;
	status = show(&options, &table);
	process__free(&table);
	return status;
}
