/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ledger_watch.c - every ledger there is, so that their locks are free in the child of a fork.
 */
#include "area/ledger.h"

static struct lock all_lock = LOCK_INITIALIZER;
static struct ledger *all_ledgers;

static void reset_in_child(void)
{
	lock__reset(&all_lock);
	for (struct ledger *ledger = all_ledgers; ledger != NULL; ledger = ledger->next_ledger)
		brief__reset(&ledger->lock);
}

/* Here and not at first use: registering allocates. */
__attribute__((constructor)) static void register_fork(void)
{
	pthread_atfork(NULL, NULL, reset_in_child);
}

void ledger__watch(struct ledger *ledger)
{
	lock__acquire(&all_lock);
	ledger->next_ledger = all_ledgers;
	all_ledgers = ledger;
	lock__release(&all_lock);
}

void ledger__unwatch(struct ledger *ledger)
{
	lock__acquire(&all_lock);
	for (struct ledger **at = &all_ledgers; *at != NULL; at = &(*at)->next_ledger)
		if (*at == ledger) {
			*at = ledger->next_ledger;
			break;
		}
	lock__release(&all_lock);
}
