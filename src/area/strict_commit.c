/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * strict_commit.c - commits of strict memory, which fill what is missing and nothing else.
 *
 * What a range holds already, its kernel's page tables say (os/present.h): memory comes here from other
 * areas too, so books of our own would not know. Mostly it holds nothing: one question, one fill. Else
 * what is held is noted for the time of the call, and the gaps are filled around it (paid.h).
 *
 * Failure gives back what the call has filled; contents, and pages that were there before, stay.
 */
#include "area/linux.h"
#include "area/paid.h"
#include "os/present.h"

enum { N_RUNS = 64 };

/* What ranges with calls under way held before them. */
static struct ledger held_ledger = LEDGER_INITIALIZER;

__attribute__((constructor)) static void watch_ledger(void)
{
	ledger__watch(&held_ledger);
}

static void give_back(void *arg, uintptr_t start, uintptr_t end)
{
	(void)arg;
	os__discard((void *)start, end - start);
}

/* Nothing is held there. */
static int fill(void *arg, uintptr_t start, uintptr_t end)
{
	const struct aml_area_data *data = arg;
	int failed = strict__fill(data, (void *)start, end - start);

	if (failed == AML_SUCCESS)
		return failed;
	give_back(NULL, start, end);
	return strict__explain(data, end - start, failed);
}

/* The rest of the question that gave the first n runs. */
static int note_held(int handle, uintptr_t at, uintptr_t end, struct os_run *runs, int n)
{
	for (;;) {
		for (int i = 0; i < n; i++)
			if (ledger__set(&held_ledger, runs[i].start, runs[i].end, PAID) != 0)
				return -1;
		if (at >= end)
			return 0;
		n = os__held_runs(handle, &at, end, runs, N_RUNS);
		if (n < 0)
			return n;
	}
}

static int fill_around(const struct aml_area_data *data, int handle, uintptr_t start, uintptr_t end)
{
	static const struct paid_calls calls = {fill, give_back};
	struct os_run runs[N_RUNS];
	uintptr_t at = start;
	int n = os__held_runs(handle, &at, end, runs, N_RUNS), failed;
	size_t bytes;

	if (n == 0 && at >= end)
		return fill((void *)(uintptr_t)data, start, end);
	/* Calls whose notes could not be cut, below, may have left some. */
	if (n < 0 || ledger__cut(&held_ledger, start, end, &bytes) != 0 ||
		note_held(handle, at, end, runs, n) != 0)
		failed = aml__fail(AML_ENOMEM, "%s: no memory to find out what is committed",
			data->head.place);
	else
		failed = paid__commit(&held_ledger, data->head.place, start, end, &calls,
			(void *)(uintptr_t)data);
	(void)ledger__cut(&held_ledger, start, end, &bytes);
	return failed;
}

/* Is any of the range from mmap, so that BIND may be its policy? */
static bool is_sealed(const void *ptr, size_t size)
{
	uintptr_t at = (uintptr_t)ptr, end = at + size;
	struct ledger_range range;

	for (; at < end && ledger__next(&linux__ledger, at, &range) && range.start < end; at = range.end)
		if (range.value == LINUX_SEALED)
			return true;
	return false;
}

static int unseal(const struct aml_area_data *data, void *ptr, size_t size)
{
	int failed = os__bind(ptr, size, data->mode, &data->mode_nodes, false);

	if (linux__may_not(failed, "mbind", data->head.place))
		return -AML_EPERM;
	if (failed != 0)
		return aml__fail(aml__code(failed), "%s: preparing %s: %s", data->head.place,
			linux__size(size).text, os__strerror(failed));
	return AML_SUCCESS;
}

int strict__commit(const struct aml_area_data *data, void *ptr, size_t size)
{
	bool sealed = is_sealed(ptr, size);
	int failed = linux__check_ours(data, ptr, size), handle;

	if (failed == AML_SUCCESS && sealed)
		failed = unseal(data, ptr, size);
	if (failed != AML_SUCCESS)
		return failed;
	handle = os__present_open();
	failed = fill_around(data, handle, (uintptr_t)ptr, (uintptr_t)ptr + size);
	os__present_close(handle);
	if (sealed)
		os__bind(ptr, size, OS_POLICY_BIND, &data->nodes, false);
	return failed;
}
