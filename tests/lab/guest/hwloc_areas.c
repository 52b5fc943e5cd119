/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * hwloc_areas.c - areas in hwloc's terms, on a machine with tiers: memory of the best area lies on the
 * node that topologies/four-hmat.topo makes the best, and on the next one when that is full.
 */
#include <numaif.h>

#include "aml_hwloc.h"
#include "situs.h"
#include "tests/lab/guest/lab.h"

#define PIECE (32 * MIB)

static struct aml_area *best(enum hwloc_memattr_id_e attribute, int from_node)
{
	struct aml_area *area = NULL;

	lab_pin(from_node);
	if (aml_area_hwloc_best_create(&area, attribute, NULL) != 0)
		fail_msg("attribute %d: %s", (int)attribute, situs_error());
	return area;
}

/* A piece of the area lies on those nodes and is given back. */
static void assert_lies_on(const struct aml_area *area, lab_nodes_t nodes)
{
	char *ptr = aml_area_mmap(area, NULL, PIECE);
	size_t inside;

	if (!ptr)
		fail_msg("%s", situs_error());
	lab_fill(ptr, PIECE, 1);
	assert_int_equal(lab_astray(ptr, PIECE, nodes, &inside), 0);
	assert_int_equal(inside, PIECE);
	assert_int_equal(aml_area_munmap(area, ptr, PIECE), 0);
}

static void assert_best_lies_on(enum hwloc_memattr_id_e attribute, int from_node, int node)
{
	struct aml_area *area = best(attribute, from_node);

	assert_lies_on(area, (lab_nodes_t)1 << node);
	aml_area_hwloc_destroy(&area);
	assert_null(area);
}

static void the_most_bandwidth_is_hbm_as_seen_from_its_socket(void **state)
{
	(void)state;
	assert_best_lies_on(HWLOC_MEMATTR_ID_BANDWIDTH, 0, 2);
}

static void the_least_latency_is_the_sockets_own_memory(void **state)
{
	(void)state;
	assert_best_lies_on(HWLOC_MEMATTR_ID_LATENCY, 0, 0);
	assert_best_lies_on(HWLOC_MEMATTR_ID_LATENCY, 1, 1);
}

static void a_full_best_node_hands_over_to_the_next_best(void **state)
{
	struct aml_area *area = best(HWLOC_MEMATTR_ID_BANDWIDTH, 0);
	char *pieces[64];
	size_t on_first = 0, inside;
	int n = 0, link = 0;

	(void)state;
	while (link == 0 && n < 64) {
		pieces[n] = aml_area_mmap(area, NULL, PIECE);
		if (!pieces[n])
			fail_msg("NULL after %d pieces: %s", n, situs_error());
		link = aml_area_link(area, pieces[n]);
		lab_fill(pieces[n], PIECE, (uint64_t)n);
		/* Node 2 is the first, node 0 the second as seen from there. */
		assert_int_equal(lab_astray(pieces[n], PIECE, link == 0 ? 1 << 2 : 1 << 0, &inside), 0);
		assert_int_equal(inside, PIECE);
		on_first += link == 0 ? PIECE : 0;
		n++;
	}
	assert_int_equal(link, 1);
	assert_true(on_first > 512 * MIB);
	while (n-- > 0) {
		assert_true(lab_filled(pieces[n], PIECE, (uint64_t)n));
		assert_int_equal(aml_area_munmap(area, pieces[n], PIECE), 0);
	}
	aml_area_hwloc_destroy(&area);
}

static void a_nodeset_is_bound_to(void **state)
{
	hwloc_bitmap_t nodeset = hwloc_bitmap_alloc();
	struct aml_area *area = NULL;

	(void)state;
	for (int node = 0; node < lab_n_nodes(); node++) {
		hwloc_bitmap_only(nodeset, (unsigned)node);
		assert_int_equal(aml_area_hwloc_create(&area, nodeset, HWLOC_MEMBIND_BIND), 0);
		assert_lies_on(area, (lab_nodes_t)1 << node);
		aml_area_hwloc_destroy(&area);
	}
	hwloc_bitmap_free(nodeset);
}

static void the_ready_made_interleave_spreads_over_every_node(void **state)
{
	size_t on_node[LAB_MAX_NODES] = {0};
	char *ptr = aml_area_mmap(&aml_area_hwloc_interleave, NULL, PIECE);

	(void)state;
	assert_non_null(ptr);
	lab_fill(ptr, PIECE, 1);
	lab_pages(ptr, PIECE, on_node);
	for (int node = 0; node < lab_n_nodes(); node++)
		assert_int_equal(on_node[node], PIECE / (size_t)lab_n_nodes());
	assert_int_equal(aml_area_munmap(&aml_area_hwloc_interleave, ptr, PIECE), 0);
}

static void first_touch_and_local_are_so_whatever_the_process_prefers(void **state)
{
	unsigned long cxl = 1UL << 3;
	struct aml_area *local = NULL, *any = NULL;

	(void)state;
	assert_int_equal(aml_area_open(&local, "local"), 0);
	assert_int_equal(aml_area_open(&any, "any"), 0);
	assert_int_equal(set_mempolicy(MPOL_PREFERRED, &cxl, 8 * sizeof(cxl)), 0);
	for (int node = 0; node < 2; node++) {
		lab_pin(node);
		assert_lies_on(&aml_area_hwloc_firsttouch, (lab_nodes_t)1 << node);
		assert_lies_on(local, (lab_nodes_t)1 << node);
		assert_lies_on(&aml_area_hwloc_default, (lab_nodes_t)1 << 3);
		assert_lies_on(any, (lab_nodes_t)1 << 3);
	}
	assert_int_equal(set_mempolicy(MPOL_DEFAULT, NULL, 0), 0);
	aml_area_close(&local);
	aml_area_close(&any);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_most_bandwidth_is_hbm_as_seen_from_its_socket),
		cmocka_unit_test(the_least_latency_is_the_sockets_own_memory),
		cmocka_unit_test(a_full_best_node_hands_over_to_the_next_best),
		cmocka_unit_test(a_nodeset_is_bound_to),
		cmocka_unit_test(the_ready_made_interleave_spreads_over_every_node),
		cmocka_unit_test(first_touch_and_local_are_so_whatever_the_process_prefers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
