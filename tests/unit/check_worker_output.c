/* Handler exec: what a command writes, and what it leaves behind. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "tests/unit/worker_exec.h"

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

/* As the pool's own limit. */
START_TEST(output_over_the_limit_of_files_is_cut)
{
	struct reply r;
	struct stat st;

	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &(struct rlimit){50000, 50000}), 0);
	start();
	r = run_shell("head -c 1000000 /dev/zero && echo written >&2");
	expect_part(&r, "\"stderr\": b\"written\\x0a\", \"stdout_truncated\": true, ");
	ck_assert_int_eq(fstat(r.fds[0], &st), 0);
	ck_assert_int_eq(st.st_size, 50000);
	peer_forget(&r);
	stop();
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("worker_output");
	TCase *t = tcase_create("output"), *limit = tcase_create("limit");

	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, start, stop);
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

	tcase_set_timeout(limit, 60);
	tcase_add_test(limit, output_over_a_limit_is_cut_and_says_so);
	tcase_add_test(limit, output_over_the_limit_of_files_is_cut);
	suite_add_tcase(s, limit);
	return s;
}

int main(void)
{
	return check_run(suite());
}
