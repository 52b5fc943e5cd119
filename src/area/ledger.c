/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ledger.c - a skip list of ranges.
 *
 * The bottom list is the truth; a node is linked there first and on the express lists after, and
 * unlinked in the other order, each by one store. So a fork between any two stores leaves the child
 * a list that works: at worst a node misses an express list or is lost to the child.
 *
 * The range pushed last waits beside the lists until somebody asks for anything but its removal:
 * memory that is mapped and soon unmapped never gets there. settle_locked may come twice, in the
 * child of a fork.
 *
 * Failure changes nothing: the one node that an edit may need is taken before the first store.
 */
#include "area/ledger.h"

#include <errno.h>
#include <sys/mman.h>

struct ledger_chunk {
	struct ledger_chunk *next;
};

enum { CHUNK_SIZE = 64 * 1024 };

void ledger__init(struct ledger *ledger)
{
	*ledger = (struct ledger)LEDGER_INITIALIZER;
	ledger__watch(ledger);
}

void ledger__destroy(struct ledger *ledger)
{
	ledger__unwatch(ledger);
	while (ledger->chunks != NULL) {
		struct ledger_chunk *chunk = ledger->chunks;

		ledger->chunks = chunk->next;
		munmap(chunk, CHUNK_SIZE);
	}
}

/* Nodes */

static int grow_locked(struct ledger *ledger) LOCK_HELD(ledger->lock)
{
	struct ledger_chunk *chunk = mmap(NULL, CHUNK_SIZE, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct ledger_node *nodes;

	if (chunk == MAP_FAILED)
		return -ENOMEM;
	chunk->next = ledger->chunks;
	ledger->chunks = chunk;
	/* The first node's place holds the chunk's head. */
	nodes = (struct ledger_node *)(void *)chunk;
	ledger->fresh_end = nodes + CHUNK_SIZE / sizeof(*nodes);
	ledger->fresh = nodes + 1;
	return 0;
}

static struct ledger_node *get_node_locked(struct ledger *ledger) LOCK_HELD(ledger->lock)
{
	struct ledger_node *node = ledger->spare;

	if (node != NULL) {
		ledger->spare = node->next[0];
		return node;
	}
	if (ledger->fresh == ledger->fresh_end && grow_locked(ledger) != 0)
		return NULL;
	return ledger->fresh++;
}

static void put_node_locked(struct ledger *ledger, struct ledger_node *node) LOCK_HELD(ledger->lock)
{
	node->next[0] = ledger->spare;
	ledger->spare = node;
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
	put_node_locked(ledger, node);
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
		node = get_node_locked(ledger);
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
	struct ledger_node *tail = get_node_locked(ledger);
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

/* The nodes that a cut and an add may need, so that neither fails half way. */
static int reserve_locked(struct ledger *ledger) LOCK_HELD(ledger->lock)
{
	struct ledger_node *first = get_node_locked(ledger), *second = NULL;

	if (first != NULL)
		second = get_node_locked(ledger);
	if (first != NULL)
		put_node_locked(ledger, first);
	if (second == NULL)
		return -ENOMEM;
	put_node_locked(ledger, second);
	return 0;
}

static int set_locked(struct ledger *ledger, uintptr_t start, uintptr_t end, intptr_t value)
	LOCK_HELD(ledger->lock)
{
	int result = add_locked(ledger, start, end, value);
	size_t bytes;

	if (result == -EEXIST) {
		result = reserve_locked(ledger);
		if (result == 0) {
			cut_locked(ledger, start, end, &bytes);
			result = add_locked(ledger, start, end, value);
		}
	}
	return result;
}

/* The range pushed last goes to the others. Cannot fail: push has seen to the nodes. */
static void settle_locked(struct ledger *ledger) LOCK_HELD(ledger->lock)
{
	struct ledger_range range = ledger->pushed;

	if (range.end == 0)
		return;
	(void)set_locked(ledger, range.start, range.end, range.value);
	ledger->pushed.end = 0;
}

/* Everybody but push and remove begins here. */
static void enter(struct ledger *ledger) LOCK_ACQUIRE(ledger->lock) LOCK_UNCHECKED
{
	lock__acquire(&ledger->lock);
	settle_locked(ledger);
}

static bool has_two_nodes_locked(struct ledger *ledger) LOCK_HELD(ledger->lock)
{
	return ledger->fresh_end - ledger->fresh >= 2 || reserve_locked(ledger) == 0;
}

int ledger__push(struct ledger *ledger, uintptr_t start, uintptr_t end, intptr_t value)
{
	int result = 0;

	lock__acquire(&ledger->lock);
	settle_locked(ledger);
	if (has_two_nodes_locked(ledger)) {
		ledger->pushed.start = start;
		ledger->pushed.value = value;
		/* Last, since it says that there is a range: a fork may come between. */
		__atomic_store_n(&ledger->pushed.end, end, __ATOMIC_RELEASE);
	} else {
		result = -ENOMEM;
	}
	lock__release(&ledger->lock);
	return result;
}

int ledger__set(struct ledger *ledger, uintptr_t start, uintptr_t end, intptr_t value)
{
	int result;

	enter(ledger);
	result = set_locked(ledger, start, end, value);
	lock__release(&ledger->lock);
	return result;
}

static int remove_locked(struct ledger *ledger, uintptr_t start, uintptr_t end)
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
	int result = 0;

	lock__acquire(&ledger->lock);
	if (ledger->pushed.end == end && ledger->pushed.start == start)
		ledger->pushed.end = 0;
	else
		result = remove_locked(ledger, start, end);
	lock__release(&ledger->lock);
	return result;
}

int ledger__cut(struct ledger *ledger, uintptr_t start, uintptr_t end, size_t *bytes)
{
	int result;

	enter(ledger);
	result = cut_locked(ledger, start, end, bytes);
	lock__release(&ledger->lock);
	return result;
}

static int take_locked(struct ledger *ledger, uintptr_t start, uintptr_t end, struct ledger_taken *taken)
	LOCK_HELD(ledger->lock)
{
	struct ledger_node *node;
	struct place place;
	size_t bytes;
	int failed = reserve_locked(ledger);

	taken->nodes = NULL;
	taken->bytes = 0;
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
		node = get_node_locked(ledger);
		node->range = range;
		node->next[0] = taken->nodes;
		taken->nodes = node;
		taken->bytes += bytes;
	}
	return 0;
}

int ledger__take(struct ledger *ledger, uintptr_t start, uintptr_t end, struct ledger_taken *taken)
{
	int result;

	enter(ledger);
	result = take_locked(ledger, start, end, taken);
	lock__release(&ledger->lock);
	return result;
}

void ledger__put_back(struct ledger *ledger, struct ledger_taken *taken)
{
	enter(ledger);
	while (taken->nodes != NULL) {
		struct ledger_node *node = taken->nodes;
		struct ledger_range range = node->range;

		taken->nodes = node->next[0];
		put_node_locked(ledger, node);
		(void)add_locked(ledger, range.start, range.end, range.value);
	}
	lock__release(&ledger->lock);
}

void ledger__drop(struct ledger *ledger, struct ledger_taken *taken)
{
	enter(ledger);
	while (taken->nodes != NULL) {
		struct ledger_node *node = taken->nodes;

		taken->nodes = node->next[0];
		put_node_locked(ledger, node);
	}
	lock__release(&ledger->lock);
}

bool ledger__covers(struct ledger *ledger, uintptr_t start, uintptr_t end)
{
	bool result;

	enter(ledger);
	result = covers_locked(ledger, start, end);
	lock__release(&ledger->lock);
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
	lock__release(&ledger->lock);
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
	lock__release(&ledger->lock);
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
	lock__release(&ledger->lock);
	return bytes;
}

size_t ledger__bytes(struct ledger *ledger)
{
	size_t bytes;

	enter(ledger);
	bytes = ledger->bytes;
	lock__release(&ledger->lock);
	return bytes;
}
