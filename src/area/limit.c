/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * limit.c - a limit around an area of any kind.
 *
 * Bytes are charged when they can first be touched: at mmap, and at commit for what reserve gave. A
 * ledger holds the charged ranges, so that munmap and decommit give back what was charged and no
 * more; another what is out without being charged, so that nothing else can be committed. Where the inner
 * area would let reserved memory be touched at once, the limit asks for commits all the same
 * (AML_AREA_COMMIT); where it has to be paid in full at mmap, there is no reserve.
 *
 * Invariant: used is at least the sum of the ledger's ranges, and equals it when no call is running.
 * A failed call has given its charge back, and charges again what it was refused to give up.
 */
#include "config.h"

#include "area/limit.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "area/ledger.h"
#include "area/linux.h"
#include "area/paid.h"
#include "area/place.h"

struct limit_data {
	struct area_head head;
	/* set once */
	const struct aml_area *inner;
	size_t limit, page_size;
	bool lazy; /* reserve is offered */
	bool owns_inner;
	/* atomic */
	_Atomic size_t used;
	/* have their own locks */
	struct ledger charged;  /* committed, or mapped ready for use */
	struct ledger reserved; /* out; charged in part where committed */
};

static struct limit_data *self(const struct aml_area_data *data)
{
	return (struct limit_data *)(uintptr_t)data;
}

/* As the exchange below; without, as long as nobody else is there (base/brief.h). */
static bool change_used(struct limit_data *limit, size_t *used, size_t size)
{
	if (!brief__is_alone())
		return atomic_compare_exchange_weak(&limit->used, used, *used + size);
	atomic_store_explicit(&limit->used, *used + size, memory_order_relaxed);
	return true;
}

static int charge(struct limit_data *limit, size_t size)
{
	size_t used = atomic_load(&limit->used);

	do {
		if (size > limit->limit - used)
			return aml__fail(AML_ENOMEM, "%s: %s asked, %s left of the limit of %s",
				limit->head.place, linux__size(size).text,
				linux__size(limit->limit - used).text, linux__size(limit->limit).text);
	} while (!change_used(limit, &used, size));
	return AML_SUCCESS;
}

static void uncharge(struct limit_data *limit, size_t size)
{
	size_t used = atomic_load(&limit->used);

	while (!change_used(limit, &used, -size))
		;
	area__note_return();
}

static void *limit_mmap(const struct aml_area_data *data, void **ptr, size_t size)
{
	struct limit_data *limit = self(data);
	void *p;

	if (!area__round(size, limit->page_size, &size)) {
		aml__fail(AML_ENOMEM, "%s: the size overflows when rounded to pages", limit->head.place);
		return NULL;
	}
	if (charge(limit, size) != AML_SUCCESS)
		return NULL;
	p = area__draw(limit->inner, ptr, size);
	if (p == NULL)
		goto uncharge;
	if (ledger__push(&limit->charged, (uintptr_t)p, (uintptr_t)p + size, PAID) != 0) {
		aml_area_munmap(limit->inner, p, size);
		aml__fail(AML_ENOMEM, "%s: no memory to note a mapping", limit->head.place);
		goto uncharge;
	}
	return p;
uncharge:
	uncharge(limit, size);
	return NULL;
}

static void *limit_reserve(const struct aml_area_data *data, void **ptr, size_t size)
{
	struct limit_data *limit = self(data);
	void *p;

	if (!area__round(size, limit->page_size, &size)) {
		aml__fail(AML_ENOMEM, "%s: the size overflows when rounded to pages", limit->head.place);
		return NULL;
	}
	p = aml_area_reserve(limit->inner, ptr, size);
	if (p == NULL || ledger__set(&limit->reserved, (uintptr_t)p, (uintptr_t)p + size, 0) == 0)
		return p;
	aml_area_munmap(limit->inner, p, size);
	aml__fail(AML_ENOMEM, "%s: no memory to note a mapping", limit->head.place);
	return NULL;
}

/* Is every byte of the range out, charged or not? */
static bool has_out(struct limit_data *limit, uintptr_t at, uintptr_t end)
{
	struct ledger_range range;

	for (; at < end; at = range.end)
		if (!(ledger__next(&limit->charged, at, &range) && range.start <= at) &&
			!(ledger__next(&limit->reserved, at, &range) && range.start <= at))
			return false;
	return true;
}

static int fail_foreign(const struct limit_data *limit, const void *ptr, size_t size)
{
	return aml__fail(AML_EINVAL, "%s: %zu bytes at %p are not what it mapped", limit->head.place, size,
		ptr);
}

/* Takes what is charged of a range off the books; some of it may only be reserved. */
static int take_charged(struct limit_data *limit, uintptr_t start, uintptr_t end, struct ledger_taken *charged)
{
	int failed = 0;

	if (ledger__take_pushed(&limit->charged, start, end, charged))
		return AML_SUCCESS;
	failed = ledger__take(&limit->charged, start, end, charged);
	if (failed == 0 && charged->bytes != end - start) {
		ledger__put_back(&limit->charged, charged);
		if (!has_out(limit, start, end))
			return fail_foreign(limit, (void *)start, end - start);
		failed = ledger__take(&limit->charged, start, end, charged);
	}
	return failed == 0 ? AML_SUCCESS :
		aml__fail(AML_ENOMEM, "%s: no memory to note a split", limit->head.place);
}

static int limit_munmap(const struct aml_area_data *data, void *ptr, size_t size)
{
	struct limit_data *limit = self(data);
	struct ledger_taken charged, reserved;
	uintptr_t start = (uintptr_t)ptr, end;
	bool is_reserved;
	int failed;

	if (!area__round(size, limit->page_size, &size) || __builtin_add_overflow(start, size, &end))
		return aml__fail(AML_EINVAL, "%s: unmapping a size that overflows", limit->head.place);
	/* Before the addresses can come back on another thread. */
	failed = take_charged(limit, start, end, &charged);
	if (failed != AML_SUCCESS)
		return failed;
	/* What is as it was mapped never was. */
	is_reserved = !ledger__was_pushed(&charged);
	if (is_reserved && ledger__take(&limit->reserved, start, end, &reserved) != 0) {
		ledger__put_back(&limit->charged, &charged);
		return aml__fail(AML_ENOMEM, "%s: no memory to note a split", limit->head.place);
	}
	failed = area__give_back(limit->inner, ptr, size);
	if (failed == AML_SUCCESS) {
		uncharge(limit, charged.bytes);
		ledger__drop(&limit->charged, &charged);
		if (is_reserved)
			ledger__drop(&limit->reserved, &reserved);
	} else {
		ledger__put_back(&limit->charged, &charged);
		if (is_reserved)
			ledger__put_back(&limit->reserved, &reserved);
	}
	return failed;
}

static int give_up(const struct limit_data *limit, void *ptr, size_t size)
{
	/* Areas without commit have no decommit either; there purging gives the pages back. */
	return limit->inner->ops->decommit != NULL ? aml_area_decommit(limit->inner, ptr, size) :
		aml_area_purge(limit->inner, ptr, size);
}

static int pay(void *arg, uintptr_t start, uintptr_t end)
{
	struct limit_data *limit = arg;
	int failed = charge(limit, end - start);

	if (failed != AML_SUCCESS)
		return failed;
	failed = aml_area_commit(limit->inner, (void *)start, end - start);
	if (failed != AML_SUCCESS)
		uncharge(limit, end - start);
	return failed;
}

static void give_back(void *arg, uintptr_t start, uintptr_t end)
{
	struct limit_data *limit = arg;

	(void)give_up(limit, (void *)start, end - start);
	uncharge(limit, end - start);
}

/* Committing what is committed is allowed and costs nothing more. */
static int limit_commit(const struct aml_area_data *data, void *ptr, size_t size)
{
	static const struct paid_calls calls = {pay, give_back};
	struct limit_data *limit = self(data);
	uintptr_t start = (uintptr_t)ptr;

	if (!has_out(limit, start, start + size))
		return fail_foreign(limit, ptr, size);
	return paid__commit(&limit->charged, limit->head.place, start, start + size, &calls, limit);
}

static int limit_decommit(const struct aml_area_data *data, void *ptr, size_t size)
{
	struct limit_data *limit = self(data);
	struct ledger_taken charged;
	uintptr_t start = (uintptr_t)ptr;
	int failed;

	if (!has_out(limit, start, start + size))
		return fail_foreign(limit, ptr, size);
	/* What came by mmap is as reserved from now on; to be both does no harm. */
	if (ledger__set(&limit->reserved, start, start + size, 0) != 0 ||
		ledger__take(&limit->charged, start, start + size, &charged) != 0)
		return aml__fail(AML_ENOMEM, "%s: no memory to note a split", limit->head.place);
	failed = give_up(limit, ptr, size);
	if (failed != AML_SUCCESS) {
		ledger__put_back(&limit->charged, &charged);
		return failed;
	}
	uncharge(limit, charged.bytes);
	ledger__drop(&limit->charged, &charged);
	return AML_SUCCESS;
}

/* What was lost to others wants a commit, and so a charge, before it is touched again. */
static void note_lost(struct limit_data *limit, uintptr_t start, uintptr_t end)
{
	size_t charged;

	/* Without memory for the notes it stays charged. */
	if (ledger__set(&limit->reserved, start, end, 0) == 0 &&
		ledger__cut(&limit->charged, start, end, &charged) == 0)
		uncharge(limit, charged);
}

static int limit_purge(const struct aml_area_data *data, void *ptr, size_t size)
{
	struct limit_data *limit = self(data);
	int failed = aml_area_purge(limit->inner, ptr, size);

	if (failed == -AML_ENOMEM && limit->inner->ops->commit != NULL)
		note_lost(limit, (uintptr_t)ptr, (uintptr_t)ptr + size);
	return failed;
}

static int limit_split(const struct aml_area_data *data, void *ptr, size_t size, size_t at)
{
	return aml_area_split(self(data)->inner, ptr, size, at);
}

static int limit_merge(const struct aml_area_data *data, void *ptr, size_t size, size_t next_size)
{
	return aml_area_merge(self(data)->inner, ptr, size, next_size);
}

/* What comes from elsewhere is out of this area from now on. */
static int limit_move(const struct aml_area_data *data, void *ptr, size_t size)
{
	struct limit_data *limit = self(data);
	uintptr_t start = (uintptr_t)ptr, end = start + size;
	size_t fresh;
	int failed;

	if (limit->inner->ops->move == NULL)
		return aml_area_move(limit->inner, ptr, size);
	fresh = size - ledger__bytes_within(&limit->charged, start, end);
	failed = charge(limit, fresh);
	if (failed != AML_SUCCESS)
		return failed;
	if (ledger__hold(&limit->charged) == 0) {
		failed = aml_area_move(limit->inner, ptr, size);
		/* Cannot fail. */
		if (failed == AML_SUCCESS)
			(void)ledger__set(&limit->charged, start, end, PAID);
		ledger__let_go(&limit->charged);
	} else {
		failed = aml__fail(AML_ENOMEM, "%s: no memory to note a move", limit->head.place);
	}
	if (failed != AML_SUCCESS)
		uncharge(limit, fresh);
	return failed;
}

static int limit_locate(const struct aml_area_data *data, const void *ptr, size_t size,
	size_t *bytes_on_node, int n_nodes)
{
	return area__add_located(self(data)->inner, ptr, size, bytes_on_node, n_nodes);
}

static int limit_info(const struct aml_area_data *data, struct aml_area_info *info)
{
	const struct limit_data *limit = self(data);
	size_t left = limit->limit - atomic_load(&limit->used);
	int failed = aml_area_info(limit->inner, info);

	if (failed != AML_SUCCESS)
		return failed;
	if (limit->lazy)
		info->flags |= AML_AREA_COMMIT | AML_AREA_LAZY;
	if (info->capacity == 0 || info->capacity > limit->limit)
		info->capacity = limit->limit;
	if (info->available > left)
		info->available = left;
	return AML_SUCCESS;
}

static int limit_link(const struct aml_area_data *data, const void *ptr)
{
	return aml_area_link(self(data)->inner, ptr);
}

static int limit_collapse(const struct aml_area_data *data, void *ptr, size_t size)
{
	return aml_area_collapse(self(data)->inner, ptr, size);
}

#define COMMON_OPS \
	.mmap = limit_mmap, \
	.munmap = limit_munmap, \
	.fprintf = area__fprintf, \
	.decommit = limit_decommit, \
	.split = limit_split, \
	.merge = limit_merge, \
	.move = limit_move, \
	.locate = limit_locate, \
	.info = limit_info, \
	.link = limit_link, \
	.collapse = limit_collapse

const struct aml_area_ops limit__lazy_ops = {
	COMMON_OPS,
	.commit = limit_commit,
	.purge = limit_purge,
	.reserve = limit_reserve,
};

/* Everything is paid at mmap. */
const struct aml_area_ops limit__paid_ops = {
	COMMON_OPS,
	.commit = limit_commit,
	.purge = limit_purge,
};

static void destroy(struct aml_area *area)
{
	struct limit_data *limit = self(area->data);

	/* It came as an area that may be destroyed. */
	struct aml_area *inner = (struct aml_area *)(uintptr_t)limit->inner;

	if (limit->owns_inner)
		area__destroy(&inner);
	ledger__destroy(&limit->charged);
	ledger__destroy(&limit->reserved);
	area__free(area);
}

static int create(struct aml_area **area, const struct aml_area *inner, size_t limit, const char *place,
	bool owns_inner)
{
	struct aml_area_info info = {.struct_size = sizeof(info)};
	struct aml_area *a;
	struct limit_data *data;
	bool lazy;
	int failed = aml_area_info(inner, &info);

	if (failed != AML_SUCCESS)
		return failed;
	lazy = (info.flags & (AML_AREA_LAZY | AML_AREA_COMMIT)) != 0;
	a = area__new(lazy ? &limit__lazy_ops : &limit__paid_ops, sizeof(*data), place, destroy);
	if (a == NULL)
		return aml__fail(AML_ENOMEM, "no memory for an area");
	data = self(a->data);
	data->inner = inner;
	data->owns_inner = owns_inner;
	data->limit = limit;
	data->page_size = info.page_size;
	data->lazy = lazy;
	ledger__init(&data->charged);
	ledger__init(&data->reserved);
	*area = a;
	return AML_SUCCESS;
}

int limit__wrap(struct aml_area **area, struct aml_area *inner, size_t limit)
{
	int failed;

	if (limit == 0) {
		*area = inner;
		return AML_SUCCESS;
	}
	failed = create(area, inner, limit, area__name(inner), true);
	if (failed != AML_SUCCESS)
		area__destroy(&inner);
	return failed;
}

/* A place string with the smaller of its limit and another; NULL without memory. */
static char *limited_place(struct place *place, size_t limit)
{
	size_t size;
	char *text;

	if (place->limit == 0 || limit < place->limit)
		place->limit = limit;
	size = place__format(place, NULL, 0) + 1;
	text = malloc(size);
	if (text != NULL)
		place__format(place, text, size);
	return text;
}

/* As a place string where that can be said in one: of one place, that is. */
static char *describe(const struct aml_area *inner, size_t limit)
{
	char *name = area__describe(inner), *text = NULL;
	struct place_chain places;
	struct place_error error;

	if (name == NULL)
		return NULL;
	if (place__parse(name, &places, &error) == 0 && places.n_links == 1)
		text = limited_place(&places.link[0], limit);
	else if (asprintf(&text, "%s, of which %zu bytes at most", name, limit) < 0)
		text = NULL;
	free(name);
	return text;
}

int aml_area_limit_create(struct aml_area **area, const struct aml_area *inner, size_t limit)
{
	char *text;
	int failed;

	if (area == NULL || !area__is_whole(inner))
		return aml__fail(AML_EINVAL, "the area, or where to put it, is NULL, or it lacks mmap or munmap");
	if (limit == 0)
		return aml__fail(AML_EINVAL, "a limit of 0 bytes leaves nothing");
	text = describe(inner, limit);
	if (text == NULL)
		return aml__fail(AML_ENOMEM, "no memory for an area");
	failed = create(area, inner, limit, text, false);
	free(text);
	return failed;
}

void aml_area_limit_destroy(struct aml_area **area)
{
	area__destroy(area);
}

static bool is_limit(const struct aml_area *area)
{
	return area->ops == &limit__lazy_ops || area->ops == &limit__paid_ops;
}

const struct aml_area *limit__inner(const struct aml_area *area)
{
	return is_limit(area) ? self(area->data)->inner : area;
}

const struct aml_area *limit__innermost(const struct aml_area *area)
{
	while (is_limit(area))
		area = self(area->data)->inner;
	return area;
}

int limit__claim(const struct aml_area *area, uintptr_t start, uintptr_t end)
{
	struct limit_data *limit = self(area->data);
	size_t fresh;

	if (!is_limit(area))
		return 0;
	fresh = end - start - ledger__bytes_within(&limit->charged, start, end);
	if (charge(limit, fresh) != AML_SUCCESS)
		return -ENOMEM;
	if (ledger__set(&limit->charged, start, end, PAID) == 0)
		return 0;
	uncharge(limit, fresh);
	aml__fail(AML_ENOMEM, "%s: no memory to note a move", limit->head.place);
	return -ENOMEM;
}

int limit__enter(const struct aml_area *area, uintptr_t start, uintptr_t end)
{
	return is_limit(area) ? ledger__set(&self(area->data)->reserved, start, end, 0) : 0;
}

void limit__forget(const struct aml_area *area, uintptr_t start, uintptr_t end)
{
	struct limit_data *limit = self(area->data);
	size_t charged;

	/* Without memory for a split the charge stays: too much is on the safe side. */
	if (!is_limit(area))
		return;
	if (ledger__cut(&limit->charged, start, end, &charged) == 0)
		uncharge(limit, charged);
	(void)ledger__cut(&limit->reserved, start, end, &charged);
}
