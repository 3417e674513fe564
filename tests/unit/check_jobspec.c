#include "proto/jobspec.h"

#include <stdio.h>
#include <string.h>

#include "proto/limits.h"
#include "proto/outcome.h"
#include "proto/scan.h"
#include "tests/unit/suite.h"

#define FLOAT_1_5 "\xcb\x3f\xf8\x00\x00\x00\x00\x00\x00"
#define FLOAT_NAN "\xcb\x7f\xf8\x00\x00\x00\x00\x00\x00"
#define FLOAT_INF "\xcb\x7f\xf0\x00\x00\x00\x00\x00\x00"

START_TEST(what_is_packed_is_parsed)
{
	const struct jobspec in = {
		.set = JOBSPEC_FOR_SUBMIT,
		.timeout_us = 1,
		.grace_us = 2500000,
		.ttl_us = 3600ull * 1000000,
		.priority = INT32_MIN,
		.deliver = true,
		.attached = false,
		.group = "nightly",
		.group_len = 7,
		.label = "Gr\xc3\xbc\xc3\x9f\x65",
		.label_len = 7,
		.trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
		.trace_len = 55,
		.start_within_us = 250000,
		.deadline_us = 7000000,
		.delay_us = 1500000,
		.retries = PROTO_RETRIES_MAX,
		.retry_on = JOBSPEC_ON_LOST | JOBSPEC_ON_TIMEOUT,
		.backoff_us = 100000,
		.each = true,
		.admit_within_us = 9000000,
	};
	struct buf b = BUF_INIT(1000);
	struct jobspec_error error;
	struct jobspec out;
	struct bufpack p;
	struct cursor c;

	bufpack_init(&p, &b);
	jobspec_pack(&p, &in);
	ck_assert_int_eq(bufpack_error(&p), 0);
	ck_assert_int_eq(scan_value(buf_head(&b), buf_used(&b), 2, NULL), 0);
	c = cursor_of(buf_head(&b), buf_used(&b));
	ck_assert_int_eq(jobspec_parse(&out, &c, JOBSPEC_FOR_SUBMIT, &error), 0);
	ck_assert(cursor_at_end(&c));
	ck_assert_uint_eq(out.set, in.set);
	ck_assert_uint_eq(out.timeout_us, in.timeout_us);
	ck_assert_uint_eq(out.grace_us, in.grace_us);
	ck_assert_uint_eq(out.ttl_us, in.ttl_us);
	ck_assert_int_eq(out.priority, in.priority);
	ck_assert(out.deliver);
	ck_assert(!out.attached);
	ck_assert_uint_eq(out.group_len, in.group_len);
	ck_assert_mem_eq(out.group, in.group, in.group_len);
	ck_assert_uint_eq(out.label_len, in.label_len);
	ck_assert_mem_eq(out.label, in.label, in.label_len);
	ck_assert_uint_eq(out.trace_len, in.trace_len);
	ck_assert_mem_eq(out.trace, in.trace, in.trace_len);
	ck_assert_uint_eq(out.start_within_us, in.start_within_us);
	ck_assert_uint_eq(out.deadline_us, in.deadline_us);
	ck_assert_uint_eq(out.delay_us, in.delay_us);
	ck_assert_uint_eq(out.retries, in.retries);
	ck_assert_uint_eq(out.retry_on, in.retry_on);
	ck_assert_uint_eq(out.backoff_us, in.backoff_us);
	ck_assert(out.each);
	ck_assert_uint_eq(out.admit_within_us, in.admit_within_us);
	buf_deinit(&b);
}
END_TEST

START_TEST(only_what_is_set_is_packed)
{
	const struct jobspec none = {.timeout_us = 5, .group = "x", .group_len = 1};
	const struct jobspec one = {.set = JOBSPEC_BIT(ATTACHED), .attached = true};
	struct buf b = BUF_INIT(1000);
	struct bufpack p;

	bufpack_init(&p, &b);
	jobspec_pack(&p, &none);
	jobspec_pack(&p, &one);
	ck_assert_int_eq(bufpack_error(&p), 0);
	ck_assert_uint_eq(buf_used(&b), 12);
	ck_assert_mem_eq(buf_head(&b),
		"\x80\x81\xa8"
		"attached\xc3",
		12);
	buf_deinit(&b);
}
END_TEST

START_TEST(good_options_are_taken)
{
	static const struct {
		const uint8_t *bytes;
		size_t len;
		uint32_t set;
		uint64_t timeout_us;
	} rows[] = {
		{BYTES("\x80"), 0, 0},
		{BYTES("\x81\xa7timeout\x05"), JOBSPEC_BIT(TIMEOUT), 5000000},
		{BYTES("\x81\xc4\x07timeout\xd0\x05"), JOBSPEC_BIT(TIMEOUT), 5000000},
		{BYTES("\x81\xa7timeout" FLOAT_1_5), JOBSPEC_BIT(TIMEOUT), 1500000},
		{BYTES("\xdf\x00\x00\x00\x01\xa7timeout\x01"), JOBSPEC_BIT(TIMEOUT), 1000000},
		/* 1e-300 seconds are not nothing */
		{BYTES("\x81\xa7timeout\xcb\x01\xa5\x6e\x1f\xc2\xf8\xf3\x59"), JOBSPEC_BIT(TIMEOUT),
			1},
		{BYTES("\x81\xa7timeout\xce\xbc\x19\x13\x80"), JOBSPEC_BIT(TIMEOUT),
			3155760000000000},
		{BYTES("\x82\xa5group\xa0\xa5label\xc4\x02ok"),
			JOBSPEC_BIT(GROUP) | JOBSPEC_BIT(LABEL), 0},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct cursor c = cursor_of(rows[i].bytes, rows[i].len);
		struct jobspec_error error = {};
		struct jobspec s;

		ck_assert_msg(jobspec_parse(&s, &c, JOBSPEC_FOR_SUBMIT, &error) == 0, "row %zu: %s",
			i, error.message);
		ck_assert_uint_eq(s.set, rows[i].set);
		ck_assert_uint_eq(s.timeout_us, rows[i].timeout_us);
		ck_assert(cursor_at_end(&c));
	}
}
END_TEST

START_TEST(bad_options_are_refused_with_a_sentence)
{
	static const struct {
		const uint8_t *bytes;
		size_t len;
		enum outcome_code code;
		const char *message;
	} rows[] = {
		{BYTES("\x90"), OUTCOME_E_BAD_REQUEST, "options must be a map, not an array"},
		{BYTES("\xc0"), OUTCOME_E_BAD_REQUEST, "options must be a map, not nil"},
		{BYTES(""), OUTCOME_E_BAD_REQUEST, "options must be a map, not nothing"},
		{BYTES("\x81\x05\x05"), OUTCOME_E_BAD_REQUEST,
			"the name of an option must be a text, not an integer"},
		{BYTES("\x81\xa7timeuot\x05"), OUTCOME_E_UNKNOWN_OPTION,
			"unknown option \"timeuot\""},
		{BYTES("\x81\xa0\x05"), OUTCOME_E_UNKNOWN_OPTION, "unknown option \"\""},
		{BYTES("\x81\xa7retried\x05"), OUTCOME_E_UNKNOWN_OPTION,
			"unknown option \"retried\""},
		{BYTES("\x81\xa8timeout\0\x05"), OUTCOME_E_UNKNOWN_OPTION,
			"unknown option \"timeout\\x00\""},
		{BYTES("\x81\xa3\"\n\xff\x05"), OUTCOME_E_UNKNOWN_OPTION,
			"unknown option \"\\\"\\x0a\\xff\""},
		{BYTES("\x81\xd9\x46"
		       "0123456789012345678901234567890123456789012345678901234567890123456789"
		       "\x01"),
			OUTCOME_E_UNKNOWN_OPTION,
			"unknown option "
			"\"012345678901234567890123456789012345678901234567890123456789...\""},
		{BYTES("\x82\xa7timeout\x05\xa7timeout\x06"), OUTCOME_E_BAD_REQUEST,
			"option \"timeout\" is given twice"},
		{BYTES("\x82\xa7timeout\x05\xc4\x07timeout\x05"), OUTCOME_E_BAD_REQUEST,
			"option \"timeout\" is given twice"},
		{BYTES("\x81\xa7timeout\x00"), OUTCOME_E_BAD_REQUEST,
			"option \"timeout\": a time of 0 is refused"},
		{BYTES("\x81\xa5grace\xcb\x80\x00\x00\x00\x00\x00\x00\x00"), OUTCOME_E_BAD_REQUEST,
			"option \"grace\": a time of 0 is refused"},
		{BYTES("\x81\xa3ttl\xff"), OUTCOME_E_BAD_REQUEST,
			"option \"ttl\": a time of -1 seconds is refused, it must be above 0 and "
			"at "
			"most 3155760000"},
		{BYTES("\x81\xa3ttl\xce\xbc\x19\x13\x81"), OUTCOME_E_BAD_REQUEST,
			"option \"ttl\": a time of 3155760001 seconds is refused, it must be above "
			"0 "
			"and at most 3155760000"},
		{BYTES("\x81\xa3ttl" FLOAT_NAN), OUTCOME_E_BAD_REQUEST,
			"option \"ttl\": a time of nan seconds is refused, it must be above 0 and "
			"at "
			"most 3155760000"},
		{BYTES("\x81\xa3ttl" FLOAT_INF), OUTCOME_E_BAD_REQUEST,
			"option \"ttl\": a time of inf seconds is refused, it must be above 0 and "
			"at "
			"most 3155760000"},
		{BYTES("\x81\xa7timeout\xa1"
		       "5"),
			OUTCOME_E_BAD_REQUEST,
			"option \"timeout\" must be a time in seconds (int or float), not a "
			"string"},
		{BYTES("\x81\xa7timeout\xc0"), OUTCOME_E_BAD_REQUEST,
			"option \"timeout\" must be a time in seconds (int or float), not nil"},
		{BYTES("\x81\xa7timeout\x80"), OUTCOME_E_BAD_REQUEST,
			"option \"timeout\" must be a time in seconds (int or float), not a map"},
		/* cut bytes never pass scan; they are refused all the same */
		{BYTES("\x81\xa7timeout"), OUTCOME_E_BAD_REQUEST,
			"option \"timeout\" must be a time in seconds (int or float), not nothing"},
		{BYTES("\x81\xa7"
		       "deliver\x01"),
			OUTCOME_E_BAD_REQUEST,
			"option \"deliver\" must be a boolean, not an integer"},
		{BYTES("\x81\xa8"
		       "attached\xc4\x01x"),
			OUTCOME_E_BAD_REQUEST, "option \"attached\" must be a boolean, not bytes"},
		{BYTES("\x81\xa5group\xc3"), OUTCOME_E_BAD_REQUEST,
			"option \"group\" must be a text, not a boolean"},
		{BYTES("\x81\xa5group\xd4\x05\x01"), OUTCOME_E_BAD_REQUEST,
			"option \"group\" must be a text, not an ext"},
		{BYTES("\x81\xa5group\xa3\x61\x00\x62"), OUTCOME_E_BAD_REQUEST,
			"option \"group\": \"a\\x00b\" is not UTF-8 without control characters"},
		{BYTES("\x81\xa5label\xa2\xc3\x28"), OUTCOME_E_BAD_REQUEST,
			"option \"label\": \"\\xc3(\" is not UTF-8 without control characters"},
		{BYTES("\x81\xa5trace\xa2\xc3\xa9"), OUTCOME_E_BAD_REQUEST,
			"option \"trace\": \"\\xc3\\xa9\" is not printable ASCII"},
		{BYTES("\x81\xa5trace\xa1\x7f"), OUTCOME_E_BAD_REQUEST,
			"option \"trace\": \"\\x7f\" is not printable ASCII"},
		{BYTES("\x81\xa8priority" FLOAT_1_5), OUTCOME_E_BAD_REQUEST,
			"option \"priority\" must be an integer, not a float"},
		{BYTES("\x81\xa8priority\xce\x80\x00\x00\x00"), OUTCOME_E_BAD_REQUEST,
			"option \"priority\": 2147483648 is not between -2147483648 and "
			"2147483647"},
		{BYTES("\x81\xa8priority\xd3\xff\xff\xff\xff\x7f\xff\xff\xff"),
			OUTCOME_E_BAD_REQUEST,
			"option \"priority\": -2147483649 is not between -2147483648 and "
			"2147483647"},
		{BYTES("\x81\xa8priority\xcf\xff\xff\xff\xff\xff\xff\xff\xff"),
			OUTCOME_E_BAD_REQUEST,
			"option \"priority\": 18446744073709551615 is not between -2147483648 and "
			"2147483647"},
		{BYTES("\x81\xa7retries\xcd\x03\xe9"), OUTCOME_E_BAD_REQUEST,
			"option \"retries\": 1001, at most 1000 are allowed"},
		{BYTES("\x81\xa7retries\xff"), OUTCOME_E_BAD_REQUEST,
			"option \"retries\": -1 is below 0"},
		{BYTES("\x81\xa7retries" FLOAT_1_5), OUTCOME_E_BAD_REQUEST,
			"option \"retries\" must be an integer, not a float"},
		{BYTES("\x81\xa8retry_on\xa4lost"), OUTCOME_E_BAD_REQUEST,
			"option \"retry_on\" must be a list of words, not a string"},
		{BYTES("\x81\xa8retry_on\x91\x01"), OUTCOME_E_BAD_REQUEST,
			"option \"retry_on\" must be a list of words, and in it a text, not an "
			"integer"},
		{BYTES("\x81\xa8retry_on\x92\xa4lost\xa4"
		       "done"),
			OUTCOME_E_BAD_REQUEST,
			"option \"retry_on\": \"done\" is not lost, failed or timeout"},
		{BYTES("\x81\xa7"
		       "backoff\x00"),
			OUTCOME_E_BAD_REQUEST, "option \"backoff\": a time of 0 is refused"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct cursor c = cursor_of(rows[i].bytes, rows[i].len), before = c;
		struct jobspec_error error = {};
		struct jobspec s = {.priority = 77};

		ck_assert_int_eq(jobspec_parse(&s, &c, JOBSPEC_FOR_SUBMIT, &error), 1);
		ck_assert_msg(error.code == (int)rows[i].code, "row %zu: %s", i,
			outcome_code_name(error.code));
		ck_assert_str_eq(error.message, rows[i].message);
		ck_assert_ptr_eq(c.p, before.p);
		ck_assert_int_eq(s.priority, 77);
	}
}
END_TEST

START_TEST(text_limits_are_exact)
{
	static const struct {
		const char *option;
		size_t max;
	} rows[] = {
		{"group", 128},
		{"label", 256},
		{"trace", 64},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		for (size_t len = rows[i].max; len <= rows[i].max + 1; len++) {
			cleanup_free char *text = malloc(len);
			struct buf b = BUF_INIT(1000);
			struct jobspec_error error;
			char expected[100];
			struct bufpack p;
			struct jobspec s;
			struct cursor c;
			int r;

			ck_assert_ptr_nonnull(text);
			memset(text, 'x', len);
			bufpack_init(&p, &b);
			bufpack_map(&p, 1);
			bufpack_text(&p, rows[i].option);
			bufpack_text_n(&p, text, len);
			ck_assert_int_eq(bufpack_error(&p), 0);
			c = cursor_of(buf_head(&b), buf_used(&b));
			r = jobspec_parse(&s, &c, JOBSPEC_FOR_SUBMIT, &error);
			ck_assert_int_eq(r, len > rows[i].max);
			snprintf(expected, sizeof(expected),
				"option \"%s\": %zu bytes, at most %zu are allowed", rows[i].option,
				len, rows[i].max);
			if (r != 0)
				ck_assert_str_eq(error.message, expected);
			buf_deinit(&b);
		}
}
END_TEST

START_TEST(put_knows_fewer_options)
{
	for (enum jobspec_option o = 0; o < _JOBSPEC_MAX; o++) {
		bool is_known = JOBSPEC_FOR_PUT & 1u << o;
		struct buf b = BUF_INIT(1000);
		struct jobspec_error error = {};
		struct bufpack p;
		struct jobspec in = {.set = 1u << o,
			.timeout_us = 1,
			.grace_us = 1,
			.ttl_us = 1,
			.group = "g",
			.group_len = 1,
			.label = "l",
			.label_len = 1,
			.trace = "t",
			.trace_len = 1,
			.admit_within_us = 1};
		struct jobspec out;
		struct cursor c;

		bufpack_init(&p, &b);
		jobspec_pack(&p, &in);
		ck_assert_int_eq(bufpack_error(&p), 0);
		c = cursor_of(buf_head(&b), buf_used(&b));
		ck_assert_int_eq(jobspec_parse(&out, &c, JOBSPEC_FOR_PUT, &error), !is_known);
		if (!is_known) {
			ck_assert_int_eq(error.code, OUTCOME_E_UNKNOWN_OPTION);
			ck_assert_ptr_nonnull(strstr(error.message, jobspec_option_name(o)));
			ck_assert_ptr_nonnull(strstr(error.message, "for this method"));
		}
		buf_deinit(&b);
	}
}
END_TEST

START_TEST(a_flood_of_options_ends_at_the_first_wrong_one)
{
	struct jobspec_error error;
	struct cursor c = cursor_of("\xdf\x00\x00\x00\x02\xa3ttl\x01\xa3ttl\x01", 15);
	struct jobspec s;

	ck_assert_int_eq(jobspec_parse(&s, &c, JOBSPEC_FOR_SUBMIT, &error), 1);
	ck_assert_str_eq(error.message, "option \"ttl\" is given twice");
}
END_TEST

START_TEST(seconds_take_zero_where_it_is_allowed)
{
	struct cursor zero = cursor_of("\x00", 1), again = zero, nan = cursor_of(FLOAT_NAN, 9);
	struct cursor text = cursor_of("\xa1"
				       "1",
		2);
	uint64_t us = 77;

	ck_assert(!jobspec_seconds(&zero, false, &us));
	ck_assert(!jobspec_seconds(&nan, true, &us));
	ck_assert(!jobspec_seconds(&text, true, &us));
	ck_assert_uint_eq(us, 77);
	ck_assert_ptr_eq(zero.p, again.p);
	ck_assert(jobspec_seconds(&zero, true, &us));
	ck_assert_uint_eq(us, 0);
	ck_assert(cursor_at_end(&zero));
}
END_TEST

START_TEST(microseconds_survive_the_way_through_a_float)
{
	struct buf b = BUF_INIT(1000);

	for (uint64_t us = 1; us < 3155760000000000; us = us * 3 + 1) {
		struct bufpack p;
		struct cursor c;
		uint64_t out;

		buf_clear(&b);
		bufpack_init(&p, &b);
		bufpack_seconds(&p, us);
		ck_assert_int_eq(bufpack_error(&p), 0);
		c = cursor_of(buf_head(&b), buf_used(&b));
		ck_assert(jobspec_seconds(&c, false, &out));
		ck_assert_uint_eq(out, us);
	}
	buf_deinit(&b);
}
END_TEST

SUITE_MAIN("jobspec", what_is_packed_is_parsed, only_what_is_set_is_packed, good_options_are_taken,
	bad_options_are_refused_with_a_sentence, text_limits_are_exact, put_knows_fewer_options,
	a_flood_of_options_ends_at_the_first_wrong_one, seconds_take_zero_where_it_is_allowed,
	microseconds_survive_the_way_through_a_float)
