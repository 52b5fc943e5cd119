/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The library's own calls of jemalloc must not come back here: they are linked with --wrap, and the
 * __wrap_ functions below go to the next library that has the name.
 */
#include "config.h"

#include "preload/extended.h"

#include <dlfcn.h>
#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "preload/start.h"
#include "preload/system.h"

#define PUBLIC __attribute__((visibility("default")))

/* jemalloc's flags (<jemalloc/jemalloc.h>): 6 bits of lg(alignment), one that asks for zeros, then 12 of
   the thread cache and 12 of the arena. */
enum { ALIGNMENT_MASK = 0x3f, ZERO = 0x40, PARTICULAR_SHIFT = 8 };

PUBLIC void *mallocx(size_t size, int flags);
PUBLIC void *rallocx(void *ptr, size_t size, int flags);
PUBLIC size_t xallocx(void *ptr, size_t size, size_t extra, int flags);
PUBLIC size_t sallocx(const void *ptr, int flags);
PUBLIC void dallocx(void *ptr, int flags);
PUBLIC void sdallocx(void *ptr, size_t size, int flags);

/* jemalloc itself */

void *__wrap_mallocx(size_t size, int flags);
void *__wrap_rallocx(void *ptr, size_t size, int flags);
size_t __wrap_sallocx(const void *ptr, int flags);
void __wrap_dallocx(void *ptr, int flags);
void __wrap_sdallocx(void *ptr, size_t size, int flags);
size_t __wrap_nallocx(size_t size, int flags);
int __wrap_mallctl(const char *name, void *old, size_t *old_size, void *new, size_t new_size);
size_t __wrap_xallocx(void *ptr, size_t size, size_t extra, int flags);

/* One name that is not wrapped, or linkers would find that nobody needs jemalloc. */
void malloc_stats_print(void (*write)(void *, const char *), void *arg, const char *options);
static void (*const needed)(void (*)(void *, const char *), void *, const char *)
	__attribute__((used)) = malloc_stats_print;

typedef _Atomic(void *) cached;

/* The function of that name behind the preload's own. Idempotent, so threads may do it at once. */
static void *jemalloc(cached *found, const char *name)
{
	void *function = atomic_load_explicit(found, memory_order_relaxed);

	if (__builtin_expect(function == NULL, 0)) {
		function = dlsym(RTLD_NEXT, name);
		if (!function)
			abort(); /* the preload is linked with a library that has it */
		atomic_store_explicit(found, function, memory_order_relaxed);
	}
	return function;
}

void *__wrap_mallocx(size_t size, int flags)
{
	static cached found;
	void *(*function)(size_t, int);

	*(void **)&function = jemalloc(&found, "mallocx");
	return function(size, flags);
}

void *__wrap_rallocx(void *ptr, size_t size, int flags)
{
	static cached found;
	void *(*function)(void *, size_t, int);

	*(void **)&function = jemalloc(&found, "rallocx");
	return function(ptr, size, flags);
}

size_t __wrap_xallocx(void *ptr, size_t size, size_t extra, int flags)
{
	static cached found;
	size_t (*function)(void *, size_t, size_t, int);

	*(void **)&function = jemalloc(&found, "xallocx");
	return function(ptr, size, extra, flags);
}

size_t __wrap_sallocx(const void *ptr, int flags)
{
	static cached found;
	size_t (*function)(const void *, int);

	*(void **)&function = jemalloc(&found, "sallocx");
	return function(ptr, flags);
}

void __wrap_dallocx(void *ptr, int flags)
{
	static cached found;
	void (*function)(void *, int);

	*(void **)&function = jemalloc(&found, "dallocx");
	function(ptr, flags);
}

void __wrap_sdallocx(void *ptr, size_t size, int flags)
{
	static cached found;
	void (*function)(void *, size_t, int);

	*(void **)&function = jemalloc(&found, "sdallocx");
	function(ptr, size, flags);
}

size_t __wrap_nallocx(size_t size, int flags)
{
	static cached found;
	size_t (*function)(size_t, int);

	*(void **)&function = jemalloc(&found, "nallocx");
	return function(size, flags);
}

int __wrap_mallctl(const char *name, void *old, size_t *old_size, void *new, size_t new_size)
{
	static cached found;
	int (*function)(const char *, void *, size_t *, void *, size_t);

	*(void **)&function = jemalloc(&found, "mallctl");
	return function(name, old, old_size, new, new_size);
}

/* Marks */

atomic_bool extended__has_marks;

static struct owner mark = { .is_arena = true };

void extended__start(void)
{
	(void)owner__register(&mark); /* mallocx is refused without */
}

/* jemalloc's block, or NULL, as the program gets it: without memory for the mark it cannot have it. The
   page of its first byte is what free looks at. */
static void *marked(void *block)
{
	if (!block || preload__owner(block))
		return block;
	if (mark.number == 0 || pagemap__prepare(block, 1)) {
		__wrap_dallocx(block, 0);
		return NULL;
	}
	atomic_store_explicit(&extended__has_marks, true, memory_order_relaxed);
	pagemap__fill(block, 1, owner__word(&mark, OWNER_PAGES));
	return block;
}

void *extended__unmark(void *block)
{
	if (block && preload__owner(block) == &mark)
		pagemap__fill(block, 1, 0);
	return block;
}

/* Is it a block of jemalloc's, here or in an arena that the program made by situs_arena_create? */
static bool is_jemallocs(const void *ptr)
{
	struct owner *owner = preload__owner(ptr);

	return owner && !owner->heap;
}

/* The family */

static bool is_particular(int flags)
{
	return (unsigned)flags >> PARTICULAR_SHIFT != 0;
}

/* 0: the natural one. */
static size_t alignment_of(int flags)
{
	size_t alignment = (size_t)1 << (flags & ALIGNMENT_MASK);

	return alignment <= _Alignof(max_align_t) ? 0 : alignment;
}

void *mallocx(size_t size, int flags)
{
	size_t alignment = alignment_of(flags);
	void *block;

	if (is_particular(flags))
		return marked(__wrap_mallocx(size, flags));
	if (!alignment)
		return flags & ZERO ? calloc(1, size) : malloc(size);
	block = memalign(alignment, size);
	if (block && flags & ZERO)
		memset(block, 0, size);
	return block;
}

void *rallocx(void *ptr, size_t size, int flags)
{
	size_t old_size = sallocx(ptr, 0), new_size;
	char *block = NULL;

	if (is_jemallocs(ptr) && xallocx(ptr, size, 0, flags) >= size) {
		block = ptr;
	} else if (is_jemallocs(ptr) || is_particular(flags) || alignment_of(flags)) {
		block = mallocx(size, flags & ~ZERO);
		if (!block)
			return NULL;
		memcpy(block, ptr, old_size < size ? old_size : size);
		dallocx(ptr, flags & ~ALIGNMENT_MASK & ~ZERO);
	} else {
		block = realloc(ptr, size);
		if (!block)
			return NULL;
	}
	new_size = sallocx(block, 0);
	if (flags & ZERO && new_size > old_size)
		memset(block + old_size, 0, new_size - old_size);
	return block;
}

/* Only where it is: the size it has. */
size_t xallocx(void *ptr, size_t size, size_t extra, int flags)
{
	return is_jemallocs(ptr) ? __wrap_xallocx(ptr, size, extra, flags) : malloc_usable_size(ptr);
}

size_t sallocx(const void *ptr, int flags)
{
	return is_jemallocs(ptr) ? __wrap_sallocx(ptr, flags) : malloc_usable_size((void *)(uintptr_t)ptr);
}

void dallocx(void *ptr, int flags)
{
	if (is_jemallocs(ptr))
		__wrap_dallocx(ptr, flags);
	else
		free(ptr);
}

void sdallocx(void *ptr, size_t size, int flags)
{
	(void)size;
	dallocx(ptr, flags);
}
