/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ledger_nodes.h - the nodes of a ledger's lists: taken from chunks of memory that mmap gives, and used again.
 *
 * Under the ledger's lock. In the child of a fork that came in the middle of a call nodes may be lost, at
 * worst a chunk of them; none is given out twice.
 */
#ifndef AREA_LEDGER_NODES_H
#define AREA_LEDGER_NODES_H

#include "area/ledger.h"

/* Makes sure of n nodes: 0, or -ENOMEM. */
int ledger_nodes__reserve_locked(struct ledger *ledger, size_t n) LOCK_HELD(ledger->lock);

/* NULL without memory; never after enough have been reserved. */
struct ledger_node *ledger_nodes__get_locked(struct ledger *ledger) LOCK_HELD(ledger->lock);
void ledger_nodes__put_locked(struct ledger *ledger, struct ledger_node *node) LOCK_HELD(ledger->lock);

/* Memory from the kernel, or NULL; errno stays. */
void *ledger_nodes__map(size_t size);

/* Gives back the memory of all nodes. */
void ledger_nodes__free(struct ledger *ledger);

#endif
