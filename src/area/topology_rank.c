/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * topology_rank.c - nodes in the order of one of hwloc's memory attributes.
 *
 * hwloc answers for an initiator that lies within one it has a value for. A larger one (a whole
 * package, the whole machine) takes the best value of those it overlaps.
 */
#include "config.h" /* sched_getcpu */
#include "area/topology.h"
#include "area/area.h"

#include <hwloc.h>
#include <sched.h>
#include <stdlib.h>

struct valued {
	int node;
	uint64_t value;
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

	if (hwloc_memattr_get_initiators(question->hwloc, question->attribute, object, 0, &n, NULL, NULL) < 0)
		return false;
	initiators = calloc(n + 1, sizeof(*initiators));
	values = calloc(n + 1, sizeof(*values));
	if (initiators && values &&
		hwloc_memattr_get_initiators(question->hwloc, question->attribute, object, 0, &n, initiators,
			values) == 0) {
		for (unsigned i = 0; i < n; i++) {
			if (initiators[i].type != HWLOC_LOCATION_TYPE_CPUSET ||
				!hwloc_bitmap_intersects(initiators[i].location.cpuset, question->from))
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

	if (hwloc_memattr_get_value(question->hwloc, question->attribute, object,
		    question->needs_initiator ? &initiator : NULL, 0, &found) == 0) {
		*value = found;
		return true;
	}
	return question->needs_initiator && best_overlap(question, object, value);
}

static int collect(const struct topology *topology, const struct question *question, struct valued *list)
{
	int n = 0;

	for (int i = 0; i < topology->n_nodes; i++) {
		const struct topology_node *node = &topology->nodes[i];
		hwloc_obj_t object =
			hwloc_get_numanode_obj_by_os_index(question->hwloc, (unsigned)node->number);

		if (node->capacity > 0 && node->allowed && object &&
			value_of(question, object, &list[n].value))
			list[n++].node = node->number;
	}
	return n;
}

/* Insertion: stable, and there are few nodes. */
static void sort(const struct question *question, struct valued *list, int n)
{
	for (int i = 1; i < n; i++) {
		struct valued one = list[i];
		int at = i;

		for (; at > 0 && better(question, one.value, list[at - 1].value); at--)
			list[at] = list[at - 1];
		list[at] = one;
	}
}

static int group(const struct valued *list, int n, struct os_nodes *groups, int max_groups)
{
	int n_groups = 0;

	for (int i = 0; i < n; i++) {
		bool new_group = i == 0 || list[i].value != list[i - 1].value;

		if (new_group && n_groups < max_groups)
			groups[n_groups++] = (struct os_nodes){{0}};
		os__nodes_add(&groups[n_groups - 1], list[i].node);
	}
	return n_groups;
}

static int fill_question(const struct topology *topology, unsigned attribute, const void *initiator,
	struct question *question)
{
	unsigned long flags;

	if (hwloc_memattr_get_flags(topology->hwloc, attribute, &flags) < 0)
		return aml__fail(AML_EINVAL, "%u is no memory attribute of hwloc's", attribute);
	if (initiator && hwloc_bitmap_iszero(initiator))
		return aml__fail(AML_EINVAL, "the initiator is an empty set of processors");
	*question = (struct question){
		.hwloc = topology->hwloc,
		.attribute = attribute,
		.from = initiator ? hwloc_bitmap_dup(initiator) : hwloc_bitmap_alloc(),
		.needs_initiator = flags & HWLOC_MEMATTR_FLAG_NEED_INITIATOR,
		.higher_first = flags & HWLOC_MEMATTR_FLAG_HIGHER_FIRST,
	};
	if (!question->from)
		return aml__fail(AML_ENOMEM, "no memory for a set of processors");
	if (!initiator) {
		int cpu = topology->imported
				  ? hwloc_bitmap_first(hwloc_topology_get_topology_cpuset(topology->hwloc))
				  : sched_getcpu();

		if (cpu >= 0)
			hwloc_bitmap_only(question->from, (unsigned)cpu);
	}
	return 0;
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
		n = collect(topology, &question, list);
		hwloc_memattr_get_name(topology->hwloc, attribute, &name);
	}
	topology__unlock();
	if (err == 0) {
		sort(&question, list, n);
		err = group(list, n, groups, max_groups);
		if (err == 0)
			err = aml__fail(AML_ENOTSUP,
				"no node has a value of %s from there (firmware without an HMAT?)", name);
	}
	hwloc_bitmap_free(question.from);
	free(list);
	return err;
}
