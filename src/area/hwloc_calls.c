/* SPDX-License-Identifier: BSD-3-Clause */
#include "config.h" /* HWLOC_SONAME */
#include "area/hwloc_calls.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "area/area.h"

/*
 * Tells packagers' tools which library is wanted beside those that ld.so loads: an ELF note in the
 * form of the UAPI group's "ELF dlopen metadata" specification.
 */
#define NOTE "[{\"feature\":\"hwloc\",\"description\":\"Places by what memory is good at\"," \
	"\"priority\":\"recommended\",\"soname\":[\"" HWLOC_SONAME "\"]}]"

static const struct {
	uint32_t name_size, text_size, type;
	char name[4];
	_Alignas(4) char text[sizeof(NOTE)];
} note __attribute__((used, section(".note.dlopen"), aligned(4))) = {
	4, sizeof(NOTE), 0x407c0c0a, "FDO", NOTE};

const struct hwloc_calls *_Atomic hwloc_calls__loaded;

/* dlerror has words only: a library that cannot be opened for want of descriptors looks like a missing one. */
static int fail_to_open(const char *why)
{
	int descriptor = dup(STDERR_FILENO), err = descriptor < 0 ? errno : 0;

	if (descriptor >= 0)
		close(descriptor);
	if (err == EMFILE || err == ENFILE)
		return aml__fail(AML_ENOMEM, "no file descriptor is left to load %s with", HWLOC_SONAME);
	return aml__fail(AML_ENOTSUP, "which memory is good at what is told by %s, which cannot be loaded: %.200s",
		HWLOC_SONAME, why ? why : "no reason given");
}

static int look_up(void *library, struct hwloc_calls *calls)
{
	/* One text, not an array of pointers, which the loader would have to write before main. */
	static const char names[] =
#define HWLOC_CALL_NAME(name) "hwloc_" #name "\0"
		HWLOC_CALLS(HWLOC_CALL_NAME);
#undef HWLOC_CALL_NAME
	const char *name = names;

	for (size_t at = 0; at < sizeof(*calls); at += sizeof(void *)) {
		void *function = dlsym(library, name);

		if (!function)
			return aml__fail(AML_ENOTSUP, "%s has no %s: it is not the hwloc that Situs was built with",
				HWLOC_SONAME, name);
		memcpy((char *)calls + at, &function, sizeof(function));
		name += strlen(name) + 1;
	}
	return 0;
}

/* Two threads may come here at once: both find the same functions, and one of the tables is kept. */
int hwloc_calls__load(void)
{
	const struct hwloc_calls *none = NULL;
	struct hwloc_calls *calls;
	void *library;
	int err;

	if (hw())
		return 0;
	calls = malloc(sizeof(*calls));
	if (!calls)
		return aml__fail(AML_ENOMEM, "no memory for the table of hwloc's functions");
	library = dlopen(HWLOC_SONAME, RTLD_NOW | RTLD_LOCAL);
	err = library ? look_up(library, calls) : fail_to_open(dlerror());
	if (err == 0 && atomic_compare_exchange_strong(&hwloc_calls__loaded, &none, calls))
		return 0;
	free(calls);
	if (library)
		dlclose(library);
	return err;
}
