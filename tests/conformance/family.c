/* SPDX-License-Identifier: BSD-3-Clause */
/* Every function of the malloc family as its documentation has it; run under the preload. */
#if defined(__GNUC__) && !defined(__clang__)
/* Sizes that no address space holds are what some tests are about. */
#pragma GCC diagnostic ignored "-Walloc-size-larger-than="
#endif

#include <dlfcn.h>
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../unit/test.h"

/* The compiler must neither know these functions nor see where their arguments come from. */
static volatile size_t zero = 0, huge = (size_t)1 << 62;

static bool all_are(const char *block, char byte, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (block[i] != byte)
			return false;
	return true;
}

static void blocks_of_size_zero_are_distinct_and_freeable(void **state)
{
	void *a = malloc(zero), *b = malloc(zero), *c = calloc(zero, 8);

	(void)state;
	assert_true(a && b && c);
	assert_true(a != b && b != c && a != c);
	free(a);
	free(b);
	free(c);
}

static void blocks_are_aligned_for_any_type(void **state)
{
	(void)state;
	for (size_t size = 1; size < 5000; size += 7) {
		void *block = malloc(size);

		assert_int_equal((uintptr_t)block % (size >= 16 ? 16 : 8), 0);
		free(block);
	}
}

static void failure_is_null_with_enomem(void **state)
{
	(void)state;
	errno = 0;
	assert_null(malloc(huge));
	assert_int_equal(errno, ENOMEM);
	errno = 0;
	assert_null(calloc(huge, 8));
	assert_int_equal(errno, ENOMEM);
	errno = 0;
	assert_null(calloc(SIZE_MAX / 2 + zero, 3));
	assert_int_equal(errno, ENOMEM);
	errno = 0;
	assert_null(reallocarray(NULL, SIZE_MAX / 2 + zero, 3));
	assert_int_equal(errno, ENOMEM);
	errno = 0;
	assert_null(pvalloc(SIZE_MAX - zero));
	assert_int_equal(errno, ENOMEM);
}

static void a_failed_realloc_leaves_the_block(void **state)
{
	char *block = malloc(100);

	(void)state;
	memset(block, 'x', 100);
	assert_null(realloc(block, huge));
	assert_true(all_are(block, 'x', 100));
	free(block);
}

static void free_keeps_errno(void **state)
{
	void *small = malloc(10), *large = malloc(64 << 20);

	(void)state;
	memset(large, 1, 64 << 20);
	errno = 4711;
	free(small);
	free(large);
	free(NULL);
	assert_int_equal(errno, 4711);
}

static void calloc_gives_zeros_also_of_used_memory(void **state)
{
	(void)state;
	for (size_t size = 8; size < (8 << 20); size = size * 3 + 1) {
		char *block = malloc(size);

		assert_non_null(block);
		memset(block, 0xff, size);
		free(block);
		block = calloc(1, size);
		assert_non_null(block);
		assert_true(all_are(block, 0, size));
		free(block);
	}
}

/* Below the preload jemalloc is asked, not the family once more. */
static void a_large_block_shrinks_where_it_stands(void **state)
{
	char *block = malloc((size_t)8 << 20), *resized;
	uintptr_t before = (uintptr_t)block;

	(void)state;
	memset(block, 5, (size_t)8 << 20);
	resized = realloc(block, (size_t)6 << 20);
	assert_int_equal((uintptr_t)resized, before);
	assert_int_equal(resized[((size_t)6 << 20) - 1], 5);
	free(resized);
}

static void realloc_keeps_contents_up_and_down(void **state)
{
	char *block = realloc(NULL, 10);
	size_t size = 10;

	(void)state;
	memset(block, 'y', size);
	while (size < (16 << 20)) {
		block = realloc(block, size * 2);
		assert_non_null(block);
		assert_true(all_are(block, 'y', size));
		size *= 2;
		memset(block, 'y', size);
	}
	while (size > 20) {
		size /= 3;
		block = realloc(block, size);
		assert_non_null(block);
		assert_true(all_are(block, 'y', size));
	}
	assert_null(realloc(block, zero));
}

static void alignments_are_kept(void **state)
{
	(void)state;
	for (size_t alignment = sizeof(void *); alignment <= (4 << 20); alignment *= 2) {
		void *block[3] = { NULL, memalign(alignment, 100), aligned_alloc(alignment, 3 * alignment) };

		assert_int_equal(posix_memalign(&block[0], alignment, alignment + 1), 0);
		for (int i = 0; i < 3; i++) {
			assert_non_null(block[i]);
			assert_int_equal((uintptr_t)block[i] % alignment, 0);
			memset(block[i], 1, 100 < alignment ? 100 : alignment);
			free(block[i]);
		}
	}
}

static void page_functions_give_pages(void **state)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	void *a = valloc(100), *b = pvalloc(page + 1);

	(void)state;
	assert_true(a && b);
	assert_int_equal((uintptr_t)a % page, 0);
	assert_int_equal((uintptr_t)b % page, 0);
	assert_true(malloc_usable_size(b) >= 2 * page);
	free(a);
	free(b);
}

static void posix_memalign_refuses_and_touches_nothing(void **state)
{
	void *block = &block;

	(void)state;
	errno = 4711;
	assert_int_equal(posix_memalign(&block, 3 * sizeof(void *), 10), EINVAL);
	assert_int_equal(posix_memalign(&block, sizeof(void *) / 2, 10), EINVAL);
	assert_int_equal(posix_memalign(&block, 0, 10), EINVAL);
	assert_int_equal(posix_memalign(&block, 64, huge), ENOMEM);
	assert_ptr_equal(block, &block);
	assert_int_equal(errno, 4711);
}

static void usable_sizes_are_usable(void **state)
{
	(void)state;
	assert_int_equal(malloc_usable_size(NULL), 0);
	for (size_t size = 1; size < (1 << 20); size = size * 2 + 1) {
		char *block = malloc(size);
		size_t usable = malloc_usable_size(block);

		assert_true(usable >= size);
		memset(block, 'z', usable);
		block = realloc(block, usable + 1);
		assert_true(all_are(block, 'z', usable));
		free(block);
	}
}

/* setlocale, getline, strdup, asprintf, open_memstream: the C library allocates, the program frees. */
static void the_c_librarys_own_blocks_are_freed(void **state)
{
	char *text = NULL, *line = NULL;
	size_t size = 0;
	FILE *stream = open_memstream(&text, &size);

	(void)state;
	assert_non_null(stream);
	for (int i = 0; i < 10000; i++)
		fprintf(stream, "line %d\n", i);
	fclose(stream);
	assert_true(size > 80000);
	free(text);
	assert_true(asprintf(&line, "%*d", 5000, 1) == 5000);
	free(line);
	free(strdup("text"));
	free(realpath(".", NULL));
	free(get_current_dir_name());
}

static void *allocate_and_leave(void *arg)
{
	void **blocks = arg;

	for (int i = 0; i < 1000; i++)
		blocks[i] = malloc((size_t)i * 13);
	return NULL;
}

static void blocks_outlive_their_thread(void **state)
{
	static void *blocks[1000];
	pthread_t thread;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, allocate_and_leave, blocks), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	for (int i = 0; i < 1000; i++)
		free(blocks[i]);
}

static void trim_gives_freed_memory_back(void **state)
{
	static void *blocks[512];

	(void)state;
	for (int i = 0; i < 512; i++)
		blocks[i] = memset(malloc(100000), 1, 100000);
	for (int i = 0; i < 512; i++)
		free(blocks[i]);
	assert_int_equal(malloc_trim(zero), 1);
}

/* Programs ask it of their own malloc and look at the answer; it is the C library's, and the heap goes on. */
static void options_are_taken_and_change_nothing_of_the_heap(void **state)
{
	static const int options[][2] = {{M_MMAP_THRESHOLD, 65536}, {M_TRIM_THRESHOLD, 131072},
		{M_TOP_PAD, 65536}, {M_MMAP_MAX, 0}, {M_ARENA_MAX, 1}, {M_ARENA_TEST, 1}, {M_PERTURB, 0x55}};
	char *block;

	(void)state;
	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
		assert_int_equal(mallopt(options[i][0], options[i][1]), 1);
	free(malloc(10 << 20));
	block = calloc(1, 10 << 20);
	assert_non_null(block);
	assert_int_equal(block[0] | block[(10 << 20) - 1], 0);
	free(block);
	assert_int_equal(mallopt(M_PERTURB, 0), 1);
}

#ifndef SITUS_GUARDED /* which use more than was asked for */
static void info_counts_what_is_in_use(void **state)
{
	size_t before = mallinfo2().uordblks, with;
	void *block = malloc(10 << 20);

	(void)state;
	with = mallinfo2().uordblks;
	assert_in_range(with - before, 10 << 20, 11 << 20);
	assert_true(mallinfo2().arena >= with);
	free(block);
}
#endif

static void info_tells_of_the_heaps(void **state)
{
	unsigned long size = 0;
	char *text = NULL, *at;
	void *block = malloc(10 << 20);
	size_t length = 0;
	FILE *out = open_memstream(&text, &length);

	(void)state;
	assert_int_equal(malloc_info(1, out), EINVAL);
	assert_int_equal(malloc_info(0, out), 0);
	fclose(out);
	assert_memory_equal(text, "<malloc version=\"1\">", 20);
	at = strstr(text, "name=\"main\"");
	assert_non_null(at);
	at = strstr(at, "<system type=\"current\" size=\"");
	assert_non_null(at);
	assert_int_equal(sscanf(at, "<system type=\"current\" size=\"%lu\"", &size), 1);
	assert_true(size >= 10 << 20);
	assert_non_null(strstr(text, "</malloc>"));
	free(text);
	free(block);
}

static void stats_tell_of_the_heaps(void **state)
{
	char text[4096] = "";
	FILE *file = tmpfile();
	int before = dup(STDERR_FILENO);

	(void)state;
	assert_true(dup2(fileno(file), STDERR_FILENO) >= 0);
	malloc_stats();
	fflush(stderr);
	dup2(before, STDERR_FILENO);
	close(before);
	rewind(file);
	assert_true(fread(text, 1, sizeof(text) - 1, file) > 0);
	fclose(file);
	assert_non_null(strstr(text, "\nmain "));
	assert_non_null(strstr(text, "system bytes"));
}

/* The preload's, which a program without libsitus need not know. */
static void *function(const char *name)
{
	void *found = dlsym(RTLD_DEFAULT, name);

	assert_non_null(found);
	return found;
}

static void a_bound_thread_draws_from_its_heap_until_it_is_unbound(void **state)
{
	void *(*heap_open)(const char *), *(*heap_of)(const void *), *heap, *block;
	int (*heap_destroy)(void *), (*bind)(void *);

	(void)state;
	*(void **)&heap_open = function("situs_heap_open");
	*(void **)&heap_of = function("situs_heap_of");
	*(void **)&heap_destroy = function("situs_heap_destroy");
	*(void **)&bind = function("situs_thread_bind");
	heap = heap_open("any");
	assert_non_null(heap);
	for (int i = 0; i < 4; i++) {
		free(malloc(100)); /* both sides have their caches */
		assert_int_equal(bind(heap), 0);
		block = malloc(100);
		assert_ptr_equal(heap_of(block), heap);
		free(malloc(100));
		block = realloc(block, 300);
		assert_ptr_equal(heap_of(block), heap);
		if (i < 3)
			assert_int_equal(bind(NULL), 0);
		else
			assert_int_equal(heap_destroy(heap), 0); /* which unbinds */
		if (i < 3)
			free(block);
		block = malloc(100);
		assert_ptr_not_equal(heap_of(block), heap);
		memset(block, 1, 100);
		free(block);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(blocks_of_size_zero_are_distinct_and_freeable),
		cmocka_unit_test(blocks_are_aligned_for_any_type),
		cmocka_unit_test(failure_is_null_with_enomem),
		cmocka_unit_test(a_failed_realloc_leaves_the_block),
		cmocka_unit_test(free_keeps_errno),
		cmocka_unit_test(calloc_gives_zeros_also_of_used_memory),
		cmocka_unit_test(a_large_block_shrinks_where_it_stands),
		cmocka_unit_test(realloc_keeps_contents_up_and_down),
		cmocka_unit_test(alignments_are_kept),
		cmocka_unit_test(page_functions_give_pages),
		cmocka_unit_test(posix_memalign_refuses_and_touches_nothing),
		cmocka_unit_test(usable_sizes_are_usable),
		cmocka_unit_test(the_c_librarys_own_blocks_are_freed),
		cmocka_unit_test(blocks_outlive_their_thread),
		cmocka_unit_test(trim_gives_freed_memory_back),
		cmocka_unit_test(options_are_taken_and_change_nothing_of_the_heap),
#ifndef SITUS_GUARDED
		cmocka_unit_test(info_counts_what_is_in_use),
#endif
		cmocka_unit_test(info_tells_of_the_heaps),
		cmocka_unit_test(stats_tell_of_the_heaps),
		cmocka_unit_test(a_bound_thread_draws_from_its_heap_until_it_is_unbound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
