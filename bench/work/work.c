/* SPDX-License-Identifier: BSD-3-Clause */
/* work.c - what workloads share. */
#include "bench/work/work.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bench/machine.h"

const struct work *const work_all[] = { &work_larson, &work_xmalloc, &work_sh6, &work_sh8, &work_mstress,
	&work_cache_scratch, &work_cache_thrash, &work_large, &work_kv, &work_pages, &work_graph, NULL };

size_t work_scaled(const struct work_run *run, size_t n, size_t least)
{
	size_t scaled = (size_t)((double)n * run->scale);

	return scaled > least ? scaled : least;
}

void work_no_memory(size_t size)
{
	fprintf(stderr, "%s: no memory for %zu bytes more\n", peer.name, size);
	_exit(WORK_NO_MEMORY);
}

void work_corrupt(const char *what)
{
	fprintf(stderr, "%s: %s\n", peer.name, what);
	_exit(1);
}

void *work_get(size_t size)
{
	void *p = peer.get(size);

	if (p == NULL)
		work_no_memory(size);
	return p;
}

void *work_resize(void *p, size_t old_size, size_t size)
{
	void *moved = peer.resize(p, old_size, size);

	if (moved == NULL)
		work_no_memory(size);
	return moved;
}

void *work_private(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		work_no_memory(size);
	return p;
}

struct start {
	void (*func)(void *arg);
	void *arg;
};

static void *begin(void *argument)
{
	struct start start = *(struct start *)argument;

	peer_thread_begin();
	start.func(start.arg);
	peer_thread_end();
	return NULL;
}

void work_threads(unsigned n, void (*func)(void *arg), void *args, size_t size)
{
	enum { MOST = 256 };
	pthread_t threads[MOST];
	struct start starts[MOST];

	if (n > MOST)
		work_corrupt("too many threads");
	for (unsigned i = 0; i < n; i++) {
		starts[i] = (struct start){ func, (char *)args + i * size };
		if (pthread_create(&threads[i], NULL, begin, &starts[i]) != 0) {
			fprintf(stderr, "%s: no more threads can be had\n", peer.name);
			_exit(WORK_NO_MEMORY);
		}
	}
	for (unsigned i = 0; i < n; i++)
		pthread_join(threads[i], NULL);
}

/* Enough to see any habit, few enough not to count in the time. */
#define MOST_PAGES 1024

void work_look(struct work_run *run, const struct slot *slots, size_t n)
{
	void *pages[MOST_PAGES];
	size_t n_pages = 0;
	size_t step = n / MOST_PAGES + 1;
	uint64_t random = random_seed(n);

	for (size_t i = 0; i < n && n_pages < MOST_PAGES && run->node >= 0; i += step)
		if (slots[i].p != NULL)
			pages[n_pages++] = (char *)slots[i].p +
				(slots[i].size < ((size_t)1 << 32) ? random_below(&random, slots[i].size) : 0);
	run->off_node = machine_off_node(pages, n_pages, run->node);
	run->looked = n_pages;
}
