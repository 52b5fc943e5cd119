/* SPDX-License-Identifier: BSD-3-Clause */
/* The ledger of ranges against an array with one entry a unit. */
#include "tests/unit/test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "area/ledger.h"

enum { N = 300, NOTHING = -1 };

static int model[N];

static void compare(struct ledger *ledger)
{
	struct ledger_range range = {0, 0, 0};
	uintptr_t at = 0;
	size_t bytes = 0;

	while (ledger__next(ledger, at, &range)) {
		/* In order, disjoint, and joined where that can be. */
		assert_true(range.start < range.end);
		assert_true(range.end <= N);
		for (; at < range.start; at++)
			assert_int_equal(model[at], NOTHING);
		for (; at < range.end; at++)
			assert_int_equal(model[at], range.value);
		if (at < N)
			assert_int_not_equal(model[at], range.value);
		bytes += range.end - range.start;
	}
	for (; at < N; at++)
		assert_int_equal(model[at], NOTHING);
	assert_int_equal(ledger__bytes(ledger), bytes);
}

static void model_set(size_t start, size_t end, int value)
{
	for (size_t i = start; i < end; i++)
		model[i] = value;
}

static size_t model_bytes(size_t start, size_t end)
{
	size_t n = 0;

	for (size_t i = start; i < end; i++)
		n += model[i] != NOTHING;
	return n;
}

/* Where the range is free: pushes it, and takes all, a part or nothing of it away at once. */
static void push(struct ledger *ledger, size_t start, size_t end)
{
	int value = (int)(random() % 2);
	size_t cut_start = start + (size_t)random() % (end - start);

	if (model_bytes(start, end) != 0)
		return;
	assert_int_equal(ledger__push(ledger, start, end, value), 0);
	model_set(start, end, value);
	if (random() % 2 == 0)
		return;
	if (random() % 2 == 0)
		cut_start = start;
	assert_int_equal(ledger__remove(ledger, cut_start, end), 0);
	model_set(cut_start, end, NOTHING);
}

static void any_sequence_of_edits_matches_an_array(void **state)
{
	const char *text = getenv("SITUS_SEED");
	unsigned seed = text != NULL ? (unsigned)atoi(text) : (unsigned)getpid();
	struct ledger ledger;

	(void)state;
	printf("# SITUS_SEED=%u\n", seed);
	srandom(seed);
	ledger__init(&ledger);
	model_set(0, N, NOTHING);
	for (int i = 0; i < 100000; i++) {
		size_t start = (size_t)random() % N, end = start + 1 + (size_t)random() % 20, bytes;

		if (end > N)
			end = N;
		bytes = model_bytes(start, end);
		assert_int_equal(ledger__bytes_within(&ledger, start, end), bytes);
		assert_int_equal(ledger__covers(&ledger, start, end), bytes == end - start);
		switch (random() % 5) {
		case 0:
		case 1: {
			int value = (int)(random() % 2);

			assert_int_equal(ledger__set(&ledger, start, end, value), 0);
			model_set(start, end, value);
			break;
		}
		case 2: {
			size_t cut;

			assert_int_equal(ledger__cut(&ledger, start, end, &cut), 0);
			assert_int_equal(cut, bytes);
			model_set(start, end, NOTHING);
			break;
		}
		case 3:
			push(&ledger, start, end);
			break;
		case 4:
			if (bytes == end - start) {
				assert_int_equal(ledger__remove(&ledger, start, end), 0);
				model_set(start, end, NOTHING);
			} else {
				assert_int_equal(ledger__remove(&ledger, start, end), -EINVAL);
			}
		}
		if (i % 16 == 0)
			compare(&ledger);
	}
	ledger__destroy(&ledger);
}

static void pushed_ranges_are_seen_by_the_next_question(void **state)
{
	struct ledger ledger;
	struct ledger_range range;
	uintptr_t start = 0;

	(void)state;
	ledger__init(&ledger);
	for (uintptr_t i = 0; i < 1000; i++)
		assert_int_equal(ledger__push(&ledger, 10 * i, 10 * i + 5, 0), 0);
	assert_true(ledger__next(&ledger, 9990, &range));
	assert_int_equal(range.end, 9995);
	assert_int_equal(ledger__bytes(&ledger), 5000);
	assert_int_equal(ledger__push(&ledger, 9995, 10100, 0), 0);
	assert_int_equal(ledger__allocate(&ledger, 0, 100, &start), 0);
	assert_int_equal(start, 9990);
	assert_int_equal(ledger__remove(&ledger, 10090, 10100), 0);
	ledger__destroy(&ledger);
}

static void allocate_takes_the_first_range_that_fits_or_the_one_wanted(void **state)
{
	struct ledger ledger;
	uintptr_t start = 0;

	(void)state;
	ledger__init(&ledger);
	assert_int_equal(ledger__set(&ledger, 0, 10, 0), 0);
	assert_int_equal(ledger__set(&ledger, 20, 100, 0), 0);
	assert_int_equal(ledger__allocate(&ledger, 0, 11, &start), 0);
	assert_int_equal(start, 20);
	assert_int_equal(ledger__allocate(&ledger, 0, 10, &start), 0);
	assert_int_equal(start, 0);
	assert_int_equal(ledger__allocate(&ledger, 50, 10, &start), 0);
	assert_int_equal(start, 50);
	assert_int_equal(ledger__allocate(&ledger, 55, 10, &start), 0);
	assert_int_equal(start, 31);
	assert_int_equal(ledger__allocate(&ledger, 0, 41, &start), -ENOMEM);
	assert_int_equal(ledger__bytes(&ledger), 90 - 11 - 10 - 10 - 10);
	ledger__destroy(&ledger);
}

static void child_of_a_fork_finds_the_lock_free(void **state)
{
	struct ledger ledger;
	int status;
	pid_t child;

	(void)state;
	ledger__init(&ledger);
	assert_int_equal(ledger__set(&ledger, 1, 10, 0), 0);
	/* As if another thread were inside. */
	lock__acquire(&ledger.lock);
	child = fork();
	if (child == 0) {
		alarm(10);
		_exit(ledger__remove(&ledger, 1, 10) == 0 ? 0 : 1);
	}
	lock__release(&ledger.lock);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_true(ledger__covers(&ledger, 1, 10));
	ledger__destroy(&ledger);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_sequence_of_edits_matches_an_array),
		cmocka_unit_test(pushed_ranges_are_seen_by_the_next_question),
		cmocka_unit_test(allocate_takes_the_first_range_that_fits_or_the_one_wanted),
		cmocka_unit_test(child_of_a_fork_finds_the_lock_free),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
