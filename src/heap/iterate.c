/* SPDX-License-Identifier: BSD-3-Clause */
/* iterate.c - every extent of a heap, one at a time, no lock held in between. */
#include <errno.h>

#include "base/error.h"
#include "heap/heap.h"
#include "heap/registry.h"
#include "heap/stats.h"

struct walk {
	situs_extent_func *func;
	void *arg;
	unsigned arena;
};

static int tell(const struct space_extent_info *info, void *arg)
{
	struct walk *walk = arg;
	struct situs_extent extent = {
		.start = info->start,
		.size = info->size,
		.state = SITUS_EXTENT_COMMITTED | (info->hint == SPACE_HINT_HOT ? SITUS_EXTENT_HOT :
			info->hint == SPACE_HINT_COLD ? SITUS_EXTENT_COLD : 0),
		.arena = walk->arena,
		.link = info->link,
	};

	return walk->func(&extent, walk->arg);
}

int stats__for_each_extent(struct situs_heap *heap, situs_extent_func *func, void *arg)
{
	struct walk walk = {func, arg, 0};
	int stop = 0;

	for (unsigned i = 0; i < heap->n_arenas && stop == 0; i++) {
		struct heap_arena *arena = stats__arena(heap, i);

		if (arena == NULL)
			continue;
		walk.arena = arena->index;
		stop = space__iterate(hooks__space(arena->hooks), tell, &walk);
	}
	return stop;
}

int situs_heap_iterate(situs_heap_t *heap, situs_extent_func *func, void *arg)
{
	int err = registry__check(heap, "situs_heap_iterate");

	if (err != 0)
		return err;
	if (func == NULL)
		return error__set(EINVAL, "situs_heap_iterate: func is NULL");
	return stats__for_each_extent(heap, func, arg);
}
