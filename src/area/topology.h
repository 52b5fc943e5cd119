/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * topology.h - which NUMA nodes there are, what each is good at, and who says so.
 *
 * Loaded once, on first need (tens of ms: hwloc walks sysfs), then read-only and shared by every
 * thread until the process ends; memory that comes or goes later is not seen. Nothing here may be
 * called from extent hooks.
 *
 * Every figure carries its source. Sources are tried in order and the first that speaks for all nodes
 * of a question answers it: figures of different sources are never compared with one another.
 *
 *	kind	SITUS_TIERS; a label (hwloc's subtype of a node: MCDRAM, HBM, GPUMemory, CXL...); bandwidth
 *		and latency beside those of main memory (HMAT); the kernel's memory tier beside that of
 *		main memory; else, where all nodes are alike and either HBM is told elsewhere or the model
 *		of the processors is known and never made with HBM, DRAM; else unknown.
 *	tier	SITUS_TIERS; bandwidth and latency; the kernel's memory tiers; distances from the nodes
 *		with processors; else, where all nodes are alike, one tier; else none.
 *
 * With HWLOC_XMLFILE or HWLOC_SYNTHETIC the topology is another machine's (`imported`): places can be
 * resolved on it, and opened as far as the nodes exist here too.
 */
#ifndef AREA_TOPOLOGY_H
#define AREA_TOPOLOGY_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "area/nodes.h"

enum topology_kind {
	TOPOLOGY_KIND_UNKNOWN,
	TOPOLOGY_KIND_HBM,
	TOPOLOGY_KIND_DRAM, /* main memory */
	TOPOLOGY_KIND_CXL,  /* an expander: slower than main memory */
	TOPOLOGY_KIND_GPU,
	TOPOLOGY_KIND_NVM,  /* labelled persistent memory: no word of the grammar, but a tier */
};

enum topology_source {
	TOPOLOGY_SOURCE_NONE,        /* nothing tells: the value is 0 or -1 and means nothing */
	TOPOLOGY_SOURCE_OVERRIDE,    /* SITUS_TIERS */
	TOPOLOGY_SOURCE_LABEL,       /* hwloc's name for the memory */
	TOPOLOGY_SOURCE_HMAT,        /* hwloc's memory attributes */
	TOPOLOGY_SOURCE_KERNEL_TIER, /* /sys/devices/virtual/memory_tiering */
	TOPOLOGY_SOURCE_DISTANCE,    /* the distance table (SLIT) */
	TOPOLOGY_SOURCE_ALIKE,       /* all nodes are alike */
	TOPOLOGY_SOURCE_OS,          /* the kernel's count of memory and processors */
};

/* A value and who gave it. */
struct topology_figure {
	uint64_t value;
	enum topology_source source;
};

struct topology_node {
	int number;               /* the kernel's */
	bool allowed;             /* this process may use it */
	int has_cpus;             /* 1, 0; -1: cannot be told (imported topologies) */
	uint64_t capacity;        /* bytes; 0: a node without memory, which no place includes */
	struct topology_figure bandwidth; /* MiB/s as seen from its best initiator */
	struct topology_figure latency;   /* ns as seen from its best initiator */
	int kernel_tier;          /* the kernel's number, lower is faster; -1: not said */
	enum topology_kind kind;
	enum topology_source kind_source;
	int tier;                 /* 0 is the fastest; -1: nothing tells */
	enum topology_source tier_source;
};

struct topology {
	bool imported;
	int n_nodes; /* by number, ascending */
	struct topology_node *nodes;
	int n_tiers;         /* 0: nothing tells */
	unsigned *distance;  /* [from * n_nodes + to], the firmware's unit, 10 is local; NULL: none */
	void *hwloc;         /* hwloc_topology_t; calls on it are under the lock of topology__lock */
	char *description;   /* the imported file or text; NULL: this machine */
};

/*
 * The topology of this process, loaded on the first call: 0, or -AML_EINVAL (SITUS_TIERS or an
 * imported topology is wrong), -AML_FAILURE, -AML_ENOMEM (also of file descriptors). A failure is not kept:
 * the next call tries again. Any thread.
 */
int topology__get(const struct topology **topology);

/* The topology of this process if it is loaded already, else NULL. Allocates nothing; any thread. */
const struct topology *topology__loaded(void);

/* Held around calls on `hwloc` of a topology from topology__get. */
void topology__lock(void);
void topology__unlock(void);

/* What to load. NULL members: what the environment says (xml, synthetic, tiers), or "/sys" (sysfs,
   which an imported topology leaves alone unless it is given). */
struct topology_config {
	const char *xml;       /* a file in hwloc's format */
	const char *synthetic; /* a description in hwloc's words */
	const char *sysfs;
	const char *tiers;     /* as SITUS_TIERS; "": none */
};

/* For tests and tools: a topology of one's own; freed by topology__free. Errors as topology__get. */
int topology__load(struct topology **topology, const struct topology_config *config);
void topology__free(struct topology *topology);

/* The node of that number, or NULL. */
const struct topology_node *topology__node(const struct topology *topology, int number);

/* Nodes with memory: of a kind, of a tier, all, and those that this process may use. */
struct os_nodes topology__of_kind(const struct topology *topology, enum topology_kind kind);
struct os_nodes topology__of_tier(const struct topology *topology, int tier);
struct os_nodes topology__with_memory(const struct topology *topology);
struct os_nodes topology__allowed(const struct topology *topology);

/*
 * Of the nodes this process may use, those nearest to a processor (-1: the calling thread's; on an
 * imported topology its first): by latency from it, else by distance, else by locality. *source says
 * which. Empty: nothing tells.
 */
struct os_nodes topology__nearest(const struct topology *topology, int cpu,
	enum topology_source *source);

/*
 * Of the tiers that this process may use memory of, the fastest, and the one with the most of that
 * memory (ties go to the faster one); -1: nothing tells.
 */
int topology__fastest_tier(const struct topology *topology);
int topology__largest_tier(const struct topology *topology);

/*
 * Allowed nodes with a value of one of hwloc's memory attributes (hwloc_memattr_id_t) as seen from
 * `initiator` (hwloc_const_cpuset_t; NULL: this thread's processor, on an imported topology its first),
 * best first, nodes of equal value in one group; beyond max_groups (at least 1) all in the last one.
 * After them come the nodes that have a value from other initiators only, the nearest first. Latencies
 * that no node has from there are distances. One allowed node is the best in any case. Returns the
 * number of groups, or -AML_EINVAL, -AML_ENOTSUP (no node has a value from there), -AML_ENOMEM.
 */
int topology__rank(const struct topology *topology, unsigned attribute, const void *initiator,
	struct os_nodes *groups, int max_groups);

/* The distance between two nodes by number; 0: not said. */
unsigned topology__distance(const struct topology *topology, int from, int to);

/* Bytes free on a node now; SIZE_MAX: not said (an imported node is somewhere else). */
size_t topology__free_bytes(const struct topology *topology, int number);

/* Words for tables: "hbm", "HMAT", ... Never NULL. */
const char *topology__kind_name(enum topology_kind kind);
const char *topology__source_name(enum topology_source source);

/* Inside the topology files */

/*
 * Applies SITUS_TIERS ("hbm=2;dram=0-1;cxl=3") to the kinds of the nodes: 0, or -AML_EINVAL (not of
 * that form, an unknown kind, a node named twice), -AML_EDOM (a node that is not there).
 */
int topology__apply_override(struct topology *topology, const char *text);

/* Is the text of that form? As above, but for nodes that are not there. */
int topology__check_override(const char *text);

/* Set before the topology is loaded: SITUS_TIERS is not heeded. */
extern bool topology__has_no_override;

/* Fills in kernel_tier from sysfs/devices/virtual/memory_tiering, where it is. */
void topology__read_kernel_tiers(struct topology *topology, const char *sysfs);

/* Fills in has_cpus from sysfs/devices/system/node/has_cpu, where it is. */
void topology__read_has_cpus(struct topology *topology, const char *sysfs);

/* Are all processors known, and of models that are never made with HBM? */
bool topology__processors_have_no_hbm(const struct topology *topology);

/* Fills in kind (where it is unknown) and tier from the figures; overridden: SITUS_TIERS was given. */
void topology__classify(struct topology *topology, bool overridden);

#endif
