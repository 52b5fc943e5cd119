/* SPDX-License-Identifier: BSD-3-Clause */
/* The ledger of ranges against an array with one entry a unit. */
#include "tests/unit/test.h"

#include <errno.h>
#include <pthread.h>
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
		switch (random() % 6) {
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
		case 5: {
			struct ledger_taken taken;

			assert_int_equal(ledger__take(&ledger, start, end, &taken), 0);
			assert_int_equal(taken.bytes, bytes);
			assert_int_equal(ledger__bytes_within(&ledger, start, end), 0);
			if (random() % 2 == 0) {
				ledger__put_back(&ledger, &taken);
			} else {
				ledger__drop(&ledger, &taken);
				model_set(start, end, NOTHING);
			}
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

/* Many mappings, of which each is 0: not there, or its size. */
enum { N_MAPPINGS = 6000, UNIT = 4096, MOST = 8 * UNIT };

static uintptr_t start_of(size_t i)
{
	return (uintptr_t)1 << 40 | i * MOST;
}

static void map_one(struct ledger *ledger, size_t *size, size_t i)
{
	*size = UNIT * (1 + (size_t)random() % 7);
	assert_int_equal(ledger__push(ledger, start_of(i), start_of(i) + *size, (intptr_t)i), 0);
}

static void unmap_one(struct ledger *ledger, size_t *size, size_t i)
{
	uintptr_t start = start_of(i), end = start + *size;
	struct ledger_taken taken;
	size_t bytes = 0;

	switch (random() % 4) {
	case 0:
		if (random() % 2 == 0 && ledger__take_pushed(ledger, start, end, &taken))
			assert_int_equal(taken.pushed.value, i);
		else
			assert_int_equal(ledger__take(ledger, start, end, &taken), 0);
		assert_int_equal(taken.bytes, *size);
		if (random() % 2 == 0) {
			ledger__put_back(ledger, &taken);
			return;
		}
		ledger__drop(ledger, &taken);
		break;
	case 1:
		assert_int_equal(ledger__cut(ledger, start, end, &bytes), 0);
		assert_int_equal(bytes, *size);
		break;
	default:
		assert_int_equal(ledger__remove(ledger, start, end), 0);
	}
	*size = 0;
}

/* Without a question in between, and with one now and then, or with the end of one taken away alone. */
static void any_number_of_pushed_ranges_is_found_again(void **state)
{
	static size_t sizes[N_MAPPINGS];
	struct ledger ledger;
	struct ledger_taken taken;
	size_t sum = 0;

	(void)state;
	ledger__init(&ledger);
	for (int n = 0; n < 400000; n++) {
		size_t i = (size_t)random() % (n < 200000 ? N_MAPPINGS : 100);
		uintptr_t start = start_of(i);

		bool ask = random() % 20000 == 0;

		if (ask || sizes[i] != 0)
			assert_int_equal(ledger__covers(&ledger, start, start + UNIT), sizes[i] != 0);
		if (sizes[i] == 0) {
			if (ask)
				assert_int_equal(ledger__remove(&ledger, start, start + UNIT), -EINVAL);
			assert_false(ledger__take_pushed(&ledger, start, start + UNIT, &taken));
			map_one(&ledger, &sizes[i], i);
		} else if (ask && sizes[i] > UNIT) {
			sizes[i] -= UNIT;
			assert_int_equal(ledger__remove(&ledger, start + sizes[i], start + sizes[i] + UNIT), 0);
		} else {
			if (ask)
				assert_false(ledger__covers(&ledger, start, start + sizes[i] + UNIT));
			unmap_one(&ledger, &sizes[i], i);
		}
	}
	for (size_t i = 0; i < N_MAPPINGS; i++) {
		struct ledger_range range = {0, 0, 0};

		sum += sizes[i];
		if (sizes[i] == 0)
			continue;
		assert_true(ledger__next(&ledger, start_of(i), &range));
		assert_int_equal(range.start, start_of(i));
		assert_int_equal(range.end, start_of(i) + sizes[i]);
		assert_int_equal(range.value, i);
	}
	assert_int_equal(ledger__bytes(&ledger), sum);
	ledger__destroy(&ledger);
}

static void a_part_of_a_pushed_range_is_no_more_than_that_part(void **state)
{
	struct ledger ledger;
	struct ledger_taken taken;
	size_t bytes = 0;

	(void)state;
	ledger__init(&ledger);
	assert_int_equal(ledger__push(&ledger, 100, 200, 7), 0);
	assert_false(ledger__take_pushed(&ledger, 100, 150, &taken));
	assert_false(ledger__take_pushed(&ledger, 100, 250, &taken));
	assert_true(ledger__take_pushed(&ledger, 100, 200, &taken));
	assert_int_equal(taken.pushed.value, 7);
	assert_false(ledger__covers(&ledger, 100, 101));
	ledger__put_back(&ledger, &taken);
	assert_int_equal(ledger__take(&ledger, 100, 150, &taken), 0);
	assert_int_equal(taken.bytes, 50);
	assert_false(ledger__covers(&ledger, 100, 101));
	ledger__put_back(&ledger, &taken);
	assert_true(ledger__covers(&ledger, 100, 150));
	assert_int_equal(ledger__remove(&ledger, 100, 250), -EINVAL);
	assert_int_equal(ledger__push(&ledger, 300, 400, 7), 0);
	assert_int_equal(ledger__remove(&ledger, 300, 350), 0);
	assert_false(ledger__covers(&ledger, 300, 350));
	assert_true(ledger__covers(&ledger, 350, 400));
	assert_int_equal(ledger__push(&ledger, 500, 600, 7), 0);
	assert_int_equal(ledger__cut(&ledger, 450, 550, &bytes), 0);
	assert_int_equal(bytes, 50);
	assert_int_equal(ledger__bytes(&ledger), 100 + 50 + 50);
	ledger__destroy(&ledger);
}

/* What makes it quick: hardly any of them has to go into the lists for want of a slot. */
static void pushed_ranges_stay_where_they_are_quick_to_take(void **state)
{
	struct ledger ledger;
	struct ledger_taken taken;
	size_t n_taken = 0;

	(void)state;
	ledger__init(&ledger);
	/* Squares: evenly spread starts would hardly ever meet. */
	for (size_t i = 0; i < N_MAPPINGS; i++)
		assert_int_equal(ledger__push(&ledger, start_of(i * i), start_of(i * i) + UNIT, 0), 0);
	for (size_t i = 0; i < N_MAPPINGS; i++)
		n_taken += ledger__take_pushed(&ledger, start_of(i * i), start_of(i * i) + UNIT, &taken);
	assert_true(n_taken > N_MAPPINGS * 98 / 100);
	ledger__destroy(&ledger);
}

/* As where memory of an area was unmapped behind its back and comes again. */
static void a_range_that_is_pushed_again_replaces_what_was_there(void **state)
{
	struct ledger ledger;
	struct ledger_range range = {0, 0, 0};

	(void)state;
	ledger__init(&ledger);
	assert_int_equal(ledger__push(&ledger, 100, 200, 1), 0);
	assert_int_equal(ledger__push(&ledger, 100, 150, 2), 0);
	assert_int_equal(ledger__remove(&ledger, 100, 150), 0);
	assert_false(ledger__next(&ledger, 0, &range));
	assert_int_equal(ledger__push(&ledger, 100, 200, 1), 0);
	assert_int_equal(ledger__bytes(&ledger), 100);
	assert_int_equal(ledger__push(&ledger, 120, 220, 2), 0);
	assert_int_equal(ledger__bytes(&ledger), 120);
	assert_true(ledger__next(&ledger, 120, &range));
	assert_int_equal(range.value, 2);
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

enum { N_THREADS = 4, N_EACH = 500 };

struct worker {
	struct ledger *ledger;
	size_t first; /* its mappings are its own */
	bool failed;
};

/* Ends with every second one of its mappings there. */
static void *map_and_unmap(void *arg)
{
	struct worker *worker = arg;

	for (int n = 0; n < 20 * N_EACH; n++) {
		uintptr_t start = start_of(worker->first + (size_t)n % N_EACH);

		if (ledger__push(worker->ledger, start, start + UNIT, 0) != 0 ||
			!ledger__covers(worker->ledger, start, start + UNIT))
			worker->failed = true;
		/* Now and then everything moves from the table to the lists. */
		if (n % 1000 == 0)
			(void)ledger__bytes(worker->ledger);
		if ((n < 19 * N_EACH || n % 2 == 0) && ledger__remove(worker->ledger, start, start + UNIT) != 0)
			worker->failed = true;
	}
	return NULL;
}

static void threads_push_and_remove_at_once(void **state)
{
	struct ledger ledger;
	struct worker workers[N_THREADS];
	pthread_t threads[N_THREADS];

	(void)state;
	ledger__init(&ledger);
	for (size_t i = 0; i < N_THREADS; i++) {
		workers[i] = (struct worker){&ledger, i * N_EACH, false};
		assert_int_equal(pthread_create(&threads[i], NULL, map_and_unmap, &workers[i]), 0);
	}
	for (size_t i = 0; i < N_THREADS; i++) {
		assert_int_equal(pthread_join(threads[i], NULL), 0);
		assert_false(workers[i].failed);
	}
	assert_int_equal(ledger__bytes(&ledger), N_THREADS * N_EACH / 2 * UNIT);
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
	brief__acquire(&ledger.lock);
	child = fork();
	if (child == 0) {
		alarm(600);
		_exit(ledger__remove(&ledger, 1, 10) == 0 ? 0 : 1);
	}
	brief__release(&ledger.lock);
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
		cmocka_unit_test(any_number_of_pushed_ranges_is_found_again),
		cmocka_unit_test(a_part_of_a_pushed_range_is_no_more_than_that_part),
		cmocka_unit_test(pushed_ranges_stay_where_they_are_quick_to_take),
		cmocka_unit_test(a_range_that_is_pushed_again_replaces_what_was_there),
		cmocka_unit_test(allocate_takes_the_first_range_that_fits_or_the_one_wanted),
		cmocka_unit_test(threads_push_and_remove_at_once),
		cmocka_unit_test(child_of_a_fork_finds_the_lock_free),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
