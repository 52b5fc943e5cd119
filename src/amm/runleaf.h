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

#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

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

/* Its keys lie in a leaf as they are where differences are too wide for a word. */
enum {
	RUN_WIDTH_PLAIN = sizeof(uint32_t) + 2 * sizeof(uintptr_t), /* keys as they are */
	RUN_WORD_BITS = 64,
};

static inline uint64_t run_ones(unsigned n)
{
	return n == 0 ? 0 : ~(uint64_t)0 >> (RUN_WORD_BITS - n);
}

/* Searches read keys one after the other: this is where their time goes. */
static inline struct run_key leaf__get(const struct run_leaf *leaf, unsigned i)
{
	const unsigned char *place = leaf->bytes + (size_t)i * leaf->width;
	struct run_key key;
	uint64_t word;

	if (leaf->width == RUN_WIDTH_PLAIN) {
		memcpy(&key.value, place, sizeof(key.value));
		memcpy(&key.a, place + sizeof(key.value), sizeof(key.a));
		memcpy(&key.b, place + sizeof(key.value) + sizeof(key.a), sizeof(key.b));
		return key;
	}
	memcpy(&word, place, sizeof(word));
	word = le64toh(word);
	key.b = leaf->b + ((word & run_ones(leaf->bits_b)) << leaf->shift_b);
	/* In two steps: one of 64 bits would be no shift at all. */
	word = word >> leaf->bits_b / 2 >> (leaf->bits_b + 1) / 2;
	key.a = leaf->a + ((word & run_ones(leaf->bits_a)) << leaf->shift_a);
	word = word >> leaf->bits_a / 2 >> (leaf->bits_a + 1) / 2;
	key.value = leaf->value + (uint32_t)(word & run_ones(leaf->bits_value));
	return key;
}

/* How many keys are below this one, or (with `or_equal`) not above it. */
unsigned leaf__count_below(const struct run_leaf *leaf, struct run_key key, bool or_equal);

/*
 * Passes over keys whose part b is below the least, from the i-th on, or from the n-th down: the first that
 * may not be, or leaf->n; the number of the last that may not be, counted from one, or 0. Where keys are
 * written out, nothing is passed over.
 */
unsigned leaf__next_of_b(const struct run_leaf *leaf, unsigned i, uintptr_t least);
unsigned leaf__last_of_b(const struct run_leaf *leaf, unsigned n, uintptr_t least);

/* Fills a leaf anew with n > 0 ascending keys; false, and the leaf unchanged: they do not fit. */
bool leaf__fill(struct run_leaf *leaf, const struct run_key *keys, unsigned n);

/* Writes the keys out and says how many there are. */
unsigned leaf__copy_out(const struct run_leaf *leaf, struct run_key *keys);

/* False, and the leaf unchanged: there is no room. */
bool leaf__insert(struct run_leaf *leaf, struct run_key key);

void leaf__erase(struct run_leaf *leaf, unsigned i);

#endif
