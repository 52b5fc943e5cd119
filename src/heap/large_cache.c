/* SPDX-License-Identifier: BSD-3-Clause */
#include "heap/large_cache.h"

#include <string.h>
#include <time.h>

#include "hooks/arena.h"

enum {
	JEMALLOC_DECAY = 10 * 1000, /* ms; opt.dirty_decay_ms, documented default */
	FOR_EVER = 1 << 30,         /* ms: half of what the clock tells apart */
	SWEEPS = 8,                 /* as many in the time a block may stay */
};

static uint32_t now_ms(void)
{
	struct timespec now;

	/* Coarse: a few nanoseconds, and ages are seconds. */
	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return (uint32_t)(now.tv_sec * 1000 + now.tv_nsec / 1000000);
}

void large_cache__init(struct large_cache *cache, long decay_ms)
{
	lock__init(&cache->lock);
	if (decay_ms == 0)
		decay_ms = JEMALLOC_DECAY;
	cache->max_age = decay_ms < 0 || decay_ms / 2 > FOR_EVER ? FOR_EVER : (uint32_t)(decay_ms / 2);
}

void *large_cache__get(struct large_cache *cache, unsigned class)
{
	void *block = NULL;

	if (cache->max_age == 0)
		return NULL;
	lock__acquire(&cache->lock);
	if (cache->n[class] != 0) {
		block = cache->blocks[class][--cache->n[class]];
		cache->bytes -= large_class__bytes[class];
	}
	lock__release(&cache->lock);
	return block;
}

/* Takes up to `room` blocks of one class that were freed before `before` off its old end. */
static unsigned take_old_locked(struct large_cache *cache, unsigned class, uint32_t before,
	void **blocks, unsigned room) LOCK_HELD(cache->lock)
{
	unsigned n = 0, rest;

	while (n < cache->n[class] && n < room && (int32_t)(cache->freed_at[class][n] - before) < 0)
		n++;
	if (n == 0)
		return 0;
	rest = cache->n[class] - n;
	memcpy(blocks, cache->blocks[class], n * sizeof(void *));
	memmove(cache->blocks[class], cache->blocks[class] + n, rest * sizeof(void *));
	memmove(cache->freed_at[class], cache->freed_at[class] + n, rest * sizeof(uint32_t));
	cache->n[class] = (uint8_t)rest;
	cache->bytes -= n * (size_t)large_class__bytes[class];
	return n;
}

static void sweep(struct large_cache *cache, uint32_t before)
{
	void *blocks[LARGE_CACHE_BLOCKS];

	for (unsigned class = 0; class < large_class__count; class++) {
		unsigned n;

		lock__acquire(&cache->lock);
		n = take_old_locked(cache, class, before, blocks, LARGE_CACHE_BLOCKS);
		lock__release(&cache->lock);
		while (n > 0)
			arena__free(blocks[--n]);
	}
}

bool large_cache__put(struct large_cache *cache, unsigned class, void *block)
{
	bool held = false, due;
	uint32_t now;

	if (cache->max_age == 0)
		return false;
	now = now_ms();
	lock__acquire(&cache->lock);
	if (cache->n[class] < LARGE_CACHE_BLOCKS &&
		cache->bytes + large_class__bytes[class] <= LARGE_CACHE_BYTES) {
		cache->freed_at[class][cache->n[class]] = now;
		cache->blocks[class][cache->n[class]] = block;
		cache->n[class]++;
		cache->bytes += large_class__bytes[class];
		held = true;
	}
	due = now - cache->last_sweep > cache->max_age / SWEEPS;
	if (due)
		cache->last_sweep = now;
	lock__release(&cache->lock);
	if (due)
		sweep(cache, now - cache->max_age);
	return held;
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
