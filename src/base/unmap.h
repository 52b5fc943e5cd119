/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * unmap.h - memory of the library's own goes back to the kernel, at once or a little later.
 *
 * The kernel refuses to unmap part of a mapping where the process has as many mappings as it may
 * (vm.max_map_count). What was refused is remembered inside itself and tried again by each later call
 * that succeeds. No lock, no malloc; a fork at any instant leaves the child a whole list.
 */
#ifndef BASE_UNMAP_H
#define BASE_UNMAP_H

#include <stddef.h>

/* Gives back whole pages that nobody uses any more, the first of them readable and writable. errno stays. */
void unmap__own(void *start, size_t size);

#endif
