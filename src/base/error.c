/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

/*
 * Plain thread-local storage, not initial-exec: the text is larger than what a late dlopen may take
 * of the static surplus, and a program that fails can afford the slower access.
 */
static _Thread_local char text[ERROR_TEXT_SIZE];

int error__set(int err, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	errno = err;
	return -err;
}

const char *error__text(void)
{
	return text;
}
