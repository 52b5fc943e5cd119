/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Hooks for a jemalloc of the program's own, under another prefix, beside the shared one that heaps
 * draw from. The prefixed one is the static library with its names changed (heap.mk).
 */
#include "tests/unit/test.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hooks/hooks.h"
#include "situs.h"
#include "tests/unit/book_area.h"

/* jemalloc's documented calls and flags under the prefix "other_". */
extern void *other_mallocx(size_t size, int flags);
extern void *other_rallocx(void *ptr, size_t size, int flags);
extern size_t other_sallocx(const void *ptr, int flags);
extern void other_dallocx(void *ptr, int flags);
extern int other_mallctl(const char *name, void *old, size_t *old_size, void *new, size_t new_size);
#define OTHER_ARENA(a) (((int)(a) + 1) << 20)
#define OTHER_TCACHE_NONE (1 << 8)

enum { N_THREADS = 4, STEPS = 20000, N_SLOTS = 64, N_OWN = 3, N_ROUNDS = 3, N_SHARED = 256, ROUND_STEPS = 3000 };

struct own {
	struct book_area *book;
	situs_hooks_t *hooks;
	unsigned arena;
	int flags;
};

static struct own make(void)
{
	struct own own = {.book = book_create()};
	size_t size = sizeof(own.arena);

	assert_int_equal(situs_hooks_create(&own.hooks, &own.book->area, NULL), 0);

	struct extent_hooks_s *table = situs_hooks_extent_hooks(own.hooks);

	assert_int_equal(other_mallctl("arenas.create", &own.arena, &size, &table, sizeof(table)), 0);
	own.flags = OTHER_ARENA(own.arena) | OTHER_TCACHE_NONE;
	return own;
}

static void unmake(struct own *own)
{
	char name[32];

	snprintf(name, sizeof(name), "arena.%u.destroy", own->arena);
	assert_int_equal(other_mallctl(name, NULL, NULL, NULL, 0), 0);
	assert_int_equal(situs_hooks_destroy(own->hooks), 0);
	assert_int_equal(own->book->n_out, 0);
	assert_int_equal(own->book->n_wrong, 0);
	book_destroy(own->book);
}

static void memory_lies_in_the_area_and_goes_back(void **state)
{
	struct own own = make();

	(void)state;
	for (size_t size = 1; size < 20000000; size = size * 3 / 2 + 1) {
		char *block = other_mallocx(size, own.flags);

		assert_non_null(block);
		memset(block, 1, size);
		assert_true(book_holds(own.book, block, size));
		assert_ptr_equal(situs_area_of(block), &own.book->area);
		assert_null(situs_heap_of(block));
		if (size % 2 == 0)
			other_dallocx(block, own.flags);
	}
	assert_int_equal(situs_hooks_destroy(own.hooks), -EBUSY);
	unmake(&own);
}

static void free_by_the_library_is_refused_and_harmless(void **state)
{
	struct own own = make();
	char *block = other_mallocx(100, own.flags);

	(void)state;
	block[0] = 'x';
	situs_free(block);
	assert_non_null(strstr(situs_error(), "another jemalloc"));
	assert_null(situs_realloc(NULL, block, 200));
	assert_int_equal(block[0], 'x');
	other_dallocx(block, own.flags);
	unmake(&own);
}

static struct own owns[N_OWN];
static _Atomic(char *) shared_slots[N_SHARED];
static atomic_uint n_astray;

/* Every block ends with the index of its arena, and lies in the area of that one. */
static void check_block(char *block)
{
	size_t size = other_sallocx(block, 0);
	unsigned which = (unsigned char)block[size - 1];

	n_astray += which >= N_OWN || situs_area_of(block) != &owns[which].book->area ||
		!book_holds(owns[which].book, block, size);
}

static char *new_block(uint64_t random)
{
	unsigned which = (random >> 8) % N_OWN;
	size_t size = 1 + (random % 64 == 0 ? (random >> 16) % 3000000 : random % 8 == 0 ?
		(random >> 16) % 40000 : (random >> 16) % 600);
	size_t align = (random >> 60) < 4 ? (size_t)(random >> 60) * 4 + 1 : 0; /* log2 */
	char *block = other_mallocx(size, owns[which].flags | (int)align);

	if (block == NULL)
		n_astray++;
	else
		block[other_sallocx(block, 0) - 1] = (char)which;
	return block;
}

/* The new size keeps the arena: the flags are those of the block's own. */
static char *resized(char *block, size_t size)
{
	unsigned which = (unsigned char)block[other_sallocx(block, 0) - 1];
	char *moved = other_rallocx(block, size, owns[which].flags);

	if (moved != NULL)
		moved[other_sallocx(moved, 0) - 1] = (char)which;
	return moved;
}

static void *churn_shared(void *seed)
{
	uint64_t random = (uintptr_t)seed * 7919;

	for (int step = 0; step < ROUND_STEPS; step++) {
		_Atomic(char *) *slot;
		char *block;

		random ^= random << 13, random ^= random >> 7, random ^= random << 17;
		slot = &shared_slots[random % N_SHARED];
		block = atomic_exchange(slot, NULL);
		if (block == NULL) {
			block = new_block(random >> 3);
		} else {
			check_block(block);
			if (random >> 62 == 0) {
				block = resized(block, 1 + (random >> 20) % 20000);
			} else {
				other_dallocx(block, OTHER_TCACHE_NONE);
				block = NULL;
			}
		}
		block = atomic_exchange(slot, block);
		if (block != NULL)
			check_block(block), other_dallocx(block, OTHER_TCACHE_NONE);
	}
	return NULL;
}

static void books_and_maps_agree_after_every_round(void **state)
{
	(void)state;
	for (int i = 0; i < N_OWN; i++)
		owns[i] = make();
	for (uintptr_t round = 0; round < N_ROUNDS; round++) {
		pthread_t threads[N_THREADS];

		for (uintptr_t i = 0; i < N_THREADS; i++)
			pthread_create(&threads[i], NULL, churn_shared, (void *)(round * 100 + i + 1));
		for (int i = 0; i < N_THREADS; i++)
			pthread_join(threads[i], NULL);
		assert_int_equal(n_astray, 0);
		for (int i = 0; i < N_OWN; i++) {
			struct space *space = hooks__space(owns[i].hooks->hooks);

			assert_int_equal(space__check(space), 0);
			assert_int_equal(space__size_mapped(space), owns[i].book->size_out);
		}
	}
	for (int i = 0; i < N_SHARED; i++)
		if (shared_slots[i] != NULL)
			check_block(shared_slots[i]), other_dallocx(shared_slots[i], OTHER_TCACHE_NONE);
	assert_int_equal(n_astray, 0);
	for (int i = 0; i < N_OWN; i++)
		unmake(&owns[i]);
}

static struct own shared;
static situs_heap_t *heap;
static atomic_uint n_wrong;
static atomic_bool stop;

/* Blocks of the prefixed arena and of a heap in turn. */
static void *churn(void *seed)
{
	uint64_t random = (uintptr_t)seed * 7919;
	char *blocks[N_SLOTS] = {NULL};

	for (int step = 0; step < STEPS && !stop; step++) {
		random = random * UINT64_C(6364136223846793005) + 1442695040888963407u;

		unsigned i = random >> 58;
		size_t size = 1 + ((random >> 20) % 8 == 0 ? (random >> 24) % 300000 : (random >> 24) % 2000);

		if (i % 2 == 0) {
			if (blocks[i] != NULL && (random >> 40) % 2 == 0)
				blocks[i] = other_rallocx(blocks[i], size, shared.flags);
			else if (blocks[i] != NULL)
				other_dallocx(blocks[i], shared.flags), blocks[i] = NULL;
			else
				blocks[i] = other_mallocx(size, shared.flags);
			n_wrong += blocks[i] != NULL && situs_area_of(blocks[i]) != &shared.book->area;
		} else {
			situs_free(blocks[i]);
			blocks[i] = situs_malloc(heap, size);
			n_wrong += situs_heap_of(blocks[i]) != heap;
		}
	}
	for (int i = 0; i < N_SLOTS; i++)
		if (i % 2 == 0 && blocks[i] != NULL)
			other_dallocx(blocks[i], shared.flags);
		else if (i % 2 != 0)
			situs_free(blocks[i]);
	return NULL;
}

static void two_jemallocs_work_side_by_side(void **state)
{
	pthread_t threads[N_THREADS];
	int status = 0;

	(void)state;
	shared = make();
	assert_int_equal(situs_heap_create(&heap, &aml_area_linux, NULL), 0);
	for (uintptr_t i = 0; i < N_THREADS; i++)
		pthread_create(&threads[i], NULL, churn, (void *)(i + 1));
	for (int i = 0; i < 20 && status == 0; i++) {
		pid_t child = fork();

		if (child == 0) {
			alarm(600); /* a hang is a failure */

			char *block = other_mallocx(5000, shared.flags);
			bool right = situs_area_of(block) == &shared.book->area;

			other_dallocx(block, shared.flags);
			_exit(right ? 0 : 1);
		}
		waitpid(child, &status, 0);
	}
	for (int i = 0; i < N_THREADS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(status, 0);
	assert_int_equal(n_wrong, 0);
	assert_int_equal(situs_heap_destroy(heap), 0);
	unmake(&shared);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(memory_lies_in_the_area_and_goes_back),
		cmocka_unit_test(free_by_the_library_is_refused_and_harmless),
		cmocka_unit_test(books_and_maps_agree_after_every_round),
		cmocka_unit_test(two_jemallocs_work_side_by_side),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
