/* SPDX-License-Identifier: BSD-3-Clause */
/* Limits that change, limits that are told of, and giving back. */
#include "tests/unit/test.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "heap/heap.h"
#include "heap/thread.h"
#include "situs.h"
#include "tests/unit/book_area.h"

#define MIB ((size_t)1 << 20)

static situs_heap_t *make(const struct aml_area *area, size_t limit)
{
	struct situs_config config = {.struct_size = sizeof(config), .name = "test", .limit = limit,
		.n_arenas = 1};
	situs_heap_t *heap = NULL;

	assert_int_equal(situs_heap_create(&heap, area, &config), 0);
	return heap;
}

static struct situs_heap_stats stats_of(situs_heap_t *heap)
{
	struct situs_heap_stats stats = {.struct_size = sizeof(stats)};

	assert_int_equal(situs_heap_stats(heap, &stats), 0);
	return stats;
}

/* The hard limit */

static void a_limit_can_be_set_raised_and_lifted(void **state)
{
	struct book_area *book = book_create();
	situs_heap_t *heap = make(&book->area, 0);
	void *block = situs_malloc(heap, 10 * MIB);

	(void)state;
	assert_int_equal(situs_heap_limit(heap, 20 * MIB), 0);
	assert_int_equal(stats_of(heap).limit, 20 * MIB);
	assert_null(situs_malloc(heap, 15 * MIB));
	assert_non_null(strstr(situs_error(), "limit"));
	assert_int_equal(situs_heap_limit(heap, 40 * MIB), 0);
	situs_free(situs_malloc(heap, 15 * MIB));
	assert_int_equal(situs_heap_limit(heap, 0), 0);
	situs_free(situs_malloc(heap, 100 * MIB));
	situs_free(block);
	situs_heap_destroy(heap);
	book_destroy(book);
}

static int processor;

/* In place of the C library's: which arena a thread draws from is asked here. */
int sched_getcpu(void)
{
	return processor;
}

static void full_heaps_use_what_other_arenas_have_left(void **state)
{
	struct book_area *book = book_create();
	struct situs_config config = {.struct_size = sizeof(config), .limit = 8 * MIB, .n_arenas = 2,
		.thread_cache = SIZE_MAX};
	static void *blocks[8 * MIB / 1000];
	size_t n = 0, n_freed = 0, n_again = 0, kept = 0;
	situs_heap_t *heap;

	(void)state;
	assert_int_equal(situs_heap_create(&heap, &book->area, &config), 0);
	processor = 1;
	while ((blocks[n] = situs_malloc(heap, 3000)) != NULL)
		n++;
	/* Some of each slab stay, so that it is arena 1's. */
	for (size_t i = 0; i < n; i++)
		if (i % 4 != 0)
			situs_free(blocks[i]), n_freed++;
		else
			blocks[kept++] = blocks[i];
	processor = 0;
	while ((blocks[kept + n_again] = situs_malloc(heap, 3000)) != NULL)
		n_again++;
	assert_non_null(strstr(situs_error(), "limit"));
	if (n_again < n_freed / 10 * 9)
		fail_msg("%zu blocks where %zu of %zu had been freed", n_again, n_freed, n);
	for (size_t i = 0; i < kept + n_again; i++)
		situs_free(blocks[i]);
	assert_int_equal(situs_heap_destroy(heap), 0);
	assert_int_equal(book->size_out, 0);
	book_destroy(book);
}

static void a_limit_below_what_is_in_use_is_refused_and_changes_nothing(void **state)
{
	struct book_area *book = book_create();
	situs_heap_t *heap = make(&book->area, 100 * MIB);
	char *block = situs_malloc(heap, 50 * MIB);

	(void)state;
	memset(block, 7, 50 * MIB);
	assert_int_equal(situs_heap_limit(heap, 20 * MIB), -EBUSY);
	assert_non_null(strstr(situs_error(), "in use"));
	assert_int_equal(stats_of(heap).limit, 100 * MIB);
	for (size_t i = 0; i < 50 * MIB; i += 4096)
		assert_int_equal(block[i], 7);
	situs_free(block);
	situs_heap_destroy(heap);
	book_destroy(book);
}

static void what_is_held_without_need_makes_way_for_a_limit(void **state)
{
	struct book_area *book = book_create();
	struct situs_config config = {.struct_size = sizeof(config), .n_arenas = 1, .decay_ms = -1};
	situs_heap_t *heap;

	(void)state;
	assert_int_equal(situs_heap_create(&heap, &book->area, &config), 0);
	situs_free(situs_malloc(heap, 50 * MIB));
	assert_true(stats_of(heap).mapped >= 50 * MIB);
	assert_int_equal(situs_heap_limit(heap, 20 * MIB), 0);
	assert_true(stats_of(heap).mapped <= 20 * MIB);
	situs_heap_destroy(heap);
	book_destroy(book);
}

struct busy {
	situs_heap_t *heap;
	atomic_bool stop;
	atomic_int n_got;
};

static void *work(void *arg)
{
	struct busy *busy = arg;
	void *blocks[64] = {0};
	unsigned seed = (unsigned)(uintptr_t)&blocks;

	while (!atomic_load(&busy->stop)) {
		int i = rand_r(&seed) % 64;

		situs_free(blocks[i]);
		blocks[i] = situs_malloc(busy->heap, (size_t)rand_r(&seed) % (2 * MIB));
		atomic_fetch_add(&busy->n_got, blocks[i] != NULL);
	}
	for (int i = 0; i < 64; i++)
		situs_free(blocks[i]);
	return NULL;
}

/* The area's own book is the witness. */
static void no_byte_more_than_the_limit_is_drawn_while_it_changes(void **state)
{
	struct book_area *book = book_create();
	struct busy busy = {.heap = make(&book->area, 30 * MIB)};
	pthread_t threads[4];

	(void)state;
	atomic_init(&busy.stop, false);
	atomic_init(&busy.n_got, 0);
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, work, &busy), 0);
	/* On a machine with much to do, all that follows may be over before they begin. */
	while (atomic_load(&busy.n_got) == 0)
		sched_yield();
	for (size_t i = 0; i < 200; i++) {
		size_t limit = (20 + i % 20) * MIB, size;

		if (situs_heap_limit(busy.heap, limit) != 0)
			continue;
		pthread_mutex_lock(&book->mutex);
		book->size_max = book->size_out;
		size = book->size_max;
		pthread_mutex_unlock(&book->mutex);
		assert_true(size <= limit);
		for (int k = 0; k < 20; k++)
			sched_yield();
		pthread_mutex_lock(&book->mutex);
		size = book->size_max;
		pthread_mutex_unlock(&book->mutex);
		assert_true(size <= limit);
	}
	atomic_store(&busy.stop, true);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	situs_heap_destroy(busy.heap);
	assert_int_equal(book->n_out, 0);
	book_destroy(book);
}

/* The soft limit */

struct told {
	situs_heap_t *heap;
	int n;
	size_t mapped;
	void *block;
};

static void tell(situs_heap_t *heap, size_t mapped, void *arg)
{
	struct told *told = arg;

	assert_ptr_equal(heap, told->heap);
	told->n++;
	told->mapped = mapped;
	/* As the header allows. */
	situs_free(told->block);
	told->block = situs_malloc(heap, 100);
	(void)situs_heap_trim(heap);
}

static void passing_the_soft_limit_is_told_once_each_time(void **state)
{
	struct situs_config config = {.struct_size = sizeof(config), .n_arenas = 1, .decay_ms = 1};
	struct told told = {0};
	void *block, *other;

	(void)state;
	assert_int_equal(situs_heap_create(&told.heap, &aml_area_linux, &config), 0);
	assert_int_equal(situs_heap_soft_limit(told.heap, 20 * MIB, tell, &told), 0);
	block = situs_malloc(told.heap, 10 * MIB);
	assert_int_equal(told.n, 0);
	other = situs_malloc(told.heap, 15 * MIB);
	assert_non_null(other);
	assert_int_equal(told.n, 1);
	assert_true(told.mapped > 20 * MIB);
	situs_free(situs_malloc(told.heap, 15 * MIB));
	assert_int_equal(told.n, 1);
	situs_free(other);
	(void)situs_heap_trim(told.heap);
	assert_non_null(situs_malloc(told.heap, 15 * MIB));
	assert_int_equal(told.n, 2);
	situs_free(block);
	situs_heap_destroy(told.heap);
}

#ifndef SITUS_GUARDED /* what is freed waits in a quarantine there */
enum { N_SPARE = 12, SPARE = 4096 };

static void free_spare(situs_heap_t *heap, size_t mapped, void *arg)
{
	void **spare = arg;

	(void)heap, (void)mapped;
	for (int i = 0; i < N_SPARE; i++) {
		situs_free(spare[i]);
		spare[i] = NULL;
	}
}

/* It is told while a cache is being filled, and what is freed goes into that very cache. */
static void blocks_freed_as_the_soft_limit_is_told_are_not_lost(void **state)
{
	static void *kept[5000];
	situs_heap_t *heap = make(&aml_area_linux, 0);
	void *spare[N_SPARE];
	int n = 0;

	(void)state;
	for (int i = 0; i < N_SPARE; i++)
		assert_non_null(spare[i] = situs_malloc(heap, SPARE));
	assert_int_equal(situs_heap_soft_limit(heap, stats_of(heap).mapped + 1, free_spare, spare), 0);
	while (spare[0] != NULL && n < 5000)
		assert_non_null(kept[n++] = situs_malloc(heap, SPARE));
	assert_null(spare[0]);
	for (int i = 0; i < n; i++)
		situs_free(kept[i]);
	assert_int_equal(stats_of(heap).allocated, 0);
	situs_heap_destroy(heap);
}
#endif

static void only_count(situs_heap_t *heap, size_t mapped, void *arg)
{
	struct told *told = arg;

	assert_ptr_equal(heap, told->heap);
	told->n++;
	told->mapped = mapped;
}

static void small_blocks_pass_the_soft_limit_too(void **state)
{
	struct told told = {.heap = make(&aml_area_linux, 0)};

	(void)state;
	assert_int_equal(situs_heap_soft_limit(told.heap, 4 * MIB, only_count, &told), 0);
	for (int i = 0; i < 100000; i++)
		assert_non_null(situs_malloc(told.heap, 100));
	assert_int_equal(told.n, 1);
	situs_heap_destroy(told.heap);
}

static void growing_in_place_passes_the_soft_limit_too(void **state)
{
	struct told told = {.heap = make(&aml_area_linux, 0)};
	void *block = situs_malloc(told.heap, 5 * MIB);

	(void)state;
	assert_int_equal(situs_heap_soft_limit(told.heap, 20 * MIB, tell, &told), 0);
	block = situs_realloc(told.heap, block, 30 * MIB);
	assert_non_null(block);
	assert_int_equal(told.n, 1);
	situs_heap_destroy(told.heap);
}

static void a_soft_limit_that_is_passed_already_is_told_at_once(void **state)
{
	struct told told = {.heap = make(&aml_area_linux, 0)};

	(void)state;
	assert_non_null(situs_malloc(told.heap, 30 * MIB));
	assert_int_equal(situs_heap_soft_limit(told.heap, 20 * MIB, tell, &told), 0);
	assert_int_equal(told.n, 1);
	assert_int_equal(situs_heap_soft_limit(told.heap, 0, NULL, NULL), 0);
	assert_non_null(situs_malloc(told.heap, 30 * MIB));
	assert_int_equal(told.n, 1);
	situs_heap_destroy(told.heap);
}

static atomic_bool news_end;

static void count_atomically(situs_heap_t *heap, size_t mapped, void *arg)
{
	(void)heap, (void)mapped;
	atomic_fetch_add((atomic_int *)arg, 1);
}

static void *look_for_news(void *arg)
{
	situs_heap_t *heap = arg;

	while (!atomic_load(&news_end))
		situs_free(situs_malloc(heap, 300000));
	return NULL;
}

/* Who sets a bound is told of it, and nobody who set one before. */
static void a_soft_limit_is_told_to_who_set_it_though_others_look_meanwhile(void **state)
{
	enum { N_TIMES = 50000 };
	static atomic_int told[N_TIMES];
	situs_heap_t *heap = make(&aml_area_linux, 0);
	pthread_t threads[2];

	(void)state;
	assert_non_null(situs_malloc(heap, 30 * MIB));
	atomic_store(&news_end, false);
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, look_for_news, heap), 0);
	for (int i = 0; i < N_TIMES; i++) {
		assert_int_equal(situs_heap_soft_limit(heap, 20 * MIB, count_atomically, &told[i]), 0);
		assert_int_equal(told[i], 1);
	}
	atomic_store(&news_end, true);
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	for (int i = 0; i < N_TIMES; i++)
		assert_int_equal(told[i], 1);
	situs_heap_destroy(heap);
}

/* Giving back */

static void trim_says_how_much_it_gave_back(void **state)
{
	struct book_area *book = book_create();
	struct situs_config config = {.struct_size = sizeof(config), .n_arenas = 1, .decay_ms = -1};
	situs_heap_t *heap;
	static void *blocks[5000];
	size_t before;

	(void)state;
	assert_int_equal(situs_heap_create(&heap, &book->area, &config), 0);
	for (int i = 0; i < 5000; i++)
		blocks[i] = situs_malloc(heap, 1 + (size_t)i * 13);
	for (int i = 0; i < 5000; i++)
		situs_free(blocks[i]);
	before = book->size_out;

	int pages = situs_heap_trim(heap);

	assert_int_equal((size_t)pages * 4096, before - book->size_out);
	assert_true(pages > 0);
	assert_int_equal(situs_heap_trim(heap), 0);
	assert_int_equal(stats_of(heap).allocated, 0);
	assert_int_equal(book->size_out, 0);
	situs_heap_destroy(heap);
	book_destroy(book);
}

#ifndef SITUS_GUARDED /* quarantine: blocks come by later */
struct other_thread {
	situs_heap_t *heap;
	pthread_barrier_t barrier;
};

static void *cache_blocks(void *arg)
{
	struct other_thread *other = arg;
	void *blocks[200], *more[64];

	for (int i = 0; i < 200; i++)
		blocks[i] = situs_malloc(other->heap, 100);
	for (int i = 0; i < 200; i++)
		situs_free(blocks[i]);
	pthread_barrier_wait(&other->barrier); /* cached; now the other trims */
	pthread_barrier_wait(&other->barrier);
	for (int i = 0; i < 64; i++)
		more[i] = situs_malloc(other->heap, 5000);
	for (int i = 0; i < 64; i++)
		situs_free(more[i]);
	pthread_barrier_wait(&other->barrier);
	pthread_barrier_wait(&other->barrier);
	return NULL;
}

static size_t n_cached(situs_heap_t *heap)
{
	size_t n_blocks[SIZE_CLASSES] = {0};

	(void)thread__count(heap, n_blocks);
	return n_blocks[size_class__of(100)];
}

static void a_trim_reaches_other_threads_caches_when_they_come_by(void **state)
{
	struct other_thread other = {.heap = make(&aml_area_linux, 0)};
	pthread_t thread;

	(void)state;
	pthread_barrier_init(&other.barrier, NULL, 2);
	assert_int_equal(pthread_create(&thread, NULL, cache_blocks, &other), 0);
	pthread_barrier_wait(&other.barrier);
	assert_true(n_cached(other.heap) >= 100);
	assert_true(situs_heap_trim(other.heap) >= 0);
	pthread_barrier_wait(&other.barrier);
	pthread_barrier_wait(&other.barrier);
	assert_int_equal(n_cached(other.heap), 0);
	pthread_barrier_wait(&other.barrier);
	pthread_join(thread, NULL);
	pthread_barrier_destroy(&other.barrier);
	situs_heap_destroy(other.heap);
}
#endif

/* A block that leaves a rest of the piece that was drawn ahead for it. */
static void drawing_and_giving_back_in_turn_leaves_no_more_each_time(void **state)
{
	situs_heap_t *heap = make(&aml_area_linux, 0);

	(void)state;
	assert_non_null(situs_malloc(heap, MIB));
	for (int i = 0; i < 200; i++) {
		void *block = situs_malloc(heap, 3000000);

		assert_non_null(block);
		situs_free(block);
		(void)situs_heap_trim(heap);
	}
	assert_true(stats_of(heap).mapped < 16 * MIB);
	situs_heap_destroy(heap);
}

#ifndef SITUS_GUARDED /* guards around blocks make growth another size */
/* Blocks that grow find room beside them again, where the heap was larger once. */
static void a_heap_that_shrank_draws_ahead_again(void **state)
{
	situs_heap_t *heap = make(&aml_area_linux, 0);
	size_t drawn;

	(void)state;
	assert_non_null(situs_malloc(heap, MIB));
	situs_free(situs_malloc(heap, 64 * MIB));
	(void)situs_heap_trim(heap);
	drawn = stats_of(heap).mapped;
	assert_true(drawn < 16 * MIB);
	/* More than what an earlier piece may have left. */
	for (int i = 0; i < 5; i++)
		assert_non_null(situs_malloc(heap, 900000));
	assert_true(stats_of(heap).mapped - drawn >= 4 * MIB + MIB / 2);
	situs_heap_destroy(heap);
}
#endif

static void bad_arguments_are_refused_in_words(void **state)
{
	situs_heap_t *heap = make(&aml_area_linux, 0);

	(void)state;
	assert_int_equal(situs_heap_limit(NULL, 1), -EINVAL);
	assert_int_equal(situs_heap_trim(NULL), -EINVAL);
	assert_int_equal(situs_heap_soft_limit(NULL, 1, tell, NULL), -EINVAL);
	assert_int_equal(situs_heap_soft_limit(heap, 1, NULL, NULL), -EINVAL);
	assert_non_null(strstr(situs_error(), "func"));
	situs_heap_destroy(heap);
	assert_int_equal(situs_heap_limit(heap, 1), -EINVAL);
	assert_int_equal(situs_heap_trim(heap), -EINVAL);
	assert_int_equal(situs_heap_soft_limit(heap, 1, tell, NULL), -EINVAL);
	assert_non_null(strstr(situs_error(), "not a heap"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_limit_can_be_set_raised_and_lifted),
		cmocka_unit_test(a_limit_below_what_is_in_use_is_refused_and_changes_nothing),
		cmocka_unit_test(full_heaps_use_what_other_arenas_have_left),
		cmocka_unit_test(what_is_held_without_need_makes_way_for_a_limit),
		cmocka_unit_test(no_byte_more_than_the_limit_is_drawn_while_it_changes),
		cmocka_unit_test(passing_the_soft_limit_is_told_once_each_time),
#ifndef SITUS_GUARDED
		cmocka_unit_test(blocks_freed_as_the_soft_limit_is_told_are_not_lost),
#endif
		cmocka_unit_test(small_blocks_pass_the_soft_limit_too),
		cmocka_unit_test(growing_in_place_passes_the_soft_limit_too),
		cmocka_unit_test(a_soft_limit_that_is_passed_already_is_told_at_once),
		cmocka_unit_test(a_soft_limit_is_told_to_who_set_it_though_others_look_meanwhile),
		cmocka_unit_test(trim_says_how_much_it_gave_back),
#ifndef SITUS_GUARDED
		cmocka_unit_test(a_trim_reaches_other_threads_caches_when_they_come_by),
#endif
		cmocka_unit_test(drawing_and_giving_back_in_turn_leaves_no_more_each_time),
#ifndef SITUS_GUARDED
		cmocka_unit_test(a_heap_that_shrank_draws_ahead_again),
#endif
		cmocka_unit_test(bad_arguments_are_refused_in_words),
	};

	return cmocka_run_group_tests_name("limit", tests, NULL, NULL);
}
