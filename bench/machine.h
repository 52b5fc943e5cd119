/* SPDX-License-Identifier: BSD-3-Clause */
/* machine.h - what the kernel tells of this process and this machine; bytes and seconds. */
#ifndef BENCH_MACHINE_H
#define BENCH_MACHINE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct usage {
	double wall, user, system;
	long minor_faults, major_faults;
};

void machine_usage(struct usage *usage); /* of this process, all threads */

/* Memory that can be had without swapping; the control group's bound counts. SIZE_MAX: nobody says. */
size_t machine_available(void);

/* Why nothing can be measured in this process at all, in words that stay its own; NULL: it can. */
const char *machine_too_small(void);

/* The largest and the present resident size of this process; 0: the kernel does not say. */
size_t machine_peak(void);
size_t machine_resident(void);

unsigned machine_cpus(void); /* that this process may run on */

/* Of n pages, how many are present on another node than `node`; -1: the kernel does not say. */
long machine_off_node(void **pages, size_t n, int node);

#ifdef __cplusplus
}
#endif
#endif
