/* SPDX-License-Identifier: BSD-3-Clause */
/* report_write.c - the figures of all heaps, for people and as JSON. */
#include "config.h"

#include "preload/report.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <string.h>

#include "base/size.h"
#include "base/utf8.h"
#include "heap/heap.h"
#include "heap/json.h"
#include "heap/registry.h"
#include "os/os.h"
#include "preload/start.h"

static void write_size(FILE *out, size_t size, bool is_known)
{
	char text[SIZE_TEXT_SIZE];

	fprintf(out, "  %10s", is_known ? size__format(size, text) : "-");
}

/* Names and places are the program's and the user's: one line all the same. */
static void write_text(FILE *out, const char *text, int width)
{
	char printable[256];

	snprintf(printable, sizeof(printable), "%s", text);
	utf8__make_printable(printable);
	fprintf(out, "%-*s", width, printable);
}

static void write_nodes(FILE *out, struct situs_heap *heap)
{
	size_t bytes_on_node[OS_MAX_NODES];
	char text[SIZE_TEXT_SIZE];
	const char *before = "  ";

	if (situs_heap_locate(heap, bytes_on_node, OS_MAX_NODES) < 0) {
		fputs("  the kernel does not say", out);
		return;
	}
	for (int node = 0; node < OS_MAX_NODES; node++) {
		if (!bytes_on_node[node])
			continue;
		fprintf(out, "%snode %d: %s", before, node, size__format(bytes_on_node[node], text));
		before = ", ";
	}
}

struct list {
	struct situs_heap *heaps[PRELOAD_HEAPS_MAX + 64];
	size_t n;
};

static int add(struct situs_heap *heap, void *arg)
{
	struct list *list = arg;

	if (list->n < sizeof(list->heaps) / sizeof(list->heaps[0]))
		list->heaps[list->n++] = heap;
	return 0;
}

static void write_heap(FILE *out, struct situs_heap *heap)
{
	struct situs_heap_stats stats = { .struct_size = sizeof(stats) };

	if (situs_heap_stats(heap, &stats))
		return;
	write_text(out, heap->name, 16);
	fputs("  ", out);
	write_text(out, heap->place, 24);
	write_size(out, stats.allocated, true);
	write_size(out, stats.mapped, true);
	write_size(out, stats.peak, true);
	write_size(out, stats.limit, stats.limit != 0);
	fprintf(out, "  %7llu  %9llu", (unsigned long long)stats.n_failures,
		(unsigned long long)stats.n_fallbacks);
	write_nodes(out, heap);
	putc('\n', out);
}

void report__write(FILE *out, const char *when)
{
	struct list list = { .n = 0 };

	(void)registry__for_each(add, &list);
	fputs("situs: ", out);
	write_text(out, program_invocation_short_name, 0);
	fprintf(out, " (pid %ld) %s\n", (long)preload.pid, when);
	fprintf(out, "%-16s  %-24s  %10s  %10s  %10s  %10s  %7s  %9s  %s\n", "HEAP", "PLACE", "IN USE",
		"DRAWN", "PEAK", "LIMIT", "REFUSED", "FALLBACKS", "PRESENT");
	for (size_t i = list.n; i > 0; i--)
		write_heap(out, list.heaps[i - 1]);
}

/* JSON: the members that situs stat --json has too are called as there. */

static void write_nodes_json(FILE *out, struct situs_heap *heap)
{
	size_t bytes_on_node[OS_MAX_NODES];
	const char *before = "";

	if (situs_heap_locate(heap, bytes_on_node, OS_MAX_NODES) < 0) {
		fputs("null", out);
		return;
	}
	putc('{', out);
	for (int node = 0; node < OS_MAX_NODES; node++) {
		if (!bytes_on_node[node])
			continue;
		fprintf(out, "%s\"%d\":%zu", before, node, bytes_on_node[node]);
		before = ",";
	}
	putc('}', out);
}

/* `before` stands between heaps; false: nothing is told of this one. */
static bool write_heap_json(FILE *out, const char *before, struct situs_heap *heap)
{
	struct situs_heap_stats stats = { .struct_size = sizeof(stats) };

	if (situs_heap_stats(heap, &stats))
		return false;
	fprintf(out, "%s{\"name\":", before);
	json__text(out, heap->name);
	fputs(",\"place\":", out);
	json__text(out, heap->place);
	fprintf(out, ",\"allocated\":%zu,\"mapped\":%zu,\"peak\":%zu,\"limit\":%zu,\"failures\":%" PRIu64
		",\"fallbacks\":%" PRIu64 ",\"nodes\":", stats.allocated, stats.mapped, stats.peak, stats.limit,
		stats.n_failures, stats.n_fallbacks);
	write_nodes_json(out, heap);
	putc('}', out);
	return true;
}

void report__write_json(FILE *out)
{
	struct list list = { .n = 0 };
	const char *before = "";

	(void)registry__for_each(add, &list);
	fprintf(out, "{\"pid\":%ld,\"program\":", (long)preload.pid);
	json__text(out, program_invocation_short_name);
	fputs(",\"heaps\":[", out);
	for (size_t i = list.n; i > 0; i--)
		if (write_heap_json(out, before, list.heaps[i - 1]))
			before = ",";
	fputs("]}\n", out);
}
