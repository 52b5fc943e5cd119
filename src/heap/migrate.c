/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * migrate.c - a heap goes to another area while it is in use.
 *
 * First every region's policy and books, the spaces' areas and the heap's change together, under the
 * heap's lock so that no arena is made meanwhile; this is the step that can fail and be undone
 * (hooks/rehome.c). Then pages are moved, many at a time with no lock held while the region is pinned:
 * the kernel pays for each call as much as for hundreds of pages. What came of it is looked at under the
 * space's lock, piece by piece, where stragglers are moved and books are kept.
 */
#include <errno.h>
#include <string.h>

#include "area/linux.h"
#include "area/passage.h"
#include "base/error.h"
#include "heap/heap.h"
#include "heap/move.h"
#include "heap/publish.h"
#include "heap/registry.h"
#include "heap/stats.h"
#include "os/os.h"

/* Where the new area promises pages that the old one did not have to have, they are made as it moves. */
static void note_debts_locked(struct situs_heap *heap, const struct aml_area *to) LOCK_HELD(heap->lock)
{
	bool is_owing = heap->owes_pages || !passage__is_strict(heap->owner.area, true);

	heap->owes_pages = is_owing && passage__is_strict(to, false);
}

static int switch_locked(struct situs_heap *heap, const struct aml_area *to) LOCK_HELD(heap->lock)
{
	struct space *spaces[HEAP_ARENAS_MAX];
	size_t n = 0;
	int err;

	for (unsigned i = 0; i < heap->n_arenas; i++) {
		struct heap_arena *arena = stats__arena(heap, i);

		/* In the child of a fork that fell between the spaces' change and the heap's some have changed: what
		   entered an area once must not enter and leave it once more. */
		if (arena != NULL && !space__draws_from(hooks__space(arena->hooks), to))
			spaces[n++] = hooks__space(arena->hooks);
	}
	err = space__switch(spaces, n, to);
	if (err == 0) {
		note_debts_locked(heap, to);
		heap->owner.area = to;
	}
	return err;
}

static int adopt(struct situs_heap *heap, const struct aml_area *to)
{
	char place[HEAP_PLACE_SIZE];
	int err;

	heap__describe_place(to, place);
	lock__acquire(&heap->lock);
	err = switch_locked(heap, to);
	if (err == 0) {
		memcpy(heap->place, place, sizeof(place));
		publish__heap_place(heap->published, place);
	}
	lock__release(&heap->lock);
	if (err == -EPERM)
		return error__set(EPERM, "heap \"%s\" stays where it is: %s", heap->name, error__text());
	if (err != 0)
		return error__set(-err, "heap \"%s\" stays where it is: preparing its memory for %s: %s",
			heap->name, place, error__text());
	return 0;
}

static int move_stretch(const struct space_stretch *stretch, void *arg)
{
	struct move *move = arg;

	move->done += stretch->size;
	return migrate__move(stretch->area, stretch->start, stretch->size,
		move->heap->owes_pages && stretch->in_use, &move->bulk, &move->account);
}

static int say_left(const struct move *move)
{
	const struct migrate_figures *all = &move->account.all;
	size_t left = migrate__left(all);

	if (left == 0)
		return 0;
	return error__set(all->no_room != 0 ? ENOMEM : EBUSY,
		"heap \"%s\": %zu bytes stayed behind (%zu found no room, %zu were busy), %zu are home",
		move->heap->name, left, all->no_room, all->busy, all->moved + all->already);
}

static int move_all(struct move *move)
{
	int result = move__walk(move, true, move_stretch);

	if (result == -ECANCELED)
		return error__set(ECANCELED, "heap \"%s\": migration cancelled after %zu of %zu bytes: it "
			"draws from the new place and lies partly there", move->heap->name, move->done,
			move->total);
	if (linux__may_not(result, "mbind and move_pages", NULL))
		return error__set(-result, "heap \"%s\": %s", move->heap->name, error__text());
	if (result != 0)
		return error__set(-result, "heap \"%s\": moving its pages: %s", move->heap->name,
			os__strerror(result));
	result = say_left(move);
	/* Whoever migrates has the turn, so nobody else changes this. */
	if (result == 0)
		move->heap->owes_pages = false;
	return result;
}

static int migrate(struct move *move, const struct aml_area *to)
{
	int err = passage__check(move->heap->owner.area, to);

	if (err != 0)
		return error__set(-err, "heap \"%s\" cannot be migrated: %s", move->heap->name,
			error__text());
	move->total = move__bytes_of_regions(move->heap);
	if (move__tell(move) != 0)
		return error__set(ECANCELED, "heap \"%s\": migration cancelled before it began",
			move->heap->name);
	migrate__take_spares(to, &move->spares);
	err = adopt(move->heap, to);
	return err != 0 ? err : move_all(move);
}

int situs_heap_migrate(situs_heap_t *heap, const struct aml_area *to, situs_progress_func *progress,
	void *arg)
{
	struct move *move;
	int errno_before = errno, err = registry__check(heap, "situs_heap_migrate");

	if (err != 0)
		return err;
	if (to == NULL)
		return error__set(EINVAL, "situs_heap_migrate: to is NULL");
	err = move__begin(&move, heap, progress, arg);
	if (err != 0)
		return err;
	err = migrate(move, to);
	move__end(move);
	if (err == 0)
		errno = errno_before;
	return err;
}
