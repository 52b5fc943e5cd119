/* SPDX-License-Identifier: BSD-3-Clause */
#include "os/present.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "os/os.h"

/* include/uapi/linux/fs.h of Linux 6.7. */
struct scan_region {
	uint64_t start, end, categories;
};

struct scan_arg {
	uint64_t size, flags, start, end, walk_end, vec, vec_len, max_pages;
	uint64_t category_inverted, category_mask, category_anyof_mask, return_mask;
};

#define PAGEMAP_SCAN_ _IOWR('f', 16, struct scan_arg)
#define IS_PRESENT (UINT64_C(1) << 3)
#define IS_SWAPPED (UINT64_C(1) << 4)
#define IS_PFNZERO (UINT64_C(1) << 5)
#define IS_HUGE (UINT64_C(1) << 6)

/* Documentation/admin-guide/mm/pagemap.rst */
#define ENTRY_PRESENT (UINT64_C(1) << 63)
#define ENTRY_SWAPPED (UINT64_C(1) << 62)

enum { N_REGIONS = 256, N_ENTRIES = 512, N_VECTOR = 2048 };

static atomic_bool no_scan; /* the kernel is older */

int os__present_open(void)
{
	int handle = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);

	return handle < 0 ? -errno : handle;
}

void os__present_close(int handle)
{
	if (handle >= 0)
		close(handle);
}

/* What a run is made of: pages that are present, or those that were swapped out as well. */
struct wanted {
	uint64_t categories, entries;
};

static const struct wanted present = {IS_PRESENT, ENTRY_PRESENT};
static const struct wanted held = {IS_PRESENT | IS_SWAPPED, ENTRY_PRESENT | ENTRY_SWAPPED};

static int scan(int handle, const struct wanted *wanted, uintptr_t *at, uintptr_t end,
	struct os_run *runs, size_t n)
{
	struct scan_region regions[N_REGIONS];
	struct scan_arg arg = {
		.size = sizeof(arg),
		.start = *at,
		.end = end,
		.vec = (uintptr_t)regions,
		.vec_len = n < N_REGIONS ? n : N_REGIONS,
		.category_inverted = IS_PFNZERO,
		.category_mask = IS_PFNZERO,
		.category_anyof_mask = wanted->categories,
		.return_mask = IS_HUGE,
	};
	int found = ioctl(handle, PAGEMAP_SCAN_, &arg);

	if (found < 0)
		return -errno;
	for (int i = 0; i < found; i++)
		runs[i] = (struct os_run){regions[i].start, regions[i].end,
			(regions[i].categories & IS_HUGE) != 0};
	/* Where the vector filled up the kernel says how far it came. */
	*at = arg.walk_end > *at ? arg.walk_end : end;
	return found;
}

static int read_entries(int handle, const struct wanted *wanted, uintptr_t *at, uintptr_t end,
	struct os_run *runs, size_t n)
{
	size_t page = os__page_size(), n_runs = 0;
	uint64_t entries[N_ENTRIES];
	uintptr_t start = *at;
	size_t n_entries = (end - start) / page;
	ssize_t got;

	if (n_entries > N_ENTRIES)
		n_entries = N_ENTRIES;
	got = pread(handle, entries, n_entries * sizeof(entries[0]),
		(off_t)(start / page * sizeof(entries[0])));
	if (got < 0)
		return -errno;
	n_entries = (size_t)got / sizeof(entries[0]);
	for (size_t i = 0; i < n_entries; i++, start += page) {
		if (!(entries[i] & wanted->entries))
			continue;
		if (n_runs != 0 && runs[n_runs - 1].end == start) {
			runs[n_runs - 1].end += page;
			continue;
		}
		if (n_runs == n)
			break;
		runs[n_runs++] = (struct os_run){start, start + page, false};
	}
	/* Nothing to read: the range is beyond the address space. */
	*at = n_entries == 0 ? end : start;
	return (int)n_runs;
}

int os__resident_runs(uintptr_t *at, uintptr_t end, struct os_run *runs, size_t n)
{
	size_t page = os__page_size(), n_runs = 0, n_pages = (end - *at) / page, i = 0;
	unsigned char is_present[N_VECTOR];
	uintptr_t start = *at;

	if (n_pages > N_VECTOR)
		n_pages = N_VECTOR;
	if (mincore((void *)start, n_pages * page, is_present) != 0)
		return -errno;
	while (i < n_pages) {
		const unsigned char *absent;
		size_t first = i;

		if (!(is_present[i] & 1)) {
			i++;
			continue;
		}
		if (n_runs == n)
			break;
		/* Runs are long, and other bits than the first are kept for later use: none so far. */
		absent = memchr(is_present + i, 0, n_pages - i);
		i = absent == NULL ? n_pages : (size_t)(absent - is_present);
		runs[n_runs++] = (struct os_run){start + first * page, start + i * page, false};
	}
	*at = start + i * page;
	return (int)n_runs;
}

static int find_runs(int handle, const struct wanted *wanted, uintptr_t *at, uintptr_t end,
	struct os_run *runs, size_t n)
{
	if (!atomic_load_explicit(&no_scan, memory_order_relaxed)) {
		int found = scan(handle, wanted, at, end, runs, n);

		if (found != -ENOTTY && found != -EINVAL)
			return found;
		if (found == -ENOTTY)
			atomic_store_explicit(&no_scan, true, memory_order_relaxed);
	}
	return read_entries(handle, wanted, at, end, runs, n);
}

int os__present_runs(int handle, uintptr_t *at, uintptr_t end, struct os_run *runs, size_t n)
{
	return find_runs(handle, &present, at, end, runs, n);
}

int os__held_runs(int handle, uintptr_t *at, uintptr_t end, struct os_run *runs, size_t n)
{
	return handle < 0 ? os__resident_runs(at, end, runs, n) : find_runs(handle, &held, at, end, runs, n);
}
