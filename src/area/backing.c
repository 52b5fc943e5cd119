/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * backing.c - memory that is a shared mapping of a growing file.
 *
 * Every byte that may be touched has room behind it in the file (os__file_allocate), so a full file
 * system is NULL from mmap or commit and never SIGBUS. reserve grows the file without room; decommit
 * punches the room out again; munmap punches, and cuts free space off the file's end.
 *
 * Ledgers: `mapped` has what this process mapped for itself, `attached` what it shares with the
 * process that mapped it first (by hint, or before a fork); the value is file offset minus address.
 * Attached memory is only ever unmapped: its room belongs to another. `free` has file offsets that
 * may be mapped anew. In the child of a fork everything becomes attached and free becomes empty,
 * before the first call does anything else.
 *
 * Locking: growing and shrinking the file is under grow_lock and, against other processes, the
 * file's lock; each ledger has its own lock, taken last. Nothing in the child of a fork waits for a
 * thread that is gone (the atfork handler resets grow_lock).
 *
 * Failure gives back what was mapped, grown and allocated.
 */
#include "area/backing.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "area/figures.h"
#include "area/ledger.h"

struct backing_data {
	struct area_head head;
	/* set once */
	struct aml_area_data memory; /* policy, page size, advice: what linux.c and strict.c know of it */
	int fd;
	uintptr_t base;
	bool is_shared, is_shm, is_in_memory, can_punch;
	int thp;
	char *name;
	pid_t opener;
	/* under grow_lock, but read without: the fork that the ledgers belong to */
	_Atomic unsigned fork;
	/* have their own locks */
	struct ledger mapped, attached, free;
};

static struct lock grow_lock = LOCK_INITIALIZER;

/* How many forks lie between the program's start and this process. */
static _Atomic unsigned n_forks;

static void count_in_child(void)
{
	lock__reset(&grow_lock);
	atomic_fetch_add(&n_forks, 1);
}

__attribute__((constructor)) static void register_fork(void)
{
	pthread_atfork(NULL, NULL, count_in_child);
}

static struct backing_data *self(const struct aml_area_data *data)
{
	return (struct backing_data *)(uintptr_t)data;
}

static void inherit_locked(struct backing_data *backing) LOCK_HELD(grow_lock)
{
	struct ledger_range range;
	size_t bytes;

	/* Without memory for the notes, ranges are forgotten: then the child cannot unmap them. */
	while (ledger__next(&backing->mapped, 0, &range)) {
		ledger__set(&backing->attached, range.start, range.end, range.value);
		ledger__cut(&backing->mapped, range.start, range.end, &bytes);
	}
	while (ledger__next(&backing->free, 0, &range))
		ledger__cut(&backing->free, range.start, range.end, &bytes);
}

/* Every operation begins here. */
static struct backing_data *enter(const struct aml_area_data *data)
{
	struct backing_data *backing = self(data);

	if (atomic_load_explicit(&backing->fork, memory_order_acquire) == atomic_load(&n_forks))
		return backing;
	lock__acquire(&grow_lock);
	if (atomic_load(&backing->fork) != atomic_load(&n_forks)) {
		inherit_locked(backing);
		atomic_store_explicit(&backing->fork, atomic_load(&n_forks), memory_order_release);
	}
	lock__release(&grow_lock);
	return backing;
}

static int fail(const struct backing_data *backing, int failed, const char *what, size_t size)
{
	size_t total, free;

	if (aml__code(failed) != AML_ENOMEM || os__file_room(backing->fd, &total, &free) != 0)
		return aml__fail(aml__code(failed), "%s: %s %s: %s", backing->head.place, what,
			linux__size(size).text, os__strerror(failed));
	return aml__fail(AML_ENOMEM, "%s: %s asked, %s left: %s", backing->head.place,
		linux__size(size).text, free == SIZE_MAX ? "unknown" : linux__size(free).text,
		os__strerror(failed));
}

/* Offsets in the file */

static int grow_locked(struct backing_data *backing, size_t size, off_t *offset) LOCK_HELD(grow_lock)
{
	off_t end, new_end;
	int failed = os__file_lock(backing->fd);

	if (failed != 0)
		return failed;
	failed = os__file_size(backing->fd, &end);
	if (failed == 0 && __builtin_add_overflow(end, size, &new_end))
		failed = -EFBIG;
	if (failed == 0)
		failed = os__file_resize(backing->fd, new_end);
	os__file_unlock(backing->fd);
	if (failed == 0)
		*offset = end;
	return failed;
}

/* A range of the file that nobody has: free ones first, since they keep the file short. */
static int take_offsets(struct backing_data *backing, size_t size, off_t *offset)
{
	uintptr_t start;
	int failed;

	if (ledger__allocate(&backing->free, 0, size, &start) == 0) {
		*offset = (off_t)start;
		return 0;
	}
	lock__acquire(&grow_lock);
	failed = grow_locked(backing, size, offset);
	lock__release(&grow_lock);
	return failed;
}

/* Cuts the free space that ends at `start` off the file, if the file ends there too. */
static bool shrink_locked(struct backing_data *backing, off_t start, off_t end) LOCK_HELD(grow_lock)
{
	struct ledger_range range;
	bool is_last;
	size_t bytes;
	off_t size;

	if (os__file_lock(backing->fd) != 0)
		return false;
	is_last = os__file_size(backing->fd, &size) == 0 && size == end;
	if (is_last && start > 0 && ledger__next(&backing->free, (uintptr_t)start - 1, &range) &&
		range.end == (uintptr_t)start &&
		ledger__cut(&backing->free, range.start, range.end, &bytes) == 0)
		start = (off_t)range.start;
	is_last = is_last && os__file_resize(backing->fd, start) == 0;
	os__file_unlock(backing->fd);
	return is_last;
}

static void give_offsets(struct backing_data *backing, off_t offset, size_t size)
{
	bool is_gone = false;

	os__file_punch(backing->fd, offset, size);
	if (!backing->is_shared) {
		lock__acquire(&grow_lock);
		is_gone = shrink_locked(backing, offset, offset + (off_t)size);
		lock__release(&grow_lock);
	}
	/* Without memory for the note, the offsets are not used again. */
	if (!is_gone)
		ledger__set(&backing->free, (uintptr_t)offset, (uintptr_t)offset + size, 0);
}

/* Room behind a range */

static int pay(const struct backing_data *backing, void *ptr, off_t offset, size_t size)
{
	int failed;

	if (backing->is_in_memory && strict__check_room(&backing->memory, size) != AML_SUCCESS)
		return -AML_ENOMEM;
	failed = os__file_allocate(backing->fd, offset, size);
	if (failed != 0)
		return fail(backing, failed, "allocating", size);
	if (backing->memory.policy == AML_AREA_LINUX_POLICY_STRICT)
		return strict__fill(&backing->memory, ptr, size);
	return AML_SUCCESS;
}

static int prepare(const struct backing_data *backing, void *ptr, size_t size)
{
	const struct aml_area_data *memory = &backing->memory;
	int failed = 0;

	if (memory->mode != OS_POLICY_DEFAULT)
		failed = os__bind(ptr, size, memory->mode, &memory->mode_nodes, false);
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

/* Mapping */

static bool is_attachment(const struct backing_data *backing, const void *hint, size_t size)
{
	uintptr_t start = (uintptr_t)hint, end;
	off_t file_size;

	return backing->base != 0 && start >= backing->base &&
		start % backing->memory.page_size == 0 &&
		!__builtin_add_overflow(start - backing->base, size, &end) &&
		os__file_size(backing->fd, &file_size) == 0 && end <= (uintptr_t)file_size;
}

/* Maps what another process has in the file, where it has it. */
static void *attach(struct backing_data *backing, void *hint, size_t size)
{
	uintptr_t start = (uintptr_t)hint;
	void *p;
	int failed = os__map_file(&p, hint, size, OS_MAP_FIXED | OS_MAP_NORESERVE, backing->fd,
		(off_t)(start - backing->base));

	if (failed != 0) {
		aml__fail(failed == -EEXIST ? AML_EBUSY : aml__code(failed),
			"%s: mapping %s at %p, where another process has it: %s", backing->head.place,
			linux__size(size).text, hint, os__strerror(failed));
		return NULL;
	}
	if (ledger__set(&backing->attached, start, start + size, -(intptr_t)backing->base) != 0) {
		os__unmap(p, size);
		aml__fail(AML_ENOMEM, "%s: no memory to note a mapping", backing->head.place);
		return NULL;
	}
	return p;
}

static void *map_fresh(struct backing_data *backing, void *hint, size_t size, bool paid)
{
	off_t offset;
	void *p;
	int failed = take_offsets(backing, size, &offset);

	if (failed != 0) {
		fail(backing, failed, "growing the file by", size);
		return NULL;
	}
	failed = map_offsets(backing, &p, hint, offset, size);
	if (failed != 0) {
		fail(backing, failed, "mapping", size);
		goto give_offsets;
	}
	if (prepare(backing, p, size) != AML_SUCCESS ||
		(paid && pay(backing, p, offset, size) != AML_SUCCESS) ||
		(paid && backing->memory.populate &&
			linux__populate(&backing->memory, p, size) != AML_SUCCESS))
		goto unmap;
	if (ledger__set(&backing->mapped, (uintptr_t)p, (uintptr_t)p + size,
		    (intptr_t)offset - (intptr_t)p) == 0)
		return p;
	aml__fail(AML_ENOMEM, "%s: no memory to note a mapping", backing->head.place);
unmap:
	os__unmap(p, size);
give_offsets:
	give_offsets(backing, offset, size);
	return NULL;
}

static void *map(const struct aml_area_data *data, void **ptr, size_t size, bool paid)
{
	struct backing_data *backing = enter(data);
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
	int failed = ledger__remove(ledger, piece->start, piece->end);

	if (failed != 0)
		return aml__fail(aml__code(failed), "%s: no memory to note a split", backing->head.place);
	failed = os__unmap((void *)piece->start, size);
	if (failed != 0) {
		ledger__set(ledger, piece->start, piece->end, piece->value);
		return fail(backing, failed, "unmapping", size);
	}
	if (is_own)
		give_offsets(backing, (off_t)((intptr_t)piece->start + piece->value), size);
	return AML_SUCCESS;
}

static int backing_munmap(const struct aml_area_data *data, void *ptr, size_t size)
{
	struct backing_data *backing = enter(data);
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

static int backing_commit(const struct aml_area_data *data, void *ptr, size_t size)
{
	struct backing_data *backing = enter(data);
	uintptr_t at = (uintptr_t)ptr, end = at + size;
	struct ledger_range piece;
	bool is_own;
	int failed = check_ours(backing, ptr, size, true);

	for (; failed == AML_SUCCESS && at < end; at = piece.end) {
		if (!find_piece(backing, at, end, &piece, &is_own))
			break;
		failed = pay(backing, (void *)at, (off_t)((intptr_t)at + piece.value), piece.end - at);
		if (failed != AML_SUCCESS)
			os__remove(ptr, piece.end - (uintptr_t)ptr);
	}
	return failed;
}

static int backing_decommit(const struct aml_area_data *data, void *ptr, size_t size)
{
	struct backing_data *backing = enter(data);
	int failed;

	if (!backing->can_punch)
		return aml__fail(AML_ENOTSUP, "%s: its file system cannot punch holes", backing->head.place);
	failed = check_ours(backing, ptr, size, true);
	if (failed != AML_SUCCESS)
		return failed;
	failed = os__remove(ptr, size);
	return failed == 0 ? AML_SUCCESS : fail(backing, failed, "giving back", size);
}

static int backing_purge(const struct aml_area_data *data, void *ptr, size_t size)
{
	int failed = backing_decommit(data, ptr, size);

	return failed == AML_SUCCESS ? backing_commit(data, ptr, size) : failed;
}

static int backing_locate(const struct aml_area_data *data, const void *ptr, size_t size,
	size_t *bytes_on_node, int n_nodes)
{
	return linux__locate(&self(data)->memory, ptr, size, bytes_on_node, n_nodes);
}

static int backing_info(const struct aml_area_data *data, struct aml_area_info *info)
{
	struct backing_data *backing = enter(data);
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

static const struct aml_area_ops backing_ops = {
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

/* Creation */

static void destroy(struct aml_area *area)
{
	struct backing_data *backing = self(area->data);

	/* Closing drops every lock this process has on the file: not while another area holds one. */
	lock__acquire(&grow_lock);
	close(backing->fd);
	lock__release(&grow_lock);
	/* The child of a fork closes its copy; the name is its parent's. */
	if (backing->name != NULL && backing->opener == getpid()) {
		if (backing->is_shm)
			shm_unlink(backing->name);
		else
			unlink(backing->name);
	}
	free(backing->name);
	ledger__destroy(&backing->mapped);
	ledger__destroy(&backing->attached);
	ledger__destroy(&backing->free);
	area__free(area);
}

/* Can the file grow, and holes be punched into it? 0 or a negative errno. */
static int try_file(const struct backing_file *file, size_t page_size, bool *can_punch)
{
	off_t size;
	int failed;

	*can_punch = true;
	if (file->is_shared)
		return 0; /* in use by others, and on tmpfs, which can do both */
	failed = os__file_resize(file->fd, (off_t)page_size);
	if (failed == 0)
		failed = os__file_size(file->fd, &size);
	/* Files of /proc let themselves be cut and stay as they are. */
	if (failed == 0 && size != (off_t)page_size)
		failed = -EINVAL;
	if (failed != 0)
		return failed;
	*can_punch = os__file_punch(file->fd, 0, page_size) == 0;
	return os__file_resize(file->fd, 0);
}

int backing__create(struct aml_area **area, const struct backing_file *file, const char *kind,
	const struct area_options *options)
{
	struct aml_area_data memory = {.page_size = os__file_page_size(file->fd)};
	bool is_in_memory = os__file_in_memory(file->fd), can_punch;
	struct backing_data *backing;
	struct aml_area *a;
	char *name = NULL;
	int failed;

	if (!is_in_memory && (options->nodes != NULL ||
				     options->policy != AML_AREA_LINUX_POLICY_DEFAULT))
		return aml__fail(AML_EINVAL, "%s: a file on a disk is not on a node; nodes and policies go "
			"with files in memory", kind);
	failed = linux__choose(&memory, options);
	if (failed != AML_SUCCESS)
		return failed;
	failed = try_file(file, memory.page_size, &can_punch);
	if (failed != 0)
		return aml__fail(aml__code(failed), "%s: the file cannot grow: %s", kind,
			os__strerror(failed));
	if (file->name != NULL && (name = strdup(file->name)) == NULL)
		return aml__fail(AML_ENOMEM, "no memory for an area");
	a = area__new(&backing_ops, sizeof(*backing), options->place != NULL ? options->place : kind,
		destroy);
	if (a == NULL) {
		free(name);
		return aml__fail(AML_ENOMEM, "no memory for an area");
	}
	backing = self(a->data);
	backing->memory = memory;
	backing->memory.head.place = backing->head.place;
	backing->memory.populate = options->populate;
	backing->fd = file->fd;
	backing->base = file->base;
	backing->is_shared = file->is_shared;
	backing->is_shm = file->is_shm;
	backing->is_in_memory = is_in_memory;
	backing->can_punch = can_punch;
	backing->thp = options->thp;
	backing->name = name;
	backing->opener = getpid();
	atomic_init(&backing->fork, atomic_load(&n_forks));
	ledger__init(&backing->mapped);
	ledger__init(&backing->attached);
	ledger__init(&backing->free);
	*area = a;
	return AML_SUCCESS;
}
