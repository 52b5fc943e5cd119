/* SPDX-License-Identifier: BSD-3-Clause */
/* Heaps by the thousand: what they cost, and that nothing of them stays. */
#include "tests/unit/test.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "situs.h"

/* What is promised. Measured: 104 KiB, of which 24 are the books that jemalloc keeps of any arena. */
enum { LIGHT_USE_KIB = 128 };

enum { N_HEAPS = 1000, N_ROUNDS = 10, N_MANY = 4000, N_TOO_MANY = 4200 };

static situs_heap_t *heaps[N_TOO_MANY];

struct footprint {
	long address_space, resident; /* KiB */
	int n_mappings;
};

static struct footprint footprint(void)
{
	struct footprint now = {0, 0, 0};
	FILE *statm = fopen("/proc/self/statm", "r"), *maps = fopen("/proc/self/maps", "r");
	int c;

	assert_int_equal(fscanf(statm, "%ld %ld", &now.address_space, &now.resident), 2);
	now.address_space *= 4, now.resident *= 4;
	while ((c = getc(maps)) != EOF)
		now.n_mappings += c == '\n';
	fclose(statm);
	fclose(maps);
	return now;
}

static int make(int n)
{
	int i = 0;

	while (i < n && situs_heap_create(&heaps[i], &aml_area_linux, NULL) == 0)
		i++;
	return i;
}

static void use(int n)
{
	for (int i = 0; i < n; i++)
		for (int k = 0; k < 20; k++) {
			char *block = situs_malloc(heaps[i], 64);

			assert_ptr_equal(situs_heap_of(block), heaps[i]);
			memset(block, i, 64);
		}
}

static void destroy(int n)
{
	for (int i = 0; i < n; i++)
		assert_int_equal(situs_heap_destroy(heaps[i]), 0);
}

static void heaps_that_come_and_go_leave_nothing_behind(void **state)
{
	struct footprint first = {0, 0, 0}, last;

	(void)state;
	for (int round = 0; round < N_ROUNDS; round++) {
		assert_int_equal(make(N_HEAPS), N_HEAPS);
		use(N_HEAPS);
		destroy(N_HEAPS);
		/* By then pools have grown and pages been collapsed into huge ones. */
		if (round == 2)
			first = footprint();
	}
	last = footprint();
	print_message("# after 3000 heaps: %ld MiB of address space, %ld MiB resident, %d mappings\n",
		first.address_space / 1024, first.resident / 1024, first.n_mappings);
	print_message("# after 10000 heaps: %ld MiB of address space, %ld MiB resident, %d mappings\n",
		last.address_space / 1024, last.resident / 1024, last.n_mappings);
	/* Over 7000 heaps. Collapsing into huge pages alone may be worth 20 MiB. */
	assert_true(last.address_space < first.address_space + 1024 * 1024);
	assert_true(last.resident < first.resident + 48 * 1024);
	assert_true(last.n_mappings < first.n_mappings + 200);
}

static void a_heap_in_light_use_is_small(void **state)
{
	struct footprint before = footprint(), used;

	(void)state;
	assert_int_equal(make(N_HEAPS), N_HEAPS);
	use(N_HEAPS);
	used = footprint();
	print_message("# %ld KiB resident a heap\n", (used.resident - before.resident) / N_HEAPS);
	assert_true((used.resident - before.resident) / N_HEAPS <= LIGHT_USE_KIB);
	destroy(N_HEAPS);
}

static void four_thousand_heaps_work_at_once(void **state)
{
	(void)state;
	assert_int_equal(make(N_MANY), N_MANY);
	use(N_MANY);
	destroy(N_MANY);
}

static void too_many_heaps_are_refused_in_words(void **state)
{
	int n = make(N_TOO_MANY);

	(void)state;
	assert_true(n >= N_MANY && n < N_TOO_MANY);
	assert_int_equal(situs_heap_create(&heaps[n], &aml_area_linux, NULL), -EAGAIN);
	assert_non_null(strstr(situs_error(), "4094"));
	use(n);
	destroy(n);
	assert_int_equal(make(1), 1);
	destroy(1);
}

static void *use_all(void *n)
{
	use((int)(intptr_t)n);
	return NULL;
}

/* Two threads run on two CPUs, as a rule: each heap would like two arenas. */
static void one_heap_s_cpus_do_not_take_another_s_arena(void **state)
{
	pthread_t thread;

	(void)state;
	assert_int_equal(make(2500), 2500);
	pthread_create(&thread, NULL, use_all, (void *)(intptr_t)2500);
	use(2500);
	pthread_join(thread, NULL);
	for (int i = 2500; i < 3000; i++)
		assert_int_equal(situs_heap_create(&heaps[i], &aml_area_linux, NULL), 0);
	destroy(3000);
}

/* Threads that hold caches of heaps which others destroy, again and again. */

static pthread_barrier_t barrier;

static void *hold(void *arg)
{
	(void)arg;
	for (int round = 0; round < N_ROUNDS; round++) {
		pthread_barrier_wait(&barrier); /* made */
		use(50);
		for (int i = 0; i < 50; i++)
			situs_free(situs_malloc(heaps[i], 5000));
		pthread_barrier_wait(&barrier); /* cached: they go */
	}
	return NULL;
}

static void heaps_go_while_other_threads_hold_caches_of_them(void **state)
{
	pthread_t threads[4];

	(void)state;
	pthread_barrier_init(&barrier, NULL, 5);
	for (int i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, hold, NULL);
	for (int round = 0; round < N_ROUNDS; round++) {
		assert_int_equal(make(50), 50);
		pthread_barrier_wait(&barrier);
		pthread_barrier_wait(&barrier);
		destroy(50);
	}
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	pthread_barrier_destroy(&barrier);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_heap_in_light_use_is_small), /* first: no pool has spares yet */
		cmocka_unit_test(heaps_that_come_and_go_leave_nothing_behind),
		cmocka_unit_test(heaps_go_while_other_threads_hold_caches_of_them),
		cmocka_unit_test(one_heap_s_cpus_do_not_take_another_s_arena),
		cmocka_unit_test(four_thousand_heaps_work_at_once),
		cmocka_unit_test(too_many_heaps_are_refused_in_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
