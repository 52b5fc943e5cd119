/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * size_class.h - the size classes that thread caches hold, as jemalloc has them.
 *
 * The classes are read from jemalloc (nallocx) when the library is loaded, so a cached block is
 * exactly what jemalloc would have given, whatever its build options.
 */
#ifndef HEAP_SIZE_CLASS_H
#define HEAP_SIZE_CLASS_H

#include <stddef.h>
#include <stdint.h>

enum {
	SIZE_CLASS_MAX = 32768, /* largest cached block, bytes; jemalloc's own caches end there too */
	SIZE_CLASSES = 64,      /* room; jemalloc 5.3 has 41 up to that size */
	SIZE_CLASS_NONE = 0xff,
};

extern uint8_t size_class__of_eighths[SIZE_CLASS_MAX / 8 + 1];
extern uint32_t size_class__bytes[SIZE_CLASSES];
extern unsigned size_class__count;

/* size <= SIZE_CLASS_MAX; 0 counts as 1. */
static inline unsigned size_class__of(size_t size)
{
	return size_class__of_eighths[(size + 7) >> 3];
}

#endif
