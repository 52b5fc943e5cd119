/* SPDX-License-Identifier: BSD-3-Clause */
/* Transparent huge pages: asked for, forbidden, and in strict areas. */
#include "tests/unit/area_test.h"

#include "area/area.h"
#include "base/error.h"
#include "os/os.h"
#include "os/present.h"

#define HUGE_SIZE (os__huge_page_size())

/* What strict areas say to the kernel. */
static size_t n_asked;      /* pages whose place was asked for */
static bool tells_astray;   /* the next answer begins with a node that is none of ours... */
static bool drops_on_move;  /* ... and moving takes the page away, as splitting it may */

long __real_os__move_pages(int pid, unsigned long n, void **pages, const int *to, int *status, int flags);
long __wrap_os__move_pages(int pid, unsigned long n, void **pages, const int *to, int *status, int flags);
long __wrap_os__move_pages(int pid, unsigned long n, void **pages, const int *to, int *status, int flags)
{
	long result;

	if (to != NULL && drops_on_move) {
		drops_on_move = false;
		madvise(pages[0], HUGE_SIZE, MADV_DONTNEED);
		return 0;
	}
	result = __real_os__move_pages(pid, n, pages, to, status, flags);
	if (to == NULL)
		n_asked += n;
	if (to == NULL && tells_astray) {
		tells_astray = false;
		status[0] = 1023;
	}
	return result;
}

static size_t n_policies; /* pages whose policy was asked for */

long __real_os__get_mempolicy(int *mode, unsigned long *nodes, unsigned long max, void *page, unsigned flags);
long __wrap_os__get_mempolicy(int *mode, unsigned long *nodes, unsigned long max, void *page, unsigned flags);
long __wrap_os__get_mempolicy(int *mode, unsigned long *nodes, unsigned long max, void *page, unsigned flags)
{
	n_policies += page != NULL;
	return __real_os__get_mempolicy(mode, nodes, max, page, flags);
}

static size_t huge_kib(const char *p)
{
	FILE *file = fopen("/proc/self/smaps", "r");
	char line[512];
	bool inside = false;
	size_t kib = 0;

	assert_non_null(file);
	while (fgets(line, sizeof(line), file) != NULL) {
		uintptr_t start, end;

		if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
			inside = start <= (uintptr_t)p && (uintptr_t)p < end;
		else if (inside && sscanf(line, "AnonHugePages: %zu kB", &kib) == 1)
			break;
	}
	fclose(file);
	return kib;
}

static void thp_areas_get_huge_pages(void **state)
{
	struct area_options options = {.thp = 1};
	struct aml_area *area;
	char *p;

	(void)state;
	if (area__linux_create(&area, &options) == -AML_ENOTSUP)
		skip_because("this kernel has no transparent huge pages");
	p = aml_area_mmap(area, NULL, 8 * MIB);
	assert_non_null(p);
	assert_int_equal((uintptr_t)p % (2 * MIB), 0);
	memset(p, 1, 8 * MIB);
	assert_true(huge_kib(p) >= 4096);
	assert_int_equal(aml_area_munmap(area, p, 8 * MIB), AML_SUCCESS);
	area__destroy(&area);
}

static void nothp_areas_get_none_until_collapse_is_asked(void **state)
{
	struct area_options options = {.thp = -1}, thp = {.thp = 1};
	struct aml_area *area;
	char *p;

	(void)state;
	assert_int_equal(area__linux_create(&area, &options), AML_SUCCESS);
	p = aml_area_mmap(area, NULL, 8 * MIB);
	memset(p, 1, 8 * MIB);
	assert_int_equal(huge_kib(p), 0);
	assert_int_equal(aml_area_munmap(area, p, 8 * MIB), AML_SUCCESS);
	area__destroy(&area);
	if (area__linux_create(&area, &thp) == -AML_ENOTSUP)
		skip_because("this kernel has no transparent huge pages");
	p = aml_area_mmap(area, NULL, 2 * MIB + PAGE);
	madvise(p, 2 * MIB, MADV_NOHUGEPAGE);
	memset(p, 3, 2 * MIB);
	assert_int_equal(huge_kib(p), 0);
	madvise(p, 2 * MIB, MADV_HUGEPAGE);
	if (aml_area_collapse(area, p, 2 * MIB) == AML_SUCCESS) {
		assert_int_equal(huge_kib(p), 2048);
		assert_int_equal(p[2 * MIB - 1], 3);
	} else {
		assert_true(aml_errno == AML_ENOTSUP || aml_errno == AML_EBUSY || aml_errno == AML_ENOMEM);
	}
	assert_int_equal(aml_area_munmap(area, p, 2 * MIB + PAGE), AML_SUCCESS);
	area__destroy(&area);
}

static struct aml_area *open_strict(void)
{
	struct area_options options = {.thp = 1, .policy = AML_AREA_LINUX_POLICY_STRICT};
	struct aml_area *area = NULL;

	skip_where_binding_is_forbidden();
	if (area__linux_create(&area, &options) == -AML_ENOTSUP)
		skip_because("this kernel has no transparent huge pages");
	assert_non_null(area);
	return area;
}

/* Does the kernel tell huge pages from others without being asked page by page (6.7)? */
static bool tells_huge_pages(char *p, size_t size)
{
	uintptr_t at = (uintptr_t)p;
	struct os_run run = {0, 0, false};
	int handle = os__present_open(), n = os__present_runs(handle, &at, at + size, &run, 1);

	os__present_close(handle);
	return n == 1 && run.huge;
}

static void strict_huge_pages_are_present_home_and_zero(void **state)
{
	struct aml_area *area = open_strict();
	size_t size = 16 * HUGE_SIZE;
	char *p = aml_area_mmap(area, NULL, size);

	(void)state;
	assert_non_null(p);
	assert_int_equal((uintptr_t)p % HUGE_SIZE, 0);
	assert_int_equal(n_present(p, size), size / PAGE);
	assert_int_equal(aml_area_linux_check_binding(area, p, size), 1);
	assert_true(all_zero(p, size));
	assert_int_equal(aml_area_munmap(area, p, size), AML_SUCCESS);
	aml_area_linux_destroy(&area);
}

static void strict_huge_pages_are_asked_about_once_each(void **state)
{
	struct aml_area *area = open_strict();
	size_t size = 32 * HUGE_SIZE;
	char *p;

	(void)state;
	n_asked = 0;
	p = aml_area_mmap(area, NULL, size);
	assert_non_null(p);
	if (huge_kib(p) * 1024 != size || !tells_huge_pages(p, size))
		skip_because("memory is too scattered for huge pages, or the kernel is old");
	assert_int_equal(n_asked, 32);
	assert_int_equal(aml_area_munmap(area, p, size), AML_SUCCESS);
	aml_area_linux_destroy(&area);
}

static void assert_checked_once_each(struct aml_area *area)
{
	size_t size = 32 * HUGE_SIZE;
	char *p = aml_area_mmap(area, NULL, size);

	assert_non_null(p);
	memset(p, 1, size);
	if (huge_kib(p) * 1024 != size || !tells_huge_pages(p, size))
		skip_because("memory is too scattered for huge pages, or the kernel is old");
	n_asked = n_policies = 0;
	assert_int_equal(aml_area_linux_check_binding(area, p, size), 1);
	assert_int_equal(n_asked, 32);
	assert_int_equal(n_policies, 32);
	/* What begins and ends within huge pages is asked about in small ones there. */
	n_asked = n_policies = 0;
	assert_int_equal(aml_area_linux_check_binding(area, p + HUGE_SIZE - PAGE, HUGE_SIZE + 3 * PAGE), 1);
	assert_int_equal(n_asked, 4);
	assert_int_equal(n_policies, 4);
	assert_int_equal(aml_area_munmap(area, p, size), AML_SUCCESS);
}

static void binding_of_huge_pages_is_checked_once_a_page(void **state)
{
	struct area_options options = {.thp = 1, .policy = AML_AREA_LINUX_POLICY_PREFERRED_MANY};
	struct aml_area *strict = open_strict(), *area = NULL;

	(void)state;
	assert_checked_once_each(strict);
	aml_area_linux_destroy(&strict);
	assert_int_equal(area__linux_create(&area, &options), AML_SUCCESS);
	assert_checked_once_each(area);
	area__destroy(&area);
}

/* A part of it may be on no node yet, or on another, and under another policy. */
static void binding_of_a_torn_huge_area_is_checked_in_all_its_parts(void **state)
{
	struct area_options options = {.thp = 1, .policy = AML_AREA_LINUX_POLICY_PREFERRED_MANY};
	struct aml_area *area = NULL;
	size_t size = 8 * HUGE_SIZE, bytes_on_node[64], sum = 0;
	char *p;

	(void)state;
	skip_where_binding_is_forbidden();
	if (area__linux_create(&area, &options) == -AML_ENOTSUP)
		skip_because("this kernel has no transparent huge pages");
	p = aml_area_mmap(area, NULL, size);
	assert_non_null(p);
	memset(p, 1, size);
	assert_int_equal(madvise(p + HUGE_SIZE, PAGE, MADV_DONTNEED), 0);
	assert_int_equal(madvise(p + 4 * HUGE_SIZE, HUGE_SIZE, MADV_DONTNEED), 0);
	assert_int_equal(aml_area_linux_check_binding(area, p, size), 1);
	assert_int_equal(aml_area_locate(area, p, size, bytes_on_node, 64), AML_SUCCESS);
	for (int i = 0; i < 64; i++)
		sum += bytes_on_node[i];
	/* The kernel may make a torn huge page whole again, whenever it likes. */
	assert_in_range(sum, size - HUGE_SIZE - PAGE, size);
	/* The policy of one small page, in a huge one and in nothing. */
	assert_int_equal(os__bind(p + 4 * HUGE_SIZE + 5 * PAGE, PAGE, OS_POLICY_DEFAULT, NULL, false), 0);
	assert_int_equal(aml_area_linux_check_binding(area, p, size), 0);
	assert_int_equal(aml_area_linux_check_binding(area, p, 4 * HUGE_SIZE), 1);
	assert_int_equal(os__bind(p + 2 * HUGE_SIZE + 5 * PAGE, PAGE, OS_POLICY_DEFAULT, NULL, false), 0);
	assert_int_equal(aml_area_linux_check_binding(area, p, 4 * HUGE_SIZE), 0);
	assert_int_equal(aml_area_munmap(area, p, size), AML_SUCCESS);
	area__destroy(&area);
}

static void what_a_move_in_pieces_left_out_is_made_present_again(void **state)
{
	struct aml_area *area = open_strict();
	size_t size = 4 * HUGE_SIZE;
	char *p;

	(void)state;
	tells_astray = drops_on_move = true;
	p = aml_area_mmap(area, NULL, size);
	assert_false(tells_astray || drops_on_move);
	assert_non_null(p);
	assert_int_equal(n_present(p, size), size / PAGE);
	assert_int_equal(aml_area_linux_check_binding(area, p, size), 1);
	assert_int_equal(aml_area_munmap(area, p, size), AML_SUCCESS);
	aml_area_linux_destroy(&area);
}

static void strict_huge_pages_are_given_back_whole(void **state)
{
	struct aml_area *area = open_strict();
	char *p = aml_area_mmap(area, NULL, 3 * HUGE_SIZE);

	(void)state;
	assert_non_null(p);
	assert_refused(aml_area_munmap(area, p + PAGE, HUGE_SIZE), AML_EINVAL, EINVAL);
	assert_refused(aml_area_munmap(area, p + PAGE, PAGE), AML_EINVAL, EINVAL);
	assert_refused(aml_area_decommit(area, p, HUGE_SIZE), AML_ENOTSUP, ENOTSUP);
	assert_refused(aml_area_purge(area, p, HUGE_SIZE), AML_ENOTSUP, ENOTSUP);
	assert_refused(aml_area_move(area, p, PAGE), AML_EINVAL, EINVAL);
	assert_int_equal(aml_area_move(area, p, HUGE_SIZE), AML_SUCCESS);
	assert_int_equal(n_present(p, 3 * HUGE_SIZE), 3 * HUGE_SIZE / PAGE);
	/* As it was asked for: less than a huge page counts as one. */
	assert_int_equal(aml_area_munmap(area, p + HUGE_SIZE, PAGE), AML_SUCCESS);
	assert_int_equal(aml_area_munmap(area, p, HUGE_SIZE), AML_SUCCESS);
	assert_int_equal(aml_area_munmap(area, p + 2 * HUGE_SIZE, HUGE_SIZE), AML_SUCCESS);
	assert_refused(aml_area_munmap(area, p, HUGE_SIZE), AML_EINVAL, EINVAL);
	aml_area_linux_destroy(&area);
}

static void strict_huge_hints_count_where_huge_pages_fit(void **state)
{
	struct aml_area *area = open_strict();
	char *free_range = aml_area_mmap(area, NULL, 4 * HUGE_SIZE), *p, *q;
	void *hint = free_range + HUGE_SIZE, *ragged = free_range + PAGE;

	(void)state;
	assert_int_equal(aml_area_munmap(area, free_range, 4 * HUGE_SIZE), AML_SUCCESS);
	p = aml_area_mmap(area, &hint, PAGE);
	assert_ptr_equal(p, hint);
	q = aml_area_mmap(area, &ragged, HUGE_SIZE);
	assert_non_null(q);
	assert_int_equal((uintptr_t)q % HUGE_SIZE, 0);
	assert_int_equal(aml_area_munmap(area, q, HUGE_SIZE), AML_SUCCESS);
	q = aml_area_mmap(area, &hint, HUGE_SIZE);
	assert_non_null(q);
	assert_ptr_not_equal(q, p);
	assert_int_equal((uintptr_t)q % HUGE_SIZE, 0);
	assert_int_equal(aml_area_munmap(area, q, HUGE_SIZE), AML_SUCCESS);
	assert_int_equal(aml_area_munmap(area, p, PAGE), AML_SUCCESS);
	aml_area_linux_destroy(&area);
}

static void strict_huge_areas_are_paid_at_mmap(void **state)
{
	struct aml_area *area = open_strict();
	struct aml_area_info info = {.struct_size = sizeof(info)};
	size_t mapped = mapped_bytes();
	int before = n_mappings();

	(void)state;
	assert_int_equal(aml_area_info(area, &info), AML_SUCCESS);
	assert_int_equal(info.page_size, HUGE_SIZE);
	assert_int_equal(info.flags, AML_AREA_HOST | AML_AREA_ZEROED | AML_AREA_PARTIAL);
	assert_fails(aml_area_mmap(area, NULL, SIZE_MAX), AML_ENOMEM, ENOMEM);
	assert_fails(aml_area_mmap(area, NULL, (size_t)1 << 46), AML_ENOMEM, ENOMEM);
	if (!UNDER_TSAN) {
		assert_int_equal(n_mappings(), before);
		assert_int_equal(mapped_bytes(), mapped);
	}
	aml_area_linux_destroy(&area);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(thp_areas_get_huge_pages),
		cmocka_unit_test(nothp_areas_get_none_until_collapse_is_asked),
		cmocka_unit_test(strict_huge_pages_are_present_home_and_zero),
		cmocka_unit_test(strict_huge_pages_are_asked_about_once_each),
		cmocka_unit_test(binding_of_huge_pages_is_checked_once_a_page),
		cmocka_unit_test(binding_of_a_torn_huge_area_is_checked_in_all_its_parts),
		cmocka_unit_test(what_a_move_in_pieces_left_out_is_made_present_again),
		cmocka_unit_test(strict_huge_pages_are_given_back_whole),
		cmocka_unit_test(strict_huge_hints_count_where_huge_pages_fit),
		cmocka_unit_test(strict_huge_areas_are_paid_at_mmap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
