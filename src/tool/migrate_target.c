/* SPDX-License-Identifier: BSD-3-Clause */
/* migrate_target.c - whether pages can be moved from outside, and where to. */
#include "config.h"

#include "tool/migrate.h"

#include <string.h>

#include "area/place.h"
#include "area/topology.h"

/* Memory that only differs by its nodes. */
static bool is_plain(const struct place *place)
{
	switch (place->where) {
	case PLACE_HUGETLB:
	case PLACE_FILE:
	case PLACE_SHM:
	case PLACE_CUDA:
	case PLACE_OPENCL:
		return false;
	default:
		return true;
	}
}

static bool is_all_plain(const struct place_chain *chain)
{
	for (int i = 0; i < chain->n_links; i++)
		if (!is_plain(&chain->link[i]))
			return false;
	return true;
}

/* An area that the program made itself has any name; a table cuts long ones. */
static bool parse_from(const char *text, struct place_chain *chain)
{
	struct place_error error;

	return strlen(text) < PUBLISH_PLACE_SIZE - 1 && place__parse(text, chain, &error) == 0;
}

static bool is_in_file(const struct place_chain *chain)
{
	for (int i = 0; i < chain->n_links; i++)
		if (chain->link[i].where == PLACE_FILE || chain->link[i].where == PLACE_SHM)
			return true;
	return false;
}

const char *migrate__never(const struct process_heap *heap, const char *to)
{
	struct place_chain from, target;
	struct place_error error;

	if (place__parse(to, &target, &error))
		return NULL;
	/* The pools of one page size can pass to each other. */
	if (is_in_file(&target))
		return "pages of a heap cannot become pages of a file or of shared memory; start the program in that "
			"place: situs run --area";
	if (!parse_from(heap->place, &from))
		return NULL;
	if (is_in_file(&from))
		return "its pages belong to a file or to shared memory, and stay there; start the program in another "
			"place: situs run --area";
	if (is_all_plain(&from) != is_all_plain(&target))
		return "huge pages of a pool and other pages cannot become each other; start the program in that place: "
			"situs run --area";
	return NULL;
}

static const char *check_from(const char *text)
{
	struct place_chain chain;

	if (!parse_from(text, &chain))
		return "the place of the heap is one that only the program knows";
	for (int i = 0; i < chain.n_links; i++) {
		if (!is_plain(&chain.link[i]))
			return "its pages belong to a pool";
		/* It asks the kernel whether pages are where they must be, and gives up those that are not. */
		if (chain.link[i].policy == PLACE_STRICT)
			return "the heap lies in a strict place, which the program itself watches";
	}
	return NULL;
}

const char *migrate__target(const struct process_heap *heap, const char *to, struct process_target *target)
{
	const struct topology *topology;
	struct place_chain chain;
	struct place_error error;
	const struct place *place = &chain.link[0];
	const char *why = check_from(heap->place);
	enum aml_area_linux_policy policy;

	if (why)
		return why;
	if (topology__get(&topology) || place__parse(to, &chain, &error) ||
		place__resolve(place, topology, -1, &target->nodes, &error))
		return "the place cannot be found";
	for (int i = 0; i < chain.n_links; i++) {
		if (!is_plain(&chain.link[i]))
			return "pages do not pass to a place of that kind";
		if (chain.link[i].limit)
			return "only the program keeps to limits";
	}
	policy = place__policy(place, (unsigned)os__nodes_count(&target->nodes));
	target->in_turn = policy == AML_AREA_LINUX_POLICY_INTERLEAVE ||
		policy == AML_AREA_LINUX_POLICY_WEIGHTED_INTERLEAVE;
	return NULL;
}
