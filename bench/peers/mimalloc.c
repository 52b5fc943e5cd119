/* SPDX-License-Identifier: BSD-3-Clause */
/* mimalloc.c - mimalloc, by its own names. */
#include <mimalloc.h>
#include <stdio.h>

#include "bench/peer.h"

static inline void *get(size_t size)
{
	return mi_malloc(size);
}

static inline void *get_zeroed(size_t size)
{
	return mi_zalloc(size);
}

static inline void *get_aligned(size_t alignment, size_t size)
{
	return mi_malloc_aligned(size, alignment);
}

static inline void *resize(void *p, size_t old_size, size_t size)
{
	(void)old_size;
	return mi_realloc(p, size);
}

static inline void put(void *p, size_t size)
{
	(void)size;
	mi_free(p);
}

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
