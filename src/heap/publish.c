/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * publish.c - the writing side of the table of publish.h.
 *
 * Two copies. The private one (plain memory of this process, inherited by the child of a fork) is the
 * truth; the shared one is the mapped file. Whoever takes a slot (one compare-and-swap on `taken`)
 * is its only writer until it gives the slot back, writes the private slot first and the shared
 * slot, where there is a file, second.
 *
 * Making the file. The file is published to the writers (`shared`) before the private slots are
 * copied to it, so that no update falls between; the copier repeats a slot whose private sequence
 * moved meanwhile, so that both end equal.
 *
 * Fork. The mapping is the parent's: the child must not write to it. Every event compares the
 * process id with the one that made the file; in a child the first event drops the mapping and makes
 * a file of the child's own. Until then the child shows nothing.
 *
 * No bus errors. A write to a sparse page of a full file system would kill the program, so a page of
 * the file is allocated (by path: no descriptor is kept, programs count theirs) before its first
 * slot is used; where that fails, the slots of that page stay private.
 *
 * No locks, no malloc, only the kernel's calls.
 */
#include "config.h"

#include "heap/publish.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "heap/channel.h"
#include "os/os.h"

#define N_PAGES ((PUBLISH_FILE_SIZE + PUBLISH_PAGE - 1) / PUBLISH_PAGE)
#define SLOT_WORDS(type) (sizeof(struct type) / sizeof(uint64_t))
#define PATH_SIZE (PUBLISH_FOLDER_MAX + 64)

enum {
	READY_PAGES = 2,       /* the header's and that of the first heaps: every program needs them */
	THREAD_NAME_SIZE = 16, /* the kernel's TASK_COMM_LEN */
	STARTS_PER_SWEEP = 16, /* a look at every table there is takes longer than to make one */
};

typedef _Atomic uint64_t word;

/* One copy of the table. The file has the same layout, so one set of functions serves both. */
struct table {
	union {
		struct publish_header header;
		char page[PUBLISH_PAGE];
	};
	word heaps[PUBLISH_N_HEAPS][SLOT_WORDS(publish_heap)];
	word regions[PUBLISH_N_REGIONS][SLOT_WORDS(publish_region)];
};
_Static_assert(sizeof(struct table) == PUBLISH_FILE_SIZE, "the copies are laid out as the file");

static struct table private;
static _Atomic(struct table *) shared;

static atomic_uchar heap_taken[PUBLISH_N_HEAPS];
static atomic_uchar region_taken[PUBLISH_N_REGIONS];
static word heaps_used, regions_used; /* slots from the first that were ever taken */
static word unpublished;

static atomic_bool wanted;      /* publish__on was called, here or in an ancestor */
static _Atomic pid_t owner;     /* the process whose file `shared` is; -pid: it is making it */
static char path[PATH_SIZE];    /* of the file; written while `owner` is negative */
static atomic_uchar page_ready[N_PAGES]; /* pages of the file that are allocated */

/* The file */

/* Makes sure that the page of the file holding `offset` can be written without a bus error. */
static bool page_allocate(size_t offset)
{
	size_t page = offset / PUBLISH_PAGE;
	bool done;
	int fd;

	if (atomic_load_explicit(&page_ready[page], memory_order_acquire))
		return true;
	fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return false;
	done = fallocate(fd, 0, (off_t)(page * PUBLISH_PAGE), PUBLISH_PAGE) == 0;
	close(fd);
	if (done)
		atomic_store_explicit(&page_ready[page], 1, memory_order_release);
	return done;
}

/* Creates the file at `path`, mapped; NULL with errno set. */
static struct table *file_create(void)
{
	struct table *table;
	int fd, err;

	err = os__file_check_limit(PUBLISH_FILE_SIZE);
	if (err) {
		errno = -err;
		return NULL;
	}
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0 && errno == EEXIST && unlink(path) == 0)
		/* Our process id and start time: left by the program that exec'ed this one. */
		fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return NULL;
	/* fchmod: the umask may have taken bits that the reader expects. */
	if (fchmod(fd, 0600) || ftruncate(fd, PUBLISH_FILE_SIZE) || fallocate(fd, 0, 0, READY_PAGES * PUBLISH_PAGE))
		goto fail;
	table = mmap(NULL, PUBLISH_FILE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (table == MAP_FAILED)
		goto fail;
	close(fd);
	return table;
fail:
	err = errno;
	close(fd);
	unlink(path);
	errno = err;
	return NULL;
}

/* As /proc/self/comm has it, which takes longer to ask. */
static void program_name(char *name, size_t size)
{
	int fd;

	if (getpid() == gettid() && size >= THREAD_NAME_SIZE && prctl(PR_GET_NAME, name) == 0)
		return;
	fd = open("/proc/self/comm", O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		ssize_t n = read(fd, name, size - 1);

		if (n > 0 && name[n - 1] == '\n')
			name[n - 1] = 0;
		close(fd);
	}
}

static void header_fill(struct publish_header *header, uint64_t start_time)
{
	*header = (struct publish_header){
		.version = PUBLISH_VERSION,
		.size = sizeof(*header),
		.n_heaps = PUBLISH_N_HEAPS,
		.n_regions = PUBLISH_N_REGIONS,
		.heap_size = sizeof(struct publish_heap),
		.region_size = sizeof(struct publish_region),
		.pid = (uint64_t)getpid(),
		.start_time = start_time,
		.pid_namespace = publish__pid_namespace(),
	};
	program_name(header->program, sizeof(header->program));
	/* Last: a file without it is not yet a table. */
	__atomic_store_n(&header->magic, PUBLISH_MAGIC, __ATOMIC_RELEASE);
}

/* Slots. Only the slot's owner, or the copier below, stores to it. */

/* Stores n words from `first` on; the others stay. */
static void words_store(word *slot, size_t first, const uint64_t *words, size_t n)
{
	uint64_t sequence = atomic_load_explicit(&slot[0], memory_order_relaxed) | 1;

	atomic_store_explicit(&slot[0], sequence, memory_order_seq_cst);
	for (size_t i = 0; i < n; i++)
		atomic_store_explicit(&slot[first + i], words[i], memory_order_seq_cst);
	atomic_store_explicit(&slot[0], sequence + 1, memory_order_seq_cst);
}

static void slot_store(word *slot, const uint64_t *words, size_t n)
{
	words_store(slot, 1, words + 1, n - 1);
}

static void slot_copy(struct table *to, word *to_slot, const word *from, size_t n)
{
	uint64_t words[SLOT_WORDS(publish_heap)], sequence;

	do {
		sequence = atomic_load_explicit(&from[0], memory_order_seq_cst);
		/* Never used; or its owner is at it, and will store to the file itself. */
		if (sequence == 0 || sequence & 1)
			return;
		for (size_t i = 1; i < n; i++)
			words[i] = atomic_load_explicit(&from[i], memory_order_seq_cst);
		if (page_allocate((size_t)((char *)to_slot - (char *)to)))
			slot_store(to_slot, words, n);
	} while (atomic_load_explicit(&from[0], memory_order_seq_cst) != sequence);
}

static void count_set(struct table *table)
{
	struct publish_header *header = &table->header;

	__atomic_store_n(&header->heaps_used, atomic_load(&heaps_used), __ATOMIC_RELAXED);
	__atomic_store_n(&header->regions_used, atomic_load(&regions_used), __ATOMIC_RELAXED);
	__atomic_store_n(&header->unpublished, atomic_load(&unpublished), __ATOMIC_RELAXED);
}

static struct publish_channel *channel_of(struct table *table)
{
	return (void *)(table->page + PUBLISH_CHANNEL_OFFSET);
}

bool publish__is_ours(const struct publish_channel *channel)
{
	struct table *table = atomic_load(&shared);

	return table && channel == channel_of(table) && atomic_load(&owner) == getpid();
}

int publish__open(void)
{
	if (atomic_load(&owner) != getpid()) {
		errno = ENOENT;
		return -1;
	}
	return open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
}

/*
 * Makes this process's file in the folder of `path` and fills it from the private copy. The caller
 * has set `owner` to -getpid(); it is getpid() afterwards. 0 or a negative errno.
 */
static int file_make(uint64_t start_time)
{
	struct table *table;
	const char *slash;
	int err = 0;

	for (size_t i = 0; i < N_PAGES; i++)
		atomic_store_explicit(&page_ready[i], i < READY_PAGES, memory_order_relaxed);
	slash = strrchr(path, '/');
	snprintf(path + (slash - path), sizeof(path) - (size_t)(slash - path), "/situs-%u-%ld-%llu",
		(unsigned)geteuid(), (long)getpid(), (unsigned long long)start_time);
	table = file_create();
	if (table)
		header_fill(&table->header, start_time);
	else
		err = -errno;
	atomic_store(&shared, table);
	/* From here on the others store to the file too; what they stored before is copied below. */
	atomic_store(&owner, getpid());
	if (!table)
		return err;
	atomic_store(&channel__mapped, channel_of(table));
	for (size_t i = 0; i < atomic_load(&heaps_used); i++)
		slot_copy(table, table->heaps[i], private.heaps[i], SLOT_WORDS(publish_heap));
	for (size_t i = 0; i < atomic_load(&regions_used); i++)
		slot_copy(table, table->regions[i], private.regions[i], SLOT_WORDS(publish_region));
	count_set(table);
	return 0;
}

/* The table to write to, or NULL. In the child of a fork, the first caller makes the child's own. */
static struct table *current(void)
{
	struct table *inherited;
	pid_t self, before;

	if (!atomic_load_explicit(&wanted, memory_order_relaxed))
		return NULL;
	self = getpid();
	before = atomic_load(&owner);
	if (before == self)
		return atomic_load(&shared);
	if (before == -self || before == 0 || !atomic_compare_exchange_strong(&owner, &before, -self))
		return NULL;
	inherited = atomic_exchange(&shared, NULL);
	if (inherited)
		munmap(inherited, sizeof(*inherited));
	file_make(publish__start_time(0));
	return atomic_load(&shared);
}

/* The file goes with the program; what is killed leaves it to the sweep. */
__attribute__((destructor)) static void file_remove(void)
{
	if (atomic_load(&shared) && atomic_load(&owner) == getpid())
		unlink(path);
}

int publish__on(void)
{
	int saved = errno, err;
	uint64_t start_time;
	pid_t none = 0;

	atomic_store(&wanted, true);
	if (!atomic_compare_exchange_strong(&owner, &none, -getpid()))
		return current() ? 0 : -ENOENT;
	snprintf(path, sizeof(path), "%s/", publish__folder());
	start_time = publish__start_time(0);
	/* `situs run` and what looks at tables always sweep. */
	if ((start_time + (uint64_t)getpid()) % STARTS_PER_SWEEP == 0)
		publish__sweep_all();
	err = file_make(start_time);
	errno = saved;
	if (err)
		return error__set(-err, "no table of heaps at %s for situs stat: %s", path,
			strerrordesc_np(-err));
	channel__listen();
	return 0;
}

/* Events */

/* Takes a free slot of `n`; -1 where there is none. */
static int take(atomic_uchar *taken, size_t n, word *used)
{
	uint64_t high = atomic_load(used);

	/* Slots are looked for from the first, so that the used part of the file stays small. */
	for (size_t i = 0; i < n; i++) {
		unsigned char is_free = 0;

		if (atomic_load_explicit(&taken[i], memory_order_relaxed) ||
			!atomic_compare_exchange_strong(&taken[i], &is_free, 1))
			continue;
		while (high < i + 1 && !atomic_compare_exchange_weak(used, &high, i + 1))
			;
		return (int)i;
	}
	return -1;
}

/* Stores to a slot of the private table and to the same slot of the file. */
static void store(word *slot, const uint64_t *words, size_t n)
{
	size_t offset = (size_t)((char *)slot - (char *)&private);
	int saved = errno;
	struct table *table;

	slot_store(slot, words, n);
	table = current();
	if (table) {
		if (page_allocate(offset))
			slot_store((word *)(void *)((char *)table + offset), words, n);
		else
			atomic_fetch_add(&unpublished, 1);
		count_set(table);
	}
	errno = saved;
}

static void lost(void)
{
	struct table *table;

	atomic_fetch_add(&unpublished, 1);
	table = current();
	if (table)
		count_set(table);
}

static bool asked_by_environment(void)
{
	const char *value = secure_getenv("SITUS_PUBLISH");

	return value && strcmp(value, "1") == 0;
}

int publish__heap_add(const char *name, const char *place)
{
	union {
		struct publish_heap heap;
		uint64_t words[SLOT_WORDS(publish_heap)];
	} slot = { .heap = { .live = 1 } };
	int heap;

	if (!atomic_load(&wanted) && asked_by_environment())
		publish__on();
	heap = take(heap_taken, PUBLISH_N_HEAPS, &heaps_used);
	if (heap < 0) {
		lost();
		return -1;
	}
	snprintf(slot.heap.name, sizeof(slot.heap.name), "%s", name ? name : "");
	snprintf(slot.heap.place, sizeof(slot.heap.place), "%s", place ? place : "");
	store(private.heaps[heap], slot.words, SLOT_WORDS(publish_heap));
	return heap;
}

void publish__heap_remove(int heap)
{
	static const uint64_t zeros[SLOT_WORDS(publish_heap)];

	if (heap < 0 || heap >= PUBLISH_N_HEAPS)
		return;
	store(private.heaps[heap], zeros, SLOT_WORDS(publish_heap));
	atomic_store_explicit(&heap_taken[heap], 0, memory_order_release);
}

void publish__heap_set(int heap, enum publish_counter counter, uint64_t value)
{
	const size_t at = offsetof(struct publish_heap, counters) / sizeof(uint64_t) + (size_t)counter;
	struct table *table;
	int saved = errno;

	if (heap < 0 || heap >= PUBLISH_N_HEAPS || counter >= PUBLISH_N_COUNTERS)
		return;
	atomic_store_explicit(&private.heaps[heap][at], value, memory_order_relaxed);
	table = current();
	if (table && page_allocate((size_t)((char *)private.heaps[heap] - (char *)&private)))
		atomic_store_explicit(&table->heaps[heap][at], value, memory_order_relaxed);
	errno = saved;
}

void publish__heap_place(int heap, const char *place)
{
	const size_t first = offsetof(struct publish_heap, place) / sizeof(uint64_t);
	union {
		char text[PUBLISH_PLACE_SIZE];
		uint64_t words[PUBLISH_PLACE_SIZE / sizeof(uint64_t)];
	} place_words = { .text = "" };
	const size_t n = sizeof(place_words) / sizeof(uint64_t);
	struct table *table;
	int saved = errno;

	if (heap < 0 || heap >= PUBLISH_N_HEAPS)
		return;
	snprintf(place_words.text, sizeof(place_words.text), "%s", place);
	words_store(private.heaps[heap], first, place_words.words, n);
	table = current();
	if (table && page_allocate((size_t)((char *)private.heaps[heap] - (char *)&private)))
		words_store(table->heaps[heap], first, place_words.words, n);
	errno = saved;
}

int publish__region_add(int heap, const void *start, size_t size)
{
	union {
		struct publish_region region;
		uint64_t words[SLOT_WORDS(publish_region)];
	} slot = { .region = {
			   .heap = (uint64_t)heap + 1,
			   .start = (uintptr_t)start,
			   .size = size,
		   } };
	int region;

	if (heap < 0)
		return -1;
	region = take(region_taken, PUBLISH_N_REGIONS, &regions_used);
	if (region < 0) {
		lost();
		return -1;
	}
	store(private.regions[region], slot.words, SLOT_WORDS(publish_region));
	return region;
}

void publish__region_remove(int region)
{
	static const uint64_t zeros[SLOT_WORDS(publish_region)];

	if (region < 0 || region >= PUBLISH_N_REGIONS)
		return;
	store(private.regions[region], zeros, SLOT_WORDS(publish_region));
	atomic_store_explicit(&region_taken[region], 0, memory_order_release);
}
