/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * conduit.h - many small blocks at once, between a heap and one of its arenas.
 *
 * jemalloc takes a lock for each block that passes no cache of its own. A cache of its own that serves one
 * heap only is as exact as none, and takes the lock once for half of what it holds: 12 ns a block in place
 * of 35. So each arena of a heap that is no longer small gets one, under a lock of ours, and blocks
 * stream through it; nothing reads from it but refills, nothing writes but overflows.
 *
 * What stays behind in it (at most 200 blocks of a class, by jemalloc's opt.lg_tcache_nslots_mul) jemalloc
 * counts as allocated: conduit__flush comes before statistics are read, and now and then.
 *
 * Whoever finds the lock taken does without: the holder may be inside jemalloc waiting for the end of a
 * fork, or be this very thread (jemalloc's pthread_create allocates).
 *
 * A fork's child forgets jemalloc's caches and what lay there. jemalloc 5.3.0 keeps them in a ring with those
 * of threads, empties the list in the child but not the ring (arena_postfork_child), and to flush or destroy
 * such a cache there writes into the stacks of threads that are gone.
 */
#ifndef HOOKS_CONDUIT_H
#define HOOKS_CONDUIT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/lock.h"

enum {
	CONDUIT_BYTES = 1024, /* larger blocks would lie in it by the hundred kilobyte */
	CONDUIT_MIB = 3,      /* parts of jemalloc's longest name here */
};

struct conduit {
	struct lock lock;
	/* Under the lock */
	bool is_made;
	unsigned cache; /* jemalloc's number */
	size_t batch_alloc[CONDUIT_MIB], n_batch_alloc; /* jemalloc's numbers for that name */
};

void conduit__init(struct conduit *conduit);

/*
 * Blocks of one size class up to CONDUIT_BYTES from the arena, as arena__malloc gives them: callers look whose they are.
 * Returns how many, 0 where the conduit is busy or cannot be made.
 */
size_t conduit__get(struct conduit *conduit, unsigned arena, size_t size, void **blocks, size_t n);

/* Takes blocks of this very size of the heap's arenas; false: none of them. */
bool conduit__put(struct conduit *conduit, size_t size, void **blocks, size_t n);

/* What lies in it goes to its arenas. One that is busy is passed over. Some 10 us: jemalloc makes its cache anew. */
void conduit__flush(struct conduit *conduit);

/*
 * Many blocks at once without a conduit: through jemalloc's own cache of the thread, whose path is a third
 * shorter (6.5 ns a block, 9.7 by a conduit). It is emptied at the end, for 0.6 us, lest anybody draw from it.
 * Only where the program does not use that cache, since its malloc is not jemalloc's: who knows that says so
 * once, before there are threads. Blocks of up to CONDUIT_BYTES.
 */
void conduit__have_thread_caches(void);
bool conduit__has_thread_caches(void);
void conduit__drop(size_t size, void **blocks, size_t n);
void conduit__end_drops(void);

/* Before the arenas of which it may hold blocks. */
void conduit__destroy(struct conduit *conduit);

void conduit__after_fork(struct conduit *conduit);

#endif
