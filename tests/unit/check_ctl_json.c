/* MessagePack as JSON, and back. */
#include <string.h>

#include "client/poolctl/json.h"
#include "proto/limits.h"
#include "proto/scan.h"
#include "tests/lib/check_run.h"

#define BYTES(s) s, sizeof(s) - 1

static const struct {
	const char *bytes;
	size_t len;
	const char *json;
} values[] = {
	{BYTES("\xc0"), "null"},
	{BYTES("\xc2"), "false"},
	{BYTES("\xc3"), "true"},
	{BYTES("\x07"), "7"},
	{BYTES("\xff"), "-1"},
	{BYTES("\xcf\x7f\xff\xff\xff\xff\xff\xff\xff"), "9223372036854775807"},
	{BYTES("\xcf\xff\xff\xff\xff\xff\xff\xff\xff"), "\"18446744073709551615\""},
	{BYTES("\xcb\x3f\xf8\0\0\0\0\0\0"), "1.5"},
	{BYTES("\xcb\x7f\xf0\0\0\0\0\0\0"), "null"},
	{BYTES("\xa2hi"), "\"hi\""},
	{BYTES("\xc4\x02hi"), "\"hi\""},
	{BYTES("\xc4\x00"), "\"\""},
	{BYTES("\xa3\0\"\n"), "\"\\u0000\\\"\\n\""},
	{BYTES("\xc4\x01\xff"), "{\"base64\":\"/w==\"}"},
	{BYTES("\xa2\xff\xfe"), "{\"base64\":\"//4=\"}"},
	{BYTES("\xc4\x03\xff\x00\x01"), "{\"base64\":\"/wAB\"}"},
	{BYTES("\x93\x01\xc0\x90"), "[1,null,[]]"},
	{BYTES("\x82\xa1k\x01\xc4\x01l\x80"), "{\"k\":1,\"l\":{}}"},
	{BYTES("\x81\x05\x01"), "{\"5\":1}"},
	{BYTES("\x81\xc0\x01"), "{\"null\":1}"},
	{BYTES("\xd7\x02\0\0\0\0\0\0\x01\x02"), "{\"future\":258}"},
	{BYTES("\xd4\x2a\xff"), "{\"ext\":42,\"base64\":\"/w==\"}"},
};

static char *json_of(const void *bytes, size_t len)
{
	const struct value v = {cursor_of(bytes, len), NULL, NULL};
	json_t *value;
	char *text;

	ck_assert_int_eq(scan_value(bytes, len, PROTO_VALUE_DEPTH, NULL), 0);
	value = json_from_value(&v);
	ck_assert_ptr_nonnull(value);
	text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
	ck_assert_ptr_nonnull(text);
	json_decref(value);
	return text;
}

START_TEST(value_becomes_json)
{
	char *text = json_of(values[_i].bytes, values[_i].len);

	ck_assert_str_eq(text, values[_i].json);
	free(text);
}
END_TEST

START_TEST(json_comes_back_the_same)
{
	static const char json[] =
		"{\"a\":[1,-2,1.5,true,false,null,\"t\\u0000x\"],\"b\":{\"c\":{}}}";
	struct buf buf = BUF_INIT(4096);
	struct bufpack p;
	json_t *value = json_loads(json, JSON_ALLOW_NUL, NULL);
	char *text;

	ck_assert_ptr_nonnull(value);
	bufpack_init(&p, &buf);
	json_pack_value(&p, value);
	ck_assert_int_eq(bufpack_error(&p), 0);
	text = json_of(buf_head(&buf), buf_used(&buf));
	ck_assert_str_eq(text, json);
	free(text);
	json_decref(value);
	buf_deinit(&buf);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("json");
	TCase *t = tcase_create("json");

	tcase_add_loop_test(t, value_becomes_json, 0, ARRAY_SIZE(values));
	tcase_add_test(t, json_comes_back_the_same);
	suite_add_tcase(s, t);
	return check_run(s);
}
