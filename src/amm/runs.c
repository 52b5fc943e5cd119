/* SPDX-License-Identifier: BSD-3-Clause */
/* runs.c - run indices made, filled and dropped; see runs.h. They are kept true in runs_keep.c and asked in runs_find.c. */
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
void runs__give_back_spare(amm_t *amm)
{
	const struct runset_pools *pools = &amm->memory->runs->pools;

	if (is_spare(&pools->leaves) || is_spare(&pools->inners) ||
		(amm->memory->runs->first == NULL && pools->leaves.mapped != 0))
		runs__destroy(amm);
}

void runs__drop(amm_t *amm, struct runs **place)
{
	struct runs *runs = *place;

	*place = runs->next;
	runset__clear(&runs->by_start);
	runset__clear(&runs->by_size);
	pool__put(&amm->memory->runs->pools.leaves, runs);
}

int runs__add(struct runs *runs, amm_addr_t start, amm_addr_t end, int value)
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

/* Adds the runs of one value to those sets that are there. */
static int fill_with(const amm_t *amm, struct runs *runs, int value)
{
	struct cursor c;
	amm_addr_t end = AMM_MINADDR;

	tree__seek(amm, AMM_MINADDR, &c);
	while (end != AMM_MAXADDR && tree__seek_match(amm, &c, value, runs->mask, true)) {
		amm_addr_t start = cursor__start(&c);

		end = runs__end(amm, &c, value, runs->mask);
		if (runs__add(runs, start, end, value) != 0)
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

		if (runs__holds(runs, value) && runs__add(runs, start, end, value) != 0)
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
	runs__drop(amm, place);
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
	runs__drop(amm, &memory->first);
	runs__give_back_spare(amm);
	return NULL;
}
