/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * topology_sysfs.c - what hwloc 2.9 does not read: which nodes have processors, and the kernel's memory
 * tiers (Linux 6.1 and newer; Documentation/ABI/testing/sysfs-kernel-mm-memory-tiers). A file that is
 * missing or odd leaves its figure unsaid.
 */
#include "area/topology.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

/* Reads a file that holds one node list. */
static int read_list(const char *path, struct os_nodes *nodes)
{
	char text[4096];
	FILE *file = fopen(path, "re");
	size_t length;

	if (!file)
		return -1;
	length = fread(text, 1, sizeof(text), file);
	fclose(file);
	while (length > 0 && text[length - 1] == '\n')
		length--;
	return nodes__parse(nodes, text, length);
}

void topology__read_has_cpus(struct topology *topology, const char *sysfs)
{
	struct os_nodes nodes;
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/devices/system/node/has_cpu", sysfs);
	if (read_list(path, &nodes) < 0)
		return;
	for (int i = 0; i < topology->n_nodes; i++)
		topology->nodes[i].has_cpus = os__nodes_has(&nodes, topology->nodes[i].number);
}

void topology__read_kernel_tiers(struct topology *topology, const char *sysfs)
{
	char path[PATH_MAX];
	const struct dirent *entry;
	DIR *folder;

	snprintf(path, sizeof(path), "%s/devices/virtual/memory_tiering", sysfs);
	folder = opendir(path);
	if (!folder)
		return;
	while ((entry = readdir(folder))) {
		struct os_nodes nodes;
		int tier;

		if (sscanf(entry->d_name, "memory_tier%d", &tier) != 1 || tier < 0)
			continue;
		snprintf(path, sizeof(path), "%s/devices/virtual/memory_tiering/memory_tier%d/nodelist",
			sysfs, tier);
		if (read_list(path, &nodes) < 0)
			continue;
		for (int i = 0; i < topology->n_nodes; i++)
			if (os__nodes_has(&nodes, topology->nodes[i].number))
				topology->nodes[i].kernel_tier = tier;
	}
	closedir(folder);
}
