/* SPDX-License-Identifier: BSD-3-Clause */
#include "heap/mistaken.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/error.h"
#include "heap/size_class.h"

enum {
	BATCH = 64,
	LG_SEEN = 10,
	PAGE = 4096,
	CACHE_LINE = 64,
	SLAB_CLASS_LIMIT = 16384, /* from here on blocks are extents, which jemalloc offsets by cache lines */
};

void mistaken__say(const void *block, const char *what)
{
	int err = errno;

	error__set(EINVAL, "free of %p: %s", block, what);
	errno = err;
}

/* Blocks of a slab stand at multiples of their size from a page's start. */
static uintptr_t alignment_of(size_t size)
{
	size_t lowest = size & -size;

	if (size >= SLAB_CLASS_LIMIT)
		return CACHE_LINE;
	return lowest < PAGE ? lowest : PAGE;
}

static bool stands_among(void *const *blocks, size_t n, const void *block)
{
	for (size_t i = 0; i < n; i++)
		if (blocks[i] == block)
			return true;
	return false;
}

/* A mark for each hash seen, so that hardly any block is compared with others. */
static size_t drop_some(void **blocks, size_t n, unsigned class)
{
	const uintptr_t mask = alignment_of(size_class__bytes[class]) - 1;
	bool seen[1 << LG_SEEN] = {false};
	size_t kept = 0;

	for (size_t i = 0; i < n; i++) {
		uintptr_t address = (uintptr_t)blocks[i];
		/* Fibonacci hashing. */
		uint64_t hash = address * UINT64_C(0x9e3779b97f4a7c15) >> (64 - LG_SEEN);
		bool again = seen[hash];

		if (__builtin_expect((address & mask) != 0, 0)) {
			mistaken__say(blocks[i], "no block begins there");
		} else if (__builtin_expect(again, 0) && stands_among(blocks, kept, blocks[i])) {
			mistaken__say(blocks[i], "it was freed before");
		} else {
			seen[hash] = true;
			blocks[kept++] = blocks[i];
		}
	}
	return kept;
}

size_t mistaken__drop(void **blocks, size_t n, unsigned class)
{
	size_t kept = 0;

	for (size_t i = 0; i < n; i += BATCH) {
		size_t some = drop_some(blocks + i, n - i < BATCH ? n - i : BATCH, class);

		memmove(blocks + kept, blocks + i, some * sizeof(void *));
		kept += some;
	}
	return kept;
}
