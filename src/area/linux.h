/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * linux.h - private anonymous memory: what linux.c, strict.c and hugetlb.c share.
 */
#ifndef AREA_LINUX_H
#define AREA_LINUX_H

#include "area/area.h"
#include "area/ledger.h"
#include "os/os.h"

/* Set once at creation. */
struct aml_area_data {
	struct area_head head;
	enum aml_area_linux_policy policy; /* as asked for */
	enum os_policy mode;               /* the kernel's: DEFAULT calls nothing */
	size_t page_size;                  /* of the mapping */
	size_t huge_size;                  /* thp: the size to align to; 0: not asked for */
	bool nothp, populate;
	/* what plain mappings look at stands above */
	struct os_nodes nodes;             /* where pages may lie */
	struct os_nodes mode_nodes;        /* what the kernel is told; within nodes */
};

/* Sets nodes, policy, mode and mode_nodes from options, or fails as aml_area_linux_create does. */
int linux__choose(struct aml_area_data *data, const struct area_options *options);

/*
 * For what the kernel answered to `calls` ("mbind"): where this process may not make them, says what to do
 * about it, and with which place (NULL: not yet known), and is true.
 */
bool linux__may_not(int failed, const char *calls, const char *place);

/* Says that os__nodes_allowed failed. */
int linux__fail_to_tell_nodes(int failed);

/* A place string for memory under data's policy. name: "hugetlb:2M" and the like, which needs no
   nodes where there is no policy; NULL: the place is its nodes. */
#define LINUX_LIST_SIZE (5 * OS_MAX_NODES / 2) /* no list is longer: every other node, and commas */
#define LINUX_DESCRIPTION_SIZE (LINUX_LIST_SIZE + 128)
void linux__describe(const struct aml_area_data *data, const char *name, char *text, size_t size);

/* Faults a range in, as long as the machine has room for it. */
int linux__populate(const struct aml_area_data *data, void *ptr, size_t size);

/*
 * Every range of anonymous memory that any area has out: one ledger for all, so that heaps can hand
 * memory from one area to another (move) and what no area mapped is refused.
 */
extern struct ledger linux__ledger;

enum linux_value {
	LINUX_PLAIN = 0,
	LINUX_SEALED = 1, /* perhaps under BIND: must be put under data's mode before it is populated */
};

/* Address space under data's policy, in the ledger, not populated. NULL, and said so. size is rounded. */
void *linux__reserve(const struct aml_area_data *data, void *hint, size_t size, enum linux_value value);

/* Gives back a range that linux__reserve gave and nobody else has seen. Cannot fail. */
void linux__unreserve(void *ptr, size_t size);

/* Is this anonymous memory in base pages, so that a range of it can be handed from area to area by
   setting its policy? */
bool linux__is_plain(const struct aml_area *area);

/* The same, in pages of any size. */
bool linux__is_anonymous(const struct aml_area *area);

/* Counts how often memory came back to each of the area's nodes, from areas of this process that are bound to
   them; and the sum for the area's nodes, for whoever waits for that. */
void linux__note_return(const struct aml_area_data *data);
unsigned linux__n_returns(const struct aml_area_data *data);

/* Puts a mapped range under data's policy and gives it data's advice; nothing moves. 0 or a negative
   errno, without a sentence. */
int linux__rebind(const struct aml_area_data *data, void *ptr, size_t size);

/* Is the range memory that some area of this family has out? Or says that it is not. */
int linux__check_ours(const struct aml_area_data *data, const void *ptr, size_t size);

/* Adds the bytes of the range's present pages to bytes_on_node, whosever they are. */
int linux__count(const struct aml_area_data *data, const void *ptr, size_t size,
	size_t *bytes_on_node, int n_nodes);

/* The operations of every kind of anonymous memory. */
int linux__munmap(const struct aml_area_data *data, void *ptr, size_t size);
int linux__locate(const struct aml_area_data *data, const void *ptr, size_t size,
	size_t *bytes_on_node, int n_nodes);
int linux__move(const struct aml_area_data *data, void *ptr, size_t size);
int linux__collapse(const struct aml_area_data *data, void *ptr, size_t size);
int linux__info(const struct aml_area_data *data, struct aml_area_info *info);

/* The tables of strict areas: strict.c, and with transparent huge pages strict_huge.c. */
extern const struct aml_area_ops strict__ops;
extern const struct aml_area_ops strict__huge_ops;

/* Makes a range that is under data's mode present on data's nodes, or says why not; what is present
   then is the caller's to give back. */
int strict__fill(const struct aml_area_data *data, void *ptr, size_t size);

/* The same, with a function of one's own that brings a step's pages home. */
typedef int strict_step_func(const struct aml_area_data *data, char *ptr, size_t size, size_t asked);
int strict__fill_by(const struct aml_area_data *data, void *ptr, size_t size, strict_step_func *bring_home);

/* The same for a part of a range whose bytes are booked (room.h). */
int strict__fill_booked(const struct aml_area_data *data, void *ptr, size_t size);

/* Asks where every stride-th byte of [ptr, end) is and moves what is astray, once. asked: the whole
   request, for the message. */
int strict__bring_home(const struct aml_area_data *data, char *ptr, char *end, size_t stride,
	size_t asked);

/* Says that the nodes are full: -AML_ENOMEM. */
int strict__refuse(const struct aml_area_data *data, size_t asked);

/* No later fault in the range can go astray. */
int strict__seal(const struct aml_area_data *data, void *ptr, size_t size);

int strict__commit(const struct aml_area_data *data, void *ptr, size_t size);
int strict__move(const struct aml_area_data *data, void *ptr, size_t size);

/* What a mapping ends with once it was filled, or was not: sealed, or given back with words and NULL. */
void *strict__finish(const struct aml_area_data *data, void *p, size_t size, int failed);

/* What was said before what was present had been given back is said anew, with what is left now. */
int strict__explain(const struct aml_area_data *data, size_t asked, int failed);

/* The nodes of n pages, as os__where tells them; the failure said. */
int linux__ask(const struct aml_area_data *data, void **pages, size_t n, int *nodes);

/* Where pages are, for the whole range: calls `found` once a page with its size and node, or -ENOENT (not
   present), -EFAULT (not mapped, or the page of zeros). Huge pages of areas that asked for them are one
   each, as far as the kernel tells them from others. Stops where found returns non-zero. */
typedef int linux_where_func(void *arg, void *page, size_t size, int node);
int linux__where(const struct aml_area_data *data, void *ptr, size_t size, linux_where_func *found,
	void *arg);

/* The node of a set with most free memory: for pages that are moved. */
int linux__roomiest(const struct os_nodes *nodes);

/* A size in words, for messages: "32 MiB". */
struct size_text {
	char text[32];
};
struct size_text linux__size(size_t size);

#endif
