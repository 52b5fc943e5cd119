/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_topology.c - which nodes each place means on machines that are not here.
 *
 * The machines are described in machines.py. Each has a table of place -> nodes; "" stands for an
 * error that is -AML_EDOM: not on this machine, not allowed, or nothing can tell.
 */
#include "tests/unit/test.h"

#include "area/area.h"
#include "area/place.h"
#include "area/topology.h"
#include "base/error.h"

#include <hwloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct expectation {
	const char *place;
	const char *nodes;
};

static const char *folder(void)
{
	const char *top = getenv("SITUS_SRCDIR");
	static char path[4096];

	snprintf(path, sizeof(path), "%s/tests/topology", top ? top : ".");
	return path;
}

static struct topology *load(const char *machine, const char *sysfs, const char *tiers)
{
	char xml[4200], sys[4200];
	struct topology_config config = {.xml = xml, .tiers = tiers ? tiers : ""};
	struct topology *topology = NULL;

	snprintf(xml, sizeof(xml), "%s/%s.xml", folder(), machine);
	if (sysfs) {
		snprintf(sys, sizeof(sys), "%s/%s", folder(), sysfs);
		config.sysfs = sys;
	}
	if (topology__load(&topology, &config) < 0)
		fail_msg("%s: %s", machine, error__text());
	assert_true(topology->imported);
	return topology;
}

static struct topology *load_synthetic(const char *description, const char *tiers)
{
	struct topology_config config = {.synthetic = description, .tiers = tiers ? tiers : ""};
	struct topology *topology = NULL;

	if (topology__load(&topology, &config) < 0)
		fail_msg("%s: %s", description, error__text());
	return topology;
}

/* What a place resolves to as seen from a processor, or "" for -AML_EDOM; static. */
static const char *resolve(const struct topology *topology, const char *text, int cpu,
	struct place_error *error)
{
	static char list[256];
	struct place_chain chain;
	struct os_nodes nodes;
	int err;

	memset(error, 0, sizeof(*error));
	if (place__parse(text, &chain, error) < 0)
		fail_msg("%s: %s", text, error->text);
	err = place__resolve(&chain.link[0], topology, cpu, &nodes, error);
	if (err == -AML_EDOM)
		return "";
	assert_int_equal(err, 0);
	return os__nodes_text(&nodes, list, sizeof(list));
}

static void check_from(const struct topology *topology, int cpu, const struct expectation *table)
{
	for (; table->place; table++) {
		struct place_error error;
		const char *nodes = resolve(topology, table->place, cpu, &error);

		if (strcmp(nodes, table->nodes) != 0)
			fail_msg("%s from processor %d is \"%s\" rather than \"%s\" (%s)", table->place,
				cpu, nodes, table->nodes, error.text);
	}
}

static void check(struct topology *topology, const struct expectation *table)
{
	check_from(topology, 0, table);
	topology__free(topology);
}

#define TABLE(...) ((const struct expectation[]){__VA_ARGS__, {NULL, NULL}})

static void a_dual_socket_server_is_all_dram(void **state)
{
	struct topology *topology = load("dual-socket", NULL, NULL);

	(void)state;
	check_from(topology, 3, TABLE({"tier:nearest", "1"}));
	check(topology, TABLE({"dram", "0-1"}, {"hbm", ""}, {"cxl", ""}, {"gpu", ""},
		{"tier:fastest", "0-1"}, {"tier:largest", "0-1"}, {"tier:nearest", "0"},
		{"tier:0", "0-1"}, {"tier:1", ""}, {"node:0-1", "0-1"}, {"node:2", ""}, {"any", ""},
		{"local", ""}));
}

static void eight_clusters_with_hbm_are_told_apart_by_their_figures(void **state)
{
	struct topology *topology = load("snc4-hbm", NULL, NULL);

	(void)state;
	check_from(topology, 15, TABLE({"tier:nearest", "7"}));
	check(topology, TABLE({"hbm", "8-15"}, {"dram", "0-7"}, {"cxl", ""}, {"gpu", ""}, {"tier:fastest", "8-15"},
		{"tier:largest", "0-7"}, {"tier:nearest", "0"}, {"tier:0", "8-15"}, {"tier:1", "0-7"},
		{"tier:2", ""}, {"node:0,8", "0,8"}, {"node:0-15", "0-15"}, {"node:16", ""}));
}

static void hbm_alone_is_hbm_where_it_is_labelled(void **state)
{
	(void)state;
	check(load("hbm-only", NULL, NULL), TABLE({"hbm", "0-3"}, {"dram", ""}, {"cxl", ""},
		{"gpu", ""}, {"tier:fastest", "0-3"}, {"tier:largest", "0-3"}, {"tier:nearest", "0"},
		{"tier:0", "0-3"}, {"tier:1", ""}, {"node:3", "3"}, {"node:4", ""}));
}

/* Neither hbm nor dram: the processors are of a model that runs on either. */
static void hbm_alone_without_a_label_is_never_guessed(void **state)
{
	static const char *const machines[] = {"hbm-only-unlabelled", "hbm-only-no-hmat"};

	(void)state;
	for (int i = 0; i < 2; i++) {
		check(load(machines[i], NULL, NULL), TABLE({"hbm", ""}, {"dram", ""}, {"cxl", ""},
			{"gpu", ""}, {"tier:fastest", "0-3"}, {"tier:largest", "0-3"},
			{"tier:nearest", "0"}, {"tier:0", "0-3"}, {"tier:1", ""}, {"node:3", "3"},
			{"node:4", ""}));
		check(load(machines[i], NULL, "hbm=0-3"), TABLE({"hbm", "0-3"}, {"dram", ""},
			{"tier:fastest", "0-3"}, {"tier:nearest", "0"}));
	}
}

static void unlabelled_hbm_beside_dram_is_neither_without_an_hmat(void **state)
{
	(void)state;
	check(load("hbm-flat-no-hmat", NULL, NULL), TABLE({"hbm", ""}, {"dram", ""}, {"cxl", ""},
		{"gpu", ""}, {"tier:fastest", ""}, {"tier:largest", ""}, {"tier:0", ""},
		{"tier:nearest", "0,2"}, {"node:0-3", "0-3"}));
	/* Whose processors are whose gives distances a beginning; they name no kind. */
	check(load("hbm-flat-no-hmat", "sys-plain", NULL), TABLE({"hbm", ""}, {"dram", ""},
		{"tier:fastest", "0-1"}, {"tier:1", "2-3"}, {"tier:nearest", "0"}));
	check(load("hbm-flat-no-hmat", NULL, "hbm=2-3;dram=0-1"), TABLE({"hbm", "2-3"}, {"dram", "0-1"},
		{"tier:fastest", "2-3"}, {"tier:largest", "0-1"}));
}

static void nodes_alike_are_dram_only_where_their_processors_have_no_hbm(void **state)
{
	struct topology *topology = load("no-hmat-nameless", NULL, NULL);
	struct place_error error;

	(void)state;
	assert_string_equal(resolve(topology, "dram", 0, &error), "");
	assert_string_equal(error.text,
		"nothing tells whether node 0-1 is dram; say it with SITUS_TIERS=\"dram=...\"");
	check(topology, TABLE({"hbm", ""}, {"dram", ""}, {"tier:fastest", "0-1"}, {"tier:nearest", "0"}));
	/* The same machine, of a known model. */
	check(load("no-hmat-plain", NULL, NULL), TABLE({"hbm", ""}, {"dram", "0-1"}, {"cxl", ""},
		{"tier:fastest", "0-1"}, {"tier:nearest", "0"}));
}

static void an_expander_is_the_slow_and_large_tier(void **state)
{
	struct topology *topology = load("dram-cxl", NULL, NULL);

	(void)state;
	check_from(topology, 2, TABLE({"tier:nearest", "1"}));
	check(topology, TABLE({"cxl", "2"}, {"dram", "0-1"}, {"hbm", ""}, {"gpu", ""},
		{"tier:fastest", "0-1"}, {"tier:largest", "2"}, {"tier:nearest", "0"}, {"tier:0", "0-1"},
		{"tier:1", "2"}, {"tier:2", ""}, {"node:2", "2"}, {"node:3", ""}));
}

static void memory_of_gpus_is_no_place_for_the_fastest_tier(void **state)
{
	struct topology *topology = load("gpu", NULL, NULL);

	(void)state;
	check_from(topology, 2, TABLE({"tier:nearest", "8"}));
	check(topology, TABLE({"gpu", "254-255"}, {"dram", "0,8"}, {"hbm", ""}, {"cxl", ""},
		{"tier:0", "0,8"}, {"tier:1", ""}, {"node:0,254", "0,254"}, {"node:9", ""}, {"tier:fastest", "0,8"},
		{"tier:largest", "0,8"}, {"tier:nearest", "0"}, {"node:254", "254"}));
}

static void a_container_with_one_node_gets_that_node_or_an_error(void **state)
{
	struct topology *topology = load("container", NULL, NULL);
	struct place_error error;

	(void)state;
	assert_string_equal(resolve(topology, "hbm", 0, &error), "");
	assert_string_equal(error.text, "hbm is node 2-3 here, but this process may use 1 only");
	check_from(topology, 2, TABLE({"tier:nearest", "1"}));
	assert_string_equal(resolve(topology, "tier:0", 0, &error), "");
	assert_string_equal(error.text, "tier:0 is node 2-3 here, but this process may use 1 only");
	assert_string_equal(resolve(topology, "node:0", 0, &error), "");
	assert_string_equal(error.text, "this process may not use node 0");
	check(topology, TABLE({"hbm", ""}, {"dram", "1"}, {"cxl", ""}, {"gpu", ""}, {"tier:fastest", "1"},
		{"tier:largest", "1"}, {"tier:nearest", "1"}, {"tier:0", ""}, {"tier:1", "1"},
		{"tier:2", ""}, {"node:1", "1"}, {"node:0", ""}, {"node:0-1", ""}, {"any", ""},
		{"local", ""}));
}

static void a_container_on_a_plain_machine_gets_its_node_by_every_word_that_fits(void **state)
{
	(void)state;
	check(load("container-plain", NULL, NULL), TABLE({"dram", "1"}, {"hbm", ""}, {"cxl", ""},
		{"gpu", ""}, {"tier:fastest", "1"}, {"tier:largest", "1"}, {"tier:nearest", "1"},
		{"tier:0", "1"}, {"tier:1", ""}, {"node:1", "1"}, {"node:0", ""}));
}

/* Nothing ranks the nodes there, and which is nearest is not known either: but there is no choice. */
static void a_container_where_nothing_is_told_gets_its_one_node(void **state)
{
	struct topology *topology = load("container-untold", NULL, NULL);
	struct place_error error;

	(void)state;
	assert_string_equal(resolve(topology, "hbm", 0, &error), "");
	assert_string_equal(error.text,
		"nothing tells whether node 0-3 is hbm; say it with SITUS_TIERS=\"hbm=...\"");
	check_from(topology, 3, TABLE({"tier:nearest", "1"}));
	check(topology, TABLE({"tier:nearest", "1"}, {"tier:fastest", "1"}, {"tier:largest", "1"},
		{"tier:0", ""}, {"dram", ""}, {"cxl", ""}, {"gpu", ""}, {"node:1", "1"}, {"node:2", ""}));
	check(load("container-untold", NULL, "hbm=2-3;dram=0-1"), TABLE({"hbm", ""}, {"dram", "1"},
		{"tier:nearest", "1"}, {"tier:fastest", "1"}, {"tier:0", ""}, {"tier:1", "1"}));
}

static void without_an_hmat_memory_only_nodes_are_never_guessed(void **state)
{
	struct topology *topology = load("no-hmat", NULL, NULL);
	struct place_error error;

	(void)state;
	assert_string_equal(resolve(topology, "hbm", 0, &error), "");
	assert_non_null(strstr(error.text, "SITUS_TIERS=\"hbm=...\""));
	check(topology, TABLE({"hbm", ""}, {"dram", ""}, {"cxl", ""}, {"gpu", ""},
		{"tier:fastest", ""}, {"tier:0", ""}, {"tier:largest", ""}, {"node:0-3", "0-3"}));
}

static void distances_rank_tiers_where_processors_are_known_and_name_no_kind(void **state)
{
	(void)state;
	check(load("no-hmat", "sys-plain", NULL), TABLE({"hbm", ""}, {"dram", ""}, {"cxl", ""},
		{"tier:fastest", "0-1"}, {"tier:nearest", "0"}, {"tier:1", "2"}, {"tier:2", "3"},
		{"tier:largest", "3"}));
}

static void the_kernels_tiers_answer_where_there_is_no_hmat(void **state)
{
	(void)state;
	check(load("no-hmat", "sys-tiers", NULL), TABLE({"hbm", "2"}, {"dram", "0-1"}, {"cxl", "3"},
		{"tier:fastest", "2"}, {"tier:0", "2"}, {"tier:1", "0-1"}, {"tier:2", "3"},
		{"tier:largest", "3"}));
}

static void one_tier_of_the_kernel_for_all_tells_nothing(void **state)
{
	(void)state;
	/* sys-one-tier has memory_tier4 with every node, which is what a kernel without figures shows. */
	check(load("no-hmat", "sys-one-tier", NULL), TABLE({"hbm", ""}, {"dram", ""}, {"cxl", ""},
		{"tier:fastest", "0-1"}));
}

static void figures_beat_the_kernels_tiers(void **state)
{
	struct topology *topology = load("dram-cxl", "sys-tiers", NULL);

	(void)state;
	/* There the kernel calls node 2 faster than main memory. */
	assert_int_equal(topology__node(topology, 2)->tier_source, TOPOLOGY_SOURCE_HMAT);
	check(topology, TABLE({"cxl", "2"}, {"hbm", ""}, {"tier:fastest", "0-1"}));
}

static void labels_beat_distances(void **state)
{
	(void)state;
	check(load("knl-flat", NULL, NULL), TABLE({"hbm", "1"}, {"dram", "0"}, {"tier:fastest", "1"},
		{"tier:largest", "0"}, {"tier:nearest", "0"}));
}

static void persistent_memory_is_no_expander(void **state)
{
	(void)state;
	check(load("dram-nvm", NULL, NULL), TABLE({"cxl", ""}, {"dram", "0"}, {"tier:fastest", "0"},
		{"tier:largest", "1"}, {"tier:1", "1"}));
}

static void figures_between_kinds_give_tiers_but_no_kind(void **state)
{
	(void)state;
	check(load("doubtful", NULL, NULL), TABLE({"hbm", ""}, {"dram", ""}, {"cxl", ""},
		{"tier:fastest", "1"}, {"tier:1", "0"}));
}

static void figures_that_leave_a_node_out_answer_nothing(void **state)
{
	(void)state;
	check(load("partial-hmat", NULL, NULL),
		TABLE({"hbm", ""}, {"tier:fastest", ""}));
}

static void the_override_beats_every_other_source(void **state)
{
	struct topology *topology = load("dram-cxl", NULL, "hbm=2; dram=0, 1;");

	(void)state;
	assert_int_equal(topology__node(topology, 2)->kind_source, TOPOLOGY_SOURCE_OVERRIDE);
	assert_int_equal(topology__node(topology, 2)->tier_source, TOPOLOGY_SOURCE_OVERRIDE);
	check(topology, TABLE({"hbm", "2"}, {"dram", "0-1"}, {"cxl", ""}, {"tier:fastest", "2"},
		{"tier:1", "0-1"}));
	check(load("no-hmat", NULL, "hbm=2;dram=0-1;cxl=3"), TABLE({"hbm", "2"}, {"dram", "0-1"},
		{"cxl", "3"}, {"tier:fastest", "2"}, {"tier:2", "3"}, {"tier:largest", "3"}));
}

static void the_override_leaves_what_it_does_not_name_as_it_was(void **state)
{
	(void)state;
	check(load("snc4-hbm", NULL, "cxl=15"), TABLE({"hbm", "8-14"}, {"dram", "0-7"}, {"cxl", "15"},
		{"tier:fastest", "8-14"}, {"tier:2", "15"}));
	check(load("no-hmat", NULL, "hbm=2"), TABLE({"hbm", "2"}, {"dram", ""}, {"tier:fastest", "2"}));
}

static void nodes_an_override_leaves_unknown_are_in_no_tier(void **state)
{
	struct topology *topology = load("doubtful", NULL, "dram=1");

	(void)state;
	assert_int_equal(topology__node(topology, 0)->tier, -1);
	check(topology, TABLE({"dram", "1"}, {"cxl", ""}, {"tier:fastest", "1"}, {"tier:largest", "1"},
		{"tier:1", ""}));
	check(load("doubtful", NULL, " "), TABLE({"tier:fastest", "1"}, {"tier:1", "0"}));
}

static void what_is_known_to_be_hbm_is_no_measure_for_main_memory(void **state)
{
	(void)state;
	check(load("doubtful", NULL, "hbm=1"),
		TABLE({"hbm", "1"}, {"dram", "0"}, {"tier:fastest", "1"}, {"tier:1", "0"}));
}

static void assert_override_fails(const char *tiers, int code, const char *part)
{
	char xml[4200];
	struct topology_config config = {.xml = xml, .tiers = tiers};
	struct topology *topology = NULL;
	int err;

	snprintf(xml, sizeof(xml), "%s/dram-cxl.xml", folder());
	err = topology__load(&topology, &config);
	if (err == 0)
		topology__free(topology);
	assert_int_equal(err, -code);
	if (!strstr(error__text(), part))
		fail_msg("\"%s\" does not say \"%s\"", error__text(), part);
}

static void a_bad_override_names_its_bad_part(void **state)
{
	(void)state;
	assert_override_fails("hbm", AML_EINVAL, "\"hbm\" is not KIND=NODES");
	assert_override_fails("hbm=0;ddr=1", AML_EINVAL, "\"ddr=1\" does not begin with");
	assert_override_fails("hbm=", AML_EINVAL, "\"hbm=\" does not end in a list");
	assert_override_fails("hbm=0;;dram=1", AML_EINVAL, "is not KIND=NODES");
	assert_override_fails("hbm=0;dram=0-1", AML_EINVAL, "\"dram=0-1\" names a node that has a kind");
	assert_override_fails("hbm=7", AML_EDOM, "\"hbm=7\" names a node that is not on this machine");
	assert_override_fails("hbm=4711", AML_EDOM, "above 1023");
	assert_override_fails("hbm=0\n", AML_EINVAL, "\\x0a");
}

static void figures_and_their_sources_are_kept(void **state)
{
	struct topology *topology = load("dram-cxl", "sys-tiers", NULL);
	const struct topology_node *node = topology__node(topology, 2);

	(void)state;
	assert_int_equal(topology->n_nodes, 3);
	assert_int_equal(node->capacity, 512ULL << 30);
	assert_int_equal(node->bandwidth.value, 28000);
	assert_int_equal(node->bandwidth.source, TOPOLOGY_SOURCE_HMAT);
	assert_int_equal(node->latency.value, 255);
	assert_int_equal(node->kernel_tier, 1);
	assert_int_equal(node->has_cpus, 0);
	assert_int_equal(node->kind, TOPOLOGY_KIND_CXL);
	assert_int_equal(node->kind_source, TOPOLOGY_SOURCE_HMAT);
	assert_int_equal(topology__distance(topology, 1, 2), 24);
	assert_int_equal(topology__distance(topology, 1, 9), 0);
	assert_int_equal(topology__free_bytes(topology, 0), SIZE_MAX);
	assert_null(topology__node(topology, 3));
	topology__free(topology);
}

static void synthetic_descriptions_resolve_too(void **state)
{
	(void)state;
	check(load_synthetic("numa:4 core:2 pu:1", NULL), TABLE({"dram", ""}, {"hbm", ""},
		{"tier:fastest", "0-3"}, {"tier:nearest", "0"}, {"node:3", "3"}, {"node:4", ""}));
	check(load_synthetic("numa:4 core:2 pu:1", "dram=0-3"), TABLE({"dram", "0-3"}, {"hbm", ""}));
	/* Two memories at each package, and nothing that tells them apart. */
	check(load_synthetic("pack:2 [numa(memory=64GB)] [numa(memory=16GB)] core:2 pu:1", NULL),
		TABLE({"dram", ""}, {"hbm", ""}, {"tier:fastest", ""}, {"tier:nearest", "0-1"}));
	check(load_synthetic("pack:2 [numa(memory=64GB)] [numa(memory=16GB)] core:2 pu:1",
		"hbm=1,3;dram=0,2"), TABLE({"dram", "0,2"}, {"hbm", "1,3"}, {"tier:fastest", "1,3"},
		{"tier:largest", "0,2"}));
}

/* The groups of an attribute as seen from a set of processors, as "8 > 9-15"; static. */
static const char *rank(const struct topology *topology, unsigned attribute, const char *cpus)
{
	static char text[256];
	struct os_nodes groups[AREA_MAX_LINKS];
	hwloc_bitmap_t initiator = hwloc_bitmap_alloc();
	size_t at = 0;
	int n;

	assert_int_equal(hwloc_bitmap_list_sscanf(initiator, cpus), 0);
	n = topology__rank(topology, attribute, *cpus ? initiator : NULL, groups, AREA_MAX_LINKS);
	hwloc_bitmap_free(initiator);
	text[0] = '\0';
	for (int i = 0; i < n; i++) {
		char list[64];

		at += (size_t)snprintf(text + at, sizeof(text) - at, "%s%s", i ? " > " : "",
			os__nodes_text(&groups[i], list, sizeof(list)));
	}
	return n < 0 ? aml_strerror(n) : text;
}

struct ranking {
	const char *machine;
	const char *sysfs;
	unsigned attribute;
	const char *cpus; /* "": of the calling thread, on these machines the first */
	const char *order;
};

/* In the order that aml_area_hwloc_best_create asks them in. */
static void attributes_rank_nodes_best_first_from_an_initiator(void **state)
{
	enum {
		CAPACITY = HWLOC_MEMATTR_ID_CAPACITY,
		LOCALITY = HWLOC_MEMATTR_ID_LOCALITY,
		BANDWIDTH = HWLOC_MEMATTR_ID_BANDWIDTH,
		LATENCY = HWLOC_MEMATTR_ID_LATENCY,
	};
	const char *unknown = aml_strerror(AML_ENOTSUP);
	const struct ranking rankings[] = {
		{"dual-socket", NULL, BANDWIDTH, "0", "0 > 1"},
		{"dual-socket", NULL, LATENCY, "3", "1 > 0"},
		{"dual-socket", NULL, CAPACITY, "3", "0-1"},
		/* Seen from there, then the nearest of the others. */
		{"snc4-hbm", NULL, BANDWIDTH, "0", "8 > 0 > 9-11 > 1-3 > 12-15 > 4-7"},
		{"snc4-hbm", NULL, BANDWIDTH, "", "8 > 0 > 9-11 > 1-3 > 12-15 > 4-7"},
		{"snc4-hbm", NULL, BANDWIDTH, "15", "15 > 7 > 12-14 > 4-6 > 8-11 > 0-3"},
		{"snc4-hbm", NULL, LATENCY, "0-1", "0 > 8 > 1-3 > 9-11 > 4-7 > 12-15"},
		/* A whole package overlaps four clusters. */
		{"snc4-hbm", NULL, BANDWIDTH, "0-7", "8-11 > 0-3 > 12-15 > 4-7"},
		{"snc4-hbm", NULL, CAPACITY, "", "0-7 > 8-15"},
		{"hbm-only", NULL, BANDWIDTH, "7", "3 > 0-2"},
		{"hbm-only", NULL, LATENCY, "0", "0 > 1-3"},
		{"dram-cxl", NULL, BANDWIDTH, "3", "1 > 2 > 0"},
		{"dram-cxl", NULL, LATENCY, "0", "0 > 2 > 1"},
		{"dram-cxl", NULL, CAPACITY, "3", "2 > 0-1"},
		{"dram-cxl", NULL, LOCALITY, "3", "0-1 > 2"},
		{"gpu", NULL, CAPACITY, "0", "0,8 > 254-255"},
		{"gpu", NULL, BANDWIDTH, "0", unknown},
		{"gpu", NULL, LATENCY, "2", "8 > 0 > 254-255"},
		{"container", NULL, CAPACITY, "", "1"},
		{"container", NULL, BANDWIDTH, "2", "1"},
		/* No value from there, but no choice either. */
		{"container", NULL, BANDWIDTH, "0", "1"},
		{"container", NULL, LATENCY, "0", "1"},
		{"no-hmat", NULL, BANDWIDTH, "0", unknown},
		/* Whose processors are whose tells the distances apart. */
		{"no-hmat", NULL, LATENCY, "0", "0,2 > 1 > 3"},
		{"no-hmat", "sys-plain", LATENCY, "0", "0 > 2 > 1 > 3"},
		{"no-hmat", "sys-plain", LATENCY, "3", "1 > 0 > 2 > 3"},
		{"no-hmat-plain", NULL, LATENCY, "2", "1 > 0"},
		{"partial-hmat", NULL, BANDWIDTH, "0", "2 > 0"},
		{"partial-hmat", NULL, LATENCY, "3", "1 > 0 > 2"},
		{"knl-flat", NULL, LATENCY, "0", "0 > 1"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rankings) / sizeof(rankings[0]); i++) {
		const struct ranking *ranking = &rankings[i];
		struct topology *topology = load(ranking->machine, ranking->sysfs, NULL);
		const char *order = rank(topology, ranking->attribute, ranking->cpus);

		if (strcmp(order, ranking->order) != 0)
			fail_msg("%s: attribute %u from \"%s\": \"%s\" rather than \"%s\"", ranking->machine,
				ranking->attribute, ranking->cpus, order, ranking->order);
		topology__free(topology);
	}
}

static void more_groups_than_links_are_joined_in_the_last(void **state)
{
	struct topology *topology = load("snc4-hbm", NULL, NULL);
	struct os_nodes groups[3];
	char list[64];

	(void)state;
	assert_int_equal(topology__rank(topology, HWLOC_MEMATTR_ID_BANDWIDTH, NULL, groups, 3), 3);
	assert_string_equal(os__nodes_text(&groups[1], list, sizeof(list)), "0");
	assert_string_equal(os__nodes_text(&groups[2], list, sizeof(list)), "1-7,9-15");
	topology__free(topology);
}

static void attributes_that_no_node_has_are_not_guessed(void **state)
{
	struct topology *topology = load("no-hmat", NULL, NULL);
	hwloc_bitmap_t nothing = hwloc_bitmap_alloc();
	struct os_nodes groups[1];

	(void)state;
	assert_string_equal(rank(topology, HWLOC_MEMATTR_ID_BANDWIDTH, "0"), aml_strerror(AML_ENOTSUP));
	assert_non_null(strstr(error__text(), "no node has a value of Bandwidth"));
	assert_string_equal(rank(topology, 4711, "0"), aml_strerror(AML_EINVAL));
	assert_int_equal(topology__rank(topology, HWLOC_MEMATTR_ID_LATENCY, nothing, groups, 1), -AML_EINVAL);
	hwloc_bitmap_free(nothing);
	topology__free(topology);
	topology = load_synthetic("numa:2 core:2 pu:1", NULL);
	hwloc_distances_remove(topology->hwloc);
	free(topology->distance);
	topology->distance = NULL;
	assert_string_equal(rank(topology, HWLOC_MEMATTR_ID_LATENCY, "0"), aml_strerror(AML_ENOTSUP));
	topology__free(topology);
}

static void what_would_fit_lists_the_machines_own_words(void **state)
{
	struct topology *topology = load("snc4-hbm", NULL, NULL);
	char list[256];
	size_t length;

	(void)state;
	length = place__fitting(topology, list, sizeof(list));
	assert_int_equal(length, strlen(list));
	assert_string_equal(list, "node:0-15, local, any, hbm, dram, tier:fastest|largest|nearest|0-1, "
		"file:PATH, shm:NAME, anon");
	topology__free(topology);
	topology = load("container", NULL, NULL);
	place__fitting(topology, list, sizeof(list));
	assert_non_null(strstr(list, "node:1, local, any, dram, tier:"));
	topology__free(topology);
}

static void devices_are_refused_in_clear_words(void **state)
{
	struct topology *topology = load("gpu", NULL, NULL);
	struct place_chain chain;
	struct place_error error;
	struct os_nodes nodes;

	(void)state;
	assert_int_equal(place__parse("cuda:0", &chain, &error), 0);
	assert_int_equal(place__resolve(&chain.link[0], topology, -1, &nodes, &error), -AML_ENOTSUP);
	assert_non_null(strstr(error.text, "not built into this version"));
	assert_true(error.bad_where);
	topology__free(topology);
}

static void a_topology_that_cannot_be_read_is_an_error(void **state)
{
	struct topology_config no_file = {.xml = "/nonexistent/topology.xml", .tiers = ""};
	struct topology_config nonsense = {.synthetic = "numa:0 nonsense", .tiers = ""};
	struct topology *topology = NULL;

	(void)state;
	assert_int_equal(topology__load(&topology, &no_file), -AML_EINVAL);
	assert_non_null(strstr(error__text(), "/nonexistent/topology.xml"));
	assert_int_equal(topology__load(&topology, &nonsense), -AML_EINVAL);
	assert_null(topology);
}

static void the_environments_topology_and_tiers_are_used(void **state)
{
	char xml[4200];
	struct topology *topology = NULL;

	(void)state;
	snprintf(xml, sizeof(xml), "%s/no-hmat.xml", folder());
	setenv("HWLOC_XMLFILE", xml, 1);
	setenv("SITUS_TIERS", "cxl=3", 1);
	assert_int_equal(topology__load(&topology, NULL), 0);
	assert_string_equal(topology->description, xml);
	check(topology, TABLE({"cxl", "3"}));
	setenv("HWLOC_XMLFILE", "/nonexistent", 1);
	assert_int_equal(topology__load(&topology, NULL), -AML_EINVAL);
	unsetenv("HWLOC_XMLFILE");
	unsetenv("SITUS_TIERS");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_dual_socket_server_is_all_dram),
		cmocka_unit_test(eight_clusters_with_hbm_are_told_apart_by_their_figures),
		cmocka_unit_test(hbm_alone_is_hbm_where_it_is_labelled),
		cmocka_unit_test(hbm_alone_without_a_label_is_never_guessed),
		cmocka_unit_test(unlabelled_hbm_beside_dram_is_neither_without_an_hmat),
		cmocka_unit_test(nodes_alike_are_dram_only_where_their_processors_have_no_hbm),
		cmocka_unit_test(an_expander_is_the_slow_and_large_tier),
		cmocka_unit_test(memory_of_gpus_is_no_place_for_the_fastest_tier),
		cmocka_unit_test(a_container_with_one_node_gets_that_node_or_an_error),
		cmocka_unit_test(a_container_on_a_plain_machine_gets_its_node_by_every_word_that_fits),
		cmocka_unit_test(a_container_where_nothing_is_told_gets_its_one_node),
		cmocka_unit_test(without_an_hmat_memory_only_nodes_are_never_guessed),
		cmocka_unit_test(distances_rank_tiers_where_processors_are_known_and_name_no_kind),
		cmocka_unit_test(the_kernels_tiers_answer_where_there_is_no_hmat),
		cmocka_unit_test(one_tier_of_the_kernel_for_all_tells_nothing),
		cmocka_unit_test(figures_beat_the_kernels_tiers),
		cmocka_unit_test(labels_beat_distances),
		cmocka_unit_test(persistent_memory_is_no_expander),
		cmocka_unit_test(figures_between_kinds_give_tiers_but_no_kind),
		cmocka_unit_test(figures_that_leave_a_node_out_answer_nothing),
		cmocka_unit_test(the_override_beats_every_other_source),
		cmocka_unit_test(the_override_leaves_what_it_does_not_name_as_it_was),
		cmocka_unit_test(nodes_an_override_leaves_unknown_are_in_no_tier),
		cmocka_unit_test(what_is_known_to_be_hbm_is_no_measure_for_main_memory),
		cmocka_unit_test(a_bad_override_names_its_bad_part),
		cmocka_unit_test(figures_and_their_sources_are_kept),
		cmocka_unit_test(synthetic_descriptions_resolve_too),
		cmocka_unit_test(attributes_rank_nodes_best_first_from_an_initiator),
		cmocka_unit_test(more_groups_than_links_are_joined_in_the_last),
		cmocka_unit_test(attributes_that_no_node_has_are_not_guessed),
		cmocka_unit_test(what_would_fit_lists_the_machines_own_words),
		cmocka_unit_test(devices_are_refused_in_clear_words),
		cmocka_unit_test(a_topology_that_cannot_be_read_is_an_error),
		cmocka_unit_test(the_environments_topology_and_tiers_are_used),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
