/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * operators.c - operator new and delete, by their linker's names.
 *
 * They must be ours: another library of the process (jemalloc is one) may bring operators that do not
 * go through malloc. They are in C so that the preload brings no C++ runtime along; what a failing
 * new owes the program (the new handler, std::bad_alloc) is done by the runtime's own operator,
 * which calls our malloc once more. Built with -fexceptions: bad_alloc passes through here.
 */
#include "config.h"

#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

#include "preload/system.h"

#define PUBLIC __attribute__((visibility("default")))

_Static_assert(sizeof(size_t) == sizeof(unsigned long), "the names say size_t is unsigned long");

struct nothrow; /* std::nothrow_t */

typedef void *new_func(size_t);
typedef void *new_nothrow_func(size_t, const struct nothrow *);
typedef void *new_aligned_func(size_t, size_t);
typedef void *new_aligned_nothrow_func(size_t, size_t, const struct nothrow *);
typedef void delete_func(void *);
typedef void delete_sized_func(void *, size_t);
typedef void delete_nothrow_func(void *, const struct nothrow *);
typedef void delete_aligned_nothrow_func(void *, size_t, const struct nothrow *);
typedef void delete_sized_aligned_func(void *, size_t, size_t);

PUBLIC new_func _Znwm, _Znam;
PUBLIC new_nothrow_func _ZnwmRKSt9nothrow_t, _ZnamRKSt9nothrow_t;
PUBLIC new_aligned_func _ZnwmSt11align_val_t, _ZnamSt11align_val_t;
PUBLIC new_aligned_nothrow_func _ZnwmSt11align_val_tRKSt9nothrow_t, _ZnamSt11align_val_tRKSt9nothrow_t;
PUBLIC delete_func _ZdlPv, _ZdaPv;
PUBLIC delete_sized_func _ZdlPvm, _ZdaPvm, _ZdlPvSt11align_val_t, _ZdaPvSt11align_val_t;
PUBLIC delete_nothrow_func _ZdlPvRKSt9nothrow_t, _ZdaPvRKSt9nothrow_t;
PUBLIC delete_aligned_nothrow_func _ZdlPvSt11align_val_tRKSt9nothrow_t, _ZdaPvSt11align_val_tRKSt9nothrow_t;
PUBLIC delete_sized_aligned_func _ZdlPvmSt11align_val_t, _ZdaPvmSt11align_val_t;

/* The runtime's operator of that name. A program that calls new has one, or cannot be told. */
static void *runtime(const char *name)
{
	static const char message[] = "situs: out of memory in operator new, and no C++ runtime to throw\n";
	void *function = system__cxx(name);

	if (function)
		return function;
	if (write(STDERR_FILENO, message, sizeof(message) - 1) < 0)
		abort();
	abort();
}

static void *allocate(size_t size, const char *name)
{
	void *block = malloc(size);
	new_func *fail;

	if (block)
		return block;
	*(void **)&fail = runtime(name);
	return fail(size);
}

static void *allocate_aligned(size_t size, size_t alignment, const char *name)
{
	void *block = memalign(alignment, size);
	new_aligned_func *fail;

	if (block)
		return block;
	*(void **)&fail = runtime(name);
	return fail(size, alignment);
}

void *_Znwm(size_t size)
{
	return allocate(size, "_Znwm");
}

void *_Znam(size_t size)
{
	return allocate(size, "_Znam");
}

void *_ZnwmRKSt9nothrow_t(size_t size, const struct nothrow *tag)
{
	void *block = malloc(size);
	new_nothrow_func *fail;

	if (block)
		return block;
	*(void **)&fail = runtime("_ZnwmRKSt9nothrow_t");
	return fail(size, tag);
}

void *_ZnamRKSt9nothrow_t(size_t size, const struct nothrow *tag)
{
	return _ZnwmRKSt9nothrow_t(size, tag);
}

void *_ZnwmSt11align_val_t(size_t size, size_t alignment)
{
	return allocate_aligned(size, alignment, "_ZnwmSt11align_val_t");
}

void *_ZnamSt11align_val_t(size_t size, size_t alignment)
{
	return allocate_aligned(size, alignment, "_ZnamSt11align_val_t");
}

void *_ZnwmSt11align_val_tRKSt9nothrow_t(size_t size, size_t alignment, const struct nothrow *tag)
{
	void *block = memalign(alignment, size);
	new_aligned_nothrow_func *fail;

	if (block)
		return block;
	*(void **)&fail = runtime("_ZnwmSt11align_val_tRKSt9nothrow_t");
	return fail(size, alignment, tag);
}

void *_ZnamSt11align_val_tRKSt9nothrow_t(size_t size, size_t alignment, const struct nothrow *tag)
{
	return _ZnwmSt11align_val_tRKSt9nothrow_t(size, alignment, tag);
}

void _ZdlPv(void *ptr)
{
	free(ptr);
}

void _ZdaPv(void *ptr)
{
	free(ptr);
}

void _ZdlPvm(void *ptr, size_t size)
{
	(void)size;
	free(ptr);
}

void _ZdaPvm(void *ptr, size_t size)
{
	(void)size;
	free(ptr);
}

void _ZdlPvSt11align_val_t(void *ptr, size_t alignment)
{
	(void)alignment;
	free(ptr);
}

void _ZdaPvSt11align_val_t(void *ptr, size_t alignment)
{
	(void)alignment;
	free(ptr);
}

void _ZdlPvRKSt9nothrow_t(void *ptr, const struct nothrow *tag)
{
	(void)tag;
	free(ptr);
}

void _ZdaPvRKSt9nothrow_t(void *ptr, const struct nothrow *tag)
{
	(void)tag;
	free(ptr);
}

void _ZdlPvSt11align_val_tRKSt9nothrow_t(void *ptr, size_t alignment, const struct nothrow *tag)
{
	(void)alignment;
	(void)tag;
	free(ptr);
}

void _ZdaPvSt11align_val_tRKSt9nothrow_t(void *ptr, size_t alignment, const struct nothrow *tag)
{
	(void)alignment;
	(void)tag;
	free(ptr);
}

void _ZdlPvmSt11align_val_t(void *ptr, size_t size, size_t alignment)
{
	(void)size;
	(void)alignment;
	free(ptr);
}

void _ZdaPvmSt11align_val_t(void *ptr, size_t size, size_t alignment)
{
	(void)size;
	(void)alignment;
	free(ptr);
}
