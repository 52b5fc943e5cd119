/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Heaps where jemalloc watches blocks (opt.prof): one in some hundred is sampled, and gets an extent of its own,
 * whatever its size.
 */
#include "tests/unit/test.h"

#include <jemalloc/jemalloc.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "situs.h"
#include "tests/unit/book_area.h"

/* jemalloc reads this at its start; MALLOC_CONF comes on top. */
const char *malloc_conf = "prof:true,prof_active:true,lg_prof_sample:12";

enum { N = 60000 };

static char *blocks[N];

static void fill(situs_heap_t *heap, size_t size)
{
	for (int i = 0; i < N; i++) {
		blocks[i] = situs_malloc(heap, size);
		assert_non_null(blocks[i]);
		memset(blocks[i], i & 0xff, size);
	}
}

static void *drain(void *arg)
{
	(void)arg;
	for (int i = 0; i < N; i++)
		situs_free(blocks[i]);
	return NULL;
}

static void blocks_that_are_watched_lie_in_the_area(void **state)
{
	struct book_area *book = book_create();
	situs_heap_t *heap;

	(void)state;
	assert_int_equal(situs_heap_create(&heap, &book->area, NULL), 0);
	fill(heap, 80);
	for (int i = 0; i < N; i++) {
		assert_ptr_equal(situs_heap_of(blocks[i]), heap);
		assert_true(book_holds(book, blocks[i], 80));
		assert_true(situs_usable_size(blocks[i]) >= 80);
		assert_int_equal(blocks[i][0] & 0xff, i & 0xff);
	}
	drain(NULL);
	fill(heap, 5000);
	drain(NULL);
	assert_int_equal(situs_heap_destroy(heap), 0);
	assert_int_equal(book->n_out, 0);
	assert_int_equal(book->n_wrong, 0);
	book_destroy(book);
}

/* What lies freed in one of jemalloc's caches it has stopped watching; to do so once more ended in memory
   that was gone. */
static void a_child_destroys_a_heap_whose_freed_blocks_were_watched(void **state)
{
	situs_heap_t *heap;
	int status = 0;

	(void)state;
	assert_int_equal(situs_heap_create(&heap, &aml_area_linux, NULL), 0);
	for (int round = 0; round < 4 && status == 0; round++) {
		pthread_t thread;
		pid_t pid;

		fill(heap, 64);
		assert_int_equal(pthread_create(&thread, NULL, drain, NULL), 0);
		pthread_join(thread, NULL);
		pid = fork();
		if (pid == 0) {
			fill(heap, 96);
			_exit(situs_heap_destroy(heap) == 0 ? 0 : 1);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
	}
	assert_int_equal(status, 0);
	assert_int_equal(situs_heap_destroy(heap), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(blocks_that_are_watched_lie_in_the_area),
		cmocka_unit_test(a_child_destroys_a_heap_whose_freed_blocks_were_watched),
	};
	bool watches = false;
	size_t size = sizeof(watches);

	if (mallctl("opt.prof", &watches, &size, NULL, 0) != 0 || !watches) {
		puts("1..0 # SKIP this jemalloc was built without profiling");
		return 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
