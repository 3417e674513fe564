/* A job's way through libpoold: submit, acknowledgement, end, callbacks, sets, cancel, release. */
#include <errno.h>
#include <poll.h>
#include <string.h>

#include "tests/unit/fake_daemon.h"

#define WITH_DELIVER "{\"deliver\": true}"

/* What a callback saw. */
struct seen {
	unsigned n;
	poold_state state[8];
	int answer; /* what it returns */
};

static int note(poold_future *f, void *userdata)
{
	struct seen *seen = userdata;

	ck_assert_uint_lt(seen->n, ARRAY_SIZE(seen->state));
	seen->state[seen->n++] = poold_future_get_state(f);
	return seen->answer;
}

static poold_future *submit(poold *p, const char *function)
{
	poold_future *f = NULL;

	ck_assert_int_eq(poold_submit(p, function, poold_input_nil(), NULL, &f), 0);
	return f;
}

/* A submit that the daemon has acknowledged with this ID. */
static poold_future *accepted(struct fake_daemon *d, poold *p, uint64_t id)
{
	poold_future *f = submit(p, "bench/noop");
	uint32_t msgid;

	ck_assert_int_eq(client_run(p), 0);
	msgid = fake_daemon_expect(d, "submit", "[\"bench/noop\", nil, " WITH_DELIVER "]");
	fake_daemon_say(d, "[iinu]", 1, msgid, id);
	ck_assert_int_eq(client_run(p), 0);
	ck_assert_int_eq(poold_future_get_state(f), POOLD_ACCEPTED);
	ck_assert_uint_eq(poold_future_get_id(f), id);
	return f;
}

static void say_done(struct fake_daemon *d, uint64_t id, const char *result)
{
	fake_daemon_say(
		d, "[is[ussn{sisi}]]", 2, "final", id, "done", result, "queued", 1, "run", 2);
}

START_TEST(a_job_from_submit_to_result)
{
	poold_timing timing = {.size = sizeof(timing)};
	struct fake_daemon d;
	struct seen seen = {};
	poold_future *f;
	const char *code;
	const void *bytes;
	size_t len;
	poold *p;

	fake_daemon_start(&d);
	p = fake_daemon_connect(&d);
	f = submit(p, "digest/sha256");
	ck_assert_int_eq(poold_future_set_callback(f, note, &seen), 0);
	ck_assert_int_eq(poold_future_get_state(f), POOLD_SENT);
	ck_assert_uint_eq(poold_future_get_id(f), 0);
	fake_daemon_expect_silence(&d);
	ck_assert_int_eq(poold_get_events(p), POLLIN | POLLOUT);
	ck_assert_int_eq(client_run(p), 0);
	ck_assert_int_eq(poold_get_events(p), POLLIN);
	ck_assert_uint_eq(
		fake_daemon_expect(&d, "submit", "[\"digest/sha256\", nil, " WITH_DELIVER "]"), 2);
	fake_daemon_say(&d, "[iinu]", 1, 2, (uint64_t)7);
	ck_assert_int_eq(client_run(p), 0);
	ck_assert_int_eq(poold_future_get_state(f), POOLD_ACCEPTED);
	ck_assert_int_eq(poold_future_get_bytes(f, &bytes, &len), -ENODATA);
	ck_assert_int_eq(poold_future_get_timing(f, &timing), -ENODATA);
	ck_assert_int_eq(poold_future_get_error(f, &code, NULL), 0);
	ck_assert_uint_eq(seen.n, 0);
	say_done(&d, 7, "abc");
	ck_assert_int_eq(client_run(p), 0);
	ck_assert_uint_eq(seen.n, 1);
	ck_assert_int_eq(seen.state[0], POOLD_DONE);
	ck_assert_int_eq(poold_future_get_bytes(f, &bytes, &len), 0);
	ck_assert_mem_eq(bytes, "abc", len);
	ck_assert_uint_eq(len, 3);
	ck_assert_int_eq(poold_future_get_timing(f, &timing), 0);
	ck_assert_uint_eq(timing.queued_us, 1000000);
	ck_assert_uint_eq(timing.run_us, 2000000);
	ck_assert_uint_eq(timing.handover_us, 0);
	/* told twice, it is told once */
	say_done(&d, 7, "xyz");
	ck_assert_int_eq(client_run(p), 0);
	ck_assert_uint_eq(seen.n, 1);
	fake_daemon_expect_silence(&d);
	/* what it holds outlives the handle */
	ck_assert_ptr_null(poold_unref(p));
	ck_assert_ptr_null(poold_future_get_handle(f));
	ck_assert_int_eq(poold_future_get_bytes(f, &bytes, &len), 0);
	ck_assert_mem_eq(bytes, "abc", 3);
	poold_future_unref(f);
	fake_daemon_stop(&d);
}
END_TEST

START_TEST(answers_and_ends_in_any_order)
{
	struct fake_daemon d;
	poold_future *f[3], *next;
	poold_set *set;
	poold *p;

	fake_daemon_start(&d);
	p = fake_daemon_connect(&d);
	ck_assert_int_eq(poold_set_new(p, &set), 0);
	for (unsigned i = 0; i < 3; i++) {
		f[i] = submit(p, "f");
		ck_assert_int_eq(poold_set_add(set, f[i]), 0);
		ck_assert_int_eq(poold_set_add(set, f[i]), -EBUSY);
	}
	ck_assert_int_eq(client_run(p), 0);
	for (unsigned i = 3; i-- > 0;)
		fake_daemon_say(&d, "[iinu]", 1, 2 + i, (uint64_t)10 + i);
	ck_assert_int_eq(client_run(p), 0);
	for (unsigned i = 0; i < 3; i++)
		ck_assert_uint_eq(poold_future_get_id(f[i]), 10 + i);
	ck_assert_int_eq(poold_set_next(set, 0, &next), 0);
	say_done(&d, 11, "");
	say_done(&d, 12, "");
	say_done(&d, 10, "");
	for (unsigned i = 0; i < 3; i++) {
		static const unsigned order[] = {1, 2, 0};

		ck_assert_int_eq(poold_set_next(set, POOLD_FOREVER, &next), 1);
		ck_assert_ptr_eq(next, f[order[i]]);
		poold_future_unref(next);
		ck_assert_uint_eq(poold_set_get_size(set), 2 - i);
	}
	ck_assert_int_eq(poold_set_next(set, POOLD_FOREVER, &next), -ENOENT);
	/* one that is settled already comes out at once */
	ck_assert_int_eq(poold_set_add(set, f[2]), 0);
	ck_assert_int_eq(poold_set_next(set, 0, &next), 1);
	ck_assert_ptr_eq(next, f[2]);
	ck_assert_int_eq(poold_set_add(set, f[0]), 0);
	ck_assert_ptr_null(poold_set_free(set));
	poold_future_unref(next);
	for (unsigned i = 0; i < 3; i++)
		poold_future_unref(f[i]);
	poold_unref(p);
	fake_daemon_stop(&d);
}
END_TEST

START_TEST(a_refused_submit_says_why)
{
	struct fake_daemon d;
	struct seen seen = {};
	const char *code, *message;
	const void *encoded;
	poold_future *f;
	size_t len;
	char *text;
	poold *p;

	fake_daemon_start(&d);
	p = fake_daemon_connect(&d);
	f = submit(p, "nowhere/nothing");
	ck_assert_int_eq(poold_future_set_callback(f, note, &seen), 0);
	ck_assert_int_eq(client_run(p), 0);
	fake_daemon_say(&d, "[ii[ss{sisi}]n]", 1, 2, "quota", "jobs 5/5", "limit", 5, "max", 5);
	ck_assert_int_eq(poold_future_wait_id(f, POOLD_FOREVER), 1);
	ck_assert_int_eq(poold_future_get_state(f), POOLD_REFUSED);
	ck_assert_uint_eq(poold_future_get_id(f), 0);
	ck_assert_int_eq(poold_future_wait(f, POOLD_FOREVER), 1);
	ck_assert_int_eq(poold_future_get_error(f, &code, &message), 1);
	ck_assert_str_eq(code, "quota");
	ck_assert_str_eq(message, "jobs 5/5");
	ck_assert_int_eq(poold_code_is_temporary(code), 1);
	ck_assert_int_eq(poold_future_get_details(f, &encoded, &len), 0);
	text = literal_text(cursor_of(encoded, len));
	ck_assert_str_eq(text, "{\"limit\": 5, \"max\": 5}");
	free(text);
	ck_assert_uint_eq(seen.n, 1);
	ck_assert_int_eq(seen.state[0], POOLD_REFUSED);
	ck_assert_int_eq(poold_future_cancel(f, POOLD_CANCEL_KILL, NULL), 0);
	poold_future_unref(f);
	poold_unref(p);
	fake_daemon_stop(&d);
}
END_TEST

START_TEST(every_final_state)
{
	static const struct {
		const char *word;
		poold_state state;
	} ends[] = {
		{"failed", POOLD_FAILED},
		{"cancelled", POOLD_CANCELLED},
		{"timeout", POOLD_TIMEOUT},
		{"lost", POOLD_LOST},
		{"aborted", POOLD_ABORTED},
		{"unknown_future", POOLD_REFUSED},
		{"expired", POOLD_REFUSED},
	};
	struct fake_daemon d;
	const char *code, *message;
	const void *bytes;
	size_t len;
	poold *p;

	fake_daemon_start(&d);
	p = fake_daemon_connect(&d);
	for (unsigned i = 0; i < ARRAY_SIZE(ends); i++) {
		poold_future *f = accepted(&d, p, 100 + i);

		fake_daemon_say(&d, "[is[usn[ss{}]n]]", 2, "final", (uint64_t)100 + i, ends[i].word,
			ends[i].word, "it went wrong");
		ck_assert_int_eq(poold_future_wait(f, POOLD_FOREVER), 1);
		ck_assert_int_eq(poold_future_get_state(f), ends[i].state);
		ck_assert_int_eq(poold_future_get_error(f, &code, &message), 1);
		ck_assert_str_eq(code, ends[i].word);
		ck_assert_str_eq(message, "it went wrong");
		ck_assert_int_eq(poold_future_get_bytes(f, &bytes, &len), -ENODATA);
		ck_assert_int_eq(poold_future_get_encoded(f, &bytes, &len), -ENODATA);
		if (i < 5)
			ck_assert_str_eq(poold_state_name(ends[i].state), ends[i].word);
		poold_future_unref(f);
	}
	poold_unref(p);
	fake_daemon_stop(&d);
}
END_TEST

START_TEST(done_with_a_result_that_did_not_fit)
{
	struct fake_daemon d;
	const char *code;
	const void *bytes;
	poold_future *f;
	size_t len;
	poold *p;

	fake_daemon_start(&d);
	p = fake_daemon_connect(&d);
	f = accepted(&d, p, 5);
	fake_daemon_say(
		&d, "[is[usn[ss{}]n]]", 2, "final", (uint64_t)5, "done", "too_large", "2 MiB");
	ck_assert_int_eq(poold_future_wait(f, POOLD_FOREVER), 1);
	ck_assert_int_eq(poold_future_get_state(f), POOLD_DONE);
	ck_assert_int_eq(poold_future_get_error(f, &code, NULL), 1);
	ck_assert_str_eq(code, "too_large");
	ck_assert_int_eq(poold_future_get_bytes(f, &bytes, &len), -ENODATA);
	poold_future_unref(f);
	poold_unref(p);
	fake_daemon_stop(&d);
}
END_TEST

START_TEST(a_future_by_its_id)
{
	struct fake_daemon d;
	poold_future *f, *same;
	const void *bytes;
	size_t len;
	poold *p;

	fake_daemon_start(&d);
	p = fake_daemon_connect(&d);
	ck_assert_int_eq(poold_future_open(p, 0, &f), -EINVAL);
	ck_assert_int_eq(poold_future_open(p, PROTO_ID_END, &f), -EINVAL);
	ck_assert_int_eq(poold_future_open(p, 77, &f), 0);
	ck_assert_int_eq(poold_future_get_state(f), POOLD_ACCEPTED);
	ck_assert_int_eq(poold_future_open(p, 77, &same), 0);
	ck_assert_ptr_eq(f, same);
	ck_assert_int_eq(client_run(p), 0);
	ck_assert_uint_eq(fake_daemon_expect(&d, "deliver", "[[77]]"), 2);
	fake_daemon_expect_silence(&d);
	/* the end may come before the answer */
	say_done(&d, 77, "r");
	fake_daemon_say(&d, "[iint]", 1, 2, 1);
	ck_assert_int_eq(poold_future_wait(f, POOLD_FOREVER), 1);
	ck_assert_int_eq(client_run(p), 0);
	ck_assert_int_eq(poold_future_get_bytes(f, &bytes, &len), 0);
	poold_future_unref(same);
	poold_future_unref(f);
	/* an answer with an error ends it too */
	ck_assert_int_eq(poold_future_open(p, 78, &f), 0);
	ck_assert_int_eq(client_run(p), 0);
	fake_daemon_say(&d, "[ii[ss]n]", 1, 3, "quota", "waits 5/5");
	ck_assert_int_eq(poold_future_wait(f, POOLD_FOREVER), 1);
	ck_assert_int_eq(poold_future_get_state(f), POOLD_REFUSED);
	poold_future_unref(f);
	poold_unref(p);
	fake_daemon_stop(&d);
}
END_TEST

START_TEST(one_id_told_to_two_futures)
{
	uint8_t large[] = {1, 2, 3};
	struct seen seen = {};
	struct fake_daemon d;
	poold_future *a, *b;
	const void *bytes;
	size_t len;
	int fd;
	poold *p;

	fake_daemon_start(&d);
	p = fake_daemon_connect(&d);
	a = submit(p, "f");
	ck_assert_int_eq(poold_future_open(p, 9, &b), 0);
	ck_assert_int_eq(poold_future_set_callback(a, note, &seen), 0);
	ck_assert_int_eq(poold_future_set_callback(b, note, &seen), 0);
	ck_assert_int_eq(client_run(p), 0);
	fake_daemon_say(&d, "[iinu]", 1, 2, (uint64_t)9);
	fake_daemon_say(&d, "[iint]", 1, 3, 1);
	fd = peer_memfd(large, sizeof(large));
	fake_daemon_say_fds(&d, &fd, 1, "[is[usFnn]]", 2, "final", (uint64_t)9, "done", 0);
	ck_assert_int_eq(client_run(p), 0);
	ck_assert_uint_eq(seen.n, 2);
	ck_assert_int_eq(poold_future_get_bytes(a, &bytes, &len), 0);
	ck_assert_mem_eq(bytes, large, sizeof(large));
	a = poold_future_unref(a);
	ck_assert_int_eq(poold_future_get_bytes(b, &bytes, &len), 0);
	ck_assert_mem_eq(bytes, large, sizeof(large));
	poold_future_unref(b);
	poold_unref(p);
	fake_daemon_stop(&d);
}
END_TEST

START_TEST(cancel_now_and_as_soon_as_possible)
{
	struct fake_daemon d;
	poold_future *f, *later;
	char long_reason[PROTO_REASON_BYTES + 2] = "";
	poold *p;

	fake_daemon_start(&d);
	p = fake_daemon_connect(&d);
	f = accepted(&d, p, 5);
	memset(long_reason, 'x', sizeof(long_reason) - 1);
	ck_assert_int_eq(poold_future_cancel(f, POOLD_CANCEL_TERM, long_reason), -EINVAL);
	ck_assert_int_eq(poold_future_cancel(f, (poold_cancel_mode)7, NULL), -EINVAL);
	ck_assert_int_eq(poold_future_cancel(f, POOLD_CANCEL_KILL, "no need"), 1);
	later = submit(p, "f");
	ck_assert_int_eq(poold_future_cancel(later, POOLD_CANCEL_TERM, "first thought"), 1);
	ck_assert_int_eq(poold_future_cancel(later, POOLD_CANCEL_QUEUED, NULL), 1);
	ck_assert_int_eq(client_run(p), 0);
	fake_daemon_expect(&d, "cancel", "[[5], {\"mode\": \"kill\", \"reason\": \"no need\"}]");
	fake_daemon_expect(&d, "submit", "[\"f\", nil, " WITH_DELIVER "]");
	fake_daemon_expect_silence(&d);
	fake_daemon_say(&d, "[iinu]", 1, 3, (uint64_t)6);
	ck_assert_int_eq(client_run(p), 0);
	fake_daemon_expect(&d, "cancel", "[[6], {\"mode\": \"queued\"}]");
	poold_future_unref(later);
	poold_future_unref(f);
	poold_unref(p);
	fake_daemon_stop(&d);
}
END_TEST

START_TEST(release_after_the_end_and_in_one_message)
{
	poold_options options = POOLD_OPTIONS_INIT;
	struct fake_daemon d;
	poold_future *f[3];
	uint64_t at_us;
	poold *p;

	fake_daemon_start(&d);
	p = fake_daemon_connect(&d);
	f[0] = accepted(&d, p, 20);
	options.auto_release = 1;
	for (unsigned i = 1; i < 3; i++)
		ck_assert_int_eq(poold_submit(p, "f", poold_input_nil(), &options, &f[i]), 0);
	ck_assert_int_eq(poold_future_release(f[0]), 0);
	ck_assert_int_eq(client_run(p), 0);
	for (unsigned i = 1; i < 3; i++) {
		fake_daemon_expect(&d, "submit", "[\"f\", nil, " WITH_DELIVER "]");
		fake_daemon_say(&d, "[iinu]", 1, 2 + i, (uint64_t)20 + i);
	}
	ck_assert_int_eq(client_run(p), 0);
	fake_daemon_expect_silence(&d);
	for (unsigned i = 0; i < 3; i++)
		say_done(&d, 20 + i, "");
	ck_assert_int_eq(poold_future_wait(f[2], POOLD_FOREVER), 1);
	/* a loop is told when it is time, if nothing is sent before */
	ck_assert_int_eq(poold_get_timeout(p, &at_us), 0);
	ck_assert_uint_lt(at_us, UINT64_MAX);
	ck_assert_int_eq(poold_wait(p, POOLD_FOREVER), 1);
	ck_assert_int_eq(client_run(p), 0);
	fake_daemon_expect(&d, "release", "[[20, 21, 22]]");
	ck_assert_int_eq(poold_get_timeout(p, &at_us), 0);
	ck_assert_uint_eq(at_us, UINT64_MAX);
	/* once is enough */
	ck_assert_int_eq(poold_future_release(f[1]), 0);
	ck_assert_int_eq(client_run(p), 0);
	fake_daemon_expect_silence(&d);
	for (unsigned i = 0; i < 3; i++)
		poold_future_unref(f[i]);
	/* asked for after the end; it goes out although the handle does */
	f[0] = accepted(&d, p, 30);
	say_done(&d, 30, "");
	ck_assert_int_eq(client_run(p), 0);
	ck_assert_int_eq(poold_future_release(f[0]), 0);
	poold_unref(p);
	fake_daemon_expect(&d, "release", "[[30]]");
	ck_assert_int_eq(poold_future_release(f[0]), -ENOTCONN);
	poold_future_unref(f[0]);
	fake_daemon_stop(&d);
}
END_TEST

SUITE_MAIN("client", a_job_from_submit_to_result, answers_and_ends_in_any_order,
	a_refused_submit_says_why, every_final_state, done_with_a_result_that_did_not_fit,
	a_future_by_its_id, one_id_told_to_two_futures, cancel_now_and_as_soon_as_possible,
	release_after_the_end_and_in_one_message)
