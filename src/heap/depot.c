/* SPDX-License-Identifier: BSD-3-Clause */
#include "heap/depot.h"

#include <string.h>
#include <time.h>

#include "base/shared_pool.h"
#include "heap/cache.h"
#include "heap/heap.h"
#include "heap/thread.h"

enum {
	LOOK_MS = 1000,
	WAY = 1024, /* blocks that make way at once for more of their class: by the hundred they go at half the cost */
};

static struct shared_pool depots = SHARED_POOL(struct depot);
static struct shared_pool batches = SHARED_POOL(struct depot_batch);

/* Blocks of a class, seen from outside. */
static size_t count(const struct depot *depot, unsigned class)
{
	return __atomic_load_n(&depot->classes[class].n, __ATOMIC_RELAXED);
}

static struct depot *depot_of(struct situs_heap *heap)
{
	return atomic_load_explicit(&heap->depot, memory_order_acquire);
}

/* NULL: there is no memory, and it goes without. */
static struct depot *make(struct situs_heap *heap)
{
	struct depot *made = shared_pool__get(&depots), *there = NULL;

	if (made == NULL)
		return NULL;
	for (unsigned class = 0; class < SIZE_CLASSES; class++)
		lock__init(&made->classes[class].lock);
	if (atomic_compare_exchange_strong(&heap->depot, &there, made))
		return made;
	shared_pool__put(&depots, made);
	return there;
}

static size_t bound(const struct situs_heap *heap)
{
	size_t share = atomic_load_explicit(&heap->account.drawn, memory_order_relaxed) / DEPOT_SHARE;
	size_t least = heap->thread_cache < DEPOT_MIN ? heap->thread_cache : (size_t)DEPOT_MIN;

	return share > least ? share : least;
}

/* How many of n blocks of the class there is room for. */
static size_t room(struct situs_heap *heap, const struct depot *depot, unsigned class, size_t n)
{
	size_t held = atomic_load_explicit(&depot->held, memory_order_relaxed), limit = bound(heap);
	size_t free = held < limit ? (limit - held) / size_class__bytes[class] : 0;

	return n < free ? n : free;
}

static void set_count_locked(struct depot *depot, unsigned class, size_t n)
	LOCK_HELD(depot->classes[class].lock)
{
	struct depot_class *of = &depot->classes[class];

	atomic_fetch_add_explicit(&depot->held, (n - of->n) * size_class__bytes[class],
		memory_order_relaxed);
	__atomic_store_n(&of->n, (uint32_t)n, __ATOMIC_RELAXED);
	if (of->lowest > of->n)
		of->lowest = of->n;
}

/* Takes up to n; whatever became of it, the class is whole. */
static size_t push_locked(struct depot *depot, unsigned class, void **blocks, size_t n)
	LOCK_HELD(depot->classes[class].lock)
{
	struct depot_class *of = &depot->classes[class];
	size_t done = 0;

	while (done < n) {
		struct depot_batch *batch = of->first;
		size_t some;

		if (batch == NULL || batch->n == DEPOT_BATCH) {
			batch = shared_pool__get(&batches);
			if (batch == NULL)
				break;
			batch->next = of->first;
			of->first = batch;
		}
		some = n - done < DEPOT_BATCH - batch->n ? n - done : DEPOT_BATCH - batch->n;
		memcpy(batch->blocks + batch->n, blocks + done, some * sizeof(void *));
		batch->n += some;
		done += some;
	}
	set_count_locked(depot, class, of->n + done);
	return done;
}

/* Gives up to n, what was put last first. */
static size_t pop_locked(struct depot *depot, unsigned class, void **blocks, size_t n)
	LOCK_HELD(depot->classes[class].lock)
{
	struct depot_class *of = &depot->classes[class];
	size_t done = 0;

	while (done < n && of->first != NULL) {
		struct depot_batch *batch = of->first;
		size_t some = n - done < batch->n ? n - done : batch->n;

		batch->n -= some;
		memcpy(blocks + done, batch->blocks + batch->n, some * sizeof(void *));
		done += some;
		if (batch->n == 0) {
			of->first = batch->next;
			shared_pool__put(&batches, batch);
		}
	}
	set_count_locked(depot, class, of->n - done);
	return done;
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
		lock__acquire(&depot->classes[class].lock);
		some = pop_locked(depot, class, blocks, some);
		lock__release(&depot->classes[class].lock);
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

/* Now and then: blocks that nobody has taken since the last time go. */
static void look(struct situs_heap *heap, struct depot *depot)
{
	struct timespec now;
	uint32_t ms, before = atomic_load_explicit(&depot->looked_at, memory_order_relaxed);

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	ms = (uint32_t)(now.tv_sec * 1000 + now.tv_nsec / 1000000);
	if (ms - before < LOOK_MS || !atomic_compare_exchange_strong(&depot->looked_at, &before, ms))
		return;
	for (unsigned class = 0; class < size_class__count; class++) {
		struct depot_class *of = &depot->classes[class];
		size_t idle;

		lock__acquire(&of->lock);
		idle = of->lowest;
		lock__release(&of->lock);
		if (idle != 0)
			give_up(heap, depot, class, idle);
		lock__acquire(&of->lock);
		of->lowest = of->n;
		lock__release(&of->lock);
	}
	heap__flush_conduits(heap);
}

size_t depot__put(struct situs_heap *heap, unsigned class, void **blocks, size_t n)
{
	struct depot *depot = depot_of(heap);

	if (depot == NULL)
		depot = make(heap);
	if (depot == NULL)
		return 0;
	if (room(heap, depot, class, n) < n && heap__may_drop(class, count(depot, class)))
		(void)give_up(heap, depot, class, WAY);
	n = room(heap, depot, class, n);
	if (n != 0) {
		lock__acquire(&depot->classes[class].lock);
		n = push_locked(depot, class, blocks, n);
		lock__release(&depot->classes[class].lock);
	}
	look(heap, depot);
	return n;
}

size_t depot__get(struct situs_heap *heap, unsigned class, void **blocks, size_t n)
{
	struct depot *depot = depot_of(heap);

	/* A look without the lock: what comes meanwhile might as well have come later. */
	if (depot == NULL || count(depot, class) == 0)
		return 0;
	lock__acquire(&depot->classes[class].lock);
	n = pop_locked(depot, class, blocks, n);
	lock__release(&depot->classes[class].lock);
	return n;
}

void depot__shrink(struct situs_heap *heap, size_t bytes)
{
	struct depot *depot = depot_of(heap);
	unsigned class;

	if (depot == NULL || atomic_load_explicit(&depot->held, memory_order_relaxed) == 0)
		return;
	class = atomic_load_explicit(&depot->next, memory_order_relaxed);
	for (unsigned i = 0; i < size_class__count; i++, class++) {
		size_t size = size_class__bytes[class % size_class__count];
		size_t done = size * give_up(heap, depot, class % size_class__count, (bytes + size - 1) / size);

		if (done >= bytes)
			break;
		bytes -= done;
	}
	atomic_store_explicit(&depot->next, class % size_class__count, memory_order_relaxed);
}

void depot__flush(struct situs_heap *heap)
{
	depot__shrink(heap, SIZE_MAX / 2);
}

void depot__count(struct situs_heap *heap, size_t n_blocks[SIZE_CLASSES])
{
	struct depot *depot = depot_of(heap);

	for (unsigned class = 0; depot != NULL && class < size_class__count; class++)
		n_blocks[class] += count(depot, class);
}

static void drop_batches(struct depot_class *of)
{
	while (of->first != NULL) {
		struct depot_batch *batch = of->first;

		of->first = batch->next;
		shared_pool__put(&batches, batch);
	}
}

void depot__destroy(struct situs_heap *heap)
{
	struct depot *depot = depot_of(heap);

	if (depot == NULL)
		return;
	for (unsigned class = 0; class < size_class__count; class++)
		drop_batches(&depot->classes[class]);
	atomic_store_explicit(&heap->depot, NULL, memory_order_relaxed);
	shared_pool__put(&depots, depot);
}

void depot__after_fork(struct situs_heap *heap) LOCK_UNCHECKED
{
	struct depot *depot = depot_of(heap);

	if (depot == NULL)
		return;
	atomic_store(&depot->held, 0);
	for (unsigned class = 0; class < size_class__count; class++) {
		struct depot_class *of = &depot->classes[class];
		size_t n = of->n;

		/* Half changed lists are left alone, batches and all. */
		if (lock__is_held(&of->lock)) {
			n = 0;
			of->first = NULL;
		}
		lock__reset(&of->lock);
		of->n = of->lowest = 0;
		set_count_locked(depot, class, n);
	}
}
