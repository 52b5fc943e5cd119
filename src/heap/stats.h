/* SPDX-License-Identifier: BSD-3-Clause */
/* stats.h - a heap's figures, for the functions that show them. */
#ifndef HEAP_STATS_H
#define HEAP_STATS_H

#include "situs.h"

/* jemalloc's figures are taken anew, without what lies between it and the heap (NULL: every heap): 0 or -ENOTSUP.
   Not under the registry's lock where heap is NULL. */
int stats__refresh(struct situs_heap *heap);

/* The heap is known to live; stats__refresh has run, without which `allocated` is stale. */
void stats__of_heap(struct situs_heap *heap, struct situs_heap_stats *stats);

/* `allocated` alone, which looks at no page tables. */
size_t stats__allocated(struct situs_heap *heap);

/* Tells the table of publish.h, with the time. */
void stats__publish(const struct situs_heap *heap, size_t allocated);
void stats__refusals(struct situs_heap *heap, struct situs_refusals *refusals);
int stats__block_sizes(struct situs_heap *heap, struct situs_count *counts, int n_counts);
int stats__lifetimes(struct situs_heap *heap, struct situs_count *counts, int n_counts);

/* As the public functions without stats__. */
int stats__links(struct situs_heap *heap, size_t *bytes_on_link, int n_links);
int stats__for_each_extent(struct situs_heap *heap, situs_extent_func *func, void *arg);

/* The i-th arena of a heap, or NULL where none was made. */
struct heap_arena *stats__arena(struct situs_heap *heap, unsigned i);

#endif
