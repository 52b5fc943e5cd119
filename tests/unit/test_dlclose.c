/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The shared library opened late and closed early. It has TLS, thread keys and fork handlers, so closing
 * must leave it in place: a thread that used a heap ends after dlclose.
 *
 * jemalloc's own TLS cannot be opened late, so the program is linked with it.
 */
#include "tests/unit/test.h"

#include <dlfcn.h>
#include <jemalloc/jemalloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "situs.h"

#define LIBRARY "./.libs/libsitus.so"

static void *library;
static situs_heap_t *(*heap_open)(const char *);
static void *(*heap_malloc)(situs_heap_t *, size_t);
static void (*heap_free)(void *);
static situs_heap_t *heap;

static void *use_close_and_end(void *arg)
{
	(void)arg;
	heap_free(heap_malloc(heap, 100));
	assert_int_equal(dlclose(library), 0);
	return NULL;
}

static void open_library(void)
{
	library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
	if (library == NULL)
		fail_msg("%s", dlerror());
	*(void **)&heap_open = dlsym(library, "situs_heap_open");
	*(void **)&heap_malloc = dlsym(library, "situs_malloc");
	*(void **)&heap_free = dlsym(library, "situs_free");
}

static void a_thread_ends_and_a_child_forks_after_dlclose(void **state)
{
	pthread_t thread;
	int status;

	(void)state;
	dallocx(mallocx(1, 0), 0); /* jemalloc is linked and awake */
	open_library();
	heap = heap_open("any");
	assert_non_null(heap);
	assert_int_equal(pthread_create(&thread, NULL, use_close_and_end, NULL), 0);
	pthread_join(thread, NULL);

	pid_t child = fork();

	if (child == 0)
		_exit(0);
	waitpid(child, &status, 0);
	assert_int_equal(status, 0);
}

int main(void)
{
	const char *build = getenv("SITUS_BUILDDIR");

	if (build != NULL && chdir(build) != 0)
		return 1;
	if (access(LIBRARY, F_OK) != 0) {
		puts("1..0 # SKIP configured without shared libraries");
		return 0;
	}

	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_thread_ends_and_a_child_forks_after_dlclose),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
