/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/size.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static const char units[] = "KMGT";

int size__parse(const char *text, size_t *size)
{
	size_t value = 0;
	const char *unit;

	if (*text < '0' || *text > '9')
		return -EINVAL;
	for (; *text >= '0' && *text <= '9'; text++)
		if (__builtin_mul_overflow(value, (size_t)10, &value) ||
			__builtin_add_overflow(value, (size_t)(*text - '0'), &value))
			return -ERANGE;
	if (*text) {
		unit = strchr(units, *text & ~('a' ^ 'A')); /* either case, whatever the locale */
		if (!unit || !*unit)
			return -EINVAL;
		for (; unit >= units; unit--)
			if (__builtin_mul_overflow(value, (size_t)1024, &value))
				return -ERANGE;
		text++;
		if (*text && strcasecmp(text, "b") != 0 && strcasecmp(text, "ib") != 0)
			return -EINVAL;
	}
	*size = value;
	return 0;
}

char *size__format(size_t size, char text[SIZE_TEXT_SIZE])
{
	double value = (double)size;
	const char *unit = units;

	if (size < 1024) {
		snprintf(text, SIZE_TEXT_SIZE, size ? "%zu B" : "%zu", size);
		return text;
	}
	for (value /= 1024; value >= 1023.95 && unit[1]; value /= 1024)
		unit++;
	/* One decimal below 100, where it says anything. */
	snprintf(text, SIZE_TEXT_SIZE, value < 99.95 && (long)(value * 10 + 0.5) % 10 ? "%.1f %ciB" : "%.0f %ciB",
		value, *unit);
	return text;
}
