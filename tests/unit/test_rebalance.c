/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Chains that are put in order: what lies on which link, and what comes home when there is room. The
 * links are limits on one node; between nodes it is tests/lab/guest/heap_chains.c's.
 */
#include "tests/unit/migrate_test.h"

#include <errno.h>
#include <unistd.h>

enum { ROOM = 16 }; /* MiB on the first link */

static struct aml_area *open_chain(void)
{
	return open_area("node:0,limit:16M > node:0,limit:64M > node:0");
}

static char *block(situs_heap_t *heap, int size_mib, int byte)
{
	char *start = situs_malloc(heap, (size_t)size_mib * MIB);

	assert_non_null(start);
	memset(start, byte, (size_t)size_mib * MIB);
	return start;
}

static void check_block(const char *start, int size_mib, int byte)
{
	for (size_t i = 0; i < (size_t)size_mib * MIB; i++)
		if (start[i] != (char)byte)
			fail_msg("changed at %zu", i);
}

static size_t on_link(situs_heap_t *heap, int link)
{
	size_t bytes[3];

	assert_int_equal(situs_heap_links(heap, bytes, 3), 3);
	assert_true(bytes[0] + bytes[1] + bytes[2] <= heap->account.drawn);
	return bytes[link];
}

static void what_spilled_comes_home_when_there_is_room(void **state)
{
	struct aml_area *chain = open_chain();
	situs_heap_t *heap = make(chain);
	char *first = block(heap, 12, 1), *second = block(heap, 12, 2), *third = block(heap, 60, 3);

	(void)state;
	assert_int_equal(aml_area_link(chain, first), 0);
	assert_int_equal(aml_area_link(chain, second), 1);
	assert_int_equal(aml_area_link(chain, third), 2);
	assert_true(on_link(heap, 1) >= 12 * MIB && on_link(heap, 2) >= 60 * MIB);
	situs_free(first);
	situs_heap_trim(heap);
	assert_true(situs_heap_rebalance(heap, NULL, NULL) > 12 * 200);
	/* Nobody said which of the two shall be nearest. */
	assert_true(on_link(heap, 0) > 14 * MIB && on_link(heap, 0) <= ROOM * MIB);
	assert_true(on_link(heap, 1) > 55 * MIB && on_link(heap, 2) == 0);
	check_block(second, 12, 2);
	check_block(third, 60, 3);
	check_spaces(heap);
	situs_free(second);
	situs_free(third);
	situs_heap_destroy(heap);
	aml_area_close(&chain);
}

static void nothing_moves_where_there_is_no_room(void **state)
{
	struct aml_area *chain = open_chain();
	situs_heap_t *heap = make(chain);
	char *first = block(heap, 15, 1), *second = block(heap, 60, 2), *third = block(heap, 20, 3);
	size_t before[3];

	(void)state;
	(void)situs_heap_rebalance(heap, NULL, NULL);
	for (int i = 0; i < 3; i++)
		before[i] = on_link(heap, i);
	assert_int_equal(situs_heap_rebalance(heap, NULL, NULL), 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(on_link(heap, i), before[i]);
	check_block(first, 15, 1);
	check_block(second, 60, 2);
	check_block(third, 20, 3);
	situs_heap_destroy(heap);
	aml_area_close(&chain);
}

static void cold_makes_room_for_hot(void **state)
{
	struct aml_area *chain = open_chain();
	situs_heap_t *heap = make(chain);
	char *cold = block(heap, 12, 1), *other = block(heap, 12, 2), *hot = block(heap, 12, 3);

	(void)state;
	assert_int_equal(aml_area_link(chain, cold), 0);
	assert_int_equal(situs_hint(cold, 12 * MIB, SITUS_HINT_COLD), 0);
	assert_int_equal(situs_hint(hot + 5, 1, SITUS_HINT_HOT), 0);
	assert_true(situs_heap_rebalance(heap, NULL, NULL) > 0);
	assert_int_equal(aml_area_link(chain, hot), 0);
	assert_int_equal(aml_area_link(chain, hot + 12 * MIB - 1), 0);
	assert_int_equal(aml_area_link(chain, other + 6 * MIB), 1);
	assert_int_equal(aml_area_link(chain, cold + 6 * MIB), 2);
	check_block(cold, 12, 1);
	check_block(other, 12, 2);
	check_block(hot, 12, 3);
	/* Once nobody calls it cold any more it takes the room that is left. */
	situs_free(hot);
	situs_heap_trim(heap);
	assert_int_equal(situs_hint(cold, 12 * MIB, SITUS_HINT_HOT), 0);
	assert_true(situs_heap_rebalance(heap, NULL, NULL) > 0);
	assert_int_equal(aml_area_link(chain, cold + 6 * MIB), 0);
	check_block(cold, 12, 1);
	situs_heap_destroy(heap);
	aml_area_close(&chain);
}

struct told {
	const char *start;
	int state;
};

static int look(const struct situs_extent *extent, void *arg)
{
	struct told *told = arg;
	const char *start = extent->start;

	if (told->start >= start && told->start < start + extent->size)
		told->state = extent->state;
	return 0;
}

static int state_of(situs_heap_t *heap, const char *start)
{
	struct told told = {start, -1};

	assert_int_equal(situs_heap_iterate(heap, look, &told), 0);
	return told.state;
}

static void hints_last_until_the_extent_is_freed(void **state)
{
	situs_heap_t *heap = make(&aml_area_linux);
	char *start = block(heap, 4, 1), *other = block(heap, 4, 1);

	(void)state;
	assert_int_equal(situs_hint(start, 4 * MIB, SITUS_HINT_HOT), 0);
	assert_int_equal(situs_hint(other, 1, SITUS_HINT_COLD), 0);
	assert_int_equal(state_of(heap, start), SITUS_EXTENT_COMMITTED | SITUS_EXTENT_HOT);
	assert_int_equal(state_of(heap, other), SITUS_EXTENT_COMMITTED | SITUS_EXTENT_COLD);
	assert_int_equal(situs_hint(start, 1, SITUS_HINT_NONE), 0);
	assert_int_equal(state_of(heap, start), SITUS_EXTENT_COMMITTED);
	situs_free(other);
	situs_heap_trim(heap);
	other = block(heap, 4, 1);
	assert_int_equal(state_of(heap, other), SITUS_EXTENT_COMMITTED);
	situs_heap_destroy(heap);
}

static void hints_pass_on_through_splits_and_hold_after_merges_where_both_say_so(void **state)
{
	situs_heap_t *heap = make(&aml_area_linux);
	bool zero = false;
	struct space *space = NULL;
	char *start;

	(void)state;
	assert_non_null(situs_malloc(heap, 10));
	for (unsigned i = 0; i < heap->n_arenas; i++)
		if (heap->arenas[i] != NULL)
			space = hooks__space(heap->arenas[i]->hooks);
	start = space__alloc(space, NULL, 2 * MIB, 4096, &zero);
	assert_int_equal(space__hint(space, start, 1, SPACE_HINT_COLD), 0);
	space__split(space, start, MIB, MIB);
	assert_int_equal(state_of(heap, start + MIB), SITUS_EXTENT_COMMITTED | SITUS_EXTENT_COLD);
	assert_int_equal(space__merge(space, start, MIB, MIB), 0);
	assert_int_equal(state_of(heap, start), SITUS_EXTENT_COMMITTED | SITUS_EXTENT_COLD);
	space__split(space, start, MIB, MIB);
	assert_int_equal(space__hint(space, start, 1, SPACE_HINT_HOT), 0);
	assert_int_equal(space__merge(space, start, MIB, MIB), 0);
	assert_int_equal(state_of(heap, start), SITUS_EXTENT_COMMITTED);
	assert_int_equal(space__free(space, start, 2 * MIB), 0);
	situs_heap_destroy(heap);
}

static int cancel(size_t done, size_t total, void *arg)
{
	(void)total, (void)arg;
	return done >= *(size_t *)arg;
}

static void a_cancel_leaves_a_chain_in_order(void **state)
{
	struct aml_area *chain = open_chain();
	situs_heap_t *heap = make(chain);
	char *first = block(heap, 12, 1), *second = block(heap, 12, 2);
	size_t at_once = 0, later = 30 * MIB;

	(void)state;
	situs_free(first);
	situs_heap_trim(heap);
	assert_int_equal(situs_heap_rebalance(heap, cancel, &at_once), -ECANCELED);
	assert_int_equal(aml_area_link(chain, second), 1);
	assert_int_equal(situs_heap_rebalance(heap, cancel, &later), -ECANCELED);
	check_spaces(heap);
	assert_true(situs_heap_rebalance(heap, NULL, NULL) >= 0);
	assert_int_equal(aml_area_link(chain, second), 0);
	check_block(second, 12, 2);
	situs_heap_destroy(heap);
	aml_area_close(&chain);
}

static void threads_go_on_while_a_chain_is_put_in_order(void **state)
{
	struct aml_area *chain = open_area("node:0,limit:6M > node:0,limit:6M > node:0");
	struct busy busy;
	size_t bytes[3];

	(void)state;
	busy_start(&busy, make(chain));
	for (int i = 0; i < 20; i++) {
		assert_true(situs_heap_rebalance(busy.heap, NULL, NULL) >= 0);
		assert_int_equal(situs_heap_links(busy.heap, bytes, 3), 3);
	}
	busy_stop(&busy);
	check_spaces(busy.heap);
	situs_heap_destroy(busy.heap);
	aml_area_close(&chain);
}

static void bad_arguments_are_refused_in_words(void **state)
{
	situs_heap_t *heap = make(&aml_area_linux), *shared = situs_heap_open("file:/tmp");
	char *start = situs_malloc(heap, 100000);
	int on_stack;

	(void)state;
	assert_int_equal(situs_hint(NULL, 1, SITUS_HINT_HOT), -EINVAL);
	assert_int_equal(situs_hint(&on_stack, 1, SITUS_HINT_HOT), -EINVAL);
	assert_int_equal(situs_hint(start, 0, SITUS_HINT_HOT), -EINVAL);
	assert_int_equal(situs_hint(start, SIZE_MAX, SITUS_HINT_HOT), -EINVAL);
	assert_int_equal(situs_hint(start, 1, 3), -EINVAL);
	assert_int_equal(situs_hint(start, 1, -1), -EINVAL);
	assert_int_equal(situs_heap_links(heap, NULL, 1), -EINVAL);
	assert_int_equal(situs_heap_links(heap, NULL, 0), 1);
	assert_int_equal(situs_heap_rebalance(NULL, NULL, NULL), -EINVAL);
	assert_non_null(situs_malloc(shared, 100));
	assert_int_equal(situs_heap_rebalance(shared, NULL, NULL), -ENOTSUP);
	situs_heap_destroy(shared);
	situs_heap_destroy(heap);
	assert_int_equal(situs_heap_rebalance(heap, NULL, NULL), -EINVAL);
	assert_int_equal(situs_heap_links(heap, NULL, 0), -EINVAL);
	assert_int_equal(situs_hint(start, 1, SITUS_HINT_HOT), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_spilled_comes_home_when_there_is_room),
		cmocka_unit_test(nothing_moves_where_there_is_no_room),
		cmocka_unit_test(cold_makes_room_for_hot),
		cmocka_unit_test(hints_last_until_the_extent_is_freed),
		cmocka_unit_test(hints_pass_on_through_splits_and_hold_after_merges_where_both_say_so),
		cmocka_unit_test(a_cancel_leaves_a_chain_in_order),
		cmocka_unit_test(threads_go_on_while_a_chain_is_put_in_order),
		cmocka_unit_test(bad_arguments_are_refused_in_words),
	};

	return cmocka_run_group_tests_name("rebalance", tests, NULL, NULL);
}
