/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * lab.h - what tests in the lab's guests share: the topology file's figures, and where pages are
 * according to the kernel.
 *
 * Figures come from the environment that the runner sets from the topology file (LAB_...). Pages are
 * asked for with move_pages(2) and, as a second witness, /proc/self/numa_maps; neither touches them.
 * A helper that cannot do its work fails the test that called it.
 */
#ifndef TESTS_LAB_GUEST_LAB_H
#define TESTS_LAB_GUEST_LAB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/unit/test.h"

#define LAB_MAX_NODES 64
#define LAB_PAGE ((size_t)4096)
#define KIB ((size_t)1 << 10)
#define MIB ((size_t)1 << 20)
#define GIB ((size_t)1 << 30)

/* Set of nodes, one bit a node. */
typedef uint64_t lab_nodes_t;

/* Skips the calling test, with a reason that reaches the host's report. */
#define lab_skip(why) (print_message("lab: skip: %s\n", why), skip())

/* The number in an environment variable such as LAB_N_NODES. */
unsigned long lab_number(const char *name);

/* The number of LAB_<name>_<node>, such as LAB_MEMORY_2. */
unsigned long lab_of_node(const char *name, int node);

/* Column `to` of row LAB_<name>_<from>, such as the latency from node 0 to node 2. */
unsigned long lab_figure(const char *name, int from, int to);

int lab_n_nodes(void);

/* Reads "0-1,3" into a set; "-" is the empty set. */
lab_nodes_t lab_parse_nodes(const char *text);

/* The only node of a set, or -1. */
int lab_only_node(lab_nodes_t nodes);

/* Adds the bytes of the range's present 4 KiB pages to on_node[node], by move_pages. */
void lab_pages(const void *start, size_t size, size_t on_node[LAB_MAX_NODES]);

/* Bytes of the range's present pages on nodes outside `nodes`, and those on them in *inside. */
size_t lab_astray(const void *start, size_t size, lab_nodes_t nodes, size_t *inside);

/* The kernel's mapping that holds `address`, and its bytes by node as numa_maps sums them up. */
struct lab_mapping {
	const char *start, *end;
	size_t on_node[LAB_MAX_NODES];
};
void lab_mapping_of(const void *address, struct lab_mapping *mapping);

/* The same for the whole mapping that holds `address`, by numa_maps. */
size_t lab_mapping_astray(const void *address, lab_nodes_t nodes, size_t *inside);

/*
 * Where many blocks lie, asked for in batches: neighbours of one page cost one question. Zeroed at
 * first; add blocks, then end; on_node counts bytes of pages that are present.
 */
struct lab_census {
	size_t on_node[LAB_MAX_NODES];
	void *pages[1024];
	size_t n;
	uintptr_t last;
};
void lab_census_add(struct lab_census *census, const void *start, size_t size);
void lab_census_end(struct lab_census *census);

/* Bytes counted outside `nodes`, those on them in *inside (may be NULL). */
size_t lab_census_astray(const struct lab_census *census, lab_nodes_t nodes, size_t *inside);

/* A sysfs or procfs file's first number after `label` ("" for its first number). */
unsigned long lab_read_number(const char *path, const char *label);

/* Writes `text` to a sysfs, procfs or cgroupfs file; 0 or -errno. */
int lab_write(const char *path, const char *text);

/* This process goes into a cgroup of its own, made afresh, and back into the root. */
void lab_cgroup_enter(void);
void lab_cgroup_leave(void);

/* Writes a file of that cgroup, such as memory.max. */
void lab_cgroup_write(const char *file, const char *text);

/* Free bytes of a node. */
size_t lab_free(int node);

/* Free bytes of a node that lie ready on processors' lists, which lab_free does not count. */
size_t lab_listed(int node);

/* Bytes that the kernel wants free on a node before it looks for more: its high watermark. */
size_t lab_watermark(int node);

/* Runs fn(arg) in a new thread on the processors of `node`, and waits for it. */
void lab_on_node(int node, void (*fn)(void *), void *arg);

/* The calling thread runs on the processors of `node` from now on. */
void lab_pin(int node);

/* Writes something other than zeros to every page of a block, derived from seed; and checks it. */
void lab_fill(void *start, size_t size, uint64_t seed);
bool lab_filled(const void *start, size_t size, uint64_t seed);

#endif
