/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * alloc.c - malloc and its family on heaps: the fast paths.
 *
 * malloc: the heap's row and the size's code -> this thread's bin -> top of a stack. free: page map word,
 * which says both -> the same. No lock, no shared write; everything else is out of line.
 * errno is left as it was by whatever succeeds.
 */
#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/pagemap.h"
#include "heap/alloc.h"
#include "heap/cache.h"
#include "heap/heap.h"
#include "heap/thread.h"

#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)
#define SLOW __attribute__((noinline, cold))
/* Measured: a line of code less to fetch makes a pair 1 % faster. */
#define FAST __attribute__((aligned(64)))

enum {
	/* jemalloc offsets its large blocks inside their first page by cache lines, so their natural
	   alignment is a line; slabs begin on a page. */
	CACHE_LINE = 64,
	SLAB_CLASS_LIMIT = 16384,
	PAGE = 4096,
};

static struct situs_heap *heap_or_bound(struct situs_heap *heap)
{
	return heap != NULL ? heap : thread__self->bound;
}

/* heap NULL: the program's malloc would have been asked. */
static SLOW void *refuse_size(struct situs_heap *heap, size_t size)
{
	error__set(ENOMEM, "%zu bytes asked: more than an address space holds", size);
	if (heap != NULL)
		heap__refuse(heap, size);
	return NULL;
}

/* What the program's malloc answered; not every one of them sets errno. */
static void *of_the_program(void *block, size_t size)
{
	if (block == NULL)
		error__set(ENOMEM, "the program's malloc has no %zu bytes", size);
	return block;
}

/* Without a cache, or for what caches do not hold. */
static SLOW void *malloc_slow(struct situs_heap *heap, size_t size)
{
	struct heap_arena *arena;
	struct cache *cache;

	heap = heap_or_bound(heap);
	if (size > PTRDIFF_MAX)
		return refuse_size(heap, size);
	if (heap == NULL)
		return of_the_program(malloc(size), size);
	if (size <= SIZE_CLASS_MAX) {
		cache = thread__cache(heap->owner.number);
		if (cache == NULL)
			cache = thread__make_cache(heap);
		if (cache != NULL)
			return cache__get(cache, size_class__of(size));
	}
	if (size > SIZE_CLASS_MAX)
		return heap__large_block(heap, size);
	arena = heap__arena(heap);
	return arena == NULL ? NULL : heap__block_of_class(heap, arena, size_class__of(size));
}

FAST void *situs_malloc(situs_heap_t *heap, size_t size)
{
	if (likely(heap != NULL && size <= SIZE_CLASS_MAX)) {
		void *block = cache__take(thread__bin(heap->owner.row + size_class__code(size)));

		/* The slow path begins anew: nothing has to be kept for it. */
		if (likely(block != NULL))
			return block;
	}
	return malloc_slow(heap, size);
}

void *situs_calloc(situs_heap_t *heap, size_t n, size_t size)
{
	struct heap_arena *arena;
	size_t total;
	void *block;

	heap = heap_or_bound(heap);
	if (__builtin_mul_overflow(n, size, &total)) {
		error__set(ENOMEM, "calloc of %zu times %zu bytes overflows", n, size);
		if (heap != NULL)
			heap__refuse(heap, SIZE_MAX);
		return NULL;
	}
	if (heap == NULL)
		return of_the_program(calloc(n, size), total);
	if (total <= SIZE_CLASS_MAX) {
		block = situs_malloc(heap, total);
		return block == NULL ? NULL : memset(block, 0, total);
	}
	if (total > PTRDIFF_MAX)
		return refuse_size(heap, total);
	arena = heap__arena(heap);
	return arena == NULL ? NULL : heap__block(heap, arena, total, 0, true);
}

void *situs_aligned_alloc(situs_heap_t *heap, size_t alignment, size_t size)
{
	struct heap_arena *arena;
	size_t padded;

	if (alignment == 0 || (alignment & (alignment - 1)) != 0) {
		error__set(EINVAL, "alignment %zu is not a power of two", alignment);
		return NULL;
	}
	heap = heap_or_bound(heap);
	if (size > PTRDIFF_MAX || alignment > PTRDIFF_MAX)
		return refuse_size(heap, size > alignment ? size : alignment);
	if (heap == NULL) {
		void *block = NULL;
		int err = posix_memalign(&block,
			alignment < sizeof(void *) ? sizeof(void *) : alignment, size);

		if (err != 0)
			error__set(err, "the program's malloc has no %zu bytes", size);
		return err == 0 ? block : NULL;
	}
	/* A slab class that is a multiple of the alignment has it at every block. */
	padded = (size + (size == 0) + alignment - 1) & ~(alignment - 1);
	if (alignment <= PAGE && padded < SLAB_CLASS_LIMIT) {
		size_t bytes = size_class__bytes[size_class__of(padded)];

		if ((bytes & (alignment - 1)) == 0 && bytes < SLAB_CLASS_LIMIT)
			return situs_malloc(heap, padded);
	}
	if (alignment <= CACHE_LINE)
		return situs_malloc(heap, size);
	arena = heap__arena(heap);
	return arena == NULL ? NULL : heap__block(heap, arena, size, alignment, false);
}

/* What stands behind the page map's word cannot be freed here. */
static void refuse_free(const void *ptr)
{
	error__set(EINVAL, "free of %p: it belongs to hooks of another jemalloc", ptr);
}

static SLOW void free_slow(void *ptr)
{
	uint32_t word = pagemap__get_masked(ptr);
	struct owner *owner = owner__of_word(word);
	int err = errno;

	if (ptr == NULL)
		return;
	if (owner == NULL) {
		free(ptr);
	} else if (owner->heap == NULL) {
		if (owner->is_arena)
			arena__free(ptr);
		else
			refuse_free(ptr);
	} else {
		struct cache *cache = thread__cache(owner->number);

		if (cache == NULL)
			cache = thread__make_cache(owner->heap);
		if (cache != NULL)
			cache__put_slowly(ptr, cache);
		else
			heap__free_large(owner->heap, ptr, owner__class(word));
	}
	errno = err;
}

FAST void situs_free(void *ptr)
{
	/* The caller says that ptr is a block, so of addresses beyond the page map only a mask is needed. */
	const pagemap_word *leaf = pagemap__leaf_masked(ptr);

	if (unlikely(leaf == NULL) || unlikely(!cache__put(ptr, thread__bin(pagemap__word_in(leaf, ptr)))))
		free_slow(ptr);
}

void situs_free_sized(void *ptr, size_t size)
{
	/* The page map knows better than the caller, and as fast. */
	(void)size;
	situs_free(ptr);
}

size_t situs_usable_size(const void *ptr)
{
	uint32_t word = pagemap__get(ptr);
	struct owner *owner;

	if (likely(word != 0 && owner__has_bin(word)))
		return size_class__bytes[owner__bin_class(word)];
	if (ptr == NULL)
		return 0;
	owner = owner__of_word(word);
	if (owner == NULL)
		return malloc_usable_size((void *)(uintptr_t)ptr);
	if (owner->heap == NULL)
		return owner->is_arena ? arena__usable_size(ptr) : 0;
	return heap__block_size(owner->heap, ptr);
}

static void *move_block(struct situs_heap *heap, void *ptr, size_t old_size, size_t size)
{
	void *moved = situs_malloc(heap, size);

	if (moved != NULL) {
		memcpy(moved, ptr, old_size < size ? old_size : size);
		situs_free(ptr);
	}
	return moved;
}

/* A block stays where it is while its size fits and at least half of it is used. */
static bool fits(size_t old_size, size_t size)
{
	return size <= old_size && (size > old_size / 2 || old_size <= 16);
}

static void *resize(struct situs_heap *heap, void *ptr, unsigned class, size_t size)
{
	size_t old_size = situs_usable_size(ptr);

	if (class < SIZE_CLASSES)
		return fits(old_size, size) ? ptr : move_block(heap, ptr, old_size, size);
	return heap__resize_block(heap, ptr, old_size, size);
}

static __attribute__((noinline)) void *realloc_slow(struct situs_heap *heap, void *ptr, size_t size, uint32_t word)
{
	struct owner *owner = owner__of_word(word);
	struct situs_heap *home = owner == NULL ? NULL : owner->heap;

	if (ptr == NULL)
		return situs_malloc(heap, size);
	if (size == 0) {
		situs_free(ptr);
		return NULL;
	}
	if (size > PTRDIFF_MAX)
		return refuse_size(heap != NULL ? heap : home, size);
	if (owner == NULL && heap == NULL)
		return of_the_program(realloc(ptr, size), size);
	if (owner != NULL && home == NULL && !owner->is_arena) {
		refuse_free(ptr);
		return NULL;
	}
	if (heap == NULL)
		heap = home;
	if (home != heap)
		return move_block(heap, ptr, situs_usable_size(ptr), size);
	if (home == NULL) /* an arena's: it moves to the thread's heap or malloc */
		return move_block(NULL, ptr, situs_usable_size(ptr), size);
	return resize(home, ptr, owner__class(word), size);
}

void *situs_realloc(situs_heap_t *heap, void *ptr, size_t size)
{
	uint32_t word = pagemap__get(ptr);

	if (likely(heap != NULL && owner__number(word) == heap->owner.number && size - 1 < SIZE_CLASS_MAX &&
		owner__has_bin(word))) {
		size_t old_size = size_class__bytes[owner__bin_class(word)];

		return fits(old_size, size) ? ptr : move_block(heap, ptr, old_size, size);
	}
	return realloc_slow(heap, ptr, size, word);
}
