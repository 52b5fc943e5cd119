/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * buffer.c - whole pages of memory that the caller already has.
 *
 * A ledger holds what is free. The memory's contents are never touched here.
 */
#include "area/area.h"
#include "area/ledger.h"
#include "area/linux.h"

#include <stdio.h>

struct buffer_data {
	struct area_head head;
	uintptr_t start, end; /* set once; whole pages */
	struct ledger free;   /* has its own lock */
};

static struct buffer_data *self(const struct aml_area_data *data)
{
	return (struct buffer_data *)(uintptr_t)data;
}

static void *buffer_mmap(const struct aml_area_data *data, void **ptr, size_t size)
{
	struct buffer_data *buffer = self(data);
	uintptr_t start, hint = (uintptr_t)area__hint(ptr);
	size_t asked = size;

	if (hint % os__page_size() != 0)
		hint = 0;
	if (area__round(size, os__page_size(), &size) &&
		ledger__allocate(&buffer->free, hint, size, &start) == 0)
		return (void *)start;
	aml__fail(AML_ENOMEM, "%s: %s asked in one piece, %s left in all", buffer->head.place,
		linux__size(asked).text, linux__size(ledger__bytes(&buffer->free)).text);
	return NULL;
}

/* Is the range in the buffer, and none of it free? Or says so. */
static int check_out(struct buffer_data *buffer, const void *ptr, size_t size)
{
	uintptr_t start = (uintptr_t)ptr, end;

	if (__builtin_add_overflow(start, size, &end) || start < buffer->start || end > buffer->end ||
		ledger__bytes_within(&buffer->free, start, end) != 0)
		return aml__fail(AML_EINVAL, "%s: %zu bytes at %p are not what it handed out",
			buffer->head.place, size, ptr);
	return AML_SUCCESS;
}

static int buffer_munmap(const struct aml_area_data *data, void *ptr, size_t size)
{
	struct buffer_data *buffer = self(data);
	uintptr_t start = (uintptr_t)ptr, end;

	if (!area__round(size, os__page_size(), &size))
		return aml__fail(AML_EINVAL, "%s: unmapping a size that overflows", buffer->head.place);
	if (check_out(buffer, ptr, size) != AML_SUCCESS)
		return -AML_EINVAL;
	end = start + size;
	if (ledger__set(&buffer->free, start, end, 0) != 0)
		return aml__fail(AML_ENOMEM, "%s: no memory to note what is free", buffer->head.place);
	area__note_return();
	return AML_SUCCESS;
}

static int buffer_locate(const struct aml_area_data *data, const void *ptr, size_t size,
	size_t *bytes_on_node, int n_nodes)
{
	int failed = check_out(self(data), ptr, size);

	return failed == AML_SUCCESS ?
		linux__count(aml_area_linux.data, ptr, size, bytes_on_node, n_nodes) : failed;
}

static int buffer_info(const struct aml_area_data *data, struct aml_area_info *info)
{
	struct buffer_data *buffer = self(data);

	info->flags = AML_AREA_HOST | AML_AREA_PARTIAL;
	info->capacity = buffer->end - buffer->start;
	info->available = ledger__bytes(&buffer->free);
	return AML_SUCCESS;
}

static const struct aml_area_ops buffer_ops = {
	.mmap = buffer_mmap,
	.munmap = buffer_munmap,
	.fprintf = area__fprintf,
	.locate = buffer_locate,
	.info = buffer_info,
};

static void destroy(struct aml_area *area)
{
	ledger__destroy(&self(area->data)->free);
	area__free(area);
}

int aml_area_buffer_create(struct aml_area **area, void *start, size_t size)
{
	uintptr_t first = (uintptr_t)start, last;
	size_t page_size = os__page_size();
	struct buffer_data *buffer;
	struct aml_area *a;
	char text[80];

	if (area == NULL || start == NULL)
		return aml__fail(AML_EINVAL, "the buffer, or where to put the area, is NULL");
	if (__builtin_add_overflow(first, size, &last) || !area__round(first, page_size, &first))
		return aml__fail(AML_EINVAL, "the buffer of %zu bytes at %p wraps", size, start);
	last &= ~(uintptr_t)(page_size - 1);
	if (first >= last)
		return aml__fail(AML_EINVAL, "%zu bytes at %p hold no whole page", size, start);
	snprintf(text, sizeof(text), "buffer of %s at %p", linux__size(last - first).text, (void *)first);
	a = area__new(&buffer_ops, sizeof(*buffer), text, destroy);
	if (a == NULL)
		return aml__fail(AML_ENOMEM, "no memory for an area");
	buffer = self(a->data);
	buffer->start = first;
	buffer->end = last;
	ledger__init(&buffer->free);
	if (ledger__set(&buffer->free, first, last, 0) != 0) {
		destroy(a);
		return aml__fail(AML_ENOMEM, "no memory for an area");
	}
	*area = a;
	return AML_SUCCESS;
}

void aml_area_buffer_destroy(struct aml_area **area)
{
	area__destroy(area);
}
