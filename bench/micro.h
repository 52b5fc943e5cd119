/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef BENCH_MICRO_H
#define BENCH_MICRO_H

#ifdef __cplusplus
extern "C"
#endif
/* Runs the micro-benchmarks of this peer; argv are google-benchmark's flags. An exit status. */
int micro_main(int argc, char **argv);

#endif
