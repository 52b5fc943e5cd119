/* SPDX-License-Identifier: BSD-3-Clause */
/* amm_test.h - what the address map's tests share. */
#ifndef TESTS_UNIT_AMM_TEST_H
#define TESTS_UNIT_AMM_TEST_H

#include "tests/unit/test.h"

#include "amm.h"

static inline void init_plain(amm_t *amm)
{
	assert_int_equal(amm_init_gen(amm, 0, NULL, NULL, NULL, NULL, NULL), 0);
}

/* One entry is [start, end) with these flags. */
static inline void expect(amm_t *amm, amm_addr_t start, amm_addr_t end, int flags)
{
	amm_entry_t *entry = amm_find_addr(amm, start);

	assert_non_null(entry);
	assert_int_equal(amm_entry_start(entry), start);
	assert_int_equal(amm_entry_end(entry), end);
	assert_int_equal(amm_entry_size(entry), end - start);
	assert_int_equal(amm_entry_flags(entry), flags);
}

static inline void destroy(amm_t *amm)
{
	assert_int_equal(amm_check(amm), 0);
	amm_destroy(amm);
}

/* For iterations; the argument is a size_t. */
static inline int sum_sizes(amm_t *amm, amm_entry_t *entry, void *sum)
{
	(void)amm;
	*(size_t *)sum += amm_entry_size(entry);
	return 0;
}

#endif
