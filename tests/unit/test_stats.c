/* SPDX-License-Identifier: BSD-3-Clause */
/* What a heap says of itself: against what the test itself allocated. */
#include "tests/unit/test.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "heap/heap.h"
#include "situs.h"
#include "tests/unit/book_area.h"

#define MIB ((size_t)1 << 20)

static situs_heap_t *make(const struct aml_area *area, size_t limit)
{
	struct situs_config config = {.struct_size = sizeof(config), .name = "test", .limit = limit,
		.n_arenas = 1};
	situs_heap_t *heap = NULL;

	assert_int_equal(situs_heap_create(&heap, area, &config), 0);
	return heap;
}

static struct situs_heap_stats stats_of(situs_heap_t *heap)
{
	struct situs_heap_stats stats = {.struct_size = sizeof(stats)};

	assert_int_equal(situs_heap_stats(heap, &stats), 0);
	return stats;
}

static void check_spaces(situs_heap_t *heap)
{
	for (unsigned i = 0; i < heap->n_arenas; i++)
		if (heap->arenas[i] != NULL)
			assert_int_equal(space__check(hooks__space(heap->arenas[i]->hooks)), 0);
}

#ifndef SITUS_GUARDED /* a block is more there than was asked for */
static void allocated_is_what_the_program_holds_to_the_byte(void **state)
{
	static const size_t sizes[] = {1, 16, 100, 1000, 5000, 20000, 32768, 40000, 100000, 3000000,
		5000000};
	enum { N = sizeof(sizes) / sizeof(sizes[0]), EACH = 50 };
	situs_heap_t *heap = make(&aml_area_linux, 0);
	static void *blocks[N][EACH];
	size_t expected = 0;

	(void)state;
	assert_int_equal(stats_of(heap).allocated, 0);
	for (int i = 0; i < N; i++)
		for (int k = 0; k < EACH; k++) {
			blocks[i][k] = situs_malloc(heap, sizes[i]);
			assert_non_null(blocks[i][k]);
			expected += situs_usable_size(blocks[i][k]);
		}
	assert_int_equal(stats_of(heap).allocated, expected);
	for (int i = 0; i < N; i++)
		for (int k = 0; k < EACH; k += 2) {
			expected -= situs_usable_size(blocks[i][k]);
			situs_free(blocks[i][k]);
		}
	assert_int_equal(stats_of(heap).allocated, expected);
	for (int i = 0; i < N; i++)
		for (int k = 1; k < EACH; k += 2)
			situs_free(blocks[i][k]);
	assert_int_equal(stats_of(heap).allocated, 0);
	situs_heap_destroy(heap);
}
#endif

static void figures_agree_with_the_areas_books(void **state)
{
	struct book_area *book = book_create();
	situs_heap_t *heap = make(&book->area, 100 * MIB);
	struct situs_heap_stats stats;
	void *block;

	(void)state;
	for (int i = 0; i < 1000; i++)
		assert_non_null(situs_malloc(heap, 1000));
	block = situs_malloc(heap, 10 * MIB);
	stats = stats_of(heap);
	assert_int_equal(stats.mapped, book->size_out);
	assert_int_equal(stats.peak, book->size_out);
	assert_int_equal(stats.limit, 100 * MIB);
	assert_int_equal(stats.n_arenas, 1);
	assert_int_equal(stats.n_threads, 1);
	assert_int_equal(stats.n_failures, 0);
	assert_int_equal(stats.n_fallbacks, 0);
	assert_true(stats.allocated <= stats.mapped);
	situs_free(block);
	assert_true(stats_of(heap).peak == stats.peak);
	situs_heap_destroy(heap);
	book_destroy(book);
}

static void resident_follows_what_is_touched(void **state)
{
	situs_heap_t *heap = make(&aml_area_linux, 0);
	char *block = situs_malloc(heap, 32 * MIB);
	size_t before = stats_of(heap).resident, after;

	(void)state;
	assert_true(before != SIZE_MAX);
	memset(block, 1, 32 * MIB);
	after = stats_of(heap).resident;
	assert_true(after >= before + 31 * MIB && after <= before + 33 * MIB);
	situs_heap_destroy(heap);
}

static int count(const struct situs_extent *extent, void *arg)
{
	(void)extent;
	++*(size_t *)arg;
	return 0;
}

static void extents_are_counted_through_splits_and_merges(void **state)
{
	situs_heap_t *heap = make(&aml_area_linux, 0);
	static void *blocks[500];
	unsigned seed = 7;

	(void)state;
	for (int round = 0; round < 3000; round++) {
		int i = rand_r(&seed) % 500;

		situs_free(blocks[i]);
		blocks[i] = situs_malloc(heap, (size_t)rand_r(&seed) % 200000);
		if (round % 300 == 0) {
			/* In this order: statistics give back what is on its way to jemalloc. */
			size_t n_extents = stats_of(heap).n_extents, n = 0;

			assert_int_equal(situs_heap_iterate(heap, count, &n), 0);
			assert_int_equal(n_extents, n);
			check_spaces(heap);
		}
	}
	situs_heap_destroy(heap);
}

static void refusals_are_counted_by_cause(void **state)
{
	struct situs_refusals refusals = {.struct_size = sizeof(refusals)};
	struct book_area *book = book_create();
	situs_heap_t *limited = make(&book->area, 16 * MIB), *full = make(&book->area, 0);

	(void)state;
	assert_null(situs_malloc(limited, 32 * MIB));
	assert_null(situs_malloc(limited, 33 * MIB));
	book->fail_at = book->n_calls + 1;
	assert_null(situs_malloc(full, 32 * MIB));
	assert_int_equal(situs_heap_refusals(limited, &refusals), 0);
	assert_int_equal(refusals.by_limit, 2);
	assert_int_equal(refusals.by_area + refusals.by_books + refusals.by_other, 0);
	assert_int_equal(stats_of(limited).n_failures, 2);
	assert_int_equal(situs_heap_refusals(full, &refusals), 0);
	assert_int_equal(refusals.by_area, 1);
	assert_int_equal(refusals.by_limit + refusals.by_books + refusals.by_other, 0);
	situs_heap_destroy(limited);
	situs_heap_destroy(full);
	book_destroy(book);
}

static void sizes_beyond_the_address_space_are_refusals_too(void **state)
{
	struct situs_refusals refusals = {.struct_size = sizeof(refusals)};
	situs_heap_t *heap = make(&aml_area_linux, 0);
	void *block = situs_malloc(heap, 100);
	volatile size_t huge = (size_t)PTRDIFF_MAX + 1;

	(void)state;
	assert_null(situs_malloc(heap, huge));
	assert_non_null(strstr(situs_error(), "more than an address space"));
	assert_null(situs_calloc(heap, 1, huge));
	assert_null(situs_calloc(heap, huge, 4));
	assert_null(situs_aligned_alloc(heap, huge, 1));
	assert_null(situs_realloc(heap, block, huge));
	assert_null(situs_realloc(NULL, block, huge));
	assert_int_equal(situs_heap_refusals(heap, &refusals), 0);
	assert_int_equal(refusals.by_other, 6);
	assert_int_equal(stats_of(heap).n_failures, 6);
	situs_free(block);
	situs_heap_destroy(heap);
}

#ifndef SITUS_GUARDED /* a block is more there than was asked for */
static uint64_t count_for(const struct situs_count *counts, int n, uint64_t size)
{
	for (int i = 0; i < n; i++)
		if (counts[i].from <= size && size < counts[i].to)
			return counts[i].n;
	return 0;
}

static void block_sizes_are_counted_by_what_is_in_use(void **state)
{
	situs_heap_t *heap = make(&aml_area_linux, 0);
	struct situs_count counts[64];
	void *freed[10];
	int n;

	(void)state;
	for (int i = 0; i < 7; i++)
		assert_non_null(situs_malloc(heap, 100));
	for (int i = 0; i < 10; i++)
		freed[i] = situs_malloc(heap, 100000);
	for (int i = 0; i < 7; i++)
		situs_free(freed[i]);
	n = situs_heap_block_sizes(heap, counts, 64);
	assert_int_equal(n, 2);
	assert_int_equal(count_for(counts, n, 100), 7);
	assert_int_equal(count_for(counts, n, 100000), 3);
	assert_int_equal(situs_heap_block_sizes(heap, NULL, 0), 2);
	situs_heap_destroy(heap);
}
#endif

static void lifetimes_count_every_extent_that_was_given_back(void **state)
{
	situs_heap_t *heap = make(&aml_area_linux, 0);
	struct situs_count counts[64];
	uint64_t given_back = 0;
	int n;

	(void)state;
	assert_int_equal(situs_heap_lifetimes(heap, counts, 64), 0);
	for (int i = 0; i < 5; i++)
		situs_free(situs_malloc(heap, 64 * MIB));
	for (unsigned i = 0; i < heap->n_arenas; i++)
		if (heap->arenas[i] != NULL)
			arena__purge(heap->arenas[i]->index);
	n = situs_heap_lifetimes(heap, counts, 64);
	for (int i = 0; i < n; i++)
		given_back += counts[i].n;
	assert_true(given_back >= 1 && given_back <= 10);
	situs_heap_destroy(heap);
}

/* Iteration */

static int stop_at_second(const struct situs_extent *extent, void *arg)
{
	(void)extent;
	return ++*(int *)arg == 2 ? 42 : 0;
}

static void iteration_stops_where_it_is_told_to(void **state)
{
	situs_heap_t *heap = make(&aml_area_linux, 0);
	int calls = 0;

	(void)state;
	for (int i = 0; i < 10; i++)
		assert_non_null(situs_malloc(heap, 100000));
	assert_int_equal(situs_heap_iterate(heap, stop_at_second, &calls), 42);
	assert_int_equal(calls, 2);
	situs_heap_destroy(heap);
}

struct covered {
	situs_heap_t *heap;
	const char *end;
	size_t bytes;
};

static int cover(const struct situs_extent *extent, void *arg)
{
	struct covered *covered = arg;

	assert_true((const char *)extent->start >= covered->end);
	covered->end = (const char *)extent->start + extent->size;
	covered->bytes += extent->size;
	assert_ptr_equal(situs_heap_of(extent->start), covered->heap);
	return 0;
}

static void extents_tile_what_is_mapped(void **state)
{
	struct situs_config config = {.struct_size = sizeof(config), .n_arenas = 1};
	struct covered covered = {0};

	(void)state;
	assert_int_equal(situs_heap_create(&covered.heap, &aml_area_linux, &config), 0);
	for (int i = 0; i < 300; i++)
		assert_non_null(situs_malloc(covered.heap, 50000));
	assert_int_equal(situs_heap_iterate(covered.heap, cover, &covered), 0);
	assert_int_equal(covered.bytes, stats_of(covered.heap).mapped);
	situs_heap_destroy(covered.heap);
}

struct merging {
	struct space *space;
	char *start;
	const char *end;
	size_t bytes;
};

/* Merges the extent that was just told of with the next one. */
static int merge(const struct space_extent_info *extent, void *arg)
{
	struct merging *merging = arg;

	assert_true((const char *)extent->start >= merging->end);
	merging->end = (const char *)extent->start + extent->size;
	merging->bytes += extent->size;
	if (extent->start == merging->start)
		assert_int_equal(space__merge(merging->space, merging->start, MIB, MIB), 0);
	return 0;
}

static void no_address_is_told_of_twice_though_extents_merge_meanwhile(void **state)
{
	situs_heap_t *heap = make(&aml_area_linux, 0);
	struct merging merging = {0};
	bool zero = false;

	(void)state;
	assert_non_null(situs_malloc(heap, 1000));
	merging.space = hooks__space(heap->arenas[0]->hooks);
	merging.start = space__alloc(merging.space, NULL, 2 * MIB, 4096, &zero);
	assert_non_null(merging.start);
	space__split(merging.space, merging.start, MIB, MIB);
	assert_int_equal(space__iterate(merging.space, merge, &merging), 0);
	assert_int_equal(merging.bytes, stats_of(heap).mapped);
	assert_int_equal(space__free(merging.space, merging.start, 2 * MIB), 0);
	check_spaces(heap);
	situs_heap_destroy(heap);
}

/* Threads */

/* jemalloc finds its arenas' mutexes by its own atomics, which ThreadSanitizer does not see. Ours are
   never tried, only locked. */
const char *__tsan_default_suppressions(void);
const char *__tsan_default_suppressions(void)
{
	return "race_top:pthread_mutex_trylock\n";
}

struct busy {
	situs_heap_t *heap;
	atomic_bool stop;
};

static void *work(void *arg)
{
	struct busy *busy = arg;
	void *blocks[64] = {0};
	unsigned seed = 1;

	while (!atomic_load(&busy->stop)) {
		int i = rand_r(&seed) % 64;

		situs_free(blocks[i]);
		blocks[i] = situs_malloc(busy->heap, (size_t)rand_r(&seed) % 100000);
	}
	for (int i = 0; i < 64; i++)
		situs_free(blocks[i]);
	return NULL;
}

static int look(const struct situs_extent *extent, void *arg)
{
	(void)arg;
	return extent->size == 0 || extent->size % 4096 != 0;
}

static void figures_can_be_had_while_threads_allocate(void **state)
{
	struct busy busy = {.heap = make(&aml_area_linux, 0)};
	struct situs_count counts[256];
	size_t on_node[64];
	pthread_t threads[4];

	(void)state;
	atomic_init(&busy.stop, false);
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, work, &busy), 0);
	for (int i = 0; i < 50; i++) {
		struct situs_heap_stats stats = stats_of(busy.heap);

		assert_true(stats.mapped <= stats.peak || stats.peak == 0);
		assert_int_equal(situs_heap_iterate(busy.heap, look, NULL), 0);
		assert_true(situs_heap_locate(busy.heap, on_node, 64) >= 0);
		assert_true(situs_heap_block_sizes(busy.heap, counts, 256) >= 0);
		assert_true(situs_heap_lifetimes(busy.heap, counts, 256) >= 0);
	}
	atomic_store(&busy.stop, true);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(stats_of(busy.heap).allocated, 0);
	assert_int_equal(stats_of(busy.heap).n_threads, 0);
	check_spaces(busy.heap);
	situs_heap_destroy(busy.heap);
}

static void bad_arguments_are_refused_in_words(void **state)
{
	struct situs_heap_stats stats = {.struct_size = 8};
	struct situs_refusals refusals = {.struct_size = 8};
	struct situs_count counts[1];
	situs_heap_t *heap = make(&aml_area_linux, 0);
	size_t n = 0;

	(void)state;
	assert_int_equal(situs_heap_stats(heap, NULL), -EINVAL);
	assert_int_equal(situs_heap_stats(heap, &stats), -EINVAL);
	assert_non_null(strstr(situs_error(), "struct_size"));
	assert_int_equal(situs_heap_refusals(heap, &refusals), -EINVAL);
	assert_int_equal(situs_heap_block_sizes(heap, NULL, 1), -EINVAL);
	assert_int_equal(situs_heap_lifetimes(heap, counts, -1), -EINVAL);
	assert_int_equal(situs_heap_iterate(heap, NULL, NULL), -EINVAL);
	assert_int_equal(situs_heap_stats(NULL, &stats), -EINVAL);
	assert_int_equal(situs_heap_iterate(NULL, count, &n), -EINVAL);
	assert_int_equal(situs_heap_refusals(NULL, &refusals), -EINVAL);
	situs_heap_destroy(heap);
	stats.struct_size = sizeof(stats);
	assert_int_equal(situs_heap_stats(heap, &stats), -EINVAL);
	assert_non_null(strstr(situs_error(), "not a heap"));
	assert_int_equal(situs_heap_block_sizes(heap, counts, 1), -EINVAL);
	assert_int_equal(situs_heap_lifetimes(heap, counts, 1), -EINVAL);
	assert_int_equal(situs_heap_iterate(heap, count, &n), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#ifndef SITUS_GUARDED
		cmocka_unit_test(allocated_is_what_the_program_holds_to_the_byte),
#endif
		cmocka_unit_test(figures_agree_with_the_areas_books),
		cmocka_unit_test(resident_follows_what_is_touched),
		cmocka_unit_test(extents_are_counted_through_splits_and_merges),
		cmocka_unit_test(refusals_are_counted_by_cause),
		cmocka_unit_test(sizes_beyond_the_address_space_are_refusals_too),
#ifndef SITUS_GUARDED
		cmocka_unit_test(block_sizes_are_counted_by_what_is_in_use),
#endif
		cmocka_unit_test(lifetimes_count_every_extent_that_was_given_back),
		cmocka_unit_test(iteration_stops_where_it_is_told_to),
		cmocka_unit_test(extents_tile_what_is_mapped),
		cmocka_unit_test(no_address_is_told_of_twice_though_extents_merge_meanwhile),
		cmocka_unit_test(figures_can_be_had_while_threads_allocate),
		cmocka_unit_test(bad_arguments_are_refused_in_words),
	};

	return cmocka_run_group_tests_name("stats", tests, NULL, NULL);
}
