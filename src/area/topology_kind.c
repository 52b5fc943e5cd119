/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * topology_kind.c - from figures to kinds and tiers, and never a guess.
 *
 * One source answers for all nodes of a question (see topology.h for their order). The thresholds
 * below separate kinds that differ by more than a machine's own nodes do among themselves: memory on
 * one board differs by its population of channels (up to a third); HBM gives two to eight times the
 * bandwidth of DRAM at about its latency; an expander about doubles the latency of DRAM.
 * Where figures lie between, the kind stays unknown.
 */
#include "area/topology.h"
#include "area/area.h"

#include <stdlib.h>
#include <string.h>

#define SAME_TIER 1.5     /* merit within this factor of the tier's best */
#define HBM_BANDWIDTH 1.8 /* at least so many times that of main memory... */
#define HBM_LATENCY 2.0   /* ... at less than so many times its latency */
#define CXL_LATENCY 1.7   /* at least so many times that of main memory, and less bandwidth */

/* Does the node count where tiers are made? A GPU's memory does only where figures place it. */
static bool is_ranked(const struct topology_node *node)
{
	return node->capacity > 0 && node->kind != TOPOLOGY_KIND_GPU;
}

static bool has_both(const struct topology_node *node)
{
	return node->bandwidth.source && node->latency.source;
}

/* Tiers from a figure of merit */

struct ranked {
	struct topology_node *node;
	double merit; /* higher is faster */
};

static int by_merit(const void *a, const void *b)
{
	const struct ranked *x = a, *y = b;

	if (x->merit != y->merit)
		return x->merit > y->merit ? -1 : 1;
	return x->node->number - y->node->number;
}

/* Numbers the tiers: a new one begins where merit falls below the tier's best by more than `factor`. */
static void number_tiers(struct topology *topology, struct ranked *list, int n, double factor,
	enum topology_source source)
{
	double best = 0;
	int tier = -1;

	qsort(list, (size_t)n, sizeof(list[0]), by_merit);
	for (int i = 0; i < n; i++) {
		if (tier < 0 || list[i].merit * factor < best) {
			best = list[i].merit;
			tier++;
		}
		list[i].node->tier = tier;
		list[i].node->tier_source = source;
	}
	topology->n_tiers = tier + 1;
}

/* Which figures every ranked node has. */
enum figures { NO_FIGURES, LATENCY, BANDWIDTH, BOTH };

static enum figures common_figures(const struct topology *topology)
{
	bool bandwidth = true, latency = true;

	for (int i = 0; i < topology->n_nodes; i++) {
		if (!is_ranked(&topology->nodes[i]))
			continue;
		bandwidth = bandwidth && topology->nodes[i].bandwidth.source;
		latency = latency && topology->nodes[i].latency.source;
	}
	return bandwidth && latency ? BOTH : bandwidth ? BANDWIDTH : latency ? LATENCY : NO_FIGURES;
}

/*
 * With both figures the merit is bandwidth over latency, the inverse of the kernel's abstract
 * distance (mm/memory-tiers.c, mt_perf_to_adistance).
 */
static double merit_of(const struct topology_node *node, enum figures figures)
{
	switch (figures) {
	case BOTH:
		return (double)node->bandwidth.value / (double)node->latency.value;
	case BANDWIDTH:
		return (double)node->bandwidth.value;
	default:
		return 1.0 / (double)node->latency.value;
	}
}

static bool rank_by_figures(struct topology *topology, struct ranked *list)
{
	enum figures figures = common_figures(topology);
	int n = 0;

	if (figures == NO_FIGURES)
		return false;
	for (int i = 0; i < topology->n_nodes; i++) {
		struct topology_node *node = &topology->nodes[i];
		bool said = (figures == LATENCY || node->bandwidth.source) &&
			    (figures == BANDWIDTH || node->latency.source);

		if (node->capacity > 0 && said)
			list[n++] = (struct ranked){node, merit_of(node, figures)};
	}
	number_tiers(topology, list, n, SAME_TIER, TOPOLOGY_SOURCE_HMAT);
	return n > 0;
}

/* The kernel puts what it knows nothing of into main memory's tier: one tier for all says nothing. */
static bool kernel_tells(const struct topology *topology)
{
	int first = -1;
	bool differ = false;

	for (int i = 0; i < topology->n_nodes; i++) {
		const struct topology_node *node = &topology->nodes[i];

		if (!is_ranked(node))
			continue;
		if (node->kernel_tier < 0)
			return false;
		differ = differ || (first >= 0 && node->kernel_tier != first);
		first = node->kernel_tier;
	}
	return differ;
}

static bool rank_by_kernel(struct topology *topology, struct ranked *list)
{
	int n = 0;

	if (!kernel_tells(topology))
		return false;
	for (int i = 0; i < topology->n_nodes; i++)
		if (is_ranked(&topology->nodes[i]))
			list[n++] = (struct ranked){
				&topology->nodes[i], -topology->nodes[i].kernel_tier};
	number_tiers(topology, list, n, 1.0, TOPOLOGY_SOURCE_KERNEL_TIER);
	return true;
}

static void forget_tiers(struct topology *topology)
{
	for (int i = 0; i < topology->n_nodes; i++) {
		topology->nodes[i].tier = -1;
		topology->nodes[i].tier_source = TOPOLOGY_SOURCE_NONE;
	}
}

/* HBM before DRAM before expanders before persistent memory, by what they are. */
static bool rank_by_kind(struct topology *topology, struct ranked *list, bool need_all,
	enum topology_source source)
{
	static const int merits[] = {
		[TOPOLOGY_KIND_HBM] = 4,
		[TOPOLOGY_KIND_DRAM] = 3,
		[TOPOLOGY_KIND_CXL] = 2,
		[TOPOLOGY_KIND_NVM] = 1,
	};
	int n = 0;

	for (int i = 0; i < topology->n_nodes; i++) {
		struct topology_node *node = &topology->nodes[i];

		if (!is_ranked(node))
			continue;
		if (node->kind != TOPOLOGY_KIND_UNKNOWN)
			list[n++] = (struct ranked){node, merits[node->kind]};
		else if (need_all)
			return false;
	}
	if (n == 0)
		return false;
	forget_tiers(topology);
	number_tiers(topology, list, n, 1.0, source);
	return true;
}

/* Do labels tell kinds apart? Where nothing does, main memory found alike is no ranking. */
static bool has_labels(const struct topology *topology)
{
	for (int i = 0; i < topology->n_nodes; i++)
		if (is_ranked(&topology->nodes[i]) &&
			topology->nodes[i].kind_source == TOPOLOGY_SOURCE_LABEL)
			return true;
	return false;
}

static bool all_know_processors(const struct topology *topology)
{
	bool some = false;

	for (int i = 0; i < topology->n_nodes; i++) {
		if (topology->nodes[i].has_cpus < 0)
			return false;
		some = some || topology->nodes[i].has_cpus > 0;
	}
	return some;
}

/* From the closest node with processors; a node with its own is at its own distance. 0: not said. */
static unsigned local_distance(const struct topology *topology, const struct topology_node *node)
{
	unsigned least = 0;

	for (int i = 0; i < topology->n_nodes; i++) {
		const struct topology_node *from = &topology->nodes[i];
		unsigned distance = topology__distance(topology, from->number, node->number);

		if (from->has_cpus > 0 && (node->has_cpus == 0 || from == node) && distance > 0 &&
			(least == 0 || distance < least))
			least = distance;
	}
	return least;
}

static bool rank_by_distance(struct topology *topology, struct ranked *list)
{
	int n = 0;

	if (!topology->distance || !all_know_processors(topology))
		return false;
	for (int i = 0; i < topology->n_nodes; i++) {
		struct topology_node *node = &topology->nodes[i];
		unsigned distance;

		if (!is_ranked(node))
			continue;
		distance = local_distance(topology, node);
		if (distance == 0)
			return false;
		list[n++] = (struct ranked){node, 1.0 / distance};
	}
	number_tiers(topology, list, n, 1.0, TOPOLOGY_SOURCE_DISTANCE);
	return n > 0;
}

/* Nodes that all have their processors, and no more: one tier. */
static bool rank_alike(struct topology *topology, struct ranked *list)
{
	int n = 0;

	for (int i = 0; i < topology->n_nodes; i++) {
		if (!is_ranked(&topology->nodes[i]))
			continue;
		if (topology->nodes[i].has_cpus <= 0 || (n > 0 && topology->nodes[i].kind != list[0].node->kind))
			return false;
		list[n++] = (struct ranked){&topology->nodes[i], 1};
	}
	number_tiers(topology, list, n, 1.0, TOPOLOGY_SOURCE_ALIKE);
	return n > 0;
}

/* Kinds */

static void set_kind(struct topology_node *node, enum topology_kind kind, enum topology_source source)
{
	if (node->kind != TOPOLOGY_KIND_UNKNOWN)
		return;
	node->kind = kind;
	node->kind_source = source;
}

/*
 * A node to measure the others by: main memory. That is what is called DRAM already, else the nodes
 * with processors beside ones without, else (imported topologies do not tell) the least latency.
 * NULL: none, or its like are not all of one tier.
 */
static const struct topology_node *main_memory(const struct topology *topology)
{
	const struct topology_node *dram = NULL, *with_cpus = NULL, *quickest = NULL;
	bool dram_differ = false, cpus_differ = false, memory_only = false, told = true;

	for (int i = 0; i < topology->n_nodes; i++) {
		const struct topology_node *node = &topology->nodes[i];

		memory_only = memory_only || (is_ranked(node) && node->has_cpus == 0);
		if (node->capacity == 0 || !has_both(node) ||
			(node->kind != TOPOLOGY_KIND_UNKNOWN && node->kind != TOPOLOGY_KIND_DRAM))
			continue;
		if (node->kind == TOPOLOGY_KIND_DRAM) {
			dram_differ = dram_differ || (dram && dram->tier != node->tier);
			dram = dram ? dram : node;
		}
		if (node->has_cpus > 0) {
			cpus_differ = cpus_differ || (with_cpus && with_cpus->tier != node->tier);
			with_cpus = with_cpus ? with_cpus : node;
		}
		told = told && node->has_cpus >= 0;
		if (!quickest || node->latency.value < quickest->latency.value)
			quickest = node;
	}
	if (dram)
		return dram_differ ? NULL : dram;
	if (told)
		return memory_only && !cpus_differ ? with_cpus : NULL;
	return quickest;
}

static enum topology_kind compare(const struct topology_node *node, const struct topology_node *main)
{
	double bandwidth = (double)node->bandwidth.value / (double)main->bandwidth.value;
	double latency = (double)node->latency.value / (double)main->latency.value;

	if (node->tier == main->tier)
		return TOPOLOGY_KIND_DRAM;
	if (bandwidth >= HBM_BANDWIDTH && latency < HBM_LATENCY)
		return TOPOLOGY_KIND_HBM;
	if (latency >= CXL_LATENCY && bandwidth < 1)
		return TOPOLOGY_KIND_CXL;
	return TOPOLOGY_KIND_UNKNOWN;
}

/* One node that cannot be told makes the measure doubtful: then nothing is told. */
static void find_kinds_by_figures(struct topology *topology)
{
	const struct topology_node *main = topology->n_tiers > 1 ? main_memory(topology) : NULL;

	if (!main)
		return;
	for (int i = 0; i < topology->n_nodes; i++) {
		const struct topology_node *node = &topology->nodes[i];

		if (is_ranked(node) && node->kind == TOPOLOGY_KIND_UNKNOWN &&
			(!has_both(node) || compare(node, main) == TOPOLOGY_KIND_UNKNOWN))
			return;
	}
	for (int i = 0; i < topology->n_nodes; i++)
		if (is_ranked(&topology->nodes[i]) && topology->nodes[i].kind == TOPOLOGY_KIND_UNKNOWN)
			set_kind(&topology->nodes[i], compare(&topology->nodes[i], main),
				TOPOLOGY_SOURCE_HMAT);
}

/*
 * The kernel ranks main memory's tier between what is faster and what is slower. A node without
 * processors in that tier may be there because the kernel knows nothing of it.
 */
static void find_kinds_by_kernel(struct topology *topology)
{
	int main = -1;

	if (!kernel_tells(topology))
		return;
	for (int i = 0; i < topology->n_nodes; i++) {
		const struct topology_node *node = &topology->nodes[i];

		if (!is_ranked(node) || node->has_cpus <= 0)
			continue;
		if (main >= 0 && main != node->kernel_tier)
			return;
		main = node->kernel_tier;
	}
	for (int i = 0; main >= 0 && i < topology->n_nodes; i++) {
		struct topology_node *node = &topology->nodes[i];

		if (!is_ranked(node))
			continue;
		if (node->kernel_tier != main)
			set_kind(node, node->kernel_tier < main ? TOPOLOGY_KIND_HBM : TOPOLOGY_KIND_CXL,
				TOPOLOGY_SOURCE_KERNEL_TIER);
		else if (node->has_cpus > 0)
			set_kind(node, TOPOLOGY_KIND_DRAM, TOPOLOGY_SOURCE_KERNEL_TIER);
	}
}

static bool has_kind(const struct topology *topology, enum topology_kind kind)
{
	for (int i = 0; i < topology->n_nodes; i++)
		if (topology->nodes[i].capacity > 0 && topology->nodes[i].kind == kind)
			return true;
	return false;
}

/*
 * What is left is main memory where all of it has processors and no figure sets one part off from
 * another. It is DRAM beside what is known to be HBM, and with processors that never come with HBM;
 * else it may be HBM, which nothing tells.
 */
static void find_kinds_alike(struct topology *topology)
{
	const struct topology_node *first = NULL;

	if (!has_kind(topology, TOPOLOGY_KIND_HBM) && !topology__processors_have_no_hbm(topology))
		return;

	for (int i = 0; i < topology->n_nodes; i++) {
		const struct topology_node *node = &topology->nodes[i];

		if (!is_ranked(node) || node->kind != TOPOLOGY_KIND_UNKNOWN)
			continue;
		if (node->has_cpus <= 0 || (first && node->tier != first->tier))
			return;
		first = first ? first : node;
	}
	for (int i = 0; i < topology->n_nodes; i++)
		if (is_ranked(&topology->nodes[i]))
			set_kind(&topology->nodes[i], TOPOLOGY_KIND_DRAM, TOPOLOGY_SOURCE_ALIKE);
}

void topology__classify(struct topology *topology, bool overridden)
{
	struct ranked *list = calloc((size_t)topology->n_nodes + 1, sizeof(*list));

	if (!list)
		return; /* no tiers: what nothing tells */
	/* Figures first give tiers, which the comparison of kinds needs; then kinds may give tiers. */
	if (rank_by_figures(topology, list))
		find_kinds_by_figures(topology);
	find_kinds_by_kernel(topology);
	find_kinds_alike(topology);
	if (overridden)
		rank_by_kind(topology, list, false, TOPOLOGY_SOURCE_OVERRIDE);
	else if (topology->n_tiers == 0 && !rank_by_kernel(topology, list) &&
		 !(has_labels(topology) &&
			 rank_by_kind(topology, list, true, TOPOLOGY_SOURCE_LABEL)) &&
		 !rank_by_distance(topology, list))
		rank_alike(topology, list);
	free(list);
}
