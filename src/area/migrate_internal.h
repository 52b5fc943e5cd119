/* SPDX-License-Identifier: BSD-3-Clause */
/* migrate_internal.h - what migrate.c and migrate_bulk.c share. */
#ifndef AREA_MIGRATE_INTERNAL_H
#define AREA_MIGRATE_INTERNAL_H

#include <stddef.h>

#include "area/linux.h"
#include "area/migrate.h"

/* Does the policy name nodes? Where it does not every node is home. */
bool migrate__has_nodes(const struct aml_area_data *data);

/* Where pages may lie; a kernel without PREFERRED_MANY is told fewer nodes than that. */
const struct os_nodes *migrate__home(const struct aml_area_data *data);
bool migrate__is_home(const struct aml_area_data *data, int node);

/* The node for a page: in turn where the policy spreads, else `spare`, where there is most room. */
int migrate__node_for(const struct aml_area_data *data, const void *page, int spare);

/* Adds bytes to one of the figures, all of which are size_t, given by its place in the struct. */
void migrate__count(struct migrate_account *account, size_t figure, int node, size_t size);

#define COUNT(account, figure, node, size) \
	migrate__count(account, offsetof(struct migrate_figures, figure), node, size)

#endif
