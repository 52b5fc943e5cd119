/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * limit.c - how much a heap may draw, who is told when it draws much, and giving back.
 *
 * The hard limit stands in the heap's account and is kept by the spaces (space__set_limit). The soft
 * limit is noted inside extent hooks, where nothing may be called back, and told by the next slow path
 * that comes to its end: heap__tell_news stands at all of them, and costs one load of a word that
 * hardly ever changes.
 *
 * In the same way the table of publish.h is told what is in use as a heap grows, so that those who look at a
 * program that sleeps find a figure: at 32 MiB drawn, and whenever it is a quarter more than then. That is seldom, since
 * it is some 30 us for each arena, and 128 KiB the first time.
 */
#include <errno.h>
#include <limits.h>

#include "base/error.h"
#include "heap/heap.h"
#include "heap/publish.h"
#include "heap/registry.h"
#include "heap/stats.h"
#include "os/os.h"

enum { FIRST_TELL = 32 << 20, TELL_PART = 4 };

/* The hard limit */

static int set_limit(struct situs_heap *heap, size_t bytes)
{
	int err;

	lock__acquire(&heap->lock);
	err = space__set_limit(&heap->account, bytes);
	if (err == 0)
		publish__heap_set(heap->published, PUBLISH_LIMIT, bytes);
	lock__release(&heap->lock);
	return err;
}

int situs_heap_limit(situs_heap_t *heap, size_t bytes)
{
	int err = registry__check(heap, "situs_heap_limit");

	if (err != 0)
		return err;
	err = set_limit(heap, bytes);
	if (err == -EBUSY) {
		(void)situs_heap_trim(heap);
		err = set_limit(heap, bytes);
	}
	return err;
}

/* News */

static void note_growth(struct situs_heap *heap, size_t drawn)
{
	size_t above = atomic_load_explicit(&heap->tell_above, memory_order_relaxed);

	if (drawn <= above || drawn < FIRST_TELL)
		return;
	/* Of two threads that see it one is right, which is enough. */
	atomic_store_explicit(&heap->tell_above, drawn + drawn / TELL_PART, memory_order_relaxed);
	atomic_fetch_or(&heap->news, HEAP_GREW);
}

static void note_soft(struct situs_heap *heap, size_t drawn)
{
	struct heap_soft *soft = &heap->soft;
	size_t limit = atomic_load_explicit(&soft->limit, memory_order_relaxed);

	if (limit == 0)
		return;
	if (drawn <= limit)
		atomic_store(&soft->is_passed, false);
	else if (!atomic_exchange(&soft->is_passed, true))
		atomic_fetch_or(&heap->news, HEAP_PASSED_SOFT);
}

void heap__note_drawn(struct situs_heap *heap, size_t drawn)
{
	note_growth(heap, drawn);
	note_soft(heap, drawn);
}

static void tell_table(struct situs_heap *heap)
{
	if (atomic_load_explicit(&channel__mapped, memory_order_relaxed) == NULL)
		return;
	error__keep();
	if (stats__refresh(heap) == 0)
		stats__publish(heap, stats__allocated(heap));
	error__settle(true);
}

void heap__tell(struct situs_heap *heap)
{
	situs_limit_func *func;
	int err = errno;
	bool is_mine;
	void *arg;

	if (atomic_fetch_and(&heap->news, (unsigned char)~HEAP_GREW) & HEAP_GREW)
		tell_table(heap);

	lock__acquire(&heap->lock);
	func = heap->soft.func;
	arg = heap->soft.arg;
	/* Of all threads that see the news one tells it, and who it is told to is who it was meant for. */
	is_mine = atomic_fetch_and(&heap->news, (unsigned char)~HEAP_PASSED_SOFT) & HEAP_PASSED_SOFT;
	lock__release(&heap->lock);
	if (is_mine && func != NULL)
		func(heap, atomic_load(&heap->account.drawn), arg);
	errno = err;
}

/* The soft limit */

/* True: more is drawn already, which nobody else will tell. */
static bool set_soft_locked(struct situs_heap *heap, size_t bytes, situs_limit_func *func, void *arg)
	LOCK_HELD(heap->lock)
{
	struct heap_soft *soft = &heap->soft;

	soft->func = bytes == 0 ? NULL : func;
	soft->arg = arg;
	/* Until it is known here, others take it for noted. */
	atomic_store(&soft->is_passed, true);
	atomic_fetch_and(&heap->news, (unsigned char)~HEAP_PASSED_SOFT);
	atomic_store(&soft->limit, bytes);
	if (bytes != 0 && atomic_load(&heap->account.drawn) > bytes)
		return true;
	atomic_store(&soft->is_passed, false);
	return bytes != 0 && atomic_load(&heap->account.drawn) > bytes &&
		!atomic_exchange(&soft->is_passed, true);
}

int situs_heap_soft_limit(situs_heap_t *heap, size_t bytes, situs_limit_func *func, void *arg)
{
	int err = registry__check(heap, "situs_heap_soft_limit");
	bool is_passed;

	if (err != 0)
		return err;
	if (bytes != 0 && func == NULL)
		return error__set(EINVAL, "situs_heap_soft_limit: func is NULL: nobody could be told");
	lock__acquire(&heap->lock);
	is_passed = set_soft_locked(heap, bytes, func, arg);
	lock__release(&heap->lock);
	if (is_passed)
		func(heap, atomic_load(&heap->account.drawn), arg);
	return 0;
}

/* Giving back */

int situs_heap_trim(situs_heap_t *heap)
{
	size_t before, after, n;
	int err = registry__check(heap, "situs_heap_trim");

	if (err != 0)
		return err;
	before = atomic_load(&heap->account.drawn);
	atomic_fetch_add_explicit(&heap->n_trims, 1, memory_order_relaxed);
	heap__give_back_unused(heap);
	after = atomic_load(&heap->account.drawn);
	n = before > after ? (before - after) / os__page_size() : 0;
	return n > INT_MAX ? INT_MAX : (int)n;
}
