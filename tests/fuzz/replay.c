/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * replay.c - runs a fuzz harness over its corpus, one file a test, without a fuzzer: any compiler
 * will do. CORPUS is the folder's name under tests/fuzz/corpus. Whatever a fuzzer finds goes there.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX_SIZE = 1 << 20 };

static int is_file(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static int replay(const char *folder, const char *name, uint8_t *data)
{
	char path[4096];
	FILE *file;
	size_t size;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	file = fopen(path, "rb");
	if (!file)
		return -1;
	size = fread(data, 1, MAX_SIZE, file);
	fclose(file);
	return LLVMFuzzerTestOneInput(data, size);
}

int main(void)
{
	const char *top = getenv("SITUS_SRCDIR");
	struct dirent **entries;
	uint8_t *data = malloc(MAX_SIZE);
	char folder[2048];
	int n, failed = 0;

	snprintf(folder, sizeof(folder), "%s/tests/fuzz/corpus/%s", top ? top : ".", CORPUS);
	n = data ? scandir(folder, &entries, is_file, alphasort) : -1;
	if (n <= 0) {
		printf("Bail out! no corpus in %s\n", folder);
		return 1;
	}
	printf("1..%d\n", n);
	for (int i = 0; i < n; i++) {
		int result = replay(folder, entries[i]->d_name, data);

		failed |= result != 0;
		printf("%s %d - %s\n", result == 0 ? "ok" : "not ok", i + 1, entries[i]->d_name);
		fflush(stdout);
		free(entries[i]);
	}
	free(entries);
	free(data);
	return failed;
}
