/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * spares.h - pages kept aside so that the kernel finds all of a node's free memory.
 *
 * Freed pages go to lists of the processor that freed them, which hold up to an eighth of a node and
 * do not count as free. A node whose other pages are in use refuses memory though these lists are full: the
 * kernel empties them only when reclaim has found something (mm/page_alloc.c,
 * __alloc_pages_direct_reclaim), and where nothing but heaps lies on a node there is nothing to find.
 * In a trial 40 MiB freed by another processor stayed out of reach for as long as was waited.
 *
 * So whoever is about to fill nodes takes a few pages there first, and when the kernel says that they are full,
 * marks some as no longer needed (MADV_FREE): the next request finds those, and then the lists.
 *
 * One thread at a time. Nothing here allocates with malloc. Failing is having no spares: no worse than before.
 */
#ifndef OS_SPARES_H
#define OS_SPARES_H

#include <stdbool.h>
#include <stddef.h>

#include "os/os.h"

enum { OS_SPARES_NODES = 8 };

struct os_spares {
	size_t n;
	struct os_nodes nodes; /* those of which there are pages */
	char *starts[OS_SPARES_NODES];
	size_t n_offers; /* so far; each gives up the next slice of the pages of each node */
	/* Of offers for little: how many requests are to pass before the next, and between the two after that */
	size_t wait, pause;
};

/* Takes pages of the first OS_SPARES_NODES nodes of the set, where these have room. Pairs with drop. */
void os__spares_take(struct os_spares *spares, const struct os_nodes *nodes);
void os__spares_drop(struct os_spares *spares);

/*
 * The nodes are full, it was said, when `wanted` bytes were asked for. True: there is more on the
 * processors' lists, and asking again may well succeed. Emptying all lists costs as much as moving hundreds of
 * pages, so where they hold little it is done ever less often. NULL is nothing to offer.
 */
bool os__spares_offer(struct os_spares *spares, size_t wanted);

#endif
