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

#include "hooks/conduit.h"
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

/* jemalloc itself: each pointer leads to the library once the function was called. */

/* The function of that name behind the preload's own. Idempotent, so threads may do it at once. */
static void *jemalloc(const char *name)
{
	void *function = dlsym(RTLD_NEXT, name);

	if (!function)
		abort(); /* the preload is linked with a library that has it */
	return function;
}

/* `call` is of those `parameters`, by their names. The wrapped function is a jump and nothing else. */
#define BEHIND(type, name, parameters, call) \
	type __wrap_##name parameters; \
	static type find_##name parameters; \
	static type(*_Atomic behind_##name) parameters = find_##name; \
	static __attribute__((cold)) type find_##name parameters \
	{ \
		type(*function) parameters; \
\
		*(void **)&function = jemalloc(#name); \
		atomic_store_explicit(&behind_##name, function, memory_order_relaxed); \
		return function call; \
	} \
	type __wrap_##name parameters \
	{ \
		return atomic_load_explicit(&behind_##name, memory_order_relaxed) call; \
	}

BEHIND(void *, mallocx, (size_t size, int flags), (size, flags))
BEHIND(void *, rallocx, (void *ptr, size_t size, int flags), (ptr, size, flags))
BEHIND(size_t, xallocx, (void *ptr, size_t size, size_t extra, int flags), (ptr, size, extra, flags))
BEHIND(size_t, sallocx, (const void *ptr, int flags), (ptr, flags))
BEHIND(void, dallocx, (void *ptr, int flags), (ptr, flags))
BEHIND(void, sdallocx, (void *ptr, size_t size, int flags), (ptr, size, flags))
BEHIND(size_t, nallocx, (size_t size, int flags), (size, flags))
BEHIND(int, mallctl, (const char *name, void *old, size_t *old_size, void *new, size_t new_size),
	(name, old, old_size, new, new_size))
BEHIND(int, mallctlnametomib, (const char *name, size_t *mib, size_t *n), (name, mib, n))
BEHIND(int, mallctlbymib, (const size_t *mib, size_t n, void *old, size_t *old_size, void *new, size_t new_size),
	(mib, n, old, old_size, new, new_size))

/* One name that is not wrapped, or linkers would find that nobody needs jemalloc. */
void malloc_stats_print(void (*write)(void *, const char *), void *arg, const char *options);
static void (*const needed)(void (*)(void *, const char *), void *, const char *)
	__attribute__((used)) = malloc_stats_print;

/* Marks */

atomic_bool extended__has_marks;

static struct owner mark = { .is_arena = true };

void extended__start(void)
{
	(void)owner__register(&mark); /* mallocx is refused without */
	conduit__have_thread_caches(); /* the program's malloc is not jemalloc's */
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
