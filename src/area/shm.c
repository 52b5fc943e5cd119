/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * shm.c - opens the object behind a shared memory area. backing.c does the rest.
 *
 * The name alone decides where the object is mapped, so that every process finds every byte of it at
 * the same address: offset 0 lies at base_of(name). Where another mapping is in the way, this
 * process's memory lies elsewhere and is not found by address.
 */
#include "config.h"

#include "area/backing.h"
#include "area/limit.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * Slots of 64 GiB between 32 TiB and 80 TiB: programs, their heaps and the kernel's own choices are
 * outside on x86-64 and on arm64 with 48 bits. Objects may reach into the next slot.
 */
#ifndef __has_feature
#define __has_feature(x) 0
#endif
#if defined(__SANITIZE_THREAD__) || __has_feature(thread_sanitizer)
/* ThreadSanitizer ends programs that map where its shadow is: below 512 GiB it is not. */
#define SLOT_SIZE ((uint64_t)1 << 29)
#define FIRST_SLOT ((uint64_t)1 << 36)
#else
#define SLOT_SIZE ((uint64_t)1 << 36)
#define FIRST_SLOT ((uint64_t)1 << 45)
#endif
#define N_SLOTS 768

_Thread_local bool area__names_go_at_once;

/* FNV-1a, 64 bits (Fowler, Noll, Vo). */
static uint64_t hash(const char *text)
{
	uint64_t h = 0xcbf29ce484222325;

	for (; *text != '\0'; text++)
		h = (h ^ (unsigned char)*text) * 0x100000001b3;
	return h;
}

/* Where offset 0 of the object is mapped. */
static uintptr_t base_of(const char *name)
{
	return (uintptr_t)(FIRST_SLOT + hash(name) % N_SLOTS * SLOT_SIZE);
}

static int fail_open(int err, const char *name)
{
	return aml__fail(aml__code(err), "shm:%s: %s", name, os__strerror(err));
}

static int open_unnamed(int *fd)
{
	*fd = memfd_create("situs", MFD_CLOEXEC);
	return *fd >= 0 ? AML_SUCCESS : fail_open(errno, "");
}

/* An object that somebody else could change under us is not memory to put a heap in. */
static int check_owner(int fd, const char *name)
{
	struct stat status;

	if (fstat(fd, &status) != 0)
		return fail_open(errno, name);
	if (status.st_uid != geteuid())
		return aml__fail(AML_EPERM, "shm:%s: belongs to user %u", name, (unsigned)status.st_uid);
	if (status.st_size % (off_t)os__page_size() != 0)
		return aml__fail(AML_EBUSY, "shm:%s: was not made by an area (rm /dev/shm/%s takes it away)",
			name, name);
	return AML_SUCCESS;
}

/*
 * Who has an object open holds a shared lock on it (flock(2)) until the last descriptor is closed, however
 * the process ends. An object of which nobody holds one, and whose name should have gone with its owner
 * (GOES_MODE), was left behind by a process that was killed: the next one to open the name takes it away
 * and makes it anew; memory that somebody still maps stays that one's. Objects that are kept, and what was
 * not made here, lack the mark.
 */
enum { GOES_MODE = 0700, STAYS_MODE = 0600, MAX_TRIES = 100 };

static bool is_left_behind(int fd)
{
	struct stat status;

	return fstat(fd, &status) == 0 && (status.st_mode & 0777) == GOES_MODE &&
		flock(fd, LOCK_EX | LOCK_NB) == 0;
}

/* Is the name still that of the open object? */
static bool has_name(int fd, const char *path)
{
	struct stat open_status, named_status;
	int named = shm_open(path, O_RDONLY, 0);
	bool same = named >= 0 && fstat(named, &named_status) == 0 && fstat(fd, &open_status) == 0 &&
		named_status.st_dev == open_status.st_dev && named_status.st_ino == open_status.st_ino;

	if (named >= 0)
		close(named);
	return same;
}

static int hold(int fd)
{
	int failed;

	do
		failed = flock(fd, LOCK_SH) == 0 ? 0 : -errno;
	while (failed == -EINTR);
	return failed;
}

/* The object that has the name, or a new one; *fd -1: it went while we looked. */
static int open_once(const char *name, const char *path, bool keep, int *fd, bool *is_new)
{
	int failed;

	*is_new = true;
	*fd = shm_open(path, O_RDWR | O_CREAT | O_EXCL, keep ? STAYS_MODE : GOES_MODE);
	if (*fd < 0 && errno == EEXIST) {
		*is_new = false;
		*fd = shm_open(path, O_RDWR, 0);
		if (*fd < 0 && errno == ENOENT)
			return AML_SUCCESS;
	}
	if (*fd < 0)
		return fail_open(errno, name);
	failed = check_owner(*fd, name);
	if (failed != AML_SUCCESS)
		goto close;
	if (!*is_new && is_left_behind(*fd)) {
		/* Whoever unlinks has the only lock on what has the name. */
		if (has_name(*fd, path))
			shm_unlink(path);
		goto close;
	}
	failed = hold(*fd);
	if (failed != 0) {
		failed = fail_open(-failed, name);
		if (*is_new)
			shm_unlink(path);
		goto close;
	}
	if (has_name(*fd, path))
		return AML_SUCCESS;
close:
	close(*fd);
	*fd = -1;
	return failed;
}

/* path: name after a slash. */
static int open_named(const char *name, const char *path, bool keep, int *fd, bool *is_new)
{
	for (int i = 0; i < MAX_TRIES; i++) {
		int failed = open_once(name, path, keep, fd, is_new);

		if (failed != AML_SUCCESS || *fd >= 0)
			return failed;
	}
	return aml__fail(AML_EBUSY, "shm:%s: others make and remove it all the time", name);
}

static int check(struct aml_area **area, const char *name, const struct area_options *options)
{
	if (area == NULL)
		return aml__fail(AML_EINVAL, "there is nowhere to put the area");
	if (strchr(name, '/') != NULL || strlen(name) > NAME_MAX - 1 || strcmp(name, ".") == 0 ||
		strcmp(name, "..") == 0)
		return aml__fail(AML_EINVAL, "shm:%s: the name of an object has no slash and at most %d "
			"bytes", name, NAME_MAX - 1);
	if (name[0] == '\0' && options->keep_file)
		return aml__fail(AML_EINVAL, "shm: without a name there is nothing to keep");
	return AML_SUCCESS;
}

static enum backing_fate fate_of(bool is_new, const struct area_options *options)
{
	if (!is_new || options->keep_file)
		return BACKING_NAME_STAYS;
	return area__names_go_at_once ? BACKING_NAME_GOES_NOW : BACKING_NAME_GOES;
}

/* Each object without a name has a place of its own too, where children of a fork find what their
   parent mapped later. */
static _Atomic unsigned n_unnamed;

int area__shm_create(struct aml_area **area, const char *name, const struct area_options *options)
{
	static const struct area_options none;
	struct backing_file file = {.is_shm = true};
	char path[NAME_MAX + 2], kind[NAME_MAX + 16], unnamed[40];
	struct aml_area *unlimited;
	bool is_new = false, is_named;
	int failed;

	if (options == NULL)
		options = &none;
	if (name == NULL)
		name = "";
	failed = check(area, name, options);
	if (failed != AML_SUCCESS)
		return failed;
	is_named = name[0] != '\0';
	snprintf(unnamed, sizeof(unnamed), "memfd/%d/%u", getpid(), atomic_fetch_add(&n_unnamed, 1));
	snprintf(path, sizeof(path), "/%s", name);
	snprintf(kind, sizeof(kind), "shm:%s%s", name, options->keep_file ? ",keep" : "");
	failed = is_named ? open_named(name, path, options->keep_file, &file.fd, &is_new) : open_unnamed(&file.fd);
	if (failed != AML_SUCCESS)
		return failed;
	file.is_shared = is_named;
	file.base = base_of(is_named ? name : unnamed);
	if (is_named) {
		file.name = path;
		file.is_new = is_new;
		file.fate = fate_of(is_new, options);
	}
	failed = backing__create(&unlimited, &file, kind, options);
	if (failed == AML_SUCCESS)
		return limit__wrap(area, unlimited, options->limit);
	close(file.fd);
	if (is_new)
		shm_unlink(path);
	return failed;
}
