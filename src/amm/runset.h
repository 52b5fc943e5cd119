/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * runset.h - sets of runs, each with a value, ordered by (value, start, size) or (value, size, start),
 * of which the first or last one of a value that meets bounds can be found.
 *
 * A B+tree. Inner nodes know of each child, in a set by start,
 *   the most addresses from a run's lowest aligned one to its end (its room);
 * in a set by size,
 *   the greatest end and the least start;
 * and in one by size with an alignment, besides the most room, of the runs whose lowest aligned address
 * lies no farther from their start than each of a few limits,
 *   the greatest start and the least start.
 * "The lowest run from here on with this much room" is one descent. So is "the smallest run of this much
 * that ends behind there" in a set without an alignment. With one, a descent may be in vain where the
 * runs of a node that lie right and those that are aligned are different ones, which the limits tell
 * apart but for runs between two of them.
 *
 * Invariants (runs__check verifies what they are for): keys ascend; the key of a slot is above
 * everything in the child before and, but in a node's first, not above anything in its own; bounds are exact;
 * nothing is empty but a set without a root. A leaf with no room shares with a neighbour, or the two become
 * three; a leaf that is a quarter full looks for one to merge with.
 */
#ifndef AMM_RUNSET_H
#define AMM_RUNSET_H

#include "amm/runleaf.h"
#include "base/pool.h"

enum runset_kind {
	RUNSET_BY_START, /* keys are (value, start, size) */
	RUNSET_BY_SIZE,  /* keys are (value, size, start) */
};

enum { RUN_INNER_SIZE = 1024, RUNSET_LIMITS = 8 };

/* Where nodes come from; neither pool calls malloc. */
struct runset_pools {
	struct pool leaves; /* of RUN_LEAF_SIZE */
	struct pool inners; /* of RUN_INNER_SIZE */
	size_t n_visited;   /* nodes that searches went through, ever */
};

struct runset {
	enum runset_kind kind;
	int height; /* levels; 0: empty, no root */
	void *root;
	size_t n;
	uintptr_t align_mask, align_off; /* aligned: address & align_mask == align_off */
	unsigned n_limits;               /* by size and aligned: distances that bounds are kept for */
	unsigned n_bounds;               /* words of bounds a child */
	unsigned inner_max;              /* children of an inner node */
	struct runset_pools *pools;
};

struct run {
	uintptr_t start, size;
	uint32_t value;
};

/*
 * What a run must meet: its value, where it starts and ends, how many addresses from an aligned one on.
 * The alignment may be another than the set's where that has none: bounds are of less use then.
 * Of start_min and end_min, that is nothing (0) which the set has no bounds for: by size, without an
 * alignment start_min, with one end_min.
 */
struct run_wanted {
	uint32_t value;
	uintptr_t start_min, start_max, end_min, room_min;
	uintptr_t align_mask, align_off;
};

void runset__init(struct runset *set, enum runset_kind kind, uintptr_t align_mask, uintptr_t align_off,
	struct runset_pools *pools);

/* Puts every node back. */
void runset__clear(struct runset *set);

/* Adds a run that is not in the set: 0 or -ENOMEM, and then nothing has changed. */
int runset__insert(struct runset *set, struct run run);

/* Removes a run that is in the set. Cannot fail. */
void runset__erase(struct runset *set, struct run run);

/*
 * The first run of the value from (a, b) on, or the last one up to there, that meets what is wanted;
 * a and b are start and size, or size and start, as the set is ordered. False: none.
 */
bool runset__first(const struct runset *set, uintptr_t a, uintptr_t b, const struct run_wanted *wanted,
	struct run *found);
bool runset__last(const struct runset *set, uintptr_t a, uintptr_t b, const struct run_wanted *wanted,
	struct run *found);

#endif
