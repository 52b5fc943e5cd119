/* SPDX-License-Identifier: BSD-3-Clause */
/* Buffers, limits, chains, huge pages. */
#include "tests/unit/area_test.h"

#include <numa.h>
#include <stdlib.h>

#include "area/area.h"

/* Buffers */

static _Alignas(4096) char buffer[16 * 4096];

static void buffer_hands_out_its_pages_and_no_more(void **state)
{
	struct aml_area *area;
	char *p[16];

	(void)state;
	if (PAGE != 4096)
		skip_because("the buffer is cut for pages of 4096 bytes");
	memset(buffer, 7, sizeof(buffer));
	assert_int_equal(aml_area_buffer_create(&area, buffer, sizeof(buffer)), AML_SUCCESS);
	for (int i = 0; i < 16; i++) {
		p[i] = aml_area_mmap(area, NULL, 1);
		assert_non_null(p[i]);
		assert_in_range((uintptr_t)p[i], (uintptr_t)buffer, (uintptr_t)buffer + 15 * 4096);
		assert_int_equal(p[i][0], 7);
		for (int k = 0; k < i; k++)
			assert_ptr_not_equal(p[i], p[k]);
	}
	assert_fails(aml_area_mmap(area, NULL, 1), AML_ENOMEM, ENOMEM);
	assert_int_equal(aml_area_munmap(area, p[3], 1), AML_SUCCESS);
	assert_ptr_equal(aml_area_mmap(area, NULL, 4096), p[3]);
	assert_fails(aml_area_mmap(area, NULL, 4096), AML_ENOMEM, ENOMEM);
	aml_area_buffer_destroy(&area);
	assert_null(area);
}

static void buffer_with_ragged_ends_uses_whole_pages_inside(void **state)
{
	struct aml_area *area;
	struct aml_area_info info = {.struct_size = sizeof(info)};

	(void)state;
	assert_int_equal(aml_area_buffer_create(&area, buffer + 1, sizeof(buffer) - 2), AML_SUCCESS);
	assert_int_equal(aml_area_info(area, &info), AML_SUCCESS);
	assert_int_equal(info.capacity, sizeof(buffer) - 2 * PAGE);
	assert_int_equal(info.available, info.capacity);
	assert_false(info.flags & AML_AREA_ZEROED);
	aml_area_buffer_destroy(&area);
}

static void buffer_honours_a_hint_that_is_free(void **state)
{
	struct aml_area *area;
	void *hint = buffer + 5 * PAGE;

	(void)state;
	assert_int_equal(aml_area_buffer_create(&area, buffer, sizeof(buffer)), AML_SUCCESS);
	assert_ptr_equal(aml_area_mmap(area, &hint, 2 * PAGE), hint);
	assert_ptr_not_equal(aml_area_mmap(area, &hint, PAGE), hint);
	aml_area_buffer_destroy(&area);
}

static void buffers_without_a_page_are_refused(void **state)
{
	struct aml_area *area;

	(void)state;
	assert_refused(aml_area_buffer_create(&area, NULL, MIB), AML_EINVAL, EINVAL);
	assert_refused(aml_area_buffer_create(&area, buffer + 1, PAGE), AML_EINVAL, EINVAL);
	assert_refused(aml_area_buffer_create(&area, buffer, 0), AML_EINVAL, EINVAL);
	assert_refused(aml_area_buffer_create(&area, buffer, SIZE_MAX), AML_EINVAL, EINVAL);
	assert_refused(aml_area_buffer_create(NULL, buffer, PAGE), AML_EINVAL, EINVAL);
}

static void buffer_takes_back_only_what_is_out(void **state)
{
	struct aml_area *area;
	char *p;

	(void)state;
	assert_int_equal(aml_area_buffer_create(&area, buffer, sizeof(buffer)), AML_SUCCESS);
	p = aml_area_mmap(area, NULL, 2 * PAGE);
	assert_refused(aml_area_munmap(area, p, 3 * PAGE), AML_EINVAL, EINVAL);
	assert_refused(aml_area_munmap(area, (void *)((uintptr_t)buffer - PAGE), PAGE), AML_EINVAL, EINVAL);
	assert_refused(aml_area_munmap(area, p + 8 * PAGE, PAGE), AML_EINVAL, EINVAL);
	assert_int_equal(aml_area_munmap(area, p, 2 * PAGE), AML_SUCCESS);
	assert_refused(aml_area_munmap(area, p, 2 * PAGE), AML_EINVAL, EINVAL);
	aml_area_buffer_destroy(&area);
}

/* Limits */

static struct aml_area *limited(size_t limit, enum aml_area_linux_policy policy)
{
	struct area_options options = {.limit = limit, .policy = policy};
	struct aml_area *area;

	assert_int_equal(area__linux_create(&area, &options), AML_SUCCESS);
	return area;
}

static void limit_counts_mapped_bytes(void **state)
{
	struct aml_area *area = limited(MIB, AML_AREA_LINUX_POLICY_DEFAULT);
	char *p = aml_area_mmap(area, NULL, MIB - PAGE);

	(void)state;
	assert_non_null(p);
	assert_fails(aml_area_mmap(area, NULL, 2 * PAGE), AML_ENOMEM, ENOMEM);
	assert_int_equal(aml_area_munmap(area, p, PAGE), AML_SUCCESS);

	char *q = aml_area_mmap(area, NULL, 2 * PAGE);

	assert_non_null(q);
	assert_fails(aml_area_mmap(area, NULL, 1), AML_ENOMEM, ENOMEM);
	assert_int_equal(aml_area_munmap(area, q, 2 * PAGE), AML_SUCCESS);
	assert_int_equal(aml_area_munmap(area, p + PAGE, MIB - 2 * PAGE), AML_SUCCESS);
	aml_area_linux_destroy(&area);
}

static void limit_charges_reserved_memory_at_commit(void **state)
{
	const enum aml_area_linux_policy policies[] = {AML_AREA_LINUX_POLICY_DEFAULT,
		AML_AREA_LINUX_POLICY_STRICT};

	(void)state;
	skip_where_binding_is_forbidden();
	for (int i = 0; i < 2; i++) {
		struct aml_area *area = limited(MIB, policies[i]);
		struct aml_area_info info = {.struct_size = sizeof(info)};
		char *p = aml_area_reserve(area, NULL, 64 * MIB);

		assert_non_null(p);
		assert_int_equal(aml_area_info(area, &info), AML_SUCCESS);
		assert_true(info.flags & AML_AREA_COMMIT);
		assert_int_equal(info.available, MIB);
		assert_int_equal(aml_area_commit(area, p, MIB - PAGE), AML_SUCCESS);
		assert_refused(aml_area_commit(area, p + 8 * MIB, 2 * PAGE), AML_ENOMEM, ENOMEM);
		/* What is committed costs nothing more. */
		assert_int_equal(aml_area_commit(area, p + PAGE, MIB - PAGE), AML_SUCCESS);
		assert_refused(aml_area_commit(area, p + 8 * MIB, PAGE), AML_ENOMEM, ENOMEM);
		memset(p, 1, MIB);
		assert_int_equal(aml_area_decommit(area, p + PAGE, PAGE), AML_SUCCESS);
		assert_int_equal(aml_area_commit(area, p + 8 * MIB, PAGE), AML_SUCCESS);
		assert_int_equal(aml_area_munmap(area, p, 64 * MIB), AML_SUCCESS);
		assert_int_equal(aml_area_info(area, &info), AML_SUCCESS);
		assert_int_equal(info.available, MIB);
		aml_area_linux_destroy(&area);
	}
}

static void check_binding_looks_through_limits(void **state)
{
	struct aml_area *area, *outer;
	char *p;

	(void)state;
	skip_where_binding_is_forbidden();
	area = limited(MIB, AML_AREA_LINUX_POLICY_BIND);
	assert_int_equal(aml_area_limit_create(&outer, area, MIB), AML_SUCCESS);
	p = aml_area_mmap(outer, NULL, MIB);
	memset(p, 1, MIB);
	assert_int_equal(aml_area_linux_check_binding(area, p, MIB), 1);
	assert_int_equal(aml_area_linux_check_binding(outer, p, MIB), 1);
	assert_int_equal(aml_area_munmap(outer, p, MIB), AML_SUCCESS);
	aml_area_limit_destroy(&outer);
	aml_area_linux_destroy(&area);
}

/* Chains */

static struct aml_area *chain_of(struct aml_area *first, struct aml_area *second)
{
	struct aml_area *links[] = {first, second}, *area;

	assert_int_equal(area__chain_create(&area, links, 2, NULL), AML_SUCCESS);
	return area;
}

static struct aml_area *anon(size_t limit)
{
	struct area_options options = {.limit = limit};
	struct aml_area *area;

	assert_int_equal(area__anon_create(&area, &options), AML_SUCCESS);
	return area;
}

static void chain_serves_from_the_first_link_that_can(void **state)
{
	struct aml_area *area = chain_of(anon(MIB), anon(0));
	char *p = aml_area_mmap(area, NULL, MIB), *q = aml_area_mmap(area, NULL, MIB);

	(void)state;
	assert_non_null(p);
	assert_non_null(q);
	assert_int_equal(aml_area_link(area, p), 0);
	assert_int_equal(aml_area_link(area, p + MIB - 1), 0);
	assert_int_equal(aml_area_link(area, q), 1);
	assert_int_equal(aml_area_munmap(area, p, MIB), AML_SUCCESS);
	assert_refused(aml_area_link(area, p), AML_EDOM, EDOM);
	/* There is room in the first again. */
	p = aml_area_mmap(area, NULL, MIB);
	assert_int_equal(aml_area_link(area, p), 0);
	assert_int_equal(aml_area_munmap(area, p, MIB), AML_SUCCESS);
	assert_int_equal(aml_area_munmap(area, q, MIB), AML_SUCCESS);
	area__destroy(&area);
}

static void chain_fails_when_every_link_does(void **state)
{
	struct aml_area *area = chain_of(anon(MIB), anon(2 * MIB));
	int mappings;

	(void)state;
	mappings = n_mappings();
	assert_fails(aml_area_mmap(area, NULL, 3 * MIB), AML_ENOMEM, ENOMEM);
	assert_int_equal(n_mappings(), mappings);
	area__destroy(&area);
}

static void chain_small_requests_are_served_where_large_ones_were_not(void **state)
{
	struct aml_area *area = chain_of(anon(MIB), anon(0));
	char *p = aml_area_mmap(area, NULL, 2 * MIB), *q = aml_area_mmap(area, NULL, MIB);

	(void)state;
	assert_int_equal(aml_area_link(area, p), 1);
	assert_int_equal(aml_area_link(area, q), 0);
	assert_int_equal(aml_area_munmap(area, p, 2 * MIB), AML_SUCCESS);
	assert_int_equal(aml_area_munmap(area, q, MIB), AML_SUCCESS);
	area__destroy(&area);
}

static void chain_of_anonymous_memory_commits(void **state)
{
	struct aml_area *strict, *area;
	struct aml_area_info info = {.struct_size = sizeof(info)};
	char *p;

	(void)state;
	skip_where_binding_is_forbidden();
	assert_int_equal(aml_area_linux_create(&strict, NULL, AML_AREA_LINUX_POLICY_STRICT), AML_SUCCESS);
	area = chain_of(strict, anon(0));
	assert_int_equal(aml_area_info(area, &info), AML_SUCCESS);
	assert_true(info.flags & AML_AREA_COMMIT);
	p = aml_area_reserve(area, NULL, 8 * MIB);
	assert_non_null(p);
	assert_int_equal(aml_area_commit(area, p, MIB), AML_SUCCESS);
	assert_int_equal(aml_area_link(area, p), 0);
	assert_int_equal(n_present(p, 8 * MIB), MIB / PAGE);
	assert_int_equal(aml_area_decommit(area, p, MIB), AML_SUCCESS);
	assert_int_equal(n_present(p, 8 * MIB), 0);
	assert_int_equal(aml_area_munmap(area, p, 8 * MIB), AML_SUCCESS);
	area__destroy(&area);
}

/* More than the machine has, so that the first link refuses. The sleep outlasts what a chain remembers. */
static void what_only_the_last_link_takes_is_under_its_policy(void **state)
{
	size_t size = (size_t)sysconf(_SC_PHYS_PAGES) * PAGE;
	const struct aml_area *links[2] = {NULL, &aml_area_linux};
	struct aml_area *strict, *area;
	char *p;

	(void)state;
	skip_where_binding_is_forbidden();
	assert_int_equal(aml_area_linux_create(&strict, NULL, AML_AREA_LINUX_POLICY_STRICT), AML_SUCCESS);
	links[0] = strict;
	assert_int_equal(aml_area_chain_create(&area, links, 2), AML_SUCCESS);
	p = aml_area_reserve(area, NULL, size);
	if (p == NULL)
		skip_because("so much address space is not to be had");
	for (int i = 0; i < 2; i++) {
		assert_int_equal(aml_area_commit(area, p, size), AML_SUCCESS);
		assert_int_equal(aml_area_link(area, p), 1);
		p[0] = 1;
		assert_int_equal(aml_area_linux_check_binding(&aml_area_linux, p, PAGE), 1);
		assert_int_equal(aml_area_decommit(area, p, size), AML_SUCCESS);
		usleep(50000);
	}
	assert_int_equal(aml_area_munmap(area, p, size), AML_SUCCESS);
	aml_area_chain_destroy(&area);
	aml_area_linux_destroy(&strict);
}

static void chain_refuses_strangers(void **state)
{
	struct aml_area *area = chain_of(anon(0), anon(0));
	char *p = aml_area_mmap(&aml_area_linux, NULL, PAGE);

	(void)state;
	assert_refused(aml_area_munmap(area, p, PAGE), AML_EINVAL, EINVAL);
	p[0] = 1;
	assert_int_equal(aml_area_munmap(&aml_area_linux, p, PAGE), AML_SUCCESS);
	area__destroy(&area);
}

static void chain_prints_its_links(void **state)
{
	struct aml_area *area = chain_of(anon(0), anon(0));
	char text[64] = "";
	FILE *stream = fmemopen(text, sizeof(text), "w");

	(void)state;
	assert_int_equal(aml_area_fprintf(stream, "p: ", area), AML_SUCCESS);
	fclose(stream);
	assert_string_equal(text, "p: anon > anon\n");
	area__destroy(&area);
}

static void a_chain_of_long_places_prints_them_whole(void **state)
{
	char place[3000], *text = NULL;
	struct area_options options = {.place = place};
	struct aml_area *links[3], *area;
	size_t size;
	FILE *stream = open_memstream(&text, &size);

	(void)state;
	memset(place, 'x', sizeof(place) - 1);
	memcpy(place, "file:/", 6);
	place[sizeof(place) - 1] = '\0';
	for (int i = 0; i < 3; i++)
		assert_int_equal(area__anon_create(&links[i], &options), AML_SUCCESS);
	assert_int_equal(area__chain_create(&area, links, 3, NULL), AML_SUCCESS);
	assert_int_equal(aml_area_fprintf(stream, NULL, area), AML_SUCCESS);
	fclose(stream);
	assert_int_equal(strlen(text), 3 * strlen(place) + 2 * strlen(" > ") + 1);
	free(text);
	area__destroy(&area);
}

static void impossible_chains_are_refused(void **state)
{
	struct aml_area *area, *links[AREA_MAX_LINKS + 1] = {NULL};

	(void)state;
	assert_refused(area__chain_create(&area, links, 0, NULL), AML_EINVAL, EINVAL);
	assert_refused(area__chain_create(&area, links, AREA_MAX_LINKS + 1, NULL), AML_EINVAL, EINVAL);
	assert_refused(area__chain_create(&area, NULL, 1, NULL), AML_EINVAL, EINVAL);
}

/* Huge pages */

#define POOL "/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages"

static int read_pool(void)
{
	FILE *file = fopen(POOL, "r");
	int n = -1;

	if (file != NULL) {
		if (fscanf(file, "%d", &n) != 1)
			n = -1;
		fclose(file);
	}
	return n;
}

static bool write_pool(int n)
{
	FILE *file = fopen(POOL, "w");

	if (file == NULL)
		return false;
	fprintf(file, "%d", n);
	return fclose(file) == 0 && read_pool() == n;
}

static void empty_pool_is_enomem(void **state)
{
	struct aml_area *area;
	struct area_options bound = {.policy = AML_AREA_LINUX_POLICY_BIND};
	int mappings;

	(void)state;
	skip_where_binding_is_forbidden();
	if (read_pool() != 0)
		skip_because("there are huge pages, or there is no pool");
	assert_int_equal(area__hugetlb_create(&area, 2 * MIB, NULL), AML_SUCCESS);
	mappings = n_mappings();
	assert_fails(aml_area_mmap(area, NULL, 2 * MIB), AML_ENOMEM, ENOMEM);
	assert_int_equal(n_mappings(), mappings);
	area__destroy(&area);
	assert_int_equal(area__hugetlb_create(&area, 2 * MIB, &bound), AML_SUCCESS);
	assert_fails(aml_area_mmap(area, NULL, 2 * MIB), AML_ENOMEM, ENOMEM);
	assert_int_equal(n_mappings(), mappings);
	area__destroy(&area);
}

static void pages_of_the_pool_are_paid_at_mmap(void **state)
{
	struct area_options options[] = {{.policy = AML_AREA_LINUX_POLICY_DEFAULT},
		{.policy = AML_AREA_LINUX_POLICY_BIND}, {.policy = AML_AREA_LINUX_POLICY_STRICT},
		{.policy = AML_AREA_LINUX_POLICY_PREFERRED}};
	int before = read_pool();

	(void)state;
	skip_where_binding_is_forbidden();
	if (before != 0 || !write_pool(4)) {
		if (before == 0)
			write_pool(0);
		skip_because("not root, or memory too scattered for huge pages");
	}
	for (int i = 0; i < 4; i++) {
		struct aml_area *area;
		struct aml_area_info info = {.struct_size = sizeof(info)};
		char *p, *q;

		assert_int_equal(area__hugetlb_create(&area, 2 * MIB, &options[i]), AML_SUCCESS);
		assert_int_equal(aml_area_info(area, &info), AML_SUCCESS);
		assert_int_equal(info.page_size, 2 * MIB);
		assert_int_equal(info.available, 8 * MIB);
		p = aml_area_mmap(area, NULL, 5 * MIB); /* three pages */
		assert_non_null(p);
		assert_fails(aml_area_mmap(area, NULL, 4 * MIB), AML_ENOMEM, ENOMEM);
		q = aml_area_mmap(area, NULL, 1);
		assert_non_null(q);
		assert_true(all_zero(p, 6 * MIB));
		memset(p, 1, 6 * MIB);
		memset(q, 1, 2 * MIB);
		assert_int_equal(aml_area_linux_check_binding(area, p, 6 * MIB), 1);
		assert_int_equal(aml_area_munmap(area, p, 5 * MIB), AML_SUCCESS);
		assert_int_equal(aml_area_munmap(area, q, 1), AML_SUCCESS);
		assert_int_equal(aml_area_info(area, &info), AML_SUCCESS);
		assert_int_equal(info.available, 8 * MIB);
		area__destroy(&area);
	}
	write_pool(before);
}

static void pools_that_are_not_there_are_edom(void **state)
{
	struct aml_area *area;

	(void)state;
	assert_refused(area__hugetlb_create(&area, 64 * MIB, NULL), AML_EDOM, EDOM);
	assert_refused(area__hugetlb_create(&area, 3 * MIB, NULL), AML_EINVAL, EINVAL);
	assert_refused(area__hugetlb_create(&area, 0, NULL), AML_EINVAL, EINVAL);
}

/* Populated */

static void populate_faults_everything_in(void **state)
{
	struct area_options options = {.populate = true};
	struct aml_area *area;
	char *p;

	(void)state;
	assert_int_equal(area__linux_create(&area, &options), AML_SUCCESS);
	p = aml_area_mmap(area, NULL, 4 * MIB);
	assert_non_null(p);
	assert_int_equal(n_present(p, 4 * MIB), 4 * MIB / PAGE);
	assert_int_equal(aml_area_munmap(area, p, 4 * MIB), AML_SUCCESS);
	area__destroy(&area);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(buffer_hands_out_its_pages_and_no_more),
		cmocka_unit_test(buffer_with_ragged_ends_uses_whole_pages_inside),
		cmocka_unit_test(buffer_honours_a_hint_that_is_free),
		cmocka_unit_test(buffers_without_a_page_are_refused),
		cmocka_unit_test(buffer_takes_back_only_what_is_out),
		cmocka_unit_test(limit_counts_mapped_bytes),
		cmocka_unit_test(limit_charges_reserved_memory_at_commit),
		cmocka_unit_test(check_binding_looks_through_limits),
		cmocka_unit_test(chain_serves_from_the_first_link_that_can),
		cmocka_unit_test(chain_fails_when_every_link_does),
		cmocka_unit_test(chain_small_requests_are_served_where_large_ones_were_not),
		cmocka_unit_test(chain_of_anonymous_memory_commits),
		cmocka_unit_test(what_only_the_last_link_takes_is_under_its_policy),
		cmocka_unit_test(chain_refuses_strangers),
		cmocka_unit_test(chain_prints_its_links),
		cmocka_unit_test(a_chain_of_long_places_prints_them_whole),
		cmocka_unit_test(impossible_chains_are_refused),
		cmocka_unit_test(empty_pool_is_enomem),
		cmocka_unit_test(pages_of_the_pool_are_paid_at_mmap),
		cmocka_unit_test(pools_that_are_not_there_are_edom),
		cmocka_unit_test(populate_faults_everything_in),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
