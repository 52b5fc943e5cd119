/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * lab_blocks.h - heaps of known contents, for programs that move them: blocks of one MiB, each filled by its
 * number. Whatever fails ends the case, with the reason.
 */
#ifndef TESTS_LAB_GUEST_LAB_BLOCKS_H
#define TESTS_LAB_GUEST_LAB_BLOCKS_H

#include "situs.h"
#include "tests/lab/guest/lab.h"

#define LAB_BLOCK MIB

/* The caller closes it. */
struct aml_area *lab_open(const char *place);

/* The caller destroys it. */
situs_heap_t *lab_heap_over(const struct aml_area *area);

/* n blocks of the heap, each filled by its index. */
void lab_blocks_fill(situs_heap_t *heap, char **blocks, int n);

/* Fails unless all are as lab_blocks_fill left them. */
void lab_blocks_check(char *const *blocks, int n);

#endif
