/* SPDX-License-Identifier: BSD-3-Clause */
/* migrate.h - shared by the files of situs migrate. */
#ifndef TOOL_MIGRATE_H
#define TOOL_MIGRATE_H

#include "tool/process.h"
#include "tool/tool.h"

/*
 * Are the heap and the place of kinds that pages can pass between at all? NULL, or why not, in words that
 * follow "because". What this does not know the program finds out.
 */
const char *migrate__never(const struct process_heap *heap, const char *to);

/*
 * May the pages of a heap be moved to a place while its program sleeps, and to which nodes? NULL, or why
 * not, in words that follow "because": strict places and limits are the program's own to keep, and so are
 * mappings of another kind.
 */
const char *migrate__target(const struct process_heap *heap, const char *to, struct process_target *target);

#endif
