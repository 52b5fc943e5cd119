/* SPDX-License-Identifier: BSD-3-Clause */
/* json.c - every heap's figures as one JSON object; the schema is in doc/stats.md. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/utf8.h"
#include "heap/json.h"
#include "heap/snapshot.h"

void json__text(FILE *stream, const char *text)
{
	fputc('"', stream);
	while (*text != '\0') {
		size_t n = utf8__length(text);

		if (n == 0)
			fputs("\\ufffd", stream);
		else if (n == 1 && ((unsigned char)*text < 0x20 || *text == 0x7f))
			fprintf(stream, "\\u%04x", (unsigned)*text);
		else if (*text == '"' || *text == '\\')
			fprintf(stream, "\\%c", *text);
		else
			fwrite(text, 1, n, stream);
		text += n == 0 ? 1 : n;
	}
	fputc('"', stream);
}

/* `unknown` is written as null. */
static void write_number(FILE *stream, const char *name, uint64_t value, uint64_t unknown)
{
	if (value == unknown)
		fprintf(stream, ",\"%s\":null", name);
	else
		fprintf(stream, ",\"%s\":%" PRIu64, name, value);
}

static void write_counts(FILE *stream, const char *name, const struct situs_count *counts, int n)
{
	fprintf(stream, ",\"%s\":[", name);
	for (int i = 0; i < n; i++) {
		fprintf(stream, "%s{\"from\":%" PRIu64, i == 0 ? "" : ",", counts[i].from);
		write_number(stream, "to", counts[i].to, UINT64_MAX);
		fprintf(stream, ",\"n\":%" PRIu64 "}", counts[i].n);
	}
	fputc(']', stream);
}

static void write_links(FILE *stream, const struct snapshot *heap)
{
	fputs(",\"links\":[", stream);
	for (int i = 0; i < heap->n_links; i++)
		fprintf(stream, "%s%zu", i == 0 ? "" : ",", heap->bytes_on_link[i]);
	fputc(']', stream);
}

static void write_heap(FILE *stream, const struct snapshot *heap)
{
	const struct situs_heap_stats *stats = &heap->stats;
	const struct situs_refusals *refusals = &heap->refusals;

	fprintf(stream, "{\"id\":%" PRIu32 ",\"name\":", heap->id);
	json__text(stream, heap->name);
	fputs(",\"place\":", stream);
	json__text(stream, heap->place);
	fprintf(stream, ",\"allocated\":%zu", stats->allocated);
	write_number(stream, "resident", stats->resident, SIZE_MAX);
	fprintf(stream, ",\"mapped\":%zu", stats->mapped);
	write_number(stream, "limit", stats->limit, 0);
	fprintf(stream, ",\"peak\":%zu,\"extents\":%zu,\"arenas\":%zu,\"threads\":%zu", stats->peak,
		stats->n_extents, stats->n_arenas, stats->n_threads);
	fprintf(stream, ",\"failures\":%" PRIu64 ",\"fallbacks\":%" PRIu64, stats->n_failures,
		stats->n_fallbacks);
	fprintf(stream, ",\"refused\":{\"limit\":%" PRIu64 ",\"area\":%" PRIu64 ",\"books\":%" PRIu64
		",\"other\":%" PRIu64 "}", refusals->by_limit, refusals->by_area, refusals->by_books,
		refusals->by_other);
	write_links(stream, heap);
	write_counts(stream, "block_sizes", heap->sizes, heap->n_sizes);
	write_counts(stream, "lifetimes_ms", heap->lifetimes, heap->n_lifetimes);
	fputc('}', stream);
}

int situs_stats_json(FILE *stream)
{
	struct snapshots snapshots;
	int errno_before = errno, err;

	if (stream == NULL)
		return error__set(EINVAL, "situs_stats_json: stream is NULL");
	err = snapshots__take(&snapshots);
	if (err != 0)
		return err;
	fputs("{\"version\":1,\"heaps\":[", stream);
	for (size_t i = 0; i < snapshots.n; i++) {
		if (i != 0)
			fputc(',', stream);
		write_heap(stream, &snapshots.heaps[i]);
	}
	fputs("]}\n", stream);
	free(snapshots.heaps);
	return snapshots__finish(stream, "situs_stats_json", errno_before);
}
