/* SPDX-License-Identifier: BSD-3-Clause */
/* large.c - a few blocks of 5 to 25 MiB at a time, one page in 16 written to. */
#include "bench/work/work.h"

#define HELD 16
#define TIMES 600
#define MIB ((size_t)1 << 20)

static void run(struct work_run *run)
{
	struct slot slots[HELD] = { { 0 } };
	uint64_t random = random_seed(0);
	size_t times = work_scaled(run, TIMES, 2);

	for (size_t i = 0; i < times; i++) {
		struct slot *slot = &slots[random_below(&random, HELD)];

		if (slot->p != NULL)
			peer.put(slot->p, slot->size);
		slot->size = 5 * MIB + random_below(&random, 20 * MIB);
		slot->p = work_get(slot->size);
		for (size_t at = 0; at < slot->size; at += (size_t)16 * 4096)
			*(volatile char *)((char *)slot->p + at) = 1;
	}
	work_look(run, slots, HELD);
	for (size_t i = 0; i < HELD; i++)
		if (slots[i].p != NULL)
			peer.put(slots[i].p, slots[i].size);
}

const struct work work_large = { "malloc-large", "blocks of 5 to 25 MiB", 1, 240 << 20, HELD, run };
