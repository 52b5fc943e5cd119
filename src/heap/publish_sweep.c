/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * publish_sweep.c - where tables are, and the removal of those whose program was killed before it could. What
 * looks at tables needs this file alone, and none of what makes heaps.
 *
 * Sweeping runs at a program's start, before its heaps exist, so it asks the kernel for the folder's entries
 * itself: opendir would call malloc.
 */
#include "config.h"

#include "heap/publish.h"

#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static bool folder_is_private(const char *folder)
{
	struct stat st;

	return folder[0] == '/' && strlen(folder) < PUBLISH_FOLDER_MAX && stat(folder, &st) == 0 &&
		S_ISDIR(st.st_mode) && st.st_uid == geteuid() && (st.st_mode & 077) == 0;
}

const char *publish__folder(void)
{
	const char *runtime = secure_getenv("XDG_RUNTIME_DIR");

	return runtime && folder_is_private(runtime) ? runtime : "/dev/shm";
}

uint64_t publish__start_time(long pid)
{
	char name[48], text[1024];
	const char *at;
	ssize_t n;
	int fd, field;

	if (pid)
		snprintf(name, sizeof(name), "/proc/%ld/stat", pid);
	else
		snprintf(name, sizeof(name), "/proc/self/stat");
	fd = open(name, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n <= 0)
		return 0;
	text[n] = 0;
	/* The second field is the program's name in parentheses, which may hold anything. */
	at = strrchr(text, ')');
	for (field = 2; at && field < 22; field++)
		at = strchr(at + 1, ' ');
	return at ? strtoull(at + 1, NULL, 10) : 0;
}

uint64_t publish__pid_namespace(void)
{
	struct stat st;

	return stat("/proc/self/ns/pid", &st) == 0 ? st.st_ino : 0;
}

struct entry { /* what the kernel calls linux_dirent64 */
	uint64_t inode;
	int64_t offset;
	unsigned short size;
	unsigned char type;
	char name[];
};

/* A dash and a number; every program that starts comes here, so not sscanf, which is 64 KiB of the C library. */
static bool take_number(const char **text, unsigned long long *number)
{
	char *end;

	if ((*text)[0] != '-' || (*text)[1] < '0' || (*text)[1] > '9')
		return false;
	*number = strtoull(*text + 1, &end, 10);
	*text = end;
	return true;
}

/* Is `name` a table of this user whose program is no more? */
static bool is_stale(int folder, const char *name)
{
	struct publish_header header;
	const char *name_rest;
	unsigned long long uid, pid, start;
	struct stat st;
	ssize_t n;
	int fd;

	if (strncmp(name, "situs", 5) != 0)
		return false;
	name_rest = name + 5;
	if (!take_number(&name_rest, &uid) || !take_number(&name_rest, &pid) ||
		!take_number(&name_rest, &start) || *name_rest != '\0' || uid != geteuid() || pid == 0 ||
		pid > INT_MAX)
		return false;
	if (publish__start_time((long)pid) == start)
		return false;
	fd = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return false;
	n = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == uid
		? pread(fd, &header, sizeof(header), 0) : -1;
	close(fd);
	/* A pid of another namespace says nothing here; a file without its header was never finished. */
	return n == 0 || (n == (ssize_t)sizeof(header) &&
		(header.magic != PUBLISH_MAGIC || header.pid_namespace == publish__pid_namespace()));
}

int publish__sweep(const char *path)
{
	char buffer[4096] __attribute__((aligned(8)));
	int folder, n_removed = 0;
	long n;

	folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (folder < 0)
		return 0;
	while ((n = syscall(SYS_getdents64, folder, buffer, sizeof(buffer))) > 0) {
		for (long at = 0; at < n;) {
			const struct entry *entry = (const void *)(buffer + at);

			at += entry->size;
			if (strncmp(entry->name, "situs-", 6) == 0 &&
				is_stale(folder, entry->name) &&
				unlinkat(folder, entry->name, 0) == 0)
				n_removed++;
		}
	}
	close(folder);
	return n_removed;
}

void publish__sweep_all(void)
{
	const char *folder = publish__folder();
	char usual[32];

	publish__sweep(folder);
	if (strcmp(folder, "/dev/shm") != 0)
		publish__sweep("/dev/shm");
	/* Where XDG_RUNTIME_DIR is for who logs in. */
	snprintf(usual, sizeof(usual), "/run/user/%u", (unsigned)geteuid());
	if (strcmp(folder, usual) != 0 && folder_is_private(usual))
		publish__sweep(usual);
}
