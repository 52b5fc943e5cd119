/* SPDX-License-Identifier: BSD-3-Clause */
/* places.h - judging places, for the words that take one. */
#ifndef TOOL_PLACES_H
#define TOOL_PLACES_H

#include "area/place.h"

/* Tells what was wrong with a place, and where the place itself was, what would fit; the exit status. */
int places__refuse(const struct topology *topology, const struct place_error *error);

/* Is the text a place, or a chain, and does this machine have it? Nothing is opened. The exit status. */
int places__check(const char *text);

#endif
