/* SPDX-License-Identifier: BSD-3-Clause */
/* tree_node.h - what the files of the tree share and nobody else needs. */
#ifndef AMM_TREE_NODE_H
#define AMM_TREE_NODE_H

#include "amm/tree.h"

/*
 * Every store into a node: a reader may be looking at what the node was before (its answer will be
 * thrown away), and that is no data race only where both sides use atomics. Costs nothing.
 */
#define PUT(field, value) __atomic_store_n(&(field), (value), __ATOMIC_RELAXED)

/* A node with undefined contents, out of those reserved. */
struct node *node__get(amm_t *amm);
/* A node that is no longer part of the tree. */
void node__put(amm_t *amm, struct node *node);
/* Brings a parent's slot up to date with its child; says whether it was not. */
bool node__refresh_slot(struct node *parent, unsigned slot);

#endif
