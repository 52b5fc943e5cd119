/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * place.c - the place grammar: text to struct and back.
 *
 *	chain  = place { ">" place }
 *	place  = where { "," option }
 *
 * Blanks around ">" and "," do not count. A node list may hold commas ("node:0,2,strict"): an item
 * that begins with a digit goes on with the list before it. In the names of file: and shm: a
 * backslash takes the next character as it is, so that names may hold "," and ">".
 *
 * Which option goes with which place is one table (place_words.h); the error of an option that does not
 * fit lists those that would.
 */
#include "area/place.h"
#include "area/place_words.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define CLIP 48 /* bytes of a bad word that are shown; the rest is "..." */

struct span {
	const char *start;
	size_t length;
};

/* Records a failure about `word`, whose quoted text the format's first %s takes. */
static int fail(struct place_error *error, int code, struct span word, const char *format)
{
	char shown[CLIP];

	place__quote(word.start, word.length, shown, sizeof(shown));
	error->code = code;
	error->bad_where = false;
	/* The formats are literals of this file, each with one %s. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	snprintf(error->text, sizeof(error->text), format, shown);
#pragma GCC diagnostic pop
	return -code;
}

/* The same for an error that a list of this machine's places helps with. */
static int fail_where(struct place_error *error, int code, struct span word, const char *format)
{
	fail(error, code, word, format);
	error->bad_where = true;
	return -code;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* Does a backslash that is not itself escaped stand before the character? Then it belongs to a name. */
static bool is_escaped(struct span s, size_t at)
{
	size_t n = 0;

	while (n < at && s.start[at - 1 - n] == '\\')
		n++;
	return n % 2 != 0;
}

static struct span trim(struct span s)
{
	while (s.length > 0 && is_blank(s.start[0])) {
		s.start++;
		s.length--;
	}
	while (s.length > 0 && is_blank(s.start[s.length - 1]) && !is_escaped(s, s.length - 1))
		s.length--;
	return s;
}

/*
 * Takes what stands before the first unescaped `stop` off *rest, the stop with it; *more says
 * whether there was one. The result is trimmed.
 */
static struct span take(struct span *rest, char stop, bool *more)
{
	struct span s = {rest->start, 0};

	*more = false;
	while (s.length < rest->length) {
		if (s.start[s.length] == stop) {
			*more = true;
			break;
		}
		s.length += s.start[s.length] == '\\' && s.length + 1 < rest->length ? 2 : 1;
	}
	rest->start += s.length + *more;
	rest->length -= s.length + *more;
	return trim(s);
}

static bool equals(struct span s, const char *word)
{
	return strlen(word) == s.length && memcmp(s.start, word, s.length) == 0;
}

/* A word that ends in a colon is the beginning of its item; others are all of it. */
static bool matches(struct span item, const char *word)
{
	size_t length = strlen(word);

	if (word[length - 1] != ':')
		return equals(item, word);
	return item.length >= length && memcmp(item.start, word, length) == 0;
}

static struct span argument_of(struct span item)
{
	const char *colon = memchr(item.start, ':', item.length);
	size_t skip = (size_t)(colon - item.start) + 1;

	return (struct span){item.start + skip, item.length - skip};
}

static int parse_nodes(struct span list, struct os_nodes *nodes, struct span item,
	struct place_error *error)
{
	switch (nodes__parse(nodes, list.start, list.length)) {
	case 0:
		return 0;
	case -ERANGE:
		return fail_where(error, AML_EDOM, item,
			"\"%s\" names a node above 1023, the highest a Linux kernel can have");
	default:
		return fail_where(error, AML_EINVAL, item,
			"\"%s\": after node: a list such as 0, 0-3 or 0,2 is expected");
	}
}

/* A plain decimal number up to 1023: tiers and devices are as many as nodes at most. */
static int parse_number(struct span digits, unsigned *number)
{
	unsigned n = 0;

	if (digits.length == 0 || digits.length > 4)
		return -EINVAL;
	for (size_t i = 0; i < digits.length; i++) {
		if (digits.start[i] < '0' || digits.start[i] > '9')
			return -EINVAL;
		n = n * 10 + (unsigned)(digits.start[i] - '0');
	}
	if (n >= OS_MAX_NODES)
		return -EINVAL;
	*number = n;
	return 0;
}

/* Digits and at most one of K, M, G, T, P (powers of 1024), which may be followed by B or iB. */
static int parse_size(struct span text, size_t *size)
{
	static const char units[] = "KMGTP";
	size_t at = 0, n = 0;

	for (; at < text.length && text.start[at] >= '0' && text.start[at] <= '9'; at++)
		if (__builtin_mul_overflow(n, 10, &n) ||
			__builtin_add_overflow(n, (size_t)(text.start[at] - '0'), &n))
			return -ERANGE;
	if (at == 0)
		return -EINVAL;
	if (at < text.length) {
		char c = text.start[at];
		const char *unit = c ? strchr(units, c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c) : NULL;
		struct span tail;

		if (!unit)
			return -EINVAL;
		tail = (struct span){text.start + at + 1, text.length - at - 1};
		if (tail.length > 0 && !equals(tail, "B") && !equals(tail, "iB"))
			return -EINVAL;
		for (const char *u = units; u <= unit; u++)
			if (__builtin_mul_overflow(n, 1024, &n))
				return -ERANGE;
	}
	if (n == 0)
		return -EINVAL;
	*size = n;
	return 0;
}

static size_t unescaped_length(struct span name)
{
	size_t n = 0;

	for (size_t i = 0; i < name.length; i++, n++)
		if (name.start[i] == '\\' && i + 1 < name.length)
			i++;
	return n;
}

static int parse_name(struct span name, bool is_path, struct place *place, struct span item,
	struct place_error *error)
{
	if (name.length == 0)
		return fail_where(error, AML_EINVAL, item,
			is_path ? "\"%s\": after file: the name of a folder or file is expected"
				: "\"%s\": after shm: a name is expected");
	if (is_escaped(name, name.length))
		return fail_where(error, AML_EINVAL, item,
			"\"%s\" ends in a single backslash; a backslash in a name is written \\\\");
	if (unescaped_length(name) > (is_path ? PLACE_MAX_PATH : 254))
		return fail_where(error, AML_EINVAL, item,
			is_path ? "\"%s\" is longer than a file name may be (4095 bytes)"
				: "\"%s\" is longer than a shared memory name may be (254 bytes)");
	if (!is_path && (memchr(name.start, '/', name.length) || equals(name, ".") || equals(name, "..")))
		return fail_where(error, AML_EINVAL, item,
			"\"%s\": a shared memory name is one word without \"/\"; for a path use file:");
	place->name = name.start;
	place->name_length = name.length;
	return 0;
}

static int parse_argument(enum argument argument, struct span item, struct place *place,
	struct place_error *error)
{
	struct span text = argument == NO_ARGUMENT ? item : argument_of(item);

	switch (argument) {
	case NO_ARGUMENT:
		return 0;
	case NODE_LIST:
		place->has_nodes = true;
		return parse_nodes(text, &place->nodes, item, error);
	case NUMBER:
		if (parse_number(text, &place->number) == 0)
			return 0;
		return fail_where(error, AML_EINVAL, item,
			place->where == PLACE_TIER_NUMBER
				? "\"%s\": a tier is fastest, largest, nearest or a number (0 is the fastest)"
				: "\"%s\": a device is a number from 0");
	case PAGE_SIZE:
		if (parse_size(text, &place->page_size) == 0 &&
			(place->page_size & (place->page_size - 1)) == 0)
			return 0;
		return fail_where(error, AML_EINVAL, item,
			"\"%s\": a huge page size is 2M, 1G or what /sys/kernel/mm/hugepages lists");
	case PATH:
	case NAME:
		return parse_name(text, argument == PATH, place, item, error);
	}
	return 0;
}

/* The options in `takes`, separated by commas. */
static void list_options(unsigned takes, char *buffer, size_t size)
{
	size_t at = 0;

	buffer[0] = '\0';
	for (size_t i = 0; i < PLACE_N_OPTIONS && at < size; i++)
		if (takes & place__options[i].bit)
			at += (size_t)snprintf(buffer + at, size - at, "%s%s", at ? ", " : "",
				place__options[i].word);
}

/* "option" does not go here: says what it stands with and what would go. */
static int fail_option(struct place_error *error, const char *what, struct span item, struct span where,
	unsigned takes)
{
	char shown[CLIP / 2], shown_where[CLIP / 2], list[112];

	place__quote(item.start, item.length, shown, sizeof(shown));
	place__quote(where.start, where.length, shown_where, sizeof(shown_where));
	list_options(takes, list, sizeof(list));
	error->code = AML_EINVAL;
	error->bad_where = false;
	snprintf(error->text, sizeof(error->text), "%s \"%s\" after \"%s\": it takes %s", what, shown,
		shown_where, list);
	return -AML_EINVAL;
}

/* seen: the options that stand before this one. */
static int parse_option(struct span item, struct span where, unsigned takes, unsigned *seen,
	struct place *place, struct place_error *error)
{
	size_t i = 0;

	while (i < PLACE_N_OPTIONS && !matches(item, place__options[i].word))
		i++;
	if (i == PLACE_N_OPTIONS)
		return fail_option(error, "unknown option", item, where, takes);
	if (!(takes & place__options[i].bit))
		return fail_option(error, "no place for", item, where, takes);
	if (*seen & place__options[i].bit)
		return fail(error, AML_EINVAL, item, "\"%s\": that option stands there already");
	*seen |= place__options[i].bit;

	switch (place__options[i].bit) {
	case TAKES_NODE:
		place->has_nodes = true;
		return parse_nodes(argument_of(item), &place->nodes, item, error);
	case TAKES_THP:
	case TAKES_NOTHP:
		if (place->thp)
			return fail(error, AML_EINVAL, item, "\"%s\": thp or nothp stands there already");
		place->thp = place__options[i].bit == TAKES_THP ? 1 : -1;
		return 0;
	case TAKES_POPULATE:
		place->populate = true;
		return 0;
	case TAKES_KEEP:
		place->keep = true;
		return 0;
	case TAKES_LIMIT:
		switch (parse_size(argument_of(item), &place->limit)) {
		case 0:
			return 0;
		case -ERANGE:
			return fail(error, AML_EINVAL, item, "\"%s\" is more than this machine can address");
		default:
			return fail(error, AML_EINVAL, item,
				"\"%s\": a limit is a size above 0 such as 4096, 512M or 4G");
		}
	default: /* the policies: option number is the policy's place in the enum */
		if (place->policy != PLACE_POLICY_NONE)
			return fail(error, AML_EINVAL, item, "\"%s\": a policy stands there already");
		for (int policy = PLACE_STRICT; policy <= PLACE_FIRSTTOUCH; policy++)
			if (place__options[i].bit == 1u << policy)
				place->policy = (enum place_policy)policy;
		return 0;
	}
}

/* A list that goes on behind a comma: "node:0,2". Widens *item over the items that begin with a digit. */
static void widen_list(struct span *item, struct span *rest, bool *more)
{
	while (*more) {
		struct span next = *rest;
		bool next_more;
		struct span word = take(&next, ',', &next_more);

		if (word.length == 0 || word.start[0] < '0' || word.start[0] > '9')
			return;
		item->length = (size_t)(word.start + word.length - item->start);
		*rest = next;
		*more = next_more;
	}
}

static int parse_place(struct span text, struct place *place, struct place_error *error)
{
	struct span rest = text, where;
	unsigned seen = 0;
	bool more;
	size_t i = 0;
	int err;

	memset(place, 0, sizeof(*place));
	where = take(&rest, ',', &more);
	if (matches(where, "node:"))
		widen_list(&where, &rest, &more);
	if (where.length == 0)
		return fail_where(error, AML_EINVAL, text, "\"%s\": a place is missing");
	while (i < PLACE_N_WORDS && !matches(where, place__words[i].word))
		i++;
	if (i == PLACE_N_WORDS)
		return fail_where(error, AML_EINVAL, where, "\"%s\" is not a place");
	place->where = place__words[i].where;
	err = parse_argument(place__words[i].argument, where, place, error);
	if (err)
		return err;

	while (more) {
		struct span item = take(&rest, ',', &more);

		if (matches(item, "node:"))
			widen_list(&item, &rest, &more);
		if (item.length == 0)
			return fail(error, AML_EINVAL, text, "\"%s\": an option is missing after a comma");
		err = parse_option(item, where, place__words[i].takes, &seen, place, error);
		if (err)
			return err;
	}
	return 0;
}

/* Control characters have no place in any word: they would hide in messages and file names. */
static int check_characters(const char *text, size_t length, struct place_error *error)
{
	for (size_t i = 0; i < length; i++) {
		unsigned char c = (unsigned char)text[i];

		if ((c < 0x20 && c != '\t') || c == 0x7f) {
			size_t from = i < 24 ? 0 : i - 24;

			return fail(error, AML_EINVAL, (struct span){text + from, i + 1 - from},
				"control character at the end of \"%s\"");
		}
	}
	return 0;
}

int place__parse(const char *text, struct place_chain *chain, struct place_error *error)
{
	struct place_chain result;
	struct span rest;
	bool more = true;
	int err;

	if (!text)
		return fail_where(error, AML_EINVAL, (struct span){"", 0}, "%sno place given");
	rest = (struct span){text, strlen(text)};
	err = check_characters(text, rest.length, error);
	if (err)
		return err;
	if (trim(rest).length == 0)
		return fail_where(error, AML_EINVAL, (struct span){"", 0}, "%sno place given");

	result.n_links = 0;
	while (more) {
		struct span link = take(&rest, '>', &more);

		if (link.length == 0)
			return fail_where(error, AML_EINVAL, (struct span){text, strlen(text)},
				"\"%s\": a place is missing beside \">\"");
		if (result.n_links == PLACE_MAX_LINKS)
			return fail(error, AML_EINVAL, link, "\"%s\" is one place too many: a chain has at most 16");
		err = parse_place(link, &result.link[result.n_links], error);
		if (err)
			return err;
		result.n_links++;
	}
	chain->n_links = result.n_links;
	memcpy(chain->link, result.link, (size_t)result.n_links * sizeof(result.link[0]));
	return 0;
}
