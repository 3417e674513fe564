/* Handler exec: what a command is given, and how it ends. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "tests/unit/worker_exec.h"

START_TEST(a_command_that_ends_with_0_is_done)
{
	expect_command("",
		"{\"exit_code\": 0, \"signal\": nil, \"stdout\": b\"\", \"stderr\": b\"\", "
		"\"stdout_truncated\": false, \"stderr_truncated\": false, \"rusage\": "
		"{\"utime\": ",
		"[s]", "true");
	expect_command("", "\"stdout\": b\"a b  c\\x0a\"", "[ssss]", "echo", "a", "b ", "c");
	expect_shell("", "\"stdout\": b\"out\\x0a\", \"stderr\": b\"err\\x0a\"",
		"echo out; echo err >&2");
}
END_TEST

START_TEST(an_exit_code_or_a_signal_is_a_failure)
{
	expect_command("exit", "{\"exit_code\": 1, \"signal\": nil, ", "[s]", "false");
	expect_shell("exit", "{\"exit_code\": 255, \"signal\": nil, ", "exit 255");
	expect_shell("exit", "\"stdout\": b\"so far\\x0a\"", "echo so far; exit 3");
	expect_shell("signal", "{\"exit_code\": nil, \"signal\": 9, ", "kill -KILL $$");
	expect_shell("signal", "{\"exit_code\": nil, \"signal\": 15, ", "kill $$");
}
END_TEST

START_TEST(a_command_that_cannot_start_is_told_as_by_a_shell)
{
	expect_command("exit",
		"{\"exit_code\": 127, \"signal\": nil, \"stdout\": b\"\", \"stderr\": b\"poold: "
		"there-is-no-such: command not found\\x0a\"",
		"[s]", "there-is-no-such");
	expect_command("exit", "\"stderr\": b\"poold: /no/such: No such file or directory\\x0a\"",
		"[s]", "/no/such");
	expect_command("exit",
		"{\"exit_code\": 126, \"signal\": nil, \"stdout\": b\"\", \"stderr\": b\"poold: "
		"/etc: Permission denied\\x0a\"",
		"[s]", "/etc");
	expect_command("exit", "{\"exit_code\": 127, ", "{sss[s]s{ss}}", "cwd", "/", "argv", "true",
		"env", "PATH", "/nowhere");
}
END_TEST

START_TEST(a_file_without_a_format_is_a_shell_script)
{
	char path[] = "/tmp/poold-check-XXXXXX";
	int fd = mkstemp(path);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, "echo script $1\n", 15), 15);
	ck_assert_int_eq(fchmod(fd, 0700), 0);
	close(fd);
	expect_command("", "\"stdout\": b\"script one\\x0a\"", "[ss]", path, "one");
	unlink(path);
}
END_TEST

START_TEST(the_environment_is_the_pool_s_and_the_job_s)
{
	struct reply r;

	peer_add(&w, "[iis[s{s[s]sts{ssss}}{susisiss}]]", 0, 1, "run", "exec", "argv", "env",
		"env_clear", 1, "env", "PATH", "/usr/bin:/bin", "POOLD_ATTEMPT", "9", "id",
		UINT64_C(1) << 40, "attempt", 2, "uid", 1000, "trace",
		"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
	peer_send(&w, NULL, 0);
	r = receive_answer();
	expect_part(&r, "\"stdout\": b\"POOLD_JOB_ID=1099511627776\\x0aPOOLD_ATTEMPT=2\\x0a"
			"POOLD_SUBMIT_UID=1000\\x0a"
			"TRACEPARENT=00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\\x0a"
			"PATH=/usr/bin:/bin\\x0a\"");
	peer_forget(&r);
	expect_command("", "\"stdout\": b\"new added unset\\x0a\"", "{sssts{ssssss}}", "argv",
		"echo $KEPT $ADDED ${TAKEN-unset}", "shell", 1, "env", "KEPT", "new", "ADDED",
		"added", "X", "");
}
END_TEST

START_TEST(variables_of_the_pool_may_be_replaced_or_taken_away)
{
	struct peer zygote, worker;
	struct reply r;

	peer_start(&zygote);
	peer_add(&zygote, "[iis[{sssss[ssss]}]]", 0, 1, "setup", "pool", "p", "handler", "exec",
		"env", "PATH=/usr/bin:/bin", "KEPT=old", "REPLACED=old", "TAKEN=old");
	peer_send(&zygote, NULL, 0);
	r = peer_receive(&zygote);
	peer_forget(&r);
	peer_fork(&zygote, &worker);
	r = peer_run(&worker, "exec", "{sssts{sssn}}", "argv",
		"echo $KEPT $REPLACED ${TAKEN-unset} ${REPLACE-unset}", "shell", 1, "env",
		"REPLACED", "new", "TAKEN");
	ck_assert_str_eq(r.word, "output");
	peer_forget(&r);
	r = peer_receive(&worker);
	expect_part(&r, "\"stdout\": b\"old new unset unset\\x0a\"");
	peer_forget(&r);
	peer_end(&worker);
	peer_end(&zygote);
}
END_TEST

START_TEST(the_map_s_keys_have_their_effect)
{
	expect_command("", "\"stdout\": b\"/usr\\x0a\"", "{s[s]ss}", "argv", "pwd", "cwd", "/usr");
	expect_command("", "\"stdout\": b\"/\\x0a\"", "{s[s]sn}", "argv", "pwd", "cwd");
	expect_command("", "\"stdout\": b\"0027\\x0a\"", "{ssstsi}", "argv", "umask", "shell", 1,
		"umask", 027);
	expect_command("", "\"stdout\": b\"7\\x0a\"", "{s[s]si}", "argv", "nice", "nice", 7);
}
END_TEST

START_TEST(limits_hold)
{
	expect_command("", "\"stdout\": b\"19 23\\x0a\"", "{sssts{s[ii]si}}", "argv",
		"echo $(ulimit -Sn) $(ulimit -Hn)", "shell", 1, "limits", "nofile", 19, 23, "core",
		0);
	/* a file of no byte: SIGXFSZ */
	expect_command("signal", "\"signal\": 25, ", "{s[ssss]s{si}}", "argv", "dd", "if=/dev/zero",
		"of=/dev/shm/poold-check-never-written", "count=1", "limits", "fsize", 0);
	unlink("/dev/shm/poold-check-never-written");
}
END_TEST

START_TEST(stdin_is_bytes_or_a_memfd_or_empty)
{
	int fd = peer_memfd("from a memfd", 12), end = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	struct reply r;

	expect_command("", "\"stdout\": b\"\"", "[s]", "cat");
	expect_command("", "\"stdout\": b\"some bytes\"", "{s[s]sb}", "argv", "cat", "stdin",
		"some bytes", (size_t)10);
	expect_command("", "\"stdout\": b\"\"", "{s[s]sb}", "argv", "cat", "stdin", "", (size_t)0);
	/* its offset is shared and anywhere: each command reads from the beginning */
	ck_assert_int_eq(lseek(fd, 5, SEEK_SET), 5);
	for (int i = 0; i < 2; i++) {
		peer_add(&w, "[iis[s{s[s]sF}{si}]]", 0, 1, "run", "exec", "argv", "cat", "stdin", 0,
			"id", 1);
		peer_send(&w, &fd, 1);
		r = receive_answer();
		expect_part(&r, "\"stdout\": b\"from a memfd\"");
		peer_forget(&r);
	}
	/* the value of a future, which is one */
	peer_add(&w, "[iis[s{s[s]sI}{sis{uF}}]]", 0, 1, "run", "exec", "argv", "cat", "stdin",
		(uint64_t)3, "id", 1, "values", (uint64_t)3, 0);
	peer_send(&w, &fd, 1);
	r = receive_answer();
	expect_part(&r, "\"stdout\": b\"from a memfd\"");
	peer_forget(&r);
	fd_close(fd);
	fd_close(end);
}
END_TEST

START_TEST(stdin_that_is_none_is_refused)
{
	expect_refusal("stdin", "{s[s]si}", "argv", "cat", "stdin", 1);
	expect_refusal("stdin", "{s[s]sI}", "argv", "cat", "stdin", (uint64_t)3);
}
END_TEST

START_TEST(files_of_the_client_are_the_command_s_alone)
{
	int in[2], out[2], fds[2];
	char bytes[16];
	struct reply r;

	ck_assert_int_eq(pipe2(in, O_CLOEXEC), 0);
	ck_assert_int_eq(pipe2(out, O_CLOEXEC), 0);
	peer_add(&w, "[iis[s{sssFsFst}{si}]]", 0, 5, "run", "exec", "argv", "cat; echo err >&2",
		"stdin", 0, "stdout", 1, "shell", 1, "id", 1);
	fds[0] = fcntl(in[0], F_DUPFD_CLOEXEC, 3);
	fds[1] = fcntl(out[1], F_DUPFD_CLOEXEC, 3);
	peer_send(&w, fds, 2);
	fd_close(in[0]);
	fd_close(out[1]);
	fd_close(fds[0]);
	fd_close(fds[1]);
	r = peer_receive(&w);
	ck_assert_str_eq(r.word, "taken");
	ck_assert_str_eq(r.value, "1");
	peer_forget(&r);
	ck_assert_int_eq(write(in[1], "through", 7), 7);
	fd_close(in[1]);
	ck_assert_int_eq(read(out[0], bytes, sizeof(bytes)), 7);
	ck_assert_int_eq(read(out[0], bytes, sizeof(bytes)), 0);
	r = receive_answer();
	expect_part(&r, "\"stdout\": nil, \"stderr\": b\"err\\x0a\", \"stdout_truncated\": false");
	peer_forget(&r);
	fd_close(out[0]);
}
END_TEST

START_TEST(inputs_that_are_wrong_are_refused_by_name)
{
	expect_refusal("array of strings or a map", "i", 7);
	expect_refusal("argv: empty", "[]");
	expect_refusal("argv: ", "[i]", 7);
	expect_refusal("argv: the command's name is empty", "[s]", "");
	expect_refusal("argv: ", "[sb]", "echo", "a\0b", (size_t)3);
	expect_refusal("argv: missing", "{}");
	expect_refusal("argv: ", "{ss}", "argv", "true");
	expect_refusal("argv: ", "{s[s]st}", "argv", "true", "shell", 1);
	expect_refusal("shell: ", "{s[s]si}", "argv", "true", "shell", 1);
	expect_refusal("unknown key \"argvv\"", "{s[s]}", "argvv", "true");
	expect_refusal("unknown key \"\\x1b[\"", "{sn}", "\x1b[");
	expect_refusal("stdout: no file", "{s[s]ss}", "argv", "true", "stdout", "x");
	expect_refusal("stderr: no file", "{s[s]ss}", "argv", "true", "stderr", "x");
	expect_refusal("ctty: neither", "{s[s]ss}", "argv", "true", "ctty", "yes");
	expect_refusal("ctty: none of its standard fds", "{s[s]st}", "argv", "true", "ctty", 1);
	expect_refusal("env: ", "{s[s]s[s]}", "argv", "true", "env", "A=b");
	expect_refusal("env: ", "{s[s]s{si}}", "argv", "true", "env", "A", 1);
	expect_refusal("env: ", "{s[s]s{ss}}", "argv", "true", "env", "A=", "b");
	expect_refusal("env: ", "{s[s]s{ss}}", "argv", "true", "env", "", "b");
	expect_refusal("env_clear: ", "{s[s]ss}", "argv", "true", "env_clear", "yes");
	expect_refusal("cwd: ", "{s[s]si}", "argv", "true", "cwd", 1);
	expect_refusal("cwd: /no/such: No such file or directory", "{s[s]ss}", "argv", "true",
		"cwd", "/no/such");
	expect_refusal("umask: ", "{s[s]si}", "argv", "true", "umask", 01000);
	expect_refusal("nice: ", "{s[s]si}", "argv", "true", "nice", 20);
	expect_refusal("limits: ", "{s[s]s[]}", "argv", "true", "limits");
	expect_refusal("limits: there is none of the name \"wings\"", "{s[s]s{si}}", "argv", "true",
		"limits", "wings", 2);
	expect_refusal(
		"limits: cpu is neither", "{s[s]s{si}}", "argv", "true", "limits", "cpu", -2);
	expect_refusal(
		"limits: cpu is neither", "{s[s]s{s[ii]}}", "argv", "true", "limits", "cpu", 2, 1);
	expect_refusal("limits: nofile: ", "{s[s]s{su}}", "argv", "true", "limits", "nofile",
		UINT64_C(1) << 40);
	/* and the worker is as good as before */
	expect_command("", "\"exit_code\": 0", "[s]", "true");
}
END_TEST

/* A set of signals in /proc/…/status, without the two that the C library keeps to itself. */
static uint64_t signal_set(const struct reply *r, const char *name)
{
	const char *p = strstr(r->value, name);

	ck_assert_ptr_nonnull(p);
	return strtoull(p + strlen(name), NULL, 16) & ~(UINT64_C(3) << 31);
}

START_TEST(a_command_gets_three_fds_and_default_signals)
{
	struct reply r;

	/* fd 3 is the directory that ls itself reads */
	expect_command(
		"", "\"stdout\": b\"0\\x0a1\\x0a2\\x0a3\\x0a\"", "[ss]", "ls", "/proc/self/fd");
	r = run_command("[ss]", "cat", "/proc/self/status");
	ck_assert_uint_eq(signal_set(&r, "SigBlk:\\x09"), 0);
	ck_assert_uint_eq(signal_set(&r, "SigIgn:\\x09"), 0);
	peer_forget(&r);
	/* its own group, and no part of the worker's session's terminal */
	expect_shell("", "\"stdout\": b\"1\\x0a\"",
		"read -r pid name state ppid pgrp rest </proc/$$/stat; echo $((pgrp == $$))");
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("worker_exec");
	TCase *t = tcase_create("exec");

	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, start, stop);
	tcase_add_test(t, a_command_that_ends_with_0_is_done);
	tcase_add_test(t, an_exit_code_or_a_signal_is_a_failure);
	tcase_add_test(t, a_command_that_cannot_start_is_told_as_by_a_shell);
	tcase_add_test(t, a_file_without_a_format_is_a_shell_script);
	tcase_add_test(t, the_environment_is_the_pool_s_and_the_job_s);
	tcase_add_test(t, variables_of_the_pool_may_be_replaced_or_taken_away);
	tcase_add_test(t, the_map_s_keys_have_their_effect);
	tcase_add_test(t, limits_hold);
	tcase_add_test(t, stdin_is_bytes_or_a_memfd_or_empty);
	tcase_add_test(t, stdin_that_is_none_is_refused);
	tcase_add_test(t, files_of_the_client_are_the_command_s_alone);
	tcase_add_test(t, inputs_that_are_wrong_are_refused_by_name);
	tcase_add_test(t, a_command_gets_three_fds_and_default_signals);
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	return check_run(suite());
}
