/* SPDX-License-Identifier: BSD-3-Clause */
/* test_place_open.c - areas opened by place, and printed, on whatever machine this is. */
#include "tests/unit/place_test.h"

#include "aml_hwloc.h"
#include "area/place.h"
#include "area/topology.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

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

int main(void)
{
	const struct CMUnitTest tests[] = {
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
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
