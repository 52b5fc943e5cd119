/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * topology_nearest.c - the memory nearest to a processor: by latency from it where the machine says
 * so, else by the distance table, else by which nodes are local to it.
 */
#include "config.h" /* sched_getcpu */
#include "area/topology.h"
#include "area/hwloc_calls.h"

#include <sched.h>
#include <string.h>

/* The processor's own set, or an empty one where there is no such processor. */
static void set_of_cpu(hwloc_topology_t hwloc, bool imported, int cpu, hwloc_cpuset_t set)
{
	hwloc_const_cpuset_t all = hw()->topology_get_topology_cpuset(hwloc);

	hw()->bitmap_zero(set);
	if (cpu < 0)
		cpu = imported ? hw()->bitmap_first(all) : sched_getcpu();
	if (cpu >= 0 && hw()->bitmap_isset(all, (unsigned)cpu))
		hw()->bitmap_only(set, (unsigned)cpu);
}

static bool latency_from(hwloc_topology_t hwloc, hwloc_cpuset_t from, hwloc_obj_t object, uint64_t *value)
{
	struct hwloc_location initiator = {.type = HWLOC_LOCATION_TYPE_CPUSET, .location.cpuset = from};
	hwloc_uint64_t latency;

	if (hw()->memattr_get_value(hwloc, HWLOC_MEMATTR_ID_LATENCY, object, &initiator, 0, &latency) < 0 &&
		hw()->memattr_get_value(hwloc, HWLOC_MEMATTR_ID_READ_LATENCY, object, &initiator, 0,
			&latency) < 0)
		return false;
	*value = latency;
	return true;
}

static bool is_local(hwloc_cpuset_t from, hwloc_obj_t object)
{
	return hw()->bitmap_isincluded(from, object->cpuset);
}

/* The node that the processor belongs to, by number; -1: it cannot be told. */
static int own_node(const struct topology *topology, hwloc_cpuset_t from)
{
	for (int i = 0; i < topology->n_nodes; i++) {
		hwloc_obj_t object = hw__node_by_number(topology->hwloc,
			(unsigned)topology->nodes[i].number);

		if (topology->nodes[i].has_cpus > 0 && object && is_local(from, object))
			return topology->nodes[i].number;
	}
	return -1;
}

/* How far a node is, lower is nearer, by one source. False: that source does not say. */
static bool measure(const struct topology *topology, hwloc_cpuset_t from, int own,
	const struct topology_node *node, enum topology_source source, uint64_t *value)
{
	hwloc_obj_t object = hw__node_by_number(topology->hwloc, (unsigned)node->number);

	switch (source) {
	case TOPOLOGY_SOURCE_HMAT:
		return object && latency_from(topology->hwloc, from, object, value);
	case TOPOLOGY_SOURCE_DISTANCE:
		*value = own >= 0 ? topology__distance(topology, own, node->number) : 0;
		return *value > 0;
	default:
		if (!object || !is_local(from, object))
			return false;
		*value = (uint64_t)hw()->bitmap_weight(object->cpuset);
		return true;
	}
}

static struct os_nodes nearest_by(const struct topology *topology, hwloc_cpuset_t from, int own,
	enum topology_source source)
{
	struct os_nodes nodes = {{0}};
	uint64_t least = UINT64_MAX;

	for (int i = 0; i < topology->n_nodes; i++) {
		const struct topology_node *node = &topology->nodes[i];
		uint64_t value;

		if (node->capacity == 0 || !node->allowed ||
			!measure(topology, from, own, node, source, &value) || value > least)
			continue;
		if (value < least)
			memset(&nodes, 0, sizeof(nodes));
		least = value;
		os__nodes_add(&nodes, node->number);
	}
	return nodes;
}

struct os_nodes topology__nearest(const struct topology *topology, int cpu, enum topology_source *source)
{
	static const enum topology_source sources[] = {
		TOPOLOGY_SOURCE_HMAT, TOPOLOGY_SOURCE_DISTANCE, TOPOLOGY_SOURCE_OS};
	struct os_nodes nodes = {{0}};
	hwloc_cpuset_t from = hw()->bitmap_alloc();

	*source = TOPOLOGY_SOURCE_NONE;
	if (!from)
		return nodes;
	topology__lock();
	set_of_cpu(topology->hwloc, topology->imported, cpu, from);
	for (size_t i = 0; i < sizeof(sources) / sizeof(sources[0]) && !hw()->bitmap_iszero(from); i++) {
		nodes = nearest_by(topology, from, own_node(topology, from), sources[i]);
		if (os__nodes_count(&nodes) > 0) {
			*source = sources[i];
			break;
		}
	}
	topology__unlock();
	hw()->bitmap_free(from);
	return nodes;
}
