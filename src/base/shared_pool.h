/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * shared_pool.h - a pool with a lock, for structs of the library's own that come and go on any thread,
 * also inside malloc, and in the child of a fork.
 *
 *	static struct shared_pool things = SHARED_POOL(struct thing);
 */
#ifndef BASE_SHARED_POOL_H
#define BASE_SHARED_POOL_H

#include <stdbool.h>

#include "base/lock.h"
#include "base/pool.h"

struct shared_pool {
	struct lock lock;
	struct pool pool;         /* under the lock */
	bool watched;             /* known to the fork handler; atomic */
	struct shared_pool *next; /* under the list's lock */
};

#define SHARED_POOL(type) { .lock = LOCK_INITIALIZER, .pool = POOL_INITIALIZER(sizeof(type)) }

/* A zeroed object, or NULL where the kernel has no memory. */
void *shared_pool__get(struct shared_pool *pool);
void shared_pool__put(struct shared_pool *pool, void *object);

#endif
