/* SPDX-License-Identifier: BSD-3-Clause */
/* The figures of heaps as text: JSON read back by a JSON library, Prometheus's format line by line. */
#include "tests/unit/test.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "situs.h"

#define MIB ((size_t)1 << 20)

typedef int write_func(FILE *stream);

static char *text_of(write_func *func)
{
	char *text = NULL;
	size_t size;
	FILE *stream = open_memstream(&text, &size);

	assert_non_null(stream);
	assert_int_equal(func(stream), 0);
	fclose(stream);
	return text;
}

static situs_heap_t *make(const char *name, size_t limit)
{
	struct situs_config config = {.struct_size = sizeof(config), .name = name, .limit = limit,
		.n_arenas = 1};
	situs_heap_t *heap;

	assert_int_equal(situs_heap_create(&heap, &aml_area_linux, &config), 0);
	return heap;
}

static json_t *read_json(void)
{
	char *text = text_of(situs_stats_json);
	json_error_t error;
	json_t *json = json_loads(text, JSON_REJECT_DUPLICATES, &error);

	if (json == NULL)
		fail_msg("%s at %d: %s", error.text, error.position, text);
	free(text);
	return json;
}

static json_t *heap_in(json_t *json, const char *name)
{
	json_t *heap;
	size_t i;

	json_array_foreach(json_object_get(json, "heaps"), i, heap)
		if (strcmp(json_string_value(json_object_get(heap, "name")), name) == 0)
			return heap;
	fail_msg("no heap \"%s\"", name);
	return NULL;
}

static json_int_t number(json_t *heap, const char *name)
{
	assert_true(json_is_integer(json_object_get(heap, name)));
	return json_integer_value(json_object_get(heap, name));
}

static void json_says_what_the_functions_say(void **state)
{
	situs_heap_t *heap = make("cache", 64 * MIB), *other = make("index", 0);
	struct situs_heap_stats stats = {.struct_size = sizeof(stats)};
	json_t *json, *told;

	(void)state;
	for (int i = 0; i < 5; i++)
		assert_non_null(situs_malloc(heap, 1000));
	assert_null(situs_malloc(heap, 100 * MIB));
	json = read_json();
	told = heap_in(json, "cache");
	assert_int_equal(situs_heap_stats(heap, &stats), 0);
	assert_int_equal(number(json, "version"), 1);
	assert_int_equal(number(told, "allocated"), stats.allocated);
	assert_int_equal(number(told, "resident"), stats.resident);
	assert_int_equal(number(told, "mapped"), stats.mapped);
	assert_int_equal(number(told, "peak"), stats.peak);
	assert_int_equal(number(told, "limit"), 64 * MIB);
	assert_int_equal(number(told, "extents"), stats.n_extents);
	assert_int_equal(number(told, "failures"), 1);
	assert_int_equal(number(json_object_get(told, "refused"), "limit"), 1);
	assert_int_equal(json_array_size(json_object_get(told, "block_sizes")), 1);
	assert_int_equal(number(json_array_get(json_object_get(told, "block_sizes"), 0), "n"), 5);
	assert_true(json_is_null(json_object_get(heap_in(json, "index"), "limit")));
	json_decref(json);
	situs_heap_destroy(heap);
	situs_heap_destroy(other);
}

static void what_lies_on_each_link_is_told(void **state)
{
	struct situs_config config = {.struct_size = sizeof(config), .name = "chained", .n_arenas = 1};
	situs_heap_t *heap = make("plain", 0), *chained;
	struct aml_area *chain;
	json_t *json, *links;
	size_t on_link[2];
	char expected[128], *text;

	(void)state;
	assert_int_equal(aml_area_open(&chain, "node:0,limit:16M > node:0"), AML_SUCCESS);
	assert_int_equal(situs_heap_create(&chained, chain, &config), 0);
	assert_non_null(situs_malloc(heap, 1000));
	assert_non_null(situs_malloc(chained, 10 * MIB));
	assert_non_null(situs_malloc(chained, 20 * MIB));
	assert_int_equal(situs_heap_links(chained, on_link, 2), 2);
	assert_true(on_link[0] >= 10 * MIB && on_link[1] >= 20 * MIB);
	json = read_json();
	links = json_object_get(heap_in(json, "chained"), "links");
	assert_int_equal(json_array_size(links), 2);
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(json_integer_value(json_array_get(links, i)), on_link[i]);
	assert_int_equal(json_array_size(json_object_get(heap_in(json, "plain"), "links")), 1);
	json_decref(json);
	text = text_of(situs_stats_prometheus);
	snprintf(expected, sizeof(expected), ",link=\"1\"} %zu\n", on_link[1]);
	assert_non_null(strstr(text, expected));
	free(text);
	situs_heap_destroy(heap);
	situs_heap_destroy(chained);
	aml_area_close(&chain);
}

static void json_stays_json_whatever_heaps_are_called(void **state)
{
	static const char *const names[] = {"a \"b\" \\ c", "line\nfeed\ttab\x01\x7f", "\xff\xfe",
		"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", "\xed\xa0\x80 half a pair", "cut \xe2\x82"};
	static const char *const read_back[] = {"a \"b\" \\ c", "line\nfeed\ttab\x01\x7f",
		"\xef\xbf\xbd\xef\xbf\xbd", "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80",
		"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd half a pair", "cut \xef\xbf\xbd\xef\xbf\xbd"};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		situs_heap_t *heap = make(names[i], 0);
		json_t *json = read_json();

		assert_non_null(heap_in(json, read_back[i]));
		json_decref(json);
		situs_heap_destroy(heap);
	}
}

static void no_heaps_are_an_empty_array(void **state)
{
	char *text = text_of(situs_stats_json);

	(void)state;
	assert_string_equal(text, "{\"version\":1,\"heaps\":[]}\n");
	free(text);
}

/* One line of the text format: a comment, or name{label="value",...} number. */
static void check_line(const char *line)
{
	const char *at = line;

	if (strncmp(line, "# HELP situs_heap_", 18) == 0 || strncmp(line, "# TYPE situs_heap_", 18) == 0)
		return;
	at += strspn(at, "abcdefghijklmnopqrstuvwxyz_");
	assert_true(at > line && *at == '{');
	do {
		at++;
		at += strspn(at, "abcdefghijklmnopqrstuvwxyz_");
		assert_memory_equal(at, "=\"", 2);
		for (at += 2; *at != '"'; at++) {
			assert_true(*at != '\0' && *at != '\n');
			if (*at == '\\') {
				at++;
				assert_true(*at == '\\' || *at == '"' || *at == 'n');
			}
		}
		at++;
	} while (*at == ',');
	assert_memory_equal(at, "} ", 2);
	at += 2;
	assert_true(strspn(at, "0123456789") > 0);
	assert_int_equal(at[strspn(at, "0123456789")], '\0');
}

static void prometheus_text_is_well_formed_whatever_heaps_are_called(void **state)
{
	situs_heap_t *one = make("a \"b\" \\ \n", 64 * MIB), *two = make("twin", 0), *three = make("twin", 0);
	char *text, *line, *rest;

	(void)state;
	assert_non_null(situs_malloc(one, 1000));
	situs_free(situs_malloc(two, 50 * MIB));
	assert_int_equal(situs_heap_trim(two) >= 0, 1);
	text = text_of(situs_stats_prometheus);
	for (line = strtok_r(text, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest))
		check_line(line);
	free(text);
	situs_heap_destroy(one);
	situs_heap_destroy(two);
	situs_heap_destroy(three);
}

static size_t n_times(const char *text, const char *word)
{
	size_t n = 0;

	for (const char *at = text; (at = strstr(at, word)) != NULL; at++)
		n++;
	return n;
}

static void prometheus_tells_each_metric_once_with_all_its_heaps(void **state)
{
	situs_heap_t *one = make("twin", 64 * MIB), *two = make("twin", 0);
	char *text = text_of(situs_stats_prometheus);

	(void)state;
	assert_int_equal(n_times(text, "# TYPE situs_heap_mapped_bytes gauge\n"), 1);
	assert_int_equal(n_times(text, "\nsitus_heap_mapped_bytes{"), 2);
	assert_int_equal(n_times(text, "\nsitus_heap_limit_bytes{"), 1);
	assert_int_equal(n_times(text, "cause=\"limit\""), 2);
	assert_int_equal(n_times(text, "} 67108864\n"), 1);
	free(text);
	situs_heap_destroy(one);
	situs_heap_destroy(two);
}

/* The table */

static void the_dump_shows_heaps_arenas_extents_and_nodes(void **state)
{
	situs_heap_t *heap = make("cache", 0);
	char *block = situs_malloc(heap, 8 * MIB), *text, range[40];

	(void)state;
	memset(block, 1, 4 * MIB);
	text = text_of(situs_dump);
	assert_non_null(strstr(text, "heap \"cache\" in anon"));
	assert_non_null(strstr(text, "  arena "));
	assert_non_null(strstr(text, "node 0: "));
	assert_non_null(strstr(text, "untouched: "));
	snprintf(range, sizeof(range), "%#zx", (size_t)block & ~(size_t)0xfffff);
	range[8] = '\0';
	assert_non_null(strstr(text, range));
	free(text);
	situs_heap_destroy(heap);
}

static void the_dump_keeps_its_lines_whatever_heaps_are_called(void **state)
{
	situs_heap_t *heap = make("two\nlines\033[2J", 0);
	char *text = text_of(situs_dump);

	(void)state;
	assert_non_null(strstr(text, "heap \"two?lines?[2J\" in "));
	assert_null(strchr(text, '\033'));
	free(text);
	situs_heap_destroy(heap);
}

static void streams_that_fail_are_told_of(void **state)
{
	FILE *full = fopen("/dev/full", "w");
	situs_heap_t *heap = make("cache", 0);

	(void)state;
	assert_non_null(full);
	assert_int_equal(situs_stats_json(full), -ENOSPC);
	assert_int_equal(situs_stats_prometheus(full), -ENOSPC);
	assert_non_null(strstr(situs_error(), "situs_stats_prometheus"));
	assert_true(situs_dump(full) < 0);
	fclose(full);
	assert_int_equal(situs_stats_json(NULL), -EINVAL);
	assert_int_equal(situs_stats_prometheus(NULL), -EINVAL);
	assert_int_equal(situs_dump(NULL), -EINVAL);
	situs_heap_destroy(heap);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(json_says_what_the_functions_say),
		cmocka_unit_test(what_lies_on_each_link_is_told),
		cmocka_unit_test(json_stays_json_whatever_heaps_are_called),
		cmocka_unit_test(no_heaps_are_an_empty_array),
		cmocka_unit_test(prometheus_text_is_well_formed_whatever_heaps_are_called),
		cmocka_unit_test(prometheus_tells_each_metric_once_with_all_its_heaps),
		cmocka_unit_test(the_dump_shows_heaps_arenas_extents_and_nodes),
		cmocka_unit_test(the_dump_keeps_its_lines_whatever_heaps_are_called),
		cmocka_unit_test(streams_that_fail_are_told_of),
	};

	return cmocka_run_group_tests_name("dump", tests, NULL, NULL);
}
