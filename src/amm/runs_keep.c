/* SPDX-License-Identifier: BSD-3-Clause */
/* runs_keep.c - run indices kept true while the map changes, and checked; see runs.h. */
#include "amm/runs.h"

#include <errno.h>

#include "amm/runs_index.h"

static void take_out(struct runs *runs, amm_addr_t start, amm_addr_t end, int value)
{
	struct run run = {start, end - start, (uint32_t)value};

	if (runs->has_by_start)
		runset__erase(&runs->by_start, run);
	if (runs->has_by_size)
		runset__erase(&runs->by_size, run);
}

/* Runs of the value that end where the range starts, or start where it ends, will be one with it. */
static void take_out_neighbours(const amm_t *amm, struct runs *runs, const struct cursor *at,
	const struct cursor *behind, amm_addr_t start, amm_addr_t end, int value)
{
	struct cursor left = *at, right = *behind;
	int mask = runs->mask;

	if (!runs->cut_right && end != AMM_MAXADDR && (cursor__flags(&right) & mask) == value)
		take_out(runs, end, runs__end(amm, &right, value, mask), value);
	if (!runs->cut_left && cursor__prev(amm, &left) && (cursor__flags(&left) & mask) == value)
		take_out(runs, runs__start(amm, &left, value, mask), start, value);
}

/* Takes out the runs that the range has a part in, and those that it will be one with. */
static void before(const amm_t *amm, struct runs *runs, const struct cursor *at, amm_addr_t start,
	amm_addr_t end, int value)
{
	struct cursor c = *at;
	int mask = runs->mask, old = cursor__flags(&c) & mask;
	amm_addr_t run_end = runs__end(amm, &c, old, mask), run_start = start;

	runs->unchanged = old == value && run_end >= end;
	if (runs->unchanged)
		return;
	if (start != AMM_MINADDR && runs__holds(runs, old))
		run_start = runs__start(amm, at, old, mask);
	runs->cut_left = run_start < start;
	for (;;) {
		if (runs__holds(runs, old))
			take_out(runs, run_start, run_end, old);
		if (run_end >= end)
			break;
		run_start = run_end;
		old = cursor__flags(&c) & mask;
		run_end = runs__end(amm, &c, old, mask);
	}
	runs->cut_right = run_end > end;
	if (runs__holds(runs, value))
		take_out_neighbours(amm, runs, at, &c, start, end, value);
}

/* Puts in the run that the range is in now, and what is left of those it had a part in. */
static int after(const amm_t *amm, struct runs *runs, const struct cursor *at, amm_addr_t start,
	amm_addr_t end, int value)
{
	struct cursor c = *at;
	int mask = runs->mask, other, err = 0;

	if (runs->unchanged)
		return 0;
	if (runs__holds(runs, value)) {
		amm_addr_t run_start = runs__start(amm, at, value, mask);

		err = runs__add(runs, run_start, runs__end(amm, &c, value, mask), value);
	}
	c = *at;
	if (err == 0 && runs->cut_left && cursor__prev(amm, &c)) {
		other = cursor__flags(&c) & mask;
		if (other != value && runs__holds(runs, other))
			err = runs__add(runs, runs__start(amm, &c, other, mask), start, other);
	}
	c = *at;
	if (err == 0 && runs->cut_right && cursor__next(amm, &c)) {
		other = cursor__flags(&c) & mask;
		if (other != value && runs__holds(runs, other))
			err = runs__add(runs, end, runs__end(amm, &c, other, mask), other);
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
			runs__drop(amm, place);
		else
			place = &runs->next;
	}
	runs__give_back_spare(amm);
}

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
