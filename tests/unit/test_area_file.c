/* SPDX-License-Identifier: BSD-3-Clause */
/* Files and shared memory as areas. */
#include "tests/unit/area_test.h"

#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>

static char folder[64];

static int make_folder(void **state)
{
	(void)state;
	strcpy(folder, "/tmp/situs-test.XXXXXX");
	return mkdtemp(folder) == NULL;
}

static int remove_folder(void **state)
{
	(void)state;
	return rmdir(folder);
}

static const char *in_folder(const char *name)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return path;
}

static struct aml_area *open_area(const char *kind, const char *path, const char *options)
{
	struct aml_area *area = NULL;
	char place[256];

	snprintf(place, sizeof(place), "%s:%s%s", kind, path, options);
	assert_int_equal(aml_area_open(&area, place), AML_SUCCESS);
	assert_non_null(area);
	return area;
}

static size_t bytes_in_use(const char *path)
{
	struct stat status;

	assert_int_equal(stat(path, &status), 0);
	return (size_t)status.st_blocks * 512;
}

static void file_in_a_folder_has_no_name_and_leaves_nothing(void **state)
{
	struct aml_area *area = open_area("file", folder, "");
	int descriptors, mappings;
	char *p;

	(void)state;
	/* What the first area takes for good, a sanitizer's books among it, is there from now on. */
	aml_area_close(&area);
	descriptors = n_descriptors();
	mappings = n_mappings();
	area = open_area("file", folder, "");
	p = aml_area_mmap(area, NULL, MIB);
	assert_non_null(p);
	assert_true(all_zero(p, MIB));
	memset(p, 1, MIB);
	assert_int_equal(aml_area_munmap(area, p, MIB), AML_SUCCESS);
	aml_area_close(&area);
	assert_int_equal(n_descriptors(), descriptors);
	/* The ledgers' memory went with the area. */
	if (!UNDER_TSAN)
		assert_int_equal(n_mappings(), mappings);
}

static void named_file_is_unlinked_at_once(void **state)
{
	const char *path = in_folder("a");
	struct aml_area *area = open_area("file", path, "");

	(void)state;
	assert_int_equal(access(path, F_OK), -1);
	aml_area_close(&area);
}

/* The link stays, and leads to nothing once its file is unlinked: that is a file that can be made. */
static void file_behind_a_link_is_unlinked_and_the_link_stays(void **state)
{
	char link[128], path[128];
	struct stat status;

	(void)state;
	strcpy(link, in_folder("link"));
	strcpy(path, in_folder("a"));
	assert_int_equal(symlink("a", link), 0);
	assert_int_equal(close(open(path, O_CREAT | O_RDWR, 0600)), 0);
	for (int i = 0; i < 2; i++) {
		struct aml_area *area = open_area("file", link, "");

		assert_int_equal(access(path, F_OK), -1);
		assert_int_equal(lstat(link, &status), 0);
		aml_area_close(&area);
	}
	unlink(link);
}

static void file_with_two_names_is_taken_only_to_be_kept(void **state)
{
	char other[128], path[128], place[160];
	struct aml_area *area;

	(void)state;
	strcpy(other, in_folder("b"));
	strcpy(path, in_folder("a"));
	assert_int_equal(close(open(path, O_CREAT | O_RDWR, 0600)), 0);
	assert_int_equal(link(path, other), 0);
	snprintf(place, sizeof(place), "file:%s", path);
	assert_refused(aml_area_open(&area, place), AML_EBUSY, EBUSY);
	assert_int_equal(access(path, F_OK), 0);
	area = open_area("file", path, ",keep");
	aml_area_close(&area);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(unlink(other), 0);
}

static void kept_file_stays_and_holds_what_was_written(void **state)
{
	const char *path = in_folder("a");
	struct aml_area *area = open_area("file", path, ",keep");
	char *p = aml_area_mmap(area, NULL, PAGE);
	char byte;
	int fd;

	(void)state;
	assert_non_null(p);
	p[0] = 'x';
	aml_area_close(&area);
	fd = open(path, O_RDONLY);
	assert_true(fd >= 0);
	assert_int_equal(read(fd, &byte, 1), 1);
	assert_int_equal(byte, 'x');
	close(fd);
	munmap(p, PAGE);
	unlink(path);
}

static void freed_space_goes_back_to_the_file_system(void **state)
{
	const char *path = in_folder("a");
	struct aml_area *area = open_area("file", path, ",keep");
	char *p = aml_area_mmap(area, NULL, 4 * MIB), *q = aml_area_mmap(area, NULL, MIB);
	struct stat status;

	(void)state;
	assert_non_null(p);
	assert_non_null(q);
	assert_true(bytes_in_use(path) >= 5 * MIB);
	assert_int_equal(aml_area_munmap(area, p + MIB, 2 * MIB), AML_SUCCESS);
	assert_in_range(bytes_in_use(path), 3 * MIB, 3 * MIB + 16 * PAGE);
	assert_int_equal(aml_area_munmap(area, p, MIB), AML_SUCCESS);
	assert_int_equal(aml_area_munmap(area, p + 3 * MIB, MIB), AML_SUCCESS);
	assert_int_equal(aml_area_munmap(area, q, MIB), AML_SUCCESS);
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_size, 0);
	aml_area_close(&area);
	unlink(path);
}

static void freed_space_is_used_again_and_reads_as_zeros(void **state)
{
	const char *path = in_folder("a");
	struct aml_area *area = open_area("file", path, ",keep");
	struct stat status;

	(void)state;

	char *p = aml_area_mmap(area, NULL, MIB), *last = aml_area_mmap(area, NULL, PAGE);

	memset(p, 1, MIB);
	assert_int_equal(aml_area_munmap(area, p, MIB), AML_SUCCESS);
	p = aml_area_mmap(area, NULL, MIB);
	assert_true(all_zero(p, MIB));
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_size, MIB + PAGE);
	assert_int_equal(aml_area_munmap(area, p, MIB), AML_SUCCESS);
	assert_int_equal(aml_area_munmap(area, last, PAGE), AML_SUCCESS);
	aml_area_close(&area);
	unlink(path);
}

static void reserved_space_costs_nothing_until_commit(void **state)
{
	const char *path = in_folder("a");
	struct aml_area *area = open_area("file", path, ",keep");
	char *p = aml_area_reserve(area, NULL, 256 * MIB);

	(void)state;
	assert_non_null(p);
	assert_in_range(bytes_in_use(path), 0, 16 * PAGE);
	assert_int_equal(aml_area_commit(area, p + MIB, MIB), AML_SUCCESS);
	assert_in_range(bytes_in_use(path), MIB, MIB + 16 * PAGE);
	memset(p + MIB, 1, MIB);
	assert_int_equal(aml_area_decommit(area, p + MIB, MIB), AML_SUCCESS);
	assert_in_range(bytes_in_use(path), 0, 16 * PAGE);
	assert_int_equal(aml_area_commit(area, p + MIB, MIB), AML_SUCCESS);
	assert_true(all_zero(p + MIB, MIB));
	assert_int_equal(aml_area_munmap(area, p, 256 * MIB), AML_SUCCESS);
	aml_area_close(&area);
	unlink(path);
}

static void purged_memory_is_zero_and_usable(const char *kind, const char *path)
{
	struct aml_area *area = open_area(kind, path, "");
	char *p = aml_area_mmap(area, NULL, MIB);

	assert_non_null(p);
	memset(p, 1, MIB);
	assert_int_equal(aml_area_purge(area, p + PAGE, PAGE), AML_SUCCESS);
	assert_int_equal(p[0], 1);
	assert_true(all_zero(p + PAGE, PAGE));
	assert_int_equal(p[2 * PAGE], 1);
	memset(p + PAGE, 2, PAGE);
	assert_int_equal(aml_area_munmap(area, p, MIB), AML_SUCCESS);
	aml_area_close(&area);
}

static void purged_file_memory_is_zero(void **state)
{
	(void)state;
	purged_memory_is_zero_and_usable("file", folder);
}

static void purged_shared_memory_is_zero(void **state)
{
	(void)state;
	purged_memory_is_zero_and_usable("shm", own_place("situs-test-purge"));
}

static void refuses(const char *place, int code, int err)
{
	struct aml_area *area = (struct aml_area *)1;
	int descriptors = n_descriptors(), mappings = n_mappings();

	assert_refused(aml_area_open(&area, place), code, err);
	assert_ptr_equal(area, (struct aml_area *)1);
	assert_int_equal(n_descriptors(), descriptors);
	assert_int_equal(n_mappings(), mappings);
}

static void file_that_holds_something_is_refused_untouched(void **state)
{
	const char *path = in_folder("a");
	char place[160], text[8] = "";
	int fd = open(path, O_RDWR | O_CREAT, 0600);

	(void)state;
	assert_int_equal(write(fd, "mine", 4), 4);
	snprintf(place, sizeof(place), "file:%s", path);
	refuses(place, AML_EBUSY, EBUSY);
	assert_int_equal(pread(fd, text, 8, 0), 4);
	assert_string_equal(text, "mine");
	close(fd);
	assert_int_equal(unlink(path), 0);
}

static void file_of_another_area_is_refused(void **state)
{
	const char *path = in_folder("a");
	struct aml_area *area = open_area("file", path, ",keep");
	char place[160];

	(void)state;
	snprintf(place, sizeof(place), "file:%s", path);
	refuses(place, AML_EBUSY, EBUSY);
	assert_int_equal(access(path, F_OK), 0);
	aml_area_close(&area);
	unlink(path);
}

static void paths_that_are_no_file_are_refused(void **state)
{
	(void)state;
	refuses("file:/nonexistent/folder/file", AML_EDOM, EDOM);
	refuses("file:/dev/null", AML_EINVAL, EINVAL);
	/* Nobody else may open it for writing. */
	if (geteuid() == 0)
		refuses("file:/proc/version", AML_EINVAL, EINVAL);
}

static int open_as_nobody(void *place)
{
	struct aml_area *area;

	if (geteuid() != 0 || seteuid(65534) != 0)
		return 77;
	return -aml_area_open(&area, place);
}

static void unwritable_folder_is_eperm(void **state)
{
	char place[160];
	int result;

	(void)state;
	snprintf(place, sizeof(place), "file:%s/new", folder);
	result = in_child(open_as_nobody, place);
	if (result == 77)
		skip_because("not root: cannot become somebody who may not write here");
	assert_int_equal(result, AML_EPERM);
	snprintf(place, sizeof(place), "file:%s", folder);
	assert_int_equal(in_child(open_as_nobody, place), AML_EPERM);
}

/* Uses a tmpfs of 4 MiB up and writes to every byte that was handed out. 1xx: what went wrong. */
static int fill_small_file_system(void *committing)
{
	struct aml_area *area;
	char place[160];
	char *p[64];
	int n = 0;

	if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
		mount("none", folder, "tmpfs", 0, "size=4m") != 0)
		return 77;
	snprintf(place, sizeof(place), "file:%s", folder);
	if (aml_area_open(&area, place) != AML_SUCCESS)
		return 1;
	for (; n < 64; n++) {
		p[n] = (committing ? aml_area_reserve : aml_area_mmap)(area, NULL, MIB / 2);
		if (p[n] == NULL)
			break;
		if (committing && aml_area_commit(area, p[n], MIB / 2) != AML_SUCCESS)
			break;
		memset(p[n], 1, MIB / 2);
	}
	if (n != 8)
		return 2;
	if (aml_errno != AML_ENOMEM || errno != ENOMEM)
		return 3;
	if (aml_area_munmap(area, p[0], MIB / 2) != AML_SUCCESS)
		return 4;
	/* What was freed can be had again. */
	p[0] = committing ? p[8] : aml_area_mmap(area, NULL, MIB / 2);
	if (p[0] == NULL || (committing && aml_area_commit(area, p[0], MIB / 2) != AML_SUCCESS))
		return 5;
	memset(p[0], 1, MIB / 2);
	for (int i = 1; i < 8; i++)
		if (p[i][0] != 1 || p[i][MIB / 2 - 1] != 1)
			return 6;
	return 0;
}

static void full_file_system_is_null_and_never_sigbus(void **state)
{
	int result = in_child(fill_small_file_system, NULL);

	(void)state;
	if (result == 77)
		skip_because("mounting is not allowed here");
	assert_int_equal(result, 0);
}

static void full_file_system_is_a_failed_commit_and_never_sigbus(void **state)
{
	int result = in_child(fill_small_file_system, folder);

	(void)state;
	if (result == 77)
		skip_because("mounting is not allowed here");
	assert_int_equal(result, 0);
}

static int grow_past_the_size_limit(void *arg)
{
	struct rlimit limit = {MIB, MIB};
	struct aml_area *area;
	char place[160];

	(void)arg;
	snprintf(place, sizeof(place), "file:%s", folder);
	if (aml_area_open(&area, place) != AML_SUCCESS || setrlimit(RLIMIT_FSIZE, &limit) != 0)
		return 1;
	if (aml_area_mmap(area, NULL, MIB / 2) == NULL)
		return 2;
	if (aml_area_mmap(area, NULL, MIB) != NULL || aml_errno != AML_ENOMEM)
		return 3;
	return aml_area_mmap(area, NULL, MIB / 2) == NULL ? 4 : 0;
}

static void file_size_limit_is_null_without_its_signal(void **state)
{
	(void)state;
	assert_int_equal(in_child(grow_past_the_size_limit, NULL), 0);
}

static void strangers_are_not_unmapped(void **state)
{
	struct aml_area *area = open_area("file", folder, "");
	char *p = aml_area_mmap(area, NULL, 2 * PAGE);
	char *stranger = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int mappings = n_mappings();

	(void)state;
	assert_refused(aml_area_munmap(area, stranger, PAGE), AML_EINVAL, EINVAL);
	assert_refused(aml_area_munmap(area, p, 1000 * PAGE), AML_EINVAL, EINVAL);
	assert_int_equal(n_mappings(), mappings);
	stranger[0] = 1;
	p[0] = 1;
	munmap(stranger, PAGE);
	assert_int_equal(aml_area_munmap(area, p, 2 * PAGE), AML_SUCCESS);
	assert_refused(aml_area_munmap(area, p, 2 * PAGE), AML_EINVAL, EINVAL);
	aml_area_close(&area);
}

struct family {
	struct aml_area *area;
	char *p;
};

static int use_area_in_child(void *arg)
{
	struct family *family = arg;
	char *fresh = aml_area_mmap(family->area, NULL, PAGE);

	if (fresh == NULL)
		return 1;
	memset(fresh, 9, PAGE);
	if (aml_area_decommit(family->area, family->p, PAGE) != -AML_EBUSY)
		return 2;
	if (aml_area_munmap(family->area, family->p, MIB) != AML_SUCCESS)
		return 3;
	return aml_area_munmap(family->area, fresh, PAGE) == AML_SUCCESS ? 0 : 4;
}

static void forked_child_takes_nothing_from_its_parent(void **state)
{
	struct family family = {.area = open_area("file", folder, "")};
	char *q;

	(void)state;
	family.p = aml_area_mmap(family.area, NULL, MIB);
	memset(family.p, 5, MIB);
	assert_int_equal(in_child(use_area_in_child, &family), 0);
	q = aml_area_mmap(family.area, NULL, PAGE);
	assert_non_null(q);
	assert_true(all_zero(q, PAGE));
	for (size_t i = 0; i < MIB; i += PAGE)
		assert_int_equal(family.p[i], 5);
	assert_int_equal(aml_area_munmap(family.area, q, PAGE), AML_SUCCESS);
	assert_int_equal(aml_area_munmap(family.area, family.p, MIB), AML_SUCCESS);
	aml_area_close(&family.area);
}

struct reader {
	const char *p;
	int told[2];
};

static int read_when_told(struct reader *reader)
{
	char byte;

	return read(reader->told[0], &byte, 1) == 1 && all_zero(reader->p, MIB) ? 0 : 1;
}

static void what_a_parent_gives_back_reads_as_zeros_in_its_child(void **state)
{
	struct aml_area *area = open_area("file", folder, "");
	char *first = aml_area_mmap(area, NULL, MIB), *p = aml_area_mmap(area, NULL, MIB);
	struct reader reader = {.p = p};
	int status;
	pid_t child;

	(void)state;
	memset(p, 1, MIB);
	assert_int_equal(pipe(reader.told), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0)
		_exit(read_when_told(&reader));
	assert_int_equal(aml_area_munmap(area, p, MIB), AML_SUCCESS);
	assert_int_equal(aml_area_munmap(area, first, MIB), AML_SUCCESS);
	assert_int_equal(write(reader.told[1], "", 1), 1);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	close(reader.told[0]);
	close(reader.told[1]);
	aml_area_close(&area);
}

static void limit_of_a_file_is_kept(void **state)
{
	struct aml_area *area = open_area("file", folder, ",limit:1M");
	char *p = aml_area_mmap(area, NULL, MIB / 2);

	(void)state;
	assert_non_null(p);
	assert_fails(aml_area_mmap(area, NULL, MIB), AML_ENOMEM, ENOMEM);

	char *q = aml_area_mmap(area, NULL, MIB / 2);

	assert_non_null(q);
	assert_int_equal(aml_area_munmap(area, p, MIB / 2), AML_SUCCESS);
	p = aml_area_mmap(area, NULL, MIB / 2);
	assert_non_null(p);
	assert_int_equal(aml_area_munmap(area, p, MIB / 2), AML_SUCCESS);
	assert_int_equal(aml_area_munmap(area, q, MIB / 2), AML_SUCCESS);
	aml_area_close(&area);
}

static void file_system_is_the_capacity(void **state)
{
	struct aml_area *area = open_area("file", folder, "");
	struct aml_area_info info = {.struct_size = sizeof(info)};

	(void)state;
	assert_int_equal(aml_area_info(area, &info), AML_SUCCESS);
	assert_true(info.capacity > 0);
	assert_true(info.available <= info.capacity);
	assert_true(info.flags & AML_AREA_SHARED);
	assert_true(info.flags & AML_AREA_COMMIT);
	aml_area_close(&area);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(file_in_a_folder_has_no_name_and_leaves_nothing),
		cmocka_unit_test(named_file_is_unlinked_at_once),
		cmocka_unit_test(file_behind_a_link_is_unlinked_and_the_link_stays),
		cmocka_unit_test(file_with_two_names_is_taken_only_to_be_kept),
		cmocka_unit_test(kept_file_stays_and_holds_what_was_written),
		cmocka_unit_test(freed_space_goes_back_to_the_file_system),
		cmocka_unit_test(freed_space_is_used_again_and_reads_as_zeros),
		cmocka_unit_test(reserved_space_costs_nothing_until_commit),
		cmocka_unit_test(purged_file_memory_is_zero),
		cmocka_unit_test(purged_shared_memory_is_zero),
		cmocka_unit_test(file_that_holds_something_is_refused_untouched),
		cmocka_unit_test(file_of_another_area_is_refused),
		cmocka_unit_test(paths_that_are_no_file_are_refused),
		cmocka_unit_test(unwritable_folder_is_eperm),
		cmocka_unit_test(full_file_system_is_null_and_never_sigbus),
		cmocka_unit_test(full_file_system_is_a_failed_commit_and_never_sigbus),
		cmocka_unit_test(file_size_limit_is_null_without_its_signal),
		cmocka_unit_test(strangers_are_not_unmapped),
		cmocka_unit_test(forked_child_takes_nothing_from_its_parent),
		cmocka_unit_test(what_a_parent_gives_back_reads_as_zeros_in_its_child),
		cmocka_unit_test(limit_of_a_file_is_kept),
		cmocka_unit_test(file_system_is_the_capacity),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
