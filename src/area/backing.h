/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * backing.h - areas whose memory is a shared mapping of a file: file.c and shm.c open the file, the
 * rest is common.
 */
#ifndef AREA_BACKING_H
#define AREA_BACKING_H

#include "area/area.h"
#include "area/linux.h"

struct backing_file {
	int fd;           /* taken over */
	uintptr_t base;   /* where offset 0 is mapped in every process; 0: each mapping where it fits */
	bool is_shared;   /* other processes grow the same file */
	const char *name; /* copied: unlinked at destroy; NULL: nothing to unlink */
	bool is_shm;      /* unlinked by shm_unlink */
};

/*
 * Makes the area; the file is empty, or shared. Takes the descriptor over on success only. kind is
 * what the area is called where options has no place. options->limit is left to the caller.
 */
int backing__create(struct aml_area **area, const struct backing_file *file, const char *kind,
	const struct area_options *options);

#endif
