/* SPDX-License-Identifier: BSD-3-Clause */
#include "area/nodes.h"

#include <errno.h>

#define N_WORDS (sizeof(((struct os_nodes *)0)->bits) / sizeof(unsigned long))

struct os_nodes nodes__and(const struct os_nodes *a, const struct os_nodes *b)
{
	struct os_nodes set;

	for (size_t i = 0; i < N_WORDS; i++)
		set.bits[i] = a->bits[i] & b->bits[i];
	return set;
}

struct os_nodes nodes__minus(const struct os_nodes *a, const struct os_nodes *b)
{
	struct os_nodes set;

	for (size_t i = 0; i < N_WORDS; i++)
		set.bits[i] = a->bits[i] & ~b->bits[i];
	return set;
}

struct os_nodes nodes__or(const struct os_nodes *a, const struct os_nodes *b)
{
	struct os_nodes set;

	for (size_t i = 0; i < N_WORDS; i++)
		set.bits[i] = a->bits[i] | b->bits[i];
	return set;
}

struct os_nodes nodes__one(int node)
{
	struct os_nodes set = {{0}};

	os__nodes_add(&set, node);
	return set;
}

static void skip_blanks(const char *text, size_t length, size_t *at)
{
	while (*at < length && (text[*at] == ' ' || text[*at] == '\t'))
		++*at;
}

/* One number at *at, left behind it. Values are held at OS_MAX_NODES, so nothing overflows. */
static int parse_number(const char *text, size_t length, size_t *at, int *value)
{
	size_t i = *at;
	int n = 0;

	for (; i < length && text[i] >= '0' && text[i] <= '9'; i++) {
		n = n * 10 + (text[i] - '0');
		if (n > OS_MAX_NODES)
			n = OS_MAX_NODES;
	}
	if (i == *at)
		return -EINVAL;
	if (n >= OS_MAX_NODES)
		return -ERANGE;
	*at = i;
	*value = n;
	return 0;
}

/* One "3" or "0-3" at *at, left behind it. */
static int parse_range(const char *text, size_t length, size_t *at, struct os_nodes *set)
{
	int first, last, err;

	err = parse_number(text, length, at, &first);
	if (err)
		return err;
	last = first;
	if (*at < length && text[*at] == '-') {
		++*at;
		err = parse_number(text, length, at, &last);
		if (err)
			return err;
	}
	if (last < first)
		return -EINVAL;
	for (int node = first; node <= last; node++)
		os__nodes_add(set, node);
	return 0;
}

int nodes__parse(struct os_nodes *set, const char *text, size_t length)
{
	struct os_nodes result = {{0}};
	size_t at = 0;

	for (;;) {
		int err;

		skip_blanks(text, length, &at);
		err = parse_range(text, length, &at, &result);
		if (err)
			return err;
		skip_blanks(text, length, &at);
		if (at == length)
			break;
		if (text[at++] != ',')
			return -EINVAL;
	}
	*set = result;
	return 0;
}
