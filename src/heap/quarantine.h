/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * quarantine.h - freed blocks of one thread and heap that wait before they can be handed out again, in
 * builds that check.
 *
 * A block that is freed takes the place of one chosen at random, which goes on to the cache: so memory is
 * neither used again at once nor in an order that anybody can tell in advance. While it waits its first
 * bytes hold a pattern, and a change there is a write after free.
 *
 * Bounded: of either kind no more slots than an eighth of what the heap lets a thread cache can fill.
 *
 * Locking: as the cache it is part of; counts may be read from anywhere.
 */
#ifndef HEAP_QUARANTINE_H
#define HEAP_QUARANTINE_H

#include <stddef.h>
#include <stdint.h>

#include "heap/size_class.h"

enum {
	QUARANTINE_SMALL = 1024, /* bytes: up to this blocks have slots of their own */
	QUARANTINE_SMALL_SLOTS = 256,
	QUARANTINE_SLOTS = 32, /* of blocks up to SIZE_CLASS_MAX; 8 with the default cache */
};

struct quarantine {
	uint64_t random;
	unsigned n_small, n_slots; /* in use */
	uint64_t small[QUARANTINE_SMALL_SLOTS]; /* a block's address, and above it its class; 0: empty */
	uint64_t slots[QUARANTINE_SLOTS];
};

/* `bytes`: what the thread may cache. */
void quarantine__init(struct quarantine *quarantine, size_t bytes);

/* Takes a freed block of `size` bytes whose raw memory is of this class; returns one that has waited, or
   NULL. */
void *quarantine__swap(struct quarantine *quarantine, void *block, size_t size, unsigned class);

/* Takes any block out; NULL: there is none. */
void *quarantine__drain(struct quarantine *quarantine);

/* Adds what waits here to n_blocks[class]. */
void quarantine__count(const struct quarantine *quarantine, size_t n_blocks[SIZE_CLASSES]);

/* Puts blocks that are about to be handed out in an order that nobody can tell. */
void quarantine__shuffle(struct quarantine *quarantine, void **blocks, size_t n);

#endif
