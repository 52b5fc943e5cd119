/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * extended.h - jemalloc's extended functions (mallocx and its kin) of programs that are linked with it.
 *
 * Such a program mixes both families: what mallocx gave goes to free, what malloc gave to dallocx. So
 * the preload has both. Blocks without a wish for an arena or a thread cache come from the preload's heaps;
 * the others are jemalloc's, and their pages are marked in the page map so that free knows them.
 * jemalloc does not tell when it gives such pages back: what the C library serves later from the
 * same address unmarks them.
 */
#ifndef PRELOAD_EXTENDED_H
#define PRELOAD_EXTENDED_H

#include <stdatomic.h>
#include <stdbool.h>

/* Before the first of these functions is called; owner numbers are given in order, so the heaps come first. */
void extended__start(void);

/* Are there marked pages? */
extern atomic_bool extended__has_marks;

/* The C library has just made this block (or NULL): it is not jemalloc's. Returns block. */
void *extended__unmark(void *block);

static inline void *extended__from_libc(void *block)
{
	return __builtin_expect(atomic_load_explicit(&extended__has_marks, memory_order_relaxed), 0) ?
		extended__unmark(block) : block;
}

#endif
