/* SPDX-License-Identifier: BSD-3-Clause */
/* program.h - can a program be run under the preload? */
#ifndef TOOL_PROGRAM_H
#define TOOL_PROGRAM_H

#include <stddef.h>

/*
 * Finds the program as execvp would and writes its path. 0, or a negative errno: -ENOENT, -EACCES (no
 * execute permission, or a folder), -EPERM (a folder on the way may not be entered), -ENAMETOOLONG.
 */
int program__find(const char *name, char *path, size_t size);

/*
 * Why the dynamic linker would not load a preload into this program, as words that go after its
 * name and say what to do; NULL where it would. Scripts are judged by their interpreter.
 */
#define PROGRAM_REFUSAL_SIZE 400
const char *program__refusal(const char *path, char *buffer, size_t size);

#endif
