/* The other ways of handing in: a value, many inputs at once, with options. */
#include <errno.h>

#include "client/poold-request.h"
#include "tests/unit/fake_daemon.h"

#define WITH_DELIVER "{\"deliver\": true}"

static int count(poold_future *f, void *userdata)
{
	++*(unsigned *)userdata;
	return 0;
}

START_TEST(put_is_done_when_acknowledged)
{
	poold_options options = POOLD_OPTIONS_INIT;
	struct fake_daemon d;
	const void *bytes;
	poold_future *f;
	size_t len;
	poold *p;

	fake_daemon_start(&d);
	p = fake_daemon_connect(&d);
	options.priority = 1;
	ck_assert_int_eq(poold_put(p, poold_input_text("v"), &options, &f), -EINVAL);
	options.priority = 0;
	options.label = "l";
	options.attached = 1;
	options.admit_within_us = 2000000;
	ck_assert_int_eq(poold_put(p, poold_input_text("v"), &options, &f), 0);
	ck_assert_int_eq(client_run(p), 0);
	ck_assert_uint_eq(
		fake_daemon_expect(&d, "put",
			"[\"v\", {\"attached\": true, \"label\": \"l\", \"admit_within\": 2}]"),
		2);
	fake_daemon_say(&d, "[iinu]", 1, 2, (uint64_t)8);
	ck_assert_int_eq(poold_future_wait(f, POOLD_FOREVER), 1);
	ck_assert_int_eq(poold_future_get_state(f), POOLD_DONE);
	ck_assert_uint_eq(poold_future_get_id(f), 8);
	ck_assert_int_eq(poold_future_get_bytes(f, &bytes, &len), -ENODATA);
	poold_future_unref(f);
	poold_unref(p);
	fake_daemon_stop(&d);
}
END_TEST

START_TEST(submit_many_all_or_none)
{
	poold_input inputs[3] = {
		poold_input_bytes("a", 1), poold_input_nil(), poold_input_text("t")};
	struct fake_daemon d;
	unsigned n_called = 0;
	poold_future *f[3];
	poold *p;

	fake_daemon_start(&d);
	p = fake_daemon_connect(&d);
	for (unsigned round = 0; round < 2; round++) {
		ck_assert_int_eq(poold_submit_many(p, "f", inputs, 3, NULL, f), 0);
		for (unsigned i = 0; i < 3; i++)
			ck_assert_int_eq(poold_future_set_callback(f[i], count, &n_called), 0);
		ck_assert_int_eq(client_run(p), 0);
		fake_daemon_expect(
			&d, "submit_many", "[\"f\", [b\"a\", nil, \"t\"], " WITH_DELIVER "]");
		if (round == 0)
			fake_daemon_say(
				&d, "[iin[uuu]]", 1, 2, (uint64_t)4, (uint64_t)5, (uint64_t)6);
		else
			fake_daemon_say(&d, "[ii[ss]n]", 1, 3, "full", "no room");
		ck_assert_int_eq(client_run(p), 0);
		for (unsigned i = 0; i < 3; i++) {
			ck_assert_int_eq(poold_future_get_state(f[i]),
				round == 0 ? POOLD_ACCEPTED : POOLD_REFUSED);
			ck_assert_uint_eq(poold_future_get_id(f[i]), round == 0 ? 4 + i : 0);
			poold_future_unref(f[i]);
		}
		ck_assert_uint_eq(n_called, round == 0 ? 0 : 3);
	}
	poold_unref(p);
	ck_assert_uint_eq(n_called, 3);
	fake_daemon_stop(&d);
}
END_TEST

START_TEST(options_as_the_wire_wants_them)
{
	struct {
		poold_options known;
		uint64_t later;
	} o = {.known = POOLD_OPTIONS_INIT};
	struct fake_daemon d;
	poold_future *f;
	poold *p;

	fake_daemon_start(&d);
	p = fake_daemon_connect(&d);
	o.known.size = sizeof(o);
	o.known.timeout_us = 1500000;
	o.known.grace_us = 250000;
	o.known.ttl_us = 60000000;
	o.known.group = "g";
	o.known.label = "l";
	o.known.trace = "t";
	o.known.priority = -3;
	o.known.attached = 1;
	o.known.key = "k";
	o.known.start_within_us = 2000000;
	o.known.deadline_us = 3000000;
	o.known.delay_us = 4000000;
	o.known.backoff_us = 500000;
	o.known.retries = 5;
	o.known.retry_on = POOLD_RETRY_ON_LOST | POOLD_RETRY_ON_TIMEOUT;
	o.known.admit_within_us = 6000000;
	ck_assert_int_eq(poold_submit(p, "f", poold_input_nil(), &o.known, &f), 0);
	ck_assert_int_eq(client_run(p), 0);
	fake_daemon_expect(&d, "submit",
		"[\"f\", nil, {\"timeout\": 1.5, \"grace\": 0.25, \"deliver\": true, \"attached\": "
		"true, "
		"\"group\": \"g\", \"label\": \"l\", \"ttl\": 60, \"priority\": -3, \"trace\": "
		"\"t\", \"key\": \"k\", \"start_within\": 2, \"deadline\": 3, \"delay\": 4, "
		"\"retries\": 5, \"retry_on\": [\"lost\", \"timeout\"], \"backoff\": 0.5, "
		"\"admit_within\": 6}]");
	poold_future_unref(f);
	/* an option that this version does not know is not passed over */
	o.later = 1;
	ck_assert_int_eq(poold_submit(p, "f", poold_input_nil(), &o.known, &f), -EINVAL);
	o.later = 0;
	o.known.retries = 1001;
	ck_assert_int_eq(poold_submit(p, "f", poold_input_nil(), &o.known, &f), -EINVAL);
	o.known.retries = 1;
	o.known.retry_on = 8;
	ck_assert_int_eq(poold_submit(p, "f", poold_input_nil(), &o.known, &f), -EINVAL);
	o.known.size = 0;
	ck_assert_int_eq(poold_submit(p, "f", poold_input_nil(), &o.known, &f), -EINVAL);
	ck_assert_int_eq(poold_submit(p, "", poold_input_nil(), NULL, &f), -EINVAL);
	ck_assert_int_eq(client_run(p), 0);
	fake_daemon_expect_silence(&d);
	poold_unref(p);
	fake_daemon_stop(&d);
}
END_TEST

START_TEST(a_call_is_one_request_and_one_answer)
{
	poold_options o = POOLD_OPTIONS_INIT;
	struct fake_daemon d;
	const char *code;
	poold_reply *reply;
	poold *p;

	fake_daemon_start(&d);
	p = fake_daemon_connect(&d);
	o.priority = 2;
	fake_daemon_say(&d, "[iint]", 1, 2, 1);
	ck_assert_int_eq(poold_call(p, "f", poold_input_text("x"), &o, POOLD_FOREVER, &reply), 0);
	ck_assert_int_eq(poold_reply_get_error(reply, NULL, NULL), 0);
	poold_reply_unref(reply);
	fake_daemon_expect(&d, "call", "[\"f\", \"x\", {\"priority\": 2}]");
	fake_daemon_say(&d, "[ii[ss{}]n]", 1, 3, "lost", "its worker died");
	ck_assert_int_eq(poold_call(p, "f", poold_input_nil(), NULL, POOLD_FOREVER, &reply), 0);
	ck_assert_int_eq(poold_reply_get_error(reply, &code, NULL), 1);
	ck_assert_str_eq(code, "lost");
	poold_reply_unref(reply);
	fake_daemon_expect(&d, "call", "[\"f\", nil, {}]");

	o.key = "k";
	ck_assert_int_eq(poold_call(p, "f", poold_input_nil(), &o, 0, &reply), -EINVAL);
	ck_assert_int_eq(
		poold_call(p, "f", poold_input_encoded("\xc1", 1), NULL, 0, &reply), -EBADMSG);
	fake_daemon_expect_silence(&d);
	ck_assert_int_eq(poold_call(p, "f", poold_input_nil(), NULL, 0, &reply), -ETIMEDOUT);
	poold_unref(p);
	fake_daemon_stop(&d);
}
END_TEST

SUITE_MAIN("client_submit", put_is_done_when_acknowledged, submit_many_all_or_none,
	options_as_the_wire_wants_them, a_call_is_one_request_and_one_answer)
