/* SPDX-License-Identifier: BSD-3-Clause */
/* places.h - judging places, for the words that take one. */
#ifndef TOOL_PLACES_H
#define TOOL_PLACES_H

#include "area/place.h"

/* Tells what was wrong with a place, and where the place itself was, what would fit; the exit status. */
int places__refuse(const struct topology *topology, const struct place_error *error);

#define PLACES_LINE_SIZE (PLACE_MAX_PATH + 512)

/* One place as "tier:fastest: node 2 (tier 0, by HMAT)"; what is wrong as place__resolve. */
int places__explain(const struct topology *topology, const struct place *place, char *line, size_t size);

/* Why the place stands for these nodes, "tier 0, by HMAT". */
const char *places__why(const struct topology *topology, const struct place *place,
	const struct os_nodes *nodes, char *why, size_t size);

/* Is the text a place, or a chain, and does this machine have it? Nothing is opened. The exit status. */
int places__check(const char *text);

#endif
