/* SPDX-License-Identifier: BSD-3-Clause */
/* Strict areas on whatever machine this is; filling whole nodes is the lab's part. */
#include "tests/unit/area_test.h"

#include <numa.h>
#include <numaif.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "area/room.h"
#include "base/error.h"

static struct aml_area *strict;


static void mmap_gives_present_pages(void **state)
{
	size_t size = 5 * MIB;
	char *p = aml_area_mmap(strict, NULL, size);

	(void)state;
	assert_non_null(p);
	assert_int_equal(n_present(p, size), size / PAGE);
	assert_true(all_zero(p, size));
	assert_int_equal(aml_area_linux_check_binding(strict, p, size), 1);
	assert_int_equal(aml_area_munmap(strict, p, size), AML_SUCCESS);
}

static void mmap_seals_with_bind(void **state)
{
	void *p = aml_area_mmap(strict, NULL, MIB);
	unsigned long nodes[16];
	int mode = -1;

	(void)state;
	assert_non_null(p);
	assert_int_equal(get_mempolicy(&mode, nodes, sizeof(nodes) * 8, p, MPOL_F_ADDR), 0);
	assert_int_equal(mode, MPOL_BIND);
	assert_int_equal(aml_area_munmap(strict, p, MIB), AML_SUCCESS);
}

static void reserve_populates_nothing(void **state)
{
	size_t size = 64 * MIB;
	void *p = aml_area_reserve(strict, NULL, size);

	(void)state;
	assert_non_null(p);
	assert_int_equal(n_present(p, size), 0);
	assert_int_equal(aml_area_munmap(strict, p, size), AML_SUCCESS);
}

static void commit_populates_its_range_only(void **state)
{
	size_t size = 4 * MIB;
	char *p = aml_area_reserve(strict, NULL, size);

	(void)state;
	assert_non_null(p);
	assert_int_equal(aml_area_commit(strict, p + MIB, MIB), AML_SUCCESS);
	assert_int_equal(n_present(p, size), MIB / PAGE);
	assert_int_equal(n_present(p + MIB, MIB), MIB / PAGE);
	assert_int_equal(aml_area_linux_check_binding(strict, p, size), 1);
	assert_int_equal(aml_area_munmap(strict, p, size), AML_SUCCESS);
}

static void one_region_is_one_kernel_mapping_however_it_is_committed(void **state)
{
	size_t size = 16 * MIB;
	char *p = aml_area_reserve(strict, NULL, size);
	int before = n_mappings();

	(void)state;
	for (size_t i = 0; i < size; i += 2 * PAGE)
		assert_int_equal(aml_area_commit(strict, p + i, PAGE), AML_SUCCESS);
	for (size_t i = 0; i < size; i += 4 * PAGE)
		assert_int_equal(aml_area_decommit(strict, p + i, PAGE), AML_SUCCESS);
	assert_int_equal(n_mappings(), before);
	assert_int_equal(aml_area_munmap(strict, p, size), AML_SUCCESS);
}

static void committed_again_is_zero_again(void **state)
{
	char *p = aml_area_reserve(strict, NULL, MIB);

	(void)state;
	assert_int_equal(aml_area_commit(strict, p, MIB), AML_SUCCESS);
	memset(p, 7, MIB);
	assert_int_equal(aml_area_decommit(strict, p, MIB), AML_SUCCESS);
	assert_int_equal(n_present(p, MIB), 0);
	assert_int_equal(aml_area_commit(strict, p, MIB), AML_SUCCESS);
	assert_int_equal(n_present(p, MIB), MIB / PAGE);
	assert_true(all_zero(p, MIB));
	assert_int_equal(aml_area_munmap(strict, p, MIB), AML_SUCCESS);
}

static void mapped_memory_can_be_decommitted_and_stays_sealed(void **state)
{
	char *p = aml_area_mmap(strict, NULL, MIB);
	unsigned long nodes[16];
	int mode = -1;

	(void)state;
	assert_int_equal(aml_area_decommit(strict, p, MIB), AML_SUCCESS);
	assert_int_equal(aml_area_commit(strict, p, MIB), AML_SUCCESS);
	assert_int_equal(get_mempolicy(&mode, nodes, sizeof(nodes) * 8, p, MPOL_F_ADDR), 0);
	assert_int_equal(mode, MPOL_BIND);
	assert_int_equal(aml_area_munmap(strict, p, MIB), AML_SUCCESS);
}

static void purge_is_refused(void **state)
{
	char *p = aml_area_mmap(strict, NULL, MIB);

	(void)state;
	p[0] = 5;
	assert_refused(aml_area_purge(strict, p, MIB), AML_ENOTSUP, ENOTSUP);
	assert_int_equal(p[0], 5);
	assert_int_equal(aml_area_munmap(strict, p, MIB), AML_SUCCESS);
}

static void more_than_the_machine_has_is_enomem_without_a_trace(void **state)
{
	size_t mapped = mapped_bytes();
	int before = n_mappings();

	(void)state;
	assert_fails(aml_area_mmap(strict, NULL, (size_t)1 << 46), AML_ENOMEM, ENOMEM);
	assert_int_equal(n_mappings(), before);
	assert_int_equal(mapped_bytes(), mapped);
}

static void info_asks_for_commit(void **state)
{
	struct aml_area_info info = {.struct_size = sizeof(info)};

	(void)state;
	assert_int_equal(aml_area_info(strict, &info), AML_SUCCESS);
	assert_true(info.flags & AML_AREA_COMMIT);
	assert_true(info.flags & AML_AREA_LAZY);
	assert_int_equal(info.page_size, PAGE);
	assert_true(info.capacity >= info.available);
	assert_true(info.available > 0);
}

static void *fill_and_empty(void *arg)
{
	unsigned i = (unsigned)(uintptr_t)arg;

	for (int n = 0; n < 40; n++, i = i * 5 + 1) {
		size_t size = i % 8 == 0 ? 40 * MIB : (1 + i % 64) * PAGE;
		char *p = aml_area_mmap(strict, NULL, n % 10 == 9 ? (size_t)1 << 46 : size);

		if (p != NULL && aml_area_munmap(strict, p, size) != AML_SUCCESS)
			return arg;
	}
	return NULL;
}

static void threads_that_fill_at_once_leave_nothing_booked(void **state)
{
	pthread_t threads[4];
	void *wrong;

	(void)state;
	for (uintptr_t i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, fill_and_empty, (void *)(i + 1)), 0);
	for (int i = 0; i < 4; i++) {
		assert_int_equal(pthread_join(threads[i], &wrong), 0);
		assert_null(wrong);
	}
	assert_int_equal(room__booked(), 0);
}

static int stop_at_second_step(void *arg, size_t at, size_t size)
{
	int *n = arg;

	assert_true(size > 0);
	assert_int_equal(at == 0, *n == 0);
	return ++*n == 2 ? -AML_FAILURE : AML_SUCCESS;
}

/* Takes no memory: the steps are the test's own. */
static void a_fill_that_stops_midway_leaves_nothing_booked(void **state)
{
	int n = 0, result = room__fill("here", 256 * MIB, PAGE, stop_at_second_step, &n);

	(void)state;
	/* -AML_ENOMEM: this machine has less than that. */
	assert_true(result == -AML_ENOMEM || (result == -AML_FAILURE && n == 2));
	assert_int_equal(room__booked(), 0);
}

/* Memory control groups */

#define GROUP_SIZE (64 * MIB)

static bool write_text(const char *folder, const char *name, const char *text)
{
	char path[600];
	int fd;
	bool written;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	fd = open(path, O_WRONLY);
	if (fd < 0)
		return false;
	written = write(fd, text, strlen(text)) == (ssize_t)strlen(text);
	close(fd);
	return written;
}

/* A group below our own with a limit; false where that is not allowed. */
static bool make_group(char *folder, size_t size)
{
	static const char *const versions[][3] = {
		{"0::", "/sys/fs/cgroup", "memory.max"},
		{":memory:", "/sys/fs/cgroup/memory", "memory.limit_in_bytes"},
	};
	char line[512], limit[32];

	snprintf(limit, sizeof(limit), "%zu", GROUP_SIZE);
	for (int i = 0; i < 2; i++) {
		FILE *file = fopen("/proc/self/cgroup", "r");
		bool made = false;

		while (file != NULL && !made && fgets(line, sizeof(line), file) != NULL) {
			char *path = strstr(line, versions[i][0]);

			if (path == NULL)
				continue;
			path += strlen(versions[i][0]);
			path[strcspn(path, "\n")] = '\0';
			snprintf(folder, size, "%s%s/situs-test-%d", versions[i][1], path, getpid());
			made = mkdir(folder, 0700) == 0;
			if (made && !write_text(folder, versions[i][2], limit)) {
				rmdir(folder);
				made = false;
			}
		}
		if (file != NULL)
			fclose(file);
		if (made)
			return true;
	}
	return false;
}

struct in_group {
	const char *folder;
	const char *place;
};

/* What each child does first: 0, or the child's exit status. */
static int join_group(const struct in_group *in_group, struct aml_area **area)
{
	char pid[32];

	snprintf(pid, sizeof(pid), "%d", getpid());
	if (!write_text(in_group->folder, "cgroup.procs", pid))
		return 77;
	return aml_area_open(area, in_group->place) == AML_SUCCESS ? 0 : 1;
}

/* Not memset: ThreadSanitizer writes four bytes of its own, in the same group, for each that it sees written. */
__attribute__((no_sanitize("thread"))) static void write_to_each_page(volatile char *p, size_t size)
{
	const size_t page = PAGE;

	for (size_t i = 0; i < size; i += page)
		p[i] = 1;
}

static int fill_group(void *arg)
{
	const struct in_group *in_group = arg;
	struct aml_area *area;
	int err = join_group(in_group, &area);
	char *p;
	size_t n = 0;

	if (err != 0)
		return err;
	while ((p = aml_area_mmap(area, NULL, MIB)) != NULL && n < 1000) {
		write_to_each_page(p, MIB);
		n++;
	}
	if (aml_errno != AML_ENOMEM)
		return 2;
	if (strstr(error__text(), "control group") == NULL)
		return 5;
	/* Most of the limit was usable. */
	if (n < 40)
		return 3;
	return n < 64 ? 0 : 4;
}

/* Limits cannot be read then. */
static int fill_group_without_descriptors(void *arg)
{
	const struct in_group *in_group = arg;
	struct rlimit limit = {64, 64};
	struct aml_area *area;
	int err = join_group(in_group, &area);
	char *p;

	if (err != 0)
		return err;
	if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
		return 1;
	while (dup(0) >= 0)
		;
	for (int n = 0; n < 64; n++) {
		p = aml_area_mmap(area, NULL, MIB);
		if (p == NULL)
			return aml_errno == AML_ENOMEM && strstr(error__text(), "file descriptor") != NULL ? 0 : 2;
		write_to_each_page(p, MIB);
	}
	return 3;
}

static int populate_most_of_it(void *arg)
{
	const struct in_group *in_group = arg;
	struct aml_area *area;
	int err = join_group(in_group, &area);
	char *p;

	if (err != 0)
		return err;
	p = aml_area_mmap(area, NULL, 40 * MIB);
	if (p == NULL)
		return 2;
	if (n_present(p, 40 * MIB) != 40 * MIB / PAGE)
		return 3;
	aml_area_close(&area);
	return 0;
}

/* The group has no room for all of a region of which a part is committed. */
static int commit_too_much(void *arg)
{
	const struct in_group *in_group = arg;
	struct aml_area *area;
	int err = join_group(in_group, &area);
	char *p;

	if (err != 0)
		return err;
	p = aml_area_reserve(area, NULL, 2 * GROUP_SIZE);
	if (p == NULL || aml_area_commit(area, p + 8 * MIB, MIB) != AML_SUCCESS)
		return 2;
	memset(p + 8 * MIB, 7, MIB);
	/* The gap before it fits, the one behind it does not. */
	if (aml_area_commit(area, p, 2 * GROUP_SIZE) != -AML_ENOMEM)
		return 3;
	if (memcmp(p + 8 * MIB, p + 8 * MIB + 1, MIB - 1) != 0 || p[8 * MIB] != 7)
		return 4;
	if (n_present(p, 2 * GROUP_SIZE) != MIB / PAGE)
		return 5;
	if (strstr(error__text(), "control group") == NULL)
		return 6;
	return aml_area_munmap(area, p, 2 * GROUP_SIZE) == AML_SUCCESS ? 0 : 7;
}

static void in_a_group(int (*function)(void *), const char *place)
{
	char folder[600];
	struct in_group in_group = {folder, place};
	int result;

	if (!make_group(folder, sizeof(folder)))
		skip_because("not root, or no memory controller here");
	result = in_child(function, &in_group);
	rmdir(folder);
	if (result == 77)
		skip_because("the group takes no process");
	assert_int_equal(result, 0);
}

static void full_memory_group_is_null_and_no_kill(void **state)
{
	(void)state;
	in_a_group(fill_group, "node:0,strict");
}

static void full_memory_group_is_null_on_populated_areas_too(void **state)
{
	(void)state;
	in_a_group(fill_group, "any,populate");
}

static void full_memory_group_is_null_on_shared_memory_too(void **state)
{
	(void)state;
	in_a_group(fill_group, own_place("shm:situs-test-group"));
	shm_unlink(own_place("/situs-test-group"));
}

static void memory_group_that_cannot_be_seen_is_null_and_no_kill(void **state)
{
	(void)state;
	in_a_group(fill_group_without_descriptors, "node:0,strict");
}

static void shared_memory_is_populated_without_asking_for_room_twice(void **state)
{
	char place[64];

	(void)state;
	snprintf(place, sizeof(place), "shm:situs-test-%d,populate", getpid());
	in_a_group(populate_most_of_it, place);
}

static void commit_in_a_full_group_keeps_contents_and_no_more(void **state)
{
	(void)state;
	in_a_group(commit_too_much, "node:0,strict");
	in_a_group(commit_too_much, "node:0,strict > node:0,strict");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mmap_gives_present_pages),
		cmocka_unit_test(mmap_seals_with_bind),
		cmocka_unit_test(reserve_populates_nothing),
		cmocka_unit_test(commit_populates_its_range_only),
		cmocka_unit_test(one_region_is_one_kernel_mapping_however_it_is_committed),
		cmocka_unit_test(committed_again_is_zero_again),
		cmocka_unit_test(mapped_memory_can_be_decommitted_and_stays_sealed),
		cmocka_unit_test(purge_is_refused),
		cmocka_unit_test(more_than_the_machine_has_is_enomem_without_a_trace),
		cmocka_unit_test(info_asks_for_commit),
		cmocka_unit_test(threads_that_fill_at_once_leave_nothing_booked),
		cmocka_unit_test(a_fill_that_stops_midway_leaves_nothing_booked),
		cmocka_unit_test(full_memory_group_is_null_and_no_kill),
		cmocka_unit_test(memory_group_that_cannot_be_seen_is_null_and_no_kill),
		cmocka_unit_test(shared_memory_is_populated_without_asking_for_room_twice),
		cmocka_unit_test(commit_in_a_full_group_keeps_contents_and_no_more),
		cmocka_unit_test(full_memory_group_is_null_on_populated_areas_too),
		cmocka_unit_test(full_memory_group_is_null_on_shared_memory_too),
	};

	if (aml_area_linux_create(&strict, NULL, AML_AREA_LINUX_POLICY_STRICT) == -AML_EPERM) {
		puts("1..0 # SKIP this process may not bind memory");
		return 0;
	}

	int n_failed = cmocka_run_group_tests(tests, NULL, NULL);

	aml_area_linux_destroy(&strict);
	return n_failed;
}
