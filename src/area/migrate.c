/* SPDX-License-Identifier: BSD-3-Clause */
#include "area/migrate.h"

#include <errno.h>
#include <limits.h>

#include "area/chain.h"
#include "area/limit.h"
#include "area/linux.h"
#include "area/migrate_internal.h"
#include "area/passage.h"

enum {
	N_PAGES = 512, /* asked about, and moved, in one call */
	ROUNDS = 4,    /* a call ends at the first page that finds no room, so there may be more to come */
};

bool migrate__has_nodes(const struct aml_area_data *data)
{
	return data->mode != OS_POLICY_DEFAULT && data->mode != OS_POLICY_LOCAL;
}

const struct os_nodes *migrate__home(const struct aml_area_data *data)
{
	return os__nodes_count(&data->nodes) != 0 ? &data->nodes : &data->mode_nodes;
}

bool migrate__is_home(const struct aml_area_data *data, int node)
{
	return !migrate__has_nodes(data) || os__nodes_has(migrate__home(data), node);
}

int migrate__node_for(const struct aml_area_data *data, const void *page, int spare)
{
	const struct os_nodes *nodes = migrate__home(data);
	int node = os__nodes_next(nodes, 0);

	if (data->mode != OS_POLICY_INTERLEAVE && data->mode != OS_POLICY_WEIGHTED_INTERLEAVE)
		return spare;
	for (size_t i = (uintptr_t)page / data->page_size % (size_t)os__nodes_count(nodes); i > 0; i--)
		node = os__nodes_next(nodes, node + 1);
	return node;
}

void migrate__count(struct migrate_account *account, size_t figure, int node, size_t size)
{
	*(size_t *)(void *)((char *)&account->all + figure) += size;
	if (account->nodes != NULL && node >= 0 && node < OS_MAX_NODES)
		*(size_t *)(void *)((char *)&account->nodes[node] + figure) += size;
}

static void add(struct migrate_figures *to, const struct migrate_figures *figures)
{
	to->moved += figures->moved;
	to->already += figures->already;
	to->no_room += figures->no_room;
	to->busy += figures->busy;
	to->other += figures->other;
}

void migrate__add(struct migrate_account *to, const struct migrate_account *account)
{
	add(&to->all, &account->all);
	for (int i = 0; i < OS_MAX_NODES && to->nodes != NULL && account->nodes != NULL; i++)
		add(&to->nodes[i], &account->nodes[i]);
}

/* A batch of pages that are not home: which, where each is, and what the last call said of it. */
struct batch {
	size_t n;
	void *pages[N_PAGES];
	int at[N_PAGES], status[N_PAGES];
};

/* Keeps the pages that are present and not home; `home_figure` counts the others. */
static size_t keep_astray(const struct aml_area_data *data, struct batch *batch, size_t home_figure,
	struct migrate_account *account)
{
	size_t kept = 0, n_home = 0;

	for (size_t i = 0; i < batch->n; i++) {
		if (batch->at[i] < 0)
			continue;
		if (migrate__is_home(data, batch->at[i])) {
			migrate__count(account, home_figure, batch->at[i], data->page_size);
			n_home++;
		} else {
			batch->pages[kept] = batch->pages[i];
			batch->at[kept] = batch->at[i];
			batch->status[kept++] = batch->status[i];
		}
	}
	batch->n = kept;
	return n_home;
}

/*
 * found_none: the last call ended where it found no room. One that ends at a page which the kernel does not get
 * hold of says nothing either of the pages that it did not get to (mm/migrate.c, move_pages_and_store_status).
 */
static void count_left(const struct aml_area_data *data, const struct batch *batch, bool found_none,
	struct migrate_account *account)
{
	for (size_t i = 0; i < batch->n; i++) {
		int status = batch->status[i], node = batch->at[i];

		bool is_untold = status == INT_MIN || status >= 0;

		if (status == -ENOMEM || (is_untold && found_none))
			COUNT(account, no_room, node, data->page_size);
		else if (status == -EBUSY || status == -EAGAIN || is_untold)
			COUNT(account, busy, node, data->page_size);
		else
			COUNT(account, other, node, data->page_size);
	}
}

/* Where the pages of a batch are after a call that was to move them. What the call said of a page that
   did not get where it was to go is not always so: the second half of a huge page is "busy". */
static int find_again(const struct aml_area_data *data, struct batch *batch)
{
	void *pages[N_PAGES];
	int at[N_PAGES];
	size_t n = 0, k = 0;
	int err;

	for (size_t i = 0; i < batch->n; i++)
		if (!migrate__is_home(data, batch->status[i]))
			pages[n++] = batch->pages[i];
	err = n == 0 ? 0 : os__where(pages, n, at);
	if (err != 0)
		return err;
	for (size_t i = 0; i < batch->n; i++)
		batch->at[i] = migrate__is_home(data, batch->status[i]) ? batch->status[i] : at[k++];
	return 0;
}

void migrate__take_spares(const struct aml_area *to, struct os_spares *spares)
{
	struct os_nodes nodes = {{0}};

	for (int i = 0; i < chain__n_links(to); i++) {
		const struct aml_area_data *data = limit__inner(chain__link(to, i))->data;
		const struct os_nodes *home = migrate__home(data);

		for (int node = os__nodes_next(home, 0); node >= 0 && data->page_size == os__page_size();
			node = os__nodes_next(home, node + 1))
			os__nodes_add(&nodes, node);
	}
	os__spares_take(spares, &nodes);
}

/* is_full: it is known that none can move, and asking the kernel again would take it long. */
static int move_batch(const struct aml_area_data *data, struct batch *batch, bool is_full,
	struct migrate_account *account)
{
	int to[N_PAGES], rounds = is_full ? 0 : ROUNDS, err = os__where(batch->pages, batch->n, batch->at);
	bool found_none = is_full;

	if (err != 0)
		return err;
	for (size_t i = 0; i < batch->n; i++)
		batch->status[i] = INT_MIN;
	keep_astray(data, batch, offsetof(struct migrate_figures, already), account);
	for (int round = 0; batch->n != 0 && round < rounds; round++) {
		int spare = linux__roomiest(migrate__home(data));
		size_t n_home;

		for (size_t i = 0; i < batch->n; i++) {
			to[i] = migrate__node_for(data, batch->pages[i], spare);
			batch->status[i] = INT_MIN;
		}
		err = os__move(batch->pages, batch->n, to, batch->status);
		if (err != 0 && err != -ENOMEM && err != -ENOENT)
			return err;
		found_none = err == -ENOMEM;
		err = find_again(data, batch);
		if (err != 0)
			return err;
		n_home = keep_astray(data, batch, offsetof(struct migrate_figures, moved), account);
		if (n_home == 0 && round > 0 &&
			!(found_none && os__spares_offer(account->spares, batch->n * data->page_size)))
			break;
	}
	count_left(data, batch, found_none, account);
	return 0;
}

/* Making what is missing */

/* What a full node has on processors' lists is asked for as when pages move. */
static bool fill_home(const struct aml_area_data *data, char *start, size_t size, size_t missing,
	struct os_spares *spares)
{
	for (int round = 0; round < ROUNDS; round++) {
		if (strict__fill(data, start, size) == AML_SUCCESS)
			return true;
		if (!os__spares_offer(spares, missing))
			break;
	}
	return false;
}

/* The range is one batch. What could not be made where it belongs found no room. */
static int fill_batch(const struct aml_area_data *data, char *start, size_t size,
	struct migrate_account *account)
{
	size_t n = size / data->page_size, n_missing = 0;
	int before[N_PAGES], after[N_PAGES], err;
	void *pages[N_PAGES];

	for (size_t i = 0; i < n; i++)
		pages[i] = start + i * data->page_size;
	err = os__where(pages, n, before);
	for (size_t i = 0; i < n && err == 0; i++)
		n_missing += before[i] < 0;
	if (err != 0 || n_missing == 0 ||
		fill_home(data, start, size, n_missing * data->page_size, account->spares))
		return err;
	err = os__where(pages, n, after);
	for (size_t i = 0; i < n && err == 0; i++)
		if (before[i] < 0 && !(after[i] >= 0 && migrate__is_home(data, after[i])))
			COUNT(account, no_room, after[i], data->page_size);
	return err;
}

static int known(const struct migrate_bulk *bulk, uintptr_t page)
{
	if (bulk == NULL || page < bulk->start || page >= bulk->start + bulk->n * bulk->page_size)
		return MIGRATE_UNKNOWN;
	return bulk->known[(page - bulk->start) / bulk->page_size];
}

/* The next batch from *page on: of what is known, no more is to be done than to count it. */
static void gather(const struct aml_area_data *data, struct batch *batch, char **page, const char *end,
	const struct migrate_bulk *bulk, struct migrate_account *account)
{
	for (batch->n = 0; batch->n < N_PAGES && *page < end; *page += data->page_size) {
		int node = known(bulk, (uintptr_t)*page);

		if (node == MIGRATE_UNKNOWN)
			batch->pages[batch->n++] = *page;
		else if (node >= 0)
			COUNT(account, already, node, data->page_size);
	}
}

int migrate__move_leaf(const struct aml_area *leaf, void *ptr, size_t size, bool fill,
	const struct migrate_bulk *bulk, struct migrate_account *account)
{
	const struct aml_area *memory = limit__inner(leaf);
	const struct aml_area_data *data = memory->data;
	char *page = ptr, *end = page + size;
	int err = 0;

	fill = fill && memory->ops == &strict__ops;
	while (page < end && err == 0) {
		struct batch batch;
		char *start = page;

		/* What is to be filled has to be asked about anyway, batch by batch. */
		gather(data, &batch, &page, end, fill ? NULL : bulk, account);
		if (batch.n != 0)
			err = move_batch(data, &batch, bulk != NULL && bulk->is_full, account);
		if (err == 0 && fill)
			err = fill_batch(data, start, (size_t)(page - start), account);
	}
	return err;
}

/* Chains. What comes of a page is known only when the last link has been asked, so pages are counted by
   where they were before and are after. */

struct trip {
	const struct aml_area *to;
	bool fill;
	struct os_spares *spares;
	const struct migrate_bulk *bulk; /* knows of pages of the first link only */
	size_t n, page_size;
	void *pages[N_PAGES];
	int before[N_PAGES], after[N_PAGES];
	bool is_known; /* all that `before` says, and nothing has moved since */
	struct migrate_figures last; /* of the last attempt that left something behind */
};

/* Moves a range to the link that has it. 1: all of it is there; 0; or a negative errno. */
static int attempt(struct trip *trip, const struct ledger_range *part)
{
	struct migrate_account mine = {.spares = trip->spares};
	int err = migrate__move_leaf(chain__link(trip->to, (int)part->value), (void *)part->start,
		part->end - part->start, trip->fill, part->value == 0 ? trip->bulk : NULL, &mine);

	if (err != 0)
		return err;
	if (migrate__left(&mine.all) == 0)
		return 1;
	trip->last = mine.all;
	return 0;
}

/* Has the attempt at the whole part, of which `after` tells, brought all of a step to its link? */
static bool is_there(const struct trip *trip, const struct ledger_range *step)
{
	const struct aml_area_data *data = limit__inner(chain__link(trip->to, (int)step->value))->data;
	size_t i = (step->start - (uintptr_t)trip->pages[0]) / trip->page_size;
	size_t end = (step->end - (uintptr_t)trip->pages[0]) / trip->page_size;

	for (; i < end; i++)
		if (trip->after[i] < 0 ? trip->fill : !migrate__is_home(data, trip->after[i]))
			return false;
	return true;
}

/* Hands a step to the first of the later links that takes all of it: 1; or 0, or a negative errno. */
static int hand_on(struct trip *trip, const struct ledger_range *step, bool is_full[AREA_MAX_LINKS])
{
	int result = 0;

	for (int i = (int)step->value + 1; i < chain__n_links(trip->to) && result == 0; i++) {
		struct migrate_account attempt = {.spares = trip->spares};

		if (is_full[i])
			continue;
		result = passage__offer(trip->to, (void *)step->start, step->end - step->start, i, trip->fill,
			&attempt);
		is_full[i] = result == 0 && attempt.all.no_room != 0;
		if (result == 0 && migrate__left(&attempt.all) != 0)
			trip->last = attempt.all;
	}
	return result;
}

/*
 * What does not find room goes on in steps. A link that was full is not asked again for the same part: the kernel
 * looks for pages to reclaim each time, which takes as long as hundreds of moves.
 */
static int attempt_steps(struct trip *trip, const struct ledger_range *part)
{
	bool is_full[AREA_MAX_LINKS] = {false};
	size_t size = passage__step(trip->to);
	struct ledger_range step = *part;
	int result = os__where(trip->pages, trip->n, trip->after);

	is_full[part->value] = trip->last.no_room != 0;
	for (; step.start < part->end && result >= 0; step.start = step.end) {
		step.end = part->end - step.start < size ? part->end : step.start + size;
		result = is_full[part->value] ? is_there(trip, &step) : attempt(trip, &step);
		if (result == 0)
			result = hand_on(trip, &step, is_full);
	}
	return result < 0 ? result : 0;
}

static int count_trip(struct trip *trip, const struct ledger_range *whole,
	struct migrate_account *account)
{
	size_t left = trip->last.no_room != 0 ? offsetof(struct migrate_figures, no_room) :
		trip->last.busy != 0 ? offsetof(struct migrate_figures, busy) :
		offsetof(struct migrate_figures, other);
	struct ledger_range part = {0, 0, 0};
	const int *after = trip->is_known ? trip->before : trip->after;
	int err = trip->is_known ? 0 : os__where(trip->pages, trip->n, trip->after);

	for (size_t i = 0; i < trip->n && err == 0; i++) {
		uintptr_t page = (uintptr_t)trip->pages[i];
		const struct aml_area_data *data;

		if (page >= part.end && !chain__part(trip->to, page, whole->end, &part))
			break;
		data = limit__inner(chain__link(trip->to, (int)part.value))->data;
		if (after[i] < 0 || (trip->before[i] < 0 && !trip->fill))
			continue;
		if (!migrate__is_home(data, after[i]))
			migrate__count(account, left, after[i], trip->page_size);
		else if (trip->before[i] == after[i])
			COUNT(account, already, after[i], trip->page_size);
		else if (trip->before[i] >= 0)
			COUNT(account, moved, after[i], trip->page_size);
	}
	return err;
}

/* Where the pages of a part are before anything is done with them. */
static int look_before(struct trip *trip, const struct ledger_range *part)
{
	trip->page_size = limit__inner(chain__link(trip->to, 0))->data->page_size;
	trip->is_known = part->value == 0 && !trip->fill;
	for (uintptr_t at = part->start; at < part->end; at += trip->page_size) {
		trip->before[trip->n] = known(trip->bulk, at);
		trip->is_known = trip->is_known && trip->before[trip->n] != MIGRATE_UNKNOWN;
		trip->pages[trip->n++] = (void *)at;
	}
	return trip->is_known ? 0 : os__where(trip->pages, trip->n, trip->before);
}

static int move_part(const struct aml_area *to, const struct ledger_range *part, bool fill,
	const struct migrate_bulk *bulk, struct migrate_account *account)
{
	struct trip trip = {.to = to, .fill = fill, .spares = account->spares, .bulk = bulk};
	int result = look_before(&trip, part);

	if (result == 0)
		result = attempt(&trip, part);
	if (result == 0)
		result = attempt_steps(&trip, part);
	return result < 0 ? result : count_trip(&trip, part, account);
}

/* Parts of one link, and no more than a batch. */
static int move_chain(const struct aml_area *to, uintptr_t at, uintptr_t end, bool fill,
	const struct migrate_bulk *bulk, struct migrate_account *account)
{
	size_t most = N_PAGES * limit__inner(chain__link(to, 0))->data->page_size;
	struct ledger_range part;
	int err = 0;

	for (; err == 0 && at < end; at = part.end) {
		if (!chain__part(to, at, end - at < most ? end : at + most, &part))
			break;
		err = move_part(to, &part, fill, bulk, account);
	}
	return err;
}

int migrate__move(const struct aml_area *to, void *ptr, size_t size, bool fill,
	const struct migrate_bulk *bulk, struct migrate_account *account)
{
	if (chain__n_links(to) == 1)
		return migrate__move_leaf(to, ptr, size, fill, bulk, account);
	return move_chain(to, (uintptr_t)ptr, (uintptr_t)ptr + size, fill, bulk, account);
}
