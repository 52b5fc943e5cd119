/* SPDX-License-Identifier: BSD-3-Clause */
/* tree.c - searching and walking the index. */
#include "amm/tree.h"


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
