/* SPDX-License-Identifier: BSD-3-Clause */
/* Areas that a program makes itself, by a table with two operations or more. */
#include "tests/unit/area_test.h"

#include "base/error.h"

static void *plain_mmap(const struct aml_area_data *data, void **ptr, size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)data;
	(void)ptr;
	return p == MAP_FAILED ? NULL : p;
}

static int plain_munmap(const struct aml_area_data *data, void *ptr, size_t size)
{
	(void)data;
	return munmap(ptr, size) == 0 ? AML_SUCCESS : -AML_FAILURE;
}

static void two_operations_make_a_full_area(void **state)
{
	static const struct aml_area_ops ops = {.mmap = plain_mmap, .munmap = plain_munmap};
	const struct aml_area area = {&ops, NULL};
	struct aml_area_info info = {.struct_size = sizeof(info)};
	size_t on_node[1];
	char *p = aml_area_mmap(&area, NULL, 2 * PAGE), *q = aml_area_reserve(&area, NULL, PAGE);

	(void)state;
	assert_non_null(p);
	assert_non_null(q);
	q[0] = 1;
	assert_int_equal(aml_area_commit(&area, p, PAGE), AML_SUCCESS);
	assert_int_equal(aml_area_split(&area, p, 2 * PAGE, PAGE), AML_SUCCESS);
	assert_int_equal(aml_area_merge(&area, p, PAGE, PAGE), AML_SUCCESS);
	assert_int_equal(aml_area_link(&area, p), 0);
	assert_refused(aml_area_decommit(&area, p, PAGE), AML_ENOTSUP, ENOTSUP);
	assert_refused(aml_area_purge(&area, p, PAGE), AML_ENOTSUP, ENOTSUP);
	assert_refused(aml_area_move(&area, p, PAGE), AML_ENOTSUP, ENOTSUP);
	assert_refused(aml_area_collapse(&area, p, PAGE), AML_ENOTSUP, ENOTSUP);
	assert_refused(aml_area_locate(&area, p, PAGE, on_node, 1), AML_ENOTSUP, ENOTSUP);
	assert_refused(aml_area_fprintf(stdout, "", &area), AML_ENOTSUP, ENOTSUP);
	assert_refused(aml_area_linux_check_binding(&area, p, PAGE), AML_EINVAL, EINVAL);
	assert_int_equal(aml_area_info(&area, &info), AML_SUCCESS);
	assert_int_equal(info.page_size, PAGE);
	assert_int_equal(info.flags, AML_AREA_HOST);
	assert_int_equal(info.capacity, 0);
	assert_int_equal(info.available, SIZE_MAX);
	assert_int_equal(aml_area_munmap(&area, p, 2 * PAGE), AML_SUCCESS);
	assert_int_equal(aml_area_munmap(&area, q, PAGE), AML_SUCCESS);
}

static void failures_of_user_made_areas_always_have_codes_and_words(void **state)
{
	static const struct aml_area_ops ops = {.mmap = plain_mmap, .munmap = plain_munmap};
	const struct aml_area area = {&ops, NULL};

	(void)state;
	/* mmap(2) sets errno only. */
	assert_fails(aml_area_mmap(&area, NULL, (size_t)1 << 60), AML_ENOMEM, ENOMEM);
	assert_non_null(strstr(error__text(), "mmap"));
	/* An int alone, without aml_errno or errno. */
	assert_refused(aml_area_munmap(&area, (void *)PAGE, (size_t)1 << 62), AML_FAILURE, EIO);
	assert_non_null(strstr(error__text(), "munmap"));
}

/* A table with every operation that a program is likely to want, over one mapping. */
static int n_calls[8];

static int counted(int i)
{
	n_calls[i]++;
	return AML_SUCCESS;
}

static int user_commit(const struct aml_area_data *data, void *ptr, size_t size)
{
	(void)data, (void)ptr, (void)size;
	return counted(0);
}

static int user_decommit(const struct aml_area_data *data, void *ptr, size_t size)
{
	(void)data, (void)ptr, (void)size;
	return counted(1);
}

static int user_purge(const struct aml_area_data *data, void *ptr, size_t size)
{
	(void)data, (void)ptr, (void)size;
	return counted(2);
}

static int user_move(const struct aml_area_data *data, void *ptr, size_t size)
{
	(void)data, (void)ptr, (void)size;
	return counted(3);
}

static int user_locate(const struct aml_area_data *data, const void *ptr, size_t size, size_t *bytes_on_node,
	int n_nodes)
{
	(void)data, (void)ptr, (void)n_nodes;
	bytes_on_node[0] += size;
	return counted(4);
}

static int user_info(const struct aml_area_data *data, struct aml_area_info *info)
{
	(void)data;
	info->capacity = 4711;
	info->bandwidth = 12;
	info->latency = 34;
	return counted(5);
}

static int user_fprintf(const struct aml_area_data *data, FILE *stream, const char *prefix)
{
	(void)data;
	fprintf(stream, "%smine\n", prefix);
	return counted(6);
}

static void optional_operations_are_used_where_given(void **state)
{
	static const struct aml_area_ops ops = {.mmap = plain_mmap, .munmap = plain_munmap,
		.commit = user_commit, .decommit = user_decommit, .purge = user_purge, .move = user_move,
		.locate = user_locate, .info = user_info, .fprintf = user_fprintf};
	const struct aml_area area = {&ops, NULL};
	struct aml_area_info info = {.struct_size = sizeof(info)};
	char text[32] = "", *p = aml_area_mmap(&area, NULL, PAGE);
	FILE *stream = fmemopen(text, sizeof(text), "w");
	size_t on_node[2] = {1, 1};

	(void)state;
	assert_int_equal(aml_area_commit(&area, p, PAGE), AML_SUCCESS);
	assert_int_equal(aml_area_decommit(&area, p, PAGE), AML_SUCCESS);
	assert_int_equal(aml_area_purge(&area, p, PAGE), AML_SUCCESS);
	assert_int_equal(aml_area_move(&area, p, PAGE), AML_SUCCESS);
	assert_int_equal(aml_area_locate(&area, p, PAGE, on_node, 2), AML_SUCCESS);
	assert_int_equal(on_node[0], PAGE);
	assert_int_equal(on_node[1], 0);
	assert_int_equal(aml_area_info(&area, &info), AML_SUCCESS);
	assert_int_equal(info.capacity, 4711);
	assert_int_equal(info.bandwidth, 12);
	assert_int_equal(info.latency, 34);
	assert_int_equal(info.page_size, PAGE);
	assert_int_equal(aml_area_fprintf(stream, "is ", &area), AML_SUCCESS);
	fclose(stream);
	assert_string_equal(text, "is mine\n");
	for (int i = 0; i < 7; i++)
		assert_int_equal(n_calls[i], 1);
	assert_int_equal(aml_area_munmap(&area, p, PAGE), AML_SUCCESS);
}

/* A program's own operation in a copy of our table must not be taken for ours. */
static void *failing_mmap(const struct aml_area_data *data, void **ptr, size_t size)
{
	(void)data, (void)ptr, (void)size;
	return NULL;
}

static void an_operation_put_into_a_copied_table_fails_in_words_too(void **state)
{
	struct aml_area_ops ops = *aml_area_linux.ops;
	const struct aml_area area = {&ops, aml_area_linux.data};

	(void)state;
	ops.mmap = failing_mmap;
	assert_fails(aml_area_mmap(&area, NULL, PAGE), AML_FAILURE, EIO);
	assert_non_null(strstr(error__text(), "mmap"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_operations_make_a_full_area),
		cmocka_unit_test(failures_of_user_made_areas_always_have_codes_and_words),
		cmocka_unit_test(optional_operations_are_used_where_given),
		cmocka_unit_test(an_operation_put_into_a_copied_table_fails_in_words_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
