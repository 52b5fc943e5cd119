/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * dump.c - who owns what, as a table for people: heaps, their arenas, runs of neighbouring extents, and
 * the nodes these lie on.
 *
 * The text is made in memory and written at the end, so that no lock waits for the stream.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/size.h"
#include "base/utf8.h"
#include "heap/heap.h"
#include "heap/registry.h"
#include "heap/snapshot.h"
#include "heap/stats.h"
#include "hooks/arena_stats.h"
#include "os/os.h"

/* Extents that touch and came from the same link. */
struct run {
	FILE *out;
	uintptr_t start, end;
	size_t n_extents;
	unsigned link;
};

static void write_nodes(FILE *out, const size_t *bytes_on_node, size_t size)
{
	char text[SIZE_TEXT_SIZE];
	size_t present = 0;

	for (int node = 0; node < OS_MAX_NODES; node++) {
		if (bytes_on_node[node] == 0)
			continue;
		fprintf(out, "  node %d: %s", node, size__format(bytes_on_node[node], text));
		present += bytes_on_node[node];
	}
	if (present < size)
		fprintf(out, "  untouched: %s", size__format(size - present, text));
	fputc('\n', out);
}

static void write_run(struct run *run)
{
	size_t bytes_on_node[OS_MAX_NODES], size = run->end - run->start;
	char text[SIZE_TEXT_SIZE];

	if (size == 0)
		return;
	fprintf(run->out, "    %#14zx-%#zx  %10s  %6zu  %4u", (size_t)run->start, (size_t)run->end,
		size__format(size, text), run->n_extents, run->link);

	int located = situs_locate((const void *)run->start, size, bytes_on_node, OS_MAX_NODES);

	if (located < 0) {
		fputs("  not told\n", run->out);
		return;
	}
	write_nodes(run->out, bytes_on_node, size);
}

static int add_extent(const struct space_extent_info *extent, void *arg)
{
	struct run *run = arg;

	if ((uintptr_t)extent->start != run->end || extent->link != run->link) {
		write_run(run);
		run->start = (uintptr_t)extent->start;
		run->n_extents = 0;
		run->link = extent->link;
	}
	run->end = (uintptr_t)extent->start + extent->size;
	run->n_extents++;
	return 0;
}

static void write_arena(FILE *out, struct heap_arena *arena)
{
	struct space *space = hooks__space(arena->hooks);
	struct run run = {.out = out};
	char text[SIZE_TEXT_SIZE];

	fprintf(out, "  arena %u: %s in %zu extents\n", arena->index,
		size__format(space__size_out(space), text), space__n_extents(space));
	fprintf(out, "    %29s  %10s  %6s  %4s  %s\n", "RANGE", "SIZE", "EXTENTS", "LINK", "WHERE");
	(void)space__iterate(space, add_extent, &run);
	write_run(&run);
}

static int write_heap(struct situs_heap *heap, void *arg)
{
	char allocated[SIZE_TEXT_SIZE], resident[SIZE_TEXT_SIZE], mapped[SIZE_TEXT_SIZE];
	char peak[SIZE_TEXT_SIZE], limit[SIZE_TEXT_SIZE];
	char name[HEAP_NAME_SIZE], place[HEAP_PLACE_SIZE];
	struct situs_heap_stats stats;
	FILE *out = arg;

	stats__of_heap(heap, &stats);
	memcpy(name, heap->name, sizeof(name));
	lock__acquire(&heap->lock);
	memcpy(place, heap->place, sizeof(place));
	lock__release(&heap->lock);
	/* A line is a heap's, and terminals obey nobody. */
	utf8__make_printable(name);
	utf8__make_printable(place);
	fprintf(out, "heap \"%s\" in %s\n", name, place);
	fprintf(out, "  allocated %s, resident %s, mapped %s, peak %s, limit %s\n",
		size__format(stats.allocated, allocated),
		stats.resident == SIZE_MAX ? "not told" : size__format(stats.resident, resident),
		size__format(stats.mapped, mapped), size__format(stats.peak, peak),
		stats.limit == 0 ? "none" : size__format(stats.limit, limit));
	fprintf(out, "  %zu extents, %zu arenas, %zu threads, %llu refused, %llu fallbacks\n",
		stats.n_extents, stats.n_arenas, stats.n_threads, (unsigned long long)stats.n_failures,
		(unsigned long long)stats.n_fallbacks);
	for (unsigned i = 0; i < heap->n_arenas; i++) {
		struct heap_arena *arena = stats__arena(heap, i);

		if (arena != NULL)
			write_arena(out, arena);
	}
	return ferror(out) ? -ENOMEM : 0;
}

int situs_dump(FILE *stream)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out;
	int errno_before = errno, err;

	if (stream == NULL)
		return error__set(EINVAL, "situs_dump: stream is NULL");
	err = stats__refresh(NULL);
	if (err != 0)
		return err;
	out = open_memstream(&text, &size);
	if (out == NULL)
		return error__set(ENOMEM, "situs_dump: no memory for the text");
	err = registry__for_each(write_heap, out);
	if (fclose(out) != 0 || err != 0) {
		free(text);
		return error__set(ENOMEM, "situs_dump: no memory for the text");
	}
	fwrite(text, 1, size, stream);
	free(text);
	return snapshots__finish(stream, "situs_dump", errno_before);
}
