/* SPDX-License-Identifier: BSD-3-Clause */
/* area_test.h - what tests of areas share: counting what leaks, comparing errors, asking the kernel. */
#ifndef TESTS_UNIT_AREA_TEST_H
#define TESTS_UNIT_AREA_TEST_H

#include "tests/unit/test.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "aml.h"

/* ThreadSanitizer maps memory of its own while a test runs, and dictates addresses. */
#if defined(__SANITIZE_THREAD__)
#define UNDER_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define UNDER_TSAN 1
#endif
#endif
#ifndef UNDER_TSAN
#define UNDER_TSAN 0
#endif

#define PAGE ((size_t)sysconf(_SC_PAGESIZE))
#define MIB ((size_t)1 << 20)

/* Bytes of address space this process has mapped. */
static inline size_t mapped_bytes(void)
{
	FILE *file = fopen("/proc/self/statm", "r");
	size_t pages = 0;

	assert_non_null(file);
	assert_int_equal(fscanf(file, "%zu", &pages), 1);
	fclose(file);
	return pages * PAGE;
}

/* Lines of /proc/self/maps, read without stdio's buffers coming and going. */
static inline int n_mappings(void)
{
	char buffer[4096];
	int fd = open("/proc/self/maps", O_RDONLY), n = 0;
	ssize_t length;

	assert_true(fd >= 0);
	while ((length = read(fd, buffer, sizeof(buffer))) > 0)
		for (ssize_t i = 0; i < length; i++)
			n += buffer[i] == '\n';
	close(fd);
	return n;
}

static inline int n_descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int n = 0;

	assert_non_null(dir);
	while (readdir(dir) != NULL)
		n++;
	closedir(dir);
	return n;
}

static inline void forget_errors(void)
{
	aml_errno = AML_SUCCESS;
	errno = 0;
}

/* A pointer-returning call has failed as documented. */
#define assert_fails(call, code, err) do { \
	forget_errors(); \
	assert_null(call); \
	assert_int_equal(aml_errno, code); \
	assert_int_equal(errno, err); \
} while (0)

/* An int-returning call has failed as documented. */
#define assert_refused(call, code, err) do { \
	forget_errors(); \
	assert_int_equal(call, -(code)); \
	assert_int_equal(aml_errno, code); \
	assert_int_equal(errno, err); \
} while (0)

/* Skips the calling test where a container forbids mbind or move_pages. */
static inline void skip_where_binding_is_forbidden(void)
{
	struct aml_area *area = NULL;

	if (aml_area_linux_create(&area, NULL, AML_AREA_LINUX_POLICY_STRICT) == -AML_EPERM)
		skip_because("this process may not bind memory");
	aml_area_linux_destroy(&area);
}

static inline bool all_zero(const char *p, size_t size)
{
	return p[0] == 0 && memcmp(p, p + 1, size - 1) == 0;
}

/* Pages of the range that are present. */
static inline size_t n_present(void *p, size_t size)
{
	size_t n = 0, n_pages = size / PAGE;
	unsigned char *present = test_malloc(n_pages);

	assert_int_equal(mincore(p, size, present), 0);
	for (size_t i = 0; i < n_pages; i++)
		n += present[i] & 1;
	test_free(present);
	return n;
}

/* A place whose shared memory, named situs-test-..., is this run's own: runs beside each other, and what a killed one
   left, share nothing. Good until the fourth call from now on, and in children of forks. */
static inline const char *own_place(const char *place)
{
	static char texts[4][256];
	static int next;
	static pid_t run;
	const char *at = strstr(place, "situs-test");
	char *text = texts[next++ % 4];

	if (run == 0)
		run = getpid();
	if (at == NULL || strlen(place) > sizeof(texts[0]) - 32)
		return place;
	at += strlen("situs-test");
	snprintf(text, sizeof(texts[0]), "%.*s-%d%s", (int)(at - place), place, (int)run, at);
	return text;
}

/* Runs a function in a forked child and returns its result (0 to 100), or -1 where it was killed. */
static inline int in_child(int (*function)(void *), void *arg)
{
	int status;
	pid_t child;

	fflush(stdout);
	fflush(stderr);
	child = fork();
	assert_true(child >= 0);
	if (child == 0)
		_exit(function(arg));
	assert_int_equal(waitpid(child, &status, 0), child);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

#endif
