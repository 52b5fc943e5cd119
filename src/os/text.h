/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * text.h - small files of /proc and /sys, read without stdio, which would allocate. Private to os/.
 */
#ifndef OS_TEXT_H
#define OS_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* How often a file could not be read for want of a descriptor. */
extern _Atomic unsigned text__n_unread;

/* Reads a file from its start, as text, as far as it fits. Its length, or a negative errno. */
ssize_t text__read(const char *path, char *text, size_t size);

/* The number after `name` at the start of a line or after a space, times unit. False: there is none. */
bool text__find(const char *text, const char *name, size_t unit, size_t *number);

/* The number that the whole file is. -EINVAL: it is none ("max"). */
int text__read_number(const char *path, size_t *number);

#endif
