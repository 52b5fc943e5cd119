/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * region.h - one mapping drawn from an area, and which of its granules a strict area has populated.
 *
 * Locking: the space's lock covers everything here. No malloc.
 */
#ifndef HOOKS_REGION_H
#define HOOKS_REGION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "aml.h"
#include "base/pool.h"

enum {
	/* Granules of a region whose presence is told apart; enough for 64 KiB steps in 64 MiB. */
	REGION_GRANULES = 1024,
	REGION_GRANULE_MIN = 64 * 1024,
};

struct space_region {
	struct space_region *next, **link_to_this; /* the space's list */
	uintptr_t start, end;   /* usable bytes */
	size_t mapped;          /* bytes to give back, guard page included */
	size_t out;             /* bytes of extents in it */
	unsigned n_pins;        /* whoever moves its pages without the lock: it must stay */
	int event;              /* what the region_added event answered */
	unsigned colour;        /* SPACE_COLOUR bits of its free space */
	size_t granule;         /* bytes of a presence granule, a power of two */
	const struct aml_area *area; /* refused: who did not take it back, and what that area is */
	unsigned flags;
	uint64_t present[REGION_GRANULES / 64]; /* strict areas: populated and verified */
};

/*
 * Draws a region of `size` bytes, a multiple of the area's page size, into *region: 0 or -ENOMEM. The
 * lazy form takes address space, `wanted` bytes of it where that can be had, and a guard page behind.
 */
int region__map_exact(struct space_region *region, const struct aml_area *area, size_t size);
int region__map_lazy(struct space_region *region, const struct aml_area *area, size_t page_size,
	size_t size, size_t wanted);
/* 0, or -EBUSY: the area did not take it, and it is mapped as before. */
int region__unmap(const struct space_region *region, const struct aml_area *area);

/* Strict areas: populates what of the range is not yet there, a granule at a time or more. */
int region__populate(struct space_region *region, const struct aml_area *area, uintptr_t start,
	uintptr_t end);

/* The granule that holds an address, cut to the region. */
static inline uintptr_t region__granule_start(const struct space_region *region, uintptr_t address)
{
	uintptr_t start = address & ~(region->granule - 1);

	return start < region->start ? region->start : start;
}

static inline uintptr_t region__granule_end(const struct space_region *region, uintptr_t address)
{
	uintptr_t end = (address & ~(region->granule - 1)) + region->granule;

	return end > region->end ? region->end : end;
}

bool region__is_present(const struct space_region *region, uintptr_t address);

/* Notes that the granules of a range are there, or are not. */
void region__set_present(struct space_region *region, uintptr_t start, uintptr_t end, bool present);

/* Gives the pages of one granule back: 0, or negative where the area would not (they stay). */
int region__depopulate(struct space_region *region, const struct aml_area *area, uintptr_t address);

#endif
