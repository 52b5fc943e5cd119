/* SPDX-License-Identifier: BSD-3-Clause */
/* test_place_open.c - areas opened by place and in hwloc's terms, on whatever machine this is. */
#include "tests/unit/test.h"

#include "aml_hwloc.h"
#include "area/place.h"
#include "area/topology.h"
#include "base/error.h"
#include "os/os.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* "node:N" of the first node this process may use; static. */
static const char *first_node(const char *options)
{
	static char text[64];
	struct os_nodes allowed;

	assert_int_equal(os__nodes_allowed(&allowed), 0);
	snprintf(text, sizeof(text), "node:%d%s", os__nodes_next(&allowed, 0), options);
	return text;
}

static struct aml_area *open_area(const char *place)
{
	struct aml_area *area = NULL;

	if (aml_area_open(&area, place) < 0)
		fail_msg("\"%s\" does not open: %s", place, error__text());
	assert_non_null(area);
	return area;
}

/* What aml_area_fprintf prints, without the end of the line; the caller frees. */
static char *printed(const struct aml_area *area)
{
	char *text = NULL;
	size_t size;
	FILE *stream = open_memstream(&text, &size);

	assert_non_null(stream);
	assert_int_equal(aml_area_fprintf(stream, "", area), 0);
	fclose(stream);
	text[strcspn(text, "\n")] = '\0';
	return text;
}

static void assert_usable(const struct aml_area *area)
{
	size_t size = 1 << 20;
	char *ptr = aml_area_mmap(area, NULL, size);

	assert_non_null(ptr);
	memset(ptr, 1, size);
	assert_int_equal(aml_area_munmap(area, ptr, size), 0);
}

static void assert_refused(const char *place, int code, const char *part)
{
	struct aml_area *untouched = (struct aml_area *)&untouched, *area = untouched;

	assert_int_equal(aml_area_open(&area, place), -code);
	assert_ptr_equal(area, untouched);
	assert_int_equal(aml_errno, code);
	if (!strstr(error__text(), part))
		fail_msg("\"%s\" does not say \"%s\"", error__text(), part);
}

/* Processes whose kernel or container forbids binding cannot run what binds. */
static void skip_without_binding(void)
{
	struct aml_area *area = NULL;

	if (aml_area_open(&area, first_node(",bind")) == -AML_EPERM) {
		print_message("skipped: this process may not bind memory\n");
		skip();
	}
	aml_area_close(&area);
}

static void opened_places_give_memory(void **state)
{
	static const char *const places[] = {"any", "local", "any,interleave", "any,preferred",
		"any,populate", "local,firsttouch", "tier:nearest", "any,strict"};

	(void)state;
	skip_without_binding();
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		struct aml_area *area = open_area(places[i]);

		assert_usable(area);
		aml_area_close(&area);
		assert_null(area);
	}
}

static void memory_of_a_node_place_lies_on_the_node(void **state)
{
	static const char *const options[] = {"", ",bind", ",strict", ",interleave", ",preferred", ",firsttouch"};

	(void)state;
	skip_without_binding();
	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		struct aml_area *area = open_area(first_node(options[i]));
		char *ptr = aml_area_mmap(area, NULL, 1 << 16);

		assert_non_null(ptr);
		memset(ptr, 1, 1 << 16);
		assert_int_equal(aml_area_linux_check_binding(area, ptr, 1 << 16), 1);
		assert_int_equal(aml_area_munmap(area, ptr, 1 << 16), 0);
		aml_area_close(&area);
	}
}

static void what_an_area_prints_opens_the_same_area_again(void **state)
{
	static const char *const options[] = {"", ",bind", ",strict", ",interleave", ",preferred",
		",firsttouch", ",populate", ",strict,nothp"};

	(void)state;
	skip_without_binding();
	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		struct aml_area *area = open_area(first_node(options[i])), *again;
		char *text = printed(area), *text_again;

		assert_string_equal(text, first_node(options[i]));
		again = open_area(text);
		text_again = printed(again);
		assert_string_equal(text, text_again);
		free(text);
		free(text_again);
		aml_area_close(&area);
		aml_area_close(&again);
	}
}

static void a_place_by_merit_prints_its_nodes(void **state)
{
	struct aml_area *area;
	char *text;

	(void)state;
	skip_without_binding();
	area = open_area("tier:nearest,strict");
	text = printed(area);
	assert_int_equal(strncmp(text, "node:", 5), 0);
	assert_non_null(strstr(text, ",strict"));
	free(text);
	aml_area_close(&area);
}

/* The policy of a page of a place, as the kernel has it. */
static enum os_policy policy_in(const char *place)
{
	struct aml_area *area = open_area(place);
	enum os_policy policy = OS_POLICY_DEFAULT;
	struct os_nodes nodes;
	void *ptr = aml_area_mmap(area, NULL, 1 << 16);

	assert_non_null(ptr);
	memset(ptr, 1, 1 << 16);
	assert_int_equal(aml_area_linux_check_binding(area, ptr, 1 << 16), 1);
	assert_int_equal(os__policy(ptr, &policy, &nodes), 0);
	assert_int_equal(aml_area_munmap(area, ptr, 1 << 16), 0);
	aml_area_close(&area);
	return policy;
}

static void local_follows_the_thread_and_any_the_process(void **state)
{
	(void)state;
	skip_without_binding();
	assert_int_equal(policy_in("local"), OS_POLICY_LOCAL);
	assert_int_equal(policy_in("any,firsttouch"), OS_POLICY_LOCAL);
	assert_int_equal(policy_in("any"), OS_POLICY_DEFAULT);
	assert_int_equal(policy_in("anon"), OS_POLICY_DEFAULT);
}

static void a_chain_prints_as_its_places(void **state)
{
	struct aml_area *area;
	char *text;

	(void)state;
	skip_without_binding();
	area = open_area("any,limit:1M  >local,thp> anon ,nothp");
	text = printed(area);
	assert_string_equal(text, "any,limit:1M > local,thp > anon,nothp");
	free(text);
	assert_usable(area);
	aml_area_close(&area);
}

static void places_of_every_kind_open_and_print_themselves(void **state)
{
	static const char *const places[] = {"hugetlb:2M", "hugetlb:2M,interleave", "file:/tmp,limit:16M",
		"file:/tmp/situs\\,test,limit:1M", "shm:situs-test-place", "anon", "anon,nothp,limit:2M"};

	(void)state;
	skip_without_binding();
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		struct aml_area *area = NULL;
		char *text;

		if (aml_area_open(&area, places[i]) == -AML_EDOM && strncmp(places[i], "huge", 4) == 0)
			continue; /* a kernel without that pool */
		assert_non_null(area);
		text = printed(area);
		assert_string_equal(text, places[i]);
		free(text);
		aml_area_close(&area);
	}
}

/* A name of characters that mean something in places, or look as if they did. */
static void make_hostile_name(unsigned *seed, char *name, size_t length)
{
	static const char characters[] = "a> ,\\\"'\t:#.*$\303\251;-=&|";

	for (size_t i = 0; i < length; i++) {
		*seed = *seed * 1103515245 + 12345;
		name[i] = characters[*seed / 65536 % (sizeof(characters) - 1)];
	}
	name[length] = '\0';
}

/* The name as it is written in a place, with more backslashes than it needs now and then. */
static void escape_name(unsigned *seed, const char *name, char *text)
{
	for (; *name; name++) {
		*seed = *seed * 1103515245 + 12345;
		if (strchr(",>\\ \t", *name) || *seed / 65536 % 8 == 0)
			*text++ = '\\';
		*text++ = *name;
	}
	*text = '\0';
}

/* Opens the place, sees that it prints as itself and that the folder has the file `name` (`path`), twice. */
static void assert_round_trip(const char *place, const char *path)
{
	for (int i = 0; i < 2; i++) {
		struct aml_area *area = open_area(place);
		char *text = printed(area);

		if (strcmp(text, place) != 0)
			fail_msg("\"%s\" prints as \"%s\"", place, text);
		if (access(path, F_OK) != 0)
			fail_msg("\"%s\" opens something else than \"%s\"", place, path);
		aml_area_close(&area);
		assert_int_equal(unlink(path), 0);
		free(text);
	}
}

static void what_is_printed_names_the_same_file_whatever_its_name(void **state)
{
	static const char *const worst[] = {"f\\", "f\\\\", "\\", ">", " ", "  ", "\\ ", " \\", "a > any", "a\\ > b",
		",keep", ", ", "\t", "a\\\t", "#", "node:0", "'", "\"", "-"};
	enum { N_WORST = sizeof(worst) / sizeof(worst[0]), N_RANDOM = 300 };
	char folder[] = "/tmp/situs-place.XXXXXX", name[32], escaped[128], path[256], place[400];
	unsigned seed = 20261123;

	(void)state;
	assert_non_null(mkdtemp(folder));
	for (int i = 0; i < N_WORST + N_RANDOM; i++) {
		if (i < N_WORST)
			snprintf(name, sizeof(name), "%s", worst[i]);
		else
			make_hostile_name(&seed, name, 1 + (size_t)i % 12);
		if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
			continue;
		escape_name(&seed, name, escaped);
		snprintf(path, sizeof(path), "%s/%s", folder, name);
		snprintf(place, sizeof(place), "file:%s/%s,keep", folder, escaped);
		assert_round_trip(place, path);
		/* At the ends of links, where blanks are cut off. */
		snprintf(place, sizeof(place), "file:%s/%s", folder, escaped);
		if (i % 4 == 0) {
			struct aml_area *area;
			char *text, chain[900];

			snprintf(chain, sizeof(chain), "%s > anon > %s2", place, place);
			area = open_area(chain);
			text = printed(area);
			assert_string_equal(text, chain);
			aml_area_close(&area);
			area = open_area(text);
			free(text);
			aml_area_close(&area);
		}
	}
	assert_int_equal(rmdir(folder), 0);
}

static void names_with_control_characters_are_no_places(void **state)
{
	(void)state;
	assert_refused("file:/tmp/a\nb", AML_EINVAL, "control character");
	assert_refused("file:/tmp/a\\\nb", AML_EINVAL, "control character");
	assert_refused("shm:a\rb", AML_EINVAL, "control character");
}

static void a_buffer_prints_a_line_that_is_no_place_and_says_so(void **state)
{
	static char memory[1 << 16];
	struct aml_area *area = NULL;
	char *text;

	(void)state;
	assert_int_equal(aml_area_buffer_create(&area, memory, sizeof(memory)), 0);
	text = printed(area);
	assert_int_equal(strncmp(text, "# buffer of ", 12), 0);
	assert_refused(text, AML_EINVAL, "is not a place");
	free(text);
	aml_area_buffer_destroy(&area);
}

static void chains_and_limits_print_places_where_their_areas_have_some(void **state)
{
	static char memory[1 << 16];
	struct aml_area *buffer = NULL, *chain = NULL, *limit = NULL, *again;
	const struct aml_area *links[] = {&aml_area_linux, NULL};
	char *text;

	(void)state;
	assert_int_equal(aml_area_buffer_create(&buffer, memory, sizeof(memory)), 0);
	links[1] = buffer;
	assert_int_equal(aml_area_chain_create(&chain, links, 2), 0);
	text = printed(chain);
	assert_int_equal(strncmp(text, "# anon > buffer of ", 19), 0);
	free(text);
	assert_int_equal(aml_area_limit_create(&limit, chain, 4096), 0);
	text = printed(limit);
	assert_int_equal(strncmp(text, "# ", 2), 0);
	assert_refused(text, AML_EINVAL, "is not a place");
	free(text);
	aml_area_limit_destroy(&limit);
	aml_area_chain_destroy(&chain);
	aml_area_buffer_destroy(&buffer);
	assert_int_equal(aml_area_limit_create(&limit, &aml_area_linux, 1 << 20), 0);
	text = printed(limit);
	again = open_area(text);
	free(text);
	text = printed(again);
	assert_string_equal(text, "anon,limit:1M");
	free(text);
	aml_area_close(&again);
	aml_area_limit_destroy(&limit);
}

static void bad_places_are_refused_with_what_would_fit(void **state)
{
	char here[64];

	(void)state;
	snprintf(here, sizeof(here), "here would fit: %.5s", first_node(""));
	assert_refused("nod:0", AML_EINVAL, "\"nod:0\" is not a place");
	assert_refused("nod:0", AML_EINVAL, here);
	assert_refused("node:1023", AML_EDOM, "node 1023 is not on this machine");
	assert_refused("node:1023", AML_EDOM, here);
	assert_refused("any,strct", AML_EINVAL, "unknown option \"strct\"");
	assert_refused(NULL, AML_EINVAL, "no place given");
	assert_refused("cuda:0", AML_ENOTSUP, "not built into this version");
	assert_refused("any > node:1023", AML_EDOM, "1023");
	assert_int_equal(aml_area_open(NULL, "any"), -AML_EINVAL);
}

static void closing_takes_nothing(void **state)
{
	struct aml_area *area = NULL;

	(void)state;
	aml_area_close(NULL);
	aml_area_close(&area);
	assert_null(area);
}

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

/* hwloc areas */

static void the_ready_made_hwloc_areas_give_memory(void **state)
{
	(void)state;
	assert_usable(&aml_area_hwloc_default);
	skip_without_binding();
	assert_usable(&aml_area_hwloc_interleave);
	assert_usable(&aml_area_hwloc_firsttouch);
}

static void the_ready_made_hwloc_areas_print_places_that_open(void **state)
{
	const struct aml_area *areas[] = {
		&aml_area_hwloc_default, &aml_area_hwloc_interleave, &aml_area_hwloc_firsttouch};

	(void)state;
	skip_without_binding();
	for (int i = 0; i < 3; i++) {
		char *text = printed(areas[i]);
		struct aml_area *area = open_area(text);

		aml_area_close(&area);
		free(text);
	}
}

static void the_ready_made_interleave_is_what_the_kernel_sees(void **state)
{
	void *ptr;

	(void)state;
	skip_without_binding();
	ptr = aml_area_mmap(&aml_area_hwloc_interleave, NULL, 1 << 16);
	assert_non_null(ptr);
	memset(ptr, 1, 1 << 16);
	assert_int_equal(aml_area_linux_check_binding(&aml_area_hwloc_interleave, ptr, 1 << 16), 1);
	assert_int_equal(aml_area_munmap(&aml_area_hwloc_interleave, ptr, 1 << 16), 0);
}

static void an_hwloc_area_binds_with_the_kernels_own_call(void **state)
{
	struct aml_area *area = NULL;
	hwloc_bitmap_t nodeset = hwloc_bitmap_alloc();
	struct os_nodes allowed;
	void *ptr;

	(void)state;
	skip_without_binding();
	assert_int_equal(os__nodes_allowed(&allowed), 0);
	hwloc_bitmap_only(nodeset, (unsigned)os__nodes_next(&allowed, 0));
	assert_int_equal(aml_area_hwloc_create(&area, nodeset, HWLOC_MEMBIND_BIND), 0);
	ptr = aml_area_mmap(area, NULL, 1 << 16);
	assert_non_null(ptr);
	memset(ptr, 1, 1 << 16);
	assert_int_equal(aml_area_linux_check_binding(area, ptr, 1 << 16), 1);
	assert_int_equal(aml_area_munmap(area, ptr, 1 << 16), 0);
	aml_area_hwloc_destroy(&area);
	assert_null(area);
	hwloc_bitmap_free(nodeset);
}

static void hwloc_sets_that_are_infinite_empty_or_absent_are_told_apart(void **state)
{
	struct aml_area *area = NULL;
	hwloc_bitmap_t set = hwloc_bitmap_alloc_full();

	(void)state;
	skip_without_binding();
	assert_int_equal(aml_area_hwloc_create(&area, set, HWLOC_MEMBIND_INTERLEAVE), 0);
	aml_area_hwloc_destroy(&area);
	hwloc_bitmap_zero(set);
	assert_int_equal(aml_area_hwloc_create(&area, set, HWLOC_MEMBIND_BIND), -AML_EINVAL);
	hwloc_bitmap_only(set, 1023);
	assert_int_equal(aml_area_hwloc_create(&area, set, HWLOC_MEMBIND_BIND), -AML_EDOM);
	hwloc_bitmap_only(set, 5000);
	assert_int_equal(aml_area_hwloc_create(&area, set, HWLOC_MEMBIND_BIND), -AML_EDOM);
	assert_null(area);
	hwloc_bitmap_free(set);
}

static void policies_that_are_none_are_refused(void **state)
{
	struct aml_area *area = NULL;

	(void)state;
	assert_int_equal(aml_area_hwloc_create(&area, NULL, HWLOC_MEMBIND_NEXTTOUCH), -AML_ENOTSUP);
	assert_int_equal(aml_area_hwloc_create(&area, NULL, HWLOC_MEMBIND_MIXED), -AML_EINVAL);
	assert_int_equal(aml_area_hwloc_create(&area, NULL, (hwloc_membind_policy_t)99), -AML_EINVAL);
	assert_int_equal(aml_area_hwloc_create(NULL, NULL, HWLOC_MEMBIND_BIND), -AML_EINVAL);
	assert_null(area);
}

static void the_best_area_by_capacity_gives_memory(void **state)
{
	struct aml_area *area = NULL;

	(void)state;
	skip_without_binding();
	assert_int_equal(aml_area_hwloc_best_create(&area, HWLOC_MEMATTR_ID_CAPACITY, NULL), 0);
	assert_usable(area);
	aml_area_hwloc_destroy(&area);
}

static void the_best_area_by_latency_needs_no_hmat(void **state)
{
	struct aml_area *area = NULL;
	int result;

	(void)state;
	skip_without_binding();
	result = aml_area_hwloc_best_create(&area, HWLOC_MEMATTR_ID_LATENCY, NULL);
	if (result == -AML_ENOTSUP) {
		print_message("skipped: several nodes, and neither figures nor distances\n");
		skip();
	}
	assert_int_equal(result, 0);
	assert_usable(area);
	aml_area_hwloc_destroy(&area);
}

static void a_best_area_by_no_attribute_or_from_nowhere_is_refused(void **state)
{
	struct aml_area *area = NULL;
	hwloc_bitmap_t empty = hwloc_bitmap_alloc();

	(void)state;
	assert_int_equal(aml_area_hwloc_best_create(&area, (enum hwloc_memattr_id_e)4711, NULL), -AML_EINVAL);
	assert_int_equal(aml_area_hwloc_best_create(&area, HWLOC_MEMATTR_ID_LATENCY, empty), -AML_EINVAL);
	assert_int_equal(aml_area_hwloc_best_create(NULL, HWLOC_MEMATTR_ID_CAPACITY, NULL), -AML_EINVAL);
	assert_null(area);
	hwloc_bitmap_free(empty);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		/* The children load the topology anew, so these come first. */
		cmocka_unit_test(nodes_of_an_imported_topology_that_are_not_here_are_refused),
		cmocka_unit_test(a_bad_override_fails_the_words_that_need_it),
		cmocka_unit_test(without_descriptors_places_by_merit_say_so_and_open_later),
		cmocka_unit_test(the_descriptors_asked_for_are_enough),
		cmocka_unit_test(without_descriptors_nobody_says_that_there_are_no_huge_pages),
		cmocka_unit_test(threads_share_one_topology),
		cmocka_unit_test(opened_places_give_memory),
		cmocka_unit_test(memory_of_a_node_place_lies_on_the_node),
		cmocka_unit_test(what_an_area_prints_opens_the_same_area_again),
		cmocka_unit_test(a_place_by_merit_prints_its_nodes),
		cmocka_unit_test(local_follows_the_thread_and_any_the_process),
		cmocka_unit_test(a_chain_prints_as_its_places),
		cmocka_unit_test(places_of_every_kind_open_and_print_themselves),
		cmocka_unit_test(what_is_printed_names_the_same_file_whatever_its_name),
		cmocka_unit_test(names_with_control_characters_are_no_places),
		cmocka_unit_test(a_buffer_prints_a_line_that_is_no_place_and_says_so),
		cmocka_unit_test(chains_and_limits_print_places_where_their_areas_have_some),
		cmocka_unit_test(bad_places_are_refused_with_what_would_fit),
		cmocka_unit_test(closing_takes_nothing),
		cmocka_unit_test(the_ready_made_hwloc_areas_give_memory),
		cmocka_unit_test(the_ready_made_hwloc_areas_print_places_that_open),
		cmocka_unit_test(the_ready_made_interleave_is_what_the_kernel_sees),
		cmocka_unit_test(an_hwloc_area_binds_with_the_kernels_own_call),
		cmocka_unit_test(hwloc_sets_that_are_infinite_empty_or_absent_are_told_apart),
		cmocka_unit_test(policies_that_are_none_are_refused),
		cmocka_unit_test(the_best_area_by_capacity_gives_memory),
		cmocka_unit_test(the_best_area_by_latency_needs_no_hmat),
		cmocka_unit_test(a_best_area_by_no_attribute_or_from_nowhere_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
