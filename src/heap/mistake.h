/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * mistake.h - a program's mistake is named in one line on stderr, and the program aborted.
 *
 * Builds that check only. No malloc: it may be the program's malloc that found the mistake.
 */
#ifndef HEAP_MISTAKE_H
#define HEAP_MISTAKE_H

/* "situs: ...", then who called (an address in code, or NULL). */
_Noreturn void mistake__die(const void *caller, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* The same of an address in a heap: "situs: WHO: WHAT: ADDRESS, SIZE bytes, heap ...". */
_Noreturn void mistake__of_block(const char *who, const void *caller, const void *block,
	const char *what);

#endif
