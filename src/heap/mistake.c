/* SPDX-License-Identifier: BSD-3-Clause */
#include "heap/mistake.h"

#include <dlfcn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/annotate.h"
#include "base/pagemap.h"
#include "heap/heap.h"
#include "heap/sealed.h"

#ifdef ANNOTATE_ASAN
#include <sanitizer/common_interface_defs.h>
#endif

enum { LINE = 512 };

static void print_place(char *line, size_t room, const void *code)
{
	Dl_info info;
	const char *file;

	if (code == NULL || dladdr(code, &info) == 0 || info.dli_fname == NULL)
		return;
	file = strrchr(info.dli_fname, '/');
	file = file == NULL ? info.dli_fname : file + 1;
	if (info.dli_sname != NULL)
		snprintf(line, room, ", called from %s in %s", info.dli_sname, file);
	else
		snprintf(line, room, ", called from %s+0x%zx", file,
			(size_t)((const char *)code - (const char *)info.dli_fbase));
}

void mistake__die(const void *caller, const char *format, ...)
{
	char line[LINE] = "situs: ";
	size_t length = strlen(line);
	va_list args;

	va_start(args, format);
	vsnprintf(line + length, sizeof(line) - length - 1, format, args);
	va_end(args);
	length = strlen(line);
	print_place(line + length, sizeof(line) - length - 1, caller);
	length = strlen(line);
	line[length++] = '\n';
	if (write(STDERR_FILENO, line, length) < 0)
		abort();
#ifdef ANNOTATE_ASAN
	__sanitizer_print_stack_trace();
#endif
#ifdef SITUS_VALGRIND
	VALGRIND_PRINTF_BACKTRACE("%.*s", (int)length, line);
#endif
	abort();
}

void mistake__of_block(const char *who, const void *caller, const void *block, const char *what)
{
	struct owner *owner = owner__of_word(pagemap__get(block));
	struct situs_heap *heap = owner == NULL ? NULL : owner->heap;
	char size[48] = "";

	if (heap == NULL)
		mistake__die(caller, "%s: %s: %p", who, what, block);
	if ((uintptr_t)block % SEALED_OFFSET == 0 &&
		owner__of_word(pagemap__get((const char *)block - SEALED_OFFSET)) == owner &&
		sealed__read(block).state != SEALED_NOT)
		snprintf(size, sizeof(size), "%zu bytes, ", sealed__read(block).size);
	if (strcmp(heap->name, heap->place) == 0)
		mistake__die(caller, "%s: %s: %p, %sheap \"%s\"", who, what, block, size, heap->name);
	mistake__die(caller, "%s: %s: %p, %sheap \"%s\" (%s)", who, what, block, size, heap->name,
		heap->place);
}
