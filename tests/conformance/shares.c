/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * shares WEIGHT WEIGHT: threads allocate, free, resize and hand blocks to each other; then the bytes in use
 * in the process's two heaps stand to each other as the weights do, in small blocks and in large ones.
 */
#include <dlfcn.h>
#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { N_THREADS = 3, N_BLOCKS = 12000, LARGE = 64 * 1024 };

static _Atomic(void *) blocks[N_BLOCKS];

static size_t size_for(unsigned *seed)
{
	if (rand_r(seed) % 40 == 0)
		return LARGE + (size_t)rand_r(seed) % (2 * LARGE);
	return 16 + (size_t)rand_r(seed) % 3000;
}

static void *work(void *arg)
{
	unsigned seed = (unsigned)(uintptr_t)arg;

	for (int i = 0; i < 3 * N_BLOCKS; i++) {
		void *block = malloc(size_for(&seed)), *old;

		if (block && rand_r(&seed) % 4 == 0)
			block = realloc(block, size_for(&seed));
		if (!block)
			abort();
		old = atomic_exchange(&blocks[rand_r(&seed) % N_BLOCKS], block);
		free(old);
	}
	return NULL;
}

struct sums {
	void *heap[2];
	double bytes[2][2]; /* of small blocks, of large ones; by heap */
};

static bool add(struct sums *sums, void *heap, size_t size)
{
	for (int i = 0; i < 2; i++) {
		if (sums->heap[i] && sums->heap[i] != heap)
			continue;
		sums->heap[i] = heap;
		sums->bytes[size >= LARGE][i] += (double)size;
		return true;
	}
	return false;
}

static bool is_near(const double bytes[2], double wanted)
{
	double ratio = bytes[0] > bytes[1] ? bytes[0] / bytes[1] : bytes[1] / bytes[0];

	printf("%.0f and %.0f bytes: %.3f, wanted %.3f\n", bytes[0], bytes[1], ratio, wanted);
	return ratio > wanted * 0.93 && ratio < wanted * 1.07;
}

int main(int argc, char **argv)
{
	double wanted = argc == 3 ? atof(argv[1]) / atof(argv[2]) : 0;
	pthread_t threads[N_THREADS];
	struct sums sums;
	void *(*heap_of)(const void *);

	memset(&sums, 0, sizeof(sums));
	*(void **)&heap_of = dlsym(RTLD_DEFAULT, "situs_heap_of");
	if (!heap_of || wanted < 1)
		return 2;
	for (uintptr_t i = 0; i < N_THREADS; i++)
		if (pthread_create(&threads[i], NULL, work, (void *)(i + 1)))
			return 2;
	for (int i = 0; i < N_THREADS; i++)
		pthread_join(threads[i], NULL);
	for (int i = 0; i < N_BLOCKS; i++) {
		void *block = atomic_load(&blocks[i]);

		if (block && !add(&sums, heap_of(block), malloc_usable_size(block)))
			return 3;
	}
	if (!is_near(sums.bytes[0], wanted) || !is_near(sums.bytes[1], wanted))
		return 1;
	puts("done");
	return 0;
}
