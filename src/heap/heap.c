/* SPDX-License-Identifier: BSD-3-Clause */
/* heap.c - heaps come and go, and so do their arenas. */
#include "heap/heap.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/annotate.h"
#include "area/area.h"
#include "base/error.h"
#include "base/shared_pool.h"
#include "heap/cache.h"
#include "heap/checked.h"
#include "heap/named.h"
#include "heap/publish.h"
#include "heap/registry.h"
#include "heap/thread.h"
#include "hooks/config.h"

/* What other processes are shown of a region's coming and going. */

static struct situs_heap *heap_of_account(struct space_account *account)
{
	return (struct situs_heap *)(void *)((char *)account - offsetof(struct situs_heap, account));
}

static int region_added(struct space_account *account, const void *start, size_t size)
{
	struct situs_heap *heap = heap_of_account(account);

	return publish__region_add(heap->published, start, size);
}

static void region_removed(struct space_account *account, int region)
{
	(void)account;
	publish__region_remove(region);
}

static void drawn_changed(struct space_account *account, size_t drawn)
{
	struct situs_heap *heap = heap_of_account(account);

	publish__heap_set(heap->published, PUBLISH_MAPPED, drawn);
	publish__heap_set(heap->published, PUBLISH_FALLBACKS, atomic_load(&account->n_fallbacks));
	heap__note_drawn(heap, drawn);
}

static const struct space_events events = {
	.region_added = region_added,
	.region_removed = region_removed,
	.drawn_changed = drawn_changed,
};

/* Arenas are made inside malloc, so nothing about them may call it. */

static struct shared_pool arenas = SHARED_POOL(struct heap_arena);

/* jemalloc has 4094 arenas. Once this many are ours, heaps share what they have, so that the second
   CPU of one heap does not take the only arena of another. */
enum { ARENAS_FOR_CPUS = 1024 };
static _Atomic(unsigned) n_arenas;

/* The first arena there is, for CPUs that cannot have their own any more. */
static struct heap_arena *any_arena(struct situs_heap *heap)
{
	for (unsigned i = 0; i < heap->n_arenas; i++) {
		struct heap_arena *arena = atomic_load_explicit(&heap->arenas[i], memory_order_acquire);

		if (arena != NULL)
			return arena;
	}
	return NULL;
}

static struct heap_arena *make_arena_locked(struct situs_heap *heap) LOCK_HELD(heap->lock)
{
	struct heap_arena *arena = shared_pool__get(&arenas);

	if (arena == NULL) {
		error__set(ENOMEM, "no memory for an arena");
		return NULL;
	}
	if (hooks__create(&arena->hooks, heap->owner.area, owner__word(&heap->owner, OWNER_PAGES),
		&heap->account) != 0)
		goto put_arena;
	if (arena__create(&arena->index, arena->hooks, heap->decay_ms) != 0)
		goto destroy_hooks;
	if (heap->thread_cache != 0)
		large_cache__init(&arena->large, heap->decay_ms, hooks__space(arena->hooks),
			&heap->large_held);
	conduit__init(&arena->conduit);
	atomic_fetch_add_explicit(&n_arenas, 1, memory_order_relaxed);
	return arena;
destroy_hooks:
	(void)hooks__destroy(arena->hooks); /* nothing was drawn */
put_arena:
	shared_pool__put(&arenas, arena);
	return NULL;
}

static struct heap_arena *arena_for_slot(struct situs_heap *heap, unsigned slot)
{
	struct heap_arena *arena = NULL;
	int err = errno;

	if (heap->owner.heap != heap) {
		error__set(EINVAL, "%p is not a heap, or not any more", (void *)heap);
		return NULL;
	}
	if (atomic_load_explicit(&n_arenas, memory_order_relaxed) >= ARENAS_FOR_CPUS)
		arena = any_arena(heap);
	if (arena != NULL)
		return arena;
	error__keep();
	lock__acquire(&heap->lock);
	arena = atomic_load_explicit(&heap->arenas[slot], memory_order_relaxed);
	if (arena == NULL) {
		arena = make_arena_locked(heap);
		if (arena != NULL) {
			arena->slot = (uint8_t)slot;
			atomic_store_explicit(&heap->arenas[slot], arena, memory_order_release);
			atomic_fetch_add_explicit(&heap->n_made, 1, memory_order_relaxed);
		}
	}
	lock__release(&heap->lock);
	/* Another CPU's will do. */
	if (arena == NULL)
		arena = any_arena(heap);
	if (arena != NULL)
		errno = err;
	error__settle(arena != NULL);
	return arena;
}

static struct heap_arena *arena_of_cpu(struct situs_heap *heap)
{
	int cpu = sched_getcpu();
	unsigned slot = cpu < 0 ? 0 : (unsigned)cpu % heap->n_arenas;
	struct heap_arena *arena = atomic_load_explicit(&heap->arenas[slot], memory_order_acquire);

	return arena != NULL ? arena : arena_for_slot(heap, slot);
}

struct heap_arena *heap__arena(struct situs_heap *heap)
{
	struct cache *cache = thread__cache(heap->owner.number);

	return cache != NULL ? cache->arena : arena_of_cpu(heap);
}

/* Making and unmaking */

/*
 * Heaps are never unmapped, and one that has gone stays recognisable (owner OWNER_WENT, of no heap, without
 * arenas) until another takes its place: who still has the handle is refused, not crashed. The last few
 * that went wait before they are taken, so that it is not the very next.
 */
static struct shared_pool heaps = SHARED_POOL(struct situs_heap);

enum { N_WAITING = 32 };
static _Atomic(struct situs_heap *) waiting[N_WAITING];
static _Atomic(unsigned) n_gone;

static void forget(struct situs_heap *heap)
{
	unsigned slot = atomic_fetch_add_explicit(&n_gone, 1, memory_order_relaxed) % N_WAITING;

	owner__clear(&heap->owner);
	heap->owner.heap = NULL;
	heap->published = -1; /* the slot may be another's soon */
	heap = atomic_exchange(&waiting[slot], heap);
	if (heap != NULL)
		shared_pool__put(&heaps, heap);
}

static unsigned default_arenas(void)
{
	long n_cpus = sysconf(_SC_NPROCESSORS_ONLN);

	return n_cpus < 1 ? 1 : n_cpus > HEAP_ARENAS_MAX ? HEAP_ARENAS_MAX : (unsigned)n_cpus;
}

/* Names are for people: one too long is cut. */
static void copy_text(char *to, size_t size, const char *from)
{
	size_t length = strnlen(from, size - 1);

	memcpy(to, from, length);
	to[length] = '\0';
}

void heap__describe_place(const struct aml_area *area, char place[HEAP_PLACE_SIZE])
{
	int err = errno, aml_err = aml_errno;
	FILE *stream;

	if (area->ops->fprintf == area__fprintf) {
		copy_text(place, HEAP_PLACE_SIZE, area__name(area));
		return;
	}
	/* An area need not have a description. */
	error__keep();
	place[0] = '\0';
	stream = fmemopen(place, HEAP_PLACE_SIZE, "w");
	if (stream != NULL) {
		aml_area_fprintf(stream, NULL, area);
		fclose(stream);
	}
	error__settle(true);
	errno = err;
	aml_errno = aml_err;
	place[HEAP_PLACE_SIZE - 1] = '\0';
	place[strcspn(place, "\n")] = '\0';
}

static int create(struct situs_heap **heap, const struct aml_area *area,
	const struct situs_config *settings)
{
	struct situs_heap *made = shared_pool__get(&heaps);
	int err;

	if (made == NULL)
		return error__set(ENOMEM, "no memory for a heap");
	made->owner.area = area;
	made->owner.heap = made;
	made->account.limit = settings->limit;
	made->account.events = &events;
	made->decay_ms = settings->decay_ms;
	made->n_arenas = settings->n_arenas == 0 ? default_arenas() : settings->n_arenas;
	made->thread_cache = settings->thread_cache == 0 ? CACHE_DEFAULT :
		settings->thread_cache == SIZE_MAX ? 0 : settings->thread_cache;
	lock__init(&made->lock);
	heap__describe_place(area, made->place);
	copy_text(made->name, sizeof(made->name),
		settings->name == NULL ? made->place : settings->name);
	made->published = publish__heap_add(made->name, made->place);
	publish__heap_set(made->published, PUBLISH_LIMIT, settings->limit);
	err = owner__register(&made->owner);
	if (err != 0)
		goto unpublish;
	/* One arena now, so that a heap that cannot work says so here. */
	if (heap__arena(made) == NULL) {
		err = -errno;
		goto unregister;
	}
	annotate__pool_made(made);
	registry__add(made);
	*heap = made;
	return 0;
unregister:
	owner__unregister(&made->owner);
unpublish:
	publish__heap_remove(made->published);
	forget(made);
	return err;
}

int situs_heap_create(situs_heap_t **heap, const struct aml_area *area,
	const struct situs_config *config)
{
	struct situs_config settings;
	int err;

	if (heap == NULL || area == NULL)
		return error__set(EINVAL, "situs_heap_create: %s is NULL", heap == NULL ? "heap" : "area");
	err = config__read(config, &settings);
	if (err != 0)
		return err;
	if (settings.n_arenas > HEAP_ARENAS_MAX)
		return error__set(EINVAL, "situs_config: n_arenas %u is above %d", settings.n_arenas,
			HEAP_ARENAS_MAX);
	return create(heap, area, &settings);
}

situs_heap_t *situs_heap_open(const char *place)
{
	struct situs_heap *heap;
	struct aml_area *area;

	if (place == NULL) {
		error__set(EINVAL, "situs_heap_open: place is NULL");
		return NULL;
	}
	if (aml_area_open(&area, place) != AML_SUCCESS)
		return NULL;
	if (situs_heap_create(&heap, area, NULL) != 0) {
		int err = errno;

		aml_area_close(&area);
		errno = err;
		return NULL;
	}
	heap->owned_area = area;
	return heap;
}

static int let_go(struct heap_arena *arena)
{
	int err = hooks__destroy(arena->hooks);

	if (err == 0)
		shared_pool__put(&arenas, arena);
	return err;
}

/* Whatever fails, the call may be made again. */
static int destroy_arenas(struct situs_heap *heap)
{
	int err;

	for (unsigned i = 0; i < heap->n_arenas; i++) {
		struct heap_arena *arena = atomic_load_explicit(&heap->arenas[i], memory_order_acquire);

		if (arena == NULL)
			continue;
		err = arena__destroy(arena->index);
		if (err != 0)
			return err;
		atomic_store_explicit(&heap->arenas[i], NULL, memory_order_relaxed);
		atomic_fetch_sub_explicit(&n_arenas, 1, memory_order_relaxed);
		large_cache__destroy(&arena->large);
		arena->next = heap->going;
		heap->going = arena;
	}
	while (heap->going != NULL) {
		struct heap_arena *next = heap->going->next;

		err = let_go(heap->going);
		if (err != 0)
			return err;
		heap->going = next;
	}
	return 0;
}

bool heap__went(const struct situs_heap *heap, char name[HEAP_NAME_SIZE])
{
	for (unsigned i = 0; i < N_WAITING; i++)
		if (atomic_load(&waiting[i]) == heap) {
			copy_text(name, HEAP_NAME_SIZE, heap->name);
			return true;
		}
	return false;
}

int situs_heap_destroy(situs_heap_t *heap)
{
	int errno_before = errno, err;

	if (heap == NULL)
		return 0;
	checked__heap(heap, "situs_heap_destroy", __builtin_return_address(0));
	checked__heap_goes(heap);
	/* Off every list first: nobody may look at half a heap. */
	err = registry__remove(heap, "situs_heap_destroy");
	if (err != 0)
		return err;
	named__forget(heap);
	channel__let_go(heap);
	thread__forget_heap(heap);
	/* One arena's may hold blocks of another. */
	for (unsigned i = 0; i < heap->n_arenas; i++)
		if (heap->arenas[i] != NULL)
			conduit__destroy(&heap->arenas[i]->conduit);
	/* Its blocks are gone with the first arena that goes. */
	depot__destroy(heap);
	err = destroy_arenas(heap);
	if (err != 0) {
		registry__add(heap);
		return err;
	}
	annotate__pool_went(heap);
	owner__unregister(&heap->owner);
	publish__heap_remove(heap->published);
	if (heap->owned_area != NULL)
		aml_area_close(&heap->owned_area);
	channel__close_areas(heap);
	free(heap->migration_nodes);
	heap->migration_nodes = NULL;
	forget(heap);
	errno = errno_before;
	return 0;
}
