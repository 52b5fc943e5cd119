/* SPDX-License-Identifier: BSD-3-Clause */
/* report.h - the table of --stats at the end of a program. */
#ifndef PRELOAD_REPORT_H
#define PRELOAD_REPORT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>

/* Asks for the table, or the same as JSON, when this very process exits: by exit, quick_exit or _exit, not by exec nor by
   a signal. */
void report__at_exit(bool as_json);

/* Is the table asked for, this the process, and it was not printed yet? */
bool report__is_due(void);

/* Prints it, to the standard error that the program was started with. has_begun (or NULL) is set when nothing is
   left to do but to write what it says. */
void report__print(atomic_bool *has_begun);

/* The table, with that word for when. While this runs nobody may destroy a heap. */
void report__write(FILE *out, const char *when);

/* The same as one line of JSON. */
void report__write_json(FILE *out);

#endif
