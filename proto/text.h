/* Text from strangers: counted, not terminated. */
#pragma once

#include <stdbool.h>
#include <string.h>

#include "proto/base.h"

/* Where both lengths are known; `word` is not empty. */
static inline bool text_same(const char *text, size_t len, const char *word, size_t word_len)
{
	return len == word_len && *text == *word && memcmp(text, word, len) == 0;
}

/* In the header, so that the length of a word is known to the compiler. */
static inline bool text_equal(const char *text, size_t len, const char *word)
{
	size_t n = strlen(word);

	return len == n && memcmp(text, word, n) == 0;
}
/* Valid UTF-8 without NUL and other control characters (C0, DEL, C1): fit for a log and a terminal.
 */
bool text_is_plain(const char *text, size_t len);
/* The text for a message to people: printable ASCII as it is, the rest, quotes and backslashes
 * escaped; what does not fit into out[size] is cut and ends in "...". Always terminated; size ≥ 4.
 * Returns out. */
const char *text_escape(char *out, size_t size, const char *text, size_t len);
/* Makes a text plain in place: a control character becomes a space, a byte that is no UTF-8 a
 * question mark. */
void text_clean(char *text, size_t len);
