/* SPDX-License-Identifier: BSD-3-Clause */
#include "hooks/owner.h"

#include <errno.h>

#include "base/error.h"
#include "base/lock.h"

/* Entry 0 stays NULL: the owner of everything that is not ours. */
_Atomic(struct owner *) owner__table[OWNER_MAX + 1];

static struct lock lock = LOCK_INITIALIZER;
/* No number below this is free. */
static uint32_t first_free LOCK_GUARDED_BY(lock) = 1;

int owner__register(struct owner *owner)
{
	int err = 0;

	lock__acquire(&lock);
	while (first_free < OWNER_WENT && atomic_load_explicit(&owner__table[first_free],
		memory_order_relaxed) != NULL)
		first_free++;
	if (first_free >= OWNER_WENT) {
		err = error__set(EAGAIN, "%d heaps and arenas exist: no more can be made",
			OWNER_WENT - 1);
	} else {
		owner->number = first_free++;
		owner->row = owner->number << OWNER_CODE_BITS;
		atomic_store_explicit(&owner__table[owner->number], owner, memory_order_release);
	}
	lock__release(&lock);
	return err;
}

void owner__unregister(struct owner *owner)
{
	lock__acquire(&lock);
	atomic_store_explicit(&owner__table[owner->number], NULL, memory_order_release);
	if (owner->number < first_free)
		first_free = owner->number;
	lock__release(&lock);
}

void owner__reset_lock(void)
{
	lock__reset(&lock);
}
