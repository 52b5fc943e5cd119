/* SPDX-License-Identifier: BSD-3-Clause */
/* glibc.c - the C library's malloc. */
#include <gnu/libc-version.h>

#include "bench/peers/plain.h"
#include "bench/loops.h"

const struct peer peer = {
	.name = "glibc",
	.placement = "none",
	.version = gnu_get_libc_version,
	PEER_FUNCTIONS,
};
