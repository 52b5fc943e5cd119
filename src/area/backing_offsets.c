/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * backing_offsets.c - which bytes of a backing file are whose: growing it, reusing it, shrinking it.
 *
 * `free` has offsets that this process gave back and may use again. New ones are taken at the file's
 * end, which moves under grow_lock and, against other processes, the file's own lock. The end is cut
 * off when what is there is given back, unless other processes grow the same file, and not below what it was at a
 * fork: the child may read what its parent gives back, and beyond a file's end that is SIGBUS.
 *
 * In the child of a fork everything becomes attached and free becomes empty, before the first call
 * does anything else. Nothing there waits for a thread that is gone: the atfork handler resets
 * grow_lock.
 */
#include "area/backing_data.h"

#include <errno.h>
#include <pthread.h>
#include <unistd.h>

#include "os/os.h"

static struct lock grow_lock = LOCK_INITIALIZER;

/* How many forks lie between the program's start and this process. */
static _Atomic unsigned n_forks;

/* Forks that this process, or one that it comes from, was about to do. */
static _Atomic unsigned n_prepared;

/* Forks under way: what is mapped meanwhile may be in the child or not. */
static _Atomic unsigned n_forking;

static void begin_fork(void)
{
	atomic_fetch_add(&n_forking, 1);
	atomic_fetch_add(&n_prepared, 1);
}

static void end_in_parent(void)
{
	atomic_fetch_sub(&n_forking, 1);
}

static void count_in_child(void)
{
	lock__reset(&grow_lock);
	atomic_store(&n_forking, 0);
	atomic_fetch_add(&n_forks, 1);
}

__attribute__((constructor)) static void register_fork(void)
{
	pthread_atfork(begin_fork, end_in_parent, count_in_child);
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
	while (ledger__next(&backing->paid, 0, &range))
		ledger__cut(&backing->paid, range.start, range.end, &bytes);
}

struct backing_data *backing__enter(const struct aml_area_data *data)
{
	struct backing_data *backing = backing__self(data);

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

/* Free ones first, since they keep the file short. */
int backing__take_offsets(struct backing_data *backing, size_t size, off_t *offset)
{
	uintptr_t start;
	int failed;

	if (ledger__allocate(&backing->free, (uintptr_t)*offset, size, &start) == 0) {
		*offset = (off_t)start;
		return 0;
	}
	lock__acquire(&grow_lock);
	failed = grow_locked(backing, size, offset);
	lock__release(&grow_lock);
	return failed;
}

/*
 * May the file end at `start`? Nothing was cut off since the last fork that was seen: the file is as long as it
 * was then, or longer.
 */
static bool may_end_locked(struct backing_data *backing, off_t start, off_t size) LOCK_HELD(grow_lock)
{
	unsigned n = atomic_load(&n_prepared);

	if (atomic_load(&n_forking) != 0)
		return false;
	if (backing->n_seen != n) {
		backing->n_seen = n;
		if (backing->floor < size)
			backing->floor = size;
	}
	return start >= backing->floor;
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
	is_last = os__file_size(backing->fd, &size) == 0 && size == end && may_end_locked(backing, start, size);
	if (is_last && start > backing->floor && ledger__next(&backing->free, (uintptr_t)start - 1, &range) &&
		range.end == (uintptr_t)start) {
		if (range.start < (uintptr_t)backing->floor)
			range.start = (uintptr_t)backing->floor;
		if (ledger__cut(&backing->free, range.start, range.end, &bytes) == 0)
			start = (off_t)range.start;
	}
	is_last = is_last && os__file_resize(backing->fd, start) == 0;
	os__file_unlock(backing->fd);
	return is_last;
}

void backing__give_offsets(struct backing_data *backing, off_t offset, size_t size)
{
	bool is_gone = false;

	os__file_punch(backing->fd, offset, size);
	area__note_return();
	if (!backing->is_shared) {
		lock__acquire(&grow_lock);
		is_gone = shrink_locked(backing, offset, offset + (off_t)size);
		lock__release(&grow_lock);
	}
	/* Without memory for the note, the offsets are not used again. */
	if (!is_gone)
		ledger__set(&backing->free, (uintptr_t)offset, (uintptr_t)offset + size, 0);
}

void backing__open_offsets(struct backing_data *backing, int fd)
{
	backing->fd = fd;
	atomic_init(&backing->fork, atomic_load(&n_forks));
	backing->floor = 0;
	backing->n_seen = atomic_load(&n_prepared);
	ledger__init(&backing->mapped);
	ledger__init(&backing->attached);
	ledger__init(&backing->free);
	ledger__init(&backing->paid);
}

void backing__close_offsets(struct backing_data *backing)
{
	/* Closing drops every lock this process has on the file: not while another area holds one. */
	lock__acquire(&grow_lock);
	close(backing->fd);
	lock__release(&grow_lock);
	ledger__destroy(&backing->mapped);
	ledger__destroy(&backing->attached);
	ledger__destroy(&backing->free);
	ledger__destroy(&backing->paid);
}
