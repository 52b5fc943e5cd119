/* SPDX-License-Identifier: BSD-3-Clause */
/* Free small blocks between the threads' caches and jemalloc. */
#include "tests/unit/test.h"

#include <pthread.h>
#include <sched.h>
#include <string.h>

#include "heap/cache.h"
#include "heap/depot.h"
#include "heap/heap.h"
#include "heap/thread.h"
#include "hooks/conduit.h"
#include "situs.h"

enum { N = 100000, SIZE = 64 };

static void *blocks[N];

static situs_heap_t *make(void)
{
	struct situs_config config = {.struct_size = sizeof(config), .n_arenas = 1};
	situs_heap_t *heap = NULL;

	assert_int_equal(situs_heap_create(&heap, &aml_area_linux, &config), 0);
	return heap;
}

static size_t held(situs_heap_t *heap)
{
	return heap->depots.held;
}

#ifndef SITUS_GUARDED
static void the_first_blocks_of_a_thread_share_no_line(void **state)
{
	enum { FIRST = 8, LINE = 64 };

	(void)state;
	for (size_t size = 8; size <= 32; size *= 2) {
		situs_heap_t *heap = make();
		uintptr_t lines[FIRST];

		for (int i = 0; i < FIRST; i++) {
			lines[i] = (uintptr_t)situs_malloc(heap, size) / LINE;
			for (int k = 0; k < i; k++)
				assert_true(lines[i] != lines[k]);
		}
		/* The others of those lines follow, and none comes twice. */
		for (int i = 0; i < 1000; i++)
			memset(situs_malloc(heap, size), 1, size);
		situs_heap_destroy(heap);
	}
}
#endif

static void fill(situs_heap_t *heap, int n, size_t size)
{
	for (int i = 0; i < n; i++) {
		blocks[i] = situs_malloc(heap, size);
		assert_non_null(blocks[i]);
		memset(blocks[i], i, 8);
	}
}

static void drain(int n)
{
	for (int i = 0; i < n; i++)
		situs_free(blocks[i]);
}

static void heaps_in_light_use_have_none(void **state)
{
	situs_heap_t *heap = make();

	(void)state;
	fill(heap, 100, SIZE);
	drain(100);
	for (unsigned i = 0; i < heap->n_arenas; i++)
		assert_true(heap->arenas[i] == NULL || heap->arenas[i]->depot == NULL);
	situs_heap_destroy(heap);
}

static void what_is_held_is_bounded_by_what_is_drawn(void **state)
{
	situs_heap_t *heap = make();
	size_t bound = 0;

	(void)state;
	fill(heap, N, SIZE);
	drain(N);
	bound = heap->account.drawn / DEPOT_SHARE;
	bound = bound < DEPOT_MIN ? DEPOT_MIN : bound;
	assert_true(held(heap) > bound / 2);
	assert_true(held(heap) <= bound);
	situs_heap_destroy(heap);
}

static void blocks_come_back_out_of_it_each_once(void **state)
{
	situs_heap_t *heap = make();

	(void)state;
	fill(heap, N, SIZE);
	drain(N);

	size_t before = held(heap);

	fill(heap, N, SIZE);
	assert_true(before > 0);
	assert_true(held(heap) < before / 2);
	/* A block handed out twice would hold what was written last. */
	for (int i = 0; i < N; i++)
		*(int *)blocks[i] = i;
	for (int i = 0; i < N; i++)
		assert_int_equal(*(int *)blocks[i], i);
	drain(N);
	situs_heap_destroy(heap);
}

static void what_the_program_holds_does_not_count_what_lies_in_it(void **state)
{
	situs_heap_t *heap = make();
	struct situs_heap_stats stats = {.struct_size = sizeof(stats)};

	(void)state;
	fill(heap, N, SIZE);
	drain(N);
	assert_true(held(heap) > 0);
	assert_int_equal(situs_heap_stats(heap, &stats), 0);
	assert_int_equal(stats.allocated, 0);
	situs_heap_destroy(heap);
}

static void a_heap_that_grows_gives_it_up(void **state)
{
	situs_heap_t *heap = make();

	(void)state;
	fill(heap, N, SIZE);
	drain(N);
	assert_true(held(heap) > 0);
	/* Other sizes, and more of them than what lies there. */
	for (int i = 0; i < 16 * 1024; i++)
		assert_non_null(situs_malloc(heap, 1024));
	assert_int_equal(held(heap), 0);
	situs_heap_destroy(heap);
}

static void trimming_empties_it(void **state)
{
	situs_heap_t *heap = make();

	(void)state;
	fill(heap, N, SIZE);
	drain(N);
	assert_true(situs_heap_trim(heap) >= 0);
	assert_int_equal(held(heap), 0);
	situs_heap_destroy(heap);
}

static void *drain_all(void *arg)
{
	(void)arg;
	drain(N);
	return NULL;
}

static void one_threads_frees_serve_another(void **state)
{
	situs_heap_t *heap = make();
	pthread_t other;

	(void)state;
	fill(heap, N, SIZE);
	assert_int_equal(pthread_create(&other, NULL, drain_all, NULL), 0);
	pthread_join(other, NULL);

	size_t there = held(heap);

	assert_true(there > 0);
	fill(heap, N, SIZE);
	assert_true(held(heap) < there / 2);
	drain(N);
	situs_heap_destroy(heap);
}

/* Threads that draw from two arenas */

struct two {
	situs_heap_t *heap;
	struct heap_arena *arenas[2];
	int cpus[2];
	cpu_set_t before;
};

static void move_to(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	assert_int_equal(sched_setaffinity(0, sizeof(set), &set), 0);
}

/* A heap with two arenas, in which this thread has no cache yet. */
static void setup_two(struct two *two)
{
	struct situs_config config = {.struct_size = sizeof(config), .n_arenas = 2};

	assert_int_equal(sched_getaffinity(0, sizeof(two->before), &two->before), 0);
	two->cpus[0] = two->cpus[1] = -1;
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, &two->before))
			two->cpus[cpu % 2] = cpu;
	if (two->cpus[0] < 0 || two->cpus[1] < 0) {
		print_message("# skipped: an odd and an even processor are wanted, for two arenas\n");
		skip();
	}
	assert_int_equal(situs_heap_create(&two->heap, &aml_area_linux, &config), 0);
	for (int i = 0; i < 2; i++) {
		move_to(two->cpus[i]);
		two->arenas[i] = heap__arena(two->heap);
		assert_non_null(two->arenas[i]);
	}
	assert_ptr_not_equal(two->arenas[0], two->arenas[1]);
}

static void end_two(struct two *two)
{
	situs_heap_destroy(two->heap);
	assert_int_equal(sched_setaffinity(0, sizeof(two->before), &two->before), 0);
}

static size_t n_in(const struct heap_arena *arena, unsigned class)
{
	return arena->depot == NULL ? 0 : arena->depot->classes[class].n;
}

/* n new blocks of either arena, in turn. */
static void put_of_both(struct two *two, unsigned class, size_t n)
{
	for (size_t i = 0; i < 2 * n; i++) {
		blocks[i] = heap__block_of_class(two->heap, two->arenas[i % 2], class);
		assert_non_null(blocks[i]);
	}
	assert_int_equal(depot__put(two->heap, two->arenas[0], class, blocks, 2 * n), 2 * n);
}

static void blocks_go_to_the_depot_of_the_arena_they_are_of(void **state)
{
	enum { FEW = 50 };
	unsigned class = size_class__of(SIZE);
	void *got[2 * FEW];
	struct two two;

	(void)state;
	setup_two(&two);
	put_of_both(&two, class, FEW);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(n_in(two.arenas[i], class), FEW);
		assert_int_equal(depot__get(two.heap, two.arenas[i], class, got, 2 * FEW), FEW);
		for (size_t k = 0; k < FEW; k++)
			assert_int_equal(pagemap__hint(got[k]), two.arenas[i]->slot);
	}
	end_two(&two);
}

static void who_finds_none_of_its_own_takes_what_is_of_others(void **state)
{
	enum { FEW = 50 };
	unsigned class = size_class__of(SIZE);
	void *got[FEW];
	struct two two;

	(void)state;
	setup_two(&two);
	put_of_both(&two, class, FEW);
	assert_int_equal(depot__get(two.heap, two.arenas[0], class, got, FEW), FEW);
	assert_int_equal(depot__get(two.heap, two.arenas[0], class, got, FEW), FEW);
	assert_int_equal(n_in(two.arenas[1], class), 0);
	assert_int_equal(depot__get(two.heap, two.arenas[0], class, got, FEW), 0);
	end_two(&two);
}

static void few_blocks_that_share_lines_are_left_to_their_arena(void **state)
{
	enum { FEW = 50, MANY = 1000 };
	unsigned class = size_class__of(8);
	void *got[FEW];
	struct two two;

	(void)state;
	setup_two(&two);
	put_of_both(&two, class, FEW);
	assert_int_equal(depot__get(two.heap, two.arenas[0], class, got, FEW), FEW);
	assert_int_equal(depot__get(two.heap, two.arenas[0], class, got, FEW), 0);
	assert_int_equal(n_in(two.arenas[1], class), FEW);
	put_of_both(&two, class, MANY);
	while (n_in(two.arenas[0], class) != 0)
		assert_true(depot__get(two.heap, two.arenas[0], class, got, FEW) > 0);
	assert_true(depot__get(two.heap, two.arenas[0], class, got, FEW) > 0);
	end_two(&two);
}

static void *drain_on_the_other(void *arg)
{
	struct two *two = arg;

	move_to(two->cpus[1]);
	drain(N);
	return NULL;
}

static void what_another_thread_frees_returns_to_who_made_it(void **state)
{
	size_t n_blocks[2] = {0, 0};
	pthread_t other;
	struct two two;

	(void)state;
	setup_two(&two);
	move_to(two.cpus[0]);
	fill(two.heap, N, SIZE);
	assert_int_equal(pthread_create(&other, NULL, drain_on_the_other, &two), 0);
	pthread_join(other, NULL);
	/* Of all classes: builds with --enable-checking ask for more. */
	for (unsigned class = 0; class < size_class__count; class++)
		for (int i = 0; i < 2; i++)
			n_blocks[i] += n_in(two.arenas[i], class);
	assert_true(n_blocks[0] > 0);
	assert_int_equal(n_blocks[1], 0);
	end_two(&two);
}

/* From here on: as under the preload, where jemalloc's own caches of threads serve nobody. */
static void dropped_blocks_are_gone_at_once_and_each_comes_again_once(void **state)
{
	enum { MOST = 256 };
	situs_heap_t *heap;

	(void)state;
	conduit__have_thread_caches();
	for (size_t size = 16; size <= MOST; size *= 4) {
		struct situs_heap_stats stats = {.struct_size = sizeof(stats)};

		heap = make();
		fill(heap, N, size);
		drain(N);
		/* What got stuck on the way would count as allocated. */
		assert_int_equal(situs_heap_stats(heap, &stats), 0);
		assert_int_equal(stats.allocated, 0);
		fill(heap, N, size);
		for (int i = 0; i < N; i++)
			*(int *)blocks[i] = i;
		for (int i = 0; i < N; i++)
			assert_int_equal(*(int *)blocks[i], i);
		drain(N);
		/* In later tests, and in other threads, nothing of this heap may turn up. */
		situs_heap_destroy(heap);
	}
	blocks_come_back_out_of_it_each_once(NULL);
	one_threads_frees_serve_another(NULL);
}

/* What threads leave */

static void *churn(void *heap)
{
	enum { N_LARGE = 100 };
	void *large[N_LARGE];

	for (int i = 0; i < N_LARGE; i++) {
		large[i] = situs_malloc(heap, 300000);
		assert_non_null(large[i]);
		memset(large[i], 1, 300000);
	}
	for (int i = 0; i < N_LARGE; i++)
		situs_free(large[i]);
	fill(heap, N, SIZE);
	drain(N);
	return NULL;
}

static void join_a_thread_that_churns(situs_heap_t *heap)
{
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, churn, heap), 0);
	pthread_join(thread, NULL);
}

static void the_last_thread_of_a_heap_leaves_nothing_behind(void **state)
{
	struct situs_heap_stats stats = {.struct_size = sizeof(stats)};
	situs_heap_t *heap = make();

	(void)state;
	join_a_thread_that_churns(heap);
	assert_int_equal(held(heap), 0);
	assert_int_equal(heap->large_held, 0);
	assert_true(heap->account.peak > 20000000);
	/* What jemalloc was given ahead, and has not used, is address space. */
	assert_true(heap->account.drawn < 2 * SPACE_GROWTH_MAX);
	assert_int_equal(situs_heap_stats(heap, &stats), 0);
	assert_true(stats.resident == SIZE_MAX || stats.resident < 100000);
	situs_heap_destroy(heap);
}

static void a_thread_that_is_not_the_last_leaves_what_others_can_use(void **state)
{
	situs_heap_t *heap = make();

	(void)state;
	situs_free(situs_malloc(heap, SIZE));
	join_a_thread_that_churns(heap);
	assert_true(held(heap) + heap->large_held > 0);
	situs_heap_destroy(heap);
}

static void what_is_never_to_be_given_back_is_not(void **state)
{
	struct situs_config config = {.struct_size = sizeof(config), .n_arenas = 1, .decay_ms = -1};
	situs_heap_t *heap;

	(void)state;
	assert_int_equal(situs_heap_create(&heap, &aml_area_linux, &config), 0);
	join_a_thread_that_churns(heap);
	assert_true(heap->account.drawn > 1000000);
	situs_heap_destroy(heap);
}

#ifndef SITUS_GUARDED /* where blocks wait in quarantine beside the cache */
/* Each size in a heap of its own: what is cached may grow with what is drawn. */
static void a_small_heap_is_not_mostly_caches(void **state)
{
	(void)state;
	for (size_t size = 512; size <= 4096; size *= 2) {
		situs_heap_t *heap = make();
		size_t n_blocks[SIZE_CLASSES] = {0}, cached, bound;

		fill(heap, (int)(200000 / size), size);
		drain((int)(200000 / size));
		assert_int_equal(thread__count(heap, n_blocks), 1);
		cached = n_blocks[size_class__of(size)] * size;
		bound = heap->account.drawn / 64;
		bound = bound < 24 * 1024 ? 24 * 1024 : bound;
		print_message("# blocks of %zu: %zu KiB are cached of %zu drawn\n", size, cached / 1024,
			heap->account.drawn / 1024);
		assert_true(cached > 0);
		assert_true(cached <= bound);
		situs_heap_destroy(heap);
	}
}
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_last_thread_of_a_heap_leaves_nothing_behind),
		cmocka_unit_test(a_thread_that_is_not_the_last_leaves_what_others_can_use),
		cmocka_unit_test(what_is_never_to_be_given_back_is_not),
#ifndef SITUS_GUARDED
		cmocka_unit_test(a_small_heap_is_not_mostly_caches),
#endif
		cmocka_unit_test(heaps_in_light_use_have_none),
#ifndef SITUS_GUARDED
		cmocka_unit_test(the_first_blocks_of_a_thread_share_no_line),
#endif
		cmocka_unit_test(what_is_held_is_bounded_by_what_is_drawn),
		cmocka_unit_test(blocks_come_back_out_of_it_each_once),
		cmocka_unit_test(what_the_program_holds_does_not_count_what_lies_in_it),
		cmocka_unit_test(a_heap_that_grows_gives_it_up),
		cmocka_unit_test(trimming_empties_it),
		cmocka_unit_test(one_threads_frees_serve_another),
		cmocka_unit_test(blocks_go_to_the_depot_of_the_arena_they_are_of),
		cmocka_unit_test(who_finds_none_of_its_own_takes_what_is_of_others),
		cmocka_unit_test(few_blocks_that_share_lines_are_left_to_their_arena),
		cmocka_unit_test(what_another_thread_frees_returns_to_who_made_it),
		cmocka_unit_test(dropped_blocks_are_gone_at_once_and_each_comes_again_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
