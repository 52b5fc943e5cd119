/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * move_pauses.c - what threads see of a migration: how long one write, and one malloc, write and free, take
 * while their heap stands still and while it moves between two nodes. Prints figures and histograms and
 * passes no judgement, so no suite runs it:
 *
 *     tests/lab/run --build build two move_pauses
 *
 * What the emulator's host does with its processors shows in both halves alike; what moving adds is the
 * difference.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "situs.h"

#define MIB ((size_t)1 << 20)
#define PAGE ((size_t)4096)

enum { N_BLOCKS = 128, N_CLASSES = 24, ROUNDS = 10 };

static char *blocks[N_BLOCKS];

/* Class i: less than 2^i times 64 ns, and not less than half of that. */
struct pauses {
	size_t n, classes[N_CLASSES];
	double longest, sum;
};

struct worker {
	situs_heap_t *heap;
	atomic_bool stop;
	bool allocates;
	struct pauses pauses;
	pthread_t thread;
};

static _Noreturn void die(const char *what)
{
	printf("# %s: %s\n", what, situs_error()[0] != '\0' ? situs_error() : strerror(errno));
	exit(1);
}

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static void add(struct pauses *pauses, double time)
{
	int class = 0;

	while (class < N_CLASSES - 1 && time >= 64e-9 * (double)(1u << class))
		class++;
	pauses->classes[class]++;
	pauses->n++;
	pauses->sum += time;
	if (time > pauses->longest)
		pauses->longest = time;
}

static void write_somewhere(unsigned *seed)
{
	char *block = blocks[(size_t)rand_r(seed) % N_BLOCKS];

	block[(size_t)rand_r(seed) % MIB] = 1;
}

static void allocate(situs_heap_t *heap, unsigned *seed)
{
	char *block = situs_malloc(heap, 1 + (size_t)rand_r(seed) % 100000);

	if (block != NULL)
		*block = 1;
	situs_free(block);
}

static void *work(void *arg)
{
	struct worker *worker = arg;
	unsigned seed = 1;

	while (!atomic_load(&worker->stop)) {
		double began = now();

		if (worker->allocates)
			allocate(worker->heap, &seed);
		else
			write_somewhere(&seed);
		add(&worker->pauses, now() - began);
	}
	return NULL;
}

static double percentile(const struct pauses *pauses, double share)
{
	size_t n = 0;
	int class = 0;

	while (class < N_CLASSES - 1 && (double)(n += pauses->classes[class]) < share * (double)pauses->n)
		class++;
	return 64e-9 * (double)(1u << class);
}

static void show(const char *what, const struct pauses *pauses)
{
	printf("# %s: %zu times, mean %.1f us, 99 %% below %.1f us, 99.9 %% below %.1f us, longest %.3f ms\n",
		what, pauses->n, pauses->sum / (double)pauses->n * 1e6, percentile(pauses, 0.99) * 1e6,
		percentile(pauses, 0.999) * 1e6, pauses->longest * 1e3);
	for (int class = 0; class < N_CLASSES; class++)
		if (pauses->classes[class] != 0)
			printf("#   below %10.1f us: %zu\n", 64e-3 * (double)(1u << class), pauses->classes[class]);
}

static void begin(struct worker *worker, situs_heap_t *heap, bool allocates)
{
	memset(&worker->pauses, 0, sizeof(worker->pauses));
	worker->heap = heap;
	worker->allocates = allocates;
	atomic_init(&worker->stop, false);
	if (pthread_create(&worker->thread, NULL, work, worker) != 0)
		die("thread");
}

static void end(struct worker *worker, const char *what)
{
	atomic_store(&worker->stop, true);
	pthread_join(worker->thread, NULL);
	show(what, &worker->pauses);
}

static void move(situs_heap_t *heap, struct aml_area *const areas[2])
{
	double began = now();

	for (int i = 0; i < ROUNDS; i++)
		if (situs_heap_migrate(heap, areas[(i + 1) % 2], NULL, NULL) != 0)
			die("migrate");
	printf("# %d migrations of %zu MiB, %.0f ms each\n", ROUNDS, N_BLOCKS * MIB / MIB,
		(now() - began) / ROUNDS * 1e3);
}

static void measure(const char *from, const char *to)
{
	static struct worker writer, allocator;
	struct aml_area *areas[2];
	situs_heap_t *heap = NULL;

	if (aml_area_open(&areas[0], from) != 0 || aml_area_open(&areas[1], to) != 0 ||
		situs_heap_create(&heap, areas[0], NULL) != 0)
		die(from);
	for (int i = 0; i < N_BLOCKS; i++) {
		blocks[i] = situs_malloc(heap, MIB);
		if (blocks[i] == NULL)
			die("malloc");
		memset(blocks[i], i, MIB);
	}
	printf("# %s and %s\n", from, to);
	for (int moving = 0; moving < 2; moving++) {
		begin(&writer, heap, false);
		begin(&allocator, heap, true);
		if (moving)
			move(heap, areas);
		else
			sleep(2);
		end(&writer, moving ? "one write while the heap moves" : "one write, nothing moving");
		end(&allocator, moving ? "malloc, write and free while the heap moves" :
			"malloc, write and free, nothing moving");
	}
	situs_heap_destroy(heap);
	aml_area_close(&areas[0]);
	aml_area_close(&areas[1]);
}

int main(void)
{
	puts("1..1");
	measure("node:0,bind,nothp", "node:1,bind,nothp");
	measure("node:0,strict", "node:1,strict");
	puts("ok 1 - figures");
	return 0;
}
