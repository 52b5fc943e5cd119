/* SPDX-License-Identifier: BSD-3-Clause */
/* run.h - what situs run says of what it is about to do. */
#ifndef TOOL_RUN_H
#define TOOL_RUN_H

#include <stdbool.h>
#include <stdio.h>

/* The option or variable that set a SITUS_... variable. */
typedef const char *run_who_func(const char *variable);

/*
 * On standard error: where the heaps will lie, on which nodes, and who said so and why these; that the
 * program may be preloaded. `is_default`: nobody said a place.
 */
void run__explain(const char *path, run_who_func *who_says, bool is_default);

/*
 * The command, as a shell would be given it, which is another process: a table that is for this one would be for every
 * one there. `dropped`: variables that must not be set, NULL after the last.
 */
void run__show(FILE *stream, char **program, const char *path, const char *const *dropped);

#endif
