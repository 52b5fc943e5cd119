/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * lock.h - a mutex that clang's thread-safety analysis knows and that a fork's child can reset.
 *
 * A function whose name ends in _locked is called with the lock held, and says so with LOCK_HELD.
 */
#ifndef BASE_LOCK_H
#define BASE_LOCK_H

#include <pthread.h>
#include <stdbool.h>

#if defined(__clang__)
#define LOCK_ATTRIBUTE(x) __attribute__((x))
#else
#define LOCK_ATTRIBUTE(x)
#endif

#define LOCK_GUARDED_BY(l) LOCK_ATTRIBUTE(guarded_by(l))
#define LOCK_HELD(l) LOCK_ATTRIBUTE(requires_capability(l))
#define LOCK_ACQUIRE(l) LOCK_ATTRIBUTE(acquire_capability(l))
#define LOCK_TRY(l) LOCK_ATTRIBUTE(try_acquire_capability(true, l))
#define LOCK_RELEASE(l) LOCK_ATTRIBUTE(release_capability(l))
#define LOCK_UNCHECKED LOCK_ATTRIBUTE(no_thread_safety_analysis)

struct LOCK_ATTRIBUTE(capability("lock")) lock {
	pthread_mutex_t mutex;
};

#define LOCK_INITIALIZER { PTHREAD_MUTEX_INITIALIZER }

static inline void lock__init(struct lock *l)
{
	/* Default attributes: glibc's mutex has nothing to allocate, so this cannot fail. */
	pthread_mutex_init(&l->mutex, NULL);
}

static inline void lock__acquire(struct lock *l) LOCK_ACQUIRE(*l) LOCK_UNCHECKED
{
	pthread_mutex_lock(&l->mutex);
}

/* Does not wait: false where somebody holds it, the calling thread included. */
static inline bool lock__try(struct lock *l) LOCK_TRY(*l) LOCK_UNCHECKED
{
	return pthread_mutex_trylock(&l->mutex) == 0;
}

static inline void lock__release(struct lock *l) LOCK_RELEASE(*l) LOCK_UNCHECKED
{
	pthread_mutex_unlock(&l->mutex);
}

/* Does anybody hold it? For the child of a fork, where nobody can let go any more. */
static inline bool lock__is_held(struct lock *l) LOCK_UNCHECKED
{
	if (pthread_mutex_trylock(&l->mutex) != 0)
		return true;
	pthread_mutex_unlock(&l->mutex);
	return false;
}

/* In the child of a fork: whoever held it is gone. */
static inline void lock__reset(struct lock *l)
{
	lock__init(l);
}

#endif
