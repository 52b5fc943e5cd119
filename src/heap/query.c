/* SPDX-License-Identifier: BSD-3-Clause */
/* query.c - whose is it: answered from the page map, for any address at all. */
#include "base/error.h"
#include "base/pagemap.h"
#include "heap/checked.h"
#include "heap/heap.h"
#include "heap/registry.h"
#include "heap/thread.h"

situs_heap_t *situs_heap_of(const void *ptr)
{
	struct owner *owner = owner__of_word(pagemap__get(ptr));

	return owner == NULL ? NULL : owner->heap;
}

const struct aml_area *situs_area_of(const void *ptr)
{
	struct owner *owner = owner__of_word(pagemap__get(ptr));

	return owner == NULL ? NULL : owner->area;
}

int situs_thread_bind(situs_heap_t *heap)
{
	int err = 0;

	if (heap != NULL) {
		checked__heap(heap, "situs_thread_bind", __builtin_return_address(0));
		err = registry__check(heap, "situs_thread_bind");
	}
	return err != 0 ? err : thread__bind(heap);
}

situs_heap_t *situs_thread_heap(void)
{
	return thread__self->bound;
}

const char *situs_error(void)
{
	return error__text();
}
