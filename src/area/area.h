/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * area.h - what the kinds of areas share: errors, options, constructors.
 *
 * Each kind of place is one file with a few static functions and one const table of operations;
 * area.c answers for operations that a table leaves out. The constructors below are what the place
 * grammar calls; they may use malloc, the operations may not (see <aml.h>).
 */
#ifndef AREA_AREA_H
#define AREA_AREA_H

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "aml.h"

/*
 * Fails: sets aml_errno to `code` (positive enum aml_error), errno to the value that corresponds to
 * it, records the sentence for situs_error() and returns -code. No allocation.
 */
int aml__fail(int code, const char *format, ...) __attribute__((format(printf, 2, 3)));

/*
 * Counts how often files, limits and buffers of this process get something back: a chain whose link was
 * full looks again when it has moved. Nodes have counters of their own (linux__note_return).
 */
extern _Atomic unsigned area__n_returns;

/* Is there such a chain? Set before it looks, and never reset: until then nobody counts. */
extern _Atomic bool area__counts_returns;

static inline void area__note_return(void)
{
	if (atomic_load(&area__counts_returns))
		atomic_fetch_add_explicit(&area__n_returns, 1, memory_order_release);
}

/* A few bytes of every thread's static storage: reached without a call, in libraries too. */
#define AREA_FAST_TLS __attribute__((tls_model("initial-exec")))
extern AML_PUBLIC _Thread_local int aml_errno AREA_FAST_TLS;

/* Set by aml__fail; cleared by area.c before each operation, which so learns whether it has spoken. */
extern _Thread_local bool aml__told AREA_FAST_TLS;

/* What the last failure of this thread left, to be put back where a later failure does not count. */
struct area_failure {
	int code, number;
	bool told;
};

static inline struct area_failure area__last_failure(void)
{
	return (struct area_failure){aml_errno, errno, aml__told};
}

static inline void area__put_failure_back(struct area_failure failure)
{
	aml_errno = failure.code;
	errno = failure.number;
	aml__told = failure.told;
}

/* The enum aml_error that describes an errno value of either sign. */
int aml__code(int err);

/* The errno value for an enum aml_error of either sign. */
int aml__errno(int code);

/* What a place string can say beyond where. Zeroed: nothing said. */
struct area_options {
	const struct bitmask *nodes;       /* copied; NULL: not asked for (every allowed node) */
	enum aml_area_linux_policy policy; /* what to do with nodes */
	bool local;                        /* DEFAULT, of memory without nodes: the touching thread's node,
	                                      whatever the process's own policy is */
	int thp;                           /* 1 thp, -1 nothp, 0 unsaid */
	bool populate;                     /* mmap faults every page in */
	size_t limit;                      /* bytes the area may have out at once; 0: none */
	bool keep_file;                    /* file and shm: the name stays when the area is destroyed */
	const char *place;                 /* what fprintf prints, copied; NULL: put together from the rest */
};

/*
 * Constructors. All return AML_SUCCESS or what aml__fail returned, write *area on success only, take
 * options NULL for a zeroed struct, and honour every option that makes sense for the kind; one that
 * does not is -AML_EINVAL with a sentence. Errors of nodes and policy are those of
 * aml_area_linux_create.
 */

/* Private anonymous memory under a policy: node:, tiers and words that resolve to nodes, local, any. */
int area__linux_create(struct aml_area **area, const struct area_options *options);

/* Private anonymous memory under the kernel's default policy; nodes and policy are -AML_EINVAL. */
int area__anon_create(struct aml_area **area, const struct area_options *options);

/*
 * Pages of a hugetlb pool. page_size is in bytes; -AML_EDOM where the kernel has no pool of that
 * size. An empty pool is found at mmap (-AML_ENOMEM), since pools can be filled later.
 */
int area__hugetlb_create(struct aml_area **area, size_t page_size, const struct area_options *options);

/*
 * A file that grows as it is drawn from. `path` is a directory (an unnamed file in it, gone with the
 * process) or a file (created, or found empty; unlinked when the area is settled, backing.h, unless
 * keep_file). -AML_EDOM: no
 * such folder, -AML_EPERM: not writable, -AML_EBUSY: the file is in use or not empty.
 */
int area__file_create(struct aml_area **area, const char *path, const struct area_options *options);

/*
 * Shared memory by name, without the leading slash; "" or NULL: without a name (memfd). Processes
 * that open the same name map one another's ranges at the same addresses by passing the address as
 * hint. Unlinked when the process that created it destroys the area, unless keep_file.
 */
int area__shm_create(struct aml_area **area, const char *name, const struct area_options *options);

/*
 * True while this process opens places that nobody looks for by name: an object that is made new then is
 * unlinked as soon as it is open, unless keep_file, so that no end of the process leaves it behind.
 */
extern _Thread_local bool area__names_go_at_once AREA_FAST_TLS;

/*
 * A chain: the first of the links that can serve does. 1 <= n_links <= AREA_MAX_LINKS. On success the
 * links belong to the chain, which destroys them with itself; on failure they stay the caller's. Of
 * the options only place and limit are looked at.
 */
#define AREA_MAX_LINKS 16
int area__chain_create(struct aml_area **area, struct aml_area **links, int n_links,
	const struct area_options *options);

/*
 * Frees an area made by any constructor here or in <aml.h> except user-made ones, and sets *area to
 * NULL. NULL, a pointer to NULL, and the ready-made areas are allowed.
 */
void area__destroy(struct aml_area **area);

/*
 * Implementations begin their data with this head, so that area__destroy can free any of them and
 * area__fprintf (the operation) print it.
 */
struct area_head {
	void (*destroy)(struct aml_area *area); /* frees area and data; NULL: ready-made, never freed */
	const char *place;                      /* what fprintf prints; malloced where destroy is not NULL */
};

int area__fprintf(const struct aml_area_data *data, FILE *stream, const char *prefix);

/* As aml_area_locate, for areas around others: adds to bytes_on_node, as the operation does. */
int area__add_located(const struct aml_area *area, const void *ptr, size_t size, size_t *bytes_on_node,
	int n_nodes);

/*
 * The tables of areas whose mmap, munmap and purge say themselves why they fail, and leave errno and aml_errno
 * alone when they do not: these calls are jumps, with nothing to do on the way back (os__map_plain has why).
 * Only the table tells: data may be a program's own, under a copy of one of ours.
 */
extern const struct aml_area_ops linux__ops, limit__lazy_ops, limit__paid_ops, chain__committing_ops, chain__paid_ops;

static inline bool area__speaks(const struct aml_area *area)
{
	const struct aml_area_ops *ops = area->ops;

	return ops == &linux__ops || ops == &limit__lazy_ops || ops == &chain__paid_ops ||
		ops == &chain__committing_ops || ops == &limit__paid_ops;
}

/* As aml_area_mmap and aml_area_munmap, for areas around others, which have looked at size and range. */
static inline void *area__draw(const struct aml_area *area, void **ptr, size_t size)
{
	return area__speaks(area) ? area->ops->mmap(area->data, ptr, size) : aml_area_mmap(area, ptr, size);
}

static inline int area__give_back(const struct aml_area *area, void *ptr, size_t size)
{
	return area__speaks(area) ? area->ops->munmap(area->data, ptr, size) :
		aml_area_munmap(area, ptr, size);
}

/* Has an area what every area has? */
static inline bool area__is_whole(const struct aml_area *area)
{
	return area != NULL && area->ops != NULL && area->ops->mmap != NULL && area->ops->munmap != NULL;
}

/* What an area is called, on one line: malloced, or NULL without memory; and for messages, without
   allocating: what user-made areas say of themselves is left out. */
char *area__describe(const struct aml_area *area);
const char *area__name(const struct aml_area *area);

/*
 * One block that holds a struct aml_area and data of the given size, zeroed but for the head, which
 * gets a copy of place; NULL without memory. area__free frees it and the place.
 */
struct aml_area *area__new(const struct aml_area_ops *ops, size_t data_size, const char *place,
	void (*destroy)(struct aml_area *area));
void area__free(struct aml_area *area);

/* Rounds size up to a multiple of page_size, a power of two: false where that overflows. */
static inline bool area__round(size_t size, size_t page_size, size_t *rounded)
{
	if (__builtin_add_overflow(size, page_size - 1, rounded))
		return false;
	*rounded &= ~(page_size - 1);
	return true;
}

/* The address hint in an operation's ptr argument. */
static inline void *area__hint(void **ptr)
{
	return ptr == NULL ? NULL : *ptr;
}

#endif
