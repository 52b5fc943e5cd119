/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Heaps that move between areas of different kinds: under limits, strict, chains, other page sizes. What
 * each area has in its books afterwards is held against what the heap has.
 */
#include "tests/unit/fork_test.h"
#include "tests/unit/migrate_test.h"

#include <errno.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

/* Bytes that an area with a limit has left. */
static size_t left_of(const struct aml_area *area)
{
	struct aml_area_info info = {.struct_size = sizeof(info)};

	assert_int_equal(aml_area_info(area, &info), AML_SUCCESS);
	return info.available;
}

static void migrate(situs_heap_t *heap, const struct aml_area *to)
{
	if (situs_heap_migrate(heap, to, NULL, NULL) != 0)
		fail_msg("%s", situs_error());
	check_spaces(heap);
}

static void limits_charge_what_comes_and_forget_what_goes(void **state)
{
	struct aml_area *from = open_area("any,limit:100M"), *to = open_area("any,limit:200M");
	situs_heap_t *heap = make(from);
	char *blocks[N_BLOCKS], *more[N_BLOCKS];
	size_t used;

	(void)state;
	fill(heap, blocks);
	used = 100 * MIB - left_of(from);
	assert_true(used > 30 * MIB && used < 60 * MIB);
	migrate(heap, to);
	assert_int_equal(left_of(from), 100 * MIB);
	assert_int_equal(left_of(to), 200 * MIB - used);
	fill(heap, more);
	assert_int_equal(left_of(from), 100 * MIB);
	check_and_free(more);
	situs_heap_trim(heap);
	migrate(heap, from);
	assert_int_equal(left_of(to), 200 * MIB);
	check_and_free(blocks);
	situs_heap_destroy(heap);
	assert_int_equal(left_of(from), 100 * MIB);
	aml_area_close(&from);
	aml_area_close(&to);
}

static void a_limit_that_is_too_small_leaves_everything_as_it_was(void **state)
{
	static const char *const places[] = {"any", "any,limit:100M", "node:0,strict",
		"node:0,strict > node:0", "node:0,limit:10M > node:0"};
	struct aml_area *to = open_area("any,limit:20M");
	char *blocks[N_BLOCKS], *more[N_BLOCKS];

	(void)state;
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		struct aml_area *from = open_area(places[i]);
		situs_heap_t *heap = make(from);
		size_t left = left_of(from);
		int link;

		fill(heap, blocks);
		left = i == 1 ? left_of(from) : left;
		link = aml_area_link(from, blocks[N_BLOCKS - 1]);
		assert_int_equal(situs_heap_migrate(heap, to, NULL, NULL), -ENOMEM);
		assert_non_null(strstr(situs_error(), "stays where it is"));
		assert_non_null(strstr(situs_error(), "left of the limit"));
		assert_int_equal(left_of(to), 20 * MIB);
		if (i == 1)
			assert_int_equal(left_of(from), left);
		assert_int_equal(aml_area_link(from, blocks[N_BLOCKS - 1]), link);
		assert_ptr_equal(situs_area_of(blocks[0]), from);
		check_spaces(heap);
		fill(heap, more);
		check_and_free(more);
		check_and_free(blocks);
		situs_heap_destroy(heap);
		aml_area_close(&from);
	}
	aml_area_close(&to);
}

static bool run_on(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	return sched_setaffinity(0, sizeof(set), &set) == 0;
}

/* Each CPU's arena has a space of its own. */
static void what_fails_in_the_second_arena_is_undone_in_the_first(void **state)
{
	struct aml_area *from = open_area("any,limit:100M"), *to = open_area("any,limit:20M");
	situs_heap_t *heap = make(from);
	cpu_set_t before;
	size_t left;

	(void)state;
	assert_int_equal(sched_getaffinity(0, sizeof(before), &before), 0);
	for (int cpu = 0; cpu < 2; cpu++)
		if (!run_on(cpu)) {
			sched_setaffinity(0, sizeof(before), &before);
			situs_heap_destroy(heap);
			aml_area_close(&from);
			aml_area_close(&to);
			skip_because("this process may not use both CPU 0 and CPU 1");
		} else {
			assert_non_null(heap__block(heap, heap__arena(heap), 15 * MIB, 0, false));
		}
	sched_setaffinity(0, sizeof(before), &before);
	assert_non_null(heap->arenas[1]);
	left = left_of(from);
	assert_int_equal(situs_heap_migrate(heap, to, NULL, NULL), -ENOMEM);
	assert_int_equal(left_of(to), 20 * MIB);
	assert_int_equal(left_of(from), left);
	check_spaces(heap);
	situs_heap_destroy(heap);
	assert_int_equal(left_of(from), 100 * MIB);
	aml_area_close(&from);
	aml_area_close(&to);
}

/* Pages of a range that are not present. */
static int absent(const void *start, size_t size)
{
	size_t on_node[64];
	int n = situs_locate(start, size, on_node, 64);

	assert_true(n >= 0);
	return n;
}

static void a_strict_area_owes_the_pages_of_what_comes(void **state)
{
	struct aml_area *from = open_area("any"), *to = open_area("node:0,strict");
	situs_heap_t *heap = make(from);
	char *blocks[N_BLOCKS], *untouched = situs_malloc(heap, 16 * MIB);

	(void)state;
	fill(heap, blocks);
	assert_true(absent(untouched, 16 * MIB) > 4000);
	migrate(heap, to);
	assert_int_equal(absent(untouched, 16 * MIB), 0);
	for (size_t i = 0; i < 16 * MIB; i += 4096)
		assert_int_equal(untouched[i], 0);
	check_blocks(blocks);
	/* And the other way round: what is given back there is given back. */
	migrate(heap, from);
	situs_free(untouched);
	check_and_free(blocks);
	situs_heap_trim(heap);
	check_spaces(heap);
	fill(heap, blocks);
	check_and_free(blocks);
	situs_heap_destroy(heap);
	aml_area_close(&from);
	aml_area_close(&to);
}

static void a_chain_forgets_what_went_and_knows_what_came(void **state)
{
	struct aml_area *chain = open_area("node:0,strict > node:0"), *other = open_area("node:0");
	situs_heap_t *heap = make(chain);
	char *blocks[N_BLOCKS], *more[N_BLOCKS];
	size_t on_link[3];

	(void)state;
	fill(heap, blocks);
	assert_int_equal(aml_area_link(chain, blocks[9]), 0);
	migrate(heap, other);
	assert_int_equal(aml_area_link(chain, blocks[9]), -AML_EDOM);
	assert_int_equal(situs_heap_links(heap, on_link, 3), 1);
	fill(heap, more);
	migrate(heap, chain);
	assert_int_equal(aml_area_link(chain, blocks[9]), 0);
	assert_int_equal(aml_area_link(chain, more[9]), 0);
	assert_int_equal(situs_heap_links(heap, on_link, 3), 2);
	assert_int_equal(on_link[0], heap->account.drawn);
	assert_int_equal(on_link[1], 0);
	check_and_free(blocks);
	check_and_free(more);
	situs_heap_destroy(heap);
	aml_area_close(&chain);
	aml_area_close(&other);
}

/* Areas that are paid when they are mapped against those that are not: what a heap has drawn is counted
   by regions there and by extents here. */
static void a_chain_of_limits_takes_as_much_as_each_link_has(void **state)
{
	struct aml_area *chain = open_area("node:0,limit:48M > node:0"), *other = open_area("any");
	situs_heap_t *heap = make(chain);
	char *big = situs_malloc(heap, 30 * MIB), *next = situs_malloc(heap, 30 * MIB);
	char *blocks[N_BLOCKS];
	size_t on_link[2];

	(void)state;
	fill(heap, blocks);
	memset(big, 1, 30 * MIB);
	memset(next, 2, 30 * MIB);
	assert_int_equal(aml_area_link(chain, big), 0);
	assert_int_equal(aml_area_link(chain, next), 1);
	migrate(heap, other);
	assert_int_equal(aml_area_link(chain, big), -AML_EDOM);
	migrate(heap, chain);
	assert_int_equal(situs_heap_links(heap, on_link, 2), 2);
	assert_true(on_link[0] <= 48 * MIB && on_link[1] > 0);
	assert_true(on_link[0] + on_link[1] >= 90 * MIB);
	assert_int_equal(big[30 * MIB - 1], 1);
	assert_int_equal(next[0], 2);
	situs_free(big);
	situs_free(next);
	check_and_free(blocks);
	situs_heap_destroy(heap);
	assert_int_equal(chain->ops->link(chain->data, next), -AML_EDOM);
	aml_area_close(&chain);
	aml_area_close(&other);
}

/* Chains with limits charge whole mappings, and a heap draws address space ahead where that costs nothing. */
static void a_chain_of_limits_is_asked_for_no_more_than_what_is_in_use(void **state)
{
	static const char *const places[] = {"any", "node:0,strict", "any,limit:100M"};

	(void)state;
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		struct aml_area *from = open_area(places[i]);
		struct aml_area *to = open_area("node:0,limit:24M > node:0,limit:48M");
		situs_heap_t *heap = make(from);
		struct situs_heap_stats stats = {.struct_size = sizeof(stats)};
		size_t on_link[2], left = left_of(to);
		char *blocks[N_BLOCKS];

		fill(heap, blocks);
		assert_int_equal(situs_heap_limit(heap, 80 * MIB), 0);
		migrate(heap, to);
		assert_int_equal(situs_heap_stats(heap, &stats), 0);
		assert_true(stats.mapped < 64 * MIB);
		assert_int_equal(left_of(to), left - stats.mapped);
		/* The first link is full before the second has anything. */
		assert_int_equal(situs_heap_links(heap, on_link, 2), 2);
		assert_true(on_link[0] > 20 * MIB && on_link[0] <= 24 * MIB);
		assert_true(on_link[1] > 0);
		check_blocks(blocks);
		migrate(heap, from);
		assert_int_equal(left_of(to), left);
		check_and_free(blocks);
		fill(heap, blocks);
		check_and_free(blocks);
		check_spaces(heap);
		situs_heap_destroy(heap);
		aml_area_close(&from);
		aml_area_close(&to);
	}
}

static void other_page_sizes_are_said_to_be_impossible(void **state)
{
	situs_heap_t *heap = make(&aml_area_linux);
	struct aml_area *huge;
	char *blocks[N_BLOCKS];

	(void)state;
	fill(heap, blocks);
	if (aml_area_open(&huge, "hugetlb:2M") != AML_SUCCESS) {
		situs_heap_destroy(heap);
		skip_because("this kernel has no pools of huge pages");
	}
	assert_int_equal(situs_heap_migrate(heap, huge, NULL, NULL), -ENOTSUP);
	assert_non_null(strstr(situs_error(), "impossible"));
	assert_non_null(strstr(situs_error(), "situs_realloc"));
	assert_ptr_equal(situs_area_of(blocks[0]), &aml_area_linux);
	check_and_free(blocks);
	situs_heap_destroy(heap);
	aml_area_close(&huge);
}

static void blocks_move_one_by_one_where_pages_cannot(void **state)
{
	situs_heap_t *heap = make(&aml_area_linux), *other = situs_heap_open("file:/tmp");
	char *blocks[N_BLOCKS];

	(void)state;
	assert_non_null(other);
	fill(heap, blocks);
	for (int i = 0; i < N_BLOCKS; i++) {
		blocks[i] = situs_realloc(other, blocks[i], size_of_block(i));
		assert_ptr_equal(situs_heap_of(blocks[i]), other);
	}
	check_and_free(blocks);
	situs_heap_destroy(heap);
	situs_heap_destroy(other);
}

static void the_same_area_again_changes_nothing(void **state)
{
	static const char *const places[] = {"any", "any,limit:100M", "node:0,strict > node:0",
		"node:0,limit:10M > node:0"};
	char *blocks[N_BLOCKS];

	(void)state;
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		struct aml_area *area = open_area(places[i]);
		situs_heap_t *heap = make(area);
		size_t before, after;
		int link;

		fill(heap, blocks);
		link = aml_area_link(area, blocks[N_BLOCKS - 1]);
		before = i == 1 ? left_of(area) : 0;
		migrate(heap, area);
		after = i == 1 ? left_of(area) : 0;
		assert_int_equal(before, after);
		assert_int_equal(aml_area_link(area, blocks[N_BLOCKS - 1]), link);
		check_and_free(blocks);
		situs_heap_destroy(heap);
		aml_area_close(&area);
	}
}

/* What an idle thread has cached lies where the heap lies. */

struct idle {
	situs_heap_t *heap;
	pthread_barrier_t filled, moved;
	const struct aml_area *area;
};

static void *idle_work(void *arg)
{
	struct idle *idle = arg;
	void *block = situs_malloc(idle->heap, 100);

	situs_free(block);
	pthread_barrier_wait(&idle->filled);
	pthread_barrier_wait(&idle->moved);
	block = situs_malloc(idle->heap, 100);
	idle->area = situs_area_of(block);
	situs_free(block);
	return NULL;
}

static void what_idle_threads_have_cached_moves_too(void **state)
{
	struct aml_area *to = open_area("node:0,limit:100M");
	struct idle idle = {.heap = make(&aml_area_linux)};
	pthread_t thread;

	(void)state;
	pthread_barrier_init(&idle.filled, NULL, 2);
	pthread_barrier_init(&idle.moved, NULL, 2);
	assert_int_equal(pthread_create(&thread, NULL, idle_work, &idle), 0);
	pthread_barrier_wait(&idle.filled);
	migrate(idle.heap, to);
	assert_true(left_of(to) < 100 * MIB);
	pthread_barrier_wait(&idle.moved);
	pthread_join(thread, NULL);
	assert_ptr_equal(idle.area, to);
	situs_heap_destroy(idle.heap);
	assert_int_equal(left_of(to), 100 * MIB);
	aml_area_close(&to);
}

/* All kinds in turn, under load */

enum { N_KINDS = 6 };
static const char *const kinds[N_KINDS] = {"any", "node:0,limit:300M", "node:0,strict", "node:0",
	"node:0,strict > node:0", "node:0,limit:50M > node:0"};

static void threads_go_on_while_a_heap_goes_through_all_kinds(void **state)
{
	struct aml_area *areas[N_KINDS];
	struct busy busy;

	(void)state;
	for (int i = 0; i < N_KINDS; i++)
		areas[i] = open_area(kinds[i]);
	busy_start(&busy, make(areas[0]));
	for (int i = 1; i <= 4 * N_KINDS; i++) {
		int err = situs_heap_migrate(busy.heap, areas[i * 5 % N_KINDS], NULL, NULL);

		if (err != 0)
			fail_msg("%s: %s", kinds[i * 5 % N_KINDS], situs_error());
	}
	busy_stop(&busy);
	check_spaces(busy.heap);
	situs_heap_destroy(busy.heap);
	assert_int_equal(left_of(areas[1]), 300 * MIB);
	for (int i = 0; i < N_KINDS; i++)
		aml_area_close(&areas[i]);
}

/* In the child of a fork: the heap works, and can be moved. */
static int try_in_child(situs_heap_t *heap, const struct aml_area *to)
{
	char *blocks[50];

	for (int i = 0; i < 50; i++) {
		blocks[i] = situs_malloc(heap, size_of_block(i));
		if (blocks[i] == NULL)
			return 1;
		memset(blocks[i], i, size_of_block(i));
	}
	if (situs_heap_migrate(heap, to, NULL, NULL) == -EINVAL)
		return 2;
	for (int i = 0; i < 50; i++) {
		if (blocks[i][size_of_block(i) - 1] != (char)i)
			return 3;
		situs_free(blocks[i]);
	}
	for (unsigned i = 0; i < heap->n_arenas; i++)
		if (heap->arenas[i] != NULL && space__check(hooks__space(heap->arenas[i]->hooks)) != 0)
			return 4;
	return situs_heap_destroy(heap) == 0 ? 0 : 5;
}

/* The instant at which a switch has come so far that areas forget a heap; a fork comes there where one is wanted. */

static struct { /* the fork that is wanted */
	situs_heap_t *heap;
	const struct aml_area *to;
	int n_calls; /* it comes with that one */
	int status;
} wanted;

void __real_passage__leave(const struct aml_area *from, void *ptr, size_t size);
void __wrap_passage__leave(const struct aml_area *from, void *ptr, size_t size);

void __wrap_passage__leave(const struct aml_area *from, void *ptr, size_t size)
{
	pid_t child;

	__real_passage__leave(from, ptr, size);
	if (wanted.heap == NULL || --wanted.n_calls != 0)
		return;
	child = fork();
	if (child == 0) {
		int trouble = try_in_child(wanted.heap, wanted.to);

		if (trouble)
			fprintf(stderr, "# in the child: %s\n", situs_error());
		_exit(trouble);
	}
	waitpid(child, &wanted.status, 0);
}

/* Two regions at least, so that one is forgotten and one is not. */
static void a_fork_while_an_area_forgets_a_heap_leaves_a_child_that_works(void **state)
{
	(void)state;
	for (int from = 0; from < N_KINDS; from++)
		for (int i = 0; i < 4; i++) {
			struct aml_area *area = open_area(kinds[from]), *to = open_area(kinds[(from + 1) % N_KINDS]);
			int n_calls = 1 + i / 2;
			situs_heap_t *heap = make(area);
			char *blocks[N_BLOCKS];

			fill(heap, blocks);
			/* The child goes on to the one area or back to the other. */
			wanted.to = i % 2 == 0 ? area : to;
			wanted.heap = heap, wanted.n_calls = n_calls, wanted.status = -1;
			assert_int_equal(situs_heap_migrate(heap, to, NULL, NULL), 0);
			wanted.heap = NULL;
			if (n_calls == 1 || wanted.n_calls <= 0)
				assert_int_equal(wanted.status, 0);
			check_spaces(heap);
			check_and_free(blocks);
			situs_heap_destroy(heap);
			aml_area_close(&area);
			aml_area_close(&to);
		}
}

/* Progress is called with no lock held, so it may fork; the child comes back from it into the same call. */
static int fork_once(size_t done, size_t total, void *arg)
{
	pid_t *child = arg;

	(void)total;
	if (done != 0 && *child < 0)
		*child = fork();
	return 0;
}

static void a_fork_in_progress_leaves_a_child_that_gives_everything_back(void **state)
{
	struct aml_area *from = open_area("node:0,limit:99M > node:0");
	struct aml_area *to = open_area("node:0,limit:24M > node:0,limit:200M");
	situs_heap_t *heap = make(from);
	size_t left = left_of(to);
	void *blocks[40];
	pid_t child = -1;
	int status;

	(void)state;
	for (int i = 0; i < 40; i++)
		assert_non_null(blocks[i] = situs_malloc(heap, MIB));
	assert_int_equal(situs_heap_migrate(heap, to, fork_once, &child), 0);
	assert_true(child >= 0);
	for (int i = 0; i < 40; i++)
		situs_free(blocks[i]);
	(void)situs_heap_trim(heap);
	if (child == 0)
		_exit(left_of(to) == left ? 0 : 1);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_int_equal(left_of(to), left);
	situs_heap_destroy(heap);
	aml_area_close(&from);
	aml_area_close(&to);
}

struct mover {
	situs_heap_t *heap;
	struct aml_area *areas[N_KINDS];
	atomic_bool stop;
};

static void *keep_moving(void *arg)
{
	struct mover *mover = arg;

	for (int i = 1; !atomic_load(&mover->stop); i++)
		(void)situs_heap_migrate(mover->heap, mover->areas[i % N_KINDS], NULL, NULL);
	return NULL;
}

static void a_fork_in_mid_switch_leaves_a_child_that_works(void **state)
{
	struct mover mover = {.heap = make(&aml_area_linux)};
	char *blocks[N_BLOCKS];
	pthread_t thread;

	(void)state;
	for (int i = 0; i < N_KINDS; i++)
		mover.areas[i] = open_area(kinds[i]);
	fill(mover.heap, blocks);
	atomic_init(&mover.stop, false);
	assert_int_equal(pthread_create(&thread, NULL, keep_moving, &mover), 0);
	for (int i = 0; i < 30; i++) {
		int status = -1;
		pid_t pid = fork();

		if (pid == 0) {
			int trouble = try_in_child(mover.heap, mover.areas[i % N_KINDS]);

			if (trouble)
				fprintf(stderr, "# in the child: %s\n", situs_error());
			_exit(trouble);
		}
		assert_true(pid > 0 && waitpid(pid, &status, 0) == pid);
		if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
			fail_msg("fork %d: status %#x", i, (unsigned)status);
		usleep((unsigned)i * 37);
	}
	atomic_store(&mover.stop, true);
	pthread_join(thread, NULL);
	check_spaces(mover.heap);
	check_and_free(blocks);
	situs_heap_destroy(mover.heap);
	for (int i = 0; i < N_KINDS; i++)
		aml_area_close(&mover.areas[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(limits_charge_what_comes_and_forget_what_goes),
		cmocka_unit_test(a_limit_that_is_too_small_leaves_everything_as_it_was),
		cmocka_unit_test(what_fails_in_the_second_arena_is_undone_in_the_first),
		cmocka_unit_test(a_strict_area_owes_the_pages_of_what_comes),
		cmocka_unit_test(a_chain_forgets_what_went_and_knows_what_came),
		cmocka_unit_test(a_chain_of_limits_takes_as_much_as_each_link_has),
		cmocka_unit_test(a_chain_of_limits_is_asked_for_no_more_than_what_is_in_use),
		cmocka_unit_test(other_page_sizes_are_said_to_be_impossible),
		cmocka_unit_test(blocks_move_one_by_one_where_pages_cannot),
		cmocka_unit_test(the_same_area_again_changes_nothing),
		cmocka_unit_test(what_idle_threads_have_cached_moves_too),
		cmocka_unit_test(threads_go_on_while_a_heap_goes_through_all_kinds),
		cmocka_unit_test(a_fork_in_mid_switch_leaves_a_child_that_works),
		cmocka_unit_test(a_fork_in_progress_leaves_a_child_that_gives_everything_back),
		cmocka_unit_test(a_fork_while_an_area_forgets_a_heap_leaves_a_child_that_works),
	};

	return cmocka_run_group_tests_name("migrate between kinds", tests, NULL, NULL);
}
