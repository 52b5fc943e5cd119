/* SPDX-License-Identifier: BSD-3-Clause */
/* runs.c - see runs.h. */
#include "amm/runs.h"

#include <errno.h>

#include "amm/pairs.h"

enum {
	/* Indices that a map keeps; the one asked for least recently makes way. */
	RUNS_MAX = 16,
	/* Changes that an index may sleep through besides the map's count. */
	IDLE_MIN = 1024,
};

struct runs {
	struct runs *next;
	int flags, mask;
	size_t n_idle; /* changes noted since somebody asked */
	struct pairs by_start, by_size;
};

/* Indices: made, found, dropped */

static void drop(amm_t *amm, struct runs **place)
{
	struct runs *runs = *place;

	*place = runs->next;
	pairs__clear(&runs->by_start);
	pairs__clear(&runs->by_size);
	pool__put(&amm->memory->run_heads, runs);
}

void runs__init(amm_t *amm)
{
	amm->memory->runs = NULL;
	pool__init(&amm->memory->pairs, PAIRS_NODE_SIZE);
	pool__init(&amm->memory->run_heads, sizeof(struct runs));
}

void runs__destroy(amm_t *amm)
{
	struct amm_memory *memory = amm->memory;

	memory->runs = NULL;
	pool__destroy(&memory->pairs);
	pool__destroy(&memory->run_heads);
}

static int add(struct runs *runs, amm_addr_t start, amm_addr_t end)
{
	struct pair by_start = {start, end - start}, by_size = {end - start, start};

	if (pairs__insert(&runs->by_start, by_start) != 0)
		return -ENOMEM;
	if (pairs__insert(&runs->by_size, by_size) != 0) {
		pairs__erase(&runs->by_start, by_start);
		return -ENOMEM;
	}
	return 0;
}

static void take_out(struct runs *runs, struct pair run)
{
	pairs__erase(&runs->by_start, run);
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

static struct runs *make(amm_t *amm, int flags, int mask)
{
	struct amm_memory *memory = amm->memory;

	if (pool__reserve(&memory->run_heads, 1) != 0)
		return NULL;

	struct runs *runs = pool__get(&memory->run_heads);

	*runs = (struct runs){.next = memory->runs, .flags = flags, .mask = mask};
	pairs__init(&runs->by_start, PAIRS_START_SIZE, &memory->pairs);
	pairs__init(&runs->by_size, PAIRS_SIZE_START, &memory->pairs);
	memory->runs = runs;
	if (fill(amm, runs) != 0) {
		drop(amm, &memory->runs);
		return NULL;
	}
	return runs;
}

/* The index for (flags, mask), made if need be, in front of the list; NULL: no memory. */
static struct runs *get(amm_t *amm, int flags, int mask)
{
	struct amm_memory *memory = amm->memory;
	int n = 0;

	for (struct runs **place = &memory->runs; *place != NULL; place = &(*place)->next) {
		struct runs *runs = *place;

		if (runs->flags == flags && runs->mask == mask) {
			*place = runs->next;
			runs->next = memory->runs;
			memory->runs = runs;
			return runs;
		}
		if (++n == RUNS_MAX) {
			drop(amm, place);
			break;
		}
	}
	return make(amm, flags, mask);
}

/* Keeping them true */

/* The run that holds or precedes addr. */
static bool run_before(const struct runs *runs, amm_addr_t addr, struct pair *run)
{
	return pairs__last(&runs->by_start, (struct pair){addr, UINTPTR_MAX}, 0, run);
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

/* Asking */

static bool fits(const struct query *q, amm_addr_t start, amm_size_t size, amm_addr_t *addr)
{
	return query__fit(q, start, start + size, addr);
}

static bool first_forward(const struct runs *runs, const struct query *q, amm_addr_t *addr)
{
	struct pair run, from = {q->hint, 0};

	if (run_before(runs, q->hint, &run) && fits(q, run.a, run.b, addr))
		return true;
	while (pairs__first(&runs->by_start, from, q->size, UINTPTR_MAX, &run)) {
		if (fits(q, run.a, run.b, addr))
			return true;
		from.a = run.a + 1;
	}
	return false;
}

static bool first_backward(const struct runs *runs, const struct query *q, amm_addr_t *addr)
{
	struct pair run, from = {q->hint, UINTPTR_MAX};

	while (pairs__last(&runs->by_start, from, q->size, &run)) {
		if (fits(q, run.a, run.b, addr))
			return true;
		if (run.a == AMM_MINADDR)
			return false;
		from.a = run.a - 1;
	}
	return false;
}

/* The smallest of those that end far enough behind the hint; among equals the lowest. */
static bool best_forward(const struct runs *runs, const struct query *q, amm_addr_t *addr)
{
	struct pair run, from = {q->size, 0};

	if (q->hint > AMM_MAXADDR - q->size)
		return false;
	while (pairs__first(&runs->by_size, from, q->hint + q->size, UINTPTR_MAX, &run)) {
		if (fits(q, run.b, run.a, addr))
			return true;
		from = (struct pair){run.a, run.b + 1};
	}
	return false;
}

/* The smallest size of which one starts not above the hint; of that size the highest such. */
static bool best_backward(const struct runs *runs, const struct query *q, amm_addr_t *addr)
{
	struct pair run, from = {q->size, 0};

	while (pairs__first(&runs->by_size, from, 0, q->hint, &run)) {
		amm_size_t size = run.a;
		struct pair down = {size, q->hint};

		while (pairs__last(&runs->by_size, down, 0, &run) && run.a == size) {
			if (fits(q, run.b, size, addr))
				return true;
			if (run.b == AMM_MINADDR)
				break;
			down.b = run.b - 1;
		}
		if (size == UINTPTR_MAX)
			return false;
		from.a = size + 1;
	}
	return false;
}

int runs__find(amm_t *amm, const struct query *q, amm_addr_t *addr)
{
	struct runs *runs = get(amm, q->flags, q->mask);

	if (runs == NULL)
		return -1;
	runs->n_idle = 0;
	if (q->best)
		return q->backward ? best_backward(runs, q, addr) : best_forward(runs, q, addr);
	return q->backward ? first_backward(runs, q, addr) : first_forward(runs, q, addr);
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
		if (!pairs__first(&runs->by_size, (struct pair){size, start}, 0, UINTPTR_MAX, &other) ||
			other.a != size || other.b != start)
			return EINVAL;
	}
	return n == runs->by_start.n && n == runs->by_size.n ? 0 : EINVAL;
}

int runs__check(const amm_t *amm)
{
	int err = 0;

	for (const struct runs *runs = amm->memory->runs; runs != NULL && err == 0; runs = runs->next)
		err = check_one(amm, runs);
	return err;
}
