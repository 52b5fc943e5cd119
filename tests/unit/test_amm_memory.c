/* SPDX-License-Identifier: BSD-3-Clause */
/* What the index takes, and that it gives back. */
#include "tests/unit/amm_test.h"

#include <stdbool.h>

static unsigned next_random(unsigned *seed)
{
	*seed = *seed * 1664525 + 1013904223;
	return *seed >> 4;
}

/* Half of the entries are holes: made in order of addresses, or in any. */
static void fill(amm_t *amm, unsigned n_entries, bool ascending)
{
	unsigned seed = 1;

	init_plain(amm);
	for (amm_addr_t i = 1; i <= n_entries / 2; i++) {
		amm_addr_t at = ascending ? i << 12 : (amm_addr_t)next_random(&seed) << 12;

		assert_int_equal(amm_modify(amm, at, (amm_size_t)(1 + next_random(&seed) % 15) << 8, 1, NULL), 0);
	}
	assert_in_range(amm_count(amm), n_entries / 2, n_entries + 1);
}

static void expect_small_index(const amm_t *amm)
{
	assert_in_range(amm_index_size(amm), 1, 32 * amm_count(amm));
}

/* Sizes between those at which its memory doubles, too. */
static void index_takes_at_most_32_bytes_an_entry(void **state)
{
	static const unsigned sizes[] = {30000, 100000, 130000, 200000, 1000000};

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		for (int ascending = 0; ascending <= 1; ascending++) {
			amm_t amm;

			fill(&amm, sizes[i], ascending);
			expect_small_index(&amm);
			destroy(&amm);
		}
}

/* Both kinds of run indices: what a program needs that allocates by first fit and by best fit. */
static void index_takes_at_most_32_bytes_an_entry_with_all_fits_asked_for(void **state)
{
	static const unsigned sizes[] = {200000, 1000000};

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		for (int ascending = 0; ascending <= 1; ascending++) {
			amm_t amm;
			amm_addr_t addr = 0;

			fill(&amm, sizes[i], ascending);
			assert_non_null(amm_find_gen(&amm, &addr, 100, 0, -1, 0, 0, AMM_BESTFIT));
			expect_small_index(&amm);
			addr = 5000;
			assert_non_null(amm_find_gen(&amm, &addr, (amm_size_t)1 << 60, 0, -1, 0, 0, AMM_FORWARD));
			expect_small_index(&amm);
			destroy(&amm);
		}
}

/* Every other entry goes, and the next, until few are left; then half come back, and some go again. */
static void index_takes_at_most_32_bytes_an_entry_of_what_is_left(void **state)
{
	enum { N = 300000, FEW = 10000 };

	(void)state;
	for (unsigned options = 0; options <= AMM_READERS; options += AMM_READERS) {
		amm_t amm;
		unsigned seed = 7;
		size_t most = 0;

		assert_int_equal(amm_init_with(&amm, options, 0, NULL, NULL, NULL, NULL, NULL), 0);
		for (amm_addr_t i = 1; i <= N / 2; i++)
			assert_int_equal(amm_modify(&amm, i * 16, 8, 1, NULL), 0);
		for (unsigned step = 0; step < 3 * N; step++) {
			amm_addr_t at = (amm_addr_t)(1 + next_random(&seed) % (N / 2)) * 16;
			bool grows = step % N > N / 2 && next_random(&seed) % 4 != 0;

			assert_int_equal(amm_modify(&amm, at, 8, grows, NULL), 0);
			if (amm_count(&amm) > FEW && amm_index_size(&amm) > 32 * amm_count(&amm))
				most++;
			if (step % (N / 5) == 0)
				assert_int_equal(amm_check(&amm), 0);
		}
		assert_int_equal(most, 0);
		destroy(&amm);
	}
}

static void a_map_that_has_shrunk_gives_its_memory_back(void **state)
{
	enum { N = 100000 };

	(void)state;
	for (unsigned options = 0; options <= AMM_READERS; options += AMM_READERS) {
		amm_t amm;
		struct amm_range range;

		assert_int_equal(amm_init_with(&amm, options, 0, NULL, NULL, NULL, NULL, NULL), 0);
		/* It may grow again, and shrink again. */
		for (int round = 0; round < 3; round++) {
			amm_addr_t addr = 0;

			for (amm_addr_t i = 1; i <= N; i++)
				assert_int_equal(amm_modify(&amm, i * 16, 8, 1, NULL), 0);
			assert_non_null(amm_find_gen(&amm, &addr, 5, 1, -1, 0, 0, AMM_BESTFIT));
			assert_true(amm_index_size(&amm) > 4 * 1024 * 1024);
			for (amm_addr_t i = 1; i <= N; i++)
				if (i % 1000 != 0)
					assert_int_equal(amm_modify(&amm, i * 16, 8, 0, NULL), 0);
			assert_int_equal(amm_check(&amm), 0);
			assert_int_equal(amm_count(&amm), 2 * N / 1000 + 1);
			assert_in_range(amm_index_size(&amm), 1, 512 * 1024);
			addr = 0;
			assert_non_null(amm_find_gen(&amm, &addr, 5, 1, -1, 0, 0, AMM_BESTFIT));
			assert_int_equal(addr, 16000);
			if (options & AMM_READERS) {
				assert_int_equal(amm_read(&amm, 16001, &range, NULL, NULL), 0);
				assert_int_equal(range.start, 16000);
			}
		}
		assert_int_equal(amm_modify(&amm, 0, AMM_MAXADDR, 5, NULL), 0);
		expect(&amm, AMM_MINADDR, AMM_MAXADDR, 5);
		destroy(&amm);
	}
}

/* One change takes nearly everything away. */
static void memory_is_given_back_after_a_single_change_too(void **state)
{
	enum { N = 100000 };

	(void)state;
	for (unsigned options = 0; options <= AMM_READERS; options += AMM_READERS) {
		amm_t amm;

		assert_int_equal(amm_init_with(&amm, options, AMM_ALLOCATED, NULL, NULL, NULL, NULL, NULL), 0);
		for (amm_addr_t i = 1; i <= N; i++)
			assert_int_equal(amm_modify(&amm, i * 16, 8, AMM_ALLOCATED | 1, NULL), 0);
		assert_int_equal(amm_deallocate(&amm, 0, AMM_MAXADDR), 0);
		assert_int_equal(amm_count(&amm), 1);
		assert_in_range(amm_index_size(&amm), 1, 64 * 1024);
		assert_non_null(amm_select(&amm, 100, 100));
		assert_int_equal(amm_count(&amm), 3);
		destroy(&amm);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(index_takes_at_most_32_bytes_an_entry),
		cmocka_unit_test(index_takes_at_most_32_bytes_an_entry_with_all_fits_asked_for),
		cmocka_unit_test(index_takes_at_most_32_bytes_an_entry_of_what_is_left),
		cmocka_unit_test(a_map_that_has_shrunk_gives_its_memory_back),
		cmocka_unit_test(memory_is_given_back_after_a_single_change_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
