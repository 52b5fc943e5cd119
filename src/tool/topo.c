/* SPDX-License-Identifier: BSD-3-Clause */
/* topo.c - situs topo: the nodes of this machine with the source of each figure, or what a place is. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "area/place.h"
#include "area/topology.h"
#include "base/error.h"
#include "os/os.h"
#include "tool/places.h"
#include "tool/tool.h"
#include "tool/topo.h"

struct options {
	struct tool_common common;
	const char *place;
};

static const struct argp_option option_list[] = {
	TOOL_OPTION_JSON,
	TOOL_OPTION_SVG("the machine"),
	TOOL_OPTIONS_END,
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct options *options = state->input;

	switch (key) {
	case ARGP_KEY_ARG:
		if (options->place)
			tool__usage(state->name, "one place at a time");
		options->place = arg;
		return 0;
	case ARGP_KEY_END:
		if (options->common.svg && options->common.json)
			tool__usage(state->name, "either --json or --svg");
		return 0;
	default:
		return tool__common(key, arg, state, &options->common);
	}
}

/* A figure with its source, "-" where nothing tells. */
static void add_figure(struct table *out, const struct topology_figure *figure, const char *unit)
{
	if (figure->source == TOPOLOGY_SOURCE_NONE)
		table__add(out, true, "-");
	else
		table__add(out, true, "%llu %s (%s)", (unsigned long long)figure->value, unit,
			topology__source_name(figure->source));
}

static void add_node(struct table *out, const struct topology *topology, const struct topology_node *node)
{
	size_t available = topology__free_bytes(topology, node->number);

	table__add(out, true, "%d", node->number);
	table__add(out, false, "%s (%s)", topology__kind_name(node->kind),
		topology__source_name(node->kind_source));
	if (node->tier < 0)
		table__add(out, true, "-");
	else
		table__add(out, true, "%d (%s)", node->tier, topology__source_name(node->tier_source));
	table__add(out, false, "%s", node->has_cpus < 0 ? "-" : node->has_cpus ? "yes" : "no");
	table__size(out, node->capacity);
	if (available == SIZE_MAX)
		table__add(out, true, "-");
	else
		table__size(out, available);
	add_figure(out, &node->bandwidth, "MiB/s");
	add_figure(out, &node->latency, "ns");
	table__add(out, false, "%s", node->allowed ? "yes" : "no");
}

static void print_nodes(const struct topology *topology)
{
	static const char *const headings[] = {
		"NODE", "KIND", "TIER", "CPUS", "CAPACITY", "FREE", "BANDWIDTH", "LATENCY", "ALLOWED",
	};
	const size_t n = sizeof(headings) / sizeof(headings[0]);
	struct table *out = table__new(n);

	for (size_t i = 0; i < n; i++)
		table__add(out, i != 1 && i != 3 && i != n - 1, "%s", headings[i]);
	for (int i = 0; i < topology->n_nodes; i++)
		add_node(out, topology, &topology->nodes[i]);
	table__print(out, stdout);
}

static void print_distances(const struct topology *topology)
{
	struct table *out;

	if (!topology->distance || topology->n_nodes < 2)
		return;
	puts("\nDistances (the firmware's; 10 is local)");
	out = table__new((size_t)topology->n_nodes + 1);
	table__add(out, true, "NODE");
	for (int i = 0; i < topology->n_nodes; i++)
		table__add(out, true, "%d", topology->nodes[i].number);
	for (int i = 0; i < topology->n_nodes; i++) {
		table__add(out, true, "%d", topology->nodes[i].number);
		for (int j = 0; j < topology->n_nodes; j++)
			table__add(out, true, "%u", topology->distance[i * topology->n_nodes + j]);
	}
	table__print(out, stdout);
}

static json_t *figure_json(const struct topology_figure *figure)
{
	if (figure->source == TOPOLOGY_SOURCE_NONE)
		return json_null();
	return json_pack("{sI ss}", "value", (json_int_t)figure->value, "source",
		topology__source_name(figure->source));
}

static json_t *node_json(const struct topology *topology, const struct topology_node *node)
{
	size_t available = topology__free_bytes(topology, node->number);

	return json_pack("{si ss ss so ss so sI so so so sb}",
		"node", node->number, "kind", topology__kind_name(node->kind),
		"kind_source", topology__source_name(node->kind_source),
		"tier", node->tier < 0 ? json_null() : json_integer(node->tier),
		"tier_source", topology__source_name(node->tier_source),
		"cpus", node->has_cpus < 0 ? json_null() : json_boolean(node->has_cpus),
		"capacity", (json_int_t)node->capacity,
		"free", available == SIZE_MAX ? json_null() : json_integer((json_int_t)available),
		"bandwidth_mib_s", figure_json(&node->bandwidth), "latency_ns", figure_json(&node->latency),
		"allowed", (int)node->allowed);
}

static json_t *distances_json(const struct topology *topology)
{
	json_t *rows = json_array(), *row;

	for (int i = 0; topology->distance && i < topology->n_nodes; i++) {
		row = json_array();
		for (int j = 0; j < topology->n_nodes; j++)
			json_array_append_new(row, json_integer(topology->distance[i * topology->n_nodes + j]));
		json_array_append_new(rows, row);
	}
	return rows;
}

static int show_machine(const struct topology *topology, bool json)
{
	char fitting[1024];
	json_t *nodes;

	if (json) {
		nodes = json_array();
		for (int i = 0; i < topology->n_nodes; i++)
			json_array_append_new(nodes, node_json(topology, &topology->nodes[i]));
		return tool__json(json_pack("{so so}", "nodes", nodes, "distances", distances_json(topology)));
	}
	if (topology->imported)
		printf("Another machine: %s\n\n", topology->description ? topology->description : "");
	print_nodes(topology);
	print_distances(topology);
	place__fitting(topology, fitting, sizeof(fitting));
	printf("\nPlaces here: %s\n", fitting);
	return TOOL_OK;
}

static int show_link(const struct topology *topology, const struct place *place, json_t *links)
{
	char line[PLACES_LINE_SIZE], why[160];
	struct place_error error;
	struct os_nodes nodes;
	json_t *numbers;

	if (!links) {
		if (places__explain(topology, place, line, sizeof(line)) == 0)
			puts(line);
		return TOOL_OK;
	}
	if (place__resolve(place, topology, -1, &nodes, &error))
		return places__refuse(topology, &error);
	place__format(place, line, sizeof(line));
	numbers = json_array();
	NODES_FOR_EACH(node, &nodes)
		json_array_append_new(numbers, json_integer(node));
	json_array_append_new(links, json_pack("{so so ss}", "place", tool__json_text(line), "nodes", numbers, "why",
		places__why(topology, place, &nodes, why, sizeof(why))));
	return TOOL_OK;
}

/* Every node that a link of the chain stands for. */
static int gather(const struct topology *topology, const struct place_chain *chain, struct os_nodes *all)
{
	struct place_error error;
	struct os_nodes nodes;

	*all = (struct os_nodes){ { 0 } };
	for (int i = 0; i < chain->n_links; i++) {
		if (place__resolve(&chain->link[i], topology, -1, &nodes, &error))
			return places__refuse(topology, &error);
		*all = nodes__or(all, &nodes);
	}
	return TOOL_OK;
}

static int show_place(const struct topology *topology, const struct options *options)
{
	struct place_chain chain;
	struct place_error error;
	struct os_nodes nodes;
	json_t *links;
	int status;

	if (place__parse(options->place, &chain, &error))
		return places__refuse(topology, &error);
	status = gather(topology, &chain, &nodes);
	if (status)
		return status;
	/* A place that follows the process's policy may be any node. */
	if (options->common.svg && os__nodes_count(&nodes) == 0)
		nodes = topology__allowed(topology);
	if (options->common.svg)
		return topo__draw(topology, options->place, &nodes, options->common.svg);
	links = options->common.json ? json_array() : NULL;
	for (int i = 0; i < chain.n_links && !status; i++)
		status = show_link(topology, &chain.link[i], links);
	if (links && !status)
		return tool__json(links);
	json_decref(links);
	return status;
}

int topo__main(int argc, char **argv)
{
	static const struct argp argp = {
		.options = option_list,
		.parser = parse,
		.args_doc = "[PLACE]",
		.doc = "Shows the places of this machine; with a PLACE, the nodes it stands for.\v"
		       "Each figure names its source: HMAT (the firmware's attributes), kernel tier, distance, "
		       "label, override (SITUS_TIERS). What nothing tells is '-'.",
	};
	struct options options = { 0 };
	const struct topology *topology;
	int err;

	tool__parse(&argp, argc, argv, 0, &options);
	err = topology__get(&topology);
	if (err)
		return tool__fail(tool__status(err), "%s", error__text());
	if (options.place)
		return show_place(topology, &options);
	if (options.common.svg)
		return topo__draw(topology, NULL, NULL, options.common.svg);
	return show_machine(topology, options.common.json);
}
