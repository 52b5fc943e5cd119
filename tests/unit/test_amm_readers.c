/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reading beside a writer, and the map in the child of a fork that came at any instant.
 *
 * The window is cut into slots of SLOT addresses. The writer gives slots, and pieces of them, flags
 * such that any single range tells whether it was ever true: the flags of a range that starts at s
 * are those of s / SLOT in one of two ages, and pieces lie at fixed offsets. Now and then it takes all
 * slots away at once and makes them again, so that the map moves to other memory (with nodes of four
 * slots, AMM_SMALL_NODES, where little is much).
 */
#include "tests/unit/test.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "amm.h"

enum {
	SLOTS = 512,
	SLOT = 64,
	PIECE_START = 16,
	PIECE_END = 48,
	READERS = 2,
#ifdef AMM_SMALL_NODES
	CHANGES = 30000,
	FORKS = 50,
#else
	CHANGES = 100000,
	FORKS = 200,
#endif
	TAKE_AWAY = 2000, /* once in so many changes */
};

static amm_t map;
static bool ended;

static int slot_flags(unsigned slot, int age)
{
	return (int)(slot * 4 + 1 + (unsigned)age);
}

/* Was this range ever in the map? */
static bool is_true(const struct amm_range *range)
{
	unsigned slot = (unsigned)(range->start / SLOT), from = (unsigned)(range->start % SLOT);
	amm_addr_t base = (amm_addr_t)slot * SLOT;

	if (range->flags == 0) /* behind all slots that there are */
		return from == 0 && slot <= SLOTS && range->end == AMM_MAXADDR;
	if (slot >= SLOTS)
		return false;
	if (range->flags != slot_flags(slot, 0) && range->flags != slot_flags(slot, 1))
		return false;
	if (from == 0)
		return range->end == base + SLOT || range->end == base + PIECE_START;
	if (from == PIECE_START)
		return range->end == base + PIECE_END;
	return from == PIECE_END && range->end == base + SLOT;
}

static void make_slots(void)
{
	for (unsigned slot = 0; slot < SLOTS; slot++)
		amm_modify(&map, (amm_addr_t)slot * SLOT, SLOT, slot_flags(slot, 0), NULL);
}

/* One change at random: all of a slot, or its middle, gets an age. */
static void change(unsigned *random)
{
	*random = *random * 1664525 + 1013904223;
	if ((*random >> 4) % TAKE_AWAY == 0) {
		amm_modify(&map, AMM_MINADDR, AMM_MAXADDR, 0, NULL);
		make_slots();
	}

	unsigned slot = (*random >> 8) % SLOTS;
	int age = (int)(*random >> 24 & 1);
	amm_addr_t base = (amm_addr_t)slot * SLOT;

	if (*random >> 25 & 1)
		amm_modify(&map, base, SLOT, slot_flags(slot, age), NULL);
	else
		amm_modify(&map, base + PIECE_START, PIECE_END - PIECE_START,
			slot_flags(slot, age), NULL);
}

static void make_map(unsigned options)
{
	assert_int_equal(amm_init_with(&map, options, 0, NULL, NULL, NULL, NULL, NULL), 0);
	make_slots();
	assert_int_equal(amm_count(&map), SLOTS + 1);
	__atomic_store_n(&ended, false, __ATOMIC_RELEASE);
}

struct tally {
	amm_addr_t at;
	size_t n, n_false;
};

static int tally(const struct amm_range *range, void *arg)
{
	struct tally *t = arg;

	/* Without gap; a range may be cut where what was told before reached further. */
	if (range->start != t->at)
		t->n_false++;
	t->at = range->end;
	t->n++;
	return 0;
}

static void *read_addresses(void *arg)
{
	unsigned random = (unsigned)(uintptr_t)arg;
	size_t n_false = 0;

	while (!__atomic_load_n(&ended, __ATOMIC_ACQUIRE)) {
		struct amm_range range;
		amm_addr_t addr;

		random = random * 1664525 + 1013904223;
		addr = (random >> 8) % (SLOTS * SLOT + 100);
		if (amm_read(&map, addr, &range, NULL, NULL) != 0 || addr < range.start ||
			addr >= range.end || !is_true(&range))
			n_false++;
	}
	return (void *)n_false;
}

static void *read_all(void *arg)
{
	size_t n_false = 0;

	(void)arg;
	while (!__atomic_load_n(&ended, __ATOMIC_ACQUIRE)) {
		struct tally t = {0, 0, 0};

		amm_read_iterate(&map, tally, &t, AMM_MINADDR, AMM_MAXADDR - AMM_MINADDR, 0, 0);
		n_false += t.n_false + (t.at != AMM_MAXADDR);
	}
	return (void *)n_false;
}

static void readers_see_only_what_was_true_while_a_writer_changes_the_map(void **state)
{
	pthread_t threads[READERS + 1];
	unsigned random = 1;

	(void)state;
	make_map(AMM_READERS | AMM_NO_MALLOC);
	for (size_t i = 0; i < READERS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, read_addresses,
					 (void *)(uintptr_t)(i + 7)), 0);
	assert_int_equal(pthread_create(&threads[READERS], NULL, read_all, NULL), 0);
	for (int i = 0; i < CHANGES; i++)
		change(&random);
	__atomic_store_n(&ended, true, __ATOMIC_RELEASE);
	for (size_t i = 0; i < READERS + 1; i++) {
		void *n_false;

		pthread_join(threads[i], &n_false);
		assert_null(n_false);
	}
	assert_int_equal(amm_check(&map), 0);
	amm_destroy(&map);
}

static void *write_until_ended(void *arg)
{
	unsigned random = 3;

	(void)arg;
	while (!__atomic_load_n(&ended, __ATOMIC_ACQUIRE))
		change(&random);
	return NULL;
}

static int check_entry(amm_t *amm, amm_entry_t *entry, void *arg)
{
	struct amm_range range = {amm_entry_start(entry), amm_entry_end(entry),
		amm_entry_flags(entry), entry};

	(void)amm;
	(void)arg;
	return is_true(&range) ? 0 : 1;
}

/* What a child finds wrong; 0: nothing. */
static int child_trouble(void)
{
	struct tally t = {0, 0, 0};
	unsigned random = (unsigned)getpid();

	/* Readers need no repair... */
	if (map.options & AMM_READERS) {
		amm_read_iterate(&map, tally, &t, AMM_MINADDR, AMM_MAXADDR - AMM_MINADDR, 0, 0);
		if (t.n_false != 0 || t.at != AMM_MAXADDR)
			return 1;
	}
	/* ...writers call amm_after_fork. */
	if (amm_after_fork(&map) != 0)
		return 2;
	if (amm_check(&map) != 0)
		return 3;
	if (amm_iterate(&map, check_entry, NULL) != 0)
		return 4;
	make_slots(); /* the writer may have been at it */
	for (int i = 0; i < 500; i++)
		change(&random);
	if (amm_check(&map) != 0 || amm_iterate(&map, check_entry, NULL) != 0)
		return 5;
	amm_destroy(&map);
	return 0;
}

static void fork_again_and_again(unsigned options)
{
	pthread_t writer;

	make_map(options);
	assert_int_equal(pthread_create(&writer, NULL, write_until_ended, NULL), 0);
	for (int i = 0; i < FORKS; i++) {
		pid_t child = fork();
		int status;

		if (child == 0) {
			alarm(600);
			_exit(child_trouble());
		}
		assert_true(child > 0);
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_int_equal(status, 0);
	}
	__atomic_store_n(&ended, true, __ATOMIC_RELEASE);
	pthread_join(writer, NULL);
	amm_destroy(&map);
}

static void child_of_a_fork_at_any_instant_reads_and_writes_on(void **state)
{
	(void)state;
	fork_again_and_again(AMM_READERS | AMM_NO_MALLOC);
}

static void child_of_a_fork_writes_on_in_a_map_without_readers(void **state)
{
	struct amm_range range;

	(void)state;
	fork_again_and_again(AMM_FORK | AMM_NO_MALLOC);
	/* Reading beside a writer is not what that map promises. */
	make_map(AMM_FORK | AMM_NO_MALLOC);
	assert_int_equal(amm_read(&map, 0, &range, NULL, NULL), EINVAL);
	amm_destroy(&map);
}

static int destroy_behind_reader(const struct amm_range *range, void *n)
{
	if (range->start == SLOTS / 2 * SLOT)
		amm_destroy(&map);
	++*(unsigned *)n;
	return 0;
}

static void reading_ends_where_what_it_calls_destroys_the_map(void **state)
{
	unsigned n = 0;

	(void)state;
	make_map(AMM_READERS);
	assert_int_equal(amm_read_iterate(&map, destroy_behind_reader, &n, 0, SLOTS * SLOT, 0, 0), 0);
	assert_in_range(n, SLOTS / 2, SLOTS - 1);
}

/* Entries of the caller's whose memory stays mapped, each with an owner. */
struct owned {
	amm_entry_t entry;
	int owner;
};

static struct owned *owned_pool;
static size_t n_owned;
static amm_entry_t *owned_free;

static amm_entry_t *owned_alloc(amm_t *amm, amm_addr_t addr, amm_size_t size, int flags)
{
	struct owned *owned = (struct owned *)owned_free;

	(void)amm;
	(void)addr;
	(void)size;
	if (owned != NULL)
		owned_free = owned->entry.link;
	else
		owned = &owned_pool[n_owned++];
	__atomic_store_n(&owned->owner, flags / 4, __ATOMIC_RELAXED);
	return &owned->entry;
}

static void owned_give_back(amm_t *amm, amm_entry_t *entry)
{
	(void)amm;
	__atomic_store_n(&((struct owned *)entry)->owner, -1, __ATOMIC_RELAXED);
	entry->link = owned_free;
	owned_free = entry;
}

static void look_at_owner(const struct amm_range *range, void *owner)
{
	/* The entry is gone by the time it is looked at, now and then. */
	if (range->start % 7 == 0)
		sched_yield();
	*(int *)owner = __atomic_load_n(&((struct owned *)range->entry)->owner, __ATOMIC_RELAXED);
}

static void *read_owners(void *arg)
{
	unsigned random = 11;
	size_t n_false = 0;

	(void)arg;
	while (!__atomic_load_n(&ended, __ATOMIC_ACQUIRE)) {
		struct amm_range range;
		int owner = -2;

		random = random * 1664525 + 1013904223;
		amm_read(&map, (random >> 8) % (SLOTS * SLOT), &range, look_at_owner, &owner);
		if (owner != range.flags / 4)
			n_false++;
	}
	return (void *)n_false;
}

static void look_reads_the_entry_that_is_in_the_map(void **state)
{
	pthread_t reader;
	unsigned random = 5;
	void *n_false;
	size_t size = sizeof(struct owned) * SLOTS * 16;

	(void)state;
	owned_pool = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_int_equal(amm_init_with(&map, AMM_READERS, 0, NULL, owned_alloc, owned_give_back, NULL,
				 NULL), 0);
	for (unsigned slot = 0; slot < SLOTS; slot++)
		amm_modify(&map, (amm_addr_t)slot * SLOT, SLOT, slot_flags(slot, 0), NULL);
	__atomic_store_n(&ended, false, __ATOMIC_RELEASE);
	assert_int_equal(pthread_create(&reader, NULL, read_owners, NULL), 0);
	for (int i = 0; i < CHANGES; i++)
		change(&random);
	__atomic_store_n(&ended, true, __ATOMIC_RELEASE);
	pthread_join(reader, &n_false);
	assert_null(n_false);
	amm_destroy(&map);
	munmap(owned_pool, size);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(readers_see_only_what_was_true_while_a_writer_changes_the_map),
		cmocka_unit_test(reading_ends_where_what_it_calls_destroys_the_map),
		cmocka_unit_test(look_reads_the_entry_that_is_in_the_map),
#if !defined(__SANITIZE_THREAD__)
		/* The thread sanitizer's runtime does not outlive a fork of a program with threads. */
		cmocka_unit_test(child_of_a_fork_at_any_instant_reads_and_writes_on),
		cmocka_unit_test(child_of_a_fork_writes_on_in_a_map_without_readers),
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
