/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ledger_list.h - the lists of a ledger: sorted, disjoint ranges; adjacent ones of equal value are one. Nothing
 * here knows of ranges that were pushed (ledger_front.h). Under the ledger's lock.
 */
#ifndef AREA_LEDGER_LIST_H
#define AREA_LEDGER_LIST_H

#include "area/ledger.h"

/*
 * Where a search stops: before[i] is the link, on list i < top, that leads to the first node ending
 * after an address.
 */
struct ledger_place {
	struct ledger_node **before[LEDGER_HEIGHT];
};

/* The first range that ends after addr, or NULL. */
struct ledger_node *ledger_list__search_locked(struct ledger *ledger, uintptr_t addr, struct ledger_place *place)
	LOCK_HELD(ledger->lock);

/* Takes a node off the lists; place is of a search for its start. The bytes are the caller's to count. */
void ledger_list__unlink_locked(struct ledger *ledger, const struct ledger_place *place,
	struct ledger_node *node) LOCK_HELD(ledger->lock);

/* Adds a range: -EEXIST where some of it is in the ledger, -ENOMEM. */
int ledger_list__add_locked(struct ledger *ledger, uintptr_t start, uintptr_t end, intptr_t value)
	LOCK_HELD(ledger->lock);

/* The same; what was noted of the range before is forgotten. -ENOMEM. */
int ledger_list__set_locked(struct ledger *ledger, uintptr_t start, uintptr_t end, intptr_t value)
	LOCK_HELD(ledger->lock);

/* Is every byte of the range there? */
bool ledger_list__covers_locked(struct ledger *ledger, uintptr_t start, uintptr_t end)
	LOCK_HELD(ledger->lock);

/* Removes what there is of a range, and tells how many bytes that was. -ENOMEM: no node for a split. */
int ledger_list__cut_locked(struct ledger *ledger, uintptr_t start, uintptr_t end, size_t *bytes)
	LOCK_HELD(ledger->lock);

#endif
