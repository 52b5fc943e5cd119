/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * publish.h - the table in which a program shows its heaps to `situs stat` of the same user.
 *
 * A file of fixed layout in a user-private place (see publish.c), mapped shared by the program that
 * owns the heaps and read, never mapped, by others. It holds a header, PUBLISH_N_HEAPS heap slots
 * and PUBLISH_N_REGIONS region slots; the file is sparse, so unused slots cost nothing.
 *
 * A slot is a run of 64-bit words. The first is a sequence number: odd while the slot is being
 * written, even when it is whole. A reader copies a slot twice and believes it where both copies
 * are equal and even; a writer killed half-way leaves one odd slot behind, which readers skip.
 *
 * The functions may be called from any thread, from inside extent hooks and in the child of a fork:
 * they take no lock, never call malloc, and make at most a few kernel calls the first time a page of
 * the table is used. None of them can fail in a way the heap has to know: a heap or region that
 * finds no slot is counted as unpublished and works all the same.
 */
#ifndef HEAP_PUBLISH_H
#define HEAP_PUBLISH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PUBLISH_MAGIC UINT64_C(0x3073757469735f74) /* "t_situs0" */
#define PUBLISH_VERSION 3
#define PUBLISH_PAGE 4096
#define PUBLISH_N_HEAPS 512
#define PUBLISH_N_REGIONS 16384
#define PUBLISH_NAME_SIZE 40
#define PUBLISH_PLACE_SIZE 104

/* What changes as a heap lives; each is one word, read and written whole. */
enum publish_counter {
	PUBLISH_MAPPED,     /* bytes drawn from the area */
	PUBLISH_ALLOCATED,  /* bytes in use by the program, as last known */
	PUBLISH_LIMIT,      /* bytes the heap may hold; 0: none */
	PUBLISH_FAILURES,   /* requests refused */
	PUBLISH_FALLBACKS,  /* extents served by a later link of a chain */
	PUBLISH_TOLD,       /* when PUBLISH_ALLOCATED was: seconds of CLOCK_BOOTTIME, and 1 more; 0: never */
	PUBLISH_N_COUNTERS
};

struct publish_header {
	uint64_t magic;
	uint32_t version, size; /* of this struct */
	uint32_t n_heaps, n_regions; /* slots in the file */
	uint32_t heap_size, region_size; /* of one slot */
	uint64_t pid, start_time; /* as the program itself sees them in /proc/self/stat */
	uint64_t pid_namespace; /* inode of /proc/self/ns/pid: where that pid means something */
	uint64_t heaps_used, regions_used; /* slots from the first that were ever used */
	uint64_t unpublished; /* heaps and regions that found no slot */
	char program[32];
};

struct publish_heap {
	uint64_t sequence;
	uint64_t live; /* 0: the slot is free */
	uint64_t counters[PUBLISH_N_COUNTERS];
	char name[PUBLISH_NAME_SIZE];   /* 0-terminated, cut where too long */
	char place[PUBLISH_PLACE_SIZE]; /* likewise */
	uint64_t reserved[6];
};

struct publish_region {
	uint64_t sequence;
	uint64_t heap; /* slot of the heap, plus 1; 0: the slot is free */
	uint64_t start, size; /* bytes */
};

/* What another process of the same user may ask: see channel.h. Written by the asker, the ticket last. */
enum { PUBLISH_ASK_STATS = 1, PUBLISH_ASK_MIGRATE = 2, PUBLISH_ASK_EXTENTS = 3 };
#define PUBLISH_ASK_PLACE_SIZE 512

struct publish_request {
	_Atomic uint64_t ticket; /* differs from `taken`: not seen yet; written back: withdrawn */
	_Atomic uint64_t cancel; /* the ticket of what shall stop */
	uint64_t kind, heap;     /* PUBLISH_ASK_..., slot of the heap */
	char name[PUBLISH_NAME_SIZE]; /* the heap's, since slots are used again */
	char place[PUBLISH_ASK_PLACE_SIZE];
};

/* Written by the program; bytes. */
struct publish_answer {
	_Atomic uint64_t taken, finished; /* tickets */
	_Atomic uint64_t done, total;
	_Atomic int64_t result; /* 0 or a negative errno */
	uint64_t moved, already, no_room, busy, other; /* as struct situs_migration */
	uint64_t n_extents;     /* behind the table, at PUBLISH_FILE_SIZE; the asker cuts them off */
	char text[256];         /* why not all went well */
};

/* As struct situs_extent. */
struct publish_extent {
	uint64_t start, size;
	uint32_t state, arena, link, reserved;
};

struct publish_channel {
	struct publish_request request;
	struct publish_answer answer;
};

/* The low half of the ticket, on which a program waits that listens. */
static inline uint32_t *publish__ask_futex(struct publish_channel *channel)
{
	return (uint32_t *)(void *)&channel->request.ticket + (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__);
}

#define PUBLISH_CHANNEL_OFFSET 1024
_Static_assert(PUBLISH_CHANNEL_OFFSET + sizeof(struct publish_channel) <= PUBLISH_PAGE,
	"the channel is on the header's page, which has room before anybody writes to it");

#define PUBLISH_HEAPS_OFFSET PUBLISH_PAGE
#define PUBLISH_REGIONS_OFFSET (PUBLISH_HEAPS_OFFSET + PUBLISH_N_HEAPS * sizeof(struct publish_heap))
#define PUBLISH_FILE_SIZE (PUBLISH_REGIONS_OFFSET + PUBLISH_N_REGIONS * sizeof(struct publish_region))

_Static_assert(sizeof(struct publish_header) <= PUBLISH_PAGE, "the header is one page");
_Static_assert(sizeof(struct publish_heap) == 256, "slots do not cross pages");
_Static_assert(sizeof(struct publish_region) == 32, "slots do not cross pages");

/*
 * Makes the table visible to other processes, with everything recorded so far. 0, or a negative
 * errno with nothing done (no private place for the file, or it is full): the program runs on
 * unseen. Not for use inside hooks. Before this call, and after a failed one, the functions below
 * record in this process only.
 */
int publish__on(void);

/* Is that the channel of this very process's table (not of the one it was forked from)? */
bool publish__is_ours(const struct publish_channel *channel);

/* Opens the file of this process's own table for reading and writing; a descriptor, or -1 with errno. */
int publish__open(void);

/* Records a heap; its slot, or -1 where all are taken. The texts are copied. */
int publish__heap_add(const char *name, const char *place);
void publish__heap_remove(int heap);
void publish__heap_set(int heap, enum publish_counter counter, uint64_t value);

/* The heap lies elsewhere from now on. Callers take turns; not from inside hooks. */
void publish__heap_place(int heap, const char *place);

/* Records that [start, start + size) belongs to heap; its slot, or -1. heap -1 is allowed. */
int publish__region_add(int heap, const void *start, size_t size);
void publish__region_remove(int region);

/*
 * Removes the tables in `folder` that belong to this user and whose program has gone. Only tables of
 * this pid namespace are judged. Returns how many were removed.
 */
int publish__sweep(const char *folder);

/* The same in every folder that tables of this user may be in, whatever XDG_RUNTIME_DIR was then. */
void publish__sweep_all(void);

#define PUBLISH_FOLDER_MAX 192 /* bytes of its name */

/* The folder tables of this user are made in: $XDG_RUNTIME_DIR where it is private, or /dev/shm. */
const char *publish__folder(void);

/* What tells the pid namespace of this process from others; 0: not known. */
uint64_t publish__pid_namespace(void);

/* Field 22 of /proc/PID/stat (clock ticks since boot) for pid, or for this process where pid is 0;
   0 where there is no such process. */
uint64_t publish__start_time(long pid);

#endif
