/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * registry.h - every heap there is, for who asks about all of them and for the child of a fork.
 *
 * Locking: the registry's lock is taken before any heap's.
 */
#ifndef HEAP_REGISTRY_H
#define HEAP_REGISTRY_H

struct situs_heap;

void registry__add(struct situs_heap *heap);

/* 0, or -EINVAL as below: of two who destroy a heap one comes too late. */
int registry__remove(struct situs_heap *heap, const char *who);

/* 0, or -EINVAL with a sentence that begins with `who`: heap is NULL or not a heap now. */
int registry__check(const struct situs_heap *heap, const char *who);

/* Calls back for every heap, none of which can go meanwhile; a non-zero return stops and is returned. */
int registry__for_each(int (*callback)(struct situs_heap *heap, void *arg), void *arg);

#endif
