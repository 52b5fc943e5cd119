/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pool.h - objects of one size, from the kernel's pages and never from malloc.
 *
 * For what must be had inside extent hooks, where malloc would come back to us. Objects are
 * aligned to a cache line where their size is a multiple of one, else to 16 bytes.
 *
 * Not locked: the owner's lock covers the pool. Memory returns to the kernel at destroy only; an owner
 * that can move its objects moves them to another pool and destroys, or discards, the old one.
 */
#ifndef BASE_POOL_H
#define BASE_POOL_H

#include <stddef.h>

struct pool {
	size_t object_size;        /* set once */
	struct pool_free *free;    /* freed objects, last in first out */
	struct pool_chunk *chunks; /* what was mapped, newest first */
	struct pool_chunk *fresh;  /* those with objects that were never used, oldest first */
	size_t n_used;             /* objects out */
	size_t n_free;             /* objects that the next calls of pool__get need no kernel for */
	size_t n_touched;          /* objects whose memory was ever used, out or freed, but for what was discarded */
	size_t mapped;             /* bytes of memory from the kernel; what was discarded is none */
};

/* Objects' sizes are multiples of what malloc aligns to as well. */
#define POOL_ROUNDED(size) (((size) + 15) / 16 * 16)

/* For static pools. */
#define POOL_INITIALIZER(size) { .object_size = POOL_ROUNDED(size) }

void pool__init(struct pool *pool, size_t object_size);

/* Gives every chunk back; objects still out are gone. */
void pool__destroy(struct pool *pool);

/* An object with undefined contents, or NULL where the kernel has no memory. */
void *pool__get(struct pool *pool);
void pool__put(struct pool *pool, void *object);

/*
 * In the child of a fork, where another thread may have been inside a call at that instant: every
 * object is out or free; one that was being passed may be lost.
 */
void pool__after_fork(struct pool *pool);

/*
 * Objects still out are gone, and the memory goes back to the kernel, but the addresses stay mapped for
 * the pool's next objects: who still reads there reads zeros. An object that was the first one of its
 * pool may be kept.
 */
void pool__discard(struct pool *pool, const void *kept);

/* Bytes of `mapped` that have been written, in pages: what the pool takes of the machine's memory. */
size_t pool__touched(const struct pool *pool);

/* Makes sure the next n calls of pool__get succeed: 0 or -ENOMEM. */
int pool__reserve(struct pool *pool, size_t n);

#endif
