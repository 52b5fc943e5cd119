/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/unmap.h"

#include <errno.h>
#include <stdatomic.h>
#include <sys/mman.h>

/* At the start of what was refused. */
struct refused {
	struct refused *next;
	size_t size;
};

static _Atomic(struct refused *) list;

static void remember(void *start, size_t size)
{
	struct refused *refused = start;

	refused->size = size;
	refused->next = atomic_load(&list);
	while (!atomic_compare_exchange_weak(&list, &refused->next, refused))
		;
}

static void try_again(void)
{
	struct refused *refused = atomic_exchange(&list, NULL), *next;

	for (; refused != NULL; refused = next) {
		next = refused->next;
		if (munmap(refused, refused->size) != 0)
			remember(refused, refused->size);
	}
}

void unmap__own(void *start, size_t size)
{
	int err = errno;

	if (munmap(start, size) != 0)
		remember(start, size);
	else if (atomic_load_explicit(&list, memory_order_relaxed) != NULL)
		try_again();
	errno = err;
}
