/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * report.c - says what each heap held and where it lay, when the program exits.
 *
 * Programs close standard error before they are done, so a copy of it is kept from the start. Who closes
 * every descriptor there is may open something else under that number: the copy is used only while it
 * still is the file that it was.
 */
#include "config.h"

#include "preload/report.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "preload/start.h"

static void report(void);

/* Out of the way of programs that count on low numbers. */
enum { LOWEST_DESCRIPTOR = 200 };

static int descriptor = -1;
static struct stat identity;
static bool as_json;

void report__at_exit(bool wants_json)
{
	int copy = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, LOWEST_DESCRIPTOR);

	if (copy >= 0 && fstat(copy, &identity) == 0)
		descriptor = copy;
	as_json = wants_json;
	at_quick_exit(report);
}

static bool is_still_ours(void)
{
	struct stat now;

	return descriptor >= 0 && fstat(descriptor, &now) == 0 && now.st_dev == identity.st_dev &&
		now.st_ino == identity.st_ino;
}

static atomic_bool is_printed;

/* The child of a fork is not the program that was asked about. */
bool report__is_due(void)
{
	return descriptor >= 0 && !is_printed && getpid() == preload.pid && is_still_ours();
}

__attribute__((destructor)) static void report(void)
{
	if (report__is_due())
		report__print(NULL);
}

void report__print(atomic_bool *has_begun)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out;

	is_printed = true;
	out = open_memstream(&text, &size);
	if (!out)
		return;
	if (as_json)
		report__write_json(out);
	else
		report__write(out, "at exit");
	if (fclose(out) != 0)
		return;
	if (has_begun)
		atomic_store(has_begun, true);
	if (write(descriptor, text, size) < 0)
		preload__say(SETTINGS_DEBUG, "situs: the table of heaps could not be written");
	free(text);
}
