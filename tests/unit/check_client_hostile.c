/* Whatever a daemon sends: the client loses the connection at worst, tells everybody who waits, and
 * comes back. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "client/poold-command.h"
#include "client/poold-request.h"
#include "tests/lib/fault.h"
#include "tests/unit/fake_daemon.h"

#define MUTATIONS 1000u

static int count(poold_future *f, void *userdata)
{
	++*(unsigned *)userdata;
	return 0;
}

/* A client with one future of each kind under way: 2 is a submit, 3 a deliver of ID 7, 4 a ping, 5
 * a submit_many of two, 6 a put. */
struct client {
	struct fake_daemon d;
	poold *p;
	poold_future *f[5];
	unsigned n_called;
};

static int note_reply(poold_reply *reply, void *userdata)
{
	return count(NULL, userdata);
}

static void start(struct client *c)
{
	const poold_input inputs[2] = {poold_input_nil(), poold_input_nil()};

	c->n_called = 0;
	fake_daemon_start(&c->d);
	c->p = fake_daemon_connect(&c->d);
	ck_assert_int_eq(poold_submit(c->p, "f", inputs[0], NULL, &c->f[0]), 0);
	ck_assert_int_eq(poold_future_open(c->p, 7, &c->f[1]), 0);
	ck_assert_int_eq(poold_request_async(c->p, "ping", NULL, note_reply, &c->n_called), 0);
	ck_assert_int_eq(poold_submit_many(c->p, "f", inputs, 2, NULL, &c->f[2]), 0);
	ck_assert_int_eq(poold_put(c->p, inputs[0], NULL, &c->f[4]), 0);
	for (unsigned i = 0; i < 5; i++)
		ck_assert_int_eq(poold_future_set_callback(c->f[i], count, &c->n_called), 0);
	ck_assert_int_eq(client_run(c->p), 0);
}

static void stop(struct client *c)
{
	for (unsigned i = 0; i < 5; i++)
		poold_future_unref(c->f[i]);
	poold_unref(c->p);
	fake_daemon_stop(&c->d);
}

/* Everybody was told, once. */
static void expect_end(struct client *c, int error, const char *why)
{
	ck_assert_int_eq(client_run(c->p), error);
	ck_assert_msg(strstr(poold_get_error_text(c->p), why), "%s: not for %s",
		poold_get_error_text(c->p), why);
	ck_assert_uint_eq(c->n_called, 6);
	for (unsigned i = 0; i < 5; i++)
		ck_assert_int_ge(poold_future_get_state(c->f[i]), POOLD_DONE);
	ck_assert_int_eq(client_run(c->p), error);
	ck_assert_uint_eq(c->n_called, 6);
}

/* What follows 16 arrays that are open. */
#define DEEP "\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91"

START_TEST(bytes_that_break_the_protocol)
{
	static const struct {
		const char *bytes;
		size_t n;
		const char *why;
	} broken[] = {
		{"\xc1", 1, "not MessagePack"},
		{"HTTP/1.1 400 Bad Request", 24, "no message"},
		{"\xdd\xff\xff\xff\xff", 5, "too long"},
		{"\xc6\x7f\xff\xff\xff", 5, "too long"},
		{DEEP "\x91\x91\x91\x91\x91", 21, "too deep"},
		{"\x90", 1, "no message"},
		{"\x94\x01\x02\xc0", 4, NULL},
		{"\x94\x00\x01\xa4ping\x90", 9, "a request"},
		{"\x94\x05\x01\xc0\xc0", 5, "no message"},
		{"\x93\x01\x02\xc0", 4, "no message"},
		{"\x94\x01\xff\xc0\xc0", 5, "no message"},
		{"\x94\x01\x02\xc0\xd4\x03\x00", 7, "ext types"},
		{"\x94\x01\x02\xc0\xd4\x01\x01", 7, "ext types"},
		{"\x94\x01\x02\xc0\xd4\x01\x00", 7, "names 1 fds, with 0"},
		{"\x94\x01\x02\xc0\xd5\x01\x00\x00", 8, "ext type"},
		/* answers that do not fit their request */
		{"\x94\x01\x02\xc0\xc0", 5, "an answer"},
		{"\x94\x01\x02\xc0\x00", 5, "an answer"},
		{"\x94\x01\x02\xc0\xff", 5, "an answer"},
		{"\x94\x01\x02\xc0\xcf\x00\x20\x00\x00\x00\x00\x00\x00", 13, "an answer"},
		{"\x94\x01\x02\xa3yes\xc0", 8, "an answer"},
		{"\x94\x01\x02\x91\xa3yes\xc0", 9, "an answer"},
		{"\x94\x01\x04\x92\x01\x02\xc0", 7, "an answer"},
		{"\x94\x01\x05\xc0\x91\x09", 6, "an answer"},
		{"\x94\x01\x05\xc0\x93\x09\x0a\x0b", 8, "an answer"},
		{"\x94\x01\x05\xc0\x92\x09\xa0", 7, "an answer"},
		{"\x94\x01\x06\xc0\x00", 5, "an answer"},
		/* ends that are none */
		{"\x93\x02\xa5"
		 "final\x90",
			9, "a notification"},
		{"\x93\x02\xa5"
		 "final\x94\x07\xa6queued\xc0\xc0",
			19, "a notification"},
		{"\x93\x02\xa5"
		 "final\x94\x07\xa4mild\xc0\xc0",
			17, "a notification"},
		{"\x93\x02\xa5"
		 "final\x94\xa1"
		 "7\xa4"
		 "done\xc0\xc0",
			18, "a notification"},
		{"\x93\x02\xa5"
		 "final\x94\x07\xa4lost\xc0\xc0",
			17, "a notification"},
		{"\x93\x02\xa5"
		 "final\x95\x07\xa4"
		 "done\xc0\xc0\x01",
			18, "a notification"},
		{"\x93\x02\xa5"
		 "final\x95\x07\xa4"
		 "done\xc0\xc0\x81\x01\x02",
			20, "a notification"},
		{"\x93\x02\xa5"
		 "fatal\xc0",
			9, "no message"},
		{"\x93\x02\xa5"
		 "fatal\x92\x01\x02",
			11, "the daemon ended the connection"},
	};

	for (unsigned i = 0; i < ARRAY_SIZE(broken); i++) {
		struct client c;

		start(&c);
		fake_daemon_write(&c.d, broken[i].bytes, broken[i].n, NULL, 0);
		if (broken[i].why) {
			expect_end(&c, -EPROTO, broken[i].why);
		} else {
			/* half a message, and then nothing more */
			ck_assert_int_eq(client_run(c.p), 0);
			fake_daemon_hang_up(&c.d);
			expect_end(&c, -ENOTCONN, "closed the connection");
		}
		ck_assert_int_eq(poold_reconnect(c.p), 0);
		stop(&c);
	}
}
END_TEST

START_TEST(fds_that_do_not_fit)
{
	static const struct {
		const char *bytes;
		size_t n;
		unsigned n_fds;
		const char *why;
	} broken[] = {
		{"\x94\x01\x04\xc0\xc0", 5, 1, "1 fds that no message names"},
		{"\x94\x01\x04\xc0\xd4\x01\x00", 7, 2, "1 fds that no message names"},
		{"\x94\x01\x04\xc0\x92\xd4\x01\x00\xd4\x01\x02", 11, 3, "ext types"},
		{"\x94\x01\x04\xc0\x99\xd4\x01\x00\xd4\x01\x01\xd4\x01\x02\xd4\x01\x03\xd4\x01\x04"
		 "\xd4\x01\x05\xd4\x01\x06\xd4\x01\x07\xd4\x01\x08",
			32, 9, "names 9 fds"},
		/* to a msgid that nobody waits for, and in an error */
		{"\x94\x01\x63\xc0\xd4\x01\x00\xc1", 8, 1, "not MessagePack"},
		{"\x94\x01\x04\x93\xa0\xa0\xd4\x01\x00\xc0\xc1", 11, 1, "not MessagePack"},
	};
	unsigned before = suite_open_fds();

	for (unsigned i = 0; i < ARRAY_SIZE(broken); i++) {
		int fds[16];
		struct client c;

		start(&c);
		for (unsigned k = 0; k < broken[i].n_fds; k++)
			fds[k] = peer_memfd("x", 1);
		fake_daemon_write(&c.d, broken[i].bytes, broken[i].n, fds, broken[i].n_fds);
		for (unsigned k = 0; k < broken[i].n_fds; k++)
			fd_close(fds[k]);
		expect_end(&c, -EPROTO, broken[i].why);
		stop(&c);
		ck_assert_uint_eq(suite_open_fds(), before);
	}
}
END_TEST

START_TEST(an_fd_of_the_wrong_kind)
{
	const void *bytes;
	struct client c;
	size_t len;
	int fd;

	start(&c);
	fd = dup(c.d.listener);
	fake_daemon_say_fds(&c.d, &fd, 1, "[is[usFnn]]", 2, "final", (uint64_t)7, "done", 0);
	ck_assert_int_eq(poold_future_wait(c.f[1], POOLD_FOREVER), 1);
	ck_assert_int_eq(poold_future_get_bytes(c.f[1], &bytes, &len), -EPROTO);
	ck_assert_int_eq(poold_future_get_fd(c.f[1], 0, NULL), -EPROTO);
	ck_assert_int_eq(poold_future_get_part(c.f[1], 1, &bytes, &len), -ENODATA);
	stop(&c);
}
END_TEST

START_TEST(what_nobody_waits_for_is_dropped)
{
	struct client c;

	start(&c);
	fake_daemon_say(&c.d, "[iins]", 1, 999, "answer to nothing");
	fake_daemon_say(&c.d, "[is[usnnn]]", 2, "final", (uint64_t)12345, "done");
	fake_daemon_say(&c.d, "[is[]]", 2, "news");
	fake_daemon_say(&c.d, "[iins]", 1, 4, "pong");
	fake_daemon_say(&c.d, "[iins]", 1, 4, "pong again");
	ck_assert_int_eq(client_run(c.p), 0);
	ck_assert_uint_eq(c.n_called, 1);
	ck_assert_int_eq(poold_get_fd(c.p) >= 0, 1);
	stop(&c);
}
END_TEST

/* All that start() waits for, well answered. */
static void pack_conversation(struct buf *b)
{
	literal_pack(b, "[iinu]", 1, 2, (uint64_t)6);
	literal_pack(b, "[is[ussn{sisi}]]", 2, "final", (uint64_t)6, "done", "value", "queued", 1,
		"run", 2);
	literal_pack(b, "[iint]", 1, 3, 1);
	literal_pack(b, "[is[usn[ss{si}]n]]", 2, "final", (uint64_t)7, "failed", "exit", "code 3",
		"exit_code", 3);
	literal_pack(b, "[iin[uu]]", 1, 5, (uint64_t)8, (uint64_t)9);
	literal_pack(b, "[iins]", 1, 4, "pong");
	literal_pack(b, "[is[usn[ss{}]n]]", 2, "final", (uint64_t)9, "lost", "lost", "signal 9");
	literal_pack(b, "[is[usinn]]", 2, "final", (uint64_t)8, "done", 5);
	literal_pack(b, "[iinu]", 1, 6, (uint64_t)10);
}

START_TEST(byte_by_byte)
{
	struct buf b = BUF_INIT(4096);
	struct client c;

	start(&c);
	pack_conversation(&b);
	for (size_t i = 0; i < buf_used(&b); i++) {
		fake_daemon_write(&c.d, buf_head(&b) + i, 1, NULL, 0);
		ck_assert_int_eq(client_run(c.p), 0);
	}
	ck_assert_uint_eq(c.n_called, 6);
	ck_assert_int_eq(poold_future_get_state(c.f[0]), POOLD_DONE);
	ck_assert_int_eq(poold_future_get_state(c.f[1]), POOLD_FAILED);
	ck_assert_int_eq(poold_future_get_state(c.f[2]), POOLD_DONE);
	ck_assert_int_eq(poold_future_get_state(c.f[3]), POOLD_LOST);
	ck_assert_int_eq(poold_future_get_state(c.f[4]), POOLD_DONE);
	buf_deinit(&b);
	stop(&c);
}
END_TEST

/* Looks at all that a future has. */
static void look_at(poold_future *f)
{
	poold_timing timing = {.size = sizeof(timing)};
	const char *code, *message;
	const void *bytes;
	size_t len;
	int n;

	if (poold_future_get_error(f, &code, &message) > 0)
		ck_assert_uint_le(strlen(code) + strlen(message), 4096);
	(void)poold_future_get_bytes(f, &bytes, &len);
	(void)poold_future_get_encoded(f, &bytes, &len);
	(void)poold_future_get_details(f, &bytes, &len);
	(void)poold_future_get_exit(f, &n, NULL);
	(void)poold_future_get_output(f, 1, &bytes, &len, &n);
	(void)poold_future_get_timing(f, &timing);
}

START_TEST(a_conversation_with_bytes_changed)
{
	uint64_t random = 20250101;
	unsigned n_broken = 0;

	for (unsigned i = 0; i < MUTATIONS; i++) {
		struct buf b = BUF_INIT(4096);
		struct client c;
		int r;

		start(&c);
		pack_conversation(&b);
		for (unsigned k = suite_random(&random) % 3 + 1; k > 0; k--)
			b.data[suite_random(&random) % buf_used(&b)] = (uint8_t)suite_random(
				&random);
		fake_daemon_write(&c.d, buf_head(&b), buf_used(&b), NULL, 0);
		r = client_run(c.p);
		ck_assert_msg(r == 0 || r == -EPROTO, "round %u: %d", i, r);
		n_broken += r < 0;
		fake_daemon_hang_up(&c.d);
		ck_assert_int_lt(client_run(c.p), 0);
		ck_assert_uint_eq(c.n_called, 6);
		for (unsigned k = 0; k < 5; k++)
			look_at(c.f[k]);
		buf_deinit(&b);
		stop(&c);
	}
	ck_assert_uint_gt(n_broken, MUTATIONS / 10);
	ck_assert_uint_lt(n_broken, MUTATIONS);
}
END_TEST

/* The whole way, with the n-th allocation failing: each step may, nothing else may. False once n is
 * higher than there are allocations. */
static bool run_out_of_memory_at(struct fake_daemon *d, const struct buf *conversation, unsigned n)
{
	const poold_input inputs[2] = {poold_input_nil(), poold_input_text("x")};
	poold_future *f[5] = {}, *next;
	poold_command *command = NULL;
	poold_set *set = NULL;
	poold *p = NULL;
	bool failed;
	int r;

	fault_alloc_at(n);
	r = poold_open(&p, fake_daemon_path(d));
	if (r == 0) {
		(void)!poold_set_new(p, &set);
		(void)!poold_submit(p, "f", inputs[0], NULL, &f[0]);
		(void)!poold_future_open(p, 7, &f[1]);
		(void)!poold_request_async(p, "ping", NULL, NULL, NULL);
		(void)!poold_submit_many(p, "f", inputs, 2, NULL, &f[2]);
		(void)!poold_put(p, inputs[1], NULL, &f[4]);
		(void)!poold_future_cancel(f[0], POOLD_CANCEL_TERM, "reason");
		(void)!poold_future_release(f[1]);
		for (unsigned i = 0; set && i < 5; i++)
			(void)!poold_set_add(set, f[i]);
		if (poold_command_new(&command) == 0) {
			(void)!poold_command_set_env(command, "A", "b");
			(void)!poold_command_add_arg(command, "c");
			if (poold_submit(p, "g", poold_input_command(command), NULL, &next) == 0)
				poold_future_unref(next);
		}
	}
	failed = fault_end();
	if (p) {
		fake_daemon_accept(d);
		(void)client_run(p);
		fault_alloc_at(n);
		fake_daemon_write(d, buf_head(conversation), buf_used(conversation), NULL, 0);
		(void)client_run(p);
		failed |= fault_end();
		fake_daemon_hang_up(d);
		ck_assert_int_lt(client_run(p), 0);
	}
	poold_set_free(set);
	for (unsigned i = 0; i < 5; i++)
		poold_future_unref(f[i]);
	poold_command_free(command);
	poold_unref(p);
	return failed;
}

START_TEST(memory_that_runs_out)
{
	struct buf conversation = BUF_INIT(4096);
	struct fake_daemon d;
	unsigned before, n = 1;

	fake_daemon_start(&d);
	pack_conversation(&conversation);
	before = suite_open_fds();
	while (run_out_of_memory_at(&d, &conversation, n)) {
		ck_assert_uint_eq(suite_open_fds(), before);
		ck_assert_uint_lt(++n, 1000);
	}
	ck_assert_uint_gt(n, 15);
	buf_deinit(&conversation);
	fake_daemon_stop(&d);
}
END_TEST

SUITE_MAIN("client_hostile", bytes_that_break_the_protocol, fds_that_do_not_fit,
	an_fd_of_the_wrong_kind, what_nobody_waits_for_is_dropped, byte_by_byte,
	a_conversation_with_bytes_changed, memory_that_runs_out)
