/* SPDX-License-Identifier: BSD-3-Clause */
#include "heap/cache.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "base/error.h"
#include "base/unmap.h"
#include "heap/checked.h"
#include "heap/heap.h"
#include "heap/mistaken.h"

enum {
	/* A class may hold this many bytes before the heap's bound is applied, and this many blocks. */
	CLASS_BYTES = 64 * 1024,
	CLASS_BLOCKS_MIN = 4,
	CLASS_BLOCKS_MAX = 256,
	/* Bytes a class may hold of a heap that has drawn little, or else one part in so many of that. With
	   three quarters of CLASS_BYTES in any heap, programs of some MiB were larger by 5 to 10 %; none
	   was faster. */
	CLASS_LEAST = 24 * 1024,
	CLASS_SHARE = 64,
	FIRST_CAPACITY = 8,
	SLOTS_MAX = 4096, /* of one class, whatever the bound; 16 bits count them */
	SLOW_CALLS_PER_AGE = 16,
	LINE = 64,
	SPREAD_LINES = 8,
	SPREAD_BYTES = 32, /* blocks beyond that share a line with one other at most */
	SPREAD_MAX = SPREAD_LINES * LINE / 8,
};

static size_t wanted_blocks(unsigned class)
{
	size_t n = CLASS_BYTES / size_class__bytes[class];

	if (n > CLASS_BLOCKS_MAX)
		n = CLASS_BLOCKS_MAX;
	return n < CLASS_BLOCKS_MIN ? CLASS_BLOCKS_MIN : n;
}

/* Blocks each class may hold so that all together stay within `bytes`; returns how many slots that is,
   with one in front of each class that stays NULL. */
static size_t plan(size_t bytes, size_t max[SIZE_CLASSES])
{
	size_t wanted = 0, slots = 0;

	for (unsigned class = 0; class < size_class__count; class++)
		wanted += wanted_blocks(class) * size_class__bytes[class];
	for (unsigned class = 0; class < size_class__count; class++) {
		double share = (double)wanted_blocks(class) * (double)bytes / (double)wanted;

		max[class] = share > SLOTS_MAX ? SLOTS_MAX : (size_t)share;
		slots += 1 + max[class];
	}
	return slots;
}

bool cache__prepare(struct cache *cache, const struct situs_heap *heap, struct heap_arena *arena, size_t bytes)
{
	size_t max[SIZE_CLASSES];
	size_t size = sizeof(struct cache_slots) + plan(bytes, max) * sizeof(void *);
	struct cache_slots *slots = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	void **base;

	if (slots == MAP_FAILED)
		return false;
	slots->mapped = size;
	cache->slots = slots;
	cache->arena = arena;
	cache->trims_seen = atomic_load_explicit(&heap->n_trims, memory_order_relaxed);
	checked__init(cache, bytes);
	base = slots->slots + 1;
	for (unsigned class = 0; class < size_class__count; class++) {
		cache->max[class] = (uint16_t)max[class];
		cache->bins[class] = (struct cache_bin){.top = base, .base = base,
			.limit = base + (max[class] < FIRST_CAPACITY ? max[class] : FIRST_CAPACITY)};
		base += max[class] + 1;
	}
	return true;
}

/* The n oldest leave, into the depot as far as they may. */
static void flush_oldest(struct cache *cache, unsigned class, size_t n, bool to_depot)
{
	void **base = cache->bins[class].base;
	size_t rest = (size_t)(cache->bins[class].top - base) - n;
	size_t done = to_depot ? depot__put(cache->heap, cache->arena, class, base, n) : 0;

	/* What leaves for good takes no way on which it may get stuck. */
	heap__free_blocks(cache->heap, to_depot ? cache->arena : NULL, class, base + done, n - done);
	memmove(base, base + n, rest * sizeof(void *));
	cache__set_top(&cache->bins[class], base + rest);
}

void cache__flush(struct cache *cache)
{
	checked__flush(cache);
	for (unsigned class = 0; class < size_class__count; class++)
		flush_oldest(cache, class, cache__count(cache, class), false);
}

/* A fork may come at any instant of this: what is half cleared in the child is no cache there either. */
void cache__clear(struct cache *cache)
{
	struct cache_slots *slots = cache->slots;

	cache->heap = NULL;
	atomic_signal_fence(memory_order_seq_cst);
	memset(cache, 0, sizeof(*cache));
	unmap__own(slots, slots->mapped);
}

static size_t capacity(const struct cache *cache, unsigned class)
{
	return (size_t)(cache->bins[class].limit - cache->bins[class].base);
}

/* Half of what a class may hold, in whole batches of the depot's where that is more than one. */
static size_t some(const struct cache *cache, unsigned class)
{
	size_t n = (capacity(cache, class) + 1) / 2, batches = (n + DEPOT_BATCH / 2) / DEPOT_BATCH;

	return n > DEPOT_BATCH ? batches * DEPOT_BATCH : n;
}

/* Blocks a class may hold now: what its threads cache is not to be the larger part of a small heap. */
static size_t room_now(const struct cache *cache, unsigned class)
{
	size_t drawn = atomic_load_explicit(&cache->heap->account.drawn, memory_order_relaxed);
	size_t bytes = drawn / CLASS_SHARE > CLASS_LEAST ? drawn / CLASS_SHARE : (size_t)CLASS_LEAST;
	size_t n = bytes / size_class__bytes[class];

	return n < cache->max[class] ? n : cache->max[class];
}

/* False: it has all the room it may have now. */
static bool widen(struct cache *cache, unsigned class)
{
	size_t n = capacity(cache, class), max = room_now(cache, class);

	if (n >= max)
		return false;
	cache->bins[class].limit = cache->bins[class].base + (2 * n < max ? 2 * n : max);
	return true;
}

/*
 * A class that stands exactly where it stood the last time is taken to be idle: three quarters of it go
 * back and it has to earn its room anew. One class at a time, as the thread passes by here, which costs
 * the fast paths nothing; a thread that does nothing keeps what its bound allows.
 */
static void age(struct cache *cache)
{
	unsigned class = cache->next_to_age;
	struct cache_bin *bin = &cache->bins[class];
	size_t n = (size_t)(bin->top - bin->base);

	if (n != 0 && bin->top == bin->seen) {
		size_t half = capacity(cache, class) / 2;

		flush_oldest(cache, class, n - n / 4, false);
		if (half >= FIRST_CAPACITY)
			bin->limit = bin->base + half;
	}
	bin->seen = bin->top;
	cache->next_to_age = (class + 1) % size_class__count;
}

static void count_slow_call(struct cache *cache)
{
	unsigned n_trims = atomic_load_explicit(&cache->heap->n_trims, memory_order_relaxed);

	if (cache->trims_seen != n_trims) {
		cache->trims_seen = n_trims;
		cache__flush(cache);
	} else if (++cache->n_slow % SLOW_CALLS_PER_AGE == 0) {
		age(cache);
		large_cache__age(&cache->arena->large);
	}
}

/* From the depot, into an empty bin; NULL: it has none. */
static void *take_from_depot(struct cache *cache, unsigned class)
{
	void **low = cache->bins[class].base;
	size_t batch = some(cache, class);
	size_t n = depot__get(cache->heap, cache->arena, class, low, batch);

	if (n == 0)
		return NULL;
	(void)widen(cache, class);
	cache__set_top(&cache->bins[class], low + n - 1);
	return low[n - 1];
}

/* Lowest address first out: jemalloc gives them upwards. */
static void take_in_order(struct cache *cache, unsigned class, size_t n)
{
	struct cache_bin *bin = &cache->bins[class];
	void **low = bin->base, **high;

	(void)widen(cache, class);
	n = heap__blocks_of_class(cache->heap, cache->arena, class, low, n);
	cache__set_top(bin, low + n);
	for (high = bin->top; low + 1 < high; low++) {
		void *swapped = *low;

		*low = *--high;
		*high = swapped;
	}
}

/*
 * The first blocks of a thread are often made for others, and who frees one has it as its own next: each of
 * SPREAD_LINES blocks that come out in a row lies on another cache line, or threads would wait for each other
 * at every write. `first` is on its way out. The bin is empty, and as narrow as it can be.
 */
static void take_spread(struct cache *cache, unsigned class, void *first)
{
	size_t per_line = LINE / size_class__bytes[class], wanted = SPREAD_LINES * per_line, n;
	void *blocks[SPREAD_MAX], **top = cache->bins[class].base;

	while (capacity(cache, class) < wanted && widen(cache, class))
		;
	if (wanted > capacity(cache, class))
		wanted = capacity(cache, class);
	blocks[0] = first;
	n = 1 + heap__blocks_of_class(cache->heap, cache->arena, class, blocks + 1, wanted - 1);
	for (size_t column = per_line; column-- > 0;)
		for (size_t i = SPREAD_LINES; i-- > 0;) {
			size_t at = i * per_line + column;

			if (at != 0 && at < n)
				*top++ = blocks[at];
		}
	cache__set_top(&cache->bins[class], top);
}

static void *take_from_jemalloc(struct cache *cache, unsigned class)
{
	size_t drawn = atomic_load_explicit(&cache->heap->account.drawn, memory_order_relaxed), more;
	void *block = heap__block_of_class(cache->heap, cache->arena, class);
	size_t room = capacity(cache, class);
	int err = errno;

	if (block == NULL)
		return NULL;
	/* Who was told the news (heap__tell_news) may have freed blocks meanwhile. */
	if (cache__count(cache, class) != 0)
		return block;
	/* One block is enough to succeed. */
	error__keep();
	if (room == FIRST_CAPACITY && size_class__bytes[class] <= SPREAD_BYTES)
		take_spread(cache, class, block);
	else
		take_in_order(cache, class, room / 2);
	error__settle(true);
	errno = err;
	/* The heap grows: what lies in the depot makes way. */
	more = atomic_load_explicit(&cache->heap->account.drawn, memory_order_relaxed);
	if (more > drawn)
		depot__shrink(cache->heap, more - drawn);
	return block;
}

void *cache__get(struct cache *cache, unsigned class)
{
	void *block = cache__take(&cache->bins[class]);
	int err = errno; /* what succeeds leaves it alone, whatever is given back on the way */

	if (block != NULL)
		return block;
	block = take_from_depot(cache, class);
	if (block == NULL)
		block = take_from_jemalloc(cache, class);
	if (block == NULL)
		return NULL;
	checked__shuffle(cache, class);
	count_slow_call(cache);
	heap__tell_news(cache->heap);
	errno = err;
	return block;
}

void cache__put_slowly(void *block, struct cache *cache)
{
	uint32_t word = pagemap__get(block);
	struct cache_bin *bin;
	unsigned class;
	int err = errno; /* free leaves it alone */

	if (!owner__has_bin(word)) {
		heap__free_large(cache->heap, block, owner__class(word));
		errno = err;
		return;
	}
	class = owner__bin_class(word);
	bin = &cache->bins[class];
	if (bin->top[-1] == block) {
		mistaken__say(block, "it was freed before");
		return;
	}
	if (bin->top == bin->limit && !widen(cache, class))
		flush_oldest(cache, class, some(cache, class), true);
	if (!cache__put(block, bin))
		arena__free(block); /* this class is not cached */
	/* Last: it may empty the very bin. */
	count_slow_call(cache);
	errno = err;
}
