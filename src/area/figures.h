/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * figures.h - how fast the memory of nodes is, for aml_area_info. Callable where malloc is not.
 */
#ifndef AREA_FIGURES_H
#define AREA_FIGURES_H

#include "aml.h"
#include "os/os.h"

/*
 * Fills in bandwidth and latency of memory that may lie on any of the nodes: the least bandwidth and
 * the most latency of them, each node as seen from the processors nearest to it; 0 where one of the
 * nodes has no figure. hwloc's figures where a topology of this machine is loaded already, else the
 * kernel's, which is where hwloc has them from unless it was given others.
 */
void figures__fill(const struct os_nodes *nodes, struct aml_area_info *info);

#endif
