/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/test.h"

#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/pool.h"

static void get_gives_distinct_aligned_objects(void **state)
{
	enum { N = 5000 };
	static char *objects[N];
	struct pool pool;

	(void)state;
	pool__init(&pool, 64);
	for (int i = 0; i < N; i++) {
		objects[i] = pool__get(&pool);
		assert_non_null(objects[i]);
		assert_int_equal((uintptr_t)objects[i] % 64, 0);
		memset(objects[i], i & 0xff, 64);
	}
	for (int i = 0; i < N; i++)
		for (int k = 0; k < 64; k++)
			assert_int_equal((unsigned char)objects[i][k], i & 0xff);
	assert_int_equal(pool.n_used, N);
	pool__destroy(&pool);
}

static void put_objects_come_back(void **state)
{
	struct pool pool;

	(void)state;
	pool__init(&pool, 24);

	void *a = pool__get(&pool);
	void *b = pool__get(&pool);

	pool__put(&pool, a);
	pool__put(&pool, b);
	assert_int_equal(pool.n_used, 0);

	size_t mapped = pool.mapped;

	for (int i = 0; i < 100000; i++)
		pool__put(&pool, pool__get(&pool));
	assert_int_equal(pool.mapped, mapped);
	pool__destroy(&pool);
}

static void reserved_objects_need_no_kernel(void **state)
{
	struct pool pool;
	struct rlimit old, none = {0, 0};

	(void)state;
	pool__init(&pool, 48);
	assert_int_equal(pool__reserve(&pool, 1000), 0);
	assert_int_equal(getrlimit(RLIMIT_AS, &old), 0);
	none.rlim_max = old.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_AS, &none), 0);

	int n = 0;

	while (n < 1000 && pool__get(&pool) != NULL)
		n++;
	setrlimit(RLIMIT_AS, &old);
	assert_int_equal(n, 1000);
	pool__destroy(&pool);
}

static void reserve_fails_when_the_kernel_has_none(void **state)
{
	struct pool pool;
	struct rlimit old, none = {0, 0};

	(void)state;
	pool__init(&pool, 48);
	assert_int_equal(getrlimit(RLIMIT_AS, &old), 0);
	none.rlim_max = old.rlim_max;
	setrlimit(RLIMIT_AS, &none);

	int failed = pool__reserve(&pool, 1) != 0;
	void *object = pool__get(&pool);

	setrlimit(RLIMIT_AS, &old);
	assert_true(failed);
	assert_null(object);
	pool__destroy(&pool);
}

static void a_discarded_pool_holds_no_memory_reads_as_zeros_and_serves_again(void **state)
{
	enum { N = 20000 };
	struct pool pool;
	size_t mapped;

	(void)state;
	pool__init(&pool, 64);

	char *kept = pool__get(&pool), *last = NULL;

	memset(kept, 7, 64);
	for (int i = 0; i < N; i++) {
		last = pool__get(&pool);
		memset(last, 7, 64);
	}
	mapped = pool.mapped;
	pool__discard(&pool, kept);
	assert_int_equal(pool.mapped, 0);
	assert_int_equal(pool.n_used, 1);
	assert_int_equal(kept[63], 7);
	assert_int_equal(last[63], 0);
	for (int i = 0; i < N; i++) {
		last = pool__get(&pool);
		assert_non_null(last);
		assert_true(last != kept);
	}
	assert_int_equal(pool.mapped, mapped);
	assert_int_equal(kept[63], 7);
	pool__destroy(&pool);
}

/* Just beyond where another chunk of 2 MiB is mapped. */
static void objects_that_were_never_taken_count_as_no_memory(void **state)
{
	enum { N = 34000, SIZE = 64 };
	struct pool pool;

	(void)state;
	pool__init(&pool, SIZE);
	for (int i = 0; i < N; i++)
		assert_non_null(pool__get(&pool));
	assert_true(pool.mapped > (size_t)N * SIZE + (1 << 20));
	assert_in_range(pool__touched(&pool), N * SIZE, N * SIZE + 256 * 1024);
	pool__discard(&pool, NULL);
	assert_int_equal(pool__touched(&pool), 0);
	pool__destroy(&pool);
}

static size_t huge_kib(void)
{
	FILE *file = fopen("/proc/self/smaps_rollup", "r");
	char line[256];
	size_t kib = 0;

	while (file != NULL && fgets(line, sizeof(line), file) != NULL)
		(void)sscanf(line, "AnonHugePages: %zu kB", &kib);
	if (file != NULL)
		fclose(file);
	return kib;
}

static bool makes_all_huge(void)
{
	FILE *file = fopen("/sys/kernel/mm/transparent_hugepage/enabled", "r");
	char text[64] = "";
	bool does = file != NULL && fgets(text, sizeof(text), file) != NULL && strstr(text, "[always]") != NULL;

	if (file != NULL)
		fclose(file);
	return does;
}

/* Another word in the kernel's place, for this process alone; false: it may not be put there. */
static bool forbid_huge_pages(void)
{
	char name[] = "/tmp/situs-never-XXXXXX";
	int fd = mkstemp(name);
	bool done = fd >= 0 && dprintf(fd, "always madvise [never]\n") > 0 && unshare(CLONE_NEWNS) == 0 &&
		mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
		mount(name, "/sys/kernel/mm/transparent_hugepage/enabled", NULL, MS_BIND, NULL) == 0;

	if (fd >= 0) {
		close(fd);
		unlink(name);
	}
	return done;
}

static void no_page_is_huge_where_the_machine_forbids_it(void **state)
{
	enum { SKIP = 77, N = 200000 };
	int status = 0;
	pid_t pid;

	(void)state;
	if (makes_all_huge())
		skip_because("this machine makes huge pages of whatever it can");
	pid = fork();
	if (pid == 0) {
		struct pool pool;

		if (!forbid_huge_pages())
			_exit(SKIP);
		pool__init(&pool, 64);
		for (int i = 0; i < N; i++)
			memset(pool__get(&pool), 1, 64);
		_exit(huge_kib() == 0 ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == SKIP)
		skip_because("it takes root to hide a file of the kernel's");
	assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_discarded_pool_holds_no_memory_reads_as_zeros_and_serves_again),
		cmocka_unit_test(objects_that_were_never_taken_count_as_no_memory),
		cmocka_unit_test(no_page_is_huge_where_the_machine_forbids_it),
		cmocka_unit_test(get_gives_distinct_aligned_objects),
		cmocka_unit_test(put_objects_come_back),
		cmocka_unit_test(reserved_objects_need_no_kernel),
		cmocka_unit_test(reserve_fails_when_the_kernel_has_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
