/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * tree_move.c - the tree moved to other memory when it has become small.
 *
 * Pools give nothing back but all they have. A tree that has lost three quarters of its nodes is copied
 * to another pool, which those erasures have paid for, and what the old pool has is discarded. That is
 * where the tree moves to the next time. The map's own memory stays, the first object of the first pool.
 *
 * Readers may still be looking at old nodes: these stay mapped, reading as zeros from when the version has
 * been raised. Others may look at what a node is copied to, from when that was a node in its turn: hence
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
	/* Unused memory that is not worth giving back. */
	SPARE_MIN = 256 * 1024,
#endif
};

static size_t n_live(const struct amm_memory *memory)
{
	return memory->nodes.n_used - memory->n_free_nodes;
}

static bool is_spare(const struct amm_memory *memory)
{
	return memory->nodes.mapped > SPARE_MIN && n_live(memory) * NODE_SIZE < memory->nodes.mapped / 4;
}

static size_t count(const struct node *node)
{
	size_t n = 1;

	if (node->level == 1)
		return n + node->n;
	for (unsigned i = 0; node->level > 0 && i < node->n; i++)
		n += count(node->inner.child[i]);
	return n;
}

/* Nodes for it are reserved. */
static struct node *copy(struct pool *pool, const struct node *node)
{
	struct node *to = pool__get(pool);
	const uint64_t *words = (const uint64_t *)node;

	for (size_t i = 0; i < NODE_SIZE / sizeof(words[0]); i++)
		PUT(((uint64_t *)to)[i], words[i]);
	for (unsigned i = 0; node->level > 0 && i < node->n; i++)
		PUT(to->inner.child[i], copy(pool, node->inner.child[i]));
	return to;
}

static void move(amm_t *amm)
{
	struct amm_memory *memory = amm->memory;
	struct pool old = memory->nodes;

	amm->root = copy(&memory->spare, amm->root);
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

	if (!is_spare(memory) || pool__reserve(&memory->spare, count(amm->root)) != 0)
		return;
	__atomic_store_n(&memory->moving, true, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_RELEASE);
	move(amm);
	__atomic_store_n(&memory->moving, false, __ATOMIC_RELEASE);
}
