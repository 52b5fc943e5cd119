/* SPDX-License-Identifier: BSD-3-Clause */
/* Heaps from one thread: what the header promises, one behaviour a test. */
#include "tests/unit/test.h"

#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "heap/cache.h"
#include "heap/heap.h"
#include "heap/thread.h"
#include "situs.h"
#include "tests/unit/book_area.h"

static situs_heap_t *make(const struct aml_area *area, size_t limit)
{
	struct situs_config config = {.struct_size = sizeof(config), .name = "test", .limit = limit};
	situs_heap_t *heap = NULL;

	assert_int_equal(situs_heap_create(&heap, area, &config), 0);
	assert_non_null(heap);
	return heap;
}

static void check_spaces(situs_heap_t *heap)
{
	for (unsigned i = 0; i < heap->n_arenas; i++)
		if (heap->arenas[i] != NULL)
			assert_int_equal(space__check(hooks__space(heap->arenas[i]->hooks)), 0);
}

static const size_t sizes[] = {0, 1, 7, 8, 9, 16, 17, 64, 100, 1000, 3000, 4096, 4097, 14336, 14337,
	16384, 32768, 32769, 65536, 1000000, 4 * 1024 * 1024 + 1, 40 * 1024 * 1024};
enum { N_SIZES = sizeof(sizes) / sizeof(sizes[0]) };

static void blocks_of_every_size_lie_in_the_area(void **state)
{
	struct book_area *book = book_create();
	situs_heap_t *heap = make(&book->area, 0);
	char *blocks[N_SIZES];

	(void)state;
	for (int i = 0; i < N_SIZES; i++) {
		blocks[i] = situs_malloc(heap, sizes[i]);
		assert_non_null(blocks[i]);
		assert_true(book_holds(book, blocks[i], sizes[i] + (sizes[i] == 0)));
		assert_true(situs_usable_size(blocks[i]) >= sizes[i]);
		assert_ptr_equal(situs_heap_of(blocks[i]), heap);
		assert_ptr_equal(situs_heap_of(blocks[i] + sizes[i] / 2), heap);
		assert_ptr_equal(situs_area_of(blocks[i]), &book->area);
		memset(blocks[i], i, sizes[i]);
	}
	check_spaces(heap);
	for (int i = 0; i < N_SIZES; i++) {
		for (size_t k = 0; k < sizes[i]; k++)
			if (blocks[i][k] != i)
				fail_msg("block of %zu bytes changed at %zu", sizes[i], k);
		situs_free(blocks[i]);
	}
	check_spaces(heap);
	assert_int_equal(situs_heap_destroy(heap), 0);
	assert_int_equal(book->n_out, 0);
	assert_int_equal(book->n_wrong, 0);
	book_destroy(book);
}

static void destroy_returns_everything_even_with_blocks_out(void **state)
{
	struct book_area *book = book_create();
	situs_heap_t *heap = make(&book->area, 0);
	void *small = situs_malloc(heap, 10);

	(void)state;
	for (int i = 0; i < 1000; i++)
		assert_non_null(situs_malloc(heap, 5000));
	assert_non_null(situs_malloc(heap, 5000000));
	assert_int_equal(situs_heap_destroy(heap), 0);
	assert_int_equal(book->n_out, 0);
	assert_null(situs_heap_of(small));
	book_destroy(book);
}

static void calloc_is_zero_on_dirty_areas_and_reused_blocks(void **state)
{
	struct book_area *book = book_create();

	(void)state;
	book->fill = 0xa5;

	situs_heap_t *heap = make(&book->area, 0);

	for (int round = 0; round < 3; round++)
		for (int i = 0; i < N_SIZES; i++) {
			unsigned char *block = situs_calloc(heap, 1, sizes[i]);

			assert_non_null(block);
			for (size_t k = 0; k < sizes[i]; k++)
				if (block[k] != 0)
					fail_msg("calloc(%zu): byte %zu is %d", sizes[i], k, block[k]);
			memset(block, 0xee, sizes[i]);
			situs_free(block);
		}
	situs_heap_destroy(heap);
	book_destroy(book);
}

static void calloc_overflow_is_refused(void **state)
{
	situs_heap_t *heap = make(&aml_area_linux, 0);

	(void)state;
	errno = 0;
	assert_null(situs_calloc(heap, SIZE_MAX / 2 + 2, 2));
	assert_int_equal(errno, ENOMEM);
	assert_null(situs_calloc(heap, SIZE_MAX, SIZE_MAX));
	errno = 0;
	assert_null(situs_malloc(heap, SIZE_MAX - 10));
	assert_int_equal(errno, ENOMEM);
	assert_true(strlen(situs_error()) > 0);
	situs_heap_destroy(heap);
}

static void more_than_the_machine_has_is_refused_at_once(void **state)
{
	situs_heap_t *heap = make(&aml_area_linux, 0);

	(void)state;
	for (int bits = 45; bits < 47; bits++) {
		errno = 0;
		assert_null(situs_malloc(heap, (size_t)1 << bits));
		assert_int_equal(errno, ENOMEM);
		assert_non_null(strstr(situs_error(), "in one piece"));
	}
	assert_non_null(situs_malloc(heap, 100 << 20));
	check_spaces(heap);
	situs_heap_destroy(heap);
}

static void aligned_blocks_are_aligned(void **state)
{
	situs_heap_t *heap = make(&aml_area_linux, 0);

	(void)state;
	for (size_t alignment = 1; alignment <= (size_t)16 << 20; alignment *= 2)
		for (int i = 0; i < N_SIZES - 1; i++) {
			char *block = situs_aligned_alloc(heap, alignment, sizes[i]);

			assert_non_null(block);
			assert_int_equal((uintptr_t)block % alignment, 0);
			assert_ptr_equal(situs_heap_of(block), heap);
			assert_true(situs_usable_size(block) >= sizes[i]);
			memset(block, 1, sizes[i]);
			situs_free(block);
		}
	errno = 0;
	assert_null(situs_aligned_alloc(heap, 48, 10));
	assert_int_equal(errno, EINVAL);
	assert_null(situs_aligned_alloc(heap, 0, 10));
	situs_heap_destroy(heap);
}

static void realloc_keeps_contents_through_all_sizes(void **state)
{
	situs_heap_t *heap = make(&aml_area_linux, 0);

	(void)state;
	for (int from = 1; from < N_SIZES; from++)
		for (int to = 1; to < N_SIZES; to++) {
			unsigned char *block = situs_malloc(heap, sizes[from]);
			size_t kept = sizes[from] < sizes[to] ? sizes[from] : sizes[to];

			block[0] = 1, block[kept / 2] = 2, block[kept - 1] = 3;
			block = situs_realloc(heap, block, sizes[to]);
			assert_non_null(block);
			assert_ptr_equal(situs_heap_of(block), heap);
			assert_true(situs_usable_size(block) >= sizes[to]);
			assert_int_equal(block[kept - 1], 3);
			if (kept > 2)
				assert_int_equal(block[0], 1);
			if (kept > 3)
				assert_int_equal(block[kept / 2], 2);
			situs_free(block);
		}
	situs_heap_destroy(heap);
}

static void realloc_null_and_zero(void **state)
{
	situs_heap_t *heap = make(&aml_area_linux, 0);
	void *block = situs_realloc(heap, NULL, 100);

	(void)state;
	assert_ptr_equal(situs_heap_of(block), heap);
	assert_null(situs_realloc(heap, block, 0));
	situs_free(NULL);
	assert_int_equal(situs_usable_size(NULL), 0);
	situs_heap_destroy(heap);
}

static void realloc_moves_between_heaps_and_malloc(void **state)
{
	struct book_area *book = book_create();
	situs_heap_t *a = make(&aml_area_linux, 0), *b = make(&book->area, 0);

	(void)state;
	for (int i = 1; i < N_SIZES; i++) {
		char *block = malloc(sizes[i]);

		block[0] = 'x', block[sizes[i] - 1] = 'y';
		block = situs_realloc(a, block, sizes[i]);
		assert_ptr_equal(situs_heap_of(block), a);
		block = situs_realloc(b, block, sizes[i]);
		assert_ptr_equal(situs_heap_of(block), b);
		assert_true(book_holds(book, block, sizes[i]));
		block = situs_realloc(NULL, block, sizes[i] + 1);
		assert_ptr_equal(situs_heap_of(block), b);
		if (sizes[i] > 1)
			assert_int_equal(block[0], 'x');
		assert_int_equal(block[sizes[i] - 1], 'y');
		situs_free(block);
	}
	situs_heap_destroy(a);
	situs_heap_destroy(b);
	book_destroy(book);
}

static void foreign_addresses_have_no_heap(void **state)
{
	situs_heap_t *heap = make(&aml_area_linux, 0);
	int local;
	char *foreign = malloc(100);

	(void)state;
	assert_null(situs_heap_of(NULL));
	assert_null(situs_heap_of(&local));
	assert_null(situs_heap_of(foreign));
	assert_null(situs_heap_of((void *)8));
	assert_null(situs_heap_of((void *)~(uintptr_t)0));
	assert_null(situs_heap_of((void *)((uintptr_t)1 << 47)));
	assert_true(situs_usable_size(foreign) >= 100);
	situs_free(foreign); /* the program's own free takes it */
	situs_heap_destroy(heap);
}

static void null_heap_is_the_bound_heap_or_malloc(void **state)
{
	situs_heap_t *heap = make(&aml_area_linux, 0);
	void *block = situs_malloc(NULL, 100);

	(void)state;
	assert_null(situs_heap_of(block));
	situs_free(block);
	assert_int_equal(situs_thread_bind(heap), 0);
	assert_ptr_equal(situs_thread_heap(), heap);
	for (int i = 0; i < N_SIZES; i++) {
		block = situs_malloc(NULL, sizes[i]);
		assert_ptr_equal(situs_heap_of(block), heap);
		situs_free(block);
		block = situs_calloc(NULL, 2, sizes[i]);
		assert_ptr_equal(situs_heap_of(block), heap);
		situs_free(block);
		block = situs_aligned_alloc(NULL, 128, sizes[i]);
		assert_ptr_equal(situs_heap_of(block), heap);
		situs_free(block);
	}
	assert_int_equal(situs_heap_destroy(heap), 0);
	assert_null(situs_thread_heap());
	block = situs_malloc(NULL, 100);
	assert_null(situs_heap_of(block));
	situs_free(block);
}

static void limit_refuses_in_words_and_recovers(void **state)
{
	enum { LIMIT = 8 << 20 };
	situs_heap_t *heap = make(&aml_area_linux, LIMIT);
	static char *blocks[LIMIT / 3000 + 1];
	int n = 0;

	(void)state;
	for (int round = 0; round < 3; round++) {
		for (n = 0; n < LIMIT / 3000; n++) {
			blocks[n] = situs_malloc(heap, 3000);
			if (blocks[n] == NULL)
				break;
			memset(blocks[n], round, 3000);
			assert_true(atomic_load(&heap->account.drawn) <= LIMIT);
		}
		assert_true(n > LIMIT / 3000 * 3 / 4);
		assert_true(n < LIMIT / 3000);
		assert_int_equal(errno, ENOMEM);
		assert_non_null(strstr(situs_error(), "\"test\""));
		assert_non_null(strstr(situs_error(), "limit of 8388608 bytes"));
		check_spaces(heap);
		while (n > 0)
			situs_free(blocks[--n]);
	}
	situs_heap_destroy(heap);
}

static void a_refusing_area_leaves_earlier_blocks_intact(void **state)
{
	(void)state;
	for (size_t fail_at = 1; fail_at < 12; fail_at++) {
		struct book_area *book = book_create();
		static unsigned char *blocks[400];
		int n = 0;

		book->fail_at = fail_at;

		situs_heap_t *heap = make(&book->area, 0);

		for (; n < 400; n++) {
			blocks[n] = situs_malloc(heap, (size_t)400 * (size_t)n + 1);
			if (blocks[n] == NULL)
				break;
			memset(blocks[n], n, (size_t)400 * (size_t)n + 1);
		}
		assert_true(n < 400);
		assert_int_equal(errno, ENOMEM);
		check_spaces(heap);
		for (int i = 0; i < n; i++) {
			for (size_t k = 0; k < (size_t)400 * (size_t)i + 1; k++)
				assert_int_equal(blocks[i][k], i & 0xff);
			situs_free(blocks[i]);
		}
		book->fail_at = 0;

		void *again = situs_malloc(heap, 1000000);

		assert_non_null(again);
		assert_int_equal(situs_heap_destroy(heap), 0);
		assert_int_equal(book->n_out, 0);
		book_destroy(book);
	}
}

static void wrong_arguments_are_named(void **state)
{
	situs_heap_t *heap = NULL;
	struct situs_config config = {0};

	(void)state;
	assert_int_equal(situs_heap_create(NULL, &aml_area_linux, NULL), -EINVAL);
	assert_int_equal(situs_heap_create(&heap, NULL, NULL), -EINVAL);
	assert_int_equal(situs_heap_create(&heap, &aml_area_linux, &config), -EINVAL);
	assert_non_null(strstr(situs_error(), "struct_size"));
	config.struct_size = sizeof(config);
	config.decay_ms = -2;
	assert_int_equal(situs_heap_create(&heap, &aml_area_linux, &config), -EINVAL);
	assert_non_null(strstr(situs_error(), "decay_ms"));
	config.decay_ms = 0;
	config.n_arenas = 100000;
	assert_int_equal(situs_heap_create(&heap, &aml_area_linux, &config), -EINVAL);
	assert_null(heap);
	assert_null(situs_heap_open(NULL));
	assert_int_equal(situs_heap_destroy(NULL), 0);
}

static void no_thread_cache_works_too(void **state)
{
	struct situs_config config = {.struct_size = sizeof(config), .thread_cache = SIZE_MAX};
	situs_heap_t *heap;

	(void)state;
	assert_int_equal(situs_heap_create(&heap, &aml_area_linux, &config), 0);
	for (int i = 0; i < N_SIZES; i++) {
		void *block = situs_malloc(heap, sizes[i]);

		assert_ptr_equal(situs_heap_of(block), heap);
		situs_free(block);
	}
	situs_heap_destroy(heap);
}

static void decayed_pages_go_back_at_once_when_asked(void **state)
{
	struct situs_config config = {.struct_size = sizeof(config), .decay_ms = 1};
	struct book_area *book = book_create();
	situs_heap_t *heap;
	void *blocks[20];

	(void)state;
	assert_int_equal(situs_heap_create(&heap, &book->area, &config), 0);
	for (int i = 0; i < 20; i++)
		blocks[i] = situs_malloc(heap, 3000000);

	size_t full = book->size_out;

	for (int i = 0; i < 20; i++)
		situs_free(blocks[i]);
	check_spaces(heap);
	assert_true(full >= 60000000);
	assert_true(book->size_out < full / 4);
	situs_heap_destroy(heap);
	book_destroy(book);
}

static void heaps_by_the_hundred_come_and_go(void **state)
{
	static situs_heap_t *heaps[300];

	(void)state;
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 300; i++) {
			heaps[i] = make(&aml_area_linux, 0);
			assert_ptr_equal(situs_heap_of(situs_malloc(heaps[i], 100)), heaps[i]);
		}
		for (int i = 0; i < 300; i++)
			assert_int_equal(situs_heap_destroy(heaps[i]), 0);
	}
}

static void *write_where_nothing_is_cached(void *heap)
{
	if (situs_thread_bind(heap) != 0)
		return NULL;
	/* Row 0 is nobody's, and zeros. */
	((volatile struct cache *)thread__self->caches)->n_slow = 0;
	return heap;
}

/* What the kernel refuses to unmap, for want of mappings, is noted in the memory itself. */
static void a_table_of_caches_can_be_written_to_from_the_start(void **state)
{
	situs_heap_t *heap = make(&aml_area_linux, 0);
	pthread_t thread;
	void *result;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, write_where_nothing_is_cached, heap), 0);
	assert_int_equal(pthread_join(thread, &result), 0);
	assert_ptr_equal(result, heap);
	situs_heap_destroy(heap);
}

#ifndef SITUS_GUARDED /* it looks into the caches, where sizes are others then */
static void idle_classes_of_a_cache_are_drained(void **state)
{
	enum { N = 200 };
	situs_heap_t *heap = make(&aml_area_linux, 0);
	void *idle[N];
	static void *busy[4096];

	(void)state;
	for (int i = 0; i < N; i++)
		idle[i] = situs_malloc(heap, 100);
	for (int i = 0; i < N; i++)
		situs_free(idle[i]);

	struct cache *cache = thread__cache(heap->owner.number);
	unsigned class = size_class__of(100);

	assert_true(cache->bins[class].top - cache->bins[class].base >= N / 2);
	for (int round = 0; round < 200; round++) {
		for (int i = 0; i < 4096; i++)
			busy[i] = situs_malloc(heap, 500);
		for (int i = 0; i < 4096; i++)
			situs_free(busy[i]);
	}
	assert_true(cache->bins[class].top - cache->bins[class].base <= 1);
	situs_heap_destroy(heap);
}
#endif

/* Aging once emptied the bin that an overflow was about to halve, and blocks were freed twice. */
static void aging_and_overflow_free_no_block_twice(void **state)
{
	enum { LIVE = 10000 };
#ifdef SITUS_GUARDED
	enum { N_STEPS = 300000 }; /* each is slower by an order of magnitude */
#else
	enum { N_STEPS = 4000000 };
#endif
	situs_heap_t *heap = make(&aml_area_linux, 0);
	static unsigned *blocks[LIVE];
	uint64_t random = 88172645463325252;

	(void)state;
	for (unsigned i = 0; i < N_STEPS; i++) {
		random ^= random << 13, random ^= random >> 7, random ^= random << 17;

		unsigned k = (random >> 32) % LIVE;

		if (blocks[k] != NULL && *blocks[k] != k)
			fail_msg("a live block was handed out again");
		situs_free(blocks[k]);
		blocks[k] = situs_malloc(heap, 8 + (random & 0xffff) % 4089);
		*blocks[k] = k;
	}
	check_spaces(heap);
	situs_heap_destroy(heap);
}

static void success_leaves_errno_alone(void **state)
{
	situs_heap_t *heap = make(&aml_area_linux, 0);

	(void)state;
	errno = 1234;
	for (int i = 0; i < N_SIZES; i++) {
		void *block = situs_malloc(heap, sizes[i]);

		situs_free(block);
	}
	assert_int_equal(errno, 1234);
	situs_heap_destroy(heap);
}

static void *ask_malloc(size_t size)
{
	return situs_malloc(NULL, size);
}

static void *ask_calloc(size_t size)
{
	return situs_calloc(NULL, 1, size);
}

static void *ask_aligned(size_t size)
{
	return situs_aligned_alloc(NULL, 64, size);
}

/* A sanitizer's malloc ends the program otherwise. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "allocator_may_return_null=1";
}

const char *__tsan_default_options(void);
const char *__tsan_default_options(void)
{
	return "allocator_may_return_null=1";
}

/* jemalloc's own realloc, for one, does not set errno for a size that overflows. */
static void what_the_program_s_malloc_refuses_is_refused_in_words(void **state)
{
	static void *(*const asked[])(size_t) = {ask_malloc, ask_calloc, ask_aligned};
	static const size_t too_large[] = {SIZE_MAX, PTRDIFF_MAX, PTRDIFF_MAX - 4096};
	char *block = malloc(24);

	(void)state;
	assert_null(situs_thread_heap());
	for (size_t i = 0; i < sizeof(too_large) / sizeof(too_large[0]); i++) {
		for (size_t k = 0; k < sizeof(asked) / sizeof(asked[0]); k++) {
			errno = 0;
			assert_null(asked[k](too_large[i]));
			assert_int_equal(errno, ENOMEM);
		}
		errno = 0;
		assert_null(situs_realloc(NULL, block, too_large[i]));
		assert_int_equal(errno, ENOMEM);
		assert_non_null(strstr(situs_error(), "bytes"));
	}
	free(block);
}

/* Whatever was tried on the way: files that are not there, calls that this kernel lacks. */
#define LEAVES_ERRNO(call) \
	do { \
		errno = 1234; \
		assert_true((call) >= 0); \
		if (errno != 1234) \
			fail_msg("errno is %d after %s", errno, #call); \
	} while (0)

static int go_on(size_t done, size_t total, void *arg)
{
	(void)done, (void)total, (void)arg;
	return 0;
}

static void calls_about_heaps_leave_errno_alone_too(void **state)
{
	FILE *nowhere = fopen("/dev/null", "w");
	situs_heap_t *heap = NULL, *strict = NULL;

	(void)state;
	assert_non_null(nowhere);
	LEAVES_ERRNO((heap = situs_heap_open("any")) != NULL ? 0 : -1);
	errno = 1234;
	strict = situs_heap_open("node:0,strict"); /* which not every machine has */
	assert_true(strict == NULL || errno == 1234);
	situs_free(situs_malloc(heap, 3000000));
	LEAVES_ERRNO(situs_heap_trim(heap));
	LEAVES_ERRNO(situs_heap_migrate(heap, &aml_area_linux, go_on, NULL));
	LEAVES_ERRNO(situs_heap_rebalance(heap, go_on, NULL));
	LEAVES_ERRNO(situs_stats_json(nowhere));
	LEAVES_ERRNO(situs_stats_prometheus(nowhere));
	LEAVES_ERRNO(situs_dump(nowhere));
	LEAVES_ERRNO(situs_heap_destroy(strict));
	LEAVES_ERRNO(situs_heap_destroy(heap));
	fclose(nowhere);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(blocks_of_every_size_lie_in_the_area),
		cmocka_unit_test(destroy_returns_everything_even_with_blocks_out),
		cmocka_unit_test(calloc_is_zero_on_dirty_areas_and_reused_blocks),
		cmocka_unit_test(calloc_overflow_is_refused),
		cmocka_unit_test(more_than_the_machine_has_is_refused_at_once),
		cmocka_unit_test(aligned_blocks_are_aligned),
		cmocka_unit_test(realloc_keeps_contents_through_all_sizes),
		cmocka_unit_test(realloc_null_and_zero),
		cmocka_unit_test(realloc_moves_between_heaps_and_malloc),
		cmocka_unit_test(foreign_addresses_have_no_heap),
		cmocka_unit_test(null_heap_is_the_bound_heap_or_malloc),
		cmocka_unit_test(limit_refuses_in_words_and_recovers),
		cmocka_unit_test(a_refusing_area_leaves_earlier_blocks_intact),
		cmocka_unit_test(wrong_arguments_are_named),
		cmocka_unit_test(no_thread_cache_works_too),
		cmocka_unit_test(decayed_pages_go_back_at_once_when_asked),
		cmocka_unit_test(heaps_by_the_hundred_come_and_go),
		cmocka_unit_test(a_table_of_caches_can_be_written_to_from_the_start),
#ifndef SITUS_GUARDED
		cmocka_unit_test(idle_classes_of_a_cache_are_drained),
#endif
		cmocka_unit_test(aging_and_overflow_free_no_block_twice),
		cmocka_unit_test(success_leaves_errno_alone),
		cmocka_unit_test(calls_about_heaps_leave_errno_alone_too),
		cmocka_unit_test(what_the_program_s_malloc_refuses_is_refused_in_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
