/* SPDX-License-Identifier: BSD-3-Clause */
#include "area/migrate.h"

#include <errno.h>
#include <limits.h>

#include "area/linux.h"

enum {
	N_PAGES = 512, /* asked about, and moved, in one call */
	ROUNDS = 4,    /* a call ends at the first page that finds no room, so there may be more to come */
};

static bool is_strict(const struct aml_area *area)
{
	return area->ops == &strict__ops;
}

bool migrate__is_possible(const struct aml_area *from, const struct aml_area *to)
{
	return to->ops != NULL && linux__is_plain(from) && linux__is_plain(to) &&
		is_strict(from) == is_strict(to);
}

static bool has_nodes(const struct aml_area_data *data)
{
	return data->mode != OS_POLICY_DEFAULT && data->mode != OS_POLICY_LOCAL;
}

int migrate__adopt(const struct aml_area *to, void *ptr, size_t size)
{
	const struct aml_area_data *data = to->data;

	return os__bind(ptr, size, data->mode, has_nodes(data) ? &data->mode_nodes : NULL, false);
}

/* Where pages may lie; a kernel without PREFERRED_MANY is told fewer nodes than that. */
static const struct os_nodes *home(const struct aml_area_data *data)
{
	return os__nodes_count(&data->nodes) != 0 ? &data->nodes : &data->mode_nodes;
}

/* Where the policy names no nodes every node is home. */
static bool is_home(const struct aml_area_data *data, int node)
{
	return !has_nodes(data) || os__nodes_has(home(data), node);
}

static int roomiest(const struct os_nodes *nodes)
{
	int best = os__nodes_next(nodes, 0);
	size_t best_free = 0;

	for (int node = best; node >= 0; node = os__nodes_next(nodes, node + 1)) {
		size_t total, free;

		if (os__node_memory(node, &total, &free) == 0 && free > best_free) {
			best = node;
			best_free = free;
		}
	}
	return best;
}

/* The node for a page: in turn where the policy spreads, else where there is most room. */
static int target(const struct aml_area_data *data, const void *page, int spare)
{
	const struct os_nodes *nodes = home(data);
	int node = os__nodes_next(nodes, 0);

	if (data->mode != OS_POLICY_INTERLEAVE && data->mode != OS_POLICY_WEIGHTED_INTERLEAVE)
		return spare;
	for (size_t i = (uintptr_t)page / data->page_size % (size_t)os__nodes_count(nodes); i > 0; i--)
		node = os__nodes_next(nodes, node + 1);
	return node;
}

/* Keeps those of n pages that are present and not home; how many. */
static size_t keep_astray(const struct aml_area_data *data, void **pages, const int *nodes, int *status,
	size_t n, size_t *n_home)
{
	size_t kept = 0;

	*n_home = 0;
	for (size_t i = 0; i < n; i++) {
		if (nodes[i] < 0)
			continue;
		if (is_home(data, nodes[i])) {
			++*n_home;
		} else {
			status[kept] = status[i];
			pages[kept++] = pages[i];
		}
	}
	return kept;
}

static void count_left(const struct aml_area_data *data, const int *status, size_t n,
	struct migrate_account *account)
{
	for (size_t i = 0; i < n; i++) {
		/* What a call that stopped early did not get to has no status. */
		if (status[i] == -ENOMEM || status[i] == INT_MIN || status[i] >= 0)
			account->no_room += data->page_size;
		else if (status[i] == -EBUSY || status[i] == -EAGAIN)
			account->busy += data->page_size;
		else
			account->other += data->page_size;
	}
}

static int move_pages_home(const struct aml_area_data *data, void **pages, size_t n,
	struct migrate_account *account)
{
	int nodes[N_PAGES], status[N_PAGES], to[N_PAGES];
	size_t n_home;
	int err = os__where(pages, n, nodes);

	if (err != 0)
		return err;
	n = keep_astray(data, pages, nodes, status, n, &n_home);
	account->already += n_home * data->page_size;
	for (int round = 0; n != 0 && round < ROUNDS; round++) {
		int spare = roomiest(home(data));

		for (size_t i = 0; i < n; i++) {
			to[i] = target(data, pages[i], spare);
			status[i] = INT_MIN;
		}
		err = os__move(pages, n, to, status);
		if (err != 0 && err != -ENOMEM && err != -ENOENT)
			return err;
		err = os__where(pages, n, nodes);
		if (err != 0)
			return err;
		n = keep_astray(data, pages, nodes, status, n, &n_home);
		account->moved += n_home * data->page_size;
		if (n_home == 0 && round > 0)
			break;
	}
	count_left(data, status, n, account);
	return 0;
}

int migrate__move(const struct aml_area *to, void *ptr, size_t size, struct migrate_account *account)
{
	const struct aml_area_data *data = to->data;
	char *page = ptr, *end = page + size;
	void *pages[N_PAGES];
	int err = 0;

	while (page < end && err == 0) {
		size_t n = 0;

		for (; n < N_PAGES && page < end; page += data->page_size)
			pages[n++] = page;
		err = move_pages_home(data, pages, n, account);
	}
	return err;
}
