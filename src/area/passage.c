/* SPDX-License-Identifier: BSD-3-Clause */
#include "area/passage.h"

#include <errno.h>

#include "area/chain.h"
#include "area/limit.h"
#include "area/linux.h"
#include "area/migrate.h"
#include "base/error.h"

/* The memory below limits. */
static const struct aml_area_data *memory_of(const struct aml_area *link)
{
	return limit__inner(link)->data;
}

/* Can it pass? */

/* What a link calls itself; areas made elsewhere do not say. */
static const char *place_of(const struct aml_area *area, const char *which)
{
	if (area->ops == NULL || area->ops->fprintf != area__fprintf)
		return which;
	return ((const struct area_head *)area->data)->place;
}

static int check_kind(const struct aml_area *area, const char *which, size_t *page_size)
{
	for (int i = 0; i < chain__n_links(area); i++) {
		const struct aml_area *link = limit__inner(chain__link(area, i));

		if (!linux__is_anonymous(link))
			return error__set(ENOTSUP, "impossible in place: only anonymous memory can pass from area "
				"to area, and %s is of another kind; situs_realloc into a heap of the new "
				"place copies block by block", place_of(link, which));
		if (*page_size == 0)
			*page_size = link->data->page_size;
		if (link->data->page_size != *page_size)
			return error__set(ENOTSUP, "pages of %s cannot become pages of %s: impossible in place; "
				"situs_realloc into a heap of the new place copies block by block",
				linux__size(*page_size).text, linux__size(link->data->page_size).text);
	}
	return 0;
}

static int check_nodes(const struct aml_area *area, const struct os_nodes *allowed)
{
	for (int i = 0; i < chain__n_links(area); i++) {
		const struct aml_area_data *data = memory_of(chain__link(area, i));
		bool any = os__nodes_count(&data->mode_nodes) == 0;
		char list[64], shown[64];

		for (int node = os__nodes_next(&data->nodes, 0); node >= 0 && !any;
			node = os__nodes_next(&data->nodes, node + 1))
			any = os__nodes_has(allowed, node);
		if (!any)
			return error__set(EDOM, "node %s is not among the nodes this process may use: %s",
				os__nodes_text(&data->nodes, list, sizeof(list)),
				os__nodes_text(allowed, shown, sizeof(shown)));
	}
	return 0;
}

int passage__check(const struct aml_area *from, const struct aml_area *to)
{
	struct os_nodes allowed;
	size_t page_size = 0;
	int err;

	if (to->ops == NULL)
		return error__set(ENOTSUP, "the area has no operations");
	err = check_kind(from, "the area that it is in", &page_size);
	if (err == 0)
		err = check_kind(to, "the area that it shall go to", &page_size);
	if (err == 0 && os__nodes_allowed(&allowed) == 0)
		err = check_nodes(to, &allowed);
	return err;
}

/* Books and policies */

int passage__bind(const struct aml_area *area, void *ptr, size_t size)
{
	uintptr_t at = (uintptr_t)ptr, end = at + size;
	struct ledger_range part;
	int err = 0;

	for (; err == 0 && at < end && chain__part(area, at, end, &part); at = part.end)
		err = linux__rebind(memory_of(chain__link(area, (int)part.value)), (void *)part.start,
			part.end - part.start);
	return err;
}

int passage__enter(const struct aml_area *to, void *ptr, size_t size)
{
	uintptr_t start = (uintptr_t)ptr;
	int err = chain__assign(to, start, start + size, 0);

	for (int i = 0; err == 0 && i < chain__n_links(to); i++)
		err = limit__enter(chain__link(to, i), start, start + size);
	return err != 0 ? err : passage__bind(to, ptr, size);
}

/* Claims as much from the part's start on as the link's limit allows, and moves the start behind that; of the last
   link all of it or nothing. */
static int claim_on(const struct aml_area *to, struct ledger_range *part, int i)
{
	size_t size = part->end - part->start, step = passage__step(to);
	const struct aml_area *link = chain__link(to, i);
	int err = 0;

	while (part->start < part->end && err == 0) {
		uintptr_t end = part->end - part->start < size ? part->end : part->start + size;

		err = limit__claim(link, part->start, end);
		if (err == -ENOMEM && i + 1 < chain__n_links(to) && end - part->start > step) {
			size = ((end - part->start) / 2 + step - 1) & ~(step - 1);
			err = 0;
			continue;
		}
		if (err == 0 && i != part->value) {
			err = chain__assign(to, part->start, end, i);
			if (err == 0)
				err = linux__rebind(memory_of(link), (void *)part->start, end - part->start);
		}
		if (err == 0)
			part->start = end;
	}
	return err;
}

/* What finds no room under a link's limit is the next one's. */
static int claim_part(const struct aml_area *to, struct ledger_range part)
{
	int n_links = chain__n_links(to), err = -ENOMEM;

	if (chain__claim(to, part.start, part.end) != 0)
		return error__set(ENOMEM, "no memory to note a move");
	error__keep();
	for (int i = (int)part.value; i < n_links && err == -ENOMEM; i++)
		err = claim_on(to, &part, i);
	error__settle(err == 0);
	return err;
}

int passage__claim(const struct aml_area *to, void *ptr, size_t size)
{
	uintptr_t at = (uintptr_t)ptr, end = at + size;
	struct ledger_range part;
	int err = 0;

	for (; err == 0 && at < end && chain__part(to, at, end, &part); at = part.end)
		err = claim_part(to, part);
	return err;
}

void passage__leave(const struct aml_area *from, void *ptr, size_t size)
{
	uintptr_t at = (uintptr_t)ptr, end = at + size;

	for (int i = 0; i < chain__n_links(from); i++)
		limit__forget(chain__link(from, i), at, end);
	chain__forget(from, at, end);
}

/* Links */

bool passage__is_strict(const struct aml_area *area, bool all)
{
	for (int i = 0; i < chain__n_links(area); i++)
		if ((limit__inner(chain__link(area, i))->ops == &strict__ops) != all)
			return !all;
	return all;
}

size_t passage__step(const struct aml_area *chain)
{
	enum { STEP = 64 * 1024 };
	size_t page_size = memory_of(chain__link(chain, 0))->page_size;

	return page_size > STEP ? page_size : STEP;
}

/* All present pages on the link's nodes now? Else a negative errno or 0. */
static int settle_on(const struct aml_area *link, const struct ledger_range *part, bool fill,
	struct migrate_account *account)
{
	size_t left = migrate__left(&account->all);
	void *ptr = (void *)part->start;
	size_t size = part->end - part->start;
	int err = linux__rebind(memory_of(link), ptr, size);

	if (err == 0)
		err = migrate__move_leaf(link, ptr, size, fill, NULL, account);
	return err != 0 ? err : migrate__left(&account->all) == left;
}

/* Back to the link that has it: its place is there, since what left it is here. */
static void settle_back(const struct aml_area *link, const struct ledger_range *part,
	struct os_spares *spares)
{
	struct migrate_account account = {.spares = spares};

	(void)settle_on(link, part, false, &account);
}

static int offer_part(const struct aml_area *area, const struct ledger_range *part, int i, bool fill,
	struct migrate_account *account)
{
	const struct aml_area *old = chain__link(area, (int)part->value), *link = chain__link(area, i);
	int result;

	if (limit__claim(link, part->start, part->end) != 0)
		return 0;
	result = settle_on(link, part, fill, account);
	if (result == 1 && chain__assign(area, part->start, part->end, i) != 0)
		result = -ENOMEM;
	if (result == 1) {
		limit__forget(old, part->start, part->end);
		return 1;
	}
	settle_back(old, part, account->spares);
	limit__forget(link, part->start, part->end);
	return result;
}

int passage__offer(const struct aml_area *area, void *ptr, size_t size, int i, bool fill,
	struct migrate_account *account)
{
	uintptr_t at = (uintptr_t)ptr, end = at + size;
	struct migrate_account unwanted = {.nodes = NULL};
	struct ledger_range part;
	int result = 1;

	if (account == NULL)
		account = &unwanted;
	for (; result == 1 && at < end && chain__part(area, at, end, &part); at = part.end)
		if (part.value != i)
			result = offer_part(area, &part, i, fill, account);
	return result;
}
