/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * mistaken.h - what the ordinary build notices of a program's mistakes, off the fast paths.
 *
 * A block that is freed twice lies in its thread's cache twice. Before cached blocks go to jemalloc, whose
 * slabs would count it twice and be given up under other live blocks, what stands among them more than
 * once, or at an address where no block of its class can begin, is taken out. Nothing is freed for
 * it, and situs_error() of the thread that came by says so. doc/safety.md has the whole list.
 */
#ifndef HEAP_MISTAKEN_H
#define HEAP_MISTAKEN_H

#include <stddef.h>

/* Leaves of n cached blocks of one class those that may be freed, and returns how many. errno stays. */
size_t mistaken__drop(void **blocks, size_t n, unsigned class);

/* Says that an address was freed that is no block, or is not any more. errno stays. */
void mistaken__say(const void *block, const char *what);

#endif
