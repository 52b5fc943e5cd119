/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * checked.c - malloc and its family in builds that check: the same promises, and what breaks them is
 * found out and named (mistake.h).
 *
 * Every block of a heap is sealed (sealed.h) in a larger one from alloc.c, waits in a quarantine after
 * it is freed, and is told of to sanitizers (annotate.h). Blocks that are no heap's are passed on.
 * With --enable-checking handles of heaps and addresses that no heap owns are looked at as well.
 */
#define HEAP_ALLOC_CHECKED
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "base/annotate.h"
#include "base/pagemap.h"
#include "heap/alloc.h"
#include "heap/cache.h"
#include "heap/checked.h"
#include "heap/heap.h"
#include "heap/mistake.h"
#include "heap/sealed.h"
#include "heap/stranger.h"
#include "heap/thread.h"

/* Who called, and what. */
struct call {
	const char *name;
	const void *from;
};

#define CALL(name) (struct call){name, __builtin_return_address(0)}

static struct situs_heap *own_heap(struct situs_heap *heap, struct call call)
{
	if (heap == NULL)
		heap = situs_thread_heap();
	if (heap != NULL)
		checked__heap(heap, call.name, call.from);
	return heap;
}

/* The heap that holds an address; NULL: none. */
static struct situs_heap *home_of(const void *ptr)
{
	struct owner *owner = owner__of_word(pagemap__get(ptr));

	return owner == NULL ? NULL : owner->heap;
}

static void *seal(struct situs_heap *heap, void *raw, size_t offset, size_t size, bool is_zero)
{
	if (annotate__is_heard())
		annotate__allocated(heap, raw, alloc__usable_size(raw), (char *)raw + offset, size, is_zero);
	return sealed__make(raw, offset, size);
}

static bool is_too_large(size_t alignment, size_t size)
{
	return size > PTRDIFF_MAX / 2 || alignment > PTRDIFF_MAX / 4;
}

static void *make(struct situs_heap *heap, size_t alignment, size_t size)
{
	size_t offset = alignment < SEALED_OFFSET ? SEALED_OFFSET : alignment;
	size_t total = offset + size + SEALED_CANARY;
	void *raw = offset == SEALED_OFFSET ? alloc__malloc(heap, total) :
		alloc__aligned_alloc(heap, alignment, total);

	return raw == NULL ? NULL : seal(heap, raw, offset, size, false);
}

void *situs_malloc(situs_heap_t *heap, size_t size)
{
	heap = own_heap(heap, CALL("situs_malloc"));
	return heap == NULL || is_too_large(0, size) ? alloc__malloc(heap, size) : make(heap, 0, size);
}

void *situs_calloc(situs_heap_t *heap, size_t n, size_t size)
{
	size_t total, whole;
	void *block;

	heap = own_heap(heap, CALL("situs_calloc"));
	if (heap == NULL || __builtin_mul_overflow(n, size, &total) || is_too_large(0, total))
		return alloc__calloc(heap, n, size);
	whole = SEALED_OFFSET + total + SEALED_CANARY;
	if (whole > SIZE_CLASS_MAX) {
		block = alloc__calloc(heap, 1, whole);
		return block == NULL ? NULL : seal(heap, block, SEALED_OFFSET, total, true);
	}
	block = make(heap, 0, total);
	return block == NULL ? NULL : memset(block, 0, total);
}

void *situs_aligned_alloc(situs_heap_t *heap, size_t alignment, size_t size)
{
	heap = own_heap(heap, CALL("situs_aligned_alloc"));
	if (heap == NULL || alignment == 0 || (alignment & (alignment - 1)) != 0 ||
		is_too_large(alignment, size))
		return alloc__aligned_alloc(heap, alignment, size);
	return make(heap, alignment, size);
}

/* What the head of a live block of the heap says, whole; or the end. */
static struct sealed check_block(struct situs_heap *heap, const void *block, struct call call)
{
	struct sealed sealed = {.state = SEALED_NOT};

	if ((uintptr_t)block % SEALED_OFFSET == 0 && home_of((const char *)block - SEALED_OFFSET) == heap)
		sealed = sealed__read(block);
	if (sealed.state == SEALED_FREED)
		mistake__of_block(call.name, call.from, block, "this block was freed before");
	if (sealed.state != SEALED_LIVE)
		mistake__of_block(call.name, call.from, block,
			"not a block's start, or what stands before it was overwritten");
	if (!sealed__is_intact(block, &sealed))
		mistake__of_block(call.name, call.from, block, "something was written past this block's end");
	return sealed;
}

static void *raw_of(void *block, const struct sealed *sealed)
{
	return (char *)block - sealed->offset;
}

void checked__init(struct cache *cache, size_t bytes)
{
	quarantine__init(&cache->slots->quarantine, bytes);
}

void checked__shuffle(struct cache *cache, unsigned class)
{
	void **base = cache->bins[class].base;

	quarantine__shuffle(&cache->slots->quarantine, base, (size_t)(cache->bins[class].top - base));
}

void checked__flush(struct cache *cache)
{
	void *block;

	while ((block = quarantine__drain(&cache->slots->quarantine)) != NULL) {
		struct sealed sealed = sealed__read(block);

		arena__free(raw_of(block, &sealed));
	}
}

/* A freed block waits in the quarantine; the one that comes out for it, or the block itself. */
static void *swap_in_quarantine(struct situs_heap *heap, void *block, const struct sealed *sealed)
{
	unsigned class = owner__class(pagemap__get(raw_of(block, sealed)));
	struct cache *cache = thread__cache(heap->owner.number);

	if (class >= SIZE_CLASSES)
		return block;
	if (cache == NULL)
		cache = thread__make_cache(heap);
	return cache == NULL ? block :
		quarantine__swap(&cache->slots->quarantine, block, sealed->size, class);
}

static void free_sealed(struct situs_heap *heap, void *block, const struct sealed *sealed,
	struct call call)
{
	int err = errno;
	void *out;

	/* Another thread may just have been faster. */
	if (!sealed__retire(block, sealed))
		mistake__of_block(call.name, call.from, block, "this block was freed before");
	annotate__freed(heap, block, sealed->size);
	out = swap_in_quarantine(heap, block, sealed);
	if (out == block) {
		alloc__free(raw_of(block, sealed));
	} else if (out != NULL) {
		struct sealed waited = sealed__read(out);

		alloc__free(raw_of(out, &waited));
	}
	errno = err;
}

static void give_back(void *ptr, struct call call)
{
	struct situs_heap *heap = home_of(ptr);

	if (heap != NULL) {
		struct sealed sealed = check_block(heap, ptr, call);

		free_sealed(heap, ptr, &sealed, call);
	} else {
		if (ptr != NULL)
			stranger__check(ptr, call.name, call.from);
		alloc__free(ptr);
	}
}

void situs_free(void *ptr)
{
	give_back(ptr, CALL("situs_free"));
}

void situs_free_sized(void *ptr, size_t size)
{
	(void)size;
	give_back(ptr, CALL("situs_free_sized"));
}

size_t situs_usable_size(const void *ptr)
{
	struct situs_heap *heap = home_of(ptr);

	if (heap == NULL)
		return alloc__usable_size(ptr);
	return check_block(heap, ptr, CALL("situs_usable_size")).size;
}

static size_t smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Into a heap, or out of all of them to malloc. */
static void *move(struct situs_heap *heap, void *ptr, size_t old_size, size_t size, struct call call)
{
	void *moved = heap == NULL || is_too_large(0, size) ? alloc__malloc(heap, size) :
		make(heap, 0, size);

	if (moved != NULL) {
		memcpy(moved, ptr, smaller(old_size, size));
		give_back(ptr, call);
	}
	return moved;
}

/* Large blocks stay or are remapped, as jemalloc can; the head moves with them. */
static void *resize_large(struct situs_heap *heap, void *block, const struct sealed *sealed, size_t size)
{
	void *resized;

	(void)sealed__retire(block, sealed);
	resized = alloc__realloc(heap, raw_of(block, sealed), SEALED_OFFSET + size + SEALED_CANARY);
	if (resized == NULL) {
		(void)sealed__revive(block, sealed);
		return NULL;
	}
	return seal(heap, resized, SEALED_OFFSET, size, false);
}

static void *resize(struct situs_heap *heap, void *block, const struct sealed *sealed, size_t size,
	struct call call)
{
	size_t raw_size = alloc__usable_size(raw_of(block, sealed));

	/* Who watches sees more when every address is new. */
	if (!annotate__is_heard() && !is_too_large(0, size)) {
		size_t total = sealed->offset + size + SEALED_CANARY;

		if (raw_size <= SIZE_CLASS_MAX ? total <= raw_size && total > raw_size / 2 : total == raw_size)
			return sealed__make(raw_of(block, sealed), sealed->offset, size);
		if (raw_size > SIZE_CLASS_MAX && total > SIZE_CLASS_MAX && sealed->offset == SEALED_OFFSET)
			return resize_large(heap, block, sealed, size);
	}
	return move(heap, block, sealed->size, size, call);
}

void *situs_realloc(situs_heap_t *heap, void *ptr, size_t size)
{
	const struct call call = CALL("situs_realloc");
	uint32_t word = pagemap__get(ptr);
	struct owner *owner = owner__of_word(word);
	struct situs_heap *home = owner == NULL ? NULL : owner->heap;
	struct sealed sealed;

	if (heap != NULL)
		checked__heap(heap, call.name, call.from);
	if (ptr == NULL)
		return situs_malloc(heap, size);
	if (home != NULL)
		sealed = check_block(home, ptr, call);
	else
		stranger__check(ptr, call.name, call.from);
	if (size == 0) {
		give_back(ptr, call);
		return NULL;
	}
	/* As alloc.c says it: a block stays in its own heap, malloc's with malloc, an arena's moves. */
	if (heap == NULL && (home != NULL || (owner != NULL && owner->is_arena)))
		heap = home != NULL ? home : situs_thread_heap();
	if (home != NULL)
		return heap == home ? resize(home, ptr, &sealed, size, call) :
			move(heap, ptr, sealed.size, size, call);
	if ((owner != NULL && !owner->is_arena) || (owner == NULL && heap == NULL))
		return alloc__realloc(heap, ptr, size); /* refused; malloc's own */
	return move(heap, ptr, alloc__usable_size(ptr), size, call);
}
