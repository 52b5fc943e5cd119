/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * heaps NAME PLACE MIB ...: a program with such heaps, so many MiB of each touched. Says its process id;
 * then allocates and frees a little for each byte of its input, and ends with it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "situs.h"

enum { MAX_HEAPS = 8, BLOCK = 64 * 1024, N_SMALL = 4096 };

static situs_heap_t *heaps[MAX_HEAPS];
static int n_heaps;

static int fail(const char *what)
{
	fprintf(stderr, "heaps: %s: %s\n", what, situs_error());
	return 1;
}

static int make(const char *name, const char *place, size_t mib)
{
	struct situs_config config = { .struct_size = sizeof(config), .name = name };
	struct aml_area *area;
	situs_heap_t *heap;

	if (aml_area_open(&area, place) || situs_heap_create(&heap, area, &config))
		return fail(name);
	heaps[n_heaps++] = heap;
	for (size_t i = 0; i < mib * 1024 * 1024 / BLOCK; i++) {
		char *block = situs_malloc(heap, BLOCK);

		if (!block)
			return fail(name);
		memset(block, (int)i + 1, BLOCK);
	}
	return 0;
}

/* Enough of small blocks that caches run out of them. */
static int work(situs_heap_t *heap)
{
	static void *blocks[N_SMALL];

	for (int i = 0; i < N_SMALL; i++) {
		blocks[i] = situs_malloc(heap, 200);
		if (!blocks[i])
			return fail("work");
	}
	for (int i = 0; i < N_SMALL; i++)
		situs_free(blocks[i]);
	return 0;
}

int main(int argc, char **argv)
{
	char byte;

	for (int i = 1; i + 2 < argc && n_heaps < MAX_HEAPS; i += 3)
		if (make(argv[i], argv[i + 1], strtoul(argv[i + 2], NULL, 10)))
			return 1;
	printf("%ld\n", (long)getpid());
	fflush(stdout);
	while (read(STDIN_FILENO, &byte, 1) > 0)
		for (int i = 0; i < n_heaps; i++)
			if (work(heaps[i]))
				return 1;
	return 0;
}
