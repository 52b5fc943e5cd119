/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ledger.c - a skip list of ranges.
 *
 * The bottom list is the truth; a node is linked there first and on the express lists after, and
 * unlinked in the other order, each by one store. So a fork between any two stores leaves the child
 * a list that works: at worst a node misses an express list or is lost to the child.
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

/*
 * Where a search stops: before[i] is the link, on list i < top, that leads to the first node ending
 * after an address.
 */
struct place {
	struct ledger_node **before[LEDGER_HEIGHT];
};

static struct ledger_node *search_locked(struct ledger *ledger, uintptr_t addr, struct place *place)
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

static void link_node_locked(struct ledger *ledger, struct place *place, struct ledger_node *node)
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

static void unlink_node_locked(struct ledger *ledger, const struct place *place,
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
	struct place place;

	left->range.end = right->range.end;
	search_locked(ledger, start, &place);
	/* Both end at one address now: the search stops at the left one. */
	for (size_t i = 0; i < ledger->top; i++)
		if (*place.before[i] == left)
			place.before[i] = &left->next[i];
	unlink_node_locked(ledger, &place, right);
}

/* Adds a range: -EEXIST where some of it is in the ledger. */
static int add_locked(struct ledger *ledger, uintptr_t start, uintptr_t end, intptr_t value)
	LOCK_HELD(ledger->lock)
{
	struct place place;
	/* Also finds a node that ends where the range starts. */
	struct ledger_node *left = search_locked(ledger, start == 0 ? 0 : start - 1, &place);
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
			search_locked(ledger, start, &place);
		link_node_locked(ledger, &place, node);
	}
	ledger->bytes += end - start;
	return 0;
}

static bool covers_locked(struct ledger *ledger, uintptr_t start, uintptr_t end)
	LOCK_HELD(ledger->lock)
{
	struct place place;
	struct ledger_node *node = search_locked(ledger, start, &place);

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
	struct place place;

	if (tail == NULL)
		return -ENOMEM;
	tail->range = (struct ledger_range){end, node->range.end, node->range.value};
	search_locked(ledger, node->range.end, &place);
	link_node_locked(ledger, &place, tail);
	node->range.end = start;
	return 0;
}

static int cut_locked(struct ledger *ledger, uintptr_t start, uintptr_t end, size_t *bytes)
	LOCK_HELD(ledger->lock)
{
	struct place place;
	struct ledger_node *node = search_locked(ledger, start, &place);
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
			unlink_node_locked(ledger, &place, node);
		if (to == end)
			break;
		node = search_locked(ledger, start, &place);
	}
	ledger->bytes -= sum;
	*bytes = sum;
	return 0;
}

static int set_locked(struct ledger *ledger, uintptr_t start, uintptr_t end, intptr_t value)
	LOCK_HELD(ledger->lock)
{
	int result = add_locked(ledger, start, end, value);
	size_t bytes;

	if (result == -EEXIST) {
		/* What a cut and an add may need, so that neither fails half way. */
		result = ledger_nodes__reserve_locked(ledger, 2);
		if (result == 0) {
			cut_locked(ledger, start, end, &bytes);
			result = add_locked(ledger, start, end, value);
		}
	}
	return result;
}

/* Cannot fail: push has seen to the nodes. */
static void settle_range_locked(struct ledger *ledger, struct ledger_range range) LOCK_HELD(ledger->lock)
{
	(void)set_locked(ledger, range.start, range.end, range.value);
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
	result = set_locked(ledger, start, end, value);
	brief__release(&ledger->lock);
	return result;
}

static __attribute__((noinline)) int remove_locked(struct ledger *ledger, uintptr_t start, uintptr_t end)
	LOCK_HELD(ledger->lock)
{
	struct ledger_node *node;
	struct place place;
	size_t bytes;

	settle_locked(ledger);
	node = search_locked(ledger, start, &place);
	if (node != NULL && node->range.start == start && node->range.end == end) {
		/* Nearly always: as it was noted. */
		unlink_node_locked(ledger, &place, node);
		ledger->bytes -= end - start;
		return 0;
	}
	return covers_locked(ledger, start, end) ? cut_locked(ledger, start, end, &bytes) : -EINVAL;
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
		result = cut_locked(ledger, start, end, bytes);
	}
	brief__release(&ledger->lock);
	return result;
}

static int take_locked(struct ledger *ledger, uintptr_t start, uintptr_t end, struct ledger_taken *taken)
	LOCK_HELD(ledger->lock)
{
	struct ledger_node *node;
	struct place place;
	size_t bytes;
	int failed = ledger_nodes__reserve_locked(ledger, 2);

	if (failed != 0)
		return failed;
	/* Each range that lies within gives the node that notes it here; the ends need two more at most. */
	while ((node = search_locked(ledger, start, &place)) != NULL && node->range.start < end) {
		struct ledger_range range = node->range;

		if (range.start < start)
			range.start = start;
		if (range.end > end)
			range.end = end;
		(void)cut_locked(ledger, range.start, range.end, &bytes);
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
		(void)add_locked(ledger, range.start, range.end, range.value);
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
		result = covers_locked(ledger, start, end);
	}
	brief__release(&ledger->lock);
	return result;
}

bool ledger__next(struct ledger *ledger, uintptr_t addr, struct ledger_range *range)
{
	struct place place;
	struct ledger_node *node;

	enter(ledger);
	node = search_locked(ledger, addr, &place);
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
		covers_locked(ledger, wanted, end)) {
		found = wanted;
	} else {
		while (node != NULL && node->range.end - node->range.start < size)
			node = node->next[0];
		if (node == NULL)
			return -ENOMEM;
		found = node->range.start;
	}
	failed = cut_locked(ledger, found, found + size, &bytes);
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
	struct place place;
	size_t bytes = 0;

	enter(ledger);
	for (struct ledger_node *node = search_locked(ledger, start, &place);
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
