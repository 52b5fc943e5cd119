/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * iterate.c - visiting entries. The callback may change the map under the iteration, so nothing is
 * kept across it but an address, and the cursor only where it is the same map still, which counts no change.
 * A map made in its place may have counted as many, but lacks the iteration's mark. Where matches lie
 * far apart and summaries do not lead from one to the next, a run index does once walks have paid for it.
 */
#include "amm/map.h"

#include "amm/runs.h"

enum {
	AHEAD = 8, /* entries between what is visited and what is fetched */
#ifdef AMM_SMALL_NODES
	CLOSE = 3,
	FAR = 4,
#else
	CLOSE = 16, /* nodes that are gone through before a run index is asked */
	FAR = 128,  /* nodes between two matches that an index would have saved */
#endif
};

/* The callback will want the entry, which lies anywhere. Those of the next leaf cost more than they save. */
static inline void prefetch_ahead(const struct cursor *c)
{
	if (c->slot[0] + AHEAD < c->node[0]->n)
		__builtin_prefetch(c->node[0]->leaf.entry[c->slot[0] + AHEAD]);
}

/* Moves from a slot that starts at `from` to the first match there or behind that starts below `end`. */
static bool seek_far(amm_t *amm, struct cursor *c, struct query *q, amm_addr_t from, amm_addr_t end)
{
	size_t before = amm->memory->n_visited;
	amm_addr_t addr;
	int found = -1;

	q->hint = from;
	if (runs__has(amm, q))
		found = runs__find(amm, q, &addr);
	if (found > 0)
		tree__seek(amm, addr, c);
	if (found >= 0)
		return found > 0 && addr < end;
	tree__seek(amm, from, c);
	found = tree__seek_match_near(amm, c, q->flags, q->mask, end, SIZE_MAX);
	before = amm->memory->n_visited - before;
	if (before > FAR)
		runs__skipped(amm, q, before);
	return found > 0;
}

/* From the cursor's slot on. */
static bool seek(amm_t *amm, struct cursor *c, struct query *q, amm_addr_t end)
{
	amm_addr_t from = cursor__start(c);
	int found = tree__seek_match_near(amm, c, q->flags, q->mask, end, CLOSE);

	return found >= 0 ? found > 0 : seek_far(amm, c, q, from, end);
}

int amm_iterate_gen(amm_t *amm, amm_iterate_func *func, void *arg, amm_addr_t addr, amm_size_t size,
	int flags, int flagmask)
{
	struct query q = {.size = 1, .flags = flags, .mask = flagmask};
	struct cursor c;

	if (amm == NULL || amm->memory == NULL || func == NULL)
		return map__invalid("amm_iterate_gen", "no map or no function");
	if (!map__is_range(addr, size))
		return map__invalid("amm_iterate_gen", "the range is empty or passes AMM_MAXADDR");
	if ((flags & ~flagmask) != 0)
		return 0;
	tree__seek(amm, addr, &c);
	while (seek(amm, &c, &q, addr + size)) {
		amm_addr_t end = cursor__end(amm, &c);
		size_t edits = amm->memory->edits;

		prefetch_ahead(&c);
		amm->memory->visiting = &c;

		int result = func(amm, cursor__entry(&c), arg);

		if (result != 0)
			return result;
		if (end >= addr + size || amm->memory == NULL) /* it may have been destroyed */
			return 0;
		/* The entry at `end` may reach back by now; it is visited, for what is still to come. */
		if (edits != amm->memory->edits || amm->memory->visiting != &c)
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
