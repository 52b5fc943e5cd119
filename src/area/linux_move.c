/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * linux_move.c - the pages of a range come to an area's nodes, all of them or none.
 *
 * Pages first, the policy last: what cannot be undone, because nobody keeps a range's old policies, is done
 * when nothing else can fail. Where each page lay is noted before, in memory from the kernel; a page that finds
 * no room, or is held by the kernel, sends the others back. What other threads touch meanwhile comes under the
 * old policy, and is moved after it where that can be done.
 *
 * Failure leaves the policy as it was, and pages where they were, but for those that the kernel will not move
 * back. No locks.
 */
#include "area/linux.h"

#include <errno.h>

#include "area/migrate.h"
#include "area/migrate_internal.h"

enum { N_ASKED = 256 };
enum { NOWHERE = UINT16_MAX };

/* Where the pages of a range lay: a node each, or NOWHERE. */
struct record {
	char *start;
	size_t page_size, n;
	uint16_t *nodes; /* of os__map */
};

static size_t record_size(const struct record *record)
{
	size_t page_size = os__page_size();

	return (record->n * sizeof(record->nodes[0]) + page_size - 1) & ~(page_size - 1);
}

/* The pages from the i-th on, as many as one question takes. */
static size_t list_pages(const struct record *record, size_t i, void **pages)
{
	size_t n = record->n - i < N_ASKED ? record->n - i : N_ASKED;

	for (size_t k = 0; k < n; k++)
		pages[k] = record->start + (i + k) * record->page_size;
	return n;
}

static int fill_record(struct record *record)
{
	void *pages[N_ASKED];
	int nodes[N_ASKED], failed;
	size_t n;

	for (size_t i = 0; i < record->n; i += n) {
		n = list_pages(record, i, pages);
		failed = os__where(pages, n, nodes);
		if (failed != 0)
			return failed;
		for (size_t k = 0; k < n; k++)
			record->nodes[i + k] = nodes[k] < 0 ? NOWHERE : (uint16_t)nodes[k];
	}
	return 0;
}

static int make_record(struct record *record)
{
	void *p;
	int failed = os__map(&p, NULL, record_size(record), OS_MAP_NORESERVE, 0);

	if (failed != 0)
		return failed;
	record->nodes = p;
	failed = fill_record(record);
	if (failed != 0)
		os__unmap(p, record_size(record));
	return failed;
}

static void send_back(const struct record *record)
{
	void *pages[N_ASKED];
	int nodes[N_ASKED], to[N_ASKED];
	size_t n;

	for (size_t i = 0; i < record->n; i += n) {
		size_t n_astray = 0;

		n = list_pages(record, i, pages);
		if (os__where(pages, n, nodes) != 0)
			continue;
		for (size_t k = 0; k < n; k++) {
			int node = record->nodes[i + k];

			if (node == NOWHERE || nodes[k] < 0 || nodes[k] == node)
				continue;
			to[n_astray] = node;
			pages[n_astray++] = pages[k];
		}
		if (n_astray != 0)
			(void)os__move(pages, n_astray, to, nodes);
	}
}

static int set_policy(const struct aml_area_data *data, void *ptr, size_t size)
{
	/* What came meanwhile is moved, if it can be. */
	bool move = data->mode != OS_POLICY_DEFAULT;
	int failed = os__bind(ptr, size, data->mode, migrate__has_nodes(data) ? &data->mode_nodes : NULL,
		move);

	if (linux__may_not(failed, "mbind", data->head.place))
		return -AML_EPERM;
	return failed == 0 ? AML_SUCCESS :
		aml__fail(aml__code(failed), "%s: a policy for %zu bytes at %p: %s", data->head.place, size,
			ptr, os__strerror(failed));
}

struct astray {
	const struct aml_area_data *data;
	void *page;
};

static int find_astray(void *arg, void *page, size_t size, int node)
{
	struct astray *astray = arg;

	(void)size;
	if (node < 0 || migrate__is_home(astray->data, node))
		return 0;
	astray->page = page;
	return 1;
}

/* Says why something stayed behind: of a page asked about alone the kernel tells want of room from the rest. */
static int refuse(const struct aml_area_data *data, void *ptr, size_t size, size_t left)
{
	struct astray astray = {.data = data};
	int node = linux__roomiest(migrate__home(data)), status;
	bool is_full = linux__where(data, ptr, size, find_astray, &astray) == 1 &&
		os__move(&astray.page, 1, &node, &status) == -ENOMEM;

	return aml__fail(is_full ? AML_ENOMEM : AML_EBUSY, "%s: %s of %s at %p %s", data->head.place,
		linux__size(left).text, linux__size(size).text, ptr,
		is_full ? "find no room there" : "are held where they are by the kernel");
}

static int move_pages_home(const struct aml_area_data *data, void *ptr, size_t size)
{
	/* Only the data are looked at. */
	const struct aml_area area = {aml_area_linux.ops, (struct aml_area_data *)(uintptr_t)data};
	struct migrate_account account = {.nodes = NULL};
	int failed = migrate__move_leaf(&area, ptr, size, false, NULL, &account);

	if (linux__may_not(failed, "move_pages", data->head.place))
		return -AML_EPERM;
	if (failed != 0)
		return aml__fail(aml__code(failed), "%s: moving %zu bytes at %p: %s", data->head.place, size,
			ptr, os__strerror(failed));
	return migrate__left(&account.all) == 0 ? AML_SUCCESS :
		refuse(data, ptr, size, migrate__left(&account.all));
}

static int move_whole(const struct aml_area_data *data, void *ptr, size_t size)
{
	struct record record = {.start = ptr, .page_size = data->page_size, .n = size / data->page_size};
	int failed = make_record(&record);

	if (linux__may_not(failed, "move_pages", data->head.place))
		return -AML_EPERM;
	if (failed != 0)
		return aml__fail(aml__code(failed), "%s: asking where %zu bytes at %p are: %s", data->head.place,
			size, ptr, os__strerror(failed));
	failed = move_pages_home(data, ptr, size);
	if (failed == AML_SUCCESS)
		failed = set_policy(data, ptr, size);
	if (failed != AML_SUCCESS)
		send_back(&record);
	os__unmap(record.nodes, record_size(&record));
	return failed;
}

int linux__move(const struct aml_area_data *data, void *ptr, size_t size)
{
	if (linux__check_ours(data, ptr, size) != AML_SUCCESS)
		return -AML_EINVAL;
	return migrate__has_nodes(data) ? move_whole(data, ptr, size) : set_policy(data, ptr, size);
}
