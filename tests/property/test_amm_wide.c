/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_amm_wide.c - all addresses beside a list of ranges: runs as large as runs can be, places and hints
 * at either end, sizes and alignments up to the full width. What a window of addresses is too narrow for.
 *
 * AMM_SEED=n runs that one program.
 */
#include "tests/unit/test.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "amm.h"

enum {
	SEEDS = 500,
	STEPS = 300,
	RANGES_MAX = 2 * STEPS + 1, /* a modify adds two */
};

/* Tiles all addresses; neighbours have different flags. */
static struct {
	amm_addr_t start[RANGES_MAX + 2];
	int flags[RANGES_MAX + 2];
	size_t n;
} ranges;

static uint64_t random_state;

static uint64_t next_random(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state * 0x2545f4914f6cdd1du;
}

static unsigned below(unsigned n)
{
	return (unsigned)((next_random() >> 32) % n);
}

static amm_addr_t end_of(size_t i)
{
	return i + 1 < ranges.n ? ranges.start[i + 1] : AMM_MAXADDR;
}

/* As likely near a border, a power of two or either end as anywhere. */
static amm_addr_t any_address(void)
{
	switch (below(8)) {
	case 0:
		return below(64);
	case 1:
		return AMM_MAXADDR - below(64);
	case 2:
		return ((amm_addr_t)1 << below(64)) + below(5) - 2;
	case 3:
		return next_random();
	case 4:
		return next_random() >> below(64);
	default:
		return ranges.start[below((unsigned)ranges.n)] + below(9) - 4;
	}
}

static amm_size_t any_size(void)
{
	size_t i = below((unsigned)ranges.n);

	switch (below(5)) {
	case 0:
		return end_of(i) - ranges.start[i] - below(3);
	case 1:
		return next_random() >> below(64);
	case 2:
		return AMM_MAXADDR - below(8);
	default:
		return 1 + below(20);
	}
}

static int any_flags(int n_words)
{
	static const int words[] = {0, 1, AMM_ALLOCATED, AMM_RESERVED, 3, 2, AMM_ALLOCATED | 1, 4, 5, 6, 7, 8, 9, 10, 11, 12};

	return words[below((unsigned)n_words)];
}

/* The list's modify */

static void cut(amm_addr_t at)
{
	size_t i = 0;

	while (i + 1 < ranges.n && ranges.start[i + 1] <= at)
		i++;
	if (ranges.start[i] == at || at == AMM_MAXADDR)
		return;
	memmove(ranges.start + i + 1, ranges.start + i, (ranges.n - i) * sizeof(ranges.start[0]));
	memmove(ranges.flags + i + 1, ranges.flags + i, (ranges.n - i) * sizeof(ranges.flags[0]));
	ranges.start[i + 1] = at;
	ranges.n++;
}

static void change_list(amm_addr_t start, amm_addr_t end, int flags)
{
	size_t n = 0;

	cut(start);
	cut(end);
	for (size_t i = 0; i < ranges.n; i++) {
		if (ranges.start[i] >= start && ranges.start[i] < end)
			ranges.flags[i] = flags;
		if (n > 0 && ranges.flags[i] == ranges.flags[n - 1])
			continue;
		ranges.start[n] = ranges.start[i];
		ranges.flags[n++] = ranges.flags[i];
	}
	ranges.n = n;
}

static void modify(amm_t *amm, int n_words)
{
	amm_addr_t start = any_address();
	amm_size_t size = any_size();
	int flags = any_flags(n_words);

	/* What covers nearly everything comes seldom. */
	if (size >> 32 != 0 && below(8) != 0)
		size = 1 + below(100);
	if (size == 0 || size > AMM_MAXADDR - start) {
		assert_int_equal(amm_modify(amm, start, size, flags, NULL), EINVAL);
	} else {
		assert_int_equal(amm_modify(amm, start, size, flags, NULL), 0);
		change_list(start, start + size, flags);
	}
	assert_int_equal(amm_count(amm), ranges.n);
}

/* What is looked for, and how. */
struct query {
	int flags, mask, bits, find_flags;
	amm_addr_t off, hint;
	amm_size_t size;
};

static bool matches(size_t i, const struct query *q)
{
	return (ranges.flags[i] & q->mask) == q->flags;
}

/* The first place in search direction in the run [start, end). */
static bool place_in(amm_addr_t start, amm_addr_t end, const struct query *q, amm_addr_t *place)
{
	bool exact = q->find_flags & AMM_EXACT_ADDR, backward = q->find_flags & AMM_BACKWARD;
	amm_addr_t align = ((amm_addr_t)1 << q->bits) - 1, last = end - q->size, step;

	if (end - start < q->size)
		return false;
	if ((exact || !backward) && start < q->hint)
		start = q->hint;
	if ((exact || backward) && last > q->hint)
		last = q->hint;
	if (start > last)
		return false;
	step = backward ? (last - q->off) & align : (q->off - start) & align;
	*place = backward ? last - step : start + step;
	return step <= last - start;
}

static bool expected(const struct query *q, amm_addr_t *place)
{
	bool backward = q->find_flags & AMM_BACKWARD, best_fit = q->find_flags & AMM_BESTFIT, found = false;
	amm_size_t best = 0;

	for (size_t a = 0, b; a < ranges.n; a = b) {
		amm_addr_t start = ranges.start[a], candidate;

		for (b = a + 1; b < ranges.n && matches(b, q) == matches(a, q); b++)
			;

		amm_size_t size = end_of(b - 1) - start;

		if (!matches(a, q) || !place_in(start, start + size, q, &candidate))
			continue;
		if (!found || (best_fit ? size < best || (size == best && backward) : backward)) {
			*place = candidate;
			best = size;
		}
		found = true;
	}
	return found;
}

static void find(amm_t *amm, int n_words, int n_masks)
{
	static const int masks[] = {-1, -1, 0, 3, 1, AMM_ALLOCATED, AMM_ALLOCATED | AMM_RESERVED, 2, 4, 9, 8, 6};
	struct query q = {
		.mask = masks[below((unsigned)n_masks)],
		.bits = (int)(below(2) == 0 ? 0 : below(below(2) == 0 ? 8 : 64)),
		.find_flags = (int)below(8),
		.off = any_address(),
		.hint = any_address(),
		.size = any_size(),
	};
	bool exact = q.find_flags & AMM_EXACT_ADDR;
	bool valid = q.size != 0 && (!exact || q.size <= AMM_MAXADDR - q.hint);
	amm_addr_t place, addr = q.hint;

	q.flags = any_flags(n_words) & q.mask;

	bool found = valid && expected(&q, &place);

	errno = 0;

	amm_entry_t *entry = amm_find_gen(amm, &addr, q.size, q.flags, q.mask, q.bits, q.off, q.find_flags);

	assert_int_equal(entry != NULL, found);
	assert_int_equal(addr, found ? place : q.hint);
	if (found)
		assert_ptr_equal(entry, amm_find_addr(amm, addr));
	else
		assert_int_equal(errno, valid ? ENOMEM : EINVAL);
	assert_int_equal(amm_check(amm), 0);
}

static void run_seed(unsigned long seed)
{
	static const unsigned options[] = {0, AMM_NO_MALLOC, AMM_READERS | AMM_NO_MALLOC, AMM_FORK};
	amm_t amm;

	random_state = seed * 0x9e3779b97f4a7c15u + 1;
	for (int i = 0; i < 5; i++)
		(void)next_random();
	ranges.n = 1;
	ranges.start[0] = AMM_MINADDR;
	ranges.flags[0] = 0;

	/* From few kinds of flags to many; from hardly a change between two questions to hardly a question. */
	int n_words = 1 + (int)below(16), n_masks = 1 + (int)below(12);
	unsigned n_changes = 1 + below(9);

	assert_int_equal(amm_init_with(&amm, options[below(4)], 0, NULL, NULL, NULL, NULL, NULL), 0);
	for (int step = 0; step < STEPS; step++)
		if (below(10) < n_changes)
			modify(&amm, n_words);
		else
			find(&amm, n_words, n_masks);
	assert_int_equal(amm_check(&amm), 0);
	amm_destroy(&amm);
}

static void maps_of_all_addresses_equal_a_list_of_ranges(void **state)
{
	const char *text = getenv("AMM_SEED");

	(void)state;
	if (text != NULL) {
		run_seed(strtoul(text, NULL, 10));
		return;
	}
	for (unsigned long seed = 0; seed < SEEDS; seed++) {
		char line[64];

		/* Known before it can fail. */
		snprintf(line, sizeof(line), "%lu", seed);
		setenv("AMM_SEED_RUNNING", line, 1);
		run_seed(seed);
	}
	printf("# %d seeds\n", SEEDS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(maps_of_all_addresses_equal_a_list_of_ranges),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
