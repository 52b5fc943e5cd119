/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * stats.c - how much a heap has, holds and refused.
 *
 * Fast paths count nothing. What the program uses is what jemalloc counts as allocated, less what lies
 * in our caches; both are read while threads go on, so a block on its way between the two may be
 * missed or be counted on both sides.
 */
#include "heap/stats.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "base/error.h"
#include "heap/cache.h"
#include "heap/heap.h"
#include "heap/publish.h"
#include "heap/registry.h"
#include "heap/thread.h"
#include "hooks/arena_stats.h"
#include "os/present.h"

enum { N_RUNS = 256 };

struct cached {
	size_t n_threads;
	size_t n_small[SIZE_CLASSES], n_large[LARGE_CLASSES];
};

struct heap_arena *stats__arena(struct situs_heap *heap, unsigned i)
{
	return atomic_load_explicit(&heap->arenas[i], memory_order_acquire);
}

static void count_cached(struct situs_heap *heap, struct cached *cached)
{
	memset(cached, 0, sizeof(*cached));
	cached->n_threads = thread__count(heap, cached->n_small);
	depot__count(heap, cached->n_small);
	for (unsigned i = 0; i < heap->n_arenas; i++) {
		struct heap_arena *arena = stats__arena(heap, i);

		if (arena != NULL)
			large_cache__count(&arena->large, cached->n_large);
	}
}

static size_t bytes_cached(const struct cached *cached)
{
	size_t bytes = 0;

	for (unsigned i = 0; i < size_class__count; i++)
		bytes += cached->n_small[i] * size_class__bytes[i];
	for (unsigned i = 0; i < large_class__count; i++)
		bytes += cached->n_large[i] * large_class__bytes[i];
	return bytes;
}

/* Bytes of present pages in one region; SIZE_MAX: not told. */
static size_t present_in(int handle, uintptr_t start, uintptr_t end)
{
	struct os_run runs[N_RUNS];
	size_t present = 0;

	while (start < end) {
		int n = os__present_runs(handle, &start, end, runs, N_RUNS);

		if (n < 0)
			return SIZE_MAX;
		while (n-- > 0)
			present += runs[n].end - runs[n].start;
	}
	return present;
}

static size_t resident_in(int handle, struct space *space)
{
	uintptr_t at = AMM_MINADDR, start, end;
	size_t resident = 0;

	while (space__next_region(space, &at, &start, &end)) {
		size_t present = present_in(handle, start, end);

		if (present == SIZE_MAX)
			return SIZE_MAX;
		resident += present;
	}
	return resident;
}

static int flush_conduits(struct situs_heap *heap, void *arg)
{
	(void)arg;
	heap__flush_conduits(heap);
	return 0;
}

int stats__refresh(struct situs_heap *heap)
{
	if (heap != NULL)
		heap__flush_conduits(heap);
	else
		registry__for_each(flush_conduits, NULL);
	return arena__refresh_stats();
}

static void add_arena(struct heap_arena *arena, int handle, struct situs_heap_stats *stats)
{
	struct space *space = hooks__space(arena->hooks);
	size_t resident = handle < 0 ? SIZE_MAX : resident_in(handle, space);

	stats->n_arenas++;
	stats->n_extents += space__n_extents(space);
	stats->allocated += arena__allocated(arena->index);
	stats->resident = stats->resident == SIZE_MAX || resident == SIZE_MAX ? SIZE_MAX :
		stats->resident + resident;
}

size_t stats__allocated(struct situs_heap *heap)
{
	size_t allocated = atomic_load(&heap->direct), bytes;
	struct cached cached;

	count_cached(heap, &cached);
	bytes = bytes_cached(&cached);
	for (unsigned i = 0; i < heap->n_arenas; i++) {
		struct heap_arena *arena = stats__arena(heap, i);

		if (arena != NULL)
			allocated += arena__allocated(arena->index);
	}
	return allocated > bytes ? allocated - bytes : 0;
}

void stats__publish(const struct situs_heap *heap, size_t allocated)
{
	struct timespec now;

	publish__heap_set(heap->published, PUBLISH_ALLOCATED, allocated);
	if (clock_gettime(CLOCK_BOOTTIME, &now) == 0)
		publish__heap_set(heap->published, PUBLISH_TOLD, (uint64_t)now.tv_sec + 1);
}

void stats__of_heap(struct situs_heap *heap, struct situs_heap_stats *stats)
{
	int handle = os__present_open();
	struct cached cached;
	size_t bytes;

	count_cached(heap, &cached);
	memset(stats, 0, sizeof(*stats));
	stats->struct_size = sizeof(*stats);
	stats->allocated = atomic_load(&heap->direct);
	for (unsigned i = 0; i < heap->n_arenas; i++) {
		struct heap_arena *arena = stats__arena(heap, i);

		if (arena != NULL)
			add_arena(arena, handle, stats);
	}
	os__present_close(handle);
	bytes = bytes_cached(&cached);
	stats->allocated = stats->allocated > bytes ? stats->allocated - bytes : 0;
	stats->mapped = atomic_load(&heap->account.drawn);
	stats->limit = atomic_load(&heap->account.limit);
	stats->peak = atomic_load(&heap->account.peak);
	stats->n_threads = cached.n_threads;
	stats->n_failures = atomic_load(&heap->n_failures);
	stats->n_fallbacks = atomic_load(&heap->account.n_fallbacks);
	stats__publish(heap, stats->allocated);
}

int situs_heap_stats(situs_heap_t *heap, struct situs_heap_stats *stats)
{
	struct situs_heap_stats full;
	int err = registry__check(heap, "situs_heap_stats");

	if (err != 0)
		return err;
	if (stats == NULL || stats->struct_size < offsetof(struct situs_heap_stats, n_failures))
		return error__set(EINVAL, "situs_heap_stats: stats is NULL, or its struct_size is not set");
	err = stats__refresh(heap);
	if (err != 0)
		return err;
	stats__of_heap(heap, &full);
	full.struct_size = stats->struct_size;
	memcpy(stats, &full, stats->struct_size < sizeof(full) ? stats->struct_size : sizeof(full));
	return 0;
}

void stats__refusals(struct situs_heap *heap, struct situs_refusals *refusals)
{
	refusals->by_limit = atomic_load(&heap->n_refused[SPACE_REFUSED_LIMIT]);
	refusals->by_area = atomic_load(&heap->n_refused[SPACE_REFUSED_AREA]);
	refusals->by_books = atomic_load(&heap->n_refused[SPACE_REFUSED_BOOKS]);
	refusals->by_other = atomic_load(&heap->n_refused[SPACE_REFUSED_NOT]);
}

int situs_heap_refusals(situs_heap_t *heap, struct situs_refusals *refusals)
{
	int err = registry__check(heap, "situs_heap_refusals");

	if (err != 0)
		return err;
	if (refusals == NULL || refusals->struct_size < sizeof(*refusals))
		return error__set(EINVAL,
			"situs_heap_refusals: refusals is NULL, or its struct_size is not set");
	stats__refusals(heap, refusals);
	return 0;
}

/* Histograms */

struct counts {
	struct situs_count *out;
	int room, n;
};

static void add_count(struct counts *counts, uint64_t from, uint64_t to, uint64_t n)
{
	if (n == 0)
		return;
	if (counts->n < counts->room)
		counts->out[counts->n] = (struct situs_count){from, to, n};
	counts->n++;
}

static size_t n_cached_of_size(const struct cached *cached, size_t size)
{
	if (size <= SIZE_CLASS_MAX)
		return cached->n_small[size_class__of(size)];
	if (size <= LARGE_CLASS_MAX)
		return cached->n_large[large_class__of(size)];
	return 0;
}

static size_t blocks_of_class(struct situs_heap *heap, unsigned class)
{
	size_t n = 0;

	for (unsigned i = 0; i < heap->n_arenas; i++) {
		struct heap_arena *arena = stats__arena(heap, i);

		if (arena != NULL)
			n += arena__class_blocks(arena->index, class);
	}
	return n;
}

int stats__block_sizes(struct situs_heap *heap, struct situs_count *out, int n_counts)
{
	struct counts counts = {out, n_counts, 0};
	unsigned n_classes = arena__n_classes();
	struct cached cached;
	size_t below = 0;

	count_cached(heap, &cached);
	for (unsigned class = 0; class < n_classes; class++) {
		size_t size = arena__class_size(class);
		size_t n = blocks_of_class(heap, class), n_cached = n_cached_of_size(&cached, size);

		add_count(&counts, below + 1, size + 1, n > n_cached ? n - n_cached : 0);
		below = size;
	}
	return counts.n;
}

int stats__lifetimes(struct situs_heap *heap, struct situs_count *out, int n_counts)
{
	struct counts counts = {out, n_counts, 0};

	for (unsigned i = 0; i < SPACE_LIFETIMES; i++)
		add_count(&counts, i == 0 ? 0 : UINT64_C(1) << (i - 1),
			i == SPACE_LIFETIMES - 1 ? UINT64_MAX : UINT64_C(1) << i,
			atomic_load(&heap->account.lifetimes[i]));
	return counts.n;
}

static int check_counts(const struct situs_heap *heap, const struct situs_count *counts, int n_counts,
	const char *who)
{
	int err = registry__check(heap, who);

	if (err != 0)
		return err;
	if (n_counts < 0 || (counts == NULL && n_counts != 0))
		return error__set(EINVAL, "%s: no array of counts to fill", who);
	return 0;
}

int situs_heap_block_sizes(situs_heap_t *heap, struct situs_count *counts, int n_counts)
{
	int err = check_counts(heap, counts, n_counts, "situs_heap_block_sizes");

	if (err == 0)
		err = stats__refresh(heap);
	return err != 0 ? err : stats__block_sizes(heap, counts, n_counts);
}

int situs_heap_lifetimes(situs_heap_t *heap, struct situs_count *counts, int n_counts)
{
	int err = check_counts(heap, counts, n_counts, "situs_heap_lifetimes");

	return err != 0 ? err : stats__lifetimes(heap, counts, n_counts);
}
