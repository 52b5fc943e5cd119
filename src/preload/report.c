/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * report.c - what each heap held and where it lay, when the program exits.
 *
 * Programs close standard error before they are done, so a copy of it is kept from the start. Who closes
 * every descriptor there is may open something else under that number: the copy is used only while it
 * still is the file that it was.
 */
#include "config.h"

#include "preload/report.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/size.h"
#include "base/utf8.h"
#include "heap/heap.h"
#include "heap/registry.h"
#include "heap/stats.h"
#include "hooks/arena_stats.h"
#include "os/os.h"
#include "preload/start.h"

static void report(void);

/* Out of the way of programs that count on low numbers. */
enum { LOWEST_DESCRIPTOR = 200 };

static int descriptor = -1;
static struct stat identity;

void report__at_exit(void)
{
	int copy = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, LOWEST_DESCRIPTOR);

	if (copy >= 0 && fstat(copy, &identity) == 0)
		descriptor = copy;
	at_quick_exit(report);
}

static bool is_still_ours(void)
{
	struct stat now;

	return descriptor >= 0 && fstat(descriptor, &now) == 0 && now.st_dev == identity.st_dev &&
		now.st_ino == identity.st_ino;
}

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
	struct situs_heap **heaps;
	size_t n, room;
};

static int add(struct situs_heap *heap, void *arg)
{
	struct list *list = arg;

	if (list->n < list->room)
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
	struct situs_heap *heaps[PRELOAD_HEAPS_MAX + 64];
	struct list list = { .heaps = heaps, .room = sizeof(heaps) / sizeof(heaps[0]) };

	(void)registry__for_each(add, &list);
	fputs("situs: ", out);
	write_text(out, program_invocation_short_name, 0);
	fprintf(out, " (pid %ld) %s\n", (long)preload.pid, when);
	fprintf(out, "%-16s  %-24s  %10s  %10s  %10s  %10s  %7s  %9s  %s\n", "HEAP", "PLACE", "IN USE",
		"DRAWN", "PEAK", "LIMIT", "REFUSED", "FALLBACKS", "PRESENT");
	for (size_t i = list.n; i > 0; i--)
		write_heap(out, heaps[i - 1]);
}

static atomic_bool is_printed;

/* The child of a fork is not the program that was asked about. */
bool report__is_due(void)
{
	return descriptor >= 0 && !is_printed && getpid() == preload.pid && is_still_ours();
}

__attribute__((destructor)) static void report(void)
{
	if (report__is_due())
		report__print(NULL);
}

void report__print(atomic_bool *has_begun)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out;

	is_printed = true;
	out = open_memstream(&text, &size);
	if (!out)
		return;
	report__write(out, "at exit");
	if (fclose(out) != 0)
		return;
	if (has_begun)
		atomic_store(has_begun, true);
	if (write(descriptor, text, size) < 0)
		preload__say(SETTINGS_DEBUG, "situs: the table of heaps could not be written");
	free(text);
}
