/* SPDX-License-Identifier: BSD-3-Clause */
/* situs.c - one Situs heap, shared by all threads, in the place that is asked for. */
#include <errno.h>
#include <situs.h>

#include "bench/peer.h"
#include "config.h"

static situs_heap_t *heap;
static struct aml_area *area;

static inline void *get(size_t size)
{
	return situs_malloc(heap, size);
}

static inline void *get_zeroed(size_t size)
{
	return situs_calloc(heap, 1, size);
}

static inline void *get_aligned(size_t alignment, size_t size)
{
	return situs_aligned_alloc(heap, alignment, size);
}

static inline void *resize(void *p, size_t old_size, size_t size)
{
	(void)old_size;
	return situs_realloc(heap, p, size);
}

static inline void put(void *p, size_t size)
{
	(void)size;
	situs_free(p);
}

#define OWNER(p) ((uintptr_t)situs_heap_of(p))
#include "bench/loops.h"

static const char *version(void)
{
	return PACKAGE_VERSION;
}

static const char *open_heap(const struct peer_options *options)
{
	struct situs_config config = { .struct_size = sizeof(config), .name = "bench" };

	config.decay_ms = options->decay0 ? 1 : 0;
	if (aml_area_open(&area, options->place) != AML_SUCCESS ||
		situs_heap_create(&heap, area, &config) != 0)
		return situs_error();
	return NULL;
}

static bool heap_cycle(void)
{
	situs_heap_t *other;
	bool ok;

	if (situs_heap_create(&other, area, NULL) != 0)
		return false;
	ok = situs_malloc(other, 64) != NULL;
	return situs_heap_destroy(other) == 0 && ok;
}

const struct peer peer = {
	.name = "situs",
	.placement = "node",
	.has_decay0 = true,
	.version = version,
	.open = open_heap,
	.heap_cycle = heap_cycle,
	PEER_FUNCTIONS,
};
