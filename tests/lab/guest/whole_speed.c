/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * whole_speed.c - what looking at heaps and moving them costs, each beside the system calls it stands on,
 * in one run. Prints figures and passes no judgement: no suite runs it. In a guest,
 *
 *     tests/lab/run --build build two whole_speed
 *
 * prints all of it; on a machine of one node the part about moving is left out. Times are the process's
 * or the thread's own, so other work on the machine counts little.
 */
#include <errno.h>
#include <numaif.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "situs.h"

#define MIB ((size_t)1 << 20)
#define PAGE ((size_t)4096)
#define SIZE (64 * MIB)

enum { N_PAGES = SIZE / PAGE, ROUNDS = 5, N_BLOCKS = 64 };

static void *pages[N_PAGES];
static int nodes[N_PAGES], status[N_PAGES];

static double seconds(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static double own(void)
{
	return seconds(CLOCK_THREAD_CPUTIME_ID);
}

static _Noreturn void die(const char *what)
{
	printf("# %s: %s\n", what, situs_error()[0] != '\0' ? situs_error() : strerror(errno));
	exit(1);
}

static situs_heap_t *make(struct aml_area **area, const char *place)
{
	struct situs_config config = {.struct_size = sizeof(config), .n_arenas = 1};
	situs_heap_t *heap = NULL;

	if (aml_area_open(area, place) != AML_SUCCESS || situs_heap_create(&heap, *area, &config) != 0)
		die(place);
	return heap;
}

static void fill(situs_heap_t *heap, char *blocks[N_BLOCKS])
{
	for (int i = 0; i < N_BLOCKS; i++) {
		blocks[i] = situs_malloc(heap, SIZE / N_BLOCKS);
		if (blocks[i] == NULL)
			die("malloc");
		memset(blocks[i], i, SIZE / N_BLOCKS);
	}
}

static void name_pages(char *const *blocks)
{
	for (size_t i = 0, n = 0; i < N_BLOCKS; i++)
		for (size_t k = 0; k < SIZE / N_BLOCKS; k += PAGE)
			pages[n++] = blocks[i] + k;
}

/* Seconds that move_pages takes for all pages, `batch` a call; to NULL: that it takes to ask. */
static double call(size_t batch, const int *to)
{
	double began = own();

	for (size_t i = 0; i < N_PAGES; i += batch) {
		size_t n = N_PAGES - i < batch ? N_PAGES - i : batch;

		if (move_pages(0, n, pages + i, to, status + i, to == NULL ? 0 : MPOL_MF_MOVE) < 0)
			die("move_pages");
	}
	return own() - began;
}

static double smaller(double a, double b)
{
	return a == 0 || b < a ? b : a;
}

/* The best batch size's time, and which it was. */
static double best_call(bool move, size_t *best_batch)
{
	double best = 0;

	for (size_t batch = 64; batch <= N_PAGES; batch *= 4) {
		double time = 0;

		for (int round = 0; round < ROUNDS; round++) {
			for (size_t i = 0; i < N_PAGES; i++)
				nodes[i] = (round + 1) % 2;
			time = smaller(time, call(batch, move ? nodes : NULL));
		}
		/* Odd rounds end on node 1: bring all back. */
		for (size_t i = 0; i < N_PAGES && move; i++)
			nodes[i] = 0;
		if (move)
			(void)call(N_PAGES, nodes);
		if (best == 0 || time < best) {
			best = time;
			*best_batch = batch;
		}
	}
	return best;
}

static void locate_speed(void)
{
	struct aml_area *area;
	situs_heap_t *heap = make(&area, "node:0,bind,nothp");
	size_t batch = 0, on_node[64];
	double raw, one = 0, all = 0;
	char *blocks[N_BLOCKS];

	fill(heap, blocks);
	name_pages(blocks);
	raw = best_call(false, &batch);
	for (int round = 0; round < ROUNDS; round++) {
		double began = own();

		for (int i = 0; i < N_BLOCKS; i++)
			if (situs_locate(blocks[i], SIZE / N_BLOCKS, on_node, 64) < 0)
				die("locate");
		one = smaller(one, own() - began);
		began = own();
		if (situs_heap_locate(heap, on_node, 64) < 0)
			die("locate");
		all = smaller(all, own() - began);
	}
	printf("# asking about %zu pages: move_pages %.3f ms (batches of %zu), situs_locate block by block "
		"%.3f ms (%.2f), situs_heap_locate %.3f ms (%.2f)\n", (size_t)N_PAGES, raw * 1e3, batch,
		one * 1e3, one / raw, all * 1e3, all / raw);
	situs_heap_destroy(heap);
	aml_area_close(&area);
}

static void move_speed(const char *from_place, const char *to_place)
{
	struct aml_area *from, *to;
	situs_heap_t *heap = make(&from, from_place);
	double raw, time = 0;
	char *blocks[N_BLOCKS];
	size_t batch = 0;

	if (aml_area_open(&to, to_place) != AML_SUCCESS)
		die(to_place);
	fill(heap, blocks);
	name_pages(blocks);
	raw = best_call(true, &batch);
	for (int round = 0; round < 2 * ROUNDS; round++) {
		double began = own();

		if (situs_heap_migrate(heap, round % 2 == 0 ? to : from, NULL, NULL) != 0)
			die("migrate");
		time = smaller(time, own() - began);
	}
	printf("# %s to %s, %zu MiB: move_pages %.0f MiB/s (batches of %zu), situs_heap_migrate %.0f MiB/s "
		"(%.2f)\n", from_place, to_place, SIZE / MIB, (double)SIZE / (double)MIB / raw, batch,
		(double)SIZE / (double)MIB / time, raw / time);
	situs_heap_destroy(heap);
	aml_area_close(&from);
	aml_area_close(&to);
}

/* The longest that one malloc, write and free takes a thread. */
struct worker {
	situs_heap_t *heap;
	atomic_bool stop;
	double longest;
};

static void *work(void *arg)
{
	struct worker *worker = arg;
	unsigned seed = 1;

	while (!atomic_load(&worker->stop)) {
		double began = seconds(CLOCK_MONOTONIC), time;
		char *block = situs_malloc(worker->heap, 1 + (size_t)rand_r(&seed) % 100000);

		if (block != NULL)
			*block = 1;
		situs_free(block);
		time = seconds(CLOCK_MONOTONIC) - began;
		if (time > worker->longest)
			worker->longest = time;
	}
	return NULL;
}

static double longest_pause(bool moving)
{
	struct aml_area *zero, *one;
	struct worker worker = {.heap = make(&zero, "node:0,bind,nothp")};
	char *blocks[N_BLOCKS];
	pthread_t thread;

	if (aml_area_open(&one, "node:1,bind,nothp") != AML_SUCCESS)
		die("node:1");
	fill(worker.heap, blocks);
	atomic_init(&worker.stop, false);
	if (pthread_create(&thread, NULL, work, &worker) != 0)
		die("thread");
	for (int i = 0; i < 6; i++)
		if (!moving)
			usleep(200000);
		else if (situs_heap_migrate(worker.heap, i % 2 == 0 ? one : zero, NULL, NULL) != 0)
			die("migrate");
	atomic_store(&worker.stop, true);
	pthread_join(thread, NULL);
	situs_heap_destroy(worker.heap);
	aml_area_close(&zero);
	aml_area_close(&one);
	return worker.longest;
}

/* The thread's own time for a number of pairs of malloc and free. */
static double pairs(situs_heap_t *heap)
{
	enum { BATCH = 64, N = 200000 };
	void *blocks[BATCH];
	double began = own();

	for (int i = 0; i < N; i++) {
		for (int k = 0; k < BATCH; k++)
			blocks[k] = situs_malloc(heap, 64);
		for (int k = 0; k < BATCH; k++)
			situs_free(blocks[k]);
	}
	return (own() - began) / N / BATCH;
}

struct sampler {
	situs_heap_t *heap;
	atomic_bool stop;
	double time;
	int n;
};

static void *sample(void *arg)
{
	struct sampler *sampler = arg;
	struct situs_heap_stats stats = {.struct_size = sizeof(stats)};

	while (!atomic_load(&sampler->stop)) {
		double began = own();

		if (situs_heap_stats(sampler->heap, &stats) != 0)
			die("stats");
		sampler->time += own() - began;
		sampler->n++;
		usleep(100000);
	}
	return NULL;
}

static int compare(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static double sampled_pairs(struct sampler *sampler)
{
	pthread_t thread;
	double time;

	atomic_init(&sampler->stop, false);
	if (pthread_create(&thread, NULL, sample, sampler) != 0)
		die("thread");
	time = pairs(sampler->heap);
	atomic_store(&sampler->stop, true);
	pthread_join(thread, NULL);
	return time;
}

/* Interleaved, the first of each two in turn: what else the machine does befalls both alike. */
static void stats_speed(void)
{
	enum { N = 10 };
	struct aml_area *area;
	struct sampler sampler = {.heap = make(&area, "any")};
	double ratios[N], sum_alone = 0, sum_sampled = 0;

	(void)pairs(sampler.heap);
	for (int round = 0; round < N; round++) {
		double before = round % 2 == 0 ? pairs(sampler.heap) : 0;
		double sampled = sampled_pairs(&sampler);
		double alone = round % 2 == 0 ? before : pairs(sampler.heap);

		ratios[round] = sampled / alone;
		sum_alone += alone;
		sum_sampled += sampled;
	}
	qsort(ratios, N, sizeof(ratios[0]), compare);
	printf("# 64-byte malloc and free: %.2f ns, sampled every 100 ms %.2f ns; %d pairs of runs, median of their "
		"ratios %.3f (%.3f to %.3f); one sample %.1f us\n", sum_alone / N * 1e9, sum_sampled / N * 1e9, N,
		(ratios[N / 2 - 1] + ratios[N / 2]) / 2, ratios[0], ratios[N - 1],
		sampler.time / sampler.n * 1e6);
	situs_heap_destroy(sampler.heap);
	aml_area_close(&area);
}

int main(void)
{
	puts("1..1");
	stats_speed();
	locate_speed();
	if (access("/sys/devices/system/node/node1", F_OK) == 0) {
		move_speed("node:0,bind,nothp", "node:1,bind,nothp");
		move_speed("node:0,strict", "node:1,strict");
		printf("# longest malloc, write and free: %.2f ms alone, %.2f ms while the heap moves\n",
			longest_pause(false) * 1e3, longest_pause(true) * 1e3);
	}
	puts("ok 1 - figures");
	return 0;
}
