/* SPDX-License-Identifier: BSD-3-Clause */
/* mimalloc_heap.c - a mimalloc heap for each thread: only its own thread may allocate from one. */
#include <mimalloc.h>
#include <stdio.h>

#include "bench/peer.h"

static __thread mi_heap_t *heap;

static inline void *get(size_t size)
{
	return mi_heap_malloc(heap, size);
}

static inline void *get_zeroed(size_t size)
{
	return mi_heap_zalloc(heap, size);
}

static inline void *get_aligned(size_t alignment, size_t size)
{
	return mi_heap_malloc_aligned(heap, size, alignment);
}

static inline void *resize(void *p, size_t old_size, size_t size)
{
	(void)old_size;
	return mi_heap_realloc(heap, p, size);
}

static inline void put(void *p, size_t size)
{
	(void)size;
	mi_free(p);
}

#define OWNER(p) ((uintptr_t)mi_heap_contains_block(heap, p))
#include "bench/loops.h"

static const char *version(void)
{
	static char text[16];

	snprintf(text, sizeof(text), "%d.%d.%d", mi_version() / 100, mi_version() / 10 % 10,
		mi_version() % 10);
	return text;
}

static void thread_begin(void)
{
	heap = mi_heap_new();
	if (heap == NULL) /* the thread's default one is there always */
		heap = mi_heap_get_default();
}

static void thread_end(void)
{
	mi_heap_delete(heap);
}

static bool heap_cycle(void)
{
	mi_heap_t *other = mi_heap_new();
	bool ok = other != NULL && mi_heap_malloc(other, 64) != NULL;

	if (other != NULL)
		mi_heap_destroy(other);
	return ok;
}

const struct peer peer = {
	.name = "mimalloc heap",
	.placement = "none",
	.version = version,
	.thread_begin = thread_begin,
	.thread_end = thread_end,
	.heap_cycle = heap_cycle,
	PEER_FUNCTIONS,
};
