/* SPDX-License-Identifier: BSD-3-Clause */
/* report.h - the table of --stats at the end of a program. */
#ifndef PRELOAD_REPORT_H
#define PRELOAD_REPORT_H

/* Asks for the table when this very process exits (not by _exit, nor by a signal). */
void report__at_exit(void);

#endif
