/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * doctor_checks.c - one function a check. Each reads the kernel's own files, or tries the call itself, and
 * fills in what it found; none changes anything.
 */
#include "config.h"

#include "tool/doctor.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "area/topology.h"
#include "base/error.h"
#include "base/size.h"
#include "heap/publish.h"
#include "os/os.h"

/* The default of vm.max_map_count since Linux 2.6: below it somebody made it small. */
#define MAPS_DEFAULT 65530
/* A heap reserves address space in regions of this order. */
#define ADDRESS_SPACE_LEAST (UINT64_C(64) << 30)

__attribute__((format(printf, 3, 4))) static void find(struct doctor_finding *finding,
	enum doctor_result result, const char *format, ...)
{
	va_list args;

	finding->result = result;
	va_start(args, format);
	vsnprintf(finding->what, sizeof(finding->what), format, args);
	va_end(args);
}

__attribute__((format(printf, 2, 3))) static void advise(struct doctor_finding *finding,
	const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(finding->remedy, sizeof(finding->remedy), format, args);
	va_end(args);
}

/* The start of a file, without its last newline; false where it cannot be read. */
static bool read_file(const char *root, const char *path, char *text, size_t size)
{
	char full[512];
	ssize_t n;
	int fd;

	if ((size_t)snprintf(full, sizeof(full), "%s%s", root, path) >= sizeof(full))
		return false;
	fd = open(full, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = read(fd, text, size - 1);
	close(fd);
	if (n < 0)
		return false;
	text[n] = 0;
	if (n && text[n - 1] == '\n')
		text[n - 1] = 0;
	return true;
}

static bool read_number(const char *root, const char *path, long long *number)
{
	char text[64], *end;

	if (!read_file(root, path, text, sizeof(text)))
		return false;
	*number = strtoll(text, &end, 10);
	return end != text;
}

/* The words after "Name:" in a file of such lines; false where there is none. */
static bool read_field(const char *root, const char *path, const char *name, char *text, size_t size)
{
	char file[8192], *line, *rest = file;

	if (!read_file(root, path, file, sizeof(file)))
		return false;
	while ((line = strsep(&rest, "\n"))) {
		if (strncmp(line, name, strlen(name)) != 0 || line[strlen(name)] != ':')
			continue;
		line += strlen(name) + 1;
		snprintf(text, size, "%s", line + strspn(line, " \t"));
		return true;
	}
	return false;
}

static uint64_t meminfo(const char *root, const char *name)
{
	char text[64];

	return read_field(root, "/proc/meminfo", name, text, sizeof(text)) ? strtoull(text, NULL, 10) * 1024
		: 0;
}

/* The kernel's lists of nodes, "0-3,7". */
static bool parse_nodes(const char *list, struct os_nodes *nodes)
{
	memset(nodes, 0, sizeof(*nodes));
	while (*list) {
		char *end;
		long first = strtol(list, &end, 10), last = first;

		if (end == list)
			return false;
		if (*end == '-')
			last = strtol(end + 1, &end, 10);
		for (long node = first; node <= last && node < OS_MAX_NODES; node++)
			os__nodes_add(nodes, (int)node);
		list = end + (*end == ',');
	}
	return true;
}

static bool read_nodes_with_memory(const char *root, struct os_nodes *nodes)
{
	char text[1024];

	return read_file(root, "/sys/devices/system/node/has_memory", text, sizeof(text)) &&
		parse_nodes(text, nodes);
}

static bool has_many_nodes(const char *root)
{
	struct os_nodes nodes;

	return read_nodes_with_memory(root, &nodes) && os__nodes_count(&nodes) > 1;
}

/* The checks */

/* Tried, not read: seccomp filters cannot be looked into. */
static void look_calls(const char *root, struct doctor_finding *finding)
{
	size_t page = os__page_size();
	struct os_nodes nodes;
	int bind, where, node;
	void *memory;

	(void)root;
	if (os__map(&memory, NULL, page, 0, 0)) {
		find(finding, DOCTOR_UNKNOWN, "not even one page of memory could be had");
		return;
	}
	bind = os__nodes_allowed(&nodes);
	if (!bind)
		bind = os__bind(memory, page, OS_POLICY_PREFERRED, &nodes, false);
	/* A kernel that takes one preferred node only. */
	if (bind == -EINVAL)
		bind = os__bind(memory, page, OS_POLICY_BIND, &nodes, false);
	where = os__where((void *const[]){ memory }, 1, &node);
	os__unmap(memory, page);
	if (!bind && !where) {
		find(finding, DOCTOR_OK, "this process may place memory (mbind) and ask where it is (move_pages)");
		return;
	}
	find(finding, DOCTOR_HURTS, "%s is refused (%s): %s", bind ? "mbind" : "move_pages",
		os__strerror(bind ? bind : where), bind ? "places with nodes cannot be had"
			: "strict places and situs stat cannot know where pages are");
	advise(finding, "a seccomp filter does that: in Docker add --cap-add SYS_NICE, elsewhere allow mbind, "
		"set_mempolicy, get_mempolicy and move_pages; a kernel without CONFIG_NUMA cannot at all");
}

static void look_cpuset(const char *root, struct doctor_finding *finding)
{
	struct os_nodes nodes, allowed;
	char text[1024], list[200], all[200];

	if (!read_nodes_with_memory(root, &nodes) ||
		!read_field(root, "/proc/self/status", "Mems_allowed_list", text, sizeof(text)) ||
		!parse_nodes(text, &allowed)) {
		find(finding, DOCTOR_UNKNOWN, "the kernel does not tell which nodes this process may use");
		return;
	}
	os__nodes_text(&nodes, all, sizeof(all));
	if (os__nodes_within(&nodes, &allowed)) {
		find(finding, DOCTOR_OK, "every node with memory (%s) is allowed to this process", all);
		return;
	}
	find(finding, DOCTOR_HURTS, "this process may use node %s only, of %s",
		os__nodes_text(&allowed, list, sizeof(list)), all);
	advise(finding, "its cpuset says so: widen cpuset.mems of its control group, in Docker "
		"--cpuset-mems=%s", all);
}

static void look_maps(const char *root, struct doctor_finding *finding)
{
	long long maps;

	if (!read_number(root, "/proc/sys/vm/max_map_count", &maps)) {
		find(finding, DOCTOR_UNKNOWN, "the kernel does not tell how many mappings a process may have");
		return;
	}
	if (maps >= MAPS_DEFAULT) {
		find(finding, DOCTOR_OK, "a process may have %lld mappings", maps);
		return;
	}
	find(finding, DOCTOR_HURTS, "a process may have only %lld mappings: many heaps or strict places need "
		"more, and malloc will give NULL", maps);
	advise(finding, "sysctl vm.max_map_count=262144");
}

static void look_pools(const char *root, struct doctor_finding *finding)
{
	long long total, unused;

	if (!read_number(root, "/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages", &total)) {
		find(finding, DOCTOR_NOTE, "the kernel has no pool of 2 MiB pages: hugetlb:2M cannot be had");
		advise(finding, "a kernel with CONFIG_HUGETLBFS, on a machine with such pages, and /sys mounted");
		return;
	}
	if (!read_number(root, "/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", &unused))
		unused = 0;
	if (total == 0) {
		find(finding, DOCTOR_NOTE, "no 2 MiB pages are reserved: hugetlb:2M cannot be had");
		advise(finding, "sysctl vm.nr_hugepages=N, or for one node write N to /sys/devices/system/node/"
			"nodeX/hugepages/hugepages-2048kB/nr_hugepages");
	} else if (unused == 0) {
		find(finding, DOCTOR_HURTS, "all %lld of the reserved 2 MiB pages are in use: hugetlb:2M is full",
			total);
		advise(finding, "sysctl vm.nr_hugepages=%lld", 2 * total);
	} else {
		find(finding, DOCTOR_OK, "%lld of %lld reserved 2 MiB pages are free", unused, total);
	}
}

static void look_balancing(const char *root, struct doctor_finding *finding)
{
	long long mode;

	if (!read_number(root, "/proc/sys/kernel/numa_balancing", &mode)) {
		find(finding, DOCTOR_OK, "the kernel has no automatic NUMA balancing");
	} else if (mode == 0) {
		find(finding, DOCTOR_OK, "automatic NUMA balancing is off");
	} else if (!has_many_nodes(root)) {
		find(finding, DOCTOR_OK, "automatic NUMA balancing is on, but there is one node only");
	} else {
		find(finding, DOCTOR_HURTS, "automatic NUMA balancing is on%s: the kernel moves pages of places "
			"without a policy (any, local), and samples all others",
			mode & 2 ? ", with memory tiering" : "");
		advise(finding, "sysctl kernel.numa_balancing=0, or use places that name nodes");
	}
}

static void look_demotion(const char *root, struct doctor_finding *finding)
{
	char text[32];

	if (!read_file(root, "/sys/kernel/mm/numa/demotion_enabled", text, sizeof(text)) ||
		(strcmp(text, "true") != 0 && strcmp(text, "1") != 0)) {
		find(finding, DOCTOR_OK, "pages are not demoted to slower memory");
		return;
	}
	find(finding, DOCTOR_HURTS, "short of memory, the kernel demotes pages to slower nodes, also those of "
		"a bound place");
	advise(finding, "echo false >/sys/kernel/mm/numa/demotion_enabled");
}

static void look_overcommit(const char *root, struct doctor_finding *finding)
{
	uint64_t limit = meminfo(root, "CommitLimit"), used = meminfo(root, "Committed_AS");
	char text[SIZE_TEXT_SIZE];
	long long mode;

	if (!read_number(root, "/proc/sys/vm/overcommit_memory", &mode)) {
		find(finding, DOCTOR_UNKNOWN, "the kernel does not tell how it counts reservations");
		return;
	}
	if (mode != 2) {
		find(finding, DOCTOR_OK, "reserved address space does not count as memory (overcommit %lld)", mode);
		return;
	}
	find(finding, DOCTOR_HURTS, "memory is strictly accounted (overcommit 2): what heaps reserve counts, "
		"and %s are left", size__format(limit > used ? limit - used : 0, text));
	advise(finding, "sysctl vm.overcommit_memory=0, or raise vm.overcommit_ratio");
}

static void look_thp(const char *root, struct doctor_finding *finding)
{
	char text[64];

	if (!read_file(root, "/sys/kernel/mm/transparent_hugepage/enabled", text, sizeof(text))) {
		find(finding, DOCTOR_NOTE, "the kernel has no transparent huge pages: the option thp has no effect");
		advise(finding, "a kernel with CONFIG_TRANSPARENT_HUGEPAGE, and /sys mounted");
	} else if (strstr(text, "[never]")) {
		find(finding, DOCTOR_NOTE, "transparent huge pages are off: the option thp has no effect");
		advise(finding, "echo madvise >/sys/kernel/mm/transparent_hugepage/enabled");
	} else if (strstr(text, "[always]")) {
		find(finding, DOCTOR_NOTE, "transparent huge pages are always on: small heaps hold up to 2 MiB for "
			"a few pages, and a node fills earlier than its programs asked");
		advise(finding, "echo madvise >/sys/kernel/mm/transparent_hugepage/enabled, or the option nothp");
	} else {
		find(finding, DOCTOR_OK, "transparent huge pages are given to those who ask (madvise)");
	}
}

static void look_figures(const char *root, struct doctor_finding *finding)
{
	const struct topology *topology;
	bool told = true;

	(void)root;
	if (topology__get(&topology)) {
		find(finding, DOCTOR_HURTS, "the machine's nodes cannot be read: %.180s", error__text());
		advise(finding, "check SITUS_TIERS, HWLOC_XMLFILE and HWLOC_SYNTHETIC");
		return;
	}
	for (int i = 0; i < topology->n_nodes; i++)
		told &= topology->nodes[i].bandwidth.source != TOPOLOGY_SOURCE_NONE;
	if (topology->n_nodes < 2) {
		find(finding, DOCTOR_OK, "there is one node only, and nothing to choose");
	} else if (told) {
		find(finding, DOCTOR_OK, "the firmware tells bandwidth and latency (HMAT)");
	} else if (topology->n_nodes && topology->nodes[0].kind_source == TOPOLOGY_SOURCE_OVERRIDE) {
		find(finding, DOCTOR_OK, "SITUS_TIERS says what the nodes are");
	} else {
		find(finding, topology->n_tiers == 0 ? DOCTOR_HURTS : DOCTOR_NOTE,
			"the firmware does not tell what the nodes are good at (no HMAT): %s",
			topology->n_tiers == 0 ? "hbm, cxl and tiers cannot be resolved"
				: "tiers rest on distances or the kernel's word");
		advise(finding, "SITUS_TIERS, for example SITUS_TIERS='hbm=2;dram=0-1;cxl=3'");
	}
}

static void look_swap(const char *root, struct doctor_finding *finding)
{
	uint64_t swap = meminfo(root, "SwapTotal");
	char text[SIZE_TEXT_SIZE];

	if (swap == 0) {
		find(finding, DOCTOR_OK, "there is no swap");
		return;
	}
	find(finding, DOCTOR_NOTE, "there are %s of swap: pages of heaps may be swapped out, strict ones too",
		size__format(swap, text));
	advise(finding, "swapoff -a, or memory.swap.max=0 in the program's control group");
}

static void look_kernel(const char *root, struct doctor_finding *finding)
{
	char text[128];
	int major, minor;

	if (!read_file(root, "/proc/sys/kernel/osrelease", text, sizeof(text)) ||
		sscanf(text, "%d.%d", &major, &minor) != 2) {
		find(finding, DOCTOR_UNKNOWN, "the kernel does not tell its version");
		return;
	}
	/* mbind(2) and madvise(2) say since when. */
	if (major < 5 || (major == 5 && minor < 15)) {
		find(finding, DOCTOR_NOTE, "Linux %d.%d prefers one node at a time and populates by touching",
			major, minor);
		advise(finding, "5.15 or later has MPOL_PREFERRED_MANY and MADV_POPULATE_WRITE");
	} else if (major < 6 || (major == 6 && minor < 9)) {
		find(finding, DOCTOR_NOTE, "Linux %d.%d has no weighted interleave: the option weighted is refused",
			major, minor);
		advise(finding, "6.9 or later has MPOL_WEIGHTED_INTERLEAVE");
	} else {
		find(finding, DOCTOR_OK, "Linux %d.%d has every policy that places can name", major, minor);
	}
}

static void look_address_space(const char *root, struct doctor_finding *finding)
{
	char text[SIZE_TEXT_SIZE];
	struct rlimit limit;

	(void)root;
	if (getrlimit(RLIMIT_AS, &limit)) {
		find(finding, DOCTOR_UNKNOWN, "the limit of address space cannot be read");
	} else if (limit.rlim_cur == RLIM_INFINITY || limit.rlim_cur >= ADDRESS_SPACE_LEAST) {
		find(finding, DOCTOR_OK, "address space is not limited");
	} else {
		find(finding, DOCTOR_HURTS, "address space is limited to %s: heaps reserve more than they use, and "
			"malloc will give NULL", size__format(limit.rlim_cur, text));
		advise(finding, "ulimit -v unlimited; to bound memory use --limit, or memory.max of a control "
			"group");
	}
}

static void look_tables(const char *root, struct doctor_finding *finding)
{
	const char *folder = publish__folder();
	char full[512];

	snprintf(full, sizeof(full), "%s%s", root, folder);
	if (access(full, W_OK | X_OK) == 0) {
		find(finding, DOCTOR_OK, "programs can show their heaps to situs stat, in %.100s", folder);
		return;
	}
	find(finding, DOCTOR_HURTS, "%.100s cannot be written: situs stat, map and migrate see no program",
		folder);
	advise(finding, "mount a tmpfs at /dev/shm, or set XDG_RUNTIME_DIR to a private folder of yours");
}

const struct doctor_check doctor__checks[] = {
	{ "calls", look_calls },
	{ "cpuset", look_cpuset },
	{ "max_map_count", look_maps },
	{ "address space", look_address_space },
	{ "overcommit", look_overcommit },
	{ "numa balancing", look_balancing },
	{ "demotion", look_demotion },
	{ "huge pages", look_pools },
	{ "thp", look_thp },
	{ "swap", look_swap },
	{ "HMAT", look_figures },
	{ "kernel", look_kernel },
	{ "tables", look_tables },
};
const size_t doctor__n_checks = sizeof(doctor__checks) / sizeof(doctor__checks[0]);
