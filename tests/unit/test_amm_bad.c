/* SPDX-License-Identifier: BSD-3-Clause */
/* The address map under bad input: EINVAL, nothing changed. */
#include "tests/unit/amm_test.h"

#include <errno.h>
#include <limits.h>

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bad_input_is_einval_and_changes_nothing),
		cmocka_unit_test(bad_alignments_and_find_flags_are_einval),
		cmocka_unit_test(a_null_map_is_einval),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
