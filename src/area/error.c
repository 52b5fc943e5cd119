/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * error.c - the areas' error codes beside errno.
 */
#include "area/area.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/error.h"

_Thread_local int aml_errno;
_Thread_local bool aml__told;

static const struct {
	int err;          /* errno value */
	const char *text; /* what aml_strerror says */
} codes[] = {
	[AML_SUCCESS] = {0, "success"},
	[AML_FAILURE] = {EIO, "the system failed in an unexpected way"},
	[AML_ENOMEM] = {ENOMEM, "the place has no room"},
	[AML_EINVAL] = {EINVAL, "an argument is wrong"},
	[AML_EDOM] = {EDOM, "the place is not on this machine or not allowed to this process"},
	[AML_ENOTSUP] = {ENOTSUP, "the area or the kernel does not support this"},
	[AML_EBUSY] = {EBUSY, "the place is in use"},
	[AML_EPERM] = {EPERM, "this process may not do this"},
};

enum { N_CODES = sizeof(codes) / sizeof(codes[0]) };

const char *aml_strerror(int err)
{
	/* Not -err: the most negative int has no opposite. */
	unsigned code = err < 0 ? 0u - (unsigned)err : (unsigned)err;

	return code < N_CODES ? codes[code].text : "unknown error";
}

void aml_perror(const char *msg)
{
	if (msg != NULL && msg[0] != '\0')
		fprintf(stderr, "%s: %s\n", msg, aml_strerror(aml_errno));
	else
		fprintf(stderr, "%s\n", aml_strerror(aml_errno));
}

int aml__errno(int code)
{
	if (code < 0)
		code = -code;
	return code < N_CODES ? codes[code].err : EIO;
}

int aml__code(int err)
{
	switch (err < 0 ? -err : err) {
	case 0:
		return AML_SUCCESS;
	case ENOMEM:
	case ENOSPC:
	case EDQUOT:
	case EFBIG:
	case EMFILE:
	case ENFILE:
		return AML_ENOMEM;
	case EINVAL:
	case EFAULT:
		return AML_EINVAL;
	case EDOM:
	case ENOENT:
	case ENODEV:
	case ENXIO:
		return AML_EDOM;
	case ENOTSUP: /* EOPNOTSUPP */
	case ENOSYS:
		return AML_ENOTSUP;
	case EBUSY:
	case EAGAIN:
	case EEXIST:
	case ETXTBSY:
		return AML_EBUSY;
	case EPERM:
	case EACCES:
	case EROFS:
		return AML_EPERM;
	}
	return AML_FAILURE;
}

int aml__fail(int code, const char *format, ...)
{
	char text[ERROR_TEXT_SIZE];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	error__set(aml__errno(code), "%s", text);
	aml_errno = code;
	aml__told = true;
	return -code;
}
