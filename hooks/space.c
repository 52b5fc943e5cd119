/* SPDX-License-Identifier: BSD-3-Clause */
#include "hooks/space.h"

#include <errno.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <time.h>

#include "base/annotate.h"
#include "base/error.h"
#include "base/pagemap.h"
#include "hooks/space_internal.h"

enum {
	/* A modify replaces one entry by three and hands in one of its own. */
	SPARE_EXTENTS = 4,
	PAGE = 4096,
};

static uint32_t now_ms(void)
{
	struct timespec now;

	/* Coarse: a few nanoseconds. */
	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return (uint32_t)(now.tv_sec * 1000 + now.tv_nsec / 1000000);
}

int space__no_books(void)
{
	space__refusal = SPACE_REFUSED_BOOKS;
	return error__set(ENOMEM, "no memory for the address map");
}

static struct space *space_of(amm_t *map)
{
	return (struct space *)(void *)((char *)map - offsetof(struct space, map));
}

static amm_entry_t *alloc_entry(amm_t *map, amm_addr_t address, amm_size_t size, int flags)
{
	struct space_extent *extent = pool__get(&space_of(map)->extents);

	(void)address, (void)size, (void)flags;
	if (extent == NULL)
		return NULL;
	memset(extent, 0, sizeof(*extent));
	return &extent->entry;
}

static void free_entry(amm_t *map, amm_entry_t *entry)
{
	if (amm_entry_flags(entry) & SPACE_EXTENT)
		space_of(map)->n_extents--;
	pool__put(&space_of(map)->extents, entry);
}

static int split_entry(amm_t *map, amm_entry_t *entry, amm_addr_t at, amm_entry_t **head,
	amm_entry_t **tail)
{
	amm_entry_t *rest = alloc_entry(map, at, 0, 0);

	if (rest == NULL)
		return ENOMEM;
	space__extent_of(rest)->region = space__extent_of(entry)->region;
	space__extent_of(rest)->born = space__extent_of(entry)->born;
	space__extent_of(rest)->hint = space__extent_of(entry)->hint;
	if (amm_entry_flags(entry) & SPACE_EXTENT)
		space_of(map)->n_extents++;
	*head = entry;
	*tail = rest;
	return 0;
}

/* Extents are joined by jemalloc's merge only, and nothing across regions. */
static int join_entries(amm_t *map, amm_entry_t *head, amm_entry_t *tail, amm_entry_t **joined)
{
	if (((amm_entry_flags(head) & SPACE_EXTENT) && !space_of(map)->is_merging) ||
		space__extent_of(head)->region != space__extent_of(tail)->region)
		return EBUSY;
	/* What the program said of one part only does not hold for the whole. */
	if (space__extent_of(head)->hint != space__extent_of(tail)->hint)
		space__extent_of(head)->hint = SPACE_HINT_NONE;
	*joined = head;
	return 0;
}

int space__tag_locked(struct space *space, uintptr_t start, size_t size, int flags,
	struct space_region *region, uint32_t born)
{
	struct space_extent *extent;

	if (pool__reserve(&space->extents, SPARE_EXTENTS) != 0)
		return space__no_books();
	extent = pool__get(&space->extents);
	memset(extent, 0, sizeof(*extent));
	extent->region = region;
	extent->born = born;
	if (amm_modify(&space->map, start, size, flags, &extent->entry) != 0) {
		pool__put(&space->extents, extent);
		return space__no_books();
	}
	space->n_extents += (flags & SPACE_EXTENT) != 0;
	return 0;
}

/*
 * Lazy areas would promise any size, and the page map pays a word for each page of it. No place has more
 * than it says, or than the machine has memory and swap.
 */
size_t space__largest(const struct aml_area_info *info)
{
	struct sysinfo machine;
	size_t memory;

	if (!(info->flags & AML_AREA_LAZY) || sysinfo(&machine) != 0)
		return SIZE_MAX;
	memory = ((size_t)machine.totalram + machine.totalswap) * machine.mem_unit;
	return info->capacity > memory ? info->capacity : memory;
}

int space__init(struct space *space, const struct aml_area *area, uint32_t word,
	struct space_account *account)
{
	struct aml_area_info info = {.struct_size = sizeof(info)};
	int err = aml_area_info(area, &info);

	if (err != AML_SUCCESS)
		return -EINVAL;
	memset(space, 0, sizeof(*space));
	space->area = area;
	space->account = account;
	space->page_size = info.page_size < PAGE ? PAGE : info.page_size;
	space->flags = info.flags;
	space->word = word;
	space->largest = space__largest(&info);
	lock__init(&space->lock);
	pool__init(&space->extents, sizeof(struct space_extent));
	pool__init(&space->regions_pool, sizeof(struct space_region));
	/* It survives fork at any instant: see space__after_fork. */
	err = amm_init_with(&space->map, AMM_FORK, SPACE_OUTSIDE, NULL, alloc_entry, free_entry,
		split_entry, join_entries);
	if (err != 0) {
		pool__destroy(&space->extents);
		return error__set(err, "no memory for the address map");
	}
	return 0;
}

static int disown(amm_t *map, amm_entry_t *entry, void *arg)
{
	(void)map, (void)arg;
	pagemap__fill((void *)amm_entry_start(entry), amm_entry_size(entry), 0);
	return 0;
}

/* Extents still out are nobody's from now on; that comes before others can get their addresses. */
static void close_space(struct space *space) LOCK_UNCHECKED
{
	space->is_closed = true;
	if (space->flags & AML_AREA_LAZY)
		space__discharge(space, space->size_out);
	space->size_out = 0;
	(void)amm_iterate_gen(&space->map, disown, NULL, AMM_MINADDR, AMM_MAXADDR, SPACE_EXTENT,
		SPACE_EXTENT);
	for (struct space_region *region = space->regions, *next; region != NULL; region = next) {
		next = region->next;
		region->area = space->area;
		region->flags = space->flags;
		region->next = space->refused;
		space->refused = region;
	}
	space->regions = NULL;
}

/* Nobody else knows the space any more. */
int space__destroy(struct space *space) LOCK_UNCHECKED
{
	if (!space->is_closed)
		close_space(space);
	for (struct space_region **link = &space->refused; *link != NULL;) {
		struct space_region *region = *link;

		if (space__unmap_region(space, region, region->area, region->flags) == 0)
			*link = region->next;
		else
			link = &region->next;
	}
	if (space->refused != NULL)
		return error__set(EBUSY, "the area does not take %zu bytes at %p back: %s",
			space->refused->mapped, (void *)space->refused->start, error__text());
	amm_destroy(&space->map);
	pool__destroy(&space->extents);
	pool__destroy(&space->regions_pool);
	return 0;
}

static amm_entry_t *find_locked(struct space *space, amm_addr_t *at, size_t size,
	unsigned align_bits, int find_flags) LOCK_HELD(space->lock)
{
	const int clean = space->flags & AML_AREA_ZEROED ? SPACE_CLEAN : 0;
	amm_entry_t *entry = NULL;

	for (int i = 0; i < SPACE_COLOURS && entry == NULL; i++)
		entry = amm_find_gen(&space->map, at, size, SPACE_FREE | clean | i * SPACE_COLOUR_UNIT, -1,
			(int)align_bits, 0, find_flags);
	/* Space of which nobody knows what it holds, alone or beside clean space. */
	for (int i = 0; i < SPACE_COLOURS && entry == NULL && space->dirty_free != 0; i++)
		entry = amm_find_gen(&space->map, at, size, SPACE_FREE | i * SPACE_COLOUR_UNIT, ~SPACE_CLEAN,
			(int)align_bits, 0, find_flags);
	return entry;
}

static amm_entry_t *place_locked(struct space *space, void *want, size_t size, size_t alignment,
	amm_addr_t *at) LOCK_HELD(space->lock)
{
	unsigned align_bits = (unsigned)__builtin_ctzl(alignment);
	amm_entry_t *entry;

	if (want != NULL) {
		*at = (amm_addr_t)want;
		return find_locked(space, at, size, 0, AMM_EXACT_ADDR);
	}
	*at = AMM_MINADDR;
	entry = find_locked(space, at, size, align_bits, AMM_FORWARD | AMM_BESTFIT);
	if (entry != NULL)
		return entry;

	/* A region may start anywhere on a page, so a larger alignment costs room. */
	size_t slack = alignment > space->page_size ? alignment - space->page_size : 0;

	if (size > SIZE_MAX / 4 || slack > SIZE_MAX / 4)
		error__set(ENOMEM, "%zu bytes aligned to %zu: too large", size, alignment);
	else if (space__add_region_locked(space, size + slack) == 0)
		entry = find_locked(space, at, size, align_bits, AMM_FORWARD | AMM_BESTFIT);
	if (entry != NULL)
		error__clear(); /* that no region had room is no failure any more */
	return entry;
}

size_t space__dirty_bytes_locked(struct space *space, uintptr_t start, size_t size)
{
	uintptr_t end = start + size;
	size_t dirty = 0;

	while (start < end) {
		amm_entry_t *entry = amm_find_addr(&space->map, start);
		uintptr_t stop = amm_entry_end(entry) < end ? amm_entry_end(entry) : end;

		if ((amm_entry_flags(entry) & (SPACE_FREE | SPACE_CLEAN)) == SPACE_FREE)
			dirty += stop - start;
		start = stop;
	}
	return dirty;
}

bool space__in_use_locked(struct space *space, uintptr_t start, uintptr_t end)
{
	while (start < end) {
		amm_entry_t *entry = amm_find_addr(&space->map, start);

		if (amm_entry_flags(entry) & SPACE_EXTENT)
			return true;
		start = amm_entry_end(entry);
	}
	return false;
}

/* Free space inside one granule whose pages are gone reads as zeros when it comes back. */
static void mark_clean_locked(struct space *space, struct space_region *region, uintptr_t start,
	uintptr_t end) LOCK_HELD(space->lock)
{
	while (start < end) {
		amm_entry_t *entry = amm_find_addr(&space->map, start);
		uintptr_t stop = amm_entry_end(entry) < end ? amm_entry_end(entry) : end;

		if ((amm_entry_flags(entry) & (SPACE_FREE | SPACE_CLEAN)) == SPACE_FREE &&
			space__tag_locked(space, start, stop - start, space__fresh_flags(space, region), region, 0) == 0)
			space->dirty_free -= stop - start;
		start = stop;
	}
}

void space__depopulate_locked(struct space *space, struct space_region *region, uintptr_t start,
	uintptr_t end)
{
	uintptr_t at = region__granule_start(region, start);

	for (; at < end; at = region__granule_end(region, at)) {
		uintptr_t stop = region__granule_end(region, at);

		if (region__is_present(region, at) && !space__in_use_locked(space, at, stop))
			if (region__depopulate(region, space->area, at) != 0)
				continue;
		if (!region__is_present(region, at))
			mark_clean_locked(space, region, at, stop);
	}
}

static void *alloc_locked(struct space *space, void *want, size_t size, size_t alignment, bool *zero)
	LOCK_HELD(space->lock)
{
	const bool strict = space->flags & AML_AREA_COMMIT;
	amm_addr_t at;
	amm_entry_t *entry;

	if (space->must_rebind)
		space__rebind_locked(space);
	if (size > space->largest) {
		error__set(ENOMEM, "%zu bytes in one piece: the place has %zu in all", size, space->largest);
		return NULL;
	}
	entry = place_locked(space, want, size, alignment, &at);
	if (entry == NULL)
		return NULL;

	struct space_region *region = space__extent_of(entry)->region;
	size_t dirty = space->dirty_free == 0 ? 0 : space__dirty_bytes_locked(space, at, size);

	/* Where a strict area can still say no. */
	if (strict && region__populate(region, space->area, at, at + size) != 0) {
		space__refusal = SPACE_REFUSED_AREA;
		goto depopulate;
	}
	if (space__tag_locked(space, at, size, SPACE_EXTENT, region, now_ms()) != 0)
		goto depopulate;
	if (space__link(space, (void *)at) > 0)
		atomic_fetch_add_explicit(&space->account->n_fallbacks, 1, memory_order_relaxed);
	region->out += size;
	if (space->empty == region)
		space->empty = NULL;
	space->dirty_free -= dirty;
	space->size_out += size;
	pagemap__fill((void *)at, size, space->word);
	*zero = dirty == 0;
	return (void *)at;
depopulate:
	if (strict)
		space__depopulate_locked(space, region, at, at + size);
	return NULL;
}

/* Where extents are what is charged, before the area is asked for anything. */
static void *alloc_charged_locked(struct space *space, void *want, size_t size, size_t alignment,
	bool *zero) LOCK_HELD(space->lock)
{
	void *start;

	if (!(space->flags & AML_AREA_LAZY))
		return alloc_locked(space, want, size, alignment, zero);
	if (space__charge(space, size) != 0)
		return NULL;
	start = alloc_locked(space, want, size, alignment, zero);
	if (start == NULL)
		space__discharge(space, size);
	return start;
}

void *space__alloc(struct space *space, void *want, size_t size, size_t alignment, bool *zero)
{
	bool is_zero = false;
	void *start;

	if (space__is_closed_to_me) {
		errno = ENOMEM;
		return NULL;
	}
	if (size == 0 || size % PAGE != 0 || alignment == 0 || (alignment & (alignment - 1)) != 0) {
		error__set(EINVAL, "extent of %zu bytes aligned to %zu: not a multiple of a page", size,
			alignment);
		return NULL;
	}
	space__acquire_steady(space);
	start = alloc_charged_locked(space, want, size, alignment, &is_zero);
	lock__release(&space->lock);
	if (start == NULL) {
		errno = ENOMEM;
		return NULL;
	}
	/* Nobody else knows the extent yet, so the lock need not wait for this. */
	if (*zero && !is_zero) {
		memset(start, 0, size);
		is_zero = true;
	}
	*zero = is_zero;
	return start;
}
static int free_locked(struct space *space, uintptr_t start, size_t size, bool clean,
	struct space_region **retired) LOCK_HELD(space->lock)
{
	struct space_extent *extent = space__extent_of(amm_find_addr(&space->map, start));
	struct space_region *region = extent->region;
	uint32_t age = now_ms() - extent->born;
	int err;

	/* Off the page map first: once tagged, the range may be anybody's. */
	pagemap__fill((void *)start, size, SPACE_NOBODY);
	err = space__tag_locked(space, start, size,
		SPACE_FREE | (int)region->colour | (clean ? SPACE_CLEAN : 0), region, 0);

	if (err != 0) {
		pagemap__fill((void *)start, size, space->word);
		return err;
	}
	atomic_fetch_add_explicit(&space->account->lifetimes[space__lifetime_bucket(age)], 1,
		memory_order_relaxed);
	region->out -= size;
	space->size_out -= size;
	if (!clean)
		space->dirty_free += size;
	if (space->flags & AML_AREA_COMMIT)
		space__depopulate_locked(space, region, start, start + size);
	if (region->out == 0)
		*retired = space__retire_locked(space, region);
	return 0;
}

/* Purged, and so clean? Strict areas give pages back under the lock, granule by granule. */
static bool purge_unlocked(struct space *space, void *start, size_t size) LOCK_UNCHECKED
{
	bool clean = false;

	annotate__released(start, size);
	space__begin_purge(space);
	if (!(space->flags & AML_AREA_COMMIT) && aml_area_purge(space->area, start, size) == AML_SUCCESS)
		clean = space->flags & AML_AREA_ZEROED;
	space__end_purge(space);
	return clean;
}

int space__free(struct space *space, void *start, size_t size)
{
	bool clean = purge_unlocked(space, start, size);
	struct space_region *retired = NULL;
	const struct aml_area *area;
	unsigned flags;
	int err;

	space__acquire_steady(space);
	area = space->area;
	flags = space->flags;
	err = free_locked(space, (uintptr_t)start, size, clean, &retired);
	lock__release(&space->lock);
	if (err != 0)
		return err;
	if (flags & AML_AREA_LAZY)
		space__discharge(space, size);
	if (retired != NULL)
		space__give_back(space, retired, area, flags);
	return 0;
}
