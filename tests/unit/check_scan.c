#include "proto/scan.h"

#include <string.h>

#include "tests/unit/suite.h"

/* Each in memory of its own length, so that a sanitizer sees a look behind the end. */
static uint8_t *exact_copy(const uint8_t *bytes, size_t len)
{
	uint8_t *copy = malloc(len > 0 ? len : 1);

	ck_assert_ptr_nonnull(copy);
	memcpy(copy, bytes, len);
	return copy;
}

static int scan_at_once(struct scan *s, const uint8_t *bytes, size_t len, size_t max)
{
	cleanup_free uint8_t *copy = exact_copy(bytes, len);

	scan_init(s, max, PROTO_DEPTH);
	return scan_step(s, copy, len);
}

static int scan_in_steps(struct scan *s, const uint8_t *bytes, size_t len, size_t max, size_t step)
{
	int r = SCAN_MORE;

	scan_init(s, max, PROTO_DEPTH);
	for (size_t have = 0; r == SCAN_MORE && have < len;) {
		cleanup_free uint8_t *copy = NULL;

		have = len - have < step ? len : have + step;
		copy = exact_copy(bytes, have);
		r = scan_step(s, copy, have);
	}
	return r;
}

static void expect_same_in_steps(const uint8_t *bytes, size_t len, size_t max)
{
	static const size_t steps[] = {1, 2, 3, 7};
	struct scan whole, parts;
	int r = scan_at_once(&whole, bytes, len, max);

	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		ck_assert_int_eq(scan_in_steps(&parts, bytes, len, max, steps[i]), r);
		ck_assert_uint_eq(parts.pos, whole.pos);
		ck_assert_uint_eq(parts.owed, whole.owed);
		ck_assert_uint_eq(parts.depth, whole.depth);
		ck_assert_uint_eq(parts.fd_mask, whole.fd_mask);
		ck_assert_int_eq(parts.has_value_ext, whole.has_value_ext);
		ck_assert_int_eq(parts.has_future_ext, whole.has_future_ext);
		ck_assert_mem_eq(parts.left, whole.left, whole.depth * sizeof(whole.left[0]));
	}
}

/* One of each encoding, and some nested ones. */
static const struct message {
	const uint8_t *bytes;
	size_t len;
} messages[] = {
	{BYTES("\x00")},
	{BYTES("\x7f")},
	{BYTES("\xe0")},
	{BYTES("\xff")},
	{BYTES("\xc0")},
	{BYTES("\xc2")},
	{BYTES("\xc3")},
	{BYTES("\xcc\xff")},
	{BYTES("\xcd\xff\xff")},
	{BYTES("\xce\xff\xff\xff\xff")},
	{BYTES("\xcf\xff\xff\xff\xff\xff\xff\xff\xff")},
	{BYTES("\xd0\x80")},
	{BYTES("\xd1\x80\x00")},
	{BYTES("\xd2\x80\x00\x00\x00")},
	{BYTES("\xd3\x80\x00\x00\x00\x00\x00\x00\x00")},
	{BYTES("\xca\x3f\x80\x00\x00")},
	{BYTES("\xcb\x3f\xf0\x00\x00\x00\x00\x00\x00")},
	{BYTES("\xa0")},
	{BYTES("\xa3\xc1\xc1\xc1")},
	{BYTES("\xbf"
	       "0123456789012345678901234567890")},
	{BYTES("\xd9\x02hi")},
	{BYTES("\xda\x00\x02hi")},
	{BYTES("\xdb\x00\x00\x00\x02hi")},
	{BYTES("\xc4\x00")},
	{BYTES("\xc4\x02\xc1\xff")},
	{BYTES("\xc5\x00\x02hi")},
	{BYTES("\xc6\x00\x00\x00\x02hi")},
	{BYTES("\xd4\x01\x00")},
	{BYTES("\xd4\x03\x3f")},
	{BYTES("\xc7\x01\x01\x05")},
	{BYTES("\xc8\x00\x01\x03\x06")},
	{BYTES("\xc9\x00\x00\x00\x01\x01\x07")},
	{BYTES("\xd7\x02\x00\x00\x00\x00\x00\x00\x00\x09")},
	{BYTES("\xc7\x08\x02\x00\x00\x00\x00\x00\x00\x00\x09")},
	{BYTES("\xd4\x04\xff")},
	{BYTES("\xd5\xff\x01\x02")},
	{BYTES("\xd6\xff\x01\x02\x03\x04")},
	{BYTES("\xd8\x00"
	       "0123456789abcdef")},
	{BYTES("\xc7\x00\x7f")},
	{BYTES("\x90")},
	{BYTES("\x80")},
	{BYTES("\x92\x01\xa1x")},
	{BYTES("\xdc\x00\x02\x01\x02")},
	{BYTES("\xdd\x00\x00\x00\x02\x01\x02")},
	{BYTES("\x81\xa1k\x01")},
	{BYTES("\xde\x00\x01\xa1k\x01")},
	{BYTES("\xdf\x00\x00\x00\x01\xa1k\x01")},
	{BYTES("\x93\x90\x80\x91\x90")},
	{BYTES("\x94\x00\x01\xa6submit\x93\xaa"
	       "bench/noop\x92\xd4\x01\x00\x81\xa1x\xd7\x02\x00\x00\x00\x00\x00\x00\x00\x01\x81\xa7"
	       "deliver\xc3")},
};

START_TEST(every_encoding_is_accepted_and_its_end_found)
{
	for (size_t i = 0; i < ARRAY_SIZE(messages); i++) {
		uint8_t behind[128];
		struct scan s;

		ck_assert_msg(
			scan_at_once(&s, messages[i].bytes, messages[i].len, 1000) == SCAN_DONE,
			"message %zu", i);
		ck_assert_uint_eq(s.pos, messages[i].len);
		/* asked again, it is still done; the next message is not touched */
		memcpy(behind, messages[i].bytes, messages[i].len);
		behind[messages[i].len] = 0xc1;
		ck_assert_int_eq(scan_step(&s, behind, messages[i].len + 1), SCAN_DONE);
		scan_init(&s, 1000, PROTO_DEPTH);
		ck_assert_int_eq(scan_step(&s, behind, messages[i].len + 1), SCAN_DONE);
		ck_assert_uint_eq(s.pos, messages[i].len);
	}
}
END_TEST

START_TEST(every_part_of_a_message_wants_more)
{
	for (size_t i = 0; i < ARRAY_SIZE(messages); i++)
		for (size_t len = 0; len < messages[i].len; len++) {
			struct scan s;

			ck_assert_int_eq(scan_at_once(&s, messages[i].bytes, len, 1000), SCAN_MORE);
			ck_assert_int_eq(scan_value(messages[i].bytes, len, PROTO_DEPTH, NULL),
				SCAN_E_BYTES);
		}
}
END_TEST

START_TEST(the_byte_limit_is_exact)
{
	for (size_t i = 0; i < ARRAY_SIZE(messages); i++)
		for (size_t max = 0; max <= messages[i].len; max++) {
			struct scan s;

			ck_assert_int_eq(scan_at_once(&s, messages[i].bytes, messages[i].len, max),
				max < messages[i].len ? SCAN_E_LONG : SCAN_DONE);
		}
}
END_TEST

START_TEST(bytes_one_by_one_are_the_same_as_at_once)
{
	for (size_t i = 0; i < ARRAY_SIZE(messages); i++)
		for (size_t max = 0; max <= messages[i].len + 1; max++)
			expect_same_in_steps(messages[i].bytes, messages[i].len, max);
}
END_TEST

/* Random bytes, of which many lead somewhere. */
START_TEST(random_bytes_one_by_one_are_the_same_as_at_once)
{
	static const uint8_t leads[] = {
		0x91, 0x93, 0x82, 0xc1, 0xc4, 0xc7, 0xd4, 0xd7, 0xd9, 0xdc, 0xde, 0xa2, 0xdd};
	uint64_t seed = 42;

	for (unsigned round = 0; round < 3000; round++) {
		uint8_t bytes[40];
		size_t len = 1 + suite_random(&seed) % sizeof(bytes);

		for (size_t i = 0; i < len; i++) {
			uint32_t x = suite_random(&seed);

			if (x % 3 == 0)
				bytes[i] = leads[(x >> 8) % ARRAY_SIZE(leads)];
			else
				bytes[i] = (uint8_t)(x >> 8) & (x & 1 ? 0x03 : 0xff);
		}
		expect_same_in_steps(bytes, len, 60);
	}
}
END_TEST

START_TEST(byte_c1_is_no_messagepack_and_final)
{
	struct scan s;

	ck_assert_int_eq(scan_at_once(&s, BYTES("\xc1"), 100), SCAN_E_BYTES);
	ck_assert_int_eq(scan_at_once(&s, BYTES("\x92\x01\xc1"), 100), SCAN_E_BYTES);
	ck_assert_int_eq(scan_step(&s, BYTES("\x92\x01\xc1\x01")), SCAN_E_BYTES);
	ck_assert_uint_eq(s.pos, 2);
}
END_TEST

/* n arrays inside each other, then nil. */
static int scan_nested(uint8_t lead, size_t n, unsigned max_depth)
{
	cleanup_free uint8_t *bytes = malloc(2 * n + 1);
	size_t len = 0;

	ck_assert_ptr_nonnull(bytes);
	for (size_t i = 0; i < n; i++) {
		bytes[len++] = lead;
		if (lead == 0x81)
			bytes[len++] = 0xc0;
	}
	bytes[len++] = 0xc0;
	return scan_value(bytes, len, max_depth, NULL);
}

START_TEST(the_depth_limit_is_exact)
{
	for (unsigned max = 0; max <= PROTO_DEPTH; max++)
		for (unsigned i = 0; i < 2; i++) {
			uint8_t lead = i ? 0x81 : 0x91;

			if (max > 0)
				ck_assert_int_eq(scan_nested(lead, max - 1, max), 0);
			ck_assert_int_eq(scan_nested(lead, max, max), 0);
			ck_assert_int_eq(scan_nested(lead, max + 1, max), SCAN_E_DEEP);
			ck_assert_int_eq(scan_nested(lead, 10000, max), SCAN_E_DEEP);
		}
}
END_TEST

START_TEST(depth_counts_open_containers)
{
	/* an empty container is one; siblings do not add up */
	ck_assert_int_eq(scan_value(BYTES("\x90"), 0, NULL), SCAN_E_DEEP);
	ck_assert_int_eq(scan_value(BYTES("\x80"), 0, NULL), SCAN_E_DEEP);
	ck_assert_int_eq(scan_value(BYTES("\x93\x90\x91\x01\x80"), 2, NULL), 0);
	ck_assert_int_eq(scan_value(BYTES("\x91\x91\x90"), 2, NULL), SCAN_E_DEEP);
	ck_assert_int_eq(scan_value(BYTES("\x92\x92\x91\x01\x91\x02\x91\x91\x03"), 3, NULL), 0);
}
END_TEST

/* Few bytes that announce much. Each is refused at its head, before anything behind it came. */
START_TEST(allocation_bombs_are_refused)
{
	static const struct {
		const uint8_t *bytes;
		size_t len;
		size_t max;
	} bombs[] = {
		{BYTES("\xdd\x00\x10\x00\x00"), 1u << 20}, /* one too many for 1 MiB */
		{BYTES("\xdd\x01\x00\x00\x00"), 1u << 20}, /* 0.5 GB in msgpack-c */
		{BYTES("\xdd\x10\x00\x00\x00"), 1u << 20}, /* 8 GiB */
		{BYTES("\xdd\x7f\xff\xff\xff"), 1u << 20},
		{BYTES("\xdd\x80\x00\x00\x00"), 1u << 20},
		{BYTES("\xdd\xff\xff\xff\xff"), 1u << 20}, /* 96 GiB */
		{BYTES("\xdf\x00\x08\x00\x00"), 1u << 20},
		{BYTES("\xdf\x01\x00\x00\x00"), 1u << 20},
		{BYTES("\xdf\x7f\xff\xff\xff"), 1u << 20},
		{BYTES("\xdf\x80\x00\x00\x00"), 1u << 20}, /* twice this is 2^32 */
		{BYTES("\xdf\xff\xff\xff\xff"), 1u << 20},
		{BYTES("\xdb\x00\x10\x00\x00"), 1u << 20},
		{BYTES("\xdb\x7f\xff\xff\xff"), 1u << 20},
		{BYTES("\xdb\xff\xff\xff\xff"), 1u << 20},
		{BYTES("\xc6\x00\x10\x00\x00"), 1u << 20},
		{BYTES("\xc6\x7f\xff\xff\xff"), 1u << 20},
		{BYTES("\xc6\xff\xff\xff\xff"), 1u << 20},
		{BYTES("\xc9\x00\x10\x00\x00\x05"), 1u << 20},
		{BYTES("\xc9\xff\xff\xff\xff\x05"), 1u << 20},
		{BYTES("\xdc\xff\xff"), 1000},
		{BYTES("\xde\xff\xff"), 1000},
		{BYTES("\xda\xff\xff"), 1000},
		{BYTES("\xc5\xff\xff"), 1000},
		{BYTES("\xc8\xff\xff\x05"), 1000},
		{BYTES("\xd9\xff"), 100},
		{BYTES("\xc4\xff"), 100},
		{BYTES("\xc7\xff\x05"), 100},
		{BYTES("\x9f"), 15},
		{BYTES("\x8f"), 30},
		{BYTES("\xbf"), 31},
		{BYTES("\xcf"), 8},
		/* nested: the counts fit one by one, not together */
		{BYTES("\xdd\x00\x08\x00\x00\xdd\x00\x08\x00\x00"), 1u << 20},
		{BYTES("\xdd\x00\x05\x00\x00\xdd\x00\x05\x00\x00\xdd\x00\x07\x00\x00"), 1u << 20},
		{BYTES("\x92\xdd\x00\x0f\xff\xf0\xdd\x00\x0f\xff\xf0"), 1u << 20},
		{BYTES("\x92\xa0\xdb\x00\x0f\xff\xfa"), 1u << 20},
		{BYTES("\x93\xdb\x00\x0f\xff\xf9"), 1u << 20},
		{BYTES("\x94\x00\x01\xa6submit\xdd\xff\xff\xff\xff"), 1u << 20},
		{BYTES("\x94\x00\x01\xdb\xff\xff\xff\xff"), 1u << 20},
		{BYTES("\x94\x02\xa1x\x81\xdf\x7f\xff\xff\xff"), 1u << 20},
		{BYTES("\xdf\x80\x00\x00\x00"), SIZE_MAX},
		{BYTES("\xdf\xff\xff\xff\xff"), SIZE_MAX},
	};

	ck_assert_uint_ge(ARRAY_SIZE(bombs), 30);
	for (size_t i = 0; i < ARRAY_SIZE(bombs); i++) {
		struct scan s;

		ck_assert_msg(
			scan_at_once(&s, bombs[i].bytes, bombs[i].len, bombs[i].max) == SCAN_E_LONG,
			"bomb %zu", i);
		ck_assert_int_eq(scan_step(&s, bombs[i].bytes, bombs[i].len), SCAN_E_LONG);
		expect_same_in_steps(bombs[i].bytes, bombs[i].len, bombs[i].max);
	}
}
END_TEST

START_TEST(what_just_fits_is_no_bomb)
{
	static const size_t max = 1u << 20;
	struct scan s;

	ck_assert_int_eq(scan_at_once(&s, BYTES("\xdd\x00\x0f\xff\xfb"), max), SCAN_MORE);
	ck_assert_int_eq(scan_at_once(&s, BYTES("\xdd\x00\x0f\xff\xfc"), max), SCAN_E_LONG);
	ck_assert_int_eq(scan_at_once(&s, BYTES("\xdf\x00\x07\xff\xfd"), max), SCAN_MORE);
	ck_assert_int_eq(scan_at_once(&s, BYTES("\xdf\x00\x07\xff\xfe"), max), SCAN_E_LONG);
	ck_assert_int_eq(scan_at_once(&s, BYTES("\xc6\x00\x0f\xff\xfb"), max), SCAN_MORE);
	ck_assert_uint_eq(s.pos, max);
	ck_assert_int_eq(scan_at_once(&s, BYTES("\xdd\xff\xff\xff\xff"), SIZE_MAX), SCAN_MORE);
	ck_assert_uint_eq(s.owed, UINT32_MAX);
	ck_assert_int_eq(scan_at_once(&s, BYTES("\xdf\x7f\xff\xff\xff"), SIZE_MAX), SCAN_MORE);
	ck_assert_uint_eq(s.owed, UINT32_MAX - 1);
}
END_TEST

START_TEST(our_ext_types_have_one_length_each)
{
	static const struct {
		const uint8_t *bytes;
		size_t len;
		int expected;
	} rows[] = {
		{BYTES("\xd4\x01\x3f"), SCAN_DONE},
		{BYTES("\xd4\x01\x40"), SCAN_E_EXT},
		{BYTES("\xd4\x01\xff"), SCAN_E_EXT},
		{BYTES("\xd4\x03\x40"), SCAN_E_EXT},
		{BYTES("\xd5\x01\x00\x00"), SCAN_E_EXT},
		{BYTES("\xd6\x03\x00\x00\x00\x00"), SCAN_E_EXT},
		{BYTES("\xc7\x00\x01"), SCAN_E_EXT},
		{BYTES("\xc7\x00\x03"), SCAN_E_EXT},
		{BYTES("\xc7\x02\x01\x00\x00"), SCAN_E_EXT},
		{BYTES("\xc8\x00\x00\x01"), SCAN_E_EXT},
		{BYTES("\xc9\x00\x00\x00\x01\x03\x41"), SCAN_E_EXT},
		{BYTES("\xd4\x02\x00"), SCAN_E_EXT},
		{BYTES("\xd8\x02"
		       "0123456789abcdef"),
			SCAN_E_EXT},
		{BYTES("\xc7\x00\x02"), SCAN_E_EXT},
		{BYTES("\xc7\x09\x02"
		       "123456789"),
			SCAN_E_EXT},
		{BYTES("\xc8\x00\x08\x02"
		       "12345678"),
			SCAN_DONE},
		/* refused before the payload came */
		{BYTES("\xd5\x01"), SCAN_E_EXT},
		{BYTES("\xc9\x00\x00\x10\x00\x02"), SCAN_E_EXT},
		/* types of others */
		{BYTES("\xd4\x00\xff"), SCAN_DONE},
		{BYTES("\xd4\x04\xff"), SCAN_DONE},
		{BYTES("\xd4\xff\xff"), SCAN_DONE},
		{BYTES("\xd4\x81\xff"), SCAN_DONE},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct scan s;

		ck_assert_msg(
			scan_at_once(&s, rows[i].bytes, rows[i].len, 5000) == rows[i].expected,
			"row %zu", i);
		expect_same_in_steps(rows[i].bytes, rows[i].len, 5000);
	}
}
END_TEST

START_TEST(fds_and_futures_are_noted)
{
	struct scan s;

	ck_assert_int_eq(
		scan_value(BYTES("\x95\xd4\x01\x00\xd4\x01\x02\xd4\x01\x02\xd4\x03\x3f\x01"),
			PROTO_DEPTH, &s),
		0);
	ck_assert_uint_eq(s.fd_mask, 1u | 1u << 2 | 1ull << 63);
	ck_assert(s.has_value_ext);
	ck_assert(!s.has_future_ext);
	ck_assert_int_eq(scan_value(BYTES("\xd7\x02\x00\x00\x00\x00\x00\x00\x00\x09"), 0, &s), 0);
	ck_assert_uint_eq(s.fd_mask, 0);
	ck_assert(!s.has_value_ext);
	ck_assert(s.has_future_ext);
	/* inside a string they are bytes */
	ck_assert_int_eq(scan_value(BYTES("\xa3\xd4\x01\x00"), 0, &s), 0);
	ck_assert_uint_eq(s.fd_mask, 0);
}
END_TEST

START_TEST(a_value_is_exactly_its_bytes)
{
	struct scan s = {.pos = 77};

	ck_assert_int_eq(scan_value(BYTES("\x01\x02"), 4, &s), SCAN_E_BYTES);
	ck_assert_int_eq(scan_value(BYTES(""), 4, &s), SCAN_E_BYTES);
	ck_assert_int_eq(scan_value(BYTES("\xa2x"), 4, &s), SCAN_E_BYTES);
	ck_assert_int_eq(scan_value(BYTES("\xdd\xff\xff\xff\xff"), 4, &s), SCAN_E_BYTES);
	ck_assert_int_eq(scan_value(BYTES("\xc1"), 4, &s), SCAN_E_BYTES);
	ck_assert_int_eq(scan_value(BYTES("\x91\x91\x01"), 1, &s), SCAN_E_DEEP);
	ck_assert_int_eq(scan_value(BYTES("\xd4\x01\x99"), 1, &s), SCAN_E_EXT);
	ck_assert_uint_eq(s.pos, 77);
	ck_assert_int_eq(scan_value(BYTES("\x91\x91\x01"), 2, &s), 0);
	ck_assert_uint_eq(s.pos, 3);
}
END_TEST

START_TEST(a_skipped_string_may_end_beyond_the_bytes)
{
	struct scan s;

	scan_init(&s, 1000, 4);
	ck_assert_int_eq(scan_step(&s, BYTES("\x92\xda\x01\x00")), SCAN_MORE);
	ck_assert_uint_eq(s.pos, 4 + 256);
	/* what lies between is never looked at: the memory need not even be there */
	ck_assert_int_eq(scan_step(&s, NULL, 200), SCAN_MORE);
	ck_assert_int_eq(scan_step(&s, NULL, 260), SCAN_MORE);
	ck_assert_uint_eq(s.owed, 1);
}
END_TEST

START_TEST(every_condition_has_its_sentence)
{
	suite_expect_sentences(scan_strerror, SCAN_DONE, SCAN_E_EXT);
}
END_TEST

SUITE_MAIN("scan", every_encoding_is_accepted_and_its_end_found, every_part_of_a_message_wants_more,
	the_byte_limit_is_exact, bytes_one_by_one_are_the_same_as_at_once,
	random_bytes_one_by_one_are_the_same_as_at_once, byte_c1_is_no_messagepack_and_final,
	the_depth_limit_is_exact, depth_counts_open_containers, allocation_bombs_are_refused,
	what_just_fits_is_no_bomb, our_ext_types_have_one_length_each, fds_and_futures_are_noted,
	a_value_is_exactly_its_bytes, a_skipped_string_may_end_beyond_the_bytes,
	every_condition_has_its_sentence)
