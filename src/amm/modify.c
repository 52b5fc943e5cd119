/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * modify.c - amm_modify and amm_select.
 *
 * Order of amm_modify: reserve nodes, allocate the new entry, split at both ends (a failure at the
 * second end undoes the first by joining), then commit: erase what is covered, put the new entry in,
 * join. Only the splits have touched the map before the commit.
 */
#include "amm/map.h"

#include <errno.h>

#include "amm/runs.h"
#include "base/error.h"

/*
 * map__isolate for a change whose new entry is `entry`, which may be one of those split. The split
 * callback may then have replaced it by others: it is kept from being freed. Where the change fails,
 * what the join callback made of the pieces stays, and `entry` goes if it is none of them; pieces of a
 * plain split carry nothing, so that it can take its old place.
 */
static int isolate_keeping(amm_t *amm, struct cursor *c, amm_addr_t addr, amm_addr_t end,
	amm_entry_t *entry)
{
	struct amm_memory *memory = amm->memory;
	int err;

	memory->kept = entry;
	memory->kept_from = addr;
	memory->kept_dropped = false;
	err = map__isolate(amm, c, addr, end);
	memory->kept = NULL;
	if (err != 0 && memory->kept_dropped) {
		amm_entry_t *leftover = entry;

		if (amm->split == NULL) {
			tree__seek(amm, addr - 1, c);
			leftover = cursor__entry(c);
			map__fill(entry, leftover->start, leftover->end, leftover->flags);
			tree__set(amm, c, entry, entry->flags);
		}
		map__doom(amm, leftover);
	}
	return err;
}

/*
 * The new entry where the caller gave `entry`. It may have lain partly in the range, and the split
 * left it with a part outside: what it carries belongs there, and the piece inside is the new entry.
 */
static amm_entry_t *piece_inside(const amm_t *amm, const struct cursor *c, amm_addr_t end,
	amm_entry_t *entry)
{
	struct cursor other = *c;

	if (cursor__prev(amm, &other) && cursor__entry(&other) == entry)
		return cursor__entry(c);
	if (end != AMM_MAXADDR) {
		tree__seek(amm, end, &other);
		if (cursor__entry(&other) == entry && cursor__prev(amm, &other))
			return cursor__entry(&other);
	}
	return entry;
}

/* Everything from the cursor's entry up to `end` becomes one entry. */
static void replace(amm_t *amm, struct cursor *c, amm_addr_t end, int flags, amm_entry_t *entry)
{
	amm_addr_t start = cursor__start(c);
	amm_entry_t *covered = cursor__entry(c);
	struct cursor next;

	runs__before(amm, c, start, end, flags);
	while (covered->end < end) {
		if (covered != entry)
			map__doom(amm, covered);
		next = *c;
		cursor__next(amm, &next);
		covered = cursor__entry(&next);
		tree__erase_next(amm, c);
	}
	if (covered != entry)
		map__doom(amm, covered);
	map__fill(entry, start, end, flags);
	tree__set(amm, c, entry, flags);
	runs__after(amm, c, start, end, flags);
	map__join_around(amm, c);
}

static int modify(amm_t *amm, struct cursor *c, amm_addr_t addr, amm_addr_t end, int flags,
	amm_entry_t *entry)
{
	bool own_entry = entry == NULL && map__has_own_entries(amm);
	amm_entry_t *fresh = NULL;
	int err = map__begin(amm, 2, map__n_edited(amm, c, end));

	if (err != 0)
		return err;
	if (entry == NULL && !own_entry) {
		fresh = map__alloc(amm, addr, end - addr, flags);
		if (fresh == NULL) {
			err = -error__set(ENOMEM, "address map: no memory for an entry");
			goto end;
		}
		map__fill(fresh, addr, end, flags);
	}
	err = isolate_keeping(amm, c, addr, end, entry);
	if (err != 0)
		goto give_back;
	if (entry != NULL)
		entry = piece_inside(amm, c, end, entry);
	else
		entry = own_entry ? cursor__entry(c) : fresh;
	replace(amm, c, end, flags, entry);
	fresh = NULL;

give_back:
	if (fresh != NULL)
		map__doom(amm, fresh);
end:
	map__end(amm);
	return err;
}

/* Does the entry lie in the map, and all of it outside the range? */
static bool lies_elsewhere(const amm_t *amm, const amm_entry_t *entry, amm_addr_t addr,
	amm_addr_t end)
{
	struct cursor c;

	if (entry->start == AMM_MAXADDR)
		return false;
	/* One that is not in the map may say anything of itself. */
	tree__seek(amm, entry->start, &c);
	return cursor__entry(&c) == entry && (cursor__start(&c) >= end || cursor__end(amm, &c) <= addr);
}

int amm_modify(amm_t *amm, amm_addr_t addr, amm_size_t size, int flags, amm_entry_t *entry)
{
	struct cursor c;

	if (amm == NULL || amm->memory == NULL)
		return map__invalid("amm_modify", "no map");
	if (!map__is_range(addr, size))
		return map__invalid("amm_modify", "the range is empty or passes AMM_MAXADDR");
	tree__seek(amm, addr, &c);
	if (entry == NULL && cursor__flags(&c) == flags && cursor__end(amm, &c) - addr >= size)
		return 0;
	if (entry != NULL && entry != cursor__entry(&c) && lies_elsewhere(amm, entry, addr, addr + size))
		return map__invalid("amm_modify", "the entry lies in the map, outside the range");
	return modify(amm, &c, addr, addr + size, flags, entry);
}

amm_entry_t *amm_select(amm_t *amm, amm_addr_t addr, amm_size_t size)
{
	struct cursor c;
	amm_addr_t end = addr + size;
	amm_entry_t *entry = NULL;

	if (amm == NULL || amm->memory == NULL || !map__is_range(addr, size)) {
		map__invalid("amm_select",
			amm == NULL ? "no map" : "the range is empty or passes AMM_MAXADDR");
		return NULL;
	}
	tree__seek(amm, addr, &c);

	int err = map__begin(amm, 2, 0);

	if (err == 0) {
		err = map__isolate(amm, &c, addr, end);
		if (err == 0)
			entry = cursor__entry(&c);
		map__end(amm);
	}
	if (err != 0)
		errno = err;
	return entry;
}
