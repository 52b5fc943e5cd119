/* SPDX-License-Identifier: BSD-3-Clause */
#include "heap/size_class.h"

#include "hooks/arena.h"

uint8_t size_class__of_eighths[SIZE_CLASS_MAX / 8 + 1];
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
	size_t eighth = 0;

	while (eighth <= SIZE_CLASS_MAX / 8 && size_class__count < SIZE_CLASSES) {
		size_t bytes = arena__good_size(eighth == 0 ? 1 : eighth * 8, 0);

		for (; eighth * 8 <= bytes && eighth <= SIZE_CLASS_MAX / 8; eighth++)
			size_class__of_eighths[eighth] = (uint8_t)(size_class__count << OWNER_CLASS_SHIFT);
		size_class__bytes[size_class__count++] = (uint32_t)bytes;
	}
	read_large_classes();
}
