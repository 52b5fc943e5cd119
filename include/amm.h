/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * amm.h - the address map.
 *
 * A map tiles [AMM_MINADDR, AMM_MAXADDR) with entries: every address lies in exactly one. An entry
 * has a half-open range and a flag word, and neighbours of equal flags are joined. Addresses are
 * plain integers and need not be memory.
 *
 * Two levels: the generic interface (any flags, entries and callbacks of the caller) and the simple
 * one (free, reserved, allocated), which is written in terms of the generic and may be mixed with it.
 *
 * Errors. Functions returning int give 0 or a positive errno value; functions returning a pointer
 * give NULL and set errno. EINVAL: a NULL map, size 0, a range that wraps or passes AMM_MAXADDR,
 * align_bits below 0 or not below the width of an address, unknown find flags. A call that fails has
 * changed nothing.
 *
 * Threads. No state outside the map: one map is used by one thread at a time unless the caller
 * locks; different maps are independent. amm_read and amm_read_iterate are the exception; see there.
 *
 * Memory. The index over the entries takes memory from the kernel's pages and never from malloc, so
 * a map whose entries come from an alloc callback that calls no malloc (or AMM_NO_MALLOC) may be
 * used where malloc must not be called. doc/address-map.md describes the index and what it costs.
 *
 * Cost, with n entries. Finding by address is O(log n). So is a change, for each entry that it makes, alters or
 * takes away; amortized, since now and then one has to make the index anew (some 20 ms at a million
 * entries), which keeps that below 32 bytes an entry. amm_find_gen and amm_iterate_gen have words of their own.
 */
#ifndef AMM_H
#define AMM_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define AMM_PUBLIC __attribute__((visibility("default")))
#else
#define AMM_PUBLIC
#endif

typedef uintptr_t amm_addr_t;
typedef size_t amm_size_t;

#define AMM_MINADDR ((amm_addr_t)0)
#define AMM_MAXADDR (~(amm_addr_t)0) /* one past the last valid address */

/* Flag words of the simple interface; an allocated entry's is AMM_ALLOCATED | prot. */
#define AMM_FREE 0
#define AMM_RESERVED ((int)0x80000000)
#define AMM_ALLOCATED ((int)0x40000000)

/* Find flags */
#define AMM_FORWARD 0
#define AMM_BACKWARD 1
#define AMM_FIRSTFIT 0
#define AMM_BESTFIT 2
#define AMM_EXACT_ADDR 4

typedef struct amm amm_t;
typedef struct amm_entry amm_entry_t;

/*
 * An entry. The map owns the fields; read them by the functions below. It may be the first member of
 * a struct of the caller's, who then supplies the callbacks that make and free it.
 */
struct amm_entry {
	amm_addr_t start, end;
	int flags;
	struct amm_entry *link; /* entries about to be freed; otherwise meaningless */
};

static inline amm_addr_t amm_entry_start(const amm_entry_t *entry)
{
	return entry->start;
}

static inline amm_addr_t amm_entry_end(const amm_entry_t *entry)
{
	return entry->end;
}

static inline amm_size_t amm_entry_size(const amm_entry_t *entry)
{
	return entry->end - entry->start;
}

static inline int amm_entry_flags(const amm_entry_t *entry)
{
	return entry->flags;
}

/*
 * Callbacks. They may look at the map they are called for with nothing but their arguments, since it
 * is in the middle of a change; the one for iteration may do anything.
 *
 * Alloc: an entry that will hold the range with those flags (the map fills them in), or NULL. The
 * entry may be given back unused through the free callback.
 */
typedef amm_entry_t *amm_alloc_func(amm_t *, amm_addr_t addr, amm_size_t size, int flags);

/* Free: an entry that has left the map. Its range and flags are still readable. */
typedef void amm_free_func(amm_t *, amm_entry_t *);

/*
 * Split: makes of one entry two, the first ending and the second starting at `at`, which lies inside.
 * Each may be the old entry or a new one; the map fills in ranges and flags, and frees the old one
 * where it is neither. Non-zero: no split, nothing made; the operation fails with that value.
 */
typedef int amm_split_func(amm_t *, amm_entry_t *, amm_addr_t at, amm_entry_t **head,
	amm_entry_t **tail);

/*
 * Join: makes of two neighbours with equal flags one, which may be either or a new one; the map frees
 * what is left over. Non-zero refuses, which is no error: they stay two.
 */
typedef int amm_join_func(amm_t *, amm_entry_t *head, amm_entry_t *tail, amm_entry_t **joined);

/* Iterate: non-zero stops, and is what the iteration returns. */
typedef int amm_iterate_func(amm_t *, amm_entry_t *, void *arg);

/*
 * A map. The caller allocates it; the fields are the map's. It must not be moved or copied while
 * alive.
 */
struct amm {
	/* set once */
	amm_alloc_func *alloc;
	amm_free_func *free;
	amm_split_func *split;
	amm_join_func *join;
	unsigned options;
	/* the index */
	int height;
	void *root;
	size_t count;
	struct amm_memory *memory; /* pools and what else nobody outside needs to see */
	/* for readers beside the writer (AMM_READERS) */
	void *published;
	size_t version;
};

/* Generic interface */

/*
 * Makes a map of one entry with `flags` that covers everything; `entry`, where not NULL, is that
 * entry. Absent (NULL) callbacks: entries from malloc and free, plain split (a new entry, from the
 * alloc callback, for the tail), plain join (the head stays, the tail is freed). EINVAL; ENOMEM, and then
 * the map is one that amm_destroy may be called for.
 */
AMM_PUBLIC int amm_init_gen(amm_t *amm, int flags, amm_entry_t *entry, amm_alloc_func *alloc,
	amm_free_func *free_func, amm_split_func *split, amm_join_func *join);

/* Options for amm_init_with. */
#define AMM_NO_MALLOC 0x1u /* default entries come from the kernel's pages too: malloc is never called */
#define AMM_READERS 0x2u   /* amm_read may run beside a writer, and the map survives fork at any instant */
#define AMM_FORK 0x4u      /* the map survives fork at any instant (amm_after_fork); nobody reads beside */

/* amm_init_gen with options. EINVAL: an unknown option. */
AMM_PUBLIC int amm_init_with(amm_t *amm, unsigned options, int flags, amm_entry_t *entry,
	amm_alloc_func *alloc, amm_free_func *free_func, amm_split_func *split, amm_join_func *join);

/* Frees every entry through the free callback, and the index. NULL is allowed. */
AMM_PUBLIC void amm_destroy(amm_t *amm);

/* The entry that holds addr. NULL and EINVAL for AMM_MAXADDR only. */
AMM_PUBLIC amm_entry_t *amm_find_addr(amm_t *amm, amm_addr_t addr);

/*
 * Finds `size` addresses from some *addrp on, all in entries with (flags & flagmask) == flags; they
 * may lie in several entries. The low align_bits bits of the first are those of align_off. Returns
 * the entry that holds the first and stores it in *addrp, or NULL, *addrp unchanged, errno ENOMEM
 * (there is no such place) or EINVAL.
 *
 * find_flags: a direction, a fit, and AMM_EXACT_ADDR.
 *   AMM_EXACT_ADDR  *addrp or nothing (EINVAL where the range would pass AMM_MAXADDR)
 *   first fit       the lowest suitable address at or above *addrp; backward, the highest at or below
 *   best fit        in the smallest run that has a suitable address on that side of *addrp, the first
 *                   suitable one in search direction; a run is a longest stretch of matching
 *                   addresses, measured whole; among equal ones, the first in search direction
 *
 * Cost: O(log n), amortized. What a fit needs the map makes when it is first asked for, by a walk over all
 * entries, and drops when nobody has asked for as many changes as would pay for making it anew. It
 * keeps that for 16 masks, any number of flags each. Masks in turn beyond that, and alignments in turn
 * beyond 8 that few places suit, are walked for until they have paid. With both an alignment and a hint, a best
 * fit is no better bound than by the number of runs whose distance from an aligned address lies between the
 * same two eighths of the alignment.
 */
AMM_PUBLIC amm_entry_t *amm_find_gen(amm_t *amm, amm_addr_t *addrp, amm_size_t size, int flags,
	int flagmask, int align_bits, amm_addr_t align_off, int find_flags);

/*
 * Replaces [addr, addr + size) by one entry with `flags`, then joins it with neighbours of equal flags
 * where the join callback agrees. Entries partly inside are split, entries inside are freed. Without
 * `entry`, and the range already of those flags inside one entry, nothing is done.
 *
 * `entry`, where not NULL, is the new entry; set its fields to anything, or zero, before it is first
 * given to a map. It may be one that lies in the range already. One that lies partly in it is split
 * like any other; where the split callback left it with a part outside, what it carries belongs there,
 * and the new entry is the piece inside. One that lies elsewhere in the map is EINVAL.
 *
 * ENOMEM, EINVAL or what a split callback returned; then the map is as it was, except that a split
 * which had to be undone stays where the join callback refuses; where the callback agrees, its joined
 * entry is what the map goes on with.
 */
AMM_PUBLIC int amm_modify(amm_t *amm, amm_addr_t addr, amm_size_t size, int flags,
	amm_entry_t *entry);

/*
 * Splits entries so that one starts at addr and one ends at addr + size, and returns the former, or
 * NULL, as amm_modify fails. The pieces stay apart until something joins them.
 */
AMM_PUBLIC amm_entry_t *amm_select(amm_t *amm, amm_addr_t addr, amm_size_t size);

/*
 * Calls func for each entry that overlaps [addr, addr + size) with (flags & flagmask) == flags, in
 * order of addresses. func may do to the map what it likes; the iteration continues behind the last
 * address that the entry had when func was called. Where func destroys the map, and makes none in its
 * place, the iteration ends. 0, EINVAL, or what func returned. O(log n) and what is visited, amortized as
 * amm_find_gen is.
 */
AMM_PUBLIC int amm_iterate_gen(amm_t *amm, amm_iterate_func *func, void *arg, amm_addr_t addr,
	amm_size_t size, int flags, int flagmask);

/* Simple interface */

/* Makes a map with [lo, hi) free and the rest reserved. lo may equal hi. EINVAL, ENOMEM. */
AMM_PUBLIC int amm_init(amm_t *amm, amm_addr_t lo, amm_addr_t hi);

/*
 * Allocates the lowest free `size` addresses at or above *addrp, or, where there are none, the lowest
 * of all, and stores the first in *addrp. EINVAL (prot must leave AMM_RESERVED alone), ENOMEM.
 */
AMM_PUBLIC int amm_allocate(amm_t *amm, amm_addr_t *addrp, amm_size_t size, int prot);

/* What is allocated in the range becomes free; what is not stays as it is. EINVAL, ENOMEM. */
AMM_PUBLIC int amm_deallocate(amm_t *amm, amm_addr_t addr, amm_size_t size);

/* What is allocated in the range gets `prot`; what is not stays as it is. EINVAL, ENOMEM. */
AMM_PUBLIC int amm_protect(amm_t *amm, amm_addr_t addr, amm_size_t size, int prot);

/* The whole range becomes reserved, whatever it was. EINVAL, ENOMEM. */
AMM_PUBLIC int amm_reserve(amm_t *amm, amm_addr_t addr, amm_size_t size);

/* amm_iterate_gen over every entry. */
AMM_PUBLIC int amm_iterate(amm_t *amm, amm_iterate_func *func, void *arg);

/* For people and tests */

/* One line an entry to standard output: start, end, size, flags. */
AMM_PUBLIC void amm_dump(amm_t *amm);

/* 0, or EINVAL where an invariant of the map or its index is broken. O(n). */
AMM_PUBLIC int amm_check(const amm_t *amm);

/* How many entries. */
AMM_PUBLIC size_t amm_count(const amm_t *amm);

/* Bytes of memory the index takes, in pages it has touched; entries not included. */
AMM_PUBLIC size_t amm_index_size(const amm_t *amm);

/* Reading beside one writer (maps made with AMM_READERS) */

/* What a reader is told: a copy, true at some instant during the call. */
struct amm_range {
	amm_addr_t start, end;
	int flags;
	amm_entry_t *entry; /* may be freed by now: see amm_read */
};

/*
 * Copies out the range that holds addr. May run on any number of threads beside one thread that
 * changes the map: it takes no lock, writes nothing but *range, and sees the map before or after each
 * single change and never between. Changes that begin during the call make it start over.
 *
 * `look`, where not NULL, is called with the range and arg before the answer is known to be true, and
 * again where the call starts over; it may read what the entry is embedded in where that memory
 * stays mapped (not unmapped by the free callback), must not follow pointers found there, and its
 * result counts once amm_read has returned. Fields that the writer changes must be read as atomics; those
 * of the entry itself are such that cannot be: the range has what they say.
 * EINVAL: addr is AMM_MAXADDR, or the map was made without AMM_READERS.
 */
typedef void amm_look_func(const struct amm_range *range, void *arg);
AMM_PUBLIC int amm_read(const amm_t *amm, amm_addr_t addr, struct amm_range *range,
	amm_look_func *look, void *arg);

/*
 * Calls func for copies of the ranges that overlap [addr, addr + size) with (flags & flagmask) ==
 * flags, in order of addresses and without gap or overlap. Every range is true at some instant during
 * the call, not all at the same. func may do anything; where nobody else uses the map and it destroys that,
 * the call ends soon after, when it has gone through what it had copied. 0, EINVAL, or what func returned.
 */
typedef int amm_range_func(const struct amm_range *range, void *arg);
AMM_PUBLIC int amm_read_iterate(const amm_t *amm, amm_range_func *func, void *arg, amm_addr_t addr,
	amm_size_t size, int flags, int flagmask);

/*
 * In the child of a fork, where another thread may have been inside a change at that instant: makes
 * the map usable for the child's one thread as it was before or after that change. Readers need no
 * such call. Entries that the interrupted change had taken or was about to free are lost to the child.
 * Calls no callback and no malloc. EINVAL: the map was made without AMM_READERS and AMM_FORK.
 */
AMM_PUBLIC int amm_after_fork(amm_t *amm);

#ifdef __cplusplus
}
#endif
#endif
