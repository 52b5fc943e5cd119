/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/pagemap.h"

#include <errno.h>
#include <sys/mman.h>

/* Words, and behind them as many hints. */
enum { LEAF_SIZE = (1 << PAGEMAP_LEAF_BITS) * (sizeof(pagemap_word) + sizeof(uint8_t)) };

/* 256 KiB of zeros that cost nothing until touched. */
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
	/* A few words of it are wanted at a time. A kernel that has no such pages has nothing to say either. */
	madvise(leaf, LEAF_SIZE, MADV_NOHUGEPAGE);
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

/* Two words at once: what a reader loads is one of them, whole. */
typedef uint64_t __attribute__((may_alias)) word_pair;

static void fill_words(pagemap_word *at, pagemap_word *end, uint32_t word)
{
	const uint64_t pair = (uint64_t)word << 32 | word;

	if (at < end && (uintptr_t)at % sizeof(word_pair) != 0)
		atomic_store_explicit(at++, word, memory_order_relaxed);
	for (; end - at >= 2; at += 2)
		__atomic_store_n((word_pair *)at, pair, __ATOMIC_RELAXED);
	if (at < end)
		atomic_store_explicit(at, word, memory_order_relaxed);
}

void pagemap__fill(const void *start, size_t size, uint32_t word)
{
	const uintptr_t leaf_granules = (uintptr_t)1 << PAGEMAP_LEAF_BITS;
	uintptr_t at = (uintptr_t)start >> PAGEMAP_GRANULE_BITS;
	uintptr_t end = (((uintptr_t)start + size - 1) >> PAGEMAP_GRANULE_BITS) + 1;

	while (at < end) {
		pagemap_word *leaf = atomic_load_explicit(&pagemap__root[at >> PAGEMAP_LEAF_BITS],
			memory_order_acquire);
		uintptr_t from = at & (leaf_granules - 1);
		uintptr_t n = end - at < leaf_granules - from ? end - at : leaf_granules - from;

		fill_words(leaf + from, leaf + from + n, word);
		at += n;
	}
}
