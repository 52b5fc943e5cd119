/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * place_resolve.c - what a place means on a machine.
 *
 * Nothing is opened and nothing changes: this serves dry runs and `situs topo PLACE` as well as
 * opening.
 */
#include "area/place.h"
#include "area/topology.h"

#include "os/os.h"

#include <dirent.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

__attribute__((format(printf, 3, 4))) static int fail(struct place_error *error, int code,
	const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(error->text, sizeof(error->text), format, args);
	va_end(args);
	error->code = code;
	error->bad_where = true;
	return -code;
}

static const char *word_of(const struct place *place, char *buffer, size_t size)
{
	struct place bare = {.where = place->where, .number = place->number};

	place__format(&bare, buffer, size);
	return buffer;
}

static enum topology_kind kind_of(enum place_where where)
{
	switch (where) {
	case PLACE_HBM:
		return TOPOLOGY_KIND_HBM;
	case PLACE_DRAM:
		return TOPOLOGY_KIND_DRAM;
	case PLACE_CXL:
		return TOPOLOGY_KIND_CXL;
	case PLACE_GPU:
		return TOPOLOGY_KIND_GPU;
	default:
		return TOPOLOGY_KIND_UNKNOWN;
	}
}

/* Cuts what the place chose down to what this process may use. */
static int allow(const struct place *place, const struct topology *topology,
	const struct os_nodes *chosen, struct os_nodes *nodes, struct place_error *error)
{
	struct os_nodes allowed = topology__allowed(topology);
	struct os_nodes both = nodes__and(chosen, &allowed);
	char word[32], list[48], shown[48];

	if (os__nodes_count(&both) == 0)
		return fail(error, AML_EDOM, "%s is node %s here, but this process may use %s only",
			word_of(place, word, sizeof(word)), os__nodes_text(chosen, list, sizeof(list)),
			os__nodes_text(&allowed, shown, sizeof(shown)));
	*nodes = both;
	return 0;
}

static int resolve_kind(const struct place *place, const struct topology *topology,
	struct os_nodes *nodes, struct place_error *error)
{
	struct os_nodes chosen = topology__of_kind(topology, kind_of(place->where));
	struct os_nodes unknown = topology__of_kind(topology, TOPOLOGY_KIND_UNKNOWN);
	char word[32], list[48];

	word_of(place, word, sizeof(word));
	if (os__nodes_count(&chosen) > 0)
		return allow(place, topology, &chosen, nodes, error);
	if (os__nodes_count(&unknown) > 0 && place->where != PLACE_GPU)
		return fail(error, AML_EDOM,
			"nothing tells whether node %s is %s; say it with SITUS_TIERS=\"%s=...\"",
			os__nodes_text(&unknown, list, sizeof(list)), word, word);
	return fail(error, AML_EDOM, "no node here is known to be %s (SITUS_TIERS can say so)", word);
}

/* The tiers in words: "0 (node 2), 1 (node 0-1)". */
static void list_tiers(const struct topology *topology, char *buffer, size_t size)
{
	size_t at = 0;

	buffer[0] = '\0';
	for (int tier = 0; tier < topology->n_tiers && at < size; tier++) {
		struct os_nodes nodes = topology__of_tier(topology, tier);
		char list[40];

		at += (size_t)snprintf(buffer + at, size - at, "%s%d (node %s)", tier ? ", " : "", tier,
			os__nodes_text(&nodes, list, sizeof(list)));
	}
}

static int resolve_nearest(const struct topology *topology, int cpu, struct os_nodes *nodes,
	struct place_error *error)
{
	enum topology_source source;
	struct os_nodes allowed = topology__allowed(topology);
	struct os_nodes chosen = topology__nearest(topology, cpu, &source);

	if (os__nodes_count(&allowed) == 1)
		chosen = allowed; /* one node is the first in every order */
	if (os__nodes_count(&chosen) == 0)
		return fail(error, AML_EDOM, "nothing tells which node is nearest here");
	*nodes = chosen;
	return 0;
}

/* "fastest" and "largest" are so among what this process may use; a number is the machine's. */
static int resolve_tier(const struct place *place, const struct topology *topology,
	struct os_nodes *nodes, struct place_error *error)
{
	struct os_nodes allowed = topology__allowed(topology), chosen;
	char word[32], tiers[96];
	int tier = place->where == PLACE_TIER_FASTEST ? topology__fastest_tier(topology)
		 : place->where == PLACE_TIER_LARGEST ? topology__largest_tier(topology)
						      : (int)place->number;

	word_of(place, word, sizeof(word));
	if (place->where != PLACE_TIER_NUMBER && os__nodes_count(&allowed) == 1) {
		*nodes = allowed; /* one node is the first in every order */
		return 0;
	}
	if (tier < 0 || topology->n_tiers == 0)
		return fail(error, AML_EDOM,
			"%s: nothing tells this machine's tiers apart; SITUS_TIERS can", word);
	if (tier >= topology->n_tiers) {
		list_tiers(topology, tiers, sizeof(tiers));
		return fail(error, AML_EDOM, "there is no %s; the tiers are %s", word, tiers);
	}
	chosen = topology__of_tier(topology, tier);
	return allow(place, topology, &chosen, nodes, error);
}

static int resolve_nodes(const struct place *place, const struct topology *topology,
	struct os_nodes *nodes, struct place_error *error)
{
	struct os_nodes present = topology__with_memory(topology);
	struct os_nodes allowed = topology__allowed(topology);
	struct os_nodes missing = nodes__minus(&place->nodes, &present);
	struct os_nodes forbidden = nodes__minus(&place->nodes, &allowed);
	char list[48];

	if (os__nodes_count(&missing) > 0)
		return fail(error, AML_EDOM, "this machine has no node %s with memory",
			os__nodes_text(&missing, list, sizeof(list)));
	if (os__nodes_count(&forbidden) > 0)
		return fail(error, AML_EDOM, "this process may not use node %s",
			os__nodes_text(&forbidden, list, sizeof(list)));
	*nodes = place->nodes;
	return 0;
}

int place__resolve(const struct place *place, const struct topology *topology, int cpu,
	struct os_nodes *nodes, struct place_error *error)
{
	switch (place->where) {
	case PLACE_CUDA:
		return fail(error, AML_ENOTSUP,
			"cuda: is not built into this version; memory of a GPU that is a node is \"gpu\"");
	case PLACE_OPENCL:
		return fail(error, AML_ENOTSUP, "opencl: is not built into this version");
	case PLACE_HBM:
	case PLACE_DRAM:
	case PLACE_CXL:
	case PLACE_GPU:
		return resolve_kind(place, topology, nodes, error);
	case PLACE_TIER_NEAREST:
		return resolve_nearest(topology, cpu, nodes, error);
	case PLACE_TIER_FASTEST:
	case PLACE_TIER_LARGEST:
	case PLACE_TIER_NUMBER:
		return resolve_tier(place, topology, nodes, error);
	default:
		if (place->has_nodes)
			return resolve_nodes(place, topology, nodes, error);
		memset(nodes, 0, sizeof(*nodes));
		return 0;
	}
}

/* snprintf at the end of a growing list. */
struct list {
	char *buffer;
	size_t size, length;
};

__attribute__((format(printf, 2, 3))) static void add(struct list *list, const char *format, ...)
{
	size_t at = list->length < list->size ? list->length : list->size;
	va_list args;

	if (list->length > 0)
		list->length += (size_t)snprintf(at < list->size ? list->buffer + at : NULL,
			list->size - at, ", ");
	at = list->length < list->size ? list->length : list->size;
	va_start(args, format);
	list->length += (size_t)vsnprintf(at < list->size ? list->buffer + at : NULL, list->size - at,
		format, args);
	va_end(args);
}

/* hugetlb:SIZE for each pool of the kernel. */
static void add_pools(struct list *list)
{
	DIR *folder = opendir("/sys/kernel/mm/hugepages");
	const struct dirent *entry;

	if (!folder)
		return;
	while ((entry = readdir(folder))) {
		unsigned long kib;

		if (sscanf(entry->d_name, "hugepages-%lukB", &kib) != 1)
			continue;
		if (kib % (1024 * 1024) == 0)
			add(list, "hugetlb:%luG", kib / 1024 / 1024);
		else if (kib % 1024 == 0)
			add(list, "hugetlb:%luM", kib / 1024);
		else
			add(list, "hugetlb:%luK", kib);
	}
	closedir(folder);
}

size_t place__fitting(const struct topology *topology, char *buffer, size_t size)
{
	static const enum topology_kind kinds[] = {
		TOPOLOGY_KIND_HBM, TOPOLOGY_KIND_DRAM, TOPOLOGY_KIND_CXL, TOPOLOGY_KIND_GPU};
	struct os_nodes allowed = topology__allowed(topology);
	struct list list = {buffer, size, 0};
	char nodes[64];

	if (size > 0)
		buffer[0] = '\0';
	if (os__nodes_count(&allowed) > 0)
		add(&list, "node:%s", os__nodes_text(&allowed, nodes, sizeof(nodes)));
	add(&list, "local, any");
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct os_nodes of_kind = topology__of_kind(topology, kinds[i]);
		struct os_nodes usable = nodes__and(&of_kind, &allowed);

		if (os__nodes_count(&usable) > 0)
			add(&list, "%s", topology__kind_name(kinds[i]));
	}
	if (topology->n_tiers > 1)
		add(&list, "tier:fastest|largest|nearest|0-%d", topology->n_tiers - 1);
	else if (topology->n_tiers == 1)
		add(&list, "tier:fastest|largest|nearest|0");
	else
		add(&list, "tier:nearest");
	if (!topology->imported)
		add_pools(&list);
	add(&list, "file:PATH, shm:NAME, anon");
	return list.length;
}
