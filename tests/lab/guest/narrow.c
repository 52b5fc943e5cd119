/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * narrow.c - the node under a living heap goes away: the process's cpuset is narrowed, or the node's
 * memory is taken offline. The kernel moves the pages to where they may be; the heap must keep what
 * it holds, refuse new memory in words, go on freeing, and be destroyed.
 *
 * Arguments: the node, 2 unless told; `offline` where its memory is `hotplug` and can be taken away.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aml.h"
#include "situs.h"
#include "tests/lab/guest/lab.h"

enum { N_BLOCKS = 1500 };

static int node = 2;

struct load {
	situs_heap_t *heap;
	struct aml_area *area; /* beside the heap, nothing mapped from it */
	char *blocks[N_BLOCKS];
};

static size_t size_of(size_t i)
{
	return i % 50 ? 64 + i * 11 : MIB;
}

static lab_nodes_t home(void)
{
	return (lab_nodes_t)1 << node;
}

static size_t astray(const struct load *load, size_t *inside)
{
	static struct lab_census census;

	memset(&census, 0, sizeof(census));
	for (size_t i = 0; i < N_BLOCKS; i++)
		lab_census_add(&census, load->blocks[i], size_of(i));
	lab_census_end(&census);
	return lab_census_astray(&census, home(), inside);
}

static void open_load(struct load *load)
{
	char place[32];

	snprintf(place, sizeof(place), "node:%d,strict", node);
	load->heap = situs_heap_open(place);
	if (!load->heap)
		fail_msg("%s: %s", place, situs_error());
	assert_int_equal(aml_area_open(&load->area, place), 0);
	for (size_t i = 0; i < N_BLOCKS; i++) {
		load->blocks[i] = situs_malloc(load->heap, size_of(i));
		if (!load->blocks[i])
			fail_msg("%s", situs_error());
		lab_fill(load->blocks[i], size_of(i), i);
	}
	assert_int_equal(astray(load, NULL), 0);
}

/* Each place on the node, alone or with others, is refused in words that name the node; others open. */
static void assert_refused_by_name(void)
{
	static const struct {
		const char *before, *after;
	} places[] = {
		{"node:", ""}, {"node:", ",strict"}, {"node:0,", ",interleave"}, {"node:0,", ",weighted"},
		{"anon,node:", ",preferred"}, {"hugetlb:2M,node:", ""}, {"shm:lab,node:", ""},
		{"node:0,strict > node:", ",strict"},
	};
	char place[64], number[16];
	struct aml_area *area = NULL;

	snprintf(number, sizeof(number), "node %d", node);
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		snprintf(place, sizeof(place), "%s%d%s", places[i].before, node, places[i].after);
		assert_int_equal(aml_area_open(&area, place), -AML_EDOM);
		assert_null(area);
		if (!strstr(situs_error(), number))
			fail_msg("%s: \"%s\" is not named in: %s", place, number, situs_error());
		assert_null(situs_heap_open(place));
		assert_int_equal(errno, EDOM);
		assert_non_null(strstr(situs_error(), number));
	}
	print_message("# %s\n", situs_error());
	assert_int_equal(aml_area_open(&area, "node:0-1,interleave"), 0);
	aml_area_close(&area);
}

/* The node is gone: what must hold now. */
static void check_without_node(struct load *load)
{
	struct aml_area *area = NULL;
	situs_heap_t *other;
	char place[32];
	void *block;

	for (size_t i = 0; i < N_BLOCKS; i++)
		if (!lab_filled(load->blocks[i], size_of(i), i))
			fail_msg("block %zu lost its contents", i);
	errno = 0;
	block = situs_malloc(load->heap, 64 * MIB);
	assert_null(block);
	assert_int_equal(errno, ENOMEM);
	print_message("# %s\n", situs_error());
	assert_non_null(strstr(situs_error(), "node"));

	/* An area that is opened now is refused, and one that was opened before says where its node went. */
	snprintf(place, sizeof(place), "node:%d,strict", node);
	assert_int_equal(aml_area_open(&area, place), -AML_EDOM);
	print_message("# %s\n", situs_error());
	assert_null(aml_area_mmap(load->area, NULL, MIB));
	assert_int_equal(errno, EDOM);
	print_message("# %s\n", situs_error());
	assert_non_null(strstr(situs_error(), "offline"));

	other = situs_heap_open("node:0,strict");
	assert_non_null(other);
	block = situs_malloc(other, 8 * MIB);
	assert_non_null(block);
	lab_fill(block, 8 * MIB, 1);
	assert_int_equal(lab_astray(block, 8 * MIB, 1, NULL), 0);
	assert_int_equal(situs_heap_destroy(other), 0);
}

static void check_with_node_again(struct load *load)
{
	char *block = situs_malloc(load->heap, 64 * MIB);

	if (!block)
		fail_msg("%s", situs_error());
	lab_fill(block, 64 * MIB, 1);
	assert_int_equal(lab_astray(block, 64 * MIB, home(), NULL), 0);
	situs_free(block);
	for (size_t i = 0; i < N_BLOCKS; i++)
		situs_free(load->blocks[i]);
	assert_int_equal(situs_heap_destroy(load->heap), 0);
	block = aml_area_mmap(load->area, NULL, MIB);
	assert_non_null(block);
	assert_int_equal(aml_area_munmap(load->area, block, MIB), 0);
	aml_area_close(&load->area);
}

static void a_narrowed_cpuset_ends_in_refusals_not_in_a_crash(void **state)
{
	struct load load;
	struct aml_area *area = NULL;
	char all[16], place[32];

	(void)state;
	snprintf(all, sizeof(all), "0-%d", lab_n_nodes() - 1);
	snprintf(place, sizeof(place), "node:%d", node);
	lab_cgroup_enter();
	lab_cgroup_write("cpuset.mems", all);
	open_load(&load);
	lab_cgroup_write("cpuset.mems", "0-1");
	check_without_node(&load);
	assert_true(aml_area_open(&area, place) < 0);
	print_message("# %s\n", situs_error());
	lab_cgroup_write("cpuset.mems", all);
	check_with_node_again(&load);
}

static void a_place_outside_the_cpuset_is_refused_by_name(void **state)
{
	struct aml_area *area = NULL;
	char place[32], number[8];

	(void)state;
	snprintf(place, sizeof(place), "node:%d", node);
	snprintf(number, sizeof(number), "%d", node);
	lab_cgroup_enter();
	lab_cgroup_write("cpuset.mems", "0-1");
	assert_int_equal(aml_area_open(&area, place), -AML_EDOM);
	assert_non_null(strstr(situs_error(), number));
	assert_null(situs_heap_open(place));
	assert_int_equal(aml_area_open(&area, "node:1,strict"), 0);
	aml_area_close(&area);
}

/* Writes `state` to every memory block of the node; the number of blocks that took it. */
static int set_memory(const char *state)
{
	char path[320];
	struct dirent *entry;
	DIR *folder;
	int n = 0;

	snprintf(path, sizeof(path), "/sys/devices/system/node/node%d", node);
	folder = opendir(path);
	if (!folder)
		return 0;
	while ((entry = readdir(folder))) {
		if (strncmp(entry->d_name, "memory", 6) || !strchr("0123456789", entry->d_name[6]))
			continue;
		snprintf(path, sizeof(path), "/sys/devices/system/node/node%d/%.200s/state", node, entry->d_name);
		n += !lab_write(path, state);
	}
	closedir(folder);
	return n;
}

static void memory_taken_offline_ends_in_refusals_not_in_a_crash(void **state)
{
	struct load load;
	size_t inside;
	int n;

	(void)state;
	open_load(&load);
	n = set_memory("offline");
	assert_int_equal(n, lab_of_node("MEMORY", node) / (128 * MIB));
	assert_true(astray(&load, &inside) > 0);
	assert_int_equal(inside, 0);
	check_without_node(&load);
	assert_refused_by_name();
	assert_int_equal(set_memory("online_movable"), n);
	check_with_node_again(&load);
}

static void a_place_whose_memory_is_offline_is_refused_by_name(void **state)
{
	struct aml_area *area = NULL;
	char place[32], *ptr;
	int n;

	(void)state;
	snprintf(place, sizeof(place), "node:%d,strict", node);
	n = set_memory("offline");
	assert_int_equal(n, lab_of_node("MEMORY", node) / (128 * MIB));
	assert_refused_by_name();
	assert_int_equal(set_memory("online_movable"), n);
	/* It is there again, also for a process that has asked before. */
	if (aml_area_open(&area, place))
		fail_msg("%s", situs_error());
	ptr = aml_area_mmap(area, NULL, 8 * MIB);
	assert_non_null(ptr);
	assert_int_equal(lab_astray(ptr, 8 * MIB, home(), NULL), 0);
	assert_int_equal(aml_area_munmap(area, ptr, 8 * MIB), 0);
	aml_area_close(&area);
}

static int leave(void **state)
{
	(void)state;
	lab_cgroup_leave();
	return 0;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest narrowed[] = {
		cmocka_unit_test_teardown(a_place_outside_the_cpuset_is_refused_by_name, leave),
		cmocka_unit_test_teardown(a_narrowed_cpuset_ends_in_refusals_not_in_a_crash, leave),
	};
	const struct CMUnitTest offline[] = {
		cmocka_unit_test(a_place_whose_memory_is_offline_is_refused_by_name),
		cmocka_unit_test(memory_taken_offline_ends_in_refusals_not_in_a_crash),
	};

	if (argc > 1)
		node = atoi(argv[1]);
	if (argc > 2 && !strcmp(argv[2], "offline"))
		return cmocka_run_group_tests(offline, NULL, NULL);
	return cmocka_run_group_tests(narrowed, NULL, NULL);
}
