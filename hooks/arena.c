/* SPDX-License-Identifier: BSD-3-Clause */
#include "hooks/arena.h"

#include <errno.h>
#include <jemalloc/jemalloc.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>

#include "base/annotate.h"
#include "base/error.h"
#include "base/unmap.h"
#include "hooks/rtree_gate.h"

enum {
	PAGE = 4096,
	BOOKS = 2 * 1024 * 1024, /* what an arena draws for its books (HUGEPAGE in src/base.c, 5.3.0) */
};

/* jemalloc's arena_config_t, which its public header lacks (src/arena.c, 5.3.0). */
struct arena_config {
	extent_hooks_t *extent_hooks;
	bool metadata_use_hooks;
};

/*
 * The hooks that an arena's own books are drawn with. With the default ones jemalloc keeps the
 * address space of a destroyed arena's books for ever, 2 MiB an arena.
 */

/* What this thread drew last. */
static _Thread_local struct {
	char *start;
	size_t size;
} books __attribute__((tls_model("initial-exec")));

static void *books_alloc(extent_hooks_t *table, void *want, size_t size, size_t alignment, bool *zero,
	bool *commit, unsigned arena)
{
	size_t slack = alignment > PAGE ? alignment - PAGE : 0;
	char *mapped, *start;

	(void)table, (void)arena;
	if (want != NULL || size + slack < size)
		return NULL;
	mapped = mmap(NULL, size + slack, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (mapped == MAP_FAILED)
		return NULL;
	start = mapped + (-(uintptr_t)mapped & (alignment - 1));
	if (start != mapped)
		unmap__own(mapped, (size_t)(start - mapped));
	if (start + size != mapped + size + slack)
		unmap__own(start + size, (size_t)(mapped + slack - start));
	/* A huge page for an arena of which some dozen pages are used is a waste. */
	madvise(start, size, MADV_NOHUGEPAGE);
	books.start = start;
	books.size = size;
	*zero = true;
	*commit = true;
	return start;
}

static bool books_dalloc(extent_hooks_t *table, void *start, size_t size, bool committed,
	unsigned arena)
{
	(void)table, (void)committed, (void)arena;
	unmap__own(start, size);
	return false;
}

static extent_hooks_t books_table = {.alloc = books_alloc, .dalloc = books_dalloc};

static const size_t GROW_LIMIT = SPACE_GROWTH_MAX;

static bool is_zero(const char *page)
{
	const uint64_t *words = (const uint64_t *)(const void *)page;
	uint64_t any = 0;

	for (size_t i = 0; i < PAGE / sizeof(*words); i++)
		any |= words[i];
	return any == 0;
}

static void drop_pages_of_zeros(char *start, size_t size)
{
	unsigned char present[BOOKS / PAGE];

	if (size != BOOKS || mincore(start, size, present) != 0)
		return;
	for (size_t i = 0; i < BOOKS / PAGE; i++)
		if ((present[i] & 1) != 0 && is_zero(start + i * PAGE))
			madvise(start + i * PAGE, PAGE, MADV_DONTNEED);
}

/*
 * jemalloc writes zeros all over an arena's books, 84 KiB, before it uses a fraction of them: pages that
 * hold nothing else go back, and read as zeros as before.
 *
 * Nobody else knows the new arena, but jemalloc's own walks over all arenas, which take locks that lie there
 * and may be all zero. A lock that is dropped while one walker holds it is free, as it will be in a
 * moment; with two, one could wait for ever. So none may come beside those that mallctl lets in one by one:
 * no fork. Background threads take no lock of an empty arena but those of its decay, which lie beside a seed
 * that is never zero (decay_reinit, 5.3.0).
 */
static void trim_books(void)
{
	if (!rtree_gate__hold())
		return;
	drop_pages_of_zeros(books.start, books.size);
	rtree_gate__release();
}

static int set_of_arena(unsigned arena, const char *what, void *value, size_t size)
{
	char name[64];

	snprintf(name, sizeof(name), "arena.%u.%s", arena, what);
	return mallctl(name, NULL, NULL, value, size);
}

/* An arena whose books lie elsewhere than its memory: false where jemalloc cannot do that. */
static bool create_apart(unsigned *arena, extent_hooks_t *table)
{
	struct arena_config config = {.extent_hooks = &books_table, .metadata_use_hooks = true};
	size_t size = sizeof(*arena);

	if (mallctl("experimental.arenas_create_ext", arena, &size, &config, sizeof(config)) != 0)
		return false;
	if (set_of_arena(*arena, "extent_hooks", &table, sizeof(table)) == 0)
		return true;
	(void)set_of_arena(*arena, "destroy", NULL, 0);
	return false;
}

int arena__create(unsigned *arena, struct hooks *hooks, long decay_ms)
{
	extent_hooks_t *table = hooks__table(hooks);
	size_t size = sizeof(*arena), grow_limit = GROW_LIMIT;
	unsigned made;

	books.start = NULL;
	if (!create_apart(&made, table) &&
		mallctl("arenas.create", &made, &size, &table, sizeof(table)) != 0)
		return error__set(EAGAIN, "jemalloc has no arena left (4094 are its limit), or no memory for one");
	/* Fails where opt.retain is off, and is not needed there. */
	(void)set_of_arena(made, "retain_grow_limit", &grow_limit, sizeof(grow_limit));
	if (decay_ms != 0) {
		ssize_t ms = decay_ms == 1 ? 0 : decay_ms;

		(void)set_of_arena(made, "dirty_decay_ms", &ms, sizeof(ms));
		(void)set_of_arena(made, "muzzy_decay_ms", &ms, sizeof(ms));
	}
	if (books.start != NULL)
		trim_books();
	*arena = made;
	return 0;
}

/*
 * Blocks that the program gave to jemalloc's own free lie in automatic caches, and jemalloc does not look there
 * when an arena goes. This thread's can be emptied, others' cannot.
 */
static void flush_automatic_cache(void)
{
	(void)mallctl("thread.tcache.flush", NULL, NULL, NULL, 0);
}

int arena__destroy(unsigned arena)
{
	flush_automatic_cache();
	if (set_of_arena(arena, "destroy", NULL, 0) != 0)
		return error__set(EBUSY, "arena %u: a thread is bound to it by jemalloc's thread.arena", arena);
	return 0;
}

void *arena__malloc(unsigned arena, size_t size, size_t alignment, bool zero)
{
	int flags = MALLOCX_ARENA(arena) | MALLOCX_TCACHE_NONE;
	void *block;

	if (alignment != 0)
		flags |= MALLOCX_ALIGN(alignment);
	if (zero)
		flags |= MALLOCX_ZERO;
	do {
		rtree_gate__begin();
		block = mallocx(size, flags);
	} while (rtree_gate__end() && block == NULL);
	return block;
}

bool arena__resize(void *block, size_t size)
{
	size_t good = nallocx(size, 0), got = 0;

	if (good == 0)
		return false;
	do {
		rtree_gate__begin();
		got = xallocx(block, size, 0, MALLOCX_TCACHE_NONE);
	} while (rtree_gate__end() && got != good);
	return got == good;
}

void arena__free(void *block)
{
	if (annotate__is_heard())
		annotate__released(block, sallocx(block, 0));
	dallocx(block, MALLOCX_TCACHE_NONE);
}

size_t arena__usable_size(const void *block)
{
	return sallocx(block, 0);
}

size_t arena__good_size(size_t size, size_t alignment)
{
	return nallocx(size, alignment == 0 ? 0 : MALLOCX_ALIGN(alignment));
}

void arena__purge(unsigned arena)
{
	(void)set_of_arena(arena, "purge", NULL, 0);
}
