/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * present.h - which pages of this process are present, from the kernel's page tables; touches nothing.
 *
 * Linux 6.7 and later tell runs of pages in one pass over the page tables (PAGEMAP_SCAN), which costs
 * next to nothing where nothing is present; older kernels tell page by page (/proc/self/pagemap), and
 * count its page of zeros, mapped by reading untouched memory, as present.
 */
#ifndef OS_PRESENT_H
#define OS_PRESENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What the processor maps at once lies on one node. Elsewhere than on x86 huge pages of hugetlb may be
   smaller than this: 0. */
#if defined(__x86_64__)
#define OS_HUGE_STEP ((size_t)2 * 1024 * 1024)
#else
#define OS_HUGE_STEP ((size_t)0)
#endif

struct os_run {
	uintptr_t start, end;
	bool huge; /* of pages that the processor maps as huge ones */
};

/* A handle for the questions below, or a negative errno (no /proc, no descriptor left). */
int os__present_open(void);
void os__present_close(int handle);

/*
 * Finds up to n runs of present pages in [*at, end), both multiples of the page size; how many, with
 * *at moved to where to go on (`end`: all are told). Negative errno: the kernel does not say.
 */
int os__present_runs(int handle, uintptr_t *at, uintptr_t end, struct os_run *runs, size_t n);

/*
 * The same without a handle, by mincore: all that is present is told of, what was swapped out is not, and
 * pages of files too that are in memory without being mapped here; never as huge. -ENOMEM: something near *at
 * is not mapped.
 */
int os__resident_runs(uintptr_t *at, uintptr_t end, struct os_run *runs, size_t n);

/* The same for pages that hold something: present, swapped out, or just being moved by the kernel. With the
   failure of an open for a handle too, then without what was swapped out. */
int os__held_runs(int handle, uintptr_t *at, uintptr_t end, struct os_run *runs, size_t n);

#endif
