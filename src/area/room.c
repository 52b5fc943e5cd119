/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * room.c - the book of memory that is about to be taken.
 *
 * Promised are the bytes that fills have booked and not made present yet, and the credit. A fill looks
 * after it has read what is promised, and goes on only if the room found is enough for all of it and
 * itself; it strikes a part off the book once that is present. So at each look, and until the next one,
 * what all threads of this process may still take fits into the room that was found. A part that is
 * present but still in the book counts twice: near the end that refuses some bytes too early, as many as
 * other threads have in hand, and parts are small there.
 *
 * One look costs as much as a hundred pages do. Small fills live on credit from an earlier one: a small
 * part of what it found, good until others, who take no more than OTHERS_MS bytes a millisecond, may have
 * half of that room. Credit is promised like what is booked, and taken back by the next look.
 *
 * Other processes keep books of their own. Each takes a PART'th of the room it finds at a time, so that
 * PART of them do not pass the end together; the margins in os__room are for the rest.
 *
 * Locking: look_lock orders looks and is never held while memory is taken; `promised' bytes move from
 * credit to the book by being in both for a moment, never in neither. In the child of a fork the book is
 * empty and the lock is free. A failure has struck its bytes off.
 */
#include "area/room.h"

#include <pthread.h>
#include <stdatomic.h>

#include "area/area.h"
#include "area/linux.h"
#include "base/lock.h"
#include "os/os.h"

enum {
	STEP_MAX = 32 << 20,
	STEP_MIN = 256 << 10,
	PART = 16,
	CREDIT_MAX = 64 << 20,
	CREDIT_MAX_MS = 30,
	OTHERS_MS = 64 << 20,
};

static struct lock look_lock = LOCK_INITIALIZER;
static _Atomic size_t booked;
static _Atomic size_t credit;
static _Atomic uint64_t credit_end; /* of os__now_ms */

/* The child of a fork may be put under other limits before it does anything. */
static void forget_in_child(void)
{
	lock__reset(&look_lock);
	atomic_store(&booked, 0);
	atomic_store(&credit, 0);
	os__forget_room();
}

__attribute__((constructor)) static void register_fork(void)
{
	pthread_atfork(NULL, NULL, forget_in_child);
}

static void strike(size_t size)
{
	atomic_fetch_sub(&booked, size);
}

/* Books size bytes that were credited, or nothing. */
static bool spend_credit(size_t size)
{
	size_t left = atomic_load(&credit);

	if (left < size || os__now_ms() > atomic_load(&credit_end))
		return false;
	atomic_fetch_add(&booked, size);
	while (left >= size)
		if (atomic_compare_exchange_weak(&credit, &left, left - size))
			return true;
	strike(size);
	return false;
}

static void give_credit_locked(size_t room) LOCK_HELD(look_lock)
{
	size_t bytes = room / PART, ms = room / 2 / OTHERS_MS;

	/* There is none while its end changes: an end is for its own bytes only. */
	atomic_store(&credit_end, os__now_ms() + (ms < CREDIT_MAX_MS ? ms : CREDIT_MAX_MS));
	atomic_store(&credit, bytes < CREDIT_MAX ? bytes : CREDIT_MAX);
}

static int refuse(const char *place, size_t size, const struct os_room *room)
{
	static const char *const where[] = {
		[OS_ROOM_MACHINE] = "on this machine",
		[OS_ROOM_CPUSET] = "on the nodes this process may use, ",
		[OS_ROOM_GROUP] = "in the memory control group ",
		[OS_ROOM_UNSEEN] = "for sure, without a file descriptor to look with",
	};

	return aml__fail(AML_ENOMEM, "%s: %s asked, %s left %s%s", place, linux__size(size).text,
		linux__size(room->bytes).text, where[room->of], room->name);
}

/* Looks, and books size bytes if there is room for them beside all that is promised. room: what was
   found, less what was promised; written in failure too. */
static bool look_locked(size_t size, bool credits, struct os_room *room) LOCK_HELD(look_lock)
{
	size_t promised;

	/* Before the look: what is present by then and still in the book does no harm. */
	atomic_store(&credit, 0);
	promised = atomic_load(&booked);
	os__ask_room(room);
	room->bytes = room->bytes > promised ? room->bytes - promised : 0;
	if (room->bytes < size)
		return false;
	atomic_fetch_add(&booked, size);
	if (credits)
		give_credit_locked(room->bytes - size);
	return true;
}

static bool look(size_t size, bool credits, struct os_room *room)
{
	bool has_room;

	lock__acquire(&look_lock);
	has_room = look_locked(size, credits, room);
	lock__release(&look_lock);
	return has_room;
}

int room__check(const char *place, size_t size)
{
	struct os_room room;

	(void)look(0, false, &room);
	return room.bytes >= size ? AML_SUCCESS : refuse(place, size, &room);
}

size_t room__booked(void)
{
	return atomic_load(&booked);
}

/* How much of `left' bytes to take next where there is this much room. */
static size_t step_of(size_t room, size_t left, size_t granule)
{
	size_t step = room / PART;

	if (step > STEP_MAX)
		step = STEP_MAX;
	if (step < STEP_MIN)
		step = STEP_MIN;
	step &= ~(granule - 1);
	if (step < granule)
		step = granule;
	return step < left ? step : left;
}

int room__fill(const char *place, size_t size, size_t granule, room_step_func *step, void *arg)
{
	struct os_room room = {.bytes = SIZE_MAX};
	size_t left = size;
	int failed;

	if (!spend_credit(size) && !look(size, size <= STEP_MAX, &room))
		return refuse(place, size, &room);
	for (;;) {
		size_t part = step_of(room.bytes, left, granule);

		failed = step(arg, size - left, part);
		strike(part);
		left -= part;
		if (failed != AML_SUCCESS || left == 0)
			break;
		/* Others have taken memory meanwhile; what is left is in the book, and so in the look. */
		(void)look(0, false, &room);
		if (room.bytes == 0) {
			failed = refuse(place, size, &room);
			break;
		}
		room.bytes += left;
	}
	strike(left);
	return failed;
}
