/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sample.c - on which nodes pages are, asked about some of them.
 *
 * One page at random from each of as many equal parts as samples are wanted: of a range, or of the pages of a
 * heap's extents in the order of the walk over these, which is made twice: to count them, and to ask.
 * Shares that are found so are no further off than those of pages drawn from all.
 *
 * Nothing is touched and no lock is held. A failure has not touched what the caller passed.
 */
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <string.h>

#include "base/error.h"
#include "heap/heap.h"
#include "heap/locate.h"
#include "heap/registry.h"

enum { N_ASKED = 1024 }; /* pages in one call; larger batches are no faster */

struct sample {
	/* Which pages: the number of the next one among all, and of the part that it stands for */
	size_t n_pages, n_parts, part, next;
	uint64_t random;

	/* What came of those taken so far */
	size_t n_taken, n_found; /* on the nodes that are wanted */
	int n_nodes;
	size_t on_node[OS_MAX_NODES];

	/* The next question */
	size_t n_asked;
	void *asked[N_ASKED];
};

/* Steele, Lea, Flood: Fast splittable pseudorandom number generators (2014). */
static uint64_t next_random(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

/* Draws the next page, of which there are no fewer than parts; SIZE_MAX: there are no more parts. */
static void draw(struct sample *sample)
{
	size_t from = (size_t)((__uint128_t)sample->n_pages * sample->part / sample->n_parts);
	size_t to = (size_t)((__uint128_t)sample->n_pages * (sample->part + 1) / sample->n_parts);

	if (sample->part == sample->n_parts) {
		sample->next = SIZE_MAX;
		return;
	}
	sample->part++;
	sample->next = from + (size_t)(next_random(&sample->random) % (to - from));
}

static void begin(struct sample *sample, uint64_t seed, size_t n_pages, size_t n_samples, int n_nodes)
{
	sample->n_pages = n_pages;
	sample->n_parts = n_samples;
	sample->part = 0;
	sample->random = seed;
	sample->n_taken = sample->n_found = sample->n_asked = 0;
	sample->n_nodes = n_nodes < OS_MAX_NODES ? n_nodes : OS_MAX_NODES;
	memset(sample->on_node, 0, (size_t)sample->n_nodes * sizeof(sample->on_node[0]));
	draw(sample);
}

static int ask(struct sample *sample)
{
	int nodes[N_ASKED];
	int err = sample->n_asked == 0 ? 0 : os__where(sample->asked, sample->n_asked, nodes);

	if (err != 0)
		return locate__fail_to_ask(err);
	for (size_t i = 0; i < sample->n_asked; i++) {
		if (nodes[i] < 0 || nodes[i] >= sample->n_nodes)
			continue;
		sample->on_node[nodes[i]]++;
		sample->n_found++;
	}
	sample->n_taken += sample->n_asked;
	sample->n_asked = 0;
	return 0;
}

/* Asks about those of n pages, the first of which has that number, that were drawn. */
static int take(struct sample *sample, uintptr_t start, size_t number, size_t n)
{
	int err = 0;

	for (; sample->next < number + n && err == 0; draw(sample)) {
		sample->asked[sample->n_asked++] = (void *)(start + (sample->next - number) * os__page_size());
		if (sample->n_asked == N_ASKED)
			err = ask(sample);
	}
	return err;
}

/* How far off a share may be that was found for k of n pages: 95 % of the normal distribution, and the
   rule of three where that would claim certainty. */
static double share_error(size_t k, size_t n)
{
	double p = (double)k / (double)n, error = 1.96 * sqrt(p * (1 - p) / (double)n);
	double least = 3 / (double)n;

	return error > least ? error : least;
}

/* Turns samples into bytes; how far off the worst of the figures may be. */
static int tell(const struct sample *sample, size_t size, size_t *bytes_on_node, int n_nodes, size_t *error)
{
	double worst = share_error(sample->n_found, sample->n_taken);
	size_t rest = sample->n_pages -
		(size_t)((__uint128_t)sample->n_pages * sample->n_found / sample->n_taken);

	memset(bytes_on_node, 0, (size_t)n_nodes * sizeof(*bytes_on_node));
	for (int node = 0; node < sample->n_nodes; node++) {
		size_t k = sample->on_node[node];
		double off = share_error(k, sample->n_taken);

		worst = off > worst ? off : worst;
		bytes_on_node[node] = (size_t)((__uint128_t)size * k / sample->n_taken);
	}
	*error = (size_t)((double)size * (worst < 1 ? worst : 1));
	return rest > INT_MAX ? INT_MAX : (int)rest;
}

static int check(size_t n_samples, const size_t *bytes_on_node, int n_nodes, const size_t *error, const char *who)
{
	int err = locate__check_nodes(bytes_on_node, n_nodes, who);

	if (err == 0 && error == NULL)
		err = error__set(EINVAL, "%s: error is NULL", who);
	if (err == 0 && n_samples == 0)
		err = error__set(EINVAL, "%s: no samples asked for", who);
	return err;
}

int situs_locate_sampled(const void *ptr, size_t size, size_t n_samples, size_t *bytes_on_node,
	int n_nodes, size_t *error)
{
	size_t n_pages = locate__n_pages((uintptr_t)ptr, size);
	struct sample sample;
	int err = check(n_samples, bytes_on_node, n_nodes, error, "situs_locate_sampled");

	if (err == 0)
		err = locate__check_range(ptr, size, "situs_locate_sampled");
	if (err != 0)
		return err;
	if (n_pages <= n_samples) {
		err = situs_locate(ptr, size, bytes_on_node, n_nodes);
		if (err >= 0)
			*error = 0;
		return err;
	}
	begin(&sample, (uintptr_t)ptr ^ n_samples, n_pages, n_samples, n_nodes);
	err = take(&sample, (uintptr_t)ptr & ~(os__page_size() - 1), 0, n_pages);
	if (err == 0)
		err = ask(&sample);
	return err != 0 ? err : tell(&sample, size, bytes_on_node, n_nodes, error);
}

static int count_pages(const struct situs_extent *extent, void *arg)
{
	*(size_t *)arg += extent->size / os__page_size();
	return 0;
}

struct walk {
	struct sample sample;
	size_t number; /* of the next extent's first page */
};

static int take_of_extent(const struct situs_extent *extent, void *arg)
{
	struct walk *walk = arg;
	size_t n = extent->size / os__page_size();
	int err = take(&walk->sample, (uintptr_t)extent->start, walk->number, n);

	walk->number += n;
	return err;
}

static int ask_all(situs_heap_t *heap, size_t *bytes_on_node, int n_nodes, size_t *error)
{
	int rest = situs_heap_locate(heap, bytes_on_node, n_nodes);

	if (rest >= 0)
		*error = 0;
	return rest;
}

int situs_heap_locate_sampled(situs_heap_t *heap, size_t n_samples, size_t *bytes_on_node, int n_nodes,
	size_t *error)
{
	int err = registry__check(heap, "situs_heap_locate_sampled");
	size_t n_pages = 0;
	struct walk walk;

	if (err == 0)
		err = check(n_samples, bytes_on_node, n_nodes, error, "situs_heap_locate_sampled");
	if (err == 0)
		err = situs_heap_iterate(heap, count_pages, &n_pages);
	if (err != 0)
		return err;
	if (n_pages <= n_samples)
		return ask_all(heap, bytes_on_node, n_nodes, error);
	walk.number = 0;
	begin(&walk.sample, n_pages ^ n_samples, n_pages, n_samples, n_nodes);
	err = situs_heap_iterate(heap, take_of_extent, &walk);
	if (err == 0)
		err = ask(&walk.sample);
	if (err != 0)
		return err;
	/* All that was counted has gone. */
	if (walk.sample.n_taken == 0)
		return ask_all(heap, bytes_on_node, n_nodes, error);
	return tell(&walk.sample, n_pages * os__page_size(), bytes_on_node, n_nodes, error);
}
