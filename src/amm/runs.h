/* SPDX-License-Identifier: BSD-3-Clause */
/* runs.h */
#ifndef AMM_RUNS_H
#define AMM_RUNS_H

#include "amm/find.h"
#include "amm/tree.h"

static inline int runs__find(amm_t *amm, const struct query *q, amm_addr_t *addr)
{
	(void)amm;
	(void)q;
	(void)addr;
	return -1;
}

#endif
