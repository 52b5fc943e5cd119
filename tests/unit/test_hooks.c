/* SPDX-License-Identifier: BSD-3-Clause */
/* Hooks and arenas for programs that call mallocx themselves, and the space under them. */
#include "tests/unit/test.h"

#include <errno.h>
#include <jemalloc/jemalloc.h>
#include <stdio.h>
#include <string.h>

#include "heap/heap.h"
#include "hooks/space.h"
#include "situs.h"
#include "tests/unit/book_area.h"

static void arena_memory_lies_in_the_area_and_goes_back(void **state)
{
	struct book_area *book = book_create();
	unsigned arena;

	(void)state;
	assert_int_equal(situs_arena_create(&arena, &book->area, NULL), 0);

	int flags = situs_arena_flags(arena);

	for (size_t size = 8; size < 5000000; size = size * 3 / 2 + 3) {
		char *block = mallocx(size, flags);

		assert_non_null(block);
		assert_true(book_holds(book, block, size));
		assert_ptr_equal(situs_area_of(block), &book->area);
		assert_null(situs_heap_of(block));
		if (size % 2 == 0)
			dallocx(block, flags);
	}
	assert_int_equal(situs_arena_destroy(arena), 0);
	assert_int_equal(book->n_out, 0);
	assert_int_equal(book->n_wrong, 0);
	book_destroy(book);
}

static void stale_and_foreign_arena_indices_are_refused(void **state)
{
	unsigned arena;

	(void)state;
	assert_int_equal(situs_arena_destroy(0), -EINVAL);
	assert_int_equal(situs_arena_flags(0), -EINVAL);
	assert_int_equal(situs_arena_flags(100000), -EINVAL);
	assert_int_equal(situs_arena_create(&arena, &aml_area_linux, NULL), 0);
	assert_int_equal(situs_arena_destroy(arena), 0);
	assert_int_equal(situs_arena_destroy(arena), -EINVAL);
	assert_int_equal(situs_arena_flags(arena), -EINVAL);
	assert_non_null(strstr(situs_error(), "not a live arena"));
	assert_int_equal(situs_arena_create(NULL, &aml_area_linux, NULL), -EINVAL);
	assert_int_equal(situs_arena_create(&arena, NULL, NULL), -EINVAL);
}

static void bound_arena_is_busy_and_stays_usable(void **state)
{
	unsigned arena, before;
	size_t size = sizeof(before), length = sizeof(const char *);
	const char *percpu;

	(void)state;
	assert_int_equal(mallctl("opt.percpu_arena", &percpu, &length, NULL, 0), 0);
	if (strcmp(percpu, "disabled") != 0)
		skip_because("percpu_arena lets nobody bind a thread back to its arena");
	assert_int_equal(situs_arena_create(&arena, &aml_area_linux, NULL), 0);
	assert_int_equal(mallctl("thread.arena", &before, &size, &arena, sizeof(arena)), 0);
	assert_int_equal(situs_arena_destroy(arena), -EBUSY);

	void *block = mallocx(1000, situs_arena_flags(arena));

	assert_ptr_equal(situs_area_of(block), &aml_area_linux);
	assert_int_equal(mallctl("thread.arena", NULL, NULL, &before, sizeof(before)), 0);
	assert_int_equal(situs_arena_destroy(arena), 0);
}

static void hooks_serve_an_arena_the_program_makes(void **state)
{
	struct book_area *book = book_create();
	situs_hooks_t *hooks;
	unsigned arena;
	size_t size = sizeof(arena);
	char name[32];

	(void)state;
	book->fill = 0x5a;
	assert_int_equal(situs_hooks_create(&hooks, &book->area, NULL), 0);

	extent_hooks_t *table = situs_hooks_extent_hooks(hooks);

	assert_int_equal(mallctl("arenas.create", &arena, &size, &table, sizeof(table)), 0);
	for (size_t bytes = 1; bytes < 8000000; bytes *= 3) {
		int flags = MALLOCX_ARENA(arena) | MALLOCX_TCACHE_NONE;
		unsigned char *block = mallocx(bytes, flags | MALLOCX_ZERO);

		assert_true(book_holds(book, block, bytes));
		for (size_t i = 0; i < bytes; i++)
			assert_int_equal(block[i], 0);
		dallocx(block, flags);
	}
	assert_int_equal(situs_hooks_destroy(hooks), -EBUSY);
	assert_non_null(strstr(situs_error(), "destroy the arena first"));
	snprintf(name, sizeof(name), "arena.%u.destroy", arena);
	assert_int_equal(mallctl(name, NULL, NULL, NULL, 0), 0);
	assert_int_equal(situs_hooks_destroy(hooks), 0);
	assert_int_equal(book->n_out, 0);
	book_destroy(book);
}

static struct space space;
static struct space_account account;

static void *take(size_t size, size_t alignment)
{
	bool zero = false;

	return space__alloc(&space, NULL, size, alignment, &zero);
}

static void space_places_splits_and_merges(void **state)
{
	(void)state;
	assert_int_equal(space__init(&space, &aml_area_linux, 77 << 12, &account), 0);

	char *a = take(1 << 20, 4096), *b = take(1 << 20, 1 << 21);

	assert_non_null(a);
	assert_int_equal((uintptr_t)b % (1 << 21), 0);
	assert_int_equal(space__check(&space), 0);
	space__split(&space, a, 4096, (1 << 20) - 4096);
	assert_int_equal(space__extent_size(&space, a), 4096);
	assert_int_equal(space__extent_size(&space, a + 4096), (1 << 20) - 4096);
	assert_int_equal(space__merge(&space, a, 4096, (1 << 20) - 4096), 0);
	assert_int_equal(space__extent_size(&space, a), 1 << 20);
	assert_int_equal(space__free(&space, a + 8192, 4096), 0);
	assert_int_equal(space__size_out(&space), (2 << 20) - 4096);
	assert_int_equal(space__check(&space), 0);
	assert_false(space__holds(&space, a, 1 << 20));
	assert_true(space__holds(&space, a, 8192));
	assert_ptr_equal(take(4096, 4096), a + 8192); /* best fit: the hole */

	bool zero = false;

	assert_null(space__alloc(&space, a, 4096, 4096, &zero)); /* in use */
	assert_int_equal(space__check(&space), 0);
	space__destroy(&space);
	assert_int_equal(account.drawn, 0);
}

/* An area that hands out neighbours. */
enum { NEIGHBOUR = 65536 };
static char neighbours[2 * NEIGHBOUR] __attribute__((aligned(4096)));
static size_t n_given;

static void *give_neighbour(const struct aml_area_data *data, void **ptr, size_t size)
{
	(void)data, (void)ptr;
	return size == NEIGHBOUR && n_given < 2 ? neighbours + n_given++ * NEIGHBOUR : NULL;
}

static int take_neighbour(const struct aml_area_data *data, void *ptr, size_t size)
{
	(void)data, (void)ptr, (void)size;
	return AML_SUCCESS;
}

static void extents_never_span_two_regions(void **state)
{
	const struct aml_area_ops ops = {.mmap = give_neighbour, .munmap = take_neighbour};
	const struct aml_area area = {.ops = &ops, .data = NULL};

	(void)state;
	assert_int_equal(space__init(&space, &area, 77 << 12, &account), 0);

	char *a = take(NEIGHBOUR, 4096), *b = take(NEIGHBOUR, 4096);
	char *low = a < b ? a : b;

	assert_ptr_equal(low, neighbours);
	assert_true(space__merge(&space, low, NEIGHBOUR, NEIGHBOUR) != 0);
	/* Leave a page of each out, so that both regions stay and free space of both touches. */
	assert_int_equal(space__free(&space, low + 4096, NEIGHBOUR - 4096), 0);
	assert_int_equal(space__free(&space, low + NEIGHBOUR, NEIGHBOUR - 4096), 0);
	assert_int_equal(space__check(&space), 0);
	assert_null(take(NEIGHBOUR, 4096)); /* would fit across the border */
	assert_int_equal(space__check(&space), 0);
	space__destroy(&space);
	assert_int_equal(account.drawn, 0);
}

/* The second half of the neighbours is the second link's. */
static int second_half_is_second_link(const struct aml_area_data *data, const void *ptr)
{
	(void)data;
	return (const char *)ptr >= neighbours + NEIGHBOUR;
}

static int note_link(const struct space_extent_info *extent, void *links)
{
	((unsigned *)links)[extent->start != neighbours] = extent->link;
	return 0;
}

#ifndef SITUS_GUARDED /* there every realloc moves, and blocks are larger than was asked for */
/* As a buffer that is filled does; how often it had to move. */
static int grow(situs_heap_t *heap, size_t from, size_t to)
{
	char *block = situs_malloc(heap, from);
	int n_moves = 0;

	for (size_t size = from; size < to; size += size / 2) {
		char *grown = situs_realloc(heap, block, size + size / 2);

		assert_non_null(grown);
		n_moves += grown != block;
		block = grown;
	}
	situs_free(block);
	return n_moves;
}

#endif

static situs_heap_t *make_heap(size_t limit)
{
	struct situs_config config = {.struct_size = sizeof(config), .n_arenas = 1, .limit = limit};
	situs_heap_t *heap = NULL;

	assert_int_equal(situs_heap_create(&heap, &aml_area_linux, &config), 0);
	return heap;
}

#ifndef SITUS_GUARDED
static void large_blocks_grow_where_they_stand(void **state)
{
	situs_heap_t *heap = make_heap(0);

	(void)state;
	/* Past light use. */
	for (int i = 0; i < 16; i++)
		assert_non_null(situs_malloc(heap, 50000));
	assert_true(grow(heap, 50000, 1000000) <= 2); /* of eight times */
	situs_heap_destroy(heap);
}
#endif

static void a_heap_in_light_use_draws_what_it_needs(void **state)
{
	situs_heap_t *heap = make_heap(0);

	(void)state;
	for (int i = 0; i < 10; i++)
		assert_non_null(situs_malloc(heap, 1000));
	assert_in_range(heap->account.drawn, 10000, 128 * 1024);
	situs_heap_destroy(heap);
}

#ifndef SITUS_GUARDED
static void what_is_drawn_ahead_takes_little_from_a_limit(void **state)
{
	enum { LIMIT = 20 << 20, BLOCK = 256 * 1024 };
	situs_heap_t *heap = make_heap(LIMIT);
	size_t used = 0;

	(void)state;
	while (situs_malloc(heap, BLOCK) != NULL)
		used += BLOCK;
	/* jemalloc adds a page to each. */
	assert_in_range(used, LIMIT - LIMIT / 16, LIMIT);
	situs_heap_destroy(heap);
}
#endif

static void extents_of_a_chain_tell_their_link(void **state)
{
	const struct aml_area_ops ops = {.mmap = give_neighbour, .munmap = take_neighbour,
		.link = second_half_is_second_link};
	const struct aml_area area = {.ops = &ops, .data = NULL};
	unsigned links[2] = {7, 7};

	(void)state;
	n_given = 0;
	assert_int_equal(space__init(&space, &area, 77 << 12, &account), 0);
	account.n_fallbacks = 0;
	assert_non_null(take(NEIGHBOUR, 4096));
	assert_int_equal(account.n_fallbacks, 0);
	assert_non_null(take(NEIGHBOUR, 4096));
	assert_int_equal(account.n_fallbacks, 1);
	assert_int_equal(space__iterate(&space, note_link, links), 0);
	assert_int_equal(links[0], 0);
	assert_int_equal(links[1], 1);
	space__destroy(&space);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(arena_memory_lies_in_the_area_and_goes_back),
		cmocka_unit_test(stale_and_foreign_arena_indices_are_refused),
		cmocka_unit_test(bound_arena_is_busy_and_stays_usable),
		cmocka_unit_test(hooks_serve_an_arena_the_program_makes),
		cmocka_unit_test(space_places_splits_and_merges),
		cmocka_unit_test(extents_never_span_two_regions),
#ifndef SITUS_GUARDED
		cmocka_unit_test(large_blocks_grow_where_they_stand),
		cmocka_unit_test(what_is_drawn_ahead_takes_little_from_a_limit),
#endif
		cmocka_unit_test(a_heap_in_light_use_draws_what_it_needs),
		cmocka_unit_test(extents_of_a_chain_tell_their_link),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
