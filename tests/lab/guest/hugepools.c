/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * hugepools.c - each node's pool of huge pages: a place in it uses that pool and no other, runs empty
 * in NULL, and gives everything back.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "aml.h"
#include "situs.h"
#include "tests/lab/guest/lab.h"

#define HUGE_PAGE (2 * MIB)
#define N_PAGES ((size_t)16)

static void pool_path(char path[128], int node, const char *what)
{
	snprintf(path, 128, "/sys/devices/system/node/node%d/hugepages/hugepages-2048kB/%s_hugepages",
		node, what);
}

static size_t n_free(int node)
{
	char path[128];

	pool_path(path, node, "free");
	return lab_read_number(path, "");
}

static void set_pools(const char *n)
{
	for (int node = 0; node < lab_n_nodes(); node++) {
		char path[128];

		pool_path(path, node, "nr");
		assert_int_equal(lab_write(path, n), 0);
	}
}

static int fill_pools(void **state)
{
	(void)state;
	set_pools("16");
	for (int node = 0; node < lab_n_nodes(); node++)
		assert_int_equal(n_free(node), N_PAGES);
	return 0;
}

static int drain_pools(void **state)
{
	(void)state;
	set_pools("0");
	return 0;
}

static void assert_others_full(int except)
{
	for (int node = 0; node < lab_n_nodes(); node++)
		if (node != except)
			assert_int_equal(n_free(node), N_PAGES);
}

static void areas_use_their_nodes_pool_up_and_give_it_back(void **state)
{
	(void)state;
	for (int node = 0; node < lab_n_nodes(); node++) {
		struct aml_area *area = NULL;
		char place[64], *pages[N_PAGES], *more;

		snprintf(place, sizeof(place), "hugetlb:2M,node:%d,strict", node);
		if (aml_area_open(&area, place))
			fail_msg("%s", situs_error());
		for (size_t i = 0; i < N_PAGES; i++) {
			pages[i] = aml_area_mmap(area, NULL, HUGE_PAGE);
			if (!pages[i])
				fail_msg("page %zu: %s", i, situs_error());
			lab_fill(pages[i], HUGE_PAGE, i);
			assert_int_equal(lab_astray(pages[i], HUGE_PAGE, (lab_nodes_t)1 << node, NULL), 0);
		}
		assert_int_equal(n_free(node), 0);
		more = aml_area_mmap(area, NULL, HUGE_PAGE);
		assert_null(more);
		assert_int_equal(aml_errno, AML_ENOMEM);
		print_message("# %s\n", situs_error());
		assert_non_null(strstr(situs_error(), "node"));
		assert_others_full(node);
		for (size_t i = 0; i < N_PAGES; i++) {
			assert_true(lab_filled(pages[i], HUGE_PAGE, i));
			assert_int_equal(aml_area_munmap(area, pages[i], HUGE_PAGE), 0);
		}
		assert_int_equal(n_free(node), N_PAGES);
		aml_area_close(&area);
	}
}

static void heaps_use_their_nodes_pool_up_and_give_it_back(void **state)
{
	enum { MAX_BLOCKS = 4096 };
	static char *blocks[MAX_BLOCKS];

	(void)state;
	for (int node = 0; node < lab_n_nodes(); node++) {
		situs_heap_t *heap;
		char place[64];
		size_t n = 0;

		snprintf(place, sizeof(place), "hugetlb:2M,node:%d,strict", node);
		heap = situs_heap_open(place);
		if (!heap)
			fail_msg("%s", situs_error());
		while (n < MAX_BLOCKS && (blocks[n] = situs_malloc(heap, 100 * KIB))) {
			lab_fill(blocks[n], 100 * KIB, n);
			n++;
		}
		assert_int_equal(errno, ENOMEM);
		/* 32 MiB in blocks that jemalloc rounds to 112 KiB, one arena. */
		assert_in_range(n, 200, MAX_BLOCKS - 1);
		assert_int_equal(n_free(node), 0);
		assert_others_full(node);
		for (size_t i = 0; i < n; i++) {
			assert_true(lab_filled(blocks[i], 100 * KIB, i));
			assert_int_equal(lab_astray(blocks[i], 100 * KIB, (lab_nodes_t)1 << node, NULL), 0);
			situs_free(blocks[i]);
		}
		assert_int_equal(situs_heap_destroy(heap), 0);
		assert_int_equal(n_free(node), N_PAGES);
	}
}

static void an_empty_pool_is_refused_in_words(void **state)
{
	situs_heap_t *heap;

	(void)state;
	set_pools("0");
	heap = situs_heap_open("hugetlb:2M,node:1,strict");
	if (heap) {
		assert_null(situs_malloc(heap, 100 * KIB));
		assert_int_equal(errno, ENOMEM);
		situs_heap_destroy(heap);
	}
	print_message("# %s\n", situs_error());
	assert_non_null(strstr(situs_error(), "node"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(areas_use_their_nodes_pool_up_and_give_it_back, fill_pools,
			drain_pools),
		cmocka_unit_test_setup_teardown(heaps_use_their_nodes_pool_up_and_give_it_back, fill_pools,
			drain_pools),
		cmocka_unit_test(an_empty_pool_is_refused_in_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
