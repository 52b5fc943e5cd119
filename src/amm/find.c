/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * find.c - amm_find_addr and amm_find_gen.
 *
 * Walking the tree from the hint on, past what the summaries rule out, finds most first fits within
 * a few steps. What it does not find so, and every best fit, is the business of a run index (runs.h)
 * for the flags that are looked for. Where there is none and no memory for one, the walk goes on to the
 * end: slower, the same answer.
 */
#include "amm/find.h"

#include <errno.h>
#include <limits.h>

#include "amm/map.h"
#include "amm/runs.h"
#include "base/error.h"

enum {
	/* Runs that a first fit looks at before it has an index made. */
#ifdef AMM_SMALL_NODES
	PATIENCE = 1,
	FAR = 4,
#else
	PATIENCE = 16,
	/* Nodes it may go through to them before an index pays the next time: flags whose AND and OR
	   say little lead a search through every leaf. */
	FAR = 128,
#endif
};

/* The run that holds the cursor's slot or is next behind it; the cursor moves behind the run. */
static bool run_forward(const amm_t *amm, struct cursor *c, const struct query *q,
	amm_addr_t *start, amm_addr_t *end, bool *last)
{
	if (!tree__seek_match(amm, c, q->flags, q->mask, true))
		return false;
	*start = cursor__start(c);
	*last = !tree__seek_match(amm, c, q->flags, q->mask, false);
	*end = *last ? AMM_MAXADDR : cursor__start(c);
	return true;
}

static bool walk_forward(const amm_t *amm, const struct query *q, long patience, amm_addr_t *addr)
{
	struct cursor c;
	amm_addr_t start, end;
	bool last = false;

	tree__seek(amm, q->hint, &c);
	while (!last && patience-- > 0) {
		if (!run_forward(amm, &c, q, &start, &end, &last))
			return false;
		if (query__fit(q, start, end, addr))
			return true;
	}
	return false;
}

static bool walk_backward(const amm_t *amm, const struct query *q, long patience, amm_addr_t *addr)
{
	struct cursor c, other;

	tree__seek(amm, q->hint, &c);
	while (patience-- > 0) {
		if (!tree__seek_match_back(amm, &c, q->flags, q->mask, true))
			return false;
		/* The run may reach beyond the hint, and needs to where the size does. */
		other = c;

		bool to_end = !tree__seek_match(amm, &other, q->flags, q->mask, false);
		amm_addr_t end = to_end ? AMM_MAXADDR : cursor__start(&other);
		bool to_start = !tree__seek_match_back(amm, &c, q->flags, q->mask, false);
		amm_addr_t start = to_start ? AMM_MINADDR : cursor__end(amm, &c);

		if (query__fit(q, start, end, addr))
			return true;
		if (to_start)
			return false;
	}
	return false;
}

static bool walk_best(const amm_t *amm, const struct query *q, amm_addr_t *addr)
{
	struct cursor c;
	amm_addr_t start, end, candidate;
	amm_size_t best = AMM_MAXADDR;
	bool found = false, last = false;

	tree__seek(amm, AMM_MINADDR, &c);
	while (!last && run_forward(amm, &c, q, &start, &end, &last)) {
		amm_size_t size = end - start;

		if (!query__fit(q, start, end, &candidate))
			continue;
		/* Equal ones: the first in search direction. */
		if (!found || size < best || (size == best && q->backward)) {
			found = true;
			best = size;
			*addr = candidate;
		}
	}
	return found;
}

static bool walk_first(const amm_t *amm, const struct query *q, long patience, amm_addr_t *addr)
{
	return q->backward ? walk_backward(amm, q, patience, addr)
			   : walk_forward(amm, q, patience, addr);
}

static bool find(amm_t *amm, const struct query *q, amm_addr_t *addr)
{
	size_t before = amm->memory->n_visited;

	if (!q->best && !runs__has(amm, q) && walk_first(amm, q, PATIENCE, addr)) {
		amm_addr_t same;

		before = amm->memory->n_visited - before;
		if (before > FAR && runs__find(amm, q, &same) < 0)
			runs__walked(amm, q, before);
		return true;
	}

	int found = runs__find(amm, q, addr);

	if (found >= 0)
		return found > 0;
	before = amm->memory->n_visited;
	found = q->best ? walk_best(amm, q, addr) : walk_first(amm, q, LONG_MAX, addr);
	runs__walked(amm, q, amm->memory->n_visited - before);
	return found > 0;
}

/* Is every entry in [addr, addr + size) one of those? */
static bool all_match(const amm_t *amm, amm_addr_t addr, amm_size_t size, int flags, int mask)
{
	struct cursor c;

	tree__seek(amm, addr, &c);
	return !tree__seek_match(amm, &c, flags, mask, false) || cursor__start(&c) >= addr + size;
}

/* Why a query is bad; NULL: it is not. */
static const char *trouble_with(const amm_t *amm, const amm_addr_t *addrp, amm_size_t size, int align_bits,
	int find_flags)
{
	if (amm == NULL || amm->memory == NULL || addrp == NULL)
		return "no map or no address";
	if (align_bits < 0 || align_bits >= (int)sizeof(amm_addr_t) * CHAR_BIT)
		return "align_bits is not below the width of an address";
	if ((find_flags & ~(AMM_BACKWARD | AMM_BESTFIT | AMM_EXACT_ADDR)) != 0)
		return "unknown find flags";
	if (find_flags & AMM_EXACT_ADDR ? !map__is_range(*addrp, size) : size == 0)
		return "the range is empty or passes AMM_MAXADDR";
	return NULL;
}

amm_entry_t *amm_find_gen(amm_t *amm, amm_addr_t *addrp, amm_size_t size, int flags, int flagmask,
	int align_bits, amm_addr_t align_off, int find_flags)
{
	const char *trouble = trouble_with(amm, addrp, size, align_bits, find_flags);
	amm_addr_t addr;
	bool found;

	if (trouble != NULL) {
		map__invalid("amm_find_gen", trouble);
		return NULL;
	}

	amm_addr_t align_mask = ((amm_addr_t)1 << align_bits) - 1;
	struct query q = {
		.hint = *addrp,
		.size = size,
		.flags = flags,
		.mask = flagmask,
		.align_mask = align_mask,
		.align_off = align_off & align_mask,
		.backward = (find_flags & AMM_BACKWARD) != 0,
		.best = (find_flags & AMM_BESTFIT) != 0,
	};

	if ((flags & ~flagmask) != 0) {
		found = false; /* a wanted bit that the mask hides */
	} else if (find_flags & AMM_EXACT_ADDR) {
		addr = q.hint;
		found = (addr & align_mask) == q.align_off &&
			all_match(amm, addr, size, flags, flagmask);
	} else {
		found = find(amm, &q, &addr);
	}
	if (!found) {
		error__set(ENOMEM, "address map: no place for %zu addresses", size);
		return NULL;
	}
	*addrp = addr;
	return amm_find_addr(amm, addr);
}

amm_entry_t *amm_find_addr(amm_t *amm, amm_addr_t addr)
{
	if (amm == NULL || amm->memory == NULL || addr == AMM_MAXADDR) {
		map__invalid("amm_find_addr", amm == NULL ? "no map" : "the address is AMM_MAXADDR");
		return NULL;
	}

	const struct node *node = tree__leaf(amm, addr);

	return node->leaf.entry[node__rank(node->key, node->n, addr)];
}
