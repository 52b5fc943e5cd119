/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * tree_move.c - the tree packed into other memory when it has become small for what it takes.
 *
 * Nodes merge late, so that a change and its opposite do not split and merge in turn, and pools give
 * nothing back but all they have. So when the nodes that were ever used are a quarter more than the entries
 * need, the tree is made anew in another pool, and what the old pool has is discarded. That is where the
 * tree moves to the next time. A packed tree has room for a few more entries in each node: it takes as
 * many changes to come back here as a fair part of the entries, which pay for the move. The map's own
 * memory stays, the first object of the first pool.
 *
 * Readers may still be looking at old nodes: these stay mapped, reading as zeros from when the version has
 * been raised. Others may look at where a node is made, from when that was a node in its turn: hence
 * the atomic stores.
 *
 * A fork's child finds either tree whole. In the middle of a move it can rely on neither pool, and leaves
 * both as they are.
 */
#include "amm/tree_node.h"

enum {
#ifdef AMM_SMALL_NODES
	SPARE_MIN = 16 * 1024,
#else
	/* Memory that is not worth looking after. */
	SPARE_MIN = 256 * 1024,
#endif
	/* Slots of a packed node: 24 bytes an entry, and a quarter more is 31. */
	LEAF_PACKED = LEAF_MAX * 7 / 8,
	INNER_PACKED = INNER_MAX * 7 / 8,
};

static size_t n_parents(size_t n, size_t each)
{
	return (n + each - 1) / each;
}

/*
 * A packed tree: n[0] entries in n[1] leaves under n[2] nodes and so on up to one root, n[height]. Node j
 * of level l has the slots from n[l] * j / n[l + 1] on, up to where those of j + 1 begin.
 */
struct shape {
	size_t n[TREE_LEVELS + 1];
	int height;
};

static struct shape packed_shape(size_t n_entries)
{
	struct shape shape = {.n = {n_entries, n_parents(n_entries, LEAF_PACKED)}, .height = 1};

	for (; shape.n[shape.height] > 1; shape.height++)
		shape.n[shape.height + 1] = n_parents(shape.n[shape.height], INNER_PACKED);
	return shape;
}

static size_t n_nodes(const struct shape *shape)
{
	size_t n = 0;

	for (int level = 1; level <= shape->height; level++)
		n += shape->n[level];
	return n;
}

static size_t first_slot(const struct shape *shape, unsigned level, size_t j)
{
	return shape->n[level] * j / shape->n[level + 1];
}

static bool is_spare(const amm_t *amm)
{
	size_t n_touched = amm->memory->nodes.n_touched, n_leaves = amm->count / LEAF_PACKED;

	if (n_touched <= SPARE_MIN / NODE_SIZE)
		return false;
	/* Leaves, and a little more than the nodes above them. */
	return n_touched > (n_leaves + n_leaves / (INNER_PACKED - 1) + 1) * 5 / 4;
}

/* What moves the tree: the entries not yet moved begin at the cursor. */
struct packing {
	const amm_t *amm;
	struct pool *pool; /* has the nodes */
	struct shape shape;
	struct cursor from;
};

static void put_entry(struct node *leaf, unsigned slot, const struct cursor *from)
{
	PUT(leaf->leaf.key[slot], cursor__start(from));
	PUT(leaf->leaf.entry[slot], cursor__entry(from));
	PUT(leaf->leaf.flags[slot], cursor__flags(from));
}

static struct node *pack(struct packing *p, unsigned level, size_t j)
{
	struct node *node = pool__get(p->pool);
	size_t first = first_slot(&p->shape, level, j), end = first_slot(&p->shape, level, j + 1);

	PUT(node->level, level);
	PUT(node->n, (unsigned)(end - first));
	PUT(node->born, (size_t)0); /* by no change that is under way */
	for (unsigned slot = 0; slot < end - first; slot++) {
		if (level == 0) {
			put_entry(node, slot, &p->from);
			cursor__next(p->amm, &p->from);
		} else {
			PUT(node->inner.child[slot], pack(p, level - 1, first + slot));
			node__refresh_slot(node, slot);
		}
	}
	return node;
}

static void move(amm_t *amm, const struct shape *shape)
{
	struct amm_memory *memory = amm->memory;
	struct packing packing = {.amm = amm, .pool = &memory->spare, .shape = *shape};
	struct node *root;

	tree__seek(amm, AMM_MINADDR, &packing.from);
	root = pack(&packing, (unsigned)shape->height - 1, 0);

	struct pool old = memory->nodes;

	amm->root = root;
	amm->height = shape->height;
	memory->nodes = memory->spare;
	memory->spare = old;
	memory->free_nodes = NULL;
	memory->n_free_nodes = 0;
	memory->retired = NULL;
	memory->edits++;
	tree__publish(amm);
	pool__discard(&memory->spare, memory);
}

void tree__give_back(amm_t *amm)
{
	struct amm_memory *memory = amm->memory;

	if (!is_spare(amm))
		return;

	struct shape shape = packed_shape(amm->count);

	if (pool__reserve(&memory->spare, n_nodes(&shape)) != 0)
		return;
	__atomic_store_n(&memory->moving, true, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_RELEASE);
	move(amm, &shape);
	__atomic_store_n(&memory->moving, false, __ATOMIC_RELEASE);
}
