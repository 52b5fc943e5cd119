/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * locate.c - on which nodes the pages of a range are, as the kernel tells it.
 *
 * Ranges whose pages are present, and small, are asked about page by page, many at a time, which costs the
 * question and nothing else. Elsewhere the page tables say first which pages are present and which are
 * huge (os/present.h), and only those are asked about; so a range costs what its present pages cost,
 * however large it is. Its first pages say which of the two it is, and as soon as half of the pages of one
 * question are absent the page tables are read. Where they cannot be read every page is asked about.
 * Nothing is touched and no lock is held.
 */
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "area/linux.h"
#include "base/error.h"
#include "heap/heap.h"
#include "heap/registry.h"
#include "heap/stats.h"
#include "os/os.h"
#include "os/present.h"

enum {
	N_ASKED = 1024, /* pages in one call; larger batches are no faster */
	N_RUNS = 128,
	PROBE = 64, /* pages that say what a range is like */
	FEW_PAGES = 512, /* asking about so many costs no more than finding out which are present */
};

/* End of the addresses that a mapping without a hint can have. */
#define USER_END ((uintptr_t)1 << 47)

struct located {
	uintptr_t start, end; /* the range asked for; pages count as far as they lie in it */
	size_t *bytes_on_node;
	int n_nodes;
	size_t n_pages; /* on these nodes */
	int handle;     /* page tables; negative: cannot be read */

	/* Pages to be asked about, each for `step` bytes from it on. */
	size_t n;
	void *pages[N_ASKED];
	size_t steps[N_ASKED];
};

static void count_page(struct located *located, uintptr_t page, size_t step, int node)
{
	uintptr_t start = page < located->start ? located->start : page;
	uintptr_t end = located->end - page < step ? located->end : page + step;

	if (node < 0 || node >= located->n_nodes)
		return;
	located->bytes_on_node[node] += end - start;
	located->n_pages += (end - page + os__page_size() - 1) / os__page_size();
}

static int fail_to_ask(int err)
{
	if (linux__may_not(err, "move_pages", NULL))
		return err;
	return error__set(-err, "asking the kernel where pages are: %s", os__strerror(err));
}

static int ask(struct located *located)
{
	int nodes[N_ASKED];
	int err = located->n == 0 ? 0 : os__where(located->pages, located->n, nodes);

	if (err != 0)
		return fail_to_ask(err);
	for (size_t i = 0; i < located->n; i++)
		count_page(located, (uintptr_t)located->pages[i], located->steps[i], nodes[i]);
	located->n = 0;
	return 0;
}

static int add(struct located *located, uintptr_t start, uintptr_t end, size_t step)
{
	int err = 0;

	while (start < end && err == 0) {
		/* Up to the next multiple: huge pages are aligned, the range need not be. */
		uintptr_t next = (start & ~(step - 1)) + step;

		if (next > end || next < start)
			next = end;
		located->pages[located->n] = (void *)start;
		located->steps[located->n++] = next - start;
		start = next;
		if (located->n == N_ASKED)
			err = ask(located);
	}
	return err;
}

static int add_present(struct located *located, uintptr_t start, uintptr_t end)
{
	struct os_run runs[N_RUNS];
	int err = 0;

	while (start < end && err == 0) {
		int n = os__present_runs(located->handle, &start, end, runs, N_RUNS);

		if (n < 0)
			return add(located, start, end, os__page_size());
		for (int i = 0; i < n && err == 0; i++)
			err = add(located, runs[i].start, runs[i].end,
				runs[i].huge && OS_HUGE_STEP != 0 ? OS_HUGE_STEP : os__page_size());
	}
	return err;
}

/* Are most pages at the start of a range present, and none of them huge? */
static bool starts_dense(const struct located *located, uintptr_t start, uintptr_t end)
{
	uintptr_t stop = end - start > PROBE * os__page_size() ? start + PROBE * os__page_size() : end;
	uintptr_t at = start;
	struct os_run runs[N_RUNS];
	size_t present = 0;
	int n = os__present_runs(located->handle, &at, stop, runs, N_RUNS);

	for (int i = 0; i < n; i++) {
		if (runs[i].huge)
			return false;
		present += runs[i].end - runs[i].start;
	}
	return n >= 0 && present >= (at - start) / 2;
}

/* What of the first and the last page of the range asked for lies outside of it. */
static void cut(struct located *located, uintptr_t page, int node)
{
	uintptr_t end = page + os__page_size();

	if (node < 0 || node >= located->n_nodes)
		return;
	if (page < located->start)
		located->bytes_on_node[node] -= located->start - page;
	if (end > located->end)
		located->bytes_on_node[node] -= end - located->end;
}

/* At most N_ASKED pages in one question, with as little around it as can be; how many are present. */
static int ask_dense(struct located *located, uintptr_t start, size_t n)
{
	size_t page = os__page_size();
	int nodes[N_ASKED], n_present = 0, err;

	for (size_t i = 0; i < n; i++)
		located->pages[i] = (void *)(start + i * page);
	err = os__where(located->pages, n, nodes);
	if (err != 0)
		return fail_to_ask(err);
	for (size_t i = 0, first; i < n;) {
		/* Neighbours mostly lie together. */
		int node = nodes[i];

		for (first = i++; i < n && nodes[i] == node; i++)
			;
		if (node < 0)
			continue;
		n_present += (int)(i - first);
		if (node >= located->n_nodes)
			continue;
		located->bytes_on_node[node] += (i - first) * page;
		located->n_pages += i - first;
	}
	cut(located, start, nodes[0]);
	if (n > 1)
		cut(located, start + (n - 1) * page, nodes[n - 1]);
	return n_present;
}

/* Page by page, as long as that finds pages. */
static int add_dense(struct located *located, uintptr_t start, uintptr_t end)
{
	int n_present = ask(located);

	while (start < end && n_present >= 0) {
		size_t n = (end - start) / os__page_size();

		if (n > N_ASKED)
			n = N_ASKED;
		n_present = ask_dense(located, start, n);
		start += n * os__page_size();
		if (n_present >= 0 && (size_t)n_present < n / 2)
			return add_present(located, start, end);
	}
	return n_present < 0 ? n_present : 0;
}

/* A few pages are asked about together with those of other ranges, more than that by themselves, which
   costs a call and saves as much. */
static int add_few(struct located *located, uintptr_t start, uintptr_t end)
{
	size_t n = (end - start) / os__page_size();
	int n_present;

	if (n < PROBE)
		return add(located, start, end, os__page_size());
	n_present = ask(located);
	if (n_present == 0)
		n_present = ask_dense(located, start, n);
	return n_present < 0 ? n_present : 0;
}

static void begin(struct located *located, size_t *bytes_on_node, int n_nodes)
{
	memset(bytes_on_node, 0, (size_t)n_nodes * sizeof(*bytes_on_node));
	located->bytes_on_node = bytes_on_node;
	located->n_nodes = n_nodes;
	located->n_pages = 0;
	located->n = 0;
	located->handle = -1;
}

/* Locates one range; nothing is left to be asked about afterwards. */
static int locate(struct located *located, uintptr_t start, size_t size)
{
	size_t page = os__page_size();
	uintptr_t first = start & ~(page - 1), end;
	int err;

	located->start = start;
	located->end = start + size;
	end = (located->end + page - 1) & ~(page - 1);
	if (end < located->end) /* the last page of the address space */
		end = located->end & ~(page - 1);
	if ((end - first) / page <= FEW_PAGES)
		err = add_few(located, first, end);
	else if (located->handle < 0)
		err = add(located, first, end, page);
	else {
		if (first < USER_END && end > USER_END)
			end = USER_END;
		err = starts_dense(located, first, end) ? add_dense(located, first, end) :
			add_present(located, first, end);
	}
	return err != 0 ? err : ask(located);
}

static size_t pages_touched(uintptr_t start, size_t size)
{
	size_t page = os__page_size();

	return size == 0 ? 0 : (start + size - 1) / page - start / page + 1;
}

static int rest(size_t n_pages, const struct located *located)
{
	size_t n = n_pages > located->n_pages ? n_pages - located->n_pages : 0;

	return n > INT_MAX ? INT_MAX : (int)n;
}

static int check_nodes(const size_t *bytes_on_node, int n_nodes, const char *who)
{
	if (bytes_on_node == NULL || n_nodes <= 0)
		return error__set(EINVAL, "%s: no array of nodes to fill", who);
	return 0;
}

static int check_range(const void *ptr, size_t size, const char *who)
{
	if (size > UINTPTR_MAX - (uintptr_t)ptr)
		return error__set(EINVAL, "%s: %zu bytes at %p wrap", who, size, ptr);
	return 0;
}

int situs_locate(const void *ptr, size_t size, size_t *bytes_on_node, int n_nodes)
{
	struct located located;
	int err = check_nodes(bytes_on_node, n_nodes, "situs_locate");

	if (err == 0)
		err = check_range(ptr, size, "situs_locate");
	if (err != 0)
		return err;
	begin(&located, bytes_on_node, n_nodes);
	if (size == 0)
		return 0;
	if (pages_touched((uintptr_t)ptr, size) > FEW_PAGES)
		located.handle = os__present_open();
	err = locate(&located, (uintptr_t)ptr, size);
	os__present_close(located.handle);
	return err != 0 ? err : rest(pages_touched((uintptr_t)ptr, size), &located);
}

/* Neighbouring extents are located as one range. */
struct heap_walk {
	struct located located;
	uintptr_t start, end;
	size_t n_pages;
};

static int locate_run(struct heap_walk *walk)
{
	size_t size = walk->end - walk->start;

	walk->n_pages += pages_touched(walk->start, size);
	return size == 0 ? 0 : locate(&walk->located, walk->start, size);
}

static int add_extent(const struct situs_extent *extent, void *arg)
{
	struct heap_walk *walk = arg;
	int err = 0;

	if ((uintptr_t)extent->start != walk->end) {
		err = locate_run(walk);
		walk->start = (uintptr_t)extent->start;
	}
	walk->end = (uintptr_t)extent->start + extent->size;
	return err;
}

int situs_heap_locate(situs_heap_t *heap, size_t *bytes_on_node, int n_nodes)
{
	struct heap_walk walk;
	int err = registry__check(heap, "situs_heap_locate");

	if (err == 0)
		err = check_nodes(bytes_on_node, n_nodes, "situs_heap_locate");
	if (err != 0)
		return err;
	walk.start = walk.end = 0;
	walk.n_pages = 0;
	begin(&walk.located, bytes_on_node, n_nodes);
	walk.located.handle = os__present_open();
	err = situs_heap_iterate(heap, add_extent, &walk);
	if (err == 0)
		err = locate_run(&walk);
	os__present_close(walk.located.handle);
	return err != 0 ? err : rest(walk.n_pages, &walk.located);
}

/* By sample */

/* Steele, Lea, Flood: Fast splittable pseudorandom number generators (2014). */
static uint64_t next_random(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

/* How far off a share may be that was found for k of n pages: 95 % of the normal distribution, and the
   rule of three where that would claim certainty. */
static double share_error(size_t k, size_t n)
{
	double p = (double)k / (double)n, error = 1.96 * sqrt(p * (1 - p) / (double)n);
	double least = 3 / (double)n;

	return error > least ? error : least;
}

static int sample(struct located *located, uintptr_t start, size_t n_pages, size_t n_samples)
{
	size_t page = os__page_size();
	uint64_t state = start ^ n_samples;
	int err = 0;

	located->start = start & ~(page - 1);
	located->end = located->start + n_pages * page;
	for (size_t i = 0; i < n_samples && err == 0; i++) {
		size_t from = (size_t)((__uint128_t)n_pages * i / n_samples);
		size_t to = (size_t)((__uint128_t)n_pages * (i + 1) / n_samples);
		uintptr_t at = located->start + (from + next_random(&state) % (to - from)) * page;

		err = add(located, at, at + page, page);
	}
	return err != 0 ? err : ask(located);
}

/* Turns bytes of samples into bytes of the range; how far off the worst of them may be. */
static size_t scale(struct located *located, size_t size, size_t n_samples)
{
	size_t page = os__page_size();
	double worst = share_error(located->n_pages, n_samples);

	for (int node = 0; node < located->n_nodes; node++) {
		size_t k = located->bytes_on_node[node] / page;
		double error = share_error(k, n_samples);

		worst = error > worst ? error : worst;
		located->bytes_on_node[node] = (size_t)((__uint128_t)size * k / n_samples);
	}
	return (size_t)((double)size * worst);
}

int situs_locate_sampled(const void *ptr, size_t size, size_t n_samples, size_t *bytes_on_node,
	int n_nodes, size_t *error)
{
	size_t n_pages = pages_touched((uintptr_t)ptr, size);
	struct located located;
	int err = check_nodes(bytes_on_node, n_nodes, "situs_locate_sampled");

	if (err == 0)
		err = check_range(ptr, size, "situs_locate_sampled");
	if (err == 0 && (n_samples == 0 || error == NULL))
		err = error__set(EINVAL, "situs_locate_sampled: %s",
			error == NULL ? "error is NULL" : "no samples asked for");
	if (err != 0)
		return err;
	if (n_pages <= n_samples) {
		err = situs_locate(ptr, size, bytes_on_node, n_nodes);
		if (err >= 0)
			*error = 0;
		return err;
	}
	begin(&located, bytes_on_node, n_nodes);
	err = sample(&located, (uintptr_t)ptr, n_pages, n_samples);
	if (err != 0)
		return err;
	*error = scale(&located, size, n_samples);
	located.n_pages = (size_t)((__uint128_t)n_pages * located.n_pages / n_samples);
	return rest(n_pages, &located);
}
