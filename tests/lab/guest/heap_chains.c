/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * heap_chains.c - heaps whose areas are chains, limits, strict or huge pages are migrated and put in order
 * between two nodes. The kernel's own account of each page is the witness.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lab/guest/lab_blocks.h"
#include "tests/lab/guest/lab_full.h"

enum { N_BLOCKS = 48 };
#define BLOCK LAB_BLOCK
#define ALL (N_BLOCKS * BLOCK)

/* Bytes of the pages of blocks [from, to) on a node. */
static size_t on_node(char *blocks[N_BLOCKS], int from, int to, int node)
{
	struct lab_census census = {{0}, {NULL}, 0, 0};

	for (int i = from; i < to; i++)
		lab_census_add(&census, blocks[i], BLOCK);
	lab_census_end(&census);
	return census.on_node[node];
}

/* Of the case that is running; given back after it, also where it fails. */
static struct lab_full full;

static int short_lists(void **state)
{
	(void)state;
	lab_lists(LAB_LISTS_SHORT);
	return 0;
}

static int usual_lists(void **state)
{
	(void)state;
	lab_lists(LAB_LISTS_USUAL);
	return 0;
}

static int tidy_up(void **state)
{
	lab_pin(-1);
	lab_full_end(&full);
	return short_lists(state);
}

/* A page that the kernel holds just then stays behind and is said to be busy; it goes when it is asked again. */
static void migrate(situs_heap_t *heap, const struct aml_area *to)
{
	int err = -EBUSY;

	for (int tries = 0; tries < 20 && err == -EBUSY; tries++)
		err = situs_heap_migrate(heap, to, NULL, NULL);
	if (err != 0) {
		lab_tell_free();
		fail_msg("%s", situs_error());
	}
}

/* The same for a page that holds back a step. */
static void put_in_order(situs_heap_t *heap)
{
	int n = situs_heap_rebalance(heap, NULL, NULL);

	if (n <= 0) {
		lab_tell_free();
		fail_msg("%d: %s", n, situs_error());
	}
	for (int tries = 0; tries < 20 && n > 0; tries++)
		n = situs_heap_rebalance(heap, NULL, NULL);
	assert_true(n >= 0);
}

static void what_spilled_comes_home_when_the_node_has_room(void **state)
{
	struct aml_area *chain = lab_open("node:0,strict > node:1,strict");
	situs_heap_t *heap = lab_heap_over(chain);
	char *blocks[N_BLOCKS];
	size_t on_link[2];

	(void)state;
	lab_full_begin(&full, 0, 16 * MIB);
	lab_blocks_fill(heap, blocks, N_BLOCKS);
	assert_true(on_node(blocks, 0, N_BLOCKS, 1) > ALL / 4);
	assert_int_equal(situs_heap_links(heap, on_link, 2), 2);
	assert_true(on_link[1] >= on_node(blocks, 0, N_BLOCKS, 1) - 2 * MIB);
	lab_full_end(&full);
	put_in_order(heap);
	assert_int_equal(on_node(blocks, 0, N_BLOCKS, 1), 0);
	assert_int_equal(situs_heap_links(heap, on_link, 2), 2);
	assert_int_equal(on_link[1], 0);
	assert_int_equal(aml_area_link(chain, blocks[N_BLOCKS - 1]), 0);
	lab_blocks_check(blocks, N_BLOCKS);
	situs_heap_destroy(heap);
	aml_area_close(&chain);
}

static void hot_extents_come_first_and_cold_ones_make_room(void **state)
{
	struct aml_area *chain = lab_open("node:0,strict > node:1,strict");
	situs_heap_t *heap = lab_heap_over(chain);
	char *blocks[N_BLOCKS];
	int last = N_BLOCKS - 1;

	(void)state;
	lab_full_begin(&full, 0, 24 * MIB);
	lab_blocks_fill(heap, blocks, N_BLOCKS);
	/* The first blocks came where there was room. */
	assert_true(on_node(blocks, 0, 4, 0) > 2 * MIB);
	assert_true(on_node(blocks, last - 7, last + 1, 1) > 7 * MIB);
	for (int i = 0; i < N_BLOCKS; i++)
		assert_int_equal(situs_hint(blocks[i], BLOCK,
			i > last - 8 ? SITUS_HINT_HOT : SITUS_HINT_COLD), 0);
	put_in_order(heap);
	assert_true(on_node(blocks, last - 7, last + 1, 0) >= 8 * MIB);
	assert_true(on_node(blocks, 0, 4, 1) > 2 * MIB);
	lab_blocks_check(blocks, N_BLOCKS);
	lab_full_end(&full);
	situs_heap_destroy(heap);
	aml_area_close(&chain);
}

/* What lies on each link by the chain's books lies on its node by the kernel's. */
static void a_heap_moves_into_a_chain_as_far_as_each_link_has_room(void **state)
{
	struct aml_area *from = lab_open("node:0"), *chain = lab_open("node:1,strict > node:0,strict");
	struct situs_migration account = {.struct_size = sizeof(account)};
	situs_heap_t *heap = lab_heap_over(from);
	char *blocks[N_BLOCKS];
	size_t on_link[2];

	(void)state;
	lab_blocks_fill(heap, blocks, N_BLOCKS);
	lab_full_begin(&full, 1, 16 * MIB);
	migrate(heap, chain);
	assert_int_equal(situs_heap_links(heap, on_link, 2), 2);
	assert_true(on_link[0] > 4 * MIB && on_link[1] > 4 * MIB);
	for (int i = 0; i < N_BLOCKS; i++) {
		size_t bytes[LAB_MAX_NODES] = {0};
		char *middle = (char *)(((uintptr_t)blocks[i] + BLOCK / 2) & ~(LAB_PAGE - 1));
		int link = aml_area_link(chain, middle);

		lab_pages(middle, LAB_PAGE, bytes);
		assert_true(link >= 0);
		assert_int_equal(bytes[link == 0 ? 1 : 0], LAB_PAGE);
	}
	assert_int_equal(situs_heap_migration(heap, &account), 0);
	assert_true(account.moved > 4 * MIB && account.moved + account.already >= ALL);
	assert_int_equal(account.no_room + account.busy + account.other, 0);
	lab_blocks_check(blocks, N_BLOCKS);
	lab_full_end(&full);
	situs_heap_destroy(heap);
	aml_area_close(&from);
	aml_area_close(&chain);
}

/* By a thread of the other node, whose list has then what it gave back. */
static void give_back(void *arg)
{
	(void)arg;
	for (int i = 0; i < 9; i++)
		assert_true(lab_full_give(&full));
}

/*
 * 48 MiB go, and 12 that a strict area owes for what lies around them, where some 40 are free at most: of 88 that
 * were given back the rest lies on a list that the kernel empties for reclaim's sake only.
 */
static void what_lies_on_a_processors_list_is_room_too(void **state)
{
	static const char *const places[] = {"node:1,bind,nothp", "node:1,strict",
		"node:1,strict > node:1,preferred,nothp"};

	(void)state;
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		struct aml_area *from = lab_open("node:0,nothp"), *to = lab_open(places[i]);
		situs_heap_t *heap = lab_heap_over(from);
			char *blocks[N_BLOCKS];

		lab_blocks_fill(heap, blocks, N_BLOCKS);
		lab_full_begin(&full, 1, 16 * MIB);
		lab_lists(LAB_LISTS_LONG);
		lab_on_node(0, give_back, NULL);
		lab_pin(1);
		migrate(heap, to);
		lab_pin(-1);
		lab_lists(LAB_LISTS_SHORT);
		assert_int_equal(on_node(blocks, 0, N_BLOCKS, 0), 0);
		lab_blocks_check(blocks, N_BLOCKS);
		situs_heap_destroy(heap);
		lab_full_end(&full);
		aml_area_close(&from);
		aml_area_close(&to);
	}
}

/* Nothing moves here, so that whoever makes the pages has to find those on the list. */
static void pages_that_are_owed_find_a_processors_list_too(void **state)
{
	struct aml_area *from = lab_open("node:0,nothp"), *to = lab_open("node:1,strict");
	size_t size = 56 * MIB, bytes[LAB_MAX_NODES] = {0};
	situs_heap_t *heap = lab_heap_over(from);
	char *block = situs_malloc(heap, size);

	(void)state;
	assert_non_null(block);
	lab_full_begin(&full, 1, 16 * MIB);
	lab_lists(LAB_LISTS_LONG);
	lab_on_node(0, give_back, NULL);
	lab_pin(1);
	migrate(heap, to);
	lab_pages((void *)((uintptr_t)block & ~(LAB_PAGE - 1)), size, bytes);
	assert_int_equal(bytes[1], size);
	situs_heap_destroy(heap);
	aml_area_close(&from);
	aml_area_close(&to);
}

static void a_chain_moves_as_a_whole_to_one_node(void **state)
{
	struct aml_area *chain = lab_open("node:0,strict > node:1,strict"), *to = lab_open("node:1");
	situs_heap_t *heap = lab_heap_over(chain);
	char *blocks[N_BLOCKS];

	(void)state;
	lab_full_begin(&full, 0, 24 * MIB);
	lab_blocks_fill(heap, blocks, N_BLOCKS);
	assert_true(on_node(blocks, 0, N_BLOCKS, 0) > 4 * MIB);
	migrate(heap, to);
	assert_int_equal(on_node(blocks, 0, N_BLOCKS, 0), 0);
	assert_int_equal(aml_area_link(chain, blocks[0]), -AML_EDOM);
	lab_blocks_check(blocks, N_BLOCKS);
	lab_full_end(&full);
	situs_heap_destroy(heap);
	aml_area_close(&chain);
	aml_area_close(&to);
}

static void limits_are_no_hindrance(void **state)
{
	struct aml_area *from = lab_open("node:0,limit:200M"), *to = lab_open("node:1,strict,limit:200M");
	struct aml_area_info info = {.struct_size = sizeof(info)};
	situs_heap_t *heap = lab_heap_over(from);
	char *blocks[N_BLOCKS];

	(void)state;
	lab_blocks_fill(heap, blocks, N_BLOCKS);
	migrate(heap, to);
	assert_int_equal(on_node(blocks, 0, N_BLOCKS, 0), 0);
	assert_int_equal(aml_area_info(to, &info), AML_SUCCESS);
	assert_true(info.available < 200 * MIB - ALL);
	migrate(heap, from);
	assert_int_equal(on_node(blocks, 0, N_BLOCKS, 1), 0);
	assert_int_equal(aml_area_info(to, &info), AML_SUCCESS);
	assert_int_equal(info.available, 200 * MIB);
	lab_blocks_check(blocks, N_BLOCKS);
	situs_heap_destroy(heap);
	aml_area_close(&from);
	aml_area_close(&to);
}

static void pages_that_a_strict_area_owes_are_made_on_its_node(void **state)
{
	struct aml_area *from = lab_open("node:0"), *to = lab_open("node:1,strict");
	situs_heap_t *heap = lab_heap_over(from);
	char *block = situs_malloc(heap, 16 * MIB);
	size_t bytes[LAB_MAX_NODES] = {0};

	(void)state;
	lab_pages(block, 16 * MIB, bytes);
	assert_true(bytes[0] + bytes[1] < 2 * LAB_PAGE);
	migrate(heap, to);
	memset(bytes, 0, sizeof(bytes));
	lab_pages((void *)((uintptr_t)block & ~(LAB_PAGE - 1)), 16 * MIB, bytes);
	assert_int_equal(bytes[1], 16 * MIB);
	situs_heap_destroy(heap);
	aml_area_close(&from);
	aml_area_close(&to);
}

static void the_account_is_by_node(void **state)
{
	struct aml_area *zero = lab_open("node:0"), *one = lab_open("node:1,strict");
	struct situs_migration_node nodes[4] = {{0}};
	situs_heap_t *heap = lab_heap_over(zero);
	char *blocks[N_BLOCKS];
	size_t behind;

	(void)state;
	assert_int_equal(situs_heap_migration_nodes(heap, nodes, 4), 0);
	lab_blocks_fill(heap, blocks, N_BLOCKS);
	lab_full_begin(&full, 1, 16 * MIB);
	assert_int_equal(situs_heap_migrate(heap, one, NULL, NULL), -ENOMEM);
	assert_int_equal(situs_heap_migration_nodes(heap, nodes, 4), 2);
	assert_int_equal(nodes[0].node, 0);
	assert_int_equal(nodes[1].node, 1);
	assert_int_equal(nodes[0].moved + nodes[0].already, 0);
	assert_int_equal(nodes[1].no_room + nodes[1].busy + nodes[1].other, 0);
	behind = nodes[0].no_room + nodes[0].busy + nodes[0].other;
	assert_true(behind >= on_node(blocks, 0, N_BLOCKS, 0) - 2 * MIB && behind > 4 * MIB);
	assert_true(nodes[1].moved + nodes[1].already >= on_node(blocks, 0, N_BLOCKS, 1) - 2 * MIB);
	/* Back, with what had gone. */
	migrate(heap, zero);
	assert_int_equal(on_node(blocks, 0, N_BLOCKS, 1), 0);
	assert_int_equal(situs_heap_migration_nodes(heap, nodes, 4), 1);
	lab_blocks_check(blocks, N_BLOCKS);
	lab_full_end(&full);
	situs_heap_destroy(heap);
	aml_area_close(&zero);
	aml_area_close(&one);
}

static void set_pools(const char *n)
{
	for (int node = 0; node < 2; node++) {
		char path[128];

		snprintf(path, sizeof(path),
			"/sys/devices/system/node/node%d/hugepages/hugepages-2048kB/nr_hugepages", node);
		assert_int_equal(lab_write(path, n), 0);
	}
}

static void huge_pages_move_to_huge_pages(void **state)
{
	enum { N = 8, SIZE = 3 << 19 }; /* 1.5 MiB */
	struct aml_area *from, *to, *base = lab_open("node:1");
	char *blocks[N];
	situs_heap_t *heap;

	(void)state;
	set_pools("32");
	from = lab_open("hugetlb:2M,node:0,strict");
	to = lab_open("hugetlb:2M,node:1,strict");
	heap = lab_heap_over(from);
	for (int i = 0; i < N; i++) {
		blocks[i] = situs_malloc(heap, SIZE);
		assert_non_null(blocks[i]);
		lab_fill(blocks[i], SIZE, (uint64_t)i);
		assert_int_equal(lab_mapping_astray(blocks[i], 1, NULL), 0);
	}
	migrate(heap, to);
	for (int i = 0; i < N; i++) {
		assert_int_equal(lab_mapping_astray(blocks[i], 2, NULL), 0);
		assert_true(lab_filled(blocks[i], SIZE, (uint64_t)i));
	}
	assert_int_equal(situs_heap_migrate(heap, base, NULL, NULL), -ENOTSUP);
	assert_non_null(strstr(situs_error(), "impossible"));
	for (int i = 0; i < N; i++)
		situs_free(blocks[i]);
	assert_non_null(situs_malloc(heap, SIZE));
	situs_heap_destroy(heap);
	aml_area_close(&from);
	aml_area_close(&to);
	aml_area_close(&base);
	set_pools("0");
}

static void a_target_that_is_not_allowed_any_more_is_refused(void **state)
{
	struct aml_area *from = lab_open("node:0"), *to = lab_open("node:1");
	situs_heap_t *heap = lab_heap_over(from);
	char *blocks[N_BLOCKS];

	(void)state;
	lab_blocks_fill(heap, blocks, N_BLOCKS);
	lab_cgroup_enter();
	lab_cgroup_write("cpuset.mems", "0");
	assert_int_equal(situs_heap_migrate(heap, to, NULL, NULL), -EDOM);
	assert_non_null(strstr(situs_error(), "not among the nodes this process may use"));
	lab_cgroup_leave();
	assert_ptr_equal(situs_area_of(blocks[0]), from);
	assert_int_equal(on_node(blocks, 0, N_BLOCKS, 1), 0);
	migrate(heap, to);
	assert_int_equal(on_node(blocks, 0, N_BLOCKS, 0), 0);
	lab_blocks_check(blocks, N_BLOCKS);
	situs_heap_destroy(heap);
	aml_area_close(&from);
	aml_area_close(&to);
}

int main(int argc, char **argv)
{
	if (argc > 1)
		cmocka_set_test_filter(argv[1]);

	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(what_spilled_comes_home_when_the_node_has_room, tidy_up),
		cmocka_unit_test_teardown(hot_extents_come_first_and_cold_ones_make_room, tidy_up),
		cmocka_unit_test_teardown(a_heap_moves_into_a_chain_as_far_as_each_link_has_room, tidy_up),
		cmocka_unit_test_teardown(what_lies_on_a_processors_list_is_room_too, tidy_up),
		cmocka_unit_test_teardown(pages_that_are_owed_find_a_processors_list_too, tidy_up),
		cmocka_unit_test_teardown(a_chain_moves_as_a_whole_to_one_node, tidy_up),
		cmocka_unit_test_teardown(limits_are_no_hindrance, tidy_up),
		cmocka_unit_test_teardown(pages_that_a_strict_area_owes_are_made_on_its_node, tidy_up),
		cmocka_unit_test_teardown(the_account_is_by_node, tidy_up),
		cmocka_unit_test_teardown(huge_pages_move_to_huge_pages, tidy_up),
		cmocka_unit_test_teardown(a_target_that_is_not_allowed_any_more_is_refused, tidy_up),
	};

	return cmocka_run_group_tests_name("heaps in chains", tests, short_lists, usual_lists);
}
