/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * alloc.h - in builds that check, malloc and its family belong to checked.c, and what alloc.c makes
 * stands below under the names given here. In the ordinary build this is empty.
 */
#ifndef HEAP_ALLOC_H
#define HEAP_ALLOC_H

#include "situs.h"

#ifdef SITUS_GUARDED
void *alloc__malloc(situs_heap_t *heap, size_t size);
void *alloc__calloc(situs_heap_t *heap, size_t n, size_t size);
void *alloc__realloc(situs_heap_t *heap, void *ptr, size_t size);
void *alloc__aligned_alloc(situs_heap_t *heap, size_t alignment, size_t size);
void alloc__free(void *ptr);
void alloc__free_sized(void *ptr, size_t size);
size_t alloc__usable_size(const void *ptr);

#ifndef HEAP_ALLOC_CHECKED
#define situs_malloc alloc__malloc
#define situs_calloc alloc__calloc
#define situs_realloc alloc__realloc
#define situs_aligned_alloc alloc__aligned_alloc
#define situs_free alloc__free
#define situs_free_sized alloc__free_sized
#define situs_usable_size alloc__usable_size
#endif
#endif

#endif
