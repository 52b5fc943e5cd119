/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * start.c - reads the environment and makes the program's heap, before main.
 *
 * A program must run whatever the environment says: a bad value is one line on standard error and
 * the default instead (`situs run` has checked the values and refuses to start). Set-uid programs
 * never come here with a preload of the user's choosing, and secure_getenv keeps their environment out
 * all the same.
 *
 * Mallocs made while this runs (by the areas, by hwloc) find no heap yet and go to the C library,
 * which is where their frees go as well.
 */
#include "config.h"

#include "preload/start.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/size.h"
#include "heap/publish.h"

struct preload preload = { .size_max = SIZE_MAX };

enum level { LEVEL_ERROR, LEVEL_WARN, LEVEL_INFO, LEVEL_DEBUG, N_LEVELS };

static const char *const level_names[N_LEVELS] = { "error", "warn", "info", "debug" };
static enum level level = LEVEL_WARN;

__attribute__((format(printf, 2, 3))) static void say(enum level of, const char *format, ...)
{
	char line[512];
	va_list args;
	int n;

	if (of > level)
		return;
	va_start(args, format);
	n = vsnprintf(line, sizeof(line) - 1, format, args);
	va_end(args);
	if (n < 0)
		return;
	if ((size_t)n > sizeof(line) - 2)
		n = sizeof(line) - 2;
	/* One line, whatever a value of the environment holds. */
	for (int i = 0; i < n; i++)
		if ((unsigned char)line[i] < ' ')
			line[i] = '?';
	line[n++] = '\n';
	if (write(STDERR_FILENO, line, (size_t)n) < 0)
		return;
}

static void read_level(void)
{
	const char *value = secure_getenv("SITUS_LOG");

	if (!value || !*value)
		return;
	for (int i = 0; i < N_LEVELS; i++) {
		if (strcmp(value, level_names[i]) == 0) {
			level = (enum level)i;
			return;
		}
	}
	say(LEVEL_ERROR, "situs: SITUS_LOG=%.40s is not one of error, warn, info, debug; using warn", value);
}

static size_t read_size(const char *name, size_t otherwise)
{
	const char *value = secure_getenv(name);
	size_t size;

	if (!value || !*value)
		return otherwise;
	if (size__parse(value, &size)) {
		say(LEVEL_ERROR, "situs: %s=%.40s is not a size (a number, then K, M, G or T); ignored", name,
			value);
		return otherwise;
	}
	return size;
}

static situs_heap_t *make_heap(const char *place, size_t limit)
{
	struct situs_config config = {
		.struct_size = sizeof(config),
		.name = "main",
		.limit = limit,
	};
	struct aml_area *area;
	situs_heap_t *heap;

	if (aml_area_open(&area, place))
		return NULL;
	if (situs_heap_create(&heap, area, &config)) {
		aml_area_close(&area);
		return NULL;
	}
	return heap;
}

__attribute__((constructor)) static void start(void)
{
	const char *place = secure_getenv("SITUS_AREA");
	int saved = errno;
	situs_heap_t *heap;
	size_t limit;

	read_level();
	limit = read_size("SITUS_LIMIT", 0);
	preload.size_min = read_size("SITUS_SIZE_MIN", 0);
	preload.size_max = read_size("SITUS_SIZE_MAX", SIZE_MAX);
	if (!place)
		place = "any";
	heap = make_heap(place, limit);
	if (!heap) {
		say(LEVEL_ERROR, "situs: SITUS_AREA=%.100s: %.250s; using any", place, situs_error());
		place = "any";
		heap = make_heap(place, limit);
	}
	if (heap) {
		if (publish__on())
			say(LEVEL_INFO, "situs: %.400s", situs_error());
		say(LEVEL_INFO, "situs: pid %ld draws its memory from %.100s", (long)getpid(), place);
		atomic_store_explicit(&preload.heap, heap, memory_order_release);
	} else {
		say(LEVEL_ERROR, "situs: no heap, the C library's malloc is used: %.250s", situs_error());
	}
	errno = saved;
}
