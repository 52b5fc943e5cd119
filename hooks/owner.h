/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * owner.h - who draws memory: the number that page map words carry, and what stands behind it.
 *
 * A word is the owner's number above a code of eight bits, which says the class that the heap floor wrote
 * there; OWNER_PAGES as long as nobody said more. Numbers start at 1 and are reused lowest first, so tables
 * indexed by them stay short.
 *
 * The word as it is counts pointers from the start of a thread's table of caches (heap/thread.h), where each
 * owner has a row of OWNER_ROW of them: the first OWNER_BINS classes have bins of OWNER_BIN pointers there, and
 * the codes of the others point at what stays empty.
 */
#ifndef HOOKS_OWNER_H
#define HOOKS_OWNER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "aml.h"
#include "base/pagemap.h"

enum {
	/* Every thread has a table of this many rows; jemalloc ends at 4094 arenas. */
	OWNER_MAX = 4095,
	OWNER_WENT = OWNER_MAX, /* the number of owners that went: no live one's and, unlike 0, of no address */
	OWNER_CODE_BITS = 8,
	OWNER_ROW = 1 << OWNER_CODE_BITS,
	OWNER_BIN = 4,
	OWNER_BINS = 48,
	OWNER_PAGES = OWNER_BINS + 39, /* the last class */
	OWNER_BINS_END = OWNER_BINS * OWNER_BIN, /* codes from here on are of classes without bins */
	/* A bin wherever any code points ends before this. */
	OWNER_CODES_END = OWNER_BINS_END + OWNER_PAGES - OWNER_BINS + OWNER_BIN,
};

_Static_assert(OWNER_CODES_END < OWNER_ROW, "a row has room for all codes");

struct owner {
	_Atomic(const struct aml_area *) area; /* changes when a heap is migrated */
	struct situs_heap *heap; /* NULL: hooks or an arena that the program made itself */
	bool is_arena;           /* of this process's jemalloc: its blocks can be freed here */
	uint32_t number;
	uint32_t row; /* where the words that carry the number begin */
};

extern _Atomic(struct owner *) owner__table[OWNER_MAX + 1];

/* Gives the owner its number: 0 or -EAGAIN. */
int owner__register(struct owner *owner);
void owner__unregister(struct owner *owner);

/* The number goes: who still asks finds no cache and no address under the one it has now. */
static inline void owner__clear(struct owner *owner)
{
	owner->number = OWNER_WENT;
	owner->row = (uint32_t)OWNER_WENT << OWNER_CODE_BITS;
}

static inline uint32_t owner__code(unsigned class)
{
	return class < OWNER_BINS ? class * OWNER_BIN : class - OWNER_BINS + OWNER_BINS_END;
}

/* What builds with --enable-checking say of memory that its owner took back: nobody's, but once a block. */
#define OWNER_GONE ((uint32_t)(OWNER_PAGES - OWNER_BINS + OWNER_BINS_END))

static inline uint32_t owner__word(const struct owner *owner, unsigned class)
{
	return owner->row | owner__code(class);
}

static inline uint32_t owner__number(uint32_t word)
{
	return word >> OWNER_CODE_BITS;
}

/* Does the word speak of blocks of a class that caches may hold? */
static inline bool owner__has_bin(uint32_t word)
{
	return (uint8_t)word < OWNER_BINS_END;
}

/* Where it has. */
static inline unsigned owner__bin_class(uint32_t word)
{
	return (uint8_t)word / OWNER_BIN;
}

static inline unsigned owner__class(uint32_t word)
{
	return owner__has_bin(word) ? owner__bin_class(word) :
		(unsigned)(uint8_t)word - OWNER_BINS_END + OWNER_BINS;
}

/* The owner behind a page map word; NULL for 0. */
static inline struct owner *owner__of_word(uint32_t word)
{
	return atomic_load_explicit(&owner__table[owner__number(word) & OWNER_MAX],
		memory_order_acquire);
}

void owner__reset_lock(void);

#endif
