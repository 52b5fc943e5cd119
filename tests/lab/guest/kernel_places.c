/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * kernel_places.c - the guest's kernel places pages, and the lab can tell where they are. Nothing of
 * the library is used: when this fails, every other lab test means nothing.
 */
#include <numa.h>
#include <numaif.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "tests/lab/guest/lab.h"

#define SIZE (8 * MIB)
#ifndef MPOL_WEIGHTED_INTERLEAVE
#define MPOL_WEIGHTED_INTERLEAVE 6
#endif

static void *map(void)
{
	void *ptr = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_ptr_not_equal(ptr, MAP_FAILED);
	/* The shares below are counted in base pages. */
	madvise(ptr, SIZE, MADV_NOHUGEPAGE);
	return ptr;
}

static void bound_pages_are_where_they_were_bound(void **state)
{
	(void)state;
	for (int node = 0; node < lab_n_nodes(); node++) {
		unsigned long mask = 1ul << node;
		void *ptr = map();
		size_t inside;

		assert_int_equal(mbind(ptr, SIZE, MPOL_BIND, &mask, LAB_MAX_NODES, 0), 0);
		memset(ptr, 1, SIZE);
		assert_int_equal(lab_astray(ptr, SIZE, mask, &inside), 0);
		assert_int_equal(inside, SIZE);
		assert_int_equal(lab_mapping_astray(ptr, mask, &inside), 0);
		assert_int_equal(inside, SIZE);
		munmap(ptr, SIZE);
	}
}

static void untouched_pages_are_nowhere(void **state)
{
	void *ptr = map();
	size_t inside;

	(void)state;
	assert_int_equal(lab_astray(ptr, SIZE, 0, &inside), 0);
	memset(ptr, 1, LAB_PAGE);
	assert_int_equal(lab_astray(ptr, SIZE, 0, &inside), LAB_PAGE);
	munmap(ptr, SIZE);
}

static void touch(void *ptr)
{
	memset(ptr, 1, SIZE);
}

static void default_pages_follow_the_thread(void **state)
{
	(void)state;
	for (int node = 0; node < lab_n_nodes(); node++) {
		void *ptr = map();

		if (lab_of_node("CPUS", node)) {
			lab_on_node(node, touch, ptr);
			assert_int_equal(lab_astray(ptr, SIZE, 1ul << node, NULL), 0);
		}
		munmap(ptr, SIZE);
	}
}

static void weighted_interleave_follows_the_weights(void **state)
{
	int n_nodes = lab_n_nodes();
	unsigned long mask = (1ul << n_nodes) - 1;
	size_t on_node[LAB_MAX_NODES] = {0}, share = SIZE / (size_t)(n_nodes + 3);
	char path[96];
	void *ptr = map();

	(void)state;
	snprintf(path, sizeof(path), "/sys/kernel/mm/mempolicy/weighted_interleave/node%d", n_nodes - 1);
	if (mbind(ptr, SIZE, MPOL_WEIGHTED_INTERLEAVE, &mask, LAB_MAX_NODES, 0))
		lab_skip("this kernel has no weighted interleave");
	assert_int_equal(lab_write(path, "4"), 0);
	touch(ptr);
	assert_int_equal(lab_write(path, "1"), 0);
	lab_pages(ptr, SIZE, on_node);
	for (int node = 0; node < n_nodes; node++)
		assert_in_range(on_node[node], share * (node == n_nodes - 1 ? 4 : 1) - 8 * LAB_PAGE,
			share * (node == n_nodes - 1 ? 4 : 1) + 8 * LAB_PAGE);
	munmap(ptr, SIZE);
}

static void each_node_has_its_own_huge_page_pool(void **state)
{
	(void)state;
	for (int node = 0; node < lab_n_nodes(); node++) {
		char path[128];
		unsigned long mask = 1ul << node;
		char *ptr;

		snprintf(path, sizeof(path),
			"/sys/devices/system/node/node%d/hugepages/hugepages-2048kB/nr_hugepages", node);
		assert_int_equal(lab_write(path, "4"), 0);
		assert_int_equal(lab_read_number(path, ""), 4);
		assert_int_equal(set_mempolicy(MPOL_BIND, &mask, LAB_MAX_NODES), 0);
		ptr = mmap(NULL, 8 * MIB, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);
		assert_int_equal(set_mempolicy(MPOL_DEFAULT, NULL, 0), 0);
		assert_ptr_not_equal(ptr, MAP_FAILED);
		memset(ptr, 1, 8 * MIB);
		assert_int_equal(lab_astray(ptr, 8 * MIB, mask, NULL), 0);
		munmap(ptr, 8 * MIB);
		assert_int_equal(lab_write(path, "0"), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bound_pages_are_where_they_were_bound),
		cmocka_unit_test(untouched_pages_are_nowhere),
		cmocka_unit_test(default_pages_follow_the_thread),
		cmocka_unit_test(weighted_interleave_follows_the_weights),
		cmocka_unit_test(each_node_has_its_own_huge_page_pool),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
