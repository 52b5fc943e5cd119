/* SPDX-License-Identifier: BSD-3-Clause */
#include "heap/thread.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>

#include "base/error.h"
#include "base/lock.h"
#include "base/shared_pool.h"
#include "base/unmap.h"
#include "heap/heap.h"

/* Tables become writable by this many bytes, which is rows for a few dozen owners. */
enum { WRITABLE_STEP = 64 * 1024 };

/* Of threads without state: nothing is ever written to it (watch_threads), so it costs no memory. */
static struct cache no_caches[OWNER_MAX + 1] __attribute__((aligned(4096)));
static struct thread thread_none = {.caches = no_caches}, thread_ended = {.caches = no_caches};

_Static_assert(sizeof(no_caches) % WRITABLE_STEP == 0, "the last step ends with the table");

_Thread_local struct thread *thread__self = &thread_none;
_Thread_local struct cache *thread__caches = no_caches;
_Thread_local struct cache *thread__noted = no_caches;

static struct lock lock = LOCK_INITIALIZER;
static struct shared_pool states = SHARED_POOL(struct thread);
static struct thread *threads LOCK_GUARDED_BY(lock);

static pthread_key_t ending;
static bool have_key;

/* The cache is dropped, with the blocks that lie there. */
static void leave_locked(struct cache *cache, bool give_back) LOCK_HELD(lock)
{
	struct situs_heap *heap = cache->heap;
	struct heap_arena *arena = cache->arena;

	cache__clear(cache);
	heap->n_caches--;
	if (--arena->n_caches == 0 && give_back)
		heap__give_back_abandoned(heap, arena);
}

/*
 * A fork may come at any instant of this, and its child drops what it finds here once more: nothing
 * is reachable from `thread` by the time it is unmapped.
 */
static void drop_caches_locked(struct thread *thread, bool flush) LOCK_HELD(lock)
{
	struct cache *caches = thread->caches;

	if (caches == NULL)
		return;
	for (uint32_t i = 1; i <= thread->highest; i++) {
		if (caches[i].heap == NULL)
			continue;
		if (flush)
			cache__flush(&caches[i]);
		leave_locked(&caches[i], flush);
	}
	thread->caches = NULL;
	atomic_signal_fence(memory_order_seq_cst);
	unmap__own(caches, sizeof(no_caches));
}

static void link_locked(struct thread *thread) LOCK_HELD(lock)
{
	thread->next = threads;
	thread->link_to_this = &threads;
	if (threads != NULL)
		threads->link_to_this = &thread->next;
	/* The child of a fork walks the list by `next`, which is whole at every instant. */
	atomic_signal_fence(memory_order_seq_cst);
	threads = thread;
}

static void unlink_locked(struct thread *thread) LOCK_HELD(lock)
{
	*thread->link_to_this = thread->next;
	if (thread->next != NULL)
		thread->next->link_to_this = thread->link_to_this;
	shared_pool__put(&states, thread);
}

/* The thread's end. Destructors that run later still may use heaps: they go without caches. */
static void end(void *thread)
{
	thread__self = &thread_ended;
	thread__caches = thread__noted = no_caches;
	lock__acquire(&lock);
	drop_caches_locked(thread, true);
	unlink_locked(thread);
	lock__release(&lock);
}

/* In the child, the other threads are gone, and their caches with them. The blocks that lay there are lost to the
   child: the fork may have come while they were on their way back. */
static void child_after_fork(void) LOCK_UNCHECKED
{
	struct thread *thread = threads, *next;

	lock__reset(&lock);
	/* The back links may be half changed: the list is made anew, of this thread alone. */
	threads = NULL;
	for (; thread != NULL; thread = next) {
		next = thread->next;
		if (thread != thread__self) {
			drop_caches_locked(thread, false);
			shared_pool__put(&states, thread);
		} else {
			link_locked(thread);
		}
	}
}

/* Early, so that the key is among the first, which pthread_setspecific serves without malloc. */
__attribute__((constructor(102))) static void watch_threads(void)
{
	have_key = pthread_key_create(&ending, end) == 0;
	/* Nor does it where memory is locked, or huge. */
	(void)mprotect(no_caches, sizeof(no_caches), PROT_READ);
	pthread_atfork(NULL, NULL, child_after_fork);
}

static struct thread *own_state(void)
{
	struct cache *table;
	struct thread *thread;

	if (thread__self != &thread_none)
		return thread__self;
	if (!have_key)
		return NULL;
	thread = shared_pool__get(&states);
	if (thread == NULL)
		return NULL;
	/* Read-only, it counts as nothing where the kernel keeps account of what it promised. */
	table = mmap(NULL, sizeof(no_caches), PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (table == MAP_FAILED) {
		shared_pool__put(&states, thread);
		return NULL;
	}
	/* The first step at once: what the kernel refuses to unmap is noted there (base/unmap.h). */
	if (mprotect(table, WRITABLE_STEP, PROT_READ | PROT_WRITE) != 0) {
		(void)munmap(table, sizeof(no_caches));
		shared_pool__put(&states, thread);
		return NULL;
	}
	thread->writable = WRITABLE_STEP;
	thread->caches = table;
	thread->noted = &thread__noted;
	lock__acquire(&lock);
	link_locked(thread);
	lock__release(&lock);
	thread__self = thread;
	thread__caches = thread->caches;
	pthread_setspecific(ending, thread);
	return thread;
}

static bool make_writable(struct thread *thread, uint32_t owner)
{
	size_t end = (owner + (size_t)1) * sizeof(struct cache);

	if (end <= thread->writable)
		return true;
	end = (end + WRITABLE_STEP - 1) / WRITABLE_STEP * WRITABLE_STEP;
	if (mprotect(thread->caches, end, PROT_READ | PROT_WRITE) != 0)
		return false;
	thread->writable = end;
	return true;
}

struct cache *thread__make_cache(struct situs_heap *heap)
{
	int err = errno;
	struct thread *thread = heap->thread_cache == 0 ? NULL : own_state();
	struct heap_arena *arena;
	struct cache *cache;

	if (thread == NULL)
		errno = err;
	if (thread == NULL || thread == &thread_ended)
		return NULL;
	arena = heap__arena(heap);
	if (arena == NULL)
		return NULL;
	cache = &thread->caches[heap->owner.number];
	/* Without one it is slower, and no failure. */
	if (!make_writable(thread, heap->owner.number) ||
		!cache__prepare(cache, heap, arena, heap->thread_cache)) {
		errno = err;
		return NULL;
	}
	lock__acquire(&lock);
	if (thread->highest < heap->owner.number)
		thread->highest = heap->owner.number;
	cache->heap = heap;
	heap->n_caches++;
	arena->n_caches++;
	lock__release(&lock);
	return cache;
}

int thread__bind(struct situs_heap *heap)
{
	struct thread *thread = heap == NULL ? thread__self : own_state();

	if (thread == NULL)
		return error__set(ENOMEM, "no memory for this thread's state");
	if (thread == &thread_ended)
		return heap == NULL ? 0 : error__set(EINVAL, "this thread is ending: it cannot be bound");
	if (thread != &thread_none) {
		lock__acquire(&lock);
		thread->bound = heap;
		__atomic_store_n(thread->noted, no_caches, __ATOMIC_RELAXED);
		lock__release(&lock);
	}
	return 0;
}

void thread__forget_heap(struct situs_heap *heap)
{
	uint32_t owner = heap->owner.number;

	lock__acquire(&lock);
	for (struct thread *thread = threads; thread != NULL; thread = thread->next) {
		struct cache *cache = &thread->caches[owner];

		if (thread->bound == heap)
			thread->bound = NULL;
		if (cache->heap == NULL)
			continue;
		if (__atomic_load_n(thread->noted, __ATOMIC_RELAXED) == cache)
			__atomic_store_n(thread->noted, no_caches, __ATOMIC_RELAXED);
		leave_locked(cache, false);
	}
	lock__release(&lock);
}

size_t thread__count(struct situs_heap *heap, size_t n_blocks[SIZE_CLASSES])
{
	uint32_t owner = heap->owner.number;
	size_t n = 0;

	lock__acquire(&lock);
	for (struct thread *thread = threads; thread != NULL; thread = thread->next) {
		struct cache *cache = &thread->caches[owner];

		if (cache->heap == NULL)
			continue;
		n++;
		for (unsigned i = 0; n_blocks != NULL && i < size_class__count; i++)
			n_blocks[i] += cache__count(cache, i);
#ifdef SITUS_GUARDED
		if (n_blocks != NULL)
			quarantine__count(&cache->slots->quarantine, n_blocks);
#endif
	}
	lock__release(&lock);
	return n;
}
