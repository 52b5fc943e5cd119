/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * block.c - blocks as they come from jemalloc: checked, entered in the page map, refused in words.
 *
 * jemalloc serves arena 0 instead of the arena asked for on threads whose jemalloc state is gone
 * (destructors that run late at thread exit), and inside its own calls (it creates its background
 * threads by pthread_create, which allocates). The page map shows it, and such a request gets an extent
 * of the heap's space for each block: page by page, slow and in the right place. These blocks are not
 * jemalloc's, so they are never cached.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/annotate.h"
#include "base/error.h"
#include "base/pagemap.h"
#include "heap/alloc.h"
#include "heap/cache.h"
#include "heap/heap.h"
#include "heap/mistaken.h"
#include "heap/publish.h"
#include "heap/thread.h"

enum {
	PAGE = 4096,
	PURGE_WAIT_MS = 100, /* a refusal may take this much longer */
	CONDUIT_FEW = 4,     /* blocks that are not worth a conduit's lock */
	CONDUIT_DRAWN = 4 * 1024 * 1024,
	DROP_FEW = 256,      /* blocks for which a thread's cache of jemalloc's is not worth its emptying */
};

static bool is_ours(const struct situs_heap *heap, const void *block)
{
	return owner__number(pagemap__get(block)) == heap->owner.number;
}

static void enter(const struct situs_heap *heap, const void *block, unsigned class)
{
	uint32_t word = owner__word(&heap->owner, class);

	/* Most refills find the slab's pages entered already: a read costs less than a write. */
	if (pagemap__get(block) != word)
		pagemap__put(block, word);
}

/* Where a small block goes when its thread has too many of them: see depot.h. */
static void note_home(const void *block, const struct heap_arena *arena)
{
	if (pagemap__hint(block) != arena->slot)
		pagemap__put_hint(block, arena->slot);
}

static void *direct_block(struct situs_heap *heap, struct heap_arena *arena, size_t size,
	size_t alignment, bool zero)
{
	void *block;

	if (size > SIZE_MAX - PAGE)
		return NULL;
	size = size == 0 ? PAGE : (size + PAGE - 1) & ~(size_t)(PAGE - 1);
	block = space__alloc(hooks__space(arena->hooks), NULL, size, alignment < PAGE ? PAGE : alignment,
		&zero);
	if (block == NULL)
		return NULL;
	atomic_fetch_add_explicit(&heap->direct, size, memory_order_relaxed);
	enter(heap, block, HEAP_CLASS_DIRECT);
	return block;
}

static void *block_once(struct situs_heap *heap, struct heap_arena *arena, size_t size,
	size_t alignment, bool zero)
{
	void *block = arena__malloc(arena->index, size == 0 ? 1 : size, alignment, zero);

	if (block != NULL && !is_ours(heap, block)) {
		arena__free(block);
		return direct_block(heap, arena, size, alignment, zero);
	}
	return block;
}

void heap__give_back_abandoned(struct situs_heap *heap, struct heap_arena *arena)
{
	if (heap->decay_ms < 0)
		return;
	if (heap->n_caches == 0)
		depot__flush(heap);
	conduit__flush(&arena->conduit);
	large_cache__flush(&arena->large);
	arena__purge(arena->index);
}

/* Before any arena is purged: each holds what was freed near it, from whichever arena it came. */
static void flush_large_caches(struct situs_heap *heap)
{
	for (unsigned i = 0; i < heap->n_arenas; i++) {
		struct heap_arena *arena = atomic_load_explicit(&heap->arenas[i], memory_order_acquire);

		if (arena != NULL)
			large_cache__flush(&arena->large);
	}
}

void heap__give_back_unused(struct situs_heap *heap)
{
	struct cache *cache = thread__cache(heap->owner.number);

	if (cache != NULL)
		cache__flush(cache);
	depot__flush(heap);
	heap__flush_conduits(heap);
	flush_large_caches(heap);
	atomic_fetch_add(&heap->n_purging, 1);
	for (unsigned i = 0; i < heap->n_arenas; i++) {
		struct heap_arena *arena = atomic_load_explicit(&heap->arenas[i], memory_order_acquire);

		if (arena != NULL)
			arena__purge(arena->index);
	}
	atomic_fetch_sub(&heap->n_purging, 1);
	/* An arena that another thread is purging was passed over: what comes of it counts too. */
	for (int ms = 0; atomic_load(&heap->n_purging) != 0 && ms < PURGE_WAIT_MS; ms++)
		usleep(1000);
}

static void refuse(struct situs_heap *heap, size_t size)
{
	uint64_t n = atomic_fetch_add_explicit(&heap->n_failures, 1, memory_order_relaxed) + 1;
	const char *cause = error__text();

	atomic_fetch_add_explicit(&heap->n_refused[space__refusal], 1, memory_order_relaxed);
	publish__heap_set(heap->published, PUBLISH_FAILURES, n);
	error__set(ENOMEM, "heap \"%s\": %zu bytes refused%s%s", heap->name, size,
		cause[0] == '\0' ? "" : ": ", cause);
}

void heap__refuse(struct situs_heap *heap, size_t size)
{
	space__refusal = SPACE_REFUSED_NOT;
	refuse(heap, size);
}

/*
 * A slab is one arena's: those of the others may have room where this one cannot grow. Blocks that lie in extents of
 * their own have none to find there, since those have just gone back.
 */
static void *block_of_another(struct situs_heap *heap, const struct heap_arena *but, size_t size,
	size_t alignment, bool zero)
{
	void *block = NULL;

	space__is_closed_to_me = true;
	for (unsigned i = 0; i < heap->n_arenas && block == NULL; i++) {
		struct heap_arena *arena = atomic_load_explicit(&heap->arenas[i], memory_order_acquire);

		if (arena != NULL && arena != but)
			block = block_once(heap, arena, size, alignment, zero);
	}
	space__is_closed_to_me = false;
	return block;
}

/* Tries, gives back what can be given back, tries once more. */
static void *block_or_words(struct situs_heap *heap, struct heap_arena *arena, size_t size,
	size_t alignment, bool zero)
{
	int err = errno;
	void *block;

	error__keep();
	error__clear();
	space__refusal = SPACE_REFUSED_NOT;
	block = block_once(heap, arena, size, alignment, zero);
	if (block == NULL && size <= PTRDIFF_MAX) {
		heap__give_back_unused(heap);
		error__clear();
		space__refusal = SPACE_REFUSED_NOT;
		block = block_once(heap, arena, size, alignment, zero);
	}
	if (block == NULL && size <= SIZE_CLASS_MAX)
		block = block_of_another(heap, arena, size, alignment, zero);
	if (block == NULL)
		refuse(heap, size);
	else
		errno = err;
	error__settle(block != NULL);
	if (block != NULL)
		heap__tell_news(heap);
	return block;
}

static void *enter_class(struct situs_heap *heap, void *block, unsigned class)
{
	if (block != NULL && owner__class(pagemap__get(block)) != HEAP_CLASS_DIRECT)
		enter(heap, block, class);
	return block;
}

/* Aligned blocks are not cached: those of one size do not serve one another. */
static unsigned class_of_size(size_t size, size_t alignment)
{
	if (alignment != 0 || size <= SIZE_CLASS_MAX || size > LARGE_CLASS_MAX)
		return OWNER_PAGES;
	return LARGE_CLASS_FIRST + large_class__of(size);
}

void *heap__block(struct situs_heap *heap, struct heap_arena *arena, size_t size, size_t alignment,
	bool zero)
{
	void *block = block_or_words(heap, arena, size, alignment, zero);

	return enter_class(heap, block, class_of_size(size, alignment));
}

/* Bytes drawn now. */
static size_t drawn(const struct situs_heap *heap)
{
	return atomic_load_explicit(&heap->account.drawn, memory_order_relaxed);
}

static void *large_block(struct situs_heap *heap, size_t size, bool earns)
{
	struct heap_arena *arena = heap__arena(heap);
	void *block = NULL;
	int err = errno;
	size_t before;

	if (arena == NULL)
		return NULL;
	if (size <= LARGE_CLASS_MAX)
		block = large_cache__get(&arena->large, large_class__of(size), earns);
	if (block != NULL) {
		enter(heap, block, LARGE_CLASS_FIRST + large_class__of(size));
		return block;
	}
	before = drawn(heap);
	large_cache__missed(&arena->large, size, before);
	block = heap__block(heap, arena, size, 0, false);
	/* The heap grows: what was held for other sizes serves the next request instead. */
	if (drawn(heap) > before)
		large_cache__shrink(&arena->large, size);
	if (block != NULL)
		errno = err;
	return block;
}

void *heap__large_block(struct situs_heap *heap, size_t size)
{
	return large_block(heap, size, true);
}

void heap__free_large(struct situs_heap *heap, void *block, unsigned class)
{
	unsigned large_class = class - LARGE_CLASS_FIRST;

	if (large_class < large_class__count) {
		struct heap_arena *arena = heap__arena(heap);

		enter(heap, block, HEAP_CLASS_GONE);
		if (arena == NULL || !large_cache__put(&arena->large, large_class, block, drawn(heap)))
			arena__free(block);
	} else {
		heap__free_block(heap, block);
	}
}

void *heap__block_of_class(struct situs_heap *heap, struct heap_arena *arena, unsigned class)
{
	void *block = enter_class(heap,
		block_or_words(heap, arena, size_class__bytes[class], 0, false), class);

	if (block != NULL)
		note_home(block, arena);
	return block;
}

static size_t one_by_one(struct heap_arena *arena, size_t size, void **blocks, size_t n)
{
	size_t got = 0;

	while (got < n && (blocks[got] = arena__malloc(arena->index, size, 0, false)) != NULL)
		got++;
	return got;
}

/* Small heaps go without: jemalloc's books of a conduit and what lies in it would be much of what they take. */
static bool wants_conduit(const struct situs_heap *heap, unsigned class, size_t n)
{
	return n >= CONDUIT_FEW && size_class__bytes[class] <= CONDUIT_BYTES &&
		drawn(heap) >= CONDUIT_DRAWN && !annotate__is_heard();
}

size_t heap__blocks_of_class(struct situs_heap *heap, struct heap_arena *arena, unsigned class, void **blocks,
	size_t n)
{
	size_t size = size_class__bytes[class], got = 0, ours = 0;
	uintptr_t entered = UINTPTR_MAX;

	if (wants_conduit(heap, class, n))
		got = conduit__get(&arena->conduit, arena->index, size, blocks, n);
	if (got == 0)
		got = one_by_one(arena, size, blocks, n);
	for (size_t i = 0; i < got; i++) {
		/* Most follow one another on a page, which is looked at once. */
		if ((uintptr_t)blocks[i] / PAGE != entered && !is_ours(heap, blocks[i])) {
			arena__free(blocks[i]);
			continue;
		}
		if ((uintptr_t)blocks[i] / PAGE != entered) {
			enter(heap, blocks[i], class);
			note_home(blocks[i], arena);
		}
		entered = (uintptr_t)blocks[i] / PAGE;
		blocks[ours++] = blocks[i];
	}
	return ours;
}

void heap__free_blocks(const struct situs_heap *heap, struct heap_arena *arena, unsigned class, void **blocks,
	size_t n)
{
	n = mistaken__drop(blocks, n, class);
	if (arena != NULL && wants_conduit(heap, class, n) &&
		conduit__put(&arena->conduit, size_class__bytes[class], blocks, n))
		return;
	for (size_t i = 0; i < n; i++)
		arena__free(blocks[i]);
}

bool heap__may_drop(unsigned class, size_t n)
{
	return n >= DROP_FEW && size_class__bytes[class] <= CONDUIT_BYTES && conduit__has_thread_caches() &&
		!annotate__is_heard();
}

void heap__drop(unsigned class, void **blocks, size_t n)
{
	conduit__drop(size_class__bytes[class], blocks, mistaken__drop(blocks, n, class));
}

void heap__end_drops(void)
{
	conduit__end_drops();
}

void heap__flush_conduits(struct situs_heap *heap)
{
	for (unsigned i = 0; i < heap->n_arenas; i++) {
		struct heap_arena *arena = atomic_load_explicit(&heap->arenas[i], memory_order_acquire);

		if (arena != NULL)
			conduit__flush(&arena->conduit);
	}
}

/* The space that holds an address of the heap. */
static struct space *space_of(struct situs_heap *heap, const void *address)
{
	for (unsigned i = 0; i < heap->n_arenas; i++) {
		struct heap_arena *arena = atomic_load_explicit(&heap->arenas[i], memory_order_acquire);

		if (arena != NULL && space__holds(hooks__space(arena->hooks), address, 1))
			return hooks__space(arena->hooks);
	}
	return NULL;
}

size_t heap__block_size(struct situs_heap *heap, const void *block)
{
	struct space *space;

	switch (owner__class(pagemap__get(block))) {
	case HEAP_CLASS_GONE:
		return 0;
	case HEAP_CLASS_DIRECT:
		space = space_of(heap, block);
		return space == NULL ? 0 : space__extent_size(space, block);
	default:
		return arena__usable_size(block);
	}
}

static void free_direct(struct situs_heap *heap, void *block)
{
	struct space *space = space_of(heap, block);
	size_t size = space == NULL ? 0 : space__extent_size(space, block);

	if (size != 0 && space__free(space, block, size) == 0)
		atomic_fetch_sub_explicit(&heap->direct, size, memory_order_relaxed);
}

void heap__free_block(struct situs_heap *heap, void *block)
{
	unsigned class = owner__class(pagemap__get(block));

	if (class == HEAP_CLASS_DIRECT) {
		free_direct(heap, block);
	} else if (class == HEAP_CLASS_GONE) {
		mistaken__say(block, "it was freed before");
	} else {
		if (class >= SIZE_CLASSES)
			enter(heap, block, HEAP_CLASS_GONE);
		arena__free(block);
	}
}

void *heap__resize_block(struct situs_heap *heap, void *block, size_t old_size, size_t size)
{
	unsigned class = owner__class(pagemap__get(block));
	int err = errno;
	bool stays;
	void *moved;

	if (class == HEAP_CLASS_GONE) {
		error__set(EINVAL, "realloc of %p: it was freed before", block);
		return NULL;
	}
	error__keep();
	stays = class != HEAP_CLASS_DIRECT && size > SIZE_CLASS_MAX && arena__resize(block, size);
	error__settle(true);
	errno = err;
	if (stays) {
		enter(heap, block, class_of_size(size, 0));
		heap__tell_news(heap);
		return block;
	}
	/* Not by jemalloc's rallocx, which might go astray with the only copy of what is in the block. */
	moved = size > SIZE_CLASS_MAX ? large_block(heap, size, false) : situs_malloc(heap, size);
	if (moved != NULL) {
		memcpy(moved, block, old_size < size ? old_size : size);
		heap__free_block(heap, block);
		errno = err;
	}
	return moved;
}
