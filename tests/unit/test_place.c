/* SPDX-License-Identifier: BSD-3-Clause */
/* test_place.c - the place grammar: text to struct, struct to text, and what is said of bad words. */
#include "tests/unit/test.h"

#include "area/place.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Parses what must parse. */
static struct place_chain parse(const char *text)
{
	struct place_chain chain;
	struct place_error error = {.text = "no error"};

	if (place__parse(text, &chain, &error) < 0)
		fail_msg("\"%s\" does not parse: %s", text, error.text);
	return chain;
}

/* Parses what must not, and returns the sentence; static. */
static const char *complaint(const char *text, int code)
{
	static struct place_error error;
	struct place_chain chain, before;
	int err;

	memset(&chain, 0x5a, sizeof(chain));
	before = chain;
	memset(&error, 0, sizeof(error));
	err = place__parse(text, &chain, &error);
	if (err != -code || error.code != code)
		fail_msg("\"%s\": %d rather than %d (%s)", text ? text : "(null)", err, -code, error.text);
	assert_memory_equal(&chain, &before, sizeof(chain));
	return error.text;
}

#define assert_says(text, code, part)                                                              \
	do {                                                                                       \
		const char *said = complaint(text, code);                                          \
		if (!strstr(said, part))                                                           \
			fail_msg("\"%s\" does not say \"%s\"", said, part);                         \
	} while (0)

static void assert_formats_as(const char *text, const char *expected)
{
	struct place_chain chain = parse(text);
	char out[8192];
	size_t length = place__format(&chain.link[0], out, sizeof(out));

	assert_string_equal(out, expected);
	assert_int_equal(length, strlen(expected));
	assert_int_equal(place__format(&chain.link[0], NULL, 0), strlen(expected));
}

static void every_word_of_the_grammar_parses(void **state)
{
	static const struct {
		const char *text;
		enum place_where where;
	} words[] = {
		{"node:0", PLACE_NODE},
		{"tier:fastest", PLACE_TIER_FASTEST},
		{"tier:largest", PLACE_TIER_LARGEST},
		{"tier:nearest", PLACE_TIER_NEAREST},
		{"tier:2", PLACE_TIER_NUMBER},
		{"hbm", PLACE_HBM},
		{"dram", PLACE_DRAM},
		{"cxl", PLACE_CXL},
		{"gpu", PLACE_GPU},
		{"local", PLACE_LOCAL},
		{"any", PLACE_ANY},
		{"hugetlb:2M", PLACE_HUGETLB},
		{"file:/tmp", PLACE_FILE},
		{"shm:x", PLACE_SHM},
		{"anon", PLACE_ANON},
		{"cuda:0", PLACE_CUDA},
		{"opencl:1", PLACE_OPENCL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		struct place_chain chain = parse(words[i].text);

		assert_int_equal(chain.n_links, 1);
		assert_int_equal(chain.link[0].where, words[i].where);
	}
}

static void every_option_is_kept(void **state)
{
	struct place_chain chain;

	(void)state;
	assert_int_equal(parse("node:1,strict").link[0].policy, PLACE_STRICT);
	assert_int_equal(parse("node:1,bind").link[0].policy, PLACE_BIND);
	assert_int_equal(parse("hbm,preferred").link[0].policy, PLACE_PREFERRED);
	assert_int_equal(parse("node:0-3,interleave").link[0].policy, PLACE_INTERLEAVE);
	assert_int_equal(parse("any,weighted").link[0].policy, PLACE_WEIGHTED);
	assert_int_equal(parse("local,firsttouch").link[0].policy, PLACE_FIRSTTOUCH);
	assert_int_equal(parse("any,thp").link[0].thp, 1);
	assert_int_equal(parse("any,nothp").link[0].thp, -1);
	assert_true(parse("any,populate").link[0].populate);
	assert_true(parse("file:/x,keep").link[0].keep);
	chain = parse("file:/mnt/pmem0,limit:4G");
	assert_int_equal(chain.link[0].limit, 4UL << 30);
	chain = parse("hugetlb:2M,node:3");
	assert_true(chain.link[0].has_nodes);
	assert_true(os__nodes_has(&chain.link[0].nodes, 3));
	assert_int_equal(chain.link[0].page_size, 2UL << 20);
}

static void a_chain_keeps_its_links_in_order(void **state)
{
	struct place_chain chain = parse("node:2,strict > node:0,strict>any");

	(void)state;
	assert_int_equal(chain.n_links, 3);
	assert_true(os__nodes_has(&chain.link[0].nodes, 2));
	assert_true(os__nodes_has(&chain.link[1].nodes, 0));
	assert_int_equal(chain.link[2].where, PLACE_ANY);
}

static void node_lists_hold_commas_and_ranges(void **state)
{
	struct place_chain chain = parse("node:0-2,5, 7-8 ,strict");

	(void)state;
	assert_int_equal(os__nodes_count(&chain.link[0].nodes), 6);
	assert_true(os__nodes_has(&chain.link[0].nodes, 8));
	assert_int_equal(chain.link[0].policy, PLACE_STRICT);
	chain = parse("hugetlb:1G,node:1,3,bind");
	assert_int_equal(os__nodes_count(&chain.link[0].nodes), 2);
}

static void names_take_any_character_behind_a_backslash(void **state)
{
	struct place_chain chain = parse("file:/a\\,b\\>c\\\\d e,keep > any");
	char name[64];

	(void)state;
	assert_int_equal(chain.n_links, 2);
	assert_int_equal(place__name(&chain.link[0], name, sizeof(name)), 10);
	assert_string_equal(name, "/a,b>c\\d e");
	assert_true(chain.link[0].keep);
}

static void formatting_gives_text_that_means_the_same(void **state)
{
	(void)state;
	assert_formats_as("node:3,1,2", "node:1-3");
	assert_formats_as(" node:1 , strict ", "node:1,strict");
	assert_formats_as("hugetlb:2048K,node:0", "hugetlb:2M,node:0");
	assert_formats_as("any,limit:4096MiB,thp", "any,thp,limit:4G");
	assert_formats_as("file:/a\\,b,limit:1000,keep,populate", "file:/a\\,b,populate,keep,limit:1000");
	assert_formats_as("tier:07", "tier:7");
	assert_formats_as("shm:name,node:0,2-3,interleave,nothp", "shm:name,node:0,2-3,interleave,nothp");
}

static void formatting_cuts_what_does_not_fit(void **state)
{
	struct place_chain chain = parse("node:1,strict");
	char out[8] = "";

	(void)state;
	assert_int_equal(place__format(&chain.link[0], out, sizeof(out)), 13);
	assert_string_equal(out, "node:1,");
}

static void a_bad_place_is_named(void **state)
{
	(void)state;
	assert_says("nod:1", AML_EINVAL, "\"nod:1\" is not a place");
	assert_says("HBM", AML_EINVAL, "\"HBM\"");
	assert_says("hbmx", AML_EINVAL, "\"hbmx\"");
	assert_says("", AML_EINVAL, "no place given");
	assert_says("  ", AML_EINVAL, "no place given");
	assert_says(NULL, AML_EINVAL, "no place given");
	assert_says(",strict", AML_EINVAL, "a place is missing");
	assert_says("node:0 > > any", AML_EINVAL, "beside \">\"");
	assert_says("node:0 >", AML_EINVAL, "beside \">\"");
}

static void a_bad_list_number_or_size_is_named(void **state)
{
	(void)state;
	assert_says("node:", AML_EINVAL, "\"node:\"");
	assert_says("node:3-1", AML_EINVAL, "\"node:3-1\"");
	assert_says("node:1-", AML_EINVAL, "\"node:1-\"");
	assert_says("node:0x1", AML_EINVAL, "\"node:0x1\"");
	assert_says("node:-1", AML_EINVAL, "\"node:-1\"");
	assert_says("node:1024", AML_EDOM, "above 1023");
	assert_says("node:99999999999999999999", AML_EDOM, "above 1023");
	assert_says("tier:quickest", AML_EINVAL, "fastest, largest, nearest or a number");
	assert_says("hugetlb:3M", AML_EINVAL, "\"hugetlb:3M\"");
	assert_says("hugetlb:", AML_EINVAL, "\"hugetlb:\"");
	assert_says("cuda:x", AML_EINVAL, "\"cuda:x\"");
	assert_says("any,limit:0", AML_EINVAL, "\"limit:0\"");
	assert_says("any,limit:4X", AML_EINVAL, "\"limit:4X\"");
	assert_says("any,limit:99999999999999999999", AML_EINVAL, "more than this machine can address");
	assert_says("any,limit:18014398509481985K", AML_EINVAL, "more than this machine can address");
}

static void a_bad_option_is_named_with_those_that_would_fit(void **state)
{
	(void)state;
	assert_says("node:0,strct", AML_EINVAL, "unknown option \"strct\" after \"node:0\": it takes strict, bind");
	assert_says("any,,strict", AML_EINVAL, "an option is missing");
	assert_says("any,", AML_EINVAL, "an option is missing");
	assert_says("local,strict", AML_EINVAL, "no place for \"strict\" after \"local\": it takes firsttouch");
	assert_says("hugetlb:2M,thp", AML_EINVAL, "no place for \"thp\"");
	assert_says("node:0,node:1", AML_EINVAL, "no place for \"node:1\"");
	assert_says("node:0,keep", AML_EINVAL, "no place for \"keep\"");
	assert_says("any,3", AML_EINVAL, "unknown option \"3\"");
	assert_says("any,strict:", AML_EINVAL, "unknown option \"strict:\"");
}

static void an_option_given_twice_is_an_error(void **state)
{
	(void)state;
	assert_says("node:0,strict,bind", AML_EINVAL, "\"bind\": a policy stands there already");
	assert_says("any,thp,nothp", AML_EINVAL, "\"nothp\"");
	assert_says("node:0,strict,strict", AML_EINVAL, "\"strict\": that option stands there already");
	assert_says("any,limit:1G,limit:2G", AML_EINVAL, "\"limit:2G\": that option stands there already");
	assert_says("any,limit:1G,limit:1G", AML_EINVAL, "\"limit:1G\": that option stands there already");
	assert_says("anon,node:0,node:1", AML_EINVAL, "\"node:1\": that option stands there already");
	assert_says("any,populate,thp,populate", AML_EINVAL, "\"populate\": that option stands there already");
	assert_says("file:/x,keep,keep", AML_EINVAL, "\"keep\": that option stands there already");
	assert_says("any,thp,thp", AML_EINVAL, "\"thp\": that option stands there already");
	/* In another link it may stand again. */
	assert_int_equal(parse("node:0,strict > node:1,strict").n_links, 2);
}

static void names_with_tricks_are_refused(void **state)
{
	(void)state;
	assert_says("file:", AML_EINVAL, "the name of a folder or file");
	assert_says("shm:", AML_EINVAL, "a name is expected");
	assert_says("shm:../../etc/passwd", AML_EINVAL, "without \"/\"");
	assert_says("shm:..", AML_EINVAL, "without \"/\"");
	assert_says("file:/x\\", AML_EINVAL, "single backslash");
}

static void control_characters_are_refused_and_shown_escaped(void **state)
{
	(void)state;
	assert_says("node:0\n", AML_EINVAL, "\\x0a");
	assert_says("file:/tmp/\033[31mred", AML_EINVAL, "\\x1b");
	assert_null(strchr(complaint("file:/tmp/\033[31mred", AML_EINVAL), '\033'));
	assert_says("n\303\266de", AML_EINVAL, "n\\xc3\\xb6de");
}

static void very_long_words_are_cut_in_messages(void **state)
{
	size_t size = 1 << 20;
	char *text = malloc(size + 1);

	(void)state;
	assert_non_null(text);
	memset(text, 'x', size);
	text[size] = '\0';
	assert_says(text, AML_EINVAL, "xxx...\" is not a place");
	memcpy(text, "file:", 5);
	assert_says(text, AML_EINVAL, "longer than a file name may be");
	memcpy(text, "shm:", 4);
	assert_says(text, AML_EINVAL, "longer than a shared memory name may be");
	free(text);
}

static void a_chain_has_at_most_sixteen_links(void **state)
{
	char text[128] = "any";

	(void)state;
	for (int i = 1; i < 16; i++)
		strcat(text, ">any");
	assert_int_equal(parse(text).n_links, 16);
	strcat(text, ">local");
	assert_says(text, AML_EINVAL, "\"local\" is one place too many");
}

static void quoting_shows_short_text_whole_and_long_text_cut(void **state)
{
	char out[8];

	(void)state;
	place__quote("seven..", 7, out, sizeof(out));
	assert_string_equal(out, "seven..");
	place__quote("eight...", 8, out, sizeof(out));
	assert_string_equal(out, "eigh...");
	place__quote("a\x01\x02", 3, out, sizeof(out));
	assert_string_equal(out, "a...");
	place__quote("", 0, out, sizeof(out));
	assert_string_equal(out, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_word_of_the_grammar_parses),
		cmocka_unit_test(every_option_is_kept),
		cmocka_unit_test(a_chain_keeps_its_links_in_order),
		cmocka_unit_test(node_lists_hold_commas_and_ranges),
		cmocka_unit_test(names_take_any_character_behind_a_backslash),
		cmocka_unit_test(formatting_gives_text_that_means_the_same),
		cmocka_unit_test(formatting_cuts_what_does_not_fit),
		cmocka_unit_test(a_bad_place_is_named),
		cmocka_unit_test(a_bad_list_number_or_size_is_named),
		cmocka_unit_test(a_bad_option_is_named_with_those_that_would_fit),
		cmocka_unit_test(an_option_given_twice_is_an_error),
		cmocka_unit_test(names_with_tricks_are_refused),
		cmocka_unit_test(control_characters_are_refused_and_shown_escaped),
		cmocka_unit_test(very_long_words_are_cut_in_messages),
		cmocka_unit_test(a_chain_has_at_most_sixteen_links),
		cmocka_unit_test(quoting_shows_short_text_whole_and_long_text_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
