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
	INNER_MAX = (PAIRS_NODE_SIZE - 16) / 40,
#endif
	LEVELS = 64,
};

struct bounds {
	uintptr_t x_max, y_min;
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

static uintptr_t x_of(const struct pairs *set, struct pair p)
{
	return set->kind == PAIRS_START_SIZE ? p.b : p.a + p.b;
}

static uintptr_t y_of(const struct pairs *set, struct pair p)
{
	return set->kind == PAIRS_START_SIZE ? 0 : p.b;
}

void pairs__init(struct pairs *set, enum pairs_kind kind, struct pool *pool)
{
	*set = (struct pairs){.kind = kind, .pool = pool};
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
	pairs__init(set, set->kind, set->pool);
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

static struct bounds bounds_of(const struct pairs *set, const struct pairs_node *node)
{
	struct bounds all = {0, UINTPTR_MAX};

	for (unsigned i = 0; i < node->n; i++) {
		struct bounds one = node->level > 0
			? node->bounds[i]
			: (struct bounds){x_of(set, node->key[i]), y_of(set, node->key[i])};

		all.x_max = one.x_max > all.x_max ? one.x_max : all.x_max;
		all.y_min = one.y_min < all.y_min ? one.y_min : all.y_min;
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

/* Splits the full child at `slot` of a node that has room. */
static void split_child(struct pairs *set, struct pairs_node *node, unsigned slot)
{
	struct pairs_node *left = node->child[slot], *right = new_node(set, left->level);
	unsigned n_left = left->n / 2, n = left->n - n_left;

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
	uintptr_t x = x_of(set, pair), y = y_of(set, pair);

	/* Full nodes are split on the way down, so that there is always room above. */
	while (node->level > 0) {
		unsigned slot = child_of(node, pair);

		if (is_full(node->child[slot])) {
			split_child(set, node, slot);
			slot = child_of(node, pair);
		}
		if (x > node->bounds[slot].x_max)
			node->bounds[slot].x_max = x;
		if (y < node->bounds[slot].y_min)
			node->bounds[slot].y_min = y;
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
	struct bounds *bounds = &node->bounds[slot];

	erase_from(set, child, pair);
	if (child->n == 0) {
		pool__put(set->pool, child);
		close_child(node, slot);
	} else if (x_of(set, pair) == bounds->x_max ||
		(set->kind == PAIRS_SIZE_START && pair.b == bounds->y_min)) {
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

static bool first_in(const struct pairs *set, const struct pairs_node *node, struct pair from,
	uintptr_t x_min, uintptr_t y_max, struct pair *found)
{
	if (node->level == 0) {
		for (unsigned i = count_below(node, from, false); i < node->n; i++) {
			struct pair p = node->key[i];

			if (x_of(set, p) >= x_min && y_of(set, p) <= y_max) {
				*found = p;
				return true;
			}
		}
		return false;
	}
	for (unsigned i = child_of(node, from); i < node->n; i++)
		if (node->bounds[i].x_max >= x_min && node->bounds[i].y_min <= y_max &&
			first_in(set, node->child[i], from, x_min, y_max, found))
			return true;
	return false;
}

bool pairs__first(const struct pairs *set, struct pair from, uintptr_t x_min, uintptr_t y_max,
	struct pair *found)
{
	return set->height > 0 && first_in(set, set->root, from, x_min, y_max, found);
}

static bool last_in(const struct pairs *set, const struct pairs_node *node, struct pair from,
	uintptr_t x_min, struct pair *found)
{
	if (node->level == 0) {
		for (unsigned n = count_below(node, from, true); n > 0; n--)
			if (x_of(set, node->key[n - 1]) >= x_min) {
				*found = node->key[n - 1];
				return true;
			}
		return false;
	}
	for (unsigned n = child_of(node, from) + 1; n > 0; n--)
		if (node->bounds[n - 1].x_max >= x_min &&
			last_in(set, node->child[n - 1], from, x_min, found))
			return true;
	return false;
}

bool pairs__last(const struct pairs *set, struct pair from, uintptr_t x_min, struct pair *found)
{
	return set->height > 0 && last_in(set, set->root, from, x_min, found);
}
