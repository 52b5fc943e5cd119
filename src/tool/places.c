/* SPDX-License-Identifier: BSD-3-Clause */
/* places.c - situs places: the words of the place grammar, each with what it stands for here. */
#include "config.h"

#include <string.h>

#include "area/place.h"
#include "area/topology.h"
#include "base/error.h"
#include "os/os.h"
#include "tool/places.h"
#include "tool/tool.h"

static const struct argp_option option_list[] = {
	TOOL_OPTION_JSON,
	TOOL_OPTIONS_END,
};

static const char *const words[] = {
	"any", "local", "dram", "hbm", "cxl", "gpu", "tier:fastest", "tier:largest", "tier:nearest",
	"hugetlb:2M", "hugetlb:1G", "anon",
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	return tool__common(key, arg, state, state->input);
}

/* Says of a pool of huge pages what is in it, behind what is said already. */
static void explain_pool(size_t page_size, char *words_out, size_t size)
{
	size_t n = strlen(words_out), total, available;

	if (os__huge_pool(-1, page_size, &total, &available))
		snprintf(words_out + n, size - n, ", but this kernel has no such pages");
	else if (total == 0)
		snprintf(words_out + n, size - n, ", but no pages are reserved ('situs doctor' says how)");
	else
		snprintf(words_out + n, size - n, ", %zu of %zu pages are free", available, total);
}

/* What a place stands for here, or why it stands for nothing; true where it can be had. */
static bool explain(const struct topology *topology, const char *text, char *words_out, size_t size)
{
	struct place_chain chain;
	struct place_error error;
	struct os_nodes nodes;
	char list[200];

	if (place__parse(text, &chain, &error) ||
		place__resolve(&chain.link[0], topology, -1, &nodes, &error)) {
		snprintf(words_out, size, "not here: %s", error.text);
		return false;
	}
	if (os__nodes_count(&nodes))
		snprintf(words_out, size, "node %s", os__nodes_text(&nodes, list, sizeof(list)));
	else
		snprintf(words_out, size, "any node the process may use");
	if (chain.link[0].where == PLACE_HUGETLB && !topology->imported)
		explain_pool(chain.link[0].page_size, words_out, size);
	return true;
}

static void add(const struct topology *topology, const char *text, struct table *out, json_t *list)
{
	char what[300];
	bool here = explain(topology, text, what, sizeof(what));

	if (list) {
		json_array_append_new(list, json_pack("{ss sb ss}", "place", text, "here", (int)here,
			"what", what));
		return;
	}
	table__add(out, false, "%s", text);
	table__add(out, false, "%s", what);
}

const char *places__why(const struct topology *topology, const struct place *place,
	const struct os_nodes *nodes, char *why, size_t size)
{
	const struct topology_node *first = topology__node(topology, os__nodes_next(nodes, 0));
	const char *which = place->where == PLACE_TIER_FASTEST ? "the fastest that may be used" :
		place->where == PLACE_TIER_LARGEST ? "the one with the most memory" : "as the place says";

	switch (place->where) {
	case PLACE_TIER_FASTEST:
	case PLACE_TIER_LARGEST:
	case PLACE_TIER_NUMBER:
		snprintf(why, size, "tier %d, %s; tiers by %s", first ? first->tier : -1, which,
			first ? topology__source_name(first->tier_source) : "nothing");
		break;
	case PLACE_TIER_NEAREST:
		snprintf(why, size, "the nearest to the processor that this runs on");
		break;
	case PLACE_HBM:
	case PLACE_DRAM:
	case PLACE_CXL:
	case PLACE_GPU:
		snprintf(why, size, "kinds by %s", first ? topology__source_name(first->kind_source) : "nothing");
		break;
	case PLACE_LOCAL:
		snprintf(why, size, "the node of the thread that touches a page first");
		break;
	default:
		snprintf(why, size, place->has_nodes ? "as the place says" : "the process's own policy decides");
	}
	return why;
}

int places__explain(const struct topology *topology, const struct place *place, char *line, size_t size)
{
	char text[PLACE_MAX_PATH + 256], list[256], why[160];
	struct place_error error;
	struct os_nodes nodes;
	int err = place__resolve(place, topology, -1, &nodes, &error);

	if (err)
		return err;
	place__format(place, text, sizeof(text));
	snprintf(line, size, "%s: %s%s (%s)", text, os__nodes_count(&nodes) ? "node " : "no nodes of its own",
		os__nodes_text(&nodes, list, sizeof(list)), places__why(topology, place, &nodes, why, sizeof(why)));
	return 0;
}

int places__refuse(const struct topology *topology, const struct place_error *error)
{
	char fitting[512];

	if (!error->bad_where)
		return tool__fail(tool__status(error->code), "%s", error->text);
	place__fitting(topology, fitting, sizeof(fitting));
	return tool__fail(tool__status(error->code), "%s; here would fit: %s", error->text, fitting);
}

int places__check(const char *text)
{
	const struct topology *topology;
	struct place_chain chain;
	struct place_error error;
	struct os_nodes nodes;
	int err = topology__get(&topology);

	if (err)
		return tool__fail(tool__status(err), "%s", error__text());
	if (place__parse(text, &chain, &error))
		return places__refuse(topology, &error);
	for (int i = 0; i < chain.n_links; i++)
		if (place__resolve(&chain.link[i], topology, -1, &nodes, &error))
			return places__refuse(topology, &error);
	return TOOL_OK;
}

int places__main(int argc, char **argv)
{
	static const struct argp argp = {
		.options = option_list,
		.parser = parse,
		.doc = "Lists the words that name places, and what each stands for on this machine.\v"
		       "Options after a comma: strict, bind, preferred, interleave, weighted, firsttouch, "
		       "node:LIST, thp, nothp, populate, limit:SIZE. Chains: 'node:2,strict > any'. More places: "
		       "node:LIST, tier:NUMBER, file:PATH, shm:NAME. situs(7) has the whole grammar.",
	};
	const struct topology *topology;
	struct table *out = NULL;
	json_t *list = NULL;
	struct tool_common common = { 0 };
	char text[32];
	int err;

	tool__parse(&argp, argc, argv, 0, &common);
	err = topology__get(&topology);
	if (err)
		return tool__fail(tool__status(err), "%s", error__text());
	if (common.json)
		list = json_array();
	else
		out = table__new(2);
	for (int i = 0; i < topology->n_nodes; i++) {
		snprintf(text, sizeof(text), "node:%d", topology->nodes[i].number);
		add(topology, text, out, list);
	}
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		add(topology, words[i], out, list);
	if (common.json)
		return tool__json(list);
	table__print(out, stdout);
	return TOOL_OK;
}
