/* SPDX-License-Identifier: BSD-3-Clause */
/* runleaf.c - see runleaf.h. Touches nothing but the leaf. */
#include "amm/runleaf.h"

#include <string.h>

_Static_assert(sizeof(struct run_leaf) <= RUN_LEAF_SIZE, "a leaf fits its lines");

static unsigned n_bits(uint64_t x)
{
	return x == 0 ? 0 : RUN_WORD_BITS - (unsigned)__builtin_clzll(x);
}

static unsigned n_zeros_below(uint64_t x)
{
	return x == 0 ? 0 : (unsigned)__builtin_ctzll(x);
}

/* May the key be said in the terms of the leaf's others? */
static bool is_sayable(const struct run_leaf *leaf, struct run_key key)
{
	if (leaf->width == RUN_WIDTH_PLAIN)
		return true;
	if (key.a < leaf->a || key.b < leaf->b || key.value < leaf->value)
		return false;

	uint64_t a = key.a - leaf->a, b = key.b - leaf->b, value = key.value - leaf->value;

	return ((a & run_ones(leaf->shift_a)) | (b & run_ones(leaf->shift_b))) == 0 &&
		a >> leaf->shift_a <= run_ones(leaf->bits_a) && b >> leaf->shift_b <= run_ones(leaf->bits_b) &&
		value <= run_ones(leaf->bits_value);
}

/* Low bytes first; above the width is the next key. */
static void put(struct run_leaf *leaf, unsigned i, struct run_key key)
{
	unsigned char *place = leaf->bytes + (size_t)i * leaf->width;

	if (leaf->width == RUN_WIDTH_PLAIN) {
		memcpy(place, &key.value, sizeof(key.value));
		memcpy(place + sizeof(key.value), &key.a, sizeof(key.a));
		memcpy(place + sizeof(key.value) + sizeof(key.a), &key.b, sizeof(key.b));
		return;
	}

	uint64_t word = key.value - leaf->value;

	word = word << leaf->bits_a / 2 << (leaf->bits_a + 1) / 2;
	word |= (uint64_t)(key.a - leaf->a) >> leaf->shift_a;
	word = word << leaf->bits_b / 2 << (leaf->bits_b + 1) / 2;
	word |= (uint64_t)(key.b - leaf->b) >> leaf->shift_b;
	for (unsigned k = 0; k < leaf->width; k++)
		place[k] = (unsigned char)(word >> 8 * k);
}

/* The packed number of a key; above the width is the next one. */
static inline uint64_t word_at(const struct run_leaf *leaf, unsigned i)
{
	uint64_t word;

	memcpy(&word, leaf->bytes + (size_t)i * leaf->width, sizeof(word));
	return le64toh(word);
}

/*
 * In a leaf of one value, which is the key's: the least packed number that a key must have not to count as
 * below. False: all are below. Numbers are ordered as keys are.
 */
static bool least_not_below(const struct run_leaf *leaf, struct run_key key, bool or_equal, uint64_t *least)
{
	uint64_t a = (uint64_t)(key.a - leaf->a) >> leaf->shift_a, b = 0;
	bool next_a, next_b = false; /* a, or b, must be greater */

	*least = 0;
	if (key.a < leaf->a)
		return true;
	if (a > run_ones(leaf->bits_a))
		return false;
	next_a = ((key.a - leaf->a) & run_ones(leaf->shift_a)) != 0;
	if (!next_a && key.b >= leaf->b) {
		b = (uint64_t)(key.b - leaf->b) >> leaf->shift_b;
		next_a = b > run_ones(leaf->bits_b);
		next_b = or_equal || ((key.b - leaf->b) & run_ones(leaf->shift_b)) != 0;
	}
	if (next_a && a == run_ones(leaf->bits_a))
		return false;
	a += next_a;
	*least = a << leaf->bits_b / 2 << (leaf->bits_b + 1) / 2;
	if (next_a)
		return true;
	*least |= b;
	*least += next_b;
	return *least != 0 || !next_b;
}

static unsigned count_words_below(const struct run_leaf *leaf, uint64_t least)
{
	uint64_t mask = run_ones(8 * leaf->width);
	unsigned base = 0, n = leaf->n;

	/* The length halves whatever the comparison says, so there is no branch to mispredict. */
	while (n > 1) {
		unsigned half = n / 2;

		base = (word_at(leaf, base + half - 1) & mask) < least ? base + half : base;
		n -= half;
	}
	return base + (n == 1 && (word_at(leaf, base) & mask) < least);
}

static bool is_packed(const struct run_leaf *leaf)
{
	return leaf->width != RUN_WIDTH_PLAIN;
}

unsigned leaf__count_below(const struct run_leaf *leaf, struct run_key key, bool or_equal)
{
	unsigned base = 0, n = leaf->n;
	uint64_t least;

	if (is_packed(leaf) && leaf->bits_value == 0 && key.value == leaf->value)
		return least_not_below(leaf, key, or_equal, &least) ? count_words_below(leaf, least) : n;

	while (n > 0) {
		unsigned half = n / 2;
		struct run_key k = leaf__get(leaf, base + half);

		if (or_equal ? !run_key__is_below(key, k) : run_key__is_below(k, key)) {
			base += half + 1;
			n -= half + 1;
		} else {
			n = half;
		}
	}
	return base;
}

/* What a packed part b must be for b not to be below the least. */
static uint64_t least_packed_b(const struct run_leaf *leaf, uintptr_t least)
{
	return least <= leaf->b ? 0 : ((uint64_t)(least - leaf->b - 1) >> leaf->shift_b) + 1;
}

unsigned leaf__next_of_b(const struct run_leaf *leaf, unsigned i, uintptr_t least)
{
	uint64_t ones = run_ones(leaf->bits_b), bound = least_packed_b(leaf, least);

	if (is_packed(leaf))
		while (i < leaf->n && (word_at(leaf, i) & ones) < bound)
			i++;
	return i;
}

unsigned leaf__last_of_b(const struct run_leaf *leaf, unsigned n, uintptr_t least)
{
	uint64_t ones = run_ones(leaf->bits_b), bound = least_packed_b(leaf, least);

	if (is_packed(leaf))
		while (n > 0 && (word_at(leaf, n - 1) & ones) < bound)
			n--;
	return n;
}

/* Bits that are left over go to a part, below its least and above its greatest: the next key may fit. */
static uintptr_t stretch(uintptr_t least, uint64_t greatest, unsigned shift, unsigned bits)
{
	uint64_t below = (run_ones(bits) - (greatest >> shift)) / 2;

	if (below > least >> shift)
		below = least >> shift;
	return least - (below << shift);
}

/* How n keys are best said; n stays 0. */
static void choose_terms(struct run_leaf *leaf, const struct run_key *keys, unsigned n)
{
	struct run_key least = keys[0];
	uint64_t all_a = 0, all_b = 0, max_a = 0, max_b = 0;

	for (unsigned i = 1; i < n; i++) {
		least.a = keys[i].a < least.a ? keys[i].a : least.a;
		least.b = keys[i].b < least.b ? keys[i].b : least.b;
	}
	for (unsigned i = 0; i < n; i++) {
		uint64_t a = keys[i].a - least.a, b = keys[i].b - least.b;

		all_a |= a;
		all_b |= b;
		max_a = a > max_a ? a : max_a;
		max_b = b > max_b ? b : max_b;
	}

	unsigned shift_a = n_zeros_below(all_a), shift_b = n_zeros_below(all_b);
	unsigned bits_a = n_bits(max_a >> shift_a), bits_b = n_bits(max_b >> shift_b);
	unsigned bits_value = n_bits(keys[n - 1].value - least.value);
	unsigned bits = bits_a + bits_b + bits_value;

	*leaf = (struct run_leaf){.width = RUN_WIDTH_PLAIN};
	if (bits > RUN_WORD_BITS)
		return;

	unsigned width = bits == 0 ? 1 : (bits + 7) / 8, spare = 8 * width - bits;

	bits_a += spare / 2;
	bits_b += spare - spare / 2;
	leaf->width = (uint8_t)width;
	leaf->bits_a = (uint8_t)bits_a;
	leaf->bits_b = (uint8_t)bits_b;
	leaf->bits_value = (uint8_t)bits_value;
	leaf->shift_a = (uint8_t)shift_a;
	leaf->shift_b = (uint8_t)shift_b;
	leaf->a = stretch(least.a, max_a, shift_a, bits_a);
	leaf->b = stretch(least.b, max_b, shift_b, bits_b);
	leaf->value = least.value;
}

static bool has_room(const struct run_leaf *leaf, unsigned n)
{
	return n <= RUN_LEAF_KEYS && n * leaf->width <= LEAF_BYTES;
}

bool leaf__fill(struct run_leaf *leaf, const struct run_key *keys, unsigned n)
{
	struct run_leaf terms;

	choose_terms(&terms, keys, n);
	if (!has_room(&terms, n))
		return false;
	*leaf = terms;
	for (unsigned i = 0; i < n; i++)
		put(leaf, i, keys[i]);
	leaf->n = n;
	return true;
}

unsigned leaf__copy_out(const struct run_leaf *leaf, struct run_key *keys)
{
	for (unsigned i = 0; i < leaf->n; i++)
		keys[i] = leaf__get(leaf, i);
	return leaf->n;
}

static void open_place(struct run_leaf *leaf, unsigned at)
{
	unsigned char *place = leaf->bytes + (size_t)at * leaf->width;

	memmove(place + leaf->width, place, (size_t)(leaf->n - at) * leaf->width);
	leaf->n++;
}

bool leaf__insert(struct run_leaf *leaf, struct run_key key)
{
	unsigned at = leaf__count_below(leaf, key, false);

	if (is_sayable(leaf, key) && has_room(leaf, leaf->n + 1)) {
		open_place(leaf, at);
		put(leaf, at, key);
		return true;
	}
	if (leaf->n == RUN_LEAF_KEYS)
		return false;

	struct run_key keys[RUN_LEAF_KEYS];
	unsigned n = leaf__copy_out(leaf, keys);

	memmove(keys + at + 1, keys + at, (n - at) * sizeof(keys[0]));
	keys[at] = key;
	return leaf__fill(leaf, keys, n + 1);
}

void leaf__erase(struct run_leaf *leaf, unsigned i)
{
	unsigned char *place = leaf->bytes + (size_t)i * leaf->width;

	leaf->n--;
	memmove(place, place + leaf->width, (size_t)(leaf->n - i) * leaf->width);
}
