/* SPDX-License-Identifier: BSD-3-Clause */
#include "hooks/arena_stats.h"

#include <errno.h>
#include <jemalloc/jemalloc.h>
#include <stdint.h>
#include <stdio.h>

#include "base/error.h"

static size_t read_size(const char *name)
{
	size_t value = 0, size = sizeof(value);

	return mallctl(name, &value, &size, NULL, 0) == 0 ? value : 0;
}

static unsigned read_unsigned(const char *name)
{
	unsigned value = 0;
	size_t size = sizeof(value);

	return mallctl(name, &value, &size, NULL, 0) == 0 ? value : 0;
}

int arena__refresh_stats(void)
{
	uint64_t epoch = 1;
	size_t size = sizeof(epoch);
	bool has_stats = false;
	size_t bool_size = sizeof(has_stats);

	if (mallctl("config.stats", &has_stats, &bool_size, NULL, 0) != 0 || !has_stats)
		return error__set(ENOTSUP, "this jemalloc was built without statistics");
	if (mallctl("epoch", &epoch, &size, &epoch, sizeof(epoch)) != 0)
		return error__set(ENOTSUP, "jemalloc does not refresh its statistics");
	return 0;
}

static size_t read_of_arena(unsigned arena, const char *what)
{
	char name[128];

	snprintf(name, sizeof(name), "stats.arenas.%u.%s", arena, what);
	return read_size(name);
}

size_t arena__allocated(unsigned arena)
{
	return read_of_arena(arena, "small.allocated") + read_of_arena(arena, "large.allocated");
}

/* Small classes (bins) come first, large ones (lextents) go on counting. */

unsigned arena__n_classes(void)
{
	return read_unsigned("arenas.nbins") + read_unsigned("arenas.nlextents");
}

size_t arena__class_size(unsigned class)
{
	unsigned n_bins = read_unsigned("arenas.nbins");
	char name[64];

	if (class < n_bins)
		snprintf(name, sizeof(name), "arenas.bin.%u.size", class);
	else
		snprintf(name, sizeof(name), "arenas.lextent.%u.size", class - n_bins);
	return read_size(name);
}

size_t arena__class_blocks(unsigned arena, unsigned class)
{
	unsigned n_bins = read_unsigned("arenas.nbins");
	char name[64];

	if (class < n_bins)
		snprintf(name, sizeof(name), "bins.%u.curregs", class);
	else
		snprintf(name, sizeof(name), "lextents.%u.curlextents", class - n_bins);
	return read_of_arena(arena, name);
}
