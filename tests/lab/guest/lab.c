/* SPDX-License-Identifier: BSD-3-Clause */
/* lab.c - see lab.h. Plain stdio and system calls: nothing of the library under test. */
#include <errno.h>
#include <fcntl.h>
#include <numa.h>
#include <numaif.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/lab/guest/lab.h"

unsigned long lab_number(const char *name)
{
	const char *text = getenv(name);

	if (!text)
		fail_msg("%s is not set: run this in the lab", name);
	return strtoul(text, NULL, 10);
}

unsigned long lab_of_node(const char *name, int node)
{
	char variable[64];

	snprintf(variable, sizeof(variable), "LAB_%s_%d", name, node);
	return lab_number(variable);
}

unsigned long lab_figure(const char *name, int from, int to)
{
	char variable[64];
	const char *text;
	char *end;
	unsigned long value = 0;

	snprintf(variable, sizeof(variable), "LAB_%s_%d", name, from);
	text = getenv(variable);
	if (!text)
		fail_msg("%s is not set", variable);
	for (int column = 0; column <= to; column++, text = end) {
		value = strtoul(text, &end, 10);
		if (end == text)
			fail_msg("%s has no column %d", variable, to);
	}
	return value;
}

int lab_n_nodes(void)
{
	return (int)lab_number("LAB_N_NODES");
}

lab_nodes_t lab_parse_nodes(const char *text)
{
	lab_nodes_t nodes = 0;
	char *end;

	if (!strcmp(text, "-"))
		return 0;
	for (;;) {
		unsigned long first = strtoul(text, &end, 10), last = first;

		if (end != text && *end == '-')
			last = strtoul(end + 1, &end, 10);
		if (end == text || last >= LAB_MAX_NODES || (*end && *end != ','))
			fail_msg("\"%s\" is not a list of nodes", text);
		for (; first <= last; first++)
			nodes |= (lab_nodes_t)1 << first;
		if (!*end)
			return nodes;
		text = end + 1;
	}
}

int lab_only_node(lab_nodes_t nodes)
{
	return nodes && !(nodes & (nodes - 1)) ? __builtin_ctzll(nodes) : -1;
}

void lab_census_end(struct lab_census *census)
{
	int status[sizeof(census->pages) / sizeof(census->pages[0])];

	if (move_pages(0, census->n, census->pages, NULL, status, 0))
		fail_msg("move_pages: %s", strerror(errno));
	for (size_t i = 0; i < census->n; i++)
		if (status[i] >= 0 && status[i] < LAB_MAX_NODES)
			census->on_node[status[i]] += LAB_PAGE;
	census->n = 0;
}

void lab_census_add(struct lab_census *census, const void *start, size_t size)
{
	uintptr_t page = (uintptr_t)start & ~(LAB_PAGE - 1);

	for (; page < (uintptr_t)start + size; page += LAB_PAGE) {
		if (page == census->last)
			continue;
		if (census->n == sizeof(census->pages) / sizeof(census->pages[0]))
			lab_census_end(census);
		census->last = page;
		census->pages[census->n++] = (void *)page;
	}
}

void lab_pages(const void *start, size_t size, size_t on_node[LAB_MAX_NODES])
{
	struct lab_census census = {.n = 0};

	lab_census_add(&census, start, size);
	lab_census_end(&census);
	for (int node = 0; node < LAB_MAX_NODES; node++)
		on_node[node] += census.on_node[node];
}

static size_t split_by(const size_t on_node[LAB_MAX_NODES], lab_nodes_t nodes, size_t *inside)
{
	size_t in = 0, out = 0;

	for (int node = 0; node < LAB_MAX_NODES; node++)
		*(nodes >> node & 1 ? &in : &out) += on_node[node];
	if (inside)
		*inside = in;
	return out;
}

size_t lab_census_astray(const struct lab_census *census, lab_nodes_t nodes, size_t *inside)
{
	return split_by(census->on_node, nodes, inside);
}

size_t lab_astray(const void *start, size_t size, lab_nodes_t nodes, size_t *inside)
{
	size_t on_node[LAB_MAX_NODES] = {0};

	lab_pages(start, size, on_node);
	return split_by(on_node, nodes, inside);
}

/* Adds the "N2=512" words of a numa_maps line to on_node. */
static void read_numa_maps_line(char *line, size_t on_node[LAB_MAX_NODES])
{
	const char *at = strstr(line, "kernelpagesize_kB=");
	size_t page_size = (at ? strtoul(at + strlen("kernelpagesize_kB="), NULL, 10) : 4) * KIB;

	for (char *save, *word = strtok_r(line, " \n", &save); word; word = strtok_r(NULL, " \n", &save)) {
		int node;
		size_t pages;

		if (sscanf(word, "N%d=%zu", &node, &pages) == 2 && node < LAB_MAX_NODES)
			on_node[node] += pages * page_size;
	}
}

/* numa_maps has starts only: maps has the end that belongs to one. */
static void find_mapping(const void *address, struct lab_mapping *mapping)
{
	FILE *file = fopen("/proc/self/maps", "re");
	char line[4096];
	unsigned long start = 1, end = 0;

	if (!file)
		fail_msg("maps: %s", strerror(errno));
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "%lx-%lx", &start, &end) == 2 && start <= (uintptr_t)address &&
			(uintptr_t)address < end)
			break;
	fclose(file);
	if (start > (uintptr_t)address || end <= (uintptr_t)address)
		fail_msg("no mapping holds %p", address);
	mapping->start = (const char *)start;
	mapping->end = (const char *)end;
}

void lab_mapping_of(const void *address, struct lab_mapping *mapping)
{
	FILE *file;
	char line[4096];
	bool found = false;

	memset(mapping, 0, sizeof(*mapping));
	find_mapping(address, mapping);
	file = fopen("/proc/self/numa_maps", "re");
	if (!file)
		fail_msg("numa_maps: %s", strerror(errno));
	while (!found && fgets(line, sizeof(line), file))
		found = strtoul(line, NULL, 16) == (uintptr_t)mapping->start;
	fclose(file);
	if (!found)
		fail_msg("numa_maps has no mapping at %p", (const void *)mapping->start);
	read_numa_maps_line(line, mapping->on_node);
}

size_t lab_mapping_astray(const void *address, lab_nodes_t nodes, size_t *inside)
{
	struct lab_mapping mapping;

	lab_mapping_of(address, &mapping);
	return split_by(mapping.on_node, nodes, inside);
}

unsigned long lab_read_number(const char *path, const char *label)
{
	char text[8192];
	const char *at;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	if (n < 0)
		fail_msg("%s: %s", path, strerror(errno));
	close(fd);
	text[n] = '\0';
	at = strstr(text, label);
	if (!at)
		fail_msg("%s has no \"%s\"", path, label);
	at += strlen(label);
	return strtoul(at + strcspn(at, "0123456789"), NULL, 10);
}

int lab_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : write(fd, text, strlen(text));
	int err = n < 0 ? -errno : 0;

	if (fd >= 0)
		close(fd);
	return err;
}

#define CGROUP "/sys/fs/cgroup/lab"

static void move_to(const char *procs)
{
	int err = lab_write(procs, "0");

	if (err)
		fail_msg("%s: %s", procs, strerror(-err));
}

void lab_cgroup_enter(void)
{
	rmdir(CGROUP);
	if (mkdir(CGROUP, 0755))
		fail_msg("%s: %s", CGROUP, strerror(errno));
	move_to(CGROUP "/cgroup.procs");
}

void lab_cgroup_leave(void)
{
	move_to("/sys/fs/cgroup/cgroup.procs");
	rmdir(CGROUP);
}

void lab_cgroup_write(const char *file, const char *text)
{
	char path[128];
	int err;

	snprintf(path, sizeof(path), CGROUP "/%s", file);
	err = lab_write(path, text);
	if (err)
		fail_msg("%s: %s", path, strerror(-err));
}

size_t lab_free(int node)
{
	char path[64];

	snprintf(path, sizeof(path), "/sys/devices/system/node/node%d/meminfo", node);
	return lab_read_number(path, "MemFree:") * KIB;
}

/* Bytes of all numbers of pages that zoneinfo shows of a node under that name. */
static size_t sum_of_zones(int node, const char *name)
{
	FILE *file = fopen("/proc/zoneinfo", "re");
	char line[256], word[32];
	size_t sum = 0, count;
	int here = -1;

	if (!file)
		fail_msg("zoneinfo: %s", strerror(errno));
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "Node %d, zone", &here) != 1 && here == node &&
			sscanf(line, " %31s %zu", word, &count) == 2 && !strcmp(word, name))
			sum += count * LAB_PAGE;
	fclose(file);
	return sum;
}

size_t lab_listed(int node)
{
	return sum_of_zones(node, "count:");
}

size_t lab_watermark(int node)
{
	return sum_of_zones(node, "high");
}

void lab_pin(int node)
{
	if (numa_run_on_node(node))
		fail_msg("numa_run_on_node(%d): %s", node, strerror(errno));
}

struct errand {
	int node;
	void (*fn)(void *);
	void *arg;
};

static void *run_errand(void *arg)
{
	const struct errand *errand = arg;

	lab_pin(errand->node);
	errand->fn(errand->arg);
	return NULL;
}

void lab_on_node(int node, void (*fn)(void *), void *arg)
{
	struct errand errand = {node, fn, arg};
	pthread_t thread;
	int err = pthread_create(&thread, NULL, run_errand, &errand);

	if (err)
		fail_msg("pthread_create: %s", strerror(err));
	pthread_join(thread, NULL);
}

/* A word for the address it stands at, so that a page in the wrong place is noticed too. */
static uint64_t word_for(const uint64_t *at, uint64_t seed)
{
	return ((uintptr_t)at / sizeof(*at) ^ seed) * 0x9e3779b97f4a7c15u | 1;
}

/* One word a KiB, and the last: enough to find a lost page, cheap under emulation. */
#define STRIDE (KIB / sizeof(uint64_t))

void lab_fill(void *start, size_t size, uint64_t seed)
{
	uint64_t *words = start;
	size_t n = size / sizeof(*words);

	for (size_t i = 0; i < n; i += STRIDE)
		words[i] = word_for(&words[i], seed);
	if (n)
		words[n - 1] = word_for(&words[n - 1], seed);
}

bool lab_filled(const void *start, size_t size, uint64_t seed)
{
	const uint64_t *words = start;
	size_t n = size / sizeof(*words);

	for (size_t i = 0; i < n; i += STRIDE)
		if (words[i] != word_for(&words[i], seed))
			return false;
	return !n || words[n - 1] == word_for(&words[n - 1], seed);
}
