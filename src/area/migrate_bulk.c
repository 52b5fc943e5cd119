/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * migrate_bulk.c - pages move many at a time, with no lock held.
 *
 * The kernel pays for each call as much as for hundreds of pages, and nearly as much for telling where a
 * page is as for a quarter of moving it. So the page tables say which pages there are (os/present.h),
 * a huge page is named once, pages are moved without being asked about, and what the call says of
 * each is kept, so that the walk that follows asks about the others only.
 *
 * Whether a page was there before is the account's business only. One page in SAMPLE is asked for that;
 * where all of these lie elsewhere, the rest is taken to have lain elsewhere too.
 */
#include <errno.h>
#include <limits.h>

#include "area/chain.h"
#include "area/limit.h"
#include "area/migrate_internal.h"
#include "os/present.h"

enum {
	N_RUNS = 128,
	SAMPLE = 16,
	ROUNDS = 5,
	FEW = 512, /* asked about without a sample */
};

size_t migrate__bulk_size(const struct aml_area *to)
{
	return MIGRATE_BULK_PAGES * limit__inner(chain__link(to, 0))->data->page_size;
}

/* Which pages there are */

static void note(struct migrate_bulk *bulk, const void *page, size_t span, int what)
{
	size_t first = ((uintptr_t)page - bulk->start) / bulk->page_size;

	for (size_t i = first; i < first + span; i++)
		bulk->known[i] = what;
}

static void list(struct migrate_bulk *bulk, uintptr_t start, uintptr_t end, size_t step)
{
	while (start < end) {
		/* Up to the next multiple: huge pages are aligned, the range need not be. */
		uintptr_t next = (start & ~(step - 1)) + step;

		if (next > end)
			next = end;
		bulk->pages[bulk->n_listed] = (void *)start;
		bulk->spans[bulk->n_listed++] = (unsigned short)((next - start) / bulk->page_size);
		start = next;
	}
}

static void list_all(struct migrate_bulk *bulk, uintptr_t end)
{
	bulk->n_listed = 0;
	list(bulk, bulk->start, end, bulk->page_size);
}

/* False: the kernel does not say. */
static bool list_held(struct migrate_bulk *bulk, uintptr_t end)
{
	struct os_run runs[N_RUNS];
	uintptr_t at = bulk->start;

	while (at < end) {
		int n = os__held_runs(bulk->handle, &at, end, runs, N_RUNS);

		if (n < 0)
			return false;
		for (int i = 0; i < n; i++)
			list(bulk, runs[i].start, runs[i].end,
				runs[i].huge && OS_HUGE_STEP != 0 ? OS_HUGE_STEP : bulk->page_size);
	}
	return true;
}

static void list_range(struct migrate_bulk *bulk, uintptr_t end)
{
	if (bulk->handle < 0 || bulk->page_size != os__page_size() || !list_held(bulk, end)) {
		list_all(bulk, end);
		return;
	}
	note(bulk, (void *)bulk->start, bulk->n, MIGRATE_ABSENT);
	for (size_t i = 0; i < bulk->n_listed; i++)
		note(bulk, bulk->pages[i], bulk->spans[i], MIGRATE_UNKNOWN);
}

/* Which of them are to move */

/* Is none of a few of the listed pages home, and can there be no more than one answer? */
static bool all_elsewhere(const struct aml_area_data *data, struct migrate_bulk *bulk)
{
	void *pages[MIGRATE_BULK_PAGES / SAMPLE];
	size_t n = 0;

	if (bulk->n_listed <= FEW || os__nodes_count(migrate__home(data)) != 1)
		return false;
	for (size_t i = 0; i + SAMPLE <= bulk->n_listed; i += SAMPLE)
		pages[n++] = bulk->pages[i];
	if (os__where(pages, n, bulk->at) != 0)
		return false;
	for (size_t i = 0; i < n; i++)
		if (migrate__is_home(data, bulk->at[i]))
			return false;
	return true;
}

/* A huge page counts as one while it is mapped as one. */
static bool is_whole(const struct migrate_bulk *bulk, size_t i)
{
	uintptr_t start = (uintptr_t)bulk->pages[i], end = start + bulk->spans[i] * bulk->page_size;
	uintptr_t at = start;
	struct os_run run;

	return bulk->spans[i] == 1 || (os__present_runs(bulk->handle, &at, end, &run, 1) == 1 &&
		run.huge && run.start == start && run.end == end);
}

/* What the kernel would not say is asked about again by whoever looks at it next. */
static bool drop_home(const struct aml_area_data *data, struct migrate_bulk *bulk)
{
	size_t kept = 0;

	if (os__where(bulk->pages, bulk->n_listed, bulk->at) != 0)
		return false;
	for (size_t i = 0; i < bulk->n_listed; i++) {
		if (bulk->at[i] >= 0 && migrate__is_home(data, bulk->at[i])) {
			if (is_whole(bulk, i))
				note(bulk, bulk->pages[i], bulk->spans[i], bulk->at[i]);
		} else if (bulk->at[i] >= 0) {
			bulk->pages[kept] = bulk->pages[i];
			bulk->spans[kept++] = bulk->spans[i];
		}
	}
	bulk->n_listed = kept;
	return true;
}

/* Moving */

static void settle(struct migrate_bulk *bulk, size_t i, int node, struct migrate_account *account)
{
	if (!is_whole(bulk, i))
		return;
	note(bulk, bulk->pages[i], bulk->spans[i], node);
	COUNT(account, moved, node, bulk->spans[i] * bulk->page_size);
}

/* Where a call stopped early some pages have moved of which it says nothing: those are asked about. */
static void settle_untold(const struct aml_area_data *data, struct migrate_bulk *bulk,
	struct migrate_account *account)
{
	size_t n = bulk->n_listed, kept = 0;

	if (n == 0 || os__where(bulk->pages, n, bulk->at) != 0)
		return;
	for (size_t i = 0; i < n; i++) {
		if (bulk->at[i] >= 0 && migrate__is_home(data, bulk->at[i])) {
			settle(bulk, i, bulk->at[i], account);
		} else {
			bulk->pages[kept] = bulk->pages[i];
			bulk->spans[kept++] = bulk->spans[i];
		}
	}
	bulk->n_listed = kept;
}

/* One call. 0, or what it ended with; what is home now is listed no more. */
static int move_once(const struct aml_area_data *data, struct migrate_bulk *bulk,
	struct migrate_account *account)
{
	int spare = linux__roomiest(migrate__home(data)), err;
	size_t n_untold = 0;

	for (size_t i = 0; i < bulk->n_listed; i++) {
		bulk->to[i] = migrate__node_for(data, bulk->pages[i], spare);
		bulk->status[i] = INT_MIN;
	}
	err = os__move(bulk->pages, bulk->n_listed, bulk->to, bulk->status);
	for (size_t i = 0; i < bulk->n_listed; i++) {
		if (bulk->status[i] == bulk->to[i]) {
			settle(bulk, i, bulk->to[i], account);
		} else {
			bulk->pages[n_untold] = bulk->pages[i];
			bulk->spans[n_untold++] = bulk->spans[i];
		}
	}
	bulk->n_listed = n_untold;
	settle_untold(data, bulk, account);
	return err;
}

static void move_listed(const struct aml_area_data *data, struct migrate_bulk *bulk,
	struct migrate_account *account)
{
	for (int round = 1;; round++) {
		int err = move_once(data, bulk, account);

		if (err != -ENOMEM || bulk->n_listed == 0)
			return;
		if (round == ROUNDS || !os__spares_offer(account->spares, bulk->n_listed * bulk->page_size))
			break;
	}
	bulk->is_full = os__nodes_count(migrate__home(data)) == 1;
}

void migrate__move_bulk(const struct aml_area *to, void *ptr, size_t size, struct migrate_bulk *bulk,
	struct migrate_account *account)
{
	const struct aml_area_data *data = limit__inner(chain__link(to, 0))->data;
	uintptr_t end = (uintptr_t)ptr + size;
	struct ledger_range part;

	bulk->start = (uintptr_t)ptr;
	bulk->page_size = data->page_size;
	bulk->n = size / data->page_size;
	bulk->n_listed = 0;
	bulk->is_full = false;
	note(bulk, ptr, bulk->n, MIGRATE_UNKNOWN);
	/* What later links of a chain have is theirs. */
	if (!migrate__has_nodes(data) || !chain__part(to, (uintptr_t)ptr, end, &part) ||
		part.value != 0 || part.end != end)
		return;
	list_range(bulk, end);
	if (bulk->n_listed != 0 && (all_elsewhere(data, bulk) || drop_home(data, bulk)) &&
		bulk->n_listed != 0)
		move_listed(data, bulk, account);
}
