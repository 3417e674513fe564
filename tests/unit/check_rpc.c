#include "proto/rpc.h"

#include "proto/limits.h"
#include "proto/scan.h"
#include "tests/unit/suite.h"

static const uint8_t *bytes_of(const struct buf *b, size_t *ret_len)
{
	*ret_len = buf_used(b);
	return buf_head(b);
}

START_TEST(a_request_comes_back_as_packed)
{
	struct buf b = BUF_INIT(1000);
	struct bufpack p;
	struct rpc m;
	const uint8_t *bytes;
	uint64_t v;
	size_t len;

	bufpack_init(&p, &b);
	rpc_pack_request(&p, UINT32_MAX, "wait");
	bufpack_array(&p, 2);
	bufpack_uint(&p, 7);
	bufpack_uint(&p, 8);
	ck_assert_int_eq(bufpack_error(&p), 0);
	bytes = bytes_of(&b, &len);
	ck_assert_int_eq(scan_value(bytes, len, PROTO_DEPTH, NULL), 0);
	ck_assert_int_eq(rpc_parse(&m, bytes, len), 0);
	ck_assert_int_eq(m.type, RPC_REQUEST);
	ck_assert_uint_eq(m.msgid, UINT32_MAX);
	ck_assert(text_equal(m.method, m.method_len, "wait"));
	ck_assert_uint_eq(m.n_params, 2);
	ck_assert(cursor_uint(&m.params, &v) && v == 7);
	ck_assert(cursor_uint(&m.params, &v) && v == 8);
	ck_assert(cursor_at_end(&m.params));
	buf_deinit(&b);
}
END_TEST

START_TEST(an_answer_comes_back_as_packed)
{
	struct buf b = BUF_INIT(1000);
	struct bufpack p;
	struct rpc m;
	const uint8_t *bytes;
	uint32_t n;
	size_t len;

	bufpack_init(&p, &b);
	rpc_pack_answer(&p, 0);
	bufpack_nil(&p);
	bufpack_array(&p, 1);
	bufpack_text(&p, "pong");
	ck_assert_int_eq(bufpack_error(&p), 0);
	bytes = bytes_of(&b, &len);
	ck_assert_int_eq(rpc_parse(&m, bytes, len), 0);
	ck_assert_int_eq(m.type, RPC_ANSWER);
	ck_assert_uint_eq(m.msgid, 0);
	ck_assert_uint_eq(cursor_len(&m.error), 1);
	ck_assert(cursor_nil(&m.error));
	ck_assert_uint_eq(cursor_len(&m.result), 6);
	ck_assert(cursor_array(&m.result, &n) && n == 1);
	buf_deinit(&b);
}
END_TEST

START_TEST(a_notification_comes_back_as_packed)
{
	struct buf b = BUF_INIT(1000);
	struct bufpack p;
	struct rpc m;
	const uint8_t *bytes;
	size_t len;

	bufpack_init(&p, &b);
	rpc_pack_notification(&p, "final");
	bufpack_array(&p, 0);
	ck_assert_int_eq(bufpack_error(&p), 0);
	bytes = bytes_of(&b, &len);
	ck_assert_int_eq(rpc_parse(&m, bytes, len), 0);
	ck_assert_int_eq(m.type, RPC_NOTIFICATION);
	ck_assert(text_equal(m.method, m.method_len, "final"));
	ck_assert_uint_eq(m.n_params, 0);
	ck_assert(cursor_at_end(&m.params));
	buf_deinit(&b);
}
END_TEST

START_TEST(envelopes_are_judged)
{
	static const struct {
		const char *what;
		const uint8_t *bytes;
		size_t len;
		int expected;
	} rows[] = {
		{"method as bin", BYTES("\x94\x00\x01\xc4\x01p\x90"), 0},
		{"msgid in a signed encoding", BYTES("\x94\x00\xd0\x01\xa1p\x90"), 0},
		{"type in a long encoding", BYTES("\x94\xcd\x00\x00\x01\xa1p\x90"), 0},
		{"empty method", BYTES("\x94\x00\x01\xa0\x90"), 0},
		{"no array", BYTES("\x01"), RPC_E_ENVELOPE},
		{"map", BYTES("\x82\x00\x01\xa1p\x90"), RPC_E_ENVELOPE},
		{"empty array", BYTES("\x90"), RPC_E_ENVELOPE},
		{"type 3", BYTES("\x94\x03\x01\xa1p\x90"), RPC_E_ENVELOPE},
		{"type -1", BYTES("\x94\xff\x01\xa1p\x90"), RPC_E_ENVELOPE},
		{"type 2^32", BYTES("\x94\xcf\x00\x00\x00\x01\x00\x00\x00\x00\x01\xa1p\x90"),
			RPC_E_ENVELOPE},
		{"type is text", BYTES("\x94\xa1r\x01\xa1p\x90"), RPC_E_ENVELOPE},
		{"request of 3", BYTES("\x93\x00\x01\xa1p"), RPC_E_ENVELOPE},
		{"request of 5", BYTES("\x95\x00\x01\xa1p\x90\xc0"), RPC_E_ENVELOPE},
		{"notification of 4", BYTES("\x94\x02\xa1p\x90\xc0"), RPC_E_ENVELOPE},
		{"answer of 3", BYTES("\x93\x01\x01\xc0"), RPC_E_ENVELOPE},
		{"answer of 5", BYTES("\x95\x01\x01\xc0\xc0\xc0"), RPC_E_ENVELOPE},
		{"msgid -1", BYTES("\x94\x00\xff\xa1p\x90"), RPC_E_ENVELOPE},
		{"msgid 2^32", BYTES("\x94\x00\xcf\x00\x00\x00\x01\x00\x00\x00\x00\xa1p\x90"),
			RPC_E_ENVELOPE},
		{"msgid nil", BYTES("\x94\x00\xc0\xa1p\x90"), RPC_E_ENVELOPE},
		{"answer with msgid nil", BYTES("\x94\x01\xc0\xc0\xc0"), RPC_E_ENVELOPE},
		{"msgid a float", BYTES("\x94\x00\xca\x00\x00\x00\x00\xa1p\x90"), RPC_E_ENVELOPE},
		{"method nil", BYTES("\x94\x00\x01\xc0\x90"), RPC_E_ENVELOPE},
		{"method a number", BYTES("\x94\x00\x01\x05\x90"), RPC_E_ENVELOPE},
		{"params a map", BYTES("\x94\x00\x01\xa1p\x80"), RPC_E_ENVELOPE},
		{"params nil", BYTES("\x94\x00\x01\xa1p\xc0"), RPC_E_ENVELOPE},
		{"notification with params nil", BYTES("\x93\x02\xa1p\xc0"), RPC_E_ENVELOPE},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct rpc m;

		ck_assert_int_eq(scan_value(rows[i].bytes, rows[i].len, PROTO_DEPTH, NULL), 0);
		ck_assert_msg(rpc_parse(&m, rows[i].bytes, rows[i].len) == rows[i].expected, "%s",
			rows[i].what);
	}
}
END_TEST

START_TEST(a_refused_message_leaves_the_out_parameter)
{
	struct rpc m = {.msgid = 77};

	ck_assert_int_eq(rpc_parse(&m, BYTES("\x94\x00\x01\xa1p\x80")), RPC_E_ENVELOPE);
	ck_assert_uint_eq(m.msgid, 77);
}
END_TEST

SUITE_MAIN("rpc", a_request_comes_back_as_packed, an_answer_comes_back_as_packed,
	a_notification_comes_back_as_packed, envelopes_are_judged,
	a_refused_message_leaves_the_out_parameter)
