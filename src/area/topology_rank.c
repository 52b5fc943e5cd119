/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * topology_rank.c - nodes in the order of one of hwloc's memory attributes.
 *
 * hwloc answers for an initiator that lies within one it has a value for. A larger one (a whole
 * package, the whole machine) takes the best value of those it overlaps. Latency falls back on the
 * table of distances where no node has a value.
 */
#include "config.h" /* sched_getcpu */
#include "area/topology.h"
#include "area/area.h"
#include "area/hwloc_calls.h"

#include <sched.h>
#include <stdlib.h>

struct valued {
	int node;
	bool seen;         /* from the initiator asked about */
	uint64_t value;    /* from there, else from the initiators that have one */
	unsigned distance; /* from there; 0: not said */
};

struct question {
	hwloc_topology_t hwloc;
	hwloc_memattr_id_t attribute;
	hwloc_cpuset_t from;
	bool needs_initiator, higher_first;
};

static bool better(const struct question *question, uint64_t a, uint64_t b)
{
	return question->higher_first ? a > b : a < b;
}

/* The best value over the initiators that overlap the one asked about. */
static bool best_overlap(const struct question *question, hwloc_obj_t object, uint64_t *value)
{
	struct hwloc_location *initiators;
	hwloc_uint64_t *values;
	unsigned n = 0;
	bool found = false;

	if (hw()->memattr_get_initiators(question->hwloc, question->attribute, object, 0, &n, NULL, NULL) < 0)
		return false;
	initiators = calloc(n + 1, sizeof(*initiators));
	values = calloc(n + 1, sizeof(*values));
	if (initiators && values &&
		hw()->memattr_get_initiators(question->hwloc, question->attribute, object, 0, &n, initiators,
			values) == 0) {
		for (unsigned i = 0; i < n; i++) {
			if (initiators[i].type != HWLOC_LOCATION_TYPE_CPUSET ||
				!hw()->bitmap_intersects(initiators[i].location.cpuset, question->from))
				continue;
			if (!found || better(question, values[i], *value))
				*value = values[i];
			found = true;
		}
	}
	free(initiators);
	free(values);
	return found;
}

static bool value_of(const struct question *question, hwloc_obj_t object, uint64_t *value)
{
	struct hwloc_location initiator = {
		.type = HWLOC_LOCATION_TYPE_CPUSET,
		.location.cpuset = question->from,
	};
	hwloc_uint64_t found;

	if (hw()->memattr_get_value(question->hwloc, question->attribute, object,
		    question->needs_initiator ? &initiator : NULL, 0, &found) == 0) {
		*value = found;
		return true;
	}
	return question->needs_initiator && best_overlap(question, object, value);
}

/* The best value over all initiators. */
static bool value_at_home(const struct question *question, hwloc_obj_t object, uint64_t *value)
{
	struct hwloc_location initiator;
	hwloc_uint64_t found;

	if (!question->needs_initiator || hw()->memattr_get_best_initiator(question->hwloc,
		question->attribute, object, 0, &initiator, &found) < 0)
		return false;
	*value = found;
	return true;
}

/* From the nearest of the nodes whose own processors are asked about; 0: not said. */
static unsigned distance_to(const struct topology *topology, const struct question *question, int node)
{
	unsigned least = 0;

	for (int i = 0; i < topology->n_nodes; i++) {
		int own = topology->nodes[i].number;
		hwloc_obj_t object = hw__node_by_number(question->hwloc, (unsigned)own);
		unsigned distance = topology__distance(topology, own, node);

		if (topology->nodes[i].has_cpus == 0 || !object ||
			!hw()->bitmap_intersects(object->cpuset, question->from))
			continue;
		if (distance > 0 && (least == 0 || distance < least))
			least = distance;
	}
	return least;
}

/* Nodes with a value of the attribute; by_distance: with a distance, which then is the value. */
static int collect(const struct topology *topology, const struct question *question, bool by_distance,
	struct valued *list)
{
	int n = 0;

	for (int i = 0; i < topology->n_nodes; i++) {
		const struct topology_node *node = &topology->nodes[i];
		struct valued *one = &list[n];
		hwloc_obj_t object =
			hw__node_by_number(question->hwloc, (unsigned)node->number);

		if (node->capacity == 0 || !node->allowed || !object)
			continue;
		*one = (struct valued){.node = node->number, .seen = true};
		one->distance = distance_to(topology, question, node->number);
		if (by_distance) {
			one->value = one->distance;
			n += one->distance > 0;
			continue;
		}
		one->seen = value_of(question, object, &one->value);
		n += one->seen || value_at_home(question, object, &one->value);
	}
	return n;
}

static bool some_seen(const struct valued *list, int n)
{
	for (int i = 0; i < n; i++)
		if (list[i].seen)
			return true;
	return false;
}

/*
 * Firmware tells values for the initiators nearest to a node, and the kernel passes on no others. So
 * nodes that are seen from here come first, by value; then the others, which nothing compares with
 * them, the nearest first and by what they are good at where they are.
 */
static int compare(const struct question *question, const struct valued *a, const struct valued *b)
{
	unsigned no_distance = ~0u;

	if (a->seen != b->seen)
		return a->seen ? -1 : 1;
	if (!a->seen && a->distance != b->distance)
		return (a->distance ? a->distance : no_distance) < (b->distance ? b->distance : no_distance) ?
			-1 : 1;
	if (a->value == b->value)
		return 0;
	return better(question, a->value, b->value) ? -1 : 1;
}

/* Insertion: stable, and there are few nodes. */
static void sort(const struct question *question, struct valued *list, int n)
{
	for (int i = 1; i < n; i++) {
		struct valued one = list[i];
		int at = i;

		for (; at > 0 && compare(question, &one, &list[at - 1]) < 0; at--)
			list[at] = list[at - 1];
		list[at] = one;
	}
}

static int group(const struct question *question, const struct valued *list, int n,
	struct os_nodes *groups, int max_groups)
{
	int n_groups = 0;

	for (int i = 0; i < n; i++) {
		bool new_group = i == 0 || compare(question, &list[i - 1], &list[i]) != 0;

		if (new_group && n_groups < max_groups)
			groups[n_groups++] = (struct os_nodes){{0}};
		os__nodes_add(&groups[n_groups - 1], list[i].node);
	}
	return n_groups;
}

/* Distances are latencies in the firmware's own unit. */
static bool is_latency(unsigned attribute)
{
	return attribute == HWLOC_MEMATTR_ID_LATENCY || attribute == HWLOC_MEMATTR_ID_READ_LATENCY ||
	       attribute == HWLOC_MEMATTR_ID_WRITE_LATENCY;
}

static int fill_question(const struct topology *topology, unsigned attribute, const void *initiator,
	struct question *question)
{
	unsigned long flags;

	if (hw()->memattr_get_flags(topology->hwloc, attribute, &flags) < 0)
		return aml__fail(AML_EINVAL, "%u is no memory attribute of hwloc's", attribute);
	if (initiator && hw()->bitmap_iszero(initiator))
		return aml__fail(AML_EINVAL, "the initiator is an empty set of processors");
	*question = (struct question){
		.hwloc = topology->hwloc,
		.attribute = attribute,
		.from = initiator ? hw()->bitmap_dup(initiator) : hw()->bitmap_alloc(),
		.needs_initiator = flags & HWLOC_MEMATTR_FLAG_NEED_INITIATOR,
		.higher_first = flags & HWLOC_MEMATTR_FLAG_HIGHER_FIRST,
	};
	if (!question->from)
		return aml__fail(AML_ENOMEM, "no memory for a set of processors");
	if (!initiator) {
		int cpu = topology->imported
				  ? hw()->bitmap_first(hw()->topology_get_topology_cpuset(topology->hwloc))
				  : sched_getcpu();

		if (cpu >= 0)
			hw()->bitmap_only(question->from, (unsigned)cpu);
	}
	return 0;
}

/* The only node that this process may use is the first in every order. */
static bool only_one(const struct topology *topology, struct os_nodes *group)
{
	struct os_nodes allowed = topology__allowed(topology);

	if (os__nodes_count(&allowed) != 1)
		return false;
	*group = allowed;
	return true;
}

int topology__rank(const struct topology *topology, unsigned attribute, const void *initiator,
	struct os_nodes *groups, int max_groups)
{
	struct question question = {.from = NULL};
	struct valued *list = calloc((size_t)topology->n_nodes + 1, sizeof(*list));
	const char *name = "";
	int n = 0, err;

	if (!list)
		return aml__fail(AML_ENOMEM, "no memory for the list of nodes");
	topology__lock();
	err = fill_question(topology, attribute, initiator, &question);
	if (err == 0) {
		n = collect(topology, &question, false, list);
		if (!some_seen(list, n))
			n = is_latency(attribute) ? collect(topology, &question, true, list) : 0;
		hw()->memattr_get_name(topology->hwloc, attribute, &name);
	}
	topology__unlock();
	if (err == 0) {
		sort(&question, list, n);
		err = group(&question, list, n, groups, max_groups);
		if (err == 0 && only_one(topology, &groups[0]))
			err = 1;
		if (err == 0)
			err = aml__fail(AML_ENOTSUP,
				"no node has a value of %s from there (firmware without an HMAT?)", name);
	}
	hw()->bitmap_free(question.from);
	free(list);
	return err;
}
