/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/pagemap.h"

#include <errno.h>
#include <sys/mman.h>

enum { LEAF_SIZE = (1 << PAGEMAP_LEAF_BITS) * sizeof(pagemap_word) };

/* 1 MiB of zeros that cost nothing until touched. */
_Atomic(pagemap_word *) pagemap__root[(size_t)1 << PAGEMAP_ROOT_BITS];

static int prepare_leaf(uintptr_t root)
{
	pagemap_word *expected = NULL;

	if (atomic_load_explicit(&pagemap__root[root], memory_order_acquire) != NULL)
		return 0;

	void *leaf = mmap(NULL, LEAF_SIZE, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (leaf == MAP_FAILED)
		return -ENOMEM;
	if (!atomic_compare_exchange_strong(&pagemap__root[root], &expected, leaf))
		munmap(leaf, LEAF_SIZE); /* another thread was faster */
	return 0;
}

int pagemap__prepare(const void *start, size_t size)
{
	const unsigned shift = PAGEMAP_LEAF_BITS + PAGEMAP_GRANULE_BITS;
	uintptr_t first = (uintptr_t)start, last = first + size - 1;

	if (size == 0 || last < first || last >> PAGEMAP_ADDRESS_BITS != 0)
		return -EINVAL;
	for (uintptr_t root = first >> shift; root <= last >> shift; root++) {
		int err = prepare_leaf(root);

		if (err != 0)
			return err;
	}
	return 0;
}

void pagemap__fill(const void *start, size_t size, uint32_t word)
{
	const uintptr_t granule = (uintptr_t)1 << PAGEMAP_GRANULE_BITS;
	uintptr_t end = (uintptr_t)start + size;

	for (uintptr_t at = (uintptr_t)start & ~(granule - 1); at < end; at += granule)
		pagemap__put((const void *)at, word);
}
