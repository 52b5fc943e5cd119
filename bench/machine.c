/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * machine.c - the kernel's account. Peaks come from /proc/self/status: ru_maxrss of a child begins with
 * what its parent had.
 */
#include "bench/machine.h"

#include <numaif.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "os/cgroup.h"

static double seconds(const struct timeval *t)
{
	return (double)t->tv_sec + (double)t->tv_usec * 1e-6;
}

void machine_usage(struct usage *usage)
{
	struct rusage r;
	struct timespec now;

	getrusage(RUSAGE_SELF, &r);
	clock_gettime(CLOCK_MONOTONIC, &now);
	usage->wall = (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
	usage->user = seconds(&r.ru_utime);
	usage->system = seconds(&r.ru_stime);
	usage->minor_faults = r.ru_minflt;
	usage->major_faults = r.ru_majflt;
}

/* The figure after `key` in a file of "key: N kB" lines, in bytes; 0: not there. */
static size_t kilobytes(const char *path, const char *key)
{
	FILE *file = fopen(path, "re");
	char line[256];
	size_t value = 0;

	while (file != NULL && fgets(line, sizeof(line), file) != NULL)
		if (strncmp(line, key, strlen(key)) == 0 && sscanf(line + strlen(key), "%zu", &value) == 1)
			break;
	if (file != NULL)
		fclose(file);
	return value * 1024;
}

/* What the limit of address space (ulimit -v) leaves. */
static size_t address_space(void)
{
	size_t used = kilobytes("/proc/self/status", "VmSize:");
	struct rlimit limit;

	if (getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY)
		return SIZE_MAX;
	return limit.rlim_cur > used ? limit.rlim_cur - used : 0;
}

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

size_t machine_available(void)
{
	size_t available = kilobytes("/proc/meminfo", "MemAvailable:");
	char group[256];

	if (available == 0)
		available = SIZE_MAX;
	return least(available, least(cgroup__room(group, sizeof(group)), address_space()));
}

/*
 * Where address space ends, jemalloc (and with it memkind) does not always answer NULL: it may fault. Eight
 * threads' stacks and the peers' own reservations take a quarter of this.
 */
#define LEAST_ADDRESSES ((size_t)512 << 20)
#define LEAST_MEMORY ((size_t)48 << 20)

const char *machine_too_small(void)
{
	static char why[96];
	size_t addresses = address_space(), memory = machine_available();

	if (addresses < LEAST_ADDRESSES)
		snprintf(why, sizeof(why), "wants %zu MiB of address space (ulimit -v), there are %zu",
			LEAST_ADDRESSES >> 20, addresses >> 20);
	else if (memory < LEAST_MEMORY)
		snprintf(why, sizeof(why), "wants %zu MiB free, there are %zu", LEAST_MEMORY >> 20, memory >> 20);
	else
		return NULL;
	return why;
}

size_t machine_peak(void)
{
	return kilobytes("/proc/self/status", "VmHWM:");
}

size_t machine_resident(void)
{
	return kilobytes("/proc/self/status", "VmRSS:");
}

unsigned machine_cpus(void)
{
	cpu_set_t set;

	return sched_getaffinity(0, sizeof(set), &set) == 0 ? (unsigned)CPU_COUNT(&set) : 1;
}

long machine_off_node(void **pages, size_t n, int node)
{
	enum { AT_ONCE = 512 };
	int where[AT_ONCE];
	long off = 0;

	for (size_t from = 0; from < n; from += AT_ONCE) {
		size_t count = n - from < AT_ONCE ? n - from : AT_ONCE;

		if (move_pages(0, count, pages + from, NULL, where, 0) != 0)
			return -1;
		for (size_t i = 0; i < count; i++)
			off += where[i] >= 0 && where[i] != node;
	}
	return off;
}
