/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * brief.h - a lock for a few dozen instructions around which little else happens.
 *
 * Taking it is one exchange and giving it back one store, without a call, where a mutex takes two calls and
 * two exchanges. Nobody is woken: who finds it held looks again, soon at first, then less often; so it is not
 * for what may sleep under it. In the child of a fork it can be reset. No fairness.
 */
#ifndef BASE_BRIEF_H
#define BASE_BRIEF_H

#include "base/lock.h"

struct LOCK_ATTRIBUTE(capability("lock")) brief {
	int held;
};

#define BRIEF_INITIALIZER { 0 }

/* Returns with the lock taken, after a while. */
void brief__wait(struct brief *brief);

static inline void brief__acquire(struct brief *brief) LOCK_ACQUIRE(*brief) LOCK_UNCHECKED
{
	if (__builtin_expect(__atomic_exchange_n(&brief->held, 1, __ATOMIC_ACQUIRE), 0))
		brief__wait(brief);
}

static inline void brief__release(struct brief *brief) LOCK_RELEASE(*brief) LOCK_UNCHECKED
{
	__atomic_store_n(&brief->held, 0, __ATOMIC_RELEASE);
}

/* In the child of a fork: whoever held it is gone. */
static inline void brief__reset(struct brief *brief)
{
	__atomic_store_n(&brief->held, 0, __ATOMIC_RELAXED);
}

#endif
