/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * erring MISTAKE SIZE: makes one mistake with a block of a heap, for erring.sh to see what
 * AddressSanitizer or memcheck says of it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "situs.h"

static situs_heap_t *heap;
static volatile char sink;

static void *hidden(void *address)
{
	void *volatile kept = address;

	return kept;
}

static void read_freed(size_t size)
{
	char *block = situs_malloc(heap, size);

	situs_free(block);
	sink = ((char *)hidden(block))[size / 2];
}

static void write_behind(size_t size)
{
	char *block = hidden(situs_malloc(heap, size));

	block[size] = 1;
	situs_free(block);
}

static void read_before(size_t size)
{
	char *block = hidden(situs_malloc(heap, size));

	sink = block[-1];
	situs_free(block);
}

static void behind_resized(size_t size)
{
	char *block = hidden(situs_realloc(heap, situs_malloc(heap, size), size * 2));

	sink = block[size * 2];
	situs_free(block);
}

static void use_undefined(size_t size)
{
	char *block = situs_malloc(heap, size);

	memset(block, 1, size);
	situs_free(block);
	block = situs_malloc(heap, size);
	if (((char *)hidden(block))[size / 2] == 7)
		puts("seven");
	situs_free(block);
}

static void use_zeroed(size_t size)
{
	char *block = situs_calloc(heap, 1, size);

	if (((char *)hidden(block))[size / 2] == 7)
		puts("seven");
	situs_free(block);
}

static void lose(size_t size)
{
	/* memcheck 3.19 looks for leaks in pools only where malloc has blocks out too. */
	static void *volatile kept;

	kept = malloc(1);
	if (kept == NULL)
		return;
	memset(hidden(situs_malloc(heap, size)), 1, size);
	/* What registers and the stack still know of it goes. */
	for (int i = 0; i < 100; i++)
		situs_free(situs_malloc(heap, 10));
}

/* What registers and the stack still know is overwritten. */
static __attribute__((noinline)) void forget(void)
{
	volatile char stack[8192];

	for (size_t i = 0; i < sizeof(stack); i++)
		stack[i] = 0;
}

/* Known from a heap's block alone, and from nowhere else: no leak. */
static void keep_in_heap(size_t size)
{
	static char **volatile keeper;

	keeper = situs_malloc(heap, sizeof(*keeper));
	*keeper = malloc(size);
	strcpy(*keeper, "kept");
	forget();
}

static void use_well(size_t size)
{
	void *blocks[50];

	for (size_t i = 0; i < 50; i++) {
		blocks[i] = i % 3 == 0 ? situs_calloc(heap, i + 1, size) : i % 3 == 1 ?
			situs_aligned_alloc(heap, (size_t)1 << i % 14, size + i) : situs_malloc(heap, size + i);
		memset(blocks[i], 1, size);
	}
	for (size_t i = 1; i < 50; i++) {
		blocks[i] = situs_realloc(heap, blocks[i], size * (1 + i % 3));
		memset(blocks[i], 1, size * (1 + i % 3));
	}
	for (size_t i = 0; i < 25; i++)
		situs_free(blocks[i]);
	(void)situs_heap_trim(heap);
	for (size_t i = 0; i < 50; i++)
		situs_free(situs_calloc(heap, 3, size));
}

static const struct {
	const char *name;
	void (*make)(size_t size);
} mistakes[] = {
	{"read-freed", read_freed},
	{"write-behind", write_behind},
	{"read-before", read_before},
	{"behind-resized", behind_resized},
	{"use-undefined", use_undefined},
	{"use-zeroed", use_zeroed},
	{"lose", lose},
	{"keep-in-heap", keep_in_heap},
	{"use-well", use_well},
};

int main(int argc, char **argv)
{
	if (argc != 3 || situs_heap_create(&heap, &aml_area_linux, NULL) != 0)
		return 2;
	for (size_t i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++)
		if (strcmp(mistakes[i].name, argv[1]) == 0)
			mistakes[i].make((size_t)atol(argv[2]));
	/* With the heap goes everything in it: no leak. The loser keeps the heap. */
	if (strcmp(argv[1], "lose") != 0 && strcmp(argv[1], "keep-in-heap") != 0)
		situs_heap_destroy(heap);
	return 0;
}
