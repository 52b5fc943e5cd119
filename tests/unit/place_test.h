/* SPDX-License-Identifier: BSD-3-Clause */
/* place_test.h - what tests of places share: opened, printed, refused. */
#ifndef TESTS_PLACE_TEST_H
#define TESTS_PLACE_TEST_H

#include "tests/unit/test.h"

#include <stdio.h>
#include <string.h>

#include "aml.h"
#include "base/error.h"
#include "os/os.h"

/* "node:N" of the first node this process may use; static. */
static inline const char *first_node(const char *options)
{
	static char text[64];
	struct os_nodes allowed;

	assert_int_equal(os__nodes_allowed(&allowed), 0);
	snprintf(text, sizeof(text), "node:%d%s", os__nodes_next(&allowed, 0), options);
	return text;
}

static inline struct aml_area *open_area(const char *place)
{
	struct aml_area *area = NULL;

	if (aml_area_open(&area, place) < 0)
		fail_msg("\"%s\" does not open: %s", place, error__text());
	assert_non_null(area);
	return area;
}

/* What aml_area_fprintf prints, without the end of the line; the caller frees. */
static inline char *printed(const struct aml_area *area)
{
	char *text = NULL;
	size_t size;
	FILE *stream = open_memstream(&text, &size);

	assert_non_null(stream);
	assert_int_equal(aml_area_fprintf(stream, "", area), 0);
	fclose(stream);
	text[strcspn(text, "\n")] = '\0';
	return text;
}

static inline void assert_usable(const struct aml_area *area)
{
	size_t size = 1 << 20;
	char *ptr = aml_area_mmap(area, NULL, size);

	assert_non_null(ptr);
	memset(ptr, 1, size);
	assert_int_equal(aml_area_munmap(area, ptr, size), 0);
}

static inline void assert_refused(const char *place, int code, const char *part)
{
	struct aml_area *untouched = (struct aml_area *)&untouched, *area = untouched;

	assert_int_equal(aml_area_open(&area, place), -code);
	assert_ptr_equal(area, untouched);
	assert_int_equal(aml_errno, code);
	if (!strstr(error__text(), part))
		fail_msg("\"%s\" does not say \"%s\"", error__text(), part);
}

/* Processes whose kernel or container forbids binding cannot run what binds. */
static inline void skip_without_binding(void)
{
	struct aml_area *area = NULL;

	if (aml_area_open(&area, first_node(",bind")) == -AML_EPERM)
		skip_because("this process may not bind memory");
	aml_area_close(&area);
}

#endif
