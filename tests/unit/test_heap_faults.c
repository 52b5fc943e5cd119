/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Everything that a heap asks of others fails, call by call: the kernel's mappings, pools, the map's
 * books, jemalloc and its mallctl. A life of a heap is played again and again, and each time another of
 * these calls fails, alone or with all that follow: each of the first hundred, then one in so many. Whatever
 * happens: NULL or an error with words and the right errno, every earlier block whole, every map whole, what
 * succeeds says nothing, and nothing is left of a heap that was destroyed. The linker's --wrap puts this file
 * between the library and what it calls.
 */
#include "tests/unit/test.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>

#include "base/pool.h"
#include "heap/heap.h"
#include "situs.h"
#include "tests/unit/book_area.h"

static int countdown; /* 0: nothing fails; n: the nth call from now does */
static bool for_good; /* and all that come after it */
static bool has_failed;
static const char *failed_call;

static bool fails(const char *name)
{
	bool now = countdown != 0 ? --countdown == 0 : for_good && has_failed;

	if (!now)
		return false;
	if (!has_failed)
		failed_call = name;
	has_failed = true;
	errno = ENOMEM;
	return true;
}

#define WRAP(type, failure, name, parameters, arguments) \
	type __real_##name parameters; \
	type __wrap_##name parameters; \
	type __wrap_##name parameters \
	{ \
		return fails(#name) ? failure : __real_##name arguments; \
	}

/* Bytes mapped by anybody here and not unmapped: what is lost shows. */
static size_t mapped;

void *__real_mmap(void *p, size_t size, int prot, int flags, int fd, off_t offset);
void *__wrap_mmap(void *p, size_t size, int prot, int flags, int fd, off_t offset);
void *__wrap_mmap(void *p, size_t size, int prot, int flags, int fd, off_t offset)
{
	void *start = fails("mmap") ? MAP_FAILED : __real_mmap(p, size, prot, flags, fd, offset);

	mapped += start == MAP_FAILED ? 0 : size;
	return start;
}

int __real_munmap(void *p, size_t size);
int __wrap_munmap(void *p, size_t size);
int __wrap_munmap(void *p, size_t size)
{
	int result = fails("munmap") ? -1 : __real_munmap(p, size);

	mapped -= result == 0 ? size : 0;
	return result;
}

WRAP(int, -1, mprotect, (void *p, size_t size, int prot), (p, size, prot))
WRAP(int, -1, madvise, (void *p, size_t size, int advice), (p, size, advice))

/* What a pool has promised it gives. Of two pools that share a place here one fails less often. */
static size_t promised[64];

static size_t *promise_of(const struct pool *pool)
{
	return &promised[(uintptr_t)pool / 16 % 64];
}

int __real_pool__reserve(struct pool *pool, size_t n);
int __wrap_pool__reserve(struct pool *pool, size_t n);
int __wrap_pool__reserve(struct pool *pool, size_t n)
{
	int err = fails("pool__reserve") ? -ENOMEM : __real_pool__reserve(pool, n);

	if (err == 0 && *promise_of(pool) < n)
		*promise_of(pool) = n;
	return err;
}

void *__real_pool__get(struct pool *pool);
void *__wrap_pool__get(struct pool *pool);
void *__wrap_pool__get(struct pool *pool)
{
	if (*promise_of(pool) > 0)
		--*promise_of(pool);
	else if (fails("pool__get"))
		return NULL;
	return __real_pool__get(pool);
}

WRAP(int, EAGAIN, mallctl, (const char *name, void *old, size_t *old_size, void *new, size_t new_size),
	(name, old, old_size, new, new_size))
WRAP(void *, NULL, mallocx, (size_t size, int flags), (size, flags))
WRAP(size_t, 0, xallocx, (void *p, size_t size, size_t extra, int flags), (p, size, extra, flags))

/* Two CPUs by turns, so that a heap makes two arenas. */
int __wrap_sched_getcpu(void);
int __wrap_sched_getcpu(void)
{
	static unsigned n;

	return (int)(n++ / 5 % 2);
}

/* The blocks that are out, each full of its own number. */

enum { N_BLOCKS = 80, ERRNO_BEFORE = 1234, KEPT = 32 << 20 };

static struct {
	unsigned char *start;
	size_t size;
} blocks[N_BLOCKS];

static char words_before[256];
static struct situs_heap *heap;
static int n_refused;

static void before_call(void)
{
	strcpy(words_before, situs_error());
	errno = ERRNO_BEFORE;
}

static void after_success(const char *what)
{
	if (errno != ERRNO_BEFORE || strcmp(words_before, situs_error()) != 0)
		fail_msg("%s succeeded, %s had failed: errno %d, words \"%s\" instead of \"%s\"", what,
			failed_call == NULL ? "nothing" : failed_call, errno, situs_error(), words_before);
}

static void after_failure(const char *what, int err)
{
	if (!has_failed)
		fail_msg("%s failed for nothing: %s", what, situs_error());
	if ((err != ENOMEM && err != EAGAIN) || situs_error()[0] == '\0')
		fail_msg("%s failed, since %s did, with errno %d, words \"%s\"", what, failed_call, err,
			situs_error());
	n_refused++;
}

static void check_maps(void)
{
	for (unsigned i = 0; i < heap->n_arenas; i++)
		if (heap->arenas[i] != NULL && space__check(hooks__space(heap->arenas[i]->hooks)) != 0)
			fail_msg("%s failed: a map is broken", failed_call);
}

static void check_blocks(void)
{
	for (unsigned i = 0; i < N_BLOCKS; i++) {
		if (blocks[i].start == NULL)
			continue;
		if (situs_heap_of(blocks[i].start) != heap || situs_usable_size(blocks[i].start) < blocks[i].size)
			fail_msg("%s failed: block %u is not the heap's", failed_call, i);
		for (size_t k = 0; k < blocks[i].size; k += k < 64 ? 1 : 61)
			if (blocks[i].start[k] != (i & 0xff))
				fail_msg("%s failed: block %u changed at %zu", failed_call, i, k);
	}
}

static void enter(unsigned i, void *start, size_t size, const char *what)
{
	int err = errno;

	if (start == NULL) {
		after_failure(what, err);
		return;
	}
	after_success(what);
	blocks[i].start = start;
	blocks[i].size = size;
	memset(start, (int)(i & 0xff), size);
}

static size_t size_of(unsigned i)
{
	return i % 40 == 39 ? 3000000 : i % 20 == 19 ? 200000 : i % 10 == 9 ? 20000 : i * 37 % 3000;
}

static void allocate(unsigned i)
{
	size_t size = size_of(i);

	before_call();
	switch (i % 3) {
	case 0:
		enter(i, situs_malloc(heap, size), size, "malloc");
		break;
	case 1:
		enter(i, situs_calloc(heap, 1, size), size, "calloc");
		break;
	default:
		enter(i, situs_aligned_alloc(heap, (size_t)16 << i % 10, size), size, "aligned_alloc");
	}
}

static void resize(unsigned i)
{
	size_t size = i % 7 == 0 ? 1000000 : i % 2 == 0 ? size_of(i) * 2 + 1 : size_of(i) / 3 + 1;
	void *resized;

	if (blocks[i].start == NULL)
		return;
	before_call();
	resized = situs_realloc(heap, blocks[i].start, size);
	enter(i, resized, size, "realloc");
}

static void release(unsigned i)
{
	before_call();
	situs_free(blocks[i].start);
	after_success("free");
	blocks[i].start = NULL;
}

static int spared; /* 0: failures as set; n: none before the heap is destroyed, then the nth call */

static void play(const struct aml_area *area)
{
	struct situs_config config = {.struct_size = sizeof(config), .n_arenas = 2};
	int err;

	heap = NULL;
	before_call();
	err = situs_heap_create(&heap, area, &config);
	if (err != 0) {
		after_failure("situs_heap_create", -err);
		assert_null(heap);
		return;
	}
	after_success("situs_heap_create");
	for (unsigned i = 0; i < N_BLOCKS; i++)
		allocate(i);
	check_maps();
	check_blocks();
	for (unsigned i = 0; i < N_BLOCKS; i += 3)
		resize(i);
	check_maps();
	check_blocks();
	for (unsigned i = 0; i < N_BLOCKS; i += 2)
		release(i);
	assert_true(situs_heap_trim(heap) >= 0);
	check_maps();
	check_blocks();
	for (unsigned i = 0; i < N_BLOCKS; i += 2)
		allocate(i);
	check_maps();
	check_blocks();
	for (unsigned i = 0; i < N_BLOCKS; i += 5)
		release(i);
	if (spared != 0)
		countdown = spared;
	err = situs_heap_destroy(heap);
	if (err != 0) {
		assert_int_equal(err, -EBUSY);
		assert_true(has_failed);
		countdown = 0;
		for_good = false;
		assert_int_equal(situs_heap_destroy(heap), 0);
	}
}

static void survives_every_failure(const struct aml_area *area, struct book_area *book, bool persistent,
	int step)
{
	int n = 1, n_rounds = 0;
	size_t at_first;

	countdown = 0;
	has_failed = for_good = false;
	play(area); /* what is made once is made now */
	n_refused = 0;
	at_first = mapped;
	for (;; n += 1 + step * n / 100) {
		memset(blocks, 0, sizeof(blocks));
		failed_call = NULL;
		has_failed = false;
		for_good = persistent;
		countdown = n;
		n_rounds++;
		play(area);
		countdown = 0;
		for_good = false;
		if (!has_failed)
			break;
		if (book != NULL && (book->n_out != 0 || book->n_wrong != 0))
			fail_msg("call %d, %s, failed: %zu mappings stayed, %zu went wrongly", n, failed_call,
				book->n_out, book->n_wrong);
	}
	print_message("# of %d calls %d failed in turn, which %d requests felt\n", n, n_rounds, n_refused);
	/* Pools keep what they once needed, and an arena that mallctl neither finishes nor destroys is lost
	   with its books. A region would be more. */
	if (mapped > at_first + KEPT)
		fail_msg("%zu KiB were mapped and are not unmapped", (mapped - at_first) / 1024);
	assert_true(n_rounds > 50);
	assert_true(n_refused > 0);
}

static void a_heap_of_host_memory_survives_each_failure(void **state)
{
	(void)state;
	survives_every_failure(&aml_area_linux, NULL, false, 2);
}

static void a_heap_of_host_memory_survives_all_failing_from_a_call_on(void **state)
{
	(void)state;
	survives_every_failure(&aml_area_linux, NULL, true, 6);
}

static void a_heap_of_a_program_s_area_survives_each_failure(void **state)
{
	struct book_area *book = book_create();

	(void)state;
	survives_every_failure(&book->area, book, false, 2);
	book_destroy(book);
}

static void a_heap_of_a_program_s_area_survives_all_failing_from_a_call_on(void **state)
{
	struct book_area *book = book_create();

	(void)state;
	survives_every_failure(&book->area, book, true, 6);
	book_destroy(book);
}

static void destroying_survives_each_failure(void **state)
{
	struct book_area *book = book_create();

	(void)state;
	for_good = false;
	for (spared = 1; spared == 1 || has_failed; spared++) {
		memset(blocks, 0, sizeof(blocks));
		countdown = 0;
		has_failed = false;
		play(&book->area);
		countdown = 0;
		assert_int_equal(book->n_out, 0);
		assert_int_equal(book->n_wrong, 0);
	}
	assert_true(spared > 3);
	spared = 0;
	book_destroy(book);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_heap_of_host_memory_survives_each_failure),
		cmocka_unit_test(a_heap_of_host_memory_survives_all_failing_from_a_call_on),
		cmocka_unit_test(a_heap_of_a_program_s_area_survives_each_failure),
		cmocka_unit_test(a_heap_of_a_program_s_area_survives_all_failing_from_a_call_on),
		cmocka_unit_test(destroying_survives_each_failure),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
