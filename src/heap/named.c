/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * named.c - one heap a name, in the place the program suggests or SITUS_HEAPS says.
 *
 * SITUS_HEAPS is "name=place;name=place". It is read at each first use of a name, by secure_getenv:
 * a set-uid program takes its own suggestions only. What is wrong there refuses the heap, but under the preload (named.h).
 */
#include "heap/named.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/lock.h"
#include "heap/heap.h"
#include "heap/publish.h"

/* Held while a heap is opened, so that two threads asking for one name get one heap. */
static struct lock lock = LOCK_INITIALIZER;
static struct situs_heap *named LOCK_GUARDED_BY(lock);

bool named__has_no_orders;
void (*named__cannot_follow)(const char *name, const char *place);

static struct situs_heap *find_locked(const char *name) LOCK_HELD(lock)
{
	struct situs_heap *heap = named;

	while (heap != NULL && strcmp(heap->name, name) != 0)
		heap = heap->next_named;
	return heap;
}

/*
 * The place that SITUS_HEAPS gives this name, into *place (malloc'ed; NULL: none). -EINVAL for text
 * that is not name=place.
 */
static int place_from_environment(const char *name, char **place)
{
	const char *text = secure_getenv("SITUS_HEAPS");
	size_t name_length = strlen(name);

	*place = NULL;
	if (named__has_no_orders)
		return 0;
	while (text != NULL && *text != '\0') {
		size_t length = strcspn(text, ";");
		const char *equals = memchr(text, '=', length);

		if (length != 0 && (equals == NULL || equals == text || equals + 1 == text + length))
			return error__set(EINVAL, "SITUS_HEAPS: \"%.*s\" is not name=place", (int)length, text);
		if (length != 0 && (size_t)(equals - text) == name_length &&
			memcmp(text, name, name_length) == 0) {
			free(*place);
			*place = strndup(equals + 1, length - name_length - 1);
			if (*place == NULL)
				return error__set(ENOMEM, "no memory for the place of heap \"%s\"", name);
		}
		text += length + (text[length] == ';');
	}
	return 0;
}

static struct situs_heap *open_locked(const char *name, const char *place) LOCK_HELD(lock)
{
	struct situs_config config = {.struct_size = sizeof(config), .name = name};
	struct situs_heap *heap;
	struct aml_area *area;

	if (aml_area_open(&area, place) != AML_SUCCESS)
		return NULL;
	if (situs_heap_create(&heap, area, &config) != 0) {
		int err = errno;

		aml_area_close(&area);
		errno = err;
		return NULL;
	}
	heap->owned_area = area;
	heap->next_named = named;
	named = heap;
	return heap;
}

/* Where it is ordered (NULL: nowhere), else where the program suggests (NULL: any). */
static struct situs_heap *open_as_told_locked(const char *name, const char *ordered, const char *suggested)
	LOCK_HELD(lock)
{
	struct situs_heap *heap = NULL;

	if (ordered != NULL) {
		heap = open_locked(name, ordered);
		if (heap != NULL || named__cannot_follow == NULL)
			return heap;
		named__cannot_follow(name, ordered);
	}
	return open_locked(name, suggested != NULL ? suggested : "any");
}

situs_heap_t *situs_heap_named(const char *name, const char *place)
{
	struct situs_heap *heap = NULL;
	char *ordered = NULL;

	if (name == NULL || name[0] == '\0' || strlen(name) >= HEAP_NAME_SIZE ||
		strpbrk(name, "=;") != NULL) {
		error__set(EINVAL, "situs_heap_named: the name must have 1 to %d characters, none of them = or ;",
			HEAP_NAME_SIZE - 1);
		return NULL;
	}
	if (place_from_environment(name, &ordered) != 0)
		return NULL;
	(void)publish__on(); /* whoever cannot be seen still runs */
	lock__acquire(&lock);
	heap = find_locked(name);
	if (heap == NULL)
		heap = open_as_told_locked(name, ordered, place);
	lock__release(&lock);
	free(ordered);
	return heap;
}

void named__forget(struct situs_heap *heap)
{
	lock__acquire(&lock);
	for (struct situs_heap **at = &named; *at != NULL; at = &(*at)->next_named)
		if (*at == heap) {
			*at = heap->next_named;
			break;
		}
	lock__release(&lock);
}

static void child_after_fork(void)
{
	lock__reset(&lock);
}

__attribute__((constructor)) static void watch_forks(void)
{
	pthread_atfork(NULL, NULL, child_after_fork);
}
