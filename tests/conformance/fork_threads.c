/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Threads allocate, hand blocks to each other and end while the main thread forks; children allocate,
 * free what they inherited, start threads of their own, and exit through handlers that allocate.
 */
#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define N_THREADS 4
#define N_SLOTS 256
#define N_FORKS 60

static _Atomic(char *) slots[N_SLOTS];
static atomic_bool stop;

/* A block carries its size and a byte that fills it: whoever frees it checks. */
static char *make(unsigned *seed)
{
	size_t size = 16 + (size_t)(rand_r(seed) % 100 ? rand_r(seed) % 2000 : rand_r(seed) % 300000);
	char *block = rand_r(seed) % 2 ? malloc(size) : calloc(1, size);

	if (!block)
		abort();
	memcpy(block, &size, sizeof(size));
	memset(block + sizeof(size), (int)(size % 251), size - sizeof(size));
	return block;
}

static void drop(char *block)
{
	size_t size;

	if (!block)
		return;
	memcpy(&size, block, sizeof(size));
	if (block[sizeof(size)] != (char)(size % 251) || block[size - 1] != (char)(size % 251)) {
		fprintf(stderr, "a block of %zu bytes was overwritten\n", size);
		abort();
	}
	free(block);
}

static void churn(unsigned *seed, int n)
{
	for (int i = 0; i < n; i++)
		drop(atomic_exchange(&slots[rand_r(seed) % N_SLOTS], make(seed)));
}

static void *generation(void *arg)
{
	unsigned seed = (unsigned)(size_t)arg;

	churn(&seed, 200);
	return NULL;
}

/* Starts short-lived threads for ever: each leaves its caches behind. */
static void *breeder(void *arg)
{
	unsigned seed = (unsigned)(size_t)arg;
	pthread_t thread;

	while (!atomic_load(&stop)) {
		if (pthread_create(&thread, NULL, generation, (void *)(size_t)rand_r(&seed)))
			abort();
		churn(&seed, 100);
		pthread_join(thread, NULL);
	}
	return NULL;
}

static void at_exit(void)
{
	unsigned seed = 99;

	churn(&seed, 50);
}

static void child(unsigned seed)
{
	pthread_t thread;

	atexit(at_exit);
	churn(&seed, 300);
	if (pthread_create(&thread, NULL, generation, (void *)(size_t)seed) || pthread_join(thread, NULL))
		_exit(3);
	exit(0);
}

static void load_and_unload(void)
{
	void *library = dlopen("libm.so.6", RTLD_NOW);
	double (*function)(double);

	if (!library)
		abort();
	*(void **)&function = dlsym(library, "cbrt");
	if (!function || function(27) < 2.9)
		abort();
	dlclose(library);
}

int main(void)
{
	pthread_t threads[N_THREADS];
	int status;
	pid_t pid;

	for (size_t i = 0; i < N_THREADS; i++)
		if (pthread_create(&threads[i], NULL, breeder, (void *)(i + 1)))
			return 1;
	for (unsigned i = 0; i < N_FORKS; i++) {
		pid = fork();
		if (pid == 0)
			child(i);
		if (pid < 0 || waitpid(pid, &status, 0) != pid || status) {
			fprintf(stderr, "child %u: status %#x\n", i, (unsigned)status);
			return 1;
		}
		load_and_unload();
	}
	atomic_store(&stop, true);
	for (size_t i = 0; i < N_THREADS; i++)
		pthread_join(threads[i], NULL);
	for (size_t i = 0; i < N_SLOTS; i++)
		drop(atomic_exchange(&slots[i], NULL));
	puts("done");
	return 0;
}
