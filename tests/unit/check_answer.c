#include "daemon/answer.h"

#include "proto/limits.h"
#include "proto/scan.h"
#include "tests/unit/suite.h"

enum {
	MAX_RESULT = 100,
	MESSAGE_BYTES = 512,
};

static struct pool pool;
static struct function function = {.pool = &pool};
static struct slot slot;
static struct future job;
static struct run job_run = {.result_bytes = MAX_RESULT + PAYLOAD_OWN_BYTES_MAX};

static void setup(void)
{
	job = (struct future){.function = &function, .run = &job_run};
	slot = (struct slot){.pool = &pool};
	TAILQ_INIT(&slot.line);
	TAILQ_INSERT_TAIL(&slot.line, &job, in_line);
}

/* What the general way comes to; false: a breach of the protocol. */
static bool read_in_steps(const uint8_t *bytes, size_t len, size_t *ret_len, struct answer *ret)
{
	struct message_fds none = {};
	const char *reason;
	struct scan s;
	struct rpc m;

	scan_init(&s, len, PROTO_DEPTH);
	if (scan_step(&s, bytes, len) != SCAN_DONE || s.fd_mask || s.has_value_ext ||
		s.has_future_ext)
		return false;
	*ret_len = s.pos;
	return rpc_parse(&m, bytes, s.pos) == 0 && m.type == RPC_ANSWER &&
	       answer_parse(&m, &none, &slot, false, ret, &reason) == 0;
}

/* What is read at one look is what reading it in steps comes to. How many bytes that were. */
static size_t expect_the_same(const uint8_t *bytes, size_t len)
{
	struct answer a, b;
	size_t n, n_in_steps = 0;

	n = answer_read(bytes, len, &slot, &a);
	if (!n)
		return 0;
	ck_assert(read_in_steps(bytes, len, &n_in_steps, &b));
	ck_assert_uint_eq(n, n_in_steps);
	ck_assert_uint_eq(a.value->len, b.value->len);
	ck_assert_mem_eq(a.value->bytes, b.value->bytes, a.value->len);
	payload_free(a.value);
	payload_free(b.value);
	a.value = b.value = NULL;
	ck_assert(a.msgid == b.msgid && !a.is_failure && !b.is_failure &&
		  a.value_bytes == b.value_bytes && a.value_fds == b.value_fds &&
		  a.out.inline_bytes == b.out.inline_bytes && a.run_us == b.run_us &&
		  a.started_us == b.started_us && a.rss_kib == b.rss_kib &&
		  a.copied_bytes == b.copied_bytes);
	return n;
}

static const struct {
	const char *bytes;
	size_t n;
	size_t n_read;
} messages[] = {
#define ROW(literal, n_behind)                                                                     \
	{                                                                                          \
		literal, sizeof(literal) - 1, sizeof(literal) - 1 - (n_behind)                     \
	}
#define NOT_READ(literal)                                                                          \
	{                                                                                          \
		literal, sizeof(literal) - 1, 0                                                    \
	}
	ROW("\x94\x01\x07\xc0\x92\xc0\x80", 0),
	ROW("\x94\x01\xcd\x01\x00\xc0\x92\xc4\x02xy\x81\xa6run_us\x05", 0),
	ROW("\x94\x01\x07\xc0\x92\x92\x01\x81\x02\xc0\x82\xa7rss_kib\xce\0\1\0\0\xa6"
	    "copied\x09\x94\x01",
		2),
	ROW("\x94\x01\x07\xc0\x92\xd4\x05x\x82\xaastarted_us\xcf\0\0\0\1\0\0\0\0\xa3why\x01", 0),
	/* for the general way: */
	NOT_READ("\x94\x01\x07\xc0\x92\xc0\x81\xa6run_us\xc0"),
	NOT_READ("\x94\x01\x07\xc0\x92\xd4\x01\x00\x80"),
	NOT_READ("\x94\x01\x07\xc0\x92\xd7\x02\0\0\0\0\0\0\0\1\x80"),
	NOT_READ("\x94\x01\x07\xc0\x92\x91\xd4\x03\x00\x80"),
	NOT_READ("\x94\x01\x07\xc0\x92\xc0\x81\xa1x\xd4\x01\x00"),
	NOT_READ("\x94\x01\x07\x93\xa1x\xa1y\x80\xc0"),
	NOT_READ("\x94\x01\x07\xc0\x92\xc0"),
	NOT_READ("\x94\x01\x07\xc0\x92\xc1\x80"),
	NOT_READ("\x94\x00\x07\xc0\x92\xc0\x80"),
	NOT_READ("\x93\x02\xa8progress\x90"),
	NOT_READ("\x94"),
};

START_TEST(plain_results_are_read_at_one_look)
{
	for (size_t i = 0; i < ARRAY_SIZE(messages); i++)
		ck_assert_uint_eq(
			expect_the_same((const uint8_t *)messages[i].bytes, messages[i].n),
			messages[i].n_read);
}
END_TEST

/* Deeper than a value may be, longer than the job's result. */
START_TEST(what_is_over_a_limit_is_not)
{
	uint8_t bytes[MESSAGE_BYTES] = {0x94, 0x01, 0x07, 0xc0, 0x92};

	for (unsigned depth = 0; depth <= PROTO_VALUE_DEPTH + 1; depth++) {
		memset(bytes + 5, 0x91, depth);
		bytes[5 + depth] = 0xc0;
		bytes[6 + depth] = 0x80;
		ck_assert_uint_eq(
			expect_the_same(bytes, 7 + depth) > 0, depth <= PROTO_VALUE_DEPTH);
	}
	for (uint8_t n = MAX_RESULT - 5; n < MAX_RESULT + 5; n++) {
		memset(bytes + 5, 0, sizeof(bytes) - 5);
		bytes[5] = 0xc4;
		bytes[6] = n;
		bytes[7 + n] = 0x80;
		ck_assert_uint_eq(expect_the_same(bytes, 8u + n) > 0, n + 2u <= MAX_RESULT);
	}
}
END_TEST

/* Bytes of which any may be another one, or missing. */
START_TEST(what_is_read_at_one_look_is_the_same_in_steps)
{
	static const char *const words[] = {"\xa6run_us",
		"\xa6"
		"copied",
		"\xa7rss_kib", "\xaastarted_us",
		"\xa6"
		"cpu_us",
		"\xc4\x02xy", "\x92\x01\x02", "\x81\x01\x91\x02", "\xcd\x12\x34", "\xd4\x01",
		"\x05", "\xc2"};
	uint64_t seed = 5;
	unsigned n_read = 0;

	for (unsigned round = 0; round < 200000; round++) {
		uint8_t bytes[MESSAGE_BYTES] = {0x94, 0x01, 0x07, 0xc0, 0x92};
		unsigned n_pairs = suite_random(&seed) % 4;
		size_t len = 5;

		for (unsigned i = 0; i < 1 + 2 * n_pairs; i++) {
			unsigned one = suite_random(&seed) % 16 == 0
					       ? suite_random(&seed) % ARRAY_SIZE(words)
				       : i % 2 ? suite_random(&seed) % 5
					       : 5 + suite_random(&seed) % 7;

			memcpy(bytes + len, words[one], strlen(words[one]));
			len += strlen(words[one]);
			if (i == 0)
				bytes[len++] = (uint8_t)(0x80 | n_pairs);
		}
		if (suite_random(&seed) % 4 == 0)
			bytes[suite_random(&seed) % len] = (uint8_t)suite_random(&seed);
		if (suite_random(&seed) % 8 == 0)
			len = suite_random(&seed) % (len + 1);
		n_read += expect_the_same(bytes, len) > 0;
	}
	ck_assert_uint_gt(n_read, 20000);
}
END_TEST

SUITE_MAIN_WITH("answer", setup, NULL, plain_results_are_read_at_one_look,
	what_is_over_a_limit_is_not, what_is_read_at_one_look_is_the_same_in_steps)
