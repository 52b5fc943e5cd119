/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * backing.c - memory that is a shared mapping of a growing file.
 *
 * Every byte that may be touched has room behind it in the file (os__file_allocate), so a full file
 * system is NULL from mmap or commit and never SIGBUS. reserve grows the file without room; decommit
 * punches the room out again; munmap punches, and cuts free space off the file's end.
 *
 * Ledgers: `paid` has the parts with room behind them, so that a commit that fails takes no other's
 * room away; `mapped` has what this process mapped for itself, `attached` what it shares with the
 * process that mapped it first (by hint, or before a fork); the value is file offset minus address.
 * Attached memory is only ever unmapped: its room belongs to another.
 *
 * Locking: each ledger has its own lock; the file's length is backing_offsets.c's. Failure gives back
 * what was mapped, grown and allocated.
 */
#include "area/backing.h"

#include <errno.h>

#include "area/backing_data.h"
#include "area/figures.h"
#include "area/paid.h"
#include "area/room.h"

static int fail(const struct backing_data *backing, int failed, const char *what, size_t size)
{
	size_t total, free;

	/* ENOMEM is the process's or the machine's, whatever is left in the file system. */
	if (failed == -ENOMEM || aml__code(failed) != AML_ENOMEM ||
		os__file_room(backing->fd, &total, &free) != 0)
		return aml__fail(aml__code(failed), "%s: %s %s: %s", backing->head.place, what,
			linux__size(size).text, os__strerror(failed));
	return aml__fail(AML_ENOMEM, "%s: %s asked, %s left: %s", backing->head.place,
		linux__size(size).text, free == SIZE_MAX ? "unknown" : linux__size(free).text,
		os__strerror(failed));
}

/* Room behind a range */

struct allocating {
	const struct backing_data *backing;
	char *start;
	off_t offset;
};

static int allocate_step(void *arg, size_t at, size_t size)
{
	const struct allocating *allocating = arg;
	const struct backing_data *backing = allocating->backing;
	int failed = os__file_allocate(backing->fd, allocating->offset + (off_t)at, size);

	if (failed != 0)
		return fail(backing, failed, "allocating", size);
	if (backing->memory.policy == AML_AREA_LINUX_POLICY_STRICT)
		return strict__fill_booked(&backing->memory, allocating->start + at, size);
	return AML_SUCCESS;
}

/* Room in the file, and where that is main memory, in it; a failure may leave some of it there. */
static int allocate(const struct backing_data *backing, void *ptr, off_t offset, size_t size)
{
	struct allocating allocating = {backing, ptr, offset};

	if (!backing->is_in_memory)
		return allocate_step(&allocating, 0, size);
	return room__fill(backing->head.place, size, backing->memory.page_size, allocate_step, &allocating);
}

/* What a failure said of the room that is left was true before all was given back. */
static int explain(const struct backing_data *backing, size_t size, int failed)
{
	size_t total, free;

	if (failed != -AML_ENOMEM)
		return failed;
	if (os__file_room(backing->fd, &total, &free) == 0 && free < size)
		return fail(backing, -ENOSPC, "allocating", size);
	if (backing->is_in_memory)
		return strict__explain(&backing->memory, size, failed);
	return failed;
}

static int prepare(const struct backing_data *backing, void *ptr, size_t size)
{
	const struct aml_area_data *memory = &backing->memory;
	int failed = 0;

	if (memory->mode != OS_POLICY_DEFAULT)
		failed = os__bind(ptr, size, memory->mode, &memory->mode_nodes, false);
	if (linux__may_not(failed, "mbind", backing->head.place))
		return -AML_EPERM;
	if (failed != 0)
		return fail(backing, failed, "binding", size);
	if (backing->thp != 0)
		(void)os__advise_huge(ptr, size, backing->thp > 0);
	return AML_SUCCESS;
}

static int map_offsets(const struct backing_data *backing, void **ptr, void *hint, off_t offset,
	size_t size)
{
	if (backing->base != 0 && os__map_file(ptr, (void *)(backing->base + (uintptr_t)offset), size,
		    OS_MAP_FIXED | OS_MAP_NORESERVE, backing->fd, offset) == 0)
		return 0;
	return os__map_file(ptr, hint, size, OS_MAP_NORESERVE, backing->fd, offset);
}

/* What is in main memory has its pages since they were allocated: they want no more room. */
static int populate(const struct backing_data *backing, void *ptr, size_t size)
{
	int failed;

	if (!backing->is_in_memory && backing->memory.page_size == os__page_size())
		return linux__populate(&backing->memory, ptr, size);
	failed = os__populate(ptr, size);
	return failed == 0 ? AML_SUCCESS : fail(backing, failed, "populating", size);
}

/* Mapping */

/* The file offset that an address hint names; 0: it names none, or the first. */
static off_t hinted_offset(const struct backing_data *backing, const void *hint)
{
	uintptr_t start = (uintptr_t)hint;

	if (backing->base == 0 || start < backing->base || start % backing->memory.page_size != 0 ||
		start - backing->base > PTRDIFF_MAX)
		return 0;
	return (off_t)(start - backing->base);
}

/* Does the hint name a part of the file that this process neither has nor had? */
static bool is_attachment(struct backing_data *backing, const void *hint, size_t size)
{
	uintptr_t start = (uintptr_t)hint, offset = (uintptr_t)hinted_offset(backing, hint), end;
	off_t file_size;

	return (offset != 0 || (backing->base != 0 && start == backing->base)) &&
		!__builtin_add_overflow(offset, size, &end) &&
		os__file_size(backing->fd, &file_size) == 0 && end <= (uintptr_t)file_size &&
		ledger__bytes_within(&backing->mapped, start, start + size) == 0 &&
		ledger__bytes_within(&backing->free, offset, end) == 0;
}

/*
 * Page by page, since tmpfs undoes a call that fails by taking away all pages of it that were not written,
 * another process's as well.
 */
static int allocate_pages_step(void *arg, size_t at, size_t size)
{
	const struct allocating *allocating = arg;
	const struct backing_data *backing = allocating->backing;
	int failed = 0;

	for (size_t end = at + size; failed == 0 && at < end; at += backing->memory.page_size)
		failed = os__file_allocate(backing->fd, allocating->offset + (off_t)at,
			backing->memory.page_size);
	return failed == 0 ? AML_SUCCESS : fail(backing, failed, "allocating", size);
}

/*
 * Another process need not have what its address is passed for: it may have only reserved it, or given it back
 * by now. Room that was found before a failure stays with the object, since whose it is cannot be told.
 */
static int pay_attached(const struct backing_data *backing, void *ptr, off_t offset, size_t size)
{
	off_t at = offset, end = offset + (off_t)size, start;
	int failed = AML_SUCCESS;

	for (; failed == AML_SUCCESS && os__file_unwritten(backing->fd, at, end, &start, &at);) {
		struct allocating allocating = {backing, ptr, start};

		failed = room__fill(backing->head.place, (size_t)(at - start), backing->memory.page_size,
			allocate_pages_step, &allocating);
	}
	if (failed == AML_SUCCESS && backing->memory.policy == AML_AREA_LINUX_POLICY_STRICT)
		failed = strict__fill_booked(&backing->memory, ptr, size);
	return failed;
}

/* Maps what another process has in the file, where it has it. */
static void *attach(struct backing_data *backing, void *hint, size_t size)
{
	uintptr_t start = (uintptr_t)hint;
	off_t offset = (off_t)(start - backing->base);
	void *p;
	int failed = os__map_file(&p, hint, size, OS_MAP_FIXED | OS_MAP_NORESERVE, backing->fd, offset);

	if (failed != 0) {
		aml__fail(failed == -EEXIST ? AML_EBUSY : aml__code(failed),
			"%s: mapping %s at %p, where another process has it: %s", backing->head.place,
			linux__size(size).text, hint, os__strerror(failed));
		return NULL;
	}
	if (pay_attached(backing, p, offset, size) != AML_SUCCESS) {
		os__unmap(p, size);
		return NULL;
	}
	if (ledger__set(&backing->attached, start, start + size, -(intptr_t)backing->base) != 0) {
		os__unmap(p, size);
		aml__fail(AML_ENOMEM, "%s: no memory to note a mapping", backing->head.place);
		return NULL;
	}
	return p;
}

static int note(struct backing_data *backing, void *ptr, off_t offset, size_t size, bool paid)
{
	uintptr_t start = (uintptr_t)ptr, end = start + size;
	size_t bytes;

	if ((paid ? ledger__set(&backing->paid, start, end, PAID) :
			ledger__cut(&backing->paid, start, end, &bytes)) == 0 &&
		ledger__set(&backing->mapped, start, end, (intptr_t)offset - (intptr_t)ptr) == 0)
		return AML_SUCCESS;
	return aml__fail(AML_ENOMEM, "%s: no memory to note a mapping", backing->head.place);
}

static void *map_fresh(struct backing_data *backing, void *hint, size_t size, bool paid)
{
	off_t offset = hinted_offset(backing, hint);
	void *p;
	int failed = backing__take_offsets(backing, size, &offset);

	if (failed != 0) {
		fail(backing, failed, "growing the file by", size);
		return NULL;
	}
	failed = map_offsets(backing, &p, hint, offset, size);
	if (failed != 0) {
		failed = fail(backing, failed, "mapping", size);
		goto give_offsets;
	}
	failed = prepare(backing, p, size);
	if (failed == AML_SUCCESS && paid)
		failed = allocate(backing, p, offset, size);
	if (failed == AML_SUCCESS && paid && backing->memory.populate)
		failed = populate(backing, p, size);
	if (failed == AML_SUCCESS)
		failed = note(backing, p, offset, size, paid);
	if (failed == AML_SUCCESS)
		return p;
	os__unmap(p, size);
give_offsets:
	backing__give_offsets(backing, offset, size);
	explain(backing, size, failed);
	return NULL;
}

static void *map(const struct aml_area_data *data, void **ptr, size_t size, bool paid)
{
	struct backing_data *backing = backing__enter(data);
	void *hint = area__hint(ptr);

	if (!area__round(size, backing->memory.page_size, &size) || size > PTRDIFF_MAX) {
		aml__fail(AML_ENOMEM, "%s: the size overflows when rounded to pages", backing->head.place);
		return NULL;
	}
	/* Allocators reserve near what they have: for them a hint is just a hint. */
	if (paid && hint != NULL && is_attachment(backing, hint, size))
		return attach(backing, hint, size);
	return map_fresh(backing, hint, size, paid);
}

static void *backing_mmap(const struct aml_area_data *data, void **ptr, size_t size)
{
	return map(data, ptr, size, true);
}

static void *backing_reserve(const struct aml_area_data *data, void **ptr, size_t size)
{
	return map(data, ptr, size, false);
}

/* The part of [at, end) that begins at `at` and is of one kind. False: not ours. */
static bool find_piece(struct backing_data *backing, uintptr_t at, uintptr_t end,
	struct ledger_range *piece, bool *is_own)
{
	struct ledger *ledger = &backing->mapped;

	if (!ledger__next(ledger, at, piece) || piece->start > at) {
		ledger = &backing->attached;
		if (!ledger__next(ledger, at, piece) || piece->start > at)
			return false;
	}
	*is_own = ledger == &backing->mapped;
	piece->start = at;
	if (piece->end > end)
		piece->end = end;
	return true;
}

static int check_ours(struct backing_data *backing, const void *ptr, size_t size, bool must_own)
{
	uintptr_t at = (uintptr_t)ptr, end;
	struct ledger_range piece;
	bool is_own;

	if (__builtin_add_overflow(at, size, &end))
		return aml__fail(AML_EINVAL, "%s: %zu bytes at %p wrap", backing->head.place, size, ptr);
	for (; at < end; at = piece.end) {
		if (!find_piece(backing, at, end, &piece, &is_own))
			return aml__fail(AML_EINVAL, "%s: %zu bytes at %p are not what it mapped",
				backing->head.place, size, ptr);
		if (must_own && !is_own)
			return aml__fail(AML_EBUSY, "%s: %zu bytes at %p belong to another process, "
				"which shares them", backing->head.place, size, ptr);
	}
	return AML_SUCCESS;
}

static int unmap_piece(struct backing_data *backing, const struct ledger_range *piece, bool is_own)
{
	struct ledger *ledger = is_own ? &backing->mapped : &backing->attached;
	size_t size = piece->end - piece->start;
	struct ledger_taken noted, paid;
	int failed = ledger__take(ledger, piece->start, piece->end, &noted);

	if (failed == 0) {
		failed = ledger__take(&backing->paid, piece->start, piece->end, &paid);
		if (failed != 0)
			ledger__put_back(ledger, &noted);
	}
	if (failed != 0)
		return aml__fail(AML_ENOMEM, "%s: no memory to note a split", backing->head.place);
	failed = os__unmap((void *)piece->start, size);
	if (failed != 0) {
		ledger__put_back(ledger, &noted);
		ledger__put_back(&backing->paid, &paid);
		return fail(backing, failed, "unmapping", size);
	}
	ledger__drop(ledger, &noted);
	ledger__drop(&backing->paid, &paid);
	if (is_own)
		backing__give_offsets(backing, (off_t)((intptr_t)piece->start + piece->value), size);
	return AML_SUCCESS;
}

static int backing_munmap(const struct aml_area_data *data, void *ptr, size_t size)
{
	struct backing_data *backing = backing__enter(data);
	uintptr_t at = (uintptr_t)ptr, end;
	struct ledger_range piece;
	bool is_own;
	int failed;

	if (!area__round(size, backing->memory.page_size, &size))
		return aml__fail(AML_EINVAL, "%s: unmapping a size that overflows", backing->head.place);
	failed = check_ours(backing, ptr, size, false);
	end = at + size;
	for (; failed == AML_SUCCESS && at < end; at = piece.end) {
		if (!find_piece(backing, at, end, &piece, &is_own))
			break;
		failed = unmap_piece(backing, &piece, is_own);
	}
	return failed;
}

/* A range that has no room, of pieces that are our own. */
static int pay(void *arg, uintptr_t start, uintptr_t end)
{
	struct backing_data *backing = arg;
	struct ledger_range piece;
	int failed = AML_SUCCESS;
	bool is_own;

	for (uintptr_t at = start; failed == AML_SUCCESS && at < end; at = piece.end) {
		if (!find_piece(backing, at, end, &piece, &is_own))
			break;
		failed = allocate(backing, (void *)at, (off_t)((intptr_t)at + piece.value), piece.end - at);
	}
	if (failed == AML_SUCCESS)
		return failed;
	os__remove((void *)start, end - start);
	return explain(backing, end - start, failed);
}

static void give_back(void *arg, uintptr_t start, uintptr_t end)
{
	(void)arg;
	os__remove((void *)start, end - start);
}

static int backing_commit(const struct aml_area_data *data, void *ptr, size_t size)
{
	static const struct paid_calls calls = {pay, give_back};
	struct backing_data *backing = backing__enter(data);
	uintptr_t start = (uintptr_t)ptr;
	int failed = check_ours(backing, ptr, size, true);

	if (failed != AML_SUCCESS)
		return failed;
	return paid__commit(&backing->paid, backing->head.place, start, start + size, &calls, backing);
}

static int backing_decommit(const struct aml_area_data *data, void *ptr, size_t size)
{
	struct backing_data *backing = backing__enter(data);
	uintptr_t start = (uintptr_t)ptr;
	struct ledger_taken paid;
	int failed;

	if (!backing->can_punch)
		return aml__fail(AML_ENOTSUP, "%s: its file system cannot punch holes", backing->head.place);
	failed = check_ours(backing, ptr, size, true);
	if (failed != AML_SUCCESS)
		return failed;
	if (ledger__take(&backing->paid, start, start + size, &paid) != 0)
		return aml__fail(AML_ENOMEM, "%s: no memory to note a split", backing->head.place);
	failed = os__remove(ptr, size);
	if (failed != 0) {
		ledger__put_back(&backing->paid, &paid);
		return fail(backing, failed, "giving back", size);
	}
	ledger__drop(&backing->paid, &paid);
	return AML_SUCCESS;
}

static int backing_purge(const struct aml_area_data *data, void *ptr, size_t size)
{
	int failed = backing_decommit(data, ptr, size);

	return failed == AML_SUCCESS ? backing_commit(data, ptr, size) : failed;
}

static int backing_locate(const struct aml_area_data *data, const void *ptr, size_t size,
	size_t *bytes_on_node, int n_nodes)
{
	struct backing_data *backing = backing__enter(data);
	int failed = check_ours(backing, ptr, size, false);

	return failed == AML_SUCCESS ?
		linux__count(&backing->memory, ptr, size, bytes_on_node, n_nodes) : failed;
}

static int backing_info(const struct aml_area_data *data, struct aml_area_info *info)
{
	struct backing_data *backing = backing__enter(data);
	size_t total, free, room;

	info->page_size = backing->memory.page_size;
	info->flags = AML_AREA_HOST | AML_AREA_LAZY | AML_AREA_PARTIAL | AML_AREA_SHARED | AML_AREA_COMMIT;
	if (backing->can_punch)
		info->flags |= AML_AREA_ZEROED;
	if (backing->is_in_memory)
		figures__fill(&backing->memory.nodes, info);
	if (os__file_room(backing->fd, &total, &free) != 0)
		return AML_SUCCESS;
	room = backing->is_in_memory ? os__room() : SIZE_MAX;
	info->capacity = total == SIZE_MAX ? 0 : total;
	info->available = room < free ? room : free;
	return AML_SUCCESS;
}

const struct aml_area_ops backing__ops = {
	.mmap = backing_mmap,
	.munmap = backing_munmap,
	.fprintf = area__fprintf,
	.commit = backing_commit,
	.decommit = backing_decommit,
	.purge = backing_purge,
	.locate = backing_locate,
	.info = backing_info,
	.reserve = backing_reserve,
};
