/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * hugetlb.c - pages of the kernel's pools of huge pages.
 *
 * Everything is paid at mmap, so that no touch can meet SIGBUS. Without a policy the kernel reserves
 * in the pool as a whole. With one, reservations do not follow a later mbind: the mapping takes none,
 * is bound, and is populated at once; a pool that is empty then shows as EFAULT. An empty pool never
 * wakes the OOM killer, so strict areas are simply bound. Nothing can be decommitted: a page given
 * back to the pool may be gone when it is wanted again.
 *
 * After a fork, writing in parent or child needs a second page of the pool for each; where there is
 * none the kernel takes the child's.
 */
#include "area/figures.h"
#include "area/limit.h"
#include "area/linux.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static bool is_bound(const struct aml_area_data *data)
{
	return data->mode != OS_POLICY_DEFAULT;
}

static bool must_stay(const struct aml_area_data *data)
{
	return data->policy == AML_AREA_LINUX_POLICY_STRICT || data->policy == AML_AREA_LINUX_POLICY_BIND;
}

/* Pages in the pools that the area draws from. A negative errno: the kernel does not say. */
static int count_pool(const struct aml_area_data *data, size_t *total, size_t *free)
{
	size_t node_total, node_free;
	int failed;

	*total = *free = 0;
	if (!must_stay(data))
		return os__huge_pool(-1, data->page_size, total, free);
	for (int node = os__nodes_next(&data->nodes, 0); node >= 0;
		node = os__nodes_next(&data->nodes, node + 1)) {
		failed = os__huge_pool(node, data->page_size, &node_total, &node_free);
		if (failed != 0 && failed != -ENOENT) /* a node that has no pool has no pages */
			return failed;
		if (failed == 0) {
			*total += node_total;
			*free += node_free;
		}
	}
	return 0;
}

static void *refuse(const struct aml_area_data *data, size_t size)
{
	size_t total, free;
	int failed = count_pool(data, &total, &free);

	if (failed != 0) {
		aml__fail(AML_ENOMEM, "%s: no %zu huge pages, and how many the pool has cannot be read: %s",
			data->head.place, size / data->page_size, os__strerror(failed));
		return NULL;
	}
	aml__fail(AML_ENOMEM, "%s: %zu huge page%s asked, the pool has %zu of %zu free "
		"(/sys/kernel/mm/hugepages/hugepages-%zukB/nr_hugepages makes more)", data->head.place,
		size / data->page_size, size == data->page_size ? "" : "s", free, total, data->page_size / 1024);
	return NULL;
}

static int check_page(void *arg, void *page, size_t size, int node)
{
	const struct aml_area_data *data = arg;

	(void)page;
	(void)size;
	return node >= 0 && os__nodes_has(&data->nodes, node) ? 0 : 1;
}

/* Binds and populates what has no reservation. AML_SUCCESS; 1: the pool had too few pages there; or the
   failure said. */
static int fill(const struct aml_area_data *data, void *ptr, size_t size)
{
	int failed = os__bind(ptr, size, data->mode, &data->mode_nodes, false);

	if (linux__may_not(failed, "mbind", data->head.place))
		return -AML_EPERM;
	if (failed != 0 || os__populate(ptr, size) != 0)
		return 1;
	return must_stay(data) ? linux__where(data, ptr, size, check_page, (void *)(uintptr_t)data) :
		AML_SUCCESS;
}

/* Makes what was mapped present, where it has to be: as fill. */
static int pay(const struct aml_area_data *data, void *ptr, size_t size)
{
	if (is_bound(data))
		return fill(data, ptr, size);
	return data->populate && os__populate(ptr, size) != 0 ? 1 : AML_SUCCESS;
}

static void *hugetlb_mmap(const struct aml_area_data *data, void **ptr, size_t size)
{
	size_t total, free;
	int failed;
	void *p;

	if (!area__round(size, data->page_size, &size)) {
		aml__fail(AML_ENOMEM, "%s: the size overflows when rounded to pages", data->head.place);
		return NULL;
	}
	if (is_bound(data) && count_pool(data, &total, &free) == 0 && free < size / data->page_size)
		return refuse(data, size);
	if (os__map(&p, area__hint(ptr), size, is_bound(data) ? OS_MAP_NORESERVE : 0,
		    data->page_size) != 0)
		return refuse(data, size);
	failed = pay(data, p, size);
	if (failed != AML_SUCCESS) {
		os__unmap(p, size);
		return failed < 0 ? NULL : refuse(data, size);
	}
	if (ledger__push(&linux__ledger, (uintptr_t)p, (uintptr_t)p + size, LINUX_PLAIN) != 0) {
		os__unmap(p, size);
		aml__fail(AML_ENOMEM, "%s: no memory to note a mapping", data->head.place);
		return NULL;
	}
	return p;
}

static int hugetlb_info(const struct aml_area_data *data, struct aml_area_info *info)
{
	size_t total, free;

	bool is_told = count_pool(data, &total, &free) == 0;

	info->page_size = data->page_size;
	info->flags = AML_AREA_HOST | AML_AREA_ZEROED | AML_AREA_PARTIAL;
	info->capacity = is_told ? total * data->page_size : 0;
	info->available = is_told ? free * data->page_size : SIZE_MAX;
	figures__fill(&data->nodes, info);
	return AML_SUCCESS;
}

static const struct aml_area_ops hugetlb_ops = {
	.mmap = hugetlb_mmap,
	.munmap = linux__munmap,
	.fprintf = area__fprintf,
	.locate = linux__locate,
	.info = hugetlb_info,
};

/* Pages of a pool cannot be killed for: where others need PREFERRED, these are bound. */
static void bind_strictly(struct aml_area_data *data)
{
	if (data->policy == AML_AREA_LINUX_POLICY_STRICT) {
		data->mode = OS_POLICY_BIND;
		data->mode_nodes = data->nodes;
	}
}

static int check(struct aml_area **area, size_t page_size, const struct area_options *options)
{
	size_t total, free;
	int failed;

	if (area == NULL)
		return aml__fail(AML_EINVAL, "there is nowhere to put the area");
	if (options->thp != 0)
		return aml__fail(AML_EINVAL, "hugetlb pages are not transparent: thp and nothp say nothing");
	if (page_size < os__page_size() || (page_size & (page_size - 1)) != 0)
		return aml__fail(AML_EINVAL, "%zu is no size of a huge page", page_size);
	failed = os__huge_pool(-1, page_size, &total, &free);
	if (failed == -ENOENT)
		return aml__fail(AML_EDOM, "this kernel has no huge pages of %s",
			linux__size(page_size).text);
	if (failed != 0)
		return aml__fail(aml__code(failed), "asking the kernel for its huge pages of %s: %s",
			linux__size(page_size).text, os__strerror(failed));
	return AML_SUCCESS;
}

int area__hugetlb_create(struct aml_area **area, size_t page_size, const struct area_options *options)
{
	static const struct area_options none;
	struct aml_area_data data = {.page_size = page_size};
	char name[48], text[LINUX_DESCRIPTION_SIZE];
	struct aml_area *a;
	int failed;

	if (options == NULL)
		options = &none;
	failed = check(area, page_size, options);
	if (failed == AML_SUCCESS)
		failed = linux__choose(&data, options);
	if (failed != AML_SUCCESS)
		return failed;
	bind_strictly(&data);
	data.populate = options->populate;
	snprintf(name, sizeof(name), page_size >= (size_t)1 << 30 ? "hugetlb:%zuG" : "hugetlb:%zuM",
		page_size >= (size_t)1 << 30 ? page_size >> 30 : page_size >> 20);
	linux__describe(&data, name, text, sizeof(text));
	a = area__new(&hugetlb_ops, sizeof(data), options->place != NULL ? options->place : text,
		area__free);
	if (a == NULL)
		return aml__fail(AML_ENOMEM, "no memory for an area");
	data.head = a->data->head;
	*a->data = data;
	return limit__wrap(area, a, options->limit);
}
