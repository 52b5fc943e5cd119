/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * size_class.h - the size classes that caches hold, as jemalloc has them.
 *
 * The classes are read from jemalloc (nallocx) when the library is loaded, so a cached block is
 * exactly what jemalloc would have given, whatever its build options.
 */
#ifndef HEAP_SIZE_CLASS_H
#define HEAP_SIZE_CLASS_H

#include <stddef.h>
#include <stdint.h>

#include "hooks/owner.h"

enum {
	SIZE_CLASS_MAX = 32768, /* largest cached block, bytes; jemalloc's own caches end there too */
	SIZE_CLASSES = OWNER_BINS, /* room; jemalloc 5.3 has 41 up to that size */

	/* Beyond them: what an arena's cache of large blocks holds. Page map classes go on counting. */
	LARGE_CLASS_MAX = 4 * 1024 * 1024, /* bytes */
	LARGE_CLASS_FIRST = SIZE_CLASSES,
	LARGE_CLASSES = 32, /* room; jemalloc 5.3 has 28 */
};

/* By the byte, and as the codes of page map words, which is how the fast path of malloc wants them: measured, to
   round a size to eighths first costs 2 % of a pair. */
extern uint8_t size_class__code_of_size[SIZE_CLASS_MAX + 1];
extern uint32_t size_class__bytes[SIZE_CLASSES];
extern unsigned size_class__count;

extern uint8_t large_class__of_pages[LARGE_CLASS_MAX / 4096];
extern uint32_t large_class__bytes[LARGE_CLASSES];
extern unsigned large_class__count;

/* SIZE_CLASS_MAX < size <= LARGE_CLASS_MAX; counts from 0. */
static inline unsigned large_class__of(size_t size)
{
	return large_class__of_pages[(size - 1) >> 12];
}

/* size <= SIZE_CLASS_MAX; 0 counts as 1. */
static inline uint32_t size_class__code(size_t size)
{
	return size_class__code_of_size[size];
}

static inline unsigned size_class__of(size_t size)
{
	return size_class__code(size) / OWNER_BIN;
}

#endif
