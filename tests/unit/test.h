/* SPDX-License-Identifier: BSD-3-Clause */
/* test.h - cmocka with the headers it forgets. */
#ifndef TESTS_UNIT_TEST_H
#define TESTS_UNIT_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* Skips the calling test; tests/tap.sh puts the reason into its line. */
#define skip_because(why) do { \
	print_message("# skipped: %s\n", why); \
	skip(); \
} while (0)

#endif
