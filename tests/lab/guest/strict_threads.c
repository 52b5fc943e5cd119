/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * strict_threads.c - strict areas and heaps filled by several threads, and several processes, at once,
 * where less may be had than the node has: under memory.max, and with the cpuset narrowed to the node.
 * Every filler must end in NULL, ENOMEM and words that name what is short; that nothing was killed is
 * checked by the exit of each child and, by the runner, from the kernel's log.
 *
 * Argument: the node, 1 unless told; ROUNDS in the environment: how often, once unless told. Needs 128 MiB on
 * it beside what the kernel takes.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "aml.h"
#include "situs.h"
#include "tests/lab/guest/lab.h"

enum { N_THREADS = 4, MAX_BLOCKS = 2048 };

static int node = 1, n_rounds = 1;

struct filling {
	size_t block_size;
	const char *words; /* that a refusal holds */
	int by_heap;
	struct aml_area *area;
	situs_heap_t *heap;
	pthread_barrier_t start;
};

struct filler {
	struct filling *filling;
	void *blocks[MAX_BLOCKS];
	size_t n;
	pthread_t thread;
	char wrong[512]; /* what was wrong; "": nothing */
};

static struct filler fillers[N_THREADS];

static void *take(struct filling *filling)
{
	return filling->by_heap ? situs_malloc(filling->heap, filling->block_size) :
		aml_area_mmap(filling->area, NULL, filling->block_size);
}

static void *fill(void *arg)
{
	struct filler *filler = arg;
	struct filling *filling = filler->filling;

	pthread_barrier_wait(&filling->start);
	errno = 0;
	while (filler->n < MAX_BLOCKS && (filler->blocks[filler->n] = take(filling)) != NULL) {
		memset(filler->blocks[filler->n], 1, filling->block_size);
		filler->n++;
		errno = 0;
	}
	if (filler->n == MAX_BLOCKS || errno != ENOMEM || !strstr(situs_error(), filling->words))
		snprintf(filler->wrong, sizeof(filler->wrong), "errno %d after %zu blocks, and not \"%s\": %s", errno,
			filler->n, filling->words, situs_error());
	return NULL;
}

/* In a child of its own: 0, or 1 where something was said. */
static int fill_in_threads(struct filling *filling)
{
	size_t sum = 0;
	char place[32];
	int wrong = 0;

	snprintf(place, sizeof(place), "node:%d,strict", node);
	if (aml_area_open(&filling->area, place) != 0 || (filling->heap = situs_heap_open(place)) == NULL) {
		fprintf(stderr, "# %s\n", situs_error());
		return 1;
	}
	pthread_barrier_init(&filling->start, NULL, N_THREADS);
	for (int i = 0; i < N_THREADS; i++) {
		fillers[i].filling = filling;
		if (pthread_create(&fillers[i].thread, NULL, fill, &fillers[i]) != 0)
			return 1;
	}
	for (int i = 0; i < N_THREADS; i++) {
		pthread_join(fillers[i].thread, NULL);
		sum += fillers[i].n * filling->block_size;
		if (fillers[i].wrong[0] != '\0') {
			fprintf(stderr, "# %s\n", fillers[i].wrong);
			wrong = 1;
		}
	}
	fprintf(stderr, "# %zu MiB\n", sum / MIB);
	return wrong;
}

static void fills_without_a_kill(size_t block_size, int by_heap, int n_processes, const char *words)
{
	int status, n_killed = 0, n_wrong = 0;

	for (int i = 0; i < n_processes; i++) {
		pid_t pid = fork();

		assert_true(pid >= 0);
		if (pid == 0) {
			struct filling filling = {.block_size = block_size, .words = words, .by_heap = by_heap};

			_exit(fill_in_threads(&filling));
		}
	}
	for (int i = 0; i < n_processes; i++) {
		assert_true(wait(&status) > 0);
		n_killed += WIFSIGNALED(status);
		n_wrong += !WIFSIGNALED(status) && WEXITSTATUS(status) != 0;
	}
	if (n_killed != 0 || n_wrong != 0)
		fail_msg("blocks of %zu KiB: %d of %d processes killed, %d wrong", block_size / KIB, n_killed,
			n_processes, n_wrong);
}

static void threads_under_a_groups_limit_end_in_null_that_names_the_group(void **state)
{
	(void)state;
	lab_cgroup_enter();
	lab_cgroup_write("memory.max", "128M");
	for (int i = 0; i < n_rounds; i++) {
		fills_without_a_kill(16 * MIB, 0, 1, "control group /sys/fs/cgroup/lab");
		fills_without_a_kill(MIB, 0, 1, "control group /sys/fs/cgroup/lab");
		fills_without_a_kill(64 * KIB, 0, 1, "control group /sys/fs/cgroup/lab");
		fills_without_a_kill(MIB, 1, 1, "control group /sys/fs/cgroup/lab");
	}
}

static void processes_under_one_groups_limit_end_in_null_too(void **state)
{
	(void)state;
	lab_cgroup_enter();
	lab_cgroup_write("memory.max", "128M");
	for (int i = 0; i < n_rounds; i++) {
		fills_without_a_kill(16 * MIB, 0, 3, "control group /sys/fs/cgroup/lab");
		fills_without_a_kill(MIB, 0, 3, "control group /sys/fs/cgroup/lab");
	}
}

static void threads_in_a_cpuset_of_the_node_alone_end_in_null(void **state)
{
	char list[8];

	(void)state;
	snprintf(list, sizeof(list), "%d", node);
	lab_cgroup_enter();
	lab_cgroup_write("cpuset.mems", list);
	for (int i = 0; i < n_rounds; i++) {
		fills_without_a_kill(32 * MIB, 0, 1, "node");
		fills_without_a_kill(MIB, 0, 1, "node");
	}
	fills_without_a_kill(MIB, 1, 1, "node");
}

static int leave(void **state)
{
	(void)state;
	lab_cgroup_leave();
	return 0;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(threads_under_a_groups_limit_end_in_null_that_names_the_group, leave),
		cmocka_unit_test_teardown(processes_under_one_groups_limit_end_in_null_too, leave),
		cmocka_unit_test_teardown(threads_in_a_cpuset_of_the_node_alone_end_in_null, leave),
	};

	if (argc > 1)
		node = atoi(argv[1]);
	if (getenv("ROUNDS"))
		n_rounds = atoi(getenv("ROUNDS"));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
