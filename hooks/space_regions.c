/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * space_regions.c - the regions of a space: drawn from its area, given back to it.
 *
 * A region is in the space's list before it is in the map, and leaves the map before the list, so that the child
 * of a fork can give back whatever it finds in the map. One that the area did not take back stands in
 * the list of refused ones, mapped and charged, until it is offered again.
 *
 * Locking: drawing happens under the space's lock, giving back without it, when nothing knows the region any
 * more. A failure leaves the list, the map and the account as they were.
 */
#include <errno.h>

#include "base/annotate.h"
#include "base/error.h"
#include "base/pagemap.h"
#include "hooks/space_internal.h"

enum {
	/* Address space only, on lazy areas: large enough that one kernel mapping serves many extents. */
	LAZY_REGION = 64 * 1024 * 1024,
	/* Where a mapping is charged in full: enough that slabs do not cost a call each. */
	PAID_REGION = 2 * 1024 * 1024,
};

/* A colour that neither neighbour of [start, end) has, so that free space never spans two regions. */
static unsigned pick_colour_locked(struct space *space, uintptr_t start, uintptr_t end)
	LOCK_HELD(space->lock)
{
	struct space_extent *below = space__extent_of(amm_find_addr(&space->map, start - 1));
	struct space_extent *above = space__extent_of(amm_find_addr(&space->map, end));
	unsigned colour = 0;

	while ((below->region != NULL && below->region->colour == colour) ||
		(above->region != NULL && above->region->colour == colour))
		colour += SPACE_COLOUR_UNIT;
	return colour;
}

int space__fresh_flags(const struct space *space, const struct space_region *region)
{
	return SPACE_FREE | (int)region->colour | (space->flags & AML_AREA_ZEROED ? SPACE_CLEAN : 0);
}

static void link_region_locked(struct space *space, struct space_region *region)
	LOCK_HELD(space->lock)
{
	region->next = space->regions;
	if (region->next != NULL)
		region->next->link_to_this = &region->next;
	region->link_to_this = &space->regions;
	space->regions = region;
}

static void unlink_region_locked(struct space_region *region)
{
	*region->link_to_this = region->next;
	if (region->next != NULL)
		region->next->link_to_this = region->link_to_this;
}

static int map_charged(struct space *space, struct space_region *region, size_t size)
{
	int err = space__charge(space, size);

	if (err != 0)
		return err;
	err = region__map_exact(region, space->area, size);
	if (err != 0)
		space__discharge(space, size);
	return err;
}

/* Draws a region with room for `size` bytes, larger where that is cheaper in the long run. */
static int map_region(struct space *space, struct space_region *region, size_t size)
{
	size_t page_mask = space->page_size - 1;
	int err = -ENOMEM;

	size = (size + page_mask) & ~page_mask;
	if (space->flags & AML_AREA_LAZY)
		return region__map_lazy(region, space->area, space->page_size, size, LAZY_REGION);
	if (size < PAID_REGION)
		err = map_charged(space, region, PAID_REGION & ~page_mask ? PAID_REGION : size);
	return err == 0 ? 0 : map_charged(space, region, size);
}

static void announce(struct space *space, struct space_region *region)
{
	const struct space_events *events = space->account->events;

	region->event = -1;
	if (events != NULL && events->region_added != NULL)
		region->event = events->region_added(space->account, (void *)region->start,
			region->end - region->start);
}

static void announce_removal(struct space *space, const struct space_region *region)
{
	if (space->account->events != NULL && space->account->events->region_removed != NULL)
		space->account->events->region_removed(space->account, region->event);
}

int space__unmap_region(struct space *space, struct space_region *region, const struct aml_area *area,
	unsigned flags)
{
	int err;

	if (SPACE_NOBODY != 0)
		pagemap__fill((void *)region->start, region->end - region->start, 0);
	announce_removal(space, region);
	err = region__unmap(region, area);
	if (err != 0)
		announce(space, region);
	else if (!(flags & AML_AREA_LAZY))
		space__discharge(space, region->end - region->start);
	return err;
}

static void remember_refused_locked(struct space *space, struct space_region *region,
	const struct aml_area *area, unsigned flags) LOCK_HELD(space->lock)
{
	region->area = area;
	region->flags = flags;
	region->next = space->refused;
	space->refused = region;
	/* Where the books have no room it is on the list alone. */
	(void)space__tag_locked(space, region->start, region->end - region->start, SPACE_REFUSED, NULL,
		0);
}

/* Under the lock, as drawing is: it hardly ever has anything to do. */
static void offer_refused_locked(struct space *space) LOCK_HELD(space->lock)
{
	struct space_region **link = &space->refused;

	while (*link != NULL) {
		struct space_region *region = *link;

		if (space__unmap_region(space, region, region->area, region->flags) != 0) {
			link = &region->next;
			continue;
		}
		*link = region->next;
		/* Where the books have no room the entry waits for the next region there. */
		(void)space__tag_locked(space, region->start, region->end - region->start, SPACE_OUTSIDE,
			NULL, 0);
		pool__put(&space->regions_pool, region);
	}
}

int space__add_region_locked(struct space *space, size_t size)
{
	struct space_region *region;
	int err;

	offer_refused_locked(space);
	region = pool__get(&space->regions_pool);
	if (region == NULL)
		return space__no_books();
	space__refusal = SPACE_REFUSED_AREA;
	err = map_region(space, region, size);
	if (err != 0)
		goto put;
	err = pagemap__prepare((void *)region->start, region->end - region->start);
	if (err != 0) {
		error__set(-err, "the area's address %p is beyond what can be managed",
			(void *)region->start);
		goto unmap;
	}
	region->colour = pick_colour_locked(space, region->start, region->end);
	/* In the list before it is in the map: what a fork's child finds in the map it can give back. */
	link_region_locked(space, region);
	err = space__tag_locked(space, region->start, region->end - region->start,
		space__fresh_flags(space, region), region, 0);
	if (err != 0)
		goto unlink;
	if (!(space->flags & AML_AREA_ZEROED))
		space->dirty_free += region->end - region->start;
	announce(space, region);
	return 0;
unlink:
	unlink_region_locked(region);
unmap:
	region->event = -1;
	if (space__unmap_region(space, region, space->area, space->flags) != 0) {
		remember_refused_locked(space, region, space->area, space->flags);
		return err;
	}
put:
	pool__put(&space->regions_pool, region);
	return err;
}

void space__cut_locked(struct space *space, struct space_region *region, uintptr_t at)
{
	size_t size = region->end - at;
	size_t dirty = space->dirty_free == 0 ? 0 : space__dirty_bytes_locked(space, at, size);
	struct space_region *rest = pool__get(&space->regions_pool);

	if (rest == NULL)
		return;
	*rest = *region;
	rest->start = at;
	rest->mapped -= at - region->start;
	rest->event = -1;
	error__keep();
	/* Before the map's change: the child of a fork looks no further than the region's end. */
	region->end = at;
	if (space__tag_locked(space, at, size, SPACE_OUTSIDE, NULL, 0) != 0) {
		region->end = rest->end;
		goto put;
	}
	region->mapped = at - region->start;
	space->dirty_free -= dirty;
	annotate__root_removed((void *)region->start, rest->end - region->start);
	annotate__root_added((void *)region->start, at - region->start);
	annotate__root_added((void *)at, size);
	announce_removal(space, region);
	announce(space, region);
	if (space__unmap_region(space, rest, space->area, space->flags) != 0) {
		remember_refused_locked(space, rest, space->area, space->flags);
		goto settle;
	}
put:
	pool__put(&space->regions_pool, rest);
settle:
	error__settle(true);
}

/* What is left of an emptied region is one free entry, whatever its parts were. */
struct space_region *space__retire_locked(struct space *space, struct space_region *region)
{
	size_t size = region->end - region->start;
	size_t dirty = space->dirty_free == 0 ? 0 : space__dirty_bytes_locked(space, region->start, size);

	if (region->n_pins != 0)
		return NULL;
	if ((space->flags & AML_AREA_LAZY) && dirty == 0 && space->empty == NULL) {
		space->empty = region;
		return NULL;
	}
	if (space__tag_locked(space, region->start, size, SPACE_OUTSIDE, NULL, 0) != 0)
		return NULL;
	space->dirty_free -= dirty;
	unlink_region_locked(region);
	return region;
}

void space__give_back(struct space *space, struct space_region *region, const struct aml_area *area,
	unsigned flags)
{
	int err;

	error__keep();
	err = space__unmap_region(space, region, area, flags);
	lock__acquire(&space->lock);
	if (err == 0)
		pool__put(&space->regions_pool, region);
	else
		remember_refused_locked(space, region, area, flags);
	lock__release(&space->lock);
	error__settle(true);
}
