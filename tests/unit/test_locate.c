/* SPDX-License-Identifier: BSD-3-Clause */
/* Where pages are: against pages that the test itself touched. */
#include "tests/unit/test.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "os/present.h"
#include "situs.h"

enum { N_NODES = 64, PAGE = 4096 };

#define MIB ((size_t)1 << 20)

static char *map(size_t size)
{
	char *start = mmap(NULL, size, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	assert_true(start != MAP_FAILED);
	madvise(start, size, MADV_NOHUGEPAGE);
	return start;
}

static size_t sum(const size_t bytes_on_node[N_NODES])
{
	size_t bytes = 0;

	for (int i = 0; i < N_NODES; i++)
		bytes += bytes_on_node[i];
	return bytes;
}

static void touched_pages_are_counted_and_others_are_the_rest(void **state)
{
	const size_t size = 8 * MIB;
	size_t on_node[N_NODES];
	char *start = map(size);

	(void)state;
	assert_int_equal(situs_locate(start, size, on_node, N_NODES), size / PAGE);
	assert_int_equal(sum(on_node), 0);
	for (size_t i = 0; i < size / PAGE; i += 3)
		start[i * PAGE] = 1;

	size_t touched = (size / PAGE + 2) / 3;

	assert_int_equal(situs_locate(start, size, on_node, N_NODES), size / PAGE - touched);
	assert_int_equal(sum(on_node), touched * PAGE);
	munmap(start, size);
}

static void asking_touches_nothing(void **state)
{
	const size_t size = 8 * MIB;
	unsigned char present[8 * MIB / PAGE];
	size_t on_node[N_NODES], error;
	char *start = map(size);

	(void)state;
	start[0] = 1;
	assert_int_equal(situs_locate(start, size, on_node, N_NODES), size / PAGE - 1);
	assert_int_equal(situs_locate(start, 4 * PAGE, on_node, N_NODES), 3);
	assert_true(situs_locate_sampled(start, size, 100, on_node, N_NODES, &error) >= 0);
	assert_int_equal(mincore(start, size, present), 0);
	for (size_t i = 1; i < size / PAGE; i++)
		assert_int_equal(present[i] & 1, 0);
	munmap(start, size);
}

static void bytes_of_a_block_count_not_its_pages(void **state)
{
	size_t on_node[N_NODES];
	char *start = map(2 * PAGE);

	(void)state;
	memset(start, 1, 2 * PAGE);
	assert_int_equal(situs_locate(start + 100, 50, on_node, N_NODES), 0);
	assert_int_equal(sum(on_node), 50);
	assert_int_equal(situs_locate(start + PAGE - 10, 30, on_node, N_NODES), 0);
	assert_int_equal(sum(on_node), 30);
	assert_int_equal(situs_locate(start, 0, on_node, N_NODES), 0);
	assert_int_equal(sum(on_node), 0);
	munmap(start, 2 * PAGE);
}

static void any_address_is_a_valid_question(void **state)
{
	size_t on_node[N_NODES];
	char *gone = map(MIB);

	(void)state;
	munmap(gone, MIB);
	assert_int_equal(situs_locate(gone, MIB, on_node, N_NODES), MIB / PAGE);
	assert_int_equal(situs_locate(NULL, 100, on_node, N_NODES), 1);
	assert_int_equal(situs_locate((void *)(UINTPTR_MAX - 10 * PAGE), PAGE, on_node, N_NODES), 2);
	assert_int_equal(situs_locate((void *)((uintptr_t)1 << 63), MIB, on_node, N_NODES), MIB / PAGE);
	assert_int_equal(sum(on_node), 0);
}

static void a_huge_range_of_little_is_answered(void **state)
{
	const size_t size = (size_t)100 << 30;
	size_t on_node[N_NODES];
	char *start = map(size);

	(void)state;
	for (size_t i = 0; i < 100; i++)
		start[i << 30] = 1;
	assert_int_equal(situs_locate(start, size, on_node, N_NODES), size / PAGE - 100);
	assert_int_equal(sum(on_node), 100 * PAGE);
	munmap(start, size);
}

static void what_is_not_mapped_in_between_is_the_rest(void **state)
{
	static const size_t sizes[] = {2 * MIB, 64 * MIB, (size_t)100 << 30};

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		size_t on_node[N_NODES], size = sizes[i], full = size > 16 * MIB ? 16 * MIB : size / 2;
		char *start = map(size);

		memset(start, 1, full);
		start[size - 1] = 1;
		munmap(start + full, size - full - PAGE);
		assert_int_equal(situs_locate(start, size, on_node, N_NODES), (size - full) / PAGE - 1);
		assert_int_equal(sum(on_node), full + PAGE);
		munmap(start, size);
	}
}

static void huge_pages_count_in_full_and_in_part(void **state)
{
	const size_t huge = 2 * MIB;
	size_t on_node[N_NODES];
	char *start = mmap(NULL, 4 * huge, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *aligned = (char *)(((uintptr_t)start + huge - 1) & ~(huge - 1));

	(void)state;
	madvise(aligned, 2 * huge, MADV_HUGEPAGE);
	memset(aligned, 1, 2 * huge);
	assert_int_equal(situs_locate(aligned, 2 * huge, on_node, N_NODES), 0);
	assert_int_equal(sum(on_node), 2 * huge);
	assert_int_equal(situs_locate(aligned + MIB, 2 * MIB, on_node, N_NODES), 0);
	assert_int_equal(sum(on_node), 2 * MIB);
	assert_int_equal(situs_locate(aligned + 5, 3 * MIB, on_node, N_NODES), 0);
	assert_int_equal(sum(on_node), 3 * MIB);
	munmap(start, 4 * huge);
}

static void a_sample_is_within_its_error(void **state)
{
	const size_t size = 64 * MIB;
	size_t on_node[N_NODES], error;
	char *start = map(size);

	(void)state;
	for (size_t i = 0; i < size / PAGE / 4; i++)
		start[i * PAGE] = 1;

	int rest = situs_locate_sampled(start, size, 1000, on_node, N_NODES, &error);
	size_t found = sum(on_node);

	assert_true(error > 0 && error < size / 10);
	assert_true(found > size / 4 - error && found < size / 4 + error);
	assert_true((size_t)rest * PAGE > size * 3 / 4 - error);
	assert_true((size_t)rest * PAGE < size * 3 / 4 + error);
	munmap(start, size);
}

static void a_sample_of_everything_has_no_error(void **state)
{
	size_t on_node[N_NODES], error = 1;
	char *start = map(MIB);

	(void)state;
	start[0] = 1;
	assert_int_equal(situs_locate_sampled(start, MIB, MIB / PAGE, on_node, N_NODES, &error),
		MIB / PAGE - 1);
	assert_int_equal(error, 0);
	munmap(start, MIB);
}

static void a_heap_is_located_block_for_block(void **state)
{
	size_t on_node[N_NODES], before[N_NODES];
	situs_heap_t *heap;

	(void)state;
	assert_int_equal(situs_heap_create(&heap, &aml_area_linux, NULL), 0);
	for (int i = 0; i < 100; i++)
		assert_non_null(situs_malloc(heap, 1000));
	assert_true(situs_heap_locate(heap, before, N_NODES) >= 0);

	char *block = situs_malloc(heap, 16 * MIB);

	assert_true(situs_heap_locate(heap, on_node, N_NODES) >= (int)(15 * MIB / PAGE));
	assert_true(sum(on_node) <= sum(before) + 2 * PAGE);
	memset(block, 1, 16 * MIB);
	assert_true(situs_heap_locate(heap, on_node, N_NODES) >= 0);
	assert_true(sum(on_node) >= sum(before) + 16 * MIB - 2 * PAGE);
	assert_int_equal(situs_heap_destroy(heap), 0);
}

/* Bytes of present pages of the extents, by another question to the kernel. */
struct present {
	size_t bytes, n_extents, n_pages;
};

static int add_present(const struct situs_extent *extent, void *arg)
{
	static unsigned char is_present[64 * MIB / PAGE];
	struct present *present = arg;

	assert_true(extent->size <= 64 * MIB);
	assert_int_equal(mincore((void *)(uintptr_t)extent->start, extent->size, is_present), 0);
	for (size_t i = 0; i < extent->size / PAGE; i++)
		present->bytes += is_present[i] & 1 ? PAGE : 0;
	present->n_extents++;
	present->n_pages += extent->size / PAGE;
	return 0;
}

static void assert_located(situs_heap_t *heap, size_t least_extents)
{
	struct present present = {0, 0, 0};
	size_t on_node[N_NODES];
	int rest = situs_heap_locate(heap, on_node, N_NODES);

	assert_int_equal(situs_heap_iterate(heap, add_present, &present), 0);
	assert_true(present.n_extents >= least_extents);
	assert_int_equal(sum(on_node), present.bytes);
	assert_int_equal(rest, present.n_pages - present.bytes / PAGE);
}

/* More pieces, and more pages, than go into one question. */
static void extents_far_apart_are_all_located(void **state)
{
	enum { N = 600 };
	struct situs_config config = {.struct_size = sizeof(config), .n_arenas = 1, .decay_ms = 1};
	situs_heap_t *heap;
	char *blocks[N];

	(void)state;
	assert_int_equal(situs_heap_create(&heap, &aml_area_linux, &config), 0);
	for (int i = 0; i < N; i++) {
		size_t size = (size_t)(i % 7 + 5) * 4 * PAGE;

		blocks[i] = situs_malloc(heap, size);
		assert_non_null(blocks[i]);
		memset(blocks[i], 1, i % 3 == 0 ? size : size / 2);
	}
	for (int i = 0; i < N; i += 2)
		situs_free(blocks[i]);
	situs_heap_trim(heap);
	assert_located(heap, 290);
	assert_int_equal(situs_heap_destroy(heap), 0);
}

/* Full, empty and half full, each longer than one question. */
static void a_heap_is_full_in_one_place_and_empty_in_another(void **state)
{
	static const size_t touched[] = {6, 0, 3, 6, 5, 0, 1};
	enum { N = sizeof(touched) / sizeof(touched[0]) };
	struct aml_area *area;
	situs_heap_t *heap;

	(void)state;
	assert_int_equal(aml_area_open(&area, "any,nothp"), AML_SUCCESS);
	assert_int_equal(situs_heap_create(&heap, area, NULL), 0);
	for (int i = 0; i < N; i++) {
		char *block = situs_malloc(heap, 6 * MIB);

		assert_non_null(block);
		memset(block, 1, touched[i] * MIB);
		assert_located(heap, 1);
	}
	assert_int_equal(situs_heap_destroy(heap), 0);
	aml_area_close(&area);
}

/* Some of it touched, some not, in blocks far apart; the kernel is asked about all of it by the other call. */
static void a_sample_of_a_heap_is_within_its_error(void **state)
{
	enum { N = 32 };
	size_t on_node[N_NODES], truth[N_NODES], error, n_pages;
	struct aml_area *area;
	situs_heap_t *heap;
	int rest, all;

	(void)state;
	assert_int_equal(aml_area_open(&area, "any,nothp"), AML_SUCCESS);
	assert_int_equal(situs_heap_create(&heap, area, NULL), 0);
	for (int i = 0; i < N; i++) {
		char *block = situs_malloc(heap, MIB);

		assert_non_null(block);
		memset(block, 1, i % 4 == 0 ? MIB : MIB / 4);
	}
	all = situs_heap_locate(heap, truth, N_NODES);
	n_pages = (size_t)all + sum(truth) / PAGE;
	rest = situs_heap_locate_sampled(heap, 2000, on_node, N_NODES, &error);
	assert_true(n_pages > 2000 && error > 0 && error < n_pages * PAGE / 20);
	for (int i = 0; i < N_NODES; i++)
		assert_true(on_node[i] + error >= truth[i] && truth[i] + error >= on_node[i]);
	assert_true(labs(rest - all) <= (long)(error / PAGE) + 1);
	assert_int_equal(situs_heap_locate_sampled(heap, n_pages, on_node, N_NODES, &error), all);
	assert_int_equal(error, 0);
	assert_memory_equal(on_node, truth, sizeof(truth));
	assert_int_equal(situs_heap_destroy(heap), 0);
	aml_area_close(&area);
}

static void a_sample_of_an_empty_heap_is_exact(void **state)
{
	size_t on_node[N_NODES], error = 1;
	situs_heap_t *heap;

	(void)state;
	assert_int_equal(situs_heap_create(&heap, &aml_area_linux, NULL), 0);
	assert_int_equal(situs_heap_locate_sampled(heap, 10, on_node, N_NODES, &error), 0);
	assert_int_equal(sum(on_node), 0);
	assert_int_equal(error, 0);
	assert_int_equal(situs_heap_destroy(heap), 0);
}

static void nodes_beyond_the_array_are_the_rest(void **state)
{
	size_t on_node[1 + N_NODES] = {0};
	char *start = map(PAGE);

	(void)state;
	start[0] = 1;
	on_node[1] = 77;
	assert_true(situs_locate(start, PAGE, on_node, 1) >= 0);
	assert_int_equal(on_node[1], 77);
	munmap(start, PAGE);
}

static void bad_arguments_are_refused_in_words(void **state)
{
	size_t on_node[N_NODES], error = 0;
	situs_heap_t *heap;

	(void)state;
	assert_int_equal(situs_locate(&error, 8, NULL, 1), -EINVAL);
	assert_non_null(strstr(situs_error(), "situs_locate"));
	assert_int_equal(situs_locate(&error, 8, on_node, 0), -EINVAL);
	assert_int_equal(situs_locate(&error, SIZE_MAX, on_node, 1), -EINVAL);
	assert_non_null(strstr(situs_error(), "wrap"));
	assert_int_equal(situs_locate_sampled(&error, 8, 0, on_node, 1, &error), -EINVAL);
	assert_int_equal(situs_locate_sampled(&error, 8, 1, on_node, 1, NULL), -EINVAL);
	assert_int_equal(situs_heap_locate(NULL, on_node, 1), -EINVAL);
	assert_int_equal(situs_heap_locate_sampled(NULL, 1, on_node, 1, &error), -EINVAL);
	assert_int_equal(situs_heap_create(&heap, &aml_area_linux, NULL), 0);
	assert_int_equal(situs_heap_locate(heap, NULL, 1), -EINVAL);
	assert_int_equal(situs_heap_locate_sampled(heap, 0, on_node, 1, &error), -EINVAL);
	assert_non_null(strstr(situs_error(), "no samples"));
	assert_int_equal(situs_heap_locate_sampled(heap, 1, on_node, 1, NULL), -EINVAL);
	assert_int_equal(situs_heap_destroy(heap), 0);
	assert_int_equal(situs_heap_locate(heap, on_node, 1), -EINVAL);
	assert_non_null(strstr(situs_error(), "not a heap"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(touched_pages_are_counted_and_others_are_the_rest),
		cmocka_unit_test(asking_touches_nothing),
		cmocka_unit_test(bytes_of_a_block_count_not_its_pages),
		cmocka_unit_test(any_address_is_a_valid_question),
		cmocka_unit_test(a_huge_range_of_little_is_answered),
		cmocka_unit_test(what_is_not_mapped_in_between_is_the_rest),
		cmocka_unit_test(huge_pages_count_in_full_and_in_part),
		cmocka_unit_test(a_sample_is_within_its_error),
		cmocka_unit_test(a_sample_of_everything_has_no_error),
		cmocka_unit_test(a_heap_is_located_block_for_block),
		cmocka_unit_test(extents_far_apart_are_all_located),
		cmocka_unit_test(a_heap_is_full_in_one_place_and_empty_in_another),
		cmocka_unit_test(a_sample_of_a_heap_is_within_its_error),
		cmocka_unit_test(a_sample_of_an_empty_heap_is_exact),
		cmocka_unit_test(nodes_beyond_the_array_are_the_rest),
		cmocka_unit_test(bad_arguments_are_refused_in_words),
	};

	return cmocka_run_group_tests_name("locate", tests, NULL, NULL);
}
