/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * tree.h - the index over a map's entries: a B+tree of (start, entry, flags) in address order.
 *
 * The entries are the caller's and lie anywhere, so a search never reads one: keys, entries and flags
 * stand in arrays inside the nodes, and a node is a few cache lines that are fetched at once.
 *
 * Invariants (amm_check verifies them)
 * - Leaves are level 0, all leaves are equally deep, amm->height counts the levels, no node is empty.
 * - key[i] of an inner node is key[0] of its i-th child; key[0] of the root is AMM_MINADDR. Keys
 *   ascend strictly.
 * - all[i] and any[i] of an inner node are the AND and the OR of the flags in the i-th child.
 * - A leaf's key and flag are the start and flags of its entry, whose end is the next entry's start
 *   (AMM_MAXADDR at the last).
 *
 * Changes. The functions that change the tree cannot fail: the caller reserves nodes first, with
 * tree__reserve. In a map with readers, or one that a fork may interrupt, no node that the published
 * root leads to is ever written: each change copies the path it edits, from the leaf to the root
 * (own_path), and tree__publish shows the new root with one store. Nodes that dropped out are reused by the
 * next change at the earliest; a reader that might have met one finds amm->version changed (read.c).
 */
#ifndef AMM_TREE_H
#define AMM_TREE_H

#include <stdbool.h>

#include "amm.h"
#include "base/pool.h"

enum {
	/* 17 cache lines: as good as any size measured between 8 and 31, and no power of two, whose
	   first lines would all fall into the same few sets of a cache. Next to nothing of it is unused. */
	NODE_SIZE = 17 * 64,
	NODE_HEADER = 24,
#ifdef AMM_SMALL_NODES /* tests: many levels from few entries */
	LEAF_MAX = 4,
	INNER_MAX = 4,
#else
	LEAF_MAX = (NODE_SIZE - NODE_HEADER) / 20,
	INNER_MAX = (NODE_SIZE - NODE_HEADER) / 24,
#endif
	/* A node this empty looks for a sibling to merge with. */
	LEAF_MIN = LEAF_MAX / 3,
	INNER_MIN = INNER_MAX / 3,
	/* Of two siblings one is not below its minimum, or they would have been merged: the average
	   is a sixth of a node at worst, and this many levels suffice for any memory. */
	TREE_LEVELS = 16,
};

struct node {
	unsigned n, level;
	size_t born;       /* maps that are copied: memory->edits of the change that made it */
	struct node *link; /* the next free or retired node */
	union {
		struct {
			amm_addr_t key[LEAF_MAX];
			amm_entry_t *entry[LEAF_MAX];
			int flags[LEAF_MAX];
		} leaf;
		struct {
			amm_addr_t key[INNER_MAX];
			struct node *child[INNER_MAX];
			int all[INNER_MAX], any[INNER_MAX];
		} inner;
		amm_addr_t key[1]; /* where both have theirs */
	};
};

struct runs_memory;

/* What a map owns besides its entries. Lives in an object of its own node pool. */
struct amm_memory {
	struct pool nodes;
	struct pool spare;         /* where the tree moves to next (tree_move.c) */
	bool moving;               /* it is on its way there */
	struct pool entries;       /* AMM_NO_MALLOC: default entries */
	struct node *free_nodes;   /* maps that are copied: ready for use */
	struct node *retired;      /* maps that are copied: dropped by the change that is under way */
	size_t n_free_nodes;
	amm_entry_t *doomed;       /* entries to free when the change is published */
	amm_entry_t *kept;         /* amm_modify's own entry: not freed though dropped... */
	amm_addr_t kept_from;      /* ...a plain split here leaves it the tail... */
	bool kept_dropped;         /* ...and whether a split or join has dropped it */
	size_t edits;              /* changes begun: an unchanged count means valid cursors */
	size_t n_unreserved;       /* nodes got beyond what was reserved: 0, or a bound is wrong */
	size_t n_reserved;         /* nodes that the change under way may still get */
	size_t n_visited;          /* nodes that searches by flags went through, ever */
	const void *visiting;      /* which iteration called its callback last: to compare, not to follow */
	struct runs_memory *runs;  /* run indices (runs.h) */
};

/* A place in the tree: the path to one slot. */
struct cursor {
	struct node *node[TREE_LEVELS];
	unsigned slot[TREE_LEVELS];
};

static inline bool tree__has_readers(const amm_t *amm)
{
	return (amm->options & AMM_READERS) != 0;
}

/* Changes copy what they edit: no node that the published root leads to is ever written. */
static inline bool tree__is_copied(const amm_t *amm)
{
	return (amm->options & (AMM_READERS | AMM_FORK)) != 0;
}

static inline amm_addr_t cursor__start(const struct cursor *c)
{
	return c->node[0]->leaf.key[c->slot[0]];
}

static inline amm_entry_t *cursor__entry(const struct cursor *c)
{
	return c->node[0]->leaf.entry[c->slot[0]];
}

static inline int cursor__flags(const struct cursor *c)
{
	return c->node[0]->leaf.flags[c->slot[0]];
}

/*
 * Asks for the lines of keys and entries at once, rather than one after the other as the search goes.
 * Measured at a million entries: 147 ns a find; the keys alone 164, flags too 166.
 */
enum { PREFETCH_LINES = 14 };

static inline void node__prefetch(const struct node *node)
{
	const char *line = (const char *)node;

	for (int i = 0; i < PREFETCH_LINES; i++)
		__builtin_prefetch(line + 64 * i);
}

/* The last of n ascending keys that is not above addr; key[0] must not be. */
static inline unsigned node__rank(const amm_addr_t *key, unsigned n, amm_addr_t addr)
{
	unsigned base = 0;

	/* The length halves whatever the comparison says, so there is no branch to mispredict. */
	while (n > 1) {
		unsigned half = n / 2;

		base = key[base + half] <= addr ? base + half : base;
		n -= half;
	}
	return base;
}

/* Makes the tree of one entry from [AMM_MINADDR, AMM_MAXADDR): 0 or ENOMEM. Sets amm->memory. */
int tree__create(amm_t *amm, amm_entry_t *entry, int flags);
/* Gives all memory back; the entries are the caller's business. */
void tree__destroy(amm_t *amm);

/* Puts the cursor on the slot that holds addr. */
void tree__seek(const amm_t *amm, amm_addr_t addr, struct cursor *c);
/* The leaf that holds addr. */
const struct node *tree__leaf(const amm_t *amm, amm_addr_t addr);
/* To the neighbour; false, and the cursor unmoved, where there is none. */
bool cursor__next(const amm_t *amm, struct cursor *c);
bool cursor__prev(const amm_t *amm, struct cursor *c);
/* Where the slot's range ends. */
amm_addr_t cursor__end(const amm_t *amm, const struct cursor *c);

/*
 * Moves to the first slot at or behind (at or before) the cursor of which (flags & mask) == flags is
 * `match`, skipping what the summaries rule out. False, and the cursor undefined, where there is none.
 */
bool tree__seek_match(const amm_t *amm, struct cursor *c, int flags, int mask, bool match);
bool tree__seek_match_back(const amm_t *amm, struct cursor *c, int flags, int mask, bool match);

/*
 * Moves to the first match that starts below `limit`, through no more than n_nodes nodes: 1; 0, there is
 * none; -1, there were more nodes. But for 1 the cursor is undefined.
 */
int tree__seek_match_near(const amm_t *amm, struct cursor *c, int flags, int mask, amm_addr_t limit,
	size_t n_nodes);

/*
 * A change, from begin to publish. Reserve takes all nodes that `n_inserts` insertions and `n_erases`
 * erasures may want: 0 or ENOMEM, and then nothing has changed.
 */
void tree__begin(amm_t *amm);
int tree__reserve(amm_t *amm, size_t n_inserts, size_t n_erases);
void tree__publish(amm_t *amm);

/*
 * After a change: where the entries need much less than the memory that nodes have taken, packs the tree
 * into other memory and gives the old one back. Cursors are stale then. Does nothing where there is no
 * memory to move to.
 */
void tree__give_back(amm_t *amm);

/* Edits within a change; the cursor stays on the same start address. */
void tree__set(amm_t *amm, struct cursor *c, amm_entry_t *entry, int flags);
void tree__insert_after(amm_t *amm, struct cursor *c, amm_addr_t start, amm_entry_t *entry, int flags);
void tree__erase_next(amm_t *amm, struct cursor *c);

/* amm_after_fork for the tree: forgets the change that was under way. */
void tree__after_fork(amm_t *amm);

#endif
