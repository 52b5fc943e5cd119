/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * book_area.h - a user-made area for tests: mmap and munmap only, in an address range of its own, with
 * books of what is out, and failures on request.
 */
#ifndef TESTS_UNIT_BOOK_AREA_H
#define TESTS_UNIT_BOOK_AREA_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "aml.h"

enum { BOOK_ENTRIES = 65536 };

struct book_area {
	struct aml_area area;
	pthread_mutex_t mutex;
	struct { char *start; size_t size; } out[BOOK_ENTRIES];
	size_t n_out, size_out;
	size_t size_max; /* largest size_out so far */
	size_t n_calls;  /* of mmap */
	size_t fail_at;  /* the call from which on mmap refuses; 0: none */
	size_t n_wrong;  /* munmaps of what was not out */
	size_t n_kept;   /* munmaps to refuse from now on */
	unsigned char fill; /* fresh memory is full of this: nobody promised zeros */
};

static inline struct book_area *book_of(const struct aml_area_data *data)
{
	return (struct book_area *)(uintptr_t)data;
}

static inline void *book_mmap(const struct aml_area_data *data, void **ptr, size_t size)
{
	struct book_area *book = book_of(data);
	void *start = MAP_FAILED;

	(void)ptr;
	pthread_mutex_lock(&book->mutex);
	book->n_calls++;
	if ((book->fail_at == 0 || book->n_calls < book->fail_at) && book->n_out < BOOK_ENTRIES)
		start = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (start != MAP_FAILED) {
		book->out[book->n_out].start = start;
		book->out[book->n_out++].size = size;
		book->size_out += size;
		if (book->size_max < book->size_out)
			book->size_max = book->size_out;
		for (size_t i = 0; book->fill != 0 && i < size; i += 512)
			((unsigned char *)start)[i] = book->fill;
	} else {
		aml_errno = AML_ENOMEM;
	}
	pthread_mutex_unlock(&book->mutex);
	return start == MAP_FAILED ? NULL : start;
}

static inline int book_munmap(const struct aml_area_data *data, void *ptr, size_t size)
{
	struct book_area *book = book_of(data);
	int err = -AML_EINVAL;
	size_t i;

	pthread_mutex_lock(&book->mutex);
	for (i = 0; i < book->n_out && (book->out[i].start != ptr || book->out[i].size != size); i++)
		;
	if (i == book->n_out) {
		book->n_wrong++;
	} else if (book->n_kept != 0 || munmap(ptr, size) != 0) {
		book->n_kept -= book->n_kept != 0;
		err = -AML_EBUSY;
		aml_errno = AML_EBUSY;
	} else {
		book->out[i] = book->out[--book->n_out];
		book->size_out -= size;
		err = AML_SUCCESS;
	}
	pthread_mutex_unlock(&book->mutex);
	return err;
}

static const struct aml_area_ops book_ops = {.mmap = book_mmap, .munmap = book_munmap};

static inline struct book_area *book_create(void)
{
	struct book_area *book = calloc(1, sizeof(*book));

	pthread_mutex_init(&book->mutex, NULL);
	book->area.ops = &book_ops;
	book->area.data = (struct aml_area_data *)(void *)book;
	return book;
}

static inline void book_destroy(struct book_area *book)
{
	free(book);
}

/* Does the range lie in what this area handed out? */
static inline bool book_holds(struct book_area *book, const void *ptr, size_t size)
{
	const char *start = ptr;
	bool holds = false;

	pthread_mutex_lock(&book->mutex);
	for (size_t i = 0; i < book->n_out && !holds; i++)
		holds = start >= book->out[i].start &&
			start + size <= book->out[i].start + book->out[i].size;
	pthread_mutex_unlock(&book->mutex);
	return holds;
}

#endif
