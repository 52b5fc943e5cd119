/* SPDX-License-Identifier: BSD-3-Clause */
#include "heap/large_cache.h"

#include <string.h>
#include <time.h>

#include "base/shared_pool.h"
#include "hooks/arena.h"
#include "hooks/space.h"
#include "os/present.h"

enum {
	PAGE = 4096,
	JEMALLOC_DECAY = 10 * 1000, /* ms; opt.dirty_decay_ms, documented default */
	AT_ONCE = 1,                /* decay_ms */
	FOR_EVER = 1 << 30,         /* ms: half of what the clock tells apart */
	RUNS = 16,                  /* of pages, told of at once */
	SWEEPS = 8,                 /* as many in the time a block may stay */
	STALE = 32,                 /* ms; blocks this old make way for others when there is no room */
};

static struct shared_pool shelves = SHARED_POOL(struct large_shelf);

static uint32_t now_ms(void)
{
	struct timespec now;

	/* Coarse: a few nanoseconds, and ages are seconds. */
	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return (uint32_t)(now.tv_sec * 1000 + now.tv_nsec / 1000000);
}

void large_cache__init(struct large_cache *cache, long decay_ms, struct space *space,
	_Atomic(size_t) *total)
{
	lock__init(&cache->lock);
	cache->total = total;
	cache->space = space;
	if (decay_ms == AT_ONCE && space__is_purgeable(space))
		cache->purged = space;
	else if (decay_ms == AT_ONCE)
		return;
	if (decay_ms == 0 || decay_ms == AT_ONCE)
		decay_ms = JEMALLOC_DECAY;
	cache->max_age = decay_ms < 0 || decay_ms / 2 > FOR_EVER ? FOR_EVER : (uint32_t)(decay_ms / 2);
}

/* That many blocks of the class are held now. */
static void set_count_locked(struct large_cache *cache, unsigned class, unsigned n)
	LOCK_HELD(cache->lock)
{
	uint32_t bit = (uint32_t)1 << class;
	size_t more = ((size_t)n - cache->n[class]) * large_class__bytes[class];

	cache->n[class] = (uint8_t)n;
	__atomic_store_n(&cache->held, n == 0 ? cache->held & ~bit : cache->held | bit,
		__ATOMIC_RELAXED);
	atomic_fetch_add_explicit(cache->total, more, memory_order_relaxed);
}

/* What is earned is a guess at best, so changes that cross may be lost. */
static size_t earned(const struct large_cache *cache)
{
	return atomic_load_explicit(&cache->earned, memory_order_relaxed);
}

static void set_earned(struct large_cache *cache, size_t bytes)
{
	atomic_store_explicit(&cache->earned, bytes, memory_order_relaxed);
}

static void earn(struct large_cache *cache, size_t size)
{
	if (earned(cache) < SIZE_MAX / 2)
		set_earned(cache, earned(cache) + LARGE_CACHE_EARNS * size);
}

/* No more of what was earned is kept than may be used, so that it is gone soon once there is no use. */
static void spend(struct large_cache *cache, size_t size, size_t drawn)
{
	size_t most = drawn / LARGE_CACHE_EARNED_SHARE;
	size_t left = earned(cache) < most ? earned(cache) : most;

	set_earned(cache, left > size ? left - size : 0);
}

void *large_cache__get(struct large_cache *cache, unsigned class, bool earns)
{
	void *block = NULL;

	/* A look without the lock: what comes or goes meanwhile might as well have a moment later. */
	if ((__atomic_load_n(&cache->held, __ATOMIC_RELAXED) >> class & 1) == 0)
		return NULL;
	lock__acquire(&cache->lock);
	if (cache->n[class] != 0) {
		block = cache->shelf->blocks[class][cache->n[class] - 1];
		set_count_locked(cache, class, cache->n[class] - 1u);
		if (earns)
			earn(cache, large_class__bytes[class]);
	}
	lock__release(&cache->lock);
	return block;
}

/* Takes the n oldest blocks of a class. */
static void take_oldest_locked(struct large_cache *cache, unsigned class, void **blocks, unsigned n)
	LOCK_HELD(cache->lock)
{
	unsigned rest = cache->n[class] - n;

	memcpy(blocks, cache->shelf->blocks[class], n * sizeof(void *));
	memmove(cache->shelf->blocks[class], cache->shelf->blocks[class] + n, rest * sizeof(void *));
	memmove(cache->shelf->freed_at[class], cache->shelf->freed_at[class] + n, rest * sizeof(uint32_t));
	set_count_locked(cache, class, rest);
}

/* Takes the blocks of one class that were freed before `before`. */
static unsigned take_old_locked(struct large_cache *cache, unsigned class, uint32_t before,
	void **blocks) LOCK_HELD(cache->lock)
{
	unsigned n = 0;

	while (n < cache->n[class] && (int32_t)(cache->shelf->freed_at[class][n] - before) < 0)
		n++;
	if (n != 0)
		take_oldest_locked(cache, class, blocks, n);
	return n;
}

static void sweep(struct large_cache *cache, uint32_t before)
{
	void *blocks[LARGE_CACHE_BLOCKS];

	for (unsigned class = 0; class < large_class__count; class++) {
		unsigned n;

		lock__acquire(&cache->lock);
		n = take_old_locked(cache, class, before, blocks);
		lock__release(&cache->lock);
		while (n > 0)
			arena__free(blocks[--n]);
	}
}

static size_t bound(const struct large_cache *cache, size_t drawn)
{
	if (cache->purged != NULL)
		return LARGE_CACHE_SPACE;
	size_t least = drawn / LARGE_CACHE_SHARE, most = drawn / LARGE_CACHE_EARNED_SHARE;

	if (least < LARGE_CACHE_MIN)
		least = LARGE_CACHE_MIN;
	return least + (earned(cache) < most ? earned(cache) : most);
}

static bool fits(const struct large_cache *cache, unsigned class, size_t drawn)
{
	return atomic_load_explicit(cache->total, memory_order_relaxed) + large_class__bytes[class] <=
		bound(cache, drawn);
}

static bool put_locked(struct large_cache *cache, unsigned class, void *block, size_t drawn,
	uint32_t now) LOCK_HELD(cache->lock)
{
	unsigned n = cache->n[class];

	if (n == LARGE_CACHE_BLOCKS || !fits(cache, class, drawn))
		return false;
	if (cache->shelf == NULL)
		cache->shelf = shared_pool__get(&shelves);
	if (cache->shelf == NULL)
		return false;
	cache->shelf->freed_at[class][n] = now;
	cache->shelf->blocks[class][n] = block;
	set_count_locked(cache, class, n + 1);
	return true;
}

/* The class whose first block was freed longest ago; LARGE_CLASSES: nothing is held. */
static unsigned oldest_class_locked(const struct large_cache *cache, uint32_t now)
	LOCK_HELD(cache->lock)
{
	unsigned oldest = LARGE_CLASSES;
	uint32_t age = 0;

	/* Of equal ages the largest: it makes the most room. */
	for (uint32_t held = cache->held; held != 0; held &= held - 1) {
		unsigned class = (unsigned)__builtin_ctz(held);

		if (now - cache->shelf->freed_at[class][0] >= age) {
			age = now - cache->shelf->freed_at[class][0];
			oldest = class;
		}
	}
	return oldest;
}

/* Takes the oldest block; NULL: none is that old. */
static void *take_older(struct large_cache *cache, uint32_t age, unsigned *class)
{
	uint32_t now = now_ms();
	void *block = NULL;

	lock__acquire(&cache->lock);
	*class = oldest_class_locked(cache, now);
	if (*class != LARGE_CLASSES && now - cache->shelf->freed_at[*class][0] >= age)
		take_oldest_locked(cache, *class, &block, 1);
	lock__release(&cache->lock);
	return block;
}

/* Room for a block, at the expense of what nobody has asked for in a while. */
static bool make_room(struct large_cache *cache, unsigned class, size_t drawn)
{
	void *stale = NULL;
	unsigned other;

	while (!fits(cache, class, drawn) && (stale = take_older(cache, STALE, &other)) != NULL)
		arena__free(stale);
	return fits(cache, class, drawn);
}

/* Gives the pages of a block back, the first one included: jemalloc offsets blocks inside it. */
static bool purge(struct large_cache *cache, unsigned class, void *block)
{
	uintptr_t start = (uintptr_t)block & ~(uintptr_t)(PAGE - 1);
	uintptr_t end = ((uintptr_t)block + large_class__bytes[class] + PAGE - 1) & ~(uintptr_t)(PAGE - 1);

	return space__purge(cache->purged, (void *)start, end - start) == 0;
}

/* Is it time to look for old blocks? Who is told so does. */
static bool is_due_locked(struct large_cache *cache, uint32_t now) LOCK_HELD(cache->lock)
{
	if (now - cache->last_sweep <= cache->max_age / SWEEPS)
		return false;
	cache->last_sweep = now;
	return true;
}

void large_cache__age(struct large_cache *cache)
{
	uint32_t now;
	bool due;

	if (__atomic_load_n(&cache->held, __ATOMIC_RELAXED) == 0)
		return;
	now = now_ms();
	lock__acquire(&cache->lock);
	due = is_due_locked(cache, now);
	lock__release(&cache->lock);
	if (due)
		sweep(cache, now - cache->max_age);
}

/* Is half of it there? Where the kernel does not say: no. */
static bool is_written(unsigned class, const void *block)
{
	size_t size = large_class__bytes[class], n_bytes = 0;
	uintptr_t at = (uintptr_t)block & ~(uintptr_t)(PAGE - 1);
	uintptr_t end = ((uintptr_t)block + size) & ~(uintptr_t)(PAGE - 1);
	struct os_run runs[RUNS];

	while (at < end) {
		int n = os__resident_runs(&at, end, runs, RUNS);

		if (n < 0)
			return false;
		while (n-- > 0)
			n_bytes += runs[n].end - runs[n].start;
	}
	return n_bytes >= size / 2;
}

static void look(struct large_cache *cache, unsigned class, const void *block)
{
	unsigned between = atomic_load_explicit(&cache->between_looks, memory_order_relaxed);
	bool were = atomic_load_explicit(&cache->are_written, memory_order_relaxed);
	bool are = is_written(class, block);

	if (are != were || between < LARGE_CACHE_LOOKS_MIN)
		between = LARGE_CACHE_LOOKS_MIN;
	else if (between < LARGE_CACHE_LOOKS_MAX)
		between *= 2;
	atomic_store_explicit(&cache->between_looks, between, memory_order_relaxed);
	atomic_store_explicit(&cache->until_look, between, memory_order_relaxed);
	atomic_store_explicit(&cache->are_written, are, memory_order_relaxed);
	if (are && !were)
		large_cache__flush(cache);
}

/* Does the program write to its blocks? Strict areas had their pages before, files and devices have none. */
static bool are_written(struct large_cache *cache, unsigned class, const void *block)
{
	unsigned n = atomic_load_explicit(&cache->until_look, memory_order_relaxed);

	if (n != 0)
		atomic_store_explicit(&cache->until_look, n - 1, memory_order_relaxed);
	else if (cache->purged == NULL && space__is_purgeable(cache->space))
		look(cache, class, block);
	return atomic_load_explicit(&cache->are_written, memory_order_relaxed);
}

bool large_cache__put(struct large_cache *cache, unsigned class, void *block, size_t drawn)
{
	uint32_t now;
	bool held, due;

	if (cache->max_age == 0 || are_written(cache, class, block))
		return false;
	spend(cache, large_class__bytes[class], drawn);
	if (!fits(cache, class, drawn) && !make_room(cache, class, drawn))
		return false;
	if (cache->purged != NULL && !purge(cache, class, block))
		return false;
	now = now_ms();
	lock__acquire(&cache->lock);
	held = put_locked(cache, class, block, drawn, now);
	due = is_due_locked(cache, now);
	lock__release(&cache->lock);
	if (due)
		sweep(cache, now - cache->max_age);
	return held;
}

void large_cache__shrink(struct large_cache *cache, size_t size)
{
	unsigned class;
	void *block;

	if (cache->purged != NULL)
		return; /* no page would be won */
	for (size_t n = 0; n < size && (block = take_older(cache, 0, &class)) != NULL;
		n += large_class__bytes[class])
		arena__free(block);
}

void large_cache__missed(struct large_cache *cache, size_t size, size_t drawn)
{
	size_t total = cache->max_age == 0 ? 0 :
		atomic_load_explicit(cache->total, memory_order_relaxed);

	if (total == 0)
		return;
	if (earned(cache) == 0)
		large_cache__shrink(cache, size);
	else if (total > bound(cache, drawn))
		large_cache__shrink(cache, total - bound(cache, drawn));
}

void large_cache__count(struct large_cache *cache, size_t n_blocks[LARGE_CLASSES])
{
	lock__acquire(&cache->lock);
	for (unsigned class = 0; class < large_class__count; class++)
		n_blocks[class] += cache->n[class];
	lock__release(&cache->lock);
}

void large_cache__flush(struct large_cache *cache)
{
	if (cache->max_age != 0)
		sweep(cache, now_ms() + 1);
}

void large_cache__after_fork(struct large_cache *cache) LOCK_UNCHECKED
{
	bool interrupted = lock__is_held(&cache->lock);

	lock__reset(&cache->lock);
	for (unsigned class = 0; class < large_class__count; class++) {
		unsigned n = interrupted ? 0 : cache->n[class];

		cache->n[class] = 0;
		set_count_locked(cache, class, n);
	}
}

void large_cache__destroy(struct large_cache *cache)
{
	if (cache->shelf != NULL)
		shared_pool__put(&shelves, cache->shelf);
}
