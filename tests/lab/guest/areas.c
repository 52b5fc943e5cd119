/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * areas.c - each policy of a Linux area does on several nodes what its name says.
 */
#include <errno.h>
#include <fcntl.h>
#include <numa.h>
#include <numaif.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "aml.h"
#include "situs.h"
#include "tests/lab/guest/lab.h"

#define SIZE (16 * MIB)

static struct aml_area *create(lab_nodes_t nodes, enum aml_area_linux_policy policy)
{
	struct bitmask *mask = numa_allocate_nodemask();
	struct aml_area *area = NULL;
	int err;

	for (int node = 0; node < LAB_MAX_NODES; node++)
		if (nodes >> node & 1)
			numa_bitmask_setbit(mask, (unsigned)node);
	err = aml_area_linux_create(&area, mask, policy);
	numa_free_nodemask(mask);
	if (err == -AML_ENOTSUP)
		lab_skip("this kernel lacks the policy");
	if (err)
		fail_msg("aml_area_linux_create: %s", situs_error());
	return area;
}

static void *map(const struct aml_area *area)
{
	void *ptr = aml_area_mmap(area, NULL, SIZE);

	if (!ptr || aml_area_commit(area, ptr, SIZE))
		fail_msg("%s", situs_error());
	return ptr;
}

static void lands_on_each_node(enum aml_area_linux_policy policy)
{
	for (int node = 0; node < lab_n_nodes(); node++) {
		lab_nodes_t mask = (lab_nodes_t)1 << node;
		struct aml_area *area = create(mask, policy);
		size_t inside, on_node[LAB_MAX_NODES] = {0};
		char *ptr = map(area);

		lab_fill(ptr, SIZE, 1);
		assert_int_equal(lab_astray(ptr, SIZE, mask, &inside), 0);
		assert_int_equal(inside, SIZE);
		assert_int_equal(lab_mapping_astray(ptr, mask, &inside), 0);
		assert_int_equal(aml_area_linux_check_binding(area, ptr, SIZE), 1);
		assert_int_equal(aml_area_locate(area, ptr, SIZE, on_node, LAB_MAX_NODES), 0);
		assert_int_equal(on_node[node], SIZE);
		assert_int_equal(aml_area_munmap(area, ptr, SIZE), 0);
		aml_area_linux_destroy(&area);
	}
}

static void bind_lands_on_each_node(void **state)
{
	(void)state;
	lands_on_each_node(AML_AREA_LINUX_POLICY_BIND);
}

static void preferred_lands_on_each_node_with_room(void **state)
{
	(void)state;
	lands_on_each_node(AML_AREA_LINUX_POLICY_PREFERRED);
}

static void preferred_many_lands_on_each_node_with_room(void **state)
{
	(void)state;
	lands_on_each_node(AML_AREA_LINUX_POLICY_PREFERRED_MANY);
}

static void strict_lands_on_each_node(void **state)
{
	(void)state;
	lands_on_each_node(AML_AREA_LINUX_POLICY_STRICT);
}

/* Bytes of a touched block of an area over all nodes, by node. */
static void shares(enum aml_area_linux_policy policy, size_t on_node[LAB_MAX_NODES])
{
	struct aml_area *area = create(((lab_nodes_t)1 << lab_n_nodes()) - 1, policy);
	void *ptr = map(area);

	/* A transparent huge page is one page to the interleaving. */
	madvise(ptr, SIZE, MADV_NOHUGEPAGE);
	lab_fill(ptr, SIZE, 1);
	lab_pages(ptr, SIZE, on_node);
	aml_area_munmap(area, ptr, SIZE);
	aml_area_linux_destroy(&area);
}

static void interleave_gives_each_node_the_same(void **state)
{
	size_t on_node[LAB_MAX_NODES] = {0}, share = SIZE / (size_t)lab_n_nodes();

	(void)state;
	shares(AML_AREA_LINUX_POLICY_INTERLEAVE, on_node);
	for (int node = 0; node < lab_n_nodes(); node++)
		assert_in_range(on_node[node], share - 8 * LAB_PAGE, share + 8 * LAB_PAGE);
}

static void weighted_interleave_follows_the_kernels_weights(void **state)
{
	size_t on_node[LAB_MAX_NODES] = {0}, share = SIZE / (size_t)(lab_n_nodes() + 3);
	const char *weight = "/sys/kernel/mm/mempolicy/weighted_interleave/node1";

	(void)state;
	if (lab_write(weight, "4"))
		lab_skip("this kernel has no weighted interleave");
	shares(AML_AREA_LINUX_POLICY_WEIGHTED_INTERLEAVE, on_node);
	assert_int_equal(lab_write(weight, "1"), 0);
	for (int node = 0; node < lab_n_nodes(); node++) {
		size_t want = share * (node == 1 ? 4 : 1);

		assert_in_range(on_node[node], want - 8 * LAB_PAGE, want + 8 * LAB_PAGE);
	}
}

static void a_heap_that_interleaves_gives_each_node_the_same(void **state)
{
	size_t on_node[LAB_MAX_NODES] = {0}, share = SIZE / (size_t)lab_n_nodes();
	char place[64];
	situs_heap_t *heap;
	void *block;

	(void)state;
	snprintf(place, sizeof(place), "node:0-%d,interleave,nothp", lab_n_nodes() - 1);
	heap = situs_heap_open(place);
	if (!heap)
		fail_msg("%s", situs_error());
	block = situs_malloc(heap, SIZE);
	assert_non_null(block);
	lab_fill(block, SIZE, 1);
	lab_pages(block, SIZE, on_node);
	for (int node = 0; node < lab_n_nodes(); node++)
		assert_in_range(on_node[node], share - 16 * LAB_PAGE, share + 16 * LAB_PAGE);
	assert_int_equal(situs_heap_destroy(heap), 0);
}

static void touch(void *ptr)
{
	lab_fill(ptr, SIZE, 1);
}

static void default_follows_the_thread_that_touches(void **state)
{
	(void)state;
	for (int node = 0; node < lab_n_nodes(); node++) {
		void *ptr;

		if (!lab_of_node("CPUS", node))
			continue;
		ptr = map(&aml_area_linux);
		lab_on_node(node, touch, ptr);
		assert_int_equal(lab_astray(ptr, SIZE, (lab_nodes_t)1 << node, NULL), 0);
		aml_area_munmap(&aml_area_linux, ptr, SIZE);
	}
}

static void check_binding_notices_one_page_astray(void **state)
{
	struct aml_area *area = create(2, AML_AREA_LINUX_POLICY_PREFERRED);
	char *ptr = map(area);
	void *page = ptr + SIZE / 2;
	int away = 0, status = -1;

	(void)state;
	lab_fill(ptr, SIZE, 1);
	assert_int_equal(aml_area_linux_check_binding(area, ptr, SIZE), 1);
	assert_int_equal(move_pages(0, 1, &page, &away, &status, MPOL_MF_MOVE), 0);
	assert_int_equal(status, 0);
	assert_int_equal(aml_area_linux_check_binding(area, ptr, SIZE), 0);
	aml_area_munmap(area, ptr, SIZE);
	aml_area_linux_destroy(&area);
}

static void move_takes_pages_and_policy_along(void **state)
{
	int last = lab_n_nodes() - 1;
	lab_nodes_t mask = (lab_nodes_t)1 << last;
	struct aml_area *from = create(1, AML_AREA_LINUX_POLICY_BIND);
	struct aml_area *to = create(mask, AML_AREA_LINUX_POLICY_BIND);
	char *ptr = map(from);
	size_t inside;

	(void)state;
	lab_fill(ptr, SIZE / 2, 7);
	assert_int_equal(aml_area_move(to, ptr, SIZE), 0);
	assert_int_equal(lab_astray(ptr, SIZE, mask, &inside), 0);
	assert_int_equal(inside, SIZE / 2);
	assert_true(lab_filled(ptr, SIZE / 2, 7));
	lab_fill(ptr + SIZE / 2, SIZE / 2, 8);
	assert_int_equal(lab_astray(ptr, SIZE, mask, NULL), 0);
	aml_area_munmap(to, ptr, SIZE);
	aml_area_linux_destroy(&from);
	aml_area_linux_destroy(&to);
}

/* A page that a pipe refers to is not moved by the kernel. */
static void a_move_that_cannot_be_whole_moves_nothing(void **state)
{
	lab_nodes_t first = 1, last = (lab_nodes_t)1 << (lab_n_nodes() - 1);
	struct aml_area *from = create(first, AML_AREA_LINUX_POLICY_BIND);
	struct aml_area *to = create(last, AML_AREA_LINUX_POLICY_BIND);
	char *ptr = map(from);
	struct iovec held = {ptr + SIZE / 2, 1};
	size_t inside;
	int ends[2];

	(void)state;
	lab_fill(ptr, SIZE, 7);
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(vmsplice(ends[1], &held, 1, 0), 1);
	assert_int_equal(aml_area_move(to, ptr, SIZE), -AML_EBUSY);
	assert_int_equal(lab_astray(ptr, SIZE, first, &inside), 0);
	assert_int_equal(inside, SIZE);
	assert_int_equal(aml_area_linux_check_binding(from, ptr, SIZE), 1);
	close(ends[0]);
	close(ends[1]);
	assert_int_equal(aml_area_move(to, ptr, SIZE), 0);
	assert_int_equal(aml_area_linux_check_binding(to, ptr, SIZE), 1);
	assert_true(lab_filled(ptr, SIZE, 7));
	aml_area_munmap(to, ptr, SIZE);
	aml_area_linux_destroy(&from);
	aml_area_linux_destroy(&to);
}

static void a_node_that_is_not_there_is_edom(void **state)
{
	struct bitmask *mask = numa_bitmask_alloc(1024);
	struct aml_area *area = NULL;

	(void)state;
	numa_bitmask_setbit(mask, (unsigned)lab_n_nodes());
	assert_int_equal(aml_area_linux_create(&area, mask, AML_AREA_LINUX_POLICY_BIND), -AML_EDOM);
	assert_null(area);
	numa_bitmask_free(mask);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bind_lands_on_each_node),
		cmocka_unit_test(preferred_lands_on_each_node_with_room),
		cmocka_unit_test(preferred_many_lands_on_each_node_with_room),
		cmocka_unit_test(strict_lands_on_each_node),
		cmocka_unit_test(interleave_gives_each_node_the_same),
		cmocka_unit_test(a_heap_that_interleaves_gives_each_node_the_same),
		cmocka_unit_test(weighted_interleave_follows_the_kernels_weights),
		cmocka_unit_test(default_follows_the_thread_that_touches),
		cmocka_unit_test(check_binding_notices_one_page_astray),
		cmocka_unit_test(move_takes_pages_and_policy_along),
		cmocka_unit_test(a_move_that_cannot_be_whole_moves_nothing),
		cmocka_unit_test(a_node_that_is_not_there_is_edom),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
