/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * topo_svg.c - the machine as a picture: a card for each node, in rows by tier, fastest first; below,
 * the distances as a table that grows darker with them.
 */
#include "config.h"

#include <string.h>

#include "base/size.h"
#include "tool/svg.h"
#include "tool/tool.h"
#include "tool/topo.h"

enum {
	MARGIN = 24,
	LABEL = 110, /* width of the tiers' names */
	CARD = 226,
	CARD_HEIGHT = 154,
	GAP = 14,
	PER_ROW = 4,
	CELL = 46, /* of the distance table */
	CELL_HEIGHT = 26,
};

struct picture {
	struct svg *svg;
	const struct topology *topology;
	const struct os_nodes *chosen; /* NULL: all */
	uint64_t bandwidth, latency, capacity; /* the largest of any node */
	double y;
};

static uint64_t larger(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* A figure with a bar beside those of other nodes, and who says so. */
static void draw_figure(struct picture *picture, double x, double y, const char *name, const char *text,
	const char *source, double share)
{
	const double width = CARD - 24;

	svg__text(picture->svg, x, y, SVG_LEFT, "small light", "%s", name);
	svg__text(picture->svg, x + 66, y, SVG_LEFT, "value", "%s", text);
	svg__text(picture->svg, x + width, y, SVG_RIGHT, "small light", "%s", source);
	svg__rect(picture->svg, x, y + 4, width, 4, "rx=\"2\" fill=\"#e4e7eb\"", NULL);
	if (share > 0)
		svg__rect(picture->svg, x, y + 4, width * (share < 0.01 ? 0.01 : share), 4,
			"rx=\"2\" fill=\"#52606d\"", NULL);
}

static double share_of(uint64_t value, uint64_t most)
{
	return most ? (double)value / (double)most : 0;
}

static void draw_bandwidth(struct picture *picture, const struct topology_node *node, double x, double y)
{
	char text[32] = "not told";

	if (node->bandwidth.source != TOPOLOGY_SOURCE_NONE)
		/* The firmware's tables and data sheets count in powers of ten. */
		snprintf(text, sizeof(text), "%.4g GB/s", (double)node->bandwidth.value * 1.048576 / 1000);
	draw_figure(picture, x, y, "bandwidth", text, node->bandwidth.source == TOPOLOGY_SOURCE_NONE ? "" :
		topology__source_name(node->bandwidth.source),
		share_of(node->bandwidth.value, picture->bandwidth));
}

static void draw_latency(struct picture *picture, const struct topology_node *node, double x, double y)
{
	char text[32] = "not told";

	if (node->latency.source != TOPOLOGY_SOURCE_NONE)
		snprintf(text, sizeof(text), "%llu ns", (unsigned long long)node->latency.value);
	draw_figure(picture, x, y, "latency", text, node->latency.source == TOPOLOGY_SOURCE_NONE ? "" :
		topology__source_name(node->latency.source),
		share_of(node->latency.value, picture->latency));
}

static void draw_memory(struct picture *picture, const struct topology_node *node, double x, double y)
{
	size_t available = topology__free_bytes(picture->topology, node->number);
	char size[SIZE_TEXT_SIZE], left[SIZE_TEXT_SIZE], text[64] = "", shape[64];
	const double width = (CARD - 24) * share_of(node->capacity, picture->capacity);

	size__format(node->capacity, size);
	if (available != SIZE_MAX)
		snprintf(text, sizeof(text), "%s free", size__format(available, left));
	svg__text(picture->svg, x, y, SVG_LEFT, "small light", "memory");
	svg__text(picture->svg, x + 66, y, SVG_LEFT, "value", "%s", size);
	svg__text(picture->svg, x + CARD - 24, y, SVG_RIGHT, "small light", "%s", text);
	if (width <= 0)
		return;
	svg__rect(picture->svg, x, y + 4, CARD - 24, 8, "rx=\"2\" fill=\"#f0f2f4\"", NULL);
	snprintf(shape, sizeof(shape), "rx=\"2\" fill=\"%s\" fill-opacity=\"0.25\"",
		svg__node_colour(node->number));
	svg__rect(picture->svg, x, y + 4, width, 8, shape, NULL);
	if (available > node->capacity)
		return;
	snprintf(shape, sizeof(shape), "rx=\"2\" fill=\"%s\"", svg__node_colour(node->number));
	svg__rect(picture->svg, x, y + 4,
		width * (1 - share_of(available, node->capacity)), 8, shape, "memory in use");
}

static void draw_node(struct picture *picture, const struct topology_node *node, double x, double y)
{
	char shape[128], tip[256];

	snprintf(tip, sizeof(tip), "node %d: %s (%s)%s%s", node->number, topology__kind_name(node->kind),
		topology__source_name(node->kind_source), node->has_cpus == 1 ? ", with processors" : "",
		node->allowed ? "" : ", not allowed to this process");
	snprintf(shape, sizeof(shape), "rx=\"8\" fill=\"#ffffff\" stroke=\"%s\" stroke-width=\"1.5\"%s",
		svg__node_colour(node->number), node->allowed ? "" : " stroke-dasharray=\"5 4\"");
	svg__rect(picture->svg, x, y, CARD, CARD_HEIGHT, shape, tip);
	snprintf(shape, sizeof(shape), "rx=\"6\" fill=\"%s\"", svg__node_colour(node->number));
	svg__rect(picture->svg, x + 12, y + 12, 76, 24, shape, NULL);
	svg__text(picture->svg, x + 50, y + 29, SVG_MIDDLE, svg__node_ink(node->number), "node %d", node->number);
	svg__text(picture->svg, x + 98, y + 24, SVG_LEFT, "label", "%s", topology__kind_name(node->kind));
	svg__text(picture->svg, x + 98, y + 38, SVG_LEFT, "small light", "%s",
		topology__source_name(node->kind_source));
	svg__text(picture->svg, x + CARD - 12, y + 24, SVG_RIGHT, "small light", "%s",
		node->has_cpus < 0 ? "" : node->has_cpus ? "processors" : "memory only");
	if (!node->allowed)
		svg__text(picture->svg, x + CARD - 12, y + 38, SVG_RIGHT, "small light", "not allowed");
	draw_memory(picture, node, x + 12, y + 64);
	draw_bandwidth(picture, node, x + 12, y + 98);
	draw_latency(picture, node, x + 12, y + 128);
}

/* The node, faintly where the place does not stand for it. */
static void draw_card(struct picture *picture, const struct topology_node *node, double x, double y)
{
	const bool is_chosen = !picture->chosen || os__nodes_has(picture->chosen, node->number);

	if (!is_chosen)
		svg__faint(picture->svg);
	draw_node(picture, node, x, y);
	if (!is_chosen)
		svg__plain(picture->svg);
}

/* The nodes of a tier (-1: those that nothing ranks), if there are any. */
static void draw_tier(struct picture *picture, int tier)
{
	const struct topology *topology = picture->topology;
	const struct topology_node *first = NULL;
	double top = picture->y;
	int n = 0;

	for (int i = 0; i < topology->n_nodes; i++) {
		const struct topology_node *node = &topology->nodes[i];

		if (node->tier != tier)
			continue;
		if (n && n % PER_ROW == 0)
			picture->y += CARD_HEIGHT + GAP;
		first = first ? first : node;
		draw_card(picture, node, MARGIN + LABEL + n % PER_ROW * (CARD + GAP), picture->y);
		n++;
	}
	if (!first)
		return;
	if (tier < 0) {
		svg__text(picture->svg, MARGIN, top + 28, SVG_LEFT, "h2", "no tier");
		svg__text(picture->svg, MARGIN, top + 46, SVG_LEFT, "small light", "nothing ranks");
	} else {
		svg__text(picture->svg, MARGIN, top + 28, SVG_LEFT, "h2", "tier %d", tier);
		const char *rank = topology->n_tiers < 2 ? "the only one" : tier == 0 ? "the fastest" :
			tier == topology->n_tiers - 1 ? "the slowest" : "in between";

		svg__text(picture->svg, MARGIN, top + 46, SVG_LEFT, "small light", "%s", rank);
		svg__text(picture->svg, MARGIN, top + 61, SVG_LEFT, "small light", "%s%s",
			first->tier_source == TOPOLOGY_SOURCE_ALIKE ? "all nodes are " : "by ",
			topology__source_name(first->tier_source));
	}
	picture->y += CARD_HEIGHT + GAP;
}

static void draw_distances(struct picture *picture)
{
	const struct topology *topology = picture->topology;
	const int n = topology->n_nodes;
	const double x = MARGIN + LABEL;
	unsigned most = 10;
	char shape[64], tip[96];

	if (!topology->distance || n < 2)
		return;
	for (int i = 0; i < n * n; i++)
		most = topology->distance[i] > most ? topology->distance[i] : most;
	picture->y += 12;
	svg__text(picture->svg, MARGIN, picture->y + 18, SVG_LEFT, "h2", "distances");
	svg__text(picture->svg, MARGIN, picture->y + 36, SVG_LEFT, "small light", "the firmware's,");
	svg__text(picture->svg, MARGIN, picture->y + 51, SVG_LEFT, "small light", "10 is local");
	for (int i = 0; i < n; i++) {
		svg__text(picture->svg, x + (i + 1.5) * CELL, picture->y + 18, SVG_MIDDLE, "small light",
			"to %d", topology->nodes[i].number);
		svg__text(picture->svg, x + CELL - 8, picture->y + 25 + (i + 0.65) * CELL_HEIGHT, SVG_RIGHT,
			"small light", "from %d", topology->nodes[i].number);
	}
	for (int i = 0; i < n * n; i++) {
		const unsigned distance = topology->distance[i];
		const double share = most > 10 && distance > 10 ? (distance - 10.0) / (most - 10.0) : 0;
		const double left = x + (i % n + 1) * CELL, top = picture->y + 25 + i / n * CELL_HEIGHT;

		snprintf(shape, sizeof(shape), "rx=\"3\" fill=\"#33658a\" fill-opacity=\"%.2f\"",
			0.06 + 0.84 * share);
		snprintf(tip, sizeof(tip), "from node %d to node %d: %u", topology->nodes[i / n].number,
			topology->nodes[i % n].number, distance);
		svg__rect(picture->svg, left + 1, top + 1, CELL - 2, CELL_HEIGHT - 2, shape, tip);
		svg__text(picture->svg, left + CELL / 2.0, top + 17, SVG_MIDDLE,
			share > 0.55 ? "value on" : "value", "%u", distance);
	}
	picture->y += 25 + n * CELL_HEIGHT + 8;
}

static void describe(const struct topology *topology, const char *place, const struct os_nodes *chosen,
	char *text, size_t size)
{
	char capacity[SIZE_TEXT_SIZE], list[256];
	size_t n = 0;

	if (place)
		n += (size_t)snprintf(text, size, "%.200s stands for node %s. ", place,
			os__nodes_text(chosen, list, sizeof(list)));
	n += (size_t)snprintf(text + n, size - n, "%d NUMA node%s.", topology->n_nodes,
		topology->n_nodes == 1 ? "" : "s");
	for (int i = 0; i < topology->n_nodes && n < size; i++) {
		const struct topology_node *node = &topology->nodes[i];

		n += (size_t)snprintf(text + n, size - n, " Node %d: %s, %s", node->number,
			topology__kind_name(node->kind), size__format(node->capacity, capacity));
		if (node->tier >= 0 && n < size)
			n += (size_t)snprintf(text + n, size - n, ", tier %d", node->tier);
		if (node->bandwidth.source != TOPOLOGY_SOURCE_NONE && n < size)
			n += (size_t)snprintf(text + n, size - n, ", %llu MiB/s",
				(unsigned long long)node->bandwidth.value);
		if (node->latency.source != TOPOLOGY_SOURCE_NONE && n < size)
			n += (size_t)snprintf(text + n, size - n, ", %llu ns",
				(unsigned long long)node->latency.value);
		if (n < size)
			n += (size_t)snprintf(text + n, size - n, ".");
	}
}

int topo__draw(const struct topology *topology, const char *place, const struct os_nodes *chosen,
	const char *file)
{
	struct picture picture = { .topology = topology, .chosen = chosen };
	int widest = 2, n_in_tier;
	char description[4096], size[SIZE_TEXT_SIZE];
	uint64_t total = 0;
	double width;

	describe(topology, place, chosen, description, sizeof(description));
	picture.svg = svg__new(topology->imported ? "The places of another machine" : "The places of this machine",
		description);
	for (int i = 0; i < topology->n_nodes; i++) {
		const struct topology_node *node = &topology->nodes[i];

		picture.bandwidth = larger(picture.bandwidth, node->bandwidth.value);
		picture.latency = larger(picture.latency, node->latency.value);
		picture.capacity = larger(picture.capacity, node->capacity);
		total += node->capacity;
		n_in_tier = 0;
		for (int j = 0; j < topology->n_nodes; j++)
			n_in_tier += topology->nodes[j].tier == node->tier;
		widest = n_in_tier > widest ? n_in_tier : widest;
	}
	if (widest > PER_ROW)
		widest = PER_ROW;
	width = 2 * MARGIN + LABEL + widest * (CARD + GAP) - GAP;
	if (topology->distance && width < 2 * MARGIN + LABEL + (topology->n_nodes + 1) * CELL)
		width = 2 * MARGIN + LABEL + (topology->n_nodes + 1) * CELL;
	svg__text(picture.svg, MARGIN, 44, SVG_LEFT, "h1", "%.40s%s %s", place ? place : "The places",
		place ? " on" : " of", topology->imported ? "another machine" : "this machine");
	svg__text(picture.svg, width - MARGIN, 44, SVG_RIGHT, "light", "%d node%s, %s", topology->n_nodes,
		topology->n_nodes == 1 ? "" : "s", size__format(total, size));
	svg__line(picture.svg, MARGIN, 58, width - MARGIN, 58, "#cbd2d9");
	picture.y = 74;
	for (int tier = 0; tier < topology->n_tiers; tier++)
		draw_tier(&picture, tier);
	draw_tier(&picture, -1);
	draw_distances(&picture);
	return svg__write(picture.svg, width, picture.y + MARGIN - GAP, file);
}
