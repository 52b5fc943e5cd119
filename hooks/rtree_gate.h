/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * rtree_gate.h - no fork while jemalloc makes a leaf of its radix tree.
 *
 * jemalloc finds the extent of an address in a radix tree, a leaf of which covers 1 GiB and is made for
 * the first extent that lies there (src/rtree.c of 5.3.0: 36 bits of page number in two levels). The lock
 * it makes leaves under is not among those it takes before fork: a fork meanwhile leaves the lock held
 * in the child, and its first extent in new address space waits for ever.
 *
 * So a thread that is given the first extent in a leaf's range is in flight until jemalloc has returned,
 * and a fork waits for those in flight. Hooks run under jemalloc's locks, which fork wants too, so they
 * cannot wait for a fork: the extent is refused, and the call into jemalloc is made again when the fork is over.
 *
 * Calls that the program makes into jemalloc itself, through situs_hooks_extent_hooks, are not covered.
 */
#ifndef HOOKS_RTREE_GATE_H
#define HOOKS_RTREE_GATE_H

#include <stdbool.h>
#include <stddef.h>

/* Around a call into jemalloc that may allocate an extent. They nest. */
void rtree_gate__begin(void);

/* True: an extent was refused for a fork's sake, the fork is over, and the call is worth making again. */
bool rtree_gate__end(void);

/* In the alloc hook, with an extent at hand. False: jemalloc must not have it now. */
bool rtree_gate__pass(const void *start, size_t size);

/* No fork until the release: false where one is about to happen. For moments only. */
bool rtree_gate__hold(void);
void rtree_gate__release(void);

/* Handlers of fork. */
void rtree_gate__before_fork(void);
void rtree_gate__after_fork_in_parent(void);
void rtree_gate__after_fork_in_child(void);

#endif
