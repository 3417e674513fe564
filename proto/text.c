#include "proto/text.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* Length of the well-formed UTF-8 sequence at p, 0 if there is none or it is a control character.
 */
static size_t plain_char(const uint8_t *p, size_t left)
{
	/* the second byte's range shuts out overlong forms, surrogates and what lies above U+10FFFF
	 */
	uint8_t low = 0x80, high = 0xbf;
	size_t n;

	if (p[0] < 0x80)
		return p[0] >= 0x20 && p[0] != 0x7f;
	if (p[0] >= 0xc2 && p[0] <= 0xdf)
		n = 2;
	else if ((p[0] & 0xf0) == 0xe0)
		n = 3;
	else if (p[0] >= 0xf0 && p[0] <= 0xf4)
		n = 4;
	else
		return 0;
	switch (p[0]) {
	case 0xc2: low = 0xa0; break; /* C1 controls lie below */
	case 0xe0: low = 0xa0; break;
	case 0xed: high = 0x9f; break;
	case 0xf0: low = 0x90; break;
	case 0xf4: high = 0x8f; break;
	}
	if (left < n || p[1] < low || p[1] > high)
		return 0;
	for (size_t i = 2; i < n; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	return n;
}

bool text_is_plain(const char *text, size_t len)
{
	size_t n;

	for (size_t i = 0; i < len; i += n) {
		n = plain_char((const uint8_t *)text + i, len - i);
		if (n == 0)
			return false;
	}
	return true;
}

void text_clean(char *text, size_t len)
{
	size_t n;

	for (size_t i = 0; i < len; i += n) {
		uint8_t *p = (uint8_t *)text + i;

		n = plain_char(p, len - i);
		if (n > 0)
			continue;
		*p = *p < 0x80 ? ' ' : '?';
		n = 1;
	}
}

const char *text_escape(char *out, size_t size, const char *text, size_t len)
{
	static const char cut[] = "...";
	size_t at = 0, whole = 0; /* whole: the longest prefix that leaves room for the mark */

	assert(size >= sizeof(cut));
	for (size_t i = 0; i < len; i++) {
		uint8_t c = (uint8_t)text[i];
		char piece[5];
		size_t n;

		if (c == '"' || c == '\\')
			n = (size_t)snprintf(piece, sizeof(piece), "\\%c", c);
		else if (c >= 0x20 && c < 0x7f)
			n = (size_t)snprintf(piece, sizeof(piece), "%c", c);
		else
			n = (size_t)snprintf(piece, sizeof(piece), "\\x%02x", c);
		if (at + n >= size) {
			memcpy(out + whole, cut, sizeof(cut));
			return out;
		}
		memcpy(out + at, piece, n);
		at += n;
		if (at + sizeof(cut) <= size)
			whole = at;
	}
	out[at] = '\0';
	return out;
}
