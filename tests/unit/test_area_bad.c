/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Bad input to areas of every kind: the documented error, aml_errno and errno set, words, and nothing
 * left behind, by count of mappings and descriptors.
 */
#include "tests/unit/area_test.h"

#include "area/area.h"
#include "base/error.h"

struct count {
	int mappings, descriptors;
};

static struct count count(void)
{
	/* ThreadSanitizer maps memory of its own meanwhile. */
	return (struct count){UNDER_TSAN ? 0 : n_mappings(), n_descriptors()};
}

static void assert_as_before(const char *what, struct count before)
{
	struct count now = count();

	if (now.mappings != before.mappings || now.descriptors != before.descriptors)
		fail_msg("%s: %d mappings and %d descriptors rather than %d and %d", what, now.mappings,
			now.descriptors, before.mappings, before.descriptors);
}

static const struct bad_place {
	const char *place;
	int code;
	const char *said;
} bad_places[] = {
	{"", AML_EINVAL, "no place"},
	{"foo", AML_EINVAL, "\"foo\""},
	{"foo", AML_EINVAL, "would fit: node:"},
	{"Node:0", AML_EINVAL, "\"Node:0\""},
	{"node:", AML_EINVAL, "node:"},
	{"node:x", AML_EINVAL, "x"},
	{"node:0-", AML_EINVAL, "0-"},
	{"node:1-0", AML_EINVAL, "1-0"},
	{"node:0,,strict", AML_EINVAL, "0"},
	{"node:1000", AML_EDOM, "1000"},
	{"node:99999999999999999999", AML_EDOM, "9999"},
	{"node:0,strikt", AML_EINVAL, "strikt"},
	{"node:0,strict,bind", AML_EINVAL, "bind"},
	{"node:0,thp,nothp", AML_EINVAL, "nothp"},
	{"node:0,limit:0", AML_EINVAL, "limit:0"},
	{"node:0,limit:4X", AML_EINVAL, "4X"},
	{"node:0,limit:99999999999999999999G", AML_EINVAL, "limit:"},
	{"tier:", AML_EINVAL, "tier:"},
	{"tier:slowest", AML_EINVAL, "slowest"},
	{"tier:77", AML_EDOM, "tier:77"},
	{"gpu", AML_EDOM, "gpu"},
	{"hugetlb:", AML_EINVAL, "hugetlb:"},
	{"hugetlb:3M", AML_EINVAL, "3M"},
	{"hugetlb:64M", AML_EDOM, "64 MiB"},
	{"hugetlb:64M", AML_EDOM, "would fit: node:"},
	{"hugetlb:2M,thp", AML_EINVAL, "thp"},
	{"file:", AML_EINVAL, "file:"},
	{"file:/nonexistent/situs", AML_EDOM, "/nonexistent/situs"},
	{"file:/dev/null", AML_EINVAL, "/dev/null"},
	{"shm:", AML_EINVAL, "shm:"},
	{"shm:a/b", AML_EINVAL, "a/b"},
	{"shm:..", AML_EINVAL, ".."},
	{"cuda:0", AML_ENOTSUP, "cuda:"},
	{"opencl:0", AML_ENOTSUP, "opencl:"},
	{"any >", AML_EINVAL, ">"},
	{"> any", AML_EINVAL, ">"},
	{"any > foo", AML_EINVAL, "foo"},
	{"anon > node:1000", AML_EDOM, "1000"},
	{"shm:situs-test-bad > hugetlb:64M", AML_EDOM, "64 MiB"},
	{"file:/tmp > shm:situs-test-bad > file:/nonexistent/situs", AML_EDOM, "/nonexistent"},
};

static void refuse_place(const struct bad_place *bad)
{
	struct aml_area *untouched = (struct aml_area *)&untouched, *area = untouched;

	forget_errors();
	if (aml_area_open(&area, own_place(bad->place)) != -bad->code)
		fail_msg("\"%s\": aml_errno %d rather than %d: %s", bad->place, aml_errno, bad->code,
			error__text());
	assert_ptr_equal(area, untouched);
	assert_int_equal(aml_errno, bad->code);
	assert_int_not_equal(errno, 0);
	if (strstr(error__text(), bad->said) == NULL)
		fail_msg("\"%s\": \"%s\" does not say \"%s\"", bad->place, error__text(), bad->said);
}

static void bad_places_are_refused_in_words_and_leave_nothing(void **state)
{
	struct count before;

	(void)state;
	skip_where_binding_is_forbidden();
	/* The first time, the topology and the first ledgers' memory come and stay. */
	for (size_t i = 0; i < sizeof(bad_places) / sizeof(bad_places[0]); i++)
		refuse_place(&bad_places[i]);
	for (size_t i = 0; i < sizeof(bad_places) / sizeof(bad_places[0]); i++) {
		before = count();
		refuse_place(&bad_places[i]);
		assert_as_before(bad_places[i].place, before);
	}
	assert_int_equal(access(own_place("/dev/shm/situs-test-bad"), F_OK), -1);
	assert_refused(aml_area_open(NULL, "any"), AML_EINVAL, EINVAL);
	assert_refused(aml_area_open(&(struct aml_area *){NULL}, NULL), AML_EINVAL, EINVAL);
}

static char stranger[3 * 4096] __attribute__((aligned(4096)));

/* Calls that must all fail on an area that has [p, p + size) out, and nothing before or after it. */
static void refuse_calls(const struct aml_area *area, char *p, size_t size)
{
	struct aml_area_info info = {.struct_size = 1};
	size_t on_node[4];

	assert_fails(aml_area_mmap(area, NULL, 0), AML_EINVAL, EINVAL);
	assert_fails(aml_area_reserve(area, NULL, 0), AML_EINVAL, EINVAL);
	assert_fails(aml_area_mmap(area, NULL, SIZE_MAX), AML_ENOMEM, ENOMEM);
	assert_fails(aml_area_mmap(area, NULL, SIZE_MAX / 2 + 2), AML_ENOMEM, ENOMEM);
	assert_fails(aml_area_reserve(area, NULL, SIZE_MAX - PAGE), AML_ENOMEM, ENOMEM);
	assert_refused(aml_area_munmap(area, NULL, size), AML_EINVAL, EINVAL);
	assert_refused(aml_area_munmap(area, p, 0), AML_EINVAL, EINVAL);
	assert_refused(aml_area_munmap(area, p + 1, size), AML_EINVAL, EINVAL);
	assert_refused(aml_area_munmap(area, p, SIZE_MAX), AML_EINVAL, EINVAL);
	assert_refused(aml_area_munmap(area, p, size + ((size_t)1 << 40)), AML_EINVAL, EINVAL);
	assert_refused(aml_area_munmap(area, stranger, PAGE), AML_EINVAL, EINVAL);
	assert_refused(aml_area_commit(area, p + 1, PAGE), AML_EINVAL, EINVAL);
	assert_refused(aml_area_commit(area, p, PAGE + 1), AML_EINVAL, EINVAL);
	assert_refused(aml_area_split(area, p, size, size), AML_EINVAL, EINVAL);
	assert_refused(aml_area_info(area, &info), AML_EINVAL, EINVAL);
	assert_refused(aml_area_locate(area, p, size, on_node, 0), AML_EINVAL, EINVAL);
	assert_refused(aml_area_locate(area, stranger, PAGE, on_node, 4), AML_EINVAL, EINVAL);
	/* Where they are supported strangers are refused; else they are unsupported. */
	forget_errors();
	assert_true(aml_area_purge(area, stranger, PAGE) < 0);
	assert_true(aml_area_decommit(area, stranger, PAGE) < 0);
	assert_true(aml_area_move(area, stranger, PAGE) < 0);
	assert_true(aml_area_collapse(area, stranger, PAGE) < 0);
	assert_true(aml_errno == AML_EINVAL || aml_errno == AML_ENOTSUP);
}

static void refuses_bad_calls_and_leaks_nothing(const char *place)
{
	size_t size = 4 * MIB;
	struct aml_area *area = NULL;
	struct count before;
	char *p;
	int result;

	skip_where_binding_is_forbidden();
	result = aml_area_open(&area, place);
	if (result == -AML_ENOTSUP)
		skip_because("this kernel has no transparent huge pages");
	if (result != AML_SUCCESS)
		fail_msg("%s: %s", place, error__text());
	memset(stranger, 7, sizeof(stranger));
	for (int round = 0; round < 2; round++) {
		p = aml_area_mmap(area, NULL, size);
		assert_non_null(p);
		memset(p, 5, size);
		before = count();
		refuse_calls(area, p, size);
		assert_as_before(place, before);
		for (size_t i = 0; i < size; i += PAGE)
			assert_int_equal(p[i], 5);
		assert_int_equal(stranger[PAGE], 7);
		assert_int_equal(aml_area_munmap(area, p, size), AML_SUCCESS);
		assert_refused(aml_area_munmap(area, p, size), AML_EINVAL, EINVAL);
	}
	aml_area_close(&area);
}

#define KIND_TEST(name, place) \
	static void name##_refuses_bad_calls_and_leaks_nothing(void **state) \
	{ \
		(void)state; \
		refuses_bad_calls_and_leaks_nothing(own_place(place)); \
	}

KIND_TEST(anon, "anon")
KIND_TEST(bind, "node:0,bind")
KIND_TEST(populated, "any,preferred,populate")
KIND_TEST(strict, "node:0,strict")
KIND_TEST(strict_thp, "node:0,strict,thp")
KIND_TEST(limited, "node:0,strict,limit:8M")
KIND_TEST(file, "file:/tmp")
KIND_TEST(shm, "shm:situs-test-bad")
KIND_TEST(chain, "node:0,strict > any")
KIND_TEST(mixed_chain, "file:/tmp,limit:1M > any")

static void opened_and_closed_areas_leave_nothing(void **state)
{
	static const char *const places[] = {"anon", "node:0,bind", "node:0,strict", "node:0,limit:1M",
		"file:/tmp", "shm:situs-test-bad", "node:0,strict > any", "file:/tmp,limit:1M > any", "hugetlb:2M"};
	struct count before;

	(void)state;
	skip_where_binding_is_forbidden();
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		struct aml_area *area = NULL;

		before = count();
		if (aml_area_open(&area, own_place(places[i])) == -AML_EDOM)
			continue; /* a machine without a pool of that size */
		assert_non_null(area);
		aml_area_close(&area);
		assert_as_before(places[i], before);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bad_places_are_refused_in_words_and_leave_nothing),
		cmocka_unit_test(anon_refuses_bad_calls_and_leaks_nothing),
		cmocka_unit_test(bind_refuses_bad_calls_and_leaks_nothing),
		cmocka_unit_test(populated_refuses_bad_calls_and_leaks_nothing),
		cmocka_unit_test(strict_refuses_bad_calls_and_leaks_nothing),
		cmocka_unit_test(strict_thp_refuses_bad_calls_and_leaks_nothing),
		cmocka_unit_test(limited_refuses_bad_calls_and_leaks_nothing),
		cmocka_unit_test(file_refuses_bad_calls_and_leaks_nothing),
		cmocka_unit_test(shm_refuses_bad_calls_and_leaks_nothing),
		cmocka_unit_test(chain_refuses_bad_calls_and_leaks_nothing),
		cmocka_unit_test(mixed_chain_refuses_bad_calls_and_leaks_nothing),
		cmocka_unit_test(opened_and_closed_areas_leave_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
