/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A map made, selected in, iterated and looked at, one behaviour a test. Changes are in
 * test_amm_modify.c, what holds of any sequence is in tests/property.
 */
#include "tests/unit/amm_test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "amm/runs_index.h"

_Static_assert(sizeof(amm_entry_t) <= 64, "a default entry is at most a cache line");

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

static int destroy_map(amm_t *amm, amm_entry_t *entry, void *n)
{
	(void)entry;
	++*(int *)n;
	amm_destroy(amm);
	return 0;
}

static void an_iteration_ends_where_its_callback_destroys_the_map(void **state)
{
	amm_t amm;
	int n = 0;

	(void)state;
	init_plain(&amm);
	for (amm_addr_t a = 0; a < 3000; a += 10)
		amm_modify(&amm, a, 5, 1, NULL);
	assert_int_equal(amm_iterate(&amm, destroy_map, &n), 0);
	assert_int_equal(n, 1);
	amm_destroy(&amm);
}

/* Thirty changes, each of which leaves an entry. */
static void init_with_steps(amm_t *amm, amm_size_t step)
{
	init_plain(amm);
	for (amm_addr_t i = 0; i < 30; i++)
		assert_int_equal(amm_modify(amm, i * step, step, (int)(1 + i % 2), NULL), 0);
}

/* In place of the map that was there, one of as many changes, which iterations have gone over too. */
static int make_another(amm_t *amm, amm_entry_t *entry, void *arg)
{
	amm_addr_t *starts = arg;
	size_t sum = 0;

	if (starts[0] != AMM_MAXADDR) {
		starts[1] = amm_entry_start(entry);
		return 1;
	}
	starts[0] = amm_entry_start(entry);
	amm_destroy(amm);
	init_with_steps(amm, 10);
	assert_int_equal(amm_iterate(amm, sum_sizes, &sum), 0);
	assert_int_equal(sum, AMM_MAXADDR);
	return 0;
}

static void an_iteration_goes_on_in_the_map_that_its_callback_makes_instead(void **state)
{
	amm_addr_t starts[2] = {AMM_MAXADDR, AMM_MAXADDR};
	amm_t amm;

	(void)state;
	init_with_steps(&amm, 100);
	assert_int_equal(amm_iterate(&amm, make_another, starts), 1);
	assert_int_equal(starts[0], 0);
	assert_int_equal(starts[1], 100);
	destroy(&amm);
}

/* Allocates, releases, and goes over the whole map inside a visit. */
static int use_and_look(amm_t *amm, amm_entry_t *entry, void *arg)
{
	amm_addr_t addr = amm_entry_start(entry);
	size_t sum = 0;

	(void)arg;
	assert_int_equal(amm_deallocate(amm, addr, amm_entry_size(entry)), 0);
	assert_int_equal(amm_allocate(amm, &addr, 3, 1), 0);
	assert_int_equal(amm_iterate(amm, sum_sizes, &sum), 0);
	assert_int_equal(sum, AMM_MAXADDR);
	return 0;
}

static void a_callback_may_allocate_release_and_iterate(void **state)
{
	amm_t amm;
	amm_addr_t addr = 0;
	size_t sum = 0;

	(void)state;
	assert_int_equal(amm_init(&amm, 1000, 9000), 0);
	for (int i = 0; i < 400; i++)
		assert_int_equal(amm_allocate(&amm, &addr, 10, i % 2), 0);
	assert_int_equal(amm_iterate_gen(&amm, use_and_look, NULL, 1000, 4000, AMM_ALLOCATED, AMM_ALLOCATED), 0);
	assert_int_equal(amm_iterate_gen(&amm, sum_sizes, &sum, 0, AMM_MAXADDR, AMM_ALLOCATED, AMM_ALLOCATED), 0);
	assert_int_equal(sum, 400 * 3);
	destroy(&amm);
}

/* Entries of two flag words in turn: every node has all bits, and tells a search for 3 nothing. */
static void init_telling_nothing(amm_t *amm, amm_addr_t n)
{
	init_plain(amm);
	for (amm_addr_t i = 1; i <= n; i++)
		assert_int_equal(amm_modify(amm, i * 10, 10, i % 2 == 0 ? 1 : 2, NULL), 0);
}

/* Nodes that an iteration over entries of flags 3 goes through, and the addresses it visits. */
static size_t cost_of_iterating(amm_t *amm, amm_addr_t addr, amm_size_t size, size_t *sum)
{
	const struct amm_memory *memory = amm->memory;
	size_t before = memory->n_visited + memory->runs->pools.n_visited;

	*sum = 0;
	assert_int_equal(amm_iterate_gen(amm, sum_sizes, sum, addr, size, 3, -1), 0);
	return memory->n_visited + memory->runs->pools.n_visited - before;
}

static void an_iteration_does_not_look_beyond_its_range(void **state)
{
	amm_t amm;
	size_t sum;

	(void)state;
	init_telling_nothing(&amm, 20000);
	assert_in_range(cost_of_iterating(&amm, 1000, 1000, &sum), 1, 20);
	assert_int_equal(sum, 0);
	destroy(&amm);
}

static void iterations_over_flags_that_are_rare_learn_the_way(void **state)
{
	enum { N = 20000 };
	amm_t amm;
	size_t sum;

	(void)state;
	init_telling_nothing(&amm, N);
	assert_int_equal(amm_modify(&amm, 7000, 10, 3, NULL), 0);
	assert_int_equal(amm_modify(&amm, 150000, 10, 3, NULL), 0);
	assert_true(cost_of_iterating(&amm, 0, AMM_MAXADDR, &sum) > 300);
	for (int i = 0; i < 20; i++) {
		(void)cost_of_iterating(&amm, 0, AMM_MAXADDR, &sum);
		assert_int_equal(sum, 20);
	}
	assert_in_range(cost_of_iterating(&amm, 0, AMM_MAXADDR, &sum), 1, 100);
	/* What changes is seen. */
	assert_int_equal(amm_modify(&amm, 190000, 30, 3, NULL), 0);
	assert_int_equal(amm_modify(&amm, 7000, 10, 1, NULL), 0);
	assert_in_range(cost_of_iterating(&amm, 0, AMM_MAXADDR, &sum), 1, 100);
	assert_int_equal(sum, 40);
	assert_in_range(cost_of_iterating(&amm, 0, 190000, &sum), 1, 100);
	assert_int_equal(sum, 10);
	destroy(&amm);
}

/* For people */

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
		cmocka_unit_test(init_marks_the_range_free_and_the_rest_reserved),
		cmocka_unit_test(select_isolates_a_range_and_returns_its_first_entry),
		cmocka_unit_test(iterate_gen_visits_what_overlaps_and_matches),
		cmocka_unit_test(iteration_stops_where_the_callback_says_and_returns_that),
		cmocka_unit_test(iteration_survives_whatever_its_callback_does),
		cmocka_unit_test(an_iteration_ends_where_its_callback_destroys_the_map),
		cmocka_unit_test(an_iteration_goes_on_in_the_map_that_its_callback_makes_instead),
		cmocka_unit_test(a_callback_may_allocate_release_and_iterate),
		cmocka_unit_test(an_iteration_does_not_look_beyond_its_range),
		cmocka_unit_test(iterations_over_flags_that_are_rare_learn_the_way),
		cmocka_unit_test(no_malloc_maps_free_everything_and_behave_the_same),
		cmocka_unit_test(dump_prints_one_line_an_entry),
		cmocka_unit_test(check_notices_a_broken_entry),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
