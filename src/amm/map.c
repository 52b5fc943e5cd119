/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * map.c - making and destroying maps, and the single changes that every operation consists of:
 * splitting an entry and joining two. Each leaves a whole map behind.
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

static void set_flags(amm_t *amm, struct cursor *c, int flags)
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
		set_flags(amm, &c, flags);
	tree__seek(amm, at - 1, &c);
	joined = map__join_next(amm, &c);
	if (!joined && flags != old_flags) {
		tree__seek(amm, at, &c);
		set_flags(amm, &c, old_flags);
	}
	map__end(amm);
	return joined ? 0 : EBUSY;
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

/* Making and destroying */

int amm_init_with(amm_t *amm, unsigned options, int flags, amm_entry_t *entry,
	amm_alloc_func *alloc, amm_free_func *free_func, amm_split_func *split, amm_join_func *join)
{
	if (amm == NULL)
		return map__invalid("amm_init", "no map");
	if ((options & ~(AMM_NO_MALLOC | AMM_READERS | AMM_FORK)) != 0)
		return map__invalid("amm_init", "an unknown option");

	amm_t map = {
		.alloc = alloc, .free = free_func, .split = split, .join = join, .options = options};
	int err = tree__create(&map, entry, flags);

	if (err != 0)
		goto fail;
	runs__init(&map);
	if (options & AMM_NO_MALLOC)
		pool__init(&map.memory->entries, sizeof(amm_entry_t));
	/* The callback is given the map in its final place. */
	*amm = map;
	if (entry == NULL) {
		entry = map__alloc(amm, AMM_MINADDR, AMM_MAXADDR - AMM_MINADDR, flags);
		if (entry == NULL) {
			err = ENOMEM;
			goto fail_tree;
		}
		((struct node *)amm->root)->leaf.entry[0] = entry;
	}
	map__fill(entry, AMM_MINADDR, AMM_MAXADDR, flags);
	return 0;

fail_tree:
	tree__destroy(amm);
fail:
	*amm = (amm_t){0}; /* amm_destroy does nothing */
	return -error__set(err, "address map: no memory for the first entry");
}

int amm_init_gen(amm_t *amm, int flags, amm_entry_t *entry, amm_alloc_func *alloc,
	amm_free_func *free_func, amm_split_func *split, amm_join_func *join)
{
	return amm_init_with(amm, 0, flags, entry, alloc, free_func, split, join);
}

void amm_destroy(amm_t *amm)
{
	struct cursor c;

	if (amm == NULL || amm->memory == NULL)
		return;
	tree__seek(amm, AMM_MINADDR, &c);
	for (bool more = true; more;) {
		amm_entry_t *entry = cursor__entry(&c);

		more = cursor__next(amm, &c);
		map__free(amm, entry);
	}
	if (amm->options & AMM_NO_MALLOC)
		pool__destroy(&amm->memory->entries);
	runs__destroy(amm);
	tree__destroy(amm);
	*amm = (amm_t){0};
}

size_t amm_count(const amm_t *amm)
{
	return amm == NULL ? 0 : amm->count;
}

amm_entry_t *amm_find_addr(amm_t *amm, amm_addr_t addr)
{
	if (amm == NULL || amm->memory == NULL || addr == AMM_MAXADDR) {
		map__invalid("amm_find_addr", amm == NULL ? "no map" : "the address is AMM_MAXADDR");
		return NULL;
	}

	const struct node *node = tree__leaf(amm, addr);

	return node->leaf.entry[node__rank(node->key, node->n, addr)];
}
