/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * hugefiles.c - areas of a file on hugetlbfs: its page is their granule, a pool that runs empty is NULL
 * and never SIGBUS, and freed space goes back to the pool.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "aml.h"
#include "situs.h"
#include "tests/lab/guest/lab.h"

#define HUGE_PAGE (2 * MIB)
#define POOL "/sys/kernel/mm/hugepages/hugepages-2048kB/"
#define FOLDER "/tmp/huge"

enum { N_PAGES = 16 };

static size_t n_free(void)
{
	return lab_read_number(POOL "free_hugepages", "");
}

static int mount_pool(void **state)
{
	(void)state;
	mkdir(FOLDER, 0700);
	assert_int_equal(mount("none", FOLDER, "hugetlbfs", 0, "pagesize=2M"), 0);
	assert_int_equal(lab_write(POOL "nr_hugepages", "16"), 0);
	assert_int_equal(n_free(), N_PAGES);
	return 0;
}

static int unmount_pool(void **state)
{
	(void)state;
	assert_int_equal(umount(FOLDER), 0);
	return lab_write(POOL "nr_hugepages", "0");
}

static struct aml_area *open_place(const char *place)
{
	struct aml_area *area = NULL;

	if (aml_area_open(&area, place))
		fail_msg("%s: %s", place, situs_error());
	return area;
}

static void the_files_page_is_the_granule(void **state)
{
	struct aml_area_info info = {.struct_size = sizeof(info)};
	struct aml_area *area = open_place("file:" FOLDER);
	char *p = aml_area_mmap(area, NULL, 1);

	(void)state;
	if (!p)
		fail_msg("%s", situs_error());
	lab_fill(p, HUGE_PAGE, 1);
	assert_true(lab_filled(p, HUGE_PAGE, 1));
	assert_int_equal(aml_area_info(area, &info), 0);
	assert_int_equal(info.page_size, HUGE_PAGE);
	assert_int_equal(info.capacity, N_PAGES * HUGE_PAGE);
	assert_int_equal(info.available, (N_PAGES - 1) * HUGE_PAGE);
	assert_int_equal(aml_area_munmap(area, p, 1), 0);
	assert_int_equal(n_free(), N_PAGES);
	aml_area_close(&area);
}

static void an_empty_pool_is_null_and_all_of_it_goes_back(void **state)
{
	struct aml_area *area = open_place("file:" FOLDER);
	char *pages[N_PAGES];

	(void)state;
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < N_PAGES; i++) {
			pages[i] = aml_area_mmap(area, NULL, HUGE_PAGE);
			if (!pages[i])
				fail_msg("page %d: %s", i, situs_error());
			assert_int_equal(pages[i][HUGE_PAGE - 1], 0);
			lab_fill(pages[i], HUGE_PAGE, (uint64_t)i);
		}
		errno = 0;
		assert_null(aml_area_mmap(area, NULL, HUGE_PAGE));
		assert_int_equal(aml_errno, AML_ENOMEM);
		assert_int_equal(errno, ENOMEM);
		print_message("# %s\n", situs_error());
		for (int i = 0; i < N_PAGES; i++) {
			assert_true(lab_filled(pages[i], HUGE_PAGE, (uint64_t)i));
			assert_int_equal(aml_area_munmap(area, pages[i], HUGE_PAGE), 0);
		}
		assert_int_equal(n_free(), N_PAGES);
	}
	aml_area_close(&area);
}

static void reserved_pages_are_paid_at_commit_and_returned_by_decommit(void **state)
{
	struct aml_area *area = open_place("file:" FOLDER);
	size_t size = 2 * N_PAGES * HUGE_PAGE;
	char *p = aml_area_reserve(area, NULL, size);

	(void)state;
	if (!p)
		fail_msg("%s", situs_error());
	assert_int_equal(n_free(), N_PAGES);
	assert_int_equal(aml_area_commit(area, p, 4 * HUGE_PAGE), 0);
	assert_int_equal(n_free(), N_PAGES - 4);
	lab_fill(p, 4 * HUGE_PAGE, 1);
	assert_int_equal(aml_area_commit(area, p + 4 * HUGE_PAGE, N_PAGES * HUGE_PAGE), -AML_ENOMEM);
	assert_true(lab_filled(p, 4 * HUGE_PAGE, 1));
	assert_int_equal(aml_area_purge(area, p, HUGE_PAGE), 0);
	assert_int_equal(p[0], 0);
	assert_int_equal(p[HUGE_PAGE - 1], 0);
	assert_int_equal(aml_area_decommit(area, p, 4 * HUGE_PAGE), 0);
	assert_int_equal(n_free(), N_PAGES);
	assert_int_equal(aml_area_munmap(area, p, size), 0);
	aml_area_close(&area);
}

static void a_heap_uses_the_pool_up_and_gives_it_back(void **state)
{
	enum { MAX_BLOCKS = 4096 };
	static char *blocks[MAX_BLOCKS];
	situs_heap_t *heap = situs_heap_open("file:" FOLDER);
	size_t n = 0;

	(void)state;
	if (!heap)
		fail_msg("%s", situs_error());
	while (n < MAX_BLOCKS && (blocks[n] = situs_malloc(heap, 100 * KIB))) {
		lab_fill(blocks[n], 100 * KIB, n);
		n++;
	}
	assert_int_equal(errno, ENOMEM);
	assert_in_range(n, 100, MAX_BLOCKS - 1);
	for (size_t i = 0; i < n; i++) {
		assert_true(lab_filled(blocks[i], 100 * KIB, i));
		situs_free(blocks[i]);
	}
	assert_int_equal(situs_heap_destroy(heap), 0);
	assert_int_equal(n_free(), N_PAGES);
}

static void a_named_file_is_gone_and_nodes_are_refused(void **state)
{
	struct aml_area *area = open_place("file:" FOLDER "/named");
	struct stat status;

	(void)state;
	assert_int_not_equal(stat(FOLDER "/named", &status), 0);
	aml_area_close(&area);
	assert_int_equal(aml_area_open(&area, "file:" FOLDER ",node:0,strict"), -AML_EINVAL);
	assert_int_equal(n_free(), N_PAGES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_files_page_is_the_granule),
		cmocka_unit_test(an_empty_pool_is_null_and_all_of_it_goes_back),
		cmocka_unit_test(reserved_pages_are_paid_at_commit_and_returned_by_decommit),
		cmocka_unit_test(a_heap_uses_the_pool_up_and_gives_it_back),
		cmocka_unit_test(a_named_file_is_gone_and_nodes_are_refused),
	};

	return cmocka_run_group_tests(tests, mount_pool, unmount_pool);
}
