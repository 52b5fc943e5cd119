/* SPDX-License-Identifier: BSD-3-Clause */
/* Commits over what is committed, and calls that fail: they have changed nothing. */
#include "tests/unit/area_test.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "base/error.h"

/* Names of this process's own: other builds' tests may run beside. */
static char shm_place[64], shm_keep[80], shm_path[64];

static int name_objects(void **state)
{
	(void)state;
	snprintf(shm_place, sizeof(shm_place), "shm:situs-test-%d", getpid());
	snprintf(shm_keep, sizeof(shm_keep), "%s,keep", shm_place);
	snprintf(shm_path, sizeof(shm_path), "/dev/shm/situs-test-%d", getpid());
	return 0;
}

static struct aml_area *open_area(const char *place)
{
	struct aml_area *area = NULL;

	if (aml_area_open(&area, place) != AML_SUCCESS)
		fail_msg("%s: %s", place, error__text());
	return area;
}

static size_t available(const struct aml_area *area)
{
	struct aml_area_info info = {.struct_size = sizeof(info)};

	assert_int_equal(aml_area_info(area, &info), AML_SUCCESS);
	return info.available;
}

static bool all_are(const char *p, size_t size, char c)
{
	return p[0] == c && memcmp(p, p + 1, size - 1) == 0;
}

/* Commits over what is committed */

static const char *const kinds[] = {"node:0,strict", "file:/tmp", "shm:",
	"node:0,strict,limit:8M", "file:/tmp,limit:8M", "node:0,strict > any", "node:0,strict > node:0,strict",
	"any,limit:8M", "any", "anon,thp", "node:0,strict > node:0,strict,limit:8M"};

static void what_is_committed_keeps_its_contents_when_more_is_committed_over_it(void **state)
{
	(void)state;
	skip_where_binding_is_forbidden();
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct aml_area *area = open_area(strcmp(kinds[i], "shm:") == 0 ? shm_place : kinds[i]);
		char *p = aml_area_reserve(area, NULL, 4 * MIB);

		assert_non_null(p);
		assert_int_equal(aml_area_commit(area, p + MIB, MIB), AML_SUCCESS);
		memset(p + MIB, 7, MIB);
		assert_int_equal(aml_area_commit(area, p + 3 * MIB, PAGE), AML_SUCCESS);
		memset(p + 3 * MIB, 8, PAGE);
		assert_int_equal(aml_area_commit(area, p, 4 * MIB), AML_SUCCESS);
		assert_true(all_are(p + MIB, MIB, 7));
		assert_true(all_are(p + 3 * MIB, PAGE, 8));
		assert_true(all_zero(p, MIB));
		assert_true(all_zero(p + 2 * MIB, MIB));
		assert_true(all_zero(p + 3 * MIB + PAGE, MIB - PAGE));
		assert_int_equal(aml_area_munmap(area, p, 4 * MIB), AML_SUCCESS);
		aml_area_close(&area);
	}
}

static void a_commit_that_a_limit_refuses_keeps_contents_and_charges_nothing(void **state)
{
	const char *const places[] = {"node:0,strict,limit:3M", "file:/tmp,limit:3M", "any,limit:3M"};

	(void)state;
	skip_where_binding_is_forbidden();
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		struct aml_area *area = open_area(places[i]);
		char *p = aml_area_reserve(area, NULL, 5 * MIB);

		assert_non_null(p);
		assert_int_equal(aml_area_commit(area, p + 2 * MIB, MIB), AML_SUCCESS);
		memset(p + 2 * MIB, 7, MIB);
		/* Two gaps of 2 MiB: the first would fit. */
		assert_refused(aml_area_commit(area, p, 5 * MIB), AML_ENOMEM, ENOMEM);
		assert_non_null(strstr(error__text(), "limit"));
		assert_true(all_are(p + 2 * MIB, MIB, 7));
		assert_int_equal(available(area), 2 * MIB);
		assert_int_equal(aml_area_commit(area, p + 3 * MIB, 2 * MIB), AML_SUCCESS);
		assert_int_equal(available(area), 0);
		assert_int_equal(aml_area_munmap(area, p, 5 * MIB), AML_SUCCESS);
		assert_int_equal(available(area), 3 * MIB);
		aml_area_close(&area);
	}
}

static size_t file_limit;

static int commit_under_a_file_limit(void *arg)
{
	const char *place = arg;
	struct aml_area *area = NULL;
	struct rlimit limit = {file_limit, file_limit};
	char *p;

	if (aml_area_open(&area, place) != AML_SUCCESS)
		return 1;
	p = aml_area_reserve(area, NULL, 4 * MIB);
	if (p == NULL || aml_area_commit(area, p + MIB, MIB) != AML_SUCCESS)
		return 2;
	memset(p + MIB, 7, MIB);
	if (setrlimit(RLIMIT_FSIZE, &limit) != 0)
		return 3;
	/* The first gap fits, the second does not. */
	if (aml_area_commit(area, p, 4 * MIB) != -AML_ENOMEM)
		return 4;
	if (!all_are(p + MIB, MIB, 7))
		return 5;
	/* It still has room: SIGBUS would end us. */
	memset(p + MIB, 8, MIB);
	if (aml_area_commit(area, p, 2 * MIB) != AML_SUCCESS || !all_zero(p, MIB))
		return 6;
	aml_area_close(&area);
	return 0;
}

static void a_commit_that_a_file_has_no_room_for_keeps_contents_and_room(void **state)
{
	char file[] = "file:/tmp";

	(void)state;
	file_limit = 3 * MIB;
	assert_int_equal(in_child(commit_under_a_file_limit, file), 0);
	assert_int_equal(in_child(commit_under_a_file_limit, shm_place), 0);
}

/* Limits */

static void a_refused_munmap_gives_nothing_of_a_limit_back(void **state)
{
	struct aml_area *area = open_area("any,limit:4M");
	char *region = aml_area_reserve(area, NULL, 8 * MIB);

	(void)state;
	assert_non_null(region);
	assert_int_equal(aml_area_commit(area, region + 5 * MIB, MIB), AML_SUCCESS);
	assert_int_equal(aml_area_commit(area, region + 7 * MIB, MIB), AML_SUCCESS);
	assert_int_equal(available(area), 2 * MIB);
	assert_refused(aml_area_munmap(area, region + 4 * MIB, 64 * MIB), AML_EINVAL, EINVAL);
	assert_int_equal(available(area), 2 * MIB);
	/* And the books are as they were: what is charged is not charged again. */
	assert_int_equal(aml_area_commit(area, region + 5 * MIB, 3 * MIB), AML_SUCCESS);
	assert_int_equal(available(area), MIB);
	assert_int_equal(aml_area_munmap(area, region, 8 * MIB), AML_SUCCESS);
	assert_int_equal(available(area), 4 * MIB);
	aml_area_close(&area);
}

static void a_limit_commits_only_what_it_has_out(void **state)
{
	const char *const places[] = {"any,limit:4M", "node:0,strict,limit:4M", "file:/tmp,limit:4M"};
	void *foreign = mmap(NULL, 2 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct aml_area *other = open_area("any");
	char *others = aml_area_mmap(other, NULL, MIB);

	(void)state;
	skip_where_binding_is_forbidden();
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		struct aml_area *area = open_area(places[i]);
		char *p = aml_area_reserve(area, NULL, MIB);

		assert_refused(aml_area_commit(area, foreign, MIB), AML_EINVAL, EINVAL);
		assert_refused(aml_area_commit(area, others, MIB), AML_EINVAL, EINVAL);
		assert_int_equal(aml_area_munmap(area, p, MIB), AML_SUCCESS);
		assert_refused(aml_area_commit(area, p, MIB), AML_EINVAL, EINVAL);
		assert_int_equal(available(area), 4 * MIB);
		aml_area_close(&area);
	}
	assert_int_equal(aml_area_munmap(other, others, MIB), AML_SUCCESS);
	munmap(foreign, 2 * MIB);
	aml_area_close(&other);
}

static void a_limit_unmaps_only_what_it_has_out(void **state)
{
	const char *const places[] = {"any,limit:4M", "node:0,strict,limit:4M"};
	struct aml_area *other = open_area("any");
	char *others = aml_area_mmap(other, NULL, MIB);

	(void)state;
	skip_where_binding_is_forbidden();
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		struct aml_area *area = open_area(places[i]);

		assert_refused(aml_area_munmap(area, others, MIB), AML_EINVAL, EINVAL);
		memset(others, 7, MIB);
		aml_area_close(&area);
	}
	assert_int_equal(aml_area_munmap(other, others, MIB), AML_SUCCESS);
	aml_area_close(&other);
}

/* Purging files */

static int purge_while_others_take_the_space(void *arg)
{
	struct rlimit none, limit;
	struct aml_area *area = NULL;
	char *p;

	if (aml_area_open(&area, arg) != AML_SUCCESS || (p = aml_area_mmap(area, NULL, 2 * MIB)) == NULL)
		return 1;
	memset(p, 7, 2 * MIB);
	if (available(area) != 6 * MIB || getrlimit(RLIMIT_FSIZE, &none) != 0)
		return 2;
	/* As if the space were gone. */
	limit = (struct rlimit){MIB, none.rlim_max};
	if (setrlimit(RLIMIT_FSIZE, &limit) != 0 || aml_area_purge(area, p, 2 * MIB) != -AML_ENOMEM)
		return 3;
	if (available(area) != 8 * MIB)
		return 4;
	if (aml_area_commit(area, p, 2 * MIB) != -AML_ENOMEM)
		return 5;
	if (setrlimit(RLIMIT_FSIZE, &none) != 0 || aml_area_commit(area, p, 2 * MIB) != AML_SUCCESS)
		return 6;
	if (available(area) != 6 * MIB || !all_zero(p, 2 * MIB))
		return 7;
	return aml_area_munmap(area, p, 2 * MIB) == AML_SUCCESS && available(area) == 8 * MIB ? 0 : 8;
}

static void what_a_purge_loses_is_committed_anew_below_a_limit_too(void **state)
{
	char place[] = "file:/tmp,limit:8M";

	(void)state;
	assert_int_equal(in_child(purge_while_others_take_the_space, place), 0);
}

static void a_file_in_a_chain_keeps_its_space(void **state)
{
	struct aml_area *area = open_area("file:/tmp,limit:1M > any");
	char *p = aml_area_mmap(area, NULL, MIB), *q = aml_area_mmap(area, NULL, MIB);

	(void)state;
	assert_int_equal(aml_area_link(area, p), 0);
	assert_int_equal(aml_area_link(area, q), 1);
	memset(p, 7, MIB);
	memset(q, 7, MIB);
	assert_refused(aml_area_purge(area, p, MIB), AML_ENOTSUP, ENOTSUP);
	assert_true(all_are(p, MIB, 7));
	assert_int_equal(aml_area_purge(area, q, MIB), AML_SUCCESS);
	assert_true(all_zero(q, MIB));
	assert_int_equal(aml_area_munmap(area, p, MIB), AML_SUCCESS);
	assert_int_equal(aml_area_munmap(area, q, MIB), AML_SUCCESS);
	aml_area_close(&area);
}

/* Opening */

static char folder[64];

static const char *in_folder(const char *name)
{
	static char path[4][128];
	static int i;

	i = (i + 1) % 4;
	snprintf(path[i], sizeof(path[i]), "%s/%s", folder, name);
	return path[i];
}

static bool exists(const char *path)
{
	return access(path, F_OK) == 0;
}

static void a_chain_that_cannot_be_opened_leaves_files_as_they_were(void **state)
{
	struct aml_area *area = NULL;
	char place[700];
	int descriptors = n_descriptors(), fd;

	(void)state;
	strcpy(folder, "/tmp/situs-test.XXXXXX");
	assert_non_null(mkdtemp(folder));
	fd = open(in_folder("found"), O_RDWR | O_CREAT, 0600);
	assert_true(fd >= 0);
	close(fd);
	snprintf(place, sizeof(place), "file:%s > file:%s > file:%s,keep > %s > file:%s/x",
		in_folder("found"), in_folder("new"), in_folder("kept"), shm_place, in_folder("none"));
	assert_refused(aml_area_open(&area, place), AML_EDOM, EDOM);
	assert_null(area);
	assert_true(exists(in_folder("found")));
	assert_false(exists(in_folder("new")));
	assert_false(exists(in_folder("kept")));
	assert_false(exists(shm_path));
	assert_int_equal(n_descriptors(), descriptors);
	/* Without the last link, each has what it promises. */
	*strrchr(place, '>') = '\0';
	area = open_area(place);
	assert_false(exists(in_folder("found")));
	assert_false(exists(in_folder("new")));
	assert_true(exists(in_folder("kept")));
	assert_true(exists(shm_path));
	aml_area_close(&area);
	assert_true(exists(in_folder("kept")));
	assert_false(exists(shm_path));
	unlink(in_folder("kept"));
	rmdir(folder);
}

/* Shared memory that was left behind */

static int die_with_it_open(void *arg)
{
	struct aml_area *area;
	char *p;

	if (aml_area_open(&area, arg) != AML_SUCCESS || (p = aml_area_mmap(area, NULL, MIB)) == NULL)
		return 1;
	memset(p, 7, MIB);
	raise(SIGKILL);
	return 2;
}

static size_t size_of(const char *path)
{
	struct stat status;

	return stat(path, &status) == 0 ? (size_t)status.st_size : SIZE_MAX;
}

static void shared_memory_of_a_killed_process_is_made_anew(void **state)
{
	struct aml_area *area;

	(void)state;
	assert_int_equal(in_child(die_with_it_open, shm_place), -1);
	assert_int_equal(size_of(shm_path), MIB);
	area = open_area(shm_place);
	assert_int_equal(size_of(shm_path), 0);
	aml_area_close(&area);
	assert_false(exists(shm_path));
}

static void kept_shared_memory_of_a_killed_process_stays(void **state)
{
	struct aml_area *area;

	(void)state;
	assert_int_equal(in_child(die_with_it_open, shm_keep), -1);
	area = open_area(shm_place);
	assert_int_equal(size_of(shm_path), MIB);
	aml_area_close(&area);
	assert_true(exists(shm_path));
	unlink(shm_path);
}

static int open_it_too(void *arg)
{
	struct aml_area *area;

	if (aml_area_open(&area, arg) != AML_SUCCESS)
		return 1;
	if (size_of(shm_path) != MIB)
		return 2;
	aml_area_close(&area);
	return 0;
}

static void shared_memory_that_somebody_has_open_is_joined(void **state)
{
	struct aml_area *area = open_area(shm_place);
	char *p = aml_area_mmap(area, NULL, MIB);

	(void)state;
	memset(p, 7, MIB);
	assert_int_equal(in_child(open_it_too, shm_place), 0);
	assert_true(exists(shm_path));
	assert_true(all_are(p, MIB, 7));
	assert_int_equal(aml_area_munmap(area, p, MIB), AML_SUCCESS);
	aml_area_close(&area);
	assert_false(exists(shm_path));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_committed_keeps_its_contents_when_more_is_committed_over_it),
		cmocka_unit_test(a_commit_that_a_limit_refuses_keeps_contents_and_charges_nothing),
		cmocka_unit_test(a_commit_that_a_file_has_no_room_for_keeps_contents_and_room),
		cmocka_unit_test(a_refused_munmap_gives_nothing_of_a_limit_back),
		cmocka_unit_test(a_limit_commits_only_what_it_has_out),
		cmocka_unit_test(a_limit_unmaps_only_what_it_has_out),
		cmocka_unit_test(what_a_purge_loses_is_committed_anew_below_a_limit_too),
		cmocka_unit_test(a_file_in_a_chain_keeps_its_space),
		cmocka_unit_test(a_chain_that_cannot_be_opened_leaves_files_as_they_were),
		cmocka_unit_test(shared_memory_of_a_killed_process_is_made_anew),
		cmocka_unit_test(kept_shared_memory_of_a_killed_process_stays),
		cmocka_unit_test(shared_memory_that_somebody_has_open_is_joined),
	};

	return cmocka_run_group_tests(tests, name_objects, NULL);
}
