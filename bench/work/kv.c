/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * kv.c - the trace of a key-value store: keys and values as strings of their own in a chained table; set,
 * get, append and delete; half of the keys expire; then values are larger than before, which is where
 * fragmentation shows.
 */
#include "bench/work/work.h"

#include <string.h>

#define KEYS 60000
#define OPERATIONS 400000

struct item {
	struct item *next;
	char *key, *value;
	size_t key_size, value_size;
};

struct store {
	struct item **buckets;
	size_t n_keys;
	uint64_t random;
	uint64_t sum;
};

/* The place of key k in its bucket. */
static struct item **find(struct store *s, size_t k)
{
	struct item **at = &s->buckets[k % (s->n_keys / 2 + 1)];

	while (*at != NULL && memcmp((*at)->key, &k, sizeof(k)) != 0)
		at = &(*at)->next;
	return at;
}

static void set(struct store *s, size_t k, size_t size)
{
	struct item **at = find(s, k);
	struct item *item = *at;

	if (item == NULL) {
		item = work_get(sizeof(*item));
		item->next = NULL;
		item->key_size = 16 + k % 24;
		item->key = work_get(item->key_size);
		memcpy(item->key, &k, sizeof(k));
		*at = item;
	} else {
		peer.put(item->value, item->value_size);
	}
	item->value_size = size;
	item->value = work_get(size);
	memset(item->value, (int)k, size);
}

static void append(struct item *item, size_t more)
{
	item->value = work_resize(item->value, item->value_size, item->value_size + more);
	memset(item->value + item->value_size, 1, more);
	item->value_size += more;
}

static void del(struct item **at)
{
	struct item *item = *at;

	if (item == NULL)
		return;
	*at = item->next;
	peer.put(item->key, item->key_size);
	peer.put(item->value, item->value_size);
	peer.put(item, sizeof(*item));
}

static void serve(struct store *s, size_t operations, unsigned low)
{
	for (size_t i = 0; i < operations; i++) {
		size_t k = random_below(&s->random, s->n_keys);
		size_t what = random_below(&s->random, 10);
		struct item **at = find(s, k);

		if (what < 5)
			set(s, k, random_size(&s->random, low, 7));
		else if (what == 9)
			del(at);
		else if (*at != NULL && what == 8)
			append(*at, 1 + random_below(&s->random, 64));
		else if (*at != NULL)
			s->sum += (unsigned char)(*at)->value[(*at)->value_size - 1];
	}
}

static void look(struct work_run *run, const struct store *s)
{
	struct slot slots[1024];
	size_t n = 0;

	for (size_t i = 0; i <= s->n_keys / 2 && n < 1024; i++)
		if (s->buckets[i] != NULL)
			slots[n++] = (struct slot){ s->buckets[i]->value, s->buckets[i]->value_size };
	work_look(run, slots, n);
}

static void run(struct work_run *run)
{
	struct store s = { .n_keys = work_scaled(run, KEYS, 10), .random = random_seed(0) };
	size_t operations = work_scaled(run, OPERATIONS, 10);

	s.buckets = work_private((s.n_keys / 2 + 1) * sizeof(*s.buckets));
	serve(&s, operations, 3);
	for (size_t k = 0; k < s.n_keys; k += 2)
		del(find(&s, k));
	serve(&s, operations, 5);
	look(run, &s);
	for (size_t k = 0; k < s.n_keys; k++)
		del(find(&s, k));
}

const struct work work_kv = { "key-value", "a store of strings: set, get, append, delete, expire", 1, 60 << 20,
	3 * KEYS, run };
