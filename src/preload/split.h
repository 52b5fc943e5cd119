/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * split.h - one program, several heaps: by weight (SITUS_RATIO), or by the node of the thread
 * (SITUS_PER_THREAD_LOCAL).
 *
 * By weight, the bytes in use are held to the weights, not the calls: each block goes where its heap
 * stays furthest below its share. Blocks below SPLIT_LARGE are counted by thread, which costs no
 * shared write, and each thread keeps to the weights for itself; larger ones are counted for the whole
 * process, since a thread may ask for one of them only. A block that its heap refuses is asked of the
 * others.
 *
 * By node, a thread draws from the heap of the node it runs on, which is looked at every SPLIT_LOOK
 * requests, or from the nearest one where that node has no memory.
 *
 * Only called where preload.is_split.
 */
#ifndef PRELOAD_SPLIT_H
#define PRELOAD_SPLIT_H

#include <stdbool.h>
#include <stddef.h>

#include "heap/settings.h"
#include "situs.h"

enum {
	SPLIT_LARGE = 64 * 1024,
	SPLIT_LOOK = 256,
};

/* Which nodes get heaps of their own: at most n_max, in `nodes`; how many. */
int split__thread_nodes(int *nodes, int n_max);

/* Says how to choose among preload.heaps; before preload.is_split is set. */
void split__by_weight(const struct settings_share *shares, int n);
void split__by_node(const int *nodes, int n);

/* A block; alignment 0: the natural one. NULL with errno. The caller knows that it is not the C
   library's to serve. */
void *split__allocate(size_t alignment, size_t size, bool zero);

/* A block of `heap`, resized where it is or moved; NULL with errno and the block as it was. */
void *split__resize(situs_heap_t *heap, void *ptr, size_t size);

/* A block of `heap` goes back. */
void split__free(situs_heap_t *heap, void *ptr);

#endif
