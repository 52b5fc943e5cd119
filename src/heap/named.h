/* SPDX-License-Identifier: BSD-3-Clause */
/* named.h - heaps that a program names and whoever runs it places. */
#ifndef HEAP_NAMED_H
#define HEAP_NAMED_H

#include <stdbool.h>

struct situs_heap;

/*
 * For the preload, whose programs run whatever the environment says; set before the first heap is named. Either
 * SITUS_HEAPS is not heeded, or who is told of a heap that cannot lie where it says (the thread's sentence has why) and then
 * gets the program's own place. NULL: such a heap is refused.
 */
extern bool named__has_no_orders;
extern void (*named__cannot_follow)(const char *name, const char *place);

/* The heap is going: its name is free again. */
void named__forget(struct situs_heap *heap);

#endif
