/* SPDX-License-Identifier: BSD-3-Clause */
#include "hooks/fork.h"

#include <pthread.h>
#include <stddef.h>

#include "base/lock.h"
#include "hooks/owner.h"
#include "hooks/rtree_gate.h"

static struct lock lock = LOCK_INITIALIZER;
static struct fork_watch *watched LOCK_GUARDED_BY(lock);

void fork__watch(struct fork_watch *watch, struct space *space)
{
	watch->space = space;
	lock__acquire(&lock);
	watch->next = watched;
	if (watched != NULL)
		watched->link_to_this = &watch->next;
	watch->link_to_this = &watched;
	watched = watch;
	lock__release(&lock);
}

void fork__unwatch(struct fork_watch *watch)
{
	lock__acquire(&lock);
	*watch->link_to_this = watch->next;
	if (watch->next != NULL)
		watch->next->link_to_this = watch->link_to_this;
	lock__release(&lock);
}

static void child_after_fork(void) LOCK_UNCHECKED
{
	rtree_gate__after_fork_in_child();
	lock__reset(&lock);
	owner__reset_lock();
	space__reset_switching();
	for (struct fork_watch *watch = watched; watch != NULL; watch = watch->next)
		atomic_store(&watch->space->account->drawn, 0);
	for (struct fork_watch *watch = watched; watch != NULL; watch = watch->next) {
		space__after_fork(watch->space);
		/* The account may have been ahead of the books or behind them. */
		atomic_fetch_add(&watch->space->account->drawn, space__drawn(watch->space));
	}
}

__attribute__((constructor)) static void watch_forks(void)
{
	pthread_atfork(rtree_gate__before_fork, rtree_gate__after_fork_in_parent, child_after_fork);
}
