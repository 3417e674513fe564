/* Requests of libpoold: the generic one in both forms, and those with a form of their own. The
 * answer lies in the socket before the request is made: msgids count up from hello's, which was 1.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "client/poold-request.h"
#include "client/poold-watch.h"
#include "tests/unit/fake_daemon.h"

static void expect_encoded(poold_reply *reply, const char *wanted)
{
	const void *encoded;
	size_t len;
	char *text;

	ck_assert_int_eq(poold_reply_get_error(reply, NULL, NULL), 0);
	ck_assert_int_eq(poold_reply_get_encoded(reply, &encoded, &len), 0);
	text = literal_text(cursor_of(encoded, len));
	ck_assert_str_eq(text, wanted);
	free(text);
	poold_reply_unref(reply);
}

/* What the callback of a watch saw last. */
static struct {
	unsigned n;
	uint64_t id;
	char kind[16], code[32];
	bool is_to_free;
} event;

static int on_event(
	poold_watch *watch, uint64_t id, const char *kind, poold_reply *reply, void *userdata)
{
	const char *code;

	(void)userdata;
	event.n++;
	event.id = id;
	snprintf(event.kind, sizeof(event.kind), "%s", kind);
	event.code[0] = 0;
	if (poold_reply_get_error(reply, &code, NULL) == 1)
		snprintf(event.code, sizeof(event.code), "%s", code);
	if (event.is_to_free)
		poold_watch_free(watch);
	return 0;
}

static void expect_event(unsigned n, uint64_t id, const char *kind, const char *code)
{
	ck_assert_uint_eq(event.n, n);
	ck_assert_uint_eq(event.id, id);
	ck_assert_str_eq(event.kind, kind);
	ck_assert_str_eq(event.code, code);
}

START_TEST(a_watch_is_told_until_it_is_freed_refused_or_disconnected)
{
	poold_watch_options o = POOLD_WATCH_OPTIONS_INIT;
	const uint64_t ids[] = {7, 8};
	struct fake_daemon d;
	poold_watch *w[4];
	poold *p;

	fake_daemon_start(&d);
	p = fake_daemon_connect(&d);
	o.ids = ids;
	o.n_ids = 2;
	o.all = 1;
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(poold_watch_new(p, &o, on_event, NULL, &w[i]), 0);
	ck_assert_int_eq(client_run(p), 0);
	for (int i = 0; i < 4; i++)
		fake_daemon_expect(&d, "watch", "[{\"ids\": [7, 8], \"all\": true}]");
	poold_watch_free(w[3]);
	fake_daemon_say(&d, "[iini]", 1, 2, 21);
	fake_daemon_say(&d, "[is[iis{ss}]]", 2, "event", 21, 7, "state", "state", "running");
	fake_daemon_say(&d, "[is[iis{}]]", 2, "event", 22, 8, "final");
	ck_assert_int_eq(client_run(p), 0);
	expect_event(1, 7, "state", "");
	fake_daemon_say(&d, "[ii[ss{}]n]", 1, 3, "quota", "too many");
	ck_assert_int_eq(client_run(p), 0);
	expect_event(2, 0, "refused", "quota");
	poold_watch_free(w[1]);
	fake_daemon_say(&d, "[iini]", 1, 5, 24);
	ck_assert_int_eq(client_run(p), 0);
	fake_daemon_expect(&d, "unwatch", "[24]");
	event.is_to_free = true;
	fake_daemon_say(&d, "[is[iis{}]]", 2, "event", 21, 8, "final");
	fake_daemon_say(&d, "[is[iis{}]]", 2, "event", 21, 9, "final");
	ck_assert_int_eq(client_run(p), 0);
	expect_event(3, 8, "final", "");
	fake_daemon_expect(&d, "unwatch", "[21]");
	fake_daemon_hang_up(&d);
	ck_assert_int_lt(client_run(p), 0);
	expect_event(4, 0, "disconnected", "disconnected");
	poold_unref(p);
	fake_daemon_stop(&d);
}
END_TEST

START_TEST(a_watch_without_a_number_is_told_that_it_is_over)
{
	poold_watch_options o = POOLD_WATCH_OPTIONS_INIT;
	struct fake_daemon d;
	poold_watch *w;
	poold *p;

	fake_daemon_start(&d);
	p = fake_daemon_connect(&d);
	event.n = 0;
	o.all = 1;
	ck_assert_int_eq(poold_watch_new(p, &o, on_event, NULL, &w), 0);
	ck_assert_int_eq(client_run(p), 0);
	fake_daemon_expect(&d, "watch", "[{\"ids\": [], \"all\": true}]");
	fake_daemon_say(&d, "[iins]", 1, 2, "no number");
	ck_assert_int_lt(client_run(p), 0);
	expect_event(1, 0, "disconnected", "disconnected");
	poold_watch_free(w);
	poold_unref(p);
	fake_daemon_stop(&d);
}
END_TEST

START_TEST(futures_are_added_to_a_watch)
{
	poold_watch_options o = POOLD_WATCH_OPTIONS_INIT;
	const uint64_t ids[] = {7, 8};
	uint64_t many[5000];
	struct fake_daemon d;
	poold_watch *w;
	poold *p;

	event.n = 0;
	fake_daemon_start(&d);
	p = fake_daemon_connect(&d);
	ck_assert_int_eq(poold_watch_new(p, &o, on_event, NULL, &w), 0);
	ck_assert_int_eq(poold_watch_add(w, ids, 1), 0); /* before it has a number */
	ck_assert_int_eq(poold_watch_add(w, ids + 1, 1), 0);
	ck_assert_int_eq(poold_watch_add(w, NULL, 0), 0);
	ck_assert_int_eq(poold_watch_add(w, NULL, 1), -EINVAL);
	ck_assert_int_eq(poold_watch_add(NULL, ids, 1), -EINVAL);
	ck_assert_int_eq(client_run(p), 0);
	fake_daemon_expect(&d, "watch", "[{\"ids\": []}]");
	fake_daemon_say(&d, "[iini]", 1, 2, 21);
	ck_assert_int_eq(client_run(p), 0);
	fake_daemon_expect(&d, "watch_add", "[21, [7, 8]]");
	ck_assert_int_eq(poold_watch_add(w, ids, 1), 0);
	ck_assert_int_eq(client_run(p), 0);
	fake_daemon_expect(&d, "watch_add", "[21, [7]]");
	fake_daemon_say(&d, "[iint]", 1, 3, 1);
	/* what cannot be watched ends the watch; later answers find nobody */
	fake_daemon_say(&d, "[ii[ss{}]n]", 1, 4, "quota", "too many");
	event.is_to_free = true;
	for (size_t i = 0; i < 5000; i++)
		many[i] = 7;
	ck_assert_int_eq(poold_watch_add(w, many, 5000), 0);
	ck_assert_int_eq(client_run(p), 0);
	expect_event(1, 0, "refused", "quota");
	fake_daemon_say(&d, "[iint]", 1, 5, 1);
	fake_daemon_say(&d, "[ii[ss{}]n]", 1, 6, "quota", "too many");
	ck_assert_int_eq(client_run(p), 0);
	ck_assert_uint_eq(event.n, 1);
	/* one that is over */
	event.is_to_free = false;
	ck_assert_int_eq(poold_watch_new(p, &o, on_event, NULL, &w), 0);
	ck_assert_int_eq(poold_watch_add(w, ids, 1), 0);
	fake_daemon_hang_up(&d);
	ck_assert_int_lt(client_run(p), 0);
	expect_event(2, 0, "disconnected", "disconnected");
	ck_assert_int_eq(poold_watch_add(w, ids, 1), -ENOTCONN);
	poold_watch_free(w);
	poold_unref(p);
	fake_daemon_stop(&d);
}
END_TEST

START_TEST(a_request_and_its_answer)
{
	poold_request_args args = POOLD_REQUEST_INIT;
	struct fake_daemon d;
	const char *code, *message;
	const void *bytes;
	poold_reply *reply;
	size_t len;
	poold *p;

	fake_daemon_start(&d);
	p = fake_daemon_connect(&d);
	fake_daemon_say(&d, "[iins]", 1, 2, "pong");
	ck_assert_int_eq(poold_request(p, "ping", NULL, POOLD_FOREVER, &reply), 0);
	ck_assert_int_eq(poold_reply_get_bytes(reply, &bytes, &len), 0);
	ck_assert_mem_eq(bytes, "pong", len);
	ck_assert_int_eq(poold_reply_get_fd(reply, 0, NULL), -ENODATA);
	poold_reply_unref(reply);
	fake_daemon_expect(&d, "ping", "[]");

	args.params = "\x91\x81\xa4pool\xa1x";
	args.params_len = 9;
	fake_daemon_say(&d, "[ii[ss{}]n]", 1, 3, "unknown_pool", "no pool \"x\"");
	ck_assert_int_eq(poold_request(p, "pools", &args, POOLD_FOREVER, &reply), 0);
	ck_assert_int_eq(poold_reply_get_error(reply, &code, &message), 1);
	ck_assert_str_eq(code, "unknown_pool");
	ck_assert_str_eq(message, "no pool \"x\"");
	ck_assert_int_eq(poold_reply_get_bytes(reply, &bytes, &len), -ENODATA);
	poold_reply_unref(reply);
	fake_daemon_expect(&d, "pools", "[{\"pool\": \"x\"}]");

	/* no array, half a value, fds that are not named */
	args.params_len = 8;
	ck_assert_int_eq(poold_request(p, "pools", &args, 0, &reply), -EBADMSG);
	args.params = "\x80";
	args.params_len = 1;
	ck_assert_int_eq(poold_request(p, "pools", &args, 0, &reply), -EBADMSG);
	args.params = "\x90";
	args.fds = &d.fd;
	args.n_fds = 1;
	ck_assert_int_eq(poold_request(p, "pools", &args, 0, &reply), -EBADMSG);
	args.size = 0;
	ck_assert_int_eq(poold_request(p, "pools", &args, 0, &reply), -EINVAL);
	ck_assert_int_eq(client_run(p), 0);
	fake_daemon_expect_silence(&d);
	poold_unref(p);
	fake_daemon_stop(&d);
}
END_TEST

START_TEST(fds_both_ways)
{
	poold_request_args args = POOLD_REQUEST_INIT;
	struct fake_daemon d;
	struct request q;
	poold_reply *reply;
	const void *bytes;
	int fds[2];
	size_t len;
	poold *p;

	fake_daemon_start(&d);
	p = fake_daemon_connect(&d);
	fds[0] = peer_memfd("one", 3);
	fds[1] = peer_memfd("three", 5);
	args.params = "\x92\xd4\x01\x00\xd4\x01\x01";
	args.params_len = 7;
	args.fds = fds;
	args.n_fds = 2;
	fake_daemon_say_fds(
		&d, (int[]){peer_memfd("a", 1), peer_memfd("bc", 2)}, 2, "[iin[FF]]", 1, 2, 0, 1);
	ck_assert_int_eq(poold_request(p, "echo", &args, POOLD_FOREVER, &reply), 0);
	fd_close(fds[0]);
	fd_close(fds[1]);
	ck_assert_int_eq(poold_reply_get_part(reply, 1, &bytes, &len), 0);
	ck_assert_uint_eq(len, 2);
	ck_assert_mem_eq(bytes, "bc", 2);
	ck_assert_int_ge(poold_reply_get_fd(reply, 0, &len), 0);
	ck_assert_uint_eq(len, 1);
	ck_assert_int_eq(poold_reply_get_part(reply, 2, &bytes, &len), -ENODATA);
	poold_reply_unref(reply);
	q = fake_daemon_read(&d);
	ck_assert_str_eq(q.params, "[fd(0), fd(1)]");
	ck_assert_int_eq(pread(q.fds[1], fds, 5, 0), 5);
	ck_assert_mem_eq(fds, "three", 5);
	request_forget(&q);
	fake_daemon_expect_silence(&d);
	poold_unref(p);
	fake_daemon_stop(&d);
}
END_TEST

struct seen {
	unsigned n;
	char code[64];
	poold_reply *kept;
};

static int note(poold_reply *reply, void *userdata)
{
	struct seen *seen = userdata;
	const char *code = "";

	seen->n++;
	poold_reply_get_error(reply, &code, NULL);
	strcpy(seen->code, code);
	poold_reply_unref(seen->kept);
	seen->kept = poold_reply_ref(reply);
	return 0;
}

START_TEST(answers_to_callbacks)
{
	struct fake_daemon d;
	struct seen seen = {};
	const char *message;
	poold *p;

	fake_daemon_start(&d);
	p = fake_daemon_connect(&d);
	ck_assert_int_eq(poold_request_async(p, "ping", NULL, note, &seen), 0);
	ck_assert_int_eq(poold_request_async(p, "ping", NULL, NULL, NULL), 0);
	ck_assert_int_eq(client_run(p), 0);
	fake_daemon_say(&d, "[iins]", 1, 3, "pong");
	ck_assert_int_eq(client_run(p), 0);
	ck_assert_uint_eq(seen.n, 0);
	fake_daemon_say(&d, "[iins]", 1, 2, "pong");
	ck_assert_int_eq(client_run(p), 0);
	ck_assert_uint_eq(seen.n, 1);
	ck_assert_str_eq(seen.code, "");
	/* an end of the connection is an answer too; that of the handle is none */
	ck_assert_int_eq(poold_request_async(p, "ping", NULL, note, &seen), 0);
	fake_daemon_hang_up(&d);
	ck_assert_int_eq(client_run(p), -ENOTCONN);
	ck_assert_uint_eq(seen.n, 2);
	ck_assert_str_eq(seen.code, "disconnected");
	ck_assert_int_eq(poold_reconnect(p), 0);
	ck_assert_int_eq(poold_request_async(p, "ping", NULL, note, &seen), 0);
	poold_unref(p);
	ck_assert_uint_eq(seen.n, 2);
	/* what was kept outlives them all */
	ck_assert_int_eq(poold_reply_get_error(seen.kept, NULL, &message), 1);
	ck_assert_str_eq(message, "connection lost");
	poold_reply_unref(seen.kept);
	fake_daemon_stop(&d);
}
END_TEST

START_TEST(an_answer_that_comes_too_late)
{
	struct fake_daemon d;
	poold_reply *reply;
	poold *p;

	fake_daemon_start(&d);
	p = fake_daemon_connect(&d);
	ck_assert_int_eq(poold_request(p, "stats", NULL, 0, &reply), -ETIMEDOUT);
	ck_assert_int_eq(poold_ping(p, 1000), -ETIMEDOUT);
	fake_daemon_say(&d, "[iins]", 1, 2, "late");
	fake_daemon_say(&d, "[iins]", 1, 3, "pong");
	fake_daemon_say(&d, "[iins]", 1, 4, "pong");
	ck_assert_int_eq(poold_ping(p, POOLD_FOREVER), 0);
	fake_daemon_hang_up(&d);
	ck_assert_int_eq(poold_request(p, "stats", NULL, POOLD_FOREVER, &reply), -ENOTCONN);
	ck_assert_int_eq(poold_request(p, "stats", NULL, POOLD_FOREVER, &reply), -ENOTCONN);
	poold_unref(p);
	fake_daemon_stop(&d);
}
END_TEST

START_TEST(what_hello_said)
{
	struct fake_daemon d;
	poold_reply *reply;
	poold *p;

	fake_daemon_start(&d);
	p = fake_daemon_connect(&d);
	ck_assert_int_eq(poold_hello(p, POOLD_FOREVER, &reply), 0);
	expect_encoded(reply, "{\"limits\": {\"message_bytes\": 1048576}}");
	poold_unref(p);
	/* one that never answers */
	ck_assert_int_eq(poold_open(&p, fake_daemon_path(&d)), 0);
	ck_assert_int_eq(poold_hello(p, 0, &reply), -ETIMEDOUT);
	fake_daemon_accept(&d);
	fake_daemon_hang_up(&d);
	ck_assert_int_eq(poold_hello(p, POOLD_FOREVER, &reply), -ENOTCONN);
	poold_unref(p);
	fake_daemon_stop(&d);
}
END_TEST

START_TEST(requests_with_a_form)
{
	poold_changes changes = POOLD_CHANGES_INIT;
	const uint64_t ids[] = {3, 4};
	struct fake_daemon d;
	poold_reply *reply;
	poold_state state;
	char bytes[8];
	size_t n;
	poold *p;
	int eof;

	fake_daemon_start(&d);
	p = fake_daemon_connect(&d);
	fake_daemon_say(&d, "[iins]", 1, 2, "running");
	ck_assert_int_eq(poold_poll(p, 3, &state), 0);
	ck_assert_int_eq(state, POOLD_RUNNING);
	fake_daemon_expect(&d, "poll", "[3]");

	fake_daemon_say(&d, "[iin[[us]]]", 1, 3, (uint64_t)4, "done");
	ck_assert_int_eq(poold_wait_ids(p, ids, 2, POOLD_FOR_ANY, 2500000, &reply), 0);
	expect_encoded(reply, "[[4, \"done\"]]");
	fake_daemon_expect(&d, "wait", "[[3, 4], {\"for\": \"any\", \"timeout\": 2.5}]");
	fake_daemon_say(&d, "[iin[]]", 1, 4);
	ck_assert_int_eq(poold_wait_ids(p, ids, 2, 2, POOLD_FOREVER, &reply), 0);
	expect_encoded(reply, "[]");
	fake_daemon_expect(&d, "wait", "[[3, 4], {\"for\": 2}]");
	ck_assert_int_eq(poold_wait_ids(p, ids, 0, 0, POOLD_FOREVER, &reply), -EINVAL);

	fake_daemon_say(&d, "[iini]", 1, 5, 42);
	ck_assert_int_eq(poold_result(p, 3, 0, 1, &reply), 0);
	expect_encoded(reply, "42");
	fake_daemon_expect(&d, "result", "[3, {\"timeout\": 0, \"release\": true}]");

	fake_daemon_say(&d, "[iin[bt]]", 1, 6, "abc", (size_t)3, 1);
	ck_assert_int_eq(poold_read(p, 3, "stdout", 5, sizeof(bytes), 0, bytes, &eof), 3);
	ck_assert_mem_eq(bytes, "abc", 3);
	ck_assert_int_eq(eof, 1);
	fake_daemon_expect(&d, "read", "[3, 5, 8, {\"stream\": \"stdout\", \"timeout\": 0}]");

	fake_daemon_say(&d, "[iin{si}]", 1, 7, "id", 3);
	ck_assert_int_eq(poold_info(p, 3, &reply), 0);
	expect_encoded(reply, "{\"id\": 3}");
	fake_daemon_expect(&d, "info", "[3]");

	fake_daemon_say(&d, "[iin[[us]]]", 1, 8, (uint64_t)3, "cancelling");
	ck_assert_int_eq(poold_cancel(p, ids, 1, POOLD_CANCEL_TERM, "why", &reply), 0);
	expect_encoded(reply, "[[3, \"cancelling\"]]");
	fake_daemon_expect(&d, "cancel", "[[3], {\"mode\": \"term\", \"reason\": \"why\"}]");

	fake_daemon_say(&d, "[iint]", 1, 9, 1);
	changes.label = "";
	changes.ttl_us = 2000000;
	changes.has_priority = 1;
	ck_assert_int_eq(poold_change(p, 3, &changes), 0);
	fake_daemon_expect(&d, "set", "[3, {\"label\": \"\", \"ttl\": 2, \"priority\": 0}]");
	changes.size = 1;
	ck_assert_int_eq(poold_change(p, 3, &changes), -EINVAL);

	fake_daemon_say(&d, "[iini]", 1, 10, 1);
	ck_assert_int_eq(poold_release(p, ids, 2, &n), 0);
	ck_assert_uint_eq(n, 1);
	fake_daemon_expect(&d, "release", "[[3, 4]]");
	poold_unref(p);
	fake_daemon_stop(&d);
}
END_TEST

START_TEST(refusals_are_errors_where_there_is_no_reply)
{
	const uint64_t id = 3;
	struct fake_daemon d;
	poold_state state;
	char bytes[2];
	size_t n;
	poold *p;
	int eof;

	fake_daemon_start(&d);
	p = fake_daemon_connect(&d);
	fake_daemon_say(&d, "[ii[ss]n]", 1, 2, "unknown_future", "no future 3");
	ck_assert_int_eq(poold_poll(p, 3, &state), -ENOENT);
	ck_assert_str_eq(poold_get_error_code(p), "unknown_future");
	ck_assert_str_eq(poold_get_error_text(p), "no future 3");
	fake_daemon_say(&d, "[ii[ss]n]", 1, 3, "expired", "future 3 has expired");
	ck_assert_int_eq(poold_read(p, 3, NULL, 0, 2, 0, bytes, &eof), -ENOENT);
	fake_daemon_say(&d, "[ii[ss]n]", 1, 4, "not_allowed", "no");
	ck_assert_int_eq(poold_release(p, &id, 1, &n), -EREMOTEIO);
	ck_assert_str_eq(poold_get_error_code(p), "not_allowed");
	/* answers of the wrong form are no crash, and harm no other request */
	fake_daemon_say(&d, "[iini]", 1, 5, 1);
	ck_assert_int_eq(poold_poll(p, 3, &state), -EPROTO);
	fake_daemon_say(&d, "[iin[bt]]", 1, 6, "abc", (size_t)3, 1);
	ck_assert_int_eq(poold_read(p, 3, NULL, 0, 2, 0, bytes, &eof), -EPROTO);
	fake_daemon_say(&d, "[iini]", 1, 7, 2);
	ck_assert_int_eq(poold_release(p, &id, 1, &n), -EPROTO);
	fake_daemon_say(&d, "[iins]", 1, 8, "pong");
	ck_assert_int_eq(poold_ping(p, POOLD_FOREVER), 0);
	poold_unref(p);
	fake_daemon_stop(&d);
}
END_TEST

SUITE_MAIN("client_request", a_watch_is_told_until_it_is_freed_refused_or_disconnected,
	a_watch_without_a_number_is_told_that_it_is_over, futures_are_added_to_a_watch,
	a_request_and_its_answer, fds_both_ways, answers_to_callbacks,
	an_answer_that_comes_too_late, what_hello_said, requests_with_a_form,
	refusals_are_errors_where_there_is_no_reply)
