#include "proto/buf.h"

#include <errno.h>
#include <msgpack/pack.h>
#include <msgpack/sbuffer.h>
#include <string.h>

#include "tests/unit/suite.h"

/* Checks that pass cost a write() each, so loops over bytes have one behind them. */
static void append_counted(struct buf *b, uint8_t first, size_t n)
{
	size_t n_failed = 0;

	for (size_t i = 0; i < n; i++) {
		uint8_t byte = (uint8_t)(first + i);

		n_failed += buf_append(b, &byte, 1) != 0;
	}
	ck_assert_uint_eq(n_failed, 0);
}

static void expect_counted(const struct buf *b, uint8_t first, size_t n)
{
	size_t n_wrong = 0;

	ck_assert_uint_eq(buf_used(b), n);
	for (size_t i = 0; i < n; i++)
		n_wrong += buf_head(b)[i] != (uint8_t)(first + i);
	ck_assert_uint_eq(n_wrong, 0);
}

START_TEST(an_empty_buffer_has_nothing)
{
	struct buf b = BUF_INIT(10);
	size_t n = 1;

	ck_assert_uint_eq(buf_used(&b), 0);
	ck_assert_ptr_null(buf_head(&b));
	ck_assert_ptr_null(buf_room(&b, &n));
	ck_assert_uint_eq(n, 0);
	n = 1;
	ck_assert_ptr_null(buf_take(&b, &n));
	ck_assert_uint_eq(n, 0);
	ck_assert_int_eq(buf_append(&b, NULL, 0), 0);
	buf_consume(&b, 0);
	buf_truncate(&b, 0);
	buf_clear(&b);
	buf_deinit(&b);
}
END_TEST

START_TEST(bytes_come_out_as_they_went_in)
{
	uint64_t seed = 1;
	uint8_t in = 0, out = 0;
	struct buf b;

	buf_init(&b, 4096);
	for (unsigned round = 0; round < 2000; round++) {
		size_t n = suite_random(&seed) % 300;

		if (n > b.max - buf_used(&b))
			n = b.max - buf_used(&b);
		append_counted(&b, in, n);
		in = (uint8_t)(in + n);
		expect_counted(&b, out, buf_used(&b));
		n = suite_random(&seed) % (buf_used(&b) + 1);
		buf_consume(&b, n);
		out = (uint8_t)(out + n);
		ck_assert_uint_le(b.size, b.max);
	}
	buf_deinit(&b);
	ck_assert_ptr_null(b.data);
	ck_assert_uint_eq(b.max, 4096);
}
END_TEST

START_TEST(the_cap_holds)
{
	struct buf b = BUF_INIT(1000);
	uint8_t bytes[1001] = {};

	ck_assert_int_eq(buf_append(&b, bytes, 1001), -ENOBUFS);
	ck_assert_int_eq(buf_reserve(&b, SIZE_MAX), -ENOBUFS);
	ck_assert_uint_eq(b.size, 0);
	ck_assert_int_eq(buf_append(&b, bytes, 1000), 0);
	ck_assert_uint_eq(b.size, 1000);
	ck_assert_int_eq(buf_append(&b, bytes, 1), -ENOBUFS);
	ck_assert_uint_eq(buf_used(&b), 1000);
	buf_consume(&b, 1);
	ck_assert_int_eq(buf_append(&b, bytes, 1), 0);
	ck_assert_uint_eq(buf_used(&b), 1000);
	ck_assert_uint_eq(b.size, 1000);
	buf_deinit(&b);
}
END_TEST

/* What the linker puts between buf.c and libc. */
static bool is_out_of_memory;
void *__wrap_realloc(void *p, size_t n);
void *__real_realloc(void *p, size_t n);

void *__wrap_realloc(void *p, size_t n)
{
	return is_out_of_memory ? NULL : __real_realloc(p, n);
}

START_TEST(out_of_memory_changes_nothing)
{
	struct buf b = BUF_INIT(100000);
	struct bufpack p;

	append_counted(&b, 7, 200);
	buf_consume(&b, 90);
	is_out_of_memory = true;
	ck_assert_int_eq(buf_reserve(&b, 5000), -ENOMEM);
	expect_counted(&b, 97, 110);
	bufpack_init(&p, &b);
	bufpack_bin(&p, p.buf->data, 255);
	ck_assert_int_eq(bufpack_error(&p), -ENOMEM);
	buf_truncate(&b, 110);
	expect_counted(&b, 97, 110);
	is_out_of_memory = false;
	ck_assert_int_eq(buf_reserve(&b, 5000), 0);
	expect_counted(&b, 97, 110);
	buf_deinit(&b);
}
END_TEST

/* The charge is taken by buf_size_after() before buf_reserve() runs, so they must agree. */
START_TEST(the_size_is_told_before_it_grows)
{
	for (size_t max = 0; max < 3000; max += 37) {
		uint64_t seed = max;
		struct buf b;

		buf_init(&b, max);
		for (unsigned round = 0; round < 300; round++) {
			size_t n = suite_random(&seed) % 700;
			size_t told = buf_size_after(&b, n);
			int r = buf_reserve(&b, n);

			ck_assert_int_eq(r, n > max - buf_used(&b) ? -ENOBUFS : 0);
			ck_assert_uint_eq(b.size, told);
			if (r == 0) {
				size_t room;
				uint8_t *p = buf_room(&b, &room);

				ck_assert_uint_ge(room, n);
				if (n > 0)
					memset(p, 1, n);
				buf_commit(&b, n);
			}
			buf_consume(&b, suite_random(&seed) % (buf_used(&b) + 1));
		}
		buf_deinit(&b);
	}
}
END_TEST

START_TEST(small_steps_do_not_move_all_bytes_each_time)
{
	struct buf b = BUF_INIT(1u << 20);
	unsigned n_moves = 0, n_failed = 0;
	const uint8_t *first;

	append_counted(&b, 0, 1u << 17); /* exactly full */
	first = buf_head(&b);
	for (unsigned i = 0; i < 100000; i++) {
		buf_consume(&b, 1);
		n_failed += buf_append(&b, "", 1) != 0;
		n_moves += buf_head(&b) != first + 1;
		first = buf_head(&b);
	}
	ck_assert_uint_eq(n_failed, 0);
	ck_assert_uint_lt(n_moves, 10);
	buf_deinit(&b);
}
END_TEST

START_TEST(truncate_undoes_what_was_appended)
{
	struct buf b = BUF_INIT(1000);
	size_t before;

	append_counted(&b, 0, 200);
	buf_consume(&b, 150);
	before = buf_used(&b);
	append_counted(&b, 9, 500);
	buf_truncate(&b, before);
	expect_counted(&b, 150, 50);
	buf_clear(&b);
	ck_assert_uint_eq(buf_used(&b), 0);
	ck_assert_uint_gt(b.size, 0);
	buf_deinit(&b);
}
END_TEST

START_TEST(take_hands_the_bytes_over)
{
	struct buf b = BUF_INIT(1000);
	cleanup_free uint8_t *bytes = NULL;
	size_t n;

	append_counted(&b, 0, 100);
	buf_consume(&b, 40);
	bytes = buf_take(&b, &n);
	ck_assert_uint_eq(n, 60);
	ck_assert_uint_eq(bytes[0], 40);
	ck_assert_uint_eq(bytes[59], 99);
	ck_assert_uint_eq(buf_used(&b), 0);
	ck_assert_ptr_null(b.data);
	append_counted(&b, 5, 3);
	expect_counted(&b, 5, 3);
	buf_deinit(&b);
}
END_TEST

START_TEST(the_packer_writes_messagepack)
{
	static const uint8_t future[8] = {0, 0, 0, 0, 0, 0, 0, 9};
	static const char expected[] = "\x9d"
				       "\xa2hi"
				       "\xa1x"
				       "\xc4\x02\x00\xff"
				       "\xcd\x01\x00"
				       "\xd1\xff\x00"
				       "\xc3"
				       "\xc2"
				       "\xc0"
				       "\x90"
				       "\x80"
				       "\xcb\x3f\xf8\x00\x00\x00\x00\x00\x00"
				       "\xd4\x01\x05"
				       "\xd7\x02\x00\x00\x00\x00\x00\x00\x00\x09"
				       "\x92\x01\x02";
	struct buf b = BUF_INIT(1000);
	struct bufpack p;

	bufpack_init(&p, &b);
	bufpack_array(&p, 13);
	bufpack_text(&p, "hi");
	bufpack_text_n(&p, "xyz", 1);
	bufpack_bin(&p, "\x00\xff", 2);
	bufpack_uint(&p, 256);
	bufpack_int(&p, -256);
	bufpack_bool(&p, true);
	bufpack_bool(&p, false);
	bufpack_nil(&p);
	bufpack_array(&p, 0);
	bufpack_map(&p, 0);
	bufpack_seconds(&p, 1500000);
	bufpack_ext_fd(&p, 5);
	bufpack_ext(&p, 2, future, 8);
	bufpack_raw(&p, "\x92\x01\x02", 3);
	ck_assert_int_eq(bufpack_error(&p), 0);
	ck_assert_uint_eq(buf_used(&b), sizeof(expected) - 1);
	ck_assert_mem_eq(buf_head(&b), expected, sizeof(expected) - 1);
	buf_deinit(&b);
}
END_TEST

/* What a well-kept library writes for the same values. */
static void pack_both(struct bufpack *p, msgpack_packer *other, uint64_t v, size_t n)
{
	static const char bytes[70000];
	double d = (double)(int64_t)v / 3;

	bufpack_uint(p, v);
	msgpack_pack_uint64(other, v);
	bufpack_int(p, (int64_t)v);
	msgpack_pack_int64(other, (int64_t)v);
	bufpack_int(p, -(int64_t)(v >> 1));
	msgpack_pack_int64(other, -(int64_t)(v >> 1));
	bufpack_double(p, d);
	msgpack_pack_double(other, d);
	bufpack_array(p, n);
	msgpack_pack_array(other, n);
	bufpack_map(p, n);
	msgpack_pack_map(other, n);
	if (n > sizeof(bytes))
		return;
	bufpack_text_n(p, bytes, n);
	msgpack_pack_str_with_body(other, bytes, n);
	bufpack_bin(p, bytes, n);
	msgpack_pack_bin_with_body(other, bytes, n);
	bufpack_ext(p, -7, bytes, n);
	msgpack_pack_ext_with_body(other, bytes, n, -7);
}

START_TEST(the_packer_writes_what_msgpack_c_writes)
{
	msgpack_sbuffer expected;
	msgpack_packer other;
	uint64_t seed = 1;

	msgpack_sbuffer_init(&expected);
	msgpack_packer_init(&other, &expected, msgpack_sbuffer_write);
	for (unsigned i = 0; i < 64 * 6; i++) {
		/* around each power of two, where another form begins */
		uint64_t v = (1ull << i / 6) - 3 + i % 6;
		size_t n = v <= UINT32_MAX ? (size_t)v : suite_random(&seed) % 20;
		struct buf b = BUF_INIT(1u << 20);
		struct bufpack p;

		msgpack_sbuffer_clear(&expected);
		bufpack_init(&p, &b);
		pack_both(&p, &other, v, n);
		ck_assert_int_eq(bufpack_error(&p), 0);
		ck_assert_uint_eq(buf_used(&b), expected.size);
		ck_assert_mem_eq(buf_head(&b), expected.data, expected.size);
		buf_deinit(&b);
	}
	msgpack_sbuffer_destroy(&expected);
}
END_TEST

/* One check of room for a sequence whose greatest length is known. */
START_TEST(a_sequence_is_written_in_place)
{
	static const char expected[] = "\x93\x01\xa5"
				       "final\x82\xa0\xc0\xa1x\xcb\x3f\xf8\0\0\0\0\0\0";
	struct buf b = BUF_INIT(64);
	struct bufpack p;
	uint8_t *at;

	bufpack_init(&p, &b);
	at = bufpack_open(&p, 60);
	ck_assert_ptr_nonnull(at);
	at = encode_uint(encode_array(at, 3), 1);
	at = encode_map(encode_key(at, "final"), 2);
	at = encode_nil(encode_key(at, ""));
	at = encode_seconds(encode_key(at, "x"), 1500000);
	bufpack_close(&p, at);
	ck_assert_uint_eq(buf_used(&b), sizeof(expected) - 1);
	ck_assert_mem_eq(buf_head(&b), expected, sizeof(expected) - 1);
	ck_assert_ptr_null(bufpack_open(&p, 60));
	ck_assert_int_eq(bufpack_error(&p), -ENOBUFS);
	buf_deinit(&b);
}
END_TEST

START_TEST(the_last_bytes_of_room_are_used)
{
	struct buf b = BUF_INIT(5);
	struct bufpack p;

	bufpack_init(&p, &b);
	bufpack_uint(&p, 70000);
	ck_assert_int_eq(bufpack_error(&p), 0);
	ck_assert_uint_eq(buf_used(&b), 5);
	bufpack_uint(&p, 1);
	ck_assert_int_eq(bufpack_error(&p), -ENOBUFS);
	buf_deinit(&b);
}
END_TEST

START_TEST(the_packer_remembers_its_first_failure)
{
	struct buf b = BUF_INIT(8);
	struct bufpack p;

	append_counted(&b, 0, 3);
	bufpack_init(&p, &b);
	bufpack_text(&p, "longer than eight bytes");
	bufpack_nil(&p);
	ck_assert_int_eq(bufpack_error(&p), -ENOBUFS);
	buf_truncate(&b, 3);
	expect_counted(&b, 0, 3);
	bufpack_init(&p, &b);
	bufpack_nil(&p);
	ck_assert_int_eq(bufpack_error(&p), 0);
	buf_deinit(&b);
}
END_TEST

START_TEST(the_packer_refuses_lengths_of_more_than_32_bits)
{
	static const size_t n = (size_t)UINT32_MAX + 1;
	struct buf b = BUF_INIT(SIZE_MAX);
	struct bufpack p;

	for (unsigned i = 0; i < 5; i++) {
		bufpack_init(&p, &b);
		switch (i) {
		case 0: bufpack_text_n(&p, "", n); break;
		case 1: bufpack_bin(&p, "", n); break;
		case 2: bufpack_array(&p, n); break;
		case 3: bufpack_map(&p, n); break;
		case 4: bufpack_ext(&p, 1, "", n); break;
		}
		bufpack_array(&p, n);
		ck_assert_int_eq(bufpack_error(&p), -EMSGSIZE);
		ck_assert_uint_eq(buf_used(&b), 0);
	}
	buf_deinit(&b);
}
END_TEST

SUITE_MAIN("buf", an_empty_buffer_has_nothing, bytes_come_out_as_they_went_in, the_cap_holds,
	out_of_memory_changes_nothing, the_size_is_told_before_it_grows,
	small_steps_do_not_move_all_bytes_each_time, truncate_undoes_what_was_appended,
	take_hands_the_bytes_over, the_packer_writes_messagepack,
	the_packer_writes_what_msgpack_c_writes, a_sequence_is_written_in_place,
	the_last_bytes_of_room_are_used, the_packer_remembers_its_first_failure,
	the_packer_refuses_lengths_of_more_than_32_bits)
