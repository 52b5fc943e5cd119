/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * memory.c - what the machine has and what is left, read from /proc and /sys without stdio (which
 * would allocate).
 */
#include "config.h"

#include "os/cgroup.h"
#include "os/os.h"
#include "os/policy.h"
#include "os/text.h"

#include <errno.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <time.h>

/* Adds the nodes of a list in the kernel's words ("0-3,7"). */
static void parse_list(const char *text, struct os_nodes *nodes)
{
	while (*text >= '0' && *text <= '9') {
		char *end;
		long first = strtol(text, &end, 10);
		long last = first;

		if (*end == '-')
			last = strtol(end + 1, &end, 10);
		for (long node = first; node <= last && node < OS_MAX_NODES; node++)
			os__nodes_add(nodes, (int)node);
		if (*end != ',')
			break;
		text = end + 1;
	}
}

/* Where get_mempolicy is forbidden, as in many containers, the kernel still tells through /proc. */
static int allowed_by_proc(struct os_nodes *nodes)
{
	static const char name[] = "Mems_allowed_list:\t";
	char text[8192];
	ssize_t n = text__read("/proc/self/status", text, sizeof(text));
	const char *at;

	if (n < 0)
		return (int)n;
	at = strstr(text, name);
	if (at == NULL)
		return -ENOENT;
	parse_list(at + strlen(name), nodes);
	return 0;
}

/* all: the nodes with memory, empty where the kernel does not say; allowed is cut to them. */
static int read_nodes(struct os_nodes *result, struct os_nodes *all)
{
	struct os_nodes allowed, with_memory;
	char text[1024];
	int failed = 0;

	memset(&allowed, 0, sizeof(allowed));
	memset(&with_memory, 0, sizeof(with_memory));
	if (os__get_mempolicy(NULL, allowed.bits, OS_NODES_BITS, NULL, MPOL_F_MEMS_ALLOWED) != 0)
		failed = allowed_by_proc(&allowed);
	if (failed != 0)
		return failed;
	if (text__read("/sys/devices/system/node/has_memory", text, sizeof(text)) > 0) {
		parse_list(text, &with_memory);
		for (size_t i = 0; i < sizeof(allowed.bits) / sizeof(allowed.bits[0]); i++)
			allowed.bits[i] &= with_memory.bits[i];
	}
	*result = allowed;
	*all = with_memory;
	return 0;
}

int os__nodes_allowed(struct os_nodes *nodes)
{
	struct os_nodes all;

	return read_nodes(nodes, &all);
}

int os__node_memory(int node, size_t *total, size_t *free)
{
	char path[64], text[4096];
	ssize_t n;
	size_t node_total, node_free;

	snprintf(path, sizeof(path), "/sys/devices/system/node/node%d/meminfo", node);
	n = text__read(path, text, sizeof(text));
	if (n < 0)
		return (int)n;
	if (!text__find(text, "MemTotal:", 1024, &node_total) ||
		!text__find(text, "MemFree:", 1024, &node_free))
		return -ENOENT;
	*total = node_total;
	*free = node_free;
	return 0;
}

/* The mean of reading and writing, or the one of them that there is. */
static unsigned read_performance(int node, const char *what)
{
	static const char *const kinds[] = {"read", "write"};
	size_t sum = 0, n = 0;

	for (int i = 0; i < 2; i++) {
		char path[96];
		size_t number;

		snprintf(path, sizeof(path), "/sys/devices/system/node/node%d/access0/initiators/%s_%s", node,
			kinds[i], what);
		if (text__read_number(path, &number) != 0 || number == 0 || number > UINT_MAX)
			continue;
		sum += number;
		n++;
	}
	return n == 0 ? 0 : (unsigned)(sum / n);
}

void os__node_performance(int node, struct os_performance *performance)
{
	performance->bandwidth = read_performance(node, "bandwidth");
	performance->latency = read_performance(node, "latency");
}

/* A node's file has a number for each node that is online, in their order. */
unsigned os__node_distance(int from, int to)
{
	char path[64], text[8192], *at = text;
	struct os_nodes online;
	unsigned long distance = 0;

	memset(&online, 0, sizeof(online));
	if (text__read("/sys/devices/system/node/online", text, sizeof(text)) > 0)
		parse_list(text, &online);
	snprintf(path, sizeof(path), "/sys/devices/system/node/node%d/distance", from);
	if (!os__nodes_has(&online, to) || text__read(path, text, sizeof(text)) < 0)
		return 0;
	for (int node = os__nodes_next(&online, 0); node >= 0 && node <= to;
		node = os__nodes_next(&online, node + 1)) {
		char *end;

		distance = strtoul(at, &end, 10);
		if (end == at)
			return 0;
		at = end;
	}
	return distance < UINT_MAX ? (unsigned)distance : 0;
}

/* Kept out of reach of areas that must not wake the OOM killer: what others may fault in while we
   populate a step, at least. */
static size_t after_margin(size_t available, size_t total)
{
	enum { MIN_MARGIN = 32 << 20 };
	size_t margin = total / 64 > MIN_MARGIN ? total / 64 : MIN_MARGIN;

	return available > margin ? available - margin : 0;
}

static size_t machine_room(void)
{
	char text[4096];
	struct sysinfo info;
	size_t available;

	if (sysinfo(&info) != 0)
		return SIZE_MAX;
	if (text__read("/proc/meminfo", text, sizeof(text)) < 0 ||
		!text__find(text, "MemAvailable:", 1024, &available))
		available = info.freeram * info.mem_unit;
	return after_margin(available, info.totalram * info.mem_unit);
}

/* As the kernel reckons MemAvailable, for one node: free, and half of what could be reclaimed. */
static bool node_available(int node, size_t *total, size_t *available)
{
	char path[64], text[4096];
	size_t free, reclaimable[3] = {0, 0, 0};

	snprintf(path, sizeof(path), "/sys/devices/system/node/node%d/meminfo", node);
	if (text__read(path, text, sizeof(text)) < 0 || !text__find(text, "MemTotal:", 1024, total) ||
		!text__find(text, "MemFree:", 1024, &free))
		return false;
	(void)text__find(text, "Active(file):", 1024, &reclaimable[0]);
	(void)text__find(text, "Inactive(file):", 1024, &reclaimable[1]);
	(void)text__find(text, "SReclaimable:", 1024, &reclaimable[2]);
	*available = free + (reclaimable[0] + reclaimable[1] + reclaimable[2]) / 2;
	return true;
}

/*
 * What the kernel keeps for itself of nodes that have `total` bytes: allocations fail below the watermark
 * `min`, which is vm.min_free_kbytes shared out by size (transparent huge pages raise it to some 5 % of a
 * small machine), and MemAvailable leaves out `high`, half as much again (mm/page_alloc.c,
 * __setup_per_zone_wmarks and si_mem_available).
 */
static size_t watermarks(size_t total)
{
	struct sysinfo info;
	size_t min_kib;

	if (text__read_number("/proc/sys/vm/min_free_kbytes", &min_kib) != 0 || sysinfo(&info) != 0 ||
		info.totalram == 0)
		return total / 32;
	return (size_t)((double)min_kib * 1024 * 1.5 * (double)total /
		((double)info.totalram * info.mem_unit));
}

/* In a cpuset, memory of other nodes is no help. */
static size_t cpuset_room(struct os_nodes *allowed)
{
	struct os_nodes all;
	size_t sum = 0, sum_total = 0, kept;

	if (read_nodes(allowed, &all) != 0 || os__nodes_count(&all) == 0)
		return SIZE_MAX;
	if (os__nodes_equal(&all, allowed))
		return SIZE_MAX;
	for (int node = os__nodes_next(allowed, 0); node >= 0; node = os__nodes_next(allowed, node + 1)) {
		size_t total, available;

		if (!node_available(node, &total, &available))
			return SIZE_MAX;
		sum += available;
		sum_total += total;
	}
	kept = watermarks(sum_total);
	return after_margin(sum > kept ? sum - kept : 0, sum_total);
}

/* Did the last look that saw everything find that neither a cpuset nor a group limits this process? */
static _Atomic bool is_unlimited;

void os__ask_room(struct os_room *room)
{
	unsigned n_unread = atomic_load(&text__n_unread);
	char group[sizeof(room->name)];
	size_t of_cpuset, of_group;
	struct os_nodes allowed;

	*room = (struct os_room){.bytes = machine_room(), .of = OS_ROOM_MACHINE};
	of_cpuset = cpuset_room(&allowed);
	if (of_cpuset < room->bytes) {
		room->bytes = of_cpuset;
		room->of = OS_ROOM_CPUSET;
		os__nodes_text(&allowed, room->name, sizeof(room->name));
	}
	of_group = cgroup__room(group, sizeof(group));
	if (of_group < room->bytes) {
		room->bytes = of_group;
		room->of = OS_ROOM_GROUP;
		memcpy(room->name, group, sizeof(group));
	}
	if (atomic_load(&text__n_unread) == n_unread)
		atomic_store(&is_unlimited, of_cpuset == SIZE_MAX && of_group == SIZE_MAX);
	else if (!atomic_load(&is_unlimited))
		*room = (struct os_room){.bytes = 0, .of = OS_ROOM_UNSEEN};
}

void os__forget_room(void)
{
	atomic_store(&is_unlimited, false);
}

size_t os__room(void)
{
	struct os_room room;

	os__ask_room(&room);
	return room.bytes;
}

int os__read_huge_page_size(size_t *size)
{
	return text__read_number("/sys/kernel/mm/transparent_hugepage/hpage_pmd_size", size);
}

size_t os__huge_page_size(void)
{
	size_t size;

	return os__read_huge_page_size(&size) == 0 ? size : 0;
}

/* One figure of a pool: "nr" or "free". */
static int pool_figure(int node, size_t page_size, const char *what, size_t *figure)
{
	char path[128], folder[48] = "/sys/kernel/mm";

	if (node >= 0)
		snprintf(folder, sizeof(folder), "/sys/devices/system/node/node%d", node);
	snprintf(path, sizeof(path), "%s/hugepages/hugepages-%zukB/%s_hugepages", folder,
		page_size / 1024, what);
	return text__read_number(path, figure);
}

int os__huge_pool(int node, size_t page_size, size_t *total, size_t *free)
{
	size_t pool_total, pool_free, promised = 0;
	int failed = pool_figure(node, page_size, "nr", &pool_total);

	if (failed == 0)
		failed = pool_figure(node, page_size, "free", &pool_free);
	if (failed != 0)
		return failed;
	/* Which node's pages will be those promised to mappings nobody knows. */
	if (node < 0)
		(void)pool_figure(node, page_size, "resv", &promised);
	*total = pool_total;
	*free = pool_free > promised ? pool_free - promised : 0;
	return 0;
}

uint64_t os__now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}
