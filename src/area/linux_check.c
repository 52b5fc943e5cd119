/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * linux_check.c - does memory lie where its area says? Asked of the kernel, page by page (a huge page
 * is one, under one policy): the truth matters here, not the speed.
 */
#include "area/limit.h"
#include "area/linux.h"

#include <errno.h>

/* Is the page under one of the policies that memory of this area can have? 1, 0, or -EFAULT. */
static int policy_matches(const struct aml_area_data *data, const void *page)
{
	struct os_nodes nodes;
	enum os_policy mode;
	int failed = os__policy(page, &mode, &nodes);

	if (failed != 0)
		return failed;
	/* As Linux before 5.14 answers for local. */
	if (mode == OS_POLICY_PREFERRED && os__nodes_count(&nodes) == 0)
		mode = OS_POLICY_LOCAL;
	if (mode == data->mode)
		return mode == OS_POLICY_DEFAULT || os__nodes_equal(&nodes, &data->mode_nodes);
	return data->policy == AML_AREA_LINUX_POLICY_STRICT && mode == OS_POLICY_BIND &&
		os__nodes_equal(&nodes, &data->nodes);
}

struct binding {
	const struct aml_area_data *data;
	const struct os_nodes *nodes; /* NULL: any */
	bool holds;
};

static int check_page(void *arg, void *page, size_t size, int node)
{
	struct binding *binding = arg;
	int matches = policy_matches(binding->data, page);

	(void)size;
	if (linux__may_not(matches, "get_mempolicy", binding->data->head.place))
		return -AML_EPERM;
	if (matches < 0)
		return aml__fail(AML_EINVAL, "asking for the policy at %p: %s", page,
			os__strerror(matches));
	if (matches == 0)
		binding->holds = false;
	if (node >= 0 && binding->nodes != NULL && !os__nodes_has(binding->nodes, node))
		binding->holds = false;
	return 0;
}

/* Where pages of the area lie when all went well. */
static const struct os_nodes *home(const struct aml_area_data *data)
{
	if (data->policy == AML_AREA_LINUX_POLICY_STRICT)
		return &data->nodes;
	if (data->mode == OS_POLICY_LOCAL)
		return NULL;
	if (data->mode != OS_POLICY_DEFAULT)
		return &data->mode_nodes;
	/* The ready-made area never asked which nodes there are. */
	return os__nodes_count(&data->nodes) == 0 ? NULL : &data->nodes;
}

int aml_area_linux_check_binding(const struct aml_area *area, const void *ptr, size_t size)
{
	uintptr_t start = (uintptr_t)ptr, end;
	struct binding binding = {.holds = true};
	int failed;

	if (area != NULL)
		area = limit__innermost(area);
	if (area == NULL || area->ops == NULL ||
		(area->ops->munmap != linux__munmap && area->ops != &strict__huge_ops))
		return aml__fail(AML_EINVAL, "the area is not a Linux area");
	if (ptr == NULL || size == 0 || __builtin_add_overflow(start, size, &end))
		return aml__fail(AML_EINVAL, "%zu bytes at %p are no range", size, ptr);
	binding.data = area->data;
	binding.nodes = home(area->data);
	start &= ~(uintptr_t)(area->data->page_size - 1);
	failed = linux__where(area->data, (void *)start, end - start, check_page, &binding);
	if (failed != 0)
		return failed;
	return binding.holds;
}
