/* SPDX-License-Identifier: BSD-3-Clause */
/* test.h - cmocka with the headers it forgets. */
#ifndef TESTS_UNIT_TEST_H
#define TESTS_UNIT_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#endif
