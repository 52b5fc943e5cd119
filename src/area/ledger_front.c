/* SPDX-License-Identifier: BSD-3-Clause */
#include "area/ledger_front.h"
#include "area/ledger_nodes.h"

#include <sys/mman.h>

/* The first table fits a page; the last has room for more mappings than a process may have by default. */
enum { MIN_BITS = 7, MAX_BITS = 20 };

static size_t size_of(unsigned bits)
{
	return sizeof(struct ledger_front) +
		(((size_t)1 << bits) + LEDGER_WINDOW - 1) * sizeof(struct ledger_range);
}

bool ledger_front__put(struct ledger_front *front, struct ledger_range range)
{
	struct ledger_range *slot = ledger_front__home(front, range.start), *to = NULL;

	for (int i = LEDGER_WINDOW; i-- > 0;) {
		if (slot[i].end == 0) {
			to = &slot[i];
		} else if (slot[i].start == range.start) {
			to = &slot[i];
			break;
		}
	}
	if (to == NULL)
		return false;
	ledger_front__clear(to);
	ledger_front__fill(to, range.start, range.end, range.value);
	return true;
}

struct ledger_front *ledger_front__grow(struct ledger *ledger, struct ledger_front *old,
	ledger_left_func *left)
{
	unsigned bits = old == NULL ? MIN_BITS : old->bits + 1;
	struct ledger_front *front;

	if (bits > MAX_BITS)
		return NULL;
	front = ledger_nodes__map(size_of(bits));
	if (front == NULL)
		return NULL;
	front->bits = bits;
	for (size_t i = 0; old != NULL && i < ledger_front__n_slots(old); i++)
		if (old->slot[i].end != 0 && !ledger_front__put(front, old->slot[i]))
			left(ledger, old->slot[i]);
	return front;
}

void ledger_front__free(struct ledger_front *front)
{
	if (front != NULL)
		munmap(front, size_of(front->bits));
}
