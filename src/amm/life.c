/* SPDX-License-Identifier: BSD-3-Clause */
/* life.c - maps made and destroyed. */
#include "amm/map.h"

#include <errno.h>

#include "amm/runs.h"
#include "base/error.h"

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
