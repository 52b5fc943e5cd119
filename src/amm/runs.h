/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * runs.h - run indices, which answer amm_find_gen in O(log n).
 *
 * An index is of one mask, and of one alignment if need be. It holds runs: longest stretches of
 * addresses whose flags are equal as far as the mask goes, by start once a first fit asks, by size once
 * a best fit does. It holds those of a value (flags & mask) from when the value is first asked for, and
 * of every value once many have been; so there may be any number of values, and what a change costs
 * does not depend on how many.
 *
 * An index is made by one walk over the map. Every later change of flags keeps it true. It is a cache:
 * where memory for it runs out it is dropped, never the change; one that is not asked for over as many
 * changes as making it anew would cost is dropped too. A map keeps so many; a query that finds no index
 * and no room for one walks, and takes the place of the least recently used when its walks have cost
 * as much as making it does.
 *
 * A query with an alignment is tried on the index without one, where often the first candidate will do;
 * when it has met so many that do not as would have paid for it, it gets an index of its own alignment.
 */
#ifndef AMM_RUNS_H
#define AMM_RUNS_H

#include "amm/find.h"
#include "amm/tree.h"

/* 1: *addr is the answer; 0: there is none; -1: no index, so walk, and say so by runs__walked. */
int runs__find(amm_t *amm, const struct query *q, amm_addr_t *addr);

/* A walk through so many nodes was needed for want of an index. */
void runs__walked(amm_t *amm, const struct query *q, size_t n_nodes);

/* An iteration went through so many nodes between two matches; enough of that pays for an index. */
void runs__skipped(amm_t *amm, const struct query *q, size_t n_nodes);

/*
 * Around each change of flags: [start, end), where the cursor's slot starts at `start`, is about to have
 * these flags; has them now, as one entry, at the cursor. The tree says what was and is. Cannot fail.
 */
void runs__before(amm_t *amm, const struct cursor *c, amm_addr_t start, amm_addr_t end, int flags);
void runs__after(amm_t *amm, const struct cursor *c, amm_addr_t start, amm_addr_t end, int flags);

/* For a new map: no indices, no memory. */
void runs__init(amm_t *amm);

/* Can an index answer the query, its alignment aside, without being made or filled for it? */
bool runs__has(const amm_t *amm, const struct query *q);

/* Drops all indices and their memory. */
void runs__destroy(amm_t *amm);

/* Bytes of memory. */
size_t runs__size(const amm_t *amm);

/* 0, or EINVAL where an index is not what the map says. */
int runs__check(const amm_t *amm);

#endif
