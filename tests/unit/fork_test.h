/* SPDX-License-Identifier: BSD-3-Clause */
/* fork_test.h - for one file of each test that forks beside other threads: which sanitizer it runs under. */
#ifndef TESTS_UNIT_FORK_TEST_H
#define TESTS_UNIT_FORK_TEST_H

#ifndef __has_feature
#define __has_feature(x) 0
#endif
#define FORKS_UNDER_TSAN __has_feature(thread_sanitizer)
#define FORKS_UNDER_ASAN __has_feature(address_sanitizer)

/* Its deadlock detector ends programs that hold more than 64 locks at once, and jemalloc holds all of its own
   over a fork. */
const char *__tsan_default_options(void);
const char *__tsan_default_options(void)
{
	return "detect_deadlocks=0";
}

#endif
