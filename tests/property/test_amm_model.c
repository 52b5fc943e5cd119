/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_amm_model.c - thousands of random programs for amm_model.c.
 *
 * AMM_SEED=n runs that one program; AMM_SEEDS=n runs as many as that.
 */
#include "tests/unit/test.h"

#include <stdio.h>
#include <stdlib.h>

#include "tests/property/amm_model.h"

enum {
	SEEDS = 10000,
	LENGTH = 1500, /* bytes a program: some 270 operations */
};

static uint64_t next_random(uint64_t *x)
{
	*x ^= *x << 13;
	*x ^= *x >> 7;
	*x ^= *x << 17;
	return *x;
}

static void run_seed(unsigned long seed)
{
	uint8_t bytes[LENGTH];
	uint64_t x = seed * 0x9e3779b97f4a7c15u + 1;

	/* Known before it can fail. */
	char line[64];

	snprintf(line, sizeof(line), "%lu", seed);
	setenv("AMM_SEED_RUNNING", line, 1);
	for (size_t i = 0; i < LENGTH; i++)
		bytes[i] = (uint8_t)(next_random(&x) >> 32);
	amm_model_run(bytes, LENGTH);
}

static unsigned long number(const char *name, unsigned long otherwise)
{
	const char *text = getenv(name);

	return text == NULL ? otherwise : strtoul(text, NULL, 10);
}

static void map_equals_an_array_of_tags_whatever_is_done_and_whatever_fails(void **state)
{
	unsigned long seed = number("AMM_SEED", 0), n = number("AMM_SEEDS", SEEDS);

	(void)state;
	if (getenv("AMM_SEED") != NULL) {
		run_seed(seed);
		return;
	}
	for (seed = 0; seed < n; seed++)
		run_seed(seed);
	printf("# %lu seeds, %zu operations, %zu planted failures\n", n, amm_model_n_operations,
		amm_model_n_failures);
	assert_true(amm_model_n_failures > n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(map_equals_an_array_of_tags_whatever_is_done_and_whatever_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
