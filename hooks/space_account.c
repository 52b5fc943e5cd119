/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * space_account.c - what the spaces of one heap have drawn together, and its limit, exact to the byte.
 *
 * Atomics, no lock: whoever charges and whoever sets a limit at that moment see each other (space__charge).
 * A charge that is refused has changed nothing.
 */
#include <errno.h>

#include "base/error.h"
#include "hooks/space_internal.h"

_Thread_local unsigned char space__refusal;
_Thread_local bool space__is_closed_to_me;

static bool is_within(size_t limit, size_t drawn, size_t size)
{
	return limit == 0 || (size <= limit && drawn <= limit - size);
}

static int over_limit(size_t limit, size_t drawn, size_t size)
{
	space__refusal = SPACE_REFUSED_LIMIT;
	return error__set(ENOMEM, "limit of %zu bytes reached: %zu in use, %zu more asked", limit, drawn,
		size);
}

int space__charge(struct space *space, size_t size)
{
	struct space_account *account = space->account;
	size_t drawn = atomic_load_explicit(&account->drawn, memory_order_relaxed);
	size_t limit;

	do {
		limit = atomic_load_explicit(&account->limit, memory_order_relaxed);
		if (!is_within(limit, drawn, size))
			return over_limit(limit, drawn, size);
	} while (!atomic_compare_exchange_weak(&account->drawn, &drawn, drawn + size));
	/* Either a new limit is seen here, or who sets it sees this charge: see space__set_limit. */
	limit = atomic_load(&account->limit);
	if (!is_within(limit, drawn, size)) {
		atomic_fetch_sub_explicit(&account->drawn, size, memory_order_relaxed);
		return over_limit(limit, drawn, size);
	}

	size_t peak = atomic_load_explicit(&account->peak, memory_order_relaxed);

	if (account->events != NULL && account->events->drawn_changed != NULL)
		account->events->drawn_changed(account, drawn + size);
	while (peak < drawn + size && !atomic_compare_exchange_weak_explicit(&account->peak, &peak,
		drawn + size, memory_order_relaxed, memory_order_relaxed))
		;
	return 0;
}

void space__discharge(struct space *space, size_t size)
{
	struct space_account *account = space->account;
	size_t drawn = atomic_fetch_sub_explicit(&account->drawn, size, memory_order_relaxed) - size;

	/* Of two that come at once one may be forgotten: it is a hint. */
	if (drawn < atomic_load_explicit(&account->trough, memory_order_relaxed))
		atomic_store_explicit(&account->trough, drawn, memory_order_relaxed);
	if (account->events != NULL && account->events->drawn_changed != NULL)
		account->events->drawn_changed(account, drawn);
}

int space__set_limit(struct space_account *account, size_t limit)
{
	size_t before = atomic_exchange(&account->limit, limit);
	size_t drawn = atomic_load(&account->drawn);

	if (limit == 0 || drawn <= limit)
		return 0;
	atomic_store(&account->limit, before);
	return error__set(EBUSY, "limit of %zu bytes: %zu are in use", limit, drawn);
}
