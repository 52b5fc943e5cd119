/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * family.c - malloc and its kin, drawn from the program's heap.
 *
 * A block belongs to the owner that the page map names; none means the C library made it. Every
 * function asks that first, so blocks from before the heap was ready, from another size range and of heaps
 * that the program made itself may meet any of these functions. free never changes errno; the others
 * set it to ENOMEM or EINVAL on failure only.
 */
#include "config.h"

#include <errno.h>
#include <malloc.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "heap/heap.h"
#include "preload/extended.h"
#include "preload/split.h"
#include "preload/start.h"
#include "preload/system.h"

#define PUBLIC __attribute__((visibility("default")))
#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)
#define SLOW __attribute__((noinline))

/* C23's, which this C library's headers do not declare yet. */
void free_sized(void *ptr, size_t size);
void free_aligned_sized(void *ptr, size_t alignment, size_t size);
void cfree(void *ptr);

static bool is_power_of_two(size_t n)
{
	return n && (n & (n - 1)) == 0;
}

static SLOW void *malloc_slow(size_t size)
{
	situs_heap_t *heap = preload__heap_for(size);
	void *block;

	if (!heap)
		return extended__from_libc(__libc_malloc(size));
	if (unlikely(preload.is_split))
		return split__allocate(0, size, false);
	block = situs_malloc(heap, size);
	if (preload.n_noted != 0)
		thread__note_cache(heap->owner.number);
	return block;
}

/* From the cache that the thread noted; NULL: none is there. */
static inline void *noted_block(size_t size)
{
	return likely(size - preload.size_min < preload.n_noted) ?
		cache__take(thread__noted_bin(size_class__code(size))) : NULL;
}

PUBLIC void *malloc(size_t size)
{
	void *block = noted_block(size);

	return likely(block != NULL) ? block : malloc_slow(size);
}

static SLOW void *calloc_slow(size_t n, size_t size)
{
	situs_heap_t *heap;
	size_t total;

	if (__builtin_mul_overflow(n, size, &total)) {
		errno = ENOMEM;
		return NULL;
	}
	heap = preload__heap_for(total);
	if (!heap)
		return extended__from_libc(__libc_calloc(n, size));
	return unlikely(preload.is_split) ? split__allocate(0, total, true) : situs_calloc(heap, n, size);
}

PUBLIC void *calloc(size_t n, size_t size)
{
	size_t total;
	void *block = __builtin_mul_overflow(n, size, &total) ? NULL : noted_block(total);

	return likely(block != NULL) ? memset(block, 0, total) : calloc_slow(n, size);
}

static SLOW void free_slow(void *ptr)
{
	struct owner *owner = preload__owner(ptr);

	/* All keep errno. */
	if (!owner)
		__libc_free(ptr);
	else if (unlikely(preload.is_split))
		split__free(owner->heap, ptr);
	else
		situs_free(ptr);
}

/* situs_free, where nothing more is to be done. */
PUBLIC void free(void *ptr)
{
	const pagemap_word *leaf = pagemap__leaf_masked(ptr);

	if (unlikely(leaf == NULL || preload.n_noted == 0) ||
		unlikely(!cache__put(ptr, thread__bin(pagemap__word_in(leaf, ptr)))))
		free_slow(ptr);
}

/* Moves a block to or from the C library, as its new size has it. The old block is intact on failure. */
static void *move(void *ptr, size_t old_size, size_t size)
{
	void *moved = malloc(size);

	if (!moved)
		return NULL;
	memcpy(moved, ptr, old_size < size ? old_size : size);
	free(ptr);
	return moved;
}

PUBLIC void *realloc(void *ptr, size_t size)
{
	struct owner *owner;
	situs_heap_t *heap;

	if (!ptr)
		return malloc(size);
	if (size == 0) {
		free(ptr);
		return NULL;
	}
	owner = preload__owner(ptr);
	heap = preload__heap_for(size);
	if (!owner)
		return heap ? move(ptr, system__usable_size(ptr), size) :
			extended__from_libc(__libc_realloc(ptr, size));
	/* The program's own heaps keep their blocks. */
	if (!heap && preload__is_own(owner->heap))
		return move(ptr, situs_usable_size(ptr), size);
	if (unlikely(preload.is_split) && preload__is_own(owner->heap))
		return split__resize(owner->heap, ptr, size);
	return situs_realloc(owner->heap, ptr, size);
}

PUBLIC void *reallocarray(void *ptr, size_t n, size_t size)
{
	size_t total;

	if (__builtin_mul_overflow(n, size, &total)) {
		errno = ENOMEM;
		return NULL;
	}
	return realloc(ptr, total);
}

/* alignment is a power of two. */
static void *aligned(size_t alignment, size_t size)
{
	situs_heap_t *heap = preload__heap_for(size);

	if (alignment < sizeof(void *))
		alignment = sizeof(void *);
	if (!heap)
		return extended__from_libc(__libc_memalign(alignment, size));
	return unlikely(preload.is_split) ? split__allocate(alignment, size, false) :
		situs_aligned_alloc(heap, alignment, size);
}

/* As the C library's: an alignment that is no power of two is taken up to the next. */
PUBLIC void *memalign(size_t alignment, size_t size)
{
	size_t power = sizeof(void *);

	if (alignment > SIZE_MAX / 2 + 1) {
		errno = EINVAL;
		return NULL;
	}
	while (power < alignment)
		power *= 2;
	return aligned(power, size);
}

PUBLIC void *aligned_alloc(size_t alignment, size_t size)
{
	return memalign(alignment, size);
}

PUBLIC int posix_memalign(void **ptr, size_t alignment, size_t size)
{
	int saved = errno;
	void *block;

	if (!is_power_of_two(alignment) || alignment % sizeof(void *) != 0)
		return EINVAL;
	block = aligned(alignment, size);
	errno = saved;
	if (!block)
		return ENOMEM;
	*ptr = block;
	return 0;
}

PUBLIC void *valloc(size_t size)
{
	return aligned((size_t)sysconf(_SC_PAGESIZE), size);
}

PUBLIC void *pvalloc(size_t size)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	if (size > SIZE_MAX - page) {
		errno = ENOMEM;
		return NULL;
	}
	return aligned(page, (size + page - 1) & ~(page - 1));
}

PUBLIC void cfree(void *ptr)
{
	free(ptr);
}

PUBLIC void free_sized(void *ptr, size_t size)
{
	(void)size;
	free(ptr);
}

PUBLIC void free_aligned_sized(void *ptr, size_t alignment, size_t size)
{
	(void)alignment;
	(void)size;
	free(ptr);
}

PUBLIC size_t malloc_usable_size(void *ptr)
{
	uint32_t word = pagemap__get_masked(ptr);

	/* Some programs ask at each malloc and free. */
	if (likely(word != 0 && preload.n_noted != 0 && owner__has_bin(word)))
		return size_class__bytes[owner__bin_class(word)];
	if (!ptr)
		return 0;
	return preload__owner(ptr) ? situs_usable_size(ptr) : system__usable_size(ptr);
}

/* 1 where memory went back to the system, as the C library's. */
PUBLIC int malloc_trim(size_t pad)
{
	bool trimmed = system__trim(pad) > 0;

	for (int i = 0; i < preload.n_heaps; i++)
		trimmed |= situs_heap_trim(preload.heaps[i]) > 0;
	return trimmed;
}
