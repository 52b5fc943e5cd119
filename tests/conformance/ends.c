/* SPDX-License-Identifier: BSD-3-Clause */
/* Ends with status 5: by the function that is named, or by _exit from a handler that comes amid malloc. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

static void end(int signal)
{
	(void)signal;
	_exit(5);
}

static void work(void)
{
	struct itimerval soon = { .it_value = { .tv_usec = 20000 } };
	void *volatile blocks[64] = { 0 };

	signal(SIGALRM, end);
	setitimer(ITIMER_REAL, &soon, NULL);
	for (size_t i = 0;; i = (i * 7 + 1) % 64) {
		free(blocks[i]);
		blocks[i] = malloc(i * i * 100);
	}
}

int main(int argc, char **argv)
{
	const char *how = argc > 1 ? argv[1] : "";

	if (!malloc(1000))
		return 1;
	if (strcmp(how, "_exit") == 0)
		_exit(5);
	if (strcmp(how, "_Exit") == 0)
		_Exit(5);
	if (strcmp(how, "quick_exit") == 0)
		quick_exit(5);
	if (strcmp(how, "handler") == 0)
		work();
	return 5;
}
