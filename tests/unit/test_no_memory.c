/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The kernel has no address space left, at every point where it is asked for some: for regions, the
 * map's books, caches, arenas, jemalloc's own. RLIMIT_AS is what refuses.
 */
#include "tests/unit/test.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "heap/heap.h"
#include "situs.h"
#include "tests/unit/book_area.h"

enum { N_BLOCKS = 3000, N_STEPS = 60, STEP = 36 * 1024 };

static struct rlimit before;

static void leave_room(size_t bytes)
{
	struct rlimit limit = before;
	long pages = 0;
	FILE *statm = fopen("/proc/self/statm", "r");

	assert_int_equal(fscanf(statm, "%ld", &pages), 1);
	fclose(statm);
	limit.rlim_cur = (rlim_t)pages * 4096 + bytes;
	assert_int_equal(setrlimit(RLIMIT_AS, &limit), 0);
}

static void lift(void)
{
	assert_int_equal(setrlimit(RLIMIT_AS, &before), 0);
}

static size_t size_of(int i)
{
	return i % 50 == 49 ? 300000 : i % 10 == 9 ? 20000 : (size_t)(i * 7 % 3000 + 1);
}

static void check_spaces(situs_heap_t *heap)
{
	for (unsigned i = 0; i < heap->n_arenas; i++)
		if (heap->arenas[i] != NULL)
			assert_int_equal(space__check(hooks__space(heap->arenas[i]->hooks)), 0);
}

static unsigned char *blocks[N_BLOCKS];

/* As many blocks as there is memory for; says how many. */
static int fill(situs_heap_t *heap, int from)
{
	int n = from;

	errno = 0;
	while (n < N_BLOCKS && (blocks[n] = situs_malloc(heap, size_of(n))) != NULL) {
		memset(blocks[n], n, size_of(n));
		n++;
	}
	return n;
}

static void check_blocks(situs_heap_t *heap, int n)
{
	for (int i = 0; i < n; i++) {
		assert_ptr_equal(situs_heap_of(blocks[i]), heap);
		for (size_t k = 0; k < size_of(i); k++)
			if (blocks[i][k] != (i & 0xff))
				fail_msg("block %d changed at %zu", i, k);
	}
}

static void no_address_space_is_null_and_earlier_blocks_live(void **state)
{
	int n_refused = 0;

	(void)state;
	for (size_t room = 0; room < (size_t)N_STEPS * STEP; room += STEP) {
		struct book_area *book = book_create(); /* maps a little at a time */
		situs_heap_t *heap;

		assert_int_equal(situs_heap_create(&heap, &book->area, NULL), 0);

		int n = fill(heap, 0), some = N_BLOCKS / 2;

		assert_int_equal(n, N_BLOCKS);
		while (n > some)
			situs_free(blocks[--n]);
		/* What is kept for reuse would serve everything. */
		(void)situs_heap_trim(heap);

		/* Half the heap stands; from now on memory is short. */
		leave_room(room);
		n = fill(heap, n);
		if (n < N_BLOCKS) {
			int err = errno;

			n_refused++;
			assert_int_equal(err, ENOMEM);
			assert_non_null(strstr(situs_error(), "refused"));
		}
		assert_null(situs_malloc(heap, (size_t)1 << 40));
		assert_int_equal(errno, ENOMEM);
		assert_null(situs_realloc(heap, blocks[0], (size_t)1 << 40));
		assert_null(situs_aligned_alloc(heap, (size_t)1 << 30, (size_t)1 << 30));
		check_spaces(heap);
		lift();
		check_blocks(heap, n);
		assert_int_equal(fill(heap, n), N_BLOCKS);
		check_blocks(heap, N_BLOCKS);
		for (int i = 0; i < N_BLOCKS; i++)
			situs_free(blocks[i]);
		check_spaces(heap);
		assert_int_equal(situs_heap_destroy(heap), 0);
		assert_int_equal(book->n_out, 0);
		book_destroy(book);
	}
	assert_true(n_refused > 0);
}

static void heaps_made_without_address_space_fail_whole(void **state)
{
	int n_refused = 0, n_first_block = 0;

	(void)state;
	for (size_t room = 0; room < (size_t)110 << 20; room += room < (5 << 20) ? STEP : 5 << 20) {
		situs_heap_t *heap = NULL;
		int err, n = 0, why = 0;

		leave_room(room);
		err = situs_heap_create(&heap, &aml_area_linux, NULL);
		if (err == 0) {
			n = fill(heap, 0);
			why = errno;
		}
		lift();
		if (err != 0) {
			n_refused++;
			assert_true(err == -ENOMEM || err == -EAGAIN);
			assert_null(heap);
			if (situs_error()[0] == '\0')
				fail_msg("error %d without words with room for %zu bytes", err, room);
			continue;
		}
		n_first_block += n < N_BLOCKS;
		if (n < N_BLOCKS)
			assert_int_equal(why, ENOMEM);
		check_spaces(heap);
		check_blocks(heap, n);
		assert_int_equal(fill(heap, n), N_BLOCKS);
		check_blocks(heap, N_BLOCKS);
		assert_int_equal(situs_heap_destroy(heap), 0);
	}
	print_message("# %d heaps refused, %d ran out of memory\n", n_refused, n_first_block);
	assert_true(n_refused > 0);
	assert_true(n_first_block > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(heaps_made_without_address_space_fail_whole),
		cmocka_unit_test(no_address_space_is_null_and_earlier_blocks_live),
	};

	getrlimit(RLIMIT_AS, &before);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
