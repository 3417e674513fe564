/* A handle of libpoold whose daemon is killed and started anew by restart.py: what it says is on
 * standard output, when to go on comes as a line on standard input. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "client/poold-request.h"
#include "client/poold.h"
#include "tests/unit/suite.h"

static void say_and_await(const char *what)
{
	char line[16];

	puts(what);
	fflush(stdout);
	ck_assert_ptr_nonnull(fgets(line, sizeof(line), stdin));
}

static int count_call(poold_future *f, void *userdata)
{
	(void)f;
	++*(unsigned *)userdata;
	return 0;
}

static void expect_unknown(poold_future *f)
{
	const char *code;

	ck_assert_int_eq(poold_future_wait(f, POOLD_FOREVER), 1);
	ck_assert_int_eq(poold_future_get_state(f), POOLD_REFUSED);
	ck_assert_int_eq(poold_future_get_error(f, &code, NULL), 1);
	ck_assert_str_eq(code, "unknown_future");
}

START_TEST(a_handle_outlives_its_daemon)
{
	poold_future *running, *done, *unsent, *again, *next;
	uint64_t id, done_id;
	poold_state state;
	unsigned n_calls = 0;
	const void *bytes;
	poold *p;
	size_t n;

	ck_assert_int_eq(poold_open(&p, NULL), 0);
	ck_assert_int_eq(poold_submit(p, "bench/echo", poold_input_text("kept"), NULL, &done), 0);
	ck_assert_int_eq(poold_future_wait(done, POOLD_FOREVER), 1);
	done_id = poold_future_get_id(done);
	ck_assert_int_eq(poold_submit(p, "bench/sleep",
				 poold_input_encoded("\xce\x03\x93\x87\x00", 5), NULL, &running),
		0);
	ck_assert_int_eq(poold_future_set_callback(running, count_call, &n_calls), 0);
	ck_assert_int_eq(poold_future_wait_id(running, POOLD_FOREVER), 1);
	id = poold_future_get_id(running);
	say_and_await("up");

	/* killed, which the pump has not seen yet */
	ck_assert_int_eq(poold_submit(p, "bench/noop", poold_input_nil(), NULL, &unsent), 0);
	ck_assert_int_eq(poold_future_wait(running, POOLD_FOREVER), -ENOTCONN);
	ck_assert_int_eq(poold_future_get_state(running), POOLD_DISCONNECTED);
	ck_assert_uint_eq(n_calls, 1);
	ck_assert_int_eq(poold_future_get_state(unsent), POOLD_DISCONNECTED);
	ck_assert_int_eq(poold_future_wait_id(unsent, POOLD_FOREVER), -ENOTCONN);
	ck_assert_int_eq(poold_submit(p, "bench/noop", poold_input_nil(), NULL, &next), -ENOTCONN);
	ck_assert_int_eq(poold_poll(p, id, &state), -ENOTCONN);
	ck_assert_int_eq(poold_reconnect(p), -ECONNREFUSED);
	ck_assert_int_eq(poold_future_get_state(running), POOLD_DISCONNECTED);
	/* what was had stays */
	ck_assert_int_eq(poold_future_get_bytes(done, &bytes, &n), 0);
	ck_assert_mem_eq(bytes, "kept", 4);
	say_and_await("down");

	/* another daemon */
	ck_assert_int_eq(poold_reconnect(p), 0);
	ck_assert_int_eq(poold_reconnect(p), -EISCONN);
	ck_assert_int_eq(poold_future_get_state(running), POOLD_ACCEPTED);
	expect_unknown(running);
	ck_assert_uint_eq(n_calls, 2);
	ck_assert_int_eq(poold_future_get_state(unsent), POOLD_DISCONNECTED);
	ck_assert_int_eq(poold_future_wait_id(unsent, 0), -ENOTCONN);
	ck_assert_int_eq(poold_future_wait(unsent, 0), -ENOTCONN);
	poold_future_unref(unsent);
	ck_assert_int_eq(poold_future_get_state(done), POOLD_DONE);
	ck_assert_int_eq(poold_poll(p, id, &state), -ENOENT);
	ck_assert_str_eq(poold_get_error_code(p), "unknown_future");
	poold_future_unref(done);
	ck_assert_int_eq(poold_future_open(p, done_id, &again), 0);
	expect_unknown(again);
	ck_assert_int_eq(poold_submit(p, "bench/echo", poold_input_text("new"), NULL, &next), 0);
	ck_assert_int_eq(poold_future_wait(next, POOLD_FOREVER), 1);
	ck_assert_int_eq(poold_future_get_state(next), POOLD_DONE);
	ck_assert_uint_gt(poold_future_get_id(next), id);
	poold_future_unref(next);
	poold_future_unref(again);
	poold_future_unref(running);
	poold_unref(p);
}
END_TEST

SUITE_MAIN("restart", a_handle_outlives_its_daemon)
