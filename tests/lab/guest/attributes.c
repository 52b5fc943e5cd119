/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * attributes.c - the guest is the machine its topology file describes: nodes, processors, distances,
 * and what the HMAT says of each node, as libnuma, hwloc and the kernel's memory tiers see it.
 */
#include <numa.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include <hwloc.h>

#include "aml.h"
#include "tests/lab/guest/lab.h"

static hwloc_topology_t topology;

static int load(void **state)
{
	(void)state;
	return hwloc_topology_init(&topology) || hwloc_topology_load(topology);
}

static int unload(void **state)
{
	(void)state;
	hwloc_topology_destroy(topology);
	return 0;
}

static hwloc_obj_t node_object(int node)
{
	hwloc_obj_t obj = hwloc_get_numanode_obj_by_os_index(topology, (unsigned)node);

	assert_non_null(obj);
	return obj;
}

static void nodes_are_those_of_the_file(void **state)
{
	(void)state;
	assert_int_equal(numa_num_configured_nodes(), lab_n_nodes());
	assert_int_equal(hwloc_get_nbobjs_by_type(topology, HWLOC_OBJ_NUMANODE), lab_n_nodes());
	for (int node = 0; node < lab_n_nodes(); node++) {
		size_t told = lab_of_node("MEMORY", node);
		size_t found = (size_t)numa_node_size64(node, NULL);

		/* The kernel keeps some for itself before it counts. */
		assert_in_range(found, told - told / 8 - 32 * MIB, told);
	}
}

static void processors_belong_to_the_nodes_of_the_file(void **state)
{
	struct bitmask *cpus = numa_allocate_cpumask();

	(void)state;
	for (int node = 0; node < lab_n_nodes(); node++) {
		assert_int_equal(numa_node_to_cpus(node, cpus), 0);
		assert_int_equal(numa_bitmask_weight(cpus), lab_of_node("CPUS", node));
	}
	numa_free_cpumask(cpus);
}

static void distances_are_those_of_the_file(void **state)
{
	(void)state;
	for (int from = 0; from < lab_n_nodes(); from++)
		for (int to = 0; to < lab_n_nodes(); to++)
			assert_int_equal(numa_distance(from, to), lab_figure("DISTANCE", from, to));
}

static bool attribute(hwloc_memattr_id_t id, int from, int to, hwloc_uint64_t *value)
{
	struct hwloc_location initiator = {
		.type = HWLOC_LOCATION_TYPE_CPUSET,
		.location = {.cpuset = node_object(from)->cpuset},
	};

	return !hwloc_memattr_get_value(topology, id, node_object(to), &initiator, 0, value);
}

static void hwloc_reads_what_the_hmat_says_and_nothing_without_one(void **state)
{
	(void)state;
	for (int node = 0; node < lab_n_nodes(); node++) {
		int from = (int)lab_of_node("NEAR", node);
		hwloc_uint64_t value;

		if (!lab_number("LAB_HMAT")) {
			assert_false(attribute(HWLOC_MEMATTR_ID_LATENCY, from, node, &value));
			assert_false(attribute(HWLOC_MEMATTR_ID_BANDWIDTH, from, node, &value));
			continue;
		}
		assert_true(attribute(HWLOC_MEMATTR_ID_LATENCY, from, node, &value));
		assert_int_equal(value, lab_figure("LATENCY", from, node));
		assert_true(attribute(HWLOC_MEMATTR_ID_BANDWIDTH, from, node, &value));
		assert_int_equal(value, lab_figure("BANDWIDTH", from, node) * 1024); /* MiB/s */
	}
}

/* Before hwloc is asked for a tier the kernel answers, after that hwloc does; they agree. */
static void areas_tell_what_the_hmat_says(void **state)
{
	(void)state;
	for (int round = 0; round < 2; round++) {
		struct aml_area_info info = {.struct_size = sizeof(info)};
		struct aml_area *area = NULL;

		for (int node = 0; node < lab_n_nodes(); node++) {
			int from = (int)lab_of_node("NEAR", node);
			bool told = lab_number("LAB_HMAT");
			char place[32];

			snprintf(place, sizeof(place), "node:%d,strict", node);
			assert_int_equal(aml_area_open(&area, place), 0);
			assert_int_equal(aml_area_info(area, &info), 0);
			assert_int_equal(info.bandwidth,
				told ? lab_figure("BANDWIDTH", from, node) * 1024 : 0);
			assert_int_equal(info.latency, told ? lab_figure("LATENCY", from, node) : 0);
			aml_area_close(&area);
		}
		assert_int_equal(aml_area_open(&area, "tier:nearest"), 0);
		aml_area_close(&area);
	}
}

static void areas_of_several_nodes_tell_the_slowest_ones_figures(void **state)
{
	struct aml_area_info info = {.struct_size = sizeof(info)};
	unsigned long bandwidth = ~0UL, latency = 0;

	(void)state;
	assert_int_equal(aml_area_info(&aml_area_linux, &info), 0);
	if (!lab_number("LAB_HMAT")) {
		assert_int_equal(info.bandwidth, 0);
		assert_int_equal(info.latency, 0);
		return;
	}
	for (int node = 0; node < lab_n_nodes(); node++) {
		int from = (int)lab_of_node("NEAR", node);
		unsigned long here = lab_figure("BANDWIDTH", from, node) * 1024;

		bandwidth = here < bandwidth ? here : bandwidth;
		here = lab_figure("LATENCY", from, node);
		latency = here > latency ? here : latency;
	}
	assert_int_equal(info.bandwidth, bandwidth);
	assert_int_equal(info.latency, latency);
}

/* The number of the kernel's memory tier that lists a node, or -1. */
static int tier_of(int node)
{
	for (int tier = 0; tier < 512; tier++) {
		char path[128], text[256] = "";
		FILE *file;

		snprintf(path, sizeof(path), "/sys/devices/virtual/memory_tiering/memory_tier%d/nodelist", tier);
		file = fopen(path, "re");
		if (!file)
			continue;
		if (fgets(text, sizeof(text), file) && (lab_parse_nodes(strtok(text, "\n")) >> node & 1)) {
			fclose(file);
			return tier;
		}
		fclose(file);
	}
	return -1;
}

/* Linux has tiers since 6.1, and ranks them by the HMAT since 6.7. */
static bool kernel_ranks_by_hmat(void)
{
	struct utsname kernel;
	int major, minor;

	assert_int_equal(uname(&kernel), 0);
	assert_int_equal(sscanf(kernel.release, "%d.%d", &major, &minor), 2);
	return major > 6 || (major == 6 && minor >= 7);
}

static void kernel_tiers_follow_the_hmat(void **state)
{
	(void)state;
	if (!kernel_ranks_by_hmat())
		lab_skip("this kernel ranks no tiers by the HMAT");
	assert_true(tier_of(0) >= 0);
	for (int node = 0; node < lab_n_nodes(); node++) {
		bool hmat = lab_number("LAB_HMAT");
		unsigned long dram = hmat ? lab_figure("BANDWIDTH", 0, 0) : 1;
		unsigned long here = hmat ? lab_figure("BANDWIDTH", (int)lab_of_node("NEAR", node), node) : 1;

		if (here >= 2 * dram)
			assert_true(tier_of(node) < tier_of(0));
		else if (here <= dram / 2)
			assert_true(tier_of(node) > tier_of(0));
		else
			assert_int_equal(tier_of(node), tier_of(0));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nodes_are_those_of_the_file),
		cmocka_unit_test(processors_belong_to_the_nodes_of_the_file),
		cmocka_unit_test(distances_are_those_of_the_file),
		cmocka_unit_test(hwloc_reads_what_the_hmat_says_and_nothing_without_one),
		cmocka_unit_test(areas_tell_what_the_hmat_says),
		cmocka_unit_test(areas_of_several_nodes_tell_the_slowest_ones_figures),
		cmocka_unit_test(kernel_tiers_follow_the_hmat),
	};

	return cmocka_run_group_tests(tests, load, unload);
}
