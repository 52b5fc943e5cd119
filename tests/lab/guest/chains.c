/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * chains.c - what only nodes that run full can show: chains fall back commit by commit, pools of huge
 * pages and strict shared memory keep to their node. For topologies whose nodes 2 and 3 have 1 GiB
 * or so, and no processors.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "aml.h"
#include "tests/lab/guest/lab.h"

#define STEP (4 * MIB)
#define ONLY(node) ((lab_nodes_t)1 << (node))

#define POOL "/sys/devices/system/node/node%d/hugepages/hugepages-2048kB/nr_hugepages"

static void set_pool(int node, size_t n_pages)
{
	char path[128], text[32];

	snprintf(path, sizeof(path), POOL, node);
	snprintf(text, sizeof(text), "%zu", n_pages);
	assert_int_equal(lab_write(path, text), 0);
}

/* Leaves about 160 MiB of a node, which fill in seconds: the pool of huge pages takes the rest. */
static int shrink_nodes(void **state)
{
	(void)state;
	for (int node = 2; node <= 3; node++) {
		size_t free = lab_free(node), rest = 160 * MIB;

		set_pool(node, free > rest ? (free - rest) / (2 * MIB) : 0);
	}
	return 0;
}

static int restore_nodes(void **state)
{
	(void)state;
	set_pool(2, 0);
	set_pool(3, 0);
	return 0;
}

static struct aml_area *open_area(const char *place)
{
	struct aml_area *area = NULL;

	if (aml_area_open(&area, place) != AML_SUCCESS)
		fail_msg("%s: %s", place, aml_strerror(aml_errno));
	return area;
}

static bool lies_on(const void *p, size_t size, int node)
{
	size_t inside = 0;

	return lab_astray(p, size, ONLY(node), &inside) == 0 && inside == size;
}

/* Commits a region larger than the first link's node, step by step; each step lies on its link's. */
static void chain_falls_back_by_commit(const char *place, const int *node_of_link)
{
	struct aml_area *area = open_area(place);
	size_t size = lab_free(node_of_link[0]) + 64 * MIB;
	size_t n[2] = {0, 0};
	char *p;

	size -= size % STEP;
	p = aml_area_reserve(area, NULL, size);
	assert_non_null(p);
	for (size_t i = 0; i < size; i += STEP) {
		int link;

		assert_int_equal(aml_area_commit(area, p + i, STEP), AML_SUCCESS);
		memset(p + i, 1, STEP);
		link = aml_area_link(area, p + i);
		assert_in_range(link, 0, 1);
		assert_true(lies_on(p + i, STEP, node_of_link[link]));
		n[link]++;
	}
	/* The first link was used up before the second was used, and room that comes back is used. */
	assert_true(n[0] * STEP > size / 2);
	assert_true(n[1] > 0);
	assert_int_equal(aml_area_decommit(area, p, 16 * STEP), AML_SUCCESS);
	assert_int_equal(aml_area_commit(area, p + size - STEP, STEP), AML_SUCCESS);
	assert_int_equal(aml_area_commit(area, p, STEP), AML_SUCCESS);
	assert_int_equal(aml_area_link(area, p), 0);
	assert_true(lies_on(p, STEP, node_of_link[0]));
	assert_int_equal(aml_area_munmap(area, p, size), AML_SUCCESS);
	aml_area_close(&area);
}

static void strict_chain_falls_back_by_commit(void **state)
{
	const int nodes[] = {2, 3};

	(void)state;
	chain_falls_back_by_commit("node:2,strict > node:3,strict", nodes);
}

static void chain_falls_back_to_a_preferred_node(void **state)
{
	const int nodes[] = {2, 0};

	(void)state;
	chain_falls_back_by_commit("node:2,strict > node:0,preferred", nodes);
}

static void chain_of_full_nodes_ends_in_null(void **state)
{
	struct aml_area *area = open_area("node:2,strict > node:3,strict");
	size_t most = (lab_free(2) + lab_free(3)) / STEP, n = 0;
	static char *blocks[4096];

	(void)state;
	while (n < most && (blocks[n] = aml_area_mmap(area, NULL, STEP)) != NULL)
		n++;
	assert_true(n < most);
	assert_int_equal(aml_errno, AML_ENOMEM);
	assert_true(n > most / 2);
	for (size_t i = 0; i < n; i++) {
		assert_true(lies_on(blocks[i], STEP, aml_area_link(area, blocks[i]) + 2));
		assert_int_equal(aml_area_munmap(area, blocks[i], STEP), AML_SUCCESS);
	}
	aml_area_close(&area);
}

static void huge_pages_come_from_the_nodes_own_pool(void **state)
{
	const char *const places[] = {"hugetlb:2M,node:2,strict", "hugetlb:2M,node:2"};
	struct aml_area *other = open_area("hugetlb:2M,node:1");

	(void)state;
	set_pool(2, 8);
	for (int i = 0; i < 2; i++) {
		struct aml_area *area = open_area(places[i]);
		char *p = aml_area_mmap(area, NULL, 8 * MIB);

		assert_non_null(p);
		memset(p, 1, 8 * MIB);
		assert_true(lies_on(p, 8 * MIB, 2));
		assert_int_equal(aml_area_linux_check_binding(area, p, 8 * MIB), 1);
		assert_null(aml_area_mmap(area, NULL, 10 * MIB));
		assert_int_equal(aml_errno, AML_ENOMEM);
		/* Node 1 has no pool, though the machine has pages left. */
		assert_null(aml_area_mmap(other, NULL, 2 * MIB));
		assert_int_equal(aml_errno, AML_ENOMEM);
		assert_int_equal(aml_area_munmap(area, p, 8 * MIB), AML_SUCCESS);
		aml_area_close(&area);
	}
	set_pool(2, 0);
	aml_area_close(&other);
}

static void chain_of_pools_and_nodes_serves_from_the_first_that_can(void **state)
{
	struct aml_area *area = open_area("hugetlb:2M,node:1 > hugetlb:2M,node:2 > node:3,strict");
	char *p, *q;

	(void)state;
	set_pool(2, 4);
	p = aml_area_mmap(area, NULL, 2 * MIB);
	assert_non_null(p);
	assert_int_equal(aml_area_link(area, p), 1);
	q = aml_area_mmap(area, NULL, 16 * MIB);
	assert_non_null(q);
	assert_int_equal(aml_area_link(area, q), 2);
	assert_true(lies_on(q, 16 * MIB, 3));
	assert_int_equal(aml_area_munmap(area, q, 16 * MIB), AML_SUCCESS);
	assert_int_equal(aml_area_munmap(area, p, 2 * MIB), AML_SUCCESS);
	set_pool(2, 0);
	aml_area_close(&area);
}

static void strict_shared_memory_keeps_to_its_node_or_is_null(void **state)
{
	struct aml_area *area = open_area("shm:lab,node:3,strict");
	size_t most = lab_free(3) / STEP, n = 0;
	static char *blocks[4096];

	(void)state;
	while (n <= most && (blocks[n] = aml_area_mmap(area, NULL, STEP)) != NULL) {
		memset(blocks[n], 1, STEP);
		n++;
	}
	assert_in_range(n, most / 2, most);
	assert_int_equal(aml_errno, AML_ENOMEM);
	for (size_t i = 0; i < n; i++) {
		assert_true(lies_on(blocks[i], STEP, 3));
		assert_int_equal(aml_area_munmap(area, blocks[i], STEP), AML_SUCCESS);
	}
	aml_area_close(&area);
	assert_true(lab_free(3) / STEP > most / 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(strict_chain_falls_back_by_commit,
			shrink_nodes, restore_nodes),
		cmocka_unit_test_setup_teardown(chain_falls_back_to_a_preferred_node,
			shrink_nodes, restore_nodes),
		cmocka_unit_test_setup_teardown(chain_of_full_nodes_ends_in_null,
			shrink_nodes, restore_nodes),
		cmocka_unit_test(huge_pages_come_from_the_nodes_own_pool),
		cmocka_unit_test(chain_of_pools_and_nodes_serves_from_the_first_that_can),
		cmocka_unit_test_setup_teardown(strict_shared_memory_keeps_to_its_node_or_is_null,
			shrink_nodes, restore_nodes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
