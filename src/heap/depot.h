/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * depot.h - free small blocks of one heap between its threads' caches and jemalloc.
 *
 * What overflows one thread's cache refills another's, by the batch and without a look at the blocks:
 * jemalloc takes and gives them one by one, which costs ten times as much. So threads that free one
 * another's blocks, or free many at once and allocate as many again, do not meet jemalloc for each.
 *
 * What lies here is bounded in bytes, by what the heap has drawn (DEPOT_SHARE); a heap that has to draw more
 * while blocks lie here gives up as much of them; and what nobody has taken since the last look goes
 * back to jemalloc.
 *
 * Invariants: of each class, n is the sum of its batches' n, all but the first batch are full, and
 * lowest <= n. held is the sum of n * block size, a little behind or ahead of it while threads are inside.
 *
 * Locking: one lock a class, held for copies of pointers only. Nothing here calls malloc. A fork's child whose
 * parent was inside a class forgets its blocks: they are lost to the child.
 */
#ifndef HEAP_DEPOT_H
#define HEAP_DEPOT_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "base/lock.h"
#include "heap/size_class.h"

struct situs_heap;

enum {
	DEPOT_MIN = 2 * 1024 * 1024, /* bytes, however little is drawn: what one thread's cache may hold */
	DEPOT_SHARE = 16,            /* else one part in so many of what is drawn */
	DEPOT_BATCH = 62,            /* a batch is 512 bytes */
};

struct depot_batch {
	struct depot_batch *next;
	size_t n;
	void *blocks[DEPOT_BATCH];
};

struct depot_class {
	struct lock lock;
	/* Under the lock */
	struct depot_batch *first; /* the only one that may be less than full */
	uint32_t n, lowest;        /* blocks; the fewest since the last look */
};

struct depot {
	_Atomic(size_t) held;        /* bytes */
	_Atomic(uint32_t) looked_at; /* ms of a coarse clock, wraps */
	_Atomic(unsigned) next;      /* class to give blocks up first */
	struct depot_class classes[SIZE_CLASSES];
};

/* Takes up to n blocks and returns how many, the first of them. Made on first use. */
size_t depot__put(struct situs_heap *heap, unsigned class, void **blocks, size_t n);

/* Gives up to n blocks and returns how many. */
size_t depot__get(struct situs_heap *heap, unsigned class, void **blocks, size_t n);

/* Gives blocks of so many bytes to jemalloc, if there are as many; everything. */
void depot__shrink(struct situs_heap *heap, size_t bytes);
void depot__flush(struct situs_heap *heap);

/* Adds the blocks of each class to n_blocks. */
void depot__count(struct situs_heap *heap, size_t n_blocks[SIZE_CLASSES]);

/* Frees the depot itself, not its blocks. */
void depot__destroy(struct situs_heap *heap);

void depot__after_fork(struct situs_heap *heap);

#endif
