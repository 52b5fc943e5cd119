/* SPDX-License-Identifier: BSD-3-Clause */
/* Sizes as people write and read them. */
#include "base/size.h"

#include <errno.h>

#include "test.h"

static size_t parsed(const char *text)
{
	size_t size = 0;

	assert_int_equal(size__parse(text, &size), 0);
	return size;
}

static void units_are_powers_of_1024(void **state)
{
	(void)state;
	assert_int_equal(parsed("0"), 0);
	assert_int_equal(parsed("4096"), 4096);
	assert_int_equal(parsed("4k"), 4096);
	assert_int_equal(parsed("3M"), 3 << 20);
	assert_int_equal(parsed("2GiB"), (size_t)2 << 30);
	assert_int_equal(parsed("1Tb"), (size_t)1 << 40);
}

static void what_is_no_size_is_refused_and_changes_nothing(void **state)
{
	static const char *const bad[] = { "", "-1", "M", "1.5G", "4 K", "4KK", "4X", "4Ki", "+4", "0x10" };
	size_t size = 77;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(size__parse(bad[i], &size), -EINVAL);
	assert_int_equal(size, 77);
}

static void what_no_size_t_holds_is_refused(void **state)
{
	size_t size;

	(void)state;
	assert_int_equal(size__parse("99999999999999999999999", &size), -ERANGE);
	assert_int_equal(size__parse("16777216T", &size), -ERANGE);
	assert_int_equal(parsed("16777215T"), (size_t)16777215 << 40);
}

static void sizes_are_written_short(void **state)
{
	char text[SIZE_TEXT_SIZE];

	(void)state;
	assert_string_equal(size__format(0, text), "0");
	assert_string_equal(size__format(512, text), "512 B");
	assert_string_equal(size__format(4096, text), "4 KiB");
	assert_string_equal(size__format(3 * 1048576 + 104858, text), "3.1 MiB");
	assert_string_equal(size__format((size_t)64 << 30, text), "64 GiB");
	assert_string_equal(size__format(1048575, text), "1 MiB");
	assert_string_equal(size__format((size_t)-1, text), "16777216 TiB");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(units_are_powers_of_1024),
		cmocka_unit_test(what_is_no_size_is_refused_and_changes_nothing),
		cmocka_unit_test(what_no_size_t_holds_is_refused),
		cmocka_unit_test(sizes_are_written_short),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
