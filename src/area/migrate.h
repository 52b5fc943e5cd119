/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * migrate.h - mapped memory goes from one area of anonymous base pages to another while it is in use.
 *
 * First the policy changes (migrate__adopt), so that what is touched from then on lies in the new place;
 * then what is present is moved, piece by piece (migrate__move). The kernel copies each page behind the
 * program's back: contents, addresses and other threads' accesses stay valid throughout.
 */
#ifndef AREA_MIGRATE_H
#define AREA_MIGRATE_H

#include <stdbool.h>

#include "aml.h"

/* Bytes of present pages. */
struct migrate_account {
	size_t moved, already;       /* both are home now */
	size_t no_room, busy, other; /* stayed behind: the nodes are full, the kernel could not, else */
};

/* Can what `from` mapped be handed to `to`? Both are anonymous memory in base pages without limits or
   links, and both strict or neither. */
bool migrate__is_possible(const struct aml_area *from, const struct aml_area *to);

/* Sets the policy of a range; nothing moves. 0 or a negative errno, without a sentence. */
int migrate__adopt(const struct aml_area *to, void *ptr, size_t size);

/* Moves the present pages of a range and adds to the account what came of it. A page that stays behind is
   no failure of this call: 0, or a negative errno where the kernel would not be asked. */
int migrate__move(const struct aml_area *to, void *ptr, size_t size, struct migrate_account *account);

#endif
