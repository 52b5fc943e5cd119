/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * backing_create.c - areas over a file: made, settled and taken down, and what becomes of the file's name.
 *
 * A failure leaves the descriptor to the caller, and the file as empty as it was.
 */
#include "area/backing.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "area/backing_data.h"

static void unlink_name(const struct backing_data *backing)
{
	if (backing->name == NULL)
		return;
	if (backing->is_shm)
		shm_unlink(backing->name);
	else
		unlink(backing->name);
}

static void destroy(struct aml_area *area)
{
	struct backing_data *backing = backing__self(area->data);

	backing__close_offsets(backing);
	/* The child of a fork closes its copy; the name is its parent's. */
	if (backing->opener == getpid() &&
		(backing->is_settled ? backing->fate == BACKING_NAME_GOES : backing->is_new))
		unlink_name(backing);
	free(backing->name);
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
	a = area__new(&backing__ops, sizeof(*backing), options->place != NULL ? options->place : kind,
		destroy);
	if (a == NULL) {
		free(name);
		return aml__fail(AML_ENOMEM, "no memory for an area");
	}
	backing = backing__self(a->data);
	backing->memory = memory;
	backing->memory.head.place = backing->head.place;
	backing->memory.populate = options->populate;
	backing->base = file->base;
	backing->is_shared = file->is_shared;
	backing->is_shm = file->is_shm;
	backing->is_new = file->is_new;
	backing->fate = file->fate;
	backing->is_in_memory = is_in_memory;
	backing->can_punch = can_punch;
	backing->thp = options->thp;
	backing->name = name;
	backing->opener = getpid();
	backing__open_offsets(backing, file->fd);
	*area = a;
	return AML_SUCCESS;
}

bool backing__is_file(const struct aml_area *area)
{
	return area->ops == &backing__ops;
}

void backing__settle(const struct aml_area *area)
{
	struct backing_data *backing;

	if (!backing__is_file(area))
		return;
	backing = backing__self(area->data);
	backing->is_settled = true;
	if (backing->fate == BACKING_NAME_GOES_NOW)
		unlink_name(backing);
}
