/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * lab_heap.h - a heap as a whole, by all who can tell where its pages are: move_pages page by page, the kernel's
 * sums in /proc/self/numa_maps, and situs_locate. The heap must be quiet meanwhile.
 */
#ifndef TESTS_LAB_GUEST_LAB_HEAP_H
#define TESTS_LAB_GUEST_LAB_HEAP_H

#include "situs.h"
#include "tests/lab/guest/lab.h"

/* Adds the bytes of the present pages of all the heap's extents, by node. */
void lab_heap_pages(situs_heap_t *heap, size_t on_node[LAB_MAX_NODES]);

/*
 * Fails unless the three agree to the byte, node by node: numa_maps with move_pages over each mapping that
 * holds an extent, situs_locate with move_pages over extents (of many a few hundred); and unless all pages of those
 * mappings, also those that no block has, are on `nodes`. Returns the bytes of those pages.
 */
size_t lab_heap_agrees(situs_heap_t *heap, lab_nodes_t nodes);

#endif
