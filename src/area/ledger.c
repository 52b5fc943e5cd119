/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ledger.c - which ranges are out: a table of those that came last, and behind it the lists (ledger_list.h).
 *
 * Ranges that were pushed wait in a table beside the lists (ledger_front.h) until somebody asks about
 * anything but such a range as a whole: memory that is mapped and unmapped as a whole never gets into the
 * lists. settle_locked may come twice, in the child of a fork.
 *
 * Failure changes nothing: the nodes that an edit may need are at hand before the first store, two for each
 * range in the table besides.
 */
#include "area/ledger.h"
#include "area/ledger_front.h"
#include "area/ledger_list.h"
#include "area/ledger_nodes.h"

#include <errno.h>

void ledger__init(struct ledger *ledger)
{
	*ledger = (struct ledger)LEDGER_INITIALIZER;
	ledger__watch(ledger);
}

void ledger__destroy(struct ledger *ledger)
{
	ledger__unwatch(ledger);
	ledger_front__free(ledger->front);
	ledger_nodes__free(ledger);
}

/* Cannot fail: push has seen to the nodes. */
static void settle_range_locked(struct ledger *ledger, struct ledger_range range) LOCK_HELD(ledger->lock)
{
	(void)ledger_list__set_locked(ledger, range.start, range.end, range.value);
}

/* What was pushed goes to the others. */
static void settle_all_locked(struct ledger *ledger) LOCK_HELD(ledger->lock)
{
	struct ledger_front *front = ledger->front;
	size_t n_slots = front != NULL ? ledger_front__n_slots(front) : 0;

	for (size_t i = 0; i < n_slots && ledger->n_pushed != 0; i++) {
		if (front->slot[i].end == 0)
			continue;
		settle_range_locked(ledger, front->slot[i]);
		ledger_front__clear(&front->slot[i]);
		ledger->n_pushed--;
	}
	/* Of the child of a fork, which counts too many. */
	ledger->n_pushed = 0;
	/* The next one may come after a few more: it shall not look through so many slots for them. */
	if (n_slots > 4096 / sizeof(front->slot[0])) {
		__atomic_store_n(&ledger->front, NULL, __ATOMIC_RELEASE);
		ledger_front__free(front);
	}
}

static void settle_locked(struct ledger *ledger) LOCK_HELD(ledger->lock)
{
	if (ledger->n_pushed != 0)
		settle_all_locked(ledger);
}

/* Nodes for the lists: two for each range in the table, or taken from there and perhaps put back, and as many
   as an edit may need beside. */
static size_t n_needed_locked(const struct ledger *ledger) LOCK_HELD(ledger->lock)
{
	return 2 * (ledger->n_pushed + ledger->n_given) + 4;
}

/* Everybody begins here who asks about more than a range that was pushed. */
static void enter(struct ledger *ledger) LOCK_ACQUIRE(ledger->lock) LOCK_UNCHECKED
{
	brief__acquire(&ledger->lock);
	settle_locked(ledger);
	/* What others hold is not spent here, as long as there is memory for more. */
	if (ledger->n_given != 0)
		(void)ledger_nodes__reserve_locked(ledger, n_needed_locked(ledger));
}

/* A larger table, where the old one is half full. */
static bool grow_front_locked(struct ledger *ledger) LOCK_HELD(ledger->lock)
{
	struct ledger_front *old = ledger->front, *front;

	if (old != NULL && ledger->n_pushed < ledger_front__n_slots(old) / 2)
		return false;
	front = ledger_front__grow(ledger, old, settle_range_locked);
	if (front == NULL)
		return false;
	__atomic_store_n(&ledger->front, front, __ATOMIC_RELEASE);
	ledger_front__free(old);
	return true;
}

static bool put_locked(struct ledger *ledger, struct ledger_range range) LOCK_HELD(ledger->lock)
{
	return ledger->front != NULL && ledger_front__put(ledger->front, range);
}

/* First, so that the child of a fork counts too many, if anything. */
static void count_pushed_locked(struct ledger *ledger) LOCK_HELD(ledger->lock)
{
	__atomic_store_n(&ledger->n_pushed, ledger->n_pushed + 1, __ATOMIC_RELEASE);
}

static __attribute__((noinline)) int push_slowly_locked(struct ledger *ledger, uintptr_t start,
	uintptr_t end, intptr_t value) LOCK_HELD(ledger->lock)
{
	struct ledger_range range = {start, end, value};

	if (ledger_nodes__reserve_locked(ledger, n_needed_locked(ledger)) != 0)
		return -ENOMEM;
	count_pushed_locked(ledger);
	if (!put_locked(ledger, range) && !(grow_front_locked(ledger) && put_locked(ledger, range))) {
		settle_range_locked(ledger, range);
		ledger->n_pushed--;
	}
	return 0;
}

/* Nearly always into its home, and without a call: see os__map_plain. */
int ledger__push(struct ledger *ledger, uintptr_t start, uintptr_t end, intptr_t value)
{
	struct ledger_range *home;
	int result = 0;

	brief__acquire(&ledger->lock);
	home = ledger->front == NULL ? NULL : ledger_front__home(ledger->front, start);
	if (home != NULL && home->end == 0 && ledger->n_at_hand >= n_needed_locked(ledger)) {
		count_pushed_locked(ledger);
		ledger_front__fill(home, start, end, value);
	} else {
		result = push_slowly_locked(ledger, start, end, value);
	}
	brief__release(&ledger->lock);
	return result;
}

/* Removes a range that was pushed and is still as it was. */
static bool remove_pushed_locked(struct ledger *ledger, uintptr_t start, uintptr_t end,
	struct ledger_range *range) LOCK_HELD(ledger->lock)
{
	struct ledger_range *slot = ledger_front__find(ledger->front, start);

	if (slot == NULL || slot->end != end)
		return false;
	*range = *slot;
	ledger_front__clear(slot);
	ledger->n_pushed--;
	return true;
}

int ledger__set(struct ledger *ledger, uintptr_t start, uintptr_t end, intptr_t value)
{
	int result;

	enter(ledger);
	result = ledger_list__set_locked(ledger, start, end, value);
	brief__release(&ledger->lock);
	return result;
}

static __attribute__((noinline)) int remove_locked(struct ledger *ledger, uintptr_t start, uintptr_t end)
	LOCK_HELD(ledger->lock)
{
	struct ledger_node *node;
	struct ledger_place place;
	size_t bytes;

	settle_locked(ledger);
	node = ledger_list__search_locked(ledger, start, &place);
	if (node != NULL && node->range.start == start && node->range.end == end) {
		/* Nearly always: as it was noted. */
		ledger_list__unlink_locked(ledger, &place, node);
		ledger->bytes -= end - start;
		return 0;
	}
	return ledger_list__covers_locked(ledger, start, end) ? ledger_list__cut_locked(ledger, start, end, &bytes) : -EINVAL;
}

int ledger__remove(struct ledger *ledger, uintptr_t start, uintptr_t end)
{
	struct ledger_range range;
	int result = 0;

	brief__acquire(&ledger->lock);
	if (!remove_pushed_locked(ledger, start, end, &range))
		result = remove_locked(ledger, start, end);
	brief__release(&ledger->lock);
	return result;
}

int ledger__cut(struct ledger *ledger, uintptr_t start, uintptr_t end, size_t *bytes)
{
	struct ledger_range range;
	int result = 0;

	brief__acquire(&ledger->lock);
	if (remove_pushed_locked(ledger, start, end, &range)) {
		*bytes = end - start;
	} else {
		settle_locked(ledger);
		result = ledger_list__cut_locked(ledger, start, end, bytes);
	}
	brief__release(&ledger->lock);
	return result;
}

static int take_locked(struct ledger *ledger, uintptr_t start, uintptr_t end, struct ledger_taken *taken)
	LOCK_HELD(ledger->lock)
{
	struct ledger_node *node;
	struct ledger_place place;
	size_t bytes;
	int failed = ledger_nodes__reserve_locked(ledger, 2);

	if (failed != 0)
		return failed;
	/* Each range that lies within gives the node that notes it here; the ends need two more at most. */
	while ((node = ledger_list__search_locked(ledger, start, &place)) != NULL && node->range.start < end) {
		struct ledger_range range = node->range;

		if (range.start < start)
			range.start = start;
		if (range.end > end)
			range.end = end;
		(void)ledger_list__cut_locked(ledger, range.start, range.end, &bytes);
		node = ledger_nodes__get_locked(ledger);
		node->range = range;
		node->next[0] = taken->nodes;
		taken->nodes = node;
		taken->bytes += bytes;
	}
	return 0;
}

static bool take_pushed_locked(struct ledger *ledger, uintptr_t start, uintptr_t end, struct ledger_taken *taken)
	LOCK_HELD(ledger->lock)
{
	if (!remove_pushed_locked(ledger, start, end, &taken->pushed))
		return false;
	/* Its nodes stay reserved, so that it can be put back. */
	ledger->n_given++;
	taken->bytes = end - start;
	return true;
}

bool ledger__take_pushed(struct ledger *ledger, uintptr_t start, uintptr_t end, struct ledger_taken *taken)
{
	bool result;

	taken->nodes = NULL;
	brief__acquire(&ledger->lock);
	result = take_pushed_locked(ledger, start, end, taken);
	brief__release(&ledger->lock);
	return result;
}

int ledger__take(struct ledger *ledger, uintptr_t start, uintptr_t end, struct ledger_taken *taken)
{
	int result = 0;

	*taken = (struct ledger_taken){.nodes = NULL};
	brief__acquire(&ledger->lock);
	if (!take_pushed_locked(ledger, start, end, taken)) {
		settle_locked(ledger);
		if (ledger->head[0] != NULL)
			result = take_locked(ledger, start, end, taken);
	}
	brief__release(&ledger->lock);
	return result;
}

void ledger__put_back(struct ledger *ledger, struct ledger_taken *taken)
{
	brief__acquire(&ledger->lock);
	if (ledger__was_pushed(taken)) {
		settle_range_locked(ledger, taken->pushed);
		ledger->n_given--;
	}
	while (taken->nodes != NULL) {
		struct ledger_node *node = taken->nodes;
		struct ledger_range range = node->range;

		taken->nodes = node->next[0];
		ledger_nodes__put_locked(ledger, node);
		(void)ledger_list__add_locked(ledger, range.start, range.end, range.value);
	}
	brief__release(&ledger->lock);
}

void ledger__drop_nodes(struct ledger *ledger, struct ledger_taken *taken)
{
	if (taken->nodes == NULL)
		return;
	brief__acquire(&ledger->lock);
	while (taken->nodes != NULL) {
		struct ledger_node *node = taken->nodes;

		taken->nodes = node->next[0];
		ledger_nodes__put_locked(ledger, node);
	}
	brief__release(&ledger->lock);
}

int ledger__hold(struct ledger *ledger)
{
	int failed;

	brief__acquire(&ledger->lock);
	ledger->n_given++;
	failed = ledger_nodes__reserve_locked(ledger, n_needed_locked(ledger));
	if (failed != 0)
		ledger->n_given--;
	brief__release(&ledger->lock);
	return failed;
}

void ledger__let_go(struct ledger *ledger)
{
	brief__acquire(&ledger->lock);
	ledger->n_given--;
	brief__release(&ledger->lock);
}

bool ledger__covers(struct ledger *ledger, uintptr_t start, uintptr_t end)
{
	const struct ledger_range *slot;
	bool result;

	brief__acquire(&ledger->lock);
	slot = ledger_front__find(ledger->front, start);
	result = slot != NULL && slot->end >= end;
	if (!result) {
		settle_locked(ledger);
		result = ledger_list__covers_locked(ledger, start, end);
	}
	brief__release(&ledger->lock);
	return result;
}

bool ledger__next(struct ledger *ledger, uintptr_t addr, struct ledger_range *range)
{
	struct ledger_place place;
	struct ledger_node *node;

	enter(ledger);
	node = ledger_list__search_locked(ledger, addr, &place);
	if (node != NULL)
		*range = node->range;
	brief__release(&ledger->lock);
	return node != NULL;
}

static int allocate_locked(struct ledger *ledger, uintptr_t wanted, size_t size, uintptr_t *start)
	LOCK_HELD(ledger->lock)
{
	const struct ledger_node *node = ledger->head[0];
	uintptr_t found, end;
	size_t bytes;
	int failed;

	if (wanted != 0 && !__builtin_add_overflow(wanted, size, &end) &&
		ledger_list__covers_locked(ledger, wanted, end)) {
		found = wanted;
	} else {
		while (node != NULL && node->range.end - node->range.start < size)
			node = node->next[0];
		if (node == NULL)
			return -ENOMEM;
		found = node->range.start;
	}
	failed = ledger_list__cut_locked(ledger, found, found + size, &bytes);
	if (failed == 0)
		*start = found;
	return failed;
}

int ledger__allocate(struct ledger *ledger, uintptr_t wanted, size_t size, uintptr_t *start)
{
	int result;

	enter(ledger);
	result = allocate_locked(ledger, wanted, size, start);
	brief__release(&ledger->lock);
	return result;
}

size_t ledger__bytes_within(struct ledger *ledger, uintptr_t start, uintptr_t end)
{
	struct ledger_place place;
	size_t bytes = 0;

	enter(ledger);
	for (struct ledger_node *node = ledger_list__search_locked(ledger, start, &place);
		node != NULL && node->range.start < end; node = node->next[0]) {
		uintptr_t from = node->range.start > start ? node->range.start : start;
		uintptr_t to = node->range.end < end ? node->range.end : end;

		bytes += to - from;
	}
	brief__release(&ledger->lock);
	return bytes;
}

size_t ledger__bytes(struct ledger *ledger)
{
	size_t bytes;

	enter(ledger);
	bytes = ledger->bytes;
	brief__release(&ledger->lock);
	return bytes;
}
