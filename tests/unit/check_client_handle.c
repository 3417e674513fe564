/* The handle of libpoold: losing the daemon, coming back, fork, callbacks, what waits to be sent.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "client/poold-request.h"
#include "tests/unit/fake_daemon.h"

/* What the linker puts between fdpass and the kernel: so many sends fail with this. */
static struct {
	unsigned n;
	int error;
} refusals;

ssize_t __wrap_sendmsg(int fd, const struct msghdr *msg, int flags);
ssize_t __real_sendmsg(int fd, const struct msghdr *msg, int flags);

ssize_t __wrap_sendmsg(int fd, const struct msghdr *msg, int flags)
{
	if (refusals.n == 0)
		return __real_sendmsg(fd, msg, flags);
	refusals.n--;
	errno = refusals.error;
	return -1;
}

static poold_future *submit(poold *p)
{
	poold_future *f = NULL;

	ck_assert_int_eq(poold_submit(p, "f", poold_input_nil(), NULL, &f), 0);
	return f;
}

static void say_done(struct fake_daemon *d, uint64_t id)
{
	fake_daemon_say(d, "[is[usnnn]]", 2, "final", id, "done");
}

static int count(poold_future *f, void *userdata)
{
	++*(unsigned *)userdata;
	return 0;
}

START_TEST(a_lost_connection_is_told_and_mended)
{
	poold_future *acked, *sent, *next;
	struct fake_daemon d;
	unsigned n = 0;
	const char *code;
	poold_set *set;
	poold *p;

	fake_daemon_start(&d);
	p = fake_daemon_connect(&d);
	acked = submit(p);
	ck_assert_int_eq(poold_set_new(p, &set), 0);
	ck_assert_int_eq(client_run(p), 0);
	fake_daemon_say(&d, "[iinu]", 1, 2, (uint64_t)9);
	ck_assert_int_eq(client_run(p), 0);
	sent = submit(p);
	ck_assert_int_eq(client_run(p), 0);
	ck_assert_int_eq(poold_future_set_callback(acked, count, &n), 0);
	ck_assert_int_eq(poold_future_set_callback(sent, count, &n), 0);
	ck_assert_int_eq(poold_set_add(set, sent), 0);
	ck_assert_int_eq(poold_set_add(set, acked), 0);

	fake_daemon_hang_up(&d);
	ck_assert_int_eq(client_run(p), -ENOTCONN);
	ck_assert_uint_eq(n, 2);
	ck_assert_int_eq(poold_future_get_state(acked), POOLD_DISCONNECTED);
	ck_assert_int_eq(poold_future_get_state(sent), POOLD_DISCONNECTED);
	ck_assert_int_eq(poold_future_get_error(sent, &code, NULL), 1);
	ck_assert_str_eq(code, "disconnected");
	ck_assert_int_eq(poold_future_wait(acked, POOLD_FOREVER), -ENOTCONN);
	ck_assert_int_eq(poold_future_cancel(acked, POOLD_CANCEL_TERM, NULL), -ENOTCONN);
	ck_assert_int_eq(poold_submit(p, "f", poold_input_nil(), NULL, &next), -ENOTCONN);
	ck_assert_int_eq(poold_get_fd(p), -ENOTCONN);
	/* that one was not looked at before the connection came back: it waits again */
	ck_assert_int_eq(poold_set_next(set, 0, &next), 1);
	ck_assert_ptr_eq(poold_future_unref(next), NULL);

	ck_assert_int_eq(poold_reconnect(p), 0);
	fake_daemon_accept(&d);
	ck_assert_int_eq(poold_future_get_state(acked), POOLD_ACCEPTED);
	ck_assert_int_eq(poold_future_get_error(acked, &code, NULL), 0);
	ck_assert_int_eq(poold_future_get_state(sent), POOLD_DISCONNECTED);
	ck_assert_int_eq(client_run(p), 0);
	fake_daemon_expect(
		&d, "hello", "[{\"client\": \"libpoold\", \"version\": \"0.1.0\", \"fds\": true}]");
	fake_daemon_expect(&d, "deliver", "[[9]]");
	say_done(&d, 9);
	ck_assert_int_eq(poold_future_wait(acked, POOLD_FOREVER), 1);
	ck_assert_int_eq(poold_future_get_state(acked), POOLD_DONE);
	ck_assert_uint_eq(n, 3);
	while (poold_set_next(set, 0, &next) == 1)
		poold_future_unref(next);
	ck_assert_uint_eq(poold_set_get_size(set), 0);
	poold_set_free(set);
	poold_future_unref(acked);
	poold_future_unref(sent);
	poold_unref(p);
	fake_daemon_stop(&d);
}
END_TEST

START_TEST(a_waiter_that_reconnects_gets_the_end)
{
	poold_future *f, *next;
	struct fake_daemon d;
	poold_set *set;
	poold *p;

	fake_daemon_start(&d);
	p = fake_daemon_connect(&d);
	ck_assert_int_eq(poold_future_open(p, 9, &f), 0);
	ck_assert_int_eq(poold_set_new(p, &set), 0);
	ck_assert_int_eq(poold_set_add(set, f), 0);
	fake_daemon_hang_up(&d);
	ck_assert_int_eq(client_run(p), -ENOTCONN);
	ck_assert_int_eq(poold_reconnect(p), 0);
	fake_daemon_accept(&d);
	ck_assert_int_eq(poold_set_next(set, 0, &next), 0);
	/* the daemon refuses to tell: hello was request 3, deliver 4 */
	fake_daemon_say(&d, "[ii[ss]n]", 1, 4, "quota", "waits 5/5");
	ck_assert_int_eq(poold_set_next(set, POOLD_FOREVER, &next), 1);
	ck_assert_int_eq(poold_future_get_state(next), POOLD_REFUSED);
	poold_future_unref(next);
	poold_future_unref(f);
	poold_set_free(set);
	poold_unref(p);
	fake_daemon_stop(&d);
}
END_TEST

START_TEST(fatal_says_why)
{
	struct fake_daemon d;
	poold_future *f;
	poold *p;

	fake_daemon_start(&d);
	p = fake_daemon_connect(&d);
	f = submit(p);
	fake_daemon_say(&d, "[is[ss]]", 2, "fatal", "bad_request", "no \"array\"");
	fake_daemon_hang_up(&d);
	/* the bytes cannot be sent any more; what the daemon said is read all the same */
	ck_assert_int_eq(poold_future_wait(f, POOLD_FOREVER), -EPROTO);
	ck_assert_ptr_nonnull(strstr(poold_get_error_text(p), "bad_request: no \\\"array\\\""));
	ck_assert_int_eq(poold_process(p), -EPROTO);
	poold_future_unref(f);
	poold_unref(p);
	fake_daemon_stop(&d);
}
END_TEST

START_TEST(a_child_cannot_use_the_handle)
{
	struct fake_daemon d;
	poold_future *f, *other;
	poold_reply *reply;
	uint64_t at_us;
	int status;
	poold *p;
	pid_t pid;

	fake_daemon_start(&d);
	p = fake_daemon_connect(&d);
	f = submit(p);
	pid = fork();
	if (pid == 0) {
		bool is_dead = poold_process(p) == -ECHILD && poold_get_fd(p) == -ECHILD &&
			       poold_get_events(p) == -ECHILD &&
			       poold_get_timeout(p, &at_us) == -ECHILD &&
			       poold_wait(p, 0) == -ECHILD && poold_flush(p, 0) == -ECHILD &&
			       poold_submit(p, "f", poold_input_nil(), NULL, &other) == -ECHILD &&
			       poold_future_open(p, 1, &other) == -ECHILD &&
			       poold_future_wait(f, 0) == -ECHILD &&
			       poold_future_cancel(f, POOLD_CANCEL_TERM, NULL) == -ECHILD &&
			       poold_ping(p, 0) == -ECHILD && poold_info(p, 1, &reply) == -ECHILD &&
			       poold_reconnect(p) == -ECHILD;

		poold_future_unref(f);
		poold_unref(p);
		_exit(!is_dead);
	}
	ck_assert_int_gt(pid, 0);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	/* nothing came from the child, and the parent's connection lives */
	fake_daemon_expect_silence(&d);
	ck_assert_int_eq(client_run(p), 0);
	fake_daemon_expect(&d, "submit", "[\"f\", nil, {\"deliver\": true}]");
	poold_future_unref(f);
	poold_unref(p);
	fake_daemon_stop(&d);
}
END_TEST

/* Does all that a callback may do, and is refused what it may not. */
static int be_busy(poold_future *f, void *userdata)
{
	poold **p = userdata;
	poold_future *other;
	poold_reply *reply;

	ck_assert_int_eq(poold_process(*p), -EDEADLK);
	ck_assert_int_eq(poold_wait(*p, 0), -EDEADLK);
	ck_assert_int_eq(poold_ping(*p, 0), -EDEADLK);
	ck_assert_int_eq(poold_result(*p, 1, 0, 0, &reply), -EDEADLK);
	ck_assert_int_eq(poold_future_wait(f, 0), 1);
	ck_assert_int_eq(poold_submit(*p, "again", poold_input_nil(), NULL, &other), 0);
	ck_assert_int_eq(poold_future_wait(other, 0), -EDEADLK);
	poold_future_unref(other);
	*p = poold_unref(*p);
	return -ECANCELED;
}

START_TEST(a_callback_drops_everything)
{
	struct fake_daemon d;
	poold_future *f;
	poold *p;

	fake_daemon_start(&d);
	p = fake_daemon_connect(&d);
	f = submit(p);
	ck_assert_int_eq(poold_future_set_callback(f, be_busy, &p), 0);
	poold_future_unref(f);
	ck_assert_int_eq(client_run(p), 0);
	fake_daemon_say(&d, "[iinu]", 1, 2, (uint64_t)9);
	say_done(&d, 9);
	ck_assert_int_eq(poold_process(p), -ECANCELED);
	ck_assert_ptr_null(p);
	fake_daemon_expect(&d, "submit", "[\"f\", nil, {\"deliver\": true}]");
	fake_daemon_expect(&d, "submit", "[\"again\", nil, {\"deliver\": true}]");
	fake_daemon_stop(&d);
}
END_TEST

static int stop_first(poold_future *f, void *userdata)
{
	unsigned *n = userdata;

	return ++*n == 1 ? -ECANCELED : 0;
}

START_TEST(a_callback_ends_its_round_only)
{
	struct fake_daemon d;
	poold_future *f[2];
	uint64_t at_us;
	unsigned n = 0;
	poold *p;

	fake_daemon_start(&d);
	p = fake_daemon_connect(&d);
	for (unsigned i = 0; i < 2; i++) {
		ck_assert_int_eq(poold_future_open(p, 1 + i, &f[i]), 0);
		ck_assert_int_eq(poold_future_set_callback(f[i], stop_first, &n), 0);
	}
	ck_assert_int_eq(client_run(p), 0);
	say_done(&d, 1);
	say_done(&d, 2);
	ck_assert_int_eq(poold_process(p), -ECANCELED);
	ck_assert_uint_eq(n, 1);
	/* the second message lies in the buffer: a loop is told to come at once */
	ck_assert_int_eq(poold_get_timeout(p, &at_us), 0);
	ck_assert_uint_eq(at_us, 0);
	ck_assert_int_eq(poold_wait(p, POOLD_FOREVER), 1);
	ck_assert_int_eq(client_run(p), 0);
	ck_assert_uint_eq(n, 2);
	ck_assert_int_eq(poold_get_timeout(p, &at_us), 0);
	ck_assert_uint_eq(at_us, UINT64_MAX);
	/* one that is set after the end is called from the next round */
	ck_assert_int_eq(poold_future_set_callback(f[0], count, &n), 0);
	ck_assert_uint_eq(n, 2);
	ck_assert_int_eq(poold_get_timeout(p, &at_us), 0);
	ck_assert_uint_eq(at_us, 0);
	ck_assert_int_eq(client_run(p), 0);
	ck_assert_uint_eq(n, 3);
	for (unsigned i = 0; i < 2; i++)
		poold_future_unref(f[i]);
	poold_unref(p);
	fake_daemon_stop(&d);
}
END_TEST

static int free_set(poold_future *f, void *userdata)
{
	poold_set_free(userdata);
	return 0;
}

START_TEST(a_callback_frees_the_set_that_is_waited_on)
{
	struct fake_daemon d;
	poold_future *f, *next;
	poold_set *set;
	poold *p;

	fake_daemon_start(&d);
	p = fake_daemon_connect(&d);
	ck_assert_int_eq(poold_set_new(p, &set), 0);
	ck_assert_int_eq(poold_future_open(p, 1, &f), 0);
	ck_assert_int_eq(poold_set_add(set, f), 0);
	ck_assert_int_eq(poold_future_set_callback(f, free_set, set), 0);
	poold_future_unref(f);
	say_done(&d, 1);
	ck_assert_int_eq(poold_set_next(set, POOLD_FOREVER, &next), -ENOENT);
	poold_unref(p);
	fake_daemon_stop(&d);
}
END_TEST

START_TEST(too_much_to_be_sent)
{
	static char bytes[60000];
	struct fake_daemon d;
	unsigned n = 0, n_read = 0;
	poold_future *f;
	poold *p;
	int r;

	fake_daemon_start(&d);
	p = fake_daemon_connect(&d);
	ck_assert_int_eq(poold_set_out_max(p, 1 << 20), 0);
	while ((r = poold_submit(p, "f", poold_input_bytes(bytes, sizeof(bytes)), NULL, &f)) == 0) {
		poold_future_unref(f);
		ck_assert_uint_lt(++n, 1000);
	}
	ck_assert_int_eq(r, -EAGAIN);
	ck_assert_int_eq(poold_get_events(p), POLLIN | POLLOUT);
	ck_assert_int_eq(poold_flush(p, 0), 0);
	/* nothing of it is lost or torn */
	while (n_read < n) {
		struct request q = fake_daemon_read(&d);

		request_forget(&q);
		n_read++;
		if (poold_get_events(p) & POLLOUT)
			ck_assert_int_eq(client_run(p), 0);
	}
	ck_assert_int_eq(poold_flush(p, 0), 1);
	ck_assert_int_eq(poold_get_events(p), POLLIN);
	fake_daemon_expect_silence(&d);
	ck_assert_int_eq(poold_submit(p, "f", poold_input_nil(), NULL, &f), 0);
	poold_future_unref(f);
	poold_unref(p);
	fake_daemon_stop(&d);
}
END_TEST

START_TEST(the_kernel_takes_no_more_fds_for_a_while)
{
	static char bytes[70000];
	static const int errors[] = {ETOOMANYREFS, ENOBUFS, EINTR};
	struct fake_daemon d;
	struct request q;
	uint64_t at_us;
	poold_future *f;
	poold *p;

	fake_daemon_start(&d);
	p = fake_daemon_connect(&d);
	for (unsigned i = 0; i < ARRAY_SIZE(errors); i++) {
		ck_assert_int_eq(
			poold_submit(p, "f", poold_input_bytes(bytes, sizeof(bytes)), NULL, &f), 0);
		poold_future_unref(f);
		refusals.n = 1;
		refusals.error = errors[i];
		ck_assert_int_eq(poold_process(p), 0);
		if (errors[i] != EINTR) {
			/* the socket is writable all the time: that would be no guide */
			ck_assert_int_eq(poold_get_events(p), POLLIN);
			ck_assert_int_eq(poold_get_timeout(p, &at_us), 0);
			ck_assert_uint_lt(at_us, UINT64_MAX);
			ck_assert_int_eq(poold_wait(p, POOLD_FOREVER), 1);
			ck_assert_int_eq(client_run(p), 0);
		}
		q = fake_daemon_read(&d);
		ck_assert_uint_eq(q.n_fds, 1);
		request_forget(&q);
		ck_assert_int_eq(poold_get_timeout(p, &at_us), 0);
		ck_assert_uint_eq(at_us, UINT64_MAX);
	}
	/* what cannot be sent any more is closed, too */
	ck_assert_int_eq(
		poold_submit(p, "f", poold_input_bytes(bytes, sizeof(bytes)), NULL, &f), 0);
	refusals.n = 1;
	refusals.error = EPIPE;
	ck_assert_int_eq(poold_process(p), 0);
	ck_assert_int_eq(poold_flush(p, 0), 0);
	fake_daemon_hang_up(&d);
	ck_assert_int_eq(poold_flush(p, POOLD_FOREVER), -ENOTCONN);
	poold_future_unref(f);
	poold_unref(p);
	fake_daemon_stop(&d);
}
END_TEST

START_TEST(what_is_left_when_the_handle_goes)
{
	struct fake_daemon d;
	poold_future *f, *next;
	unsigned n = 0;
	poold_set *set;
	poold *p;

	fake_daemon_start(&d);
	p = fake_daemon_connect(&d);
	ck_assert_int_eq(poold_future_open(p, 5, &f), 0);
	ck_assert_int_eq(poold_set_new(p, &set), 0);
	ck_assert_int_eq(poold_set_add(set, f), 0);
	say_done(&d, 5);
	ck_assert_int_eq(client_run(p), 0);
	/* a callback that is due, and never comes */
	ck_assert_int_eq(poold_future_set_callback(f, count, &n), 0);
	ck_assert_ptr_eq(poold_future_get_userdata(f), &n);
	ck_assert_ptr_null(poold_unref(p));
	ck_assert_uint_eq(n, 0);
	ck_assert_int_eq(poold_future_set_callback(f, count, &n), -ENOTCONN);
	ck_assert_int_eq(poold_future_cancel(f, POOLD_CANCEL_TERM, NULL), 0);
	ck_assert_int_eq(poold_set_next(set, 0, &next), 1);
	ck_assert_ptr_eq(next, f);
	ck_assert_int_eq(poold_set_add(set, f), -EXDEV);
	ck_assert_int_eq(poold_set_next(set, 0, &next), -ENOENT);
	poold_set_free(set);
	poold_future_unref(f);
	poold_future_unref(f);
	fake_daemon_stop(&d);
}
END_TEST

SUITE_MAIN("client_handle", a_lost_connection_is_told_and_mended,
	a_waiter_that_reconnects_gets_the_end, fatal_says_why, a_child_cannot_use_the_handle,
	a_callback_drops_everything, a_callback_ends_its_round_only,
	a_callback_frees_the_set_that_is_waited_on, too_much_to_be_sent,
	the_kernel_takes_no_more_fds_for_a_while, what_is_left_when_the_handle_goes)
