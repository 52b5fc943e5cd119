/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * tree_memory.c - the index's memory, and the frame of a change. The edits themselves are in tree_edit.c.
 *
 * A plain map takes nodes from its pool and puts them back. A map that is copied keeps a
 * list of its own, because a reader may still be looking at a node that dropped out: such nodes wait
 * in memory->retired until the next change begins, and are written with relaxed atomic stores only.
 * They never go back to the pool, so their memory stays mapped and theirs as long as the map lives.
 */
#include "amm/tree_node.h"

#include <errno.h>
#include <stddef.h>

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
