/* SPDX-License-Identifier: BSD-3-Clause */
/* Areas where the kernel says no: in containers, on old kernels, and at the limits of a process. */
#include "tests/unit/area_test.h"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <numaif.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "aml_hwloc.h"
#include "base/error.h"
#include "situs.h"

/* Where the process may not bind */

static int deny(const int *calls, int n_calls)
{
	struct sock_filter filter[32];
	struct sock_fprog program = {0, filter};
	int n = 0;

	filter[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
	for (int i = 0; i < n_calls; i++) {
		filter[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)calls[i], 0, 1);
		filter[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM);
	}
	filter[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	program.len = (unsigned short)n;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
		prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
		return -1;
	return 0;
}

static int use_areas_without_numa_calls(void *arg)
{
	/* What the usual container denies. */
	const int calls[] = {SYS_mbind, SYS_set_mempolicy, SYS_get_mempolicy, SYS_move_pages};
	struct aml_area *area = NULL;
	char *p;

	(void)arg;
	if (deny(calls, 4) != 0)
		return 77;
	for (int policy = AML_AREA_LINUX_POLICY_BIND; policy <= AML_AREA_LINUX_POLICY_STRICT; policy++) {
		if (aml_area_linux_create(&area, NULL, (enum aml_area_linux_policy)policy) != -AML_EPERM)
			return 1;
		if (aml_errno != AML_EPERM || errno != EPERM || strstr(error__text(), "SYS_NICE") == NULL)
			return 2;
	}
	if (aml_area_linux_create(&area, NULL, AML_AREA_LINUX_POLICY_DEFAULT) != AML_SUCCESS)
		return 3;
	p = aml_area_mmap(area, NULL, MIB);
	if (p == NULL)
		return 4;
	memset(p, 1, MIB);
	if (aml_area_munmap(area, p, MIB) != AML_SUCCESS)
		return 5;
	aml_area_linux_destroy(&area);
	p = aml_area_mmap(&aml_area_linux, NULL, MIB);
	return p != NULL && aml_area_munmap(&aml_area_linux, p, MIB) == AML_SUCCESS ? 0 : 6;
}

static void process_that_may_not_bind_gets_eperm_and_plain_areas_work(void **state)
{
	int result = in_child(use_areas_without_numa_calls, NULL);

	(void)state;
	if (result == 77)
		skip_because("no seccomp filters here");
	assert_int_equal(result, 0);
}

/* An operation has failed with the words that say what to do. */
static bool names_the_remedy(bool failed)
{
	bool result = failed && aml_errno == AML_EPERM && errno == EPERM &&
		strstr(error__text(), "this process may not call ") != NULL &&
		strstr(error__text(), "allow it, as --cap-add=SYS_NICE does, or use an area without a policy") != NULL;

	if (!result)
		fprintf(stderr, "# %s\n", error__text());
	aml_errno = errno = 0;
	error__clear();
	return result;
}

static int use_areas_that_were_opened_earlier(void *arg)
{
	const int calls[] = {SYS_mbind, SYS_set_mempolicy, SYS_get_mempolicy, SYS_move_pages};
	static const char *const places[] = {"any,bind", "any,preferred", "any,interleave", "any,strict",
		"any,strict,thp", "local", "any,bind,limit:64M", "any,strict > any,strict", "shm:situs-test-denied,bind",
		"hugetlb:2M,bind"};
	enum { N = sizeof(places) / sizeof(places[0]) };
	const struct aml_area *ready[] = {&aml_area_hwloc_interleave, &aml_area_hwloc_firsttouch};
	struct aml_area *areas[N] = {NULL}, *by_hwloc = NULL, *best = NULL;
	char *p;
	size_t bytes[8];

	(void)arg;
	for (int i = 0; i < N; i++)
		if (aml_area_open(&areas[i], own_place(places[i])) != AML_SUCCESS)
			areas[i] = NULL; /* a kernel without it */
	if (areas[0] == NULL || areas[3] == NULL ||
		aml_area_hwloc_create(&by_hwloc, NULL, HWLOC_MEMBIND_BIND) != AML_SUCCESS ||
		aml_area_hwloc_best_create(&best, HWLOC_MEMATTR_ID_CAPACITY, NULL) != AML_SUCCESS)
		return 1;
	p = aml_area_mmap(areas[0], NULL, MIB);
	if (p == NULL)
		return 2;
	memset(p, 1, MIB);
	if (deny(calls, 4) != 0)
		return 77;
	for (int i = 0; i < N; i++)
		/* An empty pool is found out about first. */
		if (areas[i] != NULL && !names_the_remedy(aml_area_mmap(areas[i], NULL, MIB) == NULL) &&
			strncmp(places[i], "huge", 4) != 0)
			return 10 + i;
	if (!names_the_remedy(aml_area_mmap(ready[0], NULL, MIB) == NULL) ||
		!names_the_remedy(aml_area_mmap(ready[1], NULL, MIB) == NULL))
		return 3;
	if (!names_the_remedy(aml_area_mmap(by_hwloc, NULL, MIB) == NULL) ||
		!names_the_remedy(aml_area_mmap(best, NULL, MIB) == NULL))
		return 4;
	if (!names_the_remedy(aml_area_hwloc_create(&by_hwloc, NULL, HWLOC_MEMBIND_INTERLEAVE) < 0) ||
		!names_the_remedy(aml_area_hwloc_best_create(&best, HWLOC_MEMATTR_ID_CAPACITY, NULL) < 0))
		return 5;
	if (!names_the_remedy(aml_area_move(areas[0], p, MIB) < 0))
		return 6;
	if (!names_the_remedy(aml_area_locate(areas[0], p, MIB, bytes, 8) < 0))
		return 7;
	if (!names_the_remedy(aml_area_linux_check_binding(areas[0], p, MIB) < 0))
		return 8;
	return aml_area_munmap(areas[0], p, MIB) == AML_SUCCESS ? 0 : 9;
}

static void areas_opened_before_it_was_forbidden_say_the_remedy_too(void **state)
{
	int result;

	(void)state;
	skip_where_binding_is_forbidden();
	result = in_child(use_areas_that_were_opened_earlier, NULL);
	if (result == 77)
		skip_because("no seccomp filters here");
	assert_int_equal(result, 0);
}

static bool error_names_the_remedy(int result)
{
	bool names = result == -EPERM &&
		strstr(error__text(), "allow it, as --cap-add=SYS_NICE does, or use an area without a policy") != NULL;

	if (!names)
		fprintf(stderr, "# %d: %s\n", result, error__text());
	error__clear();
	return names;
}

/* And none of them has written anything. */
static int ask_where(situs_heap_t *heap, const char *block)
{
	size_t bytes[8] = {77, 77, 77, 77, 77, 77, 77, 77}, error = 77;

	if (!error_names_the_remedy(situs_locate(block, MIB, bytes, 8)))
		return 3;
	if (!error_names_the_remedy(situs_heap_locate(heap, bytes, 8)))
		return 4;
	if (!error_names_the_remedy(situs_locate_sampled(block, MIB, 9, bytes, 8, &error)))
		return 5;
	if (!error_names_the_remedy(situs_heap_locate_sampled(heap, 9, bytes, 8, &error)))
		return 6;
	for (int i = 0; i < 8; i++)
		if (bytes[i] != 77 || error != 77)
			return 7;
	return 0;
}

static int use_heaps_that_were_made_earlier(void *arg)
{
	const int calls[] = {SYS_mbind, SYS_move_pages};
	situs_heap_t *heap = situs_heap_open("any,bind");
	struct aml_area *to = NULL;
	int result;
	char *block;

	(void)arg;
	if (heap == NULL || aml_area_open(&to, "any,preferred") != AML_SUCCESS)
		return 1;
	block = situs_malloc(heap, MIB);
	if (block == NULL)
		return 2;
	memset(block, 1, MIB);
	if (deny(calls, 2) != 0)
		return 77;
	result = ask_where(heap, block);
	if (result != 0)
		return result;
	return error_names_the_remedy(situs_heap_migrate(heap, to, NULL, NULL)) ? 0 : 8;
}

static void heaps_too_say_the_remedy(void **state)
{
	int result;

	(void)state;
	skip_where_binding_is_forbidden();
	result = in_child(use_heaps_that_were_made_earlier, NULL);
	if (result == 77)
		skip_because("no seccomp filters here");
	assert_int_equal(result, 0);
}

static int create_strict_without_move_pages(void *arg)
{
	const int calls[] = {SYS_move_pages};
	struct aml_area *area = NULL;

	(void)arg;
	if (deny(calls, 1) != 0)
		return 77;
	if (aml_area_linux_create(&area, NULL, AML_AREA_LINUX_POLICY_STRICT) != -AML_EPERM)
		return 1;
	return aml_area_linux_create(&area, NULL, AML_AREA_LINUX_POLICY_BIND) == AML_SUCCESS ? 0 : 2;
}

static void strict_that_could_not_verify_is_eperm_at_creation(void **state)
{
	int result;

	(void)state;
	skip_where_binding_is_forbidden();
	result = in_child(create_strict_without_move_pages, NULL);
	if (result == 77)
		skip_because("no seccomp filters here");
	assert_int_equal(result, 0);
}

/* Older kernels */

/* mbind answers EINVAL to policies from `policy` on, madvise to advice from `advice` on. */
static int pretend_old_kernel(unsigned policy, unsigned advice)
{
	const unsigned invalid = SECCOMP_RET_ERRNO | EINVAL;
	/* The low half of the third argument. */
	const unsigned third = offsetof(struct seccomp_data, args) + 2 * sizeof(uint64_t);
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mbind, 1, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_madvise, 3, 6),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, third),
		BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, policy, 0, 4),
		BPF_STMT(BPF_RET | BPF_K, invalid),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, third),
		BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, advice, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, invalid),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {sizeof(filter) / sizeof(filter[0]), filter};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
		prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
		return -1;
	return 0;
}

static int use_areas_on_old_kernel(void *arg)
{
	struct aml_area *area = NULL;
	unsigned long nodes[16];
	char *p;
	int mode;

	(void)arg;
	/* Linux 5.10: no PREFERRED_MANY, no MADV_POPULATE_WRITE, no MADV_COLLAPSE. */
	if (pretend_old_kernel(5, 22) != 0)
		return 77;
	if (aml_area_linux_create(&area, NULL, AML_AREA_LINUX_POLICY_WEIGHTED_INTERLEAVE) !=
		-AML_ENOTSUP)
		return 1;
	if (strstr(error__text(), "6.9") == NULL)
		return 2;
	if (aml_area_linux_create(&area, NULL, AML_AREA_LINUX_POLICY_PREFERRED_MANY) != AML_SUCCESS)
		return 3;
	p = aml_area_mmap(area, NULL, MIB);
	if (p == NULL || get_mempolicy(&mode, nodes, sizeof(nodes) * 8, p, MPOL_F_ADDR) != 0 ||
		mode != MPOL_PREFERRED)
		return 4;
	if (aml_area_linux_check_binding(area, p, MIB) != 1)
		return 5;
	if (aml_area_collapse(area, p, MIB) != -AML_ENOTSUP)
		return 6;
	aml_area_munmap(area, p, MIB);
	aml_area_linux_destroy(&area);
	if (aml_area_linux_create(&area, NULL, AML_AREA_LINUX_POLICY_STRICT) != AML_SUCCESS)
		return 7;
	p = aml_area_mmap(area, NULL, MIB);
	if (p == NULL || n_present(p, MIB) != MIB / PAGE || !all_zero(p, MIB))
		return 8;
	return aml_area_munmap(area, p, MIB) == AML_SUCCESS ? 0 : 9;
}

static void old_kernels_do_without_new_policies_and_advice(void **state)
{
	int result;

	(void)state;
	skip_where_binding_is_forbidden();
	result = in_child(use_areas_on_old_kernel, NULL);
	if (result == 77)
		skip_because("no seccomp filters here");
	assert_int_equal(result, 0);
}

/* Resource limits */

static int map_without_address_space(void *arg)
{
	struct rlimit limit = {0, 0};
	struct aml_area *strict = NULL;

	(void)arg;
	if (aml_area_linux_create(&strict, NULL, AML_AREA_LINUX_POLICY_STRICT) != AML_SUCCESS ||
		setrlimit(RLIMIT_AS, &limit) != 0)
		return 1;
	if (aml_area_mmap(&aml_area_linux, NULL, MIB) != NULL || aml_errno != AML_ENOMEM)
		return 2;
	if (aml_area_mmap(strict, NULL, MIB) != NULL || aml_errno != AML_ENOMEM)
		return 3;
	return aml_area_reserve(strict, NULL, MIB) != NULL ? 4 : 0;
}

static void no_address_space_is_enomem(void **state)
{
	(void)state;
	skip_where_binding_is_forbidden();
	assert_int_equal(in_child(map_without_address_space, NULL), 0);
}

/* The nodes that are allowed are read from a file where get_mempolicy is denied. */
static int bind_without_descriptors(void *arg)
{
	const int calls[] = {SYS_get_mempolicy};
	struct rlimit limit = {32, 32};
	struct aml_area *area = NULL;

	(void)arg;
	if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
		return 1;
	while (dup(0) >= 0)
		;
	if (deny(calls, 1) != 0)
		return 77;
	if (aml_area_linux_create(&area, NULL, AML_AREA_LINUX_POLICY_BIND) != -AML_ENOMEM || errno != ENOMEM)
		return 2;
	if (aml_area_hwloc_create(&area, NULL, HWLOC_MEMBIND_BIND) != -AML_ENOMEM ||
		aml_area_mmap(&aml_area_hwloc_interleave, NULL, PAGE) != NULL || aml_errno != AML_ENOMEM)
		return 3;
	return area == NULL ? 0 : 4;
}

static void want_of_descriptors_is_enomem(void **state)
{
	int result = in_child(bind_without_descriptors, NULL);

	(void)state;
	if (result == 77)
		skip_because("no seccomp filters here");
	assert_int_equal(result, 0);
}

/* A hole in the middle of a mapping, where there is room for no more mappings. */
static bool refuses_a_hole(const struct aml_area *area, char *p)
{
	return aml_area_munmap(area, p + PAGE, PAGE) == -AML_ENOMEM && errno == ENOMEM && p[0] == 1 &&
		p[PAGE] == 1 && p[2 * PAGE] == 1;
}

/* Fills the process's table of mappings, so that a hole in the middle of one cannot be made. */
static int punch_without_mappings_left(void *arg)
{
	enum { N = 3 };
	const struct aml_area *areas[N] = {&aml_area_linux};
	const struct aml_area *const links[] = {&aml_area_linux, &aml_area_linux};
	struct aml_area *limit, *chain;
	size_t size = 200000 * PAGE;
	char *many = mmap(NULL, size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0), *p[N];

	(void)arg;
	if (aml_area_limit_create(&limit, &aml_area_linux, 3 * PAGE) != AML_SUCCESS ||
		aml_area_chain_create(&chain, links, 2) != AML_SUCCESS || many == MAP_FAILED)
		return 1;
	areas[1] = limit;
	areas[2] = chain;
	for (int i = 0; i < N; i++) {
		p[i] = aml_area_mmap(areas[i], NULL, 3 * PAGE);
		if (p[i] == NULL)
			return 1;
		memset(p[i], 1, 3 * PAGE);
	}
	for (size_t i = 0; i < size; i += 2 * PAGE)
		if (mprotect(many + i, PAGE, PROT_NONE) != 0)
			break;
	/* Twice: what was refused is as it was, also to whoever asks again. */
	for (int i = 0; i < 2 * N; i++)
		if (!refuses_a_hole(areas[i % N], p[i % N]))
			return i == 0 ? 77 : 2; /* 77: this machine allows more than we made */
	munmap(many, size);
	/* A limit counts it all still. */
	if (aml_area_mmap(limit, NULL, 1) != NULL)
		return 3;
	for (int i = 0; i < N; i++)
		if (aml_area_munmap(areas[i], p[i], 3 * PAGE) != AML_SUCCESS)
			return 4;
	return 0;
}

static void munmap_that_the_kernel_refuses_has_changed_nothing(void **state)
{
	int result;

	(void)state;
	if (UNDER_TSAN)
		skip_because("ThreadSanitizer needs mappings itself");
	result = in_child(punch_without_mappings_left, NULL);
	if (result == 77)
		skip_because("vm.max_map_count is larger than 100000 here");
	assert_int_equal(result, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(process_that_may_not_bind_gets_eperm_and_plain_areas_work),
		cmocka_unit_test(areas_opened_before_it_was_forbidden_say_the_remedy_too),
		cmocka_unit_test(heaps_too_say_the_remedy),
		cmocka_unit_test(strict_that_could_not_verify_is_eperm_at_creation),
		cmocka_unit_test(old_kernels_do_without_new_policies_and_advice),
		cmocka_unit_test(no_address_space_is_enomem),
		cmocka_unit_test(want_of_descriptors_is_enomem),
		cmocka_unit_test(munmap_that_the_kernel_refuses_has_changed_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
