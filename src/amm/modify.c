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

/* A map with readers copies what it edits and so must know beforehand how much. */
static size_t count_covered(const amm_t *amm, const struct cursor *from, amm_addr_t end)
{
	struct cursor c = *from;
	size_t n = 1;

	if (!tree__has_readers(amm))
		return 0;
	while (cursor__entry(&c)->end < end && cursor__next(amm, &c))
		n++;
	return n;
}

/*
 * The caller's entry lay partly in the range and the split left it with the part outside: the entry
 * that the split made for the inside takes over there.
 */
static void trade_places(amm_t *amm, struct cursor *c, struct cursor *outside, amm_entry_t *entry)
{
	amm_entry_t *inside = cursor__entry(c);
	amm_addr_t start = inside->start, end = inside->end;
	int flags = inside->flags;

	map__fill(inside, entry->start, entry->end, entry->flags);
	tree__set(amm, outside, inside, inside->flags);
	tree__seek(amm, start, c);
	map__fill(entry, start, end, flags);
	tree__set(amm, c, entry, flags);
}

static void take_entry_from_remainder(amm_t *amm, struct cursor *c, amm_addr_t end,
	amm_entry_t *entry)
{
	struct cursor outside = *c;

	if (cursor__prev(amm, &outside) && cursor__entry(&outside) == entry) {
		trade_places(amm, c, &outside, entry);
	} else if (end != AMM_MAXADDR) {
		tree__seek(amm, end, &outside);
		if (cursor__entry(&outside) == entry)
			trade_places(amm, c, &outside, entry);
	}
}

/*
 * map__isolate for a change whose new entry is `entry`, which may be one of those split. The split
 * callback may then have replaced it by others: it is kept from being freed, and where the change
 * fails it goes back to where it was.
 */
static int isolate_keeping(amm_t *amm, struct cursor *c, amm_addr_t addr, amm_addr_t end,
	amm_entry_t *entry)
{
	struct amm_memory *memory = amm->memory;
	int err;

	memory->kept = entry;
	memory->kept_dropped = false;
	err = map__isolate(amm, c, addr, end);
	memory->kept = NULL;
	if (err != 0 && memory->kept_dropped) {
		tree__seek(amm, addr - 1, c);

		amm_entry_t *stand_in = cursor__entry(c);

		map__fill(entry, stand_in->start, stand_in->end, stand_in->flags);
		tree__set(amm, c, entry, entry->flags);
		map__doom(amm, stand_in);
	}
	return err;
}

/* Everything from the cursor's entry up to `end` becomes one entry. */
static void replace(amm_t *amm, struct cursor *c, amm_addr_t end, int flags, amm_entry_t *entry)
{
	amm_addr_t start = cursor__start(c);
	amm_entry_t *covered = cursor__entry(c);
	struct cursor next;

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
	runs__note(amm, start, end, flags);
	map__join_around(amm, c);
}

static int modify(amm_t *amm, struct cursor *c, amm_addr_t addr, amm_addr_t end, int flags,
	amm_entry_t *entry)
{
	bool own_entry = entry == NULL && map__has_own_entries(amm);
	amm_entry_t *fresh = NULL;
	int err = map__begin(amm, 2, count_covered(amm, c, end));

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
		take_entry_from_remainder(amm, c, end, entry);
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
	return modify(amm, &c, addr, addr + size, flags, entry);
}

amm_entry_t *amm_select(amm_t *amm, amm_addr_t addr, amm_size_t size)
{
	struct cursor c;
	amm_addr_t end = addr + size;

	if (amm == NULL || amm->memory == NULL || !map__is_range(addr, size)) {
		map__invalid("amm_select",
			amm == NULL ? "no map" : "the range is empty or passes AMM_MAXADDR");
		return NULL;
	}
	tree__seek(amm, addr, &c);

	int err = map__begin(amm, 2, 0);

	if (err == 0) {
		err = map__isolate(amm, &c, addr, end);
		map__end(amm);
	}
	if (err != 0) {
		errno = err;
		return NULL;
	}
	return cursor__entry(&c);
}
