/* SPDX-License-Identifier: BSD-3-Clause */
/* Small blocks on their way between a heap and jemalloc by the batch. */
#include "tests/unit/test.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "heap/heap.h"
#include "situs.h"
#include "tests/unit/book_area.h"

enum { N = 200000 }; /* blocks: more than the depot and the caches hold */

static char *blocks[N];

static situs_heap_t *make(const struct aml_area *area)
{
	struct situs_config config = {.struct_size = sizeof(config), .n_arenas = 2};
	situs_heap_t *heap = NULL;

	assert_int_equal(situs_heap_create(&heap, area, &config), 0);
	return heap;
}

static bool has_conduit(const situs_heap_t *heap)
{
	for (unsigned i = 0; i < heap->n_arenas; i++)
		if (heap->arenas[i] != NULL && heap->arenas[i]->conduit.is_made)
			return true;
	return false;
}

static void fill(situs_heap_t *heap, size_t size)
{
	for (int i = 0; i < N; i++) {
		blocks[i] = situs_malloc(heap, size);
		assert_non_null(blocks[i]);
		memcpy(blocks[i], &i, sizeof(i));
	}
}

static void *drain(void *unused)
{
	for (int i = 0; i < N; i++) {
		assert_memory_equal(blocks[i], &i, sizeof(i));
		situs_free(blocks[i]);
	}
	return unused;
}

static size_t allocated(situs_heap_t *heap)
{
	struct situs_heap_stats stats = {.struct_size = sizeof(stats)};

	assert_int_equal(situs_heap_stats(heap, &stats), 0);
	return stats.allocated;
}

static void heaps_in_light_use_have_none(void **state)
{
	situs_heap_t *heap = make(&aml_area_linux);

	(void)state;
	for (int i = 0; i < 1000; i++)
		blocks[i] = situs_malloc(heap, 64);
	for (int i = 0; i < 1000; i++)
		situs_free(blocks[i]);
	assert_false(has_conduit(heap));
	situs_heap_destroy(heap);
}

/* What it frees finds no room in so small a depot, and goes to jemalloc. */
static void small_heaps_with_small_caches_have_none(void **state)
{
	struct situs_config config = {.struct_size = sizeof(config), .n_arenas = 1, .thread_cache = 64 * 1024};
	situs_heap_t *heap = NULL;

	(void)state;
	assert_int_equal(situs_heap_create(&heap, &aml_area_linux, &config), 0);
	for (int i = 0; i < 4000; i++)
		blocks[i] = situs_malloc(heap, 64);
	for (int i = 0; i < 4000; i++)
		situs_free(blocks[i]);
	assert_false(has_conduit(heap));
	situs_heap_destroy(heap);
}

static void blocks_lie_in_the_area_and_none_is_given_twice(void **state)
{
	static const size_t sizes[] = {8, 48, 64, 200, 512, 1024};
	struct book_area *book = book_create();
	situs_heap_t *heap = make(&book->area);

	(void)state;
	for (size_t k = 0; k < sizeof(sizes) / sizeof(sizes[0]); k++) {
		fill(heap, sizes[k]);
		for (int i = 0; i < N; i++)
			assert_ptr_equal(situs_heap_of(blocks[i]), heap);
		drain(NULL); /* each still holds what was written to it */
	}
	assert_true(has_conduit(heap));
	situs_heap_destroy(heap);
	assert_int_equal(book->n_out, 0);
	assert_int_equal(book->n_wrong, 0);
	book_destroy(book);
}

static void what_got_stuck_counts_as_free_and_can_be_had_back(void **state)
{
	struct book_area *book = book_create();
	situs_heap_t *heap = make(&book->area);
	pthread_t thread;
	size_t drawn;

	(void)state;
	fill(heap, 64);
	drawn = heap->account.drawn;
	assert_int_equal(pthread_create(&thread, NULL, drain, NULL), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_true(has_conduit(heap));
	assert_int_equal(allocated(heap), 0);
	assert_true(situs_heap_trim(heap) >= 0);
	assert_true(heap->account.drawn < drawn / 8);
	situs_heap_destroy(heap);
	assert_int_equal(book->n_out, 0);
	book_destroy(book);
}

/* jemalloc's caches are unsound in a child: to flush or destroy one there wrote where a thread had been. */
static void a_child_of_many_threads_uses_counts_and_destroys_the_heap(void **state)
{
	situs_heap_t *heap = make(&aml_area_linux);
	pthread_t thread;

	(void)state;
	for (int round = 0; round < 4; round++) {
		int status = 0;
		pid_t pid;

		fill(heap, 64);
		assert_int_equal(pthread_create(&thread, NULL, drain, NULL), 0);
		pid = fork();
		if (pid == 0) {
			pthread_t another;

			/* The blocks are the drain's, wherever it was: left alone. */
			fill(heap, 96);
			if (pthread_create(&another, NULL, drain, NULL) != 0 || pthread_join(another, NULL) != 0)
				_exit(1);
			(void)allocated(heap);
			fill(heap, 48);
			_exit(situs_heap_trim(heap) < 0 || situs_heap_destroy(heap) != 0 ? 2 : 0);
		}
		assert_true(pid > 0);
		assert_int_equal(pthread_join(thread, NULL), 0);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(status, 0);
	}
	situs_heap_destroy(heap);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(heaps_in_light_use_have_none),
		cmocka_unit_test(small_heaps_with_small_caches_have_none),
		cmocka_unit_test(blocks_lie_in_the_area_and_none_is_given_twice),
		cmocka_unit_test(what_got_stuck_counts_as_free_and_can_be_had_back),
		cmocka_unit_test(a_child_of_many_threads_uses_counts_and_destroys_the_heap),
	};

	return cmocka_run_group_tests_name("conduit", tests, NULL, NULL);
}
