/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/test.h"

#include <string.h>
#include <sys/resource.h>

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_discarded_pool_holds_no_memory_reads_as_zeros_and_serves_again),
		cmocka_unit_test(objects_that_were_never_taken_count_as_no_memory),
		cmocka_unit_test(get_gives_distinct_aligned_objects),
		cmocka_unit_test(put_objects_come_back),
		cmocka_unit_test(reserved_objects_need_no_kernel),
		cmocka_unit_test(reserve_fails_when_the_kernel_has_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
