/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/brief.h"

#include <errno.h>
#include <sched.h>
#include <time.h>

/* The holder is on another processor and done soon; or it waits for a processor; or for this one, which a
   thread of higher priority only leaves by sleeping. */
enum { LOOKS = 100, YIELDS = 20, SLEEP_NS = 50 * 1000 };

static void pause_for(int round)
{
	const struct timespec time = {.tv_nsec = SLEEP_NS};

	if (round < YIELDS)
		sched_yield();
	else
		nanosleep(&time, NULL);
}

void brief__wait(struct brief *brief)
{
	int old_errno = errno;

	for (int round = 0;; round++) {
		for (int i = 0; i < LOOKS; i++)
			if (!__atomic_load_n(&brief->held, __ATOMIC_RELAXED) &&
				!__atomic_exchange_n(&brief->held, 1, __ATOMIC_ACQUIRE))
				goto taken;
		pause_for(round);
	}
taken:
	errno = old_errno;
}
