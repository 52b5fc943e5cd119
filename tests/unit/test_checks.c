/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Builds that check: each mistake is made in a child, which must die with the line that names it.
 * --enable-checking finds more than the others.
 */
#include "tests/unit/test.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/annotate.h"
#include "situs.h"
#include "tests/unit/book_area.h"

static situs_heap_t *heap;
static char said[8192];

/* Runs it in a child and returns what the child wrote to stderr; *status as from wait. */
static void in_child(void (*mistake)(void), int *status)
{
	size_t length = 0;
	ssize_t n;
	int ends[2];
	pid_t child;

	assert_int_equal(pipe(ends), 0);
	child = fork();
	if (child == 0) {
		const struct rlimit no_core = {0, 0};

		setrlimit(RLIMIT_CORE, &no_core);
		signal(SIGABRT, SIG_DFL);
		dup2(ends[1], STDERR_FILENO);
		mistake();
		_exit(0);
	}
	close(ends[1]);
	while ((n = read(ends[0], said + length, sizeof(said) - 1 - length)) > 0)
		length += (size_t)n;
	said[length] = '\0';
	close(ends[0]);
	waitpid(child, status, 0);
}

static void dies_of(void (*mistake)(void), const char *words)
{
	int status = 0;

	in_child(mistake, &status);
	if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGABRT || strncmp(said, "situs: ", 7) != 0 ||
		strchr(said, '\n') == NULL || strstr(said, words) == NULL)
		fail_msg("status 0x%x, said \"%s\" instead of \"%s\"", status, said, words);
}

/* The words, and which heap. */
static void dies_in_heap(void (*mistake)(void), const char *words)
{
	dies_of(mistake, words);
	if (strstr(said, "heap \"victim\"") == NULL || strstr(said, "called from ") == NULL)
		fail_msg("which heap, and called from where? \"%s\"", said);
}

static int make(void **state)
{
	struct situs_config config = {.struct_size = sizeof(config), .name = "victim"};

	(void)state;
	return situs_heap_create(&heap, &aml_area_linux, &config);
}

static int destroy(void **state)
{
	(void)state;
	return situs_heap_destroy(heap);
}

/* An address that the compiler cannot follow. */
static void *hidden(void *address)
{
	void *volatile kept = address;

	return kept;
}

static size_t block_size;

static void free_twice(void)
{
	void *block = situs_malloc(heap, block_size);

	situs_free(block);
	situs_free(hidden(block));
}

static void a_double_free_is_named(void **state)
{
	static const size_t sizes[] = {0, 1, 64, 1000, 14000, 30000, 40000, 300000};

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		block_size = sizes[i];
		dies_in_heap(free_twice, "freed before");
	}
}

static void free_twice_after_others(void)
{
	void *block = situs_malloc(heap, 64);

	situs_free(block);
	for (int i = 0; i < 100; i++)
		situs_free(situs_malloc(heap, 64));
	situs_free(hidden(block));
}

static void a_double_free_is_named_later_too(void **state)
{
	(void)state;
	/* Where the block was given out again and freed again, it is as well. */
	dies_in_heap(free_twice_after_others, "freed before");
}

static void free_by_realloc_and_free(void)
{
	void *block = situs_malloc(heap, 100);

	(void)situs_realloc(heap, block, 0);
	situs_free(hidden(block));
}

static void resize_freed(void)
{
	void *block = situs_malloc(heap, 100);

	situs_free(block);
	(void)situs_realloc(heap, hidden(block), 200);
}

static void ask_freed(void)
{
	void *block = situs_malloc(heap, 100);

	situs_free(block);
	(void)situs_usable_size(hidden(block));
}

static void a_freed_block_is_not_resized_nor_freed_by_other_ways(void **state)
{
	(void)state;
	dies_in_heap(free_by_realloc_and_free, "situs_free: this block was freed before");
	dies_in_heap(resize_freed, "situs_realloc: this block was freed before");
	dies_in_heap(ask_freed, "situs_usable_size: this block was freed before");
}

static void free_inside(void)
{
	char *block = situs_malloc(heap, block_size);

	situs_free(hidden(block + block_size / 2));
}

static void an_address_inside_a_block_is_named(void **state)
{
	static const size_t sizes[] = {8, 32, 50, 4096, 100000, 5000000};

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		block_size = sizes[i];
		dies_in_heap(free_inside, "not a block's start");
	}
}

static void aligned_blocks_are_known_by_their_start(void **state)
{
	(void)state;
	for (size_t alignment = 1; alignment <= 1 << 20; alignment *= 2)
		for (size_t size = 0; size < 100000; size = size * 3 + 1) {
			char *block = situs_aligned_alloc(heap, alignment, size);

			assert_int_equal((uintptr_t)block % alignment, 0);
			assert_int_equal(situs_usable_size(block), size);
			memset(block, 1, size);
			situs_free(block);
		}
}

#ifndef ANNOTATE_ASAN
/* AddressSanitizer stops these at once: tests/unit/erring.sh. */

static void write_behind(void)
{
	char *block = hidden(situs_malloc(heap, block_size));

	block[block_size] = 0;
	situs_free(block);
}

static void write_before(void)
{
	char *block = hidden(situs_malloc(heap, block_size));

	block[-1] ^= 0x55; /* another byte than the seal had, whatever that was */
	situs_free(block);
}

static void write_behind_and_resize(void)
{
	char *block = hidden(situs_malloc(heap, block_size));

	block[block_size] = 0;
	(void)situs_realloc(heap, block, block_size * 2 + 1);
}

static void writing_past_a_block_is_found_when_it_is_freed(void **state)
{
	static const size_t sizes[] = {0, 1, 8, 64, 100, 1000, 14000, 40000, 5000000};

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		block_size = sizes[i];
		dies_in_heap(write_behind, "written past this block's end");
		dies_in_heap(write_behind_and_resize, "written past this block's end");
		dies_in_heap(write_before, "what stands before it was overwritten");
	}
}

static void write_after_free(void)
{
	char *block = hidden(situs_malloc(heap, 64));

	situs_free(block);
	block[8] = 1;
	(void)situs_heap_trim(heap);
}

static void writing_after_free_is_found(void **state)
{
	(void)state;
	dies_of(write_after_free, "written to after it was freed");
	assert_non_null(strstr(said, "64 bytes, heap \"victim\""));
}
#endif

/* What comes next cannot be told from what was freed last. */
static void freed_blocks_come_back_late_and_out_of_order(void **state)
{
	enum { N = 2000 };
	static void *blocks[N];
	int at_once = 0, in_order = 0;

	(void)state;
	for (int i = 0; i < N; i++) {
		void *block = situs_malloc(heap, 64), *next;

		situs_free(block);
		next = situs_malloc(heap, 64);
		at_once += next == block;
		situs_free(next);
	}
	assert_true(at_once < N / 20);
	for (int i = 0; i < N; i++)
		blocks[i] = situs_malloc(heap, 64);
	for (int i = 1; i < N; i++)
		in_order += (char *)blocks[i] - (char *)blocks[i - 1] == 96;
	assert_true(in_order < N / 4);
	for (int i = 0; i < N; i++)
		situs_free(blocks[i]);
}

static void *free_it(void *block)
{
	situs_free(block);
	return NULL;
}

static void free_from_two_threads(void)
{
	void *block = situs_malloc(heap, 64);
	pthread_t threads[2];

	for (int i = 0; i < 2; i++)
		pthread_create(&threads[i], NULL, free_it, hidden(block));
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
}

static void of_two_threads_that_free_a_block_one_is_stopped(void **state)
{
	(void)state;
	dies_in_heap(free_from_two_threads, "freed before");
}

static void correct(void)
{
	void *blocks[100];

	for (size_t i = 0; i < 100; i++)
		blocks[i] = situs_malloc(i % 2 == 0 ? heap : NULL, i * i);
	for (size_t i = 0; i < 100; i++)
		blocks[i] = situs_realloc(i % 3 == 0 ? NULL : heap, blocks[i], i * 50 + 1);
	for (size_t i = 0; i < 100; i++)
		situs_free(blocks[i]);
	situs_free(NULL);
	assert_int_equal(situs_heap_destroy(heap), 0);
}

static void a_correct_program_hears_nothing(void **state)
{
	int status;

	(void)state;
	in_child(correct, &status);
	assert_int_equal(status, 0);
	assert_string_equal(said, "");
}

static void no_room_leaves_the_block_as_it_was(void **state)
{
	static const size_t sizes[] = {100, 20000, 100000};
	struct book_area *book = book_create();
	situs_heap_t *small;
	char *block;

	(void)state;
	assert_int_equal(situs_heap_create(&small, &book->area, NULL), 0);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		book->fail_at = 0;
		block = situs_malloc(small, sizes[i]);
		strcpy(block, "stays");
		book->fail_at = 1;
		errno = 0;
		assert_null(situs_realloc(small, block, 50000000));
		assert_int_equal(errno, ENOMEM);
		assert_string_equal(block, "stays");
		assert_int_equal(situs_usable_size(block), sizes[i]);
		situs_free(block);
	}
	assert_int_equal(situs_heap_destroy(small), 0);
	book_destroy(book);
}

#ifdef SITUS_CHECKING
static situs_heap_t *gone(void)
{
	struct situs_config config = {.struct_size = sizeof(config), .name = "gone"};
	situs_heap_t *went;

	if (situs_heap_create(&went, &aml_area_linux, &config) != 0)
		_exit(1);
	situs_free(situs_malloc(went, 64));
	if (situs_heap_destroy(went) != 0)
		_exit(1);
	return hidden(went);
}

static void stale_malloc(void)
{
	(void)situs_malloc(gone(), 10);
}

static void stale_calloc(void)
{
	(void)situs_calloc(gone(), 1, 100000);
}

static void stale_aligned_alloc(void)
{
	(void)situs_aligned_alloc(gone(), 4096, 10);
}

static void stale_realloc(void)
{
	void *block = situs_malloc(heap, 10);

	(void)situs_realloc(gone(), block, 20);
}

static void stale_destroy(void)
{
	(void)situs_heap_destroy(gone());
}

static void stale_bind(void)
{
	(void)situs_thread_bind(gone());
}

static void a_handle_of_a_heap_that_went_is_named(void **state)
{
	(void)state;
	dies_of(stale_malloc, "situs_malloc: heap \"gone\"");
	dies_of(stale_calloc, "situs_calloc: heap \"gone\"");
	dies_of(stale_aligned_alloc, "situs_aligned_alloc: heap \"gone\"");
	dies_of(stale_realloc, "situs_realloc: heap \"gone\"");
	dies_of(stale_destroy, "situs_heap_destroy: heap \"gone\"");
	dies_of(stale_bind, "situs_thread_bind: heap \"gone\"");
	assert_non_null(strstr(said, "was destroyed"));
}

static void no_heap_at_all(void)
{
	int variable = 0;

	(void)situs_malloc(hidden(&variable), 10);
}

static void what_never_was_a_heap_is_named(void **state)
{
	(void)state;
	dies_of(no_heap_at_all, "is not a heap");
}

static void free_block_of_gone_heap(void)
{
	struct situs_config config = {.struct_size = sizeof(config), .name = "gone"};
	situs_heap_t *went;
	void *block;

	if (situs_heap_create(&went, &aml_area_linux, &config) != 0)
		_exit(1);
	block = situs_malloc(went, block_size);
	if (situs_heap_destroy(went) != 0)
		_exit(1);
	situs_free(hidden(block));
}

static void a_block_whose_heap_went_is_named(void **state)
{
	(void)state;
	for (block_size = 10; block_size < 1000000; block_size *= 10)
		dies_of(free_block_of_gone_heap, "the heap of this block was destroyed");
	assert_non_null(strstr(said, "heap \"gone\""));
}

static void free_variable(void)
{
	static int variable[4];

	situs_free(hidden(variable));
}

static void free_unmapped(void)
{
	void *page = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	munmap(page, 4096);
	situs_free(hidden(page));
}

static void free_odd(void)
{
	char *block = malloc(100);

	situs_free(hidden(block + 3));
}

static void resize_variable(void)
{
	static int variable[4];

	(void)situs_realloc(heap, hidden(variable), 100);
}

static void what_is_no_block_of_anybody_s_is_named(void **state)
{
	(void)state;
	dies_of(free_variable, "a variable or code of");
	dies_of(resize_variable, "a variable or code of");
	dies_of(free_unmapped, "no memory is mapped");
	dies_of(free_odd, "not a block's start");
}

static void free_large_given_back(void)
{
	void *block = situs_malloc(heap, 5000000);

	situs_free(block);
	(void)situs_heap_trim(heap);
	situs_free(hidden(block));
}

static void a_block_that_its_heap_gave_back_is_named(void **state)
{
	(void)state;
	dies_in_heap(free_large_given_back, "taken back");
}
#endif

#define TEST(name) cmocka_unit_test_setup_teardown(name, make, destroy)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_double_free_is_named),
		TEST(a_double_free_is_named_later_too),
		TEST(a_freed_block_is_not_resized_nor_freed_by_other_ways),
		TEST(an_address_inside_a_block_is_named),
		TEST(aligned_blocks_are_known_by_their_start),
#ifndef ANNOTATE_ASAN
		TEST(writing_past_a_block_is_found_when_it_is_freed),
		TEST(writing_after_free_is_found),
#endif
		TEST(freed_blocks_come_back_late_and_out_of_order),
		TEST(of_two_threads_that_free_a_block_one_is_stopped),
		TEST(a_correct_program_hears_nothing),
		TEST(no_room_leaves_the_block_as_it_was),
#ifdef SITUS_CHECKING
		TEST(a_handle_of_a_heap_that_went_is_named),
		TEST(what_never_was_a_heap_is_named),
		TEST(a_block_whose_heap_went_is_named),
		TEST(what_is_no_block_of_anybody_s_is_named),
		TEST(a_block_that_its_heap_gave_back_is_named),
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
