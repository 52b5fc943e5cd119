/* SPDX-License-Identifier: BSD-3-Clause */
/* In a shared place: fork is refused with ENOTSUP; posix_spawn, whose child only executes, is not. */
#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

int main(void)
{
	char *argv[] = { (char[]){ "true" }, NULL };
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
	puts("done");
	return 0;
}
