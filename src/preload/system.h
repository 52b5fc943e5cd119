/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * system.h - the C library's own allocator, under the names it has besides malloc.
 *
 * Exactly this allocator serves what the preload does not: blocks asked for before the heap is ready
 * and blocks outside the chosen sizes. Nothing has to be looked up for it, so it works from the
 * first instruction of the process on.
 */
#ifndef PRELOAD_SYSTEM_H
#define PRELOAD_SYSTEM_H

#include <malloc.h>
#include <stddef.h>
#include <sys/types.h>

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *ptr, size_t size);
void *__libc_memalign(size_t alignment, size_t size);
void __libc_free(void *ptr);

/* These have no second name: looked up in the C library on first use (which may call malloc). */
size_t system__usable_size(void *ptr);
int system__trim(size_t pad);
struct mallinfo2 system__mallinfo2(void);
void system__stats(void);

/* The C library's own. */
struct termios;
struct winsize;
pid_t system__fork(void);
int system__daemon(int no_chdir, int no_close);
pid_t system__bare_fork(void);
pid_t system__forkpty(int *fd, char *name, const struct termios *settings, const struct winsize *size);

/* A function of the C++ runtime by its linker's name; NULL where the process has none. */
void *system__cxx(const char *name);

#endif
