/* SPDX-License-Identifier: BSD-3-Clause */
#include "heap/quarantine.h"

#include <stdbool.h>
#include <string.h>
#include <sys/random.h>

#include "base/annotate.h"
#include "heap/mistake.h"
#include "heap/sealed.h"

enum {
	CLASS_SHIFT = 56,
	PATTERN = 0xdf,
#ifdef SITUS_CHECKING
	PATTERN_BYTES = SIZE_CLASS_MAX,
#else
	PATTERN_BYTES = 64, /* a cache line: what is mostly written is a pointer or two at the front */
#endif
};

void quarantine__init(struct quarantine *quarantine, size_t bytes)
{
	size_t n_small = bytes / 8 / QUARANTINE_SMALL, n_slots = bytes / 8 / SIZE_CLASS_MAX;

	quarantine->n_small = n_small > QUARANTINE_SMALL_SLOTS ? QUARANTINE_SMALL_SLOTS : (unsigned)n_small;
	quarantine->n_slots = n_slots > QUARANTINE_SLOTS ? QUARANTINE_SLOTS : (unsigned)n_slots;
	if (getrandom(&quarantine->random, sizeof(quarantine->random), GRND_NONBLOCK) < 0)
		quarantine->random = (uintptr_t)quarantine;
}

/* xorshift64*: of the upper half, `n` below 2^32. */
static size_t pick(struct quarantine *quarantine, size_t n)
{
	uint64_t x = quarantine->random | 1;

	x ^= x >> 12, x ^= x << 25, x ^= x >> 27;
	quarantine->random = x;
	return (size_t)((x * UINT64_C(0x2545f4914f6cdd1d) >> 32) * n >> 32);
}

static size_t patterned(size_t size)
{
	return size < PATTERN_BYTES ? size : PATTERN_BYTES;
}

static void mark(void *block, size_t size)
{
	size = patterned(size);
	annotate__open(block, size);
	memset(block, PATTERN, size);
	annotate__close(block, size);
}

static void *block_of(uint64_t slot)
{
	return (void *)(uintptr_t)(slot & (((uint64_t)1 << CLASS_SHIFT) - 1));
}

static void *checked(uint64_t slot)
{
	void *block = block_of(slot);
	const unsigned char *bytes = block;
	struct sealed sealed;
	size_t size;
	bool is_whole;

	if (block == NULL)
		return NULL;
	sealed = sealed__read(block);
	if (sealed.state != SEALED_FREED)
		mistake__of_block("situs", NULL, block, "what stands before a freed block was overwritten");
	size = patterned(sealed.size);
	annotate__open(block, size);
	/* Each byte is as the one before it. */
	is_whole = size == 0 || (bytes[0] == PATTERN && memcmp(bytes, bytes + 1, size - 1) == 0);
	annotate__close(block, size);
	if (!is_whole)
		mistake__of_block("situs", NULL, block, "written to after it was freed");
	return block;
}

static uint64_t exchange(uint64_t *slot, uint64_t value)
{
	uint64_t before = *slot;

	__atomic_store_n(slot, value, __ATOMIC_RELAXED);
	return before;
}

void *quarantine__swap(struct quarantine *quarantine, void *block, size_t size, unsigned class)
{
	bool is_small = size_class__bytes[class] <= QUARANTINE_SMALL;
	unsigned n = is_small ? quarantine->n_small : quarantine->n_slots;
	uint64_t *slots = is_small ? quarantine->small : quarantine->slots;

	if (n == 0)
		return block;
	mark(block, size);
	return checked(exchange(&slots[pick(quarantine, n)],
		(uintptr_t)block | (uint64_t)class << CLASS_SHIFT));
}

static void *drain(uint64_t *slots, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (slots[i] != 0)
			return checked(exchange(&slots[i], 0));
	return NULL;
}

void *quarantine__drain(struct quarantine *quarantine)
{
	void *block = drain(quarantine->small, quarantine->n_small);

	return block != NULL ? block : drain(quarantine->slots, quarantine->n_slots);
}

static void count(const uint64_t *slots, unsigned n, size_t n_blocks[SIZE_CLASSES])
{
	for (unsigned i = 0; i < n; i++) {
		uint64_t slot = __atomic_load_n(&slots[i], __ATOMIC_RELAXED);

		if (slot != 0)
			n_blocks[slot >> CLASS_SHIFT]++;
	}
}

void quarantine__count(const struct quarantine *quarantine, size_t n_blocks[SIZE_CLASSES])
{
	count(quarantine->small, quarantine->n_small, n_blocks);
	count(quarantine->slots, quarantine->n_slots, n_blocks);
}

void quarantine__shuffle(struct quarantine *quarantine, void **blocks, size_t n)
{
	for (; n > 1; n--) {
		size_t i = pick(quarantine, n);
		void *last = blocks[n - 1];

		blocks[n - 1] = blocks[i];
		blocks[i] = last;
	}
}
