#include "proto/text.h"

#include <string.h>

#include "tests/unit/suite.h"

START_TEST(equal_compares_length_and_bytes)
{
	ck_assert(text_equal("submit", 6, "submit"));
	ck_assert(text_equal("submitted", 6, "submit"));
	ck_assert(!text_equal("submit", 5, "submit"));
	ck_assert(!text_equal("submit\0", 7, "submit"));
	ck_assert(!text_equal("submis", 6, "submit"));
	ck_assert(text_equal("", 0, ""));
}
END_TEST

START_TEST(plain_is_utf8_without_control_characters)
{
	static const struct {
		const char *text;
		size_t len;
		bool is_plain;
	} rows[] = {
#define ROW(literal, plain) {literal, sizeof(literal) - 1, plain}
		ROW("", true),
		ROW("plain text, ~", true),
		ROW("a\0b", false),
		ROW("\n", false),
		ROW("\x1b[31m", false),
		ROW("\x1f", false),
		ROW("\x7f", false),
		ROW("\x80", false),		/* a stray continuation */
		ROW("\xc0\x80", false),		/* overlong NUL */
		ROW("\xc1\xbf", false),		/* overlong */
		ROW("\xc2\x80", false),		/* U+0080, a C1 control */
		ROW("\xc2\x9f", false),		/* U+009F */
		ROW("\xc2\xa0", true),		/* U+00A0 */
		ROW("\xc2\xc0", false),		/* no continuation */
		ROW("\xdf\xbf", true),		/* U+07FF */
		ROW("\xdf", false),		/* cut */
		ROW("\xe0\x9f\xbf", false),	/* overlong */
		ROW("\xe0\xa0\x80", true),	/* U+0800 */
		ROW("\xe2\x82\xac", true),	/* euro */
		ROW("\xe2\x82", false),		/* cut */
		ROW("\xe2\x82\x41", false),	/* no continuation */
		ROW("\xed\x9f\xbf", true),	/* U+D7FF */
		ROW("\xed\xa0\x80", false),	/* a surrogate */
		ROW("\xef\xbf\xbf", true),	/* U+FFFF */
		ROW("\xf0\x8f\xbf\xbf", false), /* overlong */
		ROW("\xf0\x90\x80\x80", true),	/* U+10000 */
		ROW("\xf0\x9f\x98\x80", true),	/* a face */
		ROW("\xf0\x9f\x98", false),	/* cut */
		ROW("\xf4\x8f\xbf\xbf", true),	/* U+10FFFF */
		ROW("\xf4\x90\x80\x80", false), /* above */
		ROW("\xf5\x80\x80\x80", false), /* above */
		ROW("\xff", false),
		ROW("good until \xfe", false),
#undef ROW
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		/* exactly as long as told, so that a sanitizer sees what reads behind it */
		cleanup_free char *copy = malloc(rows[i].len + 1);

		ck_assert_ptr_nonnull(copy);
		memcpy(copy + 1, rows[i].text, rows[i].len);
		ck_assert_msg(
			text_is_plain(copy + 1, rows[i].len) == rows[i].is_plain, "row %zu", i);
	}
}
END_TEST

START_TEST(escape_makes_printable_ascii_that_fits)
{
	static const struct {
		const char *text;
		size_t size;
		const char *expected;
	} rows[] = {
		{"", 4, ""},
		{"abc", 4, "abc"},
		{"abcd", 4, "..."},
		{"abcdefgh", 8, "abcd..."},
		{"abcdefg", 8, "abcdefg"},
		{"a\nb", 10, "a\\x0ab"},
		{"\"\\", 10, "\\\"\\\\"},
		{"\xc3\xa9", 10, "\\xc3\\xa9"},
		{"\xc3\xa9", 8, "\\xc3..."},
		{"ab\xc3\xa9", 8, "ab..."},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		cleanup_free char *out = malloc(rows[i].size);

		ck_assert_ptr_nonnull(out);
		ck_assert_str_eq(text_escape(out, rows[i].size, rows[i].text, strlen(rows[i].text)),
			rows[i].expected);
	}
}
END_TEST

START_TEST(clean_makes_plain_what_is_not)
{
	static const struct {
		const char *text;
		const char *expected;
	} rows[] = {
		{"", ""},
		{"plain \xc3\xa9", "plain \xc3\xa9"},
		{"two\nlines\t\x7f", "two lines  "},
		{"cut \xc3", "cut ?"},
		{"\xe2\x82", "??"},
		{"\xff\xc3\xa9", "?\xc3\xa9"},
		{"\xc2\x85", "??"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		cleanup_free char *text = strdup(rows[i].text);

		ck_assert_ptr_nonnull(text);
		text_clean(text, strlen(text));
		ck_assert_str_eq(text, rows[i].expected);
	}
}
END_TEST

SUITE_MAIN("text", equal_compares_length_and_bytes, plain_is_utf8_without_control_characters,
	escape_makes_printable_ascii_that_fits, clean_makes_plain_what_is_not)
