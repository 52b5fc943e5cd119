/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * runs_find.c - run indices asked.
 *
 * A run that the hint lies in may have a place on the wrong side of it only. Without an alignment the
 * sets can tell by where runs start and end. With one, that run is looked at for itself; all others lie
 * on one side as a whole, and whether they have a place is a matter of how much room they have from
 * their lowest aligned address on.
 *
 * A query with an alignment may ask an index without one, which then goes through as many runs as do
 * not suit.
 *
 * Functions here return 1, found; 0, there is none; -1, there is no index.
 */
#include "amm/runs_index.h"

struct asked {
	const amm_t *amm;
	const struct query *q;
	const struct runs *runs;
	struct run_wanted wanted;
	/* Best fit with an alignment: the run that the hint lies in, if it has a place. */
	bool hint_fits;
	amm_size_t hint_size;
	amm_addr_t hint_addr;
};

static bool fits(const struct query *q, const struct run *run, amm_addr_t *addr)
{
	return query__fit(q, run->start, run->start + run->size, addr);
}

/* First fit */

static int first_forward(struct asked *a, amm_addr_t *addr)
{
	struct run run;
	amm_addr_t from = a->q->hint;

	/* The run that the hint may lie in, whatever room it has as a whole. */
	a->wanted.start_max = a->q->hint;
	a->wanted.room_min = 1;
	a->wanted.align_mask = 0;
	if (runset__last(&a->runs->by_start, a->q->hint, UINTPTR_MAX, &a->wanted, &run) &&
		fits(a->q, &run, addr))
		return 1;
	a->wanted.room_min = a->q->size;
	a->wanted.align_mask = a->q->align_mask;
	a->wanted.start_min = a->q->hint;
	a->wanted.start_max = AMM_MAXADDR - 1;
	while (runset__first(&a->runs->by_start, from, 0, &a->wanted, &run)) {
		if (fits(a->q, &run, addr))
			return 1;
		from = run.start + 1;
	}
	return 0;
}

static int first_backward(struct asked *a, amm_addr_t *addr)
{
	struct run run;

	a->wanted.start_max = a->q->hint;
	while (runset__last(&a->runs->by_start, a->wanted.start_max, UINTPTR_MAX, &a->wanted, &run)) {
		if (fits(a->q, &run, addr))
			return 1;
		if (run.start == AMM_MINADDR)
			return 0;
		a->wanted.start_max = run.start - 1;
	}
	return 0;
}

/* Best fit */

/* Sets `wanted` for the runs that are not looked at here; false: there can be none. */
static bool look_at_hint(struct asked *a)
{
	const struct query *q = a->q;
	struct cursor c;
	amm_addr_t start, end;

	if (q->backward)
		a->wanted.start_max = q->hint;
	else
		a->wanted.start_min = q->hint;
	if (q->hint == AMM_MAXADDR)
		return q->backward;
	tree__seek(a->amm, q->hint, &c);
	if ((cursor__flags(&c) & q->mask) != q->flags)
		return true;
	start = runs__start(a->amm, &c, q->flags, q->mask);
	/* Forward, one that starts at the hint is like those behind. */
	if (!q->backward && start == q->hint)
		return true;
	end = runs__end(a->amm, &c, q->flags, q->mask);
	a->hint_fits = query__fit(q, start, end, &a->hint_addr);
	a->hint_size = end - start;
	if (q->backward && start == AMM_MINADDR)
		return false;
	if (q->backward)
		a->wanted.start_max = start - 1;
	return true;
}

/* What runs must meet; false: none can. */
static bool begin_best(struct asked *a)
{
	const struct query *q = a->q;

	if (a->runs->align_mask != 0)
		return look_at_hint(a);
	if (q->backward)
		a->wanted.start_max = q->hint;
	else if (q->hint > AMM_MAXADDR - q->size)
		return false;
	else
		a->wanted.end_min = q->hint + q->size;
	return true;
}

static int take_hint(const struct asked *a, amm_addr_t *addr)
{
	if (a->hint_fits)
		*addr = a->hint_addr;
	return a->hint_fits;
}

/* The smallest; among equals the lowest, which is the one that the hint lies in if that is one. */
static int best_forward(struct asked *a, amm_addr_t *addr)
{
	struct run run = {0, a->q->size, 0};
	amm_addr_t from = AMM_MINADDR;

	while (runset__first(&a->runs->by_size, run.size, from, &a->wanted, &run)) {
		if (a->hint_fits && a->hint_size <= run.size)
			break;
		if (fits(a->q, &run, addr))
			return 1;
		from = run.start + 1;
	}
	return take_hint(a, addr);
}

/* Of the runs of that size the highest with a place. */
static int highest_of(struct asked *a, amm_size_t size, amm_addr_t *addr)
{
	struct run_wanted wanted = a->wanted;
	struct run run;

	while (runset__last(&a->runs->by_size, size, wanted.start_max, &wanted, &run) && run.size == size) {
		if (fits(a->q, &run, addr))
			return 1;
		if (run.start == AMM_MINADDR)
			break;
		wanted.start_max = run.start - 1;
	}
	return 0;
}

/* The smallest size; of that size the highest, which the one at the hint would be. */
static int best_backward(struct asked *a, amm_addr_t *addr)
{
	struct run run = {0, a->q->size, 0};

	while (runset__first(&a->runs->by_size, run.size, 0, &a->wanted, &run)) {
		if (a->hint_fits && a->hint_size <= run.size)
			break;

		int found = highest_of(a, run.size, addr);

		if (found != 0)
			return found;
		if (run.size == AMM_MAXADDR - AMM_MINADDR) /* all there is: nothing is larger */
			break;
		run.size++;
	}
	return take_hint(a, addr);
}

static int ask(amm_t *amm, const struct query *q, amm_addr_t align_mask, amm_addr_t *addr)
{
	const struct runs *runs = runs__get(amm, q, align_mask, false);

	if (runs == NULL)
		return -1;

	struct asked a = {
		.amm = amm,
		.q = q,
		.runs = runs,
		.wanted = {.value = (uint32_t)q->flags,
			.start_max = AMM_MAXADDR - 1,
			.room_min = q->size,
			.align_mask = q->align_mask,
			.align_off = q->align_off},
	};

	if (!q->best)
		return q->backward ? first_backward(&a, addr) : first_forward(&a, addr);
	if (!begin_best(&a))
		return take_hint(&a, addr);
	return q->backward ? best_backward(&a, addr) : best_forward(&a, addr);
}

static bool can_answer(const struct runs *runs, const struct query *q, amm_addr_t align_mask)
{
	return runs__is_for(runs, q, align_mask) && runs__holds(runs, q->flags) &&
		(q->best ? runs->has_by_size : runs->has_by_start);
}

static bool exists(const amm_t *amm, const struct query *q, amm_addr_t align_mask)
{
	for (const struct runs *runs = amm->memory->runs->first; runs != NULL; runs = runs->next)
		if (can_answer(runs, q, align_mask))
			return true;
	return false;
}

bool runs__has(const amm_t *amm, const struct query *q)
{
	return exists(amm, q, 0) || exists(amm, q, q->align_mask);
}

int runs__find(amm_t *amm, const struct query *q, amm_addr_t *addr)
{
	size_t before = amm->memory->runs->pools.n_visited;
	int found;

	if (q->align_mask == 0 || exists(amm, q, q->align_mask))
		return ask(amm, q, q->align_mask, addr);
	found = ask(amm, q, 0, addr);
	before = amm->memory->runs->pools.n_visited - before;
	if (found < 0 || before <= NEAR)
		return found;
	/*
	 * Few of many are aligned: an index of its own, when they have cost so much that it will pay. The
	 * walks of at most WALKERS_MAX such queries are counted, so more in turn do without.
	 */
	runs__walked(amm, q, before);
	if (runs__has_walked(amm, q, amm->count / 64))
		(void)runs__get(amm, q, q->align_mask, true);
	return found;
}

void runs__skipped(amm_t *amm, const struct query *q, size_t n_nodes)
{
	/* Making one for flags that are rare costs a walk, which is a node for 40 entries. */
	runs__walked(amm, q, n_nodes);
	if (runs__has_walked(amm, q, amm->count / 8))
		(void)runs__get(amm, q, 0, true);
}
