/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * os.h - the kernel's calls, as the floors above want them.
 *
 * Preconditions, for every function unless it says otherwise: ptr and size are multiples of the page
 * size of the mapping they name, size is not 0, and ptr + size does not wrap. Functions return 0 or
 * a negative errno value and leave no sentence (base/error.h): the caller knows what was meant.
 * Out-parameters are written on success only. Nothing here allocates with malloc, takes a lock or
 * keeps state beyond values that never change (and what os__room found last), so everything may run on any thread, inside
 * jemalloc's extent hooks and in the child of a fork.
 *
 * Constants are those of the kernel's uapi headers, defined in numa.c and map.c where the C library's
 * are too old to have them.
 */
#ifndef OS_OS_H
#define OS_OS_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/types.h>

/* The words of an errno value, of either sign. Static, never translated: translation may allocate. */
const char *os__strerror(int err);

/* Nodes */

/* The kernel's largest CONFIG_NODES_SHIFT is 10. */
#define OS_MAX_NODES 1024

/* What calls are told that take a set: the kernel takes one bit fewer (mempolicy.c, get_nodes). */
#define OS_NODES_BITS (OS_MAX_NODES + 1)

struct os_nodes {
	unsigned long bits[OS_MAX_NODES / (8 * sizeof(unsigned long))];
};

static inline bool os__nodes_has(const struct os_nodes *nodes, int node)
{
	enum { WIDTH = 8 * sizeof(unsigned long) };

	return node >= 0 && node < OS_MAX_NODES && (nodes->bits[node / WIDTH] >> (node % WIDTH) & 1);
}

static inline void os__nodes_add(struct os_nodes *nodes, int node)
{
	enum { WIDTH = 8 * sizeof(unsigned long) };

	nodes->bits[node / WIDTH] |= 1UL << (node % WIDTH);
}

/* The first node at or after `node`; -1: none. For walking: n = next(set, 0); n = next(set, n + 1). */
int os__nodes_next(const struct os_nodes *nodes, int node);
int os__nodes_count(const struct os_nodes *nodes);
bool os__nodes_equal(const struct os_nodes *a, const struct os_nodes *b);
bool os__nodes_within(const struct os_nodes *part, const struct os_nodes *whole);

/* As the kernel writes lists: "0-3,7". Cut where it does not fit; returns text. */
char *os__nodes_text(const struct os_nodes *nodes, char *text, size_t size);

/* The nodes this process may draw memory from now (its cpuset, cut to nodes that have memory). */
int os__nodes_allowed(struct os_nodes *nodes);

/* Bytes of a node in all, and free without any reclaim. -ENOENT: no such node. */
int os__node_memory(int node, size_t *total, size_t *free);

/* What firmware says of a node's memory as seen from the processors nearest to it, means of reading
   and writing (Documentation/admin-guide/mm/numaperf.rst); 0: it says nothing. */
struct os_performance {
	unsigned bandwidth; /* MiB/s */
	unsigned latency;   /* ns */
};
void os__node_performance(int node, struct os_performance *performance);

/* From one node to another in the firmware's unit, where 10 is local; 0: it does not say. */
unsigned os__node_distance(int from, int to);

/* Bytes of main memory the whole machine could still give to programs without killing any, after a
   margin that keeps other processes alive; the limits of this process's memory control groups count
   too. SIZE_MAX: the kernel does not tell. Without a file descriptor to look with: 0, but where the last look
   found neither a cpuset nor a group that limits this process. */
size_t os__room(void);

/* The same, with what it is that has no more. */
enum os_room_of {
	OS_ROOM_MACHINE,
	OS_ROOM_CPUSET, /* the nodes this process may use: name is their list */
	OS_ROOM_GROUP,  /* a memory control group: name is its folder, perhaps only the end of it */
	OS_ROOM_UNSEEN, /* there is no file descriptor to look with */
};
struct os_room {
	size_t bytes;
	enum os_room_of of;
	char name[96];
};
void os__ask_room(struct os_room *room);

/* Nothing is known of limits any more: they may be others in the child of a fork. */
void os__forget_room(void);

/* Milliseconds of a clock that is read in a few nanoseconds, and steps by a few milliseconds. */
uint64_t os__now_ms(void);

/* Mapping */

/* Read once; 0: not yet. */
extern size_t os__known_page_size;
size_t os__read_page_size(void);

static inline size_t os__page_size(void)
{
	size_t size = __atomic_load_n(&os__known_page_size, __ATOMIC_RELAXED);

	return size != 0 ? size : os__read_page_size();
}

enum os_map_flags {
	OS_MAP_NORESERVE = 1, /* not counted against overcommit, nor against a hugetlb pool */
	OS_MAP_SHARED = 2,
	OS_MAP_FIXED = 4,     /* at hint, which must be free, or -EEXIST */
	OS_MAP_NONE = 8,      /* address space only: no access */
};

/* Anonymous memory at or near hint (may be NULL). huge_size: 0, or the size of the pool's pages, of
   which size is a multiple. */
int os__map(void **ptr, void *hint, size_t size, unsigned flags, size_t huge_size);

/* A file's bytes [offset, offset + size), shared. flags: OS_MAP_FIXED, OS_MAP_NORESERVE. */
int os__map_file(void **ptr, void *hint, size_t size, unsigned flags, int fd, off_t offset);

/* True: mappings of files made from now on are not there in the children of forks, however those come about.
   Set before other threads are there. */
extern bool os__files_stay_here;
int os__unmap(void *ptr, size_t size);

/*
 * os__map with OS_MAP_NORESERVE (NULL, and errno set), and os__unmap, for the calls made most.
 * Inline because kernels that guard against speculation leave the processor's stack of return
 * addresses empty: each level of calls around a system call costs some 5 ns more.
 */
static inline void *os__map_plain(void *hint, size_t size)
{
	void *p = mmap(hint, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

static inline int os__unmap_plain(void *ptr, size_t size)
{
	return munmap(ptr, size) == 0 ? 0 : -errno;
}

/* Faults every page in for writing, now: contents stay. -ENOMEM, -EFAULT (a hugetlb pool or a file's
   space ran out). Running out of main memory kills processes: ask os__room first. */
int os__populate(void *ptr, size_t size);

/* Drops the pages of private anonymous memory: it reads as zeros. */
int os__discard(void *ptr, size_t size);

/* Punches a hole into the file or shared memory mapped here: it reads as zeros. -EOPNOTSUPP. */
int os__remove(void *ptr, size_t size);

/* Asks for (or against) transparent huge pages. -EINVAL: the kernel has none. */
int os__advise_huge(void *ptr, size_t size, bool huge);

/* Collapses present pages into huge ones now (6.1). -EINVAL: no aligned huge page in the range, or
   the kernel has no such call; -ENOMEM, -EAGAIN. */
int os__collapse(void *ptr, size_t size);

/* The size of a transparent huge page. -ENOENT: the kernel has none. */
int os__read_huge_page_size(size_t *size);

/* The same; 0: it has none, or does not say. */
size_t os__huge_page_size(void);

/* Policies */

enum os_policy {
	OS_POLICY_DEFAULT = 0,
	OS_POLICY_PREFERRED = 1,
	OS_POLICY_BIND = 2,
	OS_POLICY_INTERLEAVE = 3,
	OS_POLICY_LOCAL = 4,
	OS_POLICY_PREFERRED_MANY = 5,
	OS_POLICY_WEIGHTED_INTERLEAVE = 6,
};

/* Sets a range's policy; pages that are present stay where they are, or (`move`) are moved if they can
   be. nodes is NULL for DEFAULT and LOCAL. -EPERM or -ENOSYS: this process may not; -EINVAL: the kernel
   lacks the policy or none of the nodes is allowed. */
int os__bind(void *ptr, size_t size, enum os_policy policy, const struct os_nodes *nodes, bool move);

/* The policy of the page at ptr (any address). -EFAULT: nothing is mapped there. */
int os__policy(const void *ptr, enum os_policy *policy, struct os_nodes *nodes);

/* Where n pages, each named by any address in it, are: node numbers, or -ENOENT: not present, -EFAULT:
   not mapped or the kernel's page of zeros. */
int os__where(void *const *pages, size_t n, int *nodes);

/* Asks to move n pages to the nodes in `to`; status as os__where after it. Never kills: a node that is
   full leaves pages where they are. */
int os__move(void *const *pages, size_t n, const int *to, int *status);

/* Pools of huge pages */

/* Pages of page_size in the pool: of one node, or of all (-1), where those that are promised to
   mappings already are not free. -ENOENT: the kernel has no such pool. */
int os__huge_pool(int node, size_t page_size, size_t *total, size_t *free);

/* Files */

/*
 * Puts room behind every byte of [offset, offset + size), so that a mapping of it cannot meet SIGBUS.
 * The file grows where it was shorter; bytes that have room keep their contents, the others are 0.
 * -ENOSPC, -EFBIG (also the process's file size limit, without its signal), -EDQUOT, -EIO. Where the
 * file system cannot allocate (-EOPNOTSUPP inside), zeros are written: then only for ranges that
 * hold nothing.
 */
int os__file_allocate(int fd, off_t offset, size_t size);

/*
 * The first part of [at, end) that was never written since it was allocated or punched: it may or may not
 * have room behind it. What is outside has. False: there is none.
 */
bool os__file_unwritten(int fd, off_t at, off_t end, off_t *start, off_t *stop);

/* Gives the room behind a range back; it reads as zeros. -EOPNOTSUPP. */
int os__file_punch(int fd, off_t offset, size_t size);

/* May this process have a file grow so far? 0 or -EFBIG. Trying would raise SIGXFSZ, which kills. */
int os__file_check_limit(off_t end);

/* Sets the file's length; what is new has no room behind it. -EFBIG as above. */
int os__file_resize(int fd, off_t size);

/* Whole bytes in the file now. */
int os__file_size(int fd, off_t *size);

/* Bytes the file system under fd has in all, and free for this user; SIZE_MAX where it does not say. */
int os__file_room(int fd, size_t *total, size_t *free);

/* What mappings of the file are multiples of: the page size, larger on hugetlbfs. */
size_t os__file_page_size(int fd);

/* Does the file live in main memory (tmpfs, memfd), where os__room limits it as well? */
bool os__file_in_memory(int fd);

/* Excludes other processes, children of forks included, but not other threads. */
int os__file_lock(int fd);
void os__file_unlock(int fd);

#endif
