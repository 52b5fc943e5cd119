/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * exit.c - _exit, by which nothing runs that was to run at exit, still prints the table of --stats.
 *
 * It may be called from a signal handler that came in the middle of malloc, and beside threads that hold
 * locks. So a copy of the process writes the table, made by the bare system call, which runs no handlers and
 * tells nobody of its end; one that hangs on a lock of a thread that it has not is followed by another, and
 * in the end the program ends without a table. A copy that has begun to write is not hurried, or the table
 * would be there twice. The copies draw from the C library alone: memory that a
 * fork does not copy is not there.
 */
#include "config.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "preload/report.h"
#include "preload/start.h"

#define PUBLIC __attribute__((visibility("default")))

enum { FIRST_WAIT_MS = 20, LAST_WAIT_MS = 1280 };

static void __attribute__((noreturn)) leave(int status)
{
	for (;;)
		syscall(SYS_exit_group, status);
}

static void __attribute__((noreturn)) print_and_leave(atomic_bool *has_begun)
{
	thread__self->bound = NULL;
	preload.size_min = SIZE_MAX;
	preload.size_max = 0;
	report__print(has_begun);
	leave(0);
}

/* Has the copy written the table, or begun to within so many ms? Else it is no more. */
static bool has_printed(pid_t copy, const atomic_bool *has_begun, int wait_ms)
{
	const struct timespec pause = { .tv_nsec = 1000000 };
	int status = 0;

	for (int i = 0; i < wait_ms || atomic_load(has_begun); i++) {
		/* Not a child that the program knows: it has no signal. */
		if (waitpid(copy, &status, __WCLONE | WNOHANG) != 0)
			return WIFEXITED(status);
		nanosleep(&pause, NULL);
	}
	kill(copy, SIGKILL);
	waitpid(copy, &status, __WCLONE);
	return WIFEXITED(status);
}

static void print_by_copy(void)
{
	/* Shared with the copies. */
	atomic_bool *has_begun = mmap(NULL, sizeof(*has_begun), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		-1, 0);

	if (has_begun == MAP_FAILED)
		return;
	for (int wait_ms = FIRST_WAIT_MS; wait_ms <= LAST_WAIT_MS; wait_ms *= 2) {
		pid_t copy = (pid_t)syscall(SYS_clone, 0L, 0L, 0L, 0L, 0L);

		if (copy == 0)
			print_and_leave(has_begun);
		if (copy < 0 || has_printed(copy, has_begun, wait_ms))
			return;
	}
	preload__say(SETTINGS_WARN, "situs: pid %ld ended by _exit in the middle of malloc: no table of its heaps",
		(long)preload.pid);
}

PUBLIC void __attribute__((noreturn)) _exit(int status)
{
	if (report__is_due())
		print_by_copy();
	leave(status);
}

PUBLIC void __attribute__((noreturn)) _Exit(int status)
{
	_exit(status);
}
