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
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * Slots of 64 GiB between 32 TiB and 80 TiB: programs, their heaps and the kernel's own choices are
 * outside on x86-64 and on arm64 with 48 bits. Objects may reach into the next slot.
 */
#define SLOT_SIZE ((uint64_t)1 << 36)
#define FIRST_SLOT ((uint64_t)1 << 45)
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

/* ThreadSanitizer ends programs that map where it keeps its shadow. */
#if defined(__SANITIZE_THREAD__)
#define FIXED_ADDRESSES_KILL
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define FIXED_ADDRESSES_KILL
#endif
#endif

/* 0: mappings lie where they fit. */
static uintptr_t base_of(const char *name)
{
#ifdef FIXED_ADDRESSES_KILL
	(void)hash(name);
	return 0;
#else
	return (uintptr_t)(FIRST_SLOT + hash(name) % N_SLOTS * SLOT_SIZE);
#endif
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
		return aml__fail(AML_EBUSY, "shm:%s: was not made by an area", name);
	return AML_SUCCESS;
}

/* path: name after a slash. */
static int open_named(const char *name, const char *path, int *fd, bool *is_new)
{
	int failed;

	*is_new = true;
	*fd = shm_open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
	if (*fd < 0 && errno == EEXIST) {
		*is_new = false;
		*fd = shm_open(path, O_RDWR, 0600);
	}
	if (*fd < 0)
		return fail_open(errno, name);
	failed = check_owner(*fd, name);
	if (failed != AML_SUCCESS) {
		close(*fd);
		if (*is_new)
			shm_unlink(path);
	}
	return failed;
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
	failed = is_named ? open_named(name, path, &file.fd, &is_new) : open_unnamed(&file.fd);
	if (failed != AML_SUCCESS)
		return failed;
	file.is_shared = is_named;
	file.base = base_of(is_named ? name : unnamed);
	file.name = is_new && !options->keep_file && !area__names_go_at_once ? path : NULL;
	failed = backing__create(&unlimited, &file, kind, options);
	if (failed != AML_SUCCESS)
		close(file.fd);
	else
		failed = limit__wrap(area, unlimited, options->limit);
	if (is_new && (failed != AML_SUCCESS || (area__names_go_at_once && !options->keep_file)))
		shm_unlink(path);
	return failed;
}
