/* SPDX-License-Identifier: BSD-3-Clause */
/* Prints where the heap that this program calls "cache", and suggests to have anywhere, really lies. */
#include <dlfcn.h>
#include <stdio.h>

#include "situs.h"

int main(void)
{
	situs_heap_t *(*heap_named)(const char *, const char *);
	void *(*allocate)(situs_heap_t *, size_t);
	const struct aml_area *(*area_of)(const void *);
	int (*print)(FILE *, const char *, const struct aml_area *);
	void *block;

	*(void **)&heap_named = dlsym(RTLD_DEFAULT, "situs_heap_named");
	*(void **)&allocate = dlsym(RTLD_DEFAULT, "situs_malloc");
	*(void **)&area_of = dlsym(RTLD_DEFAULT, "situs_area_of");
	*(void **)&print = dlsym(RTLD_DEFAULT, "aml_area_fprintf");
	if (!heap_named || !allocate || !area_of || !print)
		return 2;
	block = allocate(heap_named("cache", "any"), 1000);
	if (!block)
		return 1;
	return print(stdout, NULL, area_of(block)) || putchar('\n') == EOF;
}
