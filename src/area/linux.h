/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * linux.h - private anonymous memory: what linux.c, strict.c and hugetlb.c share.
 */
#ifndef AREA_LINUX_H
#define AREA_LINUX_H

#include "area/area.h"
#include "os/os.h"

/* Set once at creation. */
struct aml_area_data {
	struct area_head head;
	enum aml_area_linux_policy policy; /* as asked for */
	enum os_policy mode;               /* the kernel's: DEFAULT calls nothing */
	struct os_nodes nodes;             /* where pages may lie */
	struct os_nodes mode_nodes;        /* what the kernel is told; within nodes */
	size_t page_size;                  /* of the mapping */
	size_t huge_size;                  /* thp: the size to align to; 0: not asked for */
	bool nothp, populate;
};

/* Sets nodes, policy, mode and mode_nodes from options, or fails as aml_area_linux_create does. */
int linux__choose(struct aml_area_data *data, const struct area_options *options);

/* A place string for memory under data's policy; `where` precedes ("" or "hugetlb:2M,"). */
#define LINUX_DESCRIPTION_SIZE 640
void linux__describe(const struct aml_area_data *data, const char *where, char *text, size_t size);

/* Faults a range in, as long as the machine has room for it. */
int linux__populate(const struct aml_area_data *data, void *ptr, size_t size);

/* Address space under data's policy, not populated. NULL, and said so. size is rounded. */
void *linux__reserve(const struct aml_area_data *data, void *hint, size_t size);

/* The operations of every kind of anonymous memory. */
int linux__munmap(const struct aml_area_data *data, void *ptr, size_t size);
int linux__locate(const struct aml_area_data *data, const void *ptr, size_t size,
	size_t *bytes_on_node, int n_nodes);
int linux__move(const struct aml_area_data *data, void *ptr, size_t size);
int linux__collapse(const struct aml_area_data *data, void *ptr, size_t size);
int linux__info(const struct aml_area_data *data, struct aml_area_info *info);

/* The table of strict areas (strict.c). */
extern const struct aml_area_ops strict__ops;

#endif
