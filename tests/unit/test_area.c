/* SPDX-License-Identifier: BSD-3-Clause */
/* The calls of <aml.h> on any area, and Linux areas. */
#include "tests/unit/area_test.h"

#include <numa.h>
#include <numaif.h>
#include <pthread.h>

#include "base/error.h"

static struct aml_area *create(enum aml_area_linux_policy policy)
{
	struct aml_area *area = NULL;

	skip_where_binding_is_forbidden();
	assert_int_equal(aml_area_linux_create(&area, NULL, policy), AML_SUCCESS);
	assert_non_null(area);
	return area;
}

static void ready_made_area_maps_zeroed_memory(void **state)
{
	char *p = aml_area_mmap(&aml_area_linux, NULL, MIB);

	(void)state;
	assert_non_null(p);
	assert_true(all_zero(p, MIB));
	memset(p, 1, MIB);
	assert_int_equal(aml_area_munmap(&aml_area_linux, p, MIB), AML_SUCCESS);
}

static void ready_made_area_survives_its_destruction(void **state)
{
	struct aml_area *area = (struct aml_area *)(uintptr_t)&aml_area_linux;
	char *p;

	(void)state;
	aml_area_linux_destroy(&area);
	assert_null(area);
	p = aml_area_mmap(&aml_area_linux, NULL, PAGE);
	assert_non_null(p);
	assert_int_equal(aml_area_munmap(&aml_area_linux, p, PAGE), AML_SUCCESS);
}

static void destroying_nothing_is_allowed(void **state)
{
	struct aml_area *area = NULL;

	(void)state;
	aml_area_linux_destroy(NULL);
	aml_area_linux_destroy(&area);
	aml_area_buffer_destroy(NULL);
	aml_area_close(&area);
}

static void size_0_is_einval(void **state)
{
	(void)state;
	assert_fails(aml_area_mmap(&aml_area_linux, NULL, 0), AML_EINVAL, EINVAL);
	assert_fails(aml_area_reserve(&aml_area_linux, NULL, 0), AML_EINVAL, EINVAL);
}

static void size_that_overflows_is_enomem(void **state)
{
	struct aml_area *strict = create(AML_AREA_LINUX_POLICY_STRICT);

	(void)state;
	assert_fails(aml_area_mmap(&aml_area_linux, NULL, SIZE_MAX), AML_ENOMEM, ENOMEM);
	assert_fails(aml_area_mmap(&aml_area_linux, NULL, SIZE_MAX - PAGE), AML_ENOMEM, ENOMEM);
	assert_fails(aml_area_mmap(strict, NULL, SIZE_MAX), AML_ENOMEM, ENOMEM);
	assert_fails(aml_area_reserve(strict, NULL, SIZE_MAX), AML_ENOMEM, ENOMEM);
	aml_area_linux_destroy(&strict);
}

static void areas_that_are_none_are_einval(void **state)
{
	struct aml_area empty = {NULL, NULL};
	struct aml_area_ops no_ops = {.mmap = NULL};
	struct aml_area useless = {&no_ops, NULL};
	char *p = aml_area_mmap(&aml_area_linux, NULL, PAGE);

	(void)state;
	assert_fails(aml_area_mmap(NULL, NULL, PAGE), AML_EINVAL, EINVAL);
	assert_fails(aml_area_mmap(&empty, NULL, PAGE), AML_EINVAL, EINVAL);
	assert_fails(aml_area_mmap(&useless, NULL, PAGE), AML_EINVAL, EINVAL);
	assert_fails(aml_area_reserve(NULL, NULL, PAGE), AML_EINVAL, EINVAL);
	assert_refused(aml_area_munmap(NULL, p, PAGE), AML_EINVAL, EINVAL);
	assert_refused(aml_area_munmap(&useless, p, PAGE), AML_EINVAL, EINVAL);
	assert_refused(aml_area_fprintf(stdout, NULL, NULL), AML_EINVAL, EINVAL);
	assert_refused(aml_area_fprintf(NULL, NULL, &aml_area_linux), AML_EINVAL, EINVAL);
	assert_refused(aml_area_commit(NULL, p, PAGE), AML_EINVAL, EINVAL);
	assert_refused(aml_area_link(NULL, p), AML_EINVAL, EINVAL);
	assert_refused(aml_area_linux_check_binding(NULL, p, PAGE), AML_EINVAL, EINVAL);
	assert_int_equal(aml_area_munmap(&aml_area_linux, p, PAGE), AML_SUCCESS);
}

static void munmap_takes_only_what_was_mapped(void **state)
{
	char *p = aml_area_mmap(&aml_area_linux, NULL, 4 * PAGE);
	char *stranger = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	size_t before = mapped_bytes();

	(void)state;
	assert_refused(aml_area_munmap(&aml_area_linux, NULL, PAGE), AML_EINVAL, EINVAL);
	assert_refused(aml_area_munmap(&aml_area_linux, p, 0), AML_EINVAL, EINVAL);
	assert_refused(aml_area_munmap(&aml_area_linux, p + 1, PAGE), AML_EINVAL, EINVAL);
	assert_refused(aml_area_munmap(&aml_area_linux, p, SIZE_MAX), AML_EINVAL, EINVAL);
	assert_refused(aml_area_munmap(&aml_area_linux, p, SIZE_MAX - (uintptr_t)p), AML_EINVAL, EINVAL);
	assert_refused(aml_area_munmap(&aml_area_linux, p, 64 * MIB), AML_EINVAL, EINVAL);
	assert_refused(aml_area_munmap(&aml_area_linux, stranger, PAGE), AML_EINVAL, EINVAL);
	assert_refused(aml_area_munmap(&aml_area_linux, (char *)&p - (uintptr_t)&p % PAGE, PAGE),
		AML_EINVAL, EINVAL);
	assert_int_equal(mapped_bytes(), before);
	p[0] = p[4 * PAGE - 1] = stranger[0] = 1;
	munmap(stranger, PAGE);
	/* Parts, in any order. */
	assert_int_equal(aml_area_munmap(&aml_area_linux, p + PAGE, PAGE), AML_SUCCESS);
	assert_refused(aml_area_munmap(&aml_area_linux, p, 4 * PAGE), AML_EINVAL, EINVAL);
	assert_int_equal(aml_area_munmap(&aml_area_linux, p + 2 * PAGE, 2 * PAGE), AML_SUCCESS);
	assert_int_equal(aml_area_munmap(&aml_area_linux, p, PAGE), AML_SUCCESS);
	assert_refused(aml_area_munmap(&aml_area_linux, p, PAGE), AML_EINVAL, EINVAL);
}

static void strangers_are_neither_purged_nor_moved(void **state)
{
	struct aml_area *bind = create(AML_AREA_LINUX_POLICY_BIND);
	struct aml_area *strict = create(AML_AREA_LINUX_POLICY_STRICT);
	char *stranger = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)state;
	stranger[0] = 1;
	assert_refused(aml_area_purge(bind, stranger, PAGE), AML_EINVAL, EINVAL);
	assert_refused(aml_area_move(bind, stranger, PAGE), AML_EINVAL, EINVAL);
	assert_refused(aml_area_commit(strict, stranger, PAGE), AML_EINVAL, EINVAL);
	assert_refused(aml_area_decommit(strict, stranger, PAGE), AML_EINVAL, EINVAL);
	assert_int_equal(stranger[0], 1);
	munmap(stranger, PAGE);
	aml_area_linux_destroy(&bind);
	aml_area_linux_destroy(&strict);
}

static void ranges_that_are_none_are_einval(void **state)
{
	char *p = aml_area_mmap(&aml_area_linux, NULL, 4 * PAGE);
	struct aml_area_info info = {.struct_size = 0};
	size_t on_node[1];

	(void)state;
	assert_refused(aml_area_purge(&aml_area_linux, p + 1, PAGE), AML_EINVAL, EINVAL);
	assert_refused(aml_area_purge(&aml_area_linux, p, 1), AML_EINVAL, EINVAL);
	assert_refused(aml_area_purge(&aml_area_linux, p, 0), AML_EINVAL, EINVAL);
	assert_refused(aml_area_purge(&aml_area_linux, NULL, PAGE), AML_EINVAL, EINVAL);
	assert_refused(aml_area_commit(&aml_area_linux, p, 100), AML_EINVAL, EINVAL);
	assert_refused(aml_area_split(&aml_area_linux, p, 4 * PAGE, 4 * PAGE), AML_EINVAL, EINVAL);
	assert_refused(aml_area_split(&aml_area_linux, p, 4 * PAGE, 0), AML_EINVAL, EINVAL);
	assert_refused(aml_area_split(&aml_area_linux, p, 4 * PAGE, 1), AML_EINVAL, EINVAL);
	assert_refused(aml_area_merge(&aml_area_linux, p, PAGE, 0), AML_EINVAL, EINVAL);
	assert_refused(aml_area_merge(&aml_area_linux, p, PAGE, SIZE_MAX - PAGE + 1), AML_EINVAL, EINVAL);
	assert_refused(aml_area_locate(&aml_area_linux, p, PAGE, NULL, 1), AML_EINVAL, EINVAL);
	assert_refused(aml_area_locate(&aml_area_linux, p, PAGE, on_node, 0), AML_EINVAL, EINVAL);
	assert_refused(aml_area_info(&aml_area_linux, &info), AML_EINVAL, EINVAL);
	assert_refused(aml_area_info(&aml_area_linux, NULL), AML_EINVAL, EINVAL);
	assert_refused(aml_area_link(&aml_area_linux, NULL), AML_EINVAL, EINVAL);
	assert_int_equal(aml_area_munmap(&aml_area_linux, p, 4 * PAGE), AML_SUCCESS);
}

static void success_leaves_the_last_failure_alone(void **state)
{
	char *p;

	(void)state;
	aml_errno = AML_EPERM;
	errno = EXDEV;
	p = aml_area_mmap(&aml_area_linux, NULL, PAGE);
	assert_int_equal(aml_area_munmap(&aml_area_linux, p, PAGE), AML_SUCCESS);
	assert_int_equal(aml_errno, AML_EPERM);
	assert_int_equal(errno, EXDEV);
}

static void every_policy_can_be_created_and_leaves_nothing(void **state)
{
	int before = 0;

	(void)state;
	skip_where_binding_is_forbidden();
	/* The second time, nothing is made on first use. */
	for (int round = 0; round < 2; round++) {
		before = n_mappings();
		for (int policy = 0; policy <= AML_AREA_LINUX_POLICY_STRICT; policy++) {
			struct aml_area *area = NULL;
			int result = aml_area_linux_create(&area, NULL, (enum aml_area_linux_policy)policy);
			char *p;

			if (policy == AML_AREA_LINUX_POLICY_WEIGHTED_INTERLEAVE && result == -AML_ENOTSUP)
				continue;
			assert_int_equal(result, AML_SUCCESS);
			p = aml_area_mmap(area, NULL, 100000);
			assert_non_null(p);
			memset(p, 1, 100000);
			assert_int_equal(aml_area_linux_check_binding(area, p, 100000), 1);
			assert_int_equal(aml_area_munmap(area, p, 100000), AML_SUCCESS);
			aml_area_linux_destroy(&area);
			assert_null(area);
		}
	}
	assert_int_equal(n_mappings(), before);
}

static void nodes_that_cannot_be_had_are_refused(void **state)
{
	struct bitmask *nodes = numa_bitmask_alloc(2048);
	struct aml_area *area = NULL;
	int mappings = n_mappings();

	(void)state;
	assert_refused(aml_area_linux_create(&area, nodes, AML_AREA_LINUX_POLICY_BIND), AML_EINVAL, EINVAL);
	numa_bitmask_setbit(nodes, 1000);
	assert_refused(aml_area_linux_create(&area, nodes, AML_AREA_LINUX_POLICY_BIND), AML_EDOM, EDOM);
	assert_non_null(strstr(error__text(), "1000"));
	assert_refused(aml_area_linux_create(&area, nodes, AML_AREA_LINUX_POLICY_DEFAULT), AML_EDOM, EDOM);
	numa_bitmask_clearbit(nodes, 1000);
	numa_bitmask_setbit(nodes, 2000);
	assert_refused(aml_area_linux_create(&area, nodes, AML_AREA_LINUX_POLICY_BIND), AML_EDOM, EDOM);
	assert_refused(aml_area_linux_create(&area, NULL, (enum aml_area_linux_policy)77), AML_EINVAL,
		EINVAL);
	assert_refused(aml_area_linux_create(&area, NULL, (enum aml_area_linux_policy)-1), AML_EINVAL,
		EINVAL);
	assert_refused(aml_area_linux_create(NULL, NULL, AML_AREA_LINUX_POLICY_BIND), AML_EINVAL, EINVAL);
	assert_null(area);
	assert_int_equal(n_mappings(), mappings);
	numa_bitmask_free(nodes);
}

static void free_address_hints_are_honoured(void **state)
{
	struct aml_area *areas[] = {create(AML_AREA_LINUX_POLICY_DEFAULT),
		create(AML_AREA_LINUX_POLICY_BIND), create(AML_AREA_LINUX_POLICY_STRICT)};
	void *hint = aml_area_mmap(&aml_area_linux, NULL, 4 * MIB);

	(void)state;
	assert_int_equal(aml_area_munmap(&aml_area_linux, hint, 4 * MIB), AML_SUCCESS);
	for (int i = 0; i < 3; i++) {
		assert_ptr_equal(aml_area_mmap(areas[i], &hint, MIB), hint);
		/* Taken now: a hint is no demand. */
		void *elsewhere = aml_area_mmap(areas[i], &hint, MIB);

		assert_non_null(elsewhere);
		assert_ptr_not_equal(elsewhere, hint);
		assert_int_equal(aml_area_munmap(areas[i], elsewhere, MIB), AML_SUCCESS);
		assert_int_equal(aml_area_munmap(areas[i], hint, MIB), AML_SUCCESS);
		aml_area_linux_destroy(&areas[i]);
	}
}

static void check_binding_tells_policies_apart(void **state)
{
	struct aml_area *bind = create(AML_AREA_LINUX_POLICY_BIND);
	struct aml_area *interleave = create(AML_AREA_LINUX_POLICY_INTERLEAVE);
	char *p = aml_area_mmap(bind, NULL, 8 * PAGE);
	unsigned long node = 1;

	(void)state;
	assert_int_equal(aml_area_linux_check_binding(bind, p, 8 * PAGE), 1);
	memset(p, 1, 8 * PAGE);
	assert_int_equal(aml_area_linux_check_binding(bind, p, 8 * PAGE), 1);
	assert_int_equal(aml_area_linux_check_binding(interleave, p, 8 * PAGE), 0);
	assert_int_equal(aml_area_linux_check_binding(&aml_area_linux, p, 8 * PAGE), 0);
	/* One page in the middle is enough, touched or not. */
	assert_int_equal(mbind(p + 3 * PAGE, PAGE, MPOL_PREFERRED, &node, 64, 0), 0);
	assert_int_equal(aml_area_linux_check_binding(bind, p, 8 * PAGE), 0);
	assert_int_equal(aml_area_linux_check_binding(bind, p, 3 * PAGE), 1);
	assert_int_equal(aml_area_linux_check_binding(bind, p + 4 * PAGE, 1), 1);
	assert_int_equal(aml_area_munmap(bind, p, 8 * PAGE), AML_SUCCESS);
	assert_refused(aml_area_linux_check_binding(bind, p, PAGE), AML_EINVAL, EINVAL);
	assert_refused(aml_area_linux_check_binding(bind, NULL, PAGE), AML_EINVAL, EINVAL);
	assert_refused(aml_area_linux_check_binding(bind, p, 0), AML_EINVAL, EINVAL);
	aml_area_linux_destroy(&bind);
	aml_area_linux_destroy(&interleave);
}

static void check_binding_takes_zero_pages_for_untouched(void **state)
{
	struct aml_area *bind = create(AML_AREA_LINUX_POLICY_BIND);
	volatile char *p = aml_area_mmap(bind, NULL, 2 * PAGE);

	(void)state;
	(void)p[0]; /* read only: the kernel's page of zeros, which lies anywhere */
	assert_int_equal(aml_area_linux_check_binding(bind, (void *)(uintptr_t)p, 2 * PAGE), 1);
	assert_int_equal(aml_area_munmap(bind, (void *)(uintptr_t)p, 2 * PAGE), AML_SUCCESS);
	aml_area_linux_destroy(&bind);
}

static void purged_memory_reads_as_zeros(void **state)
{
	char *p = aml_area_mmap(&aml_area_linux, NULL, MIB);

	(void)state;
	memset(p, 1, MIB);
	assert_int_equal(aml_area_purge(&aml_area_linux, p + PAGE, MIB - PAGE), AML_SUCCESS);
	assert_int_equal(n_present(p, MIB), 1);
	assert_int_equal(p[0], 1);
	assert_true(all_zero(p + PAGE, MIB - PAGE));
	assert_int_equal(aml_area_munmap(&aml_area_linux, p, MIB), AML_SUCCESS);
}

static void locate_counts_present_pages_only(void **state)
{
	enum { N_NODES = 64 };
	char *p = aml_area_mmap(&aml_area_linux, NULL, 1000 * PAGE);
	size_t on_node[N_NODES], sum = 0;

	(void)state;
	skip_where_binding_is_forbidden();
	memset(p + 10 * PAGE, 1, 300 * PAGE);
	assert_int_equal(aml_area_locate(&aml_area_linux, p, 1000 * PAGE, on_node, N_NODES), AML_SUCCESS);
	for (int i = 0; i < N_NODES; i++)
		sum += on_node[i];
	/* Transparent huge pages make more present. */
	assert_int_equal(sum, n_present(p, 1000 * PAGE) * PAGE);
	assert_true(sum >= 300 * PAGE);
	assert_int_equal(aml_area_munmap(&aml_area_linux, p, 1000 * PAGE), AML_SUCCESS);
}

static void moved_memory_keeps_contents_and_takes_the_policy(void **state)
{
	struct aml_area *bind = create(AML_AREA_LINUX_POLICY_BIND);
	char *p = aml_area_mmap(&aml_area_linux, NULL, MIB);

	(void)state;
	memset(p, 3, MIB);
	assert_int_equal(aml_area_linux_check_binding(bind, p, MIB), 0);
	assert_int_equal(aml_area_move(bind, p, MIB), AML_SUCCESS);
	assert_int_equal(aml_area_linux_check_binding(bind, p, MIB), 1);
	assert_int_equal(p[MIB - 1], 3);
	assert_int_equal(aml_area_munmap(bind, p, MIB), AML_SUCCESS);
	aml_area_linux_destroy(&bind);
}

/* What areas say of themselves */

static void short_info_structs_of_older_programs_are_filled_as_far_as_they_go(void **state)
{
	struct aml_area_info info;

	(void)state;
	memset(&info, 0xaa, sizeof(info));
	info.struct_size = offsetof(struct aml_area_info, bandwidth);
	assert_int_equal(aml_area_info(&aml_area_linux, &info), AML_SUCCESS);
	assert_int_equal(info.page_size, PAGE);
	assert_int_equal(info.bandwidth, 0xaaaaaaaa);
}

static void area_prints_as_one_line_after_the_prefix(void **state)
{
	char text[256] = "";
	FILE *stream = fmemopen(text, sizeof(text), "w");

	(void)state;
	assert_int_equal(aml_area_fprintf(stream, "heap: ", &aml_area_linux), AML_SUCCESS);
	assert_int_equal(aml_area_fprintf(stream, NULL, &aml_area_linux), AML_SUCCESS);
	fclose(stream);
	assert_string_equal(text, "heap: anon\nanon\n");
}

static void created_area_prints_as_a_place_that_opens_it_again(void **state)
{
	(void)state;
	skip_where_binding_is_forbidden();
	for (int policy = 0; policy <= AML_AREA_LINUX_POLICY_STRICT; policy++) {
		char text[2][256] = {"", ""};
		struct aml_area *area;

		if (aml_area_linux_create(&area, NULL, (enum aml_area_linux_policy)policy) != AML_SUCCESS)
			continue;
		for (int i = 0; i < 2; i++) {
			FILE *stream = fmemopen(text[i], sizeof(text[i]), "w");

			assert_int_equal(aml_area_fprintf(stream, NULL, area), AML_SUCCESS);
			fclose(stream);
			text[i][strcspn(text[i], "\n")] = '\0';
			aml_area_linux_destroy(&area);
			assert_int_equal(aml_area_open(&area, text[i]), AML_SUCCESS);
		}
		assert_string_equal(text[0], text[1]);
		aml_area_close(&area);
	}
}

static void area_of_the_kernels_policy_prints_as_a_place_without_one(void **state)
{
	struct aml_area *area = create(AML_AREA_LINUX_POLICY_DEFAULT);
	char text[64] = "";
	FILE *stream = fmemopen(text, sizeof(text), "w");

	(void)state;
	assert_int_equal(aml_area_fprintf(stream, NULL, area), AML_SUCCESS);
	fclose(stream);
	assert_string_equal(text, "any\n");
	aml_area_linux_destroy(&area);
}

/* Threads */

static void *map_and_unmap(void *arg)
{
	struct aml_area *area = arg;
	void *kept[16] = {NULL};

	for (int i = 0; i < 2000; i++) {
		void **slot = &kept[i % 16];
		char *p;

		if (*slot != NULL && aml_area_munmap(area, *slot, (size_t)(i % 16 + 1) * PAGE) != AML_SUCCESS)
			return *slot;
		p = *slot = aml_area_mmap(area, NULL, (size_t)(i % 16 + 1) * PAGE);
		if (p == NULL || p[0] != 0)
			return arg;
		p[0] = 1;
	}
	for (int i = 0; i < 16; i++)
		if (aml_area_munmap(area, kept[i], (size_t)(i + 1) * PAGE) != AML_SUCCESS)
			return arg;
	return NULL;
}

static void one_area_serves_many_threads(void **state)
{
	struct aml_area *areas[] = {create(AML_AREA_LINUX_POLICY_BIND), create(AML_AREA_LINUX_POLICY_STRICT)};

	(void)state;
	for (int i = 0; i < 2; i++) {
		pthread_t threads[4];
		void *failed;

		for (int t = 0; t < 4; t++)
			assert_int_equal(pthread_create(&threads[t], NULL, map_and_unmap, areas[i]), 0);
		for (int t = 0; t < 4; t++) {
			pthread_join(threads[t], &failed);
			assert_null(failed);
		}
		aml_area_linux_destroy(&areas[i]);
	}
}

static int unmap_in_child(void *p)
{
	void *q = aml_area_mmap(&aml_area_linux, NULL, MIB);

	if (q == NULL || aml_area_munmap(&aml_area_linux, q, MIB) != AML_SUCCESS)
		return 1;
	return aml_area_munmap(&aml_area_linux, p, MIB) == AML_SUCCESS ? 0 : 2;
}

static void forked_child_uses_its_copies(void **state)
{
	char *p = aml_area_mmap(&aml_area_linux, NULL, MIB);

	(void)state;
	p[0] = 1;
	assert_int_equal(in_child(unmap_in_child, p), 0);
	assert_int_equal(p[0], 1);
	assert_int_equal(aml_area_munmap(&aml_area_linux, p, MIB), AML_SUCCESS);
}

static void codes_have_words_of_either_sign(void **state)
{
	(void)state;
	for (int code = AML_SUCCESS; code <= AML_EPERM; code++) {
		assert_string_equal(aml_strerror(code), aml_strerror(-code));
		for (int other = AML_SUCCESS; other < code; other++)
			assert_string_not_equal(aml_strerror(code), aml_strerror(other));
	}
	assert_non_null(aml_strerror(INT32_MIN));
	assert_non_null(aml_strerror(INT32_MAX));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ready_made_area_maps_zeroed_memory),
		cmocka_unit_test(ready_made_area_survives_its_destruction),
		cmocka_unit_test(destroying_nothing_is_allowed),
		cmocka_unit_test(size_0_is_einval),
		cmocka_unit_test(size_that_overflows_is_enomem),
		cmocka_unit_test(areas_that_are_none_are_einval),
		cmocka_unit_test(munmap_takes_only_what_was_mapped),
		cmocka_unit_test(strangers_are_neither_purged_nor_moved),
		cmocka_unit_test(ranges_that_are_none_are_einval),
		cmocka_unit_test(success_leaves_the_last_failure_alone),
		cmocka_unit_test(every_policy_can_be_created_and_leaves_nothing),
		cmocka_unit_test(nodes_that_cannot_be_had_are_refused),
		cmocka_unit_test(free_address_hints_are_honoured),
		cmocka_unit_test(check_binding_tells_policies_apart),
		cmocka_unit_test(check_binding_takes_zero_pages_for_untouched),
		cmocka_unit_test(purged_memory_reads_as_zeros),
		cmocka_unit_test(locate_counts_present_pages_only),
		cmocka_unit_test(moved_memory_keeps_contents_and_takes_the_policy),
		cmocka_unit_test(short_info_structs_of_older_programs_are_filled_as_far_as_they_go),
		cmocka_unit_test(area_prints_as_one_line_after_the_prefix),
		cmocka_unit_test(created_area_prints_as_a_place_that_opens_it_again),
		cmocka_unit_test(area_of_the_kernels_policy_prints_as_a_place_without_one),
		cmocka_unit_test(one_area_serves_many_threads),
		cmocka_unit_test(forked_child_uses_its_copies),
		cmocka_unit_test(codes_have_words_of_either_sign),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
