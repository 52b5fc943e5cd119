/* SPDX-License-Identifier: BSD-3-Clause */
/* locate.h - what locate.c, which asks about every page, and sample.c, which asks about some, share. */
#ifndef HEAP_LOCATE_H
#define HEAP_LOCATE_H

#include <stddef.h>
#include <stdint.h>

#include "os/os.h"

/* 0 or -EINVAL with words, `who` being the function that was called. */
int locate__check_nodes(const size_t *bytes_on_node, int n_nodes, const char *who);
int locate__check_range(const void *ptr, size_t size, const char *who);

/* Says that the kernel would not tell where pages are; returns err. */
int locate__fail_to_ask(int err);

/* Pages that a range touches. */
static inline size_t locate__n_pages(uintptr_t start, size_t size)
{
	size_t page = os__page_size();

	return size == 0 ? 0 : (start + size - 1) / page - start / page + 1;
}

#endif
