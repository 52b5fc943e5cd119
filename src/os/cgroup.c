/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * cgroup.c - walks from this process's memory control group up to the mount's root and takes the
 * least of what each has left.
 *
 * Both versions of control groups are looked for at their usual mount points. In a container the
 * path may be one of the host's that is not there: then the mount's root is the container's own
 * group. Names of files: Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/memory.rst.
 */
#include "os/cgroup.h"

#include "os/text.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

struct version {
	const char *line;  /* of /proc/self/cgroup: what stands before the path */
	const char *mount;
	const char *limit, *usage; /* files, one number each */
	const char *reclaimable;   /* name in memory.stat: page cache that goes before anybody is killed */
};

static const struct version versions[] = {
	{"0::", "/sys/fs/cgroup", "memory.max", "memory.current", "inactive_file "},
	{":memory:", "/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes",
		"total_inactive_file "},
};

enum {
	PATH_SIZE = 512,
	/* The kernel charges in batches for each processor, and page tables as well. */
	MIN_MARGIN = 4 << 20,
};

static size_t file_number(const char *folder, const char *name, size_t otherwise)
{
	char path[PATH_SIZE + 64];
	size_t number;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return text__read_number(path, &number) == 0 ? number : otherwise;
}

static size_t reclaimable(const struct version *version, const char *folder)
{
	char path[PATH_SIZE + 64], text[4096];
	size_t bytes;

	snprintf(path, sizeof(path), "%s/memory.stat", folder);
	if (text__read(path, text, sizeof(text)) < 0 || !text__find(text, version->reclaimable, 1, &bytes))
		return 0;
	return bytes;
}

static size_t group_room(const struct version *version, const char *folder)
{
	size_t limit = file_number(folder, version->limit, SIZE_MAX);
	size_t margin = limit / 64 + MIN_MARGIN, used, cache;

	/* Version 1 says "none" with a number of pages that fill an address space. */
	if (limit > SIZE_MAX / 4)
		return SIZE_MAX;
	used = file_number(folder, version->usage, 0);
	cache = reclaimable(version, folder);
	used = margin + (used > cache ? used - cache : 0);
	return used < limit ? limit - used : 0;
}

/* The group that has least so far. */
struct least {
	size_t room;
	char *folder; /* the caller's */
	size_t size;
};

static void note_least(struct least *least, size_t room, const char *folder)
{
	size_t length = strlen(folder), cut = length < least->size ? 0 : length - least->size + 1;

	if (room >= least->room)
		return;
	least->room = room;
	snprintf(least->folder, least->size, "%s", folder + cut);
}

/* folder is cut at its slashes on the way up. */
static void walk_up(const struct version *version, char *folder, struct least *least)
{
	size_t mount_length = strlen(version->mount);

	for (;;) {
		char *slash = strrchr(folder, '/');

		note_least(least, group_room(version, folder), folder);
		if (strlen(folder) <= mount_length || slash == NULL)
			return;
		*slash = '\0';
	}
}

static void look_at_version(const struct version *version, const char *groups, struct least *least)
{
	char folder[PATH_SIZE];
	const char *path = strstr(groups, version->line);
	int length;

	if (path == NULL)
		return;
	path += strlen(version->line);
	length = (int)strcspn(path, "\n");
	/* Never longer: the kernel's paths fit, and a cut one is found to be missing. */
	snprintf(folder, sizeof(folder), "%s%.*s", version->mount, length, path);
	walk_up(version, folder, least);
}

size_t cgroup__room(char *folder, size_t size)
{
	struct least least = {SIZE_MAX, folder, size};
	char groups[2048];

	if (text__read("/proc/self/cgroup", groups, sizeof(groups)) <= 0)
		return SIZE_MAX;
	for (size_t i = 0; i < sizeof(versions) / sizeof(versions[0]); i++)
		look_at_version(&versions[i], groups, &least);
	return least.room;
}
