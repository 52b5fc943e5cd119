/* SPDX-License-Identifier: BSD-3-Clause */
/* lab_blocks.c - see lab_blocks.h. */
#include "tests/lab/guest/lab_blocks.h"

struct aml_area *lab_open(const char *place)
{
	struct aml_area *area;

	if (aml_area_open(&area, place) != AML_SUCCESS)
		fail_msg("%s: %s", place, situs_error());
	return area;
}

situs_heap_t *lab_heap_over(const struct aml_area *area)
{
	situs_heap_t *heap;

	if (situs_heap_create(&heap, area, NULL) != 0)
		fail_msg("%s", situs_error());
	return heap;
}

void lab_blocks_fill(situs_heap_t *heap, char **blocks, int n)
{
	for (int i = 0; i < n; i++) {
		blocks[i] = situs_malloc(heap, LAB_BLOCK);
		if (blocks[i] == NULL)
			fail_msg("block %d of %d: %s", i, n, situs_error());
		lab_fill(blocks[i], LAB_BLOCK, (uint64_t)i);
	}
}

void lab_blocks_check(char *const *blocks, int n)
{
	for (int i = 0; i < n; i++)
		assert_true(lab_filled(blocks[i], LAB_BLOCK, (uint64_t)i));
}
