/* SPDX-License-Identifier: BSD-3-Clause */
/* json.h - texts of programs and users as JSON, whatever they hold. */
#ifndef HEAP_JSON_H
#define HEAP_JSON_H

#include <stdio.h>

/* The text in its quotes; bytes that are no UTF-8 become U+FFFD. */
void json__text(FILE *stream, const char *text);

#endif
