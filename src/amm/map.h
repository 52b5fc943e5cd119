/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * map.h - what the files of the address map share.
 *
 * Layers within this folder, lowest first: tree (index), runs (indices of runs), map (entries and single
 * changes), then life, modify, find, iterate, simple, check and read, which know the map but not one
 * another. Errors are positive within this folder, as the interface's are.
 *
 * A change: map__begin, then what may fail (reserve, alloc, splits; undone by joins), then what cannot
 * fail, then map__end, which publishes the index and calls the free callback for what has left the
 * map. Free callbacks come last so that an entry is never gone while the index still names it.
 */
#ifndef AMM_MAP_H
#define AMM_MAP_H

#include "amm.h"
#include "amm/tree.h"

/* Is [addr, addr + size) a range of the map's? Not empty, no wrap. */
static inline bool map__is_range(amm_addr_t addr, amm_size_t size)
{
	return size != 0 && size <= AMM_MAXADDR - addr;
}

/* The map works with malloc'ed or pooled entries of its own, which carry nothing of the caller's. */
bool map__has_own_entries(const amm_t *amm);

/* EINVAL with a sentence for situs_error. */
int map__invalid(const char *function, const char *what);

/* Through the map's callbacks, where it has them. */
amm_entry_t *map__alloc(amm_t *amm, amm_addr_t addr, amm_size_t size, int flags);
void map__free(amm_t *amm, amm_entry_t *entry);

/*
 * Begins a change of up to n_inserts new entries and n_erases vanishing ones; ENOMEM, and nothing is
 * begun. The run indices forget nothing yet.
 */
int map__begin(amm_t *amm, size_t n_inserts, size_t n_erases);
void map__end(amm_t *amm);
/* Remembers an entry that left the map for map__end. */
void map__doom(amm_t *amm, amm_entry_t *entry);

/* How many entries an edit from the cursor's up to the one that holds end - 1 goes through; 0 where map__begin
   need not know, in maps that are not copied. */
size_t map__n_edited(const amm_t *amm, const struct cursor *from, amm_addr_t end);

void map__fill(amm_entry_t *entry, amm_addr_t start, amm_addr_t end, int flags);

/*
 * Splits the cursor's entry at an address inside it; the cursor moves to the tail. 0, or what the
 * split callback said (positive), and then nothing has changed.
 */
int map__split(amm_t *amm, struct cursor *c, amm_addr_t at);

/* The cursor's entry gets these flags and stays as it is otherwise. */
void map__set_flags(amm_t *amm, struct cursor *c, int flags);

/*
 * Joins the cursor's entry and its successor where the callback agrees, whatever their flags; the
 * cursor stays on the (joined) entry. False: they are still two.
 */
bool map__join_next(amm_t *amm, struct cursor *c);

/*
 * A change of its own: joins the entries that meet at an address inside the map, whatever their flags. 0,
 * also where one entry holds both sides already; EBUSY where the join callback refuses; ENOMEM.
 */
int map__join_at(amm_t *amm, amm_addr_t at);

/* Splits where needed, so that entries start at addr and end at `end`; leaves the cursor at addr. */
int map__isolate(amm_t *amm, struct cursor *c, amm_addr_t addr, amm_addr_t end);

/* Joins the cursor's entry with its neighbours of equal flags. */
void map__join_around(amm_t *amm, struct cursor *c);

#endif
