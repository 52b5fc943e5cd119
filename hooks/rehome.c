/* SPDX-License-Identifier: BSD-3-Clause */
/* rehome.c - a space whose regions go to another area while extents in them are in use. */
#include <errno.h>

#include "hooks/region.h"
#include "hooks/space.h"
#include "hooks/space_internal.h"

int space__adopt(struct space *space, const struct aml_area *area,
	int (*adopt)(const struct aml_area *area, void *start, size_t size))
{
	const struct aml_area *old = space->area;
	struct space_region *region, *done;
	int err = 0;

	lock__acquire(&space->lock);
	for (region = space->regions; region != NULL && err == 0; region = region->next)
		err = adopt(area, (void *)region->start, region->end - region->start);
	if (err == 0)
		space->area = area;
	/* The one that failed, last, may be half changed. */
	for (done = space->regions; err != 0 && done != region; done = done->next)
		(void)adopt(old, (void *)done->start, done->end - done->start);
	lock__release(&space->lock);
	return err;
}

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

int space__visit(struct space *space, uintptr_t *at, size_t step,
	int (*visit)(void *start, size_t size, void *arg), void *arg)
{
	struct space_region *region;
	int result = 0;

	lock__acquire(&space->lock);
	region = region_above_locked(space, at);
	if (region != NULL) {
		size_t size = region->end - *at < step ? region->end - *at : step;

		result = visit((void *)*at, size, arg);
		*at += size;
		if (result == 0)
			result = 1;
	}
	lock__release(&space->lock);
	return result;
}
