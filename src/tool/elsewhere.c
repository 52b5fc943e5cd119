/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * elsewhere.c - what situs leaves to situs-heaps, the same command with what makes heaps itself.
 *
 * Heaps need jemalloc, and loading jemalloc takes longer than all else that situs run does before it
 * becomes the program: so the command that is run every time does without.
 */
#include "config.h"

#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "tool/stat.h"
#include "tool/tool.h"

#define NAME "situs-heaps"

/* Beside this very binary (a build folder), in a relocated tree, or where it was installed. */
static int become(char **words)
{
	static const char *const below[] = { "", "../libexec/situs/" };
	char folder[PATH_MAX] = "/", path[PATH_MAX + 64];
	ssize_t n = readlink("/proc/self/exe", folder, sizeof(folder) - 1);

	folder[n > 0 ? n : 1] = 0;
	strrchr(folder, '/')[1] = 0;
	for (size_t i = 0; i < sizeof(below) / sizeof(below[0]); i++) {
		snprintf(path, sizeof(path), "%s%s" NAME, folder, below[i]);
		execv(path, words);
	}
	execv(PKGLIBEXECDIR "/" NAME, words);
	return tool__fail(TOOL_FAILED, "%s is missing; install Situs again", PKGLIBEXECDIR "/" NAME);
}

int stat__self_test(bool json)
{
	return become((char *[]){ (char[]){ "situs" }, (char[]){ "stat" }, (char[]){ "--self-test" },
		json ? (char[]){ "--json" } : NULL, NULL });
}
