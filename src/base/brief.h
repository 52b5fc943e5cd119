/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * brief.h - a lock for a few dozen instructions around which little else happens.
 *
 * Taking it is one exchange (a store, as long as there is one thread) and giving it back one store, without
 * a call, where a mutex takes two calls and two exchanges. Nobody is woken: who finds it held looks again,
 * soon at first, then less often; so it is not for what may sleep under it. In the child of a fork it can be
 * reset. No fairness.
 */
#ifndef BASE_BRIEF_H
#define BASE_BRIEF_H

#include <stdbool.h>

#include "base/lock.h"

struct LOCK_ATTRIBUTE(capability("lock")) brief {
	int held;
};

#define BRIEF_INITIALIZER { 0 }

/*
 * Has this process one thread only? Then a lock needs no exchange, which costs most right behind a system
 * call. The C library says so of threads that it knows (sys/single_threaded.h), before a second one begins.
 */
#if defined(__has_include)
#if __has_include(<sys/single_threaded.h>)
#include <sys/single_threaded.h>
#define BRIEF_KNOWS_THREADS
#endif
#endif

static inline bool brief__is_alone(void)
{
#ifdef BRIEF_KNOWS_THREADS
	return __libc_single_threaded != 0;
#else
	return false;
#endif
}

/* Returns with the lock taken, after a while. */
void brief__wait(struct brief *brief);

static inline void brief__acquire(struct brief *brief) LOCK_ACQUIRE(*brief) LOCK_UNCHECKED
{
	if (brief__is_alone() && !__atomic_load_n(&brief->held, __ATOMIC_RELAXED))
		__atomic_store_n(&brief->held, 1, __ATOMIC_RELAXED);
	else if (__builtin_expect(__atomic_exchange_n(&brief->held, 1, __ATOMIC_ACQUIRE), 0))
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
