/* SPDX-License-Identifier: BSD-3-Clause */
/* topo.h - the picture of situs topo. */
#ifndef TOOL_TOPO_H
#define TOOL_TOPO_H

#include "area/topology.h"

/*
 * Draws nodes by tier, with their figures, and the distances between them; the exit status. With a place, the
 * nodes it does not stand for are faint.
 */
int topo__draw(const struct topology *topology, const char *place, const struct os_nodes *chosen,
	const char *file);

#endif
