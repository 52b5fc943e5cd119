/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * area.c - the public calls: they check what can be checked for every kind of area, answer for
 * operations that a table leaves out, and see to it that a failure has a code, an errno and a
 * sentence, also when a user-made area left them out.
 *
 * Holds no state: what an area is allowed to do at once, its users may do at once.
 */
#include "area/area.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "area/place.h"
#include "os/os.h"

/*
 * Around an operation: aml_errno and errno are cleared before, so that a failing operation that sets
 * one of them, both or none can be told apart, and put back after success.
 */
static struct area_failure begin(void)
{
	struct area_failure old = area__last_failure();

	aml_errno = AML_SUCCESS;
	errno = 0;
	aml__told = false;
	return old;
}

/* What failed with `code` (positive; 0: the operation did not say). aml__fail has said it all. */
static int finish_failed(int code, const char *what)
{
	if (code == AML_SUCCESS)
		code = aml_errno != AML_SUCCESS ? aml_errno : aml__code(errno);
	if (code == AML_SUCCESS)
		code = AML_FAILURE;
	if (aml__told && aml_errno == code) {
		/* Cleaning up may have overwritten it. */
		errno = aml__errno(code);
		return -code;
	}
	return aml__fail(code, "the area's %s failed: %s", what, aml_strerror(code));
}

static int finish(struct area_failure old, int result, const char *what)
{
	if (result >= 0) {
		area__put_failure_back(old);
		return result;
	}
	return finish_failed(-result, what);
}

_Atomic unsigned area__n_returns;
_Atomic bool area__counts_returns;

static int check_area(const struct aml_area *area)
{
	if (area == NULL || area->ops == NULL)
		return aml__fail(AML_EINVAL, "the area is NULL or has no operations");
	return AML_SUCCESS;
}

/* Is it one page or more, and does it begin where one does? */
static inline bool is_range(const void *ptr, size_t size)
{
	uintptr_t start = (uintptr_t)ptr;

	return start != 0 && (start & (os__page_size() - 1)) == 0 && size != 0 && size <= UINTPTR_MAX - start;
}

static __attribute__((noinline)) int fail_range(const void *ptr, size_t size)
{
	if (ptr == NULL || (uintptr_t)ptr % os__page_size() != 0)
		return aml__fail(AML_EINVAL, "%p is not the start of a page", ptr);
	if (size == 0)
		return aml__fail(AML_EINVAL, "the range at %p has size 0", ptr);
	return aml__fail(AML_EINVAL, "the range of %zu bytes at %p wraps", size, ptr);
}

static int check_range(const struct aml_area *area, const void *ptr, size_t size)
{
	if (check_area(area) != AML_SUCCESS)
		return -AML_EINVAL;
	return is_range(ptr, size) ? AML_SUCCESS : fail_range(ptr, size);
}

static __attribute__((noinline)) int fail_pages(const void *ptr, size_t size)
{
	return aml__fail(AML_EINVAL, "%zu bytes at %p are not whole pages", size, ptr);
}

static inline int check_pages(const struct aml_area *area, const void *ptr, size_t size)
{
	if (check_range(area, ptr, size) != AML_SUCCESS)
		return -AML_EINVAL;
	return (size & (os__page_size() - 1)) == 0 ? AML_SUCCESS : fail_pages(ptr, size);
}

static int unsupported(const char *what)
{
	return aml__fail(AML_ENOTSUP, "this area has no %s", what);
}

typedef void *map_func(const struct aml_area_data *data, void **ptr, size_t size);

static __attribute__((noinline)) void *map(const struct aml_area *area, map_func *op, void **ptr, size_t size,
	const char *what)
{
	if (op == NULL) {
		aml__fail(AML_EINVAL, "the area has no mmap operation");
		return NULL;
	}
	if (size == 0) {
		aml__fail(AML_EINVAL, "%s of size 0", what);
		return NULL;
	}

	struct area_failure old = begin();
	void *p = op(area->data, ptr, size);

	if (p == NULL)
		finish_failed(AML_SUCCESS, what);
	else
		area__put_failure_back(old);
	return p;
}

void *aml_area_mmap(const struct aml_area *area, void **ptr, size_t size)
{
	if (check_area(area) != AML_SUCCESS)
		return NULL;
	if (size != 0 && area__speaks(area))
		return area->ops->mmap(area->data, ptr, size);
	return map(area, area->ops->mmap, ptr, size, "mmap");
}

void *aml_area_reserve(const struct aml_area *area, void **ptr, size_t size)
{
	if (check_area(area) != AML_SUCCESS)
		return NULL;
	return map(area, area->ops->reserve != NULL ? area->ops->reserve : area->ops->mmap, ptr, size,
		"reserve");
}

static __attribute__((noinline)) int unmap(const struct aml_area *area, void *ptr, size_t size)
{
	if (area->ops->munmap == NULL)
		return aml__fail(AML_EINVAL, "the area has no munmap operation");

	struct area_failure old = begin();

	return finish(old, area->ops->munmap(area->data, ptr, size), "munmap");
}

int aml_area_munmap(const struct aml_area *area, void *ptr, size_t size)
{
	if (check_range(area, ptr, size) != AML_SUCCESS)
		return -AML_EINVAL;
	return area__speaks(area) ? area->ops->munmap(area->data, ptr, size) : unmap(area, ptr, size);
}

int aml_area_fprintf(FILE *stream, const char *prefix, const struct aml_area *area)
{
	if (check_area(area) != AML_SUCCESS)
		return -AML_EINVAL;
	if (stream == NULL)
		return aml__fail(AML_EINVAL, "the stream is NULL");
	if (area->ops->fprintf == NULL)
		return unsupported("description");

	struct area_failure old = begin();

	return finish(old, area->ops->fprintf(area->data, stream, prefix == NULL ? "" : prefix),
		"fprintf");
}

int aml_area_commit(const struct aml_area *area, void *ptr, size_t size)
{
	if (check_pages(area, ptr, size) != AML_SUCCESS)
		return -AML_EINVAL;
	if (area->ops->commit == NULL)
		return AML_SUCCESS;

	struct area_failure old = begin();

	return finish(old, area->ops->commit(area->data, ptr, size), "commit");
}

int aml_area_decommit(const struct aml_area *area, void *ptr, size_t size)
{
	if (check_pages(area, ptr, size) != AML_SUCCESS)
		return -AML_EINVAL;
	if (area->ops->decommit == NULL)
		return unsupported("decommit");

	struct area_failure old = begin();

	return finish(old, area->ops->decommit(area->data, ptr, size), "decommit");
}

static __attribute__((noinline)) int purge(const struct aml_area *area, void *ptr, size_t size)
{
	if (area->ops->purge == NULL)
		return unsupported("purge");

	struct area_failure old = begin();

	return finish(old, area->ops->purge(area->data, ptr, size), "purge");
}

int aml_area_purge(const struct aml_area *area, void *ptr, size_t size)
{
	if (check_pages(area, ptr, size) != AML_SUCCESS)
		return -AML_EINVAL;
	return area->ops->purge != NULL && area__speaks(area) ? area->ops->purge(area->data, ptr, size) :
		purge(area, ptr, size);
}

int aml_area_split(const struct aml_area *area, void *ptr, size_t size, size_t at)
{
	if (check_pages(area, ptr, size) != AML_SUCCESS)
		return -AML_EINVAL;
	if (at == 0 || at >= size || at % os__page_size() != 0)
		return aml__fail(AML_EINVAL, "%zu bytes at %p cannot be split at %zu", size, ptr, at);
	if (area->ops->split == NULL)
		return AML_SUCCESS;

	struct area_failure old = begin();

	return finish(old, area->ops->split(area->data, ptr, size, at), "split");
}

int aml_area_merge(const struct aml_area *area, void *ptr, size_t size, size_t next_size)
{
	if (check_pages(area, ptr, size) != AML_SUCCESS ||
		check_pages(area, (char *)ptr + size, next_size) != AML_SUCCESS)
		return -AML_EINVAL;
	if (area->ops->merge == NULL)
		return AML_SUCCESS;

	struct area_failure old = begin();

	return finish(old, area->ops->merge(area->data, ptr, size, next_size), "merge");
}

int aml_area_move(const struct aml_area *area, void *ptr, size_t size)
{
	if (check_pages(area, ptr, size) != AML_SUCCESS)
		return -AML_EINVAL;
	if (area->ops->move == NULL)
		return unsupported("move");

	struct area_failure old = begin();

	return finish(old, area->ops->move(area->data, ptr, size), "move");
}

int aml_area_collapse(const struct aml_area *area, void *ptr, size_t size)
{
	if (check_pages(area, ptr, size) != AML_SUCCESS)
		return -AML_EINVAL;
	if (area->ops->collapse == NULL)
		return unsupported("collapse");

	struct area_failure old = begin();

	return finish(old, area->ops->collapse(area->data, ptr, size), "collapse");
}

int area__add_located(const struct aml_area *area, const void *ptr, size_t size, size_t *bytes_on_node,
	int n_nodes)
{
	if (area->ops->locate == NULL)
		return unsupported("locate");
	return area->ops->locate(area->data, ptr, size, bytes_on_node, n_nodes);
}

/* What an operation has added before it failed stays out of the caller's array. */
int aml_area_locate(const struct aml_area *area, const void *ptr, size_t size, size_t *bytes_on_node,
	int n_nodes)
{
	size_t found[OS_MAX_NODES];
	int n_found = n_nodes < OS_MAX_NODES ? n_nodes : OS_MAX_NODES, failed;

	if (check_pages(area, ptr, size) != AML_SUCCESS)
		return -AML_EINVAL;
	if (bytes_on_node == NULL || n_nodes <= 0)
		return aml__fail(AML_EINVAL, "locate has no array of nodes to fill");
	if (area->ops->locate == NULL)
		return unsupported("locate");
	memset(found, 0, (size_t)n_found * sizeof(found[0]));

	struct area_failure old = begin();

	failed = finish(old, area->ops->locate(area->data, ptr, size, found, n_found), "locate");
	if (failed < 0)
		return failed;
	for (int i = 0; i < n_nodes; i++)
		bytes_on_node[i] = i < n_found ? found[i] : 0;
	return failed;
}

/* The struct may be shorter than ours, in programs built with an older header. */
static int check_info(struct aml_area_info *info)
{
	if (info == NULL || info->struct_size < offsetof(struct aml_area_info, bandwidth))
		return aml__fail(AML_EINVAL, "info is NULL, or its struct_size is not set");
	return AML_SUCCESS;
}

int aml_area_info(const struct aml_area *area, struct aml_area_info *info)
{
	if (check_area(area) != AML_SUCCESS || check_info(info) != AML_SUCCESS)
		return -AML_EINVAL;

	struct aml_area_info full = {
		.struct_size = sizeof(full),
		.page_size = os__page_size(),
		.flags = AML_AREA_HOST,
		.available = SIZE_MAX,
	};

	if (area->ops->info != NULL) {
		struct area_failure old = begin();
		int result = finish(old, area->ops->info(area->data, &full), "info");

		if (result != AML_SUCCESS)
			return result;
	}

	size_t size = info->struct_size < sizeof(full) ? info->struct_size : sizeof(full);

	full.struct_size = info->struct_size;
	__builtin_memcpy(info, &full, size);
	return AML_SUCCESS;
}

int aml_area_link(const struct aml_area *area, const void *ptr)
{
	if (check_area(area) != AML_SUCCESS)
		return -AML_EINVAL;
	if (ptr == NULL)
		return aml__fail(AML_EINVAL, "the address is NULL");
	if (area->ops->link == NULL)
		return 0;

	struct area_failure old = begin();

	return finish(old, area->ops->link(area->data, ptr), "link");
}

int area__fprintf(const struct aml_area_data *data, FILE *stream, const char *prefix)
{
	const struct area_head *head = (const struct area_head *)data;
	struct place_chain places;
	struct place_error error;
	/* Of buffers, of areas of the program's own, and of limits around chains there is no place string. */
	bool is_place = place__parse(head->place, &places, &error) == 0;

	if (fprintf(stream, "%s%s%s\n", prefix, is_place ? "" : "# ", head->place) < 0)
		return aml__fail(AML_FAILURE, "printing an area: %s", os__strerror(errno));
	return AML_SUCCESS;
}

const char *area__name(const struct aml_area *area)
{
	/* Only areas of ours have the head. */
	return area->ops->fprintf == area__fprintf ? ((const struct area_head *)area->data)->place :
		"an area of the program's own";
}

char *area__describe(const struct aml_area *area)
{
	char *text = NULL;
	size_t size;
	FILE *stream;

	if (area->ops->fprintf == area__fprintf || area->ops->fprintf == NULL)
		return strdup(area__name(area));
	stream = open_memstream(&text, &size);
	if (stream == NULL)
		return NULL;
	(void)area->ops->fprintf(area->data, stream, "");
	if (fclose(stream) != 0) {
		free(text);
		return NULL;
	}
	text[strcspn(text, "\n")] = '\0';
	return text;
}

struct aml_area *area__new(const struct aml_area_ops *ops, size_t data_size, const char *place,
	void (*destroy)(struct aml_area *area))
{
	/* The data of every kind begin with the head. */
	struct {
		_Alignas(max_align_t) struct aml_area area;
		_Alignas(max_align_t) struct area_head head;
	} *block = calloc(1, offsetof(__typeof__(*block), head) + data_size);

	if (block == NULL)
		return NULL;
	block->head.destroy = destroy;
	block->head.place = strdup(place);
	if (block->head.place == NULL) {
		free(block);
		return NULL;
	}
	block->area.ops = ops;
	block->area.data = (struct aml_area_data *)&block->head;
	return &block->area;
}

void area__free(struct aml_area *area)
{
	struct area_head *head = (struct area_head *)area->data;

	/* Written by area__new only where destroy is set. */
	free((char *)(uintptr_t)head->place);
	free(area);
}

void area__destroy(struct aml_area **area)
{
	struct area_head *head;

	if (area == NULL || *area == NULL)
		return;
	head = (struct area_head *)(*area)->data;
	if (head->destroy != NULL)
		head->destroy(*area);
	*area = NULL;
}
