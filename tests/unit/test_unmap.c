/* SPDX-License-Identifier: BSD-3-Clause */
/* Areas and kernels that do not take memory back when it is offered. */
#include "tests/unit/test.h"

#include <errno.h>
#include <string.h>

#include "base/unmap.h"
#include "heap/heap.h"
#include "situs.h"
#include "tests/unit/book_area.h"

#define LARGE ((size_t)16 << 20)

static size_t mapped_by(situs_heap_t *heap)
{
	struct situs_heap_stats stats = {.struct_size = sizeof(stats)};

	assert_int_equal(situs_heap_stats(heap, &stats), 0);
	return stats.mapped;
}

static void check_maps(situs_heap_t *heap)
{
	for (unsigned i = 0; i < heap->n_arenas; i++)
		if (heap->arenas[i] != NULL)
			assert_int_equal(space__check(hooks__space(heap->arenas[i]->hooks)), 0);
}

static situs_heap_t *heap_on(struct book_area *book)
{
	struct situs_config config = {.struct_size = sizeof(config), .n_arenas = 1, .decay_ms = 1};
	situs_heap_t *heap;

	assert_int_equal(situs_heap_create(&heap, &book->area, &config), 0);
	return heap;
}

static void what_is_not_taken_back_stays_charged_and_is_offered_again(void **state)
{
	struct book_area *book = book_create();
	situs_heap_t *heap = heap_on(book);
	char *small = situs_malloc(heap, 100);
	size_t before = book->size_out;

	(void)state;
	memset(small, 7, 100);
	book->n_kept = 1;
	situs_free(situs_malloc(heap, LARGE));
	assert_true(situs_heap_trim(heap) >= 0);
	assert_int_equal(book->n_kept, 0);
	assert_true(book->size_out >= before + LARGE);
	assert_int_equal(mapped_by(heap), book->size_out);
	check_maps(heap);

	/* The next region that is drawn: the one that was kept goes first. */
	char *large = situs_malloc(heap, 2 * LARGE);

	assert_non_null(large);
	memset(large, 1, 2 * LARGE);
	assert_true(book->size_out < before + 3 * LARGE);
	assert_int_equal(mapped_by(heap), book->size_out);
	check_maps(heap);
	for (int i = 0; i < 100; i++)
		assert_int_equal(small[i], 7);
	assert_int_equal(situs_heap_destroy(heap), 0);
	assert_int_equal(book->n_out, 0);
	assert_int_equal(book->n_wrong, 0);
	book_destroy(book);
}

static void success_says_nothing_of_what_was_not_taken_back(void **state)
{
	struct book_area *book = book_create();
	situs_heap_t *heap = heap_on(book);
	char words[256];
	void *block = situs_malloc(heap, LARGE);

	(void)state;
	strcpy(words, situs_error());
	book->n_kept = 1;
	errno = 77;
	situs_free(block);
	assert_int_equal(errno, 77);
	assert_string_equal(situs_error(), words);
	assert_int_equal(situs_heap_destroy(heap), 0);
	assert_int_equal(book->n_out, 0);
	book_destroy(book);
}

static void a_limit_counts_what_was_not_taken_back(void **state)
{
	struct book_area *book = book_create();
	situs_heap_t *heap = heap_on(book);

	(void)state;
	assert_int_equal(situs_heap_limit(heap, LARGE * 3 / 2), 0);
	book->n_kept = 1000;
	situs_free(situs_malloc(heap, LARGE));
	assert_null(situs_malloc(heap, LARGE + 4096));
	assert_true(book->size_max <= LARGE * 3 / 2);
	book->n_kept = 0;
	assert_non_null(situs_malloc(heap, LARGE + 4096));
	assert_true(book->size_max <= LARGE * 3 / 2);
	assert_int_equal(situs_heap_destroy(heap), 0);
	assert_int_equal(book->n_out, 0);
	book_destroy(book);
}

static void destroy_tells_what_was_not_taken_back_and_can_be_called_again(void **state)
{
	struct book_area *book = book_create();
	situs_heap_t *heap = heap_on(book);
	char *block = situs_malloc(heap, LARGE);

	(void)state;
	situs_free(situs_malloc(heap, 64));
	book->n_kept = 1000;
	assert_int_equal(situs_heap_destroy(heap), -EBUSY);
	assert_non_null(strstr(situs_error(), "does not take"));
	assert_null(situs_heap_of(block));
	assert_true(book->n_out > 0);
	assert_int_equal(situs_heap_destroy(heap), -EBUSY);
	/* A heap without anything in it: nothing of what was comes back. */
	block = situs_malloc(heap, 64);
	assert_ptr_equal(situs_heap_of(block), heap);
	memset(block, 1, 64);
	book->n_kept = 0;
	assert_int_equal(situs_heap_destroy(heap), 0);
	assert_int_equal(book->n_out, 0);
	assert_int_equal(book->n_wrong, 0);
#ifndef SITUS_CHECKING /* which stops at that */
	assert_int_equal(situs_heap_destroy(heap), -EINVAL);
#endif
	book_destroy(book);
}

static void an_arena_goes_and_tells_what_was_not_taken_back(void **state)
{
	struct book_area *book = book_create();
	unsigned arena;

	(void)state;
	assert_int_equal(situs_arena_create(&arena, &book->area, NULL), 0);
	assert_non_null(arena__malloc(arena, LARGE, 0, false));
	book->n_kept = 1000;
	assert_int_equal(situs_arena_destroy(arena), -EBUSY);
	assert_non_null(strstr(situs_error(), "does not take"));
	assert_int_equal(situs_arena_flags(arena), -EINVAL);
	book->n_kept = 0;

	/* Refused once only: nobody hears of it. */
	struct book_area *other = book_create();

	assert_int_equal(situs_arena_create(&arena, &other->area, NULL), 0);
	assert_non_null(arena__malloc(arena, LARGE, 0, false));
	other->n_kept = 1;
	assert_int_equal(situs_arena_destroy(arena), 0);
	assert_int_equal(other->n_out, 0);
	book_destroy(other);
	book_destroy(book);
}

/* The library's own memory */

static int n_refusals;

int __real_munmap(void *start, size_t size);
int __wrap_munmap(void *start, size_t size);
int __wrap_munmap(void *start, size_t size)
{
	if (n_refusals != 0) {
		n_refusals--;
		errno = ENOMEM;
		return -1;
	}
	return __real_munmap(start, size);
}

static bool is_mapped(void *start)
{
	unsigned char present;

	return mincore(start, 4096, &present) == 0;
}

static void memory_that_the_kernel_refused_goes_with_the_next(void **state)
{
	char *pages[3];

	(void)state;
	for (int i = 0; i < 3; i++) {
		pages[i] = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		assert_ptr_not_equal(pages[i], MAP_FAILED);
	}
	n_refusals = 2;
	errno = 77;
	unmap__own(pages[0], 4096);
	unmap__own(pages[1], 4096);
	assert_int_equal(errno, 77);
	assert_true(is_mapped(pages[0]) && is_mapped(pages[1]));
	unmap__own(pages[2], 4096);
	for (int i = 0; i < 3; i++)
		assert_false(is_mapped(pages[i]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_not_taken_back_stays_charged_and_is_offered_again),
		cmocka_unit_test(success_says_nothing_of_what_was_not_taken_back),
		cmocka_unit_test(a_limit_counts_what_was_not_taken_back),
		cmocka_unit_test(destroy_tells_what_was_not_taken_back_and_can_be_called_again),
		cmocka_unit_test(an_arena_goes_and_tells_what_was_not_taken_back),
		cmocka_unit_test(memory_that_the_kernel_refused_goes_with_the_next),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
