/* SPDX-License-Identifier: BSD-3-Clause */
/* utf8.c - characters of names, whoever writes them out. */
#include "heap/snapshot.h"

/* RFC 3629, section 4. */
size_t snapshot__utf8(const char *text)
{
	const unsigned char *c = (const unsigned char *)text;
	unsigned char low = 0x80, high = 0xbf;
	size_t n;

	if (c[0] < 0x80)
		return 1;
	if (c[0] < 0xc2 || c[0] > 0xf4)
		return 0;
	n = c[0] < 0xe0 ? 2 : c[0] < 0xf0 ? 3 : 4;
	low = c[0] == 0xe0 ? 0xa0 : c[0] == 0xf0 ? 0x90 : low;
	high = c[0] == 0xed ? 0x9f : c[0] == 0xf4 ? 0x8f : high;
	for (size_t i = 1; i < n; i++, low = 0x80, high = 0xbf)
		if (c[i] < low || c[i] > high)
			return 0;
	return n;
}
