/* SPDX-License-Identifier: BSD-3-Clause */
/* stat_show.c - what situs stat found, for people, as JSON and as Prometheus's text format 0.0.4. */
#include "config.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/utf8.h"
#include "tool/stat.h"

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

json_t *stat__nodes_json(const struct process_pages *pages)
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

/* Has the program ever told what is in use? */
static bool has_told(const struct process_heap *heap)
{
	return heap->counters[PUBLISH_TOLD] != 0;
}

/* Seconds since it did. */
static uint64_t age(const struct process_heap *heap)
{
	const uint64_t told = heap->counters[PUBLISH_TOLD] - 1;
	struct timespec now;

	return clock_gettime(CLOCK_BOOTTIME, &now) == 0 && (uint64_t)now.tv_sec > told ? (uint64_t)now.tv_sec - told : 0;
}

/* What the program never told is null. */
static json_t *told_json(const struct process_heap *heap, uint64_t value)
{
	return has_told(heap) ? json_integer((json_int_t)value) : json_null();
}

static json_t *heap_json(const struct process_heap *heap, const struct account *account)
{
	const uint64_t *counters = heap->counters;

	return json_pack("{so so sI sI so so sI sI sI sI sI so so sb}",
		"name", tool__json_text(heap->name), "place", tool__json_text(heap->place),
		"address_space", (json_int_t)address_space(heap),
		"mapped", (json_int_t)counters[PUBLISH_MAPPED],
		"allocated", told_json(heap, counters[PUBLISH_ALLOCATED]),
		"allocated_age_s", told_json(heap, age(heap)),
		"limit", (json_int_t)counters[PUBLISH_LIMIT],
		"failures", (json_int_t)counters[PUBLISH_FAILURES],
		"fallbacks", (json_int_t)counters[PUBLISH_FALLBACKS],
		"present", (json_int_t)account->pages.present,
		"swapped", (json_int_t)account->pages.swapped,
		"nodes", stat__nodes_json(&account->pages), "numa_maps", stat__nodes_json(&account->kernel),
		"numa_maps_comparable", (int)account->comparable);
}

json_t *stat__json(const struct view *view)
{
	const struct process_table *table = &view->table;
	json_t *heaps = json_array();

	for (size_t i = 0; i < table->n_heaps; i++)
		json_array_append_new(heaps, heap_json(&table->heaps[i], &view->accounts[i]));
	return json_pack("{sI so sI sb so}", "pid", (json_int_t)table->pid, "program",
		tool__json_text(table->program), "unpublished", (json_int_t)table->unpublished,
		"allocated_is_fresh", (int)view->is_fresh, "heaps", heaps);
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

static void print_heaps(FILE *stream, const struct view *view)
{
	const struct process_table *table = &view->table;
	const struct account *accounts = view->accounts;
	struct os_nodes nodes;
	struct table *out;

	used_nodes(accounts, table->n_heaps, &nodes);
	out = table__new(8 + (size_t)os__nodes_count(&nodes));
	table__add(out, false, "HEAP");
	table__add(out, false, "PLACE");
	table__add(out, true, "LIMIT");
	table__add(out, true, "REFUSED");
	table__add(out, true, "DRAWN");
	table__add(out, true, "PRESENT");
	table__add(out, true, "IN USE");
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
		if (has_told(heap))
			table__size(out, heap->counters[PUBLISH_ALLOCATED]);
		else
			table__add(out, true, "-");
		for (int node = os__nodes_next(&nodes, 0); node >= 0; node = os__nodes_next(&nodes, node + 1))
			table__size(out, accounts[i].pages.on_node[node]);
		table__add(out, false, "%s", verdict(&accounts[i]));
	}
	table__print(out, stream);
}

/* Why what is in use is not of now. */
static void print_age(FILE *stream, const struct process_table *table)
{
	uint64_t oldest = 0;
	size_t n = 0;

	for (size_t i = 0; i < table->n_heaps; i++) {
		const uint64_t seconds = has_told(&table->heaps[i]) ? age(&table->heaps[i]) : 0;

		n += has_told(&table->heaps[i]);
		oldest = seconds > oldest ? seconds : oldest;
	}
	if (n == 0)
		fputs("IN USE is not known: the program, which asks for no memory just now, has not told it yet", stream);
	else
		fprintf(stream, "IN USE is what the program, which asks for no memory just now, told %" PRIu64
			" s ago%s", oldest, n < table->n_heaps ? ", if it did" : "");
	fputs(";\none that is started with 'situs run --listen' tells it at once\n", stream);
}

void stat__print_text(FILE *stream, const struct view *view)
{
	const struct process_table *table = &view->table;
	const struct account *accounts = view->accounts;

	fprintf(stream, "%s, process %ld: %zu heap%s\n", table->program, (long)table->pid, table->n_heaps,
		table->n_heaps == 1 ? "" : "s");
	if (table->n_heaps)
		print_heaps(stream, view);
	for (size_t i = 0; i < table->n_heaps; i++) {
		if (accounts[i].pages.swapped)
			fprintf(stream, "%s: %zu bytes are swapped out\n", table->heaps[i].name,
				accounts[i].pages.swapped);
		if (accounts[i].pages.unknown)
			fprintf(stream, "%s: %zu bytes are on no node that the kernel names: pages that were only read, as a rule\n",
				table->heaps[i].name, accounts[i].pages.unknown);
	}
	if (table->unpublished)
		fprintf(stream, "%llu heaps or regions found no room in the table and are not shown\n",
			(unsigned long long)table->unpublished);
	if (table->n_heaps && !view->is_fresh)
		print_age(stream, table);
}

/* Prometheus: all samples of a metric stand together. doc/stats.md has the list. */

struct metric {
	const char *name, *type, *help;
	uint64_t (*value)(const struct process_heap *heap, const struct account *account);
};

static uint64_t mapped(const struct process_heap *heap, const struct account *account)
{
	(void)account;
	return heap->counters[PUBLISH_MAPPED];
}

static uint64_t resident(const struct process_heap *heap, const struct account *account)
{
	(void)heap;
	return account->pages.present;
}

static uint64_t swapped(const struct process_heap *heap, const struct account *account)
{
	(void)heap;
	return account->pages.swapped;
}

static uint64_t failures(const struct process_heap *heap, const struct account *account)
{
	(void)account;
	return heap->counters[PUBLISH_FAILURES];
}

static uint64_t fallbacks(const struct process_heap *heap, const struct account *account)
{
	(void)account;
	return heap->counters[PUBLISH_FALLBACKS];
}

static const struct metric metrics[] = {
	{ "mapped_bytes", "gauge", "Bytes drawn from the area.", mapped },
	{ "resident_bytes", "gauge", "Bytes of pages present.", resident },
	{ "swapped_bytes", "gauge", "Bytes of pages swapped out.", swapped },
	{ "failures_total", "counter", "Requests refused.", failures },
	{ "fallbacks_total", "counter", "Extents served by a later link of a chain.", fallbacks },
};

static void write_label(FILE *stream, const char *name, const char *text)
{
	fprintf(stream, "%s=\"", name);
	while (*text) {
		size_t n = utf8__length(text);

		if (n == 0)
			fputc('?', stream);
		else if (*text == '"' || *text == '\\')
			fprintf(stream, "\\%c", *text);
		else
			fwrite(text, 1, n, stream);
		text += n ? n : 1;
	}
	fputc('"', stream);
}

static void write_head(FILE *stream, const char *name, const char *type, const char *help)
{
	fprintf(stream, "# HELP situs_heap_%s %s\n# TYPE situs_heap_%s %s\n", name, help, name, type);
}

/* Up to the closing brace, which further labels may precede. */
static void write_labels(FILE *stream, const char *name, const struct view *view, size_t i)
{
	const struct process_heap *heap = &view->table.heaps[i];

	fprintf(stream, "situs_heap_%s{pid=\"%ld\",", name, (long)view->table.pid);
	write_label(stream, "program", view->table.program);
	fprintf(stream, ",id=\"%zu\",", heap->slot + 1);
	write_label(stream, "heap", heap->name);
	fputc(',', stream);
	write_label(stream, "place", heap->place);
}

static uint64_t limit(const struct process_heap *heap, const struct account *account)
{
	(void)account;
	return heap->counters[PUBLISH_LIMIT];
}

static uint64_t allocated(const struct process_heap *heap, const struct account *account)
{
	(void)account;
	return heap->counters[PUBLISH_ALLOCATED];
}

static uint64_t allocated_age(const struct process_heap *heap, const struct account *account)
{
	(void)account;
	return age(heap);
}

/* Of heaps that have it: the counter `where` is not 0. */
static void write_optional(FILE *stream, const struct view *view, const struct metric *metric,
	enum publish_counter where)
{
	write_head(stream, metric->name, metric->type, metric->help);
	for (size_t i = 0; i < view->table.n_heaps; i++) {
		if (!view->table.heaps[i].counters[where])
			continue;
		write_labels(stream, metric->name, view, i);
		fprintf(stream, "} %" PRIu64 "\n", metric->value(&view->table.heaps[i], &view->accounts[i]));
	}
}

static const struct metric limit_metric = { "limit_bytes", "gauge", "Bytes the heap may draw.", limit };
static const struct metric told_metrics[] = {
	{ "allocated_bytes", "gauge", "Bytes of blocks in use by the program, as it last said.", allocated },
	{ "allocated_age_seconds", "gauge", "How long ago it said that.", allocated_age },
};

void stat__print_prometheus(FILE *stream, const struct view *view)
{
	for (size_t k = 0; k < sizeof(metrics) / sizeof(metrics[0]); k++) {
		write_head(stream, metrics[k].name, metrics[k].type, metrics[k].help);
		for (size_t i = 0; i < view->table.n_heaps; i++) {
			write_labels(stream, metrics[k].name, view, i);
			fprintf(stream, "} %" PRIu64 "\n",
				metrics[k].value(&view->table.heaps[i], &view->accounts[i]));
		}
	}
	write_optional(stream, view, &limit_metric, PUBLISH_LIMIT);
	for (size_t k = 0; k < sizeof(told_metrics) / sizeof(told_metrics[0]); k++)
		write_optional(stream, view, &told_metrics[k], PUBLISH_TOLD);
	write_head(stream, "node_bytes", "gauge", "Bytes of pages present on each node.");
	for (size_t i = 0; i < view->table.n_heaps; i++)
		for (int node = 0; node < OS_MAX_NODES; node++) {
			if (!view->accounts[i].pages.on_node[node])
				continue;
			write_labels(stream, "node_bytes", view, i);
			fprintf(stream, ",node=\"%d\"} %zu\n", node, view->accounts[i].pages.on_node[node]);
		}
}
