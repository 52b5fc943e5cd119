/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * peer.h - one allocator, as the suite sees it.
 *
 * Each program bench/peer_NAME links one adapter, peers/NAME.c, with the same micro-benchmarks and
 * workloads, so that no two allocators ever meet in a process. An adapter defines
 *
 *   static inline void *get(size_t), *get_zeroed(size_t), *get_aligned(size_t alignment, size_t),
 *                      *resize(void *, size_t old_size, size_t size);
 *   static inline void put(void *, size_t);           the size is the one asked for
 *   #define OWNER(pointer)                            whose block is it, as an integer; optional
 *
 * and then includes loops.h, which compiles the innermost loops right there: calls are as direct as
 * they are in a program written for that allocator. Workloads go through the table, where one
 * indirect call more does not count.
 *
 * Failure: get and its kin answer NULL; nothing in the suite takes that for granted not to happen.
 */
#ifndef BENCH_PEER_H
#define BENCH_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define BATCH 64

struct slot {
	void *p;
	size_t size;
};

struct batch {
	void *block[BATCH];
	bool full;
};

/* Blocks of a random size: 2^low to 2^(low + n) bytes, each doubling as likely as the others. */
struct sizes {
	unsigned low, n;
	bool touch; /* write one word to each page's worth of a block */
};

/* Each says whether there was memory enough. */
struct loops {
	bool (*pairs)(size_t size);                          /* BATCH blocks, then free them */
	bool (*zeroed)(size_t size);                         /* the same, zeroed; each is dirtied */
	bool (*aligned)(size_t alignment, size_t size);      /* the same, aligned */
	bool (*churn)(struct slot *, size_t n, const struct sizes *, uint64_t *random,
		size_t times);                               /* frees and fills a random slot */
	bool (*grow)(size_t from, size_t to);                /* one block, by half of itself at a time */
	bool (*fill)(struct batch *, size_t size);
	void (*drain)(struct batch *, size_t size);
	uintptr_t (*owner)(void *const *blocks, size_t n);   /* NULL: the peer cannot say */
};

struct peer_options {
	const char *place; /* for peers that take Situs's words; NULL: node:0 */
	bool decay0;       /* give pages back at once */
};

struct peer {
	const char *name;      /* in the report */
	const char *placement; /* "none", "arena": a heap of its own that could be placed, "node": is on a node */
	size_t grain;          /* bytes that even the smallest block takes; 0: nothing special */
	bool has_decay0;

	const char *(*version)(void);
	const char *(*open)(const struct peer_options *); /* NULL, or why it cannot be had here */
	void (*thread_begin)(void);                       /* NULL: nothing to do */
	void (*thread_end)(void);
	bool (*heap_cycle)(void); /* makes a heap, a block in it, frees both; NULL: has none */

	void *(*get)(size_t size);
	void *(*get_zeroed)(size_t size);
	void *(*get_aligned)(size_t alignment, size_t size);
	void *(*resize)(void *p, size_t old_size, size_t size);
	void (*put)(void *p, size_t size);
	struct loops loops;
};

extern const struct peer peer;

static inline void peer_thread_begin(void)
{
	if (peer.thread_begin != NULL)
		peer.thread_begin();
}

static inline void peer_thread_end(void)
{
	if (peer.thread_end != NULL)
		peer.thread_end();
}

#ifdef __cplusplus
}
#endif
#endif
