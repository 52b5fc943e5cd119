/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * timed FILE PROGRAM ARGUMENT... - runs a program and writes what it took into FILE, as JSON: wall and
 * processor seconds and the peak resident size in bytes, its children's included (peak: the largest of
 * them). A small process of its own, because ru_maxrss of a child begins with what its parent had.
 * Exit status: the program's, 128 + the signal that ended it, 126 where it could not be run, or 77 where
 * no process can be had for it.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static double seconds(const struct timeval *t)
{
	return (double)t->tv_sec + (double)t->tv_usec * 1e-6;
}

static int fail(const char *what)
{
	fprintf(stderr, "timed: %s: %s\n", what, strerror(errno));
	return 126;
}

int main(int argc, char **argv)
{
	struct rusage usage;
	double from = now(), wall;
	FILE *file;
	int status;
	pid_t child;

	if (argc < 3) {
		fputs("Usage: timed FILE PROGRAM ARGUMENT...\n", stderr);
		return 2;
	}
	child = fork();
	if (child < 0) {
		fprintf(stderr, "timed: no more processes can be had: %s\n", strerror(errno));
		return 77;
	}
	if (child == 0) {
		execvp(argv[2], argv + 2);
		_exit(fail(argv[2]));
	}
	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return fail("waitpid");
	wall = now() - from;
	getrusage(RUSAGE_CHILDREN, &usage);
	file = fopen(argv[1], "we");
	if (file == NULL)
		return fail(argv[1]);
	fprintf(file, "{\"wall\": %.6f, \"cpu\": %.6f, \"system\": %.6f, \"peak\": %ld}\n", wall,
		seconds(&usage.ru_utime) + seconds(&usage.ru_stime), seconds(&usage.ru_stime),
		usage.ru_maxrss * 1024);
	if (fclose(file) != 0)
		return fail(argv[1]);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
