/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * strict_huge.c - strict areas of transparent huge pages.
 *
 * As strict.c, but the kernel is asked once for each huge page: its page tables tell which are huge
 * (os/present.h), and the rest, where memory was too scattered, is asked about page by page. A huge
 * page that cannot be moved home may come there in small pages, which leaves out those that hold zeros:
 * they are made present, and asked about, once more.
 *
 * From Linux 6.12 on, taking a huge page apart drops its zero-filled pages (mm/huge_memory.c,
 * RMP_USE_SHARED_ZEROPAGE); writing them later would fault anew, on a full node into the OOM killer.
 * The kernel takes apart what is partly given back. So mappings are multiples of the huge page here,
 * given back in whole huge pages, paid for at mmap, and there is no commit or decommit. What else takes
 * huge pages apart is in doc/areas.md.
 */
#include "area/linux.h"

#include "os/present.h"

enum { N_RUNS = 64 };

/* 0; 1: a page is not present; or the failure said. */
static int bring_runs_home(const struct aml_area_data *data, int handle, char *start, size_t size,
	size_t asked)
{
	uintptr_t at = (uintptr_t)start, end = at + size;
	struct os_run runs[N_RUNS];
	size_t present = 0;

	while (at < end) {
		int n = os__present_runs(handle, &at, end, runs, N_RUNS);

		if (n < 0)
			return 1;
		for (int i = 0; i < n; i++) {
			int failed = strict__bring_home(data, (char *)runs[i].start, (char *)runs[i].end,
				runs[i].huge ? data->huge_size : data->page_size, asked);

			if (failed != AML_SUCCESS)
				return failed;
			present += runs[i].end - runs[i].start;
		}
	}
	return present == size ? AML_SUCCESS : 1;
}

static int bring_step_home(const struct aml_area_data *data, char *ptr, size_t size, size_t asked)
{
	int handle = os__present_open();
	int failed = handle < 0 ? 1 : bring_runs_home(data, handle, ptr, size, asked);

	os__present_close(handle);
	if (failed == AML_SUCCESS)
		return failed;
	if (os__populate(ptr, size) != 0)
		return strict__refuse(data, asked);
	return strict__bring_home(data, ptr, ptr + size, data->page_size, asked);
}

static bool is_aligned(const struct aml_area_data *data, const void *ptr)
{
	return (uintptr_t)ptr % data->huge_size == 0;
}

/* Aligned address space; a hint that would not give that is passed over. */
static void *reserve(const struct aml_area_data *data, void *hint, size_t size)
{
	void *p = linux__reserve(data, is_aligned(data, hint) ? hint : NULL, size, LINUX_SEALED);

	if (p == NULL || is_aligned(data, p))
		return p;
	linux__unreserve(p, size);
	return linux__reserve(data, NULL, size, LINUX_SEALED);
}

static void *huge_mmap(const struct aml_area_data *data, void **ptr, size_t size)
{
	void *p;

	if (!area__round(size, data->huge_size, &size)) {
		aml__fail(AML_ENOMEM, "%s: the size overflows when rounded to huge pages",
			data->head.place);
		return NULL;
	}
	p = reserve(data, area__hint(ptr), size);
	if (p == NULL)
		return NULL;
	return strict__finish(data, p, size, strict__fill_by(data, p, size, bring_step_home));
}

/* Whole huge pages only, or says so. */
static int check_range(const struct aml_area_data *data, const void *ptr, size_t size)
{
	if (is_aligned(data, ptr) && size % data->huge_size == 0)
		return AML_SUCCESS;
	return aml__fail(AML_EINVAL, "%s: %zu bytes at %p are not whole huge pages", data->head.place, size,
		ptr);
}

static int huge_munmap(const struct aml_area_data *data, void *ptr, size_t size)
{
	int failed;

	if (!area__round(size, data->huge_size, &size))
		return aml__fail(AML_EINVAL, "%s: unmapping a size that overflows", data->head.place);
	failed = check_range(data, ptr, size);
	return failed == AML_SUCCESS ? linux__munmap(data, ptr, size) : failed;
}

static int huge_move(const struct aml_area_data *data, void *ptr, size_t size)
{
	int failed = check_range(data, ptr, size);

	return failed == AML_SUCCESS ? strict__move(data, ptr, size) : failed;
}

static int huge_info(const struct aml_area_data *data, struct aml_area_info *info)
{
	int failed = linux__info(data, info);

	info->page_size = data->huge_size;
	info->flags &= ~AML_AREA_LAZY;
	return failed;
}

const struct aml_area_ops strict__huge_ops = {
	.mmap = huge_mmap,
	.munmap = huge_munmap,
	.fprintf = area__fprintf,
	.move = huge_move,
	.locate = linux__locate,
	.info = huge_info,
	.collapse = linux__collapse,
};
