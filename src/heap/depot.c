/* SPDX-License-Identifier: BSD-3-Clause */
#include "heap/depot.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/shared_pool.h"
#include "heap/cache.h"
#include "heap/heap.h"
#include "heap/thread.h"

enum {
	LOOK_MS = 1000,
	WAY = 1024, /* blocks that make way at once for more of their class: by the hundred they go at half the cost */
	SPARES_MAX = 256, /* empty batches, 128 KiB */
	LINE = 64,
	FEW_BYTES = 4096, /* blocks of one class that are not worth a wait at their lines */
};

static struct shared_pool pool = SHARED_POOL(struct depot);
static struct shared_pool batches = SHARED_POOL(struct depot_batch);

/* Blocks of a class, seen from outside. */
static size_t count(const struct depot *depot, unsigned class)
{
	return __atomic_load_n(&depot->classes[class].n, __ATOMIC_RELAXED);
}

static struct heap_arena *arena_of(struct situs_heap *heap, unsigned i)
{
	return atomic_load_explicit(&heap->arenas[i], memory_order_acquire);
}

static struct depot *depot_of(const struct heap_arena *arena)
{
	return arena == NULL ? NULL : atomic_load_explicit(&arena->depot, memory_order_acquire);
}

/* NULL: there is no memory, and it goes without. */
static struct depot *make(struct heap_arena *arena)
{
	struct depot *made = shared_pool__get(&pool), *there = NULL;

	if (made == NULL)
		return NULL;
	if (atomic_compare_exchange_strong(&arena->depot, &there, made))
		return made;
	shared_pool__put(&pool, made);
	return there;
}

static size_t bound(const struct situs_heap *heap)
{
	size_t share = atomic_load_explicit(&heap->account.drawn, memory_order_relaxed) / DEPOT_SHARE;
	size_t least = heap->thread_cache < DEPOT_MIN ? heap->thread_cache : (size_t)DEPOT_MIN;

	return share > least ? share : least;
}

static size_t left(const struct situs_heap *heap)
{
	size_t held = atomic_load_explicit(&heap->depots.held, memory_order_relaxed), limit = bound(heap);

	return held < limit ? limit - held : 0;
}

/* How many of n blocks of the class there is room for. */
static size_t room(const struct situs_heap *heap, const struct depot_class *of, unsigned class, size_t n)
{
	size_t size = size_class__bytes[class];
	size_t used = __atomic_load_n(&of->n, __ATOMIC_RELAXED) * size;
	size_t charged = __atomic_load_n(&of->charged, __ATOMIC_RELAXED);
	size_t free = ((charged > used ? charged - used : 0) + left(heap)) / size;

	return n < free ? n : free;
}

/*
 * What all depots of a heap hold is counted in one place, which threads would wait for each other at: an eighth more
 * than lies here is charged at once, and given back when it is a quarter.
 */
static void set_count_locked(struct situs_heap *heap, struct depot_class *of, unsigned class, size_t n)
	LOCK_HELD(of->lock)
{
	size_t used = n * size_class__bytes[class], charged = of->charged;

	__atomic_store_n(&of->n, (uint32_t)n, __ATOMIC_RELAXED);
	if (of->lowest > of->n)
		of->lowest = of->n;
	if (used <= charged && charged - used <= used / 4)
		return;
	charged = used + used / 8;
	if (charged > of->charged && charged - of->charged > left(heap))
		charged = used;
	atomic_fetch_add_explicit(&heap->depots.held, charged - of->charged, memory_order_relaxed);
	__atomic_store_n(&of->charged, charged, __ATOMIC_RELAXED);
}

/* Batches */

/*
 * Empty ones lie where the thread that emptied them draws from, since it has written to them last, but no more than
 * were missed there: who only empties them leaves them to those who fill them, with those of all heaps. A fork at any
 * instant leaves whole lists.
 */
static struct depot_spares common = {.wanted = SIZE_MAX};

static struct depot_batch *take_spare(struct depot_spares *spares)
{
	struct depot_batch *batch;

	brief__acquire(&spares->lock);
	batch = spares->first;
	if (batch != NULL) {
		__atomic_store_n(&spares->first, batch->next, __ATOMIC_RELEASE);
		spares->n--;
	} else if (spares->wanted < SPARES_MAX) {
		spares->wanted++;
	}
	brief__release(&spares->lock);
	return batch;
}

static struct depot_batch *empty_batch(struct depot *own)
{
	struct depot_batch *batch = own == NULL ? NULL : take_spare(&own->spares);

	if (batch == NULL)
		batch = take_spare(&common);
	return batch != NULL ? batch : shared_pool__get(&batches);
}

static bool put_spare(struct depot_spares *spares, struct depot_batch *batch)
{
	bool has_room;

	brief__acquire(&spares->lock);
	has_room = spares->n < spares->wanted;
	if (has_room) {
		batch->next = spares->first;
		__atomic_store_n(&spares->first, batch, __ATOMIC_RELEASE);
		spares->n++;
	}
	brief__release(&spares->lock);
	return has_room;
}

static void put_empty(struct depot *own, struct depot_batch *batch)
{
	if (own == NULL || !put_spare(&own->spares, batch))
		(void)put_spare(&common, batch);
}

/* A look at it without the lock is no mistake: see fetch_ahead. */
static void set_first_locked(struct depot_class *of, struct depot_batch *batch) LOCK_HELD(of->lock)
{
	__atomic_store_n(&of->first, batch, __ATOMIC_RELAXED);
}

/* The blocks join the batch that came last; false: they are one more. */
static bool join_locked(struct depot_class *of, struct depot_batch *batch) LOCK_HELD(of->lock)
{
	struct depot_batch *first = of->first;

	if (first == NULL || first->n + batch->n > DEPOT_BATCH) {
		batch->next = first;
		set_first_locked(of, batch);
		return false;
	}
	memcpy(first->blocks + first->n, batch->blocks, batch->n * sizeof(void *));
	first->n += batch->n;
	return true;
}

/* own: that of the calling thread's arena, or NULL. */
static size_t push(struct situs_heap *heap, struct depot *depot, struct depot *own, unsigned class, void **blocks,
	size_t n)
{
	struct depot_class *of = &depot->classes[class];
	size_t done = 0;

	while (done < n) {
		struct depot_batch *batch = empty_batch(own);
		bool has_joined;

		if (batch == NULL)
			break;
		batch->n = n - done < DEPOT_BATCH ? n - done : DEPOT_BATCH;
		memcpy(batch->blocks, blocks + done, batch->n * sizeof(void *));
		done += batch->n;
		brief__acquire(&of->lock);
		set_count_locked(heap, of, class, of->n + batch->n);
		has_joined = join_locked(of, batch);
		brief__release(&of->lock);
		if (has_joined)
			put_empty(own, batch);
	}
	return done;
}

/* Part of the batch that came last. */
static size_t pop_some_locked(struct depot_class *of, void **blocks, size_t n) LOCK_HELD(of->lock)
{
	struct depot_batch *first = of->first;

	first->n -= n;
	memcpy(blocks, first->blocks + first->n, n * sizeof(void *));
	return n;
}

/* Another processor may have filled it. By the time it is fetched it may be another's: nothing is read of it. */
static void fetch_ahead(const struct depot_batch *batch)
{
	for (size_t at = 0; batch != NULL && at < sizeof(*batch); at += LINE)
		__builtin_prefetch((const char *)batch + at);
}

/* Gives up to n, what was put last first: whole batches, or a part of one. */
static size_t pop(struct situs_heap *heap, struct depot *depot, struct depot *own, unsigned class, void **blocks,
	size_t n)
{
	struct depot_class *of = &depot->classes[class];
	struct depot_batch *first, *rest;
	size_t got = 0;

	fetch_ahead(__atomic_load_n(&of->first, __ATOMIC_RELAXED));
	brief__acquire(&of->lock);
	first = of->first;
	for (rest = first; rest != NULL && rest->n <= n - got; rest = rest->next)
		got += rest->n;
	set_first_locked(of, rest);
	if (got == 0 && rest != NULL)
		got = pop_some_locked(of, blocks, n);
	set_count_locked(heap, of, class, of->n - got);
	brief__release(&of->lock);
	while (first != rest) {
		struct depot_batch *batch = first;

		first = batch->next;
		memcpy(blocks, batch->blocks, batch->n * sizeof(void *));
		blocks += batch->n;
		put_empty(own, batch);
	}
	return got;
}

/* Up to n blocks of one class go to jemalloc; how many did. */
static size_t give_up(struct situs_heap *heap, struct depot *depot, unsigned class, size_t n)
{
	struct cache *cache = thread__cache(heap->owner.number);
	struct heap_arena *arena = cache == NULL ? NULL : cache->arena;
	void *blocks[DEPOT_BATCH];
	size_t done = 0, some, there = count(depot, class);
	bool may_drop = heap__may_drop(class, n < there ? n : there);

	do {
		some = n - done < DEPOT_BATCH ? n - done : DEPOT_BATCH;
		some = pop(heap, depot, NULL, class, blocks, some);
		if (may_drop)
			heap__drop(class, blocks, some);
		else
			heap__free_blocks(heap, arena, class, blocks, some);
		done += some;
	} while (some != 0 && done < n);
	if (may_drop)
		heap__end_drops();
	return done;
}

/* Blocks that nobody has taken since the last time go. */
static void give_up_idle(struct situs_heap *heap, struct depot *depot)
{
	for (unsigned class = 0; class < size_class__count; class++) {
		struct depot_class *of = &depot->classes[class];
		size_t idle;

		brief__acquire(&of->lock);
		idle = of->lowest;
		brief__release(&of->lock);
		if (idle != 0)
			give_up(heap, depot, class, idle);
		brief__acquire(&of->lock);
		of->lowest = of->n;
		brief__release(&of->lock);
	}
}

/* Now and then. */
static void look(struct situs_heap *heap)
{
	struct depots *depots = &heap->depots;
	struct timespec now;
	uint32_t ms, before = atomic_load_explicit(&depots->looked_at, memory_order_relaxed);

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	ms = (uint32_t)(now.tv_sec * 1000 + now.tv_nsec / 1000000);
	if (ms - before < LOOK_MS || !atomic_compare_exchange_strong(&depots->looked_at, &before, ms))
		return;
	for (unsigned i = 0; i < heap->n_arenas; i++) {
		struct depot *depot = depot_of(arena_of(heap, i));

		if (depot != NULL)
			give_up_idle(heap, depot);
	}
	heap__flush_conduits(heap);
}

/* Blocks of the arena that the first is of come first; how many these are. */
static size_t gather(void **blocks, size_t n)
{
	uint8_t slot = pagemap__hint(blocks[0]);
	size_t same = 1;

	for (size_t i = 1; i < n; i++) {
		void *block = blocks[i];

		if (pagemap__hint(block) == slot) {
			blocks[i] = blocks[same];
			blocks[same++] = block;
		}
	}
	return same;
}

static struct depot *home_of(struct situs_heap *heap, struct heap_arena *own, const void *block)
{
	uint8_t slot = pagemap__hint(block);
	struct heap_arena *arena = slot < heap->n_arenas ? arena_of(heap, slot) : NULL;
	struct depot *depot;

	if (arena == NULL)
		arena = own;
	depot = depot_of(arena);
	return depot != NULL ? depot : make(arena);
}

size_t depot__put(struct situs_heap *heap, struct heap_arena *own, unsigned class, void **blocks, size_t n)
{
	bool is_mixed = atomic_load_explicit(&heap->n_made, memory_order_relaxed) > 1;
	size_t done = 0, same = 0, put = 0;

	while (done < n && put == same) {
		struct depot *depot = home_of(heap, own, blocks[done]);

		if (depot == NULL)
			break;
		same = is_mixed ? gather(blocks + done, n - done) : n;
		if (room(heap, &depot->classes[class], class, same) < same &&
			heap__may_drop(class, count(depot, class)))
			(void)give_up(heap, depot, class, WAY);
		put = push(heap, depot, depot_of(own), class, blocks + done,
			room(heap, &depot->classes[class], class, same));
		done += put;
	}
	look(heap);
	return done;
}

static size_t take(struct situs_heap *heap, struct depot *depot, struct depot *own, unsigned class, void **blocks,
	size_t n)
{
	/* A look without the lock: what comes meanwhile might as well have come later. */
	if (depot == NULL || count(depot, class) == 0)
		return 0;
	return pop(heap, depot, own, class, blocks, n);
}

/* Threads that write to blocks on one line wait for each other: a few of them stay where they are. */
static bool has_for_others(struct depot *depot, unsigned class)
{
	size_t size = size_class__bytes[class];

	return depot != NULL &&
		(size >= LINE || count(depot, class) * size >= FEW_BYTES);
}

size_t depot__get(struct situs_heap *heap, struct heap_arena *own, unsigned class, void **blocks, size_t n)
{
	size_t got = take(heap, depot_of(own), depot_of(own), class, blocks, n);

	for (unsigned i = 0; got == 0 && i < heap->n_arenas; i++) {
		struct depot *depot = depot_of(arena_of(heap, i));

		if (has_for_others(depot, class))
			got = take(heap, depot, depot_of(own), class, blocks, n);
	}
	return got;
}

static size_t shrink(struct situs_heap *heap, unsigned class, size_t n)
{
	size_t done = 0;

	for (unsigned i = 0; done < n && i < heap->n_arenas; i++) {
		struct depot *depot = depot_of(arena_of(heap, i));

		if (depot != NULL)
			done += give_up(heap, depot, class, n - done);
	}
	return done;
}

void depot__shrink(struct situs_heap *heap, size_t bytes)
{
	unsigned class;

	if (atomic_load_explicit(&heap->depots.held, memory_order_relaxed) == 0)
		return;
	class = atomic_load_explicit(&heap->depots.next, memory_order_relaxed);
	for (unsigned i = 0; i < size_class__count; i++, class++) {
		size_t size = size_class__bytes[class % size_class__count];
		size_t done = size * shrink(heap, class % size_class__count, (bytes + size - 1) / size);

		if (done >= bytes)
			break;
		bytes -= done;
	}
	atomic_store_explicit(&heap->depots.next, class % size_class__count, memory_order_relaxed);
}

void depot__flush(struct situs_heap *heap)
{
	depot__shrink(heap, SIZE_MAX / 2);
}

void depot__count(struct situs_heap *heap, size_t n_blocks[SIZE_CLASSES])
{
	for (unsigned i = 0; i < heap->n_arenas; i++) {
		struct depot *depot = depot_of(arena_of(heap, i));

		for (unsigned class = 0; depot != NULL && class < size_class__count; class++)
			n_blocks[class] += count(depot, class);
	}
}

static void drop_batches(struct depot_class *of)
{
	while (of->first != NULL) {
		struct depot_batch *batch = of->first;

		of->first = batch->next;
		put_empty(NULL, batch);
	}
}

void depot__destroy(struct situs_heap *heap)
{
	for (unsigned i = 0; i < heap->n_arenas; i++) {
		struct heap_arena *arena = arena_of(heap, i);
		struct depot *depot = depot_of(arena);

		if (depot == NULL)
			continue;
		for (unsigned class = 0; class < size_class__count; class++)
			drop_batches(&depot->classes[class]);
		while (depot->spares.first != NULL)
			put_empty(NULL, take_spare(&depot->spares));
		atomic_store_explicit(&arena->depot, NULL, memory_order_relaxed);
		shared_pool__put(&pool, depot);
	}
	atomic_store_explicit(&heap->depots.held, 0, memory_order_relaxed);
}

static void mend_spares(struct depot_spares *spares) LOCK_UNCHECKED
{
	brief__reset(&spares->lock);
	spares->n = 0;
	for (const struct depot_batch *batch = spares->first; batch != NULL; batch = batch->next)
		spares->n++;
}

static void mend(struct situs_heap *heap, struct depot *depot) LOCK_UNCHECKED
{
	mend_spares(&depot->spares);
	for (unsigned class = 0; class < size_class__count; class++) {
		struct depot_class *of = &depot->classes[class];
		size_t n = of->n;

		/* Half changed lists are left alone, batches and all. */
		if (of->lock.held != 0) {
			n = 0;
			of->first = NULL;
		}
		brief__reset(&of->lock);
		of->n = of->lowest = 0;
		of->charged = 0;
		set_count_locked(heap, of, class, n);
	}
}

void depot__after_fork(struct situs_heap *heap)
{
	atomic_store(&heap->depots.held, 0);
	for (unsigned i = 0; i < heap->n_arenas; i++) {
		struct depot *depot = depot_of(arena_of(heap, i));

		if (depot != NULL)
			mend(heap, depot);
	}
}

void depot__all_after_fork(void)
{
	mend_spares(&common);
}
