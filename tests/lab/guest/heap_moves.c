/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * heap_moves.c - heaps are located and migrated between nodes, alone and while four threads allocate and
 * write; the lab's own questions to the kernel are the witness.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/lab/guest/lab_blocks.h"
#include "tests/lab/guest/lab_full.h"

enum { N_BLOCKS = 96 };
#define BLOCK LAB_BLOCK

/* Bytes of all blocks on a node, as the lab sees it. */
static size_t on_node(char *blocks[N_BLOCKS], int node)
{
	size_t sum = 0;

	for (int i = 0; i < N_BLOCKS; i++) {
		size_t bytes[LAB_MAX_NODES] = {0};
		uintptr_t start = (uintptr_t)blocks[i] & ~(LAB_PAGE - 1);

		lab_pages((void *)start, BLOCK, bytes);
		sum += bytes[node];
	}
	return sum;
}

/* As the library sees all of the heap: whatever is not on `node`. */
static size_t elsewhere(situs_heap_t *heap, int node)
{
	size_t bytes[LAB_MAX_NODES], sum = 0;

	assert_true(situs_heap_locate(heap, bytes, LAB_MAX_NODES) >= 0);
	for (int i = 0; i < LAB_MAX_NODES; i++)
		sum += i == node ? 0 : bytes[i];
	return sum;
}

/* Pages a block touches: jemalloc starts large blocks anywhere in their first page, on its first byte too. */
static int n_pages(const char *block, size_t size)
{
	uintptr_t first = (uintptr_t)block / LAB_PAGE, last = ((uintptr_t)block + size - 1) / LAB_PAGE;

	return (int)(last - first + 1);
}

static void a_heap_is_located_where_the_kernel_put_it(void **state)
{
	struct aml_area *zero = lab_open("node:0,bind"), *one = lab_open("node:1,bind");
	situs_heap_t *heaps[] = {lab_heap_over(zero), lab_heap_over(one)};
	size_t bytes[LAB_MAX_NODES], error;

	(void)state;
	for (int node = 0; node < 2; node++) {
		char *blocks[N_BLOCKS];

		lab_blocks_fill(heaps[node], blocks, N_BLOCKS);
		assert_int_equal(on_node(blocks, node), N_BLOCKS * BLOCK);
		assert_int_equal(elsewhere(heaps[node], node), 0);
		assert_int_equal(situs_locate(blocks[3], BLOCK, bytes, LAB_MAX_NODES), 0);
		assert_int_equal(bytes[node], BLOCK);
		assert_int_equal(situs_locate(blocks[3], BLOCK, bytes, node),
				 node == 0 ? -EINVAL : n_pages(blocks[3], BLOCK));
		assert_int_equal(situs_locate_sampled(blocks[3], BLOCK, 50, bytes, LAB_MAX_NODES, &error), 0);
		assert_int_equal(bytes[node], BLOCK);
		situs_heap_destroy(heaps[node]);
	}
	aml_area_close(&zero);
	aml_area_close(&one);
}

/*
 * Moves all of a heap. A page that the kernel holds just then stays behind and is said to be busy; it goes when it
 * is asked for again. Returns the bytes that were moved.
 */
static size_t move(situs_heap_t *heap, const struct aml_area *to, situs_progress_func *progress, void *arg,
	struct situs_migration *account)
{
	size_t moved = 0;
	int err = -EBUSY;

	for (int tries = 0; tries < 20 && err == -EBUSY; tries++) {
		err = situs_heap_migrate(heap, to, progress, arg);
		account->struct_size = sizeof(*account);
		assert_int_equal(situs_heap_migration(heap, account), 0);
		moved += account->moved;
	}
	if (err != 0) {
		lab_tell_free();
		fail_msg("%s", situs_error());
	}
	return moved;
}

struct first_touch {
	situs_heap_t *heap;
	char *block;
	size_t on_target;
	int calls, target;
};

/* Right after the first piece: what is touched for the first time now lies in the new place. */
static int touch(size_t done, size_t total, void *arg)
{
	struct first_touch *first = arg;

	(void)done, (void)total;
	if (++first->calls == 2) {
		size_t bytes[LAB_MAX_NODES];

		first->block = situs_malloc(first->heap, 8 * BLOCK);
		assert_non_null(first->block);
		memset(first->block, 1, 8 * BLOCK);
		assert_true(situs_locate(first->block, 8 * BLOCK, bytes, LAB_MAX_NODES) >= 0);
		first->on_target = bytes[first->target];
	}
	return 0;
}

static void moves_there_and_back(const char *from_place, const char *to_place)
{
	struct aml_area *from = lab_open(from_place), *to = lab_open(to_place);
	struct situs_migration account;
	situs_heap_t *heap = lab_heap_over(from);
	struct first_touch first = {.heap = heap, .target = 1};
	char *blocks[N_BLOCKS];
	size_t moved;

	lab_blocks_fill(heap, blocks, N_BLOCKS);
	assert_int_equal(on_node(blocks, 0), N_BLOCKS * BLOCK);
	moved = move(heap, to, touch, &first, &account);
	assert_int_equal(on_node(blocks, 1), N_BLOCKS * BLOCK);
	assert_int_equal(elsewhere(heap, 1), 0);
	/* A huge page that the blocks before had touched was there already. */
	assert_true(first.on_target >= 8 * BLOCK - 2 * MIB);
	/* The kernel follows the new policy by itself too (huge pages made anew, balancing): what it
	   brought there before us counts as there already. */
	assert_true(moved > 0);
	assert_true(account.moved + account.already >= N_BLOCKS * BLOCK);
	assert_int_equal(account.no_room + account.busy + account.other, 0);
	lab_blocks_check(blocks, N_BLOCKS);
	move(heap, from, NULL, NULL, &account);
	assert_int_equal(on_node(blocks, 0), N_BLOCKS * BLOCK);
	assert_int_equal(elsewhere(heap, 0), 0);
	lab_blocks_check(blocks, N_BLOCKS);
	situs_heap_destroy(heap);
	aml_area_close(&from);
	aml_area_close(&to);
}

static void a_bound_heap_moves_there_and_back(void **state)
{
	(void)state;
	moves_there_and_back("node:0,bind", "node:1,bind");
}

static void a_preferred_heap_moves_there_and_back(void **state)
{
	(void)state;
	moves_there_and_back("node:0,preferred", "node:1,preferred");
}

static void a_strict_heap_moves_there_and_back(void **state)
{
	(void)state;
	moves_there_and_back("node:0,strict", "node:1,strict");
}

struct busy {
	situs_heap_t *heap;
	atomic_bool stop;
	atomic_int n_wrong, n_done;
};

static void *work(void *arg)
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
		blocks[i].size = (size_t)rand_r(&seed) % 200000;
		blocks[i].start = situs_malloc(busy->heap, blocks[i].size);
		if (blocks[i].start == NULL)
			blocks[i].size = 0;
		for (size_t k = 0; k < blocks[i].size; k += 61)
			blocks[i].start[k] = (unsigned char)(k ^ (size_t)i);
		atomic_fetch_add(&busy->n_done, 1);
		usleep(1000);
	}
	for (int i = 0; i < 64; i++)
		situs_free(blocks[i].start);
	return NULL;
}

/* Goes on with the next piece when the threads have gone on as well. */
static int let_work(size_t done, size_t total, void *arg)
{
	struct busy *busy = arg;
	int before = atomic_load(&busy->n_done);

	(void)done, (void)total;
	for (int i = 0; i < 600000 && atomic_load(&busy->n_done) == before; i++)
		usleep(100);
	return 0;
}

static void a_heap_moves_while_four_threads_allocate_and_write(void **state)
{
	struct aml_area *zero = lab_open("node:0,bind"), *one = lab_open("node:1,bind");
	struct busy busy = {.heap = lab_heap_over(zero)};
	struct situs_migration account;
	char *blocks[N_BLOCKS];
	pthread_t threads[4];

	(void)state;
	lab_blocks_fill(busy.heap, blocks, N_BLOCKS);
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, work, &busy), 0);
	for (int round = 1; round <= 2; round++) {
		int before = atomic_load(&busy.n_done);

		move(busy.heap, round % 2 == 1 ? one : zero, let_work, &busy, &account);
		assert_int_equal(on_node(blocks, round % 2), N_BLOCKS * BLOCK);
		assert_int_equal(elsewhere(busy.heap, round % 2), 0);
		assert_true(atomic_load(&busy.n_done) > before);
	}
	atomic_store(&busy.stop, true);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(atomic_load(&busy.n_wrong), 0);
	lab_blocks_check(blocks, N_BLOCKS);
	situs_heap_destroy(busy.heap);
	aml_area_close(&zero);
	aml_area_close(&one);
}

/* Of the case that is running; given back after it, also where it fails. */
static struct lab_full full;

static int short_lists(void **state)
{
	(void)state;
	lab_lists(LAB_LISTS_SHORT);
	return 0;
}

static int tidy_up(void **state)
{
	(void)state;
	lab_full_end(&full);
	lab_lists(LAB_LISTS_USUAL);
	return 0;
}

/*
 * More blocks than a full node can have left, watermarks and what is given back together: a quarter of it. And it
 * may have nothing left at all, so it is given room until something has moved.
 */
enum { N_SETS = 2 };
#define ALL (N_SETS * N_BLOCKS * BLOCK)

static void move_a_part(situs_heap_t *heap, const struct aml_area *to, struct situs_migration *account)
{
	do {
		assert_int_equal(situs_heap_migrate(heap, to, NULL, NULL), -ENOMEM);
		assert_non_null(strstr(situs_error(), "stayed behind"));
		assert_int_equal(situs_heap_migration(heap, account), 0);
		print_message("# %zu KiB found room, %zu KiB were there, %zu KiB found none\n", account->moved / KIB,
			account->already / KIB, account->no_room / KIB);
	} while (account->moved == 0 && lab_full_give(&full));
	if (account->moved == 0 || account->no_room == 0) {
		lab_tell_free();
		fail_msg("not a part of the heap moved");
	}
}

static size_t on_all(char *blocks[N_SETS][N_BLOCKS], int node)
{
	size_t sum = 0;

	for (int i = 0; i < N_SETS; i++)
		sum += on_node(blocks[i], node);
	return sum;
}

static void a_full_target_stops_cleanly_and_says_what_stayed(void **state)
{
	struct aml_area *from = lab_open("node:0,strict"), *to = lab_open("node:1,strict");
	struct situs_migration account = {.struct_size = sizeof(account)};
	situs_heap_t *heap = lab_heap_over(from);
	char *blocks[N_SETS][N_BLOCKS];
	size_t behind, left, seen;

	(void)state;
	for (int i = 0; i < N_SETS; i++)
		lab_blocks_fill(heap, blocks[i], N_BLOCKS);
	lab_full_begin(&full, 1, LAB_FILLER);
	move_a_part(heap, to, &account);
	behind = on_all(blocks, 0);
	assert_int_equal(behind + on_all(blocks, 1), ALL);
	left = account.no_room + account.busy + account.other;
	assert_true(account.moved + account.already + left >= ALL);
	/* The account has free space too that is kept populated. */
	seen = elsewhere(heap, 1);
	print_message("# %zu KiB of blocks, %zu of the heap, %zu of its account stayed\n", behind / KIB, seen / KIB,
		left / KIB);
	assert_true(behind <= seen && seen <= left);
	for (int i = 0; i < N_SETS; i++)
		lab_blocks_check(blocks[i], N_BLOCKS);

	/* Forward, once there is room. */
	lab_full_end(&full);
	move(heap, to, NULL, NULL, &account);
	assert_int_equal(on_all(blocks, 1), ALL);
	for (int i = 0; i < N_SETS; i++)
		lab_blocks_check(blocks[i], N_BLOCKS);
	situs_heap_destroy(heap);
	aml_area_close(&from);
	aml_area_close(&to);
}

int main(int argc, char **argv)
{
	if (argc > 1)
		cmocka_set_test_filter(argv[1]);

	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_heap_is_located_where_the_kernel_put_it),
		cmocka_unit_test(a_bound_heap_moves_there_and_back),
		cmocka_unit_test(a_preferred_heap_moves_there_and_back),
		cmocka_unit_test(a_strict_heap_moves_there_and_back),
		cmocka_unit_test(a_heap_moves_while_four_threads_allocate_and_write),
		cmocka_unit_test_setup_teardown(a_full_target_stops_cleanly_and_says_what_stayed, short_lists,
			tidy_up),
	};

	return cmocka_run_group_tests_name("heap moves", tests, NULL, NULL);
}
