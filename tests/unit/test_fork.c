/* SPDX-License-Identifier: BSD-3-Clause */
/* Heaps in the child of a fork that fell into the middle of other threads' work. */
#include "tests/unit/test.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "heap/heap.h"
#include "situs.h"
#include "tests/unit/fork_test.h"

#if FORKS_UNDER_TSAN
enum { N_FORKS = 100 };
#else
enum { N_FORKS = 400 };
#endif

/* AddressSanitizer marks every byte of a block: forks take ten times as long beside it. */
#if FORKS_UNDER_ASAN
enum { SLOWER = 4, N_FAR_FORKS = 3, N_ARENA_FORKS = 10 };
#else
enum { SLOWER = 1, N_FAR_FORKS = 15, N_ARENA_FORKS = 50 };
#endif
enum { N_THREADS = 8, CHILD_SECONDS = 600 };
/* Of more than a region, so that each block is a mapping of its own. */
#define FAR_SIZE ((size_t)96 << 20)
#define GIB ((uintptr_t)1 << 30)

static situs_heap_t *heaps[2];
static atomic_bool stop;

static void *churn(void *seed)
{
	uint64_t random = (uintptr_t)seed * 7919;
	void *blocks[64] = {NULL};

	while (!stop) {
		random = random * UINT64_C(6364136223846793005) + 1442695040888963407u;

		unsigned i = random >> 58;
		size_t size = (random >> 20) % 8 == 0 ? (random >> 24) % 300000 : (random >> 24) % 2000;

		situs_free(blocks[i]);
		blocks[i] = situs_malloc(heaps[(random >> 50) & 1], size);
	}
	for (int i = 0; i < 64; i++)
		situs_free(blocks[i]);
	return NULL;
}

/* Exit status 0: every heap works here and its map checks out. */
static int use_heaps(void)
{
	for (int h = 0; h < 2; h++) {
		void *blocks[40];

		for (int i = 0; i < 40; i++) {
			blocks[i] = situs_malloc(heaps[h], i % 10 == 0 ? 200000 : (size_t)i * 50);
			if (blocks[i] == NULL || situs_heap_of(blocks[i]) != heaps[h])
				return 1;
			memset(blocks[i], 1, situs_usable_size(blocks[i]));
		}
		for (int i = 0; i < 40; i++)
			situs_free(blocks[i]);
		for (unsigned i = 0; i < heaps[h]->n_arenas; i++)
			if (heaps[h]->arenas[i] != NULL &&
				space__check(hooks__space(heaps[h]->arenas[i]->hooks)) != 0)
				return 2;
	}
	return 0;
}

static void child_uses_every_heap(void **state)
{
	struct situs_config hasty = {.struct_size = sizeof(hasty), .decay_ms = 1};
	pthread_t threads[N_THREADS];

	(void)state;
	assert_int_equal(situs_heap_create(&heaps[0], &aml_area_linux, NULL), 0);
	assert_int_equal(situs_heap_create(&heaps[1], &aml_area_linux, &hasty), 0);
	for (uintptr_t i = 0; i < N_THREADS; i++)
		pthread_create(&threads[i], NULL, churn, (void *)(i + 1));

	const char *forks = getenv("SITUS_TEST_FORKS");
	int n_forks = (forks != NULL ? atoi(forks) : N_FORKS) / SLOWER;
	int failed = 0, status = 0;

	for (int i = 0; i < n_forks && !failed; i++) {
		pid_t child = fork();

		if (child == 0) {
			alarm(CHILD_SECONDS); /* a hang is a failure */
			_exit(use_heaps());
		}
		waitpid(child, &status, 0);
		failed = !WIFEXITED(status) || WEXITSTATUS(status) != 0;
	}
	stop = true;
	for (int i = 0; i < N_THREADS; i++)
		pthread_join(threads[i], NULL);
	if (failed)
		fail_msg("child ended with status 0x%x", status);
	situs_heap_destroy(heaps[0]);
	situs_heap_destroy(heaps[1]);
}

#if !FORKS_UNDER_TSAN /* it has no room for mappings everywhere */
/*
 * Every mapping in a GiB of its own: jemalloc makes a leaf of its radix tree for each, under a lock that it
 * does not take before fork.
 */
static void *far_mmap(const struct aml_area_data *data, void **ptr, size_t size)
{
	static _Atomic uintptr_t next = (uintptr_t)0x200000000000;
	void *wanted = (void *)(atomic_fetch_add(&next, (size + GIB - 1) / GIB * GIB));
	void *mapped = mmap(wanted, size, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);

	(void)data, (void)ptr;
	return mapped == MAP_FAILED ? NULL : mapped;
}

static int far_munmap(const struct aml_area_data *data, void *ptr, size_t size)
{
	(void)data;
	return munmap(ptr, size) == 0 ? AML_SUCCESS : -AML_EINVAL;
}

static void *churn_far(void *heap)
{
	while (!stop) {
		situs_free(situs_malloc(heap, FAR_SIZE));
		usleep(200);
	}
	return NULL;
}

static int fork_and_allocate(situs_heap_t *heap)
{
	int status = -1;
	pid_t child = fork();

	if (child == 0) {
		alarm(CHILD_SECONDS);
		_exit(situs_malloc(heap, FAR_SIZE) == NULL);
	}
	waitpid(child, &status, 0);
	return status;
}

static void child_gets_new_address_space(void **state)
{
	static const struct aml_area_ops ops = {.mmap = far_mmap, .munmap = far_munmap};
	struct aml_area area = {.ops = &ops};
	struct situs_config hasty = {.struct_size = sizeof(hasty), .decay_ms = 1};
	situs_heap_t *heap;
	pthread_t threads[N_THREADS];
	int status = 0;

	(void)state;
	stop = false;
	assert_int_equal(situs_heap_create(&heap, &area, &hasty), 0);
	for (int i = 0; i < N_THREADS; i++)
		pthread_create(&threads[i], NULL, churn_far, heap);
	for (int i = 0; i < N_FAR_FORKS && status == 0; i++)
		status = fork_and_allocate(heap);
	stop = true;
	for (int i = 0; i < N_THREADS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(status, 0);
	assert_int_equal(situs_heap_destroy(heap), 0);
}
#endif

static unsigned arena;

static void *ask_for_flags(void *arg)
{
	(void)arg;
	while (!stop)
		if (situs_arena_flags(arena) == -EINVAL)
			abort();
	return NULL;
}

static void *make_and_destroy_arenas(void *arg)
{
	unsigned made;

	(void)arg;
	while (!stop)
		if (situs_arena_create(&made, &aml_area_linux, NULL) != 0 || situs_arena_destroy(made) != 0)
			abort();
	return NULL;
}

static int use_arenas(void)
{
	unsigned made;

	if (situs_arena_flags(arena) == -EINVAL || situs_arena_create(&made, &aml_area_linux, NULL) != 0)
		return 1;
	return situs_arena_destroy(made) == 0 && situs_arena_destroy(arena) == 0 ? 0 : 2;
}

static void child_uses_arenas_of_the_program_s_own(void **state)
{
	pthread_t threads[2];
	int status = 0;

	(void)state;
	stop = false;
	assert_int_equal(situs_arena_create(&arena, &aml_area_linux, NULL), 0);
	pthread_create(&threads[0], NULL, ask_for_flags, NULL);
	pthread_create(&threads[1], NULL, make_and_destroy_arenas, NULL);
	for (int i = 0; i < N_ARENA_FORKS && status == 0; i++) {
		pid_t child = fork();

		if (child == 0) {
			alarm(CHILD_SECONDS);
			_exit(use_arenas());
		}
		waitpid(child, &status, 0);
	}
	stop = true;
	pthread_join(threads[0], NULL);
	pthread_join(threads[1], NULL);
	assert_int_equal(status, 0);
	assert_int_equal(situs_arena_destroy(arena), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(child_uses_every_heap),
		cmocka_unit_test(child_uses_arenas_of_the_program_s_own),
#if !FORKS_UNDER_TSAN
		cmocka_unit_test(child_gets_new_address_space),
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
