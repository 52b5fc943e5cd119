/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * memory.c - what the machine has and what is left, read from /proc and /sys without stdio (which
 * would allocate).
 */
#include "config.h"

#include "os/os.h"

#include <errno.h>
#include <fcntl.h>
#include <numaif.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <unistd.h>

enum { MAX_NODE = OS_MAX_NODES + 1 };

/* Reads a small file whole, as text. Its length, or a negative errno. */
static ssize_t read_text(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t used = 0;
	ssize_t n;

	if (fd < 0)
		return -errno;
	while (used < size - 1) {
		n = read(fd, text + used, size - 1 - used);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		used += (size_t)n;
	}
	close(fd);
	text[used] = '\0';
	return (ssize_t)used;
}

/* The number after the first `name` in text, times unit. False: not there. */
static bool find_number(const char *text, const char *name, size_t unit, size_t *number)
{
	const char *at = strstr(text, name);

	if (at == NULL)
		return false;
	*number = strtoull(at + strlen(name), NULL, 10) * unit;
	return true;
}

static int read_number(const char *path, size_t *number)
{
	char text[32];
	ssize_t n = read_text(path, text, sizeof(text));

	if (n < 0)
		return (int)n;
	if (n == 0 || text[0] < '0' || text[0] > '9')
		return -EINVAL;
	*number = strtoull(text, NULL, 10);
	return 0;
}

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
	ssize_t n = read_text("/proc/self/status", text, sizeof(text));
	const char *at;

	if (n < 0)
		return (int)n;
	at = strstr(text, name);
	if (at == NULL)
		return -ENOENT;
	parse_list(at + strlen(name), nodes);
	return 0;
}

int os__nodes_allowed(struct os_nodes *nodes)
{
	struct os_nodes allowed, with_memory;
	char text[1024];
	int failed = 0;

	memset(&allowed, 0, sizeof(allowed));
	memset(&with_memory, 0, sizeof(with_memory));
	if (get_mempolicy(NULL, allowed.bits, MAX_NODE, NULL, MPOL_F_MEMS_ALLOWED) != 0)
		failed = allowed_by_proc(&allowed);
	if (failed != 0)
		return failed;
	if (read_text("/sys/devices/system/node/has_memory", text, sizeof(text)) > 0) {
		parse_list(text, &with_memory);
		for (size_t i = 0; i < sizeof(allowed.bits) / sizeof(allowed.bits[0]); i++)
			allowed.bits[i] &= with_memory.bits[i];
	}
	*nodes = allowed;
	return 0;
}

int os__node_memory(int node, size_t *total, size_t *free)
{
	char path[64], text[4096];
	ssize_t n;
	size_t node_total, node_free;

	snprintf(path, sizeof(path), "/sys/devices/system/node/node%d/meminfo", node);
	n = read_text(path, text, sizeof(text));
	if (n < 0)
		return (int)n;
	if (!find_number(text, "MemTotal:", 1024, &node_total) ||
		!find_number(text, "MemFree:", 1024, &node_free))
		return -ENOENT;
	*total = node_total;
	*free = node_free;
	return 0;
}

/* Kept out of reach of areas that must not wake the OOM killer: what others may fault in while we
   populate a step, at least. */
static size_t margin(size_t total)
{
	enum { MIN_MARGIN = 32 << 20 };

	return total / 64 > MIN_MARGIN ? total / 64 : MIN_MARGIN;
}

size_t os__room(void)
{
	char text[4096];
	struct sysinfo info;
	size_t available, total;

	if (sysinfo(&info) != 0)
		return SIZE_MAX;
	total = info.totalram * info.mem_unit;
	if (read_text("/proc/meminfo", text, sizeof(text)) < 0 ||
		!find_number(text, "MemAvailable:", 1024, &available))
		available = info.freeram * info.mem_unit;
	return available > margin(total) ? available - margin(total) : 0;
}

size_t os__huge_page_size(void)
{
	size_t size;

	if (read_number("/sys/kernel/mm/transparent_hugepage/hpage_pmd_size", &size) != 0)
		return 0;
	return size;
}

/* One figure of a pool: "nr" or "free". */
static int pool_figure(int node, size_t page_size, const char *what, size_t *figure)
{
	char path[128], folder[48] = "/sys/kernel/mm";

	if (node >= 0)
		snprintf(folder, sizeof(folder), "/sys/devices/system/node/node%d", node);
	snprintf(path, sizeof(path), "%s/hugepages/hugepages-%zukB/%s_hugepages", folder,
		page_size / 1024, what);
	return read_number(path, figure);
}

int os__huge_pool(int node, size_t page_size, size_t *total, size_t *free)
{
	size_t pool_total, pool_free;
	int failed = pool_figure(node, page_size, "nr", &pool_total);

	if (failed == 0)
		failed = pool_figure(node, page_size, "free", &pool_free);
	if (failed != 0)
		return failed;
	*total = pool_total;
	*free = pool_free;
	return 0;
}
