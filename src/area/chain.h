/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * chain.h - the links of a chain, and what lies on which: for memory that passes from area to area. An
 * area that is no chain counts as a chain of one link, itself.
 */
#ifndef AREA_CHAIN_H
#define AREA_CHAIN_H

#include "area/area.h"
#include "area/ledger.h"

int chain__n_links(const struct aml_area *area);
const struct aml_area *chain__link(const struct aml_area *area, int i);

/* The first part of [start, end) that is of one link, which is part->value; false: nothing of the range
   is the chain's. */
bool chain__part(const struct aml_area *area, uintptr_t start, uintptr_t end,
	struct ledger_range *part);

/* Notes that a range is link i's from now on. No policy changes and nothing moves. 0 or -ENOMEM. */
int chain__assign(const struct aml_area *area, uintptr_t start, uintptr_t end, int i);

/* Notes that a range that was assigned is in use, as after a commit. 0 or -ENOMEM. */
int chain__claim(const struct aml_area *area, uintptr_t start, uintptr_t end);

/* The range is none of the chain's any more. */
void chain__forget(const struct aml_area *area, uintptr_t start, uintptr_t end);

#endif
