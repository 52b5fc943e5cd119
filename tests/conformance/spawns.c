/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * In a shared place: fork and daemon are refused with ENOTSUP; posix_spawn, whose child only executes, is not;
 * and a child made behind everybody's back has no part in the parent's blocks.
 */
#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

int main(void)
{
	char *argv[] = { (char[]){ "true" }, NULL };
	char *block = strcpy(malloc(100), "the parent's");
	struct rlimit no_core = { 0, 0 };
	pid_t child;
	int status;

	if (posix_spawnp(&child, "true", NULL, NULL, argv, environ) || waitpid(child, &status, 0) != child ||
		status)
		return 1;
	errno = 0;
	child = fork();
	if (child == 0)
		_exit(0);
	if (child != -1 || errno != ENOTSUP)
		return 2;
	errno = 0;
	if (daemon(1, 1) != -1 || errno != ENOTSUP)
		return 3;
	setrlimit(RLIMIT_CORE, &no_core);
	child = (pid_t)syscall(SYS_clone, (long)SIGCHLD, 0L, 0L, 0L, 0L);
	if (child == 0) {
		strcpy(block, "the child's");
		syscall(SYS_exit_group, 0);
	}
	if (child < 0 || waitpid(child, &status, 0) != child || !WIFSIGNALED(status) ||
		WTERMSIG(status) != SIGSEGV || strcmp(block, "the parent's") != 0)
		return 4;
	puts("done");
	return 0;
}
