/* SPDX-License-Identifier: BSD-3-Clause */
#include "heap/registry.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/lock.h"
#include "heap/heap.h"

static struct lock lock = LOCK_INITIALIZER;
static struct situs_heap *heaps LOCK_GUARDED_BY(lock);

void registry__add(struct situs_heap *heap)
{
	lock__acquire(&lock);
	heap->next = heaps;
	if (heaps != NULL)
		heaps->link_to_this = &heap->next;
	heap->link_to_this = &heaps;
	heaps = heap;
	lock__release(&lock);
}

static bool is_known_locked(const struct situs_heap *heap) LOCK_HELD(lock)
{
	const struct situs_heap *found = heaps;

	while (found != NULL && found != heap)
		found = found->next;
	return found != NULL;
}

static int unknown(const struct situs_heap *heap, const char *who)
{
	return error__set(EINVAL, "%s: %p is not a heap, or not any more", who, (const void *)heap);
}

int registry__remove(struct situs_heap *heap, const char *who)
{
	bool is_known;

	lock__acquire(&lock);
	/* No walk: heaps that went can still be read (heap.c). */
	is_known = heap->link_to_this != NULL;
	if (is_known) {
		*heap->link_to_this = heap->next;
		if (heap->next != NULL)
			heap->next->link_to_this = heap->link_to_this;
		heap->link_to_this = NULL;
	}
	lock__release(&lock);
	return is_known ? 0 : unknown(heap, who);
}

int registry__check(const struct situs_heap *heap, const char *who)
{
	bool is_known;

	if (heap == NULL)
		return error__set(EINVAL, "%s: heap is NULL", who);
	lock__acquire(&lock);
	is_known = is_known_locked(heap);
	lock__release(&lock);
	return is_known ? 0 : unknown(heap, who);
}

int registry__for_each(int (*callback)(struct situs_heap *heap, void *arg), void *arg)
{
	int stop = 0;

	lock__acquire(&lock);
	for (struct situs_heap *heap = heaps; heap != NULL && stop == 0; heap = heap->next)
		stop = callback(heap, arg);
	lock__release(&lock);
	return stop;
}

static void arena_after_fork(struct heap_arena *arena)
{
	large_cache__after_fork(&arena->large);
	conduit__after_fork(&arena->conduit);
}

/* Whoever was making an arena is gone; the arena is lost or was published whole. */
static void child_after_fork(void) LOCK_UNCHECKED
{
	struct situs_heap **link = &heaps;

	lock__reset(&lock);
	depot__all_after_fork();
	for (; *link != NULL; link = &(*link)->next) {
		(*link)->link_to_this = link;
		lock__reset(&(*link)->lock);
		(*link)->is_migrating = false;
		atomic_store(&(*link)->n_purging, 0);
		depot__after_fork(*link);
		atomic_store(&(*link)->large_held, 0);
		for (unsigned i = 0; i < (*link)->n_arenas; i++)
			if ((*link)->arenas[i] != NULL)
				arena_after_fork((*link)->arenas[i]);
	}
}

__attribute__((constructor)) static void watch_forks(void)
{
	pthread_atfork(NULL, NULL, child_after_fork);
}
