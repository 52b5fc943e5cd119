/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * map.c - mapping, populating and dropping pages.
 *
 * Failure leaves every mapping as it was, except os__populate, which may have populated a part.
 */
#include "config.h"

#include "os/os.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* include/uapi/asm-generic/mman-common.h of Linux 6.1 */
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif
#ifndef MAP_HUGE_SHIFT
#define MAP_HUGE_SHIFT 26
#endif
#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif

/* How often a call that says "try again" is believed. */
enum { MAX_TRIES = 16 };

const char *os__strerror(int err)
{
	const char *text = strerrordesc_np(err < 0 ? -err : err);

	return text != NULL ? text : "unknown error";
}

size_t os__known_page_size;

size_t os__read_page_size(void)
{
	size_t size = (size_t)sysconf(_SC_PAGESIZE);

	/* A benign race: every thread stores the same value. */
	__atomic_store_n(&os__known_page_size, size, __ATOMIC_RELAXED);
	return size;
}

static int map(void **ptr, void *hint, size_t size, int flags, int prot, int fd, off_t offset)
{
	void *p = mmap(hint, size, prot, flags, fd, offset);

	if (p == MAP_FAILED)
		return -errno;
	/* Kernels before 4.17 take MAP_FIXED_NOREPLACE for a hint. */
	if ((flags & MAP_FIXED_NOREPLACE) != 0 && p != hint) {
		munmap(p, size);
		return -EEXIST;
	}
	*ptr = p;
	return 0;
}

int os__map(void **ptr, void *hint, size_t size, unsigned flags, size_t huge_size)
{
	int mmap_flags = MAP_ANONYMOUS;

	mmap_flags |= flags & OS_MAP_SHARED ? MAP_SHARED : MAP_PRIVATE;
	if (flags & OS_MAP_NORESERVE)
		mmap_flags |= MAP_NORESERVE;
	if (flags & OS_MAP_FIXED)
		mmap_flags |= MAP_FIXED_NOREPLACE;
	if (huge_size != 0)
		mmap_flags |= MAP_HUGETLB | __builtin_ctzl(huge_size) << MAP_HUGE_SHIFT;
	return map(ptr, hint, size, mmap_flags, flags & OS_MAP_NONE ? PROT_NONE : PROT_READ | PROT_WRITE,
		-1, 0);
}

bool os__files_stay_here;

int os__map_file(void **ptr, void *hint, size_t size, unsigned flags, int fd, off_t offset)
{
	int mmap_flags = MAP_SHARED, failed;
	void *p = NULL;

	if (flags & OS_MAP_NORESERVE)
		mmap_flags |= MAP_NORESERVE;
	if (flags & OS_MAP_FIXED)
		mmap_flags |= MAP_FIXED_NOREPLACE;
	failed = map(&p, hint, size, mmap_flags, PROT_READ | PROT_WRITE, fd, offset);
	if (failed != 0)
		return failed;
	if (os__files_stay_here && madvise(p, size, MADV_DONTFORK) != 0) {
		failed = -errno;
		munmap(p, size);
		return failed;
	}
	*ptr = p;
	return 0;
}

int os__unmap(void *ptr, size_t size)
{
	return munmap(ptr, size) == 0 ? 0 : -errno;
}

static int advise(void *ptr, size_t size, int advice)
{
	for (int i = 0; i < MAX_TRIES; i++) {
		if (madvise(ptr, size, advice) == 0)
			return 0;
		if (errno != EINTR && errno != EAGAIN)
			break;
	}
	return -errno;
}

/*
 * For kernels before 5.14: each page is written what it holds. By compare-and-exchange, since
 * compilers turn an atomic or of 0 into a load; where it fails, somebody else has just written.
 */
static void populate_by_hand(char *ptr, size_t size)
{
	size_t page_size = os__page_size();

	for (size_t i = 0; i < size; i += page_size) {
		char byte = __atomic_load_n(ptr + i, __ATOMIC_RELAXED);

		__atomic_compare_exchange_n(ptr + i, &byte, byte, false, __ATOMIC_RELAXED,
			__ATOMIC_RELAXED);
	}
}

int os__populate(void *ptr, size_t size)
{
	int failed = advise(ptr, size, MADV_POPULATE_WRITE);

	if (failed != -EINVAL)
		return failed;
	populate_by_hand(ptr, size);
	return 0;
}

int os__discard(void *ptr, size_t size)
{
	return advise(ptr, size, MADV_DONTNEED);
}

int os__remove(void *ptr, size_t size)
{
	return advise(ptr, size, MADV_REMOVE);
}

int os__advise_huge(void *ptr, size_t size, bool huge)
{
	return advise(ptr, size, huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
}

int os__collapse(void *ptr, size_t size)
{
	return advise(ptr, size, MADV_COLLAPSE);
}
