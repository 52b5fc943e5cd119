/* SPDX-License-Identifier: BSD-3-Clause */
/* random.h - chance, the same in every run: Marsaglia's xorshift64* generator (2003; Vigna 2014). */
#ifndef BENCH_RANDOM_H
#define BENCH_RANDOM_H

#include <stddef.h>
#include <stdint.h>

/* Never 0, and different for each i. */
static inline uint64_t random_seed(uint64_t i)
{
	return (i + 1) * 0x9e3779b97f4a7c15u;
}

static inline uint64_t random_next(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 0x2545f4914f6cdd1du;
}

/* From 0 up to but not including n, n < 2^32. */
static inline size_t random_below(uint64_t *state, size_t n)
{
	return (size_t)((random_next(state) >> 32) * n >> 32);
}

/* From 2^low up to but not including 2^(low + n), each doubling as likely as the others. */
static inline size_t random_size(uint64_t *state, unsigned low, unsigned n)
{
	uint64_t r = random_next(state);
	size_t floor = (size_t)1 << (low + ((r >> 32) * n >> 32));

	return floor + (r & (floor - 1));
}

#endif
