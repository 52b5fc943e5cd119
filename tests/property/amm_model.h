/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * amm_model.h - the address map beside an array of tags.
 *
 * Bytes are a program: how the map is made, then operations on a window of addresses. After each
 * operation amm_check, the entries, the flags and what was returned are compared with the model, and
 * operations may be run with every one of their allocations failing in turn. The property test feeds
 * random bytes, the fuzzer its own.
 */
#ifndef TESTS_PROPERTY_AMM_MODEL_H
#define TESTS_PROPERTY_AMM_MODEL_H

#include <stddef.h>
#include <stdint.h>

/* Runs the program; prints what differs and aborts where map and model disagree. */
void amm_model_run(const uint8_t *bytes, size_t n);

/* Operations run, and failures planted that made one fail, since the program started. */
extern size_t amm_model_n_operations, amm_model_n_failures;

#endif
