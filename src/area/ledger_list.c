/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ledger_list.c - a skip list of ranges: searches and edits.
 *
 * The bottom list is the truth; a node is linked there first and on the express lists after, and
 * unlinked in the other order, each by one store. So a fork between any two stores leaves the child
 * a list that works: at worst a node misses an express list or is lost to the child.
 *
 * Failure changes nothing: the nodes that an edit may need are at hand before the first store.
 */
#include "area/ledger_list.h"
#include "area/ledger_nodes.h"

#include <errno.h>

/* One more with a quarter of the chance each; Marsaglia's xorshift32. */
static size_t choose_height_locked(struct ledger *ledger) LOCK_HELD(ledger->lock)
{
	uint32_t x = ledger->seed;
	size_t height = 1;

	x ^= x << 13;
	x ^= x >> 17;
	x ^= x << 5;
	ledger->seed = x;
	for (; height < LEDGER_HEIGHT && (x & 3) == 0; x >>= 2)
		height++;
	return height;
}

struct ledger_node *ledger_list__search_locked(struct ledger *ledger, uintptr_t addr, struct ledger_place *place)
	LOCK_HELD(ledger->lock)
{
	struct ledger_node **links = ledger->head;

	for (size_t i = ledger->top; i-- > 0;) {
		while (links[i] != NULL && links[i]->range.end <= addr)
			links = links[i]->next;
		place->before[i] = &links[i];
	}
	return links[0];
}

static void link_node_locked(struct ledger *ledger, struct ledger_place *place, struct ledger_node *node)
	LOCK_HELD(ledger->lock)
{
	node->height = choose_height_locked(ledger);
	for (; ledger->top < node->height; ledger->top++)
		place->before[ledger->top] = &ledger->head[ledger->top];
	for (size_t i = 0; i < node->height; i++)
		node->next[i] = *place->before[i];
	for (size_t i = 0; i < node->height; i++)
		*place->before[i] = node;
}

void ledger_list__unlink_locked(struct ledger *ledger, const struct ledger_place *place,
	struct ledger_node *node) LOCK_HELD(ledger->lock)
{
	for (size_t i = node->height; i-- > 0;)
		/* A fork may have come before the node was on this list. */
		if (*place->before[i] == node)
			*place->before[i] = node->next[i];
	while (ledger->top > 1 && ledger->head[ledger->top - 1] == NULL)
		ledger->top--;
	ledger_nodes__put_locked(ledger, node);
}

/* Edits */

/* Joins a node to the next one, which begins where it ends. */
static void join_locked(struct ledger *ledger, struct ledger_node *left) LOCK_HELD(ledger->lock)
{
	struct ledger_node *right = left->next[0];
	uintptr_t start = right->range.start;
	struct ledger_place place;

	left->range.end = right->range.end;
	ledger_list__search_locked(ledger, start, &place);
	/* Both end at one address now: the search stops at the left one. */
	for (size_t i = 0; i < ledger->top; i++)
		if (*place.before[i] == left)
			place.before[i] = &left->next[i];
	ledger_list__unlink_locked(ledger, &place, right);
}

int ledger_list__add_locked(struct ledger *ledger, uintptr_t start, uintptr_t end, intptr_t value)
	LOCK_HELD(ledger->lock)
{
	struct ledger_place place;
	/* Also finds a node that ends where the range starts. */
	struct ledger_node *left = ledger_list__search_locked(ledger, start == 0 ? 0 : start - 1, &place);
	struct ledger_node *right = left, *node;

	if (left != NULL && left->range.end == start)
		right = left->next[0];
	else
		left = NULL;
	if (right != NULL && right->range.start < end)
		return -EEXIST;
	if (right != NULL && (right->range.start != end || right->range.value != value))
		right = NULL;
	if (left != NULL && left->range.value == value) {
		left->range.end = end;
		if (right != NULL)
			join_locked(ledger, left);
	} else if (right != NULL) {
		right->range.start = start;
	} else {
		node = ledger_nodes__get_locked(ledger);
		if (node == NULL)
			return -ENOMEM;
		node->range = (struct ledger_range){start, end, value};
		if (left != NULL)
			ledger_list__search_locked(ledger, start, &place);
		link_node_locked(ledger, &place, node);
	}
	ledger->bytes += end - start;
	return 0;
}

bool ledger_list__covers_locked(struct ledger *ledger, uintptr_t start, uintptr_t end)
	LOCK_HELD(ledger->lock)
{
	struct ledger_place place;
	struct ledger_node *node = ledger_list__search_locked(ledger, start, &place);

	for (; node != NULL && node->range.start <= start; node = node->next[0]) {
		if (node->range.end >= end)
			return true;
		start = node->range.end;
	}
	return false;
}

/* Cuts the hole [start, end) into a node that reaches beyond both its ends. */
static int split_locked(struct ledger *ledger, struct ledger_node *node, uintptr_t start, uintptr_t end)
	LOCK_HELD(ledger->lock)
{
	struct ledger_node *tail = ledger_nodes__get_locked(ledger);
	struct ledger_place place;

	if (tail == NULL)
		return -ENOMEM;
	tail->range = (struct ledger_range){end, node->range.end, node->range.value};
	ledger_list__search_locked(ledger, node->range.end, &place);
	link_node_locked(ledger, &place, tail);
	node->range.end = start;
	return 0;
}

int ledger_list__cut_locked(struct ledger *ledger, uintptr_t start, uintptr_t end, size_t *bytes)
	LOCK_HELD(ledger->lock)
{
	struct ledger_place place;
	struct ledger_node *node = ledger_list__search_locked(ledger, start, &place);
	size_t sum = 0;

	if (node != NULL && node->range.start < start && node->range.end > end) {
		int failed = split_locked(ledger, node, start, end);

		if (failed != 0)
			return failed;
		sum = end - start;
		node = NULL;
	}
	while (node != NULL && node->range.start < end) {
		uintptr_t from = node->range.start > start ? node->range.start : start;
		uintptr_t to = node->range.end < end ? node->range.end : end;

		sum += to - from;
		if (node->range.start < start)
			node->range.end = start;
		else if (node->range.end > end)
			node->range.start = end;
		else
			ledger_list__unlink_locked(ledger, &place, node);
		if (to == end)
			break;
		node = ledger_list__search_locked(ledger, start, &place);
	}
	ledger->bytes -= sum;
	*bytes = sum;
	return 0;
}

int ledger_list__set_locked(struct ledger *ledger, uintptr_t start, uintptr_t end, intptr_t value)
	LOCK_HELD(ledger->lock)
{
	int result = ledger_list__add_locked(ledger, start, end, value);
	size_t bytes;

	if (result == -EEXIST) {
		/* What a cut and an add may need, so that neither fails half way. */
		result = ledger_nodes__reserve_locked(ledger, 2);
		if (result == 0) {
			ledger_list__cut_locked(ledger, start, end, &bytes);
			result = ledger_list__add_locked(ledger, start, end, value);
		}
	}
	return result;
}
