/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Heaps that move, as far as one node can show it: what is refused, cancelled, told and undone. Where
 * pages go is tests/lab/guest/migrate.c's. mbind and move_pages can be made to fail here.
 */
#include "tests/unit/migrate_test.h"

#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/unit/book_area.h"

/* Planted failures: this call of each from now on fails; 0: none. */
static int fail_mbind_at;
static bool no_move_pages;

static bool fails(int *at)
{
	return *at != 0 && --*at == 0;
}

long __wrap_os__mbind(void *start, unsigned long size, int mode, const unsigned long *nodes,
	unsigned long max_node, unsigned flags);
long __wrap_os__mbind(void *start, unsigned long size, int mode, const unsigned long *nodes,
	unsigned long max_node, unsigned flags)
{
	if (fails(&fail_mbind_at)) {
		errno = ENOMEM;
		return -1;
	}
	return syscall(SYS_mbind, start, size, mode, nodes, max_node, flags);
}

long __wrap_os__move_pages(int pid, unsigned long n, void **pages, const int *to, int *status, int flags);
long __wrap_os__move_pages(int pid, unsigned long n, void **pages, const int *nodes, int *status, int flags)
{
	if (no_move_pages) {
		errno = EPERM;
		return -1;
	}
	return syscall(SYS_move_pages, pid, n, pages, nodes, status, flags);
}

struct progress {
	situs_heap_t *heap;
	const struct aml_area *to;
	size_t n, done, total;
	size_t cancel_at; /* the call that cancels; 0: none */
	int nested;       /* what a migration inside this one answered */
};

static int note(size_t done, size_t total, void *arg)
{
	struct progress *progress = arg;

	assert_true(done >= progress->done && done <= total);
	progress->done = done;
	progress->total = total;
	if (progress->to != NULL)
		progress->nested = situs_heap_migrate(progress->heap, progress->to, NULL, NULL);
	return ++progress->n == progress->cancel_at;
}

static void a_heap_moves_and_keeps_its_contents(void **state)
{
	struct aml_area *from = open_area("any"), *to = open_area("node:0");
	struct situs_migration account = {.struct_size = sizeof(account)};
	struct progress progress = {0};
	situs_heap_t *heap = make(from);
	char *blocks[N_BLOCKS];

	(void)state;
	fill(heap, blocks);
	assert_ptr_equal(situs_area_of(blocks[0]), from);
	assert_int_equal(situs_heap_migrate(heap, to, note, &progress), 0);
	assert_ptr_equal(situs_area_of(blocks[0]), to);
	assert_true(progress.n > 1);
	assert_int_equal(progress.done, progress.total);
	assert_int_equal(situs_heap_migration(heap, &account), 0);
	assert_true(account.moved + account.already > 30 * MIB);
	assert_int_equal(account.no_room + account.busy + account.other, 0);
	assert_int_equal(aml_area_linux_check_binding(to,
		(void *)((uintptr_t)blocks[9] & ~(uintptr_t)4095), 4096), 1);
	check_spaces(heap);
	check_and_free(blocks);
	assert_int_equal(situs_heap_destroy(heap), 0);
	aml_area_close(&from);
	aml_area_close(&to);
}

static void strict_heaps_move_too(void **state)
{
	struct aml_area *from = open_area("node:0,strict"), *to = open_area("node:0,strict");
	situs_heap_t *heap = make(from);
	char *blocks[N_BLOCKS], *more[N_BLOCKS];

	(void)state;
	fill(heap, blocks);
	assert_int_equal(situs_heap_migrate(heap, to, NULL, NULL), 0);
	aml_area_close(&from);
	fill(heap, more);
	check_and_free(blocks);
	check_and_free(more);
	check_spaces(heap);
	assert_int_equal(situs_heap_destroy(heap), 0);
	aml_area_close(&to);
}

static void cancelling_at_once_leaves_the_heap_as_it_was(void **state)
{
	struct aml_area *from = open_area("any"), *to = open_area("node:0");
	struct progress progress = {.cancel_at = 1};
	situs_heap_t *heap = make(from);
	char *blocks[N_BLOCKS];

	(void)state;
	fill(heap, blocks);
	assert_int_equal(situs_heap_migrate(heap, to, note, &progress), -ECANCELED);
	assert_non_null(strstr(situs_error(), "before it began"));
	assert_ptr_equal(situs_area_of(blocks[0]), from);
	assert_int_equal(aml_area_linux_check_binding(to,
		(void *)((uintptr_t)blocks[9] & ~(uintptr_t)4095), 4096), 0);
	check_and_free(blocks);
	situs_heap_destroy(heap);
	aml_area_close(&from);
	aml_area_close(&to);
}

static void cancelling_later_leaves_a_heap_that_can_go_on_or_back(void **state)
{
	struct aml_area *from = open_area("any"), *to = open_area("node:0");
	struct progress progress = {.cancel_at = 3};
	situs_heap_t *heap = make(from);
	char *blocks[N_BLOCKS];

	(void)state;
	fill(heap, blocks);
	assert_int_equal(situs_heap_migrate(heap, to, note, &progress), -ECANCELED);
	assert_non_null(strstr(situs_error(), "partly there"));
	assert_ptr_equal(situs_area_of(blocks[0]), to);
	check_spaces(heap);
	assert_int_equal(situs_heap_migrate(heap, to, NULL, NULL), 0);
	assert_int_equal(situs_heap_migrate(heap, from, NULL, NULL), 0);
	assert_ptr_equal(situs_area_of(blocks[0]), from);
	check_and_free(blocks);
	situs_heap_destroy(heap);
	aml_area_close(&from);
	aml_area_close(&to);
}

static void a_second_migration_waits_for_nobody_and_is_refused(void **state)
{
	struct aml_area *to = open_area("node:0");
	situs_heap_t *heap = make(&aml_area_linux);
	struct progress progress = {.heap = heap, .to = to};

	(void)state;
	assert_non_null(situs_malloc(heap, 1000));
	assert_int_equal(situs_heap_migrate(heap, to, note, &progress), 0);
	assert_int_equal(progress.nested, -EBUSY);
	assert_int_equal(situs_heap_migrate(heap, to, NULL, NULL), 0);
	situs_heap_destroy(heap);
	aml_area_close(&to);
}

static void assert_refused_in_words(const char *which)
{
	assert_non_null(strstr(situs_error(), "impossible in place"));
	assert_non_null(strstr(situs_error(), "another kind"));
	assert_non_null(strstr(situs_error(), "situs_realloc"));
	if (strstr(situs_error(), which) == NULL)
		fail_msg("no \"%s\" in: %s", which, situs_error());
}

static void kinds_of_memory_that_cannot_pass_are_refused_in_words(void **state)
{
	static const char *const places[] = {"file:/tmp", "node:0 > file:/tmp", "shm:situs-test-migrate",
		"file:/tmp,limit:100M"};
	struct book_area *book = book_create();
	situs_heap_t *heap = make(&aml_area_linux), *strange = make(&book->area), *other;
	char *blocks[N_BLOCKS];

	(void)state;
	fill(heap, blocks);
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		struct aml_area *to = open_area(places[i]);

		assert_int_equal(situs_heap_migrate(heap, to, NULL, NULL), -ENOTSUP);
		assert_refused_in_words(i == 2 ? "shm:" : "file:");
		/* And the other way round. */
		other = make(to);
		assert_int_equal(situs_heap_migrate(other, &aml_area_linux, NULL, NULL), -ENOTSUP);
		assert_refused_in_words(i == 2 ? "shm:" : "file:");
		situs_heap_destroy(other);
		aml_area_close(&to);
	}
	assert_int_equal(situs_heap_migrate(heap, &book->area, NULL, NULL), -ENOTSUP);
	assert_refused_in_words("shall go to");
	assert_int_equal(situs_heap_migrate(strange, &aml_area_linux, NULL, NULL), -ENOTSUP);
	assert_refused_in_words("that it is in");
	assert_ptr_equal(situs_area_of(blocks[0]), &aml_area_linux);
	check_and_free(blocks);
	situs_heap_destroy(heap);
	situs_heap_destroy(strange);
	book_destroy(book);
}

static void a_policy_that_cannot_be_set_leaves_the_heap_as_it_was(void **state)
{
	struct aml_area *from = open_area("any"), *to = open_area("node:0");
	int n_refused = 0;

	(void)state;
	for (int at = 1; at < 10; at++) {
		situs_heap_t *heap = make(from);
		char *blocks[N_BLOCKS];
		int err;

		fill(heap, blocks);
		assert_non_null(situs_malloc(heap, 100 * MIB)); /* a second region */
		fail_mbind_at = at;
		err = situs_heap_migrate(heap, to, NULL, NULL);
		/* Not every policy is one that the move cannot do without. */
		if (err != 0) {
			assert_int_equal(fail_mbind_at, 0);
			assert_int_equal(err, -ENOMEM);
			n_refused++;
			assert_ptr_equal(situs_area_of(blocks[0]), from);
			assert_int_equal(aml_area_linux_check_binding(to,
				(void *)((uintptr_t)blocks[9] & ~(uintptr_t)4095), 4096), 0);
		} else {
			assert_ptr_equal(situs_area_of(blocks[0]), to);
			assert_int_equal(aml_area_linux_check_binding(to,
				(void *)((uintptr_t)blocks[9] & ~(uintptr_t)4095), 4096), 1);
		}
		fail_mbind_at = 0;
		check_spaces(heap);
		check_and_free(blocks);
		situs_heap_destroy(heap);
	}
	assert_true(n_refused >= 2);
	aml_area_close(&from);
	aml_area_close(&to);
}

static void a_kernel_that_will_not_be_asked_is_no_success(void **state)
{
	struct aml_area *from = open_area("any"), *to = open_area("node:0");
	situs_heap_t *heap = make(from);
	char *blocks[N_BLOCKS];

	(void)state;
	fill(heap, blocks);
	no_move_pages = true;
	assert_int_equal(situs_heap_migrate(heap, to, NULL, NULL), -EPERM);
	no_move_pages = false;
	assert_int_equal(situs_heap_migrate(heap, to, NULL, NULL), 0);
	check_and_free(blocks);
	situs_heap_destroy(heap);
	aml_area_close(&from);
	aml_area_close(&to);
}

static void threads_go_on_while_a_heap_moves(void **state)
{
	struct aml_area *from = open_area("any"), *to = open_area("node:0");
	struct situs_migration account = {.struct_size = sizeof(account)};
	struct busy busy;

	(void)state;
	busy_start(&busy, make(from));
	for (int i = 0; i < 10; i++) {
		assert_int_equal(situs_heap_migrate(busy.heap, i % 2 == 0 ? to : from, NULL, NULL), 0);
		assert_int_equal(situs_heap_migration(busy.heap, &account), 0);
	}
	busy_stop(&busy);
	check_spaces(busy.heap);
	situs_heap_destroy(busy.heap);
	aml_area_close(&from);
	aml_area_close(&to);
}

static void bad_arguments_are_refused_in_words(void **state)
{
	struct situs_migration account = {.struct_size = 8};
	situs_heap_t *heap = make(&aml_area_linux);
	const struct aml_area nothing = {0};

	(void)state;
	assert_int_equal(situs_heap_migrate(NULL, &aml_area_linux, NULL, NULL), -EINVAL);
	assert_int_equal(situs_heap_migrate(heap, NULL, NULL, NULL), -EINVAL);
	assert_int_equal(situs_heap_migrate(heap, &nothing, NULL, NULL), -ENOTSUP);
	assert_int_equal(situs_heap_migration(heap, &account), -EINVAL);
	assert_int_equal(situs_heap_migration(heap, NULL), -EINVAL);
	situs_heap_destroy(heap);
	assert_int_equal(situs_heap_migrate(heap, &aml_area_linux, NULL, NULL), -EINVAL);
	assert_int_equal(situs_heap_migration(heap, &account), -EINVAL);
	assert_non_null(strstr(situs_error(), "not a heap"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_heap_moves_and_keeps_its_contents),
		cmocka_unit_test(strict_heaps_move_too),
		cmocka_unit_test(cancelling_at_once_leaves_the_heap_as_it_was),
		cmocka_unit_test(cancelling_later_leaves_a_heap_that_can_go_on_or_back),
		cmocka_unit_test(a_second_migration_waits_for_nobody_and_is_refused),
		cmocka_unit_test(kinds_of_memory_that_cannot_pass_are_refused_in_words),
		cmocka_unit_test(a_policy_that_cannot_be_set_leaves_the_heap_as_it_was),
		cmocka_unit_test(a_kernel_that_will_not_be_asked_is_no_success),
		cmocka_unit_test(threads_go_on_while_a_heap_moves),
		cmocka_unit_test(bad_arguments_are_refused_in_words),
	};

	return cmocka_run_group_tests_name("migrate", tests, NULL, NULL);
}
