/* SPDX-License-Identifier: BSD-3-Clause */
/* memkind.c - memkind's regular kind: bound to the nodes of main memory. Freed by kind, its faster way. */
#include <memkind.h>
#include <stdio.h>

#include "bench/peer.h"

static inline void *get(size_t size)
{
	return memkind_malloc(MEMKIND_REGULAR, size);
}

static inline void *get_zeroed(size_t size)
{
	return memkind_calloc(MEMKIND_REGULAR, 1, size);
}

static inline void *get_aligned(size_t alignment, size_t size)
{
	void *p;

	return memkind_posix_memalign(MEMKIND_REGULAR, &p, alignment, size) == 0 ? p : NULL;
}

static inline void *resize(void *p, size_t old_size, size_t size)
{
	(void)old_size;
	return memkind_realloc(MEMKIND_REGULAR, p, size);
}

static inline void put(void *p, size_t size)
{
	(void)size;
	memkind_free(MEMKIND_REGULAR, p);
}

#define OWNER(p) ((uintptr_t)memkind_detect_kind(p))
#include "bench/loops.h"

static const char *version(void)
{
	static char text[32];
	int v = memkind_get_version();

	snprintf(text, sizeof(text), "%d.%d.%d", v / 1000000, v / 1000 % 1000, v % 1000);
	return text;
}

static const char *open_kind(const struct peer_options *options)
{
	(void)options;
	return memkind_check_available(MEMKIND_REGULAR) == 0 ? NULL : "MEMKIND_REGULAR is not available here";
}

const struct peer peer = {
	.name = "memkind",
	.placement = "node",
	.version = version,
	.open = open_kind,
	PEER_FUNCTIONS,
};
