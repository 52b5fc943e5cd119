/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * paid.c - commits part by part. What a call has paid for is in the book as PAID_NOW until all of it is
 * paid, which is how a failure finds it. No locks but the ledger's.
 */
#include "area/paid.h"

#include "area/area.h"

/* The first part of [start, end) that is not in the book. False: there is none. */
static bool next_gap(struct ledger *book, uintptr_t start, uintptr_t end, struct ledger_range *gap)
{
	struct ledger_range range;
	bool found;

	while ((found = ledger__next(book, start, &range)) && range.start <= start)
		start = range.end;
	if (start >= end)
		return false;
	gap->start = start;
	gap->end = found && range.start < end ? range.start : end;
	return true;
}

static int pay(struct ledger *book, const char *place, const struct ledger_range *part,
	const struct paid_calls *calls, void *arg)
{
	int failed = calls->pay(arg, part->start, part->end);

	if (failed != AML_SUCCESS || ledger__set(book, part->start, part->end, part->value) == 0)
		return failed;
	calls->give_back(arg, part->start, part->end);
	return aml__fail(AML_ENOMEM, "%s: no memory to note a commit", place);
}

static void give_back(struct ledger *book, uintptr_t start, uintptr_t end,
	const struct paid_calls *calls, void *arg)
{
	struct ledger_range part;
	size_t bytes;

	for (; start < end && ledger__next(book, start, &part) && part.start < end; start = part.end) {
		/* Calls of other threads beside this one's are in the same range of the book. */
		if (part.start < start)
			part.start = start;
		if (part.end > end)
			part.end = end;
		/* Without memory for a split it stays paid for, and noted so. */
		if (part.value == PAID_NOW && ledger__cut(book, part.start, part.end, &bytes) == 0)
			calls->give_back(arg, part.start, part.end);
	}
}

int paid__commit(struct ledger *book, const char *place, uintptr_t start, uintptr_t end,
	const struct paid_calls *calls, void *arg)
{
	struct ledger_range gap;
	uintptr_t at = start;
	int failed = AML_SUCCESS;

	if (!next_gap(book, start, end, &gap))
		return AML_SUCCESS;
	if (gap.start == start && gap.end == end) {
		gap.value = PAID;
		return pay(book, place, &gap, calls, arg);
	}
	gap.value = PAID_NOW;
	for (; failed == AML_SUCCESS && next_gap(book, at, end, &gap); at = gap.end)
		failed = pay(book, place, &gap, calls, arg);
	if (failed == AML_SUCCESS && ledger__set(book, start, end, PAID) != 0)
		failed = aml__fail(AML_ENOMEM, "%s: no memory to note a commit", place);
	if (failed != AML_SUCCESS)
		give_back(book, start, end, calls, arg);
	return failed;
}
