/* SPDX-License-Identifier: BSD-3-Clause */
/* test_hwloc_areas.c - areas in hwloc's terms, on whatever machine this is. */
#include "tests/unit/place_test.h"

#include "aml_hwloc.h"
#include "area/topology.h"

#include <errno.h>
#include <stdlib.h>

static void the_ready_made_hwloc_areas_give_memory(void **state)
{
	(void)state;
	assert_usable(&aml_area_hwloc_default);
	skip_without_binding();
	assert_usable(&aml_area_hwloc_interleave);
	assert_usable(&aml_area_hwloc_firsttouch);
}

static void the_ready_made_hwloc_areas_print_places_that_open(void **state)
{
	const struct aml_area *areas[] = {
		&aml_area_hwloc_default, &aml_area_hwloc_interleave, &aml_area_hwloc_firsttouch};

	(void)state;
	skip_without_binding();
	for (int i = 0; i < 3; i++) {
		char *text = printed(areas[i]);
		struct aml_area *area = open_area(text);

		aml_area_close(&area);
		free(text);
	}
}

static void the_ready_made_interleave_is_what_the_kernel_sees(void **state)
{
	void *ptr;

	(void)state;
	skip_without_binding();
	ptr = aml_area_mmap(&aml_area_hwloc_interleave, NULL, 1 << 16);
	assert_non_null(ptr);
	memset(ptr, 1, 1 << 16);
	assert_int_equal(aml_area_linux_check_binding(&aml_area_hwloc_interleave, ptr, 1 << 16), 1);
	assert_int_equal(aml_area_munmap(&aml_area_hwloc_interleave, ptr, 1 << 16), 0);
}

static void an_hwloc_area_binds_with_the_kernels_own_call(void **state)
{
	struct aml_area *area = NULL;
	hwloc_bitmap_t nodeset = hwloc_bitmap_alloc();
	struct os_nodes allowed;
	void *ptr;

	(void)state;
	skip_without_binding();
	assert_int_equal(os__nodes_allowed(&allowed), 0);
	hwloc_bitmap_only(nodeset, (unsigned)os__nodes_next(&allowed, 0));
	assert_int_equal(aml_area_hwloc_create(&area, nodeset, HWLOC_MEMBIND_BIND), 0);
	ptr = aml_area_mmap(area, NULL, 1 << 16);
	assert_non_null(ptr);
	memset(ptr, 1, 1 << 16);
	assert_int_equal(aml_area_linux_check_binding(area, ptr, 1 << 16), 1);
	assert_int_equal(aml_area_munmap(area, ptr, 1 << 16), 0);
	aml_area_hwloc_destroy(&area);
	assert_null(area);
	hwloc_bitmap_free(nodeset);
}

static void hwloc_sets_that_are_infinite_empty_or_absent_are_told_apart(void **state)
{
	struct aml_area *area = NULL;
	hwloc_bitmap_t set = hwloc_bitmap_alloc_full();

	(void)state;
	skip_without_binding();
	assert_int_equal(aml_area_hwloc_create(&area, set, HWLOC_MEMBIND_INTERLEAVE), 0);
	aml_area_hwloc_destroy(&area);
	hwloc_bitmap_zero(set);
	assert_int_equal(aml_area_hwloc_create(&area, set, HWLOC_MEMBIND_BIND), -AML_EINVAL);
	hwloc_bitmap_only(set, 1023);
	assert_int_equal(aml_area_hwloc_create(&area, set, HWLOC_MEMBIND_BIND), -AML_EDOM);
	hwloc_bitmap_only(set, 5000);
	assert_int_equal(aml_area_hwloc_create(&area, set, HWLOC_MEMBIND_BIND), -AML_EDOM);
	assert_null(area);
	hwloc_bitmap_free(set);
}

static void policies_that_are_none_are_refused(void **state)
{
	struct aml_area *area = NULL;

	(void)state;
	assert_int_equal(aml_area_hwloc_create(&area, NULL, HWLOC_MEMBIND_NEXTTOUCH), -AML_ENOTSUP);
	assert_int_equal(aml_area_hwloc_create(&area, NULL, HWLOC_MEMBIND_MIXED), -AML_EINVAL);
	assert_int_equal(aml_area_hwloc_create(&area, NULL, (hwloc_membind_policy_t)99), -AML_EINVAL);
	assert_int_equal(aml_area_hwloc_create(NULL, NULL, HWLOC_MEMBIND_BIND), -AML_EINVAL);
	assert_null(area);
}

static void the_best_area_by_capacity_gives_memory(void **state)
{
	struct aml_area *area = NULL;

	(void)state;
	skip_without_binding();
	assert_int_equal(aml_area_hwloc_best_create(&area, HWLOC_MEMATTR_ID_CAPACITY, NULL), 0);
	assert_usable(area);
	aml_area_hwloc_destroy(&area);
}

static void the_best_area_by_latency_needs_no_hmat(void **state)
{
	struct aml_area *area = NULL;
	int result;

	(void)state;
	skip_without_binding();
	result = aml_area_hwloc_best_create(&area, HWLOC_MEMATTR_ID_LATENCY, NULL);
	if (result == -AML_ENOTSUP)
		skip_because("several nodes, and neither figures nor distances");
	assert_int_equal(result, 0);
	assert_usable(area);
	aml_area_hwloc_destroy(&area);
}

static void a_best_area_by_no_attribute_or_from_nowhere_is_refused(void **state)
{
	struct aml_area *area = NULL;
	hwloc_bitmap_t empty = hwloc_bitmap_alloc();

	(void)state;
	assert_int_equal(aml_area_hwloc_best_create(&area, (enum hwloc_memattr_id_e)4711, NULL), -AML_EINVAL);
	assert_int_equal(aml_area_hwloc_best_create(&area, HWLOC_MEMATTR_ID_LATENCY, empty), -AML_EINVAL);
	assert_int_equal(aml_area_hwloc_best_create(NULL, HWLOC_MEMATTR_ID_CAPACITY, NULL), -AML_EINVAL);
	assert_null(area);
	hwloc_bitmap_free(empty);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_ready_made_hwloc_areas_give_memory),
		cmocka_unit_test(the_ready_made_hwloc_areas_print_places_that_open),
		cmocka_unit_test(the_ready_made_interleave_is_what_the_kernel_sees),
		cmocka_unit_test(an_hwloc_area_binds_with_the_kernels_own_call),
		cmocka_unit_test(hwloc_sets_that_are_infinite_empty_or_absent_are_told_apart),
		cmocka_unit_test(policies_that_are_none_are_refused),
		cmocka_unit_test(the_best_area_by_capacity_gives_memory),
		cmocka_unit_test(the_best_area_by_latency_needs_no_hmat),
		cmocka_unit_test(a_best_area_by_no_attribute_or_from_nowhere_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
