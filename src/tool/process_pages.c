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
#include <numaif.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"

#define BATCH 4096
#define PAGEMAP_PRESENT (UINT64_C(1) << 63)
#define PAGEMAP_SWAPPED (UINT64_C(1) << 62)

struct batch {
	pid_t pid;
	size_t page_size, n;
	void *page[BATCH];
	int status[BATCH];
};

static int ask(struct batch *batch, struct process_pages *pages)
{
	if (batch->n == 0)
		return 0;
	/* move_pages without nodes moves nothing: it tells where each page is. */
	if (move_pages(batch->pid, batch->n, batch->page, NULL, batch->status, 0))
		return -errno;
	for (size_t i = 0; i < batch->n; i++) {
		int node = batch->status[i];

		if (node >= 0 && node < OS_MAX_NODES)
			pages->on_node[node] += batch->page_size;
		else if (node == -ENOENT) /* gone since pagemap was read */
			continue;
		else
			pages->unknown += batch->page_size;
		pages->present += batch->page_size;
	}
	batch->n = 0;
	return 0;
}

static int ask_range(int pagemap, const struct process_range *range, struct batch *batch,
	struct process_pages *pages)
{
	uint64_t entries[BATCH];
	uintptr_t at = range->start;
	int err;

	while (at < range->end) {
		size_t n = (range->end - at + batch->page_size - 1) / batch->page_size;
		ssize_t got;

		if (n > BATCH)
			n = BATCH;
		got = pread(pagemap, entries, n * sizeof(entries[0]),
			(off_t)(at / batch->page_size * sizeof(entries[0])));
		if (got <= 0)
			return got ? -errno : 0; /* the process has gone */
		n = (size_t)got / sizeof(entries[0]);
		for (size_t i = 0; i < n; i++, at += batch->page_size) {
			if (entries[i] & PAGEMAP_SWAPPED)
				pages->swapped += batch->page_size;
			if (!(entries[i] & PAGEMAP_PRESENT))
				continue;
			batch->page[batch->n++] = (void *)at;
			err = batch->n == BATCH ? ask(batch, pages) : 0;
			if (err)
				return err;
		}
	}
	return 0;
}

int process__pages(pid_t pid, const struct process_range *ranges, size_t n,
	struct process_pages *pages)
{
	struct batch *batch;
	char name[64];
	int pagemap, err = 0;

	snprintf(name, sizeof(name), "/proc/%ld/pagemap", (long)pid);
	pagemap = open(name, O_RDONLY | O_CLOEXEC);
	if (pagemap < 0)
		return error__set(errno, "%s cannot be read: %s", name, os__strerror(errno));
	batch = calloc(1, sizeof(*batch));
	if (!batch) {
		close(pagemap);
		return error__set(ENOMEM, "out of memory");
	}
	batch->pid = pid;
	batch->page_size = (size_t)sysconf(_SC_PAGESIZE);
	memset(pages, 0, sizeof(*pages));
	for (size_t i = 0; i < n && !err; i++)
		err = ask_range(pagemap, &ranges[i], batch, pages);
	if (!err)
		err = ask(batch, pages);
	free(batch);
	close(pagemap);
	if (err)
		return error__set(-err, "the kernel does not say where the pages of process %ld are: %s%s",
			(long)pid, os__strerror(err),
			err == -EPERM ? " (move_pages; in a container it needs the capability SYS_NICE)" : "");
	return 0;
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
		return error__set(-err, "/proc/%ld/maps cannot be read: %s", (long)pid, os__strerror(err));
	snprintf(name, sizeof(name), "/proc/%ld/numa_maps", (long)pid);
	file = fopen(name, "re");
	if (!file) {
		err = errno;
		free(mappings);
		return error__set(err, "%s cannot be read: %s", name, os__strerror(err));
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
