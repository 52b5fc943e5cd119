/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * channel.h - what another process of the same user asks of this one, through the table of publish.h.
 *
 * An asker writes a request into the table's first page and its ticket last; whoever of this program next
 * comes to a point of its allocations where nothing is locked (heap__tell_news) sees that the ticket is
 * new and takes it. So a program that asks for no memory does not answer, and one that nobody asks has
 * neither a thread nor a signal handler more than its authors gave it. With SITUS_LISTEN=1 there is a
 * thread that waits for requests and answers at once.
 *
 * What can be asked: that a heap goes to another place (by a thread made for it, so that the allocation
 * which saw the request goes on), that `allocated` of all heaps is published anew (on the spot; some
 * 30 us for each arena), and which extents a heap has (likewise; they are written behind the table).
 */
#ifndef HEAP_CHANNEL_H
#define HEAP_CHANNEL_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "heap/publish.h"

struct situs_heap;

/* The channel of this process's own table; NULL: nobody can ask. */
extern _Atomic(struct publish_channel *) channel__mapped;

/* Takes a request, if there is one. No lock is held by the caller. errno and the thread's sentence stay. */
void channel__answer(struct publish_channel *channel);

static inline void channel__look(void)
{
	struct publish_channel *channel = atomic_load_explicit(&channel__mapped, memory_order_relaxed);

	if (__builtin_expect(channel != NULL, 0) &&
		__builtin_expect(atomic_load_explicit(&channel->request.ticket, memory_order_acquire) !=
			atomic_load_explicit(&channel->answer.taken, memory_order_relaxed), 0))
		channel__answer(channel);
}

/* The table has a channel now: asks may come. Not inside hooks: a thread is made where SITUS_LISTEN
   wants one. */
void channel__listen(void);

/* The heap is off the registry and about to go: waits for whatever is being done to it by request. */
void channel__let_go(const struct situs_heap *heap);

/* Closes the areas that the heap was moved to by request; it holds no memory of them any more. */
void channel__close_areas(struct situs_heap *heap);

#endif
