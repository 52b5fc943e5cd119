/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * prometheus.c - every heap's figures in Prometheus's text format, version 0.0.4: all samples of a
 * metric stand together. The metrics are listed in doc/stats.md.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/utf8.h"
#include "heap/snapshot.h"

struct metric {
	const char *name, *type, *help;
	size_t offset; /* of the figure in struct situs_heap_stats */
	bool is_wide;  /* a uint64_t, else a size_t */
	uint64_t absent; /* this value is left out */
};

#define FIGURE(field) offsetof(struct situs_heap_stats, field)
#define ALWAYS (UINT64_MAX - 1)

static const struct metric metrics[] = {
	{"allocated_bytes", "gauge", "Bytes of blocks in use by the program.", FIGURE(allocated), false,
		ALWAYS},
	{"resident_bytes", "gauge", "Bytes of pages present.", FIGURE(resident), false, SIZE_MAX},
	{"mapped_bytes", "gauge", "Bytes drawn from the area.", FIGURE(mapped), false, ALWAYS},
	{"limit_bytes", "gauge", "Bytes the heap may draw.", FIGURE(limit), false, 0},
	{"peak_bytes", "gauge", "Largest number of bytes drawn so far.", FIGURE(peak), false, ALWAYS},
	{"extents", "gauge", "Ranges that the allocator holds.", FIGURE(n_extents), false, ALWAYS},
	{"arenas", "gauge", "Arenas made.", FIGURE(n_arenas), false, ALWAYS},
	{"threads", "gauge", "Threads that keep freed blocks.", FIGURE(n_threads), false, ALWAYS},
	{"failures_total", "counter", "Requests refused.", FIGURE(n_failures), true, ALWAYS},
	{"fallbacks_total", "counter", "Extents served by a later link of a chain.", FIGURE(n_fallbacks),
		true, ALWAYS},
};

static void write_text(FILE *stream, const char *text)
{
	while (*text != '\0') {
		size_t n = utf8__length(text);

		if (n == 0)
			fputs("\xef\xbf\xbd", stream); /* U+FFFD */
		else if (*text == '\n')
			fputs("\\n", stream);
		else if (*text == '"' || *text == '\\')
			fprintf(stream, "\\%c", *text);
		else
			fwrite(text, 1, n, stream);
		text += n == 0 ? 1 : n;
	}
}

static void write_head(FILE *stream, const char *name, const char *type, const char *help)
{
	fprintf(stream, "# HELP situs_heap_%s %s\n# TYPE situs_heap_%s %s\n", name, help, name, type);
}

/* Up to the closing brace, which further labels may precede. */
static void write_labels(FILE *stream, const char *name, const struct snapshot *heap)
{
	fprintf(stream, "situs_heap_%s{id=\"%" PRIu32 "\",heap=\"", name, heap->id);
	write_text(stream, heap->name);
	fputs("\",place=\"", stream);
	write_text(stream, heap->place);
	fputc('"', stream);
}

static uint64_t figure(const struct snapshot *heap, const struct metric *metric)
{
	const char *at = (const char *)&heap->stats + metric->offset;

	return metric->is_wide ? *(const uint64_t *)(const void *)at :
		*(const size_t *)(const void *)at;
}

static void write_metric(FILE *stream, const struct snapshots *all, const struct metric *metric)
{
	write_head(stream, metric->name, metric->type, metric->help);
	for (size_t i = 0; i < all->n; i++) {
		uint64_t value = figure(&all->heaps[i], metric);

		if (value == metric->absent)
			continue;
		write_labels(stream, metric->name, &all->heaps[i]);
		fprintf(stream, "} %" PRIu64 "\n", value);
	}
}

static void write_refusals(FILE *stream, const struct snapshots *all)
{
	static const char *const causes[] = {"limit", "area", "books", "other"};

	write_head(stream, "refused_total", "counter", "Requests refused, by cause.");
	for (size_t i = 0; i < all->n; i++) {
		const struct situs_refusals *refusals = &all->heaps[i].refusals;
		const uint64_t n[] = {refusals->by_limit, refusals->by_area, refusals->by_books,
			refusals->by_other};

		for (size_t k = 0; k < sizeof(n) / sizeof(n[0]); k++) {
			write_labels(stream, "refused_total", &all->heaps[i]);
			fprintf(stream, ",cause=\"%s\"} %" PRIu64 "\n", causes[k], n[k]);
		}
	}
}

static void write_links(FILE *stream, const struct snapshots *all)
{
	write_head(stream, "link_bytes", "gauge", "Bytes on each link of the heap's chain.");
	for (size_t i = 0; i < all->n; i++)
		for (int k = 0; k < all->heaps[i].n_links; k++) {
			write_labels(stream, "link_bytes", &all->heaps[i]);
			fprintf(stream, ",link=\"%d\"} %zu\n", k, all->heaps[i].bytes_on_link[k]);
		}
}

static void write_sizes(FILE *stream, const struct snapshots *all)
{
	write_head(stream, "blocks", "gauge", "Blocks in use, by their size class in bytes.");
	for (size_t i = 0; i < all->n; i++)
		for (int k = 0; k < all->heaps[i].n_sizes; k++) {
			write_labels(stream, "blocks", &all->heaps[i]);
			fprintf(stream, ",size=\"%" PRIu64 "\"} %" PRIu64 "\n",
				all->heaps[i].sizes[k].to - 1, all->heaps[i].sizes[k].n);
		}
}

static void write_lifetimes(FILE *stream, const struct snapshots *all)
{
	write_head(stream, "extents_returned_total", "counter",
		"Extents given back, by the least number of milliseconds they were held.");
	for (size_t i = 0; i < all->n; i++)
		for (int k = 0; k < all->heaps[i].n_lifetimes; k++) {
			write_labels(stream, "extents_returned_total", &all->heaps[i]);
			fprintf(stream, ",held_ms=\"%" PRIu64 "\"} %" PRIu64 "\n",
				all->heaps[i].lifetimes[k].from, all->heaps[i].lifetimes[k].n);
		}
}

int situs_stats_prometheus(FILE *stream)
{
	struct snapshots snapshots;
	int errno_before = errno, err;

	if (stream == NULL)
		return error__set(EINVAL, "situs_stats_prometheus: stream is NULL");
	err = snapshots__take(&snapshots);
	if (err != 0)
		return err;
	for (size_t i = 0; i < sizeof(metrics) / sizeof(metrics[0]); i++)
		write_metric(stream, &snapshots, &metrics[i]);
	write_refusals(stream, &snapshots);
	write_links(stream, &snapshots);
	write_sizes(stream, &snapshots);
	write_lifetimes(stream, &snapshots);
	free(snapshots.heaps);
	return snapshots__finish(stream, "situs_stats_prometheus", errno_before);
}
