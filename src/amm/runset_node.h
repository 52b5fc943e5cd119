/* SPDX-License-Identifier: BSD-3-Clause */
/* runset_node.h - what the files of sets of runs share and nobody else needs. */
#ifndef AMM_RUNSET_NODE_H
#define AMM_RUNSET_NODE_H

#include "amm/runset.h"

enum {
	RUN_INNER_WORDS = (RUN_INNER_SIZE - 8) / 8,
	SLOT_WORDS = 4,
#ifdef AMM_SMALL_NODES
	RUN_INNER_CHILDREN = 5,
#else
	RUN_INNER_CHILDREN = RUN_INNER_WORDS,
#endif
	RUN_BOUNDS_MAX = 2 * RUNSET_LIMITS + 1,
};

/* A child, and set->n_bounds words of what its bounds are. */
struct run_slot {
	struct run_key key;
	void *child;
	uintptr_t bounds[];
};

struct run_inner {
	unsigned n, level;
	uint64_t words[RUN_INNER_WORDS]; /* slots */
};

_Static_assert(sizeof(struct run_slot) == 8 * SLOT_WORDS, "a slot is what the sizes assume");

static inline size_t slot_words(const struct runset *set)
{
	return SLOT_WORDS + set->n_bounds;
}

static inline struct run_slot *slot_at(const struct runset *set, const struct run_inner *node, unsigned i)
{
	return (struct run_slot *)(uintptr_t)(node->words + i * slot_words(set));
}

struct run_key runset__key(const struct runset *set, struct run run);

/* The child that a key belongs to. */
unsigned runset__child(const struct runset *set, const struct run_inner *node, struct run_key key);

/* Bounds of nothing; widened to take in a run; of all in a node. */
void runset__no_bounds(const struct runset *set, uintptr_t *bounds);
void runset__widen(const struct runset *set, uintptr_t *bounds, struct run_key key);
void runset__bounds_of(const struct runset *set, const void *node, uintptr_t *bounds);

#endif
