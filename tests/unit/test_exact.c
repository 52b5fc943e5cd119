/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Exactness under load: heaps over user-made areas, threads that allocate from, resize in and free
 * into all of them, plain malloc beside it. After every round each heap's map equals what its area
 * has handed out, and in the end nothing is left.
 */
#include "tests/unit/test.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "heap/heap.h"
#include "situs.h"
#include "tests/unit/book_area.h"

enum { N_HEAPS = 3, N_THREADS = 4, N_SLOTS = 512, N_ROUNDS = 6, STEPS = 4000 };

struct slot {
	_Atomic(unsigned char *) block;
};

static struct book_area *books[N_HEAPS];
static situs_heap_t *heaps[N_HEAPS];
static struct slot slots[N_SLOTS];
static _Atomic(unsigned) n_wrong;

static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13, *state ^= *state >> 7, *state ^= *state << 17;
	return *state;
}

static size_t random_size(uint64_t *state)
{
	uint64_t r = next_random(state);

	return r % 64 == 0 ? r / 64 % 3000000 : r % 8 == 0 ? r / 64 % 40000 : r / 64 % 600;
}

/* Every block starts with its heap's index and ends with the same byte. */
static void check_block(unsigned char *block)
{
	unsigned which = block[0];
	size_t size = situs_usable_size(block);

	if (which > N_HEAPS || block[size - 1] != block[0])
		n_wrong++;
	else if (which == N_HEAPS ? situs_heap_of(block) != NULL :
		situs_heap_of(block) != heaps[which] || !book_holds(books[which], block, size))
		n_wrong++;
}

static void mark_block(unsigned char *block, unsigned which)
{
	block[0] = (unsigned char)which;
	block[situs_usable_size(block) - 1] = (unsigned char)which;
}

static unsigned char *new_block(uint64_t *state)
{
	unsigned which = next_random(state) % (N_HEAPS + 1);
	size_t size = random_size(state) + 1;
	situs_heap_t *heap = which == N_HEAPS ? NULL : heaps[which];
	unsigned char *block;

	switch (next_random(state) % 4) {
	case 0:
		block = situs_calloc(heap, 1, size);
		break;
	case 1:
		block = situs_aligned_alloc(heap, (size_t)1 << next_random(state) % 13, size);
		break;
	default:
		block = situs_malloc(heap, size);
	}
	if (block == NULL)
		n_wrong++;
	else
		mark_block(block, which);
	return block;
}

static void *churn(void *seed)
{
	uint64_t state = (uintptr_t)seed;

	for (int step = 0; step < STEPS; step++) {
		struct slot *slot = &slots[next_random(&state) % N_SLOTS];
		unsigned char *block = atomic_exchange(&slot->block, NULL);

		if (block == NULL) {
			block = new_block(&state);
		} else {
			check_block(block);
			if (next_random(&state) % 4 == 0) {
				unsigned which = next_random(&state) % N_HEAPS;

				block = situs_realloc(heaps[which], block, random_size(&state) + 1);
				if (block != NULL)
					mark_block(block, which);
			} else {
				situs_free(block);
				block = NULL;
			}
		}
		block = atomic_exchange(&slot->block, block);
		if (block != NULL) {
			check_block(block);
			situs_free(block);
		}
	}
	return NULL;
}

static size_t bytes_of_regions(situs_heap_t *heap)
{
	size_t bytes = 0;

	for (unsigned k = 0; k < heap->n_arenas; k++)
		if (heap->arenas[k] != NULL)
			bytes += space__size_mapped(hooks__space(heap->arenas[k]->hooks));
	return bytes;
}

static void check_books(void)
{
	for (int i = 0; i < N_HEAPS; i++) {
		/* With background_thread:true jemalloc may be giving back while this looks: a moment later it is not. */
		for (int k = 0; k < 1000 && (bytes_of_regions(heaps[i]) != books[i]->size_out ||
			bytes_of_regions(heaps[i]) != heaps[i]->account.drawn); k++)
			usleep(10000);
		assert_int_equal(bytes_of_regions(heaps[i]), books[i]->size_out);
		assert_int_equal(bytes_of_regions(heaps[i]), heaps[i]->account.drawn);
		for (unsigned k = 0; k < heaps[i]->n_arenas; k++)
			if (heaps[i]->arenas[k] != NULL)
				assert_int_equal(space__check(hooks__space(heaps[i]->arenas[k]->hooks)), 0);
		assert_int_equal(books[i]->n_wrong, 0);
	}
}

static void every_block_lies_in_its_area_whoever_frees_it(void **state)
{
	(void)state;
	for (int i = 0; i < N_HEAPS; i++) {
		struct situs_config config = {
			.struct_size = sizeof(config), .decay_ms = i == 0 ? 1 : 0};

		books[i] = book_create();
		assert_int_equal(situs_heap_create(&heaps[i], &books[i]->area, &config), 0);
	}
	for (uintptr_t round = 0; round < N_ROUNDS; round++) {
		pthread_t threads[N_THREADS];

		for (uintptr_t i = 0; i < N_THREADS; i++)
			pthread_create(&threads[i], NULL, churn, (void *)(round * 100 + i + 1));
		for (int i = 0; i < N_THREADS; i++)
			pthread_join(threads[i], NULL);
		assert_int_equal(n_wrong, 0);
		check_books();
	}
	for (int i = 0; i < N_SLOTS; i++) {
		if (slots[i].block != NULL)
			check_block(slots[i].block);
		situs_free(slots[i].block);
	}
	assert_int_equal(n_wrong, 0);
	for (int i = 0; i < N_HEAPS; i++) {
		assert_int_equal(situs_heap_destroy(heaps[i]), 0);
		assert_int_equal(books[i]->size_out, 0);
		assert_int_equal(books[i]->n_wrong, 0);
		book_destroy(books[i]);
	}
}

static situs_heap_t *shared_heap;
static pthread_key_t late_keys[8];
static _Atomic(unsigned) n_late;

/* Runs after jemalloc's own thread state is gone, again and again. */
static void late_destructor(void *round)
{
	unsigned char *block = situs_malloc(shared_heap, 100);

	if (block == NULL || situs_heap_of(block) != shared_heap)
		n_wrong++;
	else
		memset(block, 1, situs_usable_size(block));
	situs_free(block);
	n_late++;
	if ((uintptr_t)round > 1)
		pthread_setspecific(late_keys[0], (void *)((uintptr_t)round - 1));
}

static void *use_and_end(void *arg)
{
	void *blocks[50];

	for (int i = 0; i < 50; i++)
		blocks[i] = situs_malloc(shared_heap, (size_t)i * 40);
	for (int i = 0; i < 50; i++)
		situs_free(blocks[i]);
	if (arg != NULL)
		pthread_setspecific(late_keys[0], arg);
	return NULL;
}

static void threads_by_the_thousand_leave_nothing(void **state)
{
	(void)state;
	assert_int_equal(situs_heap_create(&shared_heap, &aml_area_linux, NULL), 0);
	for (int i = 0; i < 2000; i++) {
		pthread_t thread;

		pthread_create(&thread, NULL, use_and_end, NULL);
		pthread_join(thread, NULL);
	}
	/* Each used 49 KB; together that is 98 MB. */
	assert_true(shared_heap->account.drawn < 8 << 20);
	assert_int_equal(situs_heap_destroy(shared_heap), 0);
}

/* glibc makes four rounds over the destructors; ThreadSanitizer is gone in the last ones. */
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define LATE_ROUNDS 2
#endif
#endif
#ifndef LATE_ROUNDS
#define LATE_ROUNDS 4
#endif

static void late_destructors_stay_in_the_heap(void **state)
{
	(void)state;
	n_wrong = 0;
	assert_int_equal(situs_heap_create(&shared_heap, &aml_area_linux, NULL), 0);
	pthread_key_create(&late_keys[0], late_destructor);
	for (int i = 0; i < 20; i++) {
		pthread_t thread;

		pthread_create(&thread, NULL, use_and_end, (void *)LATE_ROUNDS);
		pthread_join(thread, NULL);
	}
	pthread_key_delete(late_keys[0]);
	assert_int_equal(n_wrong, 0);
	assert_true(n_late >= 20 * LATE_ROUNDS - 20);
	assert_int_equal(situs_heap_destroy(shared_heap), 0);
}

static void *hold_cache(void *barrier)
{
	situs_free(situs_malloc(shared_heap, 64));
	pthread_barrier_wait(barrier); /* cached */
	pthread_barrier_wait(barrier); /* destroyed */
	pthread_barrier_wait(barrier); /* made anew, maybe with the same number */

	void *block = situs_malloc(shared_heap, 64);

	if (situs_heap_of(block) != shared_heap)
		n_wrong++;
	situs_free(block);
	return NULL;
}

static void destroy_drops_other_threads_caches(void **state)
{
	pthread_barrier_t barrier;
	pthread_t thread;

	(void)state;
	n_wrong = 0;
	pthread_barrier_init(&barrier, NULL, 2);
	assert_int_equal(situs_heap_create(&shared_heap, &aml_area_linux, NULL), 0);
	pthread_create(&thread, NULL, hold_cache, &barrier);
	pthread_barrier_wait(&barrier);
	assert_int_equal(situs_heap_destroy(shared_heap), 0);
	pthread_barrier_wait(&barrier);
	assert_int_equal(situs_heap_create(&shared_heap, &aml_area_linux, NULL), 0);
	pthread_barrier_wait(&barrier);
	pthread_join(thread, NULL);
	assert_int_equal(n_wrong, 0);
	assert_int_equal(situs_heap_destroy(shared_heap), 0);
}

/* tests/unit/mallocs.sh says which library was preloaded. */
static void malloc_is_of_the_library_that_is_meant(void **state)
{
	const char *library = getenv("SITUS_TEST_MALLOC");
	Dl_info of = {.dli_fname = ""};

	(void)state;
	if (library == NULL)
		return;
	assert_int_not_equal(dladdr((void *)(uintptr_t)malloc, &of), 0);
	if (strstr(of.dli_fname, library) == NULL)
		fail_msg("malloc is of %s, not of %s", of.dli_fname, library);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(malloc_is_of_the_library_that_is_meant),
		cmocka_unit_test(every_block_lies_in_its_area_whoever_frees_it),
		cmocka_unit_test(threads_by_the_thousand_leave_nothing),
		cmocka_unit_test(late_destructors_stay_in_the_heap),
		cmocka_unit_test(destroy_drops_other_threads_caches),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
