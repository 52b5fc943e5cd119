/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/test.h"

#include <errno.h>

#include "base/pagemap.h"

enum { GRANULE = 1 << PAGEMAP_GRANULE_BITS };

/* Addresses that nothing is mapped at: the table never looks at memory. */
static char *at(uintptr_t gib, long granules)
{
	return (char *)((gib << 30) + (uintptr_t)(granules * GRANULE));
}

static void unset_addresses_have_no_owner(void **state)
{
	(void)state;
	assert_int_equal(pagemap__get(NULL), 0);
	assert_int_equal(pagemap__get(at(90, 0)), 0);
	assert_int_equal(pagemap__get((void *)~(uintptr_t)0), 0);
	assert_int_equal(pagemap__get((void *)((uintptr_t)1 << PAGEMAP_ADDRESS_BITS)), 0);
}

static void fill_sets_each_granule_and_no_other(void **state)
{
	(void)state;
	/* Odd and even starts and lengths, inside a leaf and across the border of two. */
	for (long start = -5; start <= 2; start++)
		for (long n = 1; n <= 9; n++) {
			char *from = at(100, start);

			assert_int_equal(pagemap__prepare(at(100, -8), 24 * GRANULE), 0);
			pagemap__fill(from, (size_t)n * GRANULE, 0x12345600u + (uint32_t)n);
			for (long i = -8; i < 16; i++)
				assert_int_equal(pagemap__get(at(100, i) + i + 8),
					i >= start && i < start + n ? 0x12345600u + (uint32_t)n : 0);
			pagemap__fill(from, (size_t)n * GRANULE, 0);
		}
}

static void a_range_touches_the_granules_of_its_ends(void **state)
{
	(void)state;
	assert_int_equal(pagemap__prepare(at(101, 0), 4 * GRANULE), 0);
	pagemap__fill(at(101, 1) + 100, GRANULE, 7);
	assert_int_equal(pagemap__get(at(101, 0)), 0);
	assert_int_equal(pagemap__get(at(101, 1)), 7);
	assert_int_equal(pagemap__get(at(101, 2)), 7);
	assert_int_equal(pagemap__get(at(101, 3)), 0);
	pagemap__put(at(101, 1), 9);
	assert_int_equal(pagemap__get(at(101, 1)), 9);
	assert_int_equal(pagemap__get(at(101, 2)), 7);
}

static void a_hint_stands_beside_the_word(void **state)
{
	(void)state;
	assert_int_equal(pagemap__prepare(at(102, -2), 4 * GRANULE), 0);
	for (long i = -2; i < 2; i++)
		pagemap__put(at(102, i), 0x1000u + (uint32_t)(i + 2));
	for (long i = -2; i < 2; i++)
		pagemap__put_hint(at(102, i) + 100, (uint8_t)(0xf0 + i));
	for (long i = -2; i < 2; i++) {
		assert_int_equal(pagemap__get(at(102, i)), 0x1000u + (uint32_t)(i + 2));
		assert_int_equal(pagemap__hint(at(102, i)), (uint8_t)(0xf0 + i));
	}
	pagemap__fill(at(102, -2), 4 * GRANULE, 0);
	assert_int_equal(pagemap__hint(at(102, 1)), 0xf1);
}

static void ranges_beyond_the_table_are_refused(void **state)
{
	(void)state;
	assert_int_equal(pagemap__prepare(NULL, 0), -EINVAL);
	assert_int_equal(pagemap__prepare((void *)((uintptr_t)1 << PAGEMAP_ADDRESS_BITS), 1), -EINVAL);
	assert_int_equal(pagemap__prepare((void *)~(uintptr_t)0, 2), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(unset_addresses_have_no_owner),
		cmocka_unit_test(fill_sets_each_granule_and_no_other),
		cmocka_unit_test(a_range_touches_the_granules_of_its_ends),
		cmocka_unit_test(a_hint_stands_beside_the_word),
		cmocka_unit_test(ranges_beyond_the_table_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
