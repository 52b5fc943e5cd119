/* SPDX-License-Identifier: BSD-3-Clause */
/* Holds so many MiB of touched blocks, says its process id, and waits for the end of its input. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BLOCK (256 * 1024)

int main(int argc, char **argv)
{
	size_t n = argc > 1 ? strtoul(argv[1], NULL, 10) * 1024 * 1024 / BLOCK : 0;
	char byte;

	for (size_t i = 0; i < n; i++) {
		char *block = malloc(BLOCK);

		if (!block)
			return 1;
		memset(block, (int)i, BLOCK);
	}
	printf("%ld\n", (long)getpid());
	fflush(stdout);
	return read(STDIN_FILENO, &byte, 1) < 0;
}
