/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * process_table.c - finds, checks and reads the table that another process publishes.
 *
 * The table is whatever file the process has mapped under a table's name: the mapping proves that
 * the table is that process's and that it still stands behind it (exec and fork drop it). The file
 * is then reached through /proc/PID/root, as the process itself names it.
 *
 * Nothing in the file is trusted: it must be a regular file of the process's user with mode 0600, it
 * is read with pread (a mapping could be cut under the reader), counts are held to the constants of
 * publish.h, texts are terminated, ranges sorted and checked.
 */
#include "config.h"

#include "tool/process.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "base/utf8.h"
#include "tool/tool.h"

#define N_TRIES 8 /* reads of a slot that is being written */

struct copy {
	struct publish_heap heaps[PUBLISH_N_HEAPS];
	struct publish_region regions[PUBLISH_N_REGIONS];
};

/* The path and inode of the table that the process maps; 0 or a negative errno. */
static int find_mapping(pid_t pid, char *path, size_t size, unsigned long *inode)
{
	char name[64], line[PATH_MAX + 128], *file;
	int err = -ENOENT, at;
	unsigned user;
	FILE *maps;

	snprintf(name, sizeof(name), "/proc/%ld/maps", (long)pid);
	maps = fopen(name, "re");
	if (!maps)
		return -errno;
	while (err && fgets(line, sizeof(line), maps)) {
		line[strcspn(line, "\n")] = 0;
		if (sscanf(line, "%*x-%*x rw-s %*x %*x:%*x %lu %n", inode, &at) != 1 || line[at] != '/')
			continue;
		file = strrchr(line + at, '/');
		if (sscanf(file, "/situs-%u-%*d-%*u", &user) == 1 && strlen(line + at) < size &&
			!strstr(file, " (deleted)")) {
			snprintf(path, size, "%s", line + at);
			err = 0;
		}
	}
	fclose(maps);
	return err;
}

/* Gone, or a zombie, which maps nothing. */
bool process__has_ended(pid_t pid)
{
	char name[48], text[1024] = "";
	const char *state;
	FILE *file;

	snprintf(name, sizeof(name), "/proc/%ld/stat", (long)pid);
	file = fopen(name, "re");
	if (!file)
		return true;
	if (!fgets(text, sizeof(text), file))
		text[0] = 0;
	fclose(file);
	state = strrchr(text, ')');
	return !state || strspn(state + 1, " ") != 1 || strchr("ZX", state[2]);
}

bool process__ends_soon(pid_t pid, int within_ms)
{
	const struct timespec moment = { .tv_nsec = 20000000 };

	for (int waited = 0; !process__has_ended(pid); waited += 20) {
		if (waited >= within_ms)
			return false;
		nanosleep(&moment, NULL);
	}
	return true;
}

int process__open_table(pid_t pid, int mode, int *fd)
{
	char path[PATH_MAX], full[PATH_MAX + 64], process[64];
	struct stat st, owner;
	unsigned long inode;
	int err;

	snprintf(process, sizeof(process), "/proc/%ld", (long)pid);
	if (stat(process, &owner))
		return error__set(ESRCH, "there is no process %ld; pidof NAME tells the number of a program", (long)pid);
	if (geteuid() != 0 && owner.st_uid != geteuid())
		return error__set(EPERM, "process %ld is another user's; only that user and root may look",
			(long)pid);
	err = find_mapping(pid, path, sizeof(path), &inode);
	if (err == -ENOENT && process__has_ended(pid))
		return error__set(ESRCH, "process %ld has ended, and waits for its parent to notice", (long)pid);
	if (err == -ENOENT)
		return error__set(ENOENT, "process %ld shows no heaps: start it with 'situs run', or with "
			"SITUS_PUBLISH=1 if it uses libsitus", (long)pid);
	if (err)
		return error__set(-err, "process %ld cannot be looked at: %s%s", (long)pid, os__strerror(err),
			err == -EACCES || err == -EPERM ? "; who may trace it may (its user, or root with SYS_PTRACE)" : "");
	snprintf(full, sizeof(full), "/proc/%ld/root%s", (long)pid, path);
	*fd = open(full, mode | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (*fd < 0)
		return error__set(errno, "the table of process %ld, %.80s, cannot be opened: %s", (long)pid,
			path, os__strerror(errno));
	if (fstat(*fd, &st) || !S_ISREG(st.st_mode) || st.st_ino != inode ||
		st.st_uid != owner.st_uid || (st.st_mode & 07777) != 0600) {
		close(*fd);
		return error__set(EPERM, "the table of process %ld, %.80s, is not its user's alone; not read",
			(long)pid, path);
	}
	return 0;
}

/* Is the pid that the table names the process's own, as it sees itself? A child of a fork that has
   not used its heaps since still maps its parent's table. */
static bool is_own(pid_t pid, const struct publish_header *header)
{
	char name[64], line[256];
	uint64_t innermost = (uint64_t)pid;
	const char *last;
	FILE *status;

	snprintf(name, sizeof(name), "/proc/%ld/status", (long)pid);
	status = fopen(name, "re");
	if (!status)
		return false;
	while (fgets(line, sizeof(line), status)) {
		if (strncmp(line, "NSpid:", 6) != 0)
			continue;
		last = strrchr(line, '\t');
		innermost = last ? strtoull(last + 1, NULL, 10) : 0;
	}
	fclose(status);
	return header->pid == innermost;
}

/* Copies the slots [0, n) of `size` bytes at offset; those that never hold still are zeroed. */
static int read_slots(int fd, void *slots, size_t n, size_t size, size_t offset)
{
	char again[sizeof(struct publish_heap)], *slot;
	uint64_t sequence;
	int i;

	if (pread(fd, slots, n * size, (off_t)offset) != (ssize_t)(n * size))
		return -EPROTO;
	for (size_t at = 0; at < n; at++) {
		slot = (char *)slots + at * size;
		for (i = 0; i < N_TRIES; i++) {
			if (pread(fd, again, size, (off_t)(offset + at * size)) != (ssize_t)size)
				return -EPROTO;
			memcpy(&sequence, again, sizeof(sequence));
			if (sequence % 2 == 0 && memcmp(slot, again, size) == 0)
				break;
			memcpy(slot, again, size);
		}
		if (i == N_TRIES)
			memset(slot, 0, size);
	}
	return 0;
}

static int by_start(const void *a, const void *b)
{
	const struct process_range *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

static int take_ranges(struct process_heap *heap, size_t slot, const struct publish_region *regions,
	size_t n)
{
	struct process_range *range;
	size_t n_out = 0;

	heap->ranges = calloc(n ? n : 1, sizeof(*heap->ranges));
	if (!heap->ranges)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		if (regions[i].heap != slot + 1 || regions[i].start + regions[i].size <= regions[i].start)
			continue;
		range = &heap->ranges[heap->n_ranges++];
		range->start = regions[i].start;
		range->end = regions[i].start + regions[i].size;
	}
	qsort(heap->ranges, heap->n_ranges, sizeof(*heap->ranges), by_start);
	for (size_t i = 0; i < heap->n_ranges; i++) {
		if (n_out && heap->ranges[i].start <= heap->ranges[n_out - 1].end) {
			if (heap->ranges[i].end > heap->ranges[n_out - 1].end)
				heap->ranges[n_out - 1].end = heap->ranges[i].end;
		} else {
			heap->ranges[n_out++] = heap->ranges[i];
		}
	}
	heap->n_ranges = n_out;
	return 0;
}

static int take_heaps(struct process_table *table, const struct copy *copy, size_t n_heaps,
	size_t n_regions)
{
	struct process_heap *heap;
	int err;

	table->heaps = calloc(n_heaps ? n_heaps : 1, sizeof(*table->heaps));
	if (!table->heaps)
		return -ENOMEM;
	for (size_t i = 0; i < n_heaps; i++) {
		if (!copy->heaps[i].live)
			continue;
		heap = &table->heaps[table->n_heaps++];
		heap->slot = i;
		snprintf(heap->name, sizeof(heap->name), "%.*s", PUBLISH_NAME_SIZE - 1, copy->heaps[i].name);
		memcpy(heap->asked_name, heap->name, sizeof(heap->name));
		snprintf(heap->place, sizeof(heap->place), "%.*s", PUBLISH_PLACE_SIZE - 1,
			copy->heaps[i].place);
		memcpy(heap->counters, copy->heaps[i].counters, sizeof(heap->counters));
		err = take_ranges(heap, i, copy->regions, n_regions);
		if (err)
			return err;
	}
	return 0;
}

static size_t least(uint64_t a, uint64_t b)
{
	return (size_t)(a < b ? a : b);
}

static int read_open_table(int fd, pid_t pid, struct process_table *table)
{
	struct publish_header header;
	struct copy *copy;
	size_t n_heaps, n_regions;
	int err;

	if (pread(fd, &header, sizeof(header), 0) != (ssize_t)sizeof(header) ||
		header.magic != PUBLISH_MAGIC || header.version != PUBLISH_VERSION ||
		header.n_heaps != PUBLISH_N_HEAPS || header.n_regions != PUBLISH_N_REGIONS ||
		header.heap_size != sizeof(struct publish_heap) ||
		header.region_size != sizeof(struct publish_region))
		return error__set(EPROTO, "the table of process %ld is of another version of Situs", (long)pid);
	if (!is_own(pid, &header))
		return error__set(ENOENT, "process %ld was forked from a program with heaps and has drawn "
			"nothing of its own yet", (long)pid);
	copy = calloc(1, sizeof(*copy));
	if (!copy)
		return error__set(ENOMEM, "out of memory");
	n_heaps = least(header.heaps_used, PUBLISH_N_HEAPS);
	n_regions = least(header.regions_used, PUBLISH_N_REGIONS);
	err = read_slots(fd, copy->heaps, n_heaps, sizeof(copy->heaps[0]), PUBLISH_HEAPS_OFFSET);
	if (!err)
		err = read_slots(fd, copy->regions, n_regions, sizeof(copy->regions[0]), PUBLISH_REGIONS_OFFSET);
	*table = (struct process_table){ .pid = pid, .unpublished = header.unpublished };
	snprintf(table->program, sizeof(table->program), "%.*s", (int)sizeof(header.program) - 1,
		header.program);
	if (!err)
		err = take_heaps(table, copy, n_heaps, n_regions);
	free(copy);
	if (err) {
		process__free(table);
		return error__set(-err, "the table of process %ld cannot be read: %s", (long)pid,
			os__strerror(err));
	}
	return 0;
}

int process__read(pid_t pid, struct process_table *table)
{
	int fd, err;

	err = process__open_table(pid, O_RDONLY, &fd);
	if (err)
		return err;
	err = read_open_table(fd, pid, table);
	close(fd);
	if (err)
		return err;
	/* Names and places come from another process: what a terminal would obey is replaced. */
	utf8__make_printable(table->program);
	for (size_t i = 0; i < table->n_heaps; i++) {
		utf8__make_printable(table->heaps[i].name);
		utf8__make_printable(table->heaps[i].place);
	}
	return 0;
}

int tool__read_process(pid_t pid, struct process_table *table)
{
	publish__sweep_all();
	return process__read(pid, table) ? tool__fail(TOOL_FAILED, "%s", error__text()) : TOOL_OK;
}

void process__free(struct process_table *table)
{
	for (size_t i = 0; i < table->n_heaps; i++) {
		free(table->heaps[i].ranges);
		free(table->heaps[i].extents);
	}
	free(table->heaps);
	*table = (struct process_table){ 0 };
}
