/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fork.c - refuses forks where a heap's memory would be the parent's and the child's at once.
 *
 * file: and shm: places are shared mappings, which a fork does not copy: both processes would write to the
 * same blocks. vfork and posix_spawn, whose child only executes something, are harmless and go on. Whoever
 * forks by clone or the bare system call gets a child without that memory (os__files_stay_here), which dies of its
 * first touch there and leaves the parent's blocks alone.
 */
#include "config.h"

#include <errno.h>
#include <pty.h>
#include <stdatomic.h>
#include <unistd.h>

#include "preload/start.h"
#include "preload/system.h"

#define PUBLIC __attribute__((visibility("default")))

static bool is_refused(void)
{
	static atomic_bool is_told;

	if (!preload.is_shared)
		return false;
	if (!atomic_exchange(&is_told, true))
		preload__say(SETTINGS_ERROR, "situs: pid %ld may not fork: its heap lies in file: or shm:, which "
			"parent and child would both write to; choose another place for it", (long)getpid());
	errno = ENOTSUP;
	return true;
}

PUBLIC pid_t fork(void)
{
	return is_refused() ? -1 : system__fork();
}

PUBLIC int daemon(int no_chdir, int no_close)
{
	return is_refused() ? -1 : system__daemon(no_chdir, no_close);
}

PUBLIC pid_t _Fork(void)
{
	return is_refused() ? -1 : system__bare_fork();
}

PUBLIC int forkpty(int *fd, char *name, const struct termios *settings, const struct winsize *size)
{
	return is_refused() ? -1 : system__forkpty(fd, name, settings, size);
}
