/* SPDX-License-Identifier: BSD-3-Clause */
/* space_internal.h - what the files that make up spaces share (space*.c, extents.c, rehome.c). */
#ifndef HOOKS_SPACE_INTERNAL_H
#define HOOKS_SPACE_INTERNAL_H

#include "hooks/owner.h"
#include "hooks/region.h"
#include "hooks/space.h"

/* What the page map says of free space. */
#ifdef SITUS_CHECKING
#define SPACE_NOBODY OWNER_GONE
#else
#define SPACE_NOBODY 0
#endif

/* Of SPACE_COLOUR: the colours are 0, one unit and two. */
enum { SPACE_COLOUR_UNIT = 0x10, SPACE_COLOURS = 3 };

static inline struct space_extent *space__extent_of(const amm_entry_t *entry)
{
	/* The entry is the extent's first member. */
	return (struct space_extent *)(uintptr_t)entry;
}

/*
 * Tags [start, start + size) in the map: one entry of `flags` that belongs to `region`, `born` as in
 * struct space_extent. 0, or -ENOMEM and nothing changed.
 */
int space__tag_locked(struct space *space, uintptr_t start, size_t size, int flags,
	struct space_region *region, uint32_t born) LOCK_HELD(space->lock);

/* Which link of a chain serves an extent, by its first byte; 0 where the area is no chain. */
static inline unsigned space__link(const struct space *space, const void *start)
{
	int link = space->area->ops->link == NULL ? 0 : aml_area_link(space->area, start);

	return link < 0 ? 0 : (unsigned)link;
}

/* Records that there is no memory for the map, and returns -ENOMEM. */
int space__no_books(void);

/* Draws a region with room for `size` bytes. 0 or a negative errno. */
int space__add_region_locked(struct space *space, size_t size) LOCK_HELD(space->lock);

/* Gives a lazy area back what a region has from `at` on, where nothing is out. What stands in the way of that
   leaves the region as it was. */
void space__cut_locked(struct space *space, struct space_region *region, uintptr_t at)
	LOCK_HELD(space->lock);

/* Back to the area: 0 or a negative errno. `area`, `flags`: the space's when the region was drawn, or when it
   left the space. */
int space__unmap_region(struct space *space, struct space_region *region, const struct aml_area *area,
	unsigned flags);

/* The map's flags of a region's free space, as fresh from the area. */
int space__fresh_flags(const struct space *space, const struct space_region *region);

/* Bytes of free space in a range that are not known to be zero. */
size_t space__dirty_bytes_locked(struct space *space, uintptr_t start, size_t size)
	LOCK_HELD(space->lock);

/* Charges the account, or says that the limit does not allow it; and the other way round. */
int space__charge(struct space *space, size_t size);
void space__discharge(struct space *space, size_t size);

/* Does any extent lie in the range? */
bool space__in_use_locked(struct space *space, uintptr_t start, uintptr_t end)
	LOCK_HELD(space->lock);

/* What a space of these flags would have charged to its account. */
size_t space__drawn_locked(const struct space *space, unsigned flags) LOCK_HELD(space->lock);

/* Bytes an extent of an area may have. */
size_t space__largest(const struct aml_area_info *info);

/* In the child of a fork that came while the area changed. */
void space__rebind_locked(struct space *space) LOCK_HELD(space->lock);

/* What is left of an emptied region is taken from the map; NULL: it stays. space__give_back returns it
   to the area, which is `area` with `flags` when it was taken, with no lock held. */
struct space_region *space__retire_locked(struct space *space, struct space_region *region)
	LOCK_HELD(space->lock);
void space__give_back(struct space *space, struct space_region *region, const struct aml_area *area,
	unsigned flags);

/* The lock, when the area is not about to change: for whoever draws or gives back. */
void space__acquire_steady(struct space *space) LOCK_ACQUIRE(space->lock);

/* Around giving pages back without the lock: the area stays what it is in between. */
void space__begin_purge(struct space *space);
void space__end_purge(struct space *space);

/* Strict areas: the pages of granules that hold nothing committed any more go back to the node. */
void space__depopulate_locked(struct space *space, struct space_region *region, uintptr_t start,
	uintptr_t end) LOCK_HELD(space->lock);

#endif
