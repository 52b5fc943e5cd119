/* SPDX-License-Identifier: BSD-3-Clause */
/* The table of heaps: what another process can read of it, across fork, exit and kill. */
#include "config.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "heap/publish.h"
#include "test.h"

struct file {
	struct publish_header header;
	char rest[PUBLISH_PAGE - sizeof(struct publish_header)];
	struct publish_heap heaps[PUBLISH_N_HEAPS];
	struct publish_region regions[PUBLISH_N_REGIONS];
};

static char folder[] = "/tmp/situs-test-XXXXXX";
static struct file file;

static void path_of(char *path, size_t size, long pid, uint64_t start_time)
{
	snprintf(path, size, "%s/situs-%u-%ld-%llu", folder, (unsigned)geteuid(), pid,
		(unsigned long long)start_time);
}

static bool read_table(long pid)
{
	char path[256];
	ssize_t n;
	int fd;

	path_of(path, sizeof(path), pid, publish__start_time(pid));
	fd = open(path, O_RDONLY);
	if (fd < 0)
		return false;
	n = pread(fd, &file, sizeof(file), 0);
	close(fd);
	return n == (ssize_t)sizeof(file);
}

static const struct publish_heap *find_heap(const char *name)
{
	for (unsigned i = 0; i < PUBLISH_N_HEAPS; i++)
		if (file.heaps[i].live && strcmp(file.heaps[i].name, name) == 0)
			return &file.heaps[i];
	return NULL;
}

static size_t count_regions(int heap)
{
	size_t n = 0;

	for (unsigned i = 0; i < PUBLISH_N_REGIONS; i++)
		n += file.regions[i].heap == (uint64_t)heap + 1;
	return n;
}

static int setup(void **state)
{
	(void)state;
	if (!mkdtemp(folder))
		return -1;
	setenv("XDG_RUNTIME_DIR", folder, 1);
	return 0;
}

static int teardown(void **state)
{
	char path[256];

	(void)state;
	path_of(path, sizeof(path), getpid(), publish__start_time(0));
	unlink(path);
	return rmdir(folder);
}

static void heaps_made_before_publishing_are_shown_by_it(void **state)
{
	int heap = publish__heap_add("early", "node:0");
	int region = publish__region_add(heap, (void *)0x1000, 0x2000);

	(void)state;
	assert_true(heap >= 0 && region >= 0);
	assert_false(read_table(getpid()));
	assert_int_equal(publish__on(), 0);
	assert_true(read_table(getpid()));
	assert_int_equal(file.header.pid, getpid());
	assert_non_null(find_heap("early"));
	assert_string_equal(find_heap("early")->place, "node:0");
	assert_int_equal(count_regions(heap), 1);
	publish__region_remove(region);
	publish__heap_remove(heap);
}

static void the_table_is_its_users_alone(void **state)
{
	char path[256];
	struct stat st;

	(void)state;
	path_of(path, sizeof(path), getpid(), publish__start_time(0));
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(st.st_uid, geteuid());
}

static void regions_and_counters_come_and_go(void **state)
{
	int heap = publish__heap_add("h", "any");
	int region = publish__region_add(heap, (void *)0x100000, 0x1000);

	(void)state;
	publish__heap_set(heap, PUBLISH_MAPPED, 12345);
	assert_true(read_table(getpid()));
	assert_int_equal(find_heap("h")->counters[PUBLISH_MAPPED], 12345);
	assert_int_equal(file.regions[region].start, 0x100000);
	assert_int_equal(file.regions[region].size, 0x1000);
	assert_int_equal(file.regions[region].sequence % 2, 0);
	publish__region_remove(region);
	publish__heap_remove(heap);
	assert_true(read_table(getpid()));
	assert_null(find_heap("h"));
	assert_int_equal(count_regions(heap), 0);
}

static void a_heap_that_moves_is_shown_where_it_is(void **state)
{
	int heap = publish__heap_add("mover", "node:0");

	(void)state;
	publish__heap_set(heap, PUBLISH_MAPPED, 4096);
	publish__heap_place(heap, "node:1,strict");
	assert_true(read_table(getpid()));
	assert_string_equal(find_heap("mover")->place, "node:1,strict");
	assert_int_equal(find_heap("mover")->counters[PUBLISH_MAPPED], 4096);
	assert_int_equal(find_heap("mover")->sequence % 2, 0);
	publish__heap_place(-1, "nowhere");
	publish__heap_remove(heap);
}

static void what_finds_no_slot_is_counted(void **state)
{
	static int slots[PUBLISH_N_HEAPS + 1];
	uint64_t before;
	int n = 0;

	(void)state;
	assert_true(read_table(getpid()));
	before = file.header.unpublished;
	while ((slots[n] = publish__heap_add("many", "any")) >= 0)
		assert_in_range(++n, 0, PUBLISH_N_HEAPS);
	assert_int_equal(publish__region_add(-1, (void *)0x1000, 1), -1);
	assert_true(read_table(getpid()));
	assert_int_equal(file.header.unpublished, before + 1);
	while (n)
		publish__heap_remove(slots[--n]);
}

static void names_of_any_length_are_cut(void **state)
{
	char name[500];
	int heap;

	(void)state;
	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = 0;
	heap = publish__heap_add(name, name);
	assert_true(read_table(getpid()));
	assert_int_equal(strlen(file.heaps[heap].name), PUBLISH_NAME_SIZE - 1);
	assert_int_equal(strlen(file.heaps[heap].place), PUBLISH_PLACE_SIZE - 1);
	publish__heap_remove(heap);
}

/* Runs `body` in a child that then waits to be killed; the parent goes on once body has run. */
static pid_t child_start(void (*body)(void))
{
	int ready[2];
	char byte;
	pid_t pid;

	assert_int_equal(pipe(ready), 0);
	pid = fork();
	if (pid == 0) {
		body();
		if (write(ready[1], "", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	assert_true(pid > 0);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	close(ready[1]);
	return pid;
}

static void child_end(pid_t pid)
{
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void add_in_child(void)
{
	publish__region_add(publish__heap_add("child's", "any"), (void *)0x5000, 0x1000);
}

static void a_forks_child_has_a_table_of_its_own(void **state)
{
	int heap = publish__heap_add("inherited", "any");
	pid_t child = child_start(add_in_child);

	(void)state;
	assert_true(read_table(child));
	assert_int_equal(file.header.pid, child);
	assert_non_null(find_heap("child's"));
	assert_non_null(find_heap("inherited"));
	assert_true(read_table(getpid()));
	assert_null(find_heap("child's"));
	publish__heap_remove(heap);
	child_end(child);
	publish__sweep(folder);
}

static void a_killed_programs_table_is_swept_and_a_live_ones_stays(void **state)
{
	pid_t child = child_start(add_in_child);
	uint64_t start_time = publish__start_time(child);
	char path[256];

	(void)state;
	path_of(path, sizeof(path), child, start_time);
	assert_int_equal(publish__sweep(folder), 0);
	assert_int_equal(access(path, F_OK), 0);
	child_end(child);
	assert_int_equal(publish__sweep(folder), 1);
	assert_int_not_equal(access(path, F_OK), 0);
	assert_true(read_table(getpid()));
}

static void files_that_are_no_tables_are_not_swept(void **state)
{
	char path[256];
	int fd;

	(void)state;
	snprintf(path, sizeof(path), "%s/situs-notes", folder);
	fd = open(path, O_CREAT | O_WRONLY, 0600);
	close(fd);
	assert_int_equal(publish__sweep(folder), 0);
	assert_int_equal(unlink(path), 0);
}

static void a_program_that_exits_takes_its_table_along(void **state)
{
	char path[256];
	int status, gate[2];
	pid_t pid;

	(void)state;
	assert_int_equal(pipe(gate), 0);
	pid = fork();
	if (pid == 0) {
		char byte;

		add_in_child();
		exit(read(gate[0], &byte, 1) == 1 ? 0 : 1);
	}
	path_of(path, sizeof(path), pid, publish__start_time(pid));
	assert_int_equal(write(gate[1], "", 1), 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_not_equal(access(path, F_OK), 0);
	close(gate[0]);
	close(gate[1]);
	assert_true(read_table(getpid()));
}

static atomic_bool stop;

static void *churn(void *arg)
{
	int heap = *(int *)arg;

	while (!atomic_load(&stop))
		publish__region_remove(publish__region_add(heap, (void *)0x10000, 0x10000));
	return NULL;
}

static void a_reader_never_sees_half_a_slot(void **state)
{
	int heap = publish__heap_add("busy", "any");
	static struct file again;
	pthread_t thread[2];
	size_t n_seen = 0;

	(void)state;
	atomic_store(&stop, false);
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, churn, &heap), 0);
	for (int i = 0; i < 200; i++) {
		assert_true(read_table(getpid()));
		again = file;
		assert_true(read_table(getpid()));
		for (int r = 0; r < 4; r++) {
			struct publish_region *region = &file.regions[r];

			if (memcmp(region, &again.regions[r], sizeof(*region)) ||
				region->sequence % 2 || !region->heap)
				continue;
			assert_int_equal(region->start, 0x10000);
			assert_int_equal(region->size, 0x10000);
			n_seen++;
		}
	}
	atomic_store(&stop, true);
	for (int i = 0; i < 2; i++)
		pthread_join(thread[i], NULL);
	printf("# %zu whole slots seen\n", n_seen);
	publish__heap_remove(heap);
}

static void a_program_that_may_not_have_such_a_file_lives(void **state)
{
	pid_t pid = fork();
	int status;

	(void)state;
	assert_true(pid >= 0);
	if (pid == 0) {
		const struct rlimit limit = { 1000, 1000 };

		_exit(setrlimit(RLIMIT_FSIZE, &limit) || publish__heap_add("h", "any") < 0 || read_table(getpid()));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(heaps_made_before_publishing_are_shown_by_it),
		cmocka_unit_test(the_table_is_its_users_alone),
		cmocka_unit_test(regions_and_counters_come_and_go),
		cmocka_unit_test(a_heap_that_moves_is_shown_where_it_is),
		cmocka_unit_test(what_finds_no_slot_is_counted),
		cmocka_unit_test(names_of_any_length_are_cut),
		cmocka_unit_test(a_forks_child_has_a_table_of_its_own),
		cmocka_unit_test(a_killed_programs_table_is_swept_and_a_live_ones_stays),
		cmocka_unit_test(files_that_are_no_tables_are_not_swept),
		cmocka_unit_test(a_program_that_exits_takes_its_table_along),
		cmocka_unit_test(a_program_that_may_not_have_such_a_file_lives),
		cmocka_unit_test(a_reader_never_sees_half_a_slot),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
