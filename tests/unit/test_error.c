/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/test.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/resource.h>

#include "base/error.h"

static void *ask_for_the_text(void *text)
{
	*(const char **)text = error__text();
	return NULL;
}

static void the_last_sentence_is_this_threads(void **state)
{
	const char *others = NULL;
	pthread_t thread;

	(void)state;
	assert_int_equal(error__set(EBUSY, "%s is %d", "it", 7), -EBUSY);
	assert_int_equal(errno, EBUSY);
	assert_string_equal(error__text(), "it is 7");
	pthread_create(&thread, NULL, ask_for_the_text, &others);
	pthread_join(thread, NULL);
	assert_string_equal(others, "");
}

static void a_sentence_may_quote_the_last_and_is_cut(void **state)
{
	char longer[2 * ERROR_TEXT_SIZE];

	(void)state;
	error__set(EINVAL, "inner");
	error__set(EINVAL, "outer: %s", error__text());
	assert_string_equal(error__text(), "outer: inner");
	memset(longer, 'x', sizeof(longer));
	longer[sizeof(longer) - 1] = '\0';
	error__set(EINVAL, "%s", longer);
	assert_int_equal(strlen(error__text()), ERROR_TEXT_SIZE - 1);
	error__clear();
	assert_string_equal(error__text(), "");
}

static void a_failure_without_room_has_a_sentence(void **state) __attribute__((unused));

enum { FAILING = 100 }; /* threads, more than the pool of texts starts with */
static pthread_barrier_t barrier;
static atomic_int n_without, n_spare;

static void *fail_once(void *arg)
{
	(void)arg;
	pthread_barrier_wait(&barrier); /* running */
	pthread_barrier_wait(&barrier); /* there is no memory any more */
	error__set(ENOMEM, "words");
	if (error__text()[0] == '\0')
		n_without++;
	if (strcmp(error__text(), "words") != 0)
		n_spare++;
	error__clear();
	pthread_barrier_wait(&barrier);
	return NULL;
}

static void a_failure_without_room_has_a_sentence(void **state)
{
	pthread_t threads[FAILING];
	struct rlimit old, none;

	(void)state;
	pthread_barrier_init(&barrier, NULL, FAILING + 1);
	for (int i = 0; i < FAILING; i++)
		pthread_create(&threads[i], NULL, fail_once, NULL);
	pthread_barrier_wait(&barrier);
	getrlimit(RLIMIT_AS, &old);
	none = (struct rlimit){0, old.rlim_max};
	setrlimit(RLIMIT_AS, &none);
	pthread_barrier_wait(&barrier);
	pthread_barrier_wait(&barrier);
	setrlimit(RLIMIT_AS, &old);
	for (int i = 0; i < FAILING; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(n_without, 0);
	assert_true(n_spare > 0); /* or nothing was tested */
}

/* A sanitizer's runtime needs address space itself. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_last_sentence_is_this_threads),
		cmocka_unit_test(a_sentence_may_quote_the_last_and_is_cut),
#ifndef SANITIZED
		cmocka_unit_test(a_failure_without_room_has_a_sentence),
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
