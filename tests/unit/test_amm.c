/* SPDX-License-Identifier: BSD-3-Clause */
/* The address map, one behaviour a test. What holds of any sequence is in tests/property. */
#include "tests/unit/test.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "amm.h"

_Static_assert(sizeof(amm_entry_t) <= 64, "a default entry is at most a cache line");

/* A map whose callbacks count, refuse and fail as told. */
static struct {
	int n_alloc, n_free, n_split, n_join;
	int fail_after; /* allocations; negative: never */
	int refuse_joins;
	enum { HEAD_OLD, TAIL_OLD, BOTH_NEW } split;
	enum { JOIN_HEAD, JOIN_TAIL, JOIN_NEW } join;
	amm_addr_t freed_start, freed_end;
	int freed_flags;
} calls;

static amm_entry_t *count_alloc(amm_t *amm, amm_addr_t addr, amm_size_t size, int flags)
{
	(void)amm;
	(void)addr;
	(void)size;
	(void)flags;
	if (calls.fail_after == 0)
		return NULL;
	if (calls.fail_after > 0)
		calls.fail_after--;
	calls.n_alloc++;
	return malloc(sizeof(amm_entry_t));
}

static void count_free(amm_t *amm, amm_entry_t *entry)
{
	(void)amm;
	calls.n_free++;
	calls.freed_start = amm_entry_start(entry);
	calls.freed_end = amm_entry_end(entry);
	calls.freed_flags = amm_entry_flags(entry);
	free(entry);
}

static int count_split(amm_t *amm, amm_entry_t *entry, amm_addr_t at, amm_entry_t **head,
	amm_entry_t **tail)
{
	amm_entry_t *made = count_alloc(amm, at, 1, 0);

	if (made == NULL)
		return ENOSPC;
	calls.n_split++;
	*head = calls.split == HEAD_OLD ? entry : made;
	*tail = calls.split == TAIL_OLD ? entry : made;
	if (calls.split == BOTH_NEW) {
		*tail = malloc(sizeof(amm_entry_t));
		calls.n_alloc++;
	}
	return 0;
}

static int count_join(amm_t *amm, amm_entry_t *head, amm_entry_t *tail, amm_entry_t **joined)
{
	calls.n_join++;
	if (calls.refuse_joins)
		return -1;
	*joined = calls.join == JOIN_HEAD ? head
		: calls.join == JOIN_TAIL ? tail
					  : count_alloc(amm, 0, 1, 0);
	return 0;
}

static void init_counting(amm_t *amm, int flags)
{
	memset(&calls, 0, sizeof(calls));
	calls.fail_after = -1;
	assert_int_equal(amm_init_gen(amm, flags, NULL, count_alloc, count_free, count_split,
				 count_join), 0);
}

static void init_plain(amm_t *amm)
{
	assert_int_equal(amm_init_gen(amm, 0, NULL, NULL, NULL, NULL, NULL), 0);
}

static void expect(amm_t *amm, amm_addr_t start, amm_addr_t end, int flags)
{
	amm_entry_t *entry = amm_find_addr(amm, start);

	assert_non_null(entry);
	assert_int_equal(amm_entry_start(entry), start);
	assert_int_equal(amm_entry_end(entry), end);
	assert_int_equal(amm_entry_size(entry), end - start);
	assert_int_equal(amm_entry_flags(entry), flags);
}

static void destroy(amm_t *amm)
{
	assert_int_equal(amm_check(amm), 0);
	amm_destroy(amm);
}

/* Init and destroy */

static void init_gen_covers_everything_with_one_entry(void **state)
{
	amm_t amm;

	(void)state;
	assert_int_equal(amm_init_gen(&amm, 42, NULL, NULL, NULL, NULL, NULL), 0);
	assert_int_equal(amm_count(&amm), 1);
	expect(&amm, AMM_MINADDR, AMM_MAXADDR, 42);
	assert_ptr_equal(amm_find_addr(&amm, AMM_MAXADDR - 1), amm_find_addr(&amm, 0));
	destroy(&amm);
}

static void init_gen_takes_the_callers_entry(void **state)
{
	amm_t amm;
	amm_entry_t *entry = malloc(sizeof(*entry));

	(void)state;
	assert_int_equal(amm_init_gen(&amm, 7, entry, NULL, NULL, NULL, NULL), 0);
	assert_ptr_equal(amm_find_addr(&amm, 123), entry);
	expect(&amm, AMM_MINADDR, AMM_MAXADDR, 7);
	destroy(&amm);
}

static void init_without_memory_for_the_entry_fails(void **state)
{
	amm_t amm;

	(void)state;
	memset(&calls, 0, sizeof(calls));
	assert_int_equal(amm_init_gen(&amm, 0, NULL, count_alloc, count_free, NULL, NULL), ENOMEM);
	amm_destroy(&amm); /* harmless */
}

static void init_marks_the_range_free_and_the_rest_reserved(void **state)
{
	amm_t amm;

	(void)state;
	assert_int_equal(amm_init(&amm, 0x1000, 0x9000), 0);
	assert_int_equal(amm_count(&amm), 3);
	expect(&amm, AMM_MINADDR, 0x1000, AMM_RESERVED);
	expect(&amm, 0x1000, 0x9000, AMM_FREE);
	expect(&amm, 0x9000, AMM_MAXADDR, AMM_RESERVED);
	destroy(&amm);
	assert_int_equal(amm_init(&amm, AMM_MINADDR, AMM_MAXADDR), 0);
	expect(&amm, AMM_MINADDR, AMM_MAXADDR, AMM_FREE);
	destroy(&amm);
	assert_int_equal(amm_init(&amm, 2, 1), EINVAL);
}

static void destroy_frees_every_entry(void **state)
{
	amm_t amm;

	(void)state;
	init_counting(&amm, 0);
	for (amm_addr_t a = 0; a < 1000; a += 2)
		assert_int_equal(amm_modify(&amm, a, 1, 1, NULL), 0);
	amm_destroy(&amm);
	assert_int_equal(calls.n_alloc, calls.n_free);
	amm_destroy(&amm);
	amm_destroy(NULL);
}

/* Modify */

static void modify_replaces_splits_and_frees(void **state)
{
	amm_t amm;

	(void)state;
	init_plain(&amm);
	assert_int_equal(amm_modify(&amm, 100, 100, 1, NULL), 0);
	assert_int_equal(amm_modify(&amm, 200, 100, 2, NULL), 0);
	assert_int_equal(amm_modify(&amm, 50, 200, 3, NULL), 0);
	assert_int_equal(amm_count(&amm), 4);
	expect(&amm, 0, 50, 0);
	expect(&amm, 50, 250, 3);
	expect(&amm, 250, 300, 2);
	expect(&amm, 300, AMM_MAXADDR, 0);
	destroy(&amm);
}

static void modify_joins_equal_neighbours_on_both_sides(void **state)
{
	amm_t amm;

	(void)state;
	init_plain(&amm);
	amm_modify(&amm, 100, 10, 1, NULL);
	amm_modify(&amm, 120, 10, 1, NULL);
	assert_int_equal(amm_modify(&amm, 110, 10, 1, NULL), 0);
	assert_int_equal(amm_count(&amm), 3);
	expect(&amm, 100, 130, 1);
	destroy(&amm);
}

static void modify_oom_leaves_map_unchanged(void **state)
{
	amm_t amm;

	(void)state;
	init_counting(&amm, 0);
	amm_modify(&amm, 100, 100, 1, NULL);
	amm_modify(&amm, 200, 100, 2, NULL);
	for (int k = 0;; k++) {
		int n_out = calls.n_alloc - calls.n_free;

		calls.fail_after = k;

		int err = amm_modify(&amm, 50, 200, 3, NULL);

		calls.fail_after = -1;
		if (err == 0) {
			assert_true(k >= 2);
			break;
		}
		assert_true(err == ENOMEM || err == ENOSPC);
		assert_int_equal(calls.n_alloc - calls.n_free, n_out);
		assert_int_equal(amm_count(&amm), 4);
		expect(&amm, 0, 100, 0);
		expect(&amm, 100, 200, 1);
		expect(&amm, 200, 300, 2);
		assert_int_equal(amm_check(&amm), 0);
	}
	expect(&amm, 50, 250, 3);
	destroy(&amm);
	assert_int_equal(calls.n_alloc, calls.n_free);
}

static void modify_of_equal_flags_inside_one_entry_does_nothing(void **state)
{
	amm_t amm;

	(void)state;
	init_counting(&amm, 5);
	calls.fail_after = 0;
	assert_int_equal(amm_modify(&amm, 1000, 50, 5, NULL), 0);
	assert_int_equal(calls.n_alloc, 1);
	assert_int_equal(calls.n_free + calls.n_split + calls.n_join, 0);
	calls.fail_after = -1;
	destroy(&amm);
}

static void modify_uses_the_callers_entry(void **state)
{
	amm_t amm;
	amm_entry_t *entry = malloc(sizeof(*entry));

	(void)state;
	init_plain(&amm);
	assert_int_equal(amm_modify(&amm, 10, 10, 1, entry), 0);
	assert_ptr_equal(amm_find_addr(&amm, 15), entry);
	expect(&amm, 10, 20, 1);
	destroy(&amm);
}

static void modify_takes_the_very_entry_that_covers_the_range(void **state)
{
	(void)state;
	for (int split = HEAD_OLD; split <= BOTH_NEW; split++) {
		amm_t amm;

		init_counting(&amm, 0);
		amm_modify(&amm, 0, 100, 1, NULL);
		calls.split = split;

		amm_entry_t *entry = amm_find_addr(&amm, 0);

		/* All of it, its middle, its head, its tail. */
		assert_int_equal(amm_modify(&amm, 0, 100, 2, entry), 0);
		assert_ptr_equal(amm_find_addr(&amm, 0), entry);
		assert_int_equal(amm_modify(&amm, 20, 60, 3, entry), 0);
		assert_ptr_equal(amm_find_addr(&amm, 20), entry);
		expect(&amm, 0, 20, 2);
		expect(&amm, 20, 80, 3);
		expect(&amm, 80, 100, 2);
		assert_int_equal(amm_modify(&amm, 20, 10, 4, entry), 0);
		assert_ptr_equal(amm_find_addr(&amm, 20), entry);
		expect(&amm, 30, 80, 3);
		assert_int_equal(amm_modify(&amm, 25, 5, 5, entry), 0);
		assert_ptr_equal(amm_find_addr(&amm, 25), entry);
		expect(&amm, 20, 25, 4);
		destroy(&amm);
		assert_int_equal(calls.n_alloc, calls.n_free);
	}
}

static void modify_at_both_ends_of_the_address_range(void **state)
{
	amm_t amm;

	(void)state;
	init_plain(&amm);
	assert_int_equal(amm_modify(&amm, AMM_MINADDR, 1, 1, NULL), 0);
	assert_int_equal(amm_modify(&amm, AMM_MAXADDR - 1, 1, 2, NULL), 0);
	expect(&amm, 0, 1, 1);
	expect(&amm, AMM_MAXADDR - 1, AMM_MAXADDR, 2);
	assert_int_equal(amm_modify(&amm, AMM_MINADDR, AMM_MAXADDR, 3, NULL), 0);
	assert_int_equal(amm_count(&amm), 1);
	expect(&amm, AMM_MINADDR, AMM_MAXADDR, 3);
	destroy(&amm);
}

static void modify_hands_out_what_the_split_callback_said(void **state)
{
	amm_t amm;

	(void)state;
	init_counting(&amm, 0);
	calls.fail_after = 1; /* the new entry, but no split */
	assert_int_equal(amm_modify(&amm, 10, 10, 1, NULL), ENOSPC);
	calls.fail_after = -1;
	assert_int_equal(amm_count(&amm), 1);
	destroy(&amm);
}

/* Callbacks */

static void split_may_keep_head_or_tail_or_neither(void **state)
{
	(void)state;
	for (int split = HEAD_OLD; split <= BOTH_NEW; split++) {
		amm_t amm;

		init_counting(&amm, 0);
		calls.split = split;
		assert_non_null(amm_select(&amm, 100, 100));
		assert_int_equal(amm_count(&amm), 3);
		expect(&amm, 0, 100, 0);
		expect(&amm, 100, 200, 0);
		assert_int_equal(calls.n_alloc - calls.n_free, 3);
		destroy(&amm);
		assert_int_equal(calls.n_alloc, calls.n_free);
	}
}

static void join_may_give_head_or_tail_or_a_new_one(void **state)
{
	(void)state;
	for (int join = JOIN_HEAD; join <= JOIN_NEW; join++) {
		amm_t amm;

		init_counting(&amm, 0);
		amm_modify(&amm, 100, 100, 1, NULL);
		calls.join = join;
		assert_int_equal(amm_modify(&amm, 100, 100, 0, NULL), 0);
		assert_int_equal(amm_count(&amm), 1);
		expect(&amm, AMM_MINADDR, AMM_MAXADDR, 0);
		destroy(&amm);
		assert_int_equal(calls.n_alloc, calls.n_free);
	}
}

static void refused_join_leaves_two_entries_and_is_no_error(void **state)
{
	amm_t amm;

	(void)state;
	init_counting(&amm, 0);
	calls.refuse_joins = 1;
	assert_int_equal(amm_modify(&amm, 100, 100, 1, NULL), 0);
	assert_int_equal(amm_modify(&amm, 200, 100, 1, NULL), 0);
	expect(&amm, 100, 200, 1);
	expect(&amm, 200, 300, 1);
	destroy(&amm);
}

static void split_that_cannot_be_undone_stays_with_the_old_flags(void **state)
{
	amm_t amm;

	(void)state;
	init_counting(&amm, 0);
	calls.refuse_joins = 1;
	calls.fail_after = 2; /* new entry, first split; not the second */
	assert_int_equal(amm_modify(&amm, 100, 100, 1, NULL), ENOSPC);
	calls.fail_after = -1;
	assert_int_equal(amm_count(&amm), 2);
	expect(&amm, 0, 100, 0);
	expect(&amm, 100, AMM_MAXADDR, 0);
	destroy(&amm);
	assert_int_equal(calls.n_alloc, calls.n_free);
}

static void free_can_still_read_range_and_flags(void **state)
{
	amm_t amm;

	(void)state;
	init_counting(&amm, 0);
	amm_modify(&amm, 100, 100, 1, NULL);
	amm_modify(&amm, 100, 100, 2, NULL);
	assert_int_equal(calls.freed_start, 100);
	assert_int_equal(calls.freed_end, 200);
	assert_int_equal(calls.freed_flags, 1);
	destroy(&amm);
}

/* Select and iterate */

static void select_isolates_a_range_and_returns_its_first_entry(void **state)
{
	amm_t amm;

	(void)state;
	init_plain(&amm);
	amm_modify(&amm, 150, 100, 1, NULL);

	amm_entry_t *entry = amm_select(&amm, 100, 100);

	assert_ptr_equal(entry, amm_find_addr(&amm, 100));
	expect(&amm, 0, 100, 0);
	expect(&amm, 100, 150, 0);
	expect(&amm, 150, 200, 1);
	expect(&amm, 200, 250, 1);
	assert_ptr_equal(amm_select(&amm, 100, 100), entry);
	assert_int_equal(amm_count(&amm), 5);
	destroy(&amm);
}

static int sum_sizes(amm_t *amm, amm_entry_t *entry, void *sum)
{
	(void)amm;
	*(size_t *)sum += amm_entry_size(entry);
	return 0;
}

static void iterate_gen_visits_what_overlaps_and_matches(void **state)
{
	amm_t amm;
	size_t sum = 0;

	(void)state;
	init_plain(&amm);
	amm_modify(&amm, 100, 10, 5, NULL);
	amm_modify(&amm, 200, 20, 4, NULL);
	amm_modify(&amm, 300, 40, 5, NULL);
	assert_int_equal(amm_iterate_gen(&amm, sum_sizes, &sum, 105, 196, 4, 4), 0);
	assert_int_equal(sum, 10 + 20 + 40);
	sum = 0;
	assert_int_equal(amm_iterate_gen(&amm, sum_sizes, &sum, 105, 195, 5, -1), 0);
	assert_int_equal(sum, 10);
	sum = 0;
	assert_int_equal(amm_iterate(&amm, sum_sizes, &sum), 0);
	assert_int_equal(sum, AMM_MAXADDR);
	destroy(&amm);
}

static int stop_at_second(amm_t *amm, amm_entry_t *entry, void *n)
{
	(void)amm;
	(void)entry;
	return ++*(int *)n == 2 ? 77 : 0;
}

static void iteration_stops_where_the_callback_says_and_returns_that(void **state)
{
	amm_t amm;
	int n = 0;

	(void)state;
	init_plain(&amm);
	amm_modify(&amm, 100, 10, 1, NULL);
	assert_int_equal(amm_iterate(&amm, stop_at_second, &n), 77);
	assert_int_equal(n, 2);
	destroy(&amm);
}

/* Splits, joins away or destroys what it is given, and counts. */
static int wreck(amm_t *amm, amm_entry_t *entry, void *arg)
{
	int *n = arg;
	amm_addr_t start = amm_entry_start(entry);
	amm_size_t size = amm_entry_size(entry);

	switch ((*n)++ % 3) {
	case 0:
		return amm_modify(amm, start + size / 2, 1, 99, NULL);
	case 1:
		return amm_modify(amm, start > 0 ? start - 1 : 0, size + 1, 98, NULL);
	default:
		return amm_modify(amm, start, size, 0, NULL);
	}
}

static void iteration_survives_whatever_its_callback_does(void **state)
{
	amm_t amm;
	int n = 0;

	(void)state;
	init_plain(&amm);
	for (amm_addr_t a = 0; a < 3000; a += 10)
		amm_modify(&amm, a, 10, (int)(1 + a / 10 % 2), NULL);
	assert_int_equal(amm_iterate_gen(&amm, wreck, &n, 0, 3000, 0, 0), 0);
	assert_int_equal(n, 300);
	destroy(&amm);
}

/* Find */

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

static void protect_oom_leaves_map_unchanged(void **state)
{
	amm_t amm;

	(void)state;
	init_counting(&amm, AMM_ALLOCATED | 3);
	for (int k = 0; k < 2; k++) {
		calls.fail_after = k;
		assert_int_equal(amm_protect(&amm, 100, 100, 1), ENOSPC);
		assert_int_equal(amm_deallocate(&amm, 100, 100), ENOSPC);
		calls.fail_after = k;
		assert_null(amm_select(&amm, 100, 100));
		assert_int_equal(errno, ENOSPC);
		calls.fail_after = -1;
		assert_int_equal(amm_count(&amm), 1);
		expect(&amm, AMM_MINADDR, AMM_MAXADDR, AMM_ALLOCATED | 3);
	}
	destroy(&amm);
	assert_int_equal(calls.n_alloc, calls.n_free);
}

/* Bad input */

static void bad_input_is_einval_and_changes_nothing(void **state)
{
	static const struct {
		amm_addr_t addr;
		amm_size_t size;
	} bad[] = {{100, 0}, {100, AMM_MAXADDR}, {AMM_MAXADDR, 1}, {AMM_MAXADDR - 1, 2},
		{AMM_MAXADDR, AMM_MAXADDR}, {1, AMM_MAXADDR}};
	amm_t amm;
	size_t sum = 0;

	(void)state;
	amm_init(&amm, 0x1000, 0x9000);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		amm_addr_t addr = bad[i].addr;
		amm_size_t size = bad[i].size;

		assert_int_equal(amm_modify(&amm, addr, size, 1, NULL), EINVAL);
		assert_int_equal(amm_deallocate(&amm, addr, size), EINVAL);
		assert_int_equal(amm_protect(&amm, addr, size, 1), EINVAL);
		assert_int_equal(amm_reserve(&amm, addr, size), EINVAL);
		assert_int_equal(amm_iterate_gen(&amm, sum_sizes, &sum, addr, size, 0, 0), EINVAL);
		errno = 0;
		assert_null(amm_select(&amm, addr, size));
		assert_int_equal(errno, EINVAL);
		errno = 0;
		assert_null(amm_find_gen(&amm, &addr, size, 0, -1, 0, 0, AMM_EXACT_ADDR));
		assert_int_equal(errno, EINVAL);
		assert_int_equal(addr, bad[i].addr);
	}
	assert_int_equal(sum, 0);
	assert_int_equal(amm_count(&amm), 3);
	destroy(&amm);
}

static void bad_alignments_and_find_flags_are_einval(void **state)
{
	static const int bad_bits[] = {-1, 64, 65, INT_MAX, INT_MIN};
	amm_t amm;
	amm_addr_t addr = 0x2000;

	(void)state;
	amm_init(&amm, 0x1000, 0x9000);
	for (size_t i = 0; i < sizeof(bad_bits) / sizeof(bad_bits[0]); i++) {
		errno = 0;
		assert_null(amm_find_gen(&amm, &addr, 1, 0, -1, bad_bits[i], 0, 0));
		assert_int_equal(errno, EINVAL);
	}
	errno = 0;
	assert_null(amm_find_gen(&amm, &addr, 1, 0, -1, 0, 0, 8));
	assert_int_equal(errno, EINVAL);
	errno = 0;
	assert_null(amm_find_gen(&amm, &addr, 0, 0, -1, 0, 0, 0));
	assert_int_equal(errno, EINVAL);
	assert_int_equal(addr, 0x2000);
	assert_int_equal(amm_allocate(&amm, &addr, 0, 0), EINVAL);
	assert_int_equal(amm_allocate(&amm, NULL, 1, 0), EINVAL);
	assert_int_equal(amm_allocate(&amm, &addr, 1, AMM_RESERVED), EINVAL);
	assert_int_equal(amm_protect(&amm, 0x1000, 1, AMM_RESERVED), EINVAL);
	errno = 0;
	assert_null(amm_find_addr(&amm, AMM_MAXADDR));
	assert_int_equal(errno, EINVAL);
	destroy(&amm);
}

static void a_null_map_is_einval(void **state)
{
	amm_addr_t addr = 0;
	struct amm_range range;

	(void)state;
	assert_int_equal(amm_init(NULL, 0, 1), EINVAL);
	assert_int_equal(amm_init_gen(NULL, 0, NULL, NULL, NULL, NULL, NULL), EINVAL);
	assert_int_equal(amm_modify(NULL, 0, 1, 0, NULL), EINVAL);
	assert_int_equal(amm_allocate(NULL, &addr, 1, 0), EINVAL);
	assert_int_equal(amm_deallocate(NULL, 0, 1), EINVAL);
	assert_int_equal(amm_protect(NULL, 0, 1, 0), EINVAL);
	assert_int_equal(amm_reserve(NULL, 0, 1), EINVAL);
	assert_int_equal(amm_iterate(NULL, sum_sizes, NULL), EINVAL);
	assert_int_equal(amm_check(NULL), EINVAL);
	assert_int_equal(amm_count(NULL), 0);
	assert_int_equal(amm_read(NULL, 0, &range, NULL, NULL), EINVAL);
	assert_int_equal(amm_read_iterate(NULL, NULL, NULL, 0, 1, 0, 0), EINVAL);
	assert_int_equal(amm_after_fork(NULL), EINVAL);
	amm_dump(NULL);
	errno = 0;
	assert_null(amm_find_addr(NULL, 0));
	assert_int_equal(errno, EINVAL);
	errno = 0;
	assert_null(amm_find_gen(NULL, &addr, 1, 0, 0, 0, 0, 0));
	assert_int_equal(errno, EINVAL);
	errno = 0;
	assert_null(amm_select(NULL, 0, 1));
	assert_int_equal(errno, EINVAL);
}

/* Size and people */

static void index_takes_at_most_32_bytes_an_entry(void **state)
{
	enum { N = 200000 };
	unsigned random = 1;
	amm_t amm;

	(void)state;
	/* In ascending order... */
	init_plain(&amm);
	for (amm_addr_t i = 0; i < N; i++)
		amm_modify(&amm, i * 16, 16, (int)(1 + i % 2), NULL);
	assert_true(amm_count(&amm) >= N);
	assert_in_range(amm_index_size(&amm) / amm_count(&amm), 0, 32);
	destroy(&amm);
	/* ...and in random order. */
	init_plain(&amm);
	for (int i = 0; i < N; i++) {
		random = random * 1664525 + 1013904223;
		amm_modify(&amm, (amm_addr_t)random * 16, 16, 1, NULL);
	}
	assert_in_range(amm_index_size(&amm) / amm_count(&amm), 0, 32);
	destroy(&amm);
}

static void no_malloc_maps_free_everything_and_behave_the_same(void **state)
{
	amm_t amm;

	(void)state;
	assert_int_equal(amm_init_with(&amm, AMM_NO_MALLOC, 0, NULL, NULL, NULL, NULL, NULL), 0);
	for (amm_addr_t a = 0; a < 10000; a += 2)
		assert_int_equal(amm_modify(&amm, a, 1, 1, NULL), 0);
	assert_int_equal(amm_count(&amm), 10000);
	assert_int_equal(amm_modify(&amm, 0, 10000, 0, NULL), 0);
	assert_int_equal(amm_count(&amm), 1);
	destroy(&amm);
	assert_int_equal(amm_init_with(&amm, 0x80, 0, NULL, NULL, NULL, NULL, NULL), EINVAL);
}

static void dump_prints_one_line_an_entry(void **state)
{
	char line[256];
	int pipe_ends[2], old, n = 0;
	amm_t amm;

	(void)state;
	amm_init(&amm, 0x1000, 0x9000);
	assert_int_equal(pipe(pipe_ends), 0);
	fflush(stdout);
	old = dup(STDOUT_FILENO);
	dup2(pipe_ends[1], STDOUT_FILENO);
	amm_dump(&amm);
	fflush(stdout);
	dup2(old, STDOUT_FILENO);
	close(old);
	close(pipe_ends[1]);

	FILE *file = fdopen(pipe_ends[0], "r");

	while (fgets(line, sizeof(line), file) != NULL)
		n++;
	fclose(file);
	assert_int_equal(n, 3);
	destroy(&amm);
}

static void check_notices_a_broken_entry(void **state)
{
	amm_t amm;

	(void)state;
	amm_init(&amm, 0x1000, 0x9000);
	assert_int_equal(amm_check(&amm), 0);
	amm_find_addr(&amm, 0x1000)->end++;
	assert_int_equal(amm_check(&amm), EINVAL);
	amm_find_addr(&amm, 0x1000)->end--;
	amm_find_addr(&amm, 0x1000)->flags = 5;
	assert_int_equal(amm_check(&amm), EINVAL);
	amm_destroy(&amm);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(init_gen_covers_everything_with_one_entry),
		cmocka_unit_test(init_gen_takes_the_callers_entry),
		cmocka_unit_test(init_without_memory_for_the_entry_fails),
		cmocka_unit_test(init_marks_the_range_free_and_the_rest_reserved),
		cmocka_unit_test(destroy_frees_every_entry),
		cmocka_unit_test(modify_replaces_splits_and_frees),
		cmocka_unit_test(modify_joins_equal_neighbours_on_both_sides),
		cmocka_unit_test(modify_oom_leaves_map_unchanged),
		cmocka_unit_test(modify_of_equal_flags_inside_one_entry_does_nothing),
		cmocka_unit_test(modify_uses_the_callers_entry),
		cmocka_unit_test(modify_takes_the_very_entry_that_covers_the_range),
		cmocka_unit_test(modify_at_both_ends_of_the_address_range),
		cmocka_unit_test(modify_hands_out_what_the_split_callback_said),
		cmocka_unit_test(split_may_keep_head_or_tail_or_neither),
		cmocka_unit_test(join_may_give_head_or_tail_or_a_new_one),
		cmocka_unit_test(refused_join_leaves_two_entries_and_is_no_error),
		cmocka_unit_test(split_that_cannot_be_undone_stays_with_the_old_flags),
		cmocka_unit_test(free_can_still_read_range_and_flags),
		cmocka_unit_test(select_isolates_a_range_and_returns_its_first_entry),
		cmocka_unit_test(iterate_gen_visits_what_overlaps_and_matches),
		cmocka_unit_test(iteration_stops_where_the_callback_says_and_returns_that),
		cmocka_unit_test(iteration_survives_whatever_its_callback_does),
		cmocka_unit_test(find_gen_spans_entries_whose_differences_the_mask_ignores),
		cmocka_unit_test(find_gen_honours_any_alignment_and_offset),
		cmocka_unit_test(find_gen_of_the_full_width_does_not_overflow),
		cmocka_unit_test(first_fit_takes_the_nearest_on_its_side_of_the_hint),
		cmocka_unit_test(best_fit_takes_the_smallest_run_measured_whole),
		cmocka_unit_test(best_fit_sees_a_run_of_several_entries_as_one),
		cmocka_unit_test(exact_takes_that_address_or_none),
		cmocka_unit_test(a_wanted_bit_outside_the_mask_is_found_nowhere),
		cmocka_unit_test(allocate_searches_from_the_hint_then_from_the_lowest),
		cmocka_unit_test(deallocate_and_protect_touch_allocated_entries_only),
		cmocka_unit_test(reserve_takes_addresses_out_of_reach),
		cmocka_unit_test(protect_oom_leaves_map_unchanged),
		cmocka_unit_test(bad_input_is_einval_and_changes_nothing),
		cmocka_unit_test(bad_alignments_and_find_flags_are_einval),
		cmocka_unit_test(a_null_map_is_einval),
		cmocka_unit_test(index_takes_at_most_32_bytes_an_entry),
		cmocka_unit_test(no_malloc_maps_free_everything_and_behave_the_same),
		cmocka_unit_test(dump_prints_one_line_an_entry),
		cmocka_unit_test(check_notices_a_broken_entry),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
