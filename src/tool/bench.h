/* SPDX-License-Identifier: BSD-3-Clause */
/* bench.h - the parts of situs bench. */
#ifndef TOOL_BENCH_H
#define TOOL_BENCH_H

#include <stdbool.h>
#include <stddef.h>

enum { BENCH_N_WORKS = 4, BENCH_MAX_PEERS = 8 };

/* One thing that programs do with memory. */
struct bench_work {
	const char *name, *what;
};
extern const struct bench_work bench__works[BENCH_N_WORKS];

/* What is compared. */
struct bench_peer {
	const char *name;
	const char *preload; /* whose malloc it is; NULL: heaps of libsitus, by situs_malloc */
	bool is_ours;
	const char *package; /* Debian's, that brings it; NULL: it is here always */
};

struct bench_results {
	size_t n_peers; /* those that are here */
	struct bench_peer peers[BENCH_MAX_PEERS];
	double ns[BENCH_MAX_PEERS][BENCH_N_WORKS]; /* of CPU time a block, the best of all rounds; 0: it failed */
	size_t n_figures;
	size_t n_absent;
	struct bench_peer absent[BENCH_MAX_PEERS];
	char place[128]; /* of the rows that are Situs's */
	int rounds;
};

/*
 * In a process of its own: does one of the works with malloc and free, or where `place` is given with a heap
 * there, and prints the nanoseconds. `library` must be in the path of the object malloc comes from; NULL:
 * any. The exit status; BENCH_ABSENT where it is not.
 */
enum { BENCH_ABSENT = 3 };
int bench__work(const char *work, const char *place, const char *library);

/* Draws the works one below the other, the peers side by side; the exit status. */
int bench__draw(const struct bench_results *results, const char *file);

#endif
