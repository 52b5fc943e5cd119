/* SPDX-License-Identifier: BSD-3-Clause */
/* nodes.h - reading node lists, and what else the areas do with the sets of os/os.h. Pure functions. */
#ifndef AREA_NODES_H
#define AREA_NODES_H

#include "os/os.h"

/* The nodes of a that are in b (and), that are not in b (minus), of either (or). */
struct os_nodes nodes__and(const struct os_nodes *a, const struct os_nodes *b);
struct os_nodes nodes__minus(const struct os_nodes *a, const struct os_nodes *b);
struct os_nodes nodes__or(const struct os_nodes *a, const struct os_nodes *b);

/* The set of one node. */
struct os_nodes nodes__one(int node);

/*
 * Reads a list as the kernel writes it ("0-3,8") from [text, text + length); blanks around commas do
 * not count. 0, -EINVAL (not a list) or -ERANGE (a node that no Linux kernel can have: OS_MAX_NODES or above).
 */
int nodes__parse(struct os_nodes *set, const char *text, size_t length);

#define NODES_FOR_EACH(node, set)                                                                  \
	for (int node = os__nodes_next((set), 0); node >= 0; node = os__nodes_next((set), node + 1))

#endif
