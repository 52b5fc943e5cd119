/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_amm_large.c - tens of thousands of entries beside an array of tags: nodes of full size fill,
 * share, split and merge, and run indices grow deep. Checked whole now and then, found places always.
 *
 * AMM_SEED=n starts from another number.
 */
#include "tests/unit/test.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "amm.h"

enum {
	WIDTH = 1 << 17,
	STEPS = 60000,
	CHECK_EVERY = 6000,
};

static int8_t tags[WIDTH];
static uint64_t seed;

static uint64_t next_random(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed >> 11;
}

static int compare(amm_t *amm, amm_entry_t *entry, void *arg)
{
	amm_addr_t *at = arg;

	(void)amm;
	if (amm_entry_start(entry) != *at)
		return 1;
	*at = amm_entry_end(entry);
	for (amm_addr_t i = amm_entry_start(entry); i < *at && i < WIDTH; i++)
		if (tags[i] != amm_entry_flags(entry))
			return 2;
	return 0;
}

static void compare_all(amm_t *amm)
{
	amm_addr_t at = 0;

	assert_int_equal(amm_check(amm), 0);
	assert_int_equal(amm_iterate(amm, compare, &at), 0);
	assert_int_equal(at, AMM_MAXADDR);
}

static void modify(amm_t *amm, amm_addr_t start, amm_size_t size, int flags)
{
	assert_int_equal(amm_modify(amm, start, size, flags, NULL), 0);
	memset(tags + start, flags, size);
}

/* What is looked for, and how. */
struct query {
	int flags, mask, bits, find_flags;
	amm_addr_t off, hint;
	amm_size_t size;
};

static bool matches(amm_addr_t at, const struct query *q)
{
	return (tags[at] & q->mask) == q->flags;
}

/* The first place in search direction in the run [a, b); WIDTH: none. */
static amm_addr_t place_in(amm_addr_t a, amm_addr_t b, const struct query *q)
{
	bool backward = q->find_flags & AMM_BACKWARD;
	amm_addr_t align = ((amm_addr_t)1 << q->bits) - 1;

	for (amm_addr_t k = 0; k + q->size <= b - a; k++) {
		amm_addr_t x = backward ? b - q->size - k : a + k;

		if ((backward ? x <= q->hint : x >= q->hint) && ((x ^ q->off) & align) == 0)
			return x;
	}
	return WIDTH;
}

/* What amm_find_gen ought to find; the whole array is looked at. */
static amm_addr_t expected(const struct query *q)
{
	amm_addr_t best = WIDTH;
	size_t best_size = SIZE_MAX;
	bool backward = q->find_flags & AMM_BACKWARD, best_fit = q->find_flags & AMM_BESTFIT;

	for (amm_addr_t a = 0, b; a < WIDTH; a = b) {
		for (b = a + 1; b < WIDTH && matches(b, q) == matches(a, q); b++)
			;
		if (!matches(a, q))
			continue;

		amm_addr_t place = place_in(a, b, q);

		if (place == WIDTH)
			continue;
		if (best == WIDTH || (best_fit ? b - a < best_size || (b - a == best_size && backward)
				       : backward)) {
			best = place;
			best_size = b - a;
		}
	}
	return best;
}

static void find_and_compare(amm_t *amm)
{
	static const int masks[] = {-1, -1, -1, 3, 8, 64 | 5};
	struct query q = {
		.mask = masks[next_random() % 6],
		.find_flags = (int)(next_random() % 4),
		.bits = next_random() % 2 == 0 ? 0 : (int)(next_random() % 6),
		.off = next_random() % 64,
		.hint = next_random() % WIDTH,
		.size = 1 + next_random() % 12,
	};
	amm_addr_t addr = q.hint, place;

	q.flags = (int)(1 + next_random() % 11) & q.mask;
	if (q.flags == 0) /* those of what lies behind the array */
		q.flags = q.mask;
	place = expected(&q);

	amm_entry_t *entry = amm_find_gen(amm, &addr, q.size, q.flags, q.mask, q.bits, q.off, q.find_flags);

	assert_int_equal(entry != NULL, place != WIDTH);
	if (entry != NULL)
		assert_int_equal(addr, place);
}

static void run(unsigned options)
{
	amm_t amm;

	memset(tags, 0, sizeof(tags));
	assert_int_equal(amm_init_with(&amm, options, 0, NULL, NULL, NULL, NULL, NULL), 0);
	for (int step = 0; step < STEPS; step++) {
		amm_addr_t start = next_random() % (WIDTH - 64);
		bool growing = step / 20000 % 2 == 0;

		/* Small pieces make entries, large ones take them away. */
		if (growing || next_random() % 4 == 0)
			modify(&amm, start, 1 + next_random() % 3, (int)(next_random() % 12));
		else
			modify(&amm, start, 1 + next_random() % 60, (int)(next_random() % 12));
		if (step % (CHECK_EVERY / 40) == 0)
			find_and_compare(&amm);
		if (step % CHECK_EVERY == 0)
			compare_all(&amm);
	}
	compare_all(&amm);
	for (amm_addr_t a = 0; a < WIDTH; a += WIDTH / 64)
		modify(&amm, a, WIDTH / 64, 0);
	compare_all(&amm);
	assert_int_equal(amm_count(&amm), 1);
	amm_destroy(&amm);
}

static void start(void)
{
	const char *text = getenv("AMM_SEED");

	seed = text == NULL ? 88172645463325252u : strtoull(text, NULL, 10) | 1;
	printf("# seed %llu\n", (unsigned long long)seed);
}

static void large_maps_equal_an_array_of_tags(void **state)
{
	(void)state;
	start();
	run(0);
}

static void large_maps_with_readers_equal_an_array_of_tags(void **state)
{
	(void)state;
	start();
	run(AMM_READERS | AMM_NO_MALLOC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(large_maps_equal_an_array_of_tags),
		cmocka_unit_test(large_maps_with_readers_equal_an_array_of_tags),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
