/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * place.h - place strings: reading them (place.c), printing them (place_format.c), what a word means
 * on a machine (place_resolve.c), and the area it opens (place_open.c). The grammar is in situs(7).
 *
 * Parsing is a pure function: text in, struct out, no allocation, no look at the machine, no thread
 * state. A struct place_chain points into the text it was parsed from, which must outlive it.
 *
 * Invariants of a parsed place: at most one policy; every option goes with its `where`; `nodes` is
 * not empty where has_nodes; `name` is not empty where `where` takes one; limit 0 means none.
 */
#ifndef AREA_PLACE_H
#define AREA_PLACE_H

#include "aml.h"
#include "area/nodes.h"

#include <stdint.h>

struct topology;

/* More links than this in one chain is an error: a chain is tried from its start for each mapping. */
#define PLACE_MAX_LINKS 16

/* Longest file name, in bytes, as written in a place; shm names follow NAME_MAX. */
#define PLACE_MAX_PATH 4095

enum place_where {
	PLACE_NODE,
	PLACE_TIER_FASTEST,
	PLACE_TIER_LARGEST,
	PLACE_TIER_NEAREST,
	PLACE_TIER_NUMBER, /* number */
	PLACE_HBM,
	PLACE_DRAM,
	PLACE_CXL,
	PLACE_GPU,
	PLACE_LOCAL,
	PLACE_ANY,
	PLACE_HUGETLB, /* page_size */
	PLACE_FILE,    /* name */
	PLACE_SHM,     /* name */
	PLACE_ANON,
	PLACE_CUDA,   /* number; recognised, not built in */
	PLACE_OPENCL, /* number; recognised, not built in */
};

enum place_policy {
	PLACE_POLICY_NONE, /* no word: bind where the place names nodes, the kernel's default elsewhere */
	PLACE_STRICT,
	PLACE_BIND,
	PLACE_PREFERRED,
	PLACE_INTERLEAVE,
	PLACE_WEIGHTED,
	PLACE_FIRSTTOUCH,
};

struct place {
	enum place_where where;
	enum place_policy policy;
	bool has_nodes; /* "node:" as the place or as an option */
	struct os_nodes nodes;
	unsigned number;  /* tier, device */
	size_t page_size; /* hugetlb, bytes */
	const char *name; /* file and shm: in the parsed text, escapes and all; not terminated */
	size_t name_length;
	int thp; /* 1 thp, -1 nothp, 0 the system's setting */
	bool populate, keep;
	size_t limit; /* bytes; 0: none */
};

struct place_chain {
	int n_links;
	struct place link[PLACE_MAX_LINKS];
};

struct place_error {
	int code;          /* positive enum aml_error */
	bool bad_where;    /* the place itself is wrong: the caller may add what would fit here */
	char text[224];    /* names the bad word, control characters escaped */
};

/* Reads a chain of places: 0, or -AML_EINVAL, -AML_EDOM with *error filled in and *chain untouched. */
int place__parse(const char *text, struct place_chain *chain, struct place_error *error);

/*
 * Writes one place as text that parses to the same struct; as snprintf, the length of the whole text
 * is returned. Options that are defaults are left out.
 */
size_t place__format(const struct place *place, char *buffer, size_t size);

/* The file or shared-memory name without escapes; as snprintf. */
size_t place__name(const struct place *place, char *buffer, size_t size);

/* Does the word choose nodes by what they are good at, so that it must be resolved on a topology? */
bool place__needs_topology(const struct place *place);

/* The policy with the default of a place filled in, for this many nodes (PREFERRED one or many). */
enum aml_area_linux_policy place__policy(const struct place *place, unsigned n_nodes);

/*
 * The nodes a place stands for on a topology, those only that its process may use. Empty for places
 * with no nodes of their own (any, local, and hugetlb, file, shm, anon without "node:"). `cpu` is the
 * initiator of tier:nearest: a processor's number, -1 for the calling thread's.
 * -AML_EDOM: not on this machine, not allowed, or nothing here can tell; -AML_ENOTSUP: devices.
 */
int place__resolve(const struct place *place, const struct topology *topology, int cpu,
	struct os_nodes *nodes, struct place_error *error);

/* One line of what can be opened on a machine, for error messages and `situs places`; as snprintf. */
size_t place__fitting(const struct topology *topology, char *buffer, size_t size);

/* Writes [text, text + length) with everything but printable ASCII escaped, long text cut by "...". */
void place__quote(const char *text, size_t length, char *buffer, size_t size);

#endif
