/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * larson.c - a server, after Larson and Krishnan (1998): each connection's thread replaces blocks at
 * random; when it ends, another thread takes over its blocks and frees them.
 */
#include "bench/work/work.h"

#define SLOTS 2000
#define OPERATIONS 200000 /* of one thread in one generation */
#define GENERATIONS 20

struct WORK_APART connection {
	struct slot *slots;
	uint64_t random;
	size_t operations;
};

static void serve(void *argument)
{
	struct connection *c = argument;

	for (size_t i = 0; i < c->operations; i++) {
		struct slot *slot = &c->slots[random_below(&c->random, SLOTS)];

		if (slot->p != NULL)
			peer.put(slot->p, slot->size);
		slot->size = random_size(&c->random, 3, 7);
		slot->p = work_get(slot->size);
		work_touch(slot->p, slot->size);
	}
}

static void run(struct work_run *run)
{
	unsigned n = run->n_threads;
	struct slot *slots = work_private(n * SLOTS * sizeof(*slots));
	struct connection *connections = work_private(n * sizeof(*connections));

	for (unsigned generation = 0; generation < GENERATIONS; generation++) {
		for (unsigned i = 0; i < n; i++)
			connections[i] = (struct connection){ slots + (i + generation) % n * SLOTS,
				random_seed(generation * n + i), work_scaled(run, OPERATIONS, 10) };
		work_threads(n, serve, connections, sizeof(*connections));
	}
	work_look(run, slots, n * SLOTS);
	for (size_t i = 0; i < n * SLOTS; i++)
		if (slots[i].p != NULL)
			peer.put(slots[i].p, slots[i].size);
}

const struct work work_larson = { "larson", "a server's threads hand their blocks over as they end", 0,
	4 << 20, 4 * SLOTS, run };
