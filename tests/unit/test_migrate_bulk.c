/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What migration asks of the kernel, page by page. A function in front of move_pages
 * plays a second node, on which all pages lie until they are moved to node 0.
 */
#include "tests/unit/migrate_test.h"

#include "os/os.h"
#include "os/present.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { N_PLAYED = 1 << 20, ELSEWHERE = 1 };
#define PAGE ((size_t)4096)
#define BIG (64 * MIB)

static bool plays;
static bool is_moved[N_PLAYED]; /* by page number, which heaps of less than 4 GiB do not confuse */
static void *stuck;             /* a page that does not move */
static size_t room;             /* pages that may still move */
static size_t n_refused;        /* calls that ended because there was none */
static bool is_silent;          /* moves, and says nothing of each page */
static bool no_page_tables;
static size_t n_asked, n_named; /* pages asked about, and named to be moved */

static bool *moved(const void *page)
{
	return &is_moved[(uintptr_t)page / PAGE % N_PLAYED];
}

static long real_where(unsigned long n, void **pages, int *status)
{
	return syscall(SYS_move_pages, 0, n, pages, NULL, status, 0);
}

static long play_move(unsigned long n, void **pages, const int *to, int *status)
{
	long left = 0;

	n_named += n;
	for (unsigned long i = 0; i < n; i++) {
		int now;

		if (real_where(1, &pages[i], &now) != 0)
			return -1;
		if (now >= 0 && pages[i] == stuck)
			left++;
		else if (now >= 0 && !*moved(pages[i])) {
			if (room == 0) {
				n_refused++;
				errno = ENOMEM;
				return -1;
			}
			room--;
			*moved(pages[i]) = true;
		}
		if (!is_silent)
			status[i] = now < 0 ? now : pages[i] == stuck ? -EBUSY : to[i];
	}
	return left;
}

long __wrap_os__move_pages(int pid, unsigned long n, void **pages, const int *to, int *status, int flags);
long __wrap_os__move_pages(int pid, unsigned long n, void **pages, const int *to, int *status, int flags)
{
	if (!plays)
		return syscall(SYS_move_pages, pid, n, pages, to, status, flags);
	if (to != NULL)
		return play_move(n, pages, to, status);
	n_asked += n;
	if (real_where(n, pages, status) != 0)
		return -1;
	for (unsigned long i = 0; i < n; i++)
		if (status[i] >= 0)
			status[i] = *moved(pages[i]) ? 0 : ELSEWHERE;
	return 0;
}

int open(const char *path, int flags, ...)
{
	va_list args;
	int mode;

	va_start(args, flags);
	mode = flags & O_CREAT ? va_arg(args, int) : 0;
	va_end(args);
	if (no_page_tables && strcmp(path, "/proc/self/pagemap") == 0) {
		errno = EACCES;
		return -1;
	}
	return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

struct played {
	struct aml_area *from, *to;
	situs_heap_t *heap;
	char *block; /* of BIG bytes, all touched */
	struct situs_migration account;
	struct situs_migration_node nodes[2];
	int n_nodes;
};

static void begin(struct played *played, const char *from, const char *to)
{
	memset(played, 0, sizeof(*played));
	memset(is_moved, 0, sizeof(is_moved));
	stuck = NULL;
	is_silent = no_page_tables = false;
	n_asked = n_named = n_refused = 0;
	room = SIZE_MAX;
	played->from = open_area(from);
	played->to = open_area(to);
	played->heap = make(played->from);
	played->block = situs_malloc(played->heap, BIG);
	assert_non_null(played->block);
	memset(played->block, 1, BIG);
}

static int migrate(struct played *played)
{
	int result;

	plays = true;
	result = situs_heap_migrate(played->heap, played->to, NULL, NULL);
	plays = false;
	played->account.struct_size = sizeof(played->account);
	assert_int_equal(situs_heap_migration(played->heap, &played->account), 0);
	played->n_nodes = situs_heap_migration_nodes(played->heap, played->nodes, 2);
	return result;
}

static void end(struct played *played)
{
	for (size_t i = 0; i < BIG; i += PAGE)
		assert_int_equal(played->block[i], 1);
	situs_heap_destroy(played->heap);
	aml_area_close(&played->from);
	aml_area_close(&played->to);
}

static bool all_moved(const struct played *played)
{
	for (size_t i = 0; i < BIG; i += 512 * PAGE)
		if (!*moved(played->block + i) && !*moved((void *)((uintptr_t)(played->block + i) & ~(2 * MIB - 1))))
			return false;
	return true;
}

static void moving_asks_about_few_pages_and_about_none_twice(void **state)
{
	struct played played;

	(void)state;
	begin(&played, "any,nothp", "node:0,nothp");
	assert_int_equal(migrate(&played), 0);
	assert_true(all_moved(&played));
	assert_true(played.account.moved >= BIG && played.account.moved < BIG + MIB);
	assert_int_equal(played.n_nodes, 1);
	assert_int_equal(played.nodes[0].moved, played.account.moved);
	/* Spares and what lies around the block are some hundred pages. */
	assert_true(n_named <= BIG / PAGE + 1024);
	assert_true(n_asked <= BIG / PAGE / 8);
	end(&played);
}

/* Bytes of the block that the kernel gave huge pages, and says so. */
static size_t huge_bytes(const struct played *played)
{
	uintptr_t at = (uintptr_t)played->block & ~(PAGE - 1), end = at + BIG;
	int n, handle = os__present_open();
	struct os_run run;
	size_t bytes = 0;

	while (at < end && (n = os__present_runs(handle, &at, end, &run, 1)) >= 0)
		if (n == 1 && run.huge)
			bytes += run.end - run.start;
	os__present_close(handle);
	return bytes;
}

static void a_huge_page_is_named_once(void **state)
{
	struct aml_area *area;
	struct played played;
	size_t huge;

	(void)state;
	if (aml_area_open(&area, "any,thp") != AML_SUCCESS)
		skip_because("this kernel has no transparent huge pages");
	aml_area_close(&area);
	begin(&played, "any,thp", "node:0,thp");
	huge = huge_bytes(&played);
	assert_int_equal(migrate(&played), 0);
	assert_true(played.account.moved + played.account.already >= BIG);
	assert_true(n_named <= (BIG - huge) / PAGE + huge / (2 * MIB) + 1024);
	end(&played);
}

static void untouched_memory_costs_no_question(void **state)
{
	struct played played;

	(void)state;
	begin(&played, "any,nothp", "node:0,nothp");
	assert_non_null(situs_malloc(played.heap, 1024 * MIB));
	assert_int_equal(migrate(&played), 0);
	assert_true(n_named + n_asked <= BIG / PAGE * 9 / 8 + 1024);
	end(&played);
}

static void what_lies_there_already_is_told_apart(void **state)
{
	size_t there = BIG / 4;
	struct played played;

	(void)state;
	begin(&played, "any,nothp", "node:0,nothp");
	for (size_t i = 0; i < there; i += PAGE)
		*moved((void *)((uintptr_t)(played.block + BIG / 2 + i) & ~(PAGE - 1))) = true;
	assert_int_equal(migrate(&played), 0);
	assert_int_equal(played.account.already, there);
	assert_true(played.account.moved >= BIG - there && played.account.moved < BIG - there + MIB);
	end(&played);
}

static void what_the_call_does_not_tell_is_asked_about(void **state)
{
	struct played played;

	(void)state;
	begin(&played, "any,nothp", "node:0,nothp");
	is_silent = true;
	assert_int_equal(migrate(&played), 0);
	assert_true(played.account.moved >= BIG);
	assert_true(all_moved(&played));
	end(&played);
}

static void a_page_that_stays_is_no_success(void **state)
{
	static const char *const places[] = {"node:0,nothp", "node:0,nothp,preferred > node:0,nothp"};
	struct played played;

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		begin(&played, "any,nothp", places[i / 2]);
		/* The kernel does not always say why. */
		is_silent = i % 2 == 1;
		stuck = (void *)((uintptr_t)(played.block + BIG / 2) & ~(PAGE - 1));
		assert_int_equal(migrate(&played), -EBUSY);
		assert_non_null(strstr(situs_error(), "stayed behind"));
		assert_int_equal(played.account.busy, PAGE);
		assert_int_equal(played.account.no_room + played.account.other, 0);
		assert_true(played.account.moved + played.account.already >= BIG - PAGE);
		assert_int_equal(played.n_nodes, 2);
		assert_int_equal(played.nodes[1].busy, PAGE);
		stuck = NULL;
		assert_int_equal(migrate(&played), 0);
		assert_int_equal(played.account.moved, PAGE);
		end(&played);
	}
}

/* The kernel looks for pages to reclaim each time, which takes it long, and waiters for the books too. */
static void a_full_node_is_not_asked_for_each_piece(void **state)
{
	static const char *const places[] = {"node:0,nothp", "node:0,nothp,preferred > node:0,nothp"};
	struct played played;

	(void)state;
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		begin(&played, "any,nothp", places[i]);
		room = 8 * MIB / PAGE;
		assert_int_equal(migrate(&played), -ENOMEM);
		print_message("# %zu refusals\n", n_refused);
		assert_true(played.account.moved > 6 * MIB && played.account.moved <= 8 * MIB);
		assert_true(played.account.moved + played.account.no_room >= BIG);
		assert_int_equal(played.account.busy + played.account.other, 0);
		assert_true(n_refused > 0 && n_refused <= BIG / (2 * MIB) * (i == 0 ? 1 : 16));
		room = SIZE_MAX;
		assert_int_equal(migrate(&played), 0);
		assert_true(all_moved(&played));
		end(&played);
	}
}

static void it_works_without_page_tables(void **state)
{
	struct played played;

	(void)state;
	begin(&played, "any,nothp", "node:0,nothp");
	no_page_tables = true;
	assert_int_equal(migrate(&played), 0);
	assert_true(all_moved(&played));
	assert_true(played.account.moved >= BIG && played.account.moved < BIG + MIB);
	end(&played);
}

static size_t bytes_on_second_link(const struct aml_area *chain, const char *block, size_t size)
{
	size_t bytes = 0;

	for (size_t i = 0; i < size; i += PAGE)
		if (aml_area_link(chain, block + i) == 1)
			bytes += PAGE;
	return bytes;
}

static void a_page_that_stays_holds_nothing_else_back_when_a_chain_is_put_in_order(void **state)
{
	struct aml_area *chain = open_area("node:0,nothp,limit:48M > any,nothp");
	situs_heap_t *heap = make(chain);
	char *filler = situs_malloc(heap, 36 * MIB), *block = situs_malloc(heap, 32 * MIB);
	int n;

	(void)state;
	memset(is_moved, 0, sizeof(is_moved));
	memset(block, 1, 32 * MIB);
	assert_int_equal(bytes_on_second_link(chain, block, 32 * MIB), 32 * MIB);
	situs_free(filler);
	situs_heap_trim(heap);
	stuck = (void *)((uintptr_t)(block + 3 * MIB) & ~(PAGE - 1));
	plays = true;
	n = situs_heap_rebalance(heap, NULL, NULL);
	assert_int_equal(aml_area_link(chain, stuck), 1);
	assert_true(bytes_on_second_link(chain, block, 32 * MIB) <= 128 * 1024);
	assert_true(n >= (int)((32 * MIB - 128 * 1024) / PAGE));
	stuck = NULL;
	assert_true(situs_heap_rebalance(heap, NULL, NULL) > 0);
	plays = false;
	assert_int_equal(bytes_on_second_link(chain, block, 32 * MIB), 0);
	check_spaces(heap);
	situs_heap_destroy(heap);
	aml_area_close(&chain);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(moving_asks_about_few_pages_and_about_none_twice),
		cmocka_unit_test(a_huge_page_is_named_once),
		cmocka_unit_test(untouched_memory_costs_no_question),
		cmocka_unit_test(what_lies_there_already_is_told_apart),
		cmocka_unit_test(what_the_call_does_not_tell_is_asked_about),
		cmocka_unit_test(a_page_that_stays_is_no_success),
		cmocka_unit_test(a_full_node_is_not_asked_for_each_piece),
		cmocka_unit_test(it_works_without_page_tables),
		cmocka_unit_test(a_page_that_stays_holds_nothing_else_back_when_a_chain_is_put_in_order),
	};

	return cmocka_run_group_tests_name("migrate in bulk", tests, NULL, NULL);
}
