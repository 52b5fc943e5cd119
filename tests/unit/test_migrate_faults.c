/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Heaps that move while the kernel refuses one call after the other: whichever it is, the heap keeps its
 * contents and its books, and another try succeeds. Every kind of call that moving makes is planted: the
 * functions here stand in front of the C library's.
 */
#include "tests/unit/migrate_test.h"

#include "os/os.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

enum call { MBIND, MOVE_PAGES, MADVISE, MMAP, OPEN, IOCTL, READ, PREAD, N_CALLS };
static const char *const names[N_CALLS] = {"mbind", "move_pages", "madvise", "mmap", "open", "ioctl",
	"read", "pread"};
static const int errors[N_CALLS] = {ENOMEM, EPERM, ENOMEM, ENOMEM, EMFILE, EPERM, EIO, EIO};

/* This call of each kind from now on fails, on the thread that planted it; 0: none. */
static _Thread_local int fail_at[N_CALLS];
static _Thread_local bool fails_on; /* and all that follow */

static bool fails(enum call call)
{
	if (fail_at[call] == 0 || --fail_at[call] != 0)
		return false;
	if (fails_on)
		fail_at[call] = 1;
	errno = errors[call];
	return true;
}

long __wrap_os__mbind(void *start, unsigned long size, int mode, const unsigned long *nodes,
	unsigned long max_node, unsigned flags);
long __wrap_os__mbind(void *start, unsigned long size, int mode, const unsigned long *nodes,
	unsigned long max_node, unsigned flags)
{
	return fails(MBIND) ? -1 : syscall(SYS_mbind, start, size, mode, nodes, max_node, flags);
}

long __wrap_os__move_pages(int pid, unsigned long n, void **pages, const int *to, int *status, int flags);
long __wrap_os__move_pages(int pid, unsigned long n, void **pages, const int *to, int *status, int flags)
{
	return fails(MOVE_PAGES) ? -1 : syscall(SYS_move_pages, pid, n, pages, to, status, flags);
}

int madvise(void *start, size_t size, int advice)
{
	return fails(MADVISE) ? -1 : (int)syscall(SYS_madvise, start, size, advice);
}

void *mmap(void *start, size_t size, int protection, int flags, int fd, off_t offset)
{
	return fails(MMAP) ? MAP_FAILED :
		(void *)syscall(SYS_mmap, start, size, protection, flags, fd, offset);
}

int open(const char *path, int flags, ...)
{
	va_list args;
	int mode;

	va_start(args, flags);
	mode = flags & O_CREAT ? va_arg(args, int) : 0;
	va_end(args);
	return fails(OPEN) ? -1 : (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

/* The page tables' one question: PAGEMAP_SCAN. */
int ioctl(int fd, unsigned long request, ...)
{
	va_list args;
	void *arg;

	va_start(args, request);
	arg = va_arg(args, void *);
	va_end(args);
	return fails(IOCTL) ? -1 : (int)syscall(SYS_ioctl, fd, request, arg);
}

ssize_t read(int fd, void *buffer, size_t size)
{
	return fails(READ) ? -1 : syscall(SYS_read, fd, buffer, size);
}

ssize_t pread(int fd, void *buffer, size_t size, off_t offset)
{
	return fails(PREAD) ? -1 : syscall(SYS_pread64, fd, buffer, size, offset);
}

static size_t left_of(const struct aml_area *area)
{
	struct aml_area_info info = {.struct_size = sizeof(info)};

	assert_int_equal(aml_area_info(area, &info), AML_SUCCESS);
	return info.available;
}

/* One move with one failure. True: it was reached. */
static bool try_move(situs_heap_t *heap, const struct aml_area *to, enum call call, int at, bool on,
	int (*move)(situs_heap_t *heap, const struct aml_area *to))
{
	bool reached;
	int err;

	fails_on = on;
	fail_at[call] = at;
	err = move(heap, to);
	reached = on ? fail_at[call] == 1 && at != 1 : fail_at[call] == 0;
	if (on && at == 1)
		reached = err < 0;
	fail_at[call] = 0;
	if (err < 0 && situs_error()[0] == '\0')
		fail_msg("%s, call %d: no words for %d", names[call], at, err);
	check_spaces(heap);
	return reached;
}

static int migrate(situs_heap_t *heap, const struct aml_area *to)
{
	return situs_heap_migrate(heap, to, NULL, NULL);
}

static int rebalance(situs_heap_t *heap, const struct aml_area *to)
{
	(void)to;
	return situs_heap_rebalance(heap, NULL, NULL);
}

enum { MOST = 12 }; /* failures of one kind: later calls are the same again */

/* There and back with every failure, then without one. */
static void every_failure(const char *from_place, const char *to_place, enum call call, bool on)
{
	struct aml_area *areas[2] = {open_area(from_place), open_area(to_place)};
	size_t limits[2] = {left_of(areas[0]), left_of(areas[1])};
	situs_heap_t *heap = make(areas[0]);
	char *blocks[N_BLOCKS], *more[N_BLOCKS], *untouched;
	bool reached = true;

	fill(heap, blocks);
	untouched = situs_malloc(heap, 3 * MIB);
	for (int at = 1; reached && at <= MOST; at++) {
		const struct aml_area *now = situs_area_of(blocks[0]);

		reached = try_move(heap, areas[now == areas[0]], call, at, on, migrate);
	}
	check_blocks(blocks);
	fill(heap, more);
	for (int i = 1; i >= 0; i--)
		if (situs_heap_migrate(heap, areas[i], NULL, NULL) != 0)
			fail_msg("%s after %s: %s", i == 0 ? from_place : to_place, names[call],
				situs_error());
	check_and_free(more);
	check_and_free(blocks);
	situs_free(untouched);
	situs_heap_destroy(heap);
	/* Limits have everything back; nodes come and go with the machine. */
	for (int i = 0; i < 2; i++) {
		if (strstr(i == 0 ? from_place : to_place, "limit") != NULL)
			assert_int_equal(left_of(areas[i]), limits[i]);
		aml_area_close(&areas[i]);
	}
}

static const char *const trips[][2] = {
	{"any", "node:0,strict"},
	{"any,limit:200M", "node:0,limit:200M"},
	{"node:0,strict > node:0", "node:0"},
};
enum { N_TRIPS = sizeof(trips) / sizeof(trips[0]) };

static void one_failure(enum call call)
{
	for (int i = 0; i < N_TRIPS; i++)
		every_failure(trips[i][0], trips[i][1], call, false);
}

static void from_then_on(enum call call)
{
	for (int i = 0; i < N_TRIPS; i++)
		every_failure(trips[i][0], trips[i][1], call, true);
}

#define FAULT_TEST(name, call) \
	static void name##_may_fail(void **state) { (void)state; one_failure(call); } \
	static void name##_may_fail_for_good(void **state) { (void)state; from_then_on(call); }

FAULT_TEST(mbind, MBIND)
FAULT_TEST(move_pages, MOVE_PAGES)
FAULT_TEST(madvise, MADVISE)
FAULT_TEST(mmap, MMAP)
FAULT_TEST(open, OPEN)
FAULT_TEST(ioctl, IOCTL)
FAULT_TEST(read, READ)

/* Where the kernel has no PAGEMAP_SCAN the page map is read instead, and that may fail too. */
static void pread_may_fail(void **state)
{
	(void)state;
	one_failure(PREAD);
}

/* Every part of the chain is under the policy of the link that its books say. */
static void check_policies(const struct aml_area *chain, char *blocks[N_BLOCKS])
{
	for (int i = 0; i < N_BLOCKS; i++) {
		int link = aml_area_link(chain, blocks[i]);
		enum os_policy policy;
		struct os_nodes nodes;

		assert_int_equal(os__policy(blocks[i], &policy, &nodes), 0);
		assert_int_equal(policy == OS_POLICY_INTERLEAVE, link == 1);
	}
}

static void putting_a_chain_in_order_may_fail_anywhere(void **state)
{
	(void)state;
	for (int call = 0; call < N_CALLS; call++) {
		struct aml_area *chain = open_area("node:0,limit:24M > node:0,interleave");
		situs_heap_t *heap = make(chain);
		char *blocks[N_BLOCKS], *first = situs_malloc(heap, 20 * MIB);
		bool reached = true;

		fill(heap, blocks);
		situs_free(first);
		situs_heap_trim(heap);
		for (int at = 1; reached && at <= MOST; at++) {
			reached = try_move(heap, NULL, (enum call)call, at, false, rebalance);
			check_policies(chain, blocks);
		}
		check_blocks(blocks);
		if (situs_heap_rebalance(heap, NULL, NULL) < 0)
			fail_msg("after %s: %s", names[call], situs_error());
		check_and_free(blocks);
		situs_heap_destroy(heap);
		aml_area_close(&chain);
	}
}

/* The right answer, or a failure in words. */
static void try_to_locate(situs_heap_t *heap, enum call call, int at, int right_rest, const size_t *right)
{
	size_t told[8];
	int rest;

	fail_at[call] = at;
	rest = situs_heap_locate(heap, told, 8);
	if (rest < 0 && situs_error()[0] == '\0')
		fail_msg("%s, call %d: no words for %d", names[call], at, rest);
	if (rest >= 0) {
		assert_int_equal(rest, right_rest);
		assert_memory_equal(told, right, sizeof(told));
	}
}

static void asking_where_a_heap_lies_may_fail(void **state)
{
	struct aml_area *area = open_area("any,nothp");
	situs_heap_t *heap = make(area);
	size_t right[8];
	char *blocks[N_BLOCKS];
	int rest;

	(void)state;
	fill(heap, blocks);
	assert_non_null(situs_malloc(heap, 30 * MIB)); /* untouched: page tables are read */
	rest = situs_heap_locate(heap, right, 8);
	assert_true(rest >= (int)(29 * MIB / 4096));
	for (int call = 0; call < N_CALLS; call++) {
		for (int on = 0; on < 2; on++) {
			fails_on = on;
			for (int at = 1; at <= MOST; at++)
				try_to_locate(heap, (enum call)call, at, rest, right);
		}
		fail_at[call] = 0;
	}
	situs_heap_destroy(heap);
	aml_area_close(&area);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mbind_may_fail),
		cmocka_unit_test(mbind_may_fail_for_good),
		cmocka_unit_test(move_pages_may_fail),
		cmocka_unit_test(move_pages_may_fail_for_good),
		cmocka_unit_test(madvise_may_fail),
		cmocka_unit_test(madvise_may_fail_for_good),
		cmocka_unit_test(mmap_may_fail),
		cmocka_unit_test(mmap_may_fail_for_good),
		cmocka_unit_test(open_may_fail),
		cmocka_unit_test(open_may_fail_for_good),
		cmocka_unit_test(ioctl_may_fail),
		cmocka_unit_test(ioctl_may_fail_for_good),
		cmocka_unit_test(read_may_fail),
		cmocka_unit_test(read_may_fail_for_good),
		cmocka_unit_test(pread_may_fail),
		cmocka_unit_test(putting_a_chain_in_order_may_fail_anywhere),
		cmocka_unit_test(asking_where_a_heap_lies_may_fail),
	};

	return cmocka_run_group_tests_name("migrate faults", tests, NULL, NULL);
}
