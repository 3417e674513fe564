#include "proto/cursor.h"

#include <math.h>
#include <string.h>

#include "proto/limits.h"
#include "proto/scan.h"
#include "tests/unit/suite.h"

#define CURSOR(literal) cursor_of(literal, sizeof(literal) - 1)

START_TEST(the_type_is_told_by_the_lead_byte)
{
	for (unsigned lead = 0; lead < 256; lead++) {
		uint8_t byte = (uint8_t)lead;
		struct cursor c = cursor_of(&byte, 1);
		enum cursor_type type = cursor_peek(&c), expected;

		if (lead <= 0x7f || lead >= 0xe0 || (lead >= 0xcc && lead <= 0xd3))
			expected = CURSOR_INT;
		else if (lead <= 0x8f || lead == 0xde || lead == 0xdf)
			expected = CURSOR_MAP;
		else if (lead <= 0x9f || lead == 0xdc || lead == 0xdd)
			expected = CURSOR_ARRAY;
		else if (lead <= 0xbf || (lead >= 0xd9 && lead <= 0xdb))
			expected = CURSOR_STR;
		else if (lead == 0xc0)
			expected = CURSOR_NIL;
		else if (lead == 0xc1)
			expected = CURSOR_END;
		else if (lead <= 0xc3)
			expected = CURSOR_BOOL;
		else if (lead <= 0xc6)
			expected = CURSOR_BIN;
		else if (lead <= 0xc9 || lead >= 0xd4)
			expected = CURSOR_EXT;
		else
			expected = CURSOR_FLOAT;
		ck_assert_msg(type == expected, "lead byte %02x", lead);
	}
}
END_TEST

START_TEST(nothing_is_read_from_nothing)
{
	struct cursor c = cursor_of(NULL, 0);
	const void *bytes;
	const char *text;
	int8_t type;
	uint64_t u;
	uint32_t n;
	int64_t i;
	size_t len;
	double d;
	bool b;

	ck_assert(cursor_at_end(&c));
	ck_assert_int_eq(cursor_peek(&c), CURSOR_END);
	ck_assert(!cursor_nil(&c));
	ck_assert(!cursor_bool(&c, &b));
	ck_assert(!cursor_uint(&c, &u));
	ck_assert(!cursor_int(&c, &i));
	ck_assert(!cursor_number(&c, &d));
	ck_assert(!cursor_text(&c, &text, &len));
	ck_assert(!cursor_bytes(&c, &bytes, &len));
	ck_assert(!cursor_array(&c, &n));
	ck_assert(!cursor_map(&c, &n));
	ck_assert(!cursor_ext(&c, &type, &bytes, &len));
	ck_assert(!cursor_skip(&c, NULL));
	ck_assert_uint_eq(cursor_depth(&c), 0);
}
END_TEST

START_TEST(integers_of_every_encoding)
{
	static const struct {
		const uint8_t *bytes;
		size_t len;
		bool is_uint, is_int;
		uint64_t u;
		int64_t i;
	} rows[] = {
		{BYTES("\x00"), true, true, 0, 0},
		{BYTES("\x7f"), true, true, 127, 127},
		{BYTES("\xff"), false, true, 0, -1},
		{BYTES("\xe0"), false, true, 0, -32},
		{BYTES("\xcc\xff"), true, true, 255, 255},
		{BYTES("\xcd\xff\xfe"), true, true, 65534, 65534},
		{BYTES("\xce\xff\xff\xff\xfe"), true, true, UINT32_MAX - 1, UINT32_MAX - 1},
		{BYTES("\xcf\x00\x1f\xff\xff\xff\xff\xff\xff"), true, true, PROTO_ID_END - 1,
			PROTO_ID_END - 1},
		{BYTES("\xcf\x7f\xff\xff\xff\xff\xff\xff\xff"), true, true, INT64_MAX, INT64_MAX},
		{BYTES("\xcf\x80\x00\x00\x00\x00\x00\x00\x00"), true, false, 1ull << 63, 0},
		{BYTES("\xcf\xff\xff\xff\xff\xff\xff\xff\xff"), true, false, UINT64_MAX, 0},
		{BYTES("\xd0\x7f"), true, true, 127, 127},
		{BYTES("\xd0\x80"), false, true, 0, -128},
		{BYTES("\xd1\x80\x00"), false, true, 0, INT16_MIN},
		{BYTES("\xd2\x80\x00\x00\x00"), false, true, 0, INT32_MIN},
		{BYTES("\xd2\x7f\xff\xff\xff"), true, true, INT32_MAX, INT32_MAX},
		{BYTES("\xd3\x80\x00\x00\x00\x00\x00\x00\x00"), false, true, 0, INT64_MIN},
		{BYTES("\xd3\x7f\xff\xff\xff\xff\xff\xff\xff"), true, true, INT64_MAX, INT64_MAX},
		{BYTES("\xc0"), false, false, 0, 0},
		{BYTES("\xa1"
		       "1"),
			false, false, 0, 0},
		{BYTES("\xca\x3f\x80\x00\x00"), false, false, 0, 0},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct cursor c = cursor_of(rows[i].bytes, rows[i].len), d = c;
		uint64_t u = 77;
		int64_t v = 77;

		ck_assert_msg(cursor_uint(&c, &u) == rows[i].is_uint, "row %zu", i);
		ck_assert_uint_eq(u, rows[i].is_uint ? rows[i].u : 77);
		ck_assert_int_eq(cursor_at_end(&c), rows[i].is_uint);
		ck_assert_msg(cursor_int(&d, &v) == rows[i].is_int, "row %zu", i);
		ck_assert_int_eq(v, rows[i].is_int ? rows[i].i : 77);
		ck_assert_int_eq(cursor_at_end(&d), rows[i].is_int);
	}
}
END_TEST

START_TEST(numbers_are_integers_and_floats)
{
	static const struct {
		const uint8_t *bytes;
		size_t len;
		double d;
	} rows[] = {
		{BYTES("\x05"), 5},
		{BYTES("\xff"), -1},
		{BYTES("\xd1\xff\x00"), -256},
		{BYTES("\xcf\xff\xff\xff\xff\xff\xff\xff\xff"), 18446744073709551615.0},
		{BYTES("\xca\x3f\xc0\x00\x00"), 1.5},
		{BYTES("\xcb\xbf\xb9\x99\x99\x99\x99\x99\x9a"), -0.1},
		{BYTES("\xcb\x7f\xf0\x00\x00\x00\x00\x00\x00"), INFINITY},
	};
	struct cursor c = CURSOR("\xca\x7f\xc0\x00\x00");
	double d = 77;

	ck_assert(cursor_number(&c, &d));
	ck_assert(isnan(d));
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		c = cursor_of(rows[i].bytes, rows[i].len);
		ck_assert(cursor_number(&c, &d));
		ck_assert_msg(d == rows[i].d, "row %zu: %g", i, d);
		ck_assert(cursor_at_end(&c));
	}
	d = 77;
	c = CURSOR("\xa1"
		   "1");
	ck_assert(!cursor_number(&c, &d));
	c = CURSOR("\xcb\x00\x00");
	ck_assert(!cursor_number(&c, &d));
	ck_assert(d == 77);
}
END_TEST

START_TEST(text_is_str_or_bin_of_every_length)
{
	static const struct {
		const uint8_t *head;
		size_t head_len;
		size_t len;
	} rows[] = {
		{BYTES("\xa0"), 0},
		{BYTES("\xbf"), 31},
		{BYTES("\xd9\xff"), 255},
		{BYTES("\xda\x01\x00"), 256},
		{BYTES("\xdb\x00\x01\x00\x00"), 65536},
		{BYTES("\xc4\xff"), 255},
		{BYTES("\xc5\xff\xff"), 65535},
		{BYTES("\xc6\x00\x01\x00\x01"), 65537},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		size_t all = rows[i].head_len + rows[i].len, len = 0;
		cleanup_free uint8_t *message = calloc(1, all);
		const char *text = NULL;
		const void *bytes = NULL;
		struct cursor c, cut;

		ck_assert_ptr_nonnull(message);
		memcpy(message, rows[i].head, rows[i].head_len);
		c = cursor_of(message, all);
		ck_assert(cursor_text(&c, &text, &len));
		ck_assert_uint_eq(len, rows[i].len);
		ck_assert_ptr_eq(text, message + rows[i].head_len);
		ck_assert(cursor_at_end(&c));
		c = cursor_of(message, all);
		ck_assert(cursor_bytes(&c, &bytes, &len));
		ck_assert_ptr_eq(bytes, text);
		cut = cursor_of(message, all - 1);
		ck_assert(!cursor_text(&cut, &text, &len));
		ck_assert(!cursor_skip(&cut, NULL));
	}
}
END_TEST

START_TEST(containers_are_entered)
{
	struct cursor c = CURSOR("\x92\x81\xa1k\xc3\xdc\x00\x01\xc0");
	const char *text;
	uint32_t n;
	size_t len;
	bool b = false;

	ck_assert(!cursor_map(&c, &n));
	ck_assert(cursor_array(&c, &n) && n == 2);
	ck_assert(!cursor_array(&c, &n));
	ck_assert(cursor_map(&c, &n) && n == 1);
	ck_assert(cursor_text(&c, &text, &len) && text_equal(text, len, "k"));
	ck_assert(!cursor_nil(&c));
	ck_assert(cursor_bool(&c, &b) && b);
	ck_assert(cursor_array(&c, &n) && n == 1);
	ck_assert(!cursor_bool(&c, &b));
	ck_assert(cursor_nil(&c));
	ck_assert(cursor_at_end(&c));
}
END_TEST

START_TEST(a_container_with_more_elements_than_bytes_is_none)
{
	struct cursor c = CURSOR("\xdd\xff\xff\xff\xff\x01");
	struct cursor m = CURSOR("\xdf\x80\x00\x00\x00\x01");
	struct cursor cut = CURSOR("\xdd\x00");
	uint32_t n = 77;

	ck_assert(!cursor_array(&c, &n));
	ck_assert(!cursor_map(&m, &n));
	ck_assert(!cursor_array(&cut, &n));
	ck_assert(!cursor_skip(&c, NULL));
	ck_assert_uint_eq(cursor_depth(&c), 0);
	ck_assert_uint_eq(n, 77);
}
END_TEST

START_TEST(ext_gives_type_and_payload)
{
	static const struct {
		const uint8_t *bytes;
		size_t len;
		int type;
		size_t payload_len;
	} rows[] = {
		{BYTES("\xd4\x01\x05"), 1, 1},
		{BYTES("\xd5\xff\x05\x06"), -1, 2},
		{BYTES("\xd7\x02\x00\x00\x00\x00\x00\x00\x00\x09"), 2, 8},
		{BYTES("\xc7\x00\x80"), -128, 0},
		{BYTES("\xc8\x00\x01\x01\x05"), 1, 1},
		{BYTES("\xc9\x00\x00\x00\x03\x7f\x01\x02\x03"), 127, 3},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct cursor c = cursor_of(rows[i].bytes, rows[i].len), text = c;
		const void *payload;
		const char *word;
		int8_t type;
		size_t len;

		ck_assert(!cursor_text(&text, &word, &len));
		ck_assert(cursor_ext(&c, &type, &payload, &len));
		ck_assert_int_eq(type, rows[i].type);
		ck_assert_uint_eq(len, rows[i].payload_len);
		ck_assert(cursor_at_end(&c));
		ck_assert_ptr_eq((const uint8_t *)payload + len, rows[i].bytes + rows[i].len);
	}
}
END_TEST

START_TEST(steps_reach_every_element_and_every_fd)
{
	/* [{"k": ext 1 #5, nil: ext 2}, ext 1 of two bytes, ext 8 of type 1 #6] */
	struct cursor c = CURSOR("\x93\x82\xa1k\xd4\x01\x05\xc0\xd4\x02\x07\xd5\x01\x08\x09"
				 "\xc7\x01\x01\x06");
	const uint8_t *first = c.p;
	unsigned found[2], n_found = 0, n_steps = 0;

	while (!cursor_at_end(&c)) {
		const uint8_t *at = c.p, *index = cursor_fd_index(&c);

		if (index) {
			ck_assert_uint_lt(n_found, 2);
			found[n_found++] = *index;
			continue;
		}
		ck_assert_ptr_eq(c.p, at);
		ck_assert(cursor_step(&c));
		n_steps++;
	}
	ck_assert_uint_eq(n_found, 2);
	ck_assert_uint_eq(found[0], 5);
	ck_assert_uint_eq(found[1], 6);
	ck_assert_uint_eq(n_steps, 6);
	ck_assert(!cursor_step(&c));
	ck_assert_ptr_null(cursor_fd_index(&c));
	/* cut in the middle of an element nothing moves */
	c = cursor_of(first + 4, 2);
	ck_assert_ptr_null(cursor_fd_index(&c));
	ck_assert(!cursor_step(&c));
	ck_assert_ptr_eq(c.p, first + 4);
}
END_TEST

START_TEST(skip_gives_exactly_one_value)
{
	struct cursor c = CURSOR("\x92\x81\xa1k\x91\x01\xa0\xc0\x05"), value = {}, whole = c;
	uint64_t v;

	ck_assert(cursor_skip(&c, &value));
	ck_assert_ptr_eq(value.p, whole.p);
	ck_assert_uint_eq(cursor_len(&value), 7);
	ck_assert(cursor_skip(&c, &value));
	ck_assert_uint_eq(cursor_len(&value), 1);
	ck_assert(cursor_nil(&value));
	ck_assert(cursor_skip(&c, NULL));
	ck_assert(cursor_at_end(&c));
	c = CURSOR("\x92\x01");
	whole = c;
	ck_assert(!cursor_skip(&c, &value));
	ck_assert_ptr_eq(c.p, whole.p);
	c = CURSOR("\x92\xc1\x01");
	ck_assert(!cursor_skip(&c, &value));
	ck_assert(!cursor_uint(&c, &v));
}
END_TEST

START_TEST(depth_is_that_of_the_deepest)
{
	static const struct {
		const uint8_t *bytes;
		size_t len;
		unsigned depth;
	} rows[] = {
		{BYTES("\x05"), 0},
		{BYTES("\xa2hi"), 0},
		{BYTES("\x90"), 1},
		{BYTES("\x80"), 1},
		{BYTES("\x92\x01\x02"), 1},
		{BYTES("\x91\x90"), 2},
		{BYTES("\x93\x90\x91\x91\xc0\x90"), 3},
		{BYTES("\x82\x01\x02\x03\x81\x04\x90"), 3},
		/* what follows the value does not count */
		{BYTES("\x91\x01\x91\x91\x91\x01"), 1},
		{BYTES("\x05\x91\x01"), 0},
	};
	uint8_t nested[100];

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct cursor c = cursor_of(rows[i].bytes, rows[i].len);

		ck_assert_msg(cursor_depth(&c) == rows[i].depth, "row %zu", i);
	}
	memset(nested, 0x91, sizeof(nested));
	for (size_t n = 1; n < sizeof(nested); n++) {
		struct cursor c = cursor_of(nested + sizeof(nested) - 1 - n, n + 1);

		nested[sizeof(nested) - 1] = 0xc0;
		ck_assert_uint_eq(cursor_depth(&c), n <= PROTO_DEPTH ? n : PROTO_DEPTH + 1);
		/* scan draws the line at the same place */
		if (n <= PROTO_DEPTH) {
			ck_assert_int_eq(scan_value(c.p, n + 1, (unsigned)n, NULL), 0);
			ck_assert_int_eq(
				scan_value(c.p, n + 1, (unsigned)n - 1, NULL), SCAN_E_DEEP);
		}
	}
}
END_TEST

SUITE_MAIN("cursor", the_type_is_told_by_the_lead_byte, nothing_is_read_from_nothing,
	integers_of_every_encoding, numbers_are_integers_and_floats,
	text_is_str_or_bin_of_every_length, containers_are_entered,
	a_container_with_more_elements_than_bytes_is_none, ext_gives_type_and_payload,
	steps_reach_every_element_and_every_fd, skip_gives_exactly_one_value,
	depth_is_that_of_the_deepest)
