/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * paid.h - a book of the parts of an area's memory that have been committed, so that a commit pays for
 * what is missing only, and one that fails gives back what it paid for itself and nothing else.
 *
 * The book is a ledger whose ranges are paid for, value PAID. Calls on one part of the memory are the
 * caller's to order, as for commit itself; calls on different parts may run at once.
 */
#ifndef AREA_PAID_H
#define AREA_PAID_H

#include "area/ledger.h"

enum paid_value {
	PAID = 0,
	PAID_NOW = 1, /* by a call that is not done */
};

struct paid_calls {
	/* Pays for [start, end), nothing of which is paid for; or fails and leaves it so. AML_SUCCESS or what
	   aml__fail returned. */
	int (*pay)(void *arg, uintptr_t start, uintptr_t end);
	/* Gives back what pay paid for. Cannot fail. */
	void (*give_back)(void *arg, uintptr_t start, uintptr_t end);
};

/* Pays for all of [start, end) that is not in the book, and notes it: all or nothing. place: for the
   sentence. AML_SUCCESS, what pay returned, or -AML_ENOMEM with a sentence. */
int paid__commit(struct ledger *book, const char *place, uintptr_t start, uintptr_t end,
	const struct paid_calls *calls, void *arg);

#endif
