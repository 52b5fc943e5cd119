/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * file.c - opens the file behind a file area. backing.c does the rest.
 *
 * Nobody's data is at risk: a file that holds anything, or that another area has open, is refused.
 * Failure removes a file that was created here. A file that was there before is unlinked when everything
 * that was opened with it is there (backing__settle), since that cannot be taken back.
 */
#include "config.h"

#include "area/backing.h"
#include "area/limit.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static int fail_open(int err, const char *path)
{
	return aml__fail(aml__code(err), "file:%.150s: %s", path, os__strerror(err));
}

/* A file without a name, which the kernel frees with its last user. */
static int open_unnamed(const char *folder, int *fd)
{
	char path[PATH_MAX];

	*fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (*fd >= 0)
		return AML_SUCCESS;
	/* File systems and kernels without O_TMPFILE take it for O_DIRECTORY. */
	if (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL)
		return fail_open(errno, folder);
	if ((size_t)snprintf(path, sizeof(path), "%s/situs.XXXXXX", folder) >= sizeof(path))
		return fail_open(ENAMETOOLONG, folder);
	*fd = mkostemp(path, O_CLOEXEC);
	if (*fd < 0)
		return fail_open(errno, folder);
	unlink(path);
	return AML_SUCCESS;
}

/* Not kept, a file is gone with its one name: by another one it would stay, as full as it was. */
static int check_file(int fd, const char *path, bool keep)
{
	struct stat status;

	if (fstat(fd, &status) != 0)
		return fail_open(errno, path);
	if (!S_ISREG(status.st_mode))
		return aml__fail(AML_EINVAL, "file:%.150s: neither a file nor a folder", path);
	if (flock(fd, LOCK_EX | LOCK_NB) != 0)
		return errno == EWOULDBLOCK ?
			aml__fail(AML_EBUSY, "file:%.150s: another area has it open", path) :
			fail_open(errno, path);
	if (status.st_size != 0)
		return aml__fail(AML_EBUSY, "file:%.150s: is not empty, and its contents would be lost", path);
	if (!keep && status.st_nlink > 1)
		return aml__fail(AML_EBUSY, "file:%.150s: has another name, by which it would stay", path);
	return AML_SUCCESS;
}

/* The file's own name where the path is a link to it, in real or as it was given. */
static const char *follow(const char *path, char real[PATH_MAX])
{
	return realpath(path, real) != NULL ? real : path;
}

/* *name: the file's own, in real or path. */
static int open_named(const char *path, bool keep, char real[PATH_MAX], const char **name, int *fd, bool *is_new)
{
	struct stat status;
	int failed;

	/* Opening a device or a pipe can have effects: look first. */
	if (stat(path, &status) == 0 && !S_ISREG(status.st_mode))
		return aml__fail(AML_EINVAL, "file:%.150s: neither a file nor a folder", path);
	*is_new = true;
	*fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (*fd < 0 && errno == EEXIST) {
		*is_new = false;
		*fd = open(path, O_RDWR | O_CLOEXEC);
		/* A link to a file that is not there: as it is left behind where that was unlinked. */
		if (*fd < 0 && errno == ENOENT) {
			*is_new = true;
			*fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
		}
	}
	if (*fd < 0)
		return fail_open(errno, path);
	*name = follow(path, real);
	failed = check_file(*fd, path, keep);
	if (failed == AML_SUCCESS)
		return AML_SUCCESS;
	close(*fd);
	/* Busy: another has opened what was made here, and it is that one's now. */
	if (*is_new && failed != -AML_EBUSY)
		unlink(*name);
	return failed;
}

static int check(struct aml_area **area, const char *path)
{
	if (area == NULL)
		return aml__fail(AML_EINVAL, "there is nowhere to put the area");
	if (path == NULL || path[0] == '\0')
		return aml__fail(AML_EINVAL, "file: without a path");
	return AML_SUCCESS;
}

int area__file_create(struct aml_area **area, const char *path, const struct area_options *options)
{
	static const struct area_options none;
	struct backing_file file = {.fd = -1};
	char kind[PATH_MAX + 16], real[PATH_MAX];
	const char *name = path;
	struct aml_area *unlimited;
	struct stat status;
	bool is_new = false, is_folder;
	int failed = check(area, path);

	if (failed != AML_SUCCESS)
		return failed;
	if (options == NULL)
		options = &none;
	is_folder = stat(path, &status) == 0 && S_ISDIR(status.st_mode);
	if (is_folder && options->keep_file)
		return aml__fail(AML_EINVAL, "file:%.150s: is a folder: to keep a file, name it", path);
	failed = is_folder ? open_unnamed(path, &file.fd) :
		open_named(path, options->keep_file, real, &name, &file.fd, &is_new);
	if (failed != AML_SUCCESS)
		return failed;
	snprintf(kind, sizeof(kind), "file:%s%s", path, options->keep_file ? ",keep" : "");
	if (!is_folder) {
		file.name = name;
		file.is_new = is_new;
		file.fate = options->keep_file ? BACKING_NAME_STAYS : BACKING_NAME_GOES_NOW;
	}
	failed = backing__create(&unlimited, &file, kind, options);
	if (failed == AML_SUCCESS)
		return limit__wrap(area, unlimited, options->limit);
	close(file.fd);
	if (is_new)
		unlink(name);
	return failed;
}
