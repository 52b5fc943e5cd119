/* SPDX-License-Identifier: BSD-3-Clause */
#include "heap/move.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "heap/registry.h"
#include "heap/stats.h"
#include "os/present.h"

/* Looked at under the lock in one go: a fraction of a millisecond where the pages have been moved in bulk
   already, about a millisecond where they have not. */
enum { PIECE = 2 * 1024 * 1024 };

static bool take_turn(struct situs_heap *heap)
{
	bool taken;

	lock__acquire(&heap->lock);
	taken = !heap->is_migrating;
	heap->is_migrating = true;
	lock__release(&heap->lock);
	return taken;
}

static void leave_turn(struct situs_heap *heap)
{
	lock__acquire(&heap->lock);
	heap->is_migrating = false;
	lock__release(&heap->lock);
}

/* The account's copy that can be read while the heap moves, made by the first move. */
static int make_copy(struct situs_heap *heap)
{
	struct migrate_figures *nodes = calloc(OS_MAX_NODES, sizeof(*nodes));

	if (nodes == NULL)
		return -ENOMEM;
	lock__acquire(&heap->lock);
	heap->migration_nodes = nodes;
	lock__release(&heap->lock);
	return 0;
}

int move__begin(struct move **move, struct situs_heap *heap, situs_progress_func *progress, void *arg)
{
	struct move *made;

	if (!take_turn(heap))
		return error__set(EBUSY, "heap \"%s\" is being migrated already", heap->name);
	made = calloc(1, sizeof(*made));
	if (made == NULL || (heap->migration_nodes == NULL && make_copy(heap) != 0)) {
		free(made);
		leave_turn(heap);
		return error__set(ENOMEM, "heap \"%s\": no memory for the account of a migration",
			heap->name);
	}
	made->heap = heap;
	made->progress = progress;
	made->arg = arg;
	made->account.nodes = made->nodes;
	made->account.spares = &made->spares;
	made->bulk.handle = os__present_open();
	*move = made;
	return 0;
}

void move__end(struct move *move)
{
	os__spares_drop(&move->spares);
	os__present_close(move->bulk.handle);
	leave_turn(move->heap);
	free(move);
}

int move__tell(struct move *move)
{
	if (move->progress == NULL || move->progress(move->done, move->total, move->arg) == 0)
		return 0;
	return -ECANCELED;
}

static void note(struct move *move)
{
	const struct migrate_figures *all = &move->account.all;
	struct situs_heap *heap = move->heap;

	lock__acquire(&heap->lock);
	heap->migration = (struct situs_migration){0, all->moved, all->already, all->no_room, all->busy,
		all->other};
	memcpy(heap->migration_nodes, move->nodes, sizeof(move->nodes));
	lock__release(&heap->lock);
}

static int walk_range(struct move *move, struct space *space, uintptr_t at, uintptr_t end,
	int (*visit)(const struct space_stretch *stretch, void *arg))
{
	size_t piece = space->page_size > PIECE ? space->page_size : PIECE;
	int result = 1;

	while (at < end && result == 1) {
		result = space__visit(space, &at, end - at < piece ? end - at : piece, visit, move);
		if (result != 1)
			break;
		note(move);
		/* Regions that came meanwhile are looked at too. */
		if (move->total < move->done)
			move->total = move->done;
		result = move__tell(move) == 0 ? 1 : -ECANCELED;
		space__let_others(space);
	}
	return result < 0 ? result : 0;
}

/* What went in bulk was found at home by the walk. */
static void correct(struct migrate_figures *figures, size_t already_before, size_t moved)
{
	size_t found = figures->already - already_before;

	if (moved > found)
		moved = found;
	figures->already -= moved;
	figures->moved += moved;
}

/* The nodes that are not the account's serve as the bulk's. */
static int walk_in_bulk(struct move *move, struct space *space, const struct aml_area *area,
	uintptr_t start, uintptr_t end, int (*visit)(const struct space_stretch *stretch, void *arg))
{
	struct migrate_account moved = {.nodes = move->spare_nodes, .spares = &move->spares};
	size_t before = move->account.all.already;
	int err;

	memset(move->spare_nodes, 0, sizeof(move->spare_nodes));
	migrate__move_bulk(area, (void *)start, end - start, &move->bulk, &moved);
	for (int node = 0; node < OS_MAX_NODES; node++)
		move->spare_nodes[node].already = move->nodes[node].already;
	err = walk_range(move, space, start, end, visit);
	correct(&move->account.all, before, moved.all.moved);
	for (int node = 0; node < OS_MAX_NODES; node++)
		correct(&move->nodes[node], move->spare_nodes[node].already,
			move->spare_nodes[node].moved);
	return err;
}

static int walk_space(struct move *move, struct space *space, bool in_bulk,
	int (*visit)(const struct space_stretch *stretch, void *arg))
{
	uintptr_t at = AMM_MINADDR, end;
	const struct aml_area *area;
	struct space_region *region;
	int err = 0;

	while (err == 0 && (region = space__pin(space, at, &at, &end, &area)) != NULL) {
		size_t step = in_bulk ? migrate__bulk_size(area) : end - at;

		for (uintptr_t stop; at < end && err == 0; at = stop) {
			stop = end - at < step ? end : at + step;
			err = in_bulk ? walk_in_bulk(move, space, area, at, stop, visit) :
				walk_range(move, space, at, stop, visit);
		}
		space__unpin(space, region);
	}
	return err;
}

int move__walk(struct move *move, bool in_bulk,
	int (*visit)(const struct space_stretch *stretch, void *arg))
{
	int result = 0;

	note(move);
	for (unsigned i = 0; i < move->heap->n_arenas && result == 0; i++) {
		struct heap_arena *arena = stats__arena(move->heap, i);

		if (arena != NULL)
			result = walk_space(move, hooks__space(arena->hooks), in_bulk, visit);
	}
	note(move);
	return result;
}

size_t move__bytes_of_regions(struct situs_heap *heap)
{
	size_t bytes = 0;

	for (unsigned i = 0; i < heap->n_arenas; i++) {
		struct heap_arena *arena = stats__arena(heap, i);

		if (arena != NULL)
			bytes += space__size_mapped(hooks__space(arena->hooks));
	}
	return bytes;
}

/* The account, for the program */

int situs_heap_migration(situs_heap_t *heap, struct situs_migration *account)
{
	int err = registry__check(heap, "situs_heap_migration");

	if (err != 0)
		return err;
	if (account == NULL || account->struct_size < sizeof(*account))
		return error__set(EINVAL,
			"situs_heap_migration: account is NULL, or its struct_size is not set");
	lock__acquire(&heap->lock);
	*account = heap->migration;
	lock__release(&heap->lock);
	account->struct_size = sizeof(*account);
	return 0;
}

static bool is_empty(const struct migrate_figures *figures)
{
	return figures->moved + figures->already + migrate__left(figures) == 0;
}

int situs_heap_migration_nodes(situs_heap_t *heap, struct situs_migration_node *nodes, int n_nodes)
{
	int n = 0, err = registry__check(heap, "situs_heap_migration_nodes");

	if (err != 0)
		return err;
	if (n_nodes < 0 || (nodes == NULL && n_nodes != 0))
		return error__set(EINVAL, "situs_heap_migration_nodes: no array of nodes to fill");
	lock__acquire(&heap->lock);
	for (unsigned node = 0; heap->migration_nodes != NULL && node < OS_MAX_NODES; node++) {
		const struct migrate_figures *figures = &heap->migration_nodes[node];

		if (is_empty(figures))
			continue;
		if (n < n_nodes)
			nodes[n] = (struct situs_migration_node){node, figures->moved, figures->already,
				figures->no_room, figures->busy, figures->other};
		n++;
	}
	lock__release(&heap->lock);
	return n;
}
