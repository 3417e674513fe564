/* One walk over a value tells where it ends, how deep it nests, and whom it names. */
#include <string.h>

#include "proto/survey.h"
#include "tests/unit/literal.h"
#include "tests/unit/suite.h"

static uint64_t ids[PROTO_JOB_VALUES];

static int survey(struct survey *s, const struct buf *b)
{
	struct cursor c = cursor_of(buf_head(b), buf_used(b));
	int r = survey_value(s, &c, ids);

	if (r == 0) {
		ck_assert(cursor_at_end(&c));
		ck_assert_uint_eq(cursor_len(&s->value), buf_used(b));
	}
	return r;
}

#define survey_of(s, format, ...)                                                                  \
	({                                                                                         \
		struct buf b_ = BUF_INIT(1u << 20);                                                \
		int r_;                                                                            \
		literal_pack(&b_, format, ##__VA_ARGS__);                                          \
		r_ = survey(s, &b_);                                                               \
		buf_deinit(&b_);                                                                   \
		r_;                                                                                \
	})

START_TEST(it_tells_depth_and_fds)
{
	struct survey s;

	ck_assert_int_eq(survey_of(&s, "i", 5), 0);
	ck_assert_uint_eq(s.depth, 0);
	ck_assert(!s.has_fds);
	ck_assert_int_eq(survey_of(&s, "[i{s[n]}F]", 5, "a", 3), 0);
	ck_assert_uint_eq(s.depth, 3);
	ck_assert(s.has_fds);
	ck_assert_uint_eq(s.n_ids, 0);
	ck_assert_int_eq(survey_of(&s, "[]"), 0);
	ck_assert_uint_eq(s.depth, 1);
}
END_TEST

START_TEST(ids_are_sorted_and_counted_once)
{
	struct survey s;

	ck_assert_int_eq(survey_of(&s, "[II{sI}[II]I]", (uint64_t)7, (uint64_t)3, "k", (uint64_t)7,
				 (uint64_t)9, (uint64_t)3, (uint64_t)0),
		0);
	ck_assert_uint_eq(s.n_ids, 4);
	ck_assert_uint_eq(ids[0], 0);
	ck_assert_uint_eq(ids[1], 3);
	ck_assert_uint_eq(ids[2], 7);
	ck_assert_uint_eq(ids[3], 9);
	ck_assert_int_eq(survey_of(&s, "I", (uint64_t)5), 0);
	ck_assert_uint_eq(s.n_ids, 1);
}
END_TEST

START_TEST(what_is_no_id_is_refused)
{
	struct survey s;

	ck_assert_int_eq(survey_of(&s, "[I]", PROTO_ID_END - 1), 0);
	ck_assert_int_eq(survey_of(&s, "[I]", PROTO_ID_END), SURVEY_E_ID);
	ck_assert_int_eq(survey_of(&s, "I", UINT64_MAX), SURVEY_E_ID);
}
END_TEST

/* An array of ext 2s: the i-th is of(i). */
static int survey_many(struct survey *s, unsigned n, uint64_t (*of)(unsigned i))
{
	struct buf b = BUF_INIT(1u << 20);
	struct bufpack p;
	int r;

	bufpack_init(&p, &b);
	bufpack_array(&p, n);
	for (unsigned i = 0; i < n; i++) {
		uint64_t id = __builtin_bswap64(of(i));

		bufpack_ext(&p, PROTO_EXT_FUTURE, &id, sizeof(id));
	}
	ck_assert_int_eq(bufpack_error(&p), 0);
	r = survey(s, &b);
	buf_deinit(&b);
	return r;
}

static uint64_t falling(unsigned i)
{
	return 5000 - i;
}

static uint64_t shuffled(unsigned i)
{
	return i * 389u % 1024u;
}

static uint64_t few(unsigned i)
{
	return i % 3;
}

START_TEST(as_many_as_a_job_may_have)
{
	struct survey s;

	ck_assert_int_eq(survey_many(&s, PROTO_JOB_VALUES, falling), 0);
	ck_assert_uint_eq(s.n_ids, PROTO_JOB_VALUES);
	for (unsigned i = 1; i < s.n_ids; i++)
		ck_assert(ids[i - 1] < ids[i]);
	ck_assert_int_eq(survey_many(&s, PROTO_JOB_VALUES + 1, falling), SURVEY_E_MANY);
	ck_assert_int_eq(survey_many(&s, 90000, shuffled), 0);
	ck_assert_uint_eq(s.n_ids, 1024);
	for (unsigned i = 0; i < s.n_ids; i++)
		ck_assert_uint_eq(ids[i], i);
	ck_assert_int_eq(survey_many(&s, 90000, few), 0);
	ck_assert_uint_eq(s.n_ids, 3);
}
END_TEST

/* Whatever the bytes are, it stays within them. */
START_TEST(no_end_is_overrun)
{
	static const uint8_t whole[] = {
		0x93, 0xd7, 2, 0, 0, 0, 0, 0, 0, 0, 1, 0xa3, 'a', 'b', 'c', 0x81, 1, 0xd4, 1, 0};
	struct survey s;

	for (size_t n = 0; n <= sizeof(whole); n++) {
		uint8_t *copy = malloc(n ? n : 1);
		struct cursor c = cursor_of(copy, n);

		memcpy(copy, whole, n);
		ck_assert_int_eq(survey_value(&s, &c, ids), n < sizeof(whole) ? SURVEY_E_BYTES : 0);
		ck_assert_ptr_eq(c.p, copy + (n < sizeof(whole) ? 0 : n));
		free(copy);
	}
	ck_assert_uint_eq(s.n_ids, 1);
}
END_TEST

START_TEST(only_so_deep)
{
	uint8_t bytes[PROTO_VALUE_DEPTH + 2];
	struct survey s;
	struct cursor c;

	memset(bytes, 0x91, sizeof(bytes));
	bytes[PROTO_VALUE_DEPTH] = 1;
	c = cursor_of(bytes, PROTO_VALUE_DEPTH + 1);
	ck_assert_int_eq(survey_value(&s, &c, ids), 0);
	ck_assert_uint_eq(s.depth, PROTO_VALUE_DEPTH);
	bytes[PROTO_VALUE_DEPTH] = 0x91;
	bytes[PROTO_VALUE_DEPTH + 1] = 1;
	c = cursor_of(bytes, sizeof(bytes));
	ck_assert_int_eq(survey_value(&s, &c, ids), SURVEY_E_DEEP);
	ck_assert_uint_eq(s.depth, PROTO_VALUE_DEPTH + 1);
}
END_TEST

SUITE_MAIN("survey", it_tells_depth_and_fds, ids_are_sorted_and_counted_once,
	what_is_no_id_is_refused, as_many_as_a_job_may_have, no_end_is_overrun, only_so_deep)
