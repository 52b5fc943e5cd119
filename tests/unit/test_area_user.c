/* SPDX-License-Identifier: BSD-3-Clause */
/* Areas that a program makes itself, by a table with two operations or more. */
#include "tests/unit/area_test.h"

#include <stdlib.h>

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

static void a_copied_table_needs_none_of_our_data(void **state)
{
	struct aml_area_ops ops = *aml_area_linux.ops;
	const struct aml_area area = {&ops, NULL};
	char *p;

	(void)state;
	ops.mmap = plain_mmap;
	ops.munmap = plain_munmap;
	p = aml_area_mmap(&area, NULL, PAGE);
	assert_non_null(p);
	memset(p, 1, PAGE);
	assert_int_equal(aml_area_munmap(&area, p, PAGE), AML_SUCCESS);
}

/* Chains and limits */

static void chains_and_limits_take_areas_of_ones_own(void **state)
{
	static const struct aml_area_ops ops = {.mmap = plain_mmap, .munmap = plain_munmap,
		.fprintf = user_fprintf};
	const struct aml_area mine = {&ops, NULL};
	struct aml_area *limit = NULL, *chain = NULL;
	char text[64] = "";
	FILE *stream = fmemopen(text, sizeof(text), "w");
	void *p, *q, *r;

	(void)state;
	assert_int_equal(aml_area_limit_create(&limit, &mine, MIB), AML_SUCCESS);

	const struct aml_area *const links[] = {limit, &aml_area_linux};

	assert_int_equal(aml_area_chain_create(&chain, links, 2), AML_SUCCESS);
	assert_int_equal(aml_area_fprintf(stream, "", chain), AML_SUCCESS);
	fclose(stream);
	assert_string_equal(text, "# mine, of which 1048576 bytes at most > anon\n");
	p = aml_area_mmap(chain, NULL, MIB);
	q = aml_area_mmap(chain, NULL, MIB);
	assert_int_equal(aml_area_link(chain, p), 0);
	assert_int_equal(aml_area_link(chain, q), 1);
	/* The links are usable beside the chain, and stay so after it. */
	assert_fails(aml_area_mmap(limit, NULL, 1), AML_ENOMEM, ENOMEM);
	assert_int_equal(aml_area_munmap(chain, p, MIB), AML_SUCCESS);
	r = aml_area_mmap(limit, NULL, MIB);
	assert_non_null(r);
	assert_int_equal(aml_area_munmap(chain, q, MIB), AML_SUCCESS);
	aml_area_chain_destroy(&chain);
	assert_null(chain);
	assert_int_equal(aml_area_munmap(limit, r, MIB), AML_SUCCESS);
	aml_area_limit_destroy(&limit);
	assert_null(limit);
	aml_area_limit_destroy(&limit);
	aml_area_chain_destroy(NULL);
}

static void a_link_that_gets_room_from_elsewhere_is_asked_at_once(void **state)
{
	struct aml_area *limit = NULL, *chain = NULL;
	void *held[50], *p, *q;

	(void)state;
	assert_int_equal(aml_area_limit_create(&limit, &aml_area_linux, MIB), AML_SUCCESS);

	const struct aml_area *const links[] = {limit, &aml_area_linux};

	assert_int_equal(aml_area_chain_create(&chain, links, 2), AML_SUCCESS);
	/* Many times, so that no tick of a clock helps. */
	for (int i = 0; i < 50; i++) {
		held[i] = aml_area_mmap(limit, NULL, MIB);
		assert_non_null(held[i]);
		p = aml_area_mmap(chain, NULL, MIB);
		assert_int_equal(aml_area_link(chain, p), 1);
		assert_int_equal(aml_area_munmap(limit, held[i], MIB), AML_SUCCESS);
		q = aml_area_mmap(chain, NULL, MIB);
		assert_int_equal(aml_area_link(chain, q), 0);
		assert_int_equal(aml_area_munmap(chain, p, MIB), AML_SUCCESS);
		assert_int_equal(aml_area_munmap(chain, q, MIB), AML_SUCCESS);
	}
	aml_area_chain_destroy(&chain);
	aml_area_limit_destroy(&limit);
}

/* Two buffers side by side, each behind a limit, are the links: a range can be of both. */
static void pages_of_every_link_are_counted(void **state)
{
	char *memory = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct aml_area *buffers[2], *limits[2], *chain = NULL;
	size_t on_node[64], sum = 0;
	char *p, *q;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(aml_area_buffer_create(&buffers[i], memory + i * PAGE, PAGE), AML_SUCCESS);
		assert_int_equal(aml_area_limit_create(&limits[i], buffers[i], PAGE), AML_SUCCESS);
	}
	assert_int_equal(aml_area_chain_create(&chain, (const struct aml_area *const *)limits, 2), AML_SUCCESS);
	p = aml_area_mmap(chain, NULL, PAGE);
	q = aml_area_mmap(chain, NULL, PAGE);
	assert_ptr_equal(q, p + PAGE);
	memset(p, 1, 2 * PAGE);
	assert_int_equal(aml_area_merge(chain, p, PAGE, PAGE), AML_SUCCESS);
	if (aml_area_locate(chain, p, 2 * PAGE, on_node, 64) == -AML_EPERM)
		skip_because("a container that forbids move_pages");
	for (int i = 0; i < 64; i++)
		sum += on_node[i];
	assert_int_equal(sum, 2 * PAGE);
	assert_int_equal(aml_area_munmap(chain, p, 2 * PAGE), AML_SUCCESS);
	aml_area_chain_destroy(&chain);
	for (int i = 0; i < 2; i++) {
		aml_area_limit_destroy(&limits[i]);
		aml_area_buffer_destroy(&buffers[i]);
	}
	munmap(memory, 2 * PAGE);
}

static void print(const struct aml_area *area, char *text, size_t size)
{
	FILE *stream = fmemopen(text, size, "w");

	assert_int_equal(aml_area_fprintf(stream, NULL, area), AML_SUCCESS);
	fclose(stream);
	text[strcspn(text, "\n")] = '\0';
}

static void of_two_limits_the_smaller_is_printed(void **state)
{
	const size_t sizes[2][2] = {{4 * MIB, MIB}, {MIB, 4 * MIB}};
	struct aml_area *inner, *outer;
	char text[64];

	(void)state;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(aml_area_limit_create(&inner, &aml_area_linux, sizes[i][0]), AML_SUCCESS);
		assert_int_equal(aml_area_limit_create(&outer, inner, sizes[i][1]), AML_SUCCESS);
		print(outer, text, sizeof(text));
		assert_string_equal(text, "anon,limit:1M");
		aml_area_limit_destroy(&outer);
		aml_area_limit_destroy(&inner);
	}
}

/* The > is of a name, not between places. */
static void a_limit_around_an_oddly_named_file_is_printed_as_a_place(void **state)
{
	char folder[] = "/tmp/situs>XXXXXX", place[64], text[96], again[96];
	struct aml_area *file, *limit, *opened;

	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(place, sizeof(place), "file:/tmp/situs\\>%s", folder + strlen("/tmp/situs>"));
	assert_int_equal(aml_area_open(&file, place), AML_SUCCESS);
	assert_int_equal(aml_area_limit_create(&limit, file, MIB), AML_SUCCESS);
	print(limit, text, sizeof(text));
	assert_int_equal(aml_area_open(&opened, text), AML_SUCCESS);
	print(opened, again, sizeof(again));
	assert_string_equal(again, text);
	assert_null(aml_area_mmap(opened, NULL, MIB + 1));
	aml_area_close(&opened);
	aml_area_limit_destroy(&limit);
	aml_area_close(&file);
	rmdir(folder);
}

static int half_located(const struct aml_area_data *data, const void *ptr, size_t size, size_t *bytes_on_node,
	int n_nodes)
{
	(void)data;
	(void)ptr;
	(void)n_nodes;
	bytes_on_node[0] += size;
	return -AML_EBUSY;
}

static void pages_that_were_counted_before_a_failure_are_not_told(void **state)
{
	static const struct aml_area_ops ops = {.mmap = plain_mmap, .munmap = plain_munmap,
		.locate = half_located};
	const struct aml_area mine = {&ops, NULL};
	size_t on_node[3] = {7, 8, 9};
	char *p = aml_area_mmap(&mine, NULL, PAGE);

	(void)state;
	assert_refused(aml_area_locate(&mine, p, PAGE, on_node, 3), AML_EBUSY, EBUSY);
	assert_int_equal(on_node[0], 7);
	assert_int_equal(on_node[1], 8);
	assert_int_equal(on_node[2], 9);
	assert_int_equal(aml_area_munmap(&mine, p, PAGE), AML_SUCCESS);
}

static void impossible_chains_and_limits_are_refused(void **state)
{
	static const struct aml_area_ops half = {.mmap = plain_mmap};
	const struct aml_area mine = {&half, NULL}, none = {NULL, NULL};
	const struct aml_area *const links[17] = {&aml_area_linux, &mine, &none, NULL};
	struct aml_area *area = (struct aml_area *)1;

	(void)state;
	for (int n = 2; n <= 4; n++)
		assert_refused(aml_area_chain_create(&area, links, n), AML_EINVAL, EINVAL);
	assert_refused(aml_area_chain_create(&area, links + 2, 1), AML_EINVAL, EINVAL);
	assert_refused(aml_area_chain_create(&area, links, 0), AML_EINVAL, EINVAL);
	assert_refused(aml_area_chain_create(&area, links, 17), AML_EINVAL, EINVAL);
	assert_refused(aml_area_chain_create(&area, NULL, 1), AML_EINVAL, EINVAL);
	assert_refused(aml_area_chain_create(NULL, links, 1), AML_EINVAL, EINVAL);
	assert_refused(aml_area_limit_create(&area, &aml_area_linux, 0), AML_EINVAL, EINVAL);
	assert_refused(aml_area_limit_create(&area, &mine, MIB), AML_EINVAL, EINVAL);
	assert_refused(aml_area_limit_create(&area, NULL, MIB), AML_EINVAL, EINVAL);
	assert_refused(aml_area_limit_create(NULL, &aml_area_linux, MIB), AML_EINVAL, EINVAL);
	assert_ptr_equal(area, (struct aml_area *)1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_operations_make_a_full_area),
		cmocka_unit_test(failures_of_user_made_areas_always_have_codes_and_words),
		cmocka_unit_test(optional_operations_are_used_where_given),
		cmocka_unit_test(chains_and_limits_take_areas_of_ones_own),
		cmocka_unit_test(a_link_that_gets_room_from_elsewhere_is_asked_at_once),
		cmocka_unit_test(pages_of_every_link_are_counted),
		cmocka_unit_test(of_two_limits_the_smaller_is_printed),
		cmocka_unit_test(a_limit_around_an_oddly_named_file_is_printed_as_a_place),
		cmocka_unit_test(pages_that_were_counted_before_a_failure_are_not_told),
		cmocka_unit_test(impossible_chains_and_limits_are_refused),
		cmocka_unit_test(an_operation_put_into_a_copied_table_fails_in_words_too),
		cmocka_unit_test(a_copied_table_needs_none_of_our_data),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
