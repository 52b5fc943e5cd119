/* SPDX-License-Identifier: BSD-3-Clause */
/* stat.h - the parts of situs stat. */
#ifndef TOOL_STAT_H
#define TOOL_STAT_H

#include "tool/process.h"
#include "tool/tool.h"

/* A heap's pages, counted twice. */
struct account {
	struct process_pages pages;  /* page by page */
	struct process_pages kernel; /* the kernel's sum over its mappings */
	bool comparable;             /* the kernel's mappings hold this heap and nothing else */
};

/* A process at one time. */
struct view {
	struct process_table table;
	struct account *accounts; /* one a heap */
	bool is_fresh;            /* `allocated` was counted for this view */
};

/* 0, or a negative errno after error__set. Pairs with stat__free. */
int stat__take(pid_t pid, struct view *view);
void stat__free(struct view *view);

void stat__print_text(FILE *stream, const struct view *view);
void stat__print_prometheus(FILE *stream, const struct view *view);
json_t *stat__json(const struct view *view);

/* Bytes by node, without those that have none. */
json_t *stat__nodes_json(const struct process_pages *pages);

/* Makes heaps on every node this process may use, looks at them from another process, and tells whether
   all is where it was put, in words or as JSON; the exit status. */
int stat__self_test(bool json);

#endif
