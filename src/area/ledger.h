/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ledger.h - which address ranges are out, each with a value.
 *
 * A sorted set of disjoint half-open ranges [start, end). Adjacent ranges of equal value are one. A
 * value holds for every byte of its range alike (a link's number, the distance from address to file
 * offset), so that ranges can be split and joined freely.
 *
 * Every call takes the ledger's own lock, which nests inside everything else and under which nothing
 * is called, and costs O(log n), but where it says less. Memory comes from mmap, never from malloc. In the
 * child of a fork the lock is free again and the ledger is usable whatever the parent's other threads were
 * doing: every step leaves a list that can be searched.
 */
#ifndef AREA_LEDGER_H
#define AREA_LEDGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/brief.h"

enum { LEDGER_HEIGHT = 11 };

struct ledger_range {
	uintptr_t start, end;
	intptr_t value;
};

struct ledger_node {
	struct ledger_range range;
	size_t height;
	struct ledger_node *next[LEDGER_HEIGHT];
};

struct ledger {
	struct brief lock;
	/* Under the lock. What a mapping that comes and goes whole looks at: */
	struct ledger_front *front;     /* ranges that are not in the lists yet; NULL: none */
	size_t n_pushed;                /* in front */
	size_t n_given;                 /* taken from there, neither put back nor dropped yet; and holds */
	size_t n_at_hand;               /* nodes: spare and fresh ones, and those of untouched chunks */
	/* A skip list, its free nodes, what is left of the newest chunk of nodes: */
	struct ledger_node *head[LEDGER_HEIGHT];
	struct ledger_node *spare;
	struct ledger_node *fresh;      /* the next of n_fresh that were never used */
	size_t n_fresh;
	struct ledger_chunk *chunks, *untouched;
	size_t top;   /* lists in use: the others are empty */
	size_t bytes; /* the sum of all ranges */
	uint32_t seed;
	/* Under the lock of all ledgers. */
	struct ledger *next_ledger;
};

/* For ledgers that are never destroyed; they must also be shown to ledger__watch once. */
#define LEDGER_INITIALIZER { .lock = BRIEF_INITIALIZER, .top = 1, .seed = 1 }

void ledger__init(struct ledger *ledger);

/* Makes sure that the ledger's lock is free in the child of a fork. ledger__init does it. */
void ledger__watch(struct ledger *ledger);
void ledger__unwatch(struct ledger *ledger);

/* Forgets all ranges and frees the memory. */
void ledger__destroy(struct ledger *ledger);

/* Notes a range with a value; what was noted of it before is forgotten. 0 or -ENOMEM. */
int ledger__set(struct ledger *ledger, uintptr_t start, uintptr_t end, intptr_t value);

/*
 * The same for a range that is fresh from the kernel: as long as nothing is asked but whether such ranges are
 * there, and nothing is removed but such ranges, that costs the same however many there are.
 */
int ledger__push(struct ledger *ledger, uintptr_t start, uintptr_t end, intptr_t value);

/* Removes a range that is in the ledger in full. -EINVAL: it is not; -ENOMEM: no room to split. Both
   change nothing. */
int ledger__remove(struct ledger *ledger, uintptr_t start, uintptr_t end);

/* Removes what there is of a range and returns how many bytes that was. -ENOMEM as above. */
int ledger__cut(struct ledger *ledger, uintptr_t start, uintptr_t end, size_t *bytes);

/* Takes what there is of a range out, with its values; then it is put back as it was, or dropped, neither
   of which can fail. For ranges that are given up by a call that may be refused. -ENOMEM as above. */
struct ledger_taken {
	struct ledger_node *nodes;
	struct ledger_range pushed; /* end 0: none */
	size_t bytes;
};
int ledger__take(struct ledger *ledger, uintptr_t start, uintptr_t end, struct ledger_taken *taken);

/* Takes out a range that was pushed and is still as it was. False, and nothing is done: there is none. */
bool ledger__take_pushed(struct ledger *ledger, uintptr_t start, uintptr_t end, struct ledger_taken *taken);

static inline bool ledger__was_pushed(const struct ledger_taken *taken)
{
	return taken->pushed.end != 0;
}

void ledger__put_back(struct ledger *ledger, struct ledger_taken *taken);
void ledger__drop_nodes(struct ledger *ledger, struct ledger_taken *taken);

static inline void ledger__drop(struct ledger *ledger, struct ledger_taken *taken) LOCK_UNCHECKED
{
	if (!ledger__was_pushed(taken)) {
		ledger__drop_nodes(ledger, taken);
		return;
	}
	/* A range that was pushed is all that there is. */
	brief__acquire(&ledger->lock);
	ledger->n_given--;
	brief__release(&ledger->lock);
}

/* Keeps memory at hand for one ledger__set, which cannot fail then: for ranges that are noted when what
   cannot be undone is done. 0 or -ENOMEM; ends with ledger__let_go. */
int ledger__hold(struct ledger *ledger);
void ledger__let_go(struct ledger *ledger);

/* Is every byte of the range in the ledger? */
bool ledger__covers(struct ledger *ledger, uintptr_t start, uintptr_t end);

/* The first range that ends after addr (and so holds addr, or is the next one). False: none. */
bool ledger__next(struct ledger *ledger, uintptr_t addr, struct ledger_range *range);

/* Takes the lowest `size` bytes out of the first range that has them at an address that is `wanted`
   (where not 0 and there is room), else anywhere. -ENOMEM: no range is large enough. */
int ledger__allocate(struct ledger *ledger, uintptr_t wanted, size_t size, uintptr_t *start);

/* Bytes in all ranges, and of the ranges within [start, end). */
size_t ledger__bytes(struct ledger *ledger);
size_t ledger__bytes_within(struct ledger *ledger, uintptr_t start, uintptr_t end);

#endif
