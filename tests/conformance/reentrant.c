/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * jemalloc makes its background threads inside its own calls, and pthread_create allocates there: such a
 * block comes from elsewhere and must not end in a cache. Whether it does depends on how full the cache
 * of its size is at that moment, so children try every fill.
 */
#include <dlfcn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

typedef int mallctl_func(const char *, void *, size_t *, void *, size_t);

enum { FILLS = 1000, FILL_STEP = 5, CHURN = 5000, N_SIZES = 5 };

/* A thread's table of TLS modules has 16 bytes for each of some twenty: one of these classes. */
static const size_t sizes[N_SIZES] = {250, 310, 370, 440, 500};

static int try_fill(mallctl_func *control, int n_held)
{
	static char *blocks[CHURN + FILLS];
	bool on = true;

	for (int i = 0; i < CHURN + n_held; i++) {
		blocks[i] = malloc(sizes[i % N_SIZES]);
		memset(blocks[i], i, sizes[i % N_SIZES]);
	}
	if (control("background_thread", NULL, NULL, &on, sizeof(on)) != 0)
		return 1;
	/* Caches overflow, and what lies at their bottom goes back to jemalloc. */
	for (int i = 0; i < CHURN + n_held; i++) {
		if (blocks[i][sizes[i % N_SIZES] - 1] != (char)i)
			return 2;
		free(blocks[i]);
	}
	return 0;
}

int main(void)
{
	mallctl_func *control;

	*(void **)&control = dlsym(RTLD_DEFAULT, "mallctl");
	if (control == NULL) {
		puts("no jemalloc in this program");
		return 1;
	}
	for (int n = 0; n < FILLS; n += FILL_STEP) {
		pid_t child = fork();
		int status = 0;

		if (child == 0)
			_exit(try_fill(control, n));
		waitpid(child, &status, 0);
		if (status != 0) {
			printf("with %d blocks held: status 0x%x\n", n, status);
			return 1;
		}
	}
	puts("done");
	return 0;
}
