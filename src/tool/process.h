/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * process.h - what can be seen of another process: its table of heaps, and where its pages are.
 *
 * Nothing here touches the other process's memory or stops it; what it does meanwhile may make
 * figures that were read one after another differ a little.
 */
#ifndef TOOL_PROCESS_H
#define TOOL_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "heap/publish.h"
#include "os/os.h"

struct process_range {
	uintptr_t start, end;
};

struct process_heap {
	char name[PUBLISH_NAME_SIZE], place[PUBLISH_PLACE_SIZE];
	uint64_t counters[PUBLISH_N_COUNTERS];
	size_t slot; /* in the table */
	char asked_name[PUBLISH_NAME_SIZE]; /* as it is, for requests */
	size_t n_ranges;
	struct process_range *ranges; /* by address, neighbours joined */
	size_t n_extents;
	struct publish_extent *extents; /* by address; NULL: not told */
};

struct process_table {
	pid_t pid;
	char program[32];
	uint64_t unpublished;
	size_t n_heaps;
	struct process_heap *heaps;
};

/*
 * Reads the table of a process. 0, or a negative errno after error__set: -ESRCH (no such process),
 * -EPERM (it, or its table, is another user's), -ENOENT (it shows no heaps), -EPROTO (what it shows is
 * no table this version can read). Texts hold no control characters.
 */
int process__read(pid_t pid, struct process_table *table);

/* The same after stale tables have been swept, for the words of the command: a failure is told, and its exit
   status returned. */
int tool__read_process(pid_t pid, struct process_table *table);
void process__free(struct process_table *table);

/*
 * Asking a process: see heap/channel.h. Pairs: ask_open, ask_close. An order to move a heap that is not
 * withdrawn stands after its asker has gone, until the process takes it, another such order replaces it, or
 * the process ends.
 */
struct process_channel {
	pid_t pid;
	int fd;
	char *page;
	uint64_t ticket, before; /* of the last request, and what the process had taken before it */
};

/* Errors as process__read, and -EBUSY: somebody else is asking. */
int process__ask_open(pid_t pid, struct process_channel *channel);
void process__ask_close(struct process_channel *channel);

/* Puts a request; ticket and cancel of it are not looked at. 0 or a negative errno after error__set: -EBUSY
   where an order stands and this is none. */
int process__ask(struct process_channel *channel, const struct publish_request *request);

/* The answer so far; text is terminated and printable. -ESRCH: the process has ended, without having
   finished. */
int process__answer(const struct process_channel *channel, struct publish_answer *answer);

/* Takes the request back; false where the process has taken it. */
bool process__withdraw(struct process_channel *channel);
void process__cancel(const struct process_channel *channel);

/* Asks for `allocated` of every heap to be counted anew; true where it was, within so many ms. */
bool process__refresh(pid_t pid, int wait_ms);

/* Asks for the extents of a heap and puts them there; true where they came within so many ms. */
bool process__extents(pid_t pid, struct process_heap *heap, int wait_ms);

/* Inside the process_ files: opens the table that a process stands behind, for reading (O_RDONLY) or
   both; what a terminal would obey becomes '?'. */
int process__open_table(pid_t pid, int mode, int *fd);

/* Is it gone, or has it ended and not been waited for? */
bool process__has_ended(pid_t pid);

/* The same, within so many ms: one that is being killed loses its memory before it is gone, and looks at it fail
   in many ways meanwhile. */
bool process__ends_soon(pid_t pid, int within_ms);

/* Bytes of the present pages of some ranges. */
struct process_pages {
	size_t on_node[OS_MAX_NODES];
	size_t present; /* in all */
	size_t swapped;
	size_t unknown; /* present, but the kernel names no node: the page of zeros, pages on the move */
};

/* What became of a piece of address space; numbers from 0 on are nodes. */
enum process_state {
	PROCESS_ABSENT = -1,  /* never touched, or given back */
	PROCESS_SWAPPED = -2,
	PROCESS_UNKNOWN = -3, /* present, but the kernel names no node */
};

struct process_run {
	uintptr_t start, end;
	int state;
};

/*
 * Calls back for the runs of pages of one state that make up a range, in address order; neighbours of one
 * state may be told in parts. A non-zero return stops and is returned. Errors as process__pages.
 */
int process__runs(pid_t pid, const struct process_range *range,
	int (*callback)(const struct process_run *run, void *arg), void *arg);

/*
 * Asks for every page of the ranges where it is (pagemap for which are present, move_pages for
 * where). 0, or a negative errno after error__set (-EPERM: this kernel or container forbids it).
 */
int process__pages(pid_t pid, const struct process_range *ranges, size_t n,
	struct process_pages *pages);

/* Where pages shall go: each to the next of the nodes in turn by its address, or where there is most room. */
struct process_target {
	struct os_nodes nodes; /* none: wherever they are is right */
	bool in_turn;
};

/*
 * Has the kernel move the present pages of the ranges to nodes, as another process of the same user may. The
 * process keeps its addresses and need not run; the policies of its memory stay, so what it touches
 * next comes from where it came from before. `progress` gets figures as they grow, and stops the work by a
 * non-zero return: -EINTR. The figures are those of struct publish_answer; what came of each page is asked
 * anew at the end. 0 or a negative errno after error__set, as process__pages.
 */
int process__move(pid_t pid, const struct process_range *ranges, size_t n,
	const struct process_target *target, int (*progress)(const struct publish_answer *figures, void *arg),
	void *arg, struct publish_answer *figures);

/*
 * The kernel's own account of the same ranges, summed from /proc/PID/numa_maps. *whole is false where
 * a kernel mapping also holds memory outside the ranges, so that the sum is of more than them.
 */
int process__numa_maps(pid_t pid, const struct process_range *ranges, size_t n,
	struct process_pages *pages, bool *whole);

#endif
