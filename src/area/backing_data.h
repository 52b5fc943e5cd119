/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * backing_data.h - what backing.c (mappings), backing_create.c and backing_offsets.c (the file) share.
 */
#ifndef AREA_BACKING_DATA_H
#define AREA_BACKING_DATA_H

#include <stdatomic.h>
#include <sys/types.h>

#include "area/backing.h"
#include "area/ledger.h"
#include "area/linux.h"

struct backing_data {
	struct area_head head;
	/* set once */
	struct aml_area_data memory; /* policy, page size, advice: what linux.c and strict.c know of it */
	int fd;
	uintptr_t base;
	bool is_shared, is_in_memory, can_punch;
	int thp;
	pid_t opener;
	/* the name, malloced or NULL: set once, but is_settled by whoever opens the area */
	char *name;
	bool is_shm, is_new, is_settled;
	enum backing_fate fate;
	/* under grow_lock: the file keeps this length, for children of n_seen forks that map parts of it */
	off_t floor;
	unsigned n_seen;
	/* under grow_lock, but read without: the fork that the ledgers belong to */
	_Atomic unsigned fork;
	/* have their own locks */
	struct ledger mapped, attached, free, paid;
};

static inline struct backing_data *backing__self(const struct aml_area_data *data)
{
	return (struct backing_data *)(uintptr_t)data;
}

/* The operations: backing.c. */
extern const struct aml_area_ops backing__ops;

/* Every operation begins here: in the child of a fork, what was the parent's becomes attached. */
struct backing_data *backing__enter(const struct aml_area_data *data);

/* Fork's number, the descriptor, the ledgers: set up last at creation, taken down first. */
void backing__open_offsets(struct backing_data *backing, int fd);
void backing__close_offsets(struct backing_data *backing);

/* Offsets of the file that nobody has: at *offset where that is not 0 and free, else any; without room
   behind them. 0 or a negative errno. */
int backing__take_offsets(struct backing_data *backing, size_t size, off_t *offset);

/* Gives them back, and the room behind them. */
void backing__give_offsets(struct backing_data *backing, off_t offset, size_t size);

#endif
