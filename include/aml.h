/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * aml.h - areas: places memory comes from.
 *
 * An area answers for one place (a NUMA node, the high-bandwidth tier, huge pages, a file, a
 * buffer the program already has) through one table of operations. The interface is low-level and
 * page granular, like mmap and munmap: allocators stand on it, programs rarely call it for each
 * object.
 *
 * Errors. Functions returning int give AML_SUCCESS or a negative -AML_E...; functions returning a
 * pointer give NULL. Both leave the positive code in the thread-local aml_errno, and the
 * corresponding errno value in errno; situs_error() (<situs.h>) has the sentence. A call that fails
 * has changed nothing.
 *
 * Threads. An area is immutable once made: any number of threads may use one area at once. Creating
 * and destroying are the caller's to order: nobody may use an area while it is being destroyed, nor
 * afterwards. Memory mapped from an area may outlive it.
 */
#ifndef AML_H
#define AML_H

#include <stddef.h>
#include <stdio.h>

#ifdef __cplusplus
#define AML_THREAD_LOCAL thread_local
extern "C" {
#else
#define AML_THREAD_LOCAL _Thread_local
#endif

#if defined(__GNUC__)
#define AML_PUBLIC __attribute__((visibility("default")))
#else
#define AML_PUBLIC
#endif

/* Errors */

enum aml_error {
	AML_SUCCESS = 0,
	AML_FAILURE, /* the kernel or a library failed in a way no other code describes */
	AML_ENOMEM,  /* the place has no room */
	AML_EINVAL,  /* an argument is wrong */
	AML_EDOM,    /* the argument is well-formed but names what is not there or not allowed */
	AML_ENOTSUP, /* this area, or this kernel, does not do that */
	AML_EBUSY,   /* in use */
	AML_EPERM,   /* this process may not do that */
};

/* The last failure of this thread, as a positive enum aml_error. Never reset by success. */
extern AML_PUBLIC AML_THREAD_LOCAL int aml_errno;

/* A static sentence for an error; takes either sign. Never NULL. */
AML_PUBLIC const char *aml_strerror(int err);

/* Prints "msg: sentence" for aml_errno to standard error; without msg, or with "", the sentence. */
AML_PUBLIC void aml_perror(const char *msg);

/* Operations */

struct aml_area_data; /* defined by each implementation */

/* What an area says of itself. */
struct aml_area_info {
	size_t struct_size; /* set by the caller to sizeof(struct aml_area_info): the struct can grow */
	size_t page_size;   /* granule of mapping, in bytes, a power of two */
	unsigned flags;     /* AML_AREA_... */
	/* Of a chain, both are its links' sums, in which a node or pool that two links draw from counts twice. */
	size_t capacity;    /* bytes the place has in all; 0: unknown or unbounded */
	size_t available;   /* bytes it could still give now; SIZE_MAX: unknown */
	/* Of reading and writing, as firmware tells it for the processors nearest to each node; where the
	   place is several nodes, what the slowest of them gives; of a chain, its first link's. */
	unsigned bandwidth; /* MiB/s; 0: unknown */
	unsigned latency;   /* ns; 0: unknown */
};

#define AML_AREA_LAZY 0x1u     /* reserve costs address space only: pages are charged at touch or commit */
#define AML_AREA_ZEROED 0x2u   /* fresh mappings, and committed or purged pages, read as zeros */
#define AML_AREA_PARTIAL 0x4u  /* munmap takes any page-aligned part of a mapping */
#define AML_AREA_HOST 0x8u     /* the processor can read and write it */
#define AML_AREA_COMMIT 0x10u  /* what reserve gave, or decommit took, is touched after commit only */
#define AML_AREA_SHARED 0x20u  /* other processes may map the same pages; fork shares, not copies */

/*
 * The table every kind of place fills in. mmap and munmap are required; every other operation may be
 * NULL, which means "not supported" and is answered by the aml_area_... functions below, so that
 * implementations never write that answer themselves. `data` is the area's own.
 *
 * Operations are called from any thread, also at thread exit and from inside jemalloc's extent
 * hooks: they must not call malloc, free or anything of jemalloc.
 */
struct aml_area_ops {
	/* At least size usable bytes, or NULL with aml_errno set. ptr: see aml_area_mmap. */
	void *(*mmap)(const struct aml_area_data *data, void **ptr, size_t size);
	/* Gives back what mmap returned, with the same size; areas that say AML_AREA_PARTIAL take parts. */
	int (*munmap)(const struct aml_area_data *data, void *ptr, size_t size);
	/* Describes the area on one line, as a place string where there is one. */
	int (*fprintf)(const struct aml_area_data *data, FILE *stream, const char *prefix);
	/* Makes a mapped range ready for use, here or not at all. */
	int (*commit)(const struct aml_area_data *data, void *ptr, size_t size);
	/* Gives a range's pages back; its contents are lost and it may not be touched before commit. */
	int (*decommit)(const struct aml_area_data *data, void *ptr, size_t size);
	/* Gives a range's pages back; it stays usable and reads as zeros. */
	int (*purge)(const struct aml_area_data *data, void *ptr, size_t size);
	/* The mapping of size bytes at ptr is from now on two, the first of `at` bytes. */
	int (*split)(const struct aml_area_data *data, void *ptr, size_t size, size_t at);
	/* Two adjacent mappings are from now on one. */
	int (*merge)(const struct aml_area_data *data, void *ptr, size_t size, size_t next_size);
	/* Moves the pages of a range, which another area of the same kind of memory mapped, to this
	   place, and makes it the range's policy; see aml_area_move. */
	int (*move)(const struct aml_area_data *data, void *ptr, size_t size);
	/* Adds the bytes of the range's present pages to bytes_on_node[node]; see aml_area_locate. */
	int (*locate)(const struct aml_area_data *data, const void *ptr, size_t size,
		size_t *bytes_on_node, int n_nodes);
	/* Fills in the struct but struct_size. */
	int (*info)(const struct aml_area_data *data, struct aml_area_info *info);
	/* Chains: which link (0 is the first) the mapping holding ptr came from; -AML_EDOM: none. */
	int (*link)(const struct aml_area_data *data, const void *ptr);
	/* As mmap, but address space only: what it gives is touched after commit, and is given back by
	   munmap whether committed or not. Areas whose mmap has to pay in full (strict, files, limits)
	   offer it to allocators that grow in large regions. */
	void *(*reserve)(const struct aml_area_data *data, void **ptr, size_t size);
	/* Makes the present pages of a range huge where that can be done now. */
	int (*collapse)(const struct aml_area_data *data, void *ptr, size_t size);
};

struct aml_area {
	const struct aml_area_ops *ops;
	struct aml_area_data *data;
};

/*
 * Maps at least `size` bytes (rounded up to the area's page size) and returns their start, or NULL.
 * `ptr` is implementation-specific; for host memory, where ptr and *ptr are not NULL, *ptr is an
 * address hint. What is returned may be touched at once, also on areas that say AML_AREA_COMMIT.
 * AML_EINVAL: size 0, or a NULL area or operation; AML_ENOMEM: the place has no room, or a size that
 * overflows when rounded.
 */
AML_PUBLIC void *aml_area_mmap(const struct aml_area *area, void **ptr, size_t size);

/*
 * Gives back what aml_area_mmap or aml_area_reserve returned for the same size (or a page-aligned
 * part of it, where the area says AML_AREA_PARTIAL). -AML_EINVAL, and nothing unmapped: NULL, size 0,
 * a pointer that is not page-aligned, a range that this kind of area has not handed out in full.
 */
AML_PUBLIC int aml_area_munmap(const struct aml_area *area, void *ptr, size_t size);

/*
 * As aml_area_mmap, but where info says AML_AREA_COMMIT the memory is address space only: each part
 * is touched after aml_area_commit has succeeded on it, and not after aml_area_decommit. Areas
 * without the operation map, and what they return is ready for use.
 */
AML_PUBLIC void *aml_area_reserve(const struct aml_area *area, void **ptr, size_t size);

/*
 * Prints one line that describes the area; prefix (may be NULL) precedes it. It is a place string that opens
 * the same area again (aml_area_open); of a buffer, which none opens, a line that begins with "#", and so of
 * a chain or a limit around an area that has none, and of a limit around a chain.
 */
AML_PUBLIC int aml_area_fprintf(FILE *stream, const char *prefix, const struct aml_area *area);

/*
 * The optional operations. Where the area has none: commit and split and merge succeed and do
 * nothing (plain mapped memory needs neither); decommit, purge, move, locate are -AML_ENOTSUP; info
 * answers with the page size of the system, no flags but AML_AREA_HOST and nothing known; link is 0;
 * collapse is -AML_ENOTSUP. ptr and size are multiples of the system's page size within one mapping
 * of the area (-AML_EINVAL where they are not multiples, size is 0, or the memory is no area's).
 *
 * Areas that say AML_AREA_COMMIT refuse nothing later: commit is where they say -AML_ENOMEM, with
 * the range uncommitted as before. Strict areas have no purge (pages could not be promised to come
 * back): decommit, then commit. On files purge keeps the range's space; -AML_ENOMEM there means that
 * the range was taken back by others and counts as decommitted.
 */
AML_PUBLIC int aml_area_commit(const struct aml_area *area, void *ptr, size_t size);
AML_PUBLIC int aml_area_decommit(const struct aml_area *area, void *ptr, size_t size);
AML_PUBLIC int aml_area_purge(const struct aml_area *area, void *ptr, size_t size);
AML_PUBLIC int aml_area_split(const struct aml_area *area, void *ptr, size_t size, size_t at);
AML_PUBLIC int aml_area_merge(const struct aml_area *area, void *ptr, size_t size, size_t next_size);
/*
 * All present pages of the range come to this place, or none: -AML_ENOMEM where it has no room for them,
 * -AML_EBUSY where the kernel holds some in place, and the pages are where they were, under the policy they
 * had (but for a page that the kernel will not move back, because where it lay is full by then).
 */
AML_PUBLIC int aml_area_move(const struct aml_area *area, void *ptr, size_t size);
/* Fills bytes_on_node[0, n_nodes) with the bytes of present pages on each node; nothing is touched. A
   failure leaves the array as it was. */
AML_PUBLIC int aml_area_locate(const struct aml_area *area, const void *ptr, size_t size,
	size_t *bytes_on_node, int n_nodes);
#if defined(__cplusplus) && defined(__GNUC__)
/* A struct and a function of one name, as with stat(2): no shadow to warn C++ programs of. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wshadow"
#endif
AML_PUBLIC int aml_area_info(const struct aml_area *area, struct aml_area_info *info);
#if defined(__cplusplus) && defined(__GNUC__)
#pragma GCC diagnostic pop
#endif
AML_PUBLIC int aml_area_link(const struct aml_area *area, const void *ptr);
AML_PUBLIC int aml_area_collapse(const struct aml_area *area, void *ptr, size_t size);

/* Linux: memory placed by the kernel's NUMA policies */

struct bitmask; /* <numa.h> has it */

/*
 * STRICT looks for room before it takes any, and keeps a margin (of the machine 1/64, of a control group's limit
 * 4 MiB at least) for what others take in between: areas of this process cannot pass the end together, other
 * processes that fill strict areas hardly can, but memory that other programs touch without asking, faster than
 * the margin lasts, can bring the OOM killer upon all of them. The kernel offers no call that refuses then.
 */
enum aml_area_linux_policy {
	AML_AREA_LINUX_POLICY_DEFAULT,        /* the kernel's: the node of the touching thread */
	AML_AREA_LINUX_POLICY_BIND,           /* these nodes only; running full meets the OOM killer */
	AML_AREA_LINUX_POLICY_PREFERRED,      /* the first of these nodes, others when it is full */
	AML_AREA_LINUX_POLICY_INTERLEAVE,     /* page by page over these nodes */
	AML_AREA_LINUX_POLICY_PREFERRED_MANY, /* these nodes, others when they are full (5.15) */
	AML_AREA_LINUX_POLICY_WEIGHTED_INTERLEAVE, /* page by page, by the kernel's weights (6.9) */
	AML_AREA_LINUX_POLICY_STRICT,         /* these nodes or NULL, and never the OOM killer */
};

/* Private anonymous memory, default policy. Ready-made: never destroyed. */
extern AML_PUBLIC const struct aml_area aml_area_linux;

/*
 * Makes an area over a set of nodes (copied; NULL: every node this process may use). Errors:
 * -AML_EINVAL no node in the set or an unknown policy, -AML_EDOM a node outside the allowed set,
 * -AML_ENOTSUP a policy this kernel lacks (PREFERRED_MANY falls back to PREFERRED instead),
 * -AML_EPERM the process may not bind memory at all, -AML_ENOMEM.
 */
AML_PUBLIC int aml_area_linux_create(struct aml_area **area, const struct bitmask *nodes,
	enum aml_area_linux_policy policy);

/* Frees the area and sets *area to NULL. NULL, and a pointer to NULL, are allowed. */
AML_PUBLIC void aml_area_linux_destroy(struct aml_area **area);

/*
 * Does every page of the range, as far as touched, lie where the area says, under its policy?
 * 1 yes, 0 no, negative on error (-AML_EINVAL: not a Linux area, or the range is not mapped).
 */
AML_PUBLIC int aml_area_linux_check_binding(const struct aml_area *area, const void *ptr,
	size_t size);

/* Buffers: memory the caller already has */

/*
 * Makes an area that hands out the whole pages inside [start, start + size): a static buffer, a
 * mapped device, a range of addresses that blocks shall lie in. The memory stays the caller's, must
 * outlive the area, and is not assumed to be zero. A hint is honoured where that part is free.
 * -AML_EINVAL: start NULL, no whole page in the range, or a range that wraps.
 */
AML_PUBLIC int aml_area_buffer_create(struct aml_area **area, void *start, size_t size);

/* Frees the area, not the memory, and sets *area to NULL. NULL, and a pointer to NULL, are allowed. */
AML_PUBLIC void aml_area_buffer_destroy(struct aml_area **area);

/* Areas over areas */

/*
 * Makes a chain: each mapping comes from the first of 1 to 16 areas that can serve it, and is given back
 * to that one; aml_area_link tells which. The links may be of any kind, areas of the program's own
 * included, and may be used beside the chain. They stay the caller's, and must outlive it. -AML_EINVAL:
 * no links or too many, or one that lacks mmap or munmap.
 */
AML_PUBLIC int aml_area_chain_create(struct aml_area **area, const struct aml_area *const *links,
	int n_links);

/* Frees the chain, not its links, and sets *area to NULL. NULL, and a pointer to NULL, are allowed. */
AML_PUBLIC void aml_area_chain_destroy(struct aml_area **area);

/*
 * Makes an area that draws from another, of any kind, and has at most `limit` bytes of it out at once:
 * what is mapped or committed counts, what is reserved does not. -AML_ENOMEM beyond. The inner area stays
 * the caller's, and must outlive the new one. -AML_EINVAL: an area that lacks mmap or munmap, limit 0.
 */
AML_PUBLIC int aml_area_limit_create(struct aml_area **area, const struct aml_area *inner, size_t limit);

/* Frees the area, not the inner one, and sets *area to NULL. NULL, and a pointer to NULL, are allowed. */
AML_PUBLIC void aml_area_limit_destroy(struct aml_area **area);

/* Places by text */

/*
 * Opens the area that a place string names; the grammar is in situs(7). -AML_EINVAL for a word that
 * is not one, -AML_EDOM for a place that is not on this machine; situs_error() names the word.
 */
AML_PUBLIC int aml_area_open(struct aml_area **area, const char *place);

/* Frees what aml_area_open made, and sets *area to NULL. Memory still mapped from it stays mapped. */
AML_PUBLIC void aml_area_close(struct aml_area **area);

#ifdef __cplusplus
}
#endif
#endif
