/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * migrate.c - a heap goes to another area while it is in use.
 *
 * First every region's policy, the spaces' areas and the heap's change together, under the heap's lock so
 * that no arena is made meanwhile; this is the step that can fail and be undone. Then pieces of regions
 * are moved, each under its space's lock, which keeps the region from going back to the kernel and its
 * addresses from becoming somebody else's.
 */
#include <errno.h>
#include <string.h>

#include "area/migrate.h"
#include "base/error.h"
#include "heap/heap.h"
#include "heap/registry.h"
#include "heap/stats.h"
#include "os/os.h"

enum { PIECE = 2 * 1024 * 1024 };

struct move {
	struct situs_heap *heap;
	const struct aml_area *to;
	situs_progress_func *progress;
	void *arg;
	size_t done, total; /* bytes of regions */
	struct migrate_account account;
};

static int begin(struct situs_heap *heap)
{
	int err = 0;

	lock__acquire(&heap->lock);
	if (heap->is_migrating)
		err = -EBUSY;
	heap->is_migrating = true;
	lock__release(&heap->lock);
	return err == 0 ? 0 : error__set(EBUSY, "heap \"%s\" is being migrated already", heap->name);
}

static void end(struct situs_heap *heap)
{
	lock__acquire(&heap->lock);
	heap->is_migrating = false;
	lock__release(&heap->lock);
}

static int tell(struct move *move)
{
	if (move->progress == NULL || move->progress(move->done, move->total, move->arg) == 0)
		return 0;
	return -ECANCELED;
}

/* The spaces of arenas [0, n) go to `area`; on failure those that had gone come back. */
static int adopt_locked(struct situs_heap *heap, const struct aml_area *area) LOCK_HELD(heap->lock)
{
	const struct aml_area *old = heap->owner.area;
	int err = 0;
	unsigned i;

	for (i = 0; i < heap->n_arenas && err == 0; i++) {
		struct heap_arena *arena = stats__arena(heap, i);

		if (arena != NULL)
			err = space__adopt(hooks__space(arena->hooks), area, migrate__adopt);
	}
	if (err == 0) {
		heap->owner.area = area;
		return 0;
	}
	while (i-- > 0) {
		struct heap_arena *arena = stats__arena(heap, i);

		if (arena != NULL)
			(void)space__adopt(hooks__space(arena->hooks), old, migrate__adopt);
	}
	return err;
}

static int adopt(struct situs_heap *heap, const struct aml_area *area)
{
	char place[HEAP_PLACE_SIZE];
	int err;

	heap__describe_place(area, place);
	lock__acquire(&heap->lock);
	err = adopt_locked(heap, area);
	if (err == 0) {
		memcpy(heap->place, place, sizeof(place));
		memset(&heap->migration, 0, sizeof(heap->migration));
	}
	lock__release(&heap->lock);
	if (err != 0)
		return error__set(-err, "heap \"%s\": preparing its memory for %s: %s", heap->name, place,
			os__strerror(err));
	return 0;
}

static void note(struct move *move)
{
	struct situs_migration *account = &move->heap->migration;

	lock__acquire(&move->heap->lock);
	account->moved = move->account.moved;
	account->already = move->account.already;
	account->no_room = move->account.no_room;
	account->busy = move->account.busy;
	account->other = move->account.other;
	lock__release(&move->heap->lock);
}

static int move_piece(void *start, size_t size, void *arg)
{
	struct move *move = arg;

	move->done += size;
	return migrate__move(move->to, start, size, &move->account);
}

static int move_space(struct move *move, struct space *space)
{
	uintptr_t at = AMM_MINADDR;
	int result;

	while ((result = space__visit(space, &at, PIECE, move_piece, move)) == 1) {
		note(move);
		/* Regions that came meanwhile are looked at too. */
		if (move->total < move->done)
			move->total = move->done;
		result = tell(move);
		if (result != 0)
			return result;
	}
	return result;
}

static int say_cancelled(const struct move *move)
{
	return error__set(ECANCELED, "heap \"%s\": migration cancelled after %zu of %zu bytes: it draws from "
		"the new place and lies partly there", move->heap->name, move->done, move->total);
}

static int say_left(const struct move *move)
{
	const struct migrate_account *account = &move->account;
	size_t left = account->no_room + account->busy + account->other;

	if (left == 0)
		return 0;
	return error__set(account->no_room != 0 ? ENOMEM : EBUSY,
		"heap \"%s\": %zu bytes stayed behind (%zu found no room, %zu were busy), %zu are home",
		move->heap->name, left, account->no_room, account->busy, account->moved + account->already);
}

static int move_all(struct move *move)
{
	int result = 0;

	for (unsigned i = 0; i < move->heap->n_arenas && result == 0; i++) {
		struct heap_arena *arena = stats__arena(move->heap, i);

		if (arena != NULL)
			result = move_space(move, hooks__space(arena->hooks));
	}
	if (result == -ECANCELED)
		return say_cancelled(move);
	if (result != 0)
		return error__set(-result, "heap \"%s\": moving its pages: %s", move->heap->name,
			os__strerror(result));
	return say_left(move);
}

static size_t bytes_of_regions(struct situs_heap *heap)
{
	size_t bytes = 0;

	for (unsigned i = 0; i < heap->n_arenas; i++) {
		struct heap_arena *arena = stats__arena(heap, i);

		if (arena != NULL)
			bytes += space__size_mapped(hooks__space(arena->hooks));
	}
	return bytes;
}

static int migrate(struct move *move)
{
	int err;

	if (!migrate__is_possible(move->heap->owner.area, move->to))
		return error__set(ENOTSUP, "heap \"%s\": its pages cannot pass to that area: both must be "
			"anonymous memory in base pages without limit or chain, both strict or neither",
			move->heap->name);
	move->total = bytes_of_regions(move->heap);
	if (tell(move) != 0)
		return error__set(ECANCELED, "heap \"%s\": migration cancelled before it began",
			move->heap->name);
	err = adopt(move->heap, move->to);
	return err != 0 ? err : move_all(move);
}

int situs_heap_migrate(situs_heap_t *heap, const struct aml_area *to, situs_progress_func *progress,
	void *arg)
{
	struct move move = {.heap = heap, .to = to, .progress = progress, .arg = arg};
	int err = registry__check(heap, "situs_heap_migrate");

	if (err != 0)
		return err;
	if (to == NULL)
		return error__set(EINVAL, "situs_heap_migrate: to is NULL");
	err = begin(heap);
	if (err != 0)
		return err;
	err = migrate(&move);
	end(heap);
	return err;
}

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
