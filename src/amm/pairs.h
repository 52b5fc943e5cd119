/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pairs.h - sets of runs (start, size), ordered by start or by size, of which the first or last one
 * that meets bounds can be found.
 *
 * A B+tree whose inner nodes know of each child
 *   end_max   the largest end of a run,
 *   low_min   the lowest aligned address in a run, of all runs that have one,
 *   room_max  the most addresses from a run's lowest aligned one to its end,
 * where the set was made for one alignment. So "the lowest run from here on with this much room" and
 * "the smallest run with this much room that ends behind there" are one descent each.
 *
 * Invariants: keys ascend; key i of an inner node is not above anything in child i and above
 * everything in child i - 1; the bounds are exact; no node but an empty root is empty. Nodes are not
 * merged when they empty half: the sets here are rebuilt often enough.
 */
#ifndef AMM_PAIRS_H
#define AMM_PAIRS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/pool.h"

enum pairs_kind {
	PAIRS_BY_START, /* pairs are (start, size) */
	PAIRS_BY_SIZE,  /* pairs are (size, start) */
};

struct pair {
	uintptr_t a, b;
};

struct pairs {
	enum pairs_kind kind;
	int height; /* levels; 0: empty, no root */
	struct pairs_node *root;
	size_t n;
	uintptr_t align_mask, align_off; /* aligned: address & align_mask == align_off */
	struct pool *pool;               /* of PAIRS_NODE_SIZE objects; never calls malloc */
};

/* What a run must meet. */
struct pairs_wanted {
	uintptr_t end_min, low_max, room_min;
};

enum { PAIRS_NODE_SIZE = 960 };

void pairs__init(struct pairs *set, enum pairs_kind kind, uintptr_t align_mask, uintptr_t align_off,
	struct pool *pool);

/* Puts every node back to the pool. */
void pairs__clear(struct pairs *set);

/* Adds a pair that is not in the set: 0 or -ENOMEM, and then nothing has changed. */
int pairs__insert(struct pairs *set, struct pair pair);

/* Removes a pair that is in the set. Cannot fail. */
void pairs__erase(struct pairs *set, struct pair pair);

/* The first pair not below (last not above) `from` that meets what is wanted; false: none. */
bool pairs__first(const struct pairs *set, struct pair from, const struct pairs_wanted *wanted,
	struct pair *found);
bool pairs__last(const struct pairs *set, struct pair from, const struct pairs_wanted *wanted,
	struct pair *found);

#endif
