#include "daemon/run_packet.h"

#include <errno.h>
#include <sys/socket.h>

#include "daemon/extra.h"
#include "daemon/payload.h"
#include "daemon/answer.h"
#include "proto/cursor.h"
#include "proto/limits.h"
#include "proto/rpc.h"
#include "tests/unit/suite.h"

enum {
	N = POOL_PACK_JOBS,
	UIDS = 2,
};

static const char *const names[] = {"add", "a_function_with_a_name_of_more_than_thirty_one"};

static struct accounts accounts;
static struct account *owners[UIDS];
static struct pool pool;
static struct function functions[ARRAY_SIZE(names)];
static struct future jobs[N];
static struct run runs[N];
static struct future_extra extra = {.trace = (char *)"00-11"};
static struct annex annex = {.extra = &extra};
static struct buf scratch;
static int fds[2];

static void setup(void)
{
	struct account_limits limits = {};

	accounts_init(&accounts, &limits);
	for (uint32_t i = 0; i < UIDS; i++)
		ck_assert_int_eq(account_get(&accounts, 1000 * i, &owners[i]), 0);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		functions[i] = (struct function){.name = (char *)names[i], .pool = &pool};
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds), 0);
	buf_init(&scratch, PROTO_PACKET_BYTES);
}

static void teardown(void)
{
	buf_deinit(&scratch);
	for (uint32_t i = 0; i < UIDS; i++)
		account_unref(owners[i]);
	accounts_deinit(&accounts);
	for (int i = 0; i < 2; i++)
		fd_close(fds[i]);
}

/* An input of n bytes: a bin 16. */
static struct payload *make_input(size_t n)
{
	uint8_t bytes[3 + 2000] = {0xc5, (uint8_t)(n >> 8), (uint8_t)n};
	struct payload *p;
	const char *reason;

	memset(bytes + 3, (int)n & 0xff, n);
	ck_assert_int_eq(payload_new(bytes, 3 + n, NULL, 0, &p, &reason), 0);
	return p;
}

/* Each field is that of the job before, or another one. */
static struct future make_job(unsigned i, uint64_t *seed, struct run *run)
{
	uint32_t dice = i == 0 || suite_random(seed) % 3 == 0 ? suite_random(seed) : 0;

	*run = (struct run){
		.place = i % POOL_PACK_JOBS,
		.msgid = suite_random(seed) % 4 ? i : UINT32_MAX - i,
		.attempt = (uint16_t)(1 + (dice >> 2 & 1) * 300),
		.result_bytes = 70000u << (dice >> 6 & 1),
	};
	return (struct future){
		.id = suite_random(seed) % 4 ? i : (1ull << 52) + i,
		.run = run,
		.function = &functions[dice & 1],
		.account = owners[dice >> 1 & 1],
		.timeout_us = (dice >> 3 & 1) * 2500000ull,
		.is_each = dice >> 4 & 1,
		.annex = (dice >> 5 & 3) == 3 ? &annex : NULL,
		.input = make_input(suite_random(seed) % 2000),
	};
}

static void expect_meta(struct cursor *c, const struct future *f)
{
	unsigned n_known = 4u + (f->timeout_us > 0) + (future_extra(f) != NULL) + f->is_each;
	const char *key, *text;
	size_t len, text_len;
	uint64_t v;
	uint32_t n;
	double d;
	bool b;

	ck_assert(cursor_map(c, &n));
	ck_assert_uint_eq(n, n_known);
	while (n-- > 0) {
		ck_assert(cursor_text(c, &key, &len));
		if (text_equal(key, len, "id"))
			ck_assert(cursor_uint(c, &v) && v == f->id);
		else if (text_equal(key, len, "attempt"))
			ck_assert(cursor_uint(c, &v) && v == f->run->attempt);
		else if (text_equal(key, len, "uid"))
			ck_assert(cursor_uint(c, &v) && v == future_uid(f));
		else if (text_equal(key, len, "max_result"))
			ck_assert(cursor_uint(c, &v) && v == answer_max_result(f));
		else if (text_equal(key, len, "timeout"))
			ck_assert(cursor_number(c, &d) && d == (double)f->timeout_us / 1e6);
		else if (text_equal(key, len, "trace"))
			ck_assert(cursor_text(c, &text, &text_len) &&
				  text_equal(text, text_len, extra.trace));
		else
			ck_assert(text_equal(key, len, "each") && cursor_bool(c, &b) && b);
	}
}

/* One `run`; where the next one begins. */
static const uint8_t *expect_run(const uint8_t *at, const uint8_t *end, const struct future *f)
{
	struct cursor c = {at, end}, message, input;
	const char *name;
	struct rpc m;
	uint32_t id;
	size_t len;

	ck_assert(cursor_skip(&c, &message));
	ck_assert_int_eq(rpc_parse(&m, message.p, cursor_len(&message)), 0);
	ck_assert(m.type == RPC_REQUEST && text_equal(m.method, m.method_len, "run"));
	ck_assert_uint_eq(m.msgid, f->run->msgid);
	ck_assert(run_packet_msgid(at, RUN_PACKET_HEAD_BYTES, &id) && id == f->run->msgid);
	ck_assert_uint_eq(m.n_params, 3);
	ck_assert(cursor_text(&m.params, &name, &len) && text_equal(name, len, f->function->name));
	ck_assert(cursor_skip(&m.params, &input));
	ck_assert_uint_eq(cursor_len(&input), f->input->len);
	ck_assert_mem_eq(input.p, f->input->bytes, f->input->len);
	expect_meta(&m.params, f);
	ck_assert(cursor_at_end(&m.params));
	return message.end;
}

/* However much of a run is the same as in the one before. */
START_TEST(each_run_of_a_packet_is_its_own_jobs)
{
	struct future *list[N];
	static uint8_t packet[PROTO_PACKET_BYTES];
	uint64_t seed = 1;

	for (unsigned round = 0; round < 500; round++) {
		unsigned n = 1 + round % N, n_sent = 0;
		const uint8_t *at = packet;
		ssize_t len;

		for (unsigned i = 0; i < n; i++) {
			list[i] = &jobs[i];
			jobs[i] = make_job(i, &seed, &runs[i]);
		}
		ck_assert_int_eq(run_packets_send(fds[0], &scratch, list, n, &n_sent), 0);
		ck_assert_uint_eq(n_sent, n);
		len = recv(fds[1], packet, sizeof(packet), MSG_DONTWAIT);
		ck_assert_int_gt(len, 0);
		for (unsigned i = 0; i < n; i++) {
			at = expect_run(at, packet + len, &jobs[i]);
			payload_free(jobs[i].input);
		}
		ck_assert_ptr_eq(at, packet + len);
	}
}
END_TEST

/* The packet that begins with list[i], and what is in it. Where the next one begins. */
static unsigned expect_packet(struct future *const *list, unsigned i, unsigned n)
{
	static uint8_t packet[PROTO_PACKET_BYTES];
	ssize_t len = recv(fds[1], packet, sizeof(packet), MSG_DONTWAIT);
	const uint8_t *at = packet;

	ck_assert_int_gt(len, 0);
	do
		at = expect_run(at, packet + len, list[i++]);
	while (i < n && list[i]->run->place > 0);
	ck_assert_ptr_eq(at, packet + len);
	return i;
}

/* Of which each has one job, or a few. */
static void make_packets(struct future **list, unsigned n_in_each, uint64_t *seed)
{
	for (unsigned i = 0; i < N; i++) {
		list[i] = &jobs[i];
		jobs[i] = make_job(i, seed, &runs[i]);
		runs[i].place = (uint8_t)(i % n_in_each) & (POOL_PACK_JOBS - 1);
	}
}

static void free_inputs(void)
{
	for (unsigned i = 0; i < N; i++)
		payload_free(jobs[i].input);
}

START_TEST(several_packets_go_at_once)
{
	struct future *list[N];
	uint64_t seed = 2;

	for (unsigned n_in_each = 1; n_in_each <= 5; n_in_each++) {
		unsigned n_sent = 0;

		make_packets(list, n_in_each, &seed);
		ck_assert_int_eq(run_packets_send(fds[0], &scratch, list, N, &n_sent), 0);
		ck_assert_uint_eq(n_sent, N);
		for (unsigned i = 0; i < N;)
			i = expect_packet(list, i, N);
		free_inputs();
	}
}
END_TEST

/* The link is full in the midst of them. */
START_TEST(what_is_sent_is_whole_packets)
{
	struct future *list[N];
	uint64_t seed = 3;
	int room = 16 * 1024;

	ck_assert_int_eq(setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &room, sizeof(room)), 0);
	for (unsigned n_in_each = 1; n_in_each <= 5; n_in_each++) {
		unsigned n_sent = 0, i = 0;

		make_packets(list, n_in_each, &seed);
		ck_assert_int_eq(run_packets_send(fds[0], &scratch, list, N, &n_sent), 0);
		ck_assert_uint_gt(n_sent, 0);
		ck_assert_uint_lt(n_sent, N);
		ck_assert_uint_eq(n_sent % n_in_each, 0);
		ck_assert_int_eq(
			run_packets_send(fds[0], &scratch, list + n_sent, N - n_sent, &i), -EAGAIN);
		ck_assert_uint_eq(i, 0);
		for (i = 0; i < n_sent;)
			i = expect_packet(list, i, n_sent);
		ck_assert_int_eq(recv(fds[1], &i, 1, MSG_DONTWAIT), -1);
		free_inputs();
	}
}
END_TEST

SUITE_MAIN_WITH("run_packet", setup, teardown, each_run_of_a_packet_is_its_own_jobs,
	several_packets_go_at_once, what_is_sent_is_whole_packets)
