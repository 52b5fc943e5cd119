/* SPDX-License-Identifier: BSD-3-Clause */
/* find.h - what amm_find_gen looks for, and which address of a run is the answer. */
#ifndef AMM_FIND_H
#define AMM_FIND_H

#include "amm.h"

#include <stdbool.h>

struct query {
	amm_addr_t hint;
	amm_size_t size;
	int flags, mask;
	amm_addr_t align_mask, align_off; /* address & align_mask == align_off */
	bool backward, best;
};

/*
 * The first address in search direction, on the hint's side of it, from which `size` addresses fit
 * into the run [start, end). False: there is none.
 */
static inline bool query__fit(const struct query *q, amm_addr_t start, amm_addr_t end,
	amm_addr_t *addr)
{
	if (end - start < q->size)
		return false;

	amm_addr_t low = start, high = end - q->size; /* both ends possible, but for the hint */

	if (q->backward) {
		if (high > q->hint)
			high = q->hint;
		amm_addr_t down = (high - q->align_off) & q->align_mask;

		if (high < low || down > high - low)
			return false;
		*addr = high - down;
	} else {
		if (low < q->hint)
			low = q->hint;
		amm_addr_t up = (q->align_off - low) & q->align_mask;

		if (low > high || up > high - low)
			return false;
		*addr = low + up;
	}
	return true;
}

#endif
