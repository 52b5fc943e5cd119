/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * system.c - what the C and C++ libraries have behind the names the preload takes over.
 *
 * Looked up in the very library, never with RTLD_NEXT: the next malloc_usable_size of a process may
 * be another allocator's, which does not know the C library's blocks.
 */
#include "config.h"

#include "preload/system.h"

#include <dlfcn.h>
#include <errno.h>
#include <gnu/lib-names.h>
#include <stdatomic.h>

typedef _Atomic(void *) cached;

/* Idempotent, so threads may do it at once. */
static void *look_up(cached *found, const char *name)
{
	void *function = atomic_load_explicit(found, memory_order_relaxed), *library;

	if (function)
		return function;
	library = dlopen(LIBC_SO, RTLD_LAZY | RTLD_NOLOAD);
	if (!library)
		return NULL;
	function = dlsym(library, name);
	dlclose(library);
	atomic_store_explicit(found, function, memory_order_relaxed);
	return function;
}

size_t system__usable_size(void *ptr)
{
	static cached found;
	size_t (*function)(void *);

	*(void **)&function = look_up(&found, "malloc_usable_size");
	return function ? function(ptr) : 0;
}

int system__trim(size_t pad)
{
	static cached found;
	int (*function)(size_t);

	*(void **)&function = look_up(&found, "malloc_trim");
	return function ? function(pad) : 0;
}

struct mallinfo2 system__mallinfo2(void)
{
	static cached found;
	struct mallinfo2 (*function)(void);

	*(void **)&function = look_up(&found, "mallinfo2");
	return function ? function() : (struct mallinfo2){ 0 };
}

void system__stats(void)
{
	static cached found;
	void (*function)(void);

	*(void **)&function = look_up(&found, "malloc_stats");
	if (function)
		function();
}

pid_t __fork(void);

pid_t system__fork(void)
{
	return __fork();
}

int system__daemon(int no_chdir, int no_close)
{
	static cached found;
	int (*function)(int, int);

	*(void **)&function = look_up(&found, "daemon");
	if (function)
		return function(no_chdir, no_close);
	errno = ENOSYS;
	return -1;
}

/* Older C libraries have no _Fork, and then no program calls it. */
pid_t system__bare_fork(void)
{
	static cached found;
	pid_t (*function)(void);

	*(void **)&function = look_up(&found, "_Fork");
	if (function)
		return function();
	errno = ENOSYS;
	return -1;
}

pid_t system__forkpty(int *fd, char *name, const struct termios *settings, const struct winsize *size)
{
	static cached found;
	pid_t (*function)(int *, char *, const struct termios *, const struct winsize *);

	*(void **)&function = look_up(&found, "forkpty");
	if (function)
		return function(fd, name, settings, size);
	errno = ENOSYS;
	return -1;
}

void *system__cxx(const char *name)
{
	static const char *const libraries[] = { "libstdc++.so.6", "libc++abi.so.1", "libc++.so.1" };
	void *library, *function = NULL;

	for (size_t i = 0; i < sizeof(libraries) / sizeof(libraries[0]) && !function; i++) {
		library = dlopen(libraries[i], RTLD_LAZY | RTLD_NOLOAD);
		if (!library)
			continue;
		function = dlsym(library, name);
		dlclose(library);
	}
	return function;
}
