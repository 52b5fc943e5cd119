/* SPDX-License-Identifier: BSD-3-Clause */
/* tcmalloc.c - gperftools' tcmalloc (minimal) as the program's malloc. */
#include <gperftools/tcmalloc.h>

#include "bench/peers/plain.h"
#include "bench/loops.h"

static const char *version(void)
{
	return tc_version(NULL, NULL, NULL);
}

const struct peer peer = {
	.name = "tcmalloc",
	.placement = "none",
	.version = version,
	PEER_FUNCTIONS,
};
