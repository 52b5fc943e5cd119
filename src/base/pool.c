/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/pool.h"

#include <errno.h>
#include <stdint.h>
#include <sys/mman.h>

struct pool_free {
	struct pool_free *next;
};

struct pool_chunk {
	struct pool_chunk *next;
	size_t size;
};

enum {
	CACHE_LINE = 64,
	/* Chunks double from the first to the last size, so that a small pool costs a page or two and
	   a large one few kernel mappings. */
	CHUNK_MIN = 8 * 1024,
	CHUNK_MAX = 1024 * 1024,
};

void pool__init(struct pool *pool, size_t object_size)
{
	if (object_size < sizeof(struct pool_free))
		object_size = sizeof(struct pool_free);
	*pool = (struct pool){.object_size = (object_size + 15) & ~(size_t)15};
}

void pool__destroy(struct pool *pool)
{
	struct pool_chunk *chunk = pool->chunks;

	while (chunk != NULL) {
		struct pool_chunk *next = chunk->next;

		munmap(chunk, chunk->size);
		chunk = next;
	}
	pool__init(pool, pool->object_size);
}

static size_t next_chunk_size(const struct pool *pool)
{
	size_t size = pool->chunks == NULL ? CHUNK_MIN : pool->chunks->size * 2;

	if (size > CHUNK_MAX)
		size = CHUNK_MAX;
	while (size < CACHE_LINE + 4 * pool->object_size)
		size *= 2;
	return size;
}

static int grow(struct pool *pool)
{
	size_t size = next_chunk_size(pool);
	struct pool_chunk *chunk = mmap(NULL, size, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (chunk == MAP_FAILED)
		return -ENOMEM;
	/* What is left of the old chunk stays usable. */
	for (; pool->fresh != pool->fresh_end; pool->fresh += pool->object_size) {
		struct pool_free *object = (struct pool_free *)(void *)pool->fresh;

		object->next = pool->free;
		pool->free = object;
	}
	chunk->next = pool->chunks;
	chunk->size = size;
	pool->chunks = chunk;
	pool->mapped += size;

	size_t n = (size - CACHE_LINE) / pool->object_size;

	pool->fresh = (char *)chunk + CACHE_LINE;
	pool->fresh_end = pool->fresh + n * pool->object_size;
	pool->n_free += n;
	return 0;
}

int pool__reserve(struct pool *pool, size_t n)
{
	while (pool->n_free < n)
		if (grow(pool) != 0)
			return -ENOMEM;
	return 0;
}

void *pool__get(struct pool *pool)
{
	void *object;

	if (pool->n_free == 0 && grow(pool) != 0)
		return NULL;
	if (pool->free != NULL) {
		object = pool->free;
		pool->free = pool->free->next;
	} else {
		object = pool->fresh;
		pool->fresh += pool->object_size;
	}
	pool->n_free--;
	pool->n_used++;
	return object;
}

void pool__put(struct pool *pool, void *object)
{
	struct pool_free *free_object = object;

	free_object->next = pool->free;
	pool->free = free_object;
	pool->n_free++;
	pool->n_used--;
}
