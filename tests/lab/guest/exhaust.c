/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * exhaust.c - a strict heap on one node is filled until it says no: NULL, ENOMEM and a sentence, no
 * page elsewhere, nothing lost, and all of it usable again after frees. That nothing was killed is
 * checked by the runner, from the kernel's log.
 *
 * Argument: the node, 2 unless told.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "situs.h"
#include "tests/lab/guest/lab.h"

enum { MAX_THREADS = 4 };

static int node = 2;
static size_t room_at_start;
static situs_heap_t *heap;

struct filler {
	situs_heap_t *heap;
	size_t block_size, n, max;
	char **blocks;
	int err;          /* errno of the refusal; 0: none came */
	char words[512];  /* situs_error() of the refusal */
	pthread_t thread;
};

/* The list of blocks stays out of malloc, and off the node. */
static char **new_list(size_t max)
{
	void *list = mmap(NULL, max * sizeof(char *), PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	assert_ptr_not_equal(list, MAP_FAILED);
	return list;
}

static void *fill(void *arg)
{
	struct filler *filler = arg;

	filler->err = 0;
	for (; filler->n < filler->max; filler->n++) {
		char *block = situs_malloc(filler->heap, filler->block_size);

		if (!block) {
			filler->err = errno;
			snprintf(filler->words, sizeof(filler->words), "%s", situs_error());
			break;
		}
		lab_fill(block, filler->block_size, filler->n);
		filler->blocks[filler->n] = block;
	}
	return NULL;
}

static void *empty(void *arg)
{
	struct filler *filler = arg;

	for (size_t i = 0; i < filler->n; i++)
		situs_free(filler->blocks[i]);
	filler->n = 0;
	return NULL;
}

static void run_all(struct filler *fillers, size_t n_threads, void *(*fn)(void *))
{
	for (size_t i = 0; i < n_threads; i++)
		assert_int_equal(pthread_create(&fillers[i].thread, NULL, fn, &fillers[i]), 0);
	for (size_t i = 0; i < n_threads; i++)
		pthread_join(fillers[i].thread, NULL);
}

/* Bytes that were had. */
static size_t check_filled(struct filler *fillers, size_t n_threads)
{
	static struct lab_census census;
	lab_nodes_t home = (lab_nodes_t)1 << node;
	size_t sum = 0, inside;
	char here[32];

	memset(&census, 0, sizeof(census));
	snprintf(here, sizeof(here), "node %d", node);
	for (size_t i = 0; i < n_threads; i++) {
		struct filler *filler = &fillers[i];

		assert_int_equal(filler->err, ENOMEM);
		if (!strstr(filler->words, here) || !strstr(filler->words, "left"))
			fail_msg("no node, or nothing left, in: %s", filler->words);
		for (size_t k = 0; k < filler->n; k++) {
			lab_census_add(&census, filler->blocks[k], filler->block_size);
			if (!lab_filled(filler->blocks[k], filler->block_size, k))
				fail_msg("block %zu of thread %zu lost its contents", k, i);
		}
		sum += filler->n * filler->block_size;
	}
	lab_census_end(&census);
	assert_int_equal(lab_census_astray(&census, home, NULL), 0);
	if (fillers[0].n)
		assert_int_equal(lab_mapping_astray(fillers[0].blocks[0], home, &inside), 0);
	return sum;
}

static int close_heap(void **state)
{
	(void)state;
	return situs_heap_destroy(heap);
}

static void fills_up_twice(size_t block_size, size_t n_threads)
{
	struct filler fillers[MAX_THREADS] = {{0}};
	size_t room = lab_free(node), had[2];
	char place[32];

	snprintf(place, sizeof(place), "node:%d,strict", node);
	heap = situs_heap_open(place);
	if (!heap)
		fail_msg("%s: %s", place, situs_error());
	for (size_t i = 0; i < n_threads; i++) {
		fillers[i] = (struct filler){.heap = heap, .block_size = block_size, .max = 2 * GIB / block_size};
		fillers[i].blocks = new_list(fillers[i].max);
	}
	for (int round = 0; round < 2; round++) {
		run_all(fillers, n_threads, fill);
		/* Threads race for the last bytes; what one of them left is had alone. */
		fill(&fillers[0]);
		had[round] = check_filled(fillers, n_threads);
		print_message("# %zu-byte blocks, %zu threads, round %d: %zu MiB of %zu MiB free: %s\n", block_size,
			n_threads, round + 1, had[round] / MIB, room / MIB, fillers[0].words);
		run_all(fillers, n_threads, empty);
	}
	/* A 32 MiB block may miss by nearly its size, and each thread may hold one more of them. */
	assert_true(had[0] >= room * 4 / 5);
	assert_true(had[1] + 2 * block_size * n_threads >= had[0] * 19 / 20);
	for (size_t i = 0; i < n_threads; i++)
		munmap(fillers[i].blocks, fillers[i].max * sizeof(char *));
}

static void destroyed_heaps_gave_the_node_back(void **state)
{
	(void)state;
	assert_true(lab_free(node) >= room_at_start * 19 / 20);
}

static void small_blocks_from_one_thread_end_in_null(void **state)
{
	(void)state;
	fills_up_twice(3000, 1);
}

static void small_blocks_from_four_threads_end_in_null(void **state)
{
	(void)state;
	fills_up_twice(3000, 4);
}

static void blocks_of_1_mib_from_one_thread_end_in_null(void **state)
{
	(void)state;
	fills_up_twice(MIB, 1);
}

static void blocks_of_1_mib_from_four_threads_end_in_null(void **state)
{
	(void)state;
	fills_up_twice(MIB, 4);
}

static void blocks_of_32_mib_from_one_thread_end_in_null(void **state)
{
	(void)state;
	fills_up_twice(32 * MIB, 1);
}

static void blocks_of_32_mib_from_four_threads_end_in_null(void **state)
{
	(void)state;
	fills_up_twice(32 * MIB, 4);
}

static size_t n_fallbacks(void)
{
	struct situs_heap_stats stats = {.struct_size = sizeof(stats)};

	assert_int_equal(situs_heap_stats(heap, &stats), 0);
	return stats.n_fallbacks;
}

/* What the second link served is in the heap's account: `bytes` in extents of 64 KiB at least. */
static void assert_fallbacks_counted(size_t bytes)
{
	size_t n = n_fallbacks();

	print_message("# %zu fallbacks\n", n);
	assert_in_range(n, 1, bytes / (64 * KIB));
}

static void a_heap_on_a_chain_goes_on_with_the_next_link(void **state)
{
	struct filler filler = {.block_size = MIB, .max = lab_free(node) / MIB + 64};
	static struct lab_census by_link[2];
	size_t inside[2];
	char place[64];

	(void)state;
	snprintf(place, sizeof(place), "node:%d,strict > node:0,strict", node);
	heap = situs_heap_open(place);
	if (!heap)
		fail_msg("%s", situs_error());
	filler.heap = heap;
	filler.blocks = new_list(filler.max);
	situs_free(situs_malloc(heap, MIB));
	assert_int_equal(n_fallbacks(), 0);
	fill(&filler);
	if (filler.n < filler.max)
		fail_msg("%s", filler.words);
	/* A block may straddle two links: each page must lie where its own link says. */
	for (size_t i = 0; i < filler.n; i++) {
		const struct aml_area *area = situs_area_of(filler.blocks[i]);

		assert_true(lab_filled(filler.blocks[i], MIB, i));
		for (size_t at = 0; at < MIB; at += LAB_PAGE) {
			int link = aml_area_link(area, filler.blocks[i] + at);

			assert_in_range(link, 0, 1);
			lab_census_add(&by_link[link], filler.blocks[i] + at, 1);
		}
	}
	for (int link = 0; link < 2; link++) {
		lab_census_end(&by_link[link]);
		assert_int_equal(lab_census_astray(&by_link[link], (lab_nodes_t)1 << (link ? 0 : node),
			&inside[link]), 0);
	}
	print_message("# %zu MiB from the first link, %zu from the second\n", inside[0] / MIB, inside[1] / MIB);
	assert_in_range(inside[1], 64 * MIB, filler.n * MIB / 4);
	assert_fallbacks_counted(inside[1]);
}

/* What becomes of a child that fills a heap in a cgroup of 192 MiB: its wait status. */
static int fill_in_cgroup(void)
{
	struct filler filler = {.block_size = MIB, .max = 400};
	int status;
	pid_t pid;

	lab_cgroup_enter();
	lab_cgroup_write("memory.max", "192M");
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		char place[32];

		snprintf(place, sizeof(place), "node:%d,strict", node);
		filler.heap = situs_heap_open(place);
		filler.blocks = new_list(filler.max);
		fill(&filler);
		fprintf(stderr, "# %zu MiB in a cgroup of 192 MiB: %s\n", filler.n, filler.words);
		for (size_t i = 0; i < filler.n; i++)
			if (!lab_filled(filler.blocks[i], MIB, i) ||
				lab_astray(filler.blocks[i], MIB, (lab_nodes_t)1 << node, NULL))
				_exit(1);
		_exit(filler.err == ENOMEM && filler.n >= 96 ? 0 : 2);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	lab_cgroup_leave();
	return status;
}

static void a_cgroups_limit_ends_in_null_too(void **state)
{
	int status = fill_in_cgroup();

	(void)state;
	if (WIFSIGNALED(status))
		fail_msg("killed by signal %d", WTERMSIG(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(small_blocks_from_one_thread_end_in_null, close_heap),
		cmocka_unit_test_teardown(small_blocks_from_four_threads_end_in_null, close_heap),
		cmocka_unit_test_teardown(blocks_of_1_mib_from_one_thread_end_in_null, close_heap),
		cmocka_unit_test_teardown(blocks_of_1_mib_from_four_threads_end_in_null, close_heap),
		cmocka_unit_test_teardown(blocks_of_32_mib_from_one_thread_end_in_null, close_heap),
		cmocka_unit_test_teardown(blocks_of_32_mib_from_four_threads_end_in_null, close_heap),
		cmocka_unit_test_teardown(a_heap_on_a_chain_goes_on_with_the_next_link, close_heap),
		cmocka_unit_test(a_cgroups_limit_ends_in_null_too),
		cmocka_unit_test(destroyed_heaps_gave_the_node_back),
	};

	if (argc > 1)
		node = atoi(argv[1]);
	room_at_start = lab_free(node);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
