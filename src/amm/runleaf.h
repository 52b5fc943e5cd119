/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * runleaf.h - the leaves of a set of runs (runset.h): ascending keys in few bytes each.
 *
 * A key is (value, a, b), in that order. A leaf keeps what its keys have in common once (the least of
 * each part, and the zero bits below all differences), and of each key the differences, packed into one
 * number of as many bytes as the largest needs: four or five where runs lie close, eight at most. Keys
 * that differ by more than 64 bits in all are written out in 20 bytes.
 *
 * Invariants: keys ascend strictly, no leaf is empty once it is filled, n * width <= LEAF_BYTES.
 */
#ifndef AMM_RUNLEAF_H
#define AMM_RUNLEAF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct run_key {
	uintptr_t a, b;
	uint32_t value;
};

enum {
	RUN_LEAF_SIZE = 512,
	LEAF_BYTES = RUN_LEAF_SIZE - 36 - 8, /* a key is read eight bytes at a time */
	/* Searches look at every key of a leaf at worst. */
#ifdef AMM_SMALL_NODES
	RUN_LEAF_KEYS = 4,
#else
	RUN_LEAF_KEYS = 128,
#endif
};

struct run_leaf {
	unsigned n, level;   /* level: 0 */
	uintptr_t a, b;      /* the least */
	uint32_t value;
	uint8_t bits_a, bits_b, bits_value, shift_a, shift_b;
	uint8_t width;       /* bytes a key */
	unsigned char bytes[LEAF_BYTES + 8];
};

static inline bool run_key__is_below(struct run_key p, struct run_key q)
{
	if (p.value != q.value)
		return p.value < q.value;
	return p.a < q.a || (p.a == q.a && p.b < q.b);
}

struct run_key leaf__get(const struct run_leaf *leaf, unsigned i);

/* How many keys are below this one, or (with `or_equal`) not above it. */
unsigned leaf__count_below(const struct run_leaf *leaf, struct run_key key, bool or_equal);

/* Fills a leaf anew with n > 0 ascending keys; false, and the leaf unchanged: they do not fit. */
bool leaf__fill(struct run_leaf *leaf, const struct run_key *keys, unsigned n);

/* Writes the keys out and says how many there are. */
unsigned leaf__copy_out(const struct run_leaf *leaf, struct run_key *keys);

/* False, and the leaf unchanged: there is no room. */
bool leaf__insert(struct run_leaf *leaf, struct run_key key);

void leaf__erase(struct run_leaf *leaf, unsigned i);

#endif
