/* SPDX-License-Identifier: BSD-3-Clause */
/* Freed large blocks that a heap keeps for the next request of their size. */
#include "tests/unit/test.h"

#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "heap/heap.h"
#include "situs.h"
#include "tests/unit/book_area.h"

enum { MIB = 1024 * 1024, PAGE = 4096 };

static situs_heap_t *make(const struct aml_area *area, long decay_ms)
{
	struct situs_config config = {
		.struct_size = sizeof(config), .n_arenas = 1, .decay_ms = decay_ms};
	situs_heap_t *heap = NULL;

	assert_int_equal(situs_heap_create(&heap, area, &config), 0);
	return heap;
}

static void a_freed_block_comes_back_for_its_size(void **state)
{
	situs_heap_t *heap = make(&aml_area_linux, 0);
	void *block = situs_malloc(heap, MIB);
	size_t size = situs_usable_size(block);

	(void)state;
	situs_free(block);
	assert_int_equal(heap->large_held, size);
	assert_ptr_equal(situs_malloc(heap, MIB), block);
	assert_int_equal(heap->large_held, 0);
	situs_heap_destroy(heap);
}

/* Allocates n blocks of many sizes, then frees them; the most held at any time is within the bound. */
static void hold_to_the_bound(situs_heap_t *heap, size_t bound_min, size_t share)
{
	enum { N = 200 };
	void *blocks[N];
	size_t highest = 0;

	for (size_t i = 0; i < N; i++) {
		blocks[i] = situs_malloc(heap, 40000 + i * 7919 * 13 % (4 * MIB - 40000));
		assert_non_null(blocks[i]);
	}
	for (int i = 0; i < N; i++) {
		size_t drawn = heap->account.drawn, bound = share == 0 ? 0 : drawn / share;

		situs_free(blocks[i]);
		assert_true(heap->large_held <= (bound > bound_min ? bound : bound_min));
		highest = heap->large_held > highest ? heap->large_held : highest;
	}
	/* And the bound was what held it. */
	assert_true(highest > bound_min / 2);
}

static void what_is_held_is_a_small_part_of_what_is_drawn(void **state)
{
	situs_heap_t *heap = make(&aml_area_linux, 0);

	(void)state;
	hold_to_the_bound(heap, LARGE_CACHE_MIN, LARGE_CACHE_SHARE);
	situs_heap_destroy(heap);
}

static void what_has_no_pages_is_bounded_too(void **state)
{
	situs_heap_t *heap = make(&aml_area_linux, 1);

	(void)state;
	hold_to_the_bound(heap, LARGE_CACHE_SPACE, 0);
	situs_heap_destroy(heap);
}

/* Pages of the block's range that are there. */
static size_t n_present(const void *block, size_t size)
{
	unsigned char present[MIB / PAGE + 2];
	uintptr_t start = (uintptr_t)block & ~(uintptr_t)(PAGE - 1);
	size_t n = ((uintptr_t)block + size - start + PAGE - 1) / PAGE, count = 0;

	assert_true(n <= sizeof(present));
	assert_int_equal(mincore((void *)start, n * PAGE, present), 0);
	for (size_t i = 0; i < n; i++)
		count += present[i] & 1;
	return count;
}

static void what_is_old_goes_where_only_small_blocks_come(void **state)
{
	enum { N = 20000 };
	static void *small[N];
	situs_heap_t *heap = make(&aml_area_linux, 2);

	(void)state;
	situs_free(situs_malloc(heap, MIB));
	assert_int_not_equal(heap->large_held, 0);
	usleep(50000); /* twenty times as long as it may stay */
	for (int i = 0; i < N; i++)
		small[i] = situs_malloc(heap, 200);
	for (int i = 0; i < N; i++)
		situs_free(small[i]);
	assert_int_equal(heap->large_held, 0);
	situs_heap_destroy(heap);
}

static void pages_that_go_back_at_once_are_gone_and_come_back_zero(void **state)
{
	situs_heap_t *heap = make(&aml_area_linux, 1);
	char *block = situs_malloc(heap, MIB), *again;

	(void)state;
	memset(block, 1, MIB);
	assert_true(n_present(block, MIB) >= MIB / PAGE);
	situs_free(block);
	assert_int_equal(n_present(block, MIB), 0);
	again = situs_malloc(heap, MIB);
	assert_ptr_equal(again, block);
	assert_int_equal(again[0] | again[MIB / 2] | again[MIB - 1], 0);
	situs_heap_destroy(heap);
}

static void areas_that_charge_for_address_space_get_it_back_at_once(void **state)
{
	struct book_area *book = book_create();
	situs_heap_t *heap = make(&book->area, 1);

	(void)state;
	situs_free(situs_malloc(heap, 3 * MIB));
	assert_int_equal(heap->large_held, 0);
	situs_heap_destroy(heap);
	book_destroy(book);
}

/* Live blocks of so many MiB, so that a share of what is drawn is something. */
static void draw(situs_heap_t *heap, size_t n_mib)
{
	for (; n_mib > 0; n_mib--)
		assert_non_null(situs_malloc(heap, MIB));
}

/* Frees n blocks at a time and asks for as many again. */
static void use_again(situs_heap_t *heap, size_t n, size_t size, int times)
{
	enum { N = 32 };
	void *blocks[N];

	for (; times > 0; times--) {
		for (size_t i = 0; i < n; i++)
			assert_non_null(blocks[i] = situs_malloc(heap, size));
		for (size_t i = 0; i < n; i++)
			situs_free(blocks[i]);
	}
}

static void blocks_that_come_back_for_use_earn_room(void **state)
{
	situs_heap_t *heap = make(&aml_area_linux, 0);
	size_t least, most;

	(void)state;
	draw(heap, 96);
	least = heap->account.drawn / LARGE_CACHE_SHARE;
	use_again(heap, 14, MIB, 20);
	most = heap->account.drawn / LARGE_CACHE_EARNED_SHARE + heap->account.drawn / LARGE_CACHE_SHARE;
	assert_true(heap->large_held > least + 4 * MIB);
	assert_true(heap->large_held <= most);
	situs_heap_destroy(heap);
}

static void what_has_no_use_makes_way_for_other_sizes(void **state)
{
	situs_heap_t *heap = make(&aml_area_linux, 0);
	size_t held;

	(void)state;
	draw(heap, 48);
	use_again(heap, 14, MIB, 20);
	held = heap->large_held;
	for (size_t size = 4 * MIB; size > 2 * MIB; size -= MIB / 2)
		situs_free(situs_malloc(heap, size));
	assert_true(heap->large_held < held / 2);
	situs_heap_destroy(heap);
}

static void *written(situs_heap_t *heap, size_t size)
{
	void *block = situs_malloc(heap, size);

	assert_non_null(block);
	memset(block, 1, size);
	return block;
}

static void blocks_that_are_written_are_not_held(void **state)
{
	enum { N = 8 };
	situs_heap_t *heap = make(&aml_area_linux, 0);
	void *blocks[N];

	(void)state;
	for (int i = 0; i < N; i++)
		blocks[i] = written(heap, 100000);
	for (int i = 0; i < N; i++) {
		situs_free(blocks[i]);
		assert_int_equal(heap->large_held, 0);
	}
	situs_heap_destroy(heap);
}

static void what_was_held_goes_once_blocks_are_written(void **state)
{
	situs_heap_t *heap = make(&aml_area_linux, 0);
	void *small = situs_malloc(heap, 100000), *large = situs_malloc(heap, 300000);

	(void)state;
	situs_free(small);
	situs_free(large);
	assert_true(heap->large_held >= 400000);
	/* Each is the small one, so that nothing makes way for it. */
	for (int i = 0; i <= LARGE_CACHE_LOOKS_MIN; i++)
		situs_free(written(heap, 100000));
	assert_int_equal(heap->large_held, 0);
	situs_heap_destroy(heap);
}

static void a_program_that_writes_no_more_has_its_blocks_held_again(void **state)
{
	situs_heap_t *heap = make(&aml_area_linux, 0);

	(void)state;
	situs_free(written(heap, 100000));
	/* Of a size that no written block has room for. */
	for (int i = 0; i <= LARGE_CACHE_LOOKS_MIN; i++) {
		assert_int_equal(heap->large_held, 0);
		situs_free(situs_malloc(heap, MIB));
	}
	assert_true(heap->large_held >= MIB);
	situs_heap_destroy(heap);
}

static void trimming_gives_back_what_is_held(void **state)
{
	for (long decay_ms = 0; decay_ms <= 1; decay_ms++) {
		situs_heap_t *heap = make(&aml_area_linux, decay_ms);

		(void)state;
		situs_free(situs_malloc(heap, MIB));
		assert_true(heap->large_held >= MIB);
		assert_true(situs_heap_trim(heap) >= MIB / PAGE);
		assert_int_equal(heap->large_held, 0);
		situs_heap_destroy(heap);
	}
}

struct two_arenas {
	situs_heap_t *heap;
	void *block;
	size_t held;
	int trimmed;
};

static bool run_on(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	return sched_setaffinity(0, sizeof(set), &set) == 0;
}

static void *allocate_in_the_first(void *arg)
{
	struct two_arenas *two = arg;

	two->block = run_on(0) ? situs_malloc(two->heap, MIB) : NULL;
	return NULL;
}

static void *free_and_trim_in_the_second(void *arg)
{
	struct two_arenas *two = arg;

	if (!run_on(1))
		return NULL;
	situs_free(two->block);
	two->held = two->heap->large_held;
	two->trimmed = situs_heap_trim(two->heap);
	return NULL;
}

/* What a thread frees is held for those near it, from whichever arena it came. */
static void trimming_gives_back_what_another_arena_holds(void **state)
{
	struct situs_config config = {.struct_size = sizeof(config), .n_arenas = 2};
	struct two_arenas two = {.held = 0};
	pthread_t thread;

	(void)state;
	assert_int_equal(situs_heap_create(&two.heap, &aml_area_linux, &config), 0);
	pthread_create(&thread, NULL, allocate_in_the_first, &two);
	pthread_join(thread, NULL);
	pthread_create(&thread, NULL, free_and_trim_in_the_second, &two);
	pthread_join(thread, NULL);
	situs_heap_destroy(two.heap);
	if (two.block == NULL || two.held == 0)
		skip_because("this process may not use both CPU 0 and CPU 1");
	assert_true(two.held >= MIB);
	assert_true(two.trimmed >= MIB / PAGE);
}

static void a_heap_at_its_limit_gives_up_what_is_held(void **state)
{
	struct situs_config config = {
		.struct_size = sizeof(config), .n_arenas = 1, .decay_ms = 1, .limit = 8 * MIB};
	situs_heap_t *heap;

	(void)state;
	assert_int_equal(situs_heap_create(&heap, &aml_area_linux, &config), 0);
	situs_free(situs_malloc(heap, 3 * MIB));
	assert_true(heap->large_held >= 3 * MIB);
	assert_non_null(situs_malloc(heap, 7 * MIB));
	assert_int_equal(heap->large_held, 0);
	situs_heap_destroy(heap);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_freed_block_comes_back_for_its_size),
		cmocka_unit_test(what_is_held_is_a_small_part_of_what_is_drawn),
		cmocka_unit_test(what_has_no_pages_is_bounded_too),
		cmocka_unit_test(what_is_old_goes_where_only_small_blocks_come),
		cmocka_unit_test(pages_that_go_back_at_once_are_gone_and_come_back_zero),
		cmocka_unit_test(areas_that_charge_for_address_space_get_it_back_at_once),
		cmocka_unit_test(blocks_that_come_back_for_use_earn_room),
		cmocka_unit_test(what_has_no_use_makes_way_for_other_sizes),
		cmocka_unit_test(blocks_that_are_written_are_not_held),
		cmocka_unit_test(what_was_held_goes_once_blocks_are_written),
		cmocka_unit_test(a_program_that_writes_no_more_has_its_blocks_held_again),
		cmocka_unit_test(trimming_gives_back_what_is_held),
		cmocka_unit_test(trimming_gives_back_what_another_arena_holds),
		cmocka_unit_test(a_heap_at_its_limit_gives_up_what_is_held),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
