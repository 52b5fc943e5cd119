/* SPDX-License-Identifier: BSD-3-Clause */
/* utf8.h - characters of names and places, whoever writes them out. Nothing here allocates. */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/* Bytes of the UTF-8 character at text; 0: it is none. */
size_t utf8__length(const char *text);

/*
 * Is it one that a terminal shows, and does not obey? Not the control characters of ASCII, those that ISO 6429
 * has besides (U+0080 to U+009F, of which U+009B is another escape), and bytes that are no UTF-8.
 */
bool utf8__is_printable(const char *text);

/* Puts ? for each byte of a character that is not. */
void utf8__make_printable(char *text);

#endif
