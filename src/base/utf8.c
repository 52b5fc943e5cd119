/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/utf8.h"

/* RFC 3629, section 4. */
size_t utf8__length(const char *text)
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

bool utf8__is_printable(const char *text)
{
	const unsigned char *c = (const unsigned char *)text;

	switch (utf8__length(text)) {
	case 0:
		return false;
	case 1:
		return c[0] >= ' ' && c[0] != 0x7f;
	case 2:
		return c[0] != 0xc2 || c[1] >= 0xa0;
	default:
		return true;
	}
}

void utf8__make_printable(char *text)
{
	while (*text) {
		size_t n = utf8__length(text);
		bool is_printable = utf8__is_printable(text);

		for (n = n ? n : 1; n > 0; n--, text++)
			if (!is_printable)
				*text = '?';
	}
}
