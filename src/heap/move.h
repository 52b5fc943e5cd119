/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * move.h - what migration and rebalancing share: one of them at a time in a heap, a walk over its regions
 * in pieces, progress and cancelling, an account that can be read meanwhile.
 */
#ifndef HEAP_MOVE_H
#define HEAP_MOVE_H

#include "area/migrate.h"
#include "heap/heap.h"
#include "os/os.h"

struct move {
	struct situs_heap *heap;
	situs_progress_func *progress; /* or NULL */
	void *arg;
	size_t done, total; /* bytes of regions */
	struct migrate_account account;
	struct migrate_figures nodes[OS_MAX_NODES]; /* the account's */
	struct migrate_figures spare_nodes[OS_MAX_NODES];
	struct os_spares spares; /* from when the area is known on */
	void *visitor; /* what the visiting function wants to know besides */
	struct migrate_bulk bulk;
};

/* 0, -EBUSY: the heap is being moved already, or -ENOMEM; both with a sentence. Pairs with move__end,
   which also frees. */
int move__begin(struct move **move, struct situs_heap *heap, situs_progress_func *progress, void *arg);
void move__end(struct move *move);

/* Tells of the progress, with no lock held: 0 or -ECANCELED. */
int move__tell(struct move *move);

/* Shows every stretch of the heap's regions to visit, under its space's lock, and tells after each piece.
   in_bulk: what can be moved to the first link's nodes is moved before, with no lock held. 0, -ECANCELED,
   or what visit failed with; without a sentence. */
int move__walk(struct move *move, bool in_bulk,
	int (*visit)(const struct space_stretch *stretch, void *arg));

/* Usable bytes of the heap's regions. */
size_t move__bytes_of_regions(struct situs_heap *heap);

#endif
