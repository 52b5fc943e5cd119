/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * read.c - reading beside one writer, without locks and without a store that others can see.
 *
 * Nodes reachable from amm->published are never written (tree.h). A reader takes the version, then the
 * root, and walks. What it reads is good as long as the version is the same afterwards: a change
 * raises it when it has published its root, before it frees an entry and before the next one reuses a
 * node that dropped out of the tree. So each word is read
 * first and believed only once the version has been seen unchanged: a child's address before it is
 * followed, since a reused node may hold anything there. Memory of nodes stays mapped and nodes for
 * the life of the map, so the reads themselves are always allowed.
 *
 * The version does not say whether a change is under way and never makes a reader wait: a fork in the
 * middle of a change leaves the child a root to read by for ever.
 */
#include "amm/map.h"

#include "amm/runs.h"
#include "base/error.h"

#define GET(field) __atomic_load_n(&(field), __ATOMIC_RELAXED)

/* A walk: false from any step means that it has to start over. */
struct walk {
	const amm_t *amm;
	size_t version;
};

static bool still_true(const struct walk *walk)
{
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	return __atomic_load_n(&walk->amm->version, __ATOMIC_RELAXED) == walk->version;
}

static const struct node *start_walk(struct walk *walk)
{
	walk->version = __atomic_load_n(&walk->amm->version, __ATOMIC_ACQUIRE);
	return __atomic_load_n(&walk->amm->published, __ATOMIC_ACQUIRE);
}

/* As node__rank, where the count may be of another node by now. */
static unsigned rank(const struct node *node, unsigned n, amm_addr_t addr)
{
	unsigned base = 0;

	while (n > 1) {
		unsigned half = n / 2;

		base = GET(node->key[base + half]) <= addr ? base + half : base;
		n -= half;
	}
	return base;
}

/* The leaf that holds addr, how many slots it has and where it ends; NULL: start over. */
static const struct node *find_leaf(struct walk *walk, amm_addr_t addr, unsigned *n, amm_addr_t *end)
{
	const struct node *node = start_walk(walk);

	*end = AMM_MAXADDR;
	for (;;) {
		unsigned level = GET(node->level);

		*n = GET(node->n);
		if (!still_true(walk))
			return NULL;
		if (level == 0)
			return node;

		unsigned slot = rank(node, *n, addr);
		const struct node *child = GET(node->inner.child[slot]);

		if (slot + 1 < *n)
			*end = GET(node->key[slot + 1]);
		if (!still_true(walk))
			return NULL;
		node = child;
		node__prefetch(node); /* whatever lies there by now: no prefetch faults */
	}
}

/* What a leaf's slot says; not yet believed. */
static struct amm_range range_at(const struct node *leaf, unsigned slot, unsigned n, amm_addr_t end)
{
	return (struct amm_range){
		.start = GET(leaf->leaf.key[slot]),
		.end = slot + 1 < n ? GET(leaf->leaf.key[slot + 1]) : end,
		.flags = GET(leaf->leaf.flags[slot]),
		.entry = GET(leaf->leaf.entry[slot]),
	};
}

static bool try_read(struct walk *walk, amm_addr_t addr, struct amm_range *range,
	amm_look_func *look, void *arg)
{
	unsigned n;
	amm_addr_t end;
	const struct node *leaf = find_leaf(walk, addr, &n, &end);

	if (leaf == NULL)
		return false;
	*range = range_at(leaf, rank(leaf, n, addr), n, end);
	if (look != NULL) {
		if (!still_true(walk))
			return false;
		look(range, arg);
	}
	return still_true(walk);
}

int amm_read(const amm_t *amm, amm_addr_t addr, struct amm_range *range, amm_look_func *look,
	void *arg)
{
	struct walk walk = {.amm = amm};
	struct amm_range found;

	if (amm == NULL || range == NULL || addr == AMM_MAXADDR || !tree__has_readers(amm))
		return map__invalid("amm_read", "no address, or a map made without AMM_READERS");
	while (!try_read(&walk, addr, &found, look, arg))
		;
	*range = found;
	return 0;
}

/* Copies the ranges of one leaf from addr on; 0: start over. */
static unsigned copy_leaf(struct walk *walk, amm_addr_t addr, struct amm_range ranges[LEAF_MAX])
{
	unsigned n, n_ranges = 0;
	amm_addr_t end;
	const struct node *leaf = find_leaf(walk, addr, &n, &end);

	if (leaf == NULL)
		return 0;
	for (unsigned slot = rank(leaf, n, addr); slot < n; slot++)
		ranges[n_ranges++] = range_at(leaf, slot, n, end);
	return still_true(walk) ? n_ranges : 0;
}

int amm_read_iterate(const amm_t *amm, amm_range_func *func, void *arg, amm_addr_t addr,
	amm_size_t size, int flags, int flagmask)
{
	struct walk walk = {.amm = amm};
	struct amm_range ranges[LEAF_MAX];
	amm_addr_t at = addr;

	if (amm == NULL || func == NULL || !map__is_range(addr, size) || !tree__has_readers(amm))
		return map__invalid("amm_read_iterate", "a bad range, or a map made without AMM_READERS");
	/* A map that func has destroyed has no readers. */
	while (at < addr + size && tree__has_readers(amm)) {
		unsigned n = copy_leaf(&walk, at, ranges);

		for (unsigned i = 0; i < n && at < addr + size; i++) {
			/* What lies before was told already, of another time. */
			if (at != addr && ranges[i].start < at)
				ranges[i].start = at;
			at = ranges[i].end;
			if ((ranges[i].flags & flagmask) != flags)
				continue;

			int result = func(&ranges[i], arg);

			if (result != 0)
				return result;
		}
	}
	return 0;
}

static void repair_entries(amm_t *amm)
{
	struct cursor c;

	amm->count = 0;
	tree__seek(amm, AMM_MINADDR, &c);
	do {
		map__fill(cursor__entry(&c), cursor__start(&c), cursor__end(amm, &c), cursor__flags(&c));
		amm->count++;
	} while (cursor__next(amm, &c));
}

int amm_after_fork(amm_t *amm)
{
	if (amm == NULL || !tree__is_copied(amm))
		return map__invalid("amm_after_fork", "a map made without AMM_READERS or AMM_FORK");
	tree__after_fork(amm);
	runs__destroy(amm);
	repair_entries(amm);
	return 0;
}
