/* poold_reload(): what it asks for, what it makes of the answer. */
#include <errno.h>

#include "client/poold-request.h"
#include "tests/unit/fake_daemon.h"

static struct fake_daemon d;
static poold *p;

static void set_up(void)
{
	fake_daemon_start(&d);
	p = fake_daemon_connect(&d);
}

static void tear_down(void)
{
	poold_unref(p);
	fake_daemon_stop(&d);
}

START_TEST(the_answer_is_the_callers)
{
	static const char *const restart[] = {"a", "bench"};
	const void *encoded;
	poold_reply *reply;
	size_t len;
	char *text;

	fake_daemon_say(&d, "[iin{s[s]s[]}]", 1, 2, "restarted", "a", "added");
	ck_assert_int_eq(poold_reload(p, restart, 2, POOLD_FOREVER, &reply), 0);
	ck_assert_uint_eq(
		fake_daemon_expect(&d, "reload", "[nil, {\"restart\": [\"a\", \"bench\"]}]"), 2);
	ck_assert_int_eq(poold_reply_get_encoded(reply, &encoded, &len), 0);
	text = literal_text(cursor_of(encoded, len));
	ck_assert_str_eq(text, "{\"restarted\": [\"a\"], \"added\": []}");
	free(text);
	poold_reply_unref(reply);
}
END_TEST

START_TEST(nobody_has_to_look_at_the_answer)
{
	fake_daemon_say(&d, "[iin{}]", 1, 2);
	ck_assert_int_eq(poold_reload(p, NULL, 0, POOLD_FOREVER, NULL), 0);
	fake_daemon_expect(&d, "reload", "[nil, {}]");
}
END_TEST

START_TEST(a_refusal_is_an_error_with_its_reason)
{
	poold_reply *reply = NULL;

	fake_daemon_say(&d, "[ii[ss{}]n]", 1, 2, "bad_request", "p.conf:3: unknown key \"x\"");
	ck_assert_int_eq(poold_reload(p, NULL, 0, POOLD_FOREVER, &reply), -EREMOTEIO);
	ck_assert_ptr_null(reply);
	ck_assert_str_eq(poold_get_error_code(p), "bad_request");
	ck_assert_str_eq(poold_get_error_text(p), "p.conf:3: unknown key \"x\"");
	fake_daemon_expect(&d, "reload", "[nil, {}]");
}
END_TEST

START_TEST(a_name_that_is_missing_is_not_asked_for)
{
	static const char *const restart[] = {"a", NULL};

	ck_assert_int_eq(poold_reload(p, restart, 2, POOLD_FOREVER, NULL), -EINVAL);
	ck_assert_int_eq(poold_reload(p, NULL, 1, POOLD_FOREVER, NULL), -EINVAL);
	fake_daemon_expect_silence(&d);
}
END_TEST

START_TEST(an_answer_that_comes_too_late_harms_nobody)
{
	ck_assert_int_eq(poold_reload(p, NULL, 0, 1000, NULL), -ETIMEDOUT);
	fake_daemon_expect(&d, "reload", "[nil, {}]");
	fake_daemon_say(&d, "[iin{}]", 1, 2);
	fake_daemon_say(&d, "[iins]", 1, 3, "pong");
	ck_assert_int_eq(poold_ping(p, POOLD_FOREVER), 0);
}
END_TEST

SUITE_MAIN_WITH("client_reload", set_up, tear_down, the_answer_is_the_callers,
	nobody_has_to_look_at_the_answer, a_refusal_is_an_error_with_its_reason,
	a_name_that_is_missing_is_not_asked_for, an_answer_that_comes_too_late_harms_nobody)
