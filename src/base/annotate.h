/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * annotate.h - what AddressSanitizer and memcheck are told of memory they did not hand out themselves.
 *
 * Under AddressSanitizer by poison, under valgrind by client requests to a memory pool for each heap
 * (configure says whether its headers are there); empty in the ordinary build. A block is told of by its
 * address and the size that was asked for; everything around it in the memory it was cut from is out of
 * bounds, and so is the block once it is freed. Who must look there all the same opens it and closes it
 * after. What goes back to jemalloc or the area is nobody's any more, and open.
 */
#ifndef BASE_ANNOTATE_H
#define BASE_ANNOTATE_H

#include <stdbool.h>
#include <stddef.h>

#if defined(__SANITIZE_ADDRESS__)
#define ANNOTATE_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ANNOTATE_ASAN 1
#endif
#endif

#ifdef ANNOTATE_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/lsan_interface.h>
#define annotate_poison(start, size) __asan_poison_memory_region(start, size)
#define annotate_unpoison(start, size) __asan_unpoison_memory_region(start, size)
#else
#define annotate_poison(start, size) ((void)(start), (void)(size))
#define annotate_unpoison(start, size) ((void)(start), (void)(size))
#endif

#ifdef SITUS_VALGRIND
#include <valgrind/memcheck.h>
#define annotate_request(...) (void)(__VA_ARGS__)
#else
#define annotate_request(...) ((void)0)
#endif

/* Does anybody listen? */
static inline bool annotate__is_heard(void)
{
#if defined(ANNOTATE_ASAN)
	return true;
#elif defined(SITUS_VALGRIND)
	return RUNNING_ON_VALGRIND != 0;
#else
	return false;
#endif
}

static inline void annotate__pool_made(const void *pool)
{
	(void)pool;
#ifdef SITUS_VALGRIND
	/* So far from a block an error is said to be of that block. */
	VALGRIND_CREATE_MEMPOOL(pool, 8, 0);
#endif
}

/* Its blocks are gone with it. */
static inline void annotate__pool_went(const void *pool)
{
	(void)pool;
#ifdef SITUS_VALGRIND
	VALGRIND_DESTROY_MEMPOOL(pool);
#endif
}

/* [raw, raw + raw_size) holds the block [block, block + size) now, which reads as zeros or as nothing. */
static inline void annotate__allocated(const void *pool, void *raw, size_t raw_size, void *block,
	size_t size, bool is_zero)
{
	(void)pool, (void)is_zero;
	annotate_poison(raw, raw_size);
	annotate_unpoison(block, size);
	annotate_request(VALGRIND_MAKE_MEM_NOACCESS(raw, raw_size));
#ifdef SITUS_VALGRIND
	VALGRIND_MEMPOOL_ALLOC(pool, block, size);
#endif
	if (is_zero)
		annotate_request(VALGRIND_MAKE_MEM_DEFINED(block, size));
}

static inline void annotate__freed(const void *pool, void *block, size_t size)
{
	(void)pool;
	annotate_poison(block, size);
#ifdef SITUS_VALGRIND
	VALGRIND_MEMPOOL_FREE(pool, block);
#endif
}

static inline void annotate__open(const void *start, size_t size)
{
	annotate_unpoison(start, size);
	annotate_request(VALGRIND_MAKE_MEM_DEFINED(start, size));
}

static inline void annotate__close(const void *start, size_t size)
{
	annotate_poison(start, size);
	annotate_request(VALGRIND_MAKE_MEM_NOACCESS(start, size));
}

/* Nobody's any more. */
static inline void annotate__released(const void *start, size_t size)
{
	annotate_unpoison(start, size);
	annotate_request(VALGRIND_MAKE_MEM_UNDEFINED(start, size));
}

/* Blocks that the program's malloc gave may be known from here alone: they are no leaks. */
static inline void annotate__root_added(const void *start, size_t size)
{
	(void)start, (void)size;
#ifdef ANNOTATE_ASAN
	__lsan_register_root_region(start, size);
#endif
}

static inline void annotate__root_removed(const void *start, size_t size)
{
	(void)start, (void)size;
#ifdef ANNOTATE_ASAN
	__lsan_unregister_root_region(start, size);
#endif
}

#endif
