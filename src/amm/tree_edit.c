/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * tree_edit.c - edits of the index. None of them can fail; see tree.h for what surrounds them.
 *
 * A full node first gives some of its slots to a neighbour under the same parent. Where those on both
 * sides are full too the three become four; only where growth seems to be ascending the node splits in halves, of
 * which the left one is then filled by sharing. So nodes are well filled under random insertion, and full under
 * ascending.
 * A node that falls below a third merges with a neighbour if the result leaves room. Both are rare:
 * afterwards the cursor is simply sought anew.
 */
#include "amm/tree_node.h"

#include <string.h>

static unsigned node_max(const struct node *node)
{
	return node->level == 0 ? LEAF_MAX : INNER_MAX;
}

static unsigned least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

/* Copies n words (ints) within or between nodes; overlap allowed. */
static void move_words(uintptr_t *to, const uintptr_t *from, size_t n)
{
	if (to <= from)
		for (size_t i = 0; i < n; i++)
			PUT(to[i], from[i]);
	else
		while (n-- > 0)
			PUT(to[n], from[n]);
}

static void move_ints(int *to, const int *from, size_t n)
{
	if (to <= from)
		for (size_t i = 0; i < n; i++)
			PUT(to[i], from[i]);
	else
		while (n-- > 0)
			PUT(to[n], from[n]);
}

static void move_pointers(void *to, const void *from, size_t n)
{
	_Static_assert(sizeof(uintptr_t) == sizeof(void *), "pointers are moved as words");
	move_words(to, from, n);
}

static void move_slots_watched(struct node *to, unsigned ti, struct node *from, unsigned fi, unsigned n)
{
	move_words(to->key + ti, from->key + fi, n);
	if (to->level == 0) {
		move_pointers(to->leaf.entry + ti, from->leaf.entry + fi, n);
		move_ints(to->leaf.flags + ti, from->leaf.flags + fi, n);
	} else {
		move_pointers(to->inner.child + ti, from->inner.child + fi, n);
		move_ints(to->inner.all + ti, from->inner.all + fi, n);
		move_ints(to->inner.any + ti, from->inner.any + fi, n);
	}
}

/*
 * Copies n slots; both nodes of one level, or the same. Counts are the caller's to set. Where no
 * reader can be looking, the C library's copy is faster than one word after the other.
 */
static inline void move_slots(const amm_t *amm, struct node *to, unsigned ti, struct node *from,
	unsigned fi, unsigned n)
{
	if (tree__has_readers(amm)) {
		move_slots_watched(to, ti, from, fi, n);
		return;
	}
	memmove(to->key + ti, from->key + fi, n * sizeof(to->key[0]));
	if (to->level == 0) {
		memmove(to->leaf.entry + ti, from->leaf.entry + fi, n * sizeof(to->leaf.entry[0]));
		memmove(to->leaf.flags + ti, from->leaf.flags + fi, n * sizeof(to->leaf.flags[0]));
	} else {
		memmove(to->inner.child + ti, from->inner.child + fi, n * sizeof(to->inner.child[0]));
		memmove(to->inner.all + ti, from->inner.all + fi, n * sizeof(to->inner.all[0]));
		memmove(to->inner.any + ti, from->inner.any + fi, n * sizeof(to->inner.any[0]));
	}
}

static struct node *new_node(amm_t *amm, unsigned level)
{
	struct node *node = node__get(amm);

	PUT(node->level, level);
	PUT(node->n, 0u);
	return node;
}

/* The node itself where this change may write it, else a copy in its stead. */
static struct node *own(amm_t *amm, struct node *node)
{
	if (!tree__is_copied(amm) || node->born == amm->memory->edits)
		return node;

	struct node *copy = new_node(amm, node->level);

	move_slots(amm, copy, 0, node, 0, node->n);
	PUT(copy->n, node->n);
	node__put(amm, node);
	return copy;
}

static struct node *own_child(amm_t *amm, struct node *parent, unsigned slot)
{
	struct node *old = parent->inner.child[slot], *node = own(amm, old);

	if (node != old)
		PUT(parent->inner.child[slot], node);
	return node;
}

static void own_path(amm_t *amm, struct cursor *c)
{
	if (!tree__is_copied(amm))
		return;

	int level = amm->height - 1;

	c->node[level] = own(amm, amm->root);
	amm->root = c->node[level];
	while (level-- > 0)
		c->node[level] = own_child(amm, c->node[level + 1], c->slot[level + 1]);
}

/* Two flag words at a time: this is what changing an entry's flags costs most of its time with. */
static void summarize_leaf(const struct node *leaf, int *all, int *any)
{
	const int *flags = leaf->leaf.flags;
	unsigned n = leaf->n;
	uint64_t both = ~(uint64_t)0, either = 0, two;

	for (unsigned i = 0; i + 1 < n; i += 2) {
		memcpy(&two, flags + i, sizeof(two));
		both &= two;
		either |= two;
	}
	*all = (int)(both & both >> 32) & flags[n - 1];
	*any = (int)(either | either >> 32) | flags[n - 1];
}

/* What the parent's slot says of a node. */
static void summarize(const struct node *node, int *all, int *any)
{
	int both = -1, either = 0;

	if (node->level == 0) {
		summarize_leaf(node, all, any);
		return;
	}
	for (unsigned i = 0; i < node->n; i++) {
		both &= node->inner.all[i];
		either |= node->inner.any[i];
	}
	*all = both;
	*any = either;
}

bool node__refresh_slot(struct node *parent, unsigned slot)
{
	const struct node *node = parent->inner.child[slot];
	int all, any;

	summarize(node, &all, &any);
	if (parent->key[slot] == node->key[0] && parent->inner.all[slot] == all &&
		parent->inner.any[slot] == any)
		return false;
	PUT(parent->key[slot], node->key[0]);
	PUT(parent->inner.all[slot], all);
	PUT(parent->inner.any[slot], any);
	return true;
}

/* After a change in the node of that level: tells its ancestors, as far as it concerns them. */
static void refresh_above(amm_t *amm, struct cursor *c, int level)
{
	for (; level + 1 < amm->height; level++)
		if (!node__refresh_slot(c->node[level + 1], c->slot[level + 1]))
			return;
}

/* Inserts an empty slot before `at`. */
static void open_slot(const amm_t *amm, struct node *node, unsigned at)
{
	move_slots(amm, node, at + 1, node, at, node->n - at);
	PUT(node->n, node->n + 1);
}

static void close_slot(const amm_t *amm, struct node *node, unsigned at)
{
	move_slots(amm, node, at, node, at + 1, node->n - at - 1);
	PUT(node->n, node->n - 1);
}

/* Moves slots from one node to its neighbour so that the left one has n_left. */
static void level_out(const amm_t *amm, struct node *left, struct node *right, unsigned n_left)
{
	if (n_left > left->n) {
		unsigned n = n_left - left->n;

		move_slots(amm, left, left->n, right, 0, n);
		move_slots(amm, right, 0, right, n, right->n - n);
		PUT(left->n, n_left);
		PUT(right->n, right->n - n);
	} else {
		unsigned n = left->n - n_left;

		move_slots(amm, right, n, right, 0, right->n);
		move_slots(amm, right, 0, left, n_left, n);
		PUT(right->n, right->n + n);
		PUT(left->n, n_left);
	}
}

/* A slot near the end: growth is probably ascending. */
static bool is_near_end(const struct cursor *c, int level)
{
	return c->slot[level] + 4 > c->node[level]->n;
}

/* Has it room for more than a few slots of a neighbour's? */
static bool is_roomy(const struct node *node)
{
	return node->n < node_max(node) - node_max(node) / 16 - 1;
}

/* The full node of that level gives slots to a neighbour; false where both are (almost) full too. */
static bool share(amm_t *amm, struct cursor *c, int level)
{
	struct node *node = c->node[level], *parent = c->node[level + 1];
	unsigned slot = c->slot[level + 1];

	if (slot > 0 && is_roomy(parent->inner.child[slot - 1])) {
		struct node *left = own_child(amm, parent, slot - 1);

		unsigned n_left = (left->n + node->n) / 2;

		/*
		 * Ascending: leave this node as empty as the left one allows; but the slot stays on this side,
		 * where there is room.
		 */
		if (is_near_end(c, level))
			n_left = least(node_max(node), left->n + c->slot[level]);

		level_out(amm, left, node, n_left);
		node__refresh_slot(parent, slot - 1);
	} else if (slot + 1 < parent->n && is_roomy(parent->inner.child[slot + 1])) {
		struct node *right = own_child(amm, parent, slot + 1);

		level_out(amm, node, right, (right->n + node->n) / 2);
		node__refresh_slot(parent, slot + 1);
	} else {
		return false;
	}
	node__refresh_slot(parent, slot);
	refresh_above(amm, c, level + 1);
	return true;
}

static void grow_root(amm_t *amm, struct cursor *c)
{
	struct node *root = new_node(amm, (unsigned)amm->height);

	PUT(root->inner.child[0], (struct node *)amm->root);
	PUT(root->n, 1u);
	node__refresh_slot(root, 0);
	amm->root = root;
	c->node[amm->height] = root;
	c->slot[amm->height] = 0;
	amm->height++;
}

static void make_room(amm_t *amm, struct cursor *c, int level);

/* k neighbours, none of them roomy, become one more; their parent has room. */
static void spread(amm_t *amm, struct node *parent, unsigned first, unsigned k)
{
	struct node *right = own_child(amm, parent, first + k - 1), *added = new_node(amm, right->level);
	unsigned n = right->n, each;

	for (unsigned i = first; i + 1 < first + k; i++)
		n += own_child(amm, parent, i)->n;
	each = (n + k) / (k + 1);
	/* The new one stands before the last, and takes from there first; then each takes from its left. */
	level_out(amm, added, right, right->n - each);
	open_slot(amm, parent, first + k - 1);
	PUT(parent->inner.child[first + k - 1], added);
	for (unsigned i = first + k - 1; i > first; i--) {
		struct node *left = parent->inner.child[i - 1];

		right = parent->inner.child[i];
		level_out(amm, left, right, left->n + right->n - each);
	}
	for (unsigned i = first; i <= first + k; i++)
		node__refresh_slot(parent, i);
}

static bool is_full_child(const struct node *parent, unsigned slot)
{
	return slot < parent->n && !is_roomy(parent->inner.child[slot]);
}

static void split(amm_t *amm, struct cursor *c, int level)
{
	if (level + 1 == amm->height)
		grow_root(amm, c);
	if (c->node[level + 1]->n == INNER_MAX)
		make_room(amm, c, level + 1);

	struct node *node = c->node[level], *parent = c->node[level + 1];
	unsigned slot = c->slot[level + 1], n_left = node->n / 2;
	struct node *right;

	if (!is_near_end(c, level)) {
		/* Neighbours may be others than those that share found full, when room was made above. */
		bool left_too = slot > 0 && is_full_child(parent, slot - 1);
		unsigned k = 1 + left_too + is_full_child(parent, slot + 1);

		if (k > 1) {
			spread(amm, parent, slot - left_too, k);
			return;
		}
	}
	right = new_node(amm, node->level);
	move_slots(amm, right, 0, node, n_left, node->n - n_left);
	PUT(right->n, node->n - n_left);
	PUT(node->n, n_left);
	open_slot(amm, parent, slot + 1);
	PUT(parent->inner.child[slot + 1], right);
	node__refresh_slot(parent, slot);
	node__refresh_slot(parent, slot + 1);
}

/* The path to where it leads already, after slots moved between the nodes of that level. */
static void seek_level(amm_t *amm, struct cursor *c, int level, amm_addr_t addr)
{
	struct node *node = amm->root;

	for (int l = amm->height - 1;; l--) {
		c->node[l] = node;
		c->slot[l] = node__rank(node->key, node->n, addr);
		if (l == level)
			return;
		node = node->inner.child[c->slot[l]];
	}
}

/* The node of that level, full and owned, gets room; the cursor follows its slot. */
static void make_room(amm_t *amm, struct cursor *c, int level)
{
	amm_addr_t addr = c->node[level]->key[c->slot[level]];

	if (level + 1 == amm->height || !share(amm, c, level))
		split(amm, c, level);
	seek_level(amm, c, level, addr);
	own_path(amm, c);
}

void tree__set(amm_t *amm, struct cursor *c, amm_entry_t *entry, int flags)
{
	own_path(amm, c);

	struct node *leaf = c->node[0];
	unsigned slot = c->slot[0];
	bool other = leaf->leaf.flags[slot] != flags;

	PUT(leaf->leaf.entry[slot], entry);
	if (other) {
		PUT(leaf->leaf.flags[slot], flags);
		refresh_above(amm, c, 0);
	}
}

void tree__insert_after(amm_t *amm, struct cursor *c, amm_addr_t start, amm_entry_t *entry, int flags)
{
	own_path(amm, c);
	if (c->node[0]->n == LEAF_MAX)
		make_room(amm, c, 0);

	struct node *leaf = c->node[0];
	unsigned slot = c->slot[0] + 1;

	open_slot(amm, leaf, slot);
	PUT(leaf->leaf.key[slot], start);
	PUT(leaf->leaf.entry[slot], entry);
	PUT(leaf->leaf.flags[slot], flags);
	amm->count++;
	/* One more of the same flags is no news to the nodes above. */
	if (leaf->leaf.flags[slot - 1] != flags)
		refresh_above(amm, c, 0);
}

static void shrink_root(amm_t *amm)
{
	struct node *root = amm->root;

	while (amm->height > 1 && root->n == 1) {
		struct node *child = root->inner.child[0];

		node__put(amm, root);
		root = child;
		amm->height--;
	}
	amm->root = root;
}

static void erase_slot(amm_t *amm, struct cursor *c, int level);

/* Merges a node with its right neighbour, given the slot of the left one in the parent (level). */
static void merge(amm_t *amm, struct cursor *c, int level, unsigned slot)
{
	struct node *parent = c->node[level], *left = own_child(amm, parent, slot);
	struct node *right = parent->inner.child[slot + 1];

	move_slots(amm, left, left->n, right, 0, right->n);
	PUT(left->n, left->n + right->n);
	node__put(amm, right);
	node__refresh_slot(parent, slot);
	c->slot[level] = slot + 1;
	erase_slot(amm, c, level);
}

/* Erases the cursor's slot at that level; the path is owned, and afterwards stale. */
static void erase_slot(amm_t *amm, struct cursor *c, int level)
{
	struct node *node = c->node[level];
	unsigned min = level == 0 ? LEAF_MIN : INNER_MIN;

	close_slot(amm, node, c->slot[level]);
	if (level + 1 == amm->height)
		return;
	if (node->n == 0) {
		node__put(amm, node);
		erase_slot(amm, c, level + 1);
		return;
	}
	refresh_above(amm, c, level);
	if (node->n >= min)
		return;

	struct node *parent = c->node[level + 1];
	unsigned slot = c->slot[level + 1], room = node_max(node) - node_max(node) / 4;

	if (slot > 0 && parent->inner.child[slot - 1]->n + node->n <= room)
		merge(amm, c, level + 1, slot - 1);
	else if (slot + 1 < parent->n && parent->inner.child[slot + 1]->n + node->n <= room)
		merge(amm, c, level + 1, slot);
}

void tree__erase_next(amm_t *amm, struct cursor *c)
{
	struct cursor next = *c;
	amm_addr_t start = cursor__start(c);

	if (!cursor__next(amm, &next))
		return;
	own_path(amm, &next);
	amm->count--;
	if (next.slot[0] > 0 && next.node[0]->n > LEAF_MIN) {
		const int *flags = next.node[0]->leaf.flags + next.slot[0] - 1;
		bool same = flags[0] == flags[1];

		close_slot(amm, next.node[0], next.slot[0]--);
		if (!same)
			refresh_above(amm, &next, 0);
		*c = next;
		return;
	}
	erase_slot(amm, &next, 0);
	shrink_root(amm);
	tree__seek(amm, start, c);
}
