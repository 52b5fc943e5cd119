/* SPDX-License-Identifier: BSD-3-Clause */
/* The channel through which another process asks: requests are put into this process's own table. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "heap/channel.h"
#include "heap/heap.h"
#include "heap/publish.h"
#include "situs.h"
#include "test.h"

static char folder[] = "/tmp/situs-test-XXXXXX";

static struct publish_channel *channel(void)
{
	struct publish_channel *mapped = atomic_load(&channel__mapped);

	assert_non_null(mapped);
	return mapped;
}

/* Puts a request for a heap and has it seen; its ticket. */
static uint64_t ask(uint64_t kind, const situs_heap_t *heap, const char *name, const char *place)
{
	struct publish_request *request = &channel()->request;
	uint64_t ticket = atomic_load(&channel()->answer.taken) + 1;

	request->kind = kind;
	request->heap = (uint64_t)(int64_t)(heap ? heap->published : 0);
	snprintf(request->name, sizeof(request->name), "%s", name);
	snprintf(request->place, sizeof(request->place), "%s", place);
	atomic_store(&request->ticket, ticket);
	channel__look();
	assert_int_equal(atomic_load(&channel()->answer.taken), ticket);
	return ticket;
}

static void await(uint64_t ticket)
{
	while (atomic_load(&channel()->answer.finished) != ticket)
		sched_yield();
}

static situs_heap_t *make(const char *name, const char *place)
{
	struct situs_config config = {.struct_size = sizeof(config), .name = name};
	struct aml_area *area;
	situs_heap_t *heap;

	assert_int_equal(aml_area_open(&area, place), 0);
	assert_int_equal(situs_heap_create(&heap, area, &config), 0);
	heap->owned_area = area;
	return heap;
}

static int set_up(void **state)
{
	(void)state;
	if (!mkdtemp(folder) || setenv("XDG_RUNTIME_DIR", folder, 1))
		return -1;
	return publish__on();
}

static int tear_down(void **state)
{
	char command[64];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", folder);
	return system(command) != 0;
}

static struct publish_heap slot_of(const situs_heap_t *heap)
{
	struct publish_heap slot;
	int fd = publish__open();

	assert_true(fd >= 0);
	assert_int_equal(pread(fd, &slot, sizeof(slot),
		(off_t)(PUBLISH_HEAPS_OFFSET + (size_t)heap->published * sizeof(slot))), sizeof(slot));
	close(fd);
	return slot;
}

static void blocks_in_use_are_told_as_a_heap_grows(void **state)
{
	enum { SIZE = 1 << 20, N = 64, FEW = 8 };
	situs_heap_t *heap = make("growing", "any");
	void *blocks[N];

	(void)state;
	for (int i = 0; i < N; i++) {
		if (i == FEW)
			assert_int_equal(slot_of(heap).counters[PUBLISH_TOLD], 0);
		blocks[i] = situs_malloc(heap, SIZE);
		assert_non_null(blocks[i]);
	}
	assert_true(slot_of(heap).counters[PUBLISH_ALLOCATED] >= (size_t)N / 2 * SIZE);
	assert_true(slot_of(heap).counters[PUBLISH_ALLOCATED] <= (size_t)N * SIZE);
	assert_int_not_equal(slot_of(heap).counters[PUBLISH_TOLD], 0);
	for (int i = 0; i < N; i++)
		situs_free(blocks[i]);
	situs_heap_destroy(heap);
}

static void blocks_in_use_are_counted_on_request(void **state)
{
	situs_heap_t *heap = make("counted", "any");
	void *block = situs_malloc(heap, 100000);
	struct situs_heap_stats stats = {.struct_size = sizeof(stats)};
	struct publish_heap slot;

	(void)state;
	assert_non_null(block);
	await(ask(PUBLISH_ASK_STATS, NULL, "", ""));
	assert_int_equal(atomic_load(&channel()->answer.result), 0);
	slot = slot_of(heap);
	assert_int_equal(situs_heap_stats(heap, &stats), 0);
	assert_true(stats.allocated >= 100000);
	assert_int_equal(slot.counters[PUBLISH_ALLOCATED], stats.allocated);
	situs_free(block);
	situs_heap_destroy(heap);
}

static void a_request_is_taken_once(void **state)
{
	uint64_t ticket = ask(PUBLISH_ASK_STATS, NULL, "", "");

	(void)state;
	await(ticket);
	atomic_store(&channel()->answer.finished, 0);
	channel__look();
	assert_int_equal(atomic_load(&channel()->answer.finished), 0);
}

static void an_unknown_request_is_refused(void **state)
{
	(void)state;
	await(ask(99, NULL, "", ""));
	assert_int_equal(atomic_load(&channel()->answer.result), -ENOSYS);
	assert_string_not_equal(channel()->answer.text, "");
}

static void a_heap_is_moved_on_request(void **state)
{
	situs_heap_t *heap = make("moved", "any");
	char *block = situs_malloc(heap, 1 << 20);

	(void)state;
	assert_non_null(block);
	memset(block, 7, 1 << 20);
	await(ask(PUBLISH_ASK_MIGRATE, heap, "moved", "any"));
	assert_string_equal(channel()->answer.text, "");
	assert_int_equal(atomic_load(&channel()->answer.result), 0);
	assert_true(channel()->answer.moved + channel()->answer.already >= 1 << 20);
	assert_int_equal(block[(1 << 20) - 1], 7);
	situs_free(block);
	situs_heap_destroy(heap);
}

static void a_heap_of_another_name_is_left_alone(void **state)
{
	situs_heap_t *heap = make("this", "any");

	(void)state;
	await(ask(PUBLISH_ASK_MIGRATE, heap, "that", "any"));
	assert_int_equal(atomic_load(&channel()->answer.result), -ENOENT);
	await(ask(PUBLISH_ASK_EXTENTS, heap, "that", ""));
	assert_int_equal(atomic_load(&channel()->answer.result), -ENOENT);
	situs_heap_destroy(heap);
}

static void a_place_that_is_none_is_refused(void **state)
{
	situs_heap_t *heap = make("stays", "any");

	(void)state;
	await(ask(PUBLISH_ASK_MIGRATE, heap, "stays", "nowhere"));
	assert_true(atomic_load(&channel()->answer.result) < 0);
	assert_non_null(strstr(channel()->answer.text, "nowhere"));
	situs_heap_destroy(heap);
}

/* Whoever destroys it waits, and the move gives up. */
static void a_heap_may_go_while_it_is_moved(void **state)
{
	(void)state;
	for (int i = 0; i < 20; i++) {
		situs_heap_t *heap = make("short-lived", "any");
		char *block = situs_malloc(heap, 8 << 20);
		uint64_t ticket;

		assert_non_null(block);
		memset(block, 1, 8 << 20);
		ticket = ask(PUBLISH_ASK_MIGRATE, heap, "short-lived", "any");
		assert_int_equal(situs_heap_destroy(heap), 0);
		await(ticket);
	}
}

static void errno_and_the_sentence_stay_as_they_were(void **state)
{
	(void)state;
	error__set(EDOM, "what failed before");
	errno = EILSEQ;
	await(ask(99, NULL, "", ""));
	assert_int_equal(errno, EILSEQ);
	assert_string_equal(situs_error(), "what failed before");
}

static void extents_stand_behind_the_table(void **state)
{
	situs_heap_t *heap = make("extents", "any");
	void *block = situs_malloc(heap, 1 << 20);
	struct publish_extent extent;
	int fd, n_found = 0;

	(void)state;
	assert_non_null(block);
	await(ask(PUBLISH_ASK_EXTENTS, heap, "extents", ""));
	assert_int_equal(atomic_load(&channel()->answer.result), 0);
	fd = publish__open();
	assert_true(fd >= 0);
	for (uint64_t i = 0; i < channel()->answer.n_extents; i++) {
		assert_int_equal(pread(fd, &extent, sizeof(extent),
			(off_t)(PUBLISH_FILE_SIZE + i * sizeof(extent))), sizeof(extent));
		n_found += extent.start <= (uintptr_t)block &&
			(uintptr_t)block + (1 << 20) <= extent.start + extent.size;
	}
	assert_int_equal(ftruncate(fd, PUBLISH_FILE_SIZE), 0);
	close(fd);
	assert_int_equal(n_found, 1);
	situs_free(block);
	situs_heap_destroy(heap);
}

/* The child of a fork has its parent's table until it makes its own. */
static void a_child_does_not_answer_for_its_parent(void **state)
{
	struct publish_channel *ours = channel();
	uint64_t taken = atomic_load(&ours->answer.taken);
	int status;
	pid_t pid;

	(void)state;
	atomic_store(&ours->request.ticket, taken + 1);
	pid = fork();
	if (pid == 0) {
		channel__look();
		channel__answer(ours);
		_exit(atomic_load(&ours->answer.taken) != taken);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(atomic_load(&ours->answer.taken), taken);
	atomic_store(&ours->request.ticket, taken);
}

static int n_open(void)
{
	int n = 0;

	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static void a_place_that_was_refused_leaves_nothing_behind(void **state)
{
	situs_heap_t *heap = make("stays", "any");
	char place[64], path[64];
	int before = n_open();

	(void)state;
	snprintf(place, sizeof(place), "shm:situs-test-%ld", (long)getpid());
	snprintf(path, sizeof(path), "/dev/shm/situs-test-%ld", (long)getpid());
	for (int i = 0; i < 3; i++) {
		await(ask(PUBLISH_ASK_MIGRATE, heap, "stays", place));
		assert_int_equal(atomic_load(&channel()->answer.result), -ENOTSUP);
	}
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(n_open(), before);
	situs_heap_destroy(heap);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		/* First: the thread sanitizer knows of no order between threads that have ended and a fork. */
		cmocka_unit_test(a_child_does_not_answer_for_its_parent),
		cmocka_unit_test(blocks_in_use_are_told_as_a_heap_grows),
		cmocka_unit_test(blocks_in_use_are_counted_on_request),
		cmocka_unit_test(a_request_is_taken_once),
		cmocka_unit_test(an_unknown_request_is_refused),
		cmocka_unit_test(a_heap_is_moved_on_request),
		cmocka_unit_test(a_heap_of_another_name_is_left_alone),
		cmocka_unit_test(a_place_that_is_none_is_refused),
		cmocka_unit_test(a_place_that_was_refused_leaves_nothing_behind),
		cmocka_unit_test(a_heap_may_go_while_it_is_moved),
		cmocka_unit_test(errno_and_the_sentence_stay_as_they_were),
		cmocka_unit_test(extents_stand_behind_the_table),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
