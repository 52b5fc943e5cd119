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

/* Pages in the pools that the area draws from. */
static void count_pool(const struct aml_area_data *data, size_t *total, size_t *free)
{
	size_t node_total, node_free;

	*total = *free = 0;
	if (!must_stay(data)) {
		(void)os__huge_pool(-1, data->page_size, total, free);
		return;
	}
	for (int node = os__nodes_next(&data->nodes, 0); node >= 0;
		node = os__nodes_next(&data->nodes, node + 1))
		if (os__huge_pool(node, data->page_size, &node_total, &node_free) == 0) {
			*total += node_total;
			*free += node_free;
		}
}

static void *refuse(const struct aml_area_data *data, size_t size)
{
	size_t total, free;

	count_pool(data, &total, &free);
	aml__fail(AML_ENOMEM, "%s: %zu huge pages asked, the pool has %zu of %zu free "
		"(/sys/kernel/mm/hugepages/hugepages-%zukB/nr_hugepages makes more)", data->head.place,
		size / data->page_size, free, total, data->page_size / 1024);
	return NULL;
}

static int check_page(void *arg, void *page, int node)
{
	const struct aml_area_data *data = arg;

	(void)page;
	return node >= 0 && os__nodes_has(&data->nodes, node) ? 0 : 1;
}

/* Binds and populates what has no reservation. 0, a negative errno, or 1: a page lies elsewhere. */
static int fill(const struct aml_area_data *data, void *ptr, size_t size)
{
	int failed = os__bind(ptr, size, data->mode, &data->mode_nodes, false);

	if (failed == 0)
		failed = os__populate(ptr, size);
	if (failed == 0 && must_stay(data))
		failed = linux__where(data, ptr, size, check_page, (void *)(uintptr_t)data);
	return failed;
}

static void *hugetlb_mmap(const struct aml_area_data *data, void **ptr, size_t size)
{
	size_t total, free;
	void *p;

	if (!area__round(size, data->page_size, &size)) {
		aml__fail(AML_ENOMEM, "%s: the size overflows when rounded to pages", data->head.place);
		return NULL;
	}
	count_pool(data, &total, &free);
	if (is_bound(data) && free < size / data->page_size)
		return refuse(data, size);
	if (os__map(&p, area__hint(ptr), size, is_bound(data) ? OS_MAP_NORESERVE : 0,
		    data->page_size) != 0)
		return refuse(data, size);
	if ((is_bound(data) && fill(data, p, size) != 0) ||
		(data->populate && os__populate(p, size) != 0)) {
		os__unmap(p, size);
		return refuse(data, size);
	}
	if (ledger__set(&linux__ledger, (uintptr_t)p, (uintptr_t)p + size, LINUX_PLAIN) != 0) {
		os__unmap(p, size);
		aml__fail(AML_ENOMEM, "%s: no memory to note a mapping", data->head.place);
		return NULL;
	}
	return p;
}

static int hugetlb_info(const struct aml_area_data *data, struct aml_area_info *info)
{
	size_t total, free;

	count_pool(data, &total, &free);
	info->page_size = data->page_size;
	info->flags = AML_AREA_HOST | AML_AREA_ZEROED | AML_AREA_PARTIAL;
	info->capacity = total * data->page_size;
	info->available = free * data->page_size;
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

	if (area == NULL)
		return aml__fail(AML_EINVAL, "there is nowhere to put the area");
	if (options->thp != 0)
		return aml__fail(AML_EINVAL, "hugetlb pages are not transparent: thp and nothp say nothing");
	if (page_size < os__page_size() || (page_size & (page_size - 1)) != 0)
		return aml__fail(AML_EINVAL, "%zu is no size of a huge page", page_size);
	if (os__huge_pool(-1, page_size, &total, &free) != 0)
		return aml__fail(AML_EDOM, "this kernel has no huge pages of %s",
			linux__size(page_size).text);
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
