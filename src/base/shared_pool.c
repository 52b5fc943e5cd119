/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/shared_pool.h"

#include <pthread.h>
#include <string.h>

static struct lock lock = LOCK_INITIALIZER;
static struct shared_pool *pools LOCK_GUARDED_BY(lock);

static void child_after_fork(void) LOCK_UNCHECKED
{
	lock__reset(&lock);
	for (struct shared_pool *pool = pools; pool != NULL; pool = pool->next) {
		lock__reset(&pool->lock);
		pool__after_fork(&pool->pool);
	}
}

/* Before the handlers of those who use pools: children's handlers run in the order of registration. */
__attribute__((constructor(101))) static void watch_forks(void)
{
	pthread_atfork(NULL, NULL, child_after_fork);
}

static bool is_watched_locked(const struct shared_pool *pool) LOCK_HELD(lock)
{
	const struct shared_pool *known = pools;

	while (known != NULL && known != pool)
		known = known->next;
	return known != NULL;
}

/* A pool in use stays known for good: they are few and static. A fork at any instant leaves its child a
   whole list, and a pool that is on it or was not yet used. */
static void watch(struct shared_pool *pool)
{
	lock__acquire(&lock);
	if (!is_watched_locked(pool)) {
		pool->next = pools;
		__atomic_store_n(&pools, pool, __ATOMIC_RELEASE);
	}
	__atomic_store_n(&pool->watched, true, __ATOMIC_RELEASE);
	lock__release(&lock);
}

void *shared_pool__get(struct shared_pool *pool)
{
	bool fresh;
	void *object;

	/* Before its lock is taken for the first time, or a fork meanwhile leaves the child a held lock. */
	if (!__atomic_load_n(&pool->watched, __ATOMIC_ACQUIRE))
		watch(pool);
	lock__acquire(&pool->lock);
	fresh = pool->pool.free == NULL; /* from the kernel, zero and not yet touched */
	object = pool__get(&pool->pool);
	if (object != NULL && !fresh)
		memset(object, 0, pool->pool.object_size);
	lock__release(&pool->lock);
	return object;
}

void shared_pool__put(struct shared_pool *pool, void *object)
{
	lock__acquire(&pool->lock);
	pool__put(&pool->pool, object);
	lock__release(&pool->lock);
}
