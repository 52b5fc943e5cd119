/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/test.h"

#include <errno.h>
#include <numa.h>
#include <string.h>
#include <sys/mman.h>

#include "aml.h"

static void ready_made_area_maps_zeroed_memory(void **state)
{
	size_t size = 1 << 20;
	char *p = aml_area_mmap(&aml_area_linux, NULL, size);

	(void)state;
	assert_non_null(p);
	for (size_t i = 0; i < size; i += 4096)
		assert_int_equal(p[i], 0);
	memset(p, 1, size);
	assert_int_equal(aml_area_munmap(&aml_area_linux, p, size), AML_SUCCESS);
}

static void size_0_is_einval(void **state)
{
	(void)state;
	aml_errno = 0;
	errno = 0;
	assert_null(aml_area_mmap(&aml_area_linux, NULL, 0));
	assert_int_equal(aml_errno, AML_EINVAL);
	assert_int_equal(errno, EINVAL);
}

static void size_that_overflows_is_enomem(void **state)
{
	(void)state;
	errno = 0;
	assert_null(aml_area_mmap(&aml_area_linux, NULL, SIZE_MAX - 5));
	assert_int_equal(aml_errno, AML_ENOMEM);
	assert_int_equal(errno, ENOMEM);
}

static void every_policy_can_be_created_on_every_allowed_node(void **state)
{
	(void)state;
	for (int policy = 0; policy <= AML_AREA_LINUX_POLICY_STRICT; policy++) {
		struct aml_area *area = NULL;
		int result = aml_area_linux_create(&area, NULL, (enum aml_area_linux_policy)policy);

		if (policy == AML_AREA_LINUX_POLICY_WEIGHTED_INTERLEAVE && result == -AML_ENOTSUP)
			continue;
		assert_int_equal(result, AML_SUCCESS);

		char *p = aml_area_mmap(area, NULL, 100000);

		assert_non_null(p);
		memset(p, 1, 100000);
		assert_int_equal(aml_area_munmap(area, p, 100000), AML_SUCCESS);
		aml_area_linux_destroy(&area);
		assert_null(area);
	}
}

static void codes_have_words_of_either_sign(void **state)
{
	(void)state;
	for (int code = AML_SUCCESS; code <= AML_EPERM; code++)
		assert_string_equal(aml_strerror(code), aml_strerror(-code));
	assert_string_not_equal(aml_strerror(AML_ENOMEM), aml_strerror(AML_EINVAL));
	assert_non_null(aml_strerror(INT32_MIN));
	assert_non_null(aml_strerror(INT32_MAX));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ready_made_area_maps_zeroed_memory),
		cmocka_unit_test(size_0_is_einval),
		cmocka_unit_test(size_that_overflows_is_enomem),
		cmocka_unit_test(every_policy_can_be_created_on_every_allowed_node),
		cmocka_unit_test(codes_have_words_of_either_sign),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
