/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/pool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/unmap.h"

struct pool_free {
	struct pool_free *next;
};

struct pool_chunk {
	struct pool_chunk *next;
	struct pool_chunk *next_fresh; /* where fresh objects come from when this one has none left */
	size_t size;    /* bytes mapped */
	size_t n_fresh; /* objects at its end that were never used */
	size_t discarded; /* bytes given back, until an object is taken again */
	bool is_huge;     /* of huge pages from the first touch on */
};

/* A fork's child may find any prefix of these stores made, and none out of order. */
#define publish(place, value) __atomic_store_n(&(place), (value), __ATOMIC_RELEASE)

enum {
	CACHE_LINE = 64,
	/* Chunks double from the first to the last size, so that a small pool costs a page or two and
	   a large one few kernel mappings. */
	CHUNK_MIN = 8 * 1024,
	HUGE_PAGE = 2 * 1024 * 1024,
	CHUNK_MAX = HUGE_PAGE,
	/* From here on a huge page that is hardly used is a small part of the whole. */
	HUGE_FROM = 16 * HUGE_PAGE,
};

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25 /* Linux 6.1 */
#endif

void pool__init(struct pool *pool, size_t object_size)
{
	if (object_size < sizeof(struct pool_free))
		object_size = sizeof(struct pool_free);
	*pool = (struct pool){.object_size = POOL_ROUNDED(object_size)};
}

void pool__destroy(struct pool *pool)
{
	/* A fork's child that destroys it once more meets nothing that is gone already. */
	publish(pool->free, (struct pool_free *)NULL);
	publish(pool->fresh, (struct pool_chunk *)NULL);
	while (pool->chunks != NULL) {
		struct pool_chunk *chunk = pool->chunks;

		publish(pool->chunks, chunk->next);
		unmap__own(chunk, chunk->size);
	}
	pool__init(pool, pool->object_size);
}

static size_t next_chunk_size(const struct pool *pool, size_t n)
{
	size_t size = pool->chunks == NULL ? CHUNK_MIN : pool->chunks->size * 2;

	if (size > CHUNK_MAX)
		size = CHUNK_MAX;
	/* All that is wanted at once, as far as that goes. */
	while (size < CACHE_LINE + 4 * pool->object_size ||
		(size < CHUNK_MAX && (size - CACHE_LINE) / pool->object_size < n))
		size *= 2;
	return size;
}

static void push(struct pool *pool, void *object)
{
	struct pool_free *freed = object;

	freed->next = pool->free;
	publish(pool->free, freed);
}

/* The chunk to take fresh objects from; NULL: none has any. */
static struct pool_chunk *fresh_chunk(struct pool *pool)
{
	while (pool->fresh != NULL && pool->fresh->n_fresh == 0)
		publish(pool->fresh, pool->fresh->next_fresh);
	return pool->fresh;
}

/* MADV_COLLAPSE does not ask whether whoever runs the machine wants huge pages at all. */
static bool may_be_huge(void)
{
	char text[64];
	int fd = open("/sys/kernel/mm/transparent_hugepage/enabled", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	if (fd >= 0)
		close(fd);
	if (n <= 0)
		return false;
	text[n] = '\0';
	return strstr(text, "[never]") == NULL;
}

/*
 * What is as large as a huge page is reached at random, and an index of a million entries is searched
 * faster by a third without the misses of the TLB. In a small pool a chunk becomes one when it has been used
 * up, so that what is not used takes no memory. Advice: what the kernel refuses stays as it is.
 */
static void settle(struct pool_chunk *chunk)
{
	int saved = errno;

	if (!chunk->is_huge && chunk->size % HUGE_PAGE == 0 && may_be_huge() &&
		madvise(chunk, chunk->size, MADV_HUGEPAGE) == 0)
		(void)madvise(chunk, chunk->size, MADV_COLLAPSE);
	errno = saved;
}

static void *take_fresh(struct pool *pool)
{
	struct pool_chunk *chunk = fresh_chunk(pool);
	char *end = (char *)chunk + CACHE_LINE +
		(chunk->size - CACHE_LINE) / pool->object_size * pool->object_size;
	size_t n = chunk->n_fresh;

	pool->mapped += chunk->discarded;
	chunk->discarded = 0;
	publish(chunk->n_fresh, n - 1);
	pool->n_touched++;
	if (n == 1)
		settle(chunk);
	return end - n * pool->object_size;
}

/* Chunks of a huge page lie where one can. */
static void *map_chunk(size_t size)
{
	size_t extra = size % HUGE_PAGE == 0 ? HUGE_PAGE : 0;
	char *mapped = mmap(NULL, size + extra, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		-1, 0);

	if (mapped == MAP_FAILED)
		return NULL;
	if (extra == 0)
		return mapped;

	size_t before = -(uintptr_t)mapped % HUGE_PAGE;

	if (before != 0)
		unmap__own(mapped, before);
	if (before != extra)
		unmap__own(mapped + before + size, extra - before);
	return mapped + before;
}

/* Older chunks are used up first: memory is touched as late as can be. */
static void append_fresh(struct pool *pool, struct pool_chunk *chunk)
{
	struct pool_chunk *last = fresh_chunk(pool);

	while (last != NULL && last->next_fresh != NULL)
		last = last->next_fresh;
	if (last == NULL)
		publish(pool->fresh, chunk);
	else
		publish(last->next_fresh, chunk);
}

static int grow(struct pool *pool, size_t n)
{
	size_t size = next_chunk_size(pool, n);
	struct pool_chunk *chunk = map_chunk(size);

	if (chunk == NULL)
		return -ENOMEM;
	chunk->is_huge = size % HUGE_PAGE == 0 && pool->mapped >= HUGE_FROM &&
		madvise(chunk, size, MADV_HUGEPAGE) == 0;
	chunk->next = pool->chunks;
	chunk->next_fresh = NULL;
	chunk->discarded = 0;
	chunk->size = size;
	chunk->n_fresh = (size - CACHE_LINE) / pool->object_size;
	pool->n_free += chunk->n_fresh;
	pool->mapped += size;
	publish(pool->chunks, chunk);
	append_fresh(pool, chunk);
	return 0;
}

int pool__reserve(struct pool *pool, size_t n)
{
	while (pool->n_free < n)
		if (grow(pool, n - pool->n_free) != 0)
			return -ENOMEM;
	return 0;
}

void *pool__get(struct pool *pool)
{
	void *object;

	if (pool->n_free == 0 && grow(pool, 1) != 0)
		return NULL;
	if (pool->free != NULL) {
		object = pool->free;
		publish(pool->free, pool->free->next);
	} else {
		object = take_fresh(pool);
	}
	pool->n_free--;
	pool->n_used++;
	return object;
}

void pool__put(struct pool *pool, void *object)
{
	push(pool, object);
	pool->n_free++;
	pool->n_used--;
}

/* At the end of a chunk, where its unused objects are. */
static size_t untouched(const struct pool *pool, const struct pool_chunk *chunk)
{
	size_t unit = chunk->is_huge ? HUGE_PAGE : (size_t)sysconf(_SC_PAGESIZE);

	return chunk->discarded != 0 ? 0 : chunk->n_fresh * pool->object_size / unit * unit;
}

size_t pool__touched(const struct pool *pool)
{
	size_t size = pool->mapped;

	for (const struct pool_chunk *chunk = pool->fresh; chunk != NULL; chunk = chunk->next_fresh)
		size -= untouched(pool, chunk);
	return size;
}

void pool__discard(struct pool *pool, const void *kept)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	pool->free = NULL;
	pool->fresh = NULL; /* the oldest, which are the smallest, are used first again */
	pool->n_used = 0;
	pool->n_free = 0;
	pool->n_touched = 0;
	for (struct pool_chunk *chunk = pool->chunks; chunk != NULL; chunk = chunk->next) {
		/* The head of the chunk stays, with its first object, and is not worth counting. */
		if (chunk->size > page && chunk->discarded == 0 &&
			madvise((char *)chunk + page, chunk->size - page, MADV_DONTNEED) == 0) {
			chunk->discarded = chunk->size;
			pool->mapped -= chunk->discarded;
		}
		chunk->next_fresh = pool->fresh;
		pool->fresh = chunk;
		chunk->n_fresh = (chunk->size - CACHE_LINE) / pool->object_size;
		if (kept == (char *)chunk + CACHE_LINE) {
			chunk->n_fresh--;
			pool->n_used++;
			pool->n_touched++;
		}
		pool->n_free += chunk->n_fresh;
	}
}

void pool__after_fork(struct pool *pool)
{
	/* The lists are whole at every instant; only the counts may lag behind them. */
	pool->n_free = 0;
	for (struct pool_chunk *chunk = pool->fresh; chunk != NULL; chunk = chunk->next_fresh)
		pool->n_free += chunk->n_fresh;
	for (struct pool_free *object = pool->free; object != NULL; object = object->next)
		pool->n_free++;
}
