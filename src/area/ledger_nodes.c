/* SPDX-License-Identifier: BSD-3-Clause */
#include "area/ledger_nodes.h"

#include <errno.h>
#include <sys/mman.h>

struct ledger_chunk {
	struct ledger_chunk *next, *next_untouched;
};

void *ledger_nodes__map(size_t size)
{
	int old_errno = errno;
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	errno = old_errno;
	return p == MAP_FAILED ? NULL : p;
}

enum { CHUNK_SIZE = 64 * 1024 };
enum { NODES_PER_CHUNK = CHUNK_SIZE / sizeof(struct ledger_node) - 1 }; /* the first's place is the head's */

static int grow_locked(struct ledger *ledger) LOCK_HELD(ledger->lock)
{
	struct ledger_chunk *chunk = ledger_nodes__map(CHUNK_SIZE);

	if (chunk == NULL)
		return -ENOMEM;
	chunk->next = ledger->chunks;
	ledger->chunks = chunk;
	chunk->next_untouched = ledger->untouched;
	__atomic_store_n(&ledger->untouched, chunk, __ATOMIC_RELEASE);
	ledger->n_at_hand += NODES_PER_CHUNK;
	return 0;
}

int ledger_nodes__reserve_locked(struct ledger *ledger, size_t n) LOCK_HELD(ledger->lock)
{
	int failed = 0;

	while (ledger->n_at_hand < n && failed == 0)
		failed = grow_locked(ledger);
	return failed;
}

static struct ledger_node *get_fresh_locked(struct ledger *ledger) LOCK_HELD(ledger->lock)
{
	struct ledger_node *node;

	if (ledger->n_fresh == 0) {
		struct ledger_chunk *chunk;

		/* They are at hand, but perhaps not to the child of a fork that came in between here. */
		if (ledger->untouched == NULL && grow_locked(ledger) != 0)
			return NULL;
		chunk = ledger->untouched;
		ledger->untouched = chunk->next_untouched;
		ledger->fresh = (struct ledger_node *)(void *)chunk + 1;
		__atomic_store_n(&ledger->n_fresh, NODES_PER_CHUNK, __ATOMIC_RELEASE);
	}
	node = ledger->fresh;
	__atomic_store_n(&ledger->n_fresh, ledger->n_fresh - 1, __ATOMIC_RELEASE);
	__atomic_store_n(&ledger->fresh, node + 1, __ATOMIC_RELEASE);
	return node;
}

struct ledger_node *ledger_nodes__get_locked(struct ledger *ledger) LOCK_HELD(ledger->lock)
{
	struct ledger_node *node;

	if (ledger_nodes__reserve_locked(ledger, 1) != 0)
		return NULL;
	__atomic_store_n(&ledger->n_at_hand, ledger->n_at_hand - 1, __ATOMIC_RELEASE);
	node = ledger->spare;
	if (node == NULL)
		return get_fresh_locked(ledger);
	ledger->spare = node->next[0];
	return node;
}

void ledger_nodes__put_locked(struct ledger *ledger, struct ledger_node *node) LOCK_HELD(ledger->lock)
{
	node->next[0] = ledger->spare;
	__atomic_store_n(&ledger->spare, node, __ATOMIC_RELEASE);
	ledger->n_at_hand++;
}

void ledger_nodes__free(struct ledger *ledger)
{
	while (ledger->chunks != NULL) {
		struct ledger_chunk *chunk = ledger->chunks;

		ledger->chunks = chunk->next;
		munmap(chunk, CHUNK_SIZE);
	}
}
