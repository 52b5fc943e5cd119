/* SPDX-License-Identifier: BSD-3-Clause */
/* runs.c - run indices made, kept true, and dropped; see runs.h. They are asked in runs_find.c. */
#include "amm/runs.h"

#include <errno.h>

#include "amm/runs_index.h"

/* An index and what counts walks live in objects of pools that are there anyway. */
_Static_assert(sizeof(struct runs) <= RUN_LEAF_SIZE, "an index fits an object for leaves");
_Static_assert(sizeof(struct amm_memory) + sizeof(struct runs_memory) <= NODE_SIZE,
	"both fit the object that the map's memory lives in");

bool runs__holds(const struct runs *runs, int value)
{
	for (unsigned i = 0; i < runs->n_values; i++)
		if (runs->values[i] == value)
			return true;
	return runs->has_all;
}

amm_addr_t runs__end(const amm_t *amm, struct cursor *c, int value, int mask)
{
	return tree__seek_match(amm, c, value, mask, false) ? cursor__start(c) : AMM_MAXADDR;
}

amm_addr_t runs__start(const amm_t *amm, const struct cursor *c, int value, int mask)
{
	struct cursor before = *c;

	if (!tree__seek_match_back(amm, &before, value, mask, false))
		return AMM_MINADDR;
	return cursor__end(amm, &before);
}

/* Indices: made, found, dropped */

void runs__init(amm_t *amm)
{
	struct runs_memory *memory = (struct runs_memory *)(amm->memory + 1);

	amm->memory->runs = memory;
	*memory = (struct runs_memory){.first = NULL};
	pool__init(&memory->pools.leaves, RUN_LEAF_SIZE);
	pool__init(&memory->pools.inners, RUN_INNER_SIZE);
}

void runs__destroy(amm_t *amm)
{
	struct runs_memory *memory = amm->memory->runs;

	memory->first = NULL;
	pool__destroy(&memory->pools.leaves);
	pool__destroy(&memory->pools.inners);
}

size_t runs__size(const amm_t *amm)
{
	const struct runset_pools *pools = &amm->memory->runs->pools;

	return pool__touched(&pools->leaves) + pool__touched(&pools->inners);
}

static bool is_spare(const struct pool *pool)
{
	return pool->mapped > SPARE_MIN && pool->n_used * pool->object_size < pool->mapped / 4;
}

/*
 * Pools give nothing back but everything. Where most of one is unused, making those indices anew that
 * are still asked for is paid for by the changes that emptied it.
 */
static void give_back_spare(amm_t *amm)
{
	const struct runset_pools *pools = &amm->memory->runs->pools;

	if (is_spare(&pools->leaves) || is_spare(&pools->inners) ||
		(amm->memory->runs->first == NULL && pools->leaves.mapped != 0))
		runs__destroy(amm);
}

static void drop(amm_t *amm, struct runs **place)
{
	struct runs *runs = *place;

	*place = runs->next;
	runset__clear(&runs->by_start);
	runset__clear(&runs->by_size);
	pool__put(&amm->memory->runs->pools.leaves, runs);
}

static int add(struct runs *runs, amm_addr_t start, amm_addr_t end, int value)
{
	struct run run = {start, end - start, (uint32_t)value};

	if (runs->has_by_start && runset__insert(&runs->by_start, run) != 0)
		return -ENOMEM;
	if (runs->has_by_size && runset__insert(&runs->by_size, run) != 0) {
		if (runs->has_by_start)
			runset__erase(&runs->by_start, run);
		return -ENOMEM;
	}
	return 0;
}

static void take_out(struct runs *runs, amm_addr_t start, amm_addr_t end, int value)
{
	struct run run = {start, end - start, (uint32_t)value};

	if (runs->has_by_start)
		runset__erase(&runs->by_start, run);
	if (runs->has_by_size)
		runset__erase(&runs->by_size, run);
}

/* Adds the runs of one value to those sets that are there. */
static int fill_with(const amm_t *amm, struct runs *runs, int value)
{
	struct cursor c;
	amm_addr_t end = AMM_MINADDR;

	tree__seek(amm, AMM_MINADDR, &c);
	while (end != AMM_MAXADDR && tree__seek_match(amm, &c, value, runs->mask, true)) {
		amm_addr_t start = cursor__start(&c);

		end = runs__end(amm, &c, value, runs->mask);
		if (add(runs, start, end, value) != 0)
			return -ENOMEM;
	}
	return 0;
}

/* Fills one set, or both, with the runs of every value that the index holds. */
static int fill(const amm_t *amm, struct runs *runs)
{
	struct cursor c;
	amm_addr_t start = AMM_MINADDR;

	if (runs->n_values == 1 && !runs->has_all)
		return fill_with(amm, runs, runs->values[0]);
	tree__seek(amm, AMM_MINADDR, &c);
	while (start != AMM_MAXADDR) {
		int value = cursor__flags(&c) & runs->mask;
		amm_addr_t end = runs__end(amm, &c, value, runs->mask);

		if (runs__holds(runs, value) && add(runs, start, end, value) != 0)
			return -ENOMEM;
		start = end;
	}
	return 0;
}

static int hold_value(const amm_t *amm, struct runs *runs, int value)
{
	if (runs__holds(runs, value))
		return 0;
	if (runs->n_values < VALUES_MAX) {
		runs->values[runs->n_values++] = value;
		return runs->has_by_start || runs->has_by_size ? fill_with(amm, runs, value) : 0;
	}
	runset__clear(&runs->by_start);
	runset__clear(&runs->by_size);
	runs->has_all = true;
	return fill(amm, runs);
}

/* Makes a set of an index that has the other one or none. */
static int hold_set(const amm_t *amm, struct runs *runs, bool by_size)
{
	bool *has = by_size ? &runs->has_by_size : &runs->has_by_start;
	bool *has_other = by_size ? &runs->has_by_start : &runs->has_by_size;
	bool other = *has_other;

	if (*has)
		return 0;
	*has = true;
	*has_other = false; /* while the new one is filled */

	int err = fill(amm, runs);

	*has_other = other;
	return err;
}

static struct runs *make(amm_t *amm, const struct query *q, amm_addr_t align_mask)
{
	struct runs_memory *memory = amm->memory->runs;

	if (pool__reserve(&memory->pools.leaves, 1) != 0)
		return NULL;

	struct runs *runs = pool__get(&memory->pools.leaves);
	amm_addr_t align_off = q->align_off & align_mask;

	*runs = (struct runs){
		.next = memory->first,
		.mask = q->mask,
		.align_mask = align_mask,
		.align_off = align_off,
	};
	runset__init(&runs->by_start, RUNSET_BY_START, align_mask, align_off, &memory->pools);
	runset__init(&runs->by_size, RUNSET_BY_SIZE, align_mask, align_off, &memory->pools);
	memory->first = runs;
	return runs;
}

static struct walker *walker_of(amm_t *amm, const struct query *q)
{
	struct runs_memory *memory = amm->memory->runs;

	for (unsigned i = 0; i < WALKERS_MAX; i++) {
		struct walker *w = &memory->walkers[i];

		if (w->n_nodes != 0 && w->mask == q->mask && w->align_mask == q->align_mask &&
			w->align_off == q->align_off)
			return w;
	}
	return NULL;
}

void runs__walked(amm_t *amm, const struct query *q, size_t n_nodes)
{
	struct runs_memory *memory = amm->memory->runs;
	struct walker *w = walker_of(amm, q);

	if (w == NULL) {
		w = &memory->walkers[memory->next_walker++ % WALKERS_MAX];
		*w = (struct walker){q->mask, q->align_mask, q->align_off, 0};
	}
	w->n_nodes += n_nodes;
}

bool runs__has_walked(amm_t *amm, const struct query *q, size_t n_nodes)
{
	struct walker *w = walker_of(amm, q);

	if (w == NULL || w->n_nodes < n_nodes)
		return false;
	w->n_nodes = 0;
	return true;
}

/* Makes room for one more index; false: the query is not worth one yet. */
static bool make_way(amm_t *amm, const struct query *q, bool is_paid_for)
{
	struct runs **place = &amm->memory->runs->first;
	unsigned n = 0;

	while (*place != NULL && ++n < RUNS_MAX)
		place = &(*place)->next;
	if (*place == NULL)
		return true;
	/*
	 * A walk over all entries goes through a node for some 40 of them; adding a run takes as long as
	 * walking over twenty.
	 */
	if (!is_paid_for && !runs__has_walked(amm, q, amm->count / 2))
		return false;
	drop(amm, place);
	return true;
}

struct runs *runs__get(amm_t *amm, const struct query *q, amm_addr_t align_mask, bool is_paid_for)
{
	struct runs_memory *memory = amm->memory->runs;
	struct runs **place = &memory->first, *runs;

	while (*place != NULL && !runs__is_for(*place, q, align_mask))
		place = &(*place)->next;
	runs = *place;
	if (runs != NULL) {
		*place = runs->next;
		runs->next = memory->first;
		memory->first = runs;
	} else if (make_way(amm, q, is_paid_for)) {
		runs = make(amm, q, align_mask);
	}
	if (runs == NULL)
		return NULL;
	runs->n_idle = 0;
	if (hold_value(amm, runs, q->flags) == 0 && hold_set(amm, runs, q->best) == 0)
		return runs;
	drop(amm, &memory->first);
	give_back_spare(amm);
	return NULL;
}

/* Keeping them true */

static void before(const amm_t *amm, struct runs *runs, const struct cursor *at, amm_addr_t start,
	amm_addr_t end, int value)
{
	struct cursor c = *at;
	int mask = runs->mask, old = cursor__flags(&c) & mask;
	amm_addr_t run_end, run_start = start;

	/* The runs that the range has a part in, */
	run_end = runs__end(amm, &c, old, mask);
	runs->unchanged = old == value && run_end >= end;
	if (runs->unchanged)
		return;
	if (start != AMM_MINADDR && runs__holds(runs, old))
		run_start = runs__start(amm, at, old, mask);
	runs->cut_left = run_start < start;
	if (runs__holds(runs, old))
		take_out(runs, run_start, run_end, old);
	while (run_end < end) {
		run_start = run_end;
		old = cursor__flags(&c) & mask;
		run_end = runs__end(amm, &c, old, mask);
		if (runs__holds(runs, old))
			take_out(runs, run_start, run_end, old);
	}
	runs->cut_right = run_end > end;
	if (!runs__holds(runs, value))
		return;
	/* and neighbours that it will be one with. */
	if (!runs->cut_right && end != AMM_MAXADDR && (cursor__flags(&c) & mask) == value)
		take_out(runs, end, runs__end(amm, &c, value, mask), value);
	c = *at;
	if (!runs->cut_left && cursor__prev(amm, &c) && (cursor__flags(&c) & mask) == value)
		take_out(runs, runs__start(amm, &c, value, mask), start, value);
}

static int after(const amm_t *amm, struct runs *runs, const struct cursor *at, amm_addr_t start,
	amm_addr_t end, int value)
{
	struct cursor c = *at;
	int mask = runs->mask, other, err = 0;

	if (runs->unchanged)
		return 0;
	if (runs__holds(runs, value)) {
		amm_addr_t run_start = runs__start(amm, at, value, mask);

		err = add(runs, run_start, runs__end(amm, &c, value, mask), value);
	}
	c = *at;
	if (err == 0 && runs->cut_left && cursor__prev(amm, &c)) {
		other = cursor__flags(&c) & mask;
		if (other != value && runs__holds(runs, other))
			err = add(runs, runs__start(amm, &c, other, mask), start, other);
	}
	c = *at;
	if (err == 0 && runs->cut_right && cursor__next(amm, &c)) {
		other = cursor__flags(&c) & mask;
		if (other != value && runs__holds(runs, other))
			err = add(runs, end, runs__end(amm, &c, other, mask), other);
	}
	return err;
}

/* Has the index slept through what making it anew would cost? */
static bool is_asleep(const amm_t *amm, const struct runs *runs)
{
	return runs->n_idle > runs->by_start.n + runs->by_size.n + amm->count / 32 + IDLE_MIN;
}

void runs__before(amm_t *amm, const struct cursor *c, amm_addr_t start, amm_addr_t end, int flags)
{
	for (struct runs *runs = amm->memory->runs->first; runs != NULL; runs = runs->next)
		before(amm, runs, c, start, end, flags & runs->mask);
}

void runs__after(amm_t *amm, const struct cursor *c, amm_addr_t start, amm_addr_t end, int flags)
{
	struct runs **place = &amm->memory->runs->first;

	if (*place == NULL)
		return;
	while (*place != NULL) {
		struct runs *runs = *place;
		int err = after(amm, runs, c, start, end, flags & runs->mask);

		runs->n_idle += !runs->unchanged;
		if (err != 0 || is_asleep(amm, runs))
			drop(amm, place);
		else
			place = &runs->next;
	}
	give_back_spare(amm);
}

/* Checking */

static bool has(const struct runset *set, amm_addr_t start, amm_size_t size, int value)
{
	struct run_wanted wanted = {.value = (uint32_t)value, .start_max = start};
	struct run run;
	bool by_start = set->kind == RUNSET_BY_START;

	wanted.room_min = 1;
	if (((set->align_off - start) & set->align_mask) >= size)
		return true; /* cannot be asked for */
	return runset__first(set, by_start ? start : size, by_start ? size : start, &wanted, &run) &&
		run.start == start && run.size == size && run.value == (uint32_t)value;
}

static int check_one(const amm_t *amm, const struct runs *runs)
{
	struct cursor c;
	size_t n = 0;
	amm_addr_t start = AMM_MINADDR;

	tree__seek(amm, AMM_MINADDR, &c);
	while (start != AMM_MAXADDR) {
		int value = cursor__flags(&c) & runs->mask;
		amm_addr_t end = runs__end(amm, &c, value, runs->mask);

		if (runs__holds(runs, value)) {
			n++;
			if (runs->has_by_start && !has(&runs->by_start, start, end - start, value))
				return EINVAL;
			if (runs->has_by_size && !has(&runs->by_size, start, end - start, value))
				return EINVAL;
		}
		start = end;
	}
	return runs->by_start.n == (runs->has_by_start ? n : 0) &&
			runs->by_size.n == (runs->has_by_size ? n : 0)
		? 0
		: EINVAL;
}

int runs__check(const amm_t *amm)
{
	int err = 0;

	for (const struct runs *runs = amm->memory->runs->first; runs != NULL && err == 0; runs = runs->next)
		err = check_one(amm, runs);
	return err;
}
