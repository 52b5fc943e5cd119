/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pagemap.h - one 32-bit word for every 4 KiB granule of the address space: whose it is.
 *
 * A two-level table: a root of pointers, one for every 4 GiB of the 47-bit user address space, and
 * leaves of one word a granule, mapped when first needed and never unmapped (4 bytes for each
 * touched granule, and one more where small blocks are: 0.1 %). Readers take no lock and write nothing; any address is a valid question.
 * A word is changed only by the owner of its granule, by plain atomic stores, so a child after fork
 * finds every word whole. Beside the word there is a byte that is a hint only: nobody takes it back, so it may be
 * what an earlier owner wrote.
 */
#ifndef BASE_PAGEMAP_H
#define BASE_PAGEMAP_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

enum {
	PAGEMAP_GRANULE_BITS = 12,
	PAGEMAP_LEAF_BITS = 20,
	PAGEMAP_ADDRESS_BITS = 47,
	PAGEMAP_ROOT_BITS = PAGEMAP_ADDRESS_BITS - PAGEMAP_LEAF_BITS - PAGEMAP_GRANULE_BITS,
};

typedef _Atomic(uint32_t) pagemap_word;

extern _Atomic(pagemap_word *) pagemap__root[(size_t)1 << PAGEMAP_ROOT_BITS];

/*
 * The leaf of the granule that holds the address; NULL: no word of it was set. Of an address beyond the
 * user's half it gives some leaf of that half: for callers who know that theirs is none.
 */
static inline const pagemap_word *pagemap__leaf_masked(const void *address)
{
	uintptr_t root = (uintptr_t)address >> (PAGEMAP_GRANULE_BITS + PAGEMAP_LEAF_BITS) &
		(((uintptr_t)1 << PAGEMAP_ROOT_BITS) - 1);

	return atomic_load_explicit(&pagemap__root[root], memory_order_acquire);
}

static inline uint32_t pagemap__word_in(const pagemap_word *leaf, const void *address)
{
	/* A leaf is what 32 bits reach: no mask. */
	return atomic_load_explicit(&leaf[(uint32_t)(uintptr_t)address >> PAGEMAP_GRANULE_BITS],
		memory_order_relaxed);
}

/* The word of the granule that holds the address; 0 where none was set. Masked in the same sense. */
static inline uint32_t pagemap__get_masked(const void *address)
{
	const pagemap_word *leaf = pagemap__leaf_masked(address);

	return __builtin_expect(leaf == NULL, 0) ? 0 : pagemap__word_in(leaf, address);
}

/* The same for any address at all. */
static inline uint32_t pagemap__get(const void *address)
{
	return __builtin_expect((uintptr_t)address >> PAGEMAP_ADDRESS_BITS != 0, 0) ? 0 :
		pagemap__get_masked(address);
}

/* Changes the word of a granule whose leaf pagemap__prepare made. */
static inline void pagemap__put(const void *address, uint32_t word)
{
	uintptr_t granule = (uintptr_t)address >> PAGEMAP_GRANULE_BITS;
	pagemap_word *leaf = atomic_load_explicit(&pagemap__root[granule >> PAGEMAP_LEAF_BITS],
		memory_order_acquire);

	atomic_store_explicit(&leaf[granule & (((uintptr_t)1 << PAGEMAP_LEAF_BITS) - 1)], word,
		memory_order_relaxed);
}

static inline uint8_t *pagemap__hint_in(const pagemap_word *leaf, const void *address)
{
	uint8_t *hints = (uint8_t *)(uintptr_t)(leaf + ((size_t)1 << PAGEMAP_LEAF_BITS));

	return hints + ((uint32_t)(uintptr_t)address >> PAGEMAP_GRANULE_BITS);
}

/* Of a granule whose leaf is there. */
static inline uint8_t pagemap__hint(const void *address)
{
	return __atomic_load_n(pagemap__hint_in(pagemap__leaf_masked(address), address), __ATOMIC_RELAXED);
}

static inline void pagemap__put_hint(const void *address, uint8_t hint)
{
	__atomic_store_n(pagemap__hint_in(pagemap__leaf_masked(address), address), hint, __ATOMIC_RELAXED);
}

/* Maps the leaves a range needs: 0, -ENOMEM, or -EINVAL for addresses beyond the table. */
int pagemap__prepare(const void *start, size_t size);

/* Sets every granule the range touches; the range is prepared. */
void pagemap__fill(const void *start, size_t size, uint32_t word);

#endif
