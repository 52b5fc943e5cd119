/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * lab_full.h - a node that is nearly full, for tests of what happens there.
 *
 * How much a full node still has is the kernel's affair: watermarks, and lists of freed pages that each
 * processor keeps, which hold up to a quarter of a node of two processors out of sight. So the lists are made
 * short first, and a test either leaves room for all it puts there and as much again, or gives memory back
 * until it sees what it waits for.
 */
#ifndef TESTS_LAB_GUEST_LAB_FULL_H
#define TESTS_LAB_GUEST_LAB_FULL_H

#include "situs.h"
#include "tests/lab/guest/lab.h"

enum { LAB_FILLERS = 128 };
#define LAB_FILLER (8 * MIB)

/* Processors' lists: short, so that what a node is said to have is had; long; or as the kernel has them. What the
   lists of the calling thread's processors hold beyond that is free at once when they are made short. */
#define LAB_LISTS_SHORT "1000000"
#define LAB_LISTS_LONG "8"
#define LAB_LISTS_USUAL "0"
void lab_lists(const char *fraction);

/* What a node's memory was taken with; zeroed, it has taken none. */
struct lab_full {
	int node;
	struct aml_area *area;
	void *start[LAB_FILLERS];
	int n;
};

/* Takes all of a node's memory that can be had, then gives back about `left` bytes in fillers. */
void lab_full_begin(struct lab_full *full, int node, size_t left);

/* Gives back a filler. False: there is none left. */
bool lab_full_give(struct lab_full *full);

/* Gives everything back; nothing to do is fine, so that a teardown may. */
void lab_full_end(struct lab_full *full);

/* Prints what the kernel has free, for whoever reads that it was too little or too much. */
void lab_tell_free(void);

#endif
