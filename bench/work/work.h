/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * work.h - workloads: whole programs in small, each after a pattern well known in the field, written here.
 *
 * A workload allocates through `peer`, takes random decisions from fixed seeds, and does the same whatever
 * the peer is. `scale` 1 means a few tenths of a second; less shrinks the number of operations and of live
 * blocks alike. A workload ends the process where memory ends (work_no_memory), in words.
 */
#ifndef BENCH_WORK_H
#define BENCH_WORK_H

#include "bench/peer.h"
#include "bench/random.h"

struct work_run {
	unsigned n_threads;
	double scale;
	int node;          /* where blocks of a placed heap belong; -1: on no single one, nobody looks */
	size_t looked;     /* pages of live blocks that were asked about */
	long off_node;     /* how many of them were elsewhere; -1: the kernel does not say */
};

struct work {
	const char *name;
	const char *what;
	unsigned n_threads; /* 0: as many as asked for, 2 at least */
	size_t bytes;       /* held at once at scale 1, about, by all threads of a usual run */
	size_t blocks;      /* the same in blocks */
	void (*run)(struct work_run *);
};

extern const struct work work_larson, work_xmalloc, work_sh6, work_sh8, work_mstress, work_cache_scratch,
	work_cache_thrash, work_large, work_kv, work_pages, work_graph;

/* All of them, ending with NULL. */
extern const struct work *const work_all[];

/* n at scale 1; at least `least`. */
size_t work_scaled(const struct work_run *run, size_t n, size_t least);

/* Runs func(arg[i]) in n threads, args being `size` bytes apart; returns when all have ended. */
void work_threads(unsigned n, void (*func)(void *arg), void *args, size_t size);

/* A block, or the end of the process in words. */
void *work_get(size_t size);
void *work_resize(void *p, size_t old_size, size_t size);

/*
 * Of a struct that a thread writes to as it works, beside those of other threads: on cache lines of its own (lines are
 * fetched in pairs), or what was measured would be how threads wait for each other there.
 */
#define WORK_APART __attribute__((aligned(128)))

/* The suite's own memory, apart from what is measured: zeroed, straight from the kernel. */
void *work_private(size_t size);

/* Says so and ends the process with WORK_NO_MEMORY. */
void work_no_memory(size_t size) __attribute__((noreturn));
#define WORK_NO_MEMORY 77

/* Says what is wrong with the memory that was handed out, and ends the process with 1. */
void work_corrupt(const char *what) __attribute__((noreturn));

/* Looks where some of the live blocks lie; called by one thread, when much is live. */
void work_look(struct work_run *run, const struct slot *slots, size_t n);

/* What a program does with a block: writes to each page of it, or to all of a small one's first words. */
static inline void work_touch(void *p, size_t size)
{
	for (size_t at = 0; at < size; at += 4096)
		*(volatile char *)((char *)p + at) = 1;
}

#endif
