/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * topology_ask.c - what a loaded topology answers: sets of nodes by kind and tier, and words.
 */
#include "area/topology.h"
#include "os/os.h"

struct os_nodes topology__with_memory(const struct topology *topology)
{
	struct os_nodes nodes = {{0}};

	for (int i = 0; i < topology->n_nodes; i++)
		if (topology->nodes[i].capacity > 0)
			os__nodes_add(&nodes, topology->nodes[i].number);
	return nodes;
}

struct os_nodes topology__allowed(const struct topology *topology)
{
	struct os_nodes nodes = {{0}};

	for (int i = 0; i < topology->n_nodes; i++)
		if (topology->nodes[i].capacity > 0 && topology->nodes[i].allowed)
			os__nodes_add(&nodes, topology->nodes[i].number);
	return nodes;
}

struct os_nodes topology__of_kind(const struct topology *topology, enum topology_kind kind)
{
	struct os_nodes nodes = {{0}};

	for (int i = 0; i < topology->n_nodes; i++)
		if (topology->nodes[i].capacity > 0 && topology->nodes[i].kind == kind)
			os__nodes_add(&nodes, topology->nodes[i].number);
	return nodes;
}

struct os_nodes topology__of_tier(const struct topology *topology, int tier)
{
	struct os_nodes nodes = {{0}};

	for (int i = 0; i < topology->n_nodes; i++)
		if (topology->nodes[i].capacity > 0 && topology->nodes[i].tier == tier)
			os__nodes_add(&nodes, topology->nodes[i].number);
	return nodes;
}

int topology__fastest_tier(const struct topology *topology)
{
	int fastest = -1;

	for (int i = 0; i < topology->n_nodes; i++) {
		const struct topology_node *node = &topology->nodes[i];

		if (node->allowed && node->tier >= 0 && (fastest < 0 || node->tier < fastest))
			fastest = node->tier;
	}
	return fastest;
}

int topology__largest_tier(const struct topology *topology)
{
	uint64_t largest = 0;
	int result = -1;

	for (int tier = 0; tier < topology->n_tiers; tier++) {
		uint64_t bytes = 0;

		for (int i = 0; i < topology->n_nodes; i++)
			if (topology->nodes[i].tier == tier && topology->nodes[i].allowed)
				bytes += topology->nodes[i].capacity;
		if (bytes > largest) {
			largest = bytes;
			result = tier;
		}
	}
	return result;
}

size_t topology__free_bytes(const struct topology *topology, int number)
{
	size_t total, available;

	if (topology->imported || os__node_memory(number, &total, &available) < 0)
		return SIZE_MAX;
	return available;
}

const char *topology__kind_name(enum topology_kind kind)
{
	static const char *const names[] = {"unknown", "hbm", "dram", "cxl", "gpu", "nvm"};

	return names[kind];
}

const char *topology__source_name(enum topology_source source)
{
	static const char *const names[] = {"none", "override", "label", "HMAT", "kernel tier",
		"distance", "alike", "kernel"};

	return names[source];
}
