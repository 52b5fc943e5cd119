/* SPDX-License-Identifier: BSD-3-Clause */
/* hwloc is loaded when it is first needed, and what happens where that fails. */
#include "config.h" /* HWLOC_SONAME */
#include "tests/unit/test.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "aml.h"
#include "area/hwloc_calls.h"
#include "situs.h"

static int n_opened;          /* calls of dlopen */
static const char *forgotten; /* the function that the library lacks */
static bool is_missing;       /* the library */

void *__real_dlopen(const char *name, int flags);
void *__wrap_dlopen(const char *name, int flags);
void *__wrap_dlopen(const char *name, int flags)
{
	__atomic_add_fetch(&n_opened, 1, __ATOMIC_RELAXED);
	return __real_dlopen(is_missing ? "libnowhere.so.15" : name, flags);
}

void *__real_dlsym(void *library, const char *name);
void *__wrap_dlsym(void *library, const char *name);
void *__wrap_dlsym(void *library, const char *name)
{
	return forgotten && strcmp(name, forgotten) == 0 ? NULL : __real_dlsym(library, name);
}

/* Each test in a child, since what is loaded stays. */
static void in_child(void (*test)(void))
{
	pid_t child = fork();
	int status;

	if (child == 0) {
		test();
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

static void expect(bool holds, const char *what)
{
	if (holds)
		return;
	print_message("# %s; the sentence is: %s\n", what, situs_error());
	_exit(1);
}

static bool opens(const char *place)
{
	struct aml_area *area;

	if (aml_area_open(&area, place) != 0)
		return false;
	aml_area_close(&area);
	return true;
}

static void open_plain_places(void)
{
	static const char *const places[] = {"any", "local", "any,interleave", "any,limit:1M", "any > local", "anon"};

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		bool done = opens(places[i]);

		expect(done || aml_errno == AML_EPERM, places[i]);
	}
	expect(n_opened == 0, "hwloc was loaded");
}

static void places_without_merit_do_not_load_it(void **state)
{
	(void)state;
	in_child(open_plain_places);
}

static void open_by_kind(void)
{
	setenv("HWLOC_SYNTHETIC", "node:1 core:1 pu:1", 1);
	setenv("SITUS_TIERS", "dram=0", 1);
	expect(opens("dram") || aml_errno == AML_EPERM, "dram");
	expect(n_opened == 1, "hwloc was not loaded");
}

static void a_place_by_kind_loads_it(void **state)
{
	(void)state;
	in_child(open_by_kind);
}

static void miss_it(void)
{
	is_missing = true;
	expect(!opens("tier:fastest"), "a tier without hwloc");
	expect(aml_errno == AML_ENOTSUP && errno == ENOTSUP, "the error is not ENOTSUP");
	expect(strstr(situs_error(), "libhwloc") && strstr(situs_error(), "libnowhere"),
		"the sentence does not name it, or not the loader's reason");
	expect(opens("any"), "any");
	is_missing = false;
	expect(hwloc_calls__load() == 0 && hw() != NULL, "the failure was kept");
}

static void without_it_such_a_place_says_so_others_open_and_the_next_call_tries_again(void **state)
{
	(void)state;
	in_child(miss_it);
}

static void forget_a_function(void)
{
	forgotten = "hwloc_topology_set_xml";
	expect(hwloc_calls__load() == -AML_ENOTSUP, "a function is missing");
	expect(strstr(situs_error(), forgotten) != NULL, "the sentence does not name it");
	expect(hw() == NULL, "half a table");
}

static void a_library_that_lacks_a_function_is_refused_by_its_name(void **state)
{
	(void)state;
	in_child(forget_a_function);
}

static void use_up_descriptors(void)
{
	struct rlimit none = {3, 3};

	expect(setrlimit(RLIMIT_NOFILE, &none) == 0, "setrlimit");
	for (int i = 3; i < 64; i++)
		close(i);
	expect(hwloc_calls__load() == -AML_ENOMEM, "loaded without a descriptor");
	expect(strstr(situs_error(), "descriptor") != NULL, "the sentence does not say why");
	expect(opens("any"), "any");
}

static void without_descriptors_the_sentence_says_so(void **state)
{
	(void)state;
	in_child(use_up_descriptors);
}

enum { N_THREADS = 8 };
static pthread_barrier_t barrier;

static void *load(void *arg)
{
	(void)arg;
	pthread_barrier_wait(&barrier);
	return hwloc_calls__load() == 0 ? (void *)(uintptr_t)hw() : NULL;
}

static void load_at_once(void)
{
	pthread_t threads[N_THREADS];

	expect(pthread_barrier_init(&barrier, NULL, N_THREADS) == 0, "barrier");
	for (int i = 0; i < N_THREADS; i++)
		expect(pthread_create(&threads[i], NULL, load, NULL) == 0, "thread");
	for (int i = 0; i < N_THREADS; i++) {
		void *table;

		pthread_join(threads[i], &table);
		expect(table != NULL && table == (void *)(uintptr_t)hw(), "two tables");
	}
	expect(hw()->topology_init == __real_dlsym(__real_dlopen(HWLOC_SONAME, RTLD_NOW),
		"hwloc_topology_init"), "the wrong function");
}

static void threads_that_need_it_at_once_share_one_table(void **state)
{
	(void)state;
	in_child(load_at_once);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(places_without_merit_do_not_load_it),
		cmocka_unit_test(a_place_by_kind_loads_it),
		cmocka_unit_test(without_it_such_a_place_says_so_others_open_and_the_next_call_tries_again),
		cmocka_unit_test(a_library_that_lacks_a_function_is_refused_by_its_name),
		cmocka_unit_test(without_descriptors_the_sentence_says_so),
		cmocka_unit_test(threads_that_need_it_at_once_share_one_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
