/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fork.h - the child of a fork finds every space usable.
 *
 * A prepare handler of ours would run before jemalloc's and deadlock with a hook that waits for us
 * under one of jemalloc's locks, so nothing is locked before a fork (rtree_gate.h waits for what no hook
 * waits for). The child has one thread; it resets the locks that other threads held.
 */
#ifndef HOOKS_FORK_H
#define HOOKS_FORK_H

#include "hooks/space.h"

struct fork_watch {
	struct fork_watch *next, **link_to_this;
	struct space *space;
};

void fork__watch(struct fork_watch *watch, struct space *space);
void fork__unwatch(struct fork_watch *watch);

#endif
