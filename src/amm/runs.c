/* SPDX-License-Identifier: BSD-3-Clause */
/* runs.c - see runs.h. */
#include "amm/runs.h"

#include <errno.h>

#include "amm/pairs.h"

enum {
#ifdef AMM_SMALL_NODES /* tests: every limit is reached */
	RUNS_MAX = 3,
	IDLE_MIN = 8,
	CANDIDATES_MAX = 2,
#else
	/* Indices that a map keeps; the one asked for least recently makes way. */
	RUNS_MAX = 16,
	/* Changes that an index may sleep through besides the map's count. */
	IDLE_MIN = 64,
	/* Runs tried for an alignment before it gets an index. */
	CANDIDATES_MAX = 8,
#endif
};

struct runs {
	struct runs *next;
	int flags, mask;
	amm_addr_t align_mask, align_off;
	size_t n_idle; /* changes noted since somebody asked */
	bool has_by_size;
	struct pairs by_start, by_size;
};

/* One pool for both: a map that is hardly used costs a page less. */
_Static_assert(sizeof(struct runs) <= PAIRS_NODE_SIZE, "an index's head fits a node of its pairs");

static const struct pairs_wanted anything = {0, UINTPTR_MAX, 0};

/* Indices: made, found, dropped */

static void drop(amm_t *amm, struct runs **place)
{
	struct runs *runs = *place;

	*place = runs->next;
	pairs__clear(&runs->by_start);
	pairs__clear(&runs->by_size);
	pool__put(&amm->memory->pairs, runs);
}

void runs__init(amm_t *amm)
{
	amm->memory->runs = NULL;
	pool__init(&amm->memory->pairs, PAIRS_NODE_SIZE);
}

void runs__destroy(amm_t *amm)
{
	struct amm_memory *memory = amm->memory;

	memory->runs = NULL;
	pool__destroy(&memory->pairs);
}

static int add(struct runs *runs, amm_addr_t start, amm_addr_t end)
{
	struct pair by_start = {start, end - start}, by_size = {end - start, start};

	if (pairs__insert(&runs->by_start, by_start) != 0)
		return -ENOMEM;
	if (runs->has_by_size && pairs__insert(&runs->by_size, by_size) != 0) {
		pairs__erase(&runs->by_start, by_start);
		return -ENOMEM;
	}
	return 0;
}

static void take_out(struct runs *runs, struct pair run)
{
	pairs__erase(&runs->by_start, run);
	if (runs->has_by_size)
		pairs__erase(&runs->by_size, (struct pair){run.b, run.a});
}

/* Collects the runs that the map has. */
static int fill(const amm_t *amm, struct runs *runs)
{
	struct cursor c;

	tree__seek(amm, AMM_MINADDR, &c);
	while (tree__seek_match(amm, &c, runs->flags, runs->mask, true)) {
		amm_addr_t start = cursor__start(&c);
		bool last = !tree__seek_match(amm, &c, runs->flags, runs->mask, false);

		if (add(runs, start, last ? AMM_MAXADDR : cursor__start(&c)) != 0)
			return -ENOMEM;
		if (last)
			break;
	}
	return 0;
}

/* by_size out of by_start. */
static int fill_by_size(struct runs *runs)
{
	struct pair run, from = {0, 0};

	runs->has_by_size = true;
	while (pairs__first(&runs->by_start, from, &anything, &run)) {
		if (pairs__insert(&runs->by_size, (struct pair){run.b, run.a}) != 0)
			return -ENOMEM;
		from.a = run.a + 1;
	}
	return 0;
}

static bool is_for(const struct runs *runs, const struct query *q, amm_addr_t align_mask)
{
	return runs->flags == q->flags && runs->mask == q->mask && runs->align_mask == align_mask &&
		runs->align_off == (q->align_off & align_mask);
}

static struct runs *make(amm_t *amm, const struct query *q, amm_addr_t align_mask)
{
	struct amm_memory *memory = amm->memory;

	if (pool__reserve(&memory->pairs, 1) != 0)
		return NULL;

	struct runs *runs = pool__get(&memory->pairs);
	amm_addr_t align_off = q->align_off & align_mask;

	*runs = (struct runs){
		.next = memory->runs,
		.flags = q->flags,
		.mask = q->mask,
		.align_mask = align_mask,
		.align_off = align_off,
	};
	pairs__init(&runs->by_start, PAIRS_BY_START, align_mask, align_off, &memory->pairs);
	pairs__init(&runs->by_size, PAIRS_BY_SIZE, align_mask, align_off, &memory->pairs);
	memory->runs = runs;
	if (fill(amm, runs) == 0)
		return runs;
	drop(amm, &memory->runs);
	return NULL;
}

/* The index for the query, made if need be, in front of the list; NULL: no memory. */
static struct runs *get(amm_t *amm, const struct query *q, amm_addr_t align_mask)
{
	struct amm_memory *memory = amm->memory;
	struct runs *runs = NULL;
	int n = 0;

	for (struct runs **place = &memory->runs; *place != NULL; place = &(*place)->next) {
		if (is_for(*place, q, align_mask)) {
			runs = *place;
			*place = runs->next;
			runs->next = memory->runs;
			memory->runs = runs;
			break;
		}
		if (++n == RUNS_MAX) {
			drop(amm, place);
			break;
		}
	}
	if (runs == NULL)
		runs = make(amm, q, align_mask);
	if (runs != NULL && q->best && !runs->has_by_size && fill_by_size(runs) != 0) {
		drop(amm, &memory->runs);
		return NULL;
	}
	return runs;
}

static bool exists(const amm_t *amm, const struct query *q, amm_addr_t align_mask)
{
	for (const struct runs *runs = amm->memory->runs; runs != NULL; runs = runs->next)
		if (is_for(runs, q, align_mask))
			return true;
	return false;
}

bool runs__has(const amm_t *amm, const struct query *q)
{
	return exists(amm, q, 0) || exists(amm, q, q->align_mask);
}

/* Keeping them true */

/* The run that holds or precedes addr. */
static bool run_before(const struct runs *runs, amm_addr_t addr, struct pair *run)
{
	return pairs__last(&runs->by_start, (struct pair){addr, UINTPTR_MAX}, &anything, run);
}

/* [start, end) matches now: one run with what it meets. */
static int note_match(struct runs *runs, amm_addr_t start, amm_addr_t end)
{
	amm_addr_t low = start, high = end;
	struct pair run;

	/* Runs that begin at or before `end` and end at or behind `start`, from the last one down. */
	while (run_before(runs, end, &run) && run.a + run.b >= start) {
		if (run.a <= start && run.a + run.b >= end)
			return 0;
		low = run.a < low ? run.a : low;
		high = run.a + run.b > high ? run.a + run.b : high;
		take_out(runs, run);
	}
	return add(runs, low, high);
}

/* [start, end) does not match any more: what reaches out of it on either side stays. */
static int note_mismatch(struct runs *runs, amm_addr_t start, amm_addr_t end)
{
	struct pair run;

	while (run_before(runs, end - 1, &run) && run.a + run.b > start) {
		take_out(runs, run);
		if (run.a + run.b > end && add(runs, end, run.a + run.b) != 0)
			return -ENOMEM;
		if (run.a < start)
			return add(runs, run.a, start);
	}
	return 0;
}

void runs__note(amm_t *amm, amm_addr_t start, amm_addr_t end, int flags)
{
	struct runs **place = &amm->memory->runs;

	while (*place != NULL) {
		struct runs *runs = *place;
		bool match = (flags & runs->mask) == runs->flags;
		int err = match ? note_match(runs, start, end) : note_mismatch(runs, start, end);

		if (err != 0 || ++runs->n_idle > amm->count + IDLE_MIN)
			drop(amm, place);
		else
			place = &runs->next;
	}
}

/*
 * Asking: 1 found, 0 there is none, -1 none of the first few candidates will do (a query whose
 * alignment is not the index's).
 */

static bool fits(const struct query *q, amm_addr_t start, amm_size_t size, amm_addr_t *addr)
{
	return query__fit(q, start, start + size, addr);
}

static int first_forward(const struct runs *runs, const struct query *q, int patience, amm_addr_t *addr)
{
	struct pairs_wanted wanted = {0, UINTPTR_MAX, q->size};
	struct pair run, from = {q->hint, 0};

	if (run_before(runs, q->hint, &run) && fits(q, run.a, run.b, addr))
		return 1;
	while (pairs__first(&runs->by_start, from, &wanted, &run)) {
		if (fits(q, run.a, run.b, addr))
			return 1;
		if (--patience == 0)
			return -1;
		from.a = run.a + 1;
	}
	return 0;
}

static int first_backward(const struct runs *runs, const struct query *q, int patience,
	amm_addr_t *addr)
{
	struct pairs_wanted wanted = {0, q->hint, q->size};
	struct pair run, from = {q->hint, UINTPTR_MAX};

	while (pairs__last(&runs->by_start, from, &wanted, &run)) {
		if (fits(q, run.a, run.b, addr))
			return 1;
		if (run.a == AMM_MINADDR)
			return 0;
		if (--patience == 0)
			return -1;
		from.a = run.a - 1;
	}
	return 0;
}

/* The smallest of those that end far enough behind the hint; among equals the lowest. */
static int best_forward(const struct runs *runs, const struct query *q, int patience, amm_addr_t *addr)
{
	struct pair run, from = {q->size, 0};
	struct pairs_wanted wanted = {0, UINTPTR_MAX, q->size};

	if (q->hint > AMM_MAXADDR - q->size)
		return 0;
	wanted.end_min = q->hint + q->size;
	while (pairs__first(&runs->by_size, from, &wanted, &run)) {
		if (fits(q, run.b, run.a, addr))
			return 1;
		if (--patience == 0)
			return -1;
		from = (struct pair){run.a, run.b + 1};
	}
	return 0;
}

/* The smallest size of which one starts not above the hint; of that size the highest such. */
static int best_backward(const struct runs *runs, const struct query *q, int patience, amm_addr_t *addr)
{
	struct pairs_wanted wanted = {0, q->hint, q->size};
	struct pair run, from = {q->size, 0};

	while (pairs__first(&runs->by_size, from, &wanted, &run)) {
		amm_size_t size = run.a;
		struct pair down = {size, q->hint};

		while (pairs__last(&runs->by_size, down, &wanted, &run) && run.a == size) {
			if (fits(q, run.b, size, addr))
				return 1;
			if (--patience == 0)
				return -1;
			if (run.b == AMM_MINADDR)
				break;
			down.b = run.b - 1;
		}
		if (size == UINTPTR_MAX)
			return 0;
		from.a = size + 1;
	}
	return 0;
}

static int ask(const struct runs *runs, const struct query *q, int patience, amm_addr_t *addr)
{
	if (q->best)
		return q->backward ? best_backward(runs, q, patience, addr)
				   : best_forward(runs, q, patience, addr);
	return q->backward ? first_backward(runs, q, patience, addr)
			   : first_forward(runs, q, patience, addr);
}

static int ask_index(amm_t *amm, const struct query *q, amm_addr_t align_mask, amm_addr_t *addr)
{
	struct runs *runs = get(amm, q, align_mask);

	if (runs == NULL)
		return -1;
	runs->n_idle = 0;
	return ask(runs, q, align_mask == q->align_mask ? -1 : CANDIDATES_MAX, addr);
}

int runs__find(amm_t *amm, const struct query *q, amm_addr_t *addr)
{
	if (q->align_mask != 0 && !exists(amm, q, q->align_mask)) {
		int found = ask_index(amm, q, 0, addr);

		if (found >= 0)
			return found;
	}
	return ask_index(amm, q, q->align_mask, addr);
}

/* Checking */

static int check_one(const amm_t *amm, const struct runs *runs)
{
	struct cursor c;
	struct pair run, other;
	size_t n = 0;
	bool last = false;

	tree__seek(amm, AMM_MINADDR, &c);
	while (!last && tree__seek_match(amm, &c, runs->flags, runs->mask, true)) {
		amm_addr_t start = cursor__start(&c);

		last = !tree__seek_match(amm, &c, runs->flags, runs->mask, false);

		amm_size_t size = (last ? AMM_MAXADDR : cursor__start(&c)) - start;

		n++;
		if (!run_before(runs, start, &run) || run.a != start || run.b != size)
			return EINVAL;
		if (!runs->has_by_size)
			continue;
		if (!pairs__first(&runs->by_size, (struct pair){size, start}, &anything, &other) ||
			other.a != size || other.b != start)
			return EINVAL;
	}
	return n == runs->by_start.n && (runs->has_by_size ? n : 0) == runs->by_size.n ? 0 : EINVAL;
}

int runs__check(const amm_t *amm)
{
	int err = 0;

	for (const struct runs *runs = amm->memory->runs; runs != NULL && err == 0; runs = runs->next)
		err = check_one(amm, runs);
	return err;
}
