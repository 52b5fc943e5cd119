/* SPDX-License-Identifier: BSD-3-Clause */
#include <jemalloc/jemalloc.h>

static const char *jemalloc_version(void)
{
	const char *text = "?";
	size_t size = sizeof(text);

	mallctl("version", &text, &size, NULL, 0);
	return text;
}
