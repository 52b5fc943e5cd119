/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * room.h - taking main memory page by page without ever asking for more than there is.
 *
 * The kernel kills a process when memory runs out under a fault, so whoever makes pages present looks
 * first (os__room). A look alone is no promise: what other threads of this process are about to take is
 * still free when one looks. So bytes are booked, by all areas in one book, until they are present.
 */
#ifndef AREA_ROOM_H
#define AREA_ROOM_H

#include <stddef.h>

/* Makes [at, at + size) of a range present. AML_SUCCESS or what aml__fail returned. */
typedef int room_step_func(void *arg, size_t at, size_t size);

/*
 * Books `size` bytes and calls `step` for part after part, from 0 to size, each a multiple of granule (a
 * page's size, which divides size). Parts are small where room is, so that several processes that fill at
 * once under one limit do not pass it together. AML_SUCCESS, -AML_ENOMEM with a sentence (who has no
 * room: the machine, the cpuset, a control group), or what step returned; what is present then is the
 * caller's to give back. place: for the sentence.
 */
int room__fill(const char *place, size_t size, size_t granule, room_step_func *step, void *arg);

/* Is there room for size more bytes now? Or says who has none: -AML_ENOMEM. Books nothing: for failures
   whose words were said before everything was given back. */
int room__check(const char *place, size_t size);

/* Bytes in the book now: 0 when nobody is filling. For tests. */
size_t room__booked(void);

#endif
