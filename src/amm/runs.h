/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * runs.h - run indices: every run of the addresses that match (flags, mask), by start and, once a best
 * fit is asked for, by size.
 *
 * They answer any amm_find_gen in O(log n). An index is made when it is first asked for, by one walk
 * over the map; every later change of flags keeps it true. It is a cache: where memory for it runs out
 * it is dropped, never the change; one that is not asked for over as many changes as the map has
 * entries is dropped too, so that making it anew costs no more a change than a constant.
 *
 * A query with an alignment is tried on the index without one first, where often the first candidate
 * will do; one that meets many that do not gets an index of its own alignment.
 */
#ifndef AMM_RUNS_H
#define AMM_RUNS_H

#include "amm/find.h"
#include "amm/tree.h"

/* 1: *addr is the answer; 0: there is none; -1: no memory for an index. */
int runs__find(amm_t *amm, const struct query *q, amm_addr_t *addr);

/* [start, end) has these flags from now on. The tree is not looked at. Cannot fail. */
void runs__note(amm_t *amm, amm_addr_t start, amm_addr_t end, int flags);

/* For a new map: no indices, no memory. */
void runs__init(amm_t *amm);

/* Is there an index for the query, alignment aside? */
bool runs__has(const amm_t *amm, const struct query *q);

/* Drops all indices and their memory. */
void runs__destroy(amm_t *amm);

/* 0, or EINVAL where an index is not what the map says. */
int runs__check(const amm_t *amm);

#endif
