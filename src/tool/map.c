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

enum { KEY_JSON = 256, KEY_SVG };

struct options {
	bool json;
	const char *svg;
	pid_t pid;
};

static const struct argp_option option_list[] = {
	{ "json", KEY_JSON, NULL, 0, "print JSON", 0 },
	{ "svg", KEY_SVG, "FILE", 0, "draw the heaps into a file (-: standard output)", 0 },
	TOOL_OPTIONS_END,
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct options *options = state->input;

	switch (key) {
	case KEY_JSON:
		options->json = true;
		return 0;
	case KEY_SVG:
		options->svg = arg;
		return 0;
	case ARGP_KEY_ARG:
		if (options->pid)
			tool__usage(state->name, "one process at a time");
		options->pid = tool__pid(state->name, arg);
		return 0;
	case ARGP_KEY_NO_ARGS:
		tool__usage(state->name, "which process? situs map PID");
	case ARGP_KEY_END:
		if (options->json && options->svg)
			tool__usage(state->name, "either --json or --svg");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
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

static int add_run(const struct process_run *run, void *arg)
{
	struct map_heap *map = arg;
	struct process_run *last = map->n_runs ? &map->runs[map->n_runs - 1] : NULL;

	count(&map->pages, run);
	if (last && last->end == run->start && last->state == run->state) {
		last->end = run->end;
		return 0;
	}
	/* Room is doubled whenever the number of runs is a power of two. */
	if ((map->n_runs & (map->n_runs - 1)) == 0) {
		struct process_run *more = reallocarray(map->runs, map->n_runs ? 2 * map->n_runs : 1,
			sizeof(*more));

		if (!more)
			return error__set(ENOMEM, "out of memory");
		map->runs = more;
	}
	map->runs[map->n_runs++] = *run;
	return 0;
}

static int gather(const struct process_table *table, struct map *map)
{
	int err = 0;

	map->table = table;
	map->heaps = calloc(table->n_heaps ? table->n_heaps : 1, sizeof(*map->heaps));
	if (!map->heaps)
		return error__set(ENOMEM, "out of memory");
	for (size_t i = 0; i < table->n_heaps && !err; i++) {
		const struct process_heap *heap = &table->heaps[i];

		map->heaps[i].heap = heap;
		for (size_t k = 0; k < heap->n_ranges && !err; k++)
			err = process__runs(table->pid, &heap->ranges[k], add_run, &map->heaps[i]);
	}
	return err;
}

static json_t *run_json(const struct process_run *run)
{
	char start[24], end[24], text[48];

	/* Addresses as text: they do not fit the doubles that many readers of JSON make of numbers. */
	snprintf(start, sizeof(start), "0x%lx", (unsigned long)run->start);
	snprintf(end, sizeof(end), "0x%lx", (unsigned long)run->end);
	return json_pack("{ss ss sI ss so}", "start", start, "end", end, "size",
		(json_int_t)(run->end - run->start), "state",
		run->state >= 0 ? "present" : map__state_text(run->state, text, sizeof(text)),
		"node", run->state >= 0 ? json_integer(run->state) : json_null());
}

static int print_json(const struct map *map)
{
	json_t *heaps = json_array(), *runs;

	for (size_t i = 0; i < map->table->n_heaps; i++) {
		const struct map_heap *heap = &map->heaps[i];

		runs = json_array();
		for (size_t k = 0; k < heap->n_runs; k++)
			json_array_append_new(runs, run_json(&heap->runs[k]));
		json_array_append_new(heaps, json_pack("{so so sI so}",
			"name", tool__json_text(heap->heap->name), "place", tool__json_text(heap->heap->place),
			"mapped", (json_int_t)heap->heap->counters[PUBLISH_MAPPED], "runs", runs));
	}
	return tool__json(json_pack("{sI so so}", "pid", (json_int_t)map->table->pid, "program",
		tool__json_text(map->table->program), "heaps", heaps));
}

static void print_text(const struct map *map)
{
	struct table *out = table__new(5);
	char text[48];

	table__add(out, false, "HEAP");
	table__add(out, true, "START");
	table__add(out, true, "END");
	table__add(out, true, "SIZE");
	table__add(out, false, "STATE");
	for (size_t i = 0; i < map->table->n_heaps; i++) {
		const struct map_heap *heap = &map->heaps[i];

		for (size_t k = 0; k < heap->n_runs; k++) {
			const struct process_run *run = &heap->runs[k];

			table__add(out, false, "%s", heap->heap->name);
			table__add(out, true, "%lx", (unsigned long)run->start);
			table__add(out, true, "%lx", (unsigned long)run->end);
			table__size(out, run->end - run->start);
			table__add(out, false, "%s", map__state_text(run->state, text, sizeof(text)));
		}
	}
	printf("%s, process %ld: %zu heap%s\n", map->table->program, (long)map->table->pid,
		map->table->n_heaps, map->table->n_heaps == 1 ? "" : "s");
	table__print(out, stdout);
}

static int show(const struct options *options, struct process_table *table)
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
		       "back to the kernel), swapped out. --svg draws each heap as strips, a colour for each "
		       "node.",
	};
	struct options options = { 0 };
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
