/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * extents.c - what happens to extents while jemalloc holds them: states, splits, merges, and the
 * walk over them. Placing and taking back is space.c's, regions are space_regions.c's.
 */
#include <errno.h>

#include "amm/map.h"
#include "base/pagemap.h"
#include "hooks/owner.h"
#include "hooks/region.h"
#include "hooks/space.h"
#include "hooks/space_internal.h"

enum {
	GROWTH_FROM = 512 * 1024,  /* bytes drawn: a heap in light use has what it needs, and no more */
	GROWTH_ROOM = 8,           /* times that much must be free below a limit */
	GROWTH_BACK = 4,           /* less than that part of it has come back: the heap is at its peak */
	GROWTH_AGAIN = 8 * 1024 * 1024, /* bytes above its trough that it may grow again */
};

/* Also of spaces that are about to switch: what follows from it asks space__purge, which knows. */
bool space__is_purgeable(const struct space *space) LOCK_UNCHECKED
{
	unsigned flags = __atomic_load_n(&space->flags, __ATOMIC_RELAXED);

	return (flags & (AML_AREA_LAZY | AML_AREA_ZEROED | AML_AREA_COMMIT)) ==
		(AML_AREA_LAZY | AML_AREA_ZEROED);
}

/*
 * What jemalloc does not use of a piece it keeps when the rest has come back, so a heap that draws and gives back in
 * turn would be left with that much more each time. So it grows ahead where it never was, and again within a few
 * pieces of the least it had since: what is left behind adds up to these at most.
 */
static bool is_new_or_near_trough(struct space_account *account, size_t drawn, size_t size)
{
	size_t peak = atomic_load_explicit(&account->peak, memory_order_relaxed);

	if (drawn >= peak || peak - drawn <= size / GROWTH_BACK) {
		atomic_store_explicit(&account->trough, drawn + size, memory_order_relaxed);
		return true;
	}
	return drawn + size <= atomic_load_explicit(&account->trough, memory_order_relaxed) + GROWTH_AGAIN;
}

bool space__may_grow_ahead(struct space *space, size_t size)
{
	size_t limit = atomic_load_explicit(&space->account->limit, memory_order_relaxed);
	size_t drawn = atomic_load_explicit(&space->account->drawn, memory_order_relaxed);

	return space__is_purgeable(space) && size <= SPACE_GROWTH_MAX && drawn >= GROWTH_FROM &&
		(limit == 0 || (drawn < limit && (limit - drawn) / GROWTH_ROOM >= size)) &&
		is_new_or_near_trough(space->account, drawn, size);
}

int space__purge(struct space *space, void *start, size_t size) LOCK_UNCHECKED
{
	int err = -ENOTSUP;

	space__begin_purge(space);
	if (!(space->flags & AML_AREA_COMMIT) && (space->flags & AML_AREA_ZEROED) &&
		aml_area_purge(space->area, start, size) == AML_SUCCESS)
		err = 0;
	space__end_purge(space);
	return err;
}

void space__split(struct space *space, void *start, size_t head_size, size_t tail_size)
{
	lock__acquire(&space->lock);
	(void)amm_select(&space->map, (amm_addr_t)start + head_size, tail_size);
	lock__release(&space->lock);
}

int space__merge(struct space *space, void *head, size_t head_size, size_t tail_size)
{
	int err;

	(void)tail_size;
	lock__acquire(&space->lock);
	/* Regions go back to the area one by one, so no extent may span two: see join_entries. */
	space->is_merging = true;
	err = -map__join_at(&space->map, (amm_addr_t)head + head_size);
	space->is_merging = false;
	lock__release(&space->lock);
	return err;
}

size_t space__extent_size(struct space *space, const void *start)
{
	size_t size = 0;

	lock__acquire(&space->lock);

	amm_entry_t *entry = amm_find_addr(&space->map, (amm_addr_t)start);

	if ((amm_entry_flags(entry) & SPACE_EXTENT) && amm_entry_start(entry) == (amm_addr_t)start)
		size = amm_entry_size(entry);
	lock__release(&space->lock);
	return size;
}

size_t space__size_mapped(struct space *space)
{
	size_t size;

	lock__acquire(&space->lock);
	size = space__drawn_locked(space, 0); /* as areas charge that charge regions */
	lock__release(&space->lock);
	return size;
}

size_t space__drawn_locked(const struct space *space, unsigned flags)
{
	size_t size = 0;

	/* Whatever the area is now, these were charged to the last. */
	for (struct space_region *region = space->refused; region != NULL; region = region->next)
		if (!(region->flags & AML_AREA_LAZY))
			size += region->end - region->start;
	if (flags & AML_AREA_LAZY)
		return size + space->size_out;
	for (struct space_region *region = space->regions; region != NULL; region = region->next)
		size += region->end - region->start;
	return size;
}

size_t space__drawn(struct space *space)
{
	size_t drawn;

	lock__acquire(&space->lock);
	drawn = space__drawn_locked(space, space->flags);
	lock__release(&space->lock);
	return drawn;
}

size_t space__size_out(struct space *space)
{
	size_t out;

	lock__acquire(&space->lock);
	out = space->size_out;
	lock__release(&space->lock);
	return out;
}

size_t space__n_extents(struct space *space)
{
	size_t n;

	lock__acquire(&space->lock);
	n = space->n_extents;
	lock__release(&space->lock);
	return n;
}

bool space__next_region(struct space *space, uintptr_t *at, uintptr_t *start, uintptr_t *end)
{
	const struct space_region *found = NULL;

	lock__acquire(&space->lock);
	while (found == NULL && *at < AMM_MAXADDR) {
		amm_entry_t *entry = amm_find_addr(&space->map, *at);

		found = space__extent_of(entry)->region;
		*at = amm_entry_end(entry);
	}
	if (found != NULL) {
		*start = found->start;
		*at = *end = found->end;
	}
	lock__release(&space->lock);
	return found != NULL;
}

bool space__holds(struct space *space, const void *start, size_t size)
{
	amm_addr_t at = (amm_addr_t)start, end = at + size;
	bool holds = size != 0 && end > at;

	lock__acquire(&space->lock);
	while (holds && at < end) {
		amm_entry_t *entry = amm_find_addr(&space->map, at);

		holds = amm_entry_flags(entry) & SPACE_EXTENT;
		at = amm_entry_end(entry);
	}
	lock__release(&space->lock);
	return holds;
}

/* Finds the first extent at or above *at and moves *at past it. */
static bool next_extent(struct space *space, amm_addr_t *at, struct space_extent_info *info)
{
	bool found = false;

	lock__acquire(&space->lock);
	while (!found && *at < AMM_MAXADDR) {
		amm_entry_t *entry = amm_find_addr(&space->map, *at);
		amm_addr_t start = *at > amm_entry_start(entry) ? *at : amm_entry_start(entry);

		*at = amm_entry_end(entry);
		if (amm_entry_flags(entry) & SPACE_EXTENT) {
			found = true;
			info->start = (const void *)start;
			info->size = *at - start;
			info->state = amm_entry_flags(entry);
			info->link = space__link(space, info->start);
			info->hint = space__extent_of(entry)->hint;
		}
	}
	lock__release(&space->lock);
	return found;
}

int space__iterate(struct space *space,
	int (*callback)(const struct space_extent_info *, void *arg), void *arg)
{
	struct space_extent_info info;
	amm_addr_t at = AMM_MINADDR;
	int stop = 0;

	while (stop == 0 && next_extent(space, &at, &info))
		stop = callback(&info, arg);
	return stop;
}

/* One region's part of the invariants. */
static int check_region_locked(struct space *space, const struct space_region *region, size_t *dirty,
	size_t *n_extents) LOCK_HELD(space->lock)
{
	uintptr_t at = region->start;
	size_t out = 0;

	while (at < region->end) {
		amm_entry_t *entry = amm_find_addr(&space->map, at);
		int flags = amm_entry_flags(entry);
		bool is_extent = flags & SPACE_EXTENT;
		uint32_t word = is_extent ? space->word : 0;

		if (amm_entry_start(entry) != at || amm_entry_end(entry) > region->end ||
			space__extent_of(entry)->region != region)
			return -EINVAL;
		*n_extents += is_extent;
		if (is_extent)
			out += amm_entry_size(entry);
		else if ((flags & SPACE_COLOUR) != (int)region->colour || !(flags & SPACE_FREE))
			return -EINVAL;
		else if (!(flags & SPACE_CLEAN))
			*dirty += amm_entry_size(entry);
		/* Floors above add a class to the owner in the low byte. */
		if (owner__number(pagemap__get((void *)at)) != owner__number(word))
			return -EINVAL;
		at = amm_entry_end(entry);
	}
	return out == region->out ? 0 : -EINVAL;
}

int space__check(struct space *space)
{
	size_t out = 0, dirty = 0, n_extents = 0;
	int err;

	lock__acquire(&space->lock);
	err = amm_check(&space->map) == 0 ? 0 : -EINVAL;
	for (struct space_region *region = space->regions; err == 0 && region != NULL;
		region = region->next) {
		err = check_region_locked(space, region, &dirty, &n_extents);
		out += region->out;
	}
	if (err == 0 && (out != space->size_out || dirty != space->dirty_free ||
		n_extents != space->n_extents))
		err = -EINVAL;
	lock__release(&space->lock);
	return err;
}
