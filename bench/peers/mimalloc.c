/* SPDX-License-Identifier: BSD-3-Clause */
/* mimalloc.c - mimalloc, by its own names. */
#include <mimalloc.h>
#include <stdio.h>

#define PLAIN_MALLOC(size) mi_malloc(size)
#define PLAIN_ZEROED(size) mi_zalloc(size)
#define PLAIN_ALIGNED(alignment, size) mi_malloc_aligned(size, alignment)
#define PLAIN_REALLOC(p, size) mi_realloc(p, size)
#define PLAIN_FREE(p) mi_free(p)
#include "bench/peers/plain.h"
#include "bench/loops.h"

static const char *version(void)
{
	static char text[16];

	snprintf(text, sizeof(text), "%d.%d.%d", mi_version() / 100, mi_version() / 10 % 10,
		mi_version() % 10);
	return text;
}

const struct peer peer = {
	.name = "mimalloc",
	.placement = "none",
	.version = version,
	PEER_FUNCTIONS,
};
