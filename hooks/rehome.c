/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * rehome.c - spaces whose regions go to another area while extents in them are in use.
 *
 * While a switch is under way nobody draws from its spaces or gives back to them (is_switching): either
 * all of them draw from the new area or none does. First every region enters the new area and what is in
 * use of it is claimed there, which may fail and is undone; then the areas are exchanged, which cannot
 * fail. Each step takes one space's lock, so that splits, merges and walks go on; who has to wait waits
 * for `switching`, of which there is one for all heaps. Who purges without a lock is waited for
 * (begin_purge), since strict areas must not be purged behind their books. Lock order: heap, jemalloc's,
 * switching, space.
 *
 * A fork in the middle leaves a child in which each space draws from the one or the other area, by one
 * pointer; its regions are put under that area's policies before anything is drawn (must_rebind). Books of
 * areas may then have charged the child too much, never too little.
 */
#include <errno.h>
#include <sched.h>

#include "area/linux.h"
#include "area/passage.h"
#include "base/error.h"
#include "hooks/region.h"
#include "hooks/space.h"
#include "hooks/space_internal.h"
#include "os/os.h"

static struct lock switching = LOCK_INITIALIZER;

void space__reset_switching(void)
{
	lock__reset(&switching);
}

static void wait_for_switch(void)
{
	lock__acquire(&switching);
	lock__release(&switching);
}

void space__acquire_steady(struct space *space) LOCK_UNCHECKED
{
	atomic_fetch_add_explicit(&space->n_waiting, 1, memory_order_relaxed);
	lock__acquire(&space->lock);
	while (atomic_load(&space->is_switching)) {
		lock__release(&space->lock);
		wait_for_switch();
		lock__acquire(&space->lock);
	}
	atomic_fetch_sub_explicit(&space->n_waiting, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&space->n_served, 1, memory_order_relaxed);
}

void space__let_others(struct space *space)
{
	unsigned n = atomic_load(&space->n_waiting), before = atomic_load(&space->n_served);

	while (atomic_load(&space->n_waiting) != 0 && atomic_load(&space->n_served) - before < n)
		sched_yield();
}

void space__begin_purge(struct space *space)
{
	for (;;) {
		atomic_fetch_add(&space->n_purging, 1);
		if (!atomic_load(&space->is_switching))
			return;
		atomic_fetch_sub(&space->n_purging, 1);
		wait_for_switch();
	}
}

void space__end_purge(struct space *space)
{
	atomic_fetch_sub(&space->n_purging, 1);
}

void space__rebind_locked(struct space *space)
{
	for (struct space_region *region = space->regions; region != NULL; region = region->next)
		(void)passage__bind(space->area, (void *)region->start, region->mapped);
	space->must_rebind = false;
}

/* Granules */

/* Is the granule at `at` in use: of strict areas, are its pages there? */
static bool is_used_locked(struct space *space, const struct space_region *region, uintptr_t at)
	LOCK_HELD(space->lock)
{
	if (space->flags & AML_AREA_COMMIT)
		return region__is_present(region, at);
	return space__in_use_locked(space, region__granule_start(region, at),
		region__granule_end(region, at));
}

/* What the extents of a granule have been called: some are hot, or all are cold. */
static enum space_hint hint_locked(struct space *space, uintptr_t start, uintptr_t end)
	LOCK_HELD(space->lock)
{
	bool any = false, all_cold = true;

	while (start < end) {
		amm_entry_t *entry = amm_find_addr(&space->map, start);

		start = amm_entry_end(entry);
		if (!(amm_entry_flags(entry) & SPACE_EXTENT))
			continue;
		if (space__extent_of(entry)->hint == SPACE_HINT_HOT)
			return SPACE_HINT_HOT;
		any = true;
		all_cold = all_cold && space__extent_of(entry)->hint == SPACE_HINT_COLD;
	}
	return any && all_cold ? SPACE_HINT_COLD : SPACE_HINT_NONE;
}

/* The switch */

struct change {
	const struct aml_area *to;
	unsigned flags; /* of `to` */
	size_t largest;
};

/* What is in use of a region is the new area's to account for; areas that charge regions are told of all
   of it. Where the new area's pages are owed and the old one's were not, those in use are from now on. */
static int claim_region_locked(struct space *space, struct space_region *region,
	const struct change *change) LOCK_HELD(space->lock)
{
	bool mark = (change->flags & AML_AREA_COMMIT) && !(space->flags & AML_AREA_COMMIT);
	int err = 0;

	if (!(change->flags & AML_AREA_LAZY))
		return passage__claim(change->to, (void *)region->start, region->mapped);
	for (uintptr_t at = region->start, end; at < region->end && err == 0; at = end) {
		bool is_used = is_used_locked(space, region, at);

		end = region__granule_end(region, at);
		while (end < region->end && is_used_locked(space, region, end) == is_used)
			end = region__granule_end(region, end);
		if (mark)
			region__set_present(region, at, end, is_used);
		if (is_used)
			err = passage__claim(change->to, (void *)at, end - at);
	}
	return err;
}

static int enter_region_locked(struct space *space, struct space_region *region,
	const struct change *change) LOCK_HELD(space->lock)
{
	int err = passage__enter(change->to, (void *)region->start, region->mapped);

	if (linux__may_not(err, "mbind", NULL))
		return err;
	if (err != 0)
		return error__set(-err, "preparing %zu bytes at %p: %s", region->mapped,
			(void *)region->start, os__strerror(err));
	return claim_region_locked(space, region, change);
}

/* Undoes what was done to the regions up to and with `last`. */
static void go_back_locked(struct space *space, const struct space_region *last,
	const struct change *change) LOCK_HELD(space->lock)
{
	const struct space_region *region = space->regions;

	for (; region != NULL; region = region == last ? NULL : region->next) {
		passage__leave(change->to, (void *)region->start, region->mapped);
		(void)passage__bind(space->area, (void *)region->start, region->mapped);
	}
}

static void recharge_locked(struct space *space, unsigned from, unsigned to) LOCK_HELD(space->lock)
{
	size_t before = space__drawn_locked(space, from), after = space__drawn_locked(space, to);

	if (before > after)
		space__discharge(space, before - after);
}

static int enter_locked(struct space *space, const struct change *change) LOCK_HELD(space->lock)
{
	size_t before = space__drawn_locked(space, space->flags);
	size_t after = space__drawn_locked(space, change->flags);
	struct space_region *region, *last = NULL;
	int err = 0;

	if (after > before)
		err = space__charge(space, after - before);
	if (err != 0)
		return err;
	for (region = space->regions; region != NULL && err == 0; region = region->next) {
		last = region;
		err = enter_region_locked(space, region, change);
	}
	if (err == 0)
		return 0;
	go_back_locked(space, last, change);
	recharge_locked(space, change->flags, space->flags);
	return err;
}

static void undo_locked(struct space *space, const struct change *change) LOCK_HELD(space->lock)
{
	go_back_locked(space, NULL, change);
	recharge_locked(space, change->flags, space->flags);
}

static void exchange_locked(struct space *space, const struct change *change) LOCK_HELD(space->lock)
{
	const struct aml_area *from = space->area;

	recharge_locked(space, space->flags, change->flags);
	/* First, so that the child of a fork never draws from an area whose books have forgotten it. */
	__atomic_store_n(&space->area, change->to, __ATOMIC_SEQ_CST);
	/* space__is_purgeable looks without the lock. */
	__atomic_store_n(&space->flags, change->flags, __ATOMIC_RELAXED);
	space->largest = change->largest;
	for (struct space_region *region = space->regions; region != NULL; region = region->next)
		passage__leave(from, (void *)region->start, region->mapped);
}

static void begin_switch(struct space *const *spaces, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		lock__acquire(&spaces[i]->lock);
		atomic_store(&spaces[i]->is_switching, true);
		lock__release(&spaces[i]->lock);
		while (atomic_load(&spaces[i]->n_purging) != 0)
			sched_yield();
	}
}

static void end_switch(struct space *const *spaces, size_t n)
{
	for (size_t i = 0; i < n; i++)
		atomic_store(&spaces[i]->is_switching, false);
}

/* Behind the last granule that is in use, or behind the first. */
static uintptr_t end_of_use_locked(struct space *space, const struct space_region *region)
	LOCK_HELD(space->lock)
{
	uintptr_t end = region__granule_end(region, region->start);
	size_t size, page_mask = space->page_size - 1;

	for (uintptr_t at = end; at < region->end; at = region__granule_end(region, at))
		if (is_used_locked(space, region, at))
			end = region__granule_end(region, at);
	size = (end - region->start + page_mask) & ~page_mask;
	return size < region->end - region->start ? region->start + size : region->end;
}

/*
 * Address space drawn ahead costs a lazy area nothing; where regions are charged, only what is in use of them
 * shall be. That the address space is smaller from now on, whatever comes of the switch, is no loss.
 */
static void cut_ends(struct space *const *spaces, size_t n, const struct change *change)
{
	for (size_t i = 0; i < n && !(change->flags & AML_AREA_LAZY); i++) {
		struct space *space = spaces[i];

		lock__acquire(&space->lock);
		for (struct space_region *region = space->flags & AML_AREA_LAZY ? space->regions : NULL;
			region != NULL; region = region->next) {
			uintptr_t end = end_of_use_locked(space, region);

			if (end < region->end && region->n_pins == 0)
				space__cut_locked(space, region, end);
		}
		lock__release(&space->lock);
	}
}

static int enter_all(struct space *const *spaces, size_t n, const struct change *change,
	size_t *n_done)
{
	int err = 0;

	for (*n_done = 0; *n_done < n && err == 0; *n_done += err == 0) {
		struct space *space = spaces[*n_done];

		lock__acquire(&space->lock);
		err = enter_locked(space, change);
		lock__release(&space->lock);
	}
	return err;
}

static void finish_all(struct space *const *spaces, size_t n, const struct change *change, int err)
{
	for (size_t i = 0; i < n; i++) {
		struct space *space = spaces[i];

		lock__acquire(&space->lock);
		if (err == 0)
			exchange_locked(space, change);
		else
			undo_locked(space, change);
		lock__release(&space->lock);
	}
}

int space__switch(struct space *const *spaces, size_t n_spaces, const struct aml_area *to)
{
	struct aml_area_info info = {.struct_size = sizeof(info)};
	struct change change = {.to = to};
	size_t n_done;
	int err;

	if (aml_area_info(to, &info) != AML_SUCCESS)
		return error__set(EINVAL, "the area does not say what it is");
	change.flags = info.flags;
	change.largest = space__largest(&info);
	lock__acquire(&switching);
	begin_switch(spaces, n_spaces);
	cut_ends(spaces, n_spaces, &change);
	err = enter_all(spaces, n_spaces, &change, &n_done);
	finish_all(spaces, n_done, &change, err);
	end_switch(spaces, n_spaces);
	lock__release(&switching);
	return err;
}

/* The walk */

static struct space_region *region_above_locked(struct space *space, uintptr_t *at)
	LOCK_HELD(space->lock)
{
	struct space_region *region = NULL;
	uintptr_t next = *at;

	while (region == NULL && next < AMM_MAXADDR) {
		amm_entry_t *entry = amm_find_addr(&space->map, next);

		region = space__extent_of(entry)->region;
		next = amm_entry_end(entry);
	}
	if (region != NULL && *at < region->start)
		*at = region->start;
	return region;
}

/* The next stretch of a region from `at` on, and no further than `end`. */
static struct space_stretch stretch_locked(struct space *space, struct space_region *region,
	uintptr_t at, uintptr_t end) LOCK_HELD(space->lock)
{
	uintptr_t next = region__granule_end(region, at);
	struct space_stretch stretch = {
		.start = (void *)at,
		.area = space->area,
		.in_use = is_used_locked(space, region, at),
		.hint = hint_locked(space, at, next),
	};

	while (next < end && is_used_locked(space, region, next) == stretch.in_use &&
		hint_locked(space, next, region__granule_end(region, next)) == stretch.hint)
		next = region__granule_end(region, next);
	stretch.size = (next < end ? next : end) - at;
	return stretch;
}

int space__visit(struct space *space, uintptr_t *at, size_t step,
	int (*visit)(const struct space_stretch *stretch, void *arg), void *arg)
{
	struct space_region *region;
	int result = 0;

	lock__acquire(&space->lock);
	if (space->must_rebind)
		space__rebind_locked(space);
	region = region_above_locked(space, at);
	if (region != NULL) {
		uintptr_t end = region->end - *at < step ? region->end : *at + step;

		while (*at < end && result >= 0) {
			struct space_stretch stretch = stretch_locked(space, region, *at, end);

			result = visit(&stretch, arg);
			*at += stretch.size;
		}
		if (result >= 0)
			result = 1;
	}
	lock__release(&space->lock);
	return result;
}

struct space_region *space__pin(struct space *space, uintptr_t at, uintptr_t *start, uintptr_t *end,
	const struct aml_area **area)
{
	struct space_region *region;

	lock__acquire(&space->lock);
	region = region_above_locked(space, &at);
	if (region != NULL) {
		region->n_pins++;
		*start = at;
		*end = region->end;
		*area = space->area;
	}
	lock__release(&space->lock);
	return region;
}

void space__unpin(struct space *space, struct space_region *region)
{
	struct space_region *retired = NULL;
	const struct aml_area *area;
	unsigned flags;

	space__acquire_steady(space);
	area = space->area;
	flags = space->flags;
	/* None where progress forked: this is the child, in which nobody moves pages (space__after_fork). */
	if (region->n_pins != 0)
		region->n_pins--;
	if (region->out == 0 && region != space->empty)
		retired = space__retire_locked(space, region);
	lock__release(&space->lock);
	if (retired != NULL)
		space__give_back(space, retired, area, flags);
}

int space__hint(struct space *space, const void *start, size_t size, enum space_hint hint)
{
	uintptr_t at = (uintptr_t)start, end = at + size;

	if (!space__holds(space, start, size))
		return -EINVAL;
	lock__acquire(&space->lock);
	while (at < end) {
		amm_entry_t *entry = amm_find_addr(&space->map, at);

		/* What has been freed since is nobody's any more. */
		if (amm_entry_flags(entry) & SPACE_EXTENT)
			space__extent_of(entry)->hint = (uint8_t)hint;
		at = amm_entry_end(entry);
	}
	lock__release(&space->lock);
	return 0;
}
