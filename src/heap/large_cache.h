/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * large_cache.h - freed blocks of 32 KiB to 4 MiB, kept for a while in front of one jemalloc arena.
 *
 * jemalloc serves such blocks by splitting and merging extents, and each split and merge is entered in
 * the address map; a block that comes back for the same size needs neither. What lies here is bounded
 * in bytes and in age: a block goes on to jemalloc when there is no room for it and nothing held is
 * stale, and later when it is older than half the arena's decay time, as large blocks are freed and as
 * caches of small ones run full or empty; jemalloc's own decay follows.
 *
 * Blocks held are memory that serves one size only, so the bound follows what the heap has drawn
 * (LARGE_CACHE_SHARE), and when a heap had to draw more while blocks were held, they make way
 * (large_cache__shrink): what they add to the peak stays a small part of it. Where pages are to go back at
 * once (decay_ms 1) and the area can take them in place, a block gives its pages back when it comes
 * here: what is held then is address space.
 *
 * Blocks that the program writes to are jemalloc's to keep, for any size: holding them here would save little
 * of what writing them costs, and is what would be seen at the peak. So one block in a while is looked at when it
 * comes, in spaces of plain host memory, and when half of its pages are there nothing is held until a look
 * finds otherwise.
 *
 * Invariants: each class's blocks stand oldest first. *total is the sum of the sizes of all blocks that
 * the heap's caches hold, and a put leaves it within the bound.
 *
 * Locking: one lock, held for a few loads and stores and never while jemalloc is called; for the first
 * block the shelves' pool may ask the kernel under it.
 * A fork's child whose parent was inside it forgets the blocks held there: they are lost to the child.
 */
#ifndef HEAP_LARGE_CACHE_H
#define HEAP_LARGE_CACHE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/lock.h"
#include "heap/size_class.h"

struct space;

enum {
	/* Bytes that a heap may hold however little it has drawn, and else one part in so many of that.
	   Measured: a sixteenth adds 14 % to the peak of a program that churns large blocks only, a
	   sixty-fourth 3 %, and costs it half the speed. */
	LARGE_CACHE_MIN = 1024 * 1024,
	LARGE_CACHE_SHARE = 24,
	LARGE_CACHE_EARNED_SHARE = 4, /* one part in so many of what is drawn may be earned */
	LARGE_CACHE_EARNS = 16,       /* times its size, by a block that comes back for use */
	LARGE_CACHE_SPACE = 64 * 1024 * 1024, /* bytes where blocks have given their pages back */
	LARGE_CACHE_BLOCKS = 16,              /* of one class */
	/* Blocks that come between two looks at one: at first, and at most, after looks that agree. A look is
	   a third of a microsecond, a block that is held 0.17. */
	LARGE_CACHE_LOOKS_MIN = 4,
	LARGE_CACHE_LOOKS_MAX = 256,
};

_Static_assert(LARGE_CLASSES <= 32, "a bit for each class");

/* Apart, so that an arena without large blocks costs no page for it. */
struct large_shelf {
	uint32_t freed_at[LARGE_CLASSES][LARGE_CACHE_BLOCKS]; /* ms, wraps */
	void *blocks[LARGE_CLASSES][LARGE_CACHE_BLOCKS];
};

struct large_cache {
	/* Set once */
	uint32_t max_age;       /* ms; 0: nothing is held */
	struct space *purged;   /* blocks give their pages back, in this space; NULL: they keep them */
	_Atomic(size_t) *total; /* bytes held by all caches of the heap */

	struct space *space;    /* the arena's */

	/* Atomic; guesses, so changes that cross may be lost */
	_Atomic(size_t) earned; /* bytes that may be held beyond the bound, by what came back for use */
	_Atomic(unsigned) until_look, between_looks; /* blocks */
	atomic_bool are_written; /* the block that was looked at last was */

	struct lock lock;
	/* Under the lock */
	uint32_t last_sweep; /* ms, wraps */
	uint32_t held;       /* bit: this class holds blocks. Read without the lock, too */
	uint8_t n[LARGE_CLASSES];
	struct large_shelf *shelf; /* made for the first block */
};

/* Of zeroed memory; decay_ms as in struct situs_config. The space is that of the arena. */
void large_cache__init(struct large_cache *cache, long decay_ms, struct space *space,
	_Atomic(size_t) *total);

/* A block of the class, or NULL. `earns`: it shows that holding blocks is of use. */
void *large_cache__get(struct large_cache *cache, unsigned large_class, bool earns);

/* There was none for so many bytes: what is held and has no use makes way before jemalloc is asked. */
void large_cache__missed(struct large_cache *cache, size_t size, size_t drawn);

/* Takes a block of a heap that has drawn so many bytes; false: it is not wanted. */
bool large_cache__put(struct large_cache *cache, unsigned large_class, void *block, size_t drawn);

/* Gives the oldest blocks, so many bytes of them, to jemalloc. */
void large_cache__shrink(struct large_cache *cache, size_t size);

/* Now and then: what is too old goes, also where no large block comes any more. */
void large_cache__age(struct large_cache *cache);

/* Adds the blocks held to n_blocks[class]. */
void large_cache__count(struct large_cache *cache, size_t n_blocks[LARGE_CLASSES]);

/* Whose arena is gone, and with it every block. */
void large_cache__destroy(struct large_cache *cache);

/* In the child of a fork: counts what is held anew into *total, which is 0 before the heap's first. */
void large_cache__after_fork(struct large_cache *cache);

/* Gives everything to jemalloc. */
void large_cache__flush(struct large_cache *cache);

#endif
