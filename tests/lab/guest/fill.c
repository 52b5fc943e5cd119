/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fill.c - what areas do when their node runs full: strict ones refuse, preferred ones spill. That
 * nothing was killed is checked by the runner.
 *
 * Argument: the node, 2 unless told.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "aml.h"
#include "situs.h"
#include "tests/lab/guest/lab.h"

enum { MAX_BLOCKS = 512 };
#define BLOCK (8 * MIB)

static int node = 2;

/* Opens the place "node:N" followed by `rest`. */
static struct aml_area *open_place(const char *rest)
{
	struct aml_area *area = NULL;
	char place[64];

	snprintf(place, sizeof(place), "node:%d%s", node, rest);
	if (aml_area_open(&area, place))
		fail_msg("%s: %s", place, situs_error());
	return area;
}

static void assert_refused(void)
{
	char here[32];

	snprintf(here, sizeof(here), "node %d", node);
	assert_int_equal(errno, ENOMEM);
	assert_int_equal(aml_errno, AML_ENOMEM);
	if (!strstr(situs_error(), here) || !strstr(situs_error(), "left"))
		fail_msg("no node, or nothing left, in: %s", situs_error());
}

/* Maps and fills blocks until the area refuses or there are `max`. */
static size_t map_blocks(const struct aml_area *area, char **blocks, size_t max)
{
	size_t n = 0;

	for (; n < max; n++) {
		blocks[n] = aml_area_mmap(area, NULL, BLOCK);
		if (!blocks[n])
			break;
		lab_fill(blocks[n], BLOCK, n);
	}
	return n;
}

static size_t count_astray(char **blocks, size_t n)
{
	size_t astray = 0;

	for (size_t i = 0; i < n; i++)
		astray += lab_astray(blocks[i], BLOCK, (lab_nodes_t)1 << node, NULL);
	return astray;
}

static void unmap_blocks(const struct aml_area *area, char **blocks, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		assert_true(lab_filled(blocks[i], BLOCK, i));
		assert_int_equal(aml_area_munmap(area, blocks[i], BLOCK), 0);
	}
}

static void end_in_null_and_all_is_usable_again(const char *options)
{
	struct aml_area *area = open_place(options);
	size_t room = lab_free(node), had[2];
	char *blocks[MAX_BLOCKS];

	for (int round = 0; round < 2; round++) {
		had[round] = map_blocks(area, blocks, MAX_BLOCKS);
		assert_refused();
		print_message("# %zu MiB of %zu MiB free: %s\n", had[round] * BLOCK / MIB, room / MIB,
			situs_error());
		assert_int_equal(count_astray(blocks, had[round]), 0);
		unmap_blocks(area, blocks, had[round]);
	}
	assert_true(had[0] * BLOCK >= room * 4 / 5);
	assert_in_range(had[1], had[0] * 19 / 20, MAX_BLOCKS);
	aml_area_close(&area);
}

static void strict_mappings_end_in_null_and_all_is_usable_again(void **state)
{
	(void)state;
	end_in_null_and_all_is_usable_again(",strict");
}

static void strict_huge_mappings_end_in_null_and_all_is_usable_again(void **state)
{
	(void)state;
	if (access("/sys/kernel/mm/transparent_hugepage/enabled", F_OK) != 0)
		lab_skip("this kernel has no transparent huge pages");
	end_in_null_and_all_is_usable_again(",strict,thp");
}

struct filler {
	struct aml_area *area;
	char *blocks[MAX_BLOCKS];
	size_t n;
	int code;
};

static void *map_until_refused(void *arg)
{
	struct filler *filler = arg;

	filler->n = map_blocks(filler->area, filler->blocks, MAX_BLOCKS);
	filler->code = aml_errno;
	return NULL;
}

static void two_strict_areas_filled_by_two_threads_both_end_in_null(void **state)
{
	static struct filler fillers[2];
	size_t room = lab_free(node);
	pthread_t threads[2];

	(void)state;
	for (int i = 0; i < 2; i++)
		fillers[i].area = open_place(",strict");
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, map_until_refused, &fillers[i]), 0);
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(fillers[i].code, AML_ENOMEM);
		assert_in_range(fillers[i].n, 1, MAX_BLOCKS - 1);
		assert_int_equal(count_astray(fillers[i].blocks, fillers[i].n), 0);
	}
	assert_true((fillers[0].n + fillers[1].n) * BLOCK >= room * 4 / 5);
	for (int i = 0; i < 2; i++) {
		unmap_blocks(fillers[i].area, fillers[i].blocks, fillers[i].n);
		aml_area_close(&fillers[i].area);
	}
}

struct committer {
	const struct aml_area *area;
	char *start;
	size_t done; /* bytes committed and filled */
	int err;
};

static void *commit_until_refused(void *arg)
{
	enum { STEP = 192 << 10 }; /* of an odd size: slabs and large blocks mixed */
	struct committer *committer = arg;

	while (committer->done + STEP <= GIB) {
		committer->err = aml_area_commit(committer->area, committer->start + committer->done, STEP);
		if (committer->err)
			break;
		lab_fill(committer->start + committer->done, STEP, committer->done);
		committer->done += STEP;
	}
	return NULL;
}

static void strict_commits_of_four_threads_end_in_enomem(void **state)
{
	enum { N_THREADS = 4 };
	struct aml_area *area = open_place(",strict");
	struct committer committers[N_THREADS] = {{0}};
	pthread_t threads[N_THREADS];
	size_t room = lab_free(node), sum = 0;

	(void)state;
	for (int i = 0; i < N_THREADS; i++) {
		committers[i] = (struct committer){.area = area};
		committers[i].start = aml_area_reserve(area, NULL, GIB);
		assert_non_null(committers[i].start);
		assert_int_equal(pthread_create(&threads[i], NULL, commit_until_refused, &committers[i]), 0);
	}
	for (int i = 0; i < N_THREADS; i++)
		pthread_join(threads[i], NULL);
	for (int i = 0; i < N_THREADS; i++) {
		assert_int_equal(committers[i].err, -AML_ENOMEM);
		assert_int_equal(lab_astray(committers[i].start, GIB, (lab_nodes_t)1 << node, NULL), 0);
		for (size_t at = 0; at < committers[i].done; at += 192 * KIB)
			assert_true(lab_filled(committers[i].start + at, 192 * KIB, at));
		sum += committers[i].done;
	}
	assert_true(sum >= room * 4 / 5);
	for (int i = 0; i < N_THREADS; i++)
		assert_int_equal(aml_area_decommit(area, committers[i].start, GIB), 0);
	assert_true(lab_free(node) >= room * 19 / 20);
	for (int i = 0; i < N_THREADS; i++)
		assert_int_equal(aml_area_munmap(area, committers[i].start, GIB), 0);
	aml_area_close(&area);
}

/* Splits what huge pages there are of which parts were given back, as memory pressure does. */
static void drop_caches(void)
{
	assert_int_equal(lab_write("/proc/sys/vm/drop_caches", "2"), 0);
}

static void committed_pages_never_written_stay_under_pressure(void **state)
{
	struct aml_area *area = open_place(",strict");
	size_t size = 32 * MIB, inside;
	char *ptr = aml_area_reserve(area, NULL, size);

	(void)state;
	assert_non_null(ptr);
	assert_int_equal(aml_area_commit(area, ptr, size), 0);
	for (size_t at = 0; at < size; at += 2 * MIB)
		assert_int_equal(aml_area_decommit(area, ptr + at, LAB_PAGE), 0);
	drop_caches();
	assert_int_equal(lab_astray(ptr, size, (lab_nodes_t)1 << node, &inside), 0);
	assert_int_equal(inside, size - size / (2 * MIB) * LAB_PAGE);
	assert_int_equal(aml_area_munmap(area, ptr, size), 0);
	aml_area_close(&area);
}

static void preferred_spills_to_other_nodes(void **state)
{
	struct aml_area *area = open_place(",preferred");
	size_t max = lab_of_node("MEMORY", node) / BLOCK + 8, astray;
	char *blocks[MAX_BLOCKS];
	size_t n = map_blocks(area, blocks, max);

	(void)state;
	assert_int_equal(n, max);
	astray = count_astray(blocks, n);
	assert_in_range(astray, BLOCK, n * BLOCK / 2);
	unmap_blocks(area, blocks, n);
	aml_area_close(&area);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(strict_mappings_end_in_null_and_all_is_usable_again),
		cmocka_unit_test(strict_huge_mappings_end_in_null_and_all_is_usable_again),
		cmocka_unit_test(two_strict_areas_filled_by_two_threads_both_end_in_null),
		cmocka_unit_test(strict_commits_of_four_threads_end_in_enomem),
		cmocka_unit_test(committed_pages_never_written_stay_under_pressure),
		cmocka_unit_test(preferred_spills_to_other_nodes),
	};

	if (argc > 1)
		node = atoi(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
