/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * stranger.h - addresses and handles that are not what a program says they are (--enable-checking).
 */
#ifndef HEAP_STRANGER_H
#define HEAP_STRANGER_H

/*
 * An address that no heap owns is about to be freed or resized by the program's malloc. Ends the program
 * where it surely is not malloc's: not aligned, not mapped, a variable or code, or memory that a heap has
 * given back. What may be malloc's passes, and malloc decides.
 */
#ifdef SITUS_CHECKING
void stranger__check(const void *ptr, const char *who, const void *from);
#else
static inline void stranger__check(const void *ptr, const char *who, const void *from)
{
	(void)ptr, (void)who, (void)from;
}
#endif

#endif
