/* SPDX-License-Identifier: BSD-3-Clause */
/* runset_edit.c - what changes a set of runs. All memory is reserved before the first edit. */
#include "amm/runset_node.h"

#include <errno.h>
#include <string.h>

enum {
	/* Slots that an insertion may add to a node. */
	SLOTS_ADDED = 2,
	/* A leaf of fewer bytes than this, for one of few keys, looks for a neighbour to merge with. */
	LEAF_POOR = LEAF_BYTES / 4,
	/* Merged leaves, and those that take from a neighbour, keep some room. */
	LEAF_RICH = LEAF_BYTES * 7 / 8,
	KEYS_RICH = RUN_LEAF_KEYS * 7 / 8,
};

static void clear(struct runset *set, void *node, int level)
{
	struct run_inner *inner = node;

	if (level == 0) {
		pool__put(&set->pools->leaves, node);
		return;
	}
	for (unsigned i = 0; i < inner->n; i++)
		clear(set, slot_at(set, inner, i)->child, level - 1);
	pool__put(&set->pools->inners, node);
}

void runset__clear(struct runset *set)
{
	if (set->height > 0)
		clear(set, set->root, set->height - 1);
	set->height = 0;
	set->root = NULL;
	set->n = 0;
}

/* Slots */

static void open_slots(const struct runset *set, struct run_inner *node, unsigned at, unsigned n)
{
	memmove(slot_at(set, node, at + n), slot_at(set, node, at),
		(node->n - at) * slot_words(set) * sizeof(node->words[0]));
	node->n += n;
}

static void close_slot(const struct runset *set, struct run_inner *node, unsigned at)
{
	node->n--;
	memmove(slot_at(set, node, at), slot_at(set, node, at + 1),
		(node->n - at) * slot_words(set) * sizeof(node->words[0]));
}

static void refresh(const struct runset *set, struct run_slot *slot)
{
	runset__bounds_of(set, slot->child, slot->bounds);
}

static struct run_inner *new_inner(struct runset *set, unsigned level)
{
	struct run_inner *node = pool__get(&set->pools->inners);

	node->n = 0;
	node->level = level;
	return node;
}

static void grow(struct runset *set)
{
	struct run_inner *root = new_inner(set, (unsigned)set->height);
	struct run_slot *slot = slot_at(set, root, 0);

	root->n = 1;
	slot->key = (struct run_key){0, 0, 0};
	slot->child = set->root;
	refresh(set, slot);
	set->root = root;
	set->height++;
}

static bool is_full(const struct runset *set, const struct run_inner *node)
{
	return node->n + SLOTS_ADDED > set->inner_max;
}

/*
 * Splits the full inner child at `i` of a node that has room, for a key that is about to go there. One
 * behind all others is probably not the last such: the left half stays as full as it is.
 */
static void split_child(struct runset *set, struct run_inner *node, unsigned i, struct run_key key)
{
	struct run_inner *left = slot_at(set, node, i)->child, *right = new_inner(set, left->level);
	bool is_last = !run_key__is_below(key, slot_at(set, left, left->n - 1)->key);
	unsigned n_left = is_last ? left->n - 1 : left->n / 2;

	right->n = left->n - n_left;
	memcpy(right->words, slot_at(set, left, n_left),
		right->n * slot_words(set) * sizeof(right->words[0]));
	left->n = n_left;
	open_slots(set, node, i + 1, 1);
	slot_at(set, node, i + 1)->key = slot_at(set, right, 0)->key;
	slot_at(set, node, i + 1)->child = right;
	refresh(set, slot_at(set, node, i));
	refresh(set, slot_at(set, node, i + 1));
}

/* Leaves without room */

/* The keys of a few neighbouring leaves and a new one, on their way to other leaves. */
struct batch {
	struct run_key keys[2 * RUN_LEAF_KEYS + 1];
	unsigned n;
};

/* Fills the leaf with the batch's keys from `from` up to `to`. */
static bool fill_from(struct run_leaf *leaf, const struct batch *batch, unsigned from, unsigned to)
{
	return leaf__fill(leaf, batch->keys + from, to - from);
}

static void add_key(struct batch *batch, struct run_key key)
{
	unsigned at = batch->n;

	while (at > 0 && run_key__is_below(key, batch->keys[at - 1])) {
		batch->keys[at] = batch->keys[at - 1];
		at--;
	}
	batch->keys[at] = key;
	batch->n++;
}

/*
 * The batch, even, into n leaves that stand in the slots from `first` on, and new ones behind them;
 * false: some part does not fit, and nothing has changed.
 */
static bool spread(struct runset *set, struct run_inner *node, unsigned first, unsigned n_old, unsigned n,
	const struct batch *batch)
{
	struct run_leaf leaves[3];

	for (unsigned k = 0; k < n; k++)
		if (!fill_from(&leaves[k], batch, batch->n * k / n, batch->n * (k + 1) / n))
			return false;
	if (n > n_old)
		open_slots(set, node, first + n_old, n - n_old);
	for (unsigned k = 0; k < n; k++) {
		struct run_slot *slot = slot_at(set, node, first + k);

		if (k >= n_old)
			slot->child = pool__get(&set->pools->leaves);
		if (k > 0)
			slot->key = batch->keys[batch->n * k / n];
		memcpy(slot->child, &leaves[k], sizeof(leaves[k]));
		refresh(set, slot);
	}
	return true;
}

/* A new leaf behind slot i, of the batch's keys from `from` up to `to`; these always fit. */
static void new_leaf(struct runset *set, struct run_inner *node, unsigned i, const struct batch *batch,
	unsigned from, unsigned to)
{
	struct run_leaf *leaf = pool__get(&set->pools->leaves);

	fill_from(leaf, batch, from, to);
	open_slots(set, node, i + 1, 1);

	struct run_slot *slot = slot_at(set, node, i + 1);

	slot->key = batch->keys[from];
	slot->child = leaf;
	refresh(set, slot);
}

/* A key that makes its leaf's others wide gets one of its own, between what lies on either side. */
static void set_apart(struct runset *set, struct run_inner *node, unsigned i, struct run_key key)
{
	struct run_slot *slot = slot_at(set, node, i);
	struct batch batch = {.n = 0};
	unsigned at = leaf__count_below(slot->child, key, false);

	batch.n = leaf__copy_out(slot->child, batch.keys);
	add_key(&batch, key);
	if (at + 1 < batch.n)
		new_leaf(set, node, i, &batch, at + 1, batch.n);
	if (at > 0) {
		new_leaf(set, node, i, &batch, at, at + 1);
		fill_from(slot->child, &batch, 0, at);
	} else {
		fill_from(slot->child, &batch, 0, 1);
	}
	refresh(set, slot);
}

static bool is_rich(const struct run_leaf *leaf)
{
	return leaf->n * leaf->width > LEAF_RICH || leaf->n > KEYS_RICH;
}

static unsigned n_bytes(const struct run_slot *slot)
{
	const struct run_leaf *leaf = slot->child;

	return leaf->n * leaf->width;
}

/* The leaf at slot i has no room for the key, the node has for two more slots. */
static void make_room(struct runset *set, struct run_inner *node, unsigned i, struct run_key key)
{
	const struct run_leaf *leaf = slot_at(set, node, i)->child;
	struct batch batch = {.n = 0};
	unsigned first = i;

	/* Behind all others, and probably not the last such: that leaf stays full. */
	if (i + 1 == node->n && leaf__count_below(leaf, key, false) == leaf->n) {
		batch.n = 0;
		add_key(&batch, key);
		new_leaf(set, node, i, &batch, 0, 1);
		return;
	}
	if (node->n == 1) {
		batch.n = leaf__copy_out(leaf, batch.keys);
		add_key(&batch, key);
		if (!spread(set, node, i, 1, 2, &batch))
			set_apart(set, node, i, key);
		return;
	}
	if (i + 1 == node->n || (i > 0 && n_bytes(slot_at(set, node, i - 1)) < n_bytes(slot_at(set, node, i + 1))))
		first = i - 1;

	const struct run_leaf *left = slot_at(set, node, first)->child;
	const struct run_leaf *right = slot_at(set, node, first + 1)->child;
	bool shares = !is_rich(leaf == left ? right : left);

	batch.n = leaf__copy_out(left, batch.keys);
	batch.n += leaf__copy_out(right, batch.keys + batch.n);
	add_key(&batch, key);
	if (!(shares && spread(set, node, first, 2, 2, &batch)) && !spread(set, node, first, 2, 3, &batch))
		set_apart(set, node, i, key);
}

int runset__insert(struct runset *set, struct run run)
{
	struct run_key key = runset__key(set, run);

	if (pool__reserve(&set->pools->leaves, SLOTS_ADDED) != 0 ||
		pool__reserve(&set->pools->inners, (size_t)set->height + 1) != 0)
		return -ENOMEM;
	set->n++;
	if (set->height == 0) {
		set->root = pool__get(&set->pools->leaves);
		set->height = 1;
		leaf__fill(set->root, &key, 1);
		return 0;
	}
	if (set->height == 1 && leaf__insert(set->root, key))
		return 0;
	if (set->height == 1 || is_full(set, set->root))
		grow(set);

	struct run_inner *node = set->root;

	/* Full nodes are split on the way down, so that there is always room above. */
	for (;;) {
		unsigned i = runset__child(set, node, key);
		struct run_slot *slot = slot_at(set, node, i);

		if (node->level == 1) {
			if (leaf__insert(slot->child, key))
				runset__widen(set, slot->bounds, key);
			else
				make_room(set, node, i, key);
			return 0;
		}
		if (is_full(set, slot->child)) {
			split_child(set, node, i, key);
			slot = slot_at(set, node, runset__child(set, node, key));
		}
		runset__widen(set, slot->bounds, key);
		node = slot->child;
	}
}

/* Removal */

/* Do the bounds owe anything to that key? */
static bool concerns(const struct runset *set, const uintptr_t *bounds, struct run_key key)
{
	uintptr_t own[RUN_BOUNDS_MAX];

	runset__no_bounds(set, own);
	runset__widen(set, own, key);
	for (unsigned i = 0; i < set->n_bounds; i++)
		if (own[i] == bounds[i] && own[i] != (i % 2 == 0 ? 0 : UINTPTR_MAX))
			return true;
	return false;
}

static void merge(struct runset *set, struct run_inner *node, unsigned first)
{
	struct run_slot *slot = slot_at(set, node, first);
	const struct run_leaf *left = slot->child;
	struct run_leaf *right = slot_at(set, node, first + 1)->child, merged;
	struct batch batch;

	batch.n = leaf__copy_out(left, batch.keys);
	batch.n += leaf__copy_out(right, batch.keys + batch.n);
	if (batch.n > RUN_LEAF_KEYS || !fill_from(&merged, &batch, 0, batch.n) || is_rich(&merged))
		return;
	memcpy(slot->child, &merged, sizeof(merged));
	pool__put(&set->pools->leaves, right);
	close_slot(set, node, first + 1);
	refresh(set, slot);
}

static void merge_if_poor(struct runset *set, struct run_inner *node, unsigned i)
{
	const struct run_leaf *leaf = slot_at(set, node, i)->child;

	if (leaf->n * leaf->width >= LEAF_POOR || leaf->n > RUN_LEAF_KEYS / 4)
		return;
	if (i + 1 < node->n)
		merge(set, node, i);
	else if (i > 0)
		merge(set, node, i - 1);
}

static void erase_from(struct runset *set, struct run_inner *node, struct run_key key)
{
	unsigned i = runset__child(set, node, key);
	struct run_slot *slot = slot_at(set, node, i);
	unsigned n;

	if (node->level == 1) {
		struct run_leaf *leaf = slot->child;

		leaf__erase(leaf, leaf__count_below(leaf, key, false));
		n = leaf->n;
	} else {
		erase_from(set, slot->child, key);
		n = ((struct run_inner *)slot->child)->n;
	}
	if (n == 0) {
		pool__put(node->level == 1 ? &set->pools->leaves : &set->pools->inners, slot->child);
		close_slot(set, node, i);
		return;
	}
	if (concerns(set, slot->bounds, key))
		refresh(set, slot);
	if (node->level == 1)
		merge_if_poor(set, node, i);
}

void runset__erase(struct runset *set, struct run run)
{
	struct run_key key = runset__key(set, run);

	set->n--;
	if (set->height == 1)
		leaf__erase(set->root, leaf__count_below(set->root, key, false));
	else
		erase_from(set, set->root, key);
	if (set->n == 0) {
		runset__clear(set);
		return;
	}
	while (set->height > 1 && ((struct run_inner *)set->root)->n == 1) {
		struct run_inner *root = set->root;

		set->root = slot_at(set, root, 0)->child;
		set->height--;
		pool__put(&set->pools->inners, root);
	}
}
