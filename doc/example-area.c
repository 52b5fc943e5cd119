/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * example-area.c - how to write an area of your own, to be copied.
 *
 * The place: memory that never leaves the machine's RAM. Its pages are locked, so they are not
 * written to swap, and they are left out of core dumps: somewhere to keep keys. A heap made on this
 * area (situs_heap_create) draws all its memory from it.
 *
 * What an area must do is short:
 *   - mmap and munmap are all it needs; every other operation may be left out;
 *   - an operation that fails sets aml_errno and errno, and has changed nothing;
 *   - operations run on any thread and inside the allocator: they call neither malloc nor free, nor
 *     anything that might, such as stdio (fprintf aside, which is never called from there).
 *
 * Build: cc example-area.c $(pkg-config --cflags --libs situs)
 */
#include <aml.h>

#include <errno.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Each implementation says what this is. It belongs to the area; operations get it as const. */
struct aml_area_data {
	size_t page_size;
	atomic_size_t *locked; /* bytes out, for people who ask */
};

static size_t round_up(const struct aml_area_data *data, size_t size)
{
	return (size + data->page_size - 1) & ~(data->page_size - 1);
}

/* The one place that fails: a code for aml_errno, the errno value that goes with it, and no result. */
static void *no_memory(void)
{
	aml_errno = AML_ENOMEM;
	errno = ENOMEM;
	return NULL;
}

static void *locked_mmap(const struct aml_area_data *data, void **ptr, size_t size)
{
	void *hint = ptr == NULL ? NULL : *ptr;
	void *p;

	/* size is not 0: that was checked before. It may still overflow. */
	if (size > SIZE_MAX - data->page_size)
		return no_memory();
	size = round_up(data, size);
	p = mmap(hint, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		return no_memory();
	/* Faults the pages in as well: whoever may not lock so much (ulimit -l) hears it here. */
	if (mlock(p, size) != 0 || madvise(p, size, MADV_DONTDUMP) != 0) {
		munmap(p, size);
		return no_memory();
	}
	atomic_fetch_add(data->locked, size);
	return p;
}

static int locked_munmap(const struct aml_area_data *data, void *ptr, size_t size)
{
	size = round_up(data, size);
	/* Keys do not stay behind. */
	explicit_bzero(ptr, size);
	if (munmap(ptr, size) != 0) {
		aml_errno = AML_EINVAL;
		errno = EINVAL;
		return -AML_EINVAL;
	}
	atomic_fetch_sub(data->locked, size);
	return AML_SUCCESS;
}

/*
 * Optional, and worth having: heaps ask it how to draw from the area. Left out, it stands for the
 * system's page size, memory that is neither lazy nor zeroed, and mappings that are given back whole.
 */
static int locked_info(const struct aml_area_data *data, struct aml_area_info *info)
{
	info->page_size = data->page_size;
	/* Zeroed when fresh, and munmap takes parts, since the kernel's does. Not AML_AREA_LAZY: pages
	   are paid for at mmap, so heaps draw little at a time. */
	info->flags = AML_AREA_HOST | AML_AREA_ZEROED | AML_AREA_PARTIAL;
	return AML_SUCCESS;
}

/* Optional: one line about the area. */
static int locked_fprintf(const struct aml_area_data *data, FILE *stream, const char *prefix)
{
	fprintf(stream, "%slocked memory, %zu KiB out\n", prefix, atomic_load(data->locked) / 1024);
	return AML_SUCCESS;
}

static const struct aml_area_ops locked_ops = {
	.mmap = locked_mmap,
	.munmap = locked_munmap,
	.fprintf = locked_fprintf,
	.info = locked_info,
};

/* Areas are made and freed outside the allocator: here malloc is allowed. */
static struct aml_area *locked_area_create(void)
{
	struct aml_area *area = malloc(sizeof(*area));
	struct aml_area_data *data = malloc(sizeof(*data));
	atomic_size_t *locked = calloc(1, sizeof(*locked));

	if (area == NULL || data == NULL || locked == NULL) {
		free(area);
		free(data);
		free(locked);
		return NULL;
	}
	data->page_size = (size_t)sysconf(_SC_PAGESIZE);
	data->locked = locked;
	area->ops = &locked_ops;
	area->data = data;
	return area;
}

static void locked_area_destroy(struct aml_area *area)
{
	free(area->data->locked);
	free(area->data);
	free(area);
}

int main(void)
{
	struct aml_area *area = locked_area_create();
	char *secret;

	if (area == NULL)
		return 1;
	secret = aml_area_mmap(area, NULL, 10000);
	if (secret == NULL) {
		aml_perror("mapping locked memory");
		return 1;
	}
	strcpy(secret, "sesame");
	aml_area_fprintf(stdout, "", area);
	/* Not ours to answer: the library does, for operations that an area leaves out. */
	printf("purge: %s\n", aml_strerror(aml_area_purge(area, secret, 4096)));
	if (aml_area_munmap(area, secret, 10000) != AML_SUCCESS) {
		aml_perror("unmapping locked memory");
		return 1;
	}
	aml_area_fprintf(stdout, "", area);
	locked_area_destroy(area);
	return 0;
}
