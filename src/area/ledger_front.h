/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ledger_front.h - the ranges of a ledger that nobody has asked about yet, by their starts.
 *
 * A hash table: a range lies in one of the WINDOW slots from its start's home on, so that each call looks at
 * a few neighbours whatever there is. A slot is in use where its end is not 0, which is stored last and
 * cleared first: the child of a fork finds every slot either in use and whole, or free.
 *
 * Everything here is under the ledger's lock. The table comes from mmap.
 */
#ifndef AREA_LEDGER_FRONT_H
#define AREA_LEDGER_FRONT_H

#include "area/ledger.h"

enum { LEDGER_WINDOW = 8 };

struct ledger_front {
	unsigned bits; /* 1 << bits homes, and LEDGER_WINDOW - 1 slots behind the last */
	struct ledger_range slot[];
};

static inline size_t ledger_front__n_slots(const struct ledger_front *front)
{
	return ((size_t)1 << front->bits) + LEDGER_WINDOW - 1;
}

/* Fibonacci hashing (Knuth, The Art of Computer Programming 3, 6.4): 2^64 over the golden ratio. */
static inline struct ledger_range *ledger_front__home(struct ledger_front *front, uintptr_t start)
{
	return &front->slot[((uint64_t)start * 0x9e3779b97f4a7c15) >> (64 - front->bits)];
}

/* The range of that start, or NULL; front may be NULL. */
static inline struct ledger_range *ledger_front__find(struct ledger_front *front, uintptr_t start)
{
	struct ledger_range *slot;

	if (front == NULL)
		return NULL;
	slot = ledger_front__home(front, start);
	for (int i = 0; i < LEDGER_WINDOW; i++)
		if (slot[i].start == start && slot[i].end != 0)
			return &slot[i];
	return NULL;
}

static inline void ledger_front__clear(struct ledger_range *slot)
{
	__atomic_store_n(&slot->end, 0, __ATOMIC_RELEASE);
}

static inline void ledger_front__fill(struct ledger_range *slot, uintptr_t start, uintptr_t end,
	intptr_t value)
{
	slot->start = start;
	slot->value = value;
	__atomic_store_n(&slot->end, end, __ATOMIC_RELEASE);
}

/* Puts a range where one of the same start was, or into a free slot. False: there is none. */
bool ledger_front__put(struct ledger_front *front, struct ledger_range range);

/*
 * A table with room for twice as many ranges as `old` (which may be NULL), with all of its ranges; `left`
 * is called with those that find no slot. NULL: there is no memory, or `old` is as large as they get.
 */
typedef void ledger_left_func(struct ledger *ledger, struct ledger_range range);
struct ledger_front *ledger_front__grow(struct ledger *ledger, struct ledger_front *old,
	ledger_left_func *left);

void ledger_front__free(struct ledger_front *front);

#endif
