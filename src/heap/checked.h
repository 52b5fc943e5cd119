/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * checked.h - what the rest of the heap floor does for builds that check; nothing in the ordinary one.
 */
#ifndef HEAP_CHECKED_H
#define HEAP_CHECKED_H

#include <stddef.h>

struct cache;
struct situs_heap;

#ifdef SITUS_GUARDED
/* A new cache of so many bytes. */
void checked__init(struct cache *cache, size_t bytes);

/* The blocks of a class that a refill brought. */
void checked__shuffle(struct cache *cache, unsigned class);

/* Everything in the cache's quarantine goes back to jemalloc. */
void checked__flush(struct cache *cache);
#else
static inline void checked__init(struct cache *cache, size_t bytes)
{
	(void)cache, (void)bytes;
}

static inline void checked__shuffle(struct cache *cache, unsigned class)
{
	(void)cache, (void)class;
}

static inline void checked__flush(struct cache *cache)
{
	(void)cache;
}
#endif

#ifdef SITUS_CHECKING
/* A heap, or the end. */
void checked__heap(const struct situs_heap *heap, const char *who, const void *from);

/* It is about to go: remembers where its memory was. */
void checked__heap_goes(struct situs_heap *heap);
#else
static inline void checked__heap_goes(struct situs_heap *heap)
{
	(void)heap;
}

static inline void checked__heap(const struct situs_heap *heap, const char *who, const void *from)
{
	(void)heap, (void)who, (void)from;
}
#endif

#endif
