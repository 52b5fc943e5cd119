/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * linux_where.c - where pages lie, asked of the kernel in batches, and once a huge page.
 */
#include "area/linux.h"

#include "os/present.h"

/* How many pages one question to the kernel names; the arrays live on the stack of a hook. */
enum { N_ASKED = 256, N_RUNS = 64 };

int linux__ask(const struct aml_area_data *data, void **pages, size_t n, int *nodes)
{
	int failed = os__where(pages, n, nodes);

	if (linux__may_not(failed, "move_pages", data->head.place))
		return -AML_EPERM;
	if (failed != 0)
		return aml__fail(aml__code(failed), "%s: asking where pages are: %s", data->head.place,
			os__strerror(failed));
	return AML_SUCCESS;
}

/* Asks about every stride-th byte. */
static int ask_stride(const struct aml_area_data *data, char *page, char *end, size_t stride,
	linux_where_func *found, void *arg)
{
	void *pages[N_ASKED];
	int nodes[N_ASKED];

	while (page < end) {
		size_t n = 0;
		int failed;

		for (; n < N_ASKED && page < end; page += stride)
			pages[n++] = page;
		failed = linux__ask(data, pages, n, nodes);
		if (failed != AML_SUCCESS)
			return failed;
		for (size_t i = 0; i < n; i++) {
			int result = found(arg, pages[i], stride, nodes[i]);

			if (result != 0)
				return result;
		}
	}
	return AML_SUCCESS;
}

/* Asks about what lies between two runs of huge pages page by page, and about a run once a huge page. */
static int ask_runs(const struct aml_area_data *data, int handle, char *start, char *end,
	linux_where_func *found, void *arg)
{
	uintptr_t at = (uintptr_t)start;
	struct os_run runs[N_RUNS];
	int result = AML_SUCCESS;

	while (at < (uintptr_t)end && result == AML_SUCCESS) {
		int n = os__present_runs(handle, &at, (uintptr_t)end, runs, N_RUNS);

		for (int i = 0; i < n && result == AML_SUCCESS; i++) {
			uintptr_t mask = ~(uintptr_t)(data->huge_size - 1);
			char *first = (char *)((runs[i].start + data->huge_size - 1) & mask);
			char *last = (char *)(runs[i].end & mask);

			if (!runs[i].huge || first >= last)
				continue;
			result = ask_stride(data, start, first, data->page_size, found, arg);
			if (result == AML_SUCCESS)
				result = ask_stride(data, first, last, data->huge_size, found, arg);
			start = last;
		}
		if (n < 0)
			break;
	}
	return result == AML_SUCCESS ? ask_stride(data, start, end, data->page_size, found, arg) : result;
}

int linux__where(const struct aml_area_data *data, void *ptr, size_t size, linux_where_func *found,
	void *arg)
{
	char *start = ptr, *end = start + size;
	int handle = data->huge_size != 0 && size >= data->huge_size ? os__present_open() : -1;
	int result = handle < 0 ? ask_stride(data, start, end, data->page_size, found, arg) :
		ask_runs(data, handle, start, end, found, arg);

	os__present_close(handle);
	return result;
}

struct located {
	size_t *bytes_on_node;
	int n_nodes;
};

static int add_located(void *arg, void *page, size_t size, int node)
{
	struct located *located = arg;

	(void)page;
	if (node >= 0 && node < located->n_nodes)
		located->bytes_on_node[node] += size;
	return 0;
}

int linux__count(const struct aml_area_data *data, const void *ptr, size_t size,
	size_t *bytes_on_node, int n_nodes)
{
	struct located located = {bytes_on_node, n_nodes};

	return linux__where(data, (void *)(uintptr_t)ptr, size, add_located, &located);
}

int linux__locate(const struct aml_area_data *data, const void *ptr, size_t size,
	size_t *bytes_on_node, int n_nodes)
{
	if (linux__check_ours(data, ptr, size) != AML_SUCCESS)
		return -AML_EINVAL;
	return linux__count(data, ptr, size, bytes_on_node, n_nodes);
}
