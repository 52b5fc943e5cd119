/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * process_pages.c - where another process's pages are, by two independent ways.
 *
 * By page: /proc/PID/pagemap tells which pages of a range are present (8 bytes a page: large
 * reservations are mostly empty, and reading is cheap), move_pages without a target tells the node of
 * those. By mapping: /proc/PID/numa_maps counts pages per node for each kernel mapping.
 */
#include "config.h"

#include "tool/process.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "os/policy.h"

#define BATCH 4096
#define PAGEMAP_PRESENT (UINT64_C(1) << 63)
#define PAGEMAP_SWAPPED (UINT64_C(1) << 62)

struct walk {
	pid_t pid;
	size_t page_size, n_present;
	uint64_t entries[BATCH];      /* of pagemap */
	void *page[BATCH];            /* those that are present */
	int status[BATCH], state[BATCH]; /* of the present ones, and of all */
	int (*callback)(const struct process_run *run, void *arg);
	void *arg;
};

/* The states of n pages from `at` on; 0 or a negative errno. */
static int find_states(struct walk *walk, uintptr_t at, size_t n)
{
	size_t next = 0;

	walk->n_present = 0;
	for (size_t i = 0; i < n; i++)
		if (walk->entries[i] & PAGEMAP_PRESENT)
			walk->page[walk->n_present++] = (void *)(at + i * walk->page_size);
	/* move_pages without nodes moves nothing: it tells where each page is. */
	if (walk->n_present && os__move_pages(walk->pid, walk->n_present, walk->page, NULL, walk->status, 0))
		return -errno;
	for (size_t i = 0; i < n; i++) {
		if (walk->entries[i] & PAGEMAP_PRESENT) {
			int node = walk->status[next++];

			if (node >= 0 && node < OS_MAX_NODES)
				walk->state[i] = node;
			else /* -ENOENT: gone since pagemap was read */
				walk->state[i] = node == -ENOENT ? PROCESS_ABSENT : PROCESS_UNKNOWN;
		} else {
			walk->state[i] = walk->entries[i] & PAGEMAP_SWAPPED ? PROCESS_SWAPPED : PROCESS_ABSENT;
		}
	}
	return 0;
}

static int tell_runs(struct walk *walk, uintptr_t at, size_t n)
{
	size_t first = 0;
	int result;

	for (size_t i = 1; i <= n; i++) {
		struct process_run run;

		if (i < n && walk->state[i] == walk->state[first])
			continue;
		run = (struct process_run){ at + first * walk->page_size, at + i * walk->page_size,
			walk->state[first] };
		result = walk->callback(&run, walk->arg);
		if (result)
			return result;
		first = i;
	}
	return 0;
}

static int walk_range(struct walk *walk, int pagemap, const struct process_range *range)
{
	uintptr_t at = range->start;
	int err = 0;

	while (at < range->end && !err) {
		size_t n = (range->end - at + walk->page_size - 1) / walk->page_size;
		ssize_t got;

		if (n > BATCH)
			n = BATCH;
		got = pread(pagemap, walk->entries, n * sizeof(walk->entries[0]),
			(off_t)(at / walk->page_size * sizeof(walk->entries[0])));
		if (got <= 0)
			return got ? -errno : -ESRCH; /* that memory has gone */
		n = (size_t)got / sizeof(walk->entries[0]);
		err = find_states(walk, at, n);
		if (!err)
			err = tell_runs(walk, at, n);
		at += n * walk->page_size;
	}
	return err;
}

/* One that is being killed loses what tells of it piece by piece. */
static int has_gone(pid_t pid)
{
	return process__ends_soon(pid, 200) ? error__set(ESRCH, "process %ld has ended", (long)pid) :
		error__set(ESRCH, "process %ld has not got the memory any more that it shows; it may have executed "
			"another program", (long)pid);
}

static int cannot_read(pid_t pid, const char *name, int err)
{
	if (err == ENOENT || err == ESRCH)
		return has_gone(pid);
	return error__set(err, "/proc/%ld/%s cannot be read: %s", (long)pid, name, os__strerror(err));
}

/* Walks ranges; what the callback stops with is returned as it is. */
static int walk_ranges(pid_t pid, const struct process_range *ranges, size_t n,
	int (*callback)(const struct process_run *run, void *arg), void *arg)
{
	struct walk *walk;
	char name[64];
	int pagemap, err = 0;

	snprintf(name, sizeof(name), "/proc/%ld/pagemap", (long)pid);
	pagemap = open(name, O_RDONLY | O_CLOEXEC);
	if (pagemap < 0)
		return cannot_read(pid, "pagemap", errno);
	walk = calloc(1, sizeof(*walk));
	if (!walk) {
		close(pagemap);
		return error__set(ENOMEM, "out of memory");
	}
	walk->pid = pid;
	walk->page_size = (size_t)sysconf(_SC_PAGESIZE);
	walk->callback = callback;
	walk->arg = arg;
	for (size_t i = 0; i < n && !err; i++)
		err = walk_range(walk, pagemap, &ranges[i]);
	free(walk);
	close(pagemap);
	if (err == -ESRCH || (err == -EINVAL && process__ends_soon(pid, 200)))
		return has_gone(pid);
	if (err < 0)
		return error__set(-err, "the kernel does not say where the pages of process %ld are: %s%s",
			(long)pid, os__strerror(err),
			err == -EPERM ? " (move_pages; in a container it needs the capability SYS_NICE)" : "");
	return err;
}

int process__runs(pid_t pid, const struct process_range *range,
	int (*callback)(const struct process_run *run, void *arg), void *arg)
{
	return walk_ranges(pid, range, 1, callback, arg);
}

static int add_run(const struct process_run *run, void *arg)
{
	struct process_pages *pages = arg;
	const size_t size = run->end - run->start;

	if (run->state == PROCESS_ABSENT)
		return 0;
	if (run->state == PROCESS_SWAPPED) {
		pages->swapped += size;
		return 0;
	}
	if (run->state == PROCESS_UNKNOWN)
		pages->unknown += size;
	else
		pages->on_node[run->state] += size;
	pages->present += size;
	return 0;
}

int process__pages(pid_t pid, const struct process_range *ranges, size_t n,
	struct process_pages *pages)
{
	memset(pages, 0, sizeof(*pages));
	return walk_ranges(pid, ranges, n, add_run, pages);
}

/* The kernel mappings of a process, by address. */
static int read_mappings(pid_t pid, struct process_range **mappings, size_t *n)
{
	struct process_range *list = NULL, *more;
	size_t n_list = 0, room = 0, length = 0;
	char name[64], *line = NULL;
	FILE *maps;

	snprintf(name, sizeof(name), "/proc/%ld/maps", (long)pid);
	maps = fopen(name, "re");
	if (!maps)
		return -errno;
	while (getline(&line, &length, maps) > 0) {
		if (n_list == room) {
			room = room ? 2 * room : 256;
			more = reallocarray(list, room, sizeof(*list));
			if (!more) {
				free(list);
				free(line);
				fclose(maps);
				return -ENOMEM;
			}
			list = more;
		}
		if (sscanf(line, "%lx-%lx", &list[n_list].start, &list[n_list].end) == 2)
			n_list++;
	}
	free(line);
	fclose(maps);
	*mappings = list;
	*n = n_list;
	return 0;
}

/* The range that holds `address`, or NULL. */
static const struct process_range *range_of(uintptr_t address, const struct process_range *ranges,
	size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (address >= ranges[i].start && address < ranges[i].end)
			return &ranges[i];
	return NULL;
}

/* Adds one line of numa_maps: "START POLICY [word=value]... N0=pages kernelpagesize_kB=4". */
static void add_line(char *line, struct process_pages *pages)
{
	size_t page_size = 4096, n_pages[OS_MAX_NODES] = { 0 }, value;
	char *word, *rest = line;
	unsigned node;

	while ((word = strsep(&rest, " \n"))) {
		if (sscanf(word, "N%u=%zu", &node, &value) == 2 && node < OS_MAX_NODES)
			n_pages[node] = value;
		else if (sscanf(word, "kernelpagesize_kB=%zu", &value) == 1)
			page_size = value * 1024;
	}
	for (node = 0; node < OS_MAX_NODES; node++) {
		pages->on_node[node] += n_pages[node] * page_size;
		pages->present += n_pages[node] * page_size;
	}
}

int process__numa_maps(pid_t pid, const struct process_range *ranges, size_t n,
	struct process_pages *pages, bool *whole)
{
	const struct process_range *mapping;
	struct process_range *mappings = NULL, part;
	size_t n_mappings = 0, length = 0;
	char name[64], *line = NULL;
	uintptr_t start;
	FILE *file;
	int err;

	err = read_mappings(pid, &mappings, &n_mappings);
	if (err)
		return cannot_read(pid, "maps", -err);
	snprintf(name, sizeof(name), "/proc/%ld/numa_maps", (long)pid);
	file = fopen(name, "re");
	if (!file) {
		err = errno;
		free(mappings);
		return cannot_read(pid, "numa_maps", err);
	}
	memset(pages, 0, sizeof(*pages));
	*whole = true;
	while (getline(&line, &length, file) > 0) {
		if (sscanf(line, "%lx", &start) != 1)
			continue;
		mapping = range_of(start, mappings, n_mappings);
		part = mapping ? *mapping : (struct process_range){ start, start + 1 };
		for (size_t i = 0; i < n; i++) {
			if (ranges[i].start >= part.end || ranges[i].end <= part.start)
				continue;
			if (part.start < ranges[i].start || part.end > ranges[i].end)
				*whole = false;
			add_line(line, pages);
			break;
		}
	}
	free(line);
	free(mappings);
	fclose(file);
	return 0;
}
