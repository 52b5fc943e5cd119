/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * gigapages.c - pages of 1 GiB, of which topologies/giga.topo has one on each node.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "aml.h"
#include "situs.h"
#include "tests/lab/guest/lab.h"

static size_t n_free(int node)
{
	char path[128];

	snprintf(path, sizeof(path),
		"/sys/devices/system/node/node%d/hugepages/hugepages-1048576kB/free_hugepages", node);
	return lab_read_number(path, "");
}

static struct aml_area *open_place(const char *place)
{
	struct aml_area *area = NULL;

	if (aml_area_open(&area, place))
		fail_msg("%s: %s", place, situs_error());
	return area;
}

/* Zeros at first, and its own bytes afterwards: at both ends and here and there. */
static void use(char *page)
{
	for (size_t at = 0; at < GIB; at += GIB / 16) {
		assert_int_equal(page[at], 0);
		lab_fill(page + at, LAB_PAGE, at);
	}
	lab_fill(page + GIB - LAB_PAGE, LAB_PAGE, GIB);
	for (size_t at = 0; at < GIB; at += GIB / 16)
		assert_true(lab_filled(page + at, LAB_PAGE, at));
	assert_true(lab_filled(page + GIB - LAB_PAGE, LAB_PAGE, GIB));
}

static void assert_used_up(const struct aml_area *area)
{
	errno = 0;
	aml_errno = 0;
	assert_null(aml_area_mmap(area, NULL, 1));
	assert_int_equal(aml_errno, AML_ENOMEM);
	assert_int_equal(errno, ENOMEM);
	print_message("# %s\n", situs_error());
	assert_non_null(strstr(situs_error(), "1048576kB"));
	assert_non_null(strstr(situs_error(), "the pool has 0 of"));
}

static void a_nodes_page_is_mapped_used_up_and_given_back(void **state)
{
	(void)state;
	for (int node = 0; node < 2; node++) {
		struct aml_area_info info = {.struct_size = sizeof(info)};
		struct aml_area *area;
		char place[64], *page;

		snprintf(place, sizeof(place), "hugetlb:1G,node:%d,strict", node);
		area = open_place(place);
		assert_int_equal(aml_area_info(area, &info), 0);
		assert_int_equal(info.page_size, GIB);
		assert_int_equal(info.capacity, GIB);
		assert_int_equal(info.available, GIB);
		page = aml_area_mmap(area, NULL, 1);
		if (!page)
			fail_msg("%s", situs_error());
		assert_int_equal(n_free(node), 0);
		assert_int_equal(n_free(1 - node), 1);
		use(page);
		assert_int_equal(lab_astray(page, GIB, (lab_nodes_t)1 << node, NULL), 0);
		assert_int_equal(aml_area_linux_check_binding(area, page, GIB), 1);
		assert_used_up(area);
		assert_int_equal(aml_area_munmap(area, page + LAB_PAGE, LAB_PAGE), -AML_EINVAL);
		assert_int_equal(aml_area_munmap(area, page, 1), 0);
		assert_int_equal(n_free(node), 1);
		aml_area_close(&area);
	}
}

static void without_nodes_the_pool_is_one(void **state)
{
	struct aml_area *area = open_place("hugetlb:1G");
	char *pages = aml_area_mmap(area, NULL, 2 * GIB);

	(void)state;
	if (!pages)
		fail_msg("%s", situs_error());
	assert_used_up(area);
	/* A part of a mapping, where pages are whole. */
	assert_int_equal(aml_area_munmap(area, pages + GIB, GIB), 0);
	use(pages);
	assert_int_equal(aml_area_munmap(area, pages, GIB), 0);
	assert_int_equal(n_free(0) + n_free(1), 2);
	aml_area_close(&area);
}

static void a_chain_goes_from_one_nodes_page_to_the_others(void **state)
{
	struct aml_area *area = open_place("hugetlb:1G,node:1,strict > hugetlb:1G,node:0,strict > any");
	char *pages[3];

	(void)state;
	for (int i = 0; i < 3; i++) {
		pages[i] = aml_area_mmap(area, NULL, GIB);
		if (!pages[i])
			fail_msg("%s", situs_error());
		assert_int_equal(aml_area_link(area, pages[i]), i);
	}
	pages[2][0] = 1;
	assert_int_equal(n_free(0) + n_free(1), 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(aml_area_munmap(area, pages[i], GIB), 0);
	assert_int_equal(n_free(0) + n_free(1), 2);
	aml_area_close(&area);
}

static void a_heap_lives_on_a_page_of_its_node(void **state)
{
	enum { N = 1000 };
	situs_heap_t *heap = situs_heap_open("hugetlb:1G,node:1,strict");
	char *blocks[N];

	(void)state;
	if (!heap)
		fail_msg("%s", situs_error());
	for (int i = 0; i < N; i++) {
		blocks[i] = situs_malloc(heap, 100 * KIB);
		if (!blocks[i])
			fail_msg("block %d: %s", i, situs_error());
		lab_fill(blocks[i], 4 * KIB, (uint64_t)i);
	}
	assert_int_equal(n_free(1), 0);
	assert_int_equal(n_free(0), 1);
	for (int i = 0; i < N; i++) {
		assert_true(lab_filled(blocks[i], 4 * KIB, (uint64_t)i));
		situs_free(blocks[i]);
	}
	assert_int_equal(situs_heap_destroy(heap), 0);
	assert_int_equal(n_free(1), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_nodes_page_is_mapped_used_up_and_given_back),
		cmocka_unit_test(without_nodes_the_pool_is_one),
		cmocka_unit_test(a_chain_goes_from_one_nodes_page_to_the_others),
		cmocka_unit_test(a_heap_lives_on_a_page_of_its_node),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
