/* SPDX-License-Identifier: BSD-3-Clause */
/* runset.c - see runset.h: nodes, bounds and searches. What changes a set is in runset_edit.c. */
#include "amm/runset.h"

#include <string.h>

#include "amm/runset_node.h"

_Static_assert(sizeof(struct run_inner) <= RUN_INNER_SIZE, "a node fits its lines");

static unsigned least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

void runset__init(struct runset *set, enum runset_kind kind, uintptr_t align_mask, uintptr_t align_off,
	struct runset_pools *pools)
{
	unsigned n_limits = 0, n_bounds = kind == RUNSET_BY_START ? 1 : 2;

	if (kind == RUNSET_BY_SIZE && align_mask != 0) {
		/* None at all, and what doubles up to any distance. */
		n_limits = 2;
		while (n_limits < RUNSET_LIMITS && align_mask >> (n_limits - 1) != 0)
			n_limits++;
		n_bounds = 2 * n_limits + 1;
	}
	*set = (struct runset){
		.kind = kind,
		.align_mask = align_mask,
		.align_off = align_off,
		.n_limits = n_limits,
		.n_bounds = n_bounds,
		.inner_max = least(RUN_INNER_CHILDREN, RUN_INNER_WORDS / (SLOT_WORDS + n_bounds)),
		.pools = pools,
	};
}

struct run_key runset__key(const struct runset *set, struct run run)
{
	if (set->kind == RUNSET_BY_START)
		return (struct run_key){run.start, run.size, run.value};
	return (struct run_key){run.size, run.start, run.value};
}

static struct run run_of(const struct runset *set, struct run_key key)
{
	if (set->kind == RUNSET_BY_START)
		return (struct run){key.a, key.b, key.value};
	return (struct run){key.b, key.a, key.value};
}

/* Bounds */

static uintptr_t limit(const struct runset *set, unsigned i)
{
	return i == 0 ? 0 : set->align_mask >> (set->n_limits - 1 - i);
}

static uintptr_t distance_to_aligned(const struct runset *set, uintptr_t start)
{
	return (set->align_off - start) & set->align_mask;
}

void runset__no_bounds(const struct runset *set, uintptr_t *bounds)
{
	for (unsigned i = 0; i < set->n_bounds; i++)
		bounds[i] = i % 2 == 0 ? 0 : UINTPTR_MAX;
}

static inline void raise(uintptr_t *bound, uintptr_t to)
{
	*bound = to > *bound ? to : *bound;
}

static inline void lower(uintptr_t *bound, uintptr_t to)
{
	*bound = to < *bound ? to : *bound;
}

/* Upper bounds are even, lower ones odd. */
void runset__widen(const struct runset *set, uintptr_t *bounds, struct run_key key)
{
	struct run run = run_of(set, key);
	uintptr_t distance = distance_to_aligned(set, run.start);

	if (distance >= run.size)
		return;
	if (set->n_bounds == 2) {
		raise(&bounds[0], run.start + run.size);
		lower(&bounds[1], run.start);
		return;
	}
	raise(&bounds[set->n_bounds - 1], run.size - distance);
	for (unsigned i = set->n_limits; i-- > 0 && distance <= limit(set, i);) {
		raise(&bounds[2 * i], run.start);
		lower(&bounds[2 * i + 1], run.start);
	}
}

static void widen_by(const struct runset *set, uintptr_t *bounds, const uintptr_t *other)
{
	for (unsigned i = 0; i < set->n_bounds; i++)
		if (i % 2 == 0 ? other[i] > bounds[i] : other[i] < bounds[i])
			bounds[i] = other[i];
}

void runset__bounds_of(const struct runset *set, const void *node, uintptr_t *bounds)
{
	const struct run_leaf *leaf = node;
	const struct run_inner *inner = node;

	runset__no_bounds(set, bounds);
	if (leaf->level == 0) {
		for (unsigned i = 0; i < leaf->n; i++)
			runset__widen(set, bounds, leaf__get(leaf, i));
	} else {
		for (unsigned i = 0; i < inner->n; i++)
			widen_by(set, bounds, slot_at(set, inner, i)->bounds);
	}
}

/* Searches */

unsigned runset__child(const struct runset *set, const struct run_inner *node, struct run_key key)
{
	unsigned base = 0, n = node->n;

	while (n > 1) {
		unsigned half = n / 2;

		base = run_key__is_below(key, slot_at(set, node, base + half)->key) ? base : base + half;
		n -= half;
	}
	return base;
}

/*
 * May the child hold what is wanted? In a set by size, where nothing in it is larger than size_max: a
 * run has the room only if it begins that near to an aligned address.
 */
static bool may_hold(const struct runset *set, const struct run_slot *slot,
	const struct run_wanted *wanted, uintptr_t size_max)
{
	unsigned i = 0;

	if (set->n_bounds == 2)
		return slot->bounds[0] >= wanted->end_min && slot->bounds[1] <= wanted->start_max;
	if (slot->bounds[set->n_bounds - 1] < wanted->room_min)
		return false;
	if (set->kind == RUNSET_BY_START)
		return true;
	if (size_max < wanted->room_min)
		return false;
	while (i + 1 < set->n_limits && limit(set, i) < size_max - wanted->room_min)
		i++;
	return slot->bounds[2 * i] >= wanted->start_min && slot->bounds[2 * i + 1] <= wanted->start_max;
}

static inline bool meets(struct run run, const struct run_wanted *wanted)
{
	uintptr_t distance = (wanted->align_off - run.start) & wanted->align_mask;

	return run.start >= wanted->start_min && run.start <= wanted->start_max &&
		run.start + run.size >= wanted->end_min && distance < run.size && run.size - distance >= wanted->room_min;
}

/* The largest size in a child: not above the next one's key, where that is of the same value. */
static uintptr_t size_bound(const struct runset *set, const struct run_inner *node, unsigned i,
	uint32_t value, uintptr_t size_max)
{
	if (i + 1 == node->n)
		return size_max;

	const struct run_slot *next = slot_at(set, node, i + 1);

	return next->key.value == value ? next->key.a : UINTPTR_MAX;
}

/* The search of a node touches most of its lines: better at once than one after the other. */
static inline const void *fetch(const void *node, int level)
{
	size_t size = level == 0 ? RUN_LEAF_SIZE : RUN_INNER_SIZE;

	for (size_t i = 0; i < size; i += 64)
		__builtin_prefetch((const char *)node + i);
	return node;
}

/*
 * What a run's part b must be at least: its size by start, its start by size. In a leaf no size is larger than
 * the last one of its value.
 */
static uintptr_t least_b(const struct runset *set, const struct run_leaf *leaf, const struct run_wanted *wanted)
{
	struct run_key last;

	if (set->kind == RUNSET_BY_START)
		return wanted->room_min;
	last = leaf__get(leaf, leaf->n - 1);
	if (last.value != wanted->value || wanted->end_min <= last.a || wanted->end_min - last.a < wanted->start_min)
		return wanted->start_min;
	return wanted->end_min - last.a;
}

static bool first_in_leaf(const struct runset *set, const struct run_leaf *leaf, struct run_key from,
	const struct run_wanted *wanted, struct run *found)
{
	uintptr_t least = least_b(set, leaf, wanted);

	for (unsigned i = leaf__count_below(leaf, from, false);; i++) {
		i = leaf__next_of_b(leaf, i, least);
		if (i == leaf->n)
			return false;

		struct run run = run_of(set, leaf__get(leaf, i));

		if (run.value != wanted->value)
			return false;
		if (meets(run, wanted)) {
			*found = run;
			return true;
		}
	}
}

static bool first_in(const struct runset *set, const void *node, int level, struct run_key from,
	const struct run_wanted *wanted, uintptr_t size_max, struct run *found)
{
	const struct run_inner *inner = node;

	set->pools->n_visited++;
	if (level == 0)
		return first_in_leaf(set, node, from, wanted, found);
	for (unsigned i = runset__child(set, inner, from); i < inner->n; i++) {
		const struct run_slot *slot = slot_at(set, inner, i);

		if (i > 0 && slot->key.value > wanted->value)
			return false;

		uintptr_t bound = size_bound(set, inner, i, wanted->value, size_max);

		if (may_hold(set, slot, wanted, bound) &&
			first_in(set, fetch(slot->child, level - 1), level - 1, from, wanted, bound, found))
			return true;
	}
	return false;
}

bool runset__first(const struct runset *set, uintptr_t a, uintptr_t b, const struct run_wanted *wanted,
	struct run *found)
{
	struct run_key from = {a, b, wanted->value};

	return set->height > 0 &&
		first_in(set, set->root, set->height - 1, from, wanted, UINTPTR_MAX, found);
}

static bool last_in_leaf(const struct runset *set, const struct run_leaf *leaf, struct run_key from,
	const struct run_wanted *wanted, struct run *found)
{
	uintptr_t least = least_b(set, leaf, wanted);

	for (unsigned n = leaf__count_below(leaf, from, true);; n--) {
		n = leaf__last_of_b(leaf, n, least);
		if (n == 0)
			return false;

		struct run run = run_of(set, leaf__get(leaf, n - 1));

		if (run.value != wanted->value)
			return false;
		if (meets(run, wanted)) {
			*found = run;
			return true;
		}
	}
}

static bool last_in(const struct runset *set, const void *node, int level, struct run_key from,
	const struct run_wanted *wanted, uintptr_t size_max, struct run *found)
{
	const struct run_inner *inner = node;

	set->pools->n_visited++;
	if (level == 0)
		return last_in_leaf(set, node, from, wanted, found);
	for (unsigned i = runset__child(set, inner, from) + 1; i-- > 0;) {
		const struct run_slot *slot = slot_at(set, inner, i);
		uintptr_t bound = size_bound(set, inner, i, wanted->value, size_max);

		if (may_hold(set, slot, wanted, bound) &&
			last_in(set, fetch(slot->child, level - 1), level - 1, from, wanted, bound, found))
			return true;
		/* What comes before is of lesser values. */
		if (slot->key.value < wanted->value)
			return false;
	}
	return false;
}

bool runset__last(const struct runset *set, uintptr_t a, uintptr_t b, const struct run_wanted *wanted,
	struct run *found)
{
	struct run_key from = {a, b, wanted->value};

	return set->height > 0 &&
		last_in(set, set->root, set->height - 1, from, wanted, UINTPTR_MAX, found);
}
