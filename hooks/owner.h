/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * owner.h - who draws memory: the number that page map words carry, and what stands behind it.
 *
 * A word is the owner's number above a class, seven bits that belong to the owner: OWNER_PAGES as long as
 * nobody said more, else what the heap floor writes (a size class). Numbers start at 1 and are reused
 * lowest first, so tables indexed by them stay short.
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
	/* Every thread has a table of this many pointers; jemalloc ends at 4094 arenas. */
	OWNER_MAX = 8191,
	OWNER_CLASS_BITS = 7,
	/* So that the word's lowest byte, as it is, counts pointers up to a struct of two. */
	OWNER_CLASS_SHIFT = 1,
	OWNER_PAGES = 0x7f,
};

/* What builds with --enable-checking say of memory that its owner took back: nobody's, but once a block. */
#define OWNER_GONE ((uint32_t)OWNER_PAGES << OWNER_CLASS_SHIFT)

struct owner {
	_Atomic(const struct aml_area *) area; /* changes when a heap is migrated */
	struct situs_heap *heap; /* NULL: hooks or an arena that the program made itself */
	bool is_arena;           /* of this process's jemalloc: its blocks can be freed here */
	uint32_t number;
};

extern _Atomic(struct owner *) owner__table[OWNER_MAX + 1];

/* Gives the owner its number: 0 or -EAGAIN. */
int owner__register(struct owner *owner);
void owner__unregister(struct owner *owner);

static inline uint32_t owner__word(const struct owner *owner, unsigned class)
{
	return owner->number << (OWNER_CLASS_BITS + OWNER_CLASS_SHIFT) | class << OWNER_CLASS_SHIFT;
}

static inline uint32_t owner__number(uint32_t word)
{
	return word >> (OWNER_CLASS_BITS + OWNER_CLASS_SHIFT);
}

static inline unsigned owner__class(uint32_t word)
{
	return word >> OWNER_CLASS_SHIFT & ((1 << OWNER_CLASS_BITS) - 1);
}

_Static_assert(OWNER_CLASS_BITS + OWNER_CLASS_SHIFT == 8, "a byte");

/* The class where it stands in the word. */
static inline uint32_t owner__shifted_class(uint32_t word)
{
	return (uint8_t)word;
}

/* Number and shifted class at once. The class is taken first, which spares fast paths a copy of the word;
   compilers left alone begin with the number. */
static inline uint32_t owner__apart(uint32_t word, size_t *shifted_class)
{
	size_t shifted = owner__shifted_class(word);

	__asm__("" : "+r"(shifted), "+r"(word));
	*shifted_class = shifted;
	return owner__number(word);
}

/* The owner behind a page map word; NULL for 0. */
static inline struct owner *owner__of_word(uint32_t word)
{
	return atomic_load_explicit(&owner__table[owner__number(word) & OWNER_MAX],
		memory_order_acquire);
}

void owner__reset_lock(void);

#endif
