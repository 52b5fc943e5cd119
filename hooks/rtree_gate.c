/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * rtree_gate.c - counts of threads in flight and of forks about to happen, in one word; and which leaves exist.
 *
 * A leaf once made stays. It counts as made when the call that made it has returned: until then other
 * extents in its range put their threads in flight too.
 */
#include "hooks/rtree_gate.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdint.h>
#include <time.h>

enum {
	LG_LEAF = 30,
	N_LEAVES = 1 << 17, /* user addresses of 47 bits; jemalloc's end at 48 */
	NAP_NS = 20000,
	/* A thread that stays in flight for a second waits for something that the forking thread holds. */
	MAX_NAPS = 50000,
};

#define ONE_IN_FLIGHT ((uint64_t)1)
#define ONE_FORK ((uint64_t)1 << 32)

static _Atomic uint64_t gate;
static _Atomic uint64_t made[N_LEAVES / 64];

static _Thread_local struct {
	unsigned depth;
	bool in_flight, was_refused;
	uintptr_t first_leaf, last_leaf; /* of the extent in flight */
} here __attribute__((tls_model("initial-exec")));

static bool is_made(uintptr_t leaf)
{
	return atomic_load_explicit(&made[leaf / 64], memory_order_relaxed) >> leaf % 64 & 1;
}

static void set_made(uintptr_t leaf)
{
	atomic_fetch_or_explicit(&made[leaf / 64], (uint64_t)1 << leaf % 64, memory_order_relaxed);
}

static void nap(void)
{
	const struct timespec moment = {.tv_nsec = NAP_NS};
	int err = errno;

	nanosleep(&moment, NULL);
	errno = err;
}

void rtree_gate__begin(void)
{
	here.depth++;
}

static void land(void)
{
	set_made(here.first_leaf);
	set_made(here.last_leaf);
	here.in_flight = false;
	rtree_gate__release();
}

bool rtree_gate__end(void)
{
	if (--here.depth != 0)
		return false;
	if (here.in_flight)
		land();
	if (!here.was_refused)
		return false;
	here.was_refused = false;
	while (atomic_load(&gate) >= ONE_FORK)
		nap();
	return true;
}

bool rtree_gate__hold(void)
{
	uint64_t before = atomic_load(&gate);

	do {
		if (before >= ONE_FORK)
			return false;
	} while (!atomic_compare_exchange_weak(&gate, &before, before + ONE_IN_FLIGHT));
	return true;
}

void rtree_gate__release(void)
{
	atomic_fetch_sub(&gate, ONE_IN_FLIGHT);
}

bool rtree_gate__pass(const void *start, size_t size)
{
	uintptr_t first = (uintptr_t)start >> LG_LEAF, last = ((uintptr_t)start + size - 1) >> LG_LEAF;

	if (last >= N_LEAVES || (is_made(first) && is_made(last)) || here.depth == 0 || here.in_flight)
		return true;
	if (!rtree_gate__hold()) {
		here.was_refused = true;
		return false;
	}
	here.in_flight = true;
	here.first_leaf = first;
	here.last_leaf = last;
	return true;
}

void rtree_gate__before_fork(void)
{
	uint32_t mine = here.in_flight;

	atomic_fetch_add(&gate, ONE_FORK);
	for (int i = 0; (uint32_t)atomic_load(&gate) > mine && i < MAX_NAPS; i++)
		nap();
}

void rtree_gate__after_fork_in_parent(void)
{
	atomic_fetch_sub(&gate, ONE_FORK);
}

void rtree_gate__after_fork_in_child(void)
{
	atomic_store(&gate, here.in_flight ? ONE_IN_FLIGHT : 0);
}
