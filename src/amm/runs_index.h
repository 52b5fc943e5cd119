/* SPDX-License-Identifier: BSD-3-Clause */
/* runs_index.h - what the files of the run indices share and nobody else needs. */
#ifndef AMM_RUNS_INDEX_H
#define AMM_RUNS_INDEX_H

#include "amm/runs.h"
#include "amm/runset.h"

enum {
#ifdef AMM_SMALL_NODES /* tests: every limit is reached */
	RUNS_MAX = 3,
	IDLE_MIN = 8,
	NEAR = 4,
	VALUES_MAX = 3,
	WALKERS_MAX = 3,
	SPARE_MIN = 4 * 1024,
#else
	/* Indices that a map keeps. */
	RUNS_MAX = 16,
	/* Changes that an index may sleep through in any case. */
	IDLE_MIN = 64,
	/* Nodes that a query with an alignment may go through without that being a walk. */
	NEAR = 32,
	/* Values that an index is filled with one by one. */
	VALUES_MAX = 8,
	/* Queries without an index whose walks are counted. */
	WALKERS_MAX = 8,
	/* Unused memory of indices that is not worth giving back. */
	SPARE_MIN = 256 * 1024,
#endif
};

struct runs {
	struct runs *next;
	int mask;
	amm_addr_t align_mask, align_off;
	size_t n_idle; /* changes since somebody asked */
	int values[VALUES_MAX];
	unsigned n_values;
	bool has_all; /* values */
	bool has_by_start, has_by_size;
	/* between runs__before and runs__after */
	bool unchanged;           /* the mask hides the change */
	bool cut_left, cut_right; /* a run reached out of the range on that side */
	struct runset by_start, by_size;
};

/* The walks of a query without an index. */
struct walker {
	int mask;
	amm_addr_t align_mask, align_off;
	size_t n_nodes;
};

struct runs_memory {
	struct runs *first; /* most recently used first */
	struct runset_pools pools; /* the indices themselves are objects for leaves */
	struct walker walkers[WALKERS_MAX];
	unsigned next_walker; /* to be forgotten for another */
};

static inline bool runs__is_for(const struct runs *runs, const struct query *q, amm_addr_t align_mask)
{
	return runs->mask == q->mask && runs->align_mask == align_mask &&
		runs->align_off == (q->align_off & align_mask);
}

/* Does the index hold runs of the value? */
bool runs__holds(const struct runs *runs, int value);

/*
 * The index for the query, made or filled if need be, in front of the list; NULL: none. One that walks
 * have paid for takes the place of another where there are as many as may be.
 */
struct runs *runs__get(amm_t *amm, const struct query *q, amm_addr_t align_mask, bool is_paid_for);

/* Adds a run to those sets that are there: 0, or -ENOMEM, and then it is in none. */
int runs__add(struct runs *runs, amm_addr_t start, amm_addr_t end, int value);

/* Ends the index that the list has at this place. */
void runs__drop(amm_t *amm, struct runs **place);

/* After a change or an index dropped: memory that most of is unused goes back, with what is still there. */
void runs__give_back_spare(amm_t *amm);

/* Have the query's walks for want of an index gone through so many nodes? They are forgotten then. */
bool runs__has_walked(amm_t *amm, const struct query *q, size_t n_nodes);

/* Where the run of a value ends that the cursor is in; the cursor moves to the slot there, if any. */
amm_addr_t runs__end(const amm_t *amm, struct cursor *c, int value, int mask);
amm_addr_t runs__start(const amm_t *amm, const struct cursor *c, int value, int mask);

#endif
