/* SPDX-License-Identifier: BSD-3-Clause */
/* Prints its effective user, where its heap "cache" lies, and whether the preload is in it. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "situs.h"

int main(void)
{
	situs_heap_t *heap = situs_heap_named("cache", "any");
	FILE *maps = fopen("/proc/self/maps", "r");
	const char *preload = "no preload";
	char line[1024];
	void *block = situs_malloc(heap, 1000);

	while (maps && fgets(line, sizeof(line), maps))
		if (strstr(line, "libsitus-preload"))
			preload = "preload";
	if (maps)
		fclose(maps);
	if (!block) {
		fprintf(stderr, "%s\n", situs_error());
		return 1;
	}
	printf("%d %s ", (int)geteuid(), preload);
	return aml_area_fprintf(stdout, NULL, situs_area_of(block)) != 0;
}
