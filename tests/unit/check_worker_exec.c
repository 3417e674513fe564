/* Handler exec: commands as jobs. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "tests/lib/check_run.h"
#include "tests/unit/worker_peer.h"

static struct peer z, w;

static void start(void)
{
	peer_start_exec(&z);
	peer_fork(&z, &w);
}

static void stop(void)
{
	peer_end(&w);
	peer_end(&z);
}

/* The answer; notifications before it are dropped. */
static struct reply receive_answer(void)
{
	struct reply r = peer_receive(&w);

	while (r.type == RPC_NOTIFICATION) {
		ck_assert_str_eq(r.word, "output");
		peer_forget(&r);
		r = peer_receive(&w);
	}
	return r;
}

#define run_command(format, ...)                                                                   \
	({                                                                                         \
		peer_add(&w, "[iis[s" format "{si}]]", 0, 5, "run", "exec", ##__VA_ARGS__, "id",   \
			7);                                                                        \
		peer_send(&w, NULL, 0);                                                            \
		receive_answer();                                                                  \
	})

#define run_shell(script) run_command("{ssst}", "argv", script, "shell", 1)

/* "key": value, as it stands in the result map. */
static void expect_part(const struct reply *r, const char *part)
{
	ck_assert_msg(r->value && strstr(r->value, part), "%s %s: no %s in %s", r->word,
		r->message ? r->message : "", part, r->value);
}

#define expect_command(word_, part, format, ...)                                                   \
	do {                                                                                       \
		struct reply run_ = run_command(format, ##__VA_ARGS__);                            \
		ck_assert_msg(strcmp(run_.word, word_) == 0, "%s: %s", run_.word, run_.message);   \
		expect_part(&run_, part);                                                          \
		peer_forget(&run_);                                                                \
	} while (0)

#define expect_shell(word, part, script)                                                           \
	expect_command(word, part, "{ssst}", "argv", script, "shell", 1)

/* The job is refused with bad_request, and the message has that text. */
#define expect_refusal(text, format, ...)                                                          \
	do {                                                                                       \
		struct reply run_ = run_command(format, ##__VA_ARGS__);                            \
		ck_assert_str_eq(run_.word, "bad_request");                                        \
		ck_assert_msg(strstr(run_.message, text), "%s", run_.message);                     \
		peer_forget(&run_);                                                                \
	} while (0)

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
	int pair[2];
	struct reply r;

	expect_refusal("stdin", "{s[s]si}", "argv", "cat", "stdin", 1);
	expect_refusal("stdin", "{s[s]sI}", "argv", "cat", "stdin", (uint64_t)3);
	ck_assert_int_eq(pipe(pair), 0);
	peer_add(&w, "[iis[s{s[s]sF}{si}]]", 0, 1, "run", "exec", "argv", "cat", "stdin", 0, "id",
		1);
	peer_send(&w, pair, 1);
	r = receive_answer();
	ck_assert_str_eq(r.word, "bad_request");
	peer_forget(&r);
	close(pair[0]);
	close(pair[1]);
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
	expect_refusal(
		"stdout: not supported in this version", "{s[s]ss}", "argv", "true", "stdout", "x");
	expect_refusal(
		"stderr: not supported in this version", "{s[s]ss}", "argv", "true", "stderr", "x");
	expect_refusal(
		"ctty: not supported in this version", "{s[s]st}", "argv", "true", "ctty", 1);
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

START_TEST(output_is_told_once_per_stream_and_grows)
{
	char dir[] = "/tmp/poold-check-XXXXXX", fifo[64], script[256], text[16] = {};
	int out, fd;
	struct reply r;

	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(fifo, sizeof(fifo), "%s/fifo", dir);
	ck_assert_int_eq(mkfifo(fifo, 0600), 0);
	snprintf(script, sizeof(script), "echo one; read line <%s; echo $line; echo end >&2", fifo);

	r = peer_run(&w, "exec", "{ssst}", "argv", script, "shell", 1);
	ck_assert_str_eq(r.word, "output");
	ck_assert_str_eq(r.value, "7, \"stdout\", fd(0)");
	out = take_fd(&r.fds[0]);
	peer_forget(&r);
	ck_assert_int_eq(pread(out, text, sizeof(text), 0), 4);
	ck_assert_str_eq(text, "one\n");

	fd = open(fifo, O_WRONLY | O_CLOEXEC);
	ck_assert_int_eq(write(fd, "two\n", 4), 4);
	close(fd);
	r = peer_receive(&w);
	ck_assert_str_eq(r.value, "7, \"stderr\", fd(0)");
	peer_forget(&r);
	r = peer_receive(&w);
	expect_part(&r, "\"stdout\": b\"one\\x0atwo\\x0a\", \"stderr\": b\"end\\x0a\"");
	peer_forget(&r);
	ck_assert_int_eq(pread(out, text, sizeof(text), 0), 8);
	close(out);
	unlink(fifo);
	rmdir(dir);
}
END_TEST

START_TEST(large_output_comes_as_a_sealed_memfd)
{
	struct stat st;
	struct reply r = run_shell("head -c 1000000 /dev/zero; head -c 3000 /dev/zero >&2; exit 1");

	ck_assert_str_eq(r.word, "exit");
	expect_part(&r, "\"stdout\": fd(0), \"stderr\": fd(1), ");
	ck_assert_int_eq(fstat(r.fds[0], &st), 0);
	ck_assert_int_eq(st.st_size, 1000000);
	ck_assert_int_eq(fstat(r.fds[1], &st), 0);
	ck_assert_int_eq(st.st_size, 3000);
	ck_assert_int_eq(fcntl(r.fds[0], F_GET_SEALS) & 0xf, 0xf);
	peer_forget(&r);
}
END_TEST

START_TEST(output_over_a_limit_is_cut_and_says_so)
{
	struct peer zygote, worker;
	struct reply r;
	struct stat st;

	peer_start(&zygote);
	peer_add(&zygote, "[iis[{sssssi}]]", 0, 1, "setup", "pool", "p", "handler", "exec",
		"output_bytes", 100000);
	peer_send(&zygote, NULL, 0);
	r = peer_receive(&zygote);
	peer_forget(&r);
	peer_fork(&zygote, &worker);
	w = worker;

	/* the writer is not stopped: it ends by itself */
	r = run_shell("head -c 1000000 /dev/zero && echo written >&2");
	expect_part(&r,
		"\"stdout\": fd(0), \"stderr\": b\"written\\x0a\", \"stdout_truncated\": true, "
		"\"stderr_truncated\": false");
	ck_assert_int_eq(fstat(r.fds[0], &st), 0);
	ck_assert_int_eq(st.st_size, 100000);
	peer_forget(&r);
	r = run_shell("head -c 100000 /dev/zero");
	expect_part(&r, "\"stdout_truncated\": false");
	peer_forget(&r);
	/* the job's max_result counts for both together */
	peer_add(&w, "[iis[s{ssst}{sisi}]]", 0, 1, "run", "exec", "argv",
		"head -c 9000 /dev/zero; head -c 9000 /dev/zero >&2", "shell", 1, "id", 1,
		"max_result", 11024);
	peer_send(&w, NULL, 0);
	r = receive_answer();
	expect_part(&r, "\"stdout_truncated\": false, \"stderr_truncated\": true");
	ck_assert_int_eq(fstat(r.fds[0], &st), 0);
	ck_assert_int_eq(st.st_size, 9000);
	peer_forget(&r);

	peer_end(&w);
	peer_end(&zygote);
}
END_TEST

/* pids that a command printed are gone. */
static void expect_gone(const char *value)
{
	const char *p = strstr(value, "\"stdout\": b\"");
	unsigned n = 0;
	char *end;

	ck_assert_ptr_nonnull(p);
	for (p += strlen("\"stdout\": b\""); *p != '"'; p = end + strlen("\\x0a")) {
		long pid = strtol(p, &end, 10);

		ck_assert_msg(end > p, "%s", p);
		ck_assert_msg(kill((pid_t)pid, 0) < 0 && errno == ESRCH, "process %ld lives", pid);
		n++;
	}
	ck_assert_uint_gt(n, 0);
}

/* What is started in the background, in a session of its own or as a daemon; each prints its pid
 * first. */
static const char *const leavers[] = {
	"sleep 1000 & echo $!",
	"for i in 1 2 3 4 5 6 7 8; do sleep 1000 & echo $!; done",
	"echo $(setsid sh -c 'sleep 1000 >/dev/null 2>&1 & echo $!')",
	"echo $(setsid sh -c 'setsid sh -c \"sleep 1000 & sleep 1000\" >/dev/null 2>&1 & echo $!')",
	"trap '' TERM HUP; (sleep 1000; sleep 1000) & echo $!",
	"sleep 1000 & echo $!; exit 3",
	"sleep 1000 & echo $!; kill -KILL $$",
};

START_TEST(nothing_is_left_of_a_command)
{
	struct reply r = run_shell(leavers[_i]);

	expect_gone(r.value);
	peer_forget(&r);
	expect_command("", "\"exit_code\": 0", "[s]", "true");
}
END_TEST

START_TEST(a_hundred_orphans_are_gone)
{
	struct reply r = run_shell(
		"i=0; while [ $i -lt 100 ]; do setsid sleep 1000 & echo $!; i=$((i + 1)); done");
	struct stat st;
	char *text, *p, *end;

	/* 100 pids may be more than goes inline */
	if (r.n_fds == 0) {
		expect_gone(r.value);
	} else {
		ck_assert_int_eq(fstat(r.fds[0], &st), 0);
		p = text = calloc(1, (size_t)st.st_size + 1);
		ck_assert_int_eq(pread(r.fds[0], text, (size_t)st.st_size, 0), st.st_size);
		for (; *p; p = end + 1)
			ck_assert(kill((pid_t)strtol(p, &end, 10), 0) < 0 && errno == ESRCH);
		free(text);
	}
	peer_forget(&r);
}
END_TEST

START_TEST(the_end_of_a_command_is_not_the_end_of_its_pipes)
{
	/* the background process holds both pipes open, and would for long */
	expect_shell("", "\"stdout\": b\"done\\x0a\"", "sleep 1000 & echo done");
	/* one that closes its output lives on */
	expect_shell("exit", "\"exit_code\": 4", "exec >&- 2>&-; exit 4");
}
END_TEST

START_TEST(the_bell_is_passed_on_to_the_whole_group)
{
	struct reply r;

	r = peer_run(&w, "exec", "{ssst}", "argv",
		"trap 'echo parent; wait; exit 5' TERM; (trap 'echo child; exit 0' TERM; echo "
		"ready; while :; do "
		"sleep 0.01; done) & wait",
		"shell", 1);
	ck_assert_str_eq(r.word, "output");
	peer_forget(&r);
	peer_cancel(&w, 7);
	r = receive_answer();
	ck_assert_str_eq(r.word, "exit");
	expect_part(&r, "\"exit_code\": 5");
	ck_assert_ptr_nonnull(strstr(r.value, "parent"));
	ck_assert_ptr_nonnull(strstr(r.value, "child"));
	peer_forget(&r);
}
END_TEST

START_TEST(a_bell_at_any_moment_ends_the_command)
{
	struct reply r;

	for (int i = 0; i < 50; i++) {
		peer_add(&w, "[iis[s[ss]{si}]]", 0, i, "run", "exec", "sleep", "1000", "id", i);
		peer_send(&w, NULL, 0);
		peer_cancel(&w, (uint64_t)i);
		r = receive_answer();
		ck_assert_str_eq(r.word, "signal");
		expect_part(&r, "\"signal\": 15");
		peer_forget(&r);
	}
	/* for another job: nothing happens */
	peer_add(&w, "[iis[s[s]{si}]]", 0, 1, "run", "exec", "true", "id", 1);
	peer_send(&w, NULL, 0);
	peer_cancel(&w, 2);
	r = receive_answer();
	ck_assert_str_eq(r.word, "");
	peer_forget(&r);
}
END_TEST

/* The daemon's last means: no command outlives its worker. */
START_TEST(a_killed_worker_takes_its_command_along)
{
	struct peer victim;
	struct reply r;
	char text[32] = {};
	pid_t pid;

	peer_fork(&z, &victim);
	r = peer_run(&victim, "exec", "{ssst}", "argv", "echo $$; exec sleep 1000", "shell", 1);
	ck_assert_str_eq(r.word, "output");
	ck_assert_int_gt(pread(r.fds[0], text, sizeof(text) - 1, 0), 0);
	pid = atoi(text);
	peer_forget(&r);
	ck_assert_int_eq(kill(victim.pid, SIGKILL), 0);
	ck_assert_int_eq(peer_await_end(&victim), SIGKILL);
	/* it falls to this test, which is the subreaper */
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
}
END_TEST

START_TEST(rusage_is_the_command_s)
{
	struct reply r = run_shell("i=0; while [ $i -lt 20000 ]; do i=$((i + 1)); done");
	unsigned long long run, cpu, rss;
	double utime, stime;
	const char *usage;
	long maxrss, minflt;

	usage = strstr(r.value, "\"rusage\"");
	ck_assert_ptr_nonnull(usage);
	ck_assert_int_eq(
		sscanf(usage,
			"\"rusage\": {\"utime\": %lf, \"stime\": %lf, \"maxrss_kib\": %ld, "
			"\"minflt\": %ld, \"majflt\": ",
			&utime, &stime, &maxrss, &minflt),
		4);
	ck_assert(utime + stime > 0);
	ck_assert_int_gt(maxrss, 0);
	ck_assert_int_gt(minflt, 0);
	ck_assert_int_eq(sscanf(r.meas, "{\"run_us\": %llu, \"cpu_us\": %llu, \"rss_kib\": %llu",
				 &run, &cpu, &rss),
		3);
	ck_assert_uint_eq(rss, (unsigned long long)maxrss);
	ck_assert_uint_gt(cpu, 0);
	peer_forget(&r);
}
END_TEST

/* Nothing is lost or kept over many commands. */
START_TEST(many_commands_leave_no_fd_behind)
{
	char path[64], target[64];
	struct reply r;
	unsigned n = 0;

	for (int i = 0; i < 200; i++) {
		r = run_command("{s[ss]sb}", "argv", i % 3 ? "echo" : "no-such-command", "x",
			"stdin", "y", (size_t)1);
		peer_forget(&r);
	}
	for (int fd = 0; fd < 64; fd++) {
		snprintf(path, sizeof(path), "/proc/%d/fd/%d", w.pid, fd);
		n += readlink(path, target, sizeof(target)) > 0;
	}
	ck_assert_uint_eq(n, 4);
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
	tcase_add_test(t, inputs_that_are_wrong_are_refused_by_name);
	tcase_add_test(t, a_command_gets_three_fds_and_default_signals);
	tcase_add_test(t, output_is_told_once_per_stream_and_grows);
	tcase_add_test(t, large_output_comes_as_a_sealed_memfd);
	tcase_add_loop_test(t, nothing_is_left_of_a_command, 0, (int)ARRAY_SIZE(leavers));
	tcase_add_test(t, a_hundred_orphans_are_gone);
	tcase_add_test(t, the_end_of_a_command_is_not_the_end_of_its_pipes);
	tcase_add_test(t, the_bell_is_passed_on_to_the_whole_group);
	tcase_add_test(t, a_bell_at_any_moment_ends_the_command);
	tcase_add_test(t, a_killed_worker_takes_its_command_along);
	tcase_add_test(t, rusage_is_the_command_s);
	tcase_add_test(t, many_commands_leave_no_fd_behind);
	suite_add_tcase(s, t);

	t = tcase_create("limit");
	tcase_set_timeout(t, 60);
	tcase_add_test(t, output_over_a_limit_is_cut_and_says_so);
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	return check_run(suite());
}
