/* SPDX-License-Identifier: BSD-3-Clause */
/* pairs.c - see pairs.h. Not shared between threads; touches no memory but the nodes. */
#include "amm/pairs.h"

#include <errno.h>
#include <string.h>

enum {
#ifdef AMM_SMALL_NODES
	LEAF_MAX = 4,
	INNER_MAX = 4,
#else
	LEAF_MAX = (PAIRS_NODE_SIZE - 16) / 16,
	INNER_MAX = (PAIRS_NODE_SIZE - 16) / 48,
#endif
};

struct bounds {
	uintptr_t end_max, low_min, room_max;
};

struct pairs_node {
	unsigned n, level;
	union {
		struct pair key[LEAF_MAX]; /* leaves */
		struct {
			struct pair inner_key[INNER_MAX];
			struct bounds bounds[INNER_MAX];
			struct pairs_node *child[INNER_MAX];
		};
	};
};

_Static_assert(sizeof(struct pairs_node) <= PAIRS_NODE_SIZE, "a node fits its lines");

static bool is_below(struct pair p, struct pair q)
{
	return p.a < q.a || (p.a == q.a && p.b < q.b);
}

static struct bounds bounds_of_pair(const struct pairs *set, struct pair p)
{
	uintptr_t start = set->kind == PAIRS_BY_START ? p.a : p.b;
	uintptr_t size = set->kind == PAIRS_BY_START ? p.b : p.a;
	uintptr_t up = (set->align_off - start) & set->align_mask;

	if (up >= size)
		return (struct bounds){start + size, UINTPTR_MAX, 0};
	return (struct bounds){start + size, start + up, size - up};
}

static inline bool meets(const struct bounds *bounds, const struct pairs_wanted *wanted)
{
	return bounds->end_max >= wanted->end_min && bounds->low_min <= wanted->low_max &&
		bounds->room_max >= wanted->room_min;
}

void pairs__init(struct pairs *set, enum pairs_kind kind, uintptr_t align_mask, uintptr_t align_off,
	struct pool *pool)
{
	*set = (struct pairs){
		.kind = kind, .align_mask = align_mask, .align_off = align_off, .pool = pool};
}

static void clear(struct pairs *set, struct pairs_node *node)
{
	for (unsigned i = 0; node->level > 0 && i < node->n; i++)
		clear(set, node->child[i]);
	pool__put(set->pool, node);
}

void pairs__clear(struct pairs *set)
{
	if (set->height > 0)
		clear(set, set->root);
	pairs__init(set, set->kind, set->align_mask, set->align_off, set->pool);
}

/* How many of the node's keys are below p, or (with `or_equal`) not above it. */
static unsigned count_below(const struct pairs_node *node, struct pair p, bool or_equal)
{
	const struct pair *key = node->level == 0 ? node->key : node->inner_key;
	unsigned base = 0, n = node->n;

	while (n > 0) {
		unsigned half = n / 2;
		struct pair k = key[base + half];

		if (or_equal ? !is_below(p, k) : is_below(k, p)) {
			base += half + 1;
			n -= half + 1;
		} else {
			n = half;
		}
	}
	return base;
}

/* The child that a pair belongs to. */
static unsigned child_of(const struct pairs_node *node, struct pair p)
{
	unsigned n = count_below(node, p, true);

	return n == 0 ? 0 : n - 1;
}

/* Widens bounds to take in others. */
static void widen(struct bounds *all, const struct bounds *one)
{
	all->end_max = one->end_max > all->end_max ? one->end_max : all->end_max;
	all->low_min = one->low_min < all->low_min ? one->low_min : all->low_min;
	all->room_max = one->room_max > all->room_max ? one->room_max : all->room_max;
}

static struct bounds bounds_of(const struct pairs *set, const struct pairs_node *node)
{
	struct bounds all = {0, UINTPTR_MAX, 0};

	for (unsigned i = 0; i < node->n; i++) {
		struct bounds one =
			node->level > 0 ? node->bounds[i] : bounds_of_pair(set, node->key[i]);

		widen(&all, &one);
	}
	return all;
}

/* Insertion */

static struct pairs_node *new_node(struct pairs *set, unsigned level)
{
	struct pairs_node *node = pool__get(set->pool);

	node->n = 0;
	node->level = level;
	return node;
}

static void open_child(struct pairs_node *node, unsigned at)
{
	unsigned n = node->n - at;

	memmove(node->inner_key + at + 1, node->inner_key + at, n * sizeof(node->inner_key[0]));
	memmove(node->bounds + at + 1, node->bounds + at, n * sizeof(node->bounds[0]));
	memmove(node->child + at + 1, node->child + at, n * sizeof(node->child[0]));
	node->n++;
}

static void close_child(struct pairs_node *node, unsigned at)
{
	unsigned n = --node->n - at;

	memmove(node->inner_key + at, node->inner_key + at + 1, n * sizeof(node->inner_key[0]));
	memmove(node->bounds + at, node->bounds + at + 1, n * sizeof(node->bounds[0]));
	memmove(node->child + at, node->child + at + 1, n * sizeof(node->child[0]));
}

static bool is_full(const struct pairs_node *node)
{
	return node->n == (node->level == 0 ? (unsigned)LEAF_MAX : (unsigned)INNER_MAX);
}

/*
 * Splits the full child at `slot` of a node that has room, for a pair that is about to go there. One
 * behind all others is probably not the last such: the left half stays full.
 */
static void split_child(struct pairs *set, struct pairs_node *node, unsigned slot, struct pair pair)
{
	struct pairs_node *left = node->child[slot], *right = new_node(set, left->level);
	unsigned n_left = count_below(left, pair, false) == left->n ? left->n - 1 : left->n / 2;
	unsigned n = left->n - n_left;

	if (left->level == 0) {
		memcpy(right->key, left->key + n_left, n * sizeof(left->key[0]));
	} else {
		memcpy(right->inner_key, left->inner_key + n_left, n * sizeof(left->inner_key[0]));
		memcpy(right->bounds, left->bounds + n_left, n * sizeof(left->bounds[0]));
		memcpy(right->child, left->child + n_left, n * sizeof(left->child[0]));
	}
	left->n = n_left;
	right->n = n;
	open_child(node, slot + 1);
	node->inner_key[slot + 1] = right->level == 0 ? right->key[0] : right->inner_key[0];
	node->child[slot + 1] = right;
	node->bounds[slot] = bounds_of(set, left);
	node->bounds[slot + 1] = bounds_of(set, right);
}

static void grow(struct pairs *set)
{
	struct pairs_node *root = new_node(set, (unsigned)set->height);

	if (set->height > 0) {
		root->n = 1;
		root->inner_key[0] = (struct pair){0, 0};
		root->child[0] = set->root;
		root->bounds[0] = bounds_of(set, set->root);
	}
	set->root = root;
	set->height++;
}

static void insert_into_leaf(struct pairs_node *leaf, struct pair pair)
{
	unsigned at = count_below(leaf, pair, false);

	memmove(leaf->key + at + 1, leaf->key + at, (leaf->n - at) * sizeof(leaf->key[0]));
	leaf->key[at] = pair;
	leaf->n++;
}

int pairs__insert(struct pairs *set, struct pair pair)
{
	if (pool__reserve(set->pool, (size_t)set->height + 1) != 0)
		return -ENOMEM;
	if (set->height == 0 || is_full(set->root))
		grow(set);

	struct pairs_node *node = set->root;
	struct bounds bounds = bounds_of_pair(set, pair);

	/* Full nodes are split on the way down, so that there is always room above. */
	while (node->level > 0) {
		unsigned slot = child_of(node, pair);

		if (is_full(node->child[slot])) {
			split_child(set, node, slot, pair);
			slot = child_of(node, pair);
		}
		widen(&node->bounds[slot], &bounds);
		node = node->child[slot];
	}
	insert_into_leaf(node, pair);
	set->n++;
	return 0;
}

/* Removal */

static void erase_from(struct pairs *set, struct pairs_node *node, struct pair pair)
{
	if (node->level == 0) {
		unsigned at = count_below(node, pair, false);

		node->n--;
		memmove(node->key + at, node->key + at + 1, (node->n - at) * sizeof(node->key[0]));
		return;
	}

	unsigned slot = child_of(node, pair);
	struct pairs_node *child = node->child[slot];
	struct bounds *bounds = &node->bounds[slot], gone = bounds_of_pair(set, pair);

	erase_from(set, child, pair);
	if (child->n == 0) {
		pool__put(set->pool, child);
		close_child(node, slot);
	} else if (gone.end_max == bounds->end_max || gone.low_min == bounds->low_min ||
		gone.room_max == bounds->room_max) {
		*bounds = bounds_of(set, child);
	}
}

void pairs__erase(struct pairs *set, struct pair pair)
{
	erase_from(set, set->root, pair);
	set->n--;
	while (set->height > 1 && set->root->n == 1) {
		struct pairs_node *root = set->root;

		set->root = root->child[0];
		set->height--;
		pool__put(set->pool, root);
	}
	if (set->root->n == 0) {
		pool__put(set->pool, set->root);
		set->root = NULL;
		set->height = 0;
	}
}

/* Search */

/* The search of a node touches most of its lines: better at once than one after the other. */
static inline const struct pairs_node *fetch(const struct pairs_node *node)
{
	for (size_t i = 0; i < PAIRS_NODE_SIZE; i += 64)
		__builtin_prefetch((const char *)node + i);
	return node;
}

static bool first_in(const struct pairs *set, const struct pairs_node *node, struct pair from,
	const struct pairs_wanted *wanted, struct pair *found)
{
	if (node->level == 0) {
		for (unsigned i = count_below(node, from, false); i < node->n; i++) {
			struct bounds bounds = bounds_of_pair(set, node->key[i]);

			if (meets(&bounds, wanted)) {
				*found = node->key[i];
				return true;
			}
		}
		return false;
	}
	for (unsigned i = child_of(node, from); i < node->n; i++)
		if (meets(&node->bounds[i], wanted) &&
			first_in(set, fetch(node->child[i]), from, wanted, found))
			return true;
	return false;
}

bool pairs__first(const struct pairs *set, struct pair from, const struct pairs_wanted *wanted,
	struct pair *found)
{
	return set->height > 0 && first_in(set, set->root, from, wanted, found);
}

static bool last_in(const struct pairs *set, const struct pairs_node *node, struct pair from,
	const struct pairs_wanted *wanted, struct pair *found)
{
	if (node->level == 0) {
		for (unsigned n = count_below(node, from, true); n > 0; n--) {
			struct bounds bounds = bounds_of_pair(set, node->key[n - 1]);

			if (meets(&bounds, wanted)) {
				*found = node->key[n - 1];
				return true;
			}
		}
		return false;
	}
	for (unsigned n = child_of(node, from) + 1; n > 0; n--)
		if (meets(&node->bounds[n - 1], wanted) &&
			last_in(set, fetch(node->child[n - 1]), from, wanted, found))
			return true;
	return false;
}

bool pairs__last(const struct pairs *set, struct pair from, const struct pairs_wanted *wanted,
	struct pair *found)
{
	return set->height > 0 && last_in(set, set->root, from, wanted, found);
}
