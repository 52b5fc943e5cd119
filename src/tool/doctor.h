/* SPDX-License-Identifier: BSD-3-Clause */
/* doctor.h - the checks of situs doctor. */
#ifndef TOOL_DOCTOR_H
#define TOOL_DOCTOR_H

#include <stddef.h>

enum doctor_result {
	DOCTOR_OK,
	DOCTOR_NOTE,    /* works, with a limit that one should know of */
	DOCTOR_HURTS,   /* memory will not be where it was asked for, or not be had */
	DOCTOR_UNKNOWN, /* cannot be told here */
};

/* What one check found; remedy is "" where there is nothing to do. */
struct doctor_finding {
	enum doctor_result result;
	char what[256], remedy[256];
};

struct doctor_check {
	const char *name;
	/* root: what stands before /proc and /sys, "" but in tests. */
	void (*look)(const char *root, struct doctor_finding *finding);
};

extern const struct doctor_check doctor__checks[];
extern const size_t doctor__n_checks;

#endif
