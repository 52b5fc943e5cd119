/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * iterate.c - visiting entries. The callback may change the map under the iteration, so nothing is
 * kept across it but an address, and the cursor only where the map counts no change.
 */
#include "amm/map.h"

enum {
	AHEAD = 8, /* entries between what is visited and what is fetched */
};

/* The callback will want the entry, which lies anywhere. */
static inline void prefetch_ahead(const struct cursor *c)
{
	if (c->slot[0] + AHEAD < c->node[0]->n)
		__builtin_prefetch(c->node[0]->leaf.entry[c->slot[0] + AHEAD]);
}

int amm_iterate_gen(amm_t *amm, amm_iterate_func *func, void *arg, amm_addr_t addr, amm_size_t size,
	int flags, int flagmask)
{
	struct cursor c;

	if (amm == NULL || amm->memory == NULL || func == NULL)
		return map__invalid("amm_iterate_gen", "no map or no function");
	if (!map__is_range(addr, size))
		return map__invalid("amm_iterate_gen", "the range is empty or passes AMM_MAXADDR");
	if ((flags & ~flagmask) != 0)
		return 0;
	tree__seek(amm, addr, &c);
	while (tree__seek_match(amm, &c, flags, flagmask, true) && cursor__start(&c) < addr + size) {
		amm_addr_t end = cursor__end(amm, &c);
		size_t edits = amm->memory->edits;

		prefetch_ahead(&c);

		int result = func(amm, cursor__entry(&c), arg);

		if (result != 0)
			return result;
		if (end >= addr + size)
			return 0;
		/* The entry at `end` may reach back by now; it is visited, for what is still to come. */
		if (edits != amm->memory->edits)
			tree__seek(amm, end, &c);
		else if (!cursor__next(amm, &c))
			return 0;
	}
	return 0;
}

int amm_iterate(amm_t *amm, amm_iterate_func *func, void *arg)
{
	return amm_iterate_gen(amm, func, arg, AMM_MINADDR, AMM_MAXADDR - AMM_MINADDR, 0, 0);
}
