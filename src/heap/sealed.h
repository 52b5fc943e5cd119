/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sealed.h - a block as builds that check lay it out (--enable-checking, --enable-hardened, valgrind and
 * AddressSanitizer): a head below it, a canary behind it.
 *
 *	raw                       block               block + size
 *	| ... offset bytes ... head |  size bytes  | canary | what the size class has left |
 *
 * The offset is a power of two, SEALED_OFFSET or the block's alignment if that is more. The head's seal
 * is made of the block's address, its size and a secret of the process, so that no other address has a
 * valid one, and its complement says that the block was freed. Heads are changed by atomics: of two who
 * free a block at once one finds it freed.
 */
#ifndef HEAP_SEALED_H
#define HEAP_SEALED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/annotate.h"

enum { SEALED_OFFSET = 16, SEALED_CANARY = 8, SEALED_SIZE_BITS = 56 };

enum sealed_state { SEALED_NOT, SEALED_LIVE, SEALED_FREED };

struct sealed_head {
	uint64_t size; /* in the low SEALED_SIZE_BITS; above them log2 of the offset */
	uint64_t seal;
};

_Static_assert(sizeof(struct sealed_head) == SEALED_OFFSET, "the head fills the smallest offset");

/* What a head says. */
struct sealed {
	enum sealed_state state; /* NOT: the rest means nothing */
	size_t size, offset;
	uint64_t live; /* the seal of a live block with this head */
};

extern uint64_t sealed__secret;

static inline struct sealed_head *sealed__head(const void *block)
{
	return (struct sealed_head *)(uintptr_t)((const char *)block - sizeof(struct sealed_head));
}

/* Multiply and fold: every bit of what goes in changes about half of the middle of what comes out. */
static inline uint64_t sealed__mix(const void *block, uint64_t size)
{
	uint64_t x = ((uintptr_t)block ^ sealed__secret) + size * UINT64_C(0x9e3779b97f4a7c15);

	x *= UINT64_C(0xd6e8feb86659fd93);
	x = (x ^ x >> 32) * (sealed__secret | 1);
	return x ^ x >> 29;
}

static inline uint64_t sealed__canary(uint64_t live)
{
	/* Its first byte is not 0: that is what strings write past their end. */
	return live * UINT64_C(0xff51afd7ed558ccd) | 0x80;
}

/* May be asked of any address that is a multiple of SEALED_OFFSET and has SEALED_OFFSET readable bytes
   below it. */
static inline struct sealed sealed__read(const void *block)
{
	struct sealed_head *at = sealed__head(block);
	struct sealed sealed;
	uint64_t size, seal;

	annotate__open(at, sizeof(*at));
	size = __atomic_load_n(&at->size, __ATOMIC_RELAXED);
	seal = __atomic_load_n(&at->seal, __ATOMIC_RELAXED);
	annotate__close(at, sizeof(*at));
	sealed.live = sealed__mix(block, size);
	sealed.state = seal == sealed.live ? SEALED_LIVE : seal == ~sealed.live ? SEALED_FREED : SEALED_NOT;
	sealed.size = size & (((uint64_t)1 << SEALED_SIZE_BITS) - 1);
	sealed.offset = (size_t)1 << (size >> SEALED_SIZE_BITS & 63);
	return sealed;
}

/* Has nobody written behind the end of a live block? */
static inline bool sealed__is_intact(const void *block, const struct sealed *sealed)
{
	const char *end = (const char *)block + sealed->size;
	uint64_t found;

	annotate__open(end, sizeof(found));
	memcpy(&found, end, sizeof(found));
	annotate__close(end, sizeof(found));
	return found == sealed__canary(sealed->live);
}

static inline bool sealed__exchange(void *block, uint64_t from, uint64_t to)
{
	struct sealed_head *at = sealed__head(block);
	bool done;

	annotate__open(at, sizeof(*at));
	done = __atomic_compare_exchange_n(&at->seal, &from, to, false, __ATOMIC_ACQ_REL,
		__ATOMIC_RELAXED);
	annotate__close(at, sizeof(*at));
	return done;
}

/* LIVE to FREED and back; false: another thread was faster. */
static inline bool sealed__retire(void *block, const struct sealed *sealed)
{
	return sealed__exchange(block, sealed->live, ~sealed->live);
}

static inline bool sealed__revive(void *block, const struct sealed *sealed)
{
	return sealed__exchange(block, ~sealed->live, sealed->live);
}

/* Seals the block of `size` bytes at raw + offset and returns it. */
static inline void *sealed__make(void *raw, size_t offset, size_t size)
{
	char *block = (char *)raw + offset;
	struct sealed_head *at = sealed__head(block);
	uint64_t sizes = size | (uint64_t)__builtin_ctzl(offset) << SEALED_SIZE_BITS;
	uint64_t live = sealed__mix(block, sizes), canary = sealed__canary(live);

	annotate__open(at, sizeof(*at));
	annotate__open(block + size, sizeof(canary));
	__atomic_store_n(&at->size, sizes, __ATOMIC_RELAXED);
	__atomic_store_n(&at->seal, live, __ATOMIC_RELAXED);
	memcpy(block + size, &canary, sizeof(canary));
	annotate__close(at, sizeof(*at));
	annotate__close(block + size, sizeof(canary));
	return block;
}

#endif
