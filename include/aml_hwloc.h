/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * aml_hwloc.h - areas in hwloc's terms: by nodeset and policy, or by what the place is good at.
 *
 * hwloc says which nodes there are and what they are good at; the kernel's own call binds, since
 * hwloc's "bind" lets pages fall elsewhere. Works with hwloc 2.9 and newer. Errors and threads: see
 * <aml.h>; where these need hwloc and it cannot be loaded, -AML_ENOTSUP. This is the one header of Situs
 * that includes <hwloc.h>; programs that use it are linked with hwloc, which Situs itself is not.
 */
#ifndef AML_HWLOC_H
#define AML_HWLOC_H

#include <hwloc.h>

#include "aml.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Ready-made, never destroyed: the process's own policy; page by page over every node this process
   may use; the node of the touching thread, whatever the process's policy is. */
extern AML_PUBLIC const struct aml_area aml_area_hwloc_default;
extern AML_PUBLIC const struct aml_area aml_area_hwloc_interleave;
extern AML_PUBLIC const struct aml_area aml_area_hwloc_firsttouch;

/*
 * Makes an area over a set of nodes (copied; NULL: every node this process may use; an infinite set
 * is cut down to those). DEFAULT, FIRSTTOUCH (within the set, the node nearest to the touching
 * thread), BIND, INTERLEAVE and, with hwloc 2.11 or newer, WEIGHTED_INTERLEAVE. Errors: those of
 * aml_area_linux_create; -AML_ENOTSUP for NEXTTOUCH, -AML_EINVAL for MIXED and what is no policy.
 */
AML_PUBLIC int aml_area_hwloc_create(struct aml_area **area, hwloc_const_bitmap_t nodeset,
	hwloc_membind_policy_t policy);

/*
 * Makes an area on the nodes that are best by a memory attribute as seen from `initiator` (NULL: the
 * processor this thread runs on; attributes that need none ignore it), with the next best as
 * fallback, and so on over all nodes that this process may use and that have a value: first those that
 * have one from there (firmware tells values from the nearest processors only), then the others, nearest
 * first. Latencies without a value are those of the table of distances; where this process may use one
 * node only, that is the best. Each node is strict (AML_AREA_LINUX_POLICY_STRICT), so that a full one
 * hands over to the next; when all are full the answer is NULL. -AML_ENOTSUP: no node has a value from
 * there (firmware without an HMAT), -AML_EINVAL: no such attribute or an empty initiator, else as
 * aml_area_linux_create.
 */
AML_PUBLIC int aml_area_hwloc_best_create(struct aml_area **area, enum hwloc_memattr_id_e attribute,
	hwloc_const_cpuset_t initiator);

/* Frees the area and sets *area to NULL. NULL, and a pointer to NULL, are allowed. */
AML_PUBLIC void aml_area_hwloc_destroy(struct aml_area **area);

#ifdef __cplusplus
}
#endif
#endif
