/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * chain_data.h - what chain.c (mappings), chain_commit.c, chain_ask.c (is a link worth asking?) and
 * chain_create.c share.
 */
#ifndef AREA_CHAIN_DATA_H
#define AREA_CHAIN_DATA_H

#include <stdatomic.h>

#include "area/area.h"
#include "area/ledger.h"

struct link {
	/* set once */
	const struct aml_area *area;
	/* atomic */
	_Atomic size_t refused;       /* bytes that it had no room for; 0: none */
	_Atomic size_t left;          /* what it said was available then */
	_Atomic uint64_t refused_at;  /* milliseconds */
	_Atomic uint64_t looked_at;   /* milliseconds; last look at what is available */
	_Atomic unsigned n_returns;   /* to its place, at the last look */
};

struct chain_data {
	struct area_head head;
	/* set once */
	struct aml_area_info info; /* what the links have in common */
	int n_links;
	bool owns_links;
	/* have their own locks */
	struct ledger ranges;    /* value is the link */
	struct ledger committed; /* as far as this area did it, where it takes commits */
	struct link links[AREA_MAX_LINKS];
};

static inline struct chain_data *chain__self(const struct aml_area_data *data)
{
	return (struct chain_data *)(uintptr_t)data;
}

/* Only chains that take commits need to know what was committed. */
static inline bool chain__takes_commits(const struct chain_data *chain)
{
	return (chain->info.flags & AML_AREA_COMMIT) != 0;
}

static inline struct link *chain__link_of(struct chain_data *chain, const struct ledger_range *part)
{
	return &chain->links[part->value];
}

/* Calls `each` (NULL: nothing) on every part of a range that is of one link; stops at the first failure.
   -AML_EINVAL: some of it is not the chain's. */
typedef int chain_each_func(struct chain_data *chain, const struct ledger_range *part, void *arg);
int chain__for_each_link(struct chain_data *chain, const void *ptr, size_t size, chain_each_func *each,
	void *arg);

int chain__fail_to_split(const struct chain_data *chain);

/* May a link that had no room for as much have some again? Looks, where that is due. */
bool chain__may_have_room(struct link *link, size_t size);

static inline bool chain__is_worth_asking(struct chain_data *chain, int i, size_t size)
{
	size_t refused = atomic_load(&chain->links[i].refused);

	return refused == 0 || size < refused || i == chain->n_links - 1 ||
		chain__may_have_room(&chain->links[i], size);
}

/* Leaves the refusal's words as they are. */
void chain__note_refusal(struct link *link, size_t size);

static inline void chain__note_return(struct link *link)
{
	if (atomic_load(&link->refused) != 0)
		atomic_store(&link->refused, 0);
}

/* Of chains that take commits (chain__committing_ops); others are paid at mmap (chain__paid_ops). */
int chain__commit(const struct aml_area_data *data, void *ptr, size_t size);
int chain__decommit(const struct aml_area_data *data, void *ptr, size_t size);

#endif
