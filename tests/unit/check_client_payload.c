/* What a job is given: byte strings small and large, encoded values, files, shared memory,
 * commands. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "client/poold-command.h"
#include "tests/unit/fake_daemon.h"

#include "proto/shm.h"

/* Its encoding has a head of 3 bytes. */
#define INLINE_BYTES ((size_t)PROTO_INLINE_BIN_BYTES)

static int submit_one(poold *p, poold_input input)
{
	poold_future *f;
	int r = poold_submit(p, "f", input, NULL, &f);

	if (r == 0)
		poold_future_unref(f);
	return r;
}

/* Submits, and reads what went out. */
static struct request sent(struct fake_daemon *d, poold *p, poold_input input)
{
	ck_assert_int_eq(submit_one(p, input), 0);
	ck_assert_int_eq(client_run(p), 0);
	return fake_daemon_read(d);
}

static void expect_sent(struct fake_daemon *d, poold *p, poold_input input, const char *wanted)
{
	struct request q = sent(d, p, input);
	char *text;

	ck_assert_int_gt(asprintf(&text, "[\"f\", %s, {\"deliver\": true}]", wanted), 0);
	ck_assert_str_eq(q.params, text);
	ck_assert_uint_eq(q.n_fds, 0);
	free(text);
	request_forget(&q);
}

/* A sealed memfd with these bytes went out. */
static void expect_shared(
	struct fake_daemon *d, poold *p, poold_input input, const void *bytes, size_t n)
{
	struct request q = sent(d, p, input);
	const void *view;
	size_t len;

	ck_assert_str_eq(q.params, "[\"f\", fd(0), {\"deliver\": true}]");
	ck_assert_uint_eq(q.n_fds, 1);
	ck_assert_int_eq(shm_check(q.fds[0], n, &len), 0);
	ck_assert_uint_eq(len, n);
	ck_assert_int_eq(shm_map(q.fds[0], len, &view), 0);
	ck_assert_mem_eq(view, bytes, n);
	shm_unmap(view, len);
	request_forget(&q);
}

/* n bytes that differ. */
static uint8_t *pattern(size_t n)
{
	uint8_t *bytes = malloc(n);

	ck_assert_ptr_nonnull(bytes);
	for (size_t i = 0; i < n; i++)
		bytes[i] = (uint8_t)(i * 7 + i / 251);
	return bytes;
}

START_TEST(byte_strings_small_and_large)
{
	uint8_t *bytes = pattern(INLINE_BYTES + 1);
	struct fake_daemon d;
	struct request q;
	poold *p;

	fake_daemon_start(&d);
	p = fake_daemon_connect(&d);
	expect_sent(&d, p, poold_input_nil(), "nil");
	expect_sent(&d, p, poold_input_bytes("abc", 3), "b\"abc\"");
	expect_sent(&d, p, poold_input_bytes(NULL, 0), "b\"\"");
	expect_sent(&d, p, poold_input_text("abc"), "\"abc\"");
	expect_sent(&d, p, poold_input_future(0x0102030405), "ext(2, 8)");
	ck_assert_int_eq(submit_one(p, poold_input_bytes(NULL, 1)), -EINVAL);
	ck_assert_int_eq(submit_one(p, poold_input_text(NULL)), -EINVAL);
	ck_assert_int_eq(submit_one(p, poold_input_future(0)), -EINVAL);
	ck_assert_int_eq(submit_one(p, (poold_input){.kind = 99}), -EINVAL);
	q = sent(&d, p, poold_input_bytes(bytes, INLINE_BYTES));
	ck_assert_uint_eq(q.n_fds, 0);
	request_forget(&q);
	expect_shared(&d, p, poold_input_bytes(bytes, INLINE_BYTES + 1), bytes, INLINE_BYTES + 1);
	poold_unref(p);
	free(bytes);
	fake_daemon_stop(&d);
}
END_TEST

START_TEST(byte_strings_in_pieces)
{
	uint8_t *bytes = pattern(INLINE_BYTES + 1);
	struct iovec iov[] = {{(void *)"ab", 2}, {NULL, 0}, {(void *)"c", 1}};
	struct iovec large[] = {{bytes, 1}, {bytes + 1, INLINE_BYTES}};
	struct iovec wrong[] = {{NULL, 1}},
		     endless[] = {{bytes, SIZE_MAX / 2}, {bytes, SIZE_MAX / 2}};
	struct fake_daemon d;
	poold *p;

	fake_daemon_start(&d);
	p = fake_daemon_connect(&d);
	expect_sent(&d, p, poold_input_iov(iov, 3), "b\"abc\"");
	expect_sent(&d, p, poold_input_iov(NULL, 0), "b\"\"");
	expect_shared(&d, p, poold_input_iov(large, 2), bytes, INLINE_BYTES + 1);
	ck_assert_int_eq(submit_one(p, poold_input_iov(wrong, 1)), -EINVAL);
	ck_assert_int_eq(submit_one(p, poold_input_iov(endless, 2)), -EINVAL);
	poold_unref(p);
	free(bytes);
	fake_daemon_stop(&d);
}
END_TEST

START_TEST(encoded_values_are_checked)
{
	static uint8_t huge[PROTO_MESSAGE_BYTES + 8];
	uint8_t deep[PROTO_VALUE_DEPTH + 2];
	struct fake_daemon d;
	struct request q;
	poold *p;
	int fds[5];

	fake_daemon_start(&d);
	p = fake_daemon_connect(&d);
	for (unsigned i = 0; i < 5; i++)
		fds[i] = peer_memfd("x", 1);
	memset(deep, 0x91, sizeof(deep));
	deep[PROTO_VALUE_DEPTH] = 0xc0;
	expect_sent(&d, p, poold_input_encoded("\x92\x01\xa1x", 4), "[1, \"x\"]");
	ck_assert_int_eq(client_run(p), 0);
	ck_assert_int_eq(submit_one(p, poold_input_encoded(deep, PROTO_VALUE_DEPTH + 1)), 0);
	deep[PROTO_VALUE_DEPTH] = 0x91;
	deep[PROTO_VALUE_DEPTH + 1] = 0xc0;
	ck_assert_int_eq(submit_one(p, poold_input_encoded(deep, sizeof(deep))), -EBADMSG);
	ck_assert_int_eq(submit_one(p, poold_input_encoded("\x92\x01", 2)), -EBADMSG);
	ck_assert_int_eq(submit_one(p, poold_input_encoded("\x01\x01", 2)), -EBADMSG);
	ck_assert_int_eq(submit_one(p, poold_input_encoded("\xc1", 1)), -EBADMSG);
	ck_assert_int_eq(submit_one(p, poold_input_encoded("\xdd\xff\xff\xff\xff", 5)), -EBADMSG);
	ck_assert_int_eq(submit_one(p, poold_input_encoded("", 0)), -EBADMSG);
	ck_assert_int_eq(submit_one(p, poold_input_encoded(NULL, 0)), -EINVAL);
	ck_assert_int_eq(submit_one(p, poold_input_encoded("\xd4\x03\x00", 3)), -EBADMSG);
	/* fds and indexes that differ */
	ck_assert_int_eq(submit_one(p, poold_input_encoded("\xd4\x01\x00", 3)), -EBADMSG);
	ck_assert_int_eq(
		submit_one(p, poold_input_encoded_fds("\xd4\x01\x01", 3, fds, 1)), -EBADMSG);
	ck_assert_int_eq(submit_one(p, poold_input_encoded_fds("\xc0", 1, fds, 1)), -EBADMSG);
	ck_assert_int_eq(submit_one(p, poold_input_encoded_fds("\xc0", 1, fds, 5)), -E2BIG);
	ck_assert_int_eq(
		submit_one(p, poold_input_encoded_fds("\xd4\x01\x00", 3, (int[]){-1}, 1)), -EBADF);
	/* bin 32 with all that follows */
	memcpy(huge, "\xc6\x00\x10\x00\x03", 5);
	ck_assert_int_eq(
		submit_one(p, poold_input_encoded(huge, PROTO_MESSAGE_BYTES + 8)), -EMSGSIZE);
	memcpy(huge, "\xc6\x00\x0f\xff\xfb", 5);
	ck_assert_int_eq(submit_one(p, poold_input_encoded(huge, PROTO_MESSAGE_BYTES)), -EMSGSIZE);
	/* of all that was refused nothing went out */
	ck_assert_int_eq(client_run(p), 0);
	q = fake_daemon_read(&d);
	request_forget(&q);
	fake_daemon_expect_silence(&d);
	q = sent(&d, p, poold_input_encoded_fds("\x92\xd4\x01\x01\xd4\x01\x00", 7, fds, 2));
	ck_assert_str_eq(q.params, "[\"f\", [fd(1), fd(0)], {\"deliver\": true}]");
	request_forget(&q);
	for (unsigned i = 0; i < 5; i++)
		fd_close(fds[i]);
	poold_unref(p);
	fake_daemon_stop(&d);
}
END_TEST

START_TEST(files_from_where_they_stand)
{
	struct fake_daemon d;
	poold *p;
	int fd;

	fake_daemon_start(&d);
	p = fake_daemon_connect(&d);
	folder_write(&d.folder, "file", "0123456789");
	fd = open(folder_at(&d.folder, "file"), O_RDONLY | O_CLOEXEC);
	ck_assert_int_eq(lseek(fd, 4, SEEK_SET), 4);
	expect_shared(&d, p, poold_input_file(fd), "456789", 6);
	fd_close(fd);
	ck_assert_int_eq(submit_one(p, poold_input_file(-1)), -EBADF);
	fd = open(d.folder.path, O_RDONLY | O_CLOEXEC);
	ck_assert_int_eq(submit_one(p, poold_input_file(fd)), -EISDIR);
	fd_close(fd);
	poold_unref(p);
	fake_daemon_stop(&d);
}
END_TEST

START_TEST(a_buffer_is_never_copied)
{
	struct fake_daemon d;
	poold_buffer *b;
	uint8_t *data;
	poold *p;

	fake_daemon_start(&d);
	p = fake_daemon_connect(&d);
	ck_assert_int_eq(poold_buffer_new(&b, 100000), 0);
	ck_assert_uint_eq(poold_buffer_get_size(b), 100000);
	data = poold_buffer_get_data(b);
	memset(data, 'x', 100000);
	ck_assert_int_eq(poold_buffer_set_size(b, 100001), -EINVAL);
	ck_assert_int_eq(poold_buffer_set_size(b, 70000), 0);
	data[69999] = 'y';
	/* as often as one likes; the first one seals */
	for (unsigned i = 0; i < 2; i++) {
		struct request q = sent(&d, p, poold_input_buffer(b));
		struct stat mine, theirs;
		size_t len;

		ck_assert_int_eq(shm_check(q.fds[0], SIZE_MAX, &len), 0);
		ck_assert_uint_eq(len, 70000);
		ck_assert_int_eq(fstat(q.fds[0], &theirs), 0);
		ck_assert_int_eq(fstat(poold_buffer_get_fd(b), &mine), 0);
		ck_assert_uint_eq(mine.st_ino, theirs.st_ino);
		request_forget(&q);
	}
	ck_assert_ptr_null(poold_buffer_get_data(b));
	ck_assert_int_eq(poold_buffer_set_size(b, 1), -EPERM);
	ck_assert_int_eq(poold_buffer_seal(b), 0);
	ck_assert_ptr_null(poold_buffer_free(b));
	ck_assert_int_eq(poold_buffer_new(&b, 0), 0);
	expect_shared(&d, p, poold_input_buffer(b), "", 0);
	poold_buffer_free(b);
	poold_unref(p);
	fake_daemon_stop(&d);
}
END_TEST

/* The text of a command's map as it goes out. */
static char *command_text(struct fake_daemon *d, poold *p, const poold_command *c, unsigned n_fds)
{
	struct request q = sent(d, p, poold_input_command(c));
	char *text = strdup(q.params);

	ck_assert_uint_eq(q.n_fds, n_fds);
	request_forget(&q);
	return text;
}

START_TEST(commands)
{
	static const char *const vars[] = {"A=1", "nothing", "=x", "B=b=b", "A=2", NULL};
	static const char *const argv[] = {"-c", "", NULL};
	struct fake_daemon d;
	poold_command *c;
	char *text;
	poold *p;

	fake_daemon_start(&d);
	p = fake_daemon_connect(&d);
	ck_assert_int_eq(poold_command_new(&c), 0);
	ck_assert_int_eq(submit_one(p, poold_input_command(c)), -EINVAL);
	ck_assert_int_eq(poold_command_add_arg(c, "sh"), 0);
	text = command_text(&d, p, c, 0);
	ck_assert_str_eq(text, "[\"f\", {\"argv\": [\"sh\"]}, {\"deliver\": true}]");
	free(text);
	ck_assert_int_eq(poold_command_add_argv(c, argv), 0);
	ck_assert_int_eq(poold_command_set_shell(c, "x"), -EINVAL);
	ck_assert_int_eq(poold_command_set_environ(c, vars), 0);
	ck_assert_int_eq(poold_command_set_env(c, "C", NULL), 0);
	ck_assert_int_eq(poold_command_set_env(c, "", "x"), -EINVAL);
	ck_assert_int_eq(poold_command_set_env(c, "x=", "x"), -EINVAL);
	ck_assert_int_eq(poold_command_clear_env(c), 0);
	ck_assert_int_eq(poold_command_set_cwd(c, "tmp"), -EINVAL);
	ck_assert_int_eq(poold_command_set_cwd(c, "/tmp"), 0);
	ck_assert_int_eq(poold_command_set_umask(c, 01000), -EINVAL);
	ck_assert_int_eq(poold_command_set_umask(c, 027), 0);
	ck_assert_int_eq(poold_command_set_nice(c, 20), -EINVAL);
	ck_assert_int_eq(poold_command_set_nice(c, -5), 0);
	ck_assert_int_eq(poold_command_set_limit(c, "nofile", 64), 0);
	ck_assert_int_eq(poold_command_set_limit(c, "core", UINT64_MAX), 0);
	ck_assert_int_eq(poold_command_set_stdin(c, poold_input_text("in")), 0);
	text = command_text(&d, p, c, 0);
	ck_assert_str_eq(text,
		"[\"f\", {\"argv\": [\"sh\", \"-c\", \"\"], \"env_clear\": true, \"cwd\": "
		"\"/tmp\", "
		"\"umask\": 23, \"nice\": -5, \"env\": {\"A\": \"2\", \"B\": \"b=b\", \"C\": nil}, "
		"\"limits\": {\"nofile\": 64, \"core\": -1}, \"stdin\": \"in\"}, {\"deliver\": "
		"true}]");
	free(text);
	ck_assert_ptr_null(poold_command_free(c));
	poold_unref(p);
	fake_daemon_stop(&d);
}
END_TEST

START_TEST(what_a_command_reads)
{
	uint8_t *bytes = pattern(INLINE_BYTES + 1);
	struct fake_daemon d;
	poold_command *c;
	char *text;
	poold *p;

	fake_daemon_start(&d);
	p = fake_daemon_connect(&d);
	ck_assert_int_eq(poold_command_new(&c), 0);
	ck_assert_int_eq(poold_command_set_shell(c, "cat"), 0);
	ck_assert_int_eq(poold_command_add_arg(c, "x"), -EINVAL);
	ck_assert_int_eq(poold_command_set_stdin(c, poold_input_bytes(bytes, INLINE_BYTES + 1)), 0);
	/* as often as one likes */
	for (unsigned i = 0; i < 2; i++) {
		text = command_text(&d, p, c, 1);
		ck_assert_str_eq(text,
			"[\"f\", {\"argv\": \"cat\", \"shell\": true, \"stdin\": fd(0)}, "
			"{\"deliver\": true}]");
		free(text);
	}
	ck_assert_int_eq(poold_command_set_stdin(c, poold_input_encoded("\xc0", 1)), -EINVAL);
	ck_assert_int_eq(poold_command_set_stdin_fd(c, -1), -EBADF);
	ck_assert_int_eq(poold_command_set_stdin_fd(c, STDIN_FILENO), 0);
	ck_assert_int_eq(poold_command_set_stdout_fd(c, -1), -EBADF);
	ck_assert_int_eq(poold_command_set_stdout_fd(c, STDOUT_FILENO), 0);
	ck_assert_int_eq(poold_command_set_stderr_fd(NULL, STDERR_FILENO), -EINVAL);
	ck_assert_int_eq(poold_command_set_stderr_fd(c, STDOUT_FILENO), 0);
	ck_assert_int_eq(poold_command_set_ctty(c), 0);
	text = command_text(&d, p, c, 3);
	ck_assert_str_eq(text,
		"[\"f\", {\"argv\": \"cat\", \"shell\": true, \"ctty\": true, \"stdin\": fd(0), "
		"\"stdout\": fd(1), \"stderr\": fd(2)}, {\"deliver\": true}]");
	free(text);
	poold_command_free(c);
	ck_assert_int_eq(poold_command_new(&c), 0);
	ck_assert_int_eq(poold_command_set_shell(c, "cat"), 0);
	ck_assert_int_eq(poold_command_set_stdin_fd(c, STDIN_FILENO), 0);
	ck_assert_int_eq(poold_command_set_stdin(c, poold_input_nil()), 0);
	text = command_text(&d, p, c, 0);
	ck_assert_str_eq(text, "[\"f\", {\"argv\": \"cat\", \"shell\": true, \"stdin\": nil}, "
			       "{\"deliver\": true}]");
	free(text);
	poold_command_free(c);
	free(bytes);
	poold_unref(p);
	fake_daemon_stop(&d);
}
END_TEST

START_TEST(fds_travel_with_their_message)
{
	uint8_t *bytes = pattern(INLINE_BYTES + 1);
	poold_input many[5];
	struct fake_daemon d;
	poold_future *f[5];
	unsigned n = 0;
	poold *p;
	int r;

	fake_daemon_start(&d);
	p = fake_daemon_connect(&d);
	for (unsigned i = 0; i < 5; i++)
		many[i] = poold_input_bytes(bytes, INLINE_BYTES + 1);
	ck_assert_int_eq(poold_submit_many(p, "f", many, 5, NULL, f), -E2BIG);
	ck_assert_int_eq(poold_submit_many(p, "f", many, 4, NULL, f), 0);
	for (unsigned i = 0; i < 4; i++)
		poold_future_unref(f[i]);
	/* small ones in between; the daemon reads them all at the end */
	while ((r = submit_one(p, many[0])) == 0 && n < 100) {
		ck_assert_int_eq(submit_one(p, poold_input_nil()), 0);
		n++;
	}
	ck_assert_int_eq(r, -EAGAIN);
	ck_assert_int_eq(client_run(p), 0);
	for (unsigned i = 0; i < 1 + 2 * n; i++) {
		struct request q = fake_daemon_read(&d);

		ck_assert_uint_eq(q.n_fds, i == 0 ? 4 : i % 2);
		request_forget(&q);
		ck_assert_int_eq(client_run(p), 0);
	}
	fake_daemon_expect_silence(&d);
	poold_unref(p);
	free(bytes);
	fake_daemon_stop(&d);
}
END_TEST

START_TEST(what_a_command_left)
{
	struct fake_daemon d;
	const char *code;
	const void *bytes;
	poold_future *f;
	int exit_code, signal, is_truncated, fd;
	size_t len;
	poold *p;

	fake_daemon_start(&d);
	p = fake_daemon_connect(&d);
	ck_assert_int_eq(poold_future_open(p, 1, &f), 0);
	ck_assert_int_eq(poold_future_get_exit(f, &exit_code, &signal), -ENODATA);
	fd = peer_memfd("large", 5);
	fake_daemon_say_fds(&d, &fd, 1, "[is[usn[ss{sisnsFsbst}]n]]", 2, "final", (uint64_t)1,
		"failed", "exit", "exit code 3", "exit_code", 3, "signal", "stdout", 0, "stderr",
		"small", (size_t)5, "stderr_truncated", 1);
	ck_assert_int_eq(poold_future_wait(f, POOLD_FOREVER), 1);
	ck_assert_int_eq(poold_future_get_error(f, &code, NULL), 1);
	ck_assert_str_eq(code, "exit");
	ck_assert_int_eq(poold_future_get_exit(f, &exit_code, &signal), 0);
	ck_assert_int_eq(exit_code, 3);
	ck_assert_int_eq(signal, 0);
	ck_assert_int_eq(poold_future_get_output(f, 1, &bytes, &len, &is_truncated), 0);
	ck_assert_mem_eq(bytes, "large", len);
	ck_assert_int_eq(is_truncated, 0);
	ck_assert_int_eq(poold_future_get_output(f, 2, &bytes, &len, &is_truncated), 0);
	ck_assert_mem_eq(bytes, "small", len);
	ck_assert_int_eq(is_truncated, 1);
	ck_assert_int_eq(poold_future_get_output(f, 3, &bytes, &len, NULL), -EINVAL);
	poold_future_unref(f);
	/* not a command's */
	ck_assert_int_eq(poold_future_open(p, 2, &f), 0);
	fake_daemon_say(&d, "[is[usinn]]", 2, "final", (uint64_t)2, "done", 5);
	ck_assert_int_eq(poold_future_wait(f, POOLD_FOREVER), 1);
	ck_assert_int_eq(poold_future_get_exit(f, &exit_code, &signal), -ENODATA);
	ck_assert_int_eq(poold_future_get_bytes(f, &bytes, &len), -ENOMSG);
	ck_assert_int_eq(poold_future_get_encoded(f, &bytes, &len), 0);
	ck_assert_mem_eq(bytes, "\x05", len);
	poold_future_unref(f);
	poold_unref(p);
	fake_daemon_stop(&d);
}
END_TEST

SUITE_MAIN("client_payload", byte_strings_small_and_large, byte_strings_in_pieces,
	encoded_values_are_checked, files_from_where_they_stand, a_buffer_is_never_copied, commands,
	what_a_command_reads, fds_travel_with_their_message, what_a_command_left)
