/* SPDX-License-Identifier: BSD-3-Clause */
#include "area/figures.h"

#include <limits.h>

#include "area/topology.h"

/* Figures beyond what the struct holds are the largest it does. */
static unsigned clamp(uint64_t value)
{
	return value < UINT_MAX ? (unsigned)value : UINT_MAX;
}

static bool from_hwloc(int number, struct os_performance *performance)
{
	const struct topology *topology = topology__loaded();
	const struct topology_node *node;

	if (topology == NULL || topology->imported)
		return false;
	node = topology__node(topology, number);
	if (node == NULL || (node->bandwidth.source == TOPOLOGY_SOURCE_NONE &&
				    node->latency.source == TOPOLOGY_SOURCE_NONE))
		return false;
	performance->bandwidth = clamp(node->bandwidth.value);
	performance->latency = clamp(node->latency.value);
	return true;
}

void figures__fill(const struct os_nodes *nodes, struct aml_area_info *info)
{
	unsigned bandwidth = UINT_MAX, latency = 0;
	bool has_latency = true;

	for (int node = os__nodes_next(nodes, 0); node >= 0; node = os__nodes_next(nodes, node + 1)) {
		struct os_performance performance = {0, 0};

		if (!from_hwloc(node, &performance))
			os__node_performance(node, &performance);
		if (performance.bandwidth < bandwidth)
			bandwidth = performance.bandwidth;
		if (performance.latency > latency)
			latency = performance.latency;
		has_latency = has_latency && performance.latency != 0;
	}
	info->bandwidth = os__nodes_count(nodes) != 0 ? bandwidth : 0;
	info->latency = has_latency ? latency : 0;
}
