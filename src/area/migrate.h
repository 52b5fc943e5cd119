/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * migrate.h - the pages of memory that passed to another area (passage.h) follow it.
 *
 * The kernel copies each page behind the program's back: contents, addresses and other threads'
 * accesses stay valid throughout.
 */
#ifndef AREA_MIGRATE_H
#define AREA_MIGRATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "aml.h"
#include "os/spares.h"

/* Bytes of present pages, by what came of them. */
struct migrate_figures {
	size_t moved, already;       /* both are home now */
	size_t no_room, busy, other; /* stayed behind: the nodes are full, the kernel could not, else */
};

/* The same for all nodes, and for each of them: where pages lie now. And what helps when a node is full. */
struct migrate_account {
	struct migrate_figures all;
	struct migrate_figures *nodes; /* OS_MAX_NODES; NULL: not wanted */
	struct os_spares *spares;      /* os/spares.h; NULL: none */
};

/* Keeps pages of all nodes aside that the area's pages may come to; ends with os__spares_drop. */
void migrate__take_spares(const struct aml_area *to, struct os_spares *spares);

static inline size_t migrate__left(const struct migrate_figures *figures)
{
	return figures->no_room + figures->busy + figures->other;
}

void migrate__add(struct migrate_account *to, const struct migrate_account *account);

/*
 * Moves as many pages at once as it can, with no lock held, and leaves what does not go at once: for ranges
 * that migrate__move looks at afterwards. Adds what moved to the account, and notes what it learnt of each
 * page, for migrate__move. The range may change meanwhile, as long as it stays mapped: what it gets from
 * then on comes from `to`. MIGRATE_BULK_PAGES is how many pages a call takes; the buffers are the caller's.
 */
enum { MIGRATE_BULK_PAGES = 8192 };
enum { MIGRATE_ABSENT = -1, MIGRATE_UNKNOWN = -2 };
struct migrate_bulk {
	int handle; /* set by the caller: of os__present_open, or negative */

	/* The range looked at last, and of each page: the node where it is at home, or one of the above */
	uintptr_t start;
	size_t n, page_size;
	int known[MIGRATE_BULK_PAGES];

	/* The only node that pages of the range may come to had no more room, on lists neither */
	bool is_full;

	/* In between: pages in the order of the call, how many of them each stands for, and what is said of it */
	size_t n_listed;
	void *pages[MIGRATE_BULK_PAGES];
	unsigned short spans[MIGRATE_BULK_PAGES];
	int at[MIGRATE_BULK_PAGES], status[MIGRATE_BULK_PAGES], to[MIGRATE_BULK_PAGES];
};
void migrate__move_bulk(const struct aml_area *to, void *ptr, size_t size, struct migrate_bulk *bulk,
	struct migrate_account *account);

/* Bytes that a call moves at most. */
size_t migrate__bulk_size(const struct aml_area *to);

/*
 * Moves the present pages of a range that is the area's, of a chain to the first link that has room, and
 * adds to the account what came of it; what a bulk (NULL: none) has brought home counts as there already.
 * fill: pages that a strict area owes the range and that are not there are made. A page that stays
 * behind, or cannot be made, is no failure of this call: 0, or a negative errno where the kernel would
 * not be asked.
 */
int migrate__move(const struct aml_area *to, void *ptr, size_t size, bool fill,
	const struct migrate_bulk *bulk, struct migrate_account *account);

/* migrate__move for an area that is no chain, or one link of a chain. */
int migrate__move_leaf(const struct aml_area *leaf, void *ptr, size_t size, bool fill,
	const struct migrate_bulk *bulk, struct migrate_account *account);

#endif
