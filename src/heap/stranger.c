/* SPDX-License-Identifier: BSD-3-Clause */
/* stranger.c - --enable-checking only; see stranger.h and checked.h. */
#include "heap/stranger.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#include "base/lock.h"
#include "base/pagemap.h"
#include "heap/checked.h"
#include "heap/heap.h"
#include "heap/mistake.h"
#include "heap/registry.h"

/* Handles. A thread remembers the last one that was right, until any heap goes. */

static _Thread_local const struct situs_heap *right __attribute__((tls_model("initial-exec")));
static _Thread_local unsigned right_when __attribute__((tls_model("initial-exec")));
static _Atomic(unsigned) n_gone;

static int is_it(struct situs_heap *heap, void *wanted)
{
	return heap == wanted;
}

void checked__heap(const struct situs_heap *heap, const char *who, const void *from)
{
	unsigned now = atomic_load_explicit(&n_gone, memory_order_acquire);
	char name[HEAP_NAME_SIZE];

	if (heap == right && now == right_when)
		return;
	if (registry__for_each(is_it, (void *)(uintptr_t)heap) == 0) {
		if (heap__went(heap, name))
			mistake__die(from, "%s: heap \"%s\" (%p) was destroyed", who, name,
				(const void *)heap);
		mistake__die(from, "%s: %p is not a heap", who, (const void *)heap);
	}
	right = heap;
	right_when = now;
}

/* Where heaps that went had their memory. */

enum { N_RANGES = 64 };

struct range {
	uintptr_t start, end;
	char name[HEAP_NAME_SIZE];
};

static struct lock lock = LOCK_INITIALIZER;
static struct range ranges[N_RANGES] LOCK_GUARDED_BY(lock);
static unsigned n_ranges LOCK_GUARDED_BY(lock);

static void note(uintptr_t start, uintptr_t end, const char *name)
{
	struct range *range;

	lock__acquire(&lock);
	range = &ranges[n_ranges++ % N_RANGES];
	range->start = start;
	range->end = end;
	memcpy(range->name, name, sizeof(range->name));
	lock__release(&lock);
}

void checked__heap_goes(struct situs_heap *heap)
{
	atomic_fetch_add_explicit(&n_gone, 1, memory_order_release);
	for (unsigned i = 0; i < heap->n_arenas; i++) {
		struct heap_arena *arena = atomic_load_explicit(&heap->arenas[i], memory_order_acquire);
		uintptr_t at = 0, start, end;

		while (arena != NULL && space__next_region(hooks__space(arena->hooks), &at, &start, &end))
			note(start, end, heap->name);
	}
}

static bool was_in_heap(const void *ptr, char name[HEAP_NAME_SIZE])
{
	uintptr_t address = (uintptr_t)ptr;
	bool found = false;

	lock__acquire(&lock);
	/* The last to have it first. */
	for (unsigned i = 1; i <= N_RANGES && !found; i++) {
		const struct range *range = &ranges[(n_ranges - i) % N_RANGES];

		found = range->start <= address && address < range->end;
		if (found)
			memcpy(name, range->name, HEAP_NAME_SIZE);
	}
	lock__release(&lock);
	return found;
}

/* Addresses */

struct search {
	uintptr_t address;
	char name[HEAP_NAME_SIZE];
};

static int holds(struct situs_heap *heap, void *arg)
{
	struct search *search = arg;

	for (unsigned i = 0; i < heap->n_arenas; i++) {
		struct heap_arena *arena = atomic_load_explicit(&heap->arenas[i], memory_order_acquire);
		uintptr_t at = search->address, start, end;

		if (arena != NULL && space__next_region(hooks__space(arena->hooks), &at, &start, &end) &&
			start <= search->address) {
			memcpy(search->name, heap->name, sizeof(search->name));
			return 1;
		}
	}
	return 0;
}

static _Noreturn void given_back(const void *ptr, const char *who, const void *from)
{
	struct search search = {.address = (uintptr_t)ptr, .name = "?"};

	(void)registry__for_each(holds, &search);
	mistake__die(from, "%s: this block was freed before, or never was one: %p, in memory that heap \"%s\" has taken back",
		who, ptr, search.name);
}

static bool is_mapped(const void *ptr)
{
	unsigned char present;
	int err = errno;
	bool mapped = mincore((void *)((uintptr_t)ptr & ~(uintptr_t)4095), 1, &present) == 0 ||
		errno != ENOMEM;

	errno = err;
	return mapped;
}

void stranger__check(const void *ptr, const char *who, const void *from)
{
	char name[HEAP_NAME_SIZE];
	uint32_t word = pagemap__get(ptr);
	Dl_info info;

	if (word == OWNER_GONE)
		given_back(ptr, who, from);
	if (word != 0)
		return; /* an arena's or hooks' */
	if (!is_mapped(ptr)) {
		if (was_in_heap(ptr, name))
			mistake__die(from, "%s: the heap of this block was destroyed: %p, heap \"%s\"", who, ptr,
				name);
		mistake__die(from, "%s: no memory is mapped at %p", who, ptr);
	}
	if ((uintptr_t)ptr % sizeof(void *) != 0)
		mistake__die(from, "%s: not a block's start: %p, of no heap", who, ptr);
	if (dladdr(ptr, &info) != 0)
		mistake__die(from, "%s: not a block: %p, a variable or code of %s", who, ptr,
			info.dli_fname == NULL ? "the program" : info.dli_fname);
}

static void child_after_fork(void) LOCK_UNCHECKED
{
	lock__reset(&lock);
}

__attribute__((constructor)) static void watch_forks(void)
{
	pthread_atfork(NULL, NULL, child_after_fork);
}
