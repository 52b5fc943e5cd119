/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * map.c - the single changes that every operation consists of: splitting an entry and joining two. Each
 * leaves a whole map behind.
 */
#include "amm/map.h"

#include <errno.h>
#include <stdlib.h>

#include "amm/runs.h"
#include "base/error.h"

int map__invalid(const char *function, const char *what)
{
	return -error__set(EINVAL, "%s: %s", function, what);
}

bool map__has_own_entries(const amm_t *amm)
{
	return amm->alloc == NULL && amm->free == NULL;
}

amm_entry_t *map__alloc(amm_t *amm, amm_addr_t addr, amm_size_t size, int flags)
{
	if (amm->alloc != NULL)
		return amm->alloc(amm, addr, size, flags);
	if (amm->options & AMM_NO_MALLOC)
		return pool__get(&amm->memory->entries);
	return malloc(sizeof(amm_entry_t));
}

void map__free(amm_t *amm, amm_entry_t *entry)
{
	if (amm->free != NULL)
		amm->free(amm, entry);
	else if (amm->options & AMM_NO_MALLOC)
		pool__put(&amm->memory->entries, entry);
	else
		free(entry);
}

void map__fill(amm_entry_t *entry, amm_addr_t start, amm_addr_t end, int flags)
{
	entry->start = start;
	entry->end = end;
	entry->flags = flags;
}

void map__doom(amm_t *amm, amm_entry_t *entry)
{
	if (entry == amm->memory->kept) {
		amm->memory->kept_dropped = true;
		return;
	}
	entry->link = amm->memory->doomed;
	amm->memory->doomed = entry;
}

int map__begin(amm_t *amm, size_t n_inserts, size_t n_erases)
{
	tree__begin(amm);
	if (tree__reserve(amm, n_inserts, n_erases) != 0)
		return -error__set(ENOMEM, "address map: no memory for the index of %zu entries",
			amm->count);
	return 0;
}

void map__end(amm_t *amm)
{
	amm_entry_t *entry = amm->memory->doomed;

	amm->memory->doomed = NULL;
	tree__publish(amm);
	while (entry != NULL) {
		amm_entry_t *next = entry->link;

		map__free(amm, entry);
		entry = next;
	}
	tree__give_back(amm);
}

static int plain_split(amm_t *amm, amm_entry_t *entry, amm_addr_t at, amm_entry_t **head,
	amm_entry_t **tail)
{
	if (entry == amm->memory->kept && at == amm->memory->kept_from) {
		*tail = entry;
		*head = map__alloc(amm, entry->start, at - entry->start, entry->flags);
		return *head == NULL ? ENOMEM : 0;
	}
	*head = entry;
	*tail = map__alloc(amm, at, entry->end - at, entry->flags);
	return *tail == NULL ? ENOMEM : 0;
}

int map__split(amm_t *amm, struct cursor *c, amm_addr_t at)
{
	amm_entry_t *entry = cursor__entry(c), *head = NULL, *tail = NULL;
	amm_addr_t start = entry->start, end = entry->end;
	int flags = entry->flags;
	int err = (amm->split != NULL ? amm->split : plain_split)(amm, entry, at, &head, &tail);

	if (err == 0 && (head == NULL || tail == NULL || head == tail))
		err = EINVAL;
	if (err != 0)
		return -error__set(err < 0 ? -err : err,
			"address map: cannot split [%#zx, %#zx) at %#zx", (size_t)start, (size_t)end,
			(size_t)at);
	if (entry != head && entry != tail)
		map__doom(amm, entry);
	map__fill(head, start, at, flags);
	map__fill(tail, at, end, flags);
	if (entry != head)
		tree__set(amm, c, head, flags);
	tree__insert_after(amm, c, at, tail, flags);
	cursor__next(amm, c);
	return 0;
}

bool map__join_next(amm_t *amm, struct cursor *c)
{
	struct cursor next = *c;

	if (!cursor__next(amm, &next))
		return false;

	amm_entry_t *head = cursor__entry(c), *tail = cursor__entry(&next), *joined = head;

	if (amm->join != NULL) {
		joined = NULL;
		if (amm->join(amm, head, tail, &joined) != 0 || joined == NULL)
			return false;
	}

	amm_addr_t start = head->start, end = tail->end;
	int flags = head->flags;

	if (joined != head)
		map__doom(amm, head);
	if (joined != tail)
		map__doom(amm, tail);
	map__fill(joined, start, end, flags);
	if (joined != head)
		tree__set(amm, c, joined, flags);
	tree__erase_next(amm, c);
	return true;
}

void map__set_flags(amm_t *amm, struct cursor *c, int flags)
{
	amm_entry_t *entry = cursor__entry(c);

	runs__before(amm, c, entry->start, entry->end, flags);
	entry->flags = flags;
	tree__set(amm, c, entry, flags);
	runs__after(amm, c, entry->start, entry->end, flags);
}

int map__join_at(amm_t *amm, amm_addr_t at)
{
	struct cursor c;
	int flags, old_flags;
	bool joined;

	tree__seek(amm, at - 1, &c);
	if (cursor__entry(&c)->end > at)
		return 0;
	if (map__begin(amm, 0, 1) != 0)
		return ENOMEM;
	flags = cursor__flags(&c);
	tree__seek(amm, at, &c);
	old_flags = cursor__flags(&c);
	if (flags != old_flags)
		map__set_flags(amm, &c, flags);
	tree__seek(amm, at - 1, &c);
	joined = map__join_next(amm, &c);
	if (!joined && flags != old_flags) {
		tree__seek(amm, at, &c);
		map__set_flags(amm, &c, old_flags);
	}
	map__end(amm);
	return joined ? 0 : EBUSY;
}

size_t map__n_edited(const amm_t *amm, const struct cursor *from, amm_addr_t end)
{
	struct cursor c = *from;
	size_t n = 1;

	if (!tree__is_copied(amm))
		return 0;
	while (cursor__end(amm, &c) < end && cursor__next(amm, &c))
		n++;
	return n;
}

int map__isolate(amm_t *amm, struct cursor *c, amm_addr_t addr, amm_addr_t end)
{
	bool split_head = cursor__start(c) < addr;
	int err;

	if (split_head) {
		err = map__split(amm, c, addr);
		if (err != 0)
			return err;
	}
	if (cursor__entry(c)->end < end)
		tree__seek(amm, end - 1, c);
	if (cursor__entry(c)->end > end) {
		err = map__split(amm, c, end);
		if (err != 0 && split_head) {
			tree__seek(amm, addr - 1, c);
			map__join_next(amm, c);
		}
		if (err != 0)
			return err;
	}
	if (cursor__start(c) != addr && !(cursor__prev(amm, c) && cursor__start(c) == addr))
		tree__seek(amm, addr, c);
	return 0;
}

void map__join_around(amm_t *amm, struct cursor *c)
{
	struct cursor other = *c;

	if (cursor__next(amm, &other) && cursor__flags(&other) == cursor__flags(c))
		map__join_next(amm, c);
	other = *c;
	if (cursor__prev(amm, &other) && cursor__flags(&other) == cursor__flags(c)) {
		map__join_next(amm, &other);
		*c = other;
	}
}
