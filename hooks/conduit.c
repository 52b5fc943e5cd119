/* SPDX-License-Identifier: BSD-3-Clause */
#include "hooks/conduit.h"

#include <jemalloc/jemalloc.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>

#include "hooks/rtree_gate.h"

enum {
	FEW = 8,             /* blocks for which a batch is not worth its call */
	TRIES = 64,          /* of a lock that is held for a microsecond, before doing without */
	CONDUITS_MAX = 1024, /* jemalloc has 4094 such caches for all that the program does */
};

/* What experimental.batch_alloc of jemalloc 5.3 takes; without it blocks come one by one. */
struct batch {
	void **blocks;
	size_t n, size;
	int flags;
};

static atomic_uint n_conduits;

/* jemalloc's numbers for thread.tcache.flush; none: threads' caches are not for us. Set before there are threads. */
static size_t tcache_flush[CONDUIT_MIB], n_tcache_flush;

/* By size / 16: the most blocks to ask for at once, 0 not known yet. */
static _Atomic(uint16_t) most_at_once[CONDUIT_BYTES / 16 + 1];

void conduit__init(struct conduit *conduit)
{
	lock__init(&conduit->lock);
	conduit->is_made = false;
}

static void pause_a_little(void)
{
#if defined(__x86_64__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield");
#endif
}

static bool enter(struct conduit *conduit) LOCK_TRY(conduit->lock) LOCK_UNCHECKED
{
	for (int i = 0; i < TRIES; i++) {
		if (lock__try(&conduit->lock))
			return true;
		pause_a_little();
	}
	return false;
}

static void leave(struct conduit *conduit) LOCK_RELEASE(conduit->lock)
{
	lock__release(&conduit->lock);
}

/*
 * jemalloc counts such a cache to the arena of the thread that makes it, for good. That must not be one
 * that a program made and may destroy.
 */
static bool is_in_arena_of_own(void)
{
	unsigned arena = 0, n_automatic = 0;
	size_t size = sizeof(unsigned);

	return mallctl("thread.arena", &arena, &size, NULL, 0) == 0 &&
		mallctl("opt.narenas", &n_automatic, &size, NULL, 0) == 0 && arena < n_automatic;
}

/*
 * Under opt.prof a block that jemalloc has sampled lies in a cache as one that it has stopped watching, and
 * arena.destroy stops watching it once more, which ends in memory that is gone. Flushing before prevents that, but
 * a fork's child cannot flush.
 */
static bool are_blocks_watched(void)
{
	bool watched = false;
	size_t size = sizeof(watched);

	return mallctl("opt.prof", &watched, &size, NULL, 0) == 0 && watched;
}

static bool make_locked(struct conduit *conduit) LOCK_HELD(conduit->lock)
{
	size_t size = sizeof(conduit->cache);

	if (conduit->is_made)
		return true;
	if (are_blocks_watched())
		return false;
	if (atomic_load_explicit(&n_conduits, memory_order_relaxed) >= CONDUITS_MAX || !is_in_arena_of_own())
		return false;
	if (mallctl("tcache.create", &conduit->cache, &size, NULL, 0) != 0)
		return false;
	conduit->n_batch_alloc = CONDUIT_MIB;
	if (mallctlnametomib("experimental.batch_alloc", conduit->batch_alloc, &conduit->n_batch_alloc) != 0)
		conduit->n_batch_alloc = 0;
	atomic_fetch_add_explicit(&n_conduits, 1, memory_order_relaxed);
	conduit->is_made = true;
	return true;
}

/* A batch of a whole slab gets a new slab, whatever room there is in others: less than that, then. */
static size_t find_most_at_once(size_t size)
{
	unsigned n_bins = 0;
	size_t length = sizeof(n_bins);

	(void)mallctl("arenas.nbins", &n_bins, &length, NULL, 0);
	for (unsigned bin = 0; bin < n_bins; bin++) {
		char name[64];
		size_t of_bin = 0;
		uint32_t n = 0;

		snprintf(name, sizeof(name), "arenas.bin.%u.size", bin);
		length = sizeof(of_bin);
		if (mallctl(name, &of_bin, &length, NULL, 0) != 0 || of_bin != size)
			continue;
		snprintf(name, sizeof(name), "arenas.bin.%u.nregs", bin);
		length = sizeof(n);
		if (mallctl(name, &n, &length, NULL, 0) == 0 && n > 1)
			return n - 1;
	}
	return 1;
}

static size_t at_once(size_t size)
{
	_Atomic(uint16_t) *most = &most_at_once[size / 16];
	size_t n = atomic_load_explicit(most, memory_order_relaxed);

	if (n == 0) {
		n = find_most_at_once(size);
		atomic_store_explicit(most, (uint16_t)n, memory_order_relaxed);
	}
	return n;
}

static size_t draw_locked(struct conduit *conduit, size_t size, int flags, void **blocks, size_t n)
	LOCK_HELD(conduit->lock)
{
	size_t got = 0, most = at_once(size);

	while (conduit->n_batch_alloc != 0 && most >= FEW && n - got >= FEW) {
		size_t some = 0, length = sizeof(some);
		struct batch batch = {blocks + got, n - got < most ? n - got : most, size, flags};

		if (mallctlbymib(conduit->batch_alloc, conduit->n_batch_alloc, &some, &length, &batch,
			sizeof(batch)) != 0 || some == 0)
			break;
		got += some;
	}
	while (got < n && (blocks[got] = mallocx(size, flags)) != NULL)
		got++;
	return got;
}

size_t conduit__get(struct conduit *conduit, unsigned arena, size_t size, void **blocks, size_t n)
{
	size_t got = 0;
	bool again;

	if (!enter(conduit))
		return 0;
	do {
		rtree_gate__begin();
		if (make_locked(conduit))
			got += draw_locked(conduit, size, MALLOCX_ARENA(arena) | MALLOCX_TCACHE(conduit->cache),
				blocks + got, n - got);
		again = rtree_gate__end();
	} while (again && got < n);
	leave(conduit);
	return got;
}

bool conduit__put(struct conduit *conduit, size_t size, void **blocks, size_t n)
{
	bool is_made;

	if (!enter(conduit))
		return false;
	rtree_gate__begin();
	is_made = make_locked(conduit);
	if (is_made)
		for (size_t i = 0; i < n; i++)
			sdallocx(blocks[i], size, MALLOCX_TCACHE(conduit->cache));
	(void)rtree_gate__end();
	leave(conduit);
	return is_made;
}

void conduit__flush(struct conduit *conduit)
{
	if (!enter(conduit))
		return;
	if (conduit->is_made)
		(void)mallctl("tcache.flush", NULL, NULL, &conduit->cache, sizeof(conduit->cache));
	leave(conduit);
}

void conduit__have_thread_caches(void)
{
	size_t n = CONDUIT_MIB;

	if (!are_blocks_watched() && mallctlnametomib("thread.tcache.flush", tcache_flush, &n) == 0)
		n_tcache_flush = n;
}

bool conduit__has_thread_caches(void)
{
	return n_tcache_flush != 0;
}

void conduit__drop(size_t size, void **blocks, size_t n)
{
	rtree_gate__begin();
	for (size_t i = 0; i < n; i++)
		sdallocx(blocks[i], size, 0);
	(void)rtree_gate__end();
}

void conduit__end_drops(void)
{
	/* A thread near its end has no such cache: then nothing lies there. */
	rtree_gate__begin();
	(void)mallctlbymib(tcache_flush, n_tcache_flush, NULL, NULL, NULL, 0);
	(void)rtree_gate__end();
}

/* Nobody else is inside: the heap is off every list. */
void conduit__destroy(struct conduit *conduit)
{
	if (!conduit->is_made)
		return;
	(void)mallctl("tcache.destroy", NULL, NULL, &conduit->cache, sizeof(conduit->cache));
	conduit->is_made = false;
	atomic_fetch_sub_explicit(&n_conduits, 1, memory_order_relaxed);
}

void conduit__after_fork(struct conduit *conduit) LOCK_UNCHECKED
{
	conduit->is_made = false; /* and its number, of which there are enough, is lost */
	lock__reset(&conduit->lock);
}
