/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * bench_work.c - what is measured: the time of all processors for a block's whole life.
 *
 * CPU time, not the clock's: it hardly changes when others run on the machine too. Every peer is called
 * through the same pointers, so that the loops cost all of them the same. Random numbers have a fixed
 * seed: all peers are asked for the same sizes in the same order.
 */
#include "config.h"

#include "tool/bench.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "situs.h"
#include "tool/tool.h"

enum { BATCH = 64, N_LIVE = 10000, N_THREADS = 2, N_LARGE = 32 };

const struct bench_work bench__works[BENCH_N_WORKS] = {
	{ "small", "64-byte blocks, 64 at a time" },
	{ "mixed", "16 to 1024 bytes, 10,000 alive, replaced at random" },
	{ "threads", "the same by 2 threads" },
	{ "large", "64 KiB to 1 MiB, 32 alive, every page written" },
};

struct peer {
	void *(*get)(size_t size);
	void (*put)(void *block);
};

static situs_heap_t *heap;

static void *get_from_heap(size_t size)
{
	return situs_malloc(heap, size);
}

static void *get(const struct peer *peer, size_t size)
{
	void *block = peer->get(size);

	if (!block)
		exit(tool__fail(TOOL_FAILED, "%zu bytes could not be had", size));
	return block;
}

/* Marsaglia, "Xorshift RNGs", Journal of Statistical Software 8(14), 2003. */
static uint32_t next_random(uint32_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state;
}

static size_t small(const struct peer *peer)
{
	const size_t n_rounds = 40000;
	void *blocks[BATCH];

	for (size_t round = 0; round < n_rounds; round++) {
		for (int i = 0; i < BATCH; i++) {
			blocks[i] = get(peer, 64);
			*(volatile char *)blocks[i] = 1;
		}
		for (int i = 0; i < BATCH; i++)
			peer->put(blocks[i]);
	}
	return n_rounds * BATCH;
}

static void *mix(void *arg)
{
	const struct peer *peer = arg;
	void **blocks = calloc(N_LIVE, sizeof(*blocks));
	uint32_t random = 2463534242;

	if (!blocks)
		exit(tool__fail(TOOL_FAILED, "out of memory"));
	for (int i = 0; i < 100 * N_LIVE; i++) {
		void **block = &blocks[next_random(&random) % N_LIVE];

		if (*block)
			peer->put(*block);
		*block = get(peer, 16 + next_random(&random) % 1009);
		*(volatile char *)*block = 1;
	}
	for (int i = 0; i < N_LIVE; i++)
		if (blocks[i])
			peer->put(blocks[i]);
	free(blocks);
	return NULL;
}

static size_t mixed(const struct peer *peer)
{
	mix((void *)(uintptr_t)peer);
	return (size_t)100 * N_LIVE;
}

static size_t threads(const struct peer *peer)
{
	pthread_t thread[N_THREADS];

	for (int i = 0; i < N_THREADS; i++)
		if (pthread_create(&thread[i], NULL, mix, (void *)(uintptr_t)peer))
			exit(tool__fail(TOOL_FAILED, "no thread could be had"));
	for (int i = 0; i < N_THREADS; i++)
		pthread_join(thread[i], NULL);
	return (size_t)100 * N_LIVE * N_THREADS;
}

static size_t large(const struct peer *peer)
{
	void *blocks[N_LARGE] = { NULL };
	uint32_t random = 2463534242;
	const int n = 1500;

	for (int i = 0; i < n; i++) {
		void **block = &blocks[next_random(&random) % N_LARGE];
		size_t size = 65536 + next_random(&random) % 983040;

		if (*block)
			peer->put(*block);
		*block = get(peer, size);
		for (size_t at = 0; at < size; at += 4096)
			((volatile char *)*block)[at] = 1;
	}
	for (int i = 0; i < N_LARGE; i++)
		if (blocks[i])
			peer->put(blocks[i]);
	return (size_t)n;
}

static size_t (*const functions[BENCH_N_WORKS])(const struct peer *) = { small, mixed, threads, large };

static double cpu_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

/* Is malloc the one that was to be measured? A preload that is missing is only a line of ld.so. */
static bool is_from(const char *library)
{
	void *function = dlsym(RTLD_DEFAULT, "malloc");
	Dl_info info;

	return function && dladdr(function, &info) && info.dli_fname && strstr(info.dli_fname, library);
}

int bench__work(const char *work, const char *place, const char *library)
{
	struct peer peer = { malloc, free };
	double start;
	size_t n;

	if (library && !is_from(library))
		return BENCH_ABSENT;
	if (place) {
		heap = situs_heap_open(place);
		if (!heap)
			return tool__fail(TOOL_FAILED, "%s", situs_error());
		peer = (struct peer){ get_from_heap, situs_free };
	}
	for (int i = 0; i < BENCH_N_WORKS; i++) {
		if (strcmp(bench__works[i].name, work) != 0)
			continue;
		start = cpu_ns();
		n = functions[i](&peer);
		printf("%.3f\n", (cpu_ns() - start) / (double)n);
		situs_heap_destroy(heap);
		return fflush(stdout) ? TOOL_FAILED : TOOL_OK;
	}
	return TOOL_USAGE;
}
