/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * passage.h - mapped memory passes from one area to another while it is in use: books and policies.
 * What is present is moved afterwards, by migrate.h.
 *
 * Any two areas will do whose memory is anonymous and comes in pages of one size: nodes and tiers under
 * any policy, strict ones, hugetlb pools, the same under limits, and chains of these. `enter` and then
 * `claim` make the range the new area's, before `leave` makes it not the old one's any more; an area
 * never takes over what is its own already. What entered can be undone by leave, and bind for the old.
 *
 * Nothing here allocates with malloc. Locks: those of the areas' ledgers.
 */
#ifndef AREA_PASSAGE_H
#define AREA_PASSAGE_H

#include <stdbool.h>

#include "aml.h"

struct migrate_account;

/* Can memory of `from` pass to `to`? 0; -ENOTSUP: it cannot, -EDOM: this process may not use the nodes
   of `to`; both with a sentence. */
int passage__check(const struct aml_area *from, const struct aml_area *to);

/* Takes over a mapped range: it is the first link's, under its policy. 0 or a negative errno without a
   sentence; then leave undoes what was done. */
int passage__enter(const struct aml_area *to, void *ptr, size_t size);

/* Part of a range that entered is in use: limits are charged, and links that refuse hand it on to the
   next. -ENOMEM with a sentence. */
int passage__claim(const struct aml_area *to, void *ptr, size_t size);

/* The range is the area's no more. Policies and pages stay. Cannot fail. */
void passage__leave(const struct aml_area *from, void *ptr, size_t size);

/* Puts a range that is the area's under the policies that its books say. As enter. */
int passage__bind(const struct aml_area *area, void *ptr, size_t size);

/* Do all of the links, or any of them, promise where every page lies? */
bool passage__is_strict(const struct aml_area *area, bool all);

/* Bytes that are offered to a link of a chain at a time where it has no room for more: whole pages. */
size_t passage__step(const struct aml_area *chain);

/*
 * Offers part of a range to link i of the area it belongs to: 1, and the whole range is that link's, on
 * its nodes (`fill`: and present); 0, and everything is as it was; or a negative errno. The account (NULL:
 * not wanted) tells of the attempt.
 */
int passage__offer(const struct aml_area *area, void *ptr, size_t size, int i, bool fill,
	struct migrate_account *account);

#endif
