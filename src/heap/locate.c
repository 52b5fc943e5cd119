/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * locate.c - on which nodes the pages of a range are, as the kernel tells it.
 *
 * A range costs what its present pages cost, however large it is: which pages there are is found out first.
 * Of many, page tables say for a part of them whether these are present and small, or huge, or absent for
 * long (os/present.h). Small pages side by side are asked about one and all, until absent ones among them are
 * not few; then mincore tells these apart, which costs a thirtieth of asking where a page lies. Page tables cost a
 * third of that, and absent pages nearly as much as others. What neither will tell is asked about page by
 * page. All ranges of a heap share questions. Nothing is touched and no lock is held. A failure has not
 * touched the caller's array either.
 */
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>

#include "area/linux.h"
#include "base/error.h"
#include "heap/heap.h"
#include "heap/locate.h"
#include "heap/registry.h"
#include "heap/stats.h"
#include "os/os.h"
#include "os/present.h"

enum {
	N_ASKED = 1024, /* pages in one call; larger batches are no faster */
	N_PIECES = 128,
	N_RUNS = 128,
	PROBE = 64, /* pages that say what a range is like */
	PRESENT_LEAST = 4, /* one page in so many is worth a look at each */
	ABSENT_MOST = 16,  /* one page in so many is not worth finding out which it is */
	FEW_PAGES = 512,
};

/* End of the addresses that a mapping without a hint can have. */
#define USER_END ((uintptr_t)1 << 47)

/* Pages of a question that follow each other: every `step` bytes one, all but the first at multiples. */
struct piece {
	uintptr_t start, end;
	size_t step, n;
};

/* What page tables say of a range. */
struct told {
	size_t n_small; /* present pages that are not huge */
	bool any_huge;
};

struct located {
	uintptr_t start, end; /* the range asked for; pages count as far as they lie in it */
	int n_nodes;          /* that are wanted, and that there can be: the rest of the caller's array is 0 */
	size_t bytes_on_node[OS_MAX_NODES];
	size_t n_pages; /* on these nodes */
	int handle;     /* page tables; negative: cannot be read, or not opened yet */
	bool is_opened;
	bool has_gaps; /* absent pages have been met, and not few */

	/* The next question. */
	size_t n, n_pieces;
	void *pages[N_ASKED];
	struct piece pieces[N_PIECES];
};

static void count_run(struct located *located, uintptr_t start, uintptr_t end, int node)
{
	if (node >= located->n_nodes)
		return;
	located->n_pages += (end - start) / os__page_size();
	if (start < located->start)
		start = located->start;
	if (end > located->end)
		end = located->end;
	located->bytes_on_node[node] += end - start;
}

/* How many of its pages are absent. */
static size_t count_piece(struct located *located, const struct piece *piece, const int *nodes)
{
	uintptr_t base = piece->start & ~(piece->step - 1), start = piece->start, end;
	size_t n_absent = 0;

	for (size_t i = 0, first; i < piece->n; start = end) {
		/* Neighbours mostly lie together. */
		int node = nodes[i];

		for (first = i++; i < piece->n && nodes[i] == node; i++)
			;
		end = i == piece->n ? piece->end : base + i * piece->step;
		if (node < 0)
			n_absent += i - first;
		else
			count_run(located, start, end, node);
	}
	return n_absent;
}

int locate__fail_to_ask(int err)
{
	if (linux__may_not(err, "move_pages", NULL))
		return err;
	return error__set(-err, "asking the kernel where pages are: %s", os__strerror(err));
}

static int ask(struct located *located)
{
	int nodes[N_ASKED];
	const int *told = nodes;
	size_t n_absent = 0;
	int err;

	if (located->n == 0)
		return 0;
	err = os__where(located->pages, located->n, nodes);
	if (err != 0)
		return locate__fail_to_ask(err);
	for (size_t i = 0; i < located->n_pieces; told += located->pieces[i++].n)
		n_absent += count_piece(located, &located->pieces[i], told);
	located->has_gaps = located->has_gaps || n_absent > located->n / ABSENT_MOST;
	located->n = located->n_pieces = 0;
	return 0;
}

/* As many as there is room for; where to go on. */
static uintptr_t add_piece(struct located *located, uintptr_t start, uintptr_t end, size_t step)
{
	/* Huge pages are aligned, the range need not be. */
	uintptr_t base = start & ~(step - 1);
	size_t n = (end - base + step - 1) / step, room = N_ASKED - located->n;
	void **pages = located->pages + located->n;

	if (n > room) {
		n = room;
		end = base + n * step;
	}
	pages[0] = (void *)start;
	for (size_t i = 1; i < n; i++)
		pages[i] = (void *)(base + i * step);
	located->pieces[located->n_pieces++] = (struct piece){start, end, step, n};
	located->n += n;
	return end;
}

static int add(struct located *located, uintptr_t start, uintptr_t end, size_t step)
{
	int err = 0;

	while (start < end && err == 0) {
		start = add_piece(located, start, end, step);
		if (located->n == N_ASKED || located->n_pieces == N_PIECES)
			err = ask(located);
	}
	return err;
}

/* Adds what the page tables say of a range, or all of it where they say nothing. */
static int add_told(struct located *located, uintptr_t start, uintptr_t end, struct told *told)
{
	struct os_run runs[N_RUNS];
	int err = 0;

	while (start < end && err == 0) {
		int n = os__present_runs(located->handle, &start, end, runs, N_RUNS);

		if (n < 0) {
			told->n_small += (end - start) / os__page_size();
			return add(located, start, end, os__page_size());
		}
		for (int i = 0; i < n && err == 0; i++) {
			bool is_huge = runs[i].huge && OS_HUGE_STEP != 0;

			told->any_huge = told->any_huge || is_huge;
			told->n_small += is_huge ? 0 : (runs[i].end - runs[i].start) / os__page_size();
			err = add(located, runs[i].start, runs[i].end, is_huge ? OS_HUGE_STEP : os__page_size());
		}
	}
	return err;
}

/* The pages of [*start, end) that may be present; how many these are, with *start moved to where to go on. */
static int add_some(struct located *located, uintptr_t *start, uintptr_t end)
{
	struct os_run runs[N_RUNS];
	uintptr_t at = *start;
	int n = os__resident_runs(start, end, runs, N_RUNS), n_pages = 0, err = 0;

	/* Not all of it is mapped: that much is asked about, and page tables may know where to go on. */
	if (n < 0) {
		size_t size = N_ASKED * os__page_size();

		*start = end - at > size ? at + size : end;
		return add(located, at, *start, os__page_size());
	}
	for (int i = 0; i < n && err == 0; i++) {
		n_pages += (int)((runs[i].end - runs[i].start) / os__page_size());
		err = add(located, runs[i].start, runs[i].end, os__page_size());
	}
	located->has_gaps = (size_t)n_pages < (*start - at) / os__page_size() * (ABSENT_MOST - 1) / ABSENT_MOST;
	return err != 0 ? err : n_pages;
}

/* All pages, as many as there is room for. */
static int add_all(struct located *located, uintptr_t *start, uintptr_t end)
{
	size_t size = (N_ASKED - located->n) * os__page_size();
	uintptr_t at = *start;

	*start = end - at > size ? at + size : end;
	return add(located, at, *start, os__page_size());
}

/* Page by page, as long as that finds pages; *start is where to go on. */
static int add_dense(struct located *located, uintptr_t *start, uintptr_t end)
{
	int err = 0;

	while (*start < end && err == 0) {
		uintptr_t at = *start;
		bool is_told = located->has_gaps;
		int n = is_told ? add_some(located, start, end) : add_all(located, start, end);

		if (n >= 0 && is_told && (size_t)n < (*start - at) / os__page_size() / PRESENT_LEAST)
			break;
		err = n < 0 ? n : 0;
	}
	return err;
}

/* A look at the page tables, further each time, until that shows small pages side by side. */
static int add_many(struct located *located, uintptr_t start, uintptr_t end)
{
	size_t size = PROBE * os__page_size();
	int err = 0;

	while (start < end && err == 0) {
		uintptr_t stop = end - start > size ? start + size : end;
		size_t least = (stop - start) / os__page_size() / PRESENT_LEAST;
		struct told told = {0, false};

		err = add_told(located, start, stop, &told);
		start = stop;
		size = size > UINTPTR_MAX / 4 ? size : size * 2;
		if (err == 0 && !told.any_huge && told.n_small >= least) {
			err = add_dense(located, &start, end);
			size = PROBE * os__page_size();
		}
	}
	return err;
}

static int add_few(struct located *located, uintptr_t start, uintptr_t end)
{
	int n = 0;

	while (start < end && n >= 0)
		n = located->has_gaps ? add_some(located, &start, end) : add_all(located, &start, end);
	return n < 0 ? n : 0;
}

/* Whole pages. Some may be left to be asked about together with those of the next range. */
static int add_range(struct located *located, uintptr_t start, uintptr_t end)
{
	if ((end - start) / os__page_size() < PROBE)
		return add(located, start, end, os__page_size());
	if ((end - start) / os__page_size() <= FEW_PAGES)
		return add_few(located, start, end);
	if (!located->is_opened)
		located->handle = os__present_open();
	located->is_opened = true;
	if (start < USER_END && end > USER_END)
		end = USER_END;
	if (located->handle < 0)
		return add_few(located, start, end);
	return add_many(located, start, end);
}

static void begin(struct located *located, int n_nodes)
{
	located->start = 0;
	located->end = UINTPTR_MAX;
	located->n_nodes = n_nodes < OS_MAX_NODES ? n_nodes : OS_MAX_NODES;
	memset(located->bytes_on_node, 0, (size_t)located->n_nodes * sizeof(located->bytes_on_node[0]));
	located->n_pages = 0;
	located->n = located->n_pieces = 0;
	located->handle = -1;
	located->is_opened = located->has_gaps = false;
}

/* Asks about what is left. */
static int finish(struct located *located, int err)
{
	if (err == 0)
		err = ask(located);
	os__present_close(located->handle);
	return err;
}

static int locate(struct located *located, uintptr_t start, size_t size)
{
	size_t page = os__page_size();
	uintptr_t end;

	located->start = start;
	located->end = start + size;
	end = (located->end + page - 1) & ~(page - 1);
	if (end < located->end) /* the last page of the address space */
		end = located->end & ~(page - 1);
	return add_range(located, start & ~(page - 1), end);
}

/* The answer: the caller's array, and the pages that lie on none of its nodes. */
static int tell(const struct located *located, size_t n_pages, size_t *bytes_on_node, int n_nodes)
{
	size_t n = n_pages > located->n_pages ? n_pages - located->n_pages : 0;

	memset(bytes_on_node, 0, (size_t)n_nodes * sizeof(*bytes_on_node));
	memcpy(bytes_on_node, located->bytes_on_node, (size_t)located->n_nodes * sizeof(*bytes_on_node));
	return n > INT_MAX ? INT_MAX : (int)n;
}

int locate__check_nodes(const size_t *bytes_on_node, int n_nodes, const char *who)
{
	if (bytes_on_node == NULL || n_nodes <= 0)
		return error__set(EINVAL, "%s: no array of nodes to fill", who);
	return 0;
}

int locate__check_range(const void *ptr, size_t size, const char *who)
{
	if (size > UINTPTR_MAX - (uintptr_t)ptr)
		return error__set(EINVAL, "%s: %zu bytes at %p wrap", who, size, ptr);
	return 0;
}

int situs_locate(const void *ptr, size_t size, size_t *bytes_on_node, int n_nodes)
{
	struct located located;
	int err = locate__check_nodes(bytes_on_node, n_nodes, "situs_locate");

	if (err == 0)
		err = locate__check_range(ptr, size, "situs_locate");
	if (err != 0)
		return err;
	begin(&located, n_nodes);
	if (size != 0)
		err = finish(&located, locate(&located, (uintptr_t)ptr, size));
	return err != 0 ? err : tell(&located, locate__n_pages((uintptr_t)ptr, size), bytes_on_node, n_nodes);
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

	walk->n_pages += locate__n_pages(walk->start, size);
	return size == 0 ? 0 : add_range(&walk->located, walk->start, walk->end);
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
		err = locate__check_nodes(bytes_on_node, n_nodes, "situs_heap_locate");
	if (err != 0)
		return err;
	walk.start = walk.end = 0;
	walk.n_pages = 0;
	begin(&walk.located, n_nodes);
	err = situs_heap_iterate(heap, add_extent, &walk);
	if (err == 0)
		err = locate_run(&walk);
	err = finish(&walk.located, err);
	return err != 0 ? err : tell(&walk.located, walk.n_pages, bytes_on_node, n_nodes);
}
