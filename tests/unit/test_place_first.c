/* SPDX-License-Identifier: BSD-3-Clause */
/* test_place_first.c - places in processes that have not loaded the topology yet: one after another, short of
   descriptors, by several threads at once. */
#include "tests/unit/place_test.h"

#include "area/topology.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* Runs check in a child, whose topology is not loaded yet. Its exit status is the outcome. */
static void assert_in_child(int (*check)(void))
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0)
		_exit(check());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static int open_with_absent_nodes(void)
{
	struct aml_area *area = NULL;

	/* Nodes that this kernel cannot have at hand: a machine with 8 of them, HBM last. */
	setenv("HWLOC_SYNTHETIC", "numa:1000 pu:1", 1);
	setenv("SITUS_TIERS", "hbm=999", 1);
	if (aml_area_open(&area, "hbm") != -AML_EDOM || area || aml_errno != AML_EDOM)
		return 1;
	return strstr(error__text(), "node 999 is not on this machine") ? 0 : 2;
}

static void nodes_of_an_imported_topology_that_are_not_here_are_refused(void **state)
{
	(void)state;
	assert_in_child(open_with_absent_nodes);
}

static int open_with_bad_tiers(void)
{
	struct aml_area *area = NULL;

	setenv("SITUS_TIERS", "hmb=0", 1);
	if (aml_area_open(&area, "any") < 0)
		return 1; /* "any" asks nobody */
	aml_area_close(&area);
	if (aml_area_open(&area, "hbm") != -AML_EINVAL || !strstr(error__text(), "\"hmb=0\""))
		return 2;
	setenv("SITUS_TIERS", "hbm=999", 1);
	if (aml_area_open(&area, "hbm") != -AML_EDOM)
		return 3;
	/* A failure is not kept. */
	unsetenv("SITUS_TIERS");
	return aml_area_open(&area, "tier:nearest") == 0 || aml_errno == AML_EPERM ? 0 : 4;
}

static void a_bad_override_fails_the_words_that_need_it(void **state)
{
	(void)state;
	assert_in_child(open_with_bad_tiers);
}

/* What the place's area prints where at most `n` more descriptors can be had, or "": no descriptors; static. */
static const char *opened_with_descriptors(const char *place, unsigned n)
{
	static char text[256];
	struct rlimit limit, all;
	struct aml_area *area = NULL;
	int result;
	char *said;

	if (getrlimit(RLIMIT_NOFILE, &all) != 0)
		return "rlimit";
	limit = all;
	limit.rlim_cur = 3;
	/* Beside those that are open already. */
	for (unsigned n_free = 0; n_free < n; limit.rlim_cur++)
		n_free += fcntl((int)limit.rlim_cur, F_GETFD) < 0;
	if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
		return "rlimit";
	result = aml_area_open(&area, place);
	setrlimit(RLIMIT_NOFILE, &all);
	if (result == -AML_ENOMEM && strstr(error__text(), "file descriptors: Too many open files"))
		return "";
	if (result < 0) {
		snprintf(text, sizeof(text), "%s", error__text());
		return text;
	}
	said = printed(area);
	snprintf(text, sizeof(text), "%s", said);
	free(said);
	aml_area_close(&area);
	return text;
}

/* How the place opens, and how it does so when it could not at first: from few descriptors to enough. */
static int open_by_merit_without_descriptors(void)
{
	static const char *const places[] = {"tier:fastest", "tier:nearest", "hbm", "dram"};
	char all[256];

	for (unsigned n = 0; n <= 8; n++)
		for (int i = 0; i < 4; i++) {
			const char *few = opened_with_descriptors(places[i], n);

			if (n < 8 ? *few != '\0' : *few == '\0') {
				fprintf(stderr, "# %s with %u descriptors: %s\n", places[i], n, few);
				return 1;
			}
		}
	for (int i = 0; i < 4; i++) {
		snprintf(all, sizeof(all), "%s", opened_with_descriptors(places[i], 64));
		if (strcmp(opened_with_descriptors(places[i], 8), all) != 0)
			return 2;
	}
	return 0;
}

static void without_descriptors_places_by_merit_say_so_and_open_later(void **state)
{
	(void)state;
	skip_without_binding();
	assert_in_child(open_by_merit_without_descriptors);
}

/* Enough descriptors to learn all that many teach: the number that is asked for is no less than what is needed. */
static int open_first_with_just_enough_descriptors(void)
{
	char first[256];
	const struct topology *topology;
	struct topology *anew = NULL;
	struct topology_config config = {.sysfs = "/sys"};

	snprintf(first, sizeof(first), "%s", opened_with_descriptors("tier:nearest", 8));
	if (topology__get(&topology) < 0 || topology__load(&anew, &config) < 0)
		return 1;
	if (anew->n_nodes != topology->n_nodes || anew->n_tiers != topology->n_tiers)
		return 2;
	for (int i = 0; i < anew->n_nodes; i++)
		if (anew->nodes[i].number != topology->nodes[i].number ||
			anew->nodes[i].allowed != topology->nodes[i].allowed ||
			anew->nodes[i].has_cpus != topology->nodes[i].has_cpus ||
			anew->nodes[i].kernel_tier != topology->nodes[i].kernel_tier ||
			anew->nodes[i].bandwidth.value != topology->nodes[i].bandwidth.value ||
			anew->nodes[i].latency.value != topology->nodes[i].latency.value ||
			anew->nodes[i].kind != topology->nodes[i].kind ||
			anew->nodes[i].tier != topology->nodes[i].tier)
			return 3;
	return 0;
}

static void the_descriptors_asked_for_are_enough(void **state)
{
	(void)state;
	assert_in_child(open_first_with_just_enough_descriptors);
}

static int open_huge_pages_without_descriptors(void)
{
	static const char *const places[] = {"hugetlb:2M", "any,thp"};
	struct rlimit none = {0, 0};
	struct aml_area *area = NULL;
	char before[2][256];
	int results[2];

	for (int i = 0; i < 2; i++) {
		results[i] = aml_area_open(&area, places[i]);
		snprintf(before[i], sizeof(before[i]), "%s", error__text());
	}
	none.rlim_max = 4096;
	if (setrlimit(RLIMIT_NOFILE, &none) != 0)
		return 77;
	for (int i = 0; i < 2; i++) {
		if (results[i] < 0)
			continue; /* not on this kernel */
		if (aml_area_open(&area, places[i]) != -AML_ENOMEM ||
			!strstr(error__text(), "Too many open files")) {
			fprintf(stderr, "# %s: %s\n", places[i], error__text());
			return 1 + i;
		}
	}
	return 0;
}

static void without_descriptors_nobody_says_that_there_are_no_huge_pages(void **state)
{
	(void)state;
	assert_in_child(open_huge_pages_without_descriptors);
}

static void *open_on_thread(void *arg)
{
	const struct topology *topology;

	(void)arg;
	return topology__get(&topology) == 0 ? (void *)(uintptr_t)topology : NULL;
}

static int load_on_threads(void)
{
	pthread_t threads[8];
	void *first = NULL, *found;

	for (int i = 0; i < 8; i++)
		if (pthread_create(&threads[i], NULL, open_on_thread, NULL) != 0)
			return 1;
	for (int i = 0; i < 8; i++) {
		pthread_join(threads[i], &found);
		if (!found || (first && first != found))
			return 2;
		first = found;
	}
	return 0;
}

static void threads_share_one_topology(void **state)
{
	(void)state;
	assert_in_child(load_on_threads);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nodes_of_an_imported_topology_that_are_not_here_are_refused),
		cmocka_unit_test(a_bad_override_fails_the_words_that_need_it),
		cmocka_unit_test(without_descriptors_places_by_merit_say_so_and_open_later),
		cmocka_unit_test(the_descriptors_asked_for_are_enough),
		cmocka_unit_test(without_descriptors_nobody_says_that_there_are_no_huge_pages),
		cmocka_unit_test(threads_share_one_topology),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
