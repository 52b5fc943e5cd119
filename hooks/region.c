/* SPDX-License-Identifier: BSD-3-Clause */
#include "hooks/region.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "base/annotate.h"
#include "base/error.h"

static const size_t GUARD = 4096;

static size_t round_up(size_t size, size_t granule)
{
	return (size + granule - 1) & ~(granule - 1);
}

static void set_range(struct space_region *region, void *start, size_t usable, size_t mapped)
{
	size_t granule = REGION_GRANULE_MIN;

	/* One more than fits: an unaligned region touches one granule more. */
	while (usable / granule >= REGION_GRANULES - 1)
		granule *= 2;
	region->start = (uintptr_t)start;
	region->end = region->start + usable;
	region->mapped = mapped;
	region->granule = granule;
	region->out = 0;
	region->n_pins = 0;
	memset(region->present, 0, sizeof(region->present));
}

static int map(struct space_region *region, const struct aml_area *area, size_t size, size_t guard)
{
	char *start = guard == 0 ? aml_area_mmap(area, NULL, size) :
		aml_area_reserve(area, NULL, size + guard);

	if (start == NULL)
		return -ENOMEM;
	/* The guard's protection is a help against overruns, not something to fail for. */
	if (guard != 0)
		mprotect(start + size, guard, PROT_NONE);
	set_range(region, start, size, size + guard);
	annotate__root_added(start, size);
	return 0;
}

int region__map_exact(struct space_region *region, const struct aml_area *area, size_t size)
{
	return map(region, area, size, 0);
}

int region__map_lazy(struct space_region *region, const struct aml_area *area, size_t page_size,
	size_t size, size_t wanted)
{
	size_t guard = round_up(GUARD, page_size);

	if (size < wanted && map(region, area, round_up(wanted, page_size), guard) == 0)
		return 0;
	return map(region, area, size, guard);
}

int region__unmap(const struct space_region *region, const struct aml_area *area)
{
	annotate__root_removed((void *)region->start, region->end - region->start);
	annotate__released((void *)region->start, region->end - region->start);
	if (aml_area_munmap(area, (void *)region->start, region->mapped) == AML_SUCCESS)
		return 0;
	annotate__root_added((void *)region->start, region->end - region->start);
	return -EBUSY;
}

static size_t granule_index(const struct space_region *region, uintptr_t address)
{
	return address / region->granule - region->start / region->granule;
}

bool region__is_present(const struct space_region *region, uintptr_t address)
{
	size_t i = granule_index(region, address);

	return region->present[i / 64] >> (i % 64) & 1;
}

void region__set_present(struct space_region *region, uintptr_t start, uintptr_t end, bool present)
{
	for (; start < end; start = region__granule_end(region, start)) {
		size_t i = granule_index(region, start);
		uint64_t bit = (uint64_t)1 << (i % 64);

		if (present)
			region->present[i / 64] |= bit;
		else
			region->present[i / 64] &= ~bit;
	}
}

int region__populate(struct space_region *region, const struct aml_area *area, uintptr_t start,
	uintptr_t end)
{
	start = region__granule_start(region, start);
	while (start < end) {
		uintptr_t run = start;

		/* One call for each run of granules that are missing. */
		while (run < end && !region__is_present(region, run))
			run = region__granule_end(region, run);
		if (run != start) {
			if (aml_area_commit(area, (void *)start, run - start) != AML_SUCCESS)
				return -ENOMEM;
			region__set_present(region, start, run, true);
			start = run;
		} else {
			start = region__granule_end(region, start);
		}
	}
	return 0;
}

int region__depopulate(struct space_region *region, const struct aml_area *area, uintptr_t address)
{
	uintptr_t start = region__granule_start(region, address);
	uintptr_t end = region__granule_end(region, address);

	if (aml_area_decommit(area, (void *)start, end - start) != AML_SUCCESS)
		return -ENOTSUP;
	region__set_present(region, start, end, false);
	return 0;
}
