/* SPDX-License-Identifier: BSD-3-Clause */
/* Shared memory as areas: several processes, and addresses. test_area_file.c has what files share. */
#include "tests/unit/area_test.h"

#include <sys/resource.h>
#include <sys/stat.h>

#include "area/area.h"
#include "base/error.h"

#define SHM_PLACE own_place("shm:situs-test-shared")
#define SHM_PATH own_place("/dev/shm/situs-test-shared")

static struct aml_area *open_shm(void)
{
	struct aml_area *area = NULL;

	assert_int_equal(aml_area_open(&area, SHM_PLACE), AML_SUCCESS);
	return area;
}

static size_t shm_bytes(void)
{
	struct stat status;

	assert_int_equal(stat(SHM_PATH, &status), 0);
	return (size_t)status.st_blocks * 512;
}

/* A process of its own that knows the name and an address only. */
static int write_to_shared(void *address)
{
	struct aml_area *area;
	char *p = address;

	if (aml_area_open(&area, SHM_PLACE) != AML_SUCCESS)
		return 1;
	if (munmap(address, MIB) != 0)
		return 2;
	if (aml_area_mmap(area, &address, MIB) != p)
		return 3;
	if (p[0] != 'a')
		return 4;
	p[0] = 'b';
	if (aml_area_munmap(area, p, MIB) != AML_SUCCESS)
		return 5;
	aml_area_close(&area);
	return 0;
}

static void shared_memory_is_at_the_same_address_in_another_process(void **state)
{
	struct aml_area *area = open_shm();
	char *q = aml_area_mmap(area, NULL, MIB), *p = aml_area_mmap(area, NULL, MIB);

	(void)state;
	assert_non_null(p);
	p[0] = 'a';
	assert_int_equal(in_child(write_to_shared, p), 0);
	/* The other has unmapped it, closed its area, and gone. */
	assert_int_equal(p[0], 'b');
	assert_int_equal(access(SHM_PATH, F_OK), 0);
	assert_int_equal(aml_area_munmap(area, p, MIB), AML_SUCCESS);
	assert_int_equal(aml_area_munmap(area, q, MIB), AML_SUCCESS);
	aml_area_close(&area);
	assert_int_equal(access(SHM_PATH, F_OK), -1);
}

static void object_of_another_user_is_eperm(void **state)
{
	struct aml_area *area;
	int fd = shm_open(own_place("/situs-test-other"), O_RDWR | O_CREAT, 0666);

	(void)state;
	assert_true(fd >= 0);
	if (geteuid() != 0 || fchown(fd, 65534, 65534) != 0) {
		shm_unlink(own_place("/situs-test-other"));
		close(fd);
		skip_because("not root: cannot give it away");
	}
	assert_refused(aml_area_open(&area, own_place("shm:situs-test-other")), AML_EPERM, EPERM);
	shm_unlink(own_place("/situs-test-other"));
	close(fd);
}

static void memory_given_back_is_had_again_at_its_address_with_room(void **state)
{
	struct aml_area *area = open_shm();
	char *first = aml_area_mmap(area, NULL, MIB), *p = aml_area_mmap(area, NULL, MIB), *q;
	void *hint = p;

	(void)state;
	memset(p, 1, MIB);
	assert_int_equal(aml_area_munmap(area, p, MIB), AML_SUCCESS);
	assert_int_equal(shm_bytes(), MIB);
	assert_ptr_equal(aml_area_mmap(area, &hint, MIB), p);
	assert_int_equal(shm_bytes(), 2 * MIB);
	assert_true(all_zero(p, MIB));
	/* And nobody else is given the same bytes. */
	q = aml_area_mmap(area, NULL, MIB);
	assert_non_null(q);
	memset(p, 2, MIB);
	memset(q, 3, MIB);
	assert_int_equal(p[0], 2);
	assert_int_equal(shm_bytes(), 3 * MIB);
	assert_int_equal(aml_area_munmap(area, p, MIB), AML_SUCCESS);
	assert_int_equal(aml_area_munmap(area, q, MIB), AML_SUCCESS);
	assert_int_equal(aml_area_munmap(area, first, MIB), AML_SUCCESS);
	assert_int_equal(shm_bytes(), 0);
	aml_area_close(&area);
}

/* A process of its own that has never seen the address. */
static int map_without_touching(void *address)
{
	struct aml_area *area;
	char *p = address;

	if (aml_area_open(&area, SHM_PLACE) != AML_SUCCESS)
		return 1;
	(void)munmap(address, MIB);
	if (aml_area_mmap(area, &address, MIB) != p)
		return 2;
	return aml_area_munmap(area, p, MIB) == AML_SUCCESS ? 0 : 3;
}

static void memory_that_its_owner_has_only_reserved_has_room_for_whoever_maps_it(void **state)
{
	struct aml_area *area = open_shm();
	char *first = aml_area_mmap(area, NULL, MIB), *p = aml_area_reserve(area, NULL, MIB);

	(void)state;
	assert_non_null(p);
	assert_int_equal(shm_bytes(), MIB);
	assert_int_equal(in_child(map_without_touching, p), 0);
	assert_int_equal(shm_bytes(), 2 * MIB);
	assert_int_equal(aml_area_munmap(area, p, MIB), AML_SUCCESS);
	assert_int_equal(aml_area_munmap(area, first, MIB), AML_SUCCESS);
	assert_int_equal(shm_bytes(), 0);
	aml_area_close(&area);
}

static void memory_that_its_owner_gave_back_has_room_for_whoever_maps_it(void **state)
{
	struct aml_area *area = open_shm();
	char *first = aml_area_mmap(area, NULL, MIB), *p = aml_area_mmap(area, NULL, MIB);

	(void)state;
	assert_non_null(p);
	assert_int_equal(aml_area_munmap(area, p, MIB), AML_SUCCESS);
	assert_int_equal(shm_bytes(), MIB);
	assert_int_equal(in_child(map_without_touching, p), 0);
	assert_int_equal(shm_bytes(), 2 * MIB);
	assert_int_equal(aml_area_munmap(area, first, MIB), AML_SUCCESS);
	aml_area_close(&area);
}

static void a_hint_at_memory_of_ones_own_is_passed_over(void **state)
{
	struct aml_area *area = open_shm();
	char *p = aml_area_mmap(area, NULL, MIB), *q;
	void *hint = p;

	(void)state;
	q = aml_area_mmap(area, &hint, MIB);
	assert_non_null(q);
	assert_true(q >= p + MIB || q + MIB <= p);
	assert_int_equal(aml_area_munmap(area, q, MIB), AML_SUCCESS);
	assert_int_equal(aml_area_munmap(area, p, MIB), AML_SUCCESS);
	aml_area_close(&area);
}

struct relatives {
	struct aml_area *area;
	int to_child[2], to_parent[2];
};

/* Is told an address, maps it, and answers with what it found there. */
static int map_what_the_parent_mapped(struct relatives *relatives)
{
	void *hint;
	char *p;

	if (read(relatives->to_child[0], &hint, sizeof(hint)) != sizeof(hint))
		return 1;
	p = aml_area_mmap(relatives->area, &hint, MIB);
	if (p != hint)
		return 2;
	if (p[MIB - 1] != 'p')
		return 3;
	p[0] = 'c';
	if (write(relatives->to_parent[1], "", 1) != 1)
		return 4;
	return aml_area_munmap(relatives->area, p, MIB) == AML_SUCCESS ? 0 : 5;
}

static void a_child_maps_what_its_parent_mapped_after_the_fork(void **state)
{
	struct relatives relatives;
	char *p, answer;
	int status;
	pid_t child;

	(void)state;
	/* Without a name: a memfd. */
	assert_int_equal(area__shm_create(&relatives.area, NULL, NULL), AML_SUCCESS);
	assert_int_equal(pipe(relatives.to_child), 0);
	assert_int_equal(pipe(relatives.to_parent), 0);
	fflush(stdout);
	child = fork();
	assert_true(child >= 0);
	if (child == 0)
		_exit(map_what_the_parent_mapped(&relatives));
	close(relatives.to_parent[1]);
	p = aml_area_mmap(relatives.area, NULL, MIB);
	assert_non_null(p);
	p[MIB - 1] = 'p';
	assert_int_equal(write(relatives.to_child[1], &p, sizeof(p)), sizeof(p));
	/* Nothing comes where the child has failed. */
	(void)!read(relatives.to_parent[0], &answer, 1);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_int_equal(p[0], 'c');
	assert_int_equal(aml_area_munmap(relatives.area, p, MIB), AML_SUCCESS);
	area__destroy(&relatives.area);
	close(relatives.to_child[0]);
	close(relatives.to_child[1]);
	close(relatives.to_parent[0]);
}

static void memory_without_a_limit_has_no_capacity(void **state)
{
	struct aml_area_info info = {.struct_size = sizeof(info)};
	struct aml_area *area;

	(void)state;
	assert_int_equal(area__shm_create(&area, NULL, NULL), AML_SUCCESS);
	assert_int_equal(aml_area_info(area, &info), AML_SUCCESS);
	assert_int_equal(info.capacity, 0);
	assert_true(info.available > 0);
	area__destroy(&area);
}

/* 1: it was told as a mapping that failed; 2: as a file system with so much left. */
static int map_without_address_space(void *arg)
{
	struct rlimit limit = {mapped_bytes() + MIB, RLIM_INFINITY};

	if (setrlimit(RLIMIT_AS, &limit) != 0 || aml_area_mmap(arg, NULL, 16 * MIB) != NULL ||
		aml_errno != AML_ENOMEM)
		return 0;
	return strstr(error__text(), "left") == NULL ? 1 : 2;
}

static void want_of_address_space_is_not_told_as_a_full_file_system(void **state)
{
	struct aml_area *area;

	(void)state;
	assert_int_equal(area__shm_create(&area, NULL, NULL), AML_SUCCESS);
	assert_int_equal(in_child(map_without_address_space, area), 1);
	area__destroy(&area);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shared_memory_is_at_the_same_address_in_another_process),
		cmocka_unit_test(object_of_another_user_is_eperm),
		cmocka_unit_test(memory_given_back_is_had_again_at_its_address_with_room),
		cmocka_unit_test(memory_that_its_owner_has_only_reserved_has_room_for_whoever_maps_it),
		cmocka_unit_test(memory_that_its_owner_gave_back_has_room_for_whoever_maps_it),
		cmocka_unit_test(a_hint_at_memory_of_ones_own_is_passed_over),
		cmocka_unit_test(a_child_maps_what_its_parent_mapped_after_the_fork),
		cmocka_unit_test(memory_without_a_limit_has_no_capacity),
		cmocka_unit_test(want_of_address_space_is_not_told_as_a_full_file_system),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
