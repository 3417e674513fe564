/* libpoold with a real daemon at $POOLD_SOCKET, started by libpoold.py. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "client/poold-command.h"
#include "client/poold-request.h"
#include "client/poold.h"
#include "tests/unit/suite.h"

#define LARGE_BYTES (3u * 1024u * 1024u + 17u)
#define MANY	    20000u
#define WINDOW	    500u

static poold *connect_to_daemon(void)
{
	poold *p = NULL;

	ck_assert_int_eq(poold_open(&p, NULL), 0);
	return p;
}

static poold_future *submit(poold *p, const char *function, poold_input input)
{
	poold_future *f = NULL;

	ck_assert_int_eq(poold_submit(p, function, input, NULL, &f), 0);
	return f;
}

/* Waits for a future to be done, and gives the bytes of its result. */
static const void *result_of(poold_future *f, size_t *ret_len)
{
	const char *code = "", *message = "";
	const void *bytes = NULL;

	ck_assert_int_eq(poold_future_wait(f, POOLD_FOREVER), 1);
	poold_future_get_error(f, &code, &message);
	ck_assert_msg(poold_future_get_state(f) == POOLD_DONE, "%s: %s", code, message);
	ck_assert_int_eq(poold_future_get_bytes(f, &bytes, ret_len), 0);
	return bytes;
}

START_TEST(bytes_come_back_as_they_went)
{
	static const size_t sizes[] = {0, 1, 65530, 65531, 65532, 65533, 65534, 65535, 65536, 65537,
		65538, 65539, 65540, 65541, 65542, 65543, 65544, 65545, LARGE_BYTES};
	uint8_t *bytes = malloc(LARGE_BYTES);
	poold *p = connect_to_daemon();
	unsigned fds = suite_open_fds();
	uint64_t random = 1;
	const void *result;
	size_t len;

	for (size_t i = 0; i < LARGE_BYTES; i++)
		bytes[i] = (uint8_t)suite_random(&random);
	for (unsigned i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct iovec iov[2] = {{bytes, sizes[i] / 2}, {bytes + sizes[i] / 2, 0}};
		poold_future *whole, *pieces;

		iov[1].iov_len = sizes[i] - iov[0].iov_len;
		whole = submit(p, "bench/echo", poold_input_bytes(bytes, sizes[i]));
		pieces = submit(p, "bench/echo", poold_input_iov(iov, 2));
		result = result_of(whole, &len);
		ck_assert_uint_eq(len, sizes[i]);
		ck_assert_mem_eq(result, bytes, len);
		result = result_of(pieces, &len);
		ck_assert_uint_eq(len, sizes[i]);
		ck_assert_mem_eq(result, bytes, len);
		poold_future_unref(whole);
		poold_future_unref(pieces);
	}
	ck_assert_uint_eq(suite_open_fds(), fds);
	free(bytes);
	poold_unref(p);
}
END_TEST

START_TEST(a_buffer_for_many_jobs)
{
	poold *p = connect_to_daemon();
	poold_future *f[4], *encoded;
	poold_buffer *b;
	const void *result;
	size_t len;

	ck_assert_int_eq(poold_buffer_new(&b, LARGE_BYTES), 0);
	memset(poold_buffer_get_data(b), 'a', LARGE_BYTES);
	for (unsigned i = 0; i < 4; i++)
		f[i] = submit(p, "digest/sha256", poold_input_buffer(b));
	poold_buffer_free(b);
	for (unsigned i = 0; i < 4; i++) {
		result = result_of(f[i], &len);
		ck_assert_uint_eq(len, 64);
		ck_assert_mem_eq(result, result_of(f[0], &len), 64);
	}
	for (unsigned i = 0; i < 4; i++)
		poold_future_unref(f[i]);
	/* {"a": [1, nil]} */
	encoded = submit(p, "bench/echo",
		poold_input_encoded("\x81\xa1"
				    "a\x92\x01\xc0",
			6));
	ck_assert_int_eq(poold_future_wait(encoded, POOLD_FOREVER), 1);
	ck_assert_int_eq(poold_future_get_encoded(encoded, &result, &len), 0);
	ck_assert_uint_eq(len, 6);
	ck_assert_mem_eq(result,
		"\x81\xa1"
		"a\x92\x01\xc0",
		6);
	poold_future_unref(encoded);
	poold_unref(p);
}
END_TEST

START_TEST(a_command_and_what_it_leaves)
{
	static const char *const vars[] = {"GREETING=hello", NULL};
	poold_timing timing = {.size = sizeof(timing)};
	poold *p = connect_to_daemon();
	int exit_code, signal, is_truncated;
	const char *code, *message;
	poold_command *c;
	const void *bytes;
	poold_future *f;
	size_t len;

	ck_assert_int_eq(poold_command_new(&c), 0);
	ck_assert_int_eq(
		poold_command_set_shell(c, "echo $GREETING; pwd; umask; cat >&2; exit 7"), 0);
	ck_assert_int_eq(poold_command_set_environ(c, vars), 0);
	ck_assert_int_eq(poold_command_set_cwd(c, "/"), 0);
	ck_assert_int_eq(poold_command_set_umask(c, 027), 0);
	ck_assert_int_eq(poold_command_set_stdin(c, poold_input_text("read me")), 0);
	f = submit(p, "exec", poold_input_command(c));
	poold_command_free(c);
	ck_assert_int_eq(poold_future_wait(f, POOLD_FOREVER), 1);
	ck_assert_int_eq(poold_future_get_error(f, &code, &message), 1);
	ck_assert_str_eq(code, "exit");
	ck_assert_int_eq(poold_future_get_exit(f, &exit_code, &signal), 0);
	ck_assert_int_eq(exit_code, 7);
	ck_assert_int_eq(signal, 0);
	ck_assert_int_eq(poold_future_get_output(f, 1, &bytes, &len, &is_truncated), 0);
	ck_assert_uint_eq(len, 13);
	ck_assert_mem_eq(bytes, "hello\n/\n0027\n", 13);
	ck_assert_int_eq(is_truncated, 0);
	ck_assert_int_eq(poold_future_get_output(f, 2, &bytes, &len, NULL), 0);
	ck_assert_uint_eq(len, 7);
	ck_assert_mem_eq(bytes, "read me", 7);
	ck_assert_int_eq(poold_future_get_timing(f, &timing), 0);
	ck_assert_uint_gt(timing.run_us, 0);
	poold_future_unref(f);
	poold_unref(p);
}
END_TEST

START_TEST(a_command_writes_to_a_file_of_ours)
{
	poold *p = connect_to_daemon();
	int exit_code, signal, ends[2];
	poold_command *c;
	const void *bytes;
	poold_future *f;
	char text[16];
	size_t len;

	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	ck_assert_int_eq(poold_command_new(&c), 0);
	ck_assert_int_eq(poold_command_set_shell(c, "echo out; echo err >&2"), 0);
	ck_assert_int_eq(poold_command_set_stdout_fd(c, ends[1]), 0);
	close(ends[1]);
	f = submit(p, "exec", poold_input_command(c));
	ck_assert_int_eq(poold_future_wait(f, POOLD_FOREVER), 1);
	ck_assert_int_eq(poold_future_get_exit(f, &exit_code, &signal), 0);
	ck_assert_int_eq(exit_code, 0);
	ck_assert_int_eq(poold_future_get_output(f, 1, &bytes, &len, NULL), -ENODATA);
	ck_assert_int_eq(poold_future_get_output(f, 2, &bytes, &len, NULL), 0);
	ck_assert_uint_eq(len, 4);
	/* the command of ours was the last that had the pipe */
	poold_command_free(c);
	ck_assert_int_eq(read(ends[0], text, sizeof(text)), 4);
	ck_assert_int_eq(read(ends[0], text, sizeof(text)), 0);
	close(ends[0]);
	poold_future_unref(f);
	poold_unref(p);
}
END_TEST

START_TEST(refused_and_failed)
{
	poold *p = connect_to_daemon();
	poold_future *f[3];
	const char *code, *message;

	f[0] = submit(p, "nowhere/nothing", poold_input_nil());
	f[1] = submit(p, "bench/nothing", poold_input_nil());
	f[2] = submit(p, "bench/crash", poold_input_encoded("\x09", 1));
	for (unsigned i = 0; i < 3; i++) {
		ck_assert_int_eq(poold_future_wait(f[i], POOLD_FOREVER), 1);
		ck_assert_int_eq(poold_future_get_error(f[i], &code, &message), 1);
		ck_assert_int_gt((int)strlen(message), 0);
	}
	ck_assert_int_eq(poold_future_get_state(f[0]), POOLD_REFUSED);
	ck_assert_int_eq(poold_future_get_state(f[1]), POOLD_REFUSED);
	ck_assert_int_eq(poold_future_get_state(f[2]), POOLD_LOST);
	ck_assert_str_eq(code, "lost");
	for (unsigned i = 0; i < 3; i++)
		poold_future_unref(f[i]);
	poold_unref(p);
}
END_TEST

START_TEST(an_id_outlives_its_connection)
{
	poold *first = connect_to_daemon(), *second;
	poold_future *f = submit(first, "bench/echo", poold_input_text("still here"));
	const uint64_t never = 1ull << 52;
	poold_reply *reply;
	poold_state state;
	const void *bytes;
	uint64_t id;
	size_t n;

	ck_assert_int_eq(poold_future_wait_id(f, POOLD_FOREVER), 1);
	id = poold_future_get_id(f);
	ck_assert_uint_gt(id, 0);
	poold_future_unref(f);
	poold_unref(first);

	second = connect_to_daemon();
	ck_assert_int_eq(poold_future_open(second, id, &f), 0);
	bytes = result_of(f, &n);
	ck_assert_uint_eq(n, 10);
	ck_assert_mem_eq(bytes, "still here", 10);
	ck_assert_int_eq(poold_poll(second, id, &state), 0);
	ck_assert_int_eq(state, POOLD_DONE);
	ck_assert_int_eq(poold_result(second, id, 0, 0, &reply), 0);
	ck_assert_int_eq(poold_reply_get_bytes(reply, &bytes, &n), 0);
	ck_assert_mem_eq(bytes, "still here", 10);
	poold_reply_unref(reply);
	ck_assert_int_eq(poold_release(second, &id, 1, &n), 0);
	ck_assert_uint_eq(n, 1);
	ck_assert_int_eq(poold_poll(second, id, &state), -ENOENT);
	ck_assert_str_eq(poold_get_error_code(second), "unknown_future");
	poold_future_unref(f);
	ck_assert_int_eq(poold_future_open(second, never, &f), 0);
	ck_assert_int_eq(poold_future_wait(f, POOLD_FOREVER), 1);
	ck_assert_int_eq(poold_future_get_state(f), POOLD_REFUSED);
	poold_future_unref(f);
	poold_unref(second);
}
END_TEST

START_TEST(a_call_brings_the_result_and_leaves_no_future)
{
	poold *p = connect_to_daemon();
	poold_reply *reply;
	const char *code;
	const void *bytes;
	size_t n;

	ck_assert_int_eq(poold_call(p, "bench/echo", poold_input_text("there and back"), NULL,
				 POOLD_FOREVER, &reply),
		0);
	ck_assert_int_eq(poold_reply_get_bytes(reply, &bytes, &n), 0);
	ck_assert_uint_eq(n, 14);
	ck_assert_mem_eq(bytes, "there and back", 14);
	poold_reply_unref(reply);
	ck_assert_int_eq(
		poold_call(p, "bench/none", poold_input_nil(), NULL, POOLD_FOREVER, &reply), 0);
	ck_assert_int_eq(poold_reply_get_error(reply, &code, NULL), 1);
	ck_assert_str_eq(code, "unknown_function");
	poold_reply_unref(reply);
	ck_assert_int_eq(
		poold_call(p, "bench/sleep", poold_input_encoded("\xce\x03\x93\x87\x00", 5), NULL,
			1000, &reply),
		-ETIMEDOUT);
	poold_unref(p); /* ends it */
}
END_TEST

START_TEST(cancel_what_runs_and_what_waits)
{
	poold *p = connect_to_daemon();
	poold_command *c;
	poold_future *f[6];

	ck_assert_int_eq(poold_command_new(&c), 0);
	ck_assert_int_eq(poold_command_set_shell(c, "sleep 1000"), 0);
	for (unsigned i = 0; i < 6; i++) {
		f[i] = submit(p, "exec", poold_input_command(c));
		ck_assert_int_eq(poold_future_cancel(f[i], POOLD_CANCEL_TERM, "enough"), 1);
	}
	for (unsigned i = 0; i < 6; i++) {
		ck_assert_int_eq(poold_future_wait(f[i], POOLD_FOREVER), 1);
		ck_assert_int_eq(poold_future_get_state(f[i]), POOLD_CANCELLED);
		poold_future_unref(f[i]);
	}
	poold_command_free(c);
	poold_unref(p);
}
END_TEST

/* A window of jobs, each of whose ends submits the next. */
struct stream {
	poold *p;
	unsigned n_sent, n_done;
};

static int on_done(poold_future *f, void *userdata);

static void send_next(struct stream *s)
{
	poold_options options = POOLD_OPTIONS_INIT;
	poold_future *f;

	if (s->n_sent == MANY)
		return;
	options.auto_release = 1;
	ck_assert_int_eq(poold_submit(s->p, "bench/noop", poold_input_nil(), &options, &f), 0);
	ck_assert_int_eq(poold_future_set_callback(f, on_done, s), 0);
	poold_future_unref(f);
	s->n_sent++;
}

static int on_done(poold_future *f, void *userdata)
{
	struct stream *s = userdata;

	ck_assert_int_eq(poold_future_get_state(f), POOLD_DONE);
	s->n_done++;
	send_next(s);
	return 0;
}

START_TEST(many_jobs_in_a_loop_of_ones_own)
{
	struct stream s = {.p = connect_to_daemon()};

	for (unsigned i = 0; i < WINDOW; i++)
		send_next(&s);
	while (s.n_done < MANY) {
		struct pollfd fd = {
			.fd = poold_get_fd(s.p), .events = (short)poold_get_events(s.p)};
		uint64_t at_us;
		int r;

		ck_assert_int_eq(poold_get_timeout(s.p, &at_us), 0);
		ck_assert_int_ge(poll(&fd, 1, at_us == 0 ? 0 : -1), 0);
		while ((r = poold_process(s.p)) > 0)
			;
		ck_assert_int_eq(r, 0);
	}
	poold_unref(s.p);
}
END_TEST

/* All at once, and what does not fit waits for room. */
START_TEST(many_jobs_without_a_window)
{
	static char bytes[1000];
	poold_options options = POOLD_OPTIONS_INIT;
	poold *p = connect_to_daemon();
	unsigned n_full = 0, n = 0;
	poold_set *set;
	poold_future *f;

	options.auto_release = 1;
	ck_assert_int_eq(poold_set_out_max(p, 128 * 1024), 0);
	ck_assert_int_eq(poold_set_new(p, &set), 0);
	while (n < 5000) {
		int r = poold_submit(
			p, "bench/echo", poold_input_bytes(bytes, sizeof(bytes)), &options, &f);

		if (r == -EAGAIN) {
			n_full++;
			ck_assert_int_eq(poold_flush(p, POOLD_FOREVER), 1);
			continue;
		}
		ck_assert_int_eq(r, 0);
		ck_assert_int_eq(poold_set_add(set, f), 0);
		poold_future_unref(f);
		n++;
	}
	for (n = 0; poold_set_next(set, POOLD_FOREVER, &f) == 1; n++) {
		ck_assert_int_eq(poold_future_get_state(f), POOLD_DONE);
		poold_future_unref(f);
	}
	ck_assert_uint_eq(n, 5000);
	poold_set_free(set);
	poold_unref(p);
}
END_TEST

/* Each message with an fd: more than may lie unread at once, both ways. */
START_TEST(many_jobs_with_shared_memory)
{
	static uint8_t bytes[70000];
	poold_options options = POOLD_OPTIONS_INIT;
	poold *p = connect_to_daemon();
	unsigned fds = suite_open_fds(), n = 0;
	poold_set *set;
	poold_future *f;
	const void *result;
	size_t len;

	options.auto_release = 1;
	ck_assert_int_eq(poold_set_new(p, &set), 0);
	while (n < 500) {
		int r = poold_submit(
			p, "bench/echo", poold_input_bytes(bytes, sizeof(bytes)), &options, &f);

		if (r == -EAGAIN) {
			ck_assert_int_eq(poold_flush(p, POOLD_FOREVER), 1);
			continue;
		}
		ck_assert_int_eq(r, 0);
		ck_assert_int_eq(poold_set_add(set, f), 0);
		poold_future_unref(f);
		n++;
	}
	for (n = 0; poold_set_next(set, POOLD_FOREVER, &f) == 1; n++) {
		result = result_of(f, &len);
		ck_assert_uint_eq(len, sizeof(bytes));
		ck_assert_mem_eq(result, bytes, len);
		poold_future_unref(f);
	}
	ck_assert_uint_eq(n, 500);
	ck_assert_uint_eq(suite_open_fds(), fds);
	poold_set_free(set);
	poold_unref(p);
}
END_TEST

START_TEST(the_configuration_is_read_anew)
{
	static const char *const restart[] = {"bench"}, *const nobody[] = {"nobody"};
	poold *p = connect_to_daemon();
	poold_future *f = submit(p, "bench/echo", poold_input_text("kept"));
	poold_reply *reply;
	const void *bytes;
	size_t len;

	ck_assert_int_eq(poold_reload(p, restart, 1, POOLD_FOREVER, &reply), 0);
	ck_assert_int_eq(poold_reply_get_encoded(reply, &bytes, &len), 0);
	ck_assert_ptr_nonnull(memmem(bytes, len,
		"\xa9restarted\x91\xa5"
		"bench",
		17));
	poold_reply_unref(reply);
	ck_assert_int_eq(poold_reload(p, nobody, 1, POOLD_FOREVER, NULL), -EREMOTEIO);
	ck_assert_ptr_nonnull(strstr(poold_get_error_text(p), "nobody"));
	ck_assert_mem_eq(result_of(f, &len), "kept", 4);
	poold_future_unref(f);
	f = submit(p, "bench/echo", poold_input_text("new"));
	ck_assert_mem_eq(result_of(f, &len), "new", 3);
	poold_future_unref(f);
	poold_unref(p);
}
END_TEST

SUITE_MAIN("libpoold", bytes_come_back_as_they_went, a_buffer_for_many_jobs,
	a_command_and_what_it_leaves, a_command_writes_to_a_file_of_ours, refused_and_failed,
	an_id_outlives_its_connection, a_call_brings_the_result_and_leaves_no_future,
	cancel_what_runs_and_what_waits, many_jobs_in_a_loop_of_ones_own,
	many_jobs_without_a_window, many_jobs_with_shared_memory, the_configuration_is_read_anew)
