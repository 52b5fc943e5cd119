/* SPDX-License-Identifier: BSD-3-Clause */
/* named.h - heaps that a program names and whoever runs it places. */
#ifndef HEAP_NAMED_H
#define HEAP_NAMED_H

struct situs_heap;

/* The heap is going: its name is free again. */
void named__forget(struct situs_heap *heap);

#endif
