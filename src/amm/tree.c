/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * tree.c - searching and walking the index, its memory, and the frame of a change. The edits
 * themselves are in tree_edit.c.
 *
 * Node memory. A plain map takes nodes from its pool and puts them back. A map with readers keeps a
 * list of its own, because a reader may still be looking at a node that dropped out: such nodes wait
 * in memory->retired until the next change begins, and are written with relaxed atomic stores only.
 * They never go back to the pool, so their memory stays mapped and theirs as long as the map lives.
 */
#include "amm/tree.h"

#include <errno.h>
#include <stddef.h>

#include "amm/tree_node.h"

_Static_assert(sizeof(struct node) <= NODE_SIZE, "a node fits its lines");
_Static_assert(offsetof(struct node, key) == NODE_HEADER, "the header is what the sizes assume");
_Static_assert(sizeof(struct amm_memory) <= NODE_SIZE, "lives in an object of the node pool");

int tree__create(amm_t *amm, amm_entry_t *entry, int flags)
{
	struct pool pool;

	pool__init(&pool, NODE_SIZE);

	struct amm_memory *memory = pool__get(&pool);
	struct node *root = pool__get(&pool);

	if (memory == NULL || root == NULL) {
		pool__destroy(&pool);
		return ENOMEM;
	}
	*memory = (struct amm_memory){.nodes = pool};
	pool__init(&memory->spare, NODE_SIZE);
	root->n = 1;
	root->level = 0;
	root->born = 0;
	root->leaf.key[0] = AMM_MINADDR;
	root->leaf.entry[0] = entry;
	root->leaf.flags[0] = flags;
	amm->memory = memory;
	amm->root = root;
	amm->published = root;
	amm->height = 1;
	amm->count = 1;
	amm->version = 1;
	return 0;
}

void tree__destroy(amm_t *amm)
{
	struct pool pool = amm->memory->nodes; /* the memory lies in its own pool */
	struct pool spare = amm->memory->spare;

	amm->root = NULL;
	amm->published = NULL;
	amm->memory = NULL;
	pool__destroy(&spare);
	pool__destroy(&pool);
}

const struct node *tree__leaf(const amm_t *amm, amm_addr_t addr)
{
	const struct node *node = amm->root;

	for (int level = amm->height - 1; level > 0; level--) {
		node = node->inner.child[node__rank(node->key, node->n, addr)];
		node__prefetch(node);
	}
	return node;
}

void tree__seek(const amm_t *amm, amm_addr_t addr, struct cursor *c)
{
	struct node *node = amm->root;

	for (int level = amm->height - 1; level > 0; level--) {
		unsigned slot = node__rank(node->key, node->n, addr);

		c->node[level] = node;
		c->slot[level] = slot;
		node = node->inner.child[slot];
		node__prefetch(node);
	}
	c->node[0] = node;
	c->slot[0] = node__rank(node->key, node->n, addr);
}

bool cursor__next(const amm_t *amm, struct cursor *c)
{
	int level = 0;

	while (c->slot[level] + 1 == c->node[level]->n)
		if (++level == amm->height)
			return false;
	c->slot[level]++;
	while (level-- > 0) {
		c->node[level] = c->node[level + 1]->inner.child[c->slot[level + 1]];
		c->slot[level] = 0;
	}
	return true;
}

bool cursor__prev(const amm_t *amm, struct cursor *c)
{
	int level = 0;

	while (c->slot[level] == 0)
		if (++level == amm->height)
			return false;
	c->slot[level]--;
	while (level-- > 0) {
		c->node[level] = c->node[level + 1]->inner.child[c->slot[level + 1]];
		c->slot[level] = c->node[level]->n - 1;
	}
	return true;
}

amm_addr_t cursor__end(const amm_t *amm, const struct cursor *c)
{
	/* The next key at the lowest level that has one. */
	for (int level = 0; level < amm->height; level++)
		if (c->slot[level] + 1 < c->node[level]->n)
			return c->node[level]->key[c->slot[level] + 1];
	return AMM_MAXADDR;
}

/* May a subtree of these flags hold an entry whose match is `match`? */
static inline bool worthwhile(int all, int any, int flags, int mask, bool match)
{
	if (match) /* unless a wanted bit is nowhere set or an unwanted one everywhere */
		return ((flags & ~any) | (~flags & all & mask)) == 0;
	return (((all ^ flags) | (any ^ flags)) & mask) != 0 || (flags & ~mask) != 0;
}

static inline bool slot_worthwhile(const struct node *node, unsigned slot, int flags, int mask,
	bool match)
{
	if (node->level == 0)
		return ((node->leaf.flags[slot] & mask) == flags) == match;
	return worthwhile(node->inner.all[slot], node->inner.any[slot], flags, mask, match);
}

static inline int seek_match(const amm_t *amm, struct cursor *c, int flags, int mask, bool match,
	amm_addr_t limit, size_t n_nodes)
{
	int level = 0;
	unsigned slot = c->slot[0];

	/* Look for a slot in this node; in vain: go on behind it in the parent; found: go down. */
	for (; n_nodes > 0; n_nodes--) {
		const struct node *node = c->node[level];

		amm->memory->n_visited++;
		while (slot < node->n && !slot_worthwhile(node, slot, flags, mask, match))
			slot++;
		if (slot == node->n) {
			if (++level == amm->height)
				return 0;
			slot = c->slot[level] + 1;
			continue;
		}
		if (node->key[slot] >= limit)
			return 0;
		c->slot[level] = slot;
		if (level == 0)
			return 1;
		c->node[--level] = node->inner.child[slot];
		slot = 0;
	}
	return -1;
}

bool tree__seek_match(const amm_t *amm, struct cursor *c, int flags, int mask, bool match)
{
	return seek_match(amm, c, flags, mask, match, AMM_MAXADDR, SIZE_MAX) > 0;
}

int tree__seek_match_near(const amm_t *amm, struct cursor *c, int flags, int mask, amm_addr_t limit,
	size_t n_nodes)
{
	return seek_match(amm, c, flags, mask, true, limit, n_nodes);
}

bool tree__seek_match_back(const amm_t *amm, struct cursor *c, int flags, int mask, bool match)
{
	int level = 0;
	unsigned n = c->slot[0] + 1; /* slots below n are still to be looked at */

	for (;;) {
		const struct node *node = c->node[level];

		amm->memory->n_visited++;
		while (n > 0 && !slot_worthwhile(node, n - 1, flags, mask, match))
			n--;
		if (n == 0) {
			if (++level == amm->height)
				return false;
			n = c->slot[level];
			continue;
		}
		c->slot[level] = n - 1;
		if (level == 0)
			return true;
		c->node[--level] = node->inner.child[n - 1];
		n = c->node[level]->n;
	}
}

/* Memory and the frame of a change */

struct node *node__get(amm_t *amm)
{
	struct amm_memory *memory = amm->memory;
	struct node *node = memory->free_nodes;

	if (memory->n_reserved == 0)
		memory->n_unreserved++;
	else
		memory->n_reserved--;
	if (node != NULL) {
		memory->free_nodes = node->link;
		memory->n_free_nodes--;
	} else {
		node = pool__get(&memory->nodes);
	}
	PUT(node->born, memory->edits);
	return node;
}

void node__put(amm_t *amm, struct node *node)
{
	struct amm_memory *memory = amm->memory;

	if (!tree__is_copied(amm)) {
		pool__put(&memory->nodes, node);
		memory->n_reserved++;
	} else if (node->born == memory->edits) {
		/* This change made it: no reader has met it that would still believe what it saw. */
		PUT(node->link, memory->free_nodes);
		memory->free_nodes = node;
		memory->n_free_nodes++;
		memory->n_reserved++;
	} else {
		PUT(node->link, memory->retired);
		memory->retired = node;
	}
}

void tree__begin(amm_t *amm)
{
	struct amm_memory *memory = amm->memory;

	memory->edits++;
	memory->n_reserved = 0;
	if (!tree__is_copied(amm))
		return;
	/* Readers that may still see them started before the last change was published: tree__publish. */
	while (memory->retired != NULL) {
		struct node *node = memory->retired;

		memory->retired = node->link;
		PUT(node->link, memory->free_nodes);
		memory->free_nodes = node;
		memory->n_free_nodes++;
	}
}

/*
 * An insertion splits at most every level and adds a root. In a map that is copied it also copies its
 * path and, where it shares with a sibling, one more node a level. Erasures, there, copy the leaves
 * they empty, of which two neighbours hold a third of a leaf together at least, what lies above these,
 * and a path with siblings at either end.
 */
int tree__reserve(amm_t *amm, size_t n_inserts, size_t n_erases)
{
	struct amm_memory *memory = amm->memory;
	size_t levels = (size_t)amm->height + 1;
	size_t n = n_inserts * levels;

	if (tree__is_copied(amm))
		n += (n_inserts + 4) * 3 * levels + n_erases / 4;

	size_t at_hand = memory->n_free_nodes;

	if (n > at_hand && pool__reserve(&memory->nodes, n - at_hand) != 0)
		return ENOMEM;
	memory->n_reserved = n;
	return 0;
}

void tree__publish(amm_t *amm)
{
	if (!tree__is_copied(amm))
		return;
	__atomic_store_n(&amm->published, amm->root, __ATOMIC_RELEASE);
	/*
	 * Readers that began before this store start over: only behind it entries are freed, and
	 * nodes of the old tree written, by the next change.
	 */
	__atomic_store_n(&amm->version, amm->version + 1, __ATOMIC_RELEASE);
	__atomic_thread_fence(__ATOMIC_RELEASE);
}

void tree__after_fork(amm_t *amm)
{
	struct amm_memory *memory = amm->memory;
	struct node *root = amm->published;

	amm->root = root;
	amm->height = (int)root->level + 1;
	/* The lists may have been in the middle of a change: what is on them is given up. */
	memory->free_nodes = NULL;
	memory->n_free_nodes = 0;
	memory->retired = NULL;
	memory->doomed = NULL;
	memory->kept = NULL;
	memory->n_reserved = 0;
	memory->edits++;
	/* In the middle of a move neither pool may be whole: what they have stays as it is. */
	if (memory->moving) {
		pool__init(&memory->nodes, NODE_SIZE);
		pool__init(&memory->spare, NODE_SIZE);
		memory->moving = false;
	}
	pool__after_fork(&memory->nodes);
	pool__after_fork(&memory->spare);
	pool__after_fork(&memory->entries);
}
