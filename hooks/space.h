/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * space.h - the address space of one arena: regions drawn from an area, tiled by an address map.
 *
 * A region is one mapping of the area. The map says of every address whether it is outside, free
 * space of a region, or an extent that jemalloc holds; extents are placed in free space by best fit,
 * so that address space never passes from one arena to another. Areas whose mappings cost address
 * space only (AML_AREA_LAZY) are asked for large regions that end in a guard page; the others for
 * just what is needed, and a region goes back as soon as nothing in it is out. One that the area does
 * not take stays in the map, serves nobody, and is offered again before another is drawn and at the end.
 *
 * Invariants (space__check): the free and extent entries between a region's start and end tile it;
 * region->out is the sum of its extents; n_extents is their number; account->drawn is the sum over the
 * account's spaces of extents (lazy areas) or of regions (others); the page map names the owner on every
 * granule of an extent and nothing on free space.
 *
 * Locking: one lock a space, a leaf: nothing else is acquired under it but the area's own. Nothing
 * here calls malloc or jemalloc: extent hooks run on this.
 */
#ifndef HOOKS_SPACE_H
#define HOOKS_SPACE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "aml.h"
#include "amm.h"
#include "base/lock.h"
#include "base/pool.h"

struct space_account;

enum { SPACE_LIFETIMES = 28 }; /* the last begins at 18 hours */

/* What the floor above wants to hear of; called inside extent hooks: no malloc, no lock of its own
   that could be held while calling down. Any may be NULL. */
struct space_events {
	int (*region_added)(struct space_account *account, const void *start, size_t size);
	void (*region_removed)(struct space_account *account, int region); /* what region_added returned */
	void (*drawn_changed)(struct space_account *account, size_t drawn);
};

/* What several spaces of one heap share. */
struct space_account {
	/* Set once */
	const struct space_events *events; /* or NULL */

	/* Atomic */
	_Atomic(size_t) limit;          /* bytes; 0: none */
	_Atomic(size_t) drawn;          /* bytes drawn from the area now */
	_Atomic(size_t) peak;           /* largest drawn ever */
	_Atomic(size_t) trough;         /* least drawn since it last grew ahead at its peak; see space__may_grow_ahead */
	_Atomic(uint64_t) n_fallbacks;  /* extents served by a later link of a chain, ever */
	_Atomic(uint64_t) lifetimes[SPACE_LIFETIMES]; /* extents given back, by age */
};

/* Bucket 0 of lifetimes: less than 1 ms; i: from 2^(i-1) to less than 2^i ms; the last: all above. */
static inline unsigned space__lifetime_bucket(uint32_t ms)
{
	unsigned bucket = ms == 0 ? 0 : 32 - (unsigned)__builtin_clz(ms);

	return bucket < SPACE_LIFETIMES ? bucket : SPACE_LIFETIMES - 1;
}

/* Why the last request of this thread that a space refused was refused; callers reset it. */
enum space_refusal { SPACE_REFUSED_NOT, SPACE_REFUSED_LIMIT, SPACE_REFUSED_AREA, SPACE_REFUSED_BOOKS };
extern _Thread_local unsigned char space__refusal __attribute__((tls_model("initial-exec")));

/* While set, spaces hand this thread nothing: jemalloc serves it from what its arenas have, or not at all. */
extern _Thread_local bool space__is_closed_to_me __attribute__((tls_model("initial-exec")));

struct space_region;

/* A map entry: free space or an extent, and the region it lies in (NULL: outside). */
struct space_extent {
	amm_entry_t entry;
	struct space_region *region;
	uint32_t born; /* extents: ms of a coarse clock, wraps */
	uint8_t hint;  /* extents: enum space_hint */
};

struct space {
	/* Set once */
	struct space_account *account;
	size_t page_size; /* the area's granule */
	uint32_t word;    /* what the page map says of extents */

	/* Atomic: who gives pages back without the lock, and who must find nobody doing so (rehome.c) */
	_Atomic(unsigned) n_purging;
	atomic_bool is_switching;
	_Atomic(unsigned) n_waiting, n_served; /* for the lock, to draw or give back; now and ever */

	struct lock lock;
	/* Under the lock, to change; to read, n_purging will do */
	const struct aml_area *area;
	unsigned flags;   /* AML_AREA_... of it */
	size_t largest;   /* bytes an extent may have: more than there is memory is no use to anybody */
	/* Under the lock */
	bool must_rebind; /* a fork came while the area changed: policies may be the other area's */
	amm_t map;
	struct pool extents;          /* of struct space_extent */
	struct pool regions_pool;     /* of struct space_region */
	struct space_region *regions; /* list */
	struct space_region *empty;   /* a lazy region kept though nothing is out, or NULL */
	struct space_region *refused; /* list: the area did not take them back */
	bool is_closed;               /* nothing is out any more, whatever the map says */
	size_t size_out;              /* bytes of extents */
	size_t n_extents;             /* entries that are extents */
	size_t dirty_free;            /* bytes of free space not known to be zero */
	bool is_merging;              /* jemalloc has merged two extents, so they may be joined */
};

/* States of an extent, and what tells free space apart: the map's flag word. */
enum {
	SPACE_OUTSIDE = 0,
	SPACE_FREE = 0x01,
	SPACE_EXTENT = 0x02, /* always committed: ready for use */
	SPACE_CLEAN = 0x04,  /* free space: reads as zeros when handed out */
	SPACE_COLOUR = 0x30, /* free space: differs between regions that touch */
	SPACE_REFUSED = 0x40, /* a whole region, no more the space's, that the area did not take back */
};

/* `word` is the page map's word for extents. 0 or a negative errno. */
int space__init(struct space *space, const struct aml_area *area, uint32_t word,
	struct space_account *account);

/*
 * Gives every region back to the area, whatever is still out. -EBUSY with a sentence: the area did not
 * take all of them; what it did not take stays mapped and charged, and the call may be made again.
 */
int space__destroy(struct space *space);

/*
 * An extent of exactly `size` bytes (a multiple of 4 KiB), at `at` where that is not NULL, ready for
 * use. *zero says whether zeros are needed on entry, and whether it holds them on return. NULL with
 * errno ENOMEM (EINVAL: a size or alignment that makes no sense).
 */
void *space__alloc(struct space *space, void *at, size_t size, size_t alignment, bool *zero);

/* May it be handed address space for later use? Only where that costs nobody a page, and no limit is near;
   blocks beyond that size are better off in pieces of their own, which go back as soon as they are freed. */
enum { SPACE_GROWTH_MAX = 4 * 1024 * 1024 };
bool space__may_grow_ahead(struct space *space, size_t size);

/* Takes a range of extents back. Only a lack of memory for the books refuses (-ENOMEM). */
int space__free(struct space *space, void *start, size_t size);

/*
 * As the extent hooks of these names; 0 or a negative errno. Strict areas refuse purge: their space
 * goes back by space__free and comes again populated and verified, never through a demand fault.
 * Split does not fail: where memory for the books runs out, the map goes on with one entry for both
 * halves, and every byte of it is as true as before.
 */
int space__purge(struct space *space, void *start, size_t size);
void space__split(struct space *space, void *start, size_t head_size, size_t tail_size);
int space__merge(struct space *space, void *head, size_t head_size, size_t tail_size);

/* Does a purge, likely to succeed, leave nothing of a range but address space? */
bool space__is_purgeable(const struct space *space);

/* Bytes of the extent that starts at `start`; 0: none does. */
size_t space__extent_size(struct space *space, const void *start);

/* Usable bytes of the regions now drawn. */
size_t space__size_mapped(struct space *space);

/* What the space has charged to its account. */
size_t space__drawn(struct space *space);

/* Bytes of extents now out. */
size_t space__size_out(struct space *space);

/* How many extents are out. */
size_t space__n_extents(struct space *space);

/*
 * Changes the account's limit (0: none), exactly: from the return on no more than that is drawn. -EBUSY
 * and nothing changed where more is drawn already. Callers take turns.
 */
int space__set_limit(struct space_account *account, size_t limit);

/* Finds the first region that ends above *at and moves *at to its end; false: there is none. */
bool space__next_region(struct space *space, uintptr_t *at, uintptr_t *start, uintptr_t *end);

/*
 * All of the spaces draw from `to` from now on, and what they have is handed over, books and policies
 * first (area/passage.h; passage__check has said that it can be). 0, or a negative errno with a sentence
 * and everything as it was. Pages stay where they are.
 */
int space__switch(struct space *const *spaces, size_t n_spaces, const struct aml_area *to);

/* For who keeps others from switching it. */
static inline bool space__draws_from(const struct space *space, const struct aml_area *area)
{
	return __atomic_load_n(&space->area, __ATOMIC_RELAXED) == area;
}

/* In the child of a fork: nobody is switching any more. */
void space__reset_switching(void);

/* What the program said of extents: see situs_hint. */
enum space_hint { SPACE_HINT_NONE, SPACE_HINT_HOT, SPACE_HINT_COLD };

/* A stretch of a region, of which all granules are alike. */
struct space_stretch {
	void *start;
	size_t size;
	const struct aml_area *area;
	bool in_use;          /* extents lie in it, and for strict areas: its pages are owed */
	enum space_hint hint; /* hot: some of its extents are; cold: all of them are */
};

/*
 * Shows the next piece of a region, at most `step` bytes, from *at on, stretch by stretch with the lock
 * held, so that the region stays; *at moves past it. 0: there is none; 1: go on; negative: what visit
 * answered.
 */
int space__visit(struct space *space, uintptr_t *at, size_t step,
	int (*visit)(const struct space_stretch *stretch, void *arg), void *arg);

/*
 * Holds on to the first region that ends above `at`: until space__unpin it stays mapped and the space's,
 * though what lies in it may come and go, so its pages can be moved with no lock held. *area is whose it
 * is. NULL: there is none.
 */
struct space_region *space__pin(struct space *space, uintptr_t at, uintptr_t *start, uintptr_t *end,
	const struct aml_area **area);
void space__unpin(struct space *space, struct space_region *region);

/* Lets those have the space's lock who wait for it now: whoever takes it again at once should. */
void space__let_others(struct space *space);

/* Notes a hint on every extent that the range touches. -EINVAL: not all of it is extents. */
int space__hint(struct space *space, const void *start, size_t size, enum space_hint hint);

/* Is the whole range extents of this space? */
bool space__holds(struct space *space, const void *start, size_t size);

/* Calls back for every extent in address order; the lock is not held during a call, and taken anew for
   each. What is reported was an extent at that instant; an extent that was merged with one reported
   before is reported for the rest. A non-zero return stops and is returned. */
struct space_extent_info {
	const void *start;
	size_t size;
	int state;     /* SPACE_... */
	unsigned link; /* of a chain; else 0 */
	enum space_hint hint;
};
int space__iterate(struct space *space,
	int (*callback)(const struct space_extent_info *, void *arg), void *arg);

/* 0, or -EINVAL where an invariant is broken. For tests. */
int space__check(struct space *space);

/*
 * In the child of a fork, at whatever instant another thread was inside a call here: the map is as
 * before or after that call's change, and the sums are made anew from it.
 */
void space__after_fork(struct space *space);

#endif
