/* SPDX-License-Identifier: BSD-3-Clause */
/* amm_find_gen and the simple interface, one behaviour a test. */
#include "tests/unit/amm_test.h"

#include <errno.h>

#include "amm/runs_index.h"

static void find_gen_spans_entries_whose_differences_the_mask_ignores(void **state)
{
	amm_t amm;
	amm_addr_t addr = 0;

	(void)state;
	init_plain(&amm);
	amm_modify(&amm, 100, 50, 4 | 1, NULL);
	amm_modify(&amm, 150, 50, 4 | 2, NULL);

	amm_entry_t *entry = amm_find_gen(&amm, &addr, 100, 4, 4, 0, 0, AMM_FORWARD);

	assert_ptr_equal(entry, amm_find_addr(&amm, 100));
	assert_int_equal(addr, 100);
	assert_null(amm_find_gen(&amm, &addr, 101, 4, 4, 0, 0, AMM_FORWARD));
	assert_int_equal(addr, 100);
	destroy(&amm);
}

static void find_gen_honours_any_alignment_and_offset(void **state)
{
	amm_t amm;
	amm_addr_t addr = 0;

	(void)state;
	init_plain(&amm);
	amm_modify(&amm, 1001, 5000, 1, NULL);
	assert_non_null(amm_find_gen(&amm, &addr, 10, 1, -1, 10, 24, AMM_FORWARD));
	assert_int_equal(addr, 1024 + 24);
	addr = AMM_MAXADDR;
	assert_non_null(amm_find_gen(&amm, &addr, 10, 1, -1, 10, 0xffff0000 + 24, AMM_BACKWARD));
	assert_int_equal(addr, 5 * 1024 + 24);
	addr = 0;
	assert_non_null(amm_find_gen(&amm, &addr, 10, 1, -1, 63, 3000, AMM_FORWARD));
	assert_int_equal(addr, 3000);
	addr = 0;
	assert_null(amm_find_gen(&amm, &addr, 10, 1, -1, 63, 30000, AMM_FORWARD));
	destroy(&amm);
}

static void find_gen_of_the_full_width_does_not_overflow(void **state)
{
	amm_t amm;
	amm_addr_t addr = 0;

	(void)state;
	init_plain(&amm);
	for (int flags = 0; flags < 8; flags++) {
		if (flags & AMM_EXACT_ADDR)
			continue;
		addr = flags & AMM_BACKWARD ? AMM_MAXADDR : 0;
		assert_non_null(amm_find_gen(&amm, &addr, AMM_MAXADDR, 0, -1, 0, 0, flags));
		assert_int_equal(addr, 0);
		addr = 1;
		assert_true((amm_find_gen(&amm, &addr, AMM_MAXADDR, 0, -1, 0, 0, flags) != NULL) ==
			((flags & AMM_BACKWARD) != 0));
		addr = AMM_MAXADDR;
		if (!(flags & AMM_BACKWARD))
			assert_null(amm_find_gen(&amm, &addr, 1, 0, -1, 0, 0, flags));
		else
			assert_non_null(amm_find_gen(&amm, &addr, 1, 0, -1, 63, AMM_MAXADDR - 1, flags));
	}
	destroy(&amm);
}

/* Holes of flags 1: [100,150) [200,220) [300,320) [400,430). */
static void make_holes(amm_t *amm)
{
	init_plain(amm);
	amm_modify(amm, 100, 50, 1, NULL);
	amm_modify(amm, 200, 20, 1, NULL);
	amm_modify(amm, 300, 20, 1, NULL);
	amm_modify(amm, 400, 30, 1, NULL);
}

static amm_addr_t found(amm_t *amm, amm_addr_t hint, amm_size_t size, int find_flags)
{
	amm_addr_t addr = hint;

	if (amm_find_gen(amm, &addr, size, 1, -1, 0, 0, find_flags) == NULL) {
		assert_int_equal(addr, hint);
		return AMM_MAXADDR;
	}
	return addr;
}

static void first_fit_takes_the_nearest_on_its_side_of_the_hint(void **state)
{
	amm_t amm;

	(void)state;
	make_holes(&amm);
	assert_int_equal(found(&amm, 0, 10, AMM_FORWARD), 100);
	assert_int_equal(found(&amm, 145, 10, AMM_FORWARD), 200);
	assert_int_equal(found(&amm, 130, 10, AMM_FORWARD), 130);
	assert_int_equal(found(&amm, 421, 10, AMM_FORWARD), AMM_MAXADDR);
	assert_int_equal(found(&amm, 1000, 10, AMM_BACKWARD), 420);
	assert_int_equal(found(&amm, 405, 10, AMM_BACKWARD), 405);
	assert_int_equal(found(&amm, 399, 10, AMM_BACKWARD), 310);
	assert_int_equal(found(&amm, 399, 25, AMM_BACKWARD), 125);
	assert_int_equal(found(&amm, 99, 1, AMM_BACKWARD), AMM_MAXADDR);
	destroy(&amm);
}

static void best_fit_takes_the_smallest_run_measured_whole(void **state)
{
	amm_t amm;

	(void)state;
	make_holes(&amm);
	assert_int_equal(found(&amm, 0, 20, AMM_BESTFIT), 200);
	assert_int_equal(found(&amm, 0, 21, AMM_BESTFIT), 400);
	assert_int_equal(found(&amm, 0, 31, AMM_BESTFIT), 100);
	assert_int_equal(found(&amm, 0, 51, AMM_BESTFIT), AMM_MAXADDR);
	assert_int_equal(found(&amm, 201, 20, AMM_BESTFIT), 300);
	/* The hint leaves 10 of the second hole; it is still a hole of 20, as small as the third. */
	assert_int_equal(found(&amm, 210, 10, AMM_BESTFIT), 210);
	assert_int_equal(found(&amm, 1000, 20, AMM_BESTFIT | AMM_BACKWARD), 300);
	assert_int_equal(found(&amm, 1000, 15, AMM_BESTFIT | AMM_BACKWARD), 305);
	assert_int_equal(found(&amm, 299, 15, AMM_BESTFIT | AMM_BACKWARD), 205);
	assert_int_equal(found(&amm, 150, 15, AMM_BESTFIT | AMM_BACKWARD), 135);
	destroy(&amm);
}

static void best_fit_sees_a_run_of_several_entries_as_one(void **state)
{
	amm_t amm;

	(void)state;
	make_holes(&amm);
	amm_select(&amm, 405, 5);
	assert_int_equal(found(&amm, 0, 25, AMM_BESTFIT), 400);
	destroy(&amm);
}

static void exact_takes_that_address_or_none(void **state)
{
	amm_t amm;
	amm_addr_t addr = 128;

	(void)state;
	make_holes(&amm);
	assert_int_equal(found(&amm, 130, 20, AMM_EXACT_ADDR), 130);
	assert_int_equal(found(&amm, 130, 21, AMM_EXACT_ADDR), AMM_MAXADDR);
	assert_int_equal(found(&amm, 99, 1, AMM_EXACT_ADDR | AMM_BESTFIT | AMM_BACKWARD), AMM_MAXADDR);
	assert_non_null(amm_find_gen(&amm, &addr, 1, 1, -1, 5, 0, AMM_EXACT_ADDR));
	addr = 129;
	assert_null(amm_find_gen(&amm, &addr, 1, 1, -1, 5, 0, AMM_EXACT_ADDR));
	destroy(&amm);
}

/* The run is as large as one can be: there is no next size to try. */
static void a_best_fit_over_all_addresses_may_find_no_aligned_place(void **state)
{
	amm_t amm;
	amm_addr_t addr = 4;

	(void)state;
	make_holes(&amm);
	for (int find_flags = AMM_FIRSTFIT; find_flags <= AMM_BESTFIT; find_flags += AMM_BESTFIT) {
		assert_null(amm_find_gen(&amm, &addr, 1, 0, 0, 3, 5, find_flags | AMM_BACKWARD));
		assert_null(amm_find_gen(&amm, &addr, AMM_MAXADDR - 4, 0, 0, 3, 5, find_flags));
		assert_int_equal(addr, 4);
	}
	addr = 5;
	assert_non_null(amm_find_gen(&amm, &addr, 1, 0, 0, 3, 5, AMM_BESTFIT | AMM_BACKWARD));
	destroy(&amm);
}

static void a_wanted_bit_outside_the_mask_is_found_nowhere(void **state)
{
	amm_t amm;
	amm_addr_t addr = 0;

	(void)state;
	make_holes(&amm);
	assert_null(amm_find_gen(&amm, &addr, 1, 3, 1, 0, 0, 0));
	assert_null(amm_find_gen(&amm, &addr, 1, 3, 1, 0, 0, AMM_BESTFIT));
	assert_null(amm_find_gen(&amm, &addr, 1, 3, 1, 0, 0, AMM_EXACT_ADDR));
	destroy(&amm);
}

/* Simple interface */

static void allocate_searches_from_the_hint_then_from_the_lowest(void **state)
{
	amm_t amm;
	amm_addr_t addr = 0x5000;

	(void)state;
	amm_init(&amm, 0x1000, 0x9000);
	assert_int_equal(amm_allocate(&amm, &addr, 0x1000, 3), 0);
	assert_int_equal(addr, 0x5000);
	expect(&amm, 0x5000, 0x6000, AMM_ALLOCATED | 3);
	assert_int_equal(amm_allocate(&amm, &addr, 0x3000, 3), 0);
	assert_int_equal(addr, 0x6000);
	assert_int_equal(amm_allocate(&amm, &addr, 0x1000, 1), 0);
	assert_int_equal(addr, 0x1000);
	assert_int_equal(amm_allocate(&amm, &addr, 0x4000, 1), ENOMEM);
	assert_int_equal(addr, 0x1000);
	destroy(&amm);
}

static void deallocate_and_protect_touch_allocated_entries_only(void **state)
{
	amm_t amm;
	amm_addr_t addr = 0x2000;

	(void)state;
	amm_init(&amm, 0x1000, 0x9000);
	amm_allocate(&amm, &addr, 0x1000, 3);
	addr = 0x4000;
	amm_allocate(&amm, &addr, 0x1000, 3);
	assert_int_equal(amm_protect(&amm, 0x800, 0x4000, 1), 0);
	expect(&amm, AMM_MINADDR, 0x1000, AMM_RESERVED);
	expect(&amm, 0x1000, 0x2000, AMM_FREE);
	expect(&amm, 0x2000, 0x3000, AMM_ALLOCATED | 1);
	expect(&amm, 0x4000, 0x4800, AMM_ALLOCATED | 1);
	expect(&amm, 0x4800, 0x5000, AMM_ALLOCATED | 3);
	assert_int_equal(amm_deallocate(&amm, AMM_MINADDR, AMM_MAXADDR), 0);
	assert_int_equal(amm_count(&amm), 3);
	expect(&amm, 0x1000, 0x9000, AMM_FREE);
	destroy(&amm);
}

static void reserve_takes_addresses_out_of_reach(void **state)
{
	amm_t amm;
	amm_addr_t addr = 0;

	(void)state;
	amm_init(&amm, 0x1000, 0x3000);
	assert_int_equal(amm_reserve(&amm, 0x1000, 0x1000), 0);
	assert_int_equal(amm_allocate(&amm, &addr, 0x1000, 0), 0);
	assert_int_equal(addr, 0x2000);
	destroy(&amm);
}

/* Flags of which every node has all bits: nothing tells a search where not to look. */
static void a_first_fit_that_went_far_knows_the_way_the_next_time(void **state)
{
	enum { N = 20000 };

	(void)state;
	for (int find_flags = AMM_FORWARD; find_flags <= AMM_BACKWARD; find_flags++) {
		amm_t amm;
		amm_addr_t addr;
		size_t n_visited[2];

		init_plain(&amm);
		for (amm_addr_t i = 1; i <= N; i++)
			assert_int_equal(amm_modify(&amm, i * 10, 10, i % 2 == 0 ? 1 : 2, NULL), 0);
		assert_int_equal(amm_modify(&amm, find_flags == AMM_FORWARD ? (N + 1) * 10 : 0, 10, 3, NULL), 0);
		for (int i = 0; i < 2; i++) {
			n_visited[i] = amm.memory->n_visited;
			addr = find_flags == AMM_FORWARD ? 0 : (N + 2) * 10;
			assert_non_null(amm_find_gen(&amm, &addr, 10, 3, -1, 0, 0, find_flags));
			assert_int_equal(addr, find_flags == AMM_FORWARD ? (N + 1) * 10 : 0);
			n_visited[i] = amm.memory->n_visited - n_visited[i];
		}
		assert_true(n_visited[0] > 500);
		assert_true(n_visited[1] < 50);
		destroy(&amm);
	}
}

/* Nodes that all searches so far went through. */
static size_t n_visited(const amm_t *amm)
{
	return amm->memory->n_visited + amm->memory->runs->pools.n_visited;
}

/* What a best fit goes through that has been asked a few times before. */
static size_t cost_of(amm_t *amm, amm_addr_t hint, amm_size_t size, int flags, int mask, int align_bits,
	int find_flags)
{
	amm_addr_t addr = hint;

	/* Until it has an index of its own. */
	for (int i = 0; i < 30; i++) {
		addr = hint;
		(void)amm_find_gen(amm, &addr, size, flags, mask, align_bits, 0, find_flags);
	}
	addr = hint;

	size_t before = n_visited(amm);

	assert_non_null(amm_find_gen(amm, &addr, size, flags, mask, align_bits, 0, find_flags));
	return n_visited(amm) - before;
}

static void any_number_of_flag_words_may_be_asked_for_in_turn(void **state)
{
	enum { N = 40000, WORDS = 100 };
	amm_t amm;

	(void)state;
	init_plain(&amm);
	for (amm_addr_t i = 1; i <= N; i++)
		assert_int_equal(amm_modify(&amm, i * 100, 1 + i % 97, (int)(1 + i % WORDS), NULL), 0);
	for (int round = 0; round < 3; round++)
		for (int flags = 1; flags <= WORDS; flags++) {
			amm_addr_t addr = 0;
			size_t before = n_visited(&amm);

			assert_non_null(amm_find_gen(&amm, &addr, 40, flags, -1, 0, 0, AMM_BESTFIT));
			if (round > 0)
				assert_in_range(n_visited(&amm) - before, 1, 20);
			assert_int_equal(amm_modify(&amm, addr, 40, 0, NULL), 0);
			assert_int_equal(amm_modify(&amm, addr, 40, flags, NULL), 0);
		}
	destroy(&amm);
}

static void more_masks_than_indices_do_not_drive_one_another_out(void **state)
{
	enum { N = 10000, MASKS = RUNS_MAX + 4, ROUNDS = 60 };
	amm_t amm;
	int n_far = 0;

	(void)state;
	init_plain(&amm);
	for (amm_addr_t i = 1; i <= N; i++)
		assert_int_equal(amm_modify(&amm, i * 100, 1 + i % 97, 1, NULL), 0);
	for (int round = 0; round < ROUNDS; round++)
		for (int mask = 0; mask < MASKS; mask++) {
			amm_addr_t addr = 0;
			size_t before = n_visited(&amm);

			assert_non_null(amm_find_gen(&amm, &addr, 40, 1, 1 | mask << 1, 0, 0, AMM_BESTFIT));
			n_far += n_visited(&amm) - before > 100;
		}
	assert_in_range(n_far, MASKS, ROUNDS * 8);
	destroy(&amm);
}

/*
 * Small holes that are aligned lie below the hint, those above it are not: every node of an index by
 * size has both. The one that will do is large.
 */
static void an_aligned_best_fit_is_not_led_astray_by_holes_on_the_wrong_side(void **state)
{
	enum { N = 20000, BITS = 12 };

	(void)state;
	for (int backward = 0; backward <= AMM_BACKWARD; backward += AMM_BACKWARD) {
		amm_t amm;
		amm_addr_t middle = (amm_addr_t)(N + 2) << 20;

		init_plain(&amm);
		for (amm_addr_t i = 1; i <= N; i++) {
			amm_addr_t below = i << 20, above = middle + (i << 20);

			assert_int_equal(amm_modify(&amm, below + (backward ? 1 + i % 4095 : 0), 4096 + i % 50, 1, NULL), 0);
			assert_int_equal(amm_modify(&amm, above + (backward ? 0 : 1 + i % 4095), 4096 + i % 50, 1, NULL), 0);
		}
		assert_int_equal(amm_modify(&amm, backward ? 0 : 2 * middle, 100000, 1, NULL), 0);
		assert_in_range(cost_of(&amm, middle, 4096, 1, -1, BITS, AMM_BESTFIT | backward), 1, 100);
		destroy(&amm);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(find_gen_spans_entries_whose_differences_the_mask_ignores),
		cmocka_unit_test(find_gen_honours_any_alignment_and_offset),
		cmocka_unit_test(find_gen_of_the_full_width_does_not_overflow),
		cmocka_unit_test(first_fit_takes_the_nearest_on_its_side_of_the_hint),
		cmocka_unit_test(best_fit_takes_the_smallest_run_measured_whole),
		cmocka_unit_test(best_fit_sees_a_run_of_several_entries_as_one),
		cmocka_unit_test(exact_takes_that_address_or_none),
		cmocka_unit_test(a_best_fit_over_all_addresses_may_find_no_aligned_place),
		cmocka_unit_test(a_wanted_bit_outside_the_mask_is_found_nowhere),
		cmocka_unit_test(a_first_fit_that_went_far_knows_the_way_the_next_time),
		cmocka_unit_test(any_number_of_flag_words_may_be_asked_for_in_turn),
		cmocka_unit_test(more_masks_than_indices_do_not_drive_one_another_out),
		cmocka_unit_test(an_aligned_best_fit_is_not_led_astray_by_holes_on_the_wrong_side),
		cmocka_unit_test(allocate_searches_from_the_hint_then_from_the_lowest),
		cmocka_unit_test(deallocate_and_protect_touch_allocated_entries_only),
		cmocka_unit_test(reserve_takes_addresses_out_of_reach),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
