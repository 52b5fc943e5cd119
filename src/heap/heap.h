/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * heap.h - a heap: an area, the arenas that draw from it, and the bounds they share.
 *
 * Locking: heap->lock covers making arenas; readers of heap->arenas take none (an arena, once
 * published, stays until the heap is destroyed). Lock order: threads, heap, jemalloc's, spaces.
 */
#ifndef HEAP_HEAP_H
#define HEAP_HEAP_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/lock.h"
#include "heap/channel.h"
#include "heap/depot.h"
#include "heap/large_cache.h"
#include "heap/size_class.h"
#include "hooks/arena.h"
#include "hooks/conduit.h"
#include "hooks/owner.h"
#include "situs.h"

enum {
	HEAP_NAME_SIZE = 64,
	HEAP_PLACE_SIZE = 128,
	HEAP_ARENAS_MAX = 256,
	HEAP_REFUSALS = SPACE_REFUSED_BOOKS + 1,
	/* Page map classes of what caches of threads do not hold, beside those of large blocks */
	HEAP_CLASS_DIRECT = OWNER_PAGES - 1, /* a block that lies in an extent of its own */
	HEAP_CLASS_GONE = OWNER_PAGES - 2,   /* a block of more than SIZE_CLASS_MAX bytes was here and was freed */
};

_Static_assert(LARGE_CLASS_FIRST + LARGE_CLASSES <= HEAP_CLASS_GONE, "each has a number of its own");

/* What was noted where nothing may be called, and is told at the end of the next slow path. */
enum heap_news {
	HEAP_PASSED_SOFT = 1, /* more is drawn than the soft limit */
	HEAP_GREW = 2,        /* much more is drawn than when the table was last told what is in use */
};

_Static_assert(HEAP_ARENAS_MAX <= UINT8_MAX + 1, "a slot is a byte");

struct heap_arena {
	unsigned index; /* jemalloc's */
	uint8_t slot;   /* its place among the heap's, which hints of the page map name */
	_Atomic(struct depot *) depot; /* NULL: not used yet */
	struct heap_arena *next; /* jemalloc's is gone: the next of which the area does not take all back */
	struct hooks *hooks;
	struct large_cache large;
	unsigned n_caches; /* of threads that draw from it; under the threads' lock */
	struct conduit conduit;
};

/* A limit that is told of, not kept: see limit.c. */
struct heap_soft {
	_Atomic(size_t) limit; /* bytes; 0: none */
	atomic_bool is_passed; /* more is drawn, and that has been noted */
	situs_limit_func *func; /* under the heap's lock, as is arg */
	void *arg;
};

struct situs_heap {
	/* Set once */
	struct owner owner;
	struct aml_area *owned_area; /* closed with the heap; NULL: the caller's */
	size_t thread_cache;         /* bytes; 0: none */
	long decay_ms;
	unsigned n_arenas;           /* entries of `arenas` that may be used */
	char name[HEAP_NAME_SIZE];
	char place[HEAP_PLACE_SIZE]; /* what the area calls itself */
	int published;               /* slot in the published table, or -1 */

	/* Atomic */
	struct space_account account;
	_Atomic(uint64_t) n_failures;
	_Atomic(unsigned) n_purging; /* threads that are giving unused memory back */
	_Atomic(uint64_t) n_refused[HEAP_REFUSALS]; /* the same, by enum space_refusal */
	_Atomic(unsigned) n_trims; /* asked for; caches that have not seen the last empty themselves */
	atomic_uchar news; /* enum heap_news */
	struct heap_soft soft;
	_Atomic(size_t) tell_above; /* bytes: once more is drawn, HEAP_GREW is news */
	_Atomic(unsigned) n_made; /* of the arenas */
	struct depots depots;
	_Atomic(size_t) large_held; /* bytes in the arenas' caches of large blocks */
	_Atomic(size_t) direct; /* bytes of blocks that lie in extents of their own */

	unsigned n_caches; /* of threads; under the threads' lock */
	struct situs_heap *next_named; /* under named.c's lock */
	struct situs_heap *next, **link_to_this; /* under the registry's lock */

	struct lock lock;
	/* Under the lock */
	bool is_migrating;
	struct channel_area *areas_by_request; /* where it was moved: channel.c */
	struct situs_migration migration; /* the last one's account */
	struct migrate_figures *migration_nodes; /* the same for each node; NULL before the first */
	bool owes_pages; /* a strict area has not got all pages yet that it promises: migrate.c */
	struct heap_arena *going; /* list: arenas of which the area has not taken all back */
	_Atomic(struct heap_arena *) arenas[HEAP_ARENAS_MAX]; /* written under the lock */
};

/*
 * The arena that the calling thread draws from, NULL with a sentence: its cache's, so that what it frees
 * is what it finds again; a thread without a cache takes the one of its CPU, made on first use.
 */
struct heap_arena *heap__arena(struct situs_heap *heap);

/*
 * A block from the arena that surely lies in the heap's area and is known to the page map; alignment
 * 0: natural. Gives unused memory back and tries again before it says no, and counts and words the
 * refusal. NULL with errno.
 */
void *heap__block(struct situs_heap *heap, struct heap_arena *arena, size_t size, size_t alignment,
	bool zero);
void *heap__block_of_class(struct situs_heap *heap, struct heap_arena *arena, unsigned class);

/* Several, without a retry or words: returns how many. All of them are jemalloc's, fit for caches. */
size_t heap__blocks_of_class(struct situs_heap *heap, struct heap_arena *arena, unsigned class, void **blocks,
	size_t n);

/* Gives cached blocks of one class to jemalloc, each once; the array is changed. arena: whose conduit to take,
   any of the heap's; NULL: one by one. */
void heap__free_blocks(const struct situs_heap *heap, struct heap_arena *arena, unsigned class, void **blocks,
	size_t n);

/*
 * The same for hundreds of blocks, a few at a time: may n of them take that way? Then after the last of them
 * heap__end_drops is due.
 */
bool heap__may_drop(unsigned class, size_t n);
void heap__drop(unsigned class, void **blocks, size_t n);
void heap__end_drops(void);

/* What passed through to jemalloc and got stuck on the way. */
void heap__flush_conduits(struct situs_heap *heap);

/* Counts and words the refusal of a request that nobody was asked for; the cause is the last failure. */
void heap__refuse(struct situs_heap *heap, size_t size);

/* What the area calls itself, cut where it is too long. */
void heap__describe_place(const struct aml_area *area, char place[HEAP_PLACE_SIZE]);

/*
 * The last thread with a cache of this arena has ended: what it left goes back, as jemalloc does when no
 * thread is bound to an arena any more. Under the threads' lock.
 */
void heap__give_back_abandoned(struct situs_heap *heap, struct heap_arena *arena);

/* Gives back what the heap holds without need: this thread's cache, depots, conduits, large blocks that are held,
   and jemalloc's unused pages. */
void heap__give_back_unused(struct situs_heap *heap);

/* Notes how much is drawn now, if that is news. Inside extent hooks. */
void heap__note_drawn(struct situs_heap *heap, size_t drawn);

/* Tells the program and the table, where there is news. No lock is held, no structure half changed: what is told may
   call anything. errno stays. */
void heap__tell(struct situs_heap *heap);

static inline void heap__tell_news(struct situs_heap *heap)
{
	if (__builtin_expect(atomic_load_explicit(&heap->news, memory_order_relaxed), 0))
		heap__tell(heap);
	channel__look();
}

/* Was this a heap not long ago? Its name then. Of any address. */
bool heap__went(const struct situs_heap *heap, char name[HEAP_NAME_SIZE]);

/* Gives a block of the heap back, past the caches. */
void heap__free_block(struct situs_heap *heap, void *block);

/* A block of more than SIZE_CLASS_MAX bytes with no wish but its size; NULL with errno. */
void *heap__large_block(struct situs_heap *heap, size_t size);

/* Gives a block of this page map class back, by way of the caches of large blocks. */
void heap__free_large(struct situs_heap *heap, void *block, unsigned class);

/* Bytes usable in a block of a class that caches of threads do not hold; of one that is gone: 0. */
size_t heap__block_size(struct situs_heap *heap, const void *block);

/* Resizes such a block within the heap; NULL with errno and the block as it was. */
void *heap__resize_block(struct situs_heap *heap, void *block, size_t old_size, size_t size);

#endif
