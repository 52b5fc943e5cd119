/* SPDX-License-Identifier: BSD-3-Clause */
/* stat.c - situs stat: each heap of a running program, and the nodes its pages really are on. */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "tool/process.h"
#include "tool/tool.h"

enum { KEY_JSON = 256 };

struct options {
	bool json;
	pid_t pid;
};

/* A heap's pages, counted twice. */
struct account {
	struct process_pages pages;  /* page by page */
	struct process_pages kernel; /* the kernel's sum over its mappings */
	bool comparable;             /* the kernel's mappings hold this heap and nothing else */
};

static const struct argp_option option_list[] = {
	{ "json", KEY_JSON, NULL, 0, "print JSON", 0 },
	TOOL_OPTIONS_END,
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct options *options = state->input;

	switch (key) {
	case KEY_JSON:
		options->json = true;
		return 0;
	case ARGP_KEY_ARG:
		if (options->pid)
			tool__usage(state->name, "one process at a time");
		options->pid = tool__pid(state->name, arg);
		return 0;
	case ARGP_KEY_NO_ARGS:
		tool__usage(state->name, "which process? situs stat PID");
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static int take_account(const struct process_heap *heap, pid_t pid, struct account *account)
{
	int err = process__pages(pid, heap->ranges, heap->n_ranges, &account->pages);

	if (err)
		return err;
	return process__numa_maps(pid, heap->ranges, heap->n_ranges, &account->kernel,
		&account->comparable);
}

/* Nodes of this machine that the process's pages may be on: those the kernel has, at least. */
static void used_nodes(const struct account *accounts, size_t n, struct os_nodes *nodes)
{
	size_t total, available;

	memset(nodes, 0, sizeof(*nodes));
	for (int node = 0; node < OS_MAX_NODES; node++) {
		if (os__node_memory(node, &total, &available) == 0)
			os__nodes_add(nodes, node);
		for (size_t i = 0; i < n; i++)
			if (accounts[i].pages.on_node[node])
				os__nodes_add(nodes, node);
	}
}

static json_t *nodes_json(const struct process_pages *pages)
{
	json_t *nodes = json_object();
	char name[16];

	for (int node = 0; node < OS_MAX_NODES; node++) {
		if (!pages->on_node[node])
			continue;
		snprintf(name, sizeof(name), "%d", node);
		json_object_set_new(nodes, name, json_integer((json_int_t)pages->on_node[node]));
	}
	return nodes;
}

static size_t address_space(const struct process_heap *heap)
{
	size_t sum = 0;

	for (size_t i = 0; i < heap->n_ranges; i++)
		sum += heap->ranges[i].end - heap->ranges[i].start;
	return sum;
}

static json_t *heap_json(const struct process_heap *heap, const struct account *account)
{
	const uint64_t *counters = heap->counters;

	return json_pack("{so so sI sI sI sI sI sI sI sI so so sb}",
		"name", tool__json_text(heap->name), "place", tool__json_text(heap->place),
		"address_space", (json_int_t)address_space(heap),
		"mapped", (json_int_t)counters[PUBLISH_MAPPED],
		"allocated", (json_int_t)counters[PUBLISH_ALLOCATED],
		"limit", (json_int_t)counters[PUBLISH_LIMIT],
		"failures", (json_int_t)counters[PUBLISH_FAILURES],
		"fallbacks", (json_int_t)counters[PUBLISH_FALLBACKS],
		"present", (json_int_t)account->pages.present,
		"swapped", (json_int_t)account->pages.swapped,
		"nodes", nodes_json(&account->pages), "numa_maps", nodes_json(&account->kernel),
		"numa_maps_comparable", (int)account->comparable);
}

static int print_json(const struct process_table *table, const struct account *accounts)
{
	json_t *heaps = json_array();

	for (size_t i = 0; i < table->n_heaps; i++)
		json_array_append_new(heaps, heap_json(&table->heaps[i], &accounts[i]));
	return tool__json(json_pack("{sI so sI so}", "pid", (json_int_t)table->pid, "program",
		tool__json_text(table->program), "unpublished", (json_int_t)table->unpublished, "heaps", heaps));
}

static const char *verdict(const struct account *account)
{
	size_t off = 0;

	if (!account->comparable)
		return "shares a mapping with other memory";
	for (int node = 0; node < OS_MAX_NODES; node++) {
		size_t a = account->pages.on_node[node], b = account->kernel.on_node[node];

		off += a > b ? a - b : b - a;
	}
	if (off == 0)
		return "the same";
	return off <= account->pages.present / 50 ? "the same within 2 % (the program runs on)" : "differs";
}

static void print_heaps(const struct process_table *table, const struct account *accounts)
{
	struct os_nodes nodes;
	struct table *out;

	used_nodes(accounts, table->n_heaps, &nodes);
	out = table__new(7 + (size_t)os__nodes_count(&nodes));
	table__add(out, false, "HEAP");
	table__add(out, false, "PLACE");
	table__add(out, true, "LIMIT");
	table__add(out, true, "REFUSED");
	table__add(out, true, "DRAWN");
	table__add(out, true, "PRESENT");
	for (int node = os__nodes_next(&nodes, 0); node >= 0; node = os__nodes_next(&nodes, node + 1))
		table__add(out, true, "NODE %d", node);
	table__add(out, false, "KERNEL'S ACCOUNT");
	for (size_t i = 0; i < table->n_heaps; i++) {
		const struct process_heap *heap = &table->heaps[i];

		table__add(out, false, "%s", heap->name);
		table__add(out, false, "%s", heap->place);
		if (heap->counters[PUBLISH_LIMIT])
			table__size(out, heap->counters[PUBLISH_LIMIT]);
		else
			table__add(out, true, "none");
		table__add(out, true, "%llu", (unsigned long long)heap->counters[PUBLISH_FAILURES]);
		table__size(out, heap->counters[PUBLISH_MAPPED]);
		table__size(out, accounts[i].pages.present);
		for (int node = os__nodes_next(&nodes, 0); node >= 0; node = os__nodes_next(&nodes, node + 1))
			table__size(out, accounts[i].pages.on_node[node]);
		table__add(out, false, "%s", verdict(&accounts[i]));
	}
	table__print(out, stdout);
}

static void print_text(const struct process_table *table, const struct account *accounts)
{
	printf("%s, process %ld: %zu heap%s\n", table->program, (long)table->pid, table->n_heaps,
		table->n_heaps == 1 ? "" : "s");
	if (table->n_heaps)
		print_heaps(table, accounts);
	for (size_t i = 0; i < table->n_heaps; i++) {
		if (accounts[i].pages.swapped)
			printf("%s: %zu bytes are swapped out\n", table->heaps[i].name,
				accounts[i].pages.swapped);
		if (accounts[i].pages.unknown)
			printf("%s: %zu bytes are on no node the kernel names\n", table->heaps[i].name,
				accounts[i].pages.unknown);
	}
	if (table->unpublished)
		printf("%llu heaps or regions found no room in the table and are not shown\n",
			(unsigned long long)table->unpublished);
}

static int show(const struct options *options, struct process_table *table)
{
	struct account *accounts = calloc(table->n_heaps ? table->n_heaps : 1, sizeof(*accounts));
	int status = TOOL_OK;

	if (!accounts)
		return tool__fail(TOOL_FAILED, "out of memory");
	for (size_t i = 0; i < table->n_heaps && !status; i++) {
		if (take_account(&table->heaps[i], table->pid, &accounts[i]))
			status = tool__fail(TOOL_FAILED, "%s", error__text());
	}
	if (!status && options->json)
		status = print_json(table, accounts);
	else if (!status)
		print_text(table, accounts);
	free(accounts);
	return status;
}

int stat__main(int argc, char **argv)
{
	static const struct argp argp = {
		.options = option_list,
		.parser = parse,
		.args_doc = "PID",
		.doc = "Shows each heap of a running program and the nodes its pages are on.\v"
		       "Every page is asked for its node; the last column compares that with the kernel's own "
		       "count in /proc/PID/numa_maps. DRAWN is what the heap holds from its place, PRESENT "
		       "what of it has been touched. Programs under 'situs run' show their heaps; programs that "
		       "use libsitus do with SITUS_PUBLISH=1.",
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
