/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * topology_tiers.c - SITUS_TIERS, which overrides what firmware and kernel say.
 *
 *	tiers = kind "=" list { ";" kind "=" list }
 *	kind  = "hbm" | "dram" | "cxl" | "gpu"
 */
#include "area/area.h"
#include "area/place.h"
#include "area/topology.h"

#include <errno.h>
#include <string.h>

static const char *trim(const char *text, size_t *length)
{
	while (*length > 0 && (text[0] == ' ' || text[0] == '\t')) {
		text++;
		--*length;
	}
	while (*length > 0 && (text[*length - 1] == ' ' || text[*length - 1] == '\t'))
		--*length;
	return text;
}

static int fail(int code, const char *word, size_t length, const char *what)
{
	char shown[64];

	place__quote(word, length, shown, sizeof(shown));
	return aml__fail(code, "SITUS_TIERS: \"%s\" %s", shown, what);
}

static int parse_kind(const char *word, size_t length, enum topology_kind *kind)
{
	for (enum topology_kind k = TOPOLOGY_KIND_HBM; k <= TOPOLOGY_KIND_GPU; k++) {
		const char *name = topology__kind_name(k);

		if (strlen(name) == length && memcmp(name, word, length) == 0) {
			*kind = k;
			return 0;
		}
	}
	return -EINVAL;
}

/* One "hbm=2" of the override. */
static int parse_item(const char *item, size_t length, enum topology_kind *kind, struct os_nodes *nodes)
{
	const char *equals = memchr(item, '=', length);
	size_t word_length, list_length;
	const char *word, *list;

	if (!equals)
		return fail(AML_EINVAL, item, length, "is not KIND=NODES, as in hbm=2;dram=0-1;cxl=3");
	word_length = (size_t)(equals - item);
	word = trim(item, &word_length);
	if (parse_kind(word, word_length, kind) < 0)
		return fail(AML_EINVAL, item, length, "does not begin with hbm, dram, cxl or gpu");
	list_length = length - (size_t)(equals + 1 - item);
	list = trim(equals + 1, &list_length);
	switch (nodes__parse(nodes, list, list_length)) {
	case 0:
		return 0;
	case -ERANGE:
		return fail(AML_EDOM, item, length, "names a node above 1023");
	default:
		return fail(AML_EINVAL, item, length, "does not end in a list of nodes such as 0-1 or 0,2");
	}
}

/* topology NULL: whether the nodes are there is not asked. */
static int check_item(const struct topology *topology, const char *item, size_t length,
	const struct os_nodes *nodes, const struct os_nodes *seen)
{
	struct os_nodes twice = nodes__and(nodes, seen);

	if (os__nodes_count(&twice) > 0)
		return fail(AML_EINVAL, item, length, "names a node that has a kind already");
	if (!topology)
		return 0;
	NODES_FOR_EACH(node, nodes)
		if (!topology__node(topology, node))
			return fail(AML_EDOM, item, length, "names a node that is not on this machine");
	return 0;
}

static int parse_items(const struct topology *topology, const char *text, struct os_nodes of_kind[TOPOLOGY_KIND_GPU + 1])
{
	struct os_nodes seen = {{0}};
	const char *rest = text;

	for (;;) {
		size_t length = strcspn(rest, ";"), item_length = length;
		const char *item = trim(rest, &item_length);
		enum topology_kind kind = TOPOLOGY_KIND_UNKNOWN;
		struct os_nodes nodes;
		int err;

		/* A ";" at the end is allowed. */
		if (item_length > 0 || rest[length]) {
			err = parse_item(item, item_length, &kind, &nodes);
			if (err == 0)
				err = check_item(topology, item, item_length, &nodes, &seen);
			if (err < 0)
				return err;
			seen = nodes__or(&seen, &nodes);
			of_kind[kind] = nodes__or(&of_kind[kind], &nodes);
		}
		if (!rest[length])
			return 0;
		rest += length + 1;
	}
}

bool topology__has_no_override;

int topology__check_override(const char *text)
{
	struct os_nodes of_kind[TOPOLOGY_KIND_GPU + 1] = {{{0}}};

	return parse_items(NULL, text, of_kind);
}

int topology__apply_override(struct topology *topology, const char *text)
{
	struct os_nodes of_kind[TOPOLOGY_KIND_GPU + 1] = {{{0}}};
	int err = parse_items(topology, text, of_kind);

	if (err < 0)
		return err;
	for (int i = 0; i < topology->n_nodes; i++) {
		for (int kind = TOPOLOGY_KIND_HBM; kind <= TOPOLOGY_KIND_GPU; kind++) {
			if (!os__nodes_has(&of_kind[kind], topology->nodes[i].number))
				continue;
			topology->nodes[i].kind = (enum topology_kind)kind;
			topology->nodes[i].kind_source = TOPOLOGY_SOURCE_OVERRIDE;
		}
	}
	return 0;
}
