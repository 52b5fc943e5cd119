/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * large_cache.h - freed blocks of 32 KiB to 4 MiB, kept for a while in front of one jemalloc arena.
 *
 * jemalloc serves such blocks by splitting and merging extents, and each split and merge is entered in
 * the address map; a block that comes back for the same size needs neither. What lies here is bounded
 * in bytes and in age: a block goes on to jemalloc when it is older than half the arena's decay time,
 * at the next call that comes by, and jemalloc's own decay follows.
 *
 * Invariant: bytes is the sum of the sizes of all blocks held, at most LARGE_CACHE_BYTES; each
 * class's blocks stand oldest first.
 *
 * Locking: one lock, held for a few loads and stores and never while jemalloc is called.
 */
#ifndef HEAP_LARGE_CACHE_H
#define HEAP_LARGE_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/lock.h"
#include "heap/size_class.h"

enum {
	LARGE_CACHE_BYTES = 64 * 1024 * 1024,
	LARGE_CACHE_BLOCKS = 16, /* of one class */
};

struct large_cache {
	uint32_t max_age; /* ms; 0: nothing is held. Set once */

	struct lock lock;
	/* Under the lock */
	size_t bytes;
	uint32_t last_sweep; /* ms, wraps */
	uint8_t n[LARGE_CLASSES];
	uint32_t freed_at[LARGE_CLASSES][LARGE_CACHE_BLOCKS]; /* ms, wraps */
	void *blocks[LARGE_CLASSES][LARGE_CACHE_BLOCKS];
};

/* Of zeroed memory, which stays untouched but for a line; decay_ms as in struct situs_config. */
void large_cache__init(struct large_cache *cache, long decay_ms);

/* A block of the class, or NULL. */
void *large_cache__get(struct large_cache *cache, unsigned large_class);

/* Takes a block; false: it is not wanted. */
bool large_cache__put(struct large_cache *cache, unsigned large_class, void *block);

/* Adds the blocks held to n_blocks[class]. */
void large_cache__count(struct large_cache *cache, size_t n_blocks[LARGE_CLASSES]);

/* Gives everything to jemalloc. */
void large_cache__flush(struct large_cache *cache);

#endif
