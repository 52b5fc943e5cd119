/* SPDX-License-Identifier: BSD-3-Clause */
/* migrate_test.h - what tests of heaps that move share. */
#ifndef TESTS_UNIT_MIGRATE_TEST_H
#define TESTS_UNIT_MIGRATE_TEST_H

#include "tests/unit/test.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "heap/heap.h"
#include "situs.h"

#define MIB ((size_t)1 << 20)

static inline struct aml_area *open_area(const char *place)
{
	struct aml_area *area;

	if (aml_area_open(&area, place) != AML_SUCCESS)
		fail_msg("%s: %s", place, situs_error());
	return area;
}

static inline situs_heap_t *make(const struct aml_area *area)
{
	struct situs_config config = {.struct_size = sizeof(config), .name = "test", .n_arenas = 2};
	situs_heap_t *heap = NULL;

	assert_int_equal(situs_heap_create(&heap, area, &config), 0);
	return heap;
}

static inline void check_spaces(situs_heap_t *heap)
{
	size_t drawn = 0;

	for (unsigned i = 0; i < heap->n_arenas; i++)
		if (heap->arenas[i] != NULL) {
			assert_int_equal(space__check(hooks__space(heap->arenas[i]->hooks)), 0);
			drawn += space__drawn(hooks__space(heap->arenas[i]->hooks));
		}
	assert_int_equal(drawn, heap->account.drawn);
}

enum { N_BLOCKS = 200 };

static inline size_t size_of_block(int i)
{
	return (size_t)(i % 10) * 40000 + (size_t)i + 1;
}

static inline void fill(situs_heap_t *heap, char *blocks[N_BLOCKS])
{
	for (int i = 0; i < N_BLOCKS; i++) {
		blocks[i] = situs_malloc(heap, size_of_block(i));
		assert_non_null(blocks[i]);
		memset(blocks[i], i, size_of_block(i));
	}
}

static inline void check_blocks(char *blocks[N_BLOCKS])
{
	for (int i = 0; i < N_BLOCKS; i++)
		for (size_t k = 0; k < size_of_block(i); k++)
			if (blocks[i][k] != (char)i)
				fail_msg("block %d changed at %zu", i, k);
}

static inline void check_and_free(char *blocks[N_BLOCKS])
{
	check_blocks(blocks);
	for (int i = 0; i < N_BLOCKS; i++)
		situs_free(blocks[i]);
}

/* Threads that allocate, check, write and free. */
struct busy {
	situs_heap_t *heap;
	size_t size_max;
	atomic_bool stop;
	atomic_int n_wrong;
	pthread_t threads[4];
};

static inline void *busy_work(void *arg)
{
	struct busy *busy = arg;
	struct { unsigned char *start; size_t size; } blocks[64] = {0};
	unsigned seed = (unsigned)(uintptr_t)&blocks;

	while (!atomic_load(&busy->stop)) {
		int i = rand_r(&seed) % 64;

		for (size_t k = 0; k < blocks[i].size; k += 61)
			if (blocks[i].start[k] != (unsigned char)(k ^ (size_t)i))
				atomic_fetch_add(&busy->n_wrong, 1);
		situs_free(blocks[i].start);
		blocks[i].size = (size_t)rand_r(&seed) % busy->size_max;
		blocks[i].start = situs_malloc(busy->heap, blocks[i].size);
		if (blocks[i].start == NULL)
			blocks[i].size = 0;
		for (size_t k = 0; k < blocks[i].size; k += 61)
			blocks[i].start[k] = (unsigned char)(k ^ (size_t)i);
	}
	for (int i = 0; i < 64; i++)
		situs_free(blocks[i].start);
	return NULL;
}

static inline void busy_start(struct busy *busy, situs_heap_t *heap)
{
	busy->heap = heap;
	busy->size_max = 100000;
	atomic_init(&busy->stop, false);
	atomic_init(&busy->n_wrong, 0);
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&busy->threads[i], NULL, busy_work, busy), 0);
}

static inline void busy_stop(struct busy *busy)
{
	atomic_store(&busy->stop, true);
	for (int i = 0; i < 4; i++)
		pthread_join(busy->threads[i], NULL);
	assert_int_equal(atomic_load(&busy->n_wrong), 0);
}

/* jemalloc finds mutexes by atomics of its own, which ThreadSanitizer does not see. */
const char *__tsan_default_suppressions(void);
const char *__tsan_default_suppressions(void)
{
	return "race_top:pthread_mutex_trylock\n";
}

#endif
