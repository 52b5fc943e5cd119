/* SPDX-License-Identifier: BSD-3-Clause */
#include "heap/cache.h"

#include <string.h>
#include <sys/mman.h>

#include "heap/heap.h"

enum {
	/* A class may hold this many bytes before the heap's bound is applied, and this many blocks. */
	CLASS_BYTES = 64 * 1024,
	CLASS_BLOCKS_MIN = 4,
	CLASS_BLOCKS_MAX = 256,
	FIRST_CAPACITY = 8,
};

static size_t wanted_blocks(unsigned class)
{
	size_t n = CLASS_BYTES / size_class__bytes[class];

	if (n > CLASS_BLOCKS_MAX)
		n = CLASS_BLOCKS_MAX;
	return n < CLASS_BLOCKS_MIN ? CLASS_BLOCKS_MIN : n;
}

/* Blocks each class may hold so that all together stay within `bytes`; returns their number. */
static size_t plan(size_t bytes, uint16_t max[SIZE_CLASSES])
{
	size_t wanted = 0, total = 0;

	for (unsigned class = 0; class < size_class__count; class++)
		wanted += wanted_blocks(class) * size_class__bytes[class];
	for (unsigned class = 0; class < size_class__count; class++) {
		double share = (double)wanted_blocks(class) * (double)bytes / (double)wanted;

		max[class] = share > 4096 ? 4096 : (uint16_t)share;
		total += max[class];
	}
	return total;
}

struct cache *cache__create(struct situs_heap *heap, struct heap_arena *arena, size_t bytes)
{
	uint16_t max[SIZE_CLASSES];
	size_t size = sizeof(struct cache) + plan(bytes, max) * sizeof(void *);
	struct cache *cache = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		-1, 0);
	void **slots;

	if (cache == MAP_FAILED)
		return NULL;
	cache->heap = heap;
	cache->arena = arena;
	cache->mapped = size;
	slots = cache->slots;
	for (unsigned class = 0; class < size_class__count; class++) {
		struct cache_bin *bin = &cache->bins[class];

		bin->slots = slots;
		bin->max = max[class];
		bin->capacity = bin->max < FIRST_CAPACITY ? bin->max : FIRST_CAPACITY;
		slots += max[class];
	}
	return cache;
}

static void flush_oldest(struct cache_bin *bin, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		arena__free(bin->slots[i]);
	memmove(bin->slots, bin->slots + n, (bin->n - n) * sizeof(void *));
	bin->n = (uint16_t)(bin->n - n);
}

void cache__flush(struct cache *cache)
{
	for (unsigned class = 0; class < size_class__count; class++)
		flush_oldest(&cache->bins[class], cache->bins[class].n);
}

void cache__destroy(struct cache *cache, bool flush)
{
	if (flush)
		cache__flush(cache);
	munmap(cache, cache->mapped);
}

static void widen(struct cache_bin *bin)
{
	unsigned capacity = bin->capacity * 2u;

	bin->capacity = capacity > bin->max ? bin->max : (uint16_t)capacity;
}

void *cache__refill_and_get(struct cache *cache, unsigned class)
{
	struct cache_bin *bin = &cache->bins[class];
	void *block = heap__block_of_class(cache->heap, cache->arena, class);
	unsigned batch = bin->capacity / 2u;

	if (block == NULL)
		return NULL;
	widen(bin);
	while (bin->n < batch) {
		void *more = heap__block_of_class_once(cache->heap, cache->arena, class);

		if (more == NULL)
			break;
		bin->slots[bin->n++] = more;
	}
	/* Lowest address first out: jemalloc gives them upwards. */
	for (unsigned low = 0, high = bin->n; low + 1 < high; low++, high--) {
		void *swapped = bin->slots[low];

		bin->slots[low] = bin->slots[high - 1];
		bin->slots[high - 1] = swapped;
	}
	return block;
}

void cache__put_full(struct cache *cache, unsigned class, void *block)
{
	struct cache_bin *bin = &cache->bins[class];

	if (bin->capacity < bin->max)
		widen(bin);
	else if (bin->n != 0)
		flush_oldest(bin, (bin->n + 1u) / 2u);
	if (bin->n < bin->capacity)
		bin->slots[bin->n++] = block;
	else
		arena__free(block); /* this class is not cached */
}
