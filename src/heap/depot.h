/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * depot.h - free small blocks of one heap between its threads' caches and jemalloc.
 *
 * What overflows one thread's cache refills another's, by the batch and without a look at the blocks:
 * jemalloc takes and gives them one by one, which costs ten times as much. So threads that free one
 * another's blocks, or free many at once and allocate as many again, do not meet jemalloc for each.
 *
 * Each arena has its own depot, and blocks go to that of the arena they are of, whoever frees them: the thread that
 * wrote to them last finds them in its processor's cache, and to free a block does not touch it. Threads that find
 * none of their own take what there is of others', but for a few of blocks that share cache lines.
 *
 * What lies in a heap's depots is bounded in bytes, by what the heap has drawn (DEPOT_SHARE); a heap that has to
 * draw more while blocks lie here gives up as much of them; and what nobody has taken since the last look goes
 * back to jemalloc.
 *
 * Invariants: of each class, n is the sum of its batches' n, lowest <= n, and n * block size <= charged. held is the
 * sum of charged, a little behind or ahead of it while threads are inside.
 *
 * Locking: one brief lock a class, held for a few pointers, or for copies of them where a batch is not whole; one for
 * each list of empty batches. None is taken while another is held. Nothing here calls malloc. A fork's child whose
 * parent was inside a class forgets its blocks: they are lost to the child.
 */
#ifndef HEAP_DEPOT_H
#define HEAP_DEPOT_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "base/brief.h"
#include "heap/size_class.h"

struct heap_arena;
struct situs_heap;

enum {
	DEPOT_MIN = 2 * 1024 * 1024, /* bytes, however little is drawn: what one thread's cache may hold */
	DEPOT_SHARE = 16,            /* else one part in so many of what is drawn */
	DEPOT_BATCH = 62,            /* a batch is 512 bytes */
};

/* Threads that work at once do not write to one cache line. */
#define DEPOT_LINE __attribute__((aligned(64)))

struct depot_batch {
	struct depot_batch *next;
	size_t n;
	void *blocks[DEPOT_BATCH];
};

/* On a cache line of its own, and all on one. */
struct depot_class {
	struct brief lock DEPOT_LINE;
	/* Under the lock */
	uint32_t n, lowest;        /* blocks, to be read without too; the fewest since the last look */
	struct depot_batch *first; /* what came last */
	size_t charged;            /* bytes counted for it in depots.held; to be read without too */
};

/* Empty batches. */
struct depot_spares {
	struct brief lock DEPOT_LINE;
	/* Under the lock */
	struct depot_batch *first;
	size_t n, wanted; /* n <= wanted */
};

struct depot {
	struct depot_spares spares;
	struct depot_class classes[SIZE_CLASSES];
};

/* What the depots of one heap share. */
struct depots {
	_Atomic(size_t) held DEPOT_LINE;        /* bytes, and a little more: see set_count_locked */
	_Atomic(uint32_t) looked_at DEPOT_LINE; /* ms of a coarse clock, wraps */
	_Atomic(unsigned) next;                 /* class to give blocks up first */
};

/*
 * Takes up to n blocks from a thread that draws from the arena `own` and returns how many; they are the first then,
 * since the order may change. Made on first use.
 */
size_t depot__put(struct situs_heap *heap, struct heap_arena *own, unsigned class, void **blocks, size_t n);

/* Gives such a thread up to n blocks and returns how many. */
size_t depot__get(struct situs_heap *heap, struct heap_arena *own, unsigned class, void **blocks, size_t n);

/* Gives blocks of so many bytes to jemalloc, if there are as many; everything. */
void depot__shrink(struct situs_heap *heap, size_t bytes);
void depot__flush(struct situs_heap *heap);

/* Adds the blocks of each class to n_blocks. */
void depot__count(struct situs_heap *heap, size_t n_blocks[SIZE_CLASSES]);

/* Frees the depots themselves, not their blocks. */
void depot__destroy(struct situs_heap *heap);

/* In the child: of each heap, and what heaps share. */
void depot__after_fork(struct situs_heap *heap);
void depot__all_after_fork(void);

#endif
