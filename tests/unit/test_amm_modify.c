/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Changes and the callbacks they make: what is replaced, split, joined and freed, which entry is used, and
 * what failures leave. One behaviour a test.
 */
#include "tests/unit/amm_test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "amm/map.h"

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

static void init_counting_with(amm_t *amm, unsigned options, int flags)
{
	memset(&calls, 0, sizeof(calls));
	calls.fail_after = -1;
	assert_int_equal(amm_init_with(amm, options, flags, NULL, count_alloc, count_free, count_split,
				 count_join), 0);
}

static void init_counting(amm_t *amm, int flags)
{
	init_counting_with(amm, 0, flags);
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
	amm_entry_t *entry = calloc(1, sizeof(*entry));

	(void)state;
	init_plain(&amm);
	assert_int_equal(amm_modify(&amm, 10, 10, 1, entry), 0);
	assert_ptr_equal(amm_find_addr(&amm, 15), entry);
	expect(&amm, 10, 20, 1);
	destroy(&amm);
}

/* With a plain split every piece is as good as any other: the entry goes where it is wanted. */
static void modify_takes_the_very_entry_that_covers_the_range(void **state)
{
	amm_t amm;

	(void)state;
	init_counting(&amm, 0);
	amm.split = NULL;
	amm_modify(&amm, 0, 100, 1, NULL);

	amm_entry_t *entry = amm_find_addr(&amm, 0);

	/* All of it, its middle, its head, its tail, its tail and more. */
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
	assert_int_equal(amm_modify(&amm, 27, 63, 6, entry), 0);
	assert_ptr_equal(amm_find_addr(&amm, 27), entry);
	expect(&amm, 25, 27, 5);
	expect(&amm, 90, 100, 2);
	destroy(&amm);
	assert_int_equal(calls.n_alloc, calls.n_free);
}

/* Where its own split fails, the entry that was to be used is in the map as before. */
static void a_failed_modify_leaves_the_given_entry_in_its_place(void **state)
{
	amm_t amm;

	(void)state;
	init_counting(&amm, 0);
	amm.split = NULL;
	amm.join = NULL;
	amm_modify(&amm, 0, 100, 1, NULL);

	amm_entry_t *entry = amm_find_addr(&amm, 0);

	for (int k = 0; k < 2; k++) {
		calls.fail_after = k;
		assert_int_equal(amm_modify(&amm, 20, 60, 2, entry), ENOMEM);
		calls.fail_after = -1;
		assert_ptr_equal(amm_find_addr(&amm, 50), entry);
		assert_int_equal(amm_count(&amm), 2);
		expect(&amm, 0, 100, 1);
	}
	destroy(&amm);
	assert_int_equal(calls.n_alloc, calls.n_free);
}

/* Entries that carry where they began when they were whole: what an offset into an object comes to. */
struct carrier {
	amm_entry_t entry;
	amm_addr_t from;
};

static amm_entry_t *new_carrier(amm_addr_t from)
{
	struct carrier *carrier = calloc(1, sizeof(*carrier));

	carrier->from = from;
	return &carrier->entry;
}

static amm_entry_t *carrier_alloc(amm_t *amm, amm_addr_t addr, amm_size_t size, int flags)
{
	(void)amm;
	(void)size;
	(void)flags;
	return new_carrier(addr);
}

static void carrier_free(amm_t *amm, amm_entry_t *entry)
{
	(void)amm;
	free(entry);
}

static int carrier_split(amm_t *amm, amm_entry_t *entry, amm_addr_t at, amm_entry_t **head,
	amm_entry_t **tail)
{
	struct carrier *old = (struct carrier *)entry;

	(void)amm;
	*head = calls.split == HEAD_OLD ? entry : new_carrier(old->from);
	*tail = calls.split == TAIL_OLD ? entry : new_carrier(at);
	((struct carrier *)*tail)->from = at;
	return 0;
}

static int carrier_join(amm_t *amm, amm_entry_t *head, amm_entry_t *tail, amm_entry_t **joined)
{
	(void)amm;
	(void)tail;
	*joined = head;
	return 0;
}

static int expect_carried(amm_t *amm, amm_entry_t *entry, void *arg)
{
	(void)amm;
	(void)arg;
	/* That of the new entry is the caller's business. */
	if (amm_entry_flags(entry) != 2)
		assert_int_equal(((struct carrier *)entry)->from, amm_entry_start(entry));
	return 0;
}

static void parts_outside_the_range_carry_what_the_split_gave_them(void **state)
{
	static const struct {
		amm_addr_t start, end;
	} ranges[] = {{20, 60}, {0, 60}, {20, 100}, {50, 150}, {0, 150}, {0, 100}};

	(void)state;
	for (int split = HEAD_OLD; split <= BOTH_NEW; split++)
		for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++)
			for (amm_addr_t at = 0; at <= 100; at += 100) {
				amm_addr_t start = ranges[i].start, end = ranges[i].end;
				amm_t amm;

				calls.split = split;
				assert_int_equal(amm_init_gen(&amm, 0, NULL, carrier_alloc, carrier_free,
							 carrier_split, carrier_join), 0);
				amm_modify(&amm, 0, 100, 1, NULL);
				amm_modify(&amm, 100, 100, 3, NULL);

				amm_entry_t *entry = amm_find_addr(&amm, at);
				int err = amm_modify(&amm, start, end - start, 2, entry);

				assert_int_equal(err, at < end ? 0 : EINVAL);
				if (err == 0)
					expect(&amm, start, end, 2);
				amm_iterate(&amm, expect_carried, NULL);
				destroy(&amm);
			}
}

static void an_entry_that_lies_elsewhere_in_the_map_is_einval(void **state)
{
	amm_t amm;

	(void)state;
	init_counting(&amm, 0);
	amm_modify(&amm, 100, 100, 1, NULL);
	amm_modify(&amm, 200, 100, 2, NULL);

	int n_alloc = calls.n_alloc, n_free = calls.n_free;

	assert_int_equal(amm_modify(&amm, 200, 100, 3, amm_find_addr(&amm, 100)), EINVAL);
	assert_int_equal(amm_modify(&amm, 100, 100, 3, amm_find_addr(&amm, 200)), EINVAL);
	assert_int_equal(amm_modify(&amm, 250, 100, 3, amm_find_addr(&amm, 0)), EINVAL);
	assert_int_equal(calls.n_alloc - n_alloc + calls.n_free - n_free, 0);
	assert_int_equal(amm_count(&amm), 4);
	expect(&amm, 0, 100, 0);
	expect(&amm, 100, 200, 1);
	expect(&amm, 200, 300, 2);
	destroy(&amm);
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

/* Joined at an address (map__join_at), as extents are merged whatever their flags */

/* A best fit, so that amm_check holds a run index to what follows. */
static void expect_best(amm_t *amm, amm_size_t size, int flags, amm_addr_t at)
{
	amm_addr_t addr = 0;

	assert_non_null(amm_find_gen(amm, &addr, size, flags, -1, 0, 0, AMM_BESTFIT));
	assert_int_equal(addr, at);
}

static void join_at_gives_both_sides_the_flags_of_the_lower(void **state)
{
	(void)state;
	for (unsigned options = 0; options <= AMM_READERS; options += AMM_READERS)
		for (int join = JOIN_HEAD; join <= JOIN_NEW; join++) {
			amm_t amm;

			init_counting_with(&amm, options, 0);
			calls.join = join;
			amm_modify(&amm, 100, 100, 1, NULL);
			amm_modify(&amm, 200, 100, 2, NULL);
			expect_best(&amm, 50, 1, 100);
			expect_best(&amm, 50, 2, 200);
			assert_int_equal(map__join_at(&amm, 200), 0);
			assert_int_equal(amm_check(&amm), 0);
			expect_best(&amm, 150, 1, 100);
			assert_int_equal(amm_count(&amm), 3);
			expect(&amm, 100, 300, 1);
			/* With its new neighbours it is not joined by that, though the flags be equal now. */
			amm_modify(&amm, 300, 100, 3, NULL);
			amm_modify(&amm, 400, 100, 1, NULL);
			assert_int_equal(map__join_at(&amm, 300), 0);
			expect(&amm, 100, 400, 1);
			expect(&amm, 400, 500, 1);
			destroy(&amm);
			assert_int_equal(calls.n_alloc, calls.n_free);
		}
}

static void join_at_joins_pieces_of_one_flag_word(void **state)
{
	amm_t amm;

	(void)state;
	init_counting(&amm, 0);
	assert_non_null(amm_select(&amm, 100, 100));
	assert_int_equal(map__join_at(&amm, 100), 0);
	assert_int_equal(map__join_at(&amm, 200), 0);
	assert_int_equal(amm_count(&amm), 1);
	expect(&amm, AMM_MINADDR, AMM_MAXADDR, 0);
	destroy(&amm);
	assert_int_equal(calls.n_alloc, calls.n_free);
}

static void a_join_at_that_is_refused_leaves_flags_and_entries(void **state)
{
	(void)state;
	for (unsigned options = 0; options <= AMM_READERS; options += AMM_READERS) {
		amm_t amm;

		init_counting_with(&amm, options, 0);
		amm_modify(&amm, 100, 100, 1, NULL);
		amm_modify(&amm, 200, 50, 2, NULL);
		expect_best(&amm, 50, 2, 200);

		amm_entry_t *head = amm_find_addr(&amm, 100), *tail = amm_find_addr(&amm, 200);
		int n_alloc = calls.n_alloc, n_free = calls.n_free;

		calls.refuse_joins = 1;
		assert_int_equal(map__join_at(&amm, 200), EBUSY);
		calls.refuse_joins = 0;
		assert_int_equal(calls.n_join, 1);
		assert_int_equal(calls.n_alloc - n_alloc + calls.n_free - n_free, 0);
		assert_ptr_equal(amm_find_addr(&amm, 100), head);
		assert_ptr_equal(amm_find_addr(&amm, 200), tail);
		assert_int_equal(amm_count(&amm), 4);
		expect(&amm, 100, 200, 1);
		expect(&amm, 200, 250, 2);
		assert_int_equal(amm_check(&amm), 0);
		expect_best(&amm, 50, 2, 200);
		expect_best(&amm, 100, 1, 100);
		destroy(&amm);
	}
}

static void join_at_inside_an_entry_has_nothing_to_do(void **state)
{
	amm_t amm;

	(void)state;
	init_counting(&amm, 0);
	amm_modify(&amm, 100, 100, 1, NULL);
	calls.n_join = 0;
	assert_int_equal(map__join_at(&amm, 150), 0);
	assert_int_equal(calls.n_join, 0);
	assert_int_equal(amm_count(&amm), 3);
	expect(&amm, 100, 200, 1);
	destroy(&amm);
}

/* The whole life of entries */

static void init_without_memory_for_the_entry_fails(void **state)
{
	amm_t amm;

	(void)state;
	memset(&calls, 0, sizeof(calls));
	assert_int_equal(amm_init_gen(&amm, 0, NULL, count_alloc, count_free, NULL, NULL), ENOMEM);
	amm_destroy(&amm); /* harmless */
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(modify_replaces_splits_and_frees),
		cmocka_unit_test(modify_joins_equal_neighbours_on_both_sides),
		cmocka_unit_test(modify_oom_leaves_map_unchanged),
		cmocka_unit_test(modify_of_equal_flags_inside_one_entry_does_nothing),
		cmocka_unit_test(modify_uses_the_callers_entry),
		cmocka_unit_test(modify_takes_the_very_entry_that_covers_the_range),
		cmocka_unit_test(a_failed_modify_leaves_the_given_entry_in_its_place),
		cmocka_unit_test(parts_outside_the_range_carry_what_the_split_gave_them),
		cmocka_unit_test(an_entry_that_lies_elsewhere_in_the_map_is_einval),
		cmocka_unit_test(modify_at_both_ends_of_the_address_range),
		cmocka_unit_test(modify_hands_out_what_the_split_callback_said),
		cmocka_unit_test(protect_oom_leaves_map_unchanged),
		cmocka_unit_test(split_may_keep_head_or_tail_or_neither),
		cmocka_unit_test(join_may_give_head_or_tail_or_a_new_one),
		cmocka_unit_test(refused_join_leaves_two_entries_and_is_no_error),
		cmocka_unit_test(split_that_cannot_be_undone_stays_with_the_old_flags),
		cmocka_unit_test(free_can_still_read_range_and_flags),
		cmocka_unit_test(join_at_gives_both_sides_the_flags_of_the_lower),
		cmocka_unit_test(join_at_joins_pieces_of_one_flag_word),
		cmocka_unit_test(a_join_at_that_is_refused_leaves_flags_and_entries),
		cmocka_unit_test(join_at_inside_an_entry_has_nothing_to_do),
		cmocka_unit_test(init_without_memory_for_the_entry_fails),
		cmocka_unit_test(destroy_frees_every_entry),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
