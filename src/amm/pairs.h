/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pairs.h - sets of pairs (a, b) in order, of which the first or last one within bounds can be found.
 *
 * A B+tree whose inner nodes know, for each child, the largest x and the smallest y in it, x and y
 * being functions of the pair that the set's kind names:
 *
 *   PAIRS_START_SIZE   (start, size) of a run;  x = size         y = 0
 *   PAIRS_SIZE_START   (size, start) of a run;  x = its end      y = start
 *
 * so that "the lowest run from here on of at least this size" and "the smallest run of at least this
 * size that ends behind there" are one descent each.
 *
 * Invariants: keys ascend; key i of an inner node is not above anything in child i and above
 * everything in child i - 1; x and y are exact; no node but an empty root is empty. Nodes are not
 * merged when they empty half: the sets here are rebuilt often enough.
 */
#ifndef AMM_PAIRS_H
#define AMM_PAIRS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/pool.h"

enum pairs_kind { PAIRS_START_SIZE, PAIRS_SIZE_START };

struct pair {
	uintptr_t a, b;
};

struct pairs {
	enum pairs_kind kind;
	int height; /* levels; 0: empty, no root */
	struct pairs_node *root;
	size_t n;
	struct pool *pool; /* of PAIRS_NODE_SIZE objects; never calls malloc */
};

enum { PAIRS_NODE_SIZE = 960 };

void pairs__init(struct pairs *set, enum pairs_kind kind, struct pool *pool);

/* Puts every node back to the pool. */
void pairs__clear(struct pairs *set);

/* Adds a pair that is not in the set: 0 or -ENOMEM, and then nothing has changed. */
int pairs__insert(struct pairs *set, struct pair pair);

/* Removes a pair that is in the set. Cannot fail. */
void pairs__erase(struct pairs *set, struct pair pair);

/* The first pair not below `from` with x >= x_min and y <= y_max; false: none. */
bool pairs__first(const struct pairs *set, struct pair from, uintptr_t x_min, uintptr_t y_max,
	struct pair *found);

/* The last pair not above `from` with x >= x_min; false: none. */
bool pairs__last(const struct pairs *set, struct pair from, uintptr_t x_min, struct pair *found);

#endif
