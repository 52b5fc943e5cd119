/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the ordinary build does with a program's mistakes, as doc/safety.md says it: handles of heaps that
 * went, and addresses that are no blocks. tests/unit/test_checks.c has the builds that look closer.
 */
#include "tests/unit/test.h"

#include <errno.h>
#include <jemalloc/jemalloc.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "heap/heap.h"
#include "situs.h"
#include "tests/unit/book_area.h"

static situs_heap_t *stale_heap(void)
{
	situs_heap_t *heap;

	assert_int_equal(situs_heap_create(&heap, &aml_area_linux, NULL), 0);
	situs_free(situs_malloc(heap, 64));
	assert_int_equal(situs_heap_destroy(heap), 0);
	return heap;
}

static int count(const struct situs_extent *extent, void *arg)
{
	(void)extent, (void)arg;
	return 0;
}

static void a_heap_that_went_is_refused_by_every_call(void **state)
{
	situs_heap_t *stale = stale_heap();
	struct situs_heap_stats stats = {.struct_size = sizeof(stats)};
	size_t bytes;

	(void)state;
	assert_int_equal(situs_heap_stats(stale, &stats), -EINVAL);
	assert_non_null(strstr(situs_error(), "not any more"));
	assert_int_equal(situs_heap_limit(stale, 1000), -EINVAL);
	assert_int_equal(situs_heap_trim(stale), -EINVAL);
	assert_int_equal(situs_heap_iterate(stale, count, NULL), -EINVAL);
	assert_int_equal(situs_heap_locate(stale, &bytes, 1), -EINVAL);
	assert_int_equal(situs_heap_migrate(stale, &aml_area_linux, NULL, NULL), -EINVAL);
}

#ifndef SITUS_CHECKING /* which stops at these: tests/unit/test_checks.c */
static void a_heap_that_went_is_neither_bound_nor_destroyed(void **state)
{
	situs_heap_t *stale = stale_heap();

	(void)state;
	assert_int_equal(situs_heap_destroy(stale), -EINVAL);
	assert_non_null(strstr(situs_error(), "not any more"));
	assert_int_equal(situs_thread_bind(stale), -EINVAL);
	assert_null(situs_thread_heap());
}

static void a_heap_that_went_gives_no_blocks(void **state)
{
	static const size_t sizes[] = {0, 64, 5000, 40000, 5000000};
	situs_heap_t *stale = stale_heap(), *heap;
	char *block;

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		errno = 0;
		assert_null(situs_malloc(stale, sizes[i]));
		assert_int_equal(errno, EINVAL);
		assert_non_null(strstr(situs_error(), "not any more"));
		assert_null(situs_calloc(stale, 1, sizes[i]));
		assert_null(situs_aligned_alloc(stale, 8192, sizes[i]));
	}
	assert_int_equal(situs_heap_create(&heap, &aml_area_linux, NULL), 0);
	assert_ptr_not_equal(heap, stale);
	block = situs_malloc(heap, 100);
	strcpy(block, "stays");
	assert_null(situs_realloc(stale, block, 200));
	assert_string_equal(block, "stays");
	situs_free(block);
	assert_int_equal(situs_heap_destroy(heap), 0);
}

/* Whatever stands for nobody in the page map, it is not what stands for a heap that went. */
static void a_heap_that_went_resizes_nothing_that_is_no_heap_s(void **state)
{
	static const size_t sizes[] = {1, 8, 16, 100, 40000};
	situs_heap_t *stale = stale_heap();
	char *block = malloc(24);

	(void)state;
	strcpy(block, "stays");
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		errno = 0;
		assert_null(situs_realloc(stale, NULL, sizes[i]));
		assert_int_equal(errno, EINVAL);
		errno = 0;
		assert_null(situs_realloc(stale, block, sizes[i]));
		assert_int_equal(errno, EINVAL);
	}
	assert_string_equal(block, "stays");
	free(block);
}

static void *use_stale(void *stale)
{
	return situs_malloc(stale, 64);
}

static void a_heap_that_went_gives_other_threads_no_blocks(void **state)
{
	situs_heap_t *stale = stale_heap();
	pthread_t thread;
	void *block = stale;

	(void)state;
	pthread_create(&thread, NULL, use_stale, stale);
	pthread_join(thread, &block);
	assert_null(block);
}

static void of_two_destroyers_one_is_refused(void **state)
{
	situs_heap_t *heap, *other;

	(void)state;
	assert_int_equal(situs_heap_create(&other, &aml_area_linux, NULL), 0);
	assert_int_equal(situs_heap_create(&heap, &aml_area_linux, NULL), 0);
	assert_int_equal(situs_heap_destroy(heap), 0);
	assert_int_equal(situs_heap_destroy(heap), -EINVAL);
	/* Nothing of the neighbour was touched. */
	situs_free(situs_malloc(other, 1000));
	assert_int_equal(situs_heap_destroy(other), 0);
}
#endif

static void blocks_of_a_heap_that_went_are_nobody_s(void **state)
{
	struct book_area *book = book_create();
	situs_heap_t *heap;
	void *small, *large;

	(void)state;
	assert_int_equal(situs_heap_create(&heap, &book->area, NULL), 0);
	small = situs_malloc(heap, 64);
	large = situs_malloc(heap, 5000000);
	assert_int_equal(situs_heap_destroy(heap), 0);
	assert_null(situs_heap_of(small));
	assert_null(situs_heap_of(large));
	assert_null(situs_area_of(small));
	book_destroy(book);
}

/* The kernel reads there on our behalf, and says EFAULT where a program would be ended by SIGSEGV. */
static bool may_be_read(const char *address)
{
	int ends[2];
	long n;

	assert_int_equal(pipe(ends), 0);
	n = syscall(SYS_write, ends[1], address, 1); /* sanitizers look into write() */
	assert_true(n == 1 || errno == EFAULT);
	close(ends[0]);
	close(ends[1]);
	return n == 1;
}

static void the_page_behind_a_region_may_not_be_touched(void **state)
{
	situs_heap_t *heap;
	int n = 0;

	(void)state;
	assert_int_equal(situs_heap_create(&heap, &aml_area_linux, NULL), 0);
	for (size_t size = 100; size < 200000000; size *= 10)
		assert_non_null(situs_malloc(heap, size));
	for (unsigned i = 0; i < heap->n_arenas; i++) {
		uintptr_t at = 0, start, end;

		while (heap->arenas[i] != NULL &&
			space__next_region(hooks__space(heap->arenas[i]->hooks), &at, &start, &end)) {
			assert_true(may_be_read((char *)end - 1));
			assert_false(may_be_read((char *)end));
			assert_false(may_be_read((char *)end + 4095));
			n++;
		}
	}
	assert_true(n >= 2);
	assert_int_equal(situs_heap_destroy(heap), 0);
}

static void what_no_heap_owns_goes_to_free(void **state)
{
	char *block = malloc(100);

	(void)state;
	strcpy(block, "a block");
	assert_null(situs_heap_of(block));
	assert_true(situs_usable_size(block) >= 100);
	block = situs_realloc(NULL, block, 200);
	assert_non_null(block);
	situs_free(block);
}

#ifndef SITUS_GUARDED /* which stop at these: tests/unit/test_checks.c */
/* Is malloc of the jemalloc that heaps draw from? It counts. */
static bool malloc_is_jemalloc_s(void)
{
	uint64_t before = 0, after = 0;
	size_t size = sizeof(before);
	void *block;

	if (mallctl("thread.allocated", &before, &size, NULL, 0) != 0)
		return false;
	block = malloc(100000);
	assert_non_null(block);
	if (mallctl("thread.allocated", &after, &size, NULL, 0) != 0)
		after = before;
	free(block);
	return after != before;
}

static void a_block_that_went_to_jemalloc_s_free_goes_with_its_heap(void **state)
{
	situs_heap_t *heap;
	char *blocks[200];

	(void)state;
	if (!malloc_is_jemalloc_s())
		skip_because("the program's malloc is not jemalloc's");
	assert_int_equal(situs_heap_create(&heap, &aml_area_linux, NULL), 0);
	for (int i = 0; i < 200; i++)
		blocks[i] = situs_malloc(heap, 100);
	for (int i = 0; i < 200; i++)
		free(blocks[i]);
	for (int i = 0; i < 200; i++)
		assert_ptr_equal(situs_heap_of(blocks[i] = situs_malloc(heap, 100)), heap);
	assert_int_equal(situs_heap_destroy(heap), 0);
	for (int i = 0; i < 200; i++) {
		blocks[i] = malloc(100);
		memset(blocks[i], 1, 100);
	}
	for (int i = 0; i < 200; i++)
		free(blocks[i]);
}

static void a_large_block_freed_twice_is_freed_once(void **state)
{
	static const size_t sizes[] = {40000, 300000, 3000000, 6000000};
	situs_heap_t *heap;

	(void)state;
	assert_int_equal(situs_heap_create(&heap, &aml_area_linux, NULL), 0);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		char *block = situs_malloc(heap, sizes[i]), *one, *other;

		situs_free(block);
		errno = 77;
		situs_free(block);
		assert_int_equal(errno, 77);
		assert_non_null(strstr(situs_error(), "freed before"));
		assert_int_equal(situs_usable_size(block), 0);
		assert_null(situs_realloc(heap, block, 2 * sizes[i]));
		assert_int_equal(errno, EINVAL);
		one = situs_malloc(heap, sizes[i]);
		other = situs_malloc(heap, sizes[i]);
		assert_true(one + sizes[i] <= other || other + sizes[i] <= one);
		assert_true(situs_usable_size(one) >= sizes[i]);
		situs_free(one);
		situs_free(other);
	}
	assert_int_equal(situs_heap_destroy(heap), 0);
}

static void a_small_block_freed_twice_at_once_is_freed_once(void **state)
{
	situs_heap_t *heap;

	(void)state;
	assert_int_equal(situs_heap_create(&heap, &aml_area_linux, NULL), 0);
	for (size_t size = 1; size <= SIZE_CLASS_MAX; size = size * 3 / 2 + 1)
		for (int n = 0; n < 300; n += 99) {
			char *before[300], *block, *one, *other;

			for (int i = 0; i < n; i++)
				before[i] = situs_malloc(heap, size);
			block = situs_malloc(heap, size);
			for (int i = 0; i < n; i++)
				situs_free(before[i]);
			situs_free(block);
			errno = 77;
			situs_free(block);
			assert_int_equal(errno, 77);
			assert_non_null(strstr(situs_error(), "freed before"));
			one = situs_malloc(heap, size);
			other = situs_malloc(heap, size);
			assert_ptr_not_equal(one, other);
			situs_free(one);
			situs_free(other);
		}
	assert_int_equal(situs_heap_destroy(heap), 0);
}

/* All blocks of some slabs but one in the middle, which stays. */
static void free_all_but_one(situs_heap_t *heap, char *blocks[1000], size_t size)
{
	for (int i = 0; i < 1000; i++) {
		blocks[i] = situs_malloc(heap, size);
		memset(blocks[i], 7, size);
	}
	for (int i = 0; i < 1000; i++)
		if (i != 500)
			situs_free(blocks[i]);
}

static void the_one_that_stayed_is_whole(situs_heap_t *heap, const char *block, size_t size)
{
	assert_true(situs_heap_trim(heap) >= 0);
	assert_ptr_equal(situs_heap_of(block), heap);
	for (int i = 0; i < 3000; i++) {
		char *other = situs_malloc(heap, size);

		assert_true(other + size <= block || block + size <= other);
		memset(other, 9, size);
	}
	for (size_t i = 0; i < size; i++)
		assert_int_equal(block[i], 7);
}

static void a_small_block_freed_twice_takes_no_other_s_memory(void **state)
{
	static const size_t sizes[] = {64, 48, 1024, 14336};

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		situs_heap_t *heap;
		char *blocks[1000];

		assert_int_equal(situs_heap_create(&heap, &aml_area_linux, NULL), 0);
		free_all_but_one(heap, blocks, sizes[i]);
		/* The last of the others, so that both are still in this thread's cache. */
		situs_free(blocks[999]);
		the_one_that_stayed_is_whole(heap, blocks[500], sizes[i]);
		assert_non_null(strstr(situs_error(), "freed before"));
		assert_int_equal(situs_heap_destroy(heap), 0);
	}
}

static void an_address_inside_a_block_takes_no_other_s_memory(void **state)
{
	situs_heap_t *heap;
	char *blocks[1000];

	(void)state;
	assert_int_equal(situs_heap_create(&heap, &aml_area_linux, NULL), 0);
	free_all_but_one(heap, blocks, 64);
	situs_free(blocks[500] + 8);
	the_one_that_stayed_is_whole(heap, blocks[500], 64);
	assert_non_null(strstr(situs_error(), "no block begins there"));
	assert_int_equal(situs_heap_destroy(heap), 0);
}
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
#ifndef SITUS_GUARDED
		cmocka_unit_test(a_block_that_went_to_jemalloc_s_free_goes_with_its_heap),
		cmocka_unit_test(a_large_block_freed_twice_is_freed_once),
		cmocka_unit_test(a_small_block_freed_twice_at_once_is_freed_once),
		cmocka_unit_test(a_small_block_freed_twice_takes_no_other_s_memory),
		cmocka_unit_test(an_address_inside_a_block_takes_no_other_s_memory),
#endif
		cmocka_unit_test(a_heap_that_went_is_refused_by_every_call),
#ifndef SITUS_CHECKING
		cmocka_unit_test(a_heap_that_went_is_neither_bound_nor_destroyed),
		cmocka_unit_test(a_heap_that_went_gives_no_blocks),
		cmocka_unit_test(a_heap_that_went_resizes_nothing_that_is_no_heap_s),
		cmocka_unit_test(a_heap_that_went_gives_other_threads_no_blocks),
		cmocka_unit_test(of_two_destroyers_one_is_refused),
#endif
		cmocka_unit_test(blocks_of_a_heap_that_went_are_nobody_s),
		cmocka_unit_test(the_page_behind_a_region_may_not_be_touched),
		cmocka_unit_test(what_no_heap_owns_goes_to_free),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
