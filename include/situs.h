/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * situs.h - heaps on areas.
 *
 * A heap draws memory from one area (<aml.h>) through jemalloc arenas whose extent hooks Situs
 * supplies; an address map (<amm.h>) holds every extent that was drawn. What a heap hands out lies
 * in its area, whoever frees it and from whichever thread.
 *
 * Errors. Functions returning int give 0 or a negative errno value; functions returning a pointer
 * give NULL and set errno. situs_error() says in words what failed. A call that fails has changed
 * nothing.
 *
 * Threads. Every function may be called from any thread at any time, with one exception: destroying
 * (a heap, an arena, hooks) must not overlap any other use of the same object.
 */
#ifndef SITUS_H
#define SITUS_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "aml.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct situs_hooks situs_hooks_t; /* one arena's hooks: an area, an address map, a hook table */
typedef struct situs_heap situs_heap_t;

/* NULL, or zeroed but for struct_size, means defaults. */
struct situs_config {
	size_t struct_size;  /* sizeof(struct situs_config): the struct can grow */
	const char *name;    /* shown in statistics and messages; copied */
	size_t limit;        /* bytes the heap may hold from its area; 0: none */
	unsigned n_arenas;   /* 0: one per CPU in use, made on first use */
	size_t thread_cache; /* bytes each thread may cache; 0: default, SIZE_MAX: none */
	long decay_ms;       /* how long freed pages linger; 0: jemalloc's default, -1: for ever, 1: at once */
};

/* Hooks: for any jemalloc, also one the program links itself or under another prefix */

struct extent_hooks_s; /* jemalloc's extent_hooks_t */

/* Makes hooks that draw from `area`, which must outlive them. -EINVAL, -ENOMEM. */
AML_PUBLIC int situs_hooks_create(situs_hooks_t **hooks, const struct aml_area *area,
	const struct situs_config *config);

/* The table for arenas.create or arena.<i>.extent_hooks; valid until situs_hooks_destroy. */
AML_PUBLIC struct extent_hooks_s *situs_hooks_extent_hooks(situs_hooks_t *hooks);

/*
 * Frees the hooks. -EBUSY, and nothing done, while jemalloc holds extents: destroy the arena first. -EBUSY
 * too where the area does not take memory back; what it did not take stays mapped, and the call may be
 * made again.
 */
AML_PUBLIC int situs_hooks_destroy(situs_hooks_t *hooks);

/* Arenas: for programs that call mallocx themselves */

/* Makes an arena of the process's jemalloc whose extents come from `area`, which must outlive it. */
AML_PUBLIC int situs_arena_create(unsigned *arena, const struct aml_area *area,
	const struct situs_config *config);

/*
 * Frees everything allocated from the arena, then the arena. -EINVAL: not an arena made by
 * situs_arena_create; -EBUSY: a thread is bound to it by jemalloc's thread.arena, and nothing is done; or
 * the area does not take memory back, and the arena is gone but for that memory, which stays mapped.
 */
AML_PUBLIC int situs_arena_destroy(unsigned arena);

/*
 * MALLOCX_ARENA|MALLOCX_TCACHE flags with which mallocx, rallocx and dallocx are placement-exact for
 * the calling thread; -EINVAL: not a live arena of situs_arena_create. Flags of arenas from 2047 on are
 * negative as an int: an error is a value from -4095 to -1, and nothing else.
 */
AML_PUBLIC int situs_arena_flags(unsigned arena);

/* Heaps */

/* Makes a heap over an area, which must outlive it. -EINVAL, -ENOMEM, -EAGAIN (no arenas left). */
AML_PUBLIC int situs_heap_create(situs_heap_t **heap, const struct aml_area *area,
	const struct situs_config *config);

/* Makes a heap in a place ("node:1,strict"; situs(7)); the heap owns the area. NULL on error. */
AML_PUBLIC situs_heap_t *situs_heap_open(const char *place);

/*
 * The heap of that name: the same one for the same name throughout the program, made in `place` (NULL:
 * any) by the first call. Whoever runs the program decides instead where SITUS_HEAPS says so:
 * SITUS_HEAPS="cache=cxl;index=hbm,strict". Names have 1 to 63 characters, none of them = or ;.
 */
AML_PUBLIC situs_heap_t *situs_heap_named(const char *name, const char *place);

/*
 * Frees the heap and everything allocated from it. The handle is worth nothing from then on: every call
 * refuses it with EINVAL until another heap takes its place (doc/safety.md). NULL is allowed. -EBUSY: a
 * thread is bound to one of its arenas, or the area does not take memory back. What is left then is a
 * heap of which everything allocated is gone, to be destroyed again.
 */
AML_PUBLIC int situs_heap_destroy(situs_heap_t *heap);

/*
 * As malloc, calloc, realloc, aligned_alloc and free, in `heap` (NULL: the thread's own heap, see
 * situs_thread_bind; without one, the program's malloc). Size 0 gives a unique pointer that can be
 * freed. Failure is NULL with errno ENOMEM (EINVAL for a bad alignment), and realloc then leaves the
 * block as it was. situs_realloc moves a block of another heap into `heap`; with heap NULL the block
 * stays in its own. situs_realloc to size 0 frees the block and returns NULL.
 */
AML_PUBLIC void *situs_malloc(situs_heap_t *heap, size_t size);
AML_PUBLIC void *situs_calloc(situs_heap_t *heap, size_t n, size_t size);
AML_PUBLIC void *situs_realloc(situs_heap_t *heap, void *ptr, size_t size);
AML_PUBLIC void *situs_aligned_alloc(situs_heap_t *heap, size_t alignment, size_t size);

/* Frees a block of any heap, from any thread. NULL is allowed. What no heap owns goes to free(). */
AML_PUBLIC void situs_free(void *ptr);

/* The same where the caller knows the size it asked for. */
AML_PUBLIC void situs_free_sized(void *ptr, size_t size);

/* Bytes usable at ptr, at least what was asked for; 0 for NULL. */
AML_PUBLIC size_t situs_usable_size(const void *ptr);

/* Threads */

/* This thread's situs_malloc(NULL, ...) draws from `heap` from now on; NULL unbinds. */
AML_PUBLIC int situs_thread_bind(situs_heap_t *heap);
AML_PUBLIC situs_heap_t *situs_thread_heap(void);

/* Whose is it, and where does it lie: any address at all is a valid question */

/* The heap whose memory holds ptr; NULL: none. */
AML_PUBLIC situs_heap_t *situs_heap_of(const void *ptr);
AML_PUBLIC const struct aml_area *situs_area_of(const void *ptr);

/*
 * The bytes of [ptr, ptr + size) by node: bytes_on_node[0, n_nodes) is filled with how many of them lie in
 * pages on each, by the kernel's own account; nothing is touched or brought in. Returns the rest: the
 * number of pages of the range that lie on none of these nodes (untouched, given back, not mapped, or on
 * a node from n_nodes on), INT_MAX where there are more. -EINVAL; -EPERM, -ENOSYS: this process may not
 * ask.
 */
AML_PUBLIC int situs_locate(const void *ptr, size_t size, size_t *bytes_on_node, int n_nodes);

/*
 * The same by sample, for ranges too large to be asked about in full: n_samples pages, one at random from
 * each of as many equal parts of the range. *error is how far off, in bytes, any of the figures may be, at
 * 95 % confidence; 0 where the range has no more pages than that and all were asked about.
 */
AML_PUBLIC int situs_locate_sampled(const void *ptr, size_t size, size_t n_samples,
	size_t *bytes_on_node, int n_nodes, size_t *error);

/* The same for every extent of a heap; what the heap gives back or gets meanwhile is counted or not. */
AML_PUBLIC int situs_heap_locate(situs_heap_t *heap, size_t *bytes_on_node, int n_nodes);

/*
 * The same by sample, as situs_locate_sampled: one page at random from each of n_samples equal parts of the
 * heap's extents as they are when the call begins. Extents that go away meanwhile leave fewer samples, which the
 * error takes into account; what is new is not looked at.
 */
AML_PUBLIC int situs_heap_locate_sampled(situs_heap_t *heap, size_t n_samples, size_t *bytes_on_node,
	int n_nodes, size_t *error);

/* The heap as a whole. A pointer that is no heap, or not any more, is -EINVAL. */

struct situs_heap_stats {
	size_t struct_size; /* sizeof(struct situs_heap_stats), set by the caller: the struct can grow */
	size_t allocated;   /* bytes of blocks in use by the program, as the allocator rounds them */
	size_t resident;    /* bytes of pages present in the heap's regions; SIZE_MAX: the kernel does not say */
	size_t mapped;      /* bytes drawn from the area */
	size_t limit;       /* bytes the heap may draw; 0: none */
	size_t peak;        /* largest `mapped` so far */
	size_t n_extents;   /* ranges that the allocator holds */
	size_t n_arenas;    /* made so far */
	size_t n_threads;   /* that keep freed blocks of the heap */
	uint64_t n_failures;  /* requests refused */
	uint64_t n_fallbacks; /* extents served by a later link of a chain */
};

/*
 * What the heap has and holds. The figures are taken one after another while threads go on, so they agree
 * with each other only where nobody allocates. Meant for sampling from outside: it holds no lock that
 * fast paths want. What it costs the caller: some 30 us for each arena of the process, since jemalloc sums up
 * all of them or none, and a look at the page tables of the heap's regions. Who samples many heaps has
 * situs_stats_json or situs_stats_prometheus, which have that done once for all.
 */
#if defined(__cplusplus) && defined(__GNUC__)
/* A struct and a function of one name, as with stat(2): no shadow to warn C++ programs of. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wshadow"
#endif
AML_PUBLIC int situs_heap_stats(situs_heap_t *heap, struct situs_heap_stats *stats);
#if defined(__cplusplus) && defined(__GNUC__)
#pragma GCC diagnostic pop
#endif

/* Refused requests by cause. */
struct situs_refusals {
	size_t struct_size; /* sizeof(struct situs_refusals), set by the caller */
	uint64_t by_limit;  /* the heap's limit */
	uint64_t by_area;   /* the area gave no more: a full node or file, the area's own limit */
	uint64_t by_books;  /* no memory for Situs's own books */
	uint64_t by_other;  /* jemalloc's own limits or books */
};
AML_PUBLIC int situs_heap_refusals(situs_heap_t *heap, struct situs_refusals *refusals);

/* How many there are of a kind, from `from` up to but not including `to`. */
struct situs_count {
	uint64_t from, to, n;
};

/*
 * Histograms: blocks in use by the sizes they serve (bytes), and extents given back so far by how long
 * they were held (milliseconds, told apart from 4 on; an extent that was split or merged is as old as its
 * first part). Fills counts[0, n_counts) in ascending order, empty classes left out, and returns how many
 * there are, which may be more.
 */
AML_PUBLIC int situs_heap_block_sizes(situs_heap_t *heap, struct situs_count *counts, int n_counts);
AML_PUBLIC int situs_heap_lifetimes(situs_heap_t *heap, struct situs_count *counts, int n_counts);

/* One range that jemalloc holds from the area, for blocks in use and blocks to come. */
struct situs_extent {
	const void *start;
	size_t size;
	int state;      /* SITUS_EXTENT_... */
	unsigned arena; /* jemalloc's number */
	unsigned link;  /* of a chain, 0 is the first */
};

#define SITUS_EXTENT_COMMITTED 0x1 /* ready for use: every extent is, so far */
#define SITUS_EXTENT_HOT 0x2       /* as situs_hint was told */
#define SITUS_EXTENT_COLD 0x4

typedef int situs_extent_func(const struct situs_extent *extent, void *arg);

/*
 * Calls back for every extent, arena by arena in address order, while threads go on allocating. Each call
 * tells what was so an instant before; no address is told of twice; what is there all the while is told
 * of. No lock is held during a call, so it may take as long as it likes and call anything but
 * situs_heap_destroy. A non-zero return stops, and is returned.
 */
AML_PUBLIC int situs_heap_iterate(situs_heap_t *heap, situs_extent_func *func, void *arg);

/*
 * Changes what the heap may draw from its area, in bytes (0: no limit), exactly: not a byte more is drawn
 * from the return on. -EBUSY, and the limit as it was: more is in use, also after a trim.
 */
AML_PUBLIC int situs_heap_limit(situs_heap_t *heap, size_t bytes);

/*
 * Calls back when the heap has drawn more than `bytes` from its area, once each time that bound is passed
 * on the way up; it refuses nothing. The call comes from the thread that passed the bound or one that
 * allocates soon after, inside its malloc but with no lock held: it may allocate, free and trim, and must
 * not destroy the heap. Where more is drawn already, it comes before this returns. bytes 0: no bound
 * any more; a call that is under way elsewhere may still finish.
 */
typedef void situs_limit_func(situs_heap_t *heap, size_t mapped, void *arg);
AML_PUBLIC int situs_heap_soft_limit(situs_heap_t *heap, size_t bytes, situs_limit_func *func,
	void *arg);

/*
 * Gives back to the area whatever the heap holds without need: this thread's cached blocks, freed large
 * blocks and unused pages now; what other threads cache, when each next runs out of cached blocks or of
 * room for them. Returns how many pages (of sysconf(_SC_PAGESIZE) bytes) less are drawn than before,
 * INT_MAX where there are more; what other threads draw meanwhile counts against it. Address space that was
 * drawn ahead where that costs no memory, in pieces of at most 4 MiB, stays drawn until the heap is destroyed;
 * limits count it, and a heap that migrates to a strict area has memory for it there.
 */
AML_PUBLIC int situs_heap_trim(situs_heap_t *heap);

typedef int situs_progress_func(size_t done, size_t total, void *arg); /* bytes; non-zero cancels */

/*
 * Moves the heap to another area while threads go on allocating, reading and writing. Possible between
 * any two areas of anonymous memory in pages of one size (aml_area_linux_create, node:..., tiers, any;
 * hugetlb: of one size), each of them strict or not, under a limit or not, or a chain of such. -ENOTSUP
 * for all others, whose pages cannot pass from one to the other: situs_realloc into a heap of the new
 * area copies block by block.
 *
 * Memory that is touched for the first time after progress was first called comes from `to`; what is
 * present is then moved with no lock held, and looked at in pieces of 2 MiB (or one page, where pages are
 * larger), each of which holds up only who waits for the same arena's books. Otherwise a thread waits only
 * where it touches a page that is just being copied, with those that the kernel copies in one go (at most 512).
 * progress is called after each piece. Pages that lie freed on processors' lists, where the kernel does not
 * count them as free, are room too, as long as the nodes have a few pages besides when the call begins: a node with
 * none at all gives none. In a chain what finds no room in one link goes to the next. `to` must outlive the heap;
 * the area before must too.
 *
 * progress (may be NULL) is called with no lock held, first with done 0 before anything has changed;
 * what it answers with non-zero cancels: -ECANCELED. -EINVAL, -ENOTSUP, -EDOM (this process may not use
 * the nodes of `to`), -EBUSY (the heap is being moved already), -ENOMEM (more is in use than the limit of
 * `to` allows) and whatever setting the policy fails with leave the heap as it was. Once pieces have been
 * moved, a cancel, or a page that stays behind (-ENOMEM: the nodes are full, -EBUSY: the kernel could
 * not), leaves a heap that draws from `to` and lies partly there: call again to roll forward, or with
 * the area before to roll back. 0 means that no page of the heap stayed behind, and that every page which
 * a strict `to` owes is there. The child of a fork that comes meanwhile has a heap that works, partly
 * here and partly there, and not being moved.
 */
AML_PUBLIC int situs_heap_migrate(situs_heap_t *heap, const struct aml_area *to, situs_progress_func *progress,
	void *arg);

/* What came of the last situs_heap_migrate, or how far the present one is; bytes of present pages. */
struct situs_migration {
	size_t struct_size;    /* sizeof(struct situs_migration), set by the caller */
	size_t moved, already; /* in the new place now; told apart by one page in 16 where all these moved */
	size_t no_room;        /* stayed behind: the nodes were full */
	size_t busy;           /* stayed behind: in use by the kernel or a device */
	size_t other;          /* stayed behind: shared with another process since a fork, or else */
};
AML_PUBLIC int situs_heap_migration(situs_heap_t *heap, struct situs_migration *account);

/* The same by node: what lies there now. */
struct situs_migration_node {
	unsigned node;
	size_t moved, already;       /* came there, or lay there, and belong there */
	size_t no_room, busy, other; /* stayed there */
};

/* Fills nodes[0, n_nodes) in ascending order, nodes without a byte left out, and returns how many there
   are, which may be more. */
AML_PUBLIC int situs_heap_migration_nodes(situs_heap_t *heap, struct situs_migration_node *nodes, int n_nodes);

/*
 * Bytes of the heap's extents on each link of its chain: fills bytes_on_link[0, n_links) and returns how
 * many links there are, which may be more. An area that is no chain is the only link, with all that is
 * drawn from it.
 */
AML_PUBLIC int situs_heap_links(situs_heap_t *heap, size_t *bytes_on_link, int n_links);

/*
 * Brings home what has come to lie further away than it has to, while threads go on: of a chain, extents
 * of later links to the first that has room now; of any area, pages that the kernel put or left on nodes
 * which are not the area's. First what is hot; what is cold makes room before, and goes to the last link
 * that has some. In pieces, with progress and a cancel, as situs_heap_migrate; situs_heap_migration has
 * the account. Returns how many pages lie nearer than before (INT_MAX where there are more); what finds
 * no room stays, which is no error. -ENOTSUP: areas that could not be migrated either; -EBUSY.
 */
AML_PUBLIC int situs_heap_rebalance(situs_heap_t *heap, situs_progress_func *progress, void *arg);

/*
 * Says that the extents which the range touches are hot (in use all the time), cold (hardly ever), or
 * neither. It holds for whole extents, in which other blocks may lie too, until they are freed, and says
 * what situs_heap_rebalance shall do with them; nothing moves at once. -EINVAL: not all of the range is
 * memory of one heap, or no such hint.
 */
#define SITUS_HINT_NONE 0
#define SITUS_HINT_HOT 1
#define SITUS_HINT_COLD 2
AML_PUBLIC int situs_hint(const void *ptr, size_t size, int hint);

/*
 * The figures of all heaps of this program, as one line of JSON and as Prometheus's text format 0.0.4.
 * doc/stats.md has the schema. The figures are taken first and written then: a slow stream holds up no
 * heap. 0; -EINVAL: stream is NULL; -ENOMEM; what writing failed with.
 */
AML_PUBLIC int situs_stats_json(FILE *stream);
AML_PUBLIC int situs_stats_prometheus(FILE *stream);

/*
 * Who owns what, for people: heaps, their arenas, runs of neighbouring extents, and on which nodes these
 * lie, as a table. The layout may change. Returns as the two above.
 */
AML_PUBLIC int situs_dump(FILE *stream);

/* The last failure of this thread in words; "" before the first. Valid until the next failure. */
AML_PUBLIC const char *situs_error(void);

#ifdef __cplusplus
}
#endif
#endif
