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

#include "preload/start.h"
#include "preload/system.h"

#define PUBLIC __attribute__((visibility("default")))

/* C23's, which this C library's headers do not declare yet. */
void free_sized(void *ptr, size_t size);
void free_aligned_sized(void *ptr, size_t alignment, size_t size);
void cfree(void *ptr);

static bool is_power_of_two(size_t n)
{
	return n && (n & (n - 1)) == 0;
}

PUBLIC void *malloc(size_t size)
{
	situs_heap_t *heap = preload__heap_for(size);

	return heap ? situs_malloc(heap, size) : __libc_malloc(size);
}

PUBLIC void *calloc(size_t n, size_t size)
{
	situs_heap_t *heap;
	size_t total;

	if (__builtin_mul_overflow(n, size, &total)) {
		errno = ENOMEM;
		return NULL;
	}
	heap = preload__heap_for(total);
	return heap ? situs_calloc(heap, n, size) : __libc_calloc(n, size);
}

PUBLIC void free(void *ptr)
{
	/* Both keep errno. */
	if (preload__owner(ptr))
		situs_free(ptr);
	else
		__libc_free(ptr);
}

/* Moves a block between the heap and the C library. The old block is intact on failure. */
static void *move(void *ptr, size_t old_size, situs_heap_t *to, size_t size)
{
	void *moved = to ? situs_malloc(to, size) : __libc_malloc(size);

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
		return heap ? move(ptr, system__usable_size(ptr), heap, size) : __libc_realloc(ptr, size);
	if (!heap && owner->heap == atomic_load_explicit(&preload.heap, memory_order_relaxed))
		return move(ptr, situs_usable_size(ptr), NULL, size);
	/* The program's own heaps keep their blocks. */
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
	return heap ? situs_aligned_alloc(heap, alignment, size) : __libc_memalign(alignment, size);
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
	if (!ptr)
		return 0;
	return preload__owner(ptr) ? situs_usable_size(ptr) : system__usable_size(ptr);
}

/* 1 where memory went back to the system, as the C library's. */
PUBLIC int malloc_trim(size_t pad)
{
	situs_heap_t *heap = atomic_load_explicit(&preload.heap, memory_order_acquire);
	bool trimmed = system__trim(pad) > 0;

	return trimmed | (heap && situs_heap_trim(heap) > 0);
}

/* The sum of both allocators, as far as the fields mean something for both. */
PUBLIC struct mallinfo2 mallinfo2(void)
{
	situs_heap_t *heap = atomic_load_explicit(&preload.heap, memory_order_acquire);
	struct situs_heap_stats stats = { .struct_size = sizeof(stats) };
	struct mallinfo2 info = system__mallinfo2();

	if (heap && situs_heap_stats(heap, &stats) == 0) {
		info.arena += stats.mapped;
		info.uordblks += stats.allocated;
		info.fordblks += stats.mapped > stats.allocated ? stats.mapped - stats.allocated : 0;
	}
	return info;
}
