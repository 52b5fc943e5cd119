/* SPDX-License-Identifier: BSD-3-Clause */
#include "heap/snapshot.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "heap/registry.h"
#include "heap/stats.h"
#include "hooks/arena_stats.h"
#include "os/os.h"

static int grow(struct snapshots *snapshots)
{
	size_t room = snapshots->room == 0 ? 8 : snapshots->room * 2;
	struct snapshot *heaps = reallocarray(snapshots->heaps, room, sizeof(*heaps));

	if (heaps == NULL)
		return error__set(ENOMEM, "no memory for the figures of %zu heaps", room);
	snapshots->heaps = heaps;
	snapshots->room = room;
	return 0;
}

static int at_most(int n, int room)
{
	return n < room ? n : room;
}

static int take(struct situs_heap *heap, void *arg)
{
	struct snapshots *snapshots = arg;
	struct snapshot *snapshot;
	int err = snapshots->n < snapshots->room ? 0 : grow(snapshots);

	if (err != 0)
		return err;
	snapshot = &snapshots->heaps[snapshots->n++];
	memcpy(snapshot->name, heap->name, sizeof(snapshot->name));
	lock__acquire(&heap->lock);
	memcpy(snapshot->place, heap->place, sizeof(snapshot->place));
	lock__release(&heap->lock);
	snapshot->id = heap->owner.number;
	stats__of_heap(heap, &snapshot->stats);
	stats__refusals(heap, &snapshot->refusals);
	snapshot->n_sizes = at_most(stats__block_sizes(heap, snapshot->sizes, SNAPSHOT_SIZES),
		SNAPSHOT_SIZES);
	snapshot->n_links = at_most(stats__links(heap, snapshot->bytes_on_link, AREA_MAX_LINKS),
		AREA_MAX_LINKS);
	snapshot->n_lifetimes = at_most(stats__lifetimes(heap, snapshot->lifetimes, SPACE_LIFETIMES),
		SPACE_LIFETIMES);
	return 0;
}

int snapshots__take(struct snapshots *snapshots)
{
	int err = stats__refresh(NULL);

	memset(snapshots, 0, sizeof(*snapshots));
	if (err == 0)
		err = registry__for_each(take, snapshots);
	if (err != 0) {
		free(snapshots->heaps);
		snapshots->heaps = NULL;
	}
	return err;
}

int snapshots__finish(FILE *stream, const char *who, int errno_before)
{
	errno = 0;
	if (fflush(stream) == 0 && !ferror(stream)) {
		errno = errno_before;
		return 0;
	}

	int err = errno == 0 ? EIO : errno;

	return error__set(err, "%s: writing failed: %s", who, os__strerror(err));
}
