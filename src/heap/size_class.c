/* SPDX-License-Identifier: BSD-3-Clause */
#include "heap/size_class.h"

#include <string.h>

#include "hooks/arena.h"

uint8_t size_class__code_of_size[SIZE_CLASS_MAX + 1];
uint32_t size_class__bytes[SIZE_CLASSES];
unsigned size_class__count;

uint8_t large_class__of_pages[LARGE_CLASS_MAX / 4096];
uint32_t large_class__bytes[LARGE_CLASSES];
unsigned large_class__count;

static void read_large_classes(void)
{
	size_t page = SIZE_CLASS_MAX / 4096;

	while (page < LARGE_CLASS_MAX / 4096 && large_class__count < LARGE_CLASSES) {
		size_t bytes = arena__good_size((page + 1) * 4096, 0);

		for (; (page + 1) * 4096 <= bytes && page < LARGE_CLASS_MAX / 4096; page++)
			large_class__of_pages[page] = (uint8_t)large_class__count;
		large_class__bytes[large_class__count++] = (uint32_t)bytes;
	}
}

/* Before any other constructor can want a heap; jemalloc's library is initialised before ours. */
__attribute__((constructor(101))) static void read_classes(void)
{
	size_t size = 0;

	while (size <= SIZE_CLASS_MAX && size_class__count < SIZE_CLASSES) {
		size_t bytes = arena__good_size(size == 0 ? 1 : size, 0);
		size_t end = bytes < SIZE_CLASS_MAX ? bytes + 1 : SIZE_CLASS_MAX + 1;

		memset(size_class__code_of_size + size, (int)owner__code(size_class__count), end - size);
		size = end;
		size_class__bytes[size_class__count++] = (uint32_t)bytes;
	}
	read_large_classes();
}
