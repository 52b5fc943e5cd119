/* SPDX-License-Identifier: BSD-3-Clause */
/* lab_full.c - see lab_full.h. */
#include <numa.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "tests/lab/guest/lab_full.h"

enum { HUGE = 2 << 20 };

/* The most that is left for fillers: they are slow, since each of their pages is made and asked about. */
#define BY_FILLERS (128 * MIB)

/* A list that is longer than it may be gives up a batch for each page that comes to it: some thousands of these. */
static void shorten_lists(void)
{
	size_t size = 2 * MIB;

	for (int node = 0; node < lab_n_nodes(); node++) {
		char *start = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		assert_true(start != MAP_FAILED);
		assert_int_equal(madvise(start, size, MADV_NOHUGEPAGE), 0);
		numa_tonode_memory(start, size, node);
		memset(start, 1, size);
		munmap(start, size);
	}
}

void lab_lists(const char *fraction)
{
	cpu_set_t before, one;

	assert_int_equal(lab_write("/proc/sys/vm/percpu_pagelist_high_fraction", fraction), 0);
	if (strcmp(fraction, LAB_LISTS_SHORT) != 0)
		return;
	assert_int_equal(sched_getaffinity(0, sizeof(before), &before), 0);
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, &before))
			continue;
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
		shorten_lists();
	}
	assert_int_equal(sched_setaffinity(0, sizeof(before), &before), 0);
}

/* A pool's pages are taken without being written, hundreds of megabytes in a moment. */
static void set_pool(int node, size_t n)
{
	char path[128], number[24];

	snprintf(path, sizeof(path), "/sys/devices/system/node/node%d/hugepages/hugepages-2048kB/nr_hugepages", node);
	snprintf(number, sizeof(number), "%zu", n);
	assert_int_equal(lab_write(path, number), 0);
}

void lab_full_begin(struct lab_full *full, int node, size_t left)
{
	size_t there = lab_free(node);
	char place[32];

	snprintf(place, sizeof(place), "node:%d,strict", node);
	full->node = node;
	full->n = 0;
	if (aml_area_open(&full->area, place) != AML_SUCCESS)
		fail_msg("%s: %s", place, situs_error());
	set_pool(node, there > BY_FILLERS ? (there - BY_FILLERS) / HUGE : 0);
	while (full->n < LAB_FILLERS && (full->start[full->n] = aml_area_mmap(full->area, NULL, LAB_FILLER)) != NULL)
		full->n++;
	for (; left >= LAB_FILLER; left -= LAB_FILLER)
		assert_true(lab_full_give(full));
}

bool lab_full_give(struct lab_full *full)
{
	if (full->n == 0)
		return false;
	assert_int_equal(aml_area_munmap(full->area, full->start[--full->n], LAB_FILLER), AML_SUCCESS);
	return true;
}

void lab_full_end(struct lab_full *full)
{
	if (full->area == NULL)
		return;
	while (lab_full_give(full))
		continue;
	set_pool(full->node, 0);
	aml_area_close(&full->area);
}

void lab_tell_free(void)
{
	static const char *const words[] = {"Node", "pages free", " min ", " low ", " high ", "count:"};
	FILE *file = fopen("/proc/zoneinfo", "re");
	char line[256];

	while (file != NULL && fgets(line, sizeof(line), file) != NULL)
		for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
			if (strstr(line, words[i]) != NULL) {
				print_message("# %s", line);
				break;
			}
	if (file != NULL)
		fclose(file);
}
