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

static size_t run_size(amm_addr_t at)
{
	amm_addr_t a = at, b = at;

	while (a > 0 && tags[a - 1] == tags[at])
		a--;
	while (b < WIDTH && tags[b] == tags[at])
		b++;
	return b - a;
}

/* The smallest run with room for size, aligned; the whole array is looked at. */
static size_t best_run(int flags, size_t size, amm_addr_t align)
{
	size_t best = SIZE_MAX;

	for (amm_addr_t a = 0, b; a < WIDTH; a = b) {
		for (b = a; b < WIDTH && tags[b] == tags[a]; b++)
			;
		if (tags[a] == flags && ((a + align) & ~align) + size <= b && b - a < best)
			best = b - a;
	}
	return best;
}

static void find_and_compare(amm_t *amm)
{
	int flags = (int)(1 + next_random() % 3), bits = (int)(next_random() % 3);
	amm_size_t size = 1 + next_random() % 12;
	amm_addr_t addr = 0;
	size_t best = best_run(flags, size, ((amm_addr_t)1 << bits) - 1);
	amm_entry_t *entry = amm_find_gen(amm, &addr, size, flags, -1, bits, 0, AMM_BESTFIT);

	assert_int_equal(entry != NULL, best != SIZE_MAX);
	if (entry != NULL) {
		assert_int_equal(run_size(addr), best);
		assert_int_equal(addr % ((amm_addr_t)1 << bits), 0);
		for (amm_size_t i = 0; i < size; i++)
			assert_int_equal(tags[addr + i], flags);
	}
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
			modify(&amm, start, 1 + next_random() % 3, (int)(next_random() % 4));
		else
			modify(&amm, start, 1 + next_random() % 60, (int)(next_random() % 4));
		if (step % (CHECK_EVERY / 10) == 0)
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
