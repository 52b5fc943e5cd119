/* SPDX-License-Identifier: BSD-3-Clause */
/* check.c - the invariants made executable, a map counted and on paper. */
#include "amm/map.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "amm/runs.h"

static bool check_leaf(const struct node *node, amm_addr_t end, size_t *n_entries)
{
	for (unsigned i = 0; i < node->n; i++) {
		const amm_entry_t *entry = node->leaf.entry[i];
		amm_addr_t entry_end = i + 1 < node->n ? node->key[i + 1] : end;

		if (entry == NULL || entry->start != node->key[i] || entry->end != entry_end ||
			entry->start >= entry->end || entry->flags != node->leaf.flags[i])
			return false;
	}
	*n_entries += node->n;
	return true;
}

static bool check_node(const struct node *node, int level, amm_addr_t start, amm_addr_t end,
	size_t *n_entries, int *all, int *any)
{
	if ((int)node->level != level || node->n == 0 || node->key[0] != start)
		return false;
	if (node->n > (level == 0 ? (unsigned)LEAF_MAX : (unsigned)INNER_MAX))
		return false;
	*all = -1;
	*any = 0;
	if (level == 0) {
		for (unsigned i = 0; i < node->n; i++) {
			*all &= node->leaf.flags[i];
			*any |= node->leaf.flags[i];
		}
		return check_leaf(node, end, n_entries);
	}
	for (unsigned i = 0; i < node->n; i++) {
		int child_all, child_any;
		amm_addr_t child_end = i + 1 < node->n ? node->key[i + 1] : end;

		if (!check_node(node->inner.child[i], level - 1, node->key[i], child_end, n_entries,
			    &child_all, &child_any))
			return false;
		if (node->inner.all[i] != child_all || node->inner.any[i] != child_any)
			return false;
		*all &= child_all;
		*any |= child_any;
	}
	return true;
}

int amm_check(const amm_t *amm)
{
	size_t n_entries = 0;
	int all, any;

	if (amm == NULL || amm->memory == NULL || amm->height < 1 || amm->height > TREE_LEVELS)
		return EINVAL;
	if (!check_node(amm->root, amm->height - 1, AMM_MINADDR, AMM_MAXADDR, &n_entries, &all, &any))
		return EINVAL;
	if (n_entries != amm->count || amm->memory->doomed != NULL ||
		amm->memory->n_unreserved != 0)
		return EINVAL;
	if (tree__is_copied(amm) && amm->published != amm->root)
		return EINVAL;
	return runs__check(amm);
}

size_t amm_count(const amm_t *amm)
{
	return amm == NULL ? 0 : amm->count;
}

size_t amm_index_size(const amm_t *amm)
{
	if (amm == NULL || amm->memory == NULL)
		return 0;
	return pool__touched(&amm->memory->nodes) + pool__touched(&amm->memory->spare) + runs__size(amm);
}

static int dump_entry(amm_t *amm, amm_entry_t *entry, void *arg)
{
	(void)amm;
	(void)arg;
	printf("[0x%016" PRIxPTR ", 0x%016" PRIxPTR ") size %#" PRIxPTR " flags %#x\n", entry->start,
		entry->end, entry->end - entry->start, (unsigned)entry->flags);
	return 0;
}

void amm_dump(amm_t *amm)
{
	if (amm != NULL && amm->memory != NULL)
		amm_iterate(amm, dump_entry, NULL);
}
