/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * file.c - room in files.
 *
 * Failure may leave room allocated that nobody asked for twice, never bytes changed.
 */
#include "config.h"

#include "os/os.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

int os__file_check_limit(off_t end)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY &&
		(end < 0 || (rlim_t)end > limit.rlim_cur))
		return -EFBIG;
	return 0;
}

static int write_zeros(int fd, off_t offset, size_t size)
{
	static const char zeros[4096];

	while (size > 0) {
		size_t part = size < sizeof(zeros) ? size : sizeof(zeros);
		ssize_t n = pwrite(fd, zeros, part, offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return -ENOSPC;
		offset += n;
		size -= (size_t)n;
	}
	return 0;
}

static int allocate_step(int fd, off_t offset, size_t size)
{
	if (TEMP_FAILURE_RETRY(fallocate(fd, 0, offset, (off_t)size)) == 0)
		return 0;
	return errno == EOPNOTSUPP ? write_zeros(fd, offset, size) : -errno;
}

int os__file_allocate(int fd, off_t offset, size_t size)
{
	/* A signal makes tmpfs undo a whole call: in steps that end between two ticks of a profiler. */
	enum { STEP = 8 << 20 };
	off_t end;
	int failed;

	if (__builtin_add_overflow(offset, size, &end))
		return -EFBIG;
	failed = os__file_check_limit(end);
	while (failed == 0 && size > 0) {
		size_t step = size < STEP ? size : STEP;

		failed = allocate_step(fd, offset, step);
		offset += (off_t)step;
		size -= step;
	}
	return failed;
}

bool os__file_unwritten(int fd, off_t at, off_t end, off_t *start, off_t *stop)
{
	off_t hole = lseek(fd, at, SEEK_HOLE), data;

	/* What cannot be told is taken for unwritten. */
	*start = hole < 0 ? at : hole;
	if (*start >= end)
		return false;
	data = hole < 0 ? -1 : lseek(fd, hole, SEEK_DATA);
	*stop = data < 0 || data > end ? end : data;
	return true;
}

int os__file_punch(int fd, off_t offset, size_t size)
{
	const int mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;

	return TEMP_FAILURE_RETRY(fallocate(fd, mode, offset, (off_t)size)) == 0 ? 0 : -errno;
}

int os__file_resize(int fd, off_t size)
{
	int failed = os__file_check_limit(size);

	if (failed != 0)
		return failed;
	return TEMP_FAILURE_RETRY(ftruncate(fd, size)) == 0 ? 0 : -errno;
}

int os__file_size(int fd, off_t *size)
{
	struct stat status;

	if (fstat(fd, &status) != 0)
		return -errno;
	*size = status.st_size;
	return 0;
}

int os__file_room(int fd, size_t *total, size_t *free)
{
	struct statvfs status;
	size_t n_total, n_free;

	if (fstatvfs(fd, &status) != 0)
		return -errno;
	/* Where there is no limit of their own tmpfs and hugetlbfs say 0. */
	if (status.f_blocks == 0) {
		if (os__file_page_size(fd) == os__page_size() ||
			os__huge_pool(-1, status.f_bsize, &n_total, &n_free) != 0)
			n_total = n_free = SIZE_MAX;
		*total = n_total == SIZE_MAX ? SIZE_MAX : n_total * status.f_bsize;
		*free = n_free == SIZE_MAX ? SIZE_MAX : n_free * status.f_bsize;
		return 0;
	}
	*total = status.f_blocks * status.f_frsize;
	*free = status.f_bavail * status.f_frsize;
	return 0;
}

size_t os__file_page_size(int fd)
{
	struct statfs status;

	if (fstatfs(fd, &status) == 0 && status.f_type == HUGETLBFS_MAGIC)
		return (size_t)status.f_bsize;
	return os__page_size();
}

bool os__file_in_memory(int fd)
{
	struct statfs status;

	return fstatfs(fd, &status) == 0 &&
		(status.f_type == TMPFS_MAGIC || status.f_type == RAMFS_MAGIC);
}

/*
 * Locks of the process, not of the open file: a child of a fork shares the open file. They vanish
 * when any descriptor of the file is closed, so closing and locking exclude each other (backing.c).
 */
static int set_lock(int fd, int type)
{
	struct flock lock = {.l_type = (short)type, .l_whence = SEEK_SET, .l_start = 0, .l_len = 1};

	return TEMP_FAILURE_RETRY(fcntl(fd, F_SETLKW, &lock)) == 0 ? 0 : -errno;
}

int os__file_lock(int fd)
{
	return set_lock(fd, F_WRLCK);
}

void os__file_unlock(int fd)
{
	set_lock(fd, F_UNLCK);
}
