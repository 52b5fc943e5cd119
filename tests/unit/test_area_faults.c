/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Every call that an area makes to the kernel or the C library fails once, in turn, while an area of
 * each kind is opened, used and closed. Whatever happens: a documented error, nothing leaked, nothing
 * crashed. The linker's --wrap puts this file between the library and what it calls.
 */
#include "tests/unit/area_test.h"

#include <stdlib.h>

static int countdown; /* 0: nothing fails; n: the nth call from now does */
static int injected;  /* errno of the failure */
static const char *failed_call;

static bool fails(const char *name)
{
	if (countdown == 0 || --countdown != 0)
		return false;
	failed_call = name;
	errno = injected;
	return true;
}

#define WRAP(type, failure, name, parameters, arguments) \
	type __real_##name parameters; \
	type __wrap_##name parameters; \
	type __wrap_##name parameters \
	{ \
		return fails(#name) ? failure : __real_##name arguments; \
	}

WRAP(void *, NULL, malloc, (size_t size), (size))
WRAP(void *, NULL, calloc, (size_t n, size_t size), (n, size))
WRAP(char *, NULL, strdup, (const char *text), (text))
WRAP(void *, MAP_FAILED, mmap, (void *p, size_t size, int prot, int flags, int fd, off_t offset),
	(p, size, prot, flags, fd, offset))
WRAP(int, -1, madvise, (void *p, size_t size, int advice), (p, size, advice))
WRAP(long, -1, os__mbind, (void *p, unsigned long size, int mode, const unsigned long *nodes,
	unsigned long max, unsigned flags), (p, size, mode, nodes, max, flags))
WRAP(long, -1, os__move_pages, (int pid, unsigned long n, void **pages, const int *to, int *status, int flags),
	(pid, n, pages, to, status, flags))
WRAP(int, -1, fallocate, (int fd, int mode, off_t offset, off_t size), (fd, mode, offset, size))
WRAP(int, -1, ftruncate, (int fd, off_t size), (fd, size))
WRAP(int, -1, memfd_create, (const char *name, unsigned flags), (name, flags))
WRAP(int, -1, shm_open, (const char *name, int flags, mode_t mode), (name, flags, mode))
WRAP(int, -1, flock, (int fd, int operation), (fd, operation))

/* Did a call that answered 0 or a negative code do so as documented? */
static int checked(int result)
{
	if (result >= 0)
		return result;
	if (aml_errno != -result || errno == 0)
		fail_msg("%s failed: result %d, aml_errno %d, errno %d", failed_call, result, aml_errno, errno);
	return result;
}

static char *checked_pointer(char *p)
{
	if (p == NULL && (aml_errno == AML_SUCCESS || errno == 0))
		fail_msg("%s failed: NULL without an error", failed_call);
	return p;
}

static void use(struct aml_area *area)
{
	size_t size = 4 * PAGE;
	char *p = checked_pointer(aml_area_mmap(area, NULL, size));
	char *q = checked_pointer(aml_area_reserve(area, NULL, size));

	if (p != NULL) {
		memset(p, 1, size);
		checked(aml_area_purge(area, p, PAGE));
		/* In three parts, so that notes are split. */
		if (checked(aml_area_munmap(area, p + PAGE, PAGE)) != AML_SUCCESS)
			checked(aml_area_munmap(area, p + PAGE, PAGE));
		assert_int_equal(aml_area_munmap(area, p, PAGE), AML_SUCCESS);
		assert_int_equal(aml_area_munmap(area, p + 2 * PAGE, 2 * PAGE), AML_SUCCESS);
	}
	if (q != NULL) {
		if (checked(aml_area_commit(area, q + PAGE, PAGE)) == AML_SUCCESS) {
			memset(q + PAGE, 5, PAGE);
			/* Over what is committed, and with gaps on both sides of it. */
			if (checked(aml_area_commit(area, q, size)) == AML_SUCCESS)
				memset(q, 5, PAGE);
			for (size_t i = 0; i < PAGE; i++)
				assert_int_equal(q[PAGE + i], 5);
			checked(aml_area_decommit(area, q, 2 * PAGE));
		}
		assert_int_equal(aml_area_munmap(area, q, size), AML_SUCCESS);
	}
}

static void open_use_close(const char *place)
{
	struct aml_area *area = NULL;

	if (checked(aml_area_open(&area, place)) == AML_SUCCESS) {
		use(area);
		aml_area_close(&area);
	}
	assert_null(area);
}

static int errors[] = {ENOMEM, EPERM, EIO};

static void survives_every_failure(const char *place)
{
	for (size_t e = 0; e < sizeof(errors) / sizeof(errors[0]); e++) {
		int mappings, descriptors, n = 0;

		injected = errors[e];
		/* What is made on first use is made now. */
		countdown = 0;
		open_use_close(place);
		mappings = n_mappings();
		descriptors = n_descriptors();
		do {
			forget_errors();
			failed_call = NULL;
			countdown = ++n;
			open_use_close(place);
			countdown = 0;
			if (n_mappings() != mappings || n_descriptors() != descriptors)
				fail_msg("%s: call %d, %s, failing with %d leaked", place, n, failed_call,
					injected);
		} while (failed_call != NULL);
		/* The places are worth the trouble. */
		assert_true(n > 3);
	}
}

#define FAULT_TEST(name, place) \
	static void name##_survives_every_failure(void **state) \
	{ \
		(void)state; \
		skip_where_binding_is_forbidden(); \
		survives_every_failure(own_place(place)); \
	}

FAULT_TEST(anon, "anon")
FAULT_TEST(bind, "node:0,bind")
FAULT_TEST(preferred_thp, "node:0,preferred,thp")
FAULT_TEST(strict, "node:0,strict")
FAULT_TEST(populated, "node:0,populate")
FAULT_TEST(limited, "node:0,strict,limit:1M")
FAULT_TEST(file, "file:/tmp")
FAULT_TEST(shm, "shm:situs-test-faults")
FAULT_TEST(chain, "node:0,strict > any")
FAULT_TEST(mixed_chain, "file:/tmp,limit:1M > node:0,strict > any")

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(anon_survives_every_failure),
		cmocka_unit_test(bind_survives_every_failure),
		cmocka_unit_test(preferred_thp_survives_every_failure),
		cmocka_unit_test(strict_survives_every_failure),
		cmocka_unit_test(populated_survives_every_failure),
		cmocka_unit_test(limited_survives_every_failure),
		cmocka_unit_test(file_survives_every_failure),
		cmocka_unit_test(shm_survives_every_failure),
		cmocka_unit_test(chain_survives_every_failure),
		cmocka_unit_test(mixed_chain_survives_every_failure),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
