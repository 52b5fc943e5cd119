/* SPDX-License-Identifier: BSD-3-Clause */
/* jemalloc.c - jemalloc as the program's malloc, with its automatic caches. */
#include "bench/peers/jemalloc_version.h"
#include "bench/peers/plain.h"
#include "bench/loops.h"

const struct peer peer = {
	.name = "jemalloc",
	.placement = "none",
	.version = jemalloc_version,
	PEER_FUNCTIONS,
};
