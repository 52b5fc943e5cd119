/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * space_fork.c - a space in the child of a fork.
 *
 * The map is whole at every instant (AMM_FORK), and so are the pools. What another thread was in
 * the middle of, between the map's change and its books, is mended from the map; memory that thread
 * was about to get or to give back may stay out. A space whose lock was free needs nothing.
 */
#include "base/pagemap.h"
#include "hooks/owner.h"
#include "hooks/space_internal.h"

/* Counts a region's extents anew and enters what the page map misses; false: not in the map. */
static bool mend_region(struct space *space, struct space_region *region)
{
	uint32_t number = owner__number(space->word);

	region->out = 0;
	for (uintptr_t at = region->start; at < region->end;) {
		amm_entry_t *entry = amm_find_addr(&space->map, at);
		int flags = amm_entry_flags(entry);
		size_t size = amm_entry_size(entry);

		if (space__extent_of(entry)->region != region)
			return false;
		if (flags & SPACE_EXTENT) {
			region->out += size;
			space->n_extents++;
			if (owner__number(pagemap__get((void *)at)) != number ||
				owner__number(pagemap__get((char *)at + size - 1)) != number)
				pagemap__fill((void *)at, size, space->word);
		} else {
			if (!(flags & SPACE_CLEAN))
				space->dirty_free += size;
			pagemap__fill((void *)at, size, 0);
		}
		at = amm_entry_end(entry);
	}
	return true;
}

static void mend(struct space *space) LOCK_UNCHECKED
{
	struct space_region **link = &space->regions;

	space->size_out = 0;
	space->dirty_free = 0;
	space->n_extents = 0;
	space->empty = NULL;
	while (*link != NULL) {
		struct space_region *region = *link;

		if (mend_region(space, region)) {
			space->size_out += region->out;
			region->link_to_this = link;
			link = &region->next;
		} else {
			*link = region->next; /* on its way in or out: lost to this process */
		}
	}
}

/* Whoever moved pages is gone. Regions that were emptied meanwhile wait for another free. */
static void unpin_all(struct space *space) LOCK_UNCHECKED
{
	for (struct space_region *region = space->regions; region != NULL; region = region->next)
		region->n_pins = 0;
}

/* The area had changed or had not; what follows from it is asked anew. Policies wait until somebody needs
   them: the areas' locks may not have been reset yet. */
static void mend_switch(struct space *space) LOCK_UNCHECKED
{
	struct aml_area_info info = {.struct_size = sizeof(info)};

	if (aml_area_info(space->area, &info) == AML_SUCCESS) {
		space->flags = info.flags;
		space->largest = space__largest(&info);
	}
	space->must_rebind = true;
}

void space__after_fork(struct space *space)
{
	bool interrupted = lock__is_held(&space->lock);

	lock__reset(&space->lock);
	atomic_store(&space->n_purging, 0);
	atomic_store(&space->n_waiting, 0);
	if (atomic_exchange(&space->is_switching, false))
		mend_switch(space);
	if (!interrupted) {
		unpin_all(space);
		return;
	}
	pool__after_fork(&space->extents);
	pool__after_fork(&space->regions_pool);
	space->is_merging = false;
	(void)amm_after_fork(&space->map);
	mend(space);
	unpin_all(space);
}
