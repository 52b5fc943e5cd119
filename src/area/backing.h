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
	const char *name; /* copied; NULL: it has none */
	bool is_shm;      /* the name is for shm_unlink */
	bool is_new;      /* this call has made the name */
	enum backing_fate {
		BACKING_NAME_STAYS,
		BACKING_NAME_GOES,     /* when the area is destroyed */
		BACKING_NAME_GOES_NOW, /* when it is settled */
	} fate;
};

/*
 * Makes the area; the file is empty, or shared. Takes the descriptor over on success only. kind is
 * what the area is called where options has no place. options->limit is left to the caller.
 */
int backing__create(struct aml_area **area, const struct backing_file *file, const char *kind,
	const struct area_options *options);

/* Is it an area of this kind? */
bool backing__is_file(const struct aml_area *area);

/* The area is what its opener wanted, and so is everything that was opened with it: now names may go for
   good. One that is destroyed before that leaves behind what it found. Other areas: nothing. */
void backing__settle(const struct aml_area *area);

#endif
