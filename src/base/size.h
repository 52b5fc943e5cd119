/* SPDX-License-Identifier: BSD-3-Clause */
/* size.h - sizes as people write and read them. */
#ifndef BASE_SIZE_H
#define BASE_SIZE_H

#include <stddef.h>

/*
 * Reads digits ("1.5G" is not a size) and at most one of K M G T (either case, powers of
 * 1024), which "B" or "iB" may follow. 0, or -EINVAL (not that), -ERANGE (more than a size_t).
 */
int size__parse(const char *text, size_t *size);

#define SIZE_TEXT_SIZE 24

/* Writes "0", "512 B", "3.1 MiB", "64 GiB"; returns text. */
char *size__format(size_t size, char text[SIZE_TEXT_SIZE]);

#endif
