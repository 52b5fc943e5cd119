/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A program that is linked with jemalloc and mixes its extended functions with malloc's family: every
 * block may be freed by either.
 */
#include <jemalloc/jemalloc.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool all_are(const char *block, char byte, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (block[i] != byte)
			return false;
	return true;
}

/* Fills it, so that whoever shares the memory is found out. */
static void *filled(void *block, size_t size)
{
	if (!block)
		abort();
	return memset(block, (int)(size % 251), size);
}

static void crosswise(size_t size, int particular)
{
	free(filled(mallocx(size, 0), size));
	free(filled(mallocx(size, particular), size));
	dallocx(filled(malloc(size), size), 0);
	sdallocx(filled(malloc(size), size), size, 0);
	free(realloc(filled(mallocx(size, particular), size), 2 * size));
	free(filled(rallocx(filled(malloc(size), size), 3 * size, 0), 3 * size));
	free(rallocx(filled(mallocx(size, particular), size), 3 * size, particular));
	dallocx(rallocx(filled(malloc(size), size), 3 * size, particular), particular);
}

static bool keeps_promises(size_t size, int particular)
{
	char *aligned = mallocx(size, MALLOCX_ALIGN(4096) | MALLOCX_ZERO);
	char *grown = filled(mallocx(size, 0), size);
	bool kept = (uintptr_t)aligned % 4096 == 0 && all_are(aligned, 0, size);
	size_t usable = sallocx(grown, 0);

	memset(grown, 'g', usable);
	grown = rallocx(grown, 4 * usable, MALLOCX_ZERO);
	kept = kept && all_are(grown, 'g', usable) && all_are(grown + usable, 0, 3 * usable);
	kept = kept && xallocx(grown, 4 * usable, 0, 0) >= 4 * usable;
	free(aligned);
	free(grown);
	grown = filled(mallocx(size, particular), size);
	kept = kept && malloc_usable_size(grown) == sallocx(grown, 0) && sallocx(grown, 0) >= size;
	free(grown);
	return kept;
}

int main(void)
{
	size_t size_of_index = sizeof(unsigned);
	unsigned arena;
	int particular;

	if (mallctl("arenas.create", &arena, &size_of_index, NULL, 0))
		return 2;
	particular = MALLOCX_ARENA(arena) | MALLOCX_TCACHE_NONE;
	for (size_t size = 1; size < (1 << 20); size = size * 3 / 2 + 1) {
		for (int i = 0; i < 50; i++)
			crosswise(size, particular);
		if (!keeps_promises(size, particular))
			return 1;
	}
	puts("done");
	return 0;
}
