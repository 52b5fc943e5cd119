/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fuzz_amm.c - bytes are operations on an address map, each checked against an array of tags; see
 * tests/property/amm_model.h. A difference aborts.
 */
#include <stddef.h>
#include <stdint.h>

#include "tests/property/amm_model.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	amm_model_run(data, size);
	return 0;
}
