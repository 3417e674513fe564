/* From the core to real workers and back, with everything that may happen to a worker. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/clock.h"
#include "daemon/extra.h"
#include "proto/shm.h"
#include "tests/lib/check_run.h"
#include "tests/lib/folder.h"
#include "tests/lib/workbench.h"

static struct workbench b;
static struct folder folder; /* of all cases */
static struct folder dir;    /* of this one */

static void make_folder(void)
{
	folder_make(&folder);
}

static void remove_folder(void)
{
	folder_remove(&folder);
}

static void set_up(void)
{
	dir = folder;
	strcat(dir.path, "/XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir.path));
	workbench_init(&b, "daemon/worker/poold-worker");
}

static void tear_down(void)
{
	workbench_stop(&b);
}

static void start_commands(unsigned n_workers)
{
	workbench_add_pool(&b, "default", HANDLER_EXEC, n_workers)->cwd = dir.path;
	workbench_start(&b);
}

static struct future *submit(const char *script)
{
	return workbench_shell(&b, script, 0, 0);
}

static void expect_end(const struct future *f, enum future_state state)
{
	workbench_await(&b, f);
	ck_assert_int_eq(f->state, state);
}

/* A number that a job wrote into a file; 0: not yet. */
static pid_t read_pid(const char *name)
{
	return atoi(folder_read(&dir, name));
}

/* One worker, and a command that ends so. */
static struct future *run(const char *script, enum future_state state)
{
	struct future *f;

	start_commands(1);
	f = submit(script);
	expect_end(f, state);
	return f;
}

/* One worker, and a command that has written its pid into the file `running`. */
static struct future *start_running(const char *script)
{
	struct future *f;

	start_commands(1);
	f = submit(script);
	workbench_until(&b, read_pid("running"));
	return f;
}

static bool is_gone(pid_t pid)
{
	return kill(pid, 0) < 0;
}

static enum cancel_outcome cancel(struct future *f, enum cancel_mode mode)
{
	return core_cancel(&b.core, f, mode, 1000, clock_now_us());
}

/* ---- commands ---- */

START_TEST(test_command_is_done)
{
	struct future *f = run("echo hi", FUTURE_DONE);

	ck_assert_uint_eq(workbench_entry_uint(f, "exit_code"), 0);
	ck_assert(workbench_entry_is(f, "stdout", "hi\n"));
	ck_assert_uint_gt(f->run->run_us, 0);
}
END_TEST

START_TEST(test_exit_code_is_a_failure_with_the_result)
{
	struct future *f;
	struct cursor oom;
	bool is_oom;

	f = run("echo out; echo err >&2; exit 3", FUTURE_FAILED);
	ck_assert_int_eq(f->failure, FAILURE_EXIT);
	ck_assert_uint_eq(workbench_entry_uint(f, "exit_code"), 3);
	ck_assert(workbench_entry_is(f, "stderr", "err\n"));
	oom = workbench_entry(f, "oom");
	ck_assert(cursor_bool(&oom, &is_oom) && !is_oom);
}
END_TEST

START_TEST(test_signal_of_a_command_is_its_own)
{
	struct future *f = run("kill -USR1 $$", FUTURE_FAILED);

	ck_assert_int_eq(f->failure, FAILURE_SIGNAL);
	ck_assert_uint_eq(workbench_entry_uint(f, "signal"), SIGUSR1);
}
END_TEST

START_TEST(test_large_output_comes_in_shared_memory)
{
	struct future *f = run("head -c 300000 /dev/zero", FUTURE_DONE);

	ck_assert_uint_eq(future_value(f)->n_fds, 1);
	ck_assert_uint_eq(payload_memfd_bytes(future_value(f)), 300000);
	ck_assert_uint_eq(f->run->out.memfd_bytes, 300000);
}
END_TEST

/* A bin of n bytes as input. */
static struct future *submit_bin(const char *address, uint32_t n)
{
	static uint8_t input[5 + 100000] = {0xc6};

	for (unsigned i = 0; i < 4; i++)
		input[1 + i] = (uint8_t)(n >> (24 - 8 * i));
	return workbench_submit(&b, address, input, 5 + n, 0, 0);
}

START_TEST(test_result_over_the_pools_limit_is_too_large)
{
	struct future *f;

	workbench_add_module(&b, "bench", 1);
	b.pools[0].max_result_bytes = 4096;
	workbench_start(&b);
	f = submit_bin("bench/echo", 5000);
	expect_end(f, FUTURE_FAILED);
	ck_assert_int_eq(f->failure, FAILURE_TOO_LARGE);
	ck_assert(workbench_entry_is(f, "limit", "max_result"));
	ck_assert_uint_eq(workbench_entry_uint(f, "max"), 4096);
}
END_TEST

/* A value above inline_bytes lies in a memfd, whose encoding the worker reads. */
START_TEST(test_large_value_goes_as_ext_3)
{
	struct future *f;

	workbench_add_module(&b, "bench", 1);
	workbench_start(&b);
	f = submit_bin("bench/noop", 100000);
	ck_assert_int_ge(payload_spill_fd(f->input), 0);
	expect_end(f, FUTURE_DONE);
	ck_assert_uint_eq(f->in_copied_bytes, 100005); /* once, when it came in */
}
END_TEST

START_TEST(test_shared_memory_goes_there_and_back)
{
	static uint8_t bytes[200000];
	uint8_t back[16];
	struct future *f;

	workbench_add_module(&b, "bench", 1);
	workbench_start(&b);
	memset(bytes, 'm', sizeof(bytes));
	f = workbench_memfd(&b, "bench/echo", shm_from_bytes("check", bytes, sizeof(bytes)));
	ck_assert_uint_eq(f->in_memfd_bytes, sizeof(bytes));
	expect_end(f, FUTURE_DONE);
	ck_assert_uint_eq(future_value(f)->n_fds, 1);
	ck_assert_int_eq(
		pread(payload_memfds(future_value(f))->fds[0], back, 16, sizeof(bytes) - 16), 16);
	ck_assert_mem_eq(back, bytes, 16);
}
END_TEST

/* The memfd that grows is there while the command runs. */
START_TEST(test_output_can_be_read_while_it_runs)
{
	struct future *f;
	char bytes[8];

	start_commands(1);
	f = submit("echo here; until [ -e go ]; do sleep 0.01; done");
	workbench_until(&b, future_extra(f) && future_extra(f)->output_fd[STREAM_STDOUT] >= 0);
	ck_assert_int_eq(future_extra(f)->output_fd[STREAM_STDERR], -1);
	workbench_until(&b, pread(future_extra(f)->output_fd[STREAM_STDOUT], bytes, 8, 0) == 5);
	ck_assert_mem_eq(bytes, "here\n", 5);
	ck_assert_int_eq(f->state, FUTURE_RUNNING);
	folder_write(&dir, "go", "");
	expect_end(f, FUTURE_DONE);
}
END_TEST

/* ---- deaths ---- */

START_TEST(test_killed_worker_loses_its_job_and_no_other)
{
	struct future *first, *others[4];
	pid_t pid;

	start_commands(1);
	first = submit("echo $$ >running; exec sleep 1000");
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		others[i] = submit("true");
	workbench_until(&b, read_pid("running"));
	pid = workers_pid(first->run->slot);
	kill(pid, SIGKILL);
	expect_end(first, FUTURE_LOST);
	ck_assert_uint_eq(workbench_entry_uint(first, "pid"), (uint64_t)pid);
	ck_assert_uint_eq(workbench_entry_uint(first, "signal"), SIGKILL);
	ck_assert_uint_eq(workbench_entry_uint(first, "attempt"), 1);
	ck_assert(!workbench_has_entry(first, "reason"));
	/* its command went before it was called lost */
	ck_assert(is_gone(read_pid("running")));
	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		expect_end(others[i], FUTURE_DONE);
	}
	ck_assert_uint_eq(workbench_pool(&b, "default")->n_deaths, 1);
}
END_TEST

START_TEST(test_orphans_in_their_own_session_go_with_their_worker)
{
	struct future *f;

	start_commands(1);
	f = submit(
		"setsid sh -c 'echo $$ >a; setsid sh -c \"echo \\$\\$ >b; exec sleep 1000\" & exec "
		"sleep 1000' & wait");
	workbench_until(&b, read_pid("a") && read_pid("b"));
	kill(workers_pid(f->run->slot), SIGKILL);
	expect_end(f, FUTURE_LOST);
	ck_assert(is_gone(read_pid("a")));
	ck_assert(is_gone(read_pid("b")));
}
END_TEST

START_TEST(test_many_orphans_go_with_their_worker)
{
	struct future *f;

	start_commands(1);
	f = submit(
		"for i in 1 2 3 4 5 6 7 8; do setsid sh -c '"
		"for j in 1 2 3 4; do setsid sleep 1000 & done; echo >>count; wait' & done; wait");
	workbench_until(&b, strlen(folder_read(&dir, "count")) == 8);
	kill(workers_pid(f->run->slot), SIGKILL);
	expect_end(f, FUTURE_LOST);
	/* strangers would still be children here */
}
END_TEST

/* A shell that became the daemon may have left it children. */
START_TEST(test_children_from_before_are_let_be)
{
	struct future *f;
	pid_t before = fork();

	if (before == 0) {
		pause();
		_exit(0);
	}
	f = start_running("echo $$ >running; exec sleep 1000");
	kill(workers_pid(f->run->slot), SIGKILL);
	expect_end(f, FUTURE_LOST);
	ck_assert_int_eq(kill(before, SIGKILL), 0);
	/* dead, it is reaped as any stranger */
	workbench_until(&b, is_gone(before));
}
END_TEST

START_TEST(test_module_that_exits_is_lost_with_its_exit_code)
{
	struct future *f;

	workbench_add_module(&b, "bench", 1);
	workbench_start(&b);
	f = workbench_number(&b, "bench/exit", 7);
	expect_end(f, FUTURE_LOST);
	ck_assert_uint_eq(workbench_entry_uint(f, "exit_code"), 7);
}
END_TEST

START_TEST(test_zygote_that_is_killed_comes_back)
{
	struct pool *p;
	struct future *f;

	start_commands(2);
	p = workbench_pool(&b, "default");
	workbench_until(&b, p->n_by_state[SLOT_IDLE] == 2);
	for (int round = 0; round < 3; round++) {
		kill(workbench_zygote(p), SIGKILL);
		workbench_until(&b, p->state == POOL_STARTING);
		/* workers live on without it */
		f = submit("true");
		expect_end(f, FUTURE_DONE);
		workbench_until(&b, p->state == POOL_READY);
	}
	ck_assert_uint_eq(p->n_deaths, 0);
}
END_TEST

/* ---- ending jobs ---- */

START_TEST(test_cancel_rings_and_a_fresh_worker_takes_the_place)
{
	struct future *f, *next;
	pid_t pid;

	f = start_running(
		"trap 'echo >rung; exit 0' TERM; echo $$ >running; while :; do sleep 0.01; done");
	pid = workers_pid(f->run->slot);
	ck_assert_int_eq(cancel(f, CANCEL_TERM), CANCEL_CANCELLING);
	expect_end(f, FUTURE_CANCELLED);
	ck_assert(folder_has(&dir, "rung"));
	ck_assert(is_gone(read_pid("running")));
	next = submit("true");
	expect_end(next, FUTURE_DONE);
	workbench_until(&b, is_gone(pid)); /* its end is not waited for */
}
END_TEST

START_TEST(test_command_that_ignores_the_bell_is_killed_after_its_grace)
{
	struct future *f;

	start_commands(1);
	f = workbench_shell(
		&b, "trap '' TERM; echo $$ >running; while :; do sleep 0.01; done", 0, 100000);
	workbench_until(&b, read_pid("running"));
	ck_assert_int_eq(cancel(f, CANCEL_TERM), CANCEL_CANCELLING);
	expect_end(f, FUTURE_CANCELLED);
	ck_assert(is_gone(read_pid("running")));
}
END_TEST

START_TEST(test_cancel_by_kill_is_at_once)
{
	struct future *f = start_running(
		"trap '' TERM; echo $$ >running; while :; do sleep 0.01; done");
	cancel(f, CANCEL_KILL);
	expect_end(f, FUTURE_CANCELLED);
	ck_assert(is_gone(read_pid("running")));
}
END_TEST

START_TEST(test_timeout_ends_the_job)
{
	struct future *f;

	start_commands(1);
	f = workbench_shell(&b, "exec sleep 1000", 50000, 0);
	expect_end(f, FUTURE_TIMEOUT);
}
END_TEST

START_TEST(test_jobs_ahead_come_back_and_never_start)
{
	struct future *first, *second, *third;

	start_commands(1);
	first = submit("echo $$ >running; until [ -e go ]; do sleep 0.01; done");
	second = submit("echo >second");
	third = submit("echo >third");
	workbench_until(&b, read_pid("running"));
	/* a function without history: one is ahead */
	workbench_until(&b, second->run->slot != NULL);
	ck_assert_int_eq(cancel(second, CANCEL_TERM), CANCEL_CANCELLED);
	ck_assert_int_eq(second->state, FUTURE_CANCELLED);
	folder_write(&dir, "go", "");
	workbench_await(&b, first);
	workbench_await(&b, third);
	ck_assert_int_eq(first->state, FUTURE_DONE);
	ck_assert_int_eq(third->state, FUTURE_DONE);
	ck_assert(folder_has(&dir, "third"));
	ck_assert(!folder_has(&dir, "second"));
}
END_TEST

START_TEST(test_drain_ends_what_waits_and_lets_running_jobs_finish)
{
	struct future *running, *waiting[3];

	start_commands(1);
	running = submit("echo $$ >running; until [ -e go ]; do sleep 0.01; done");
	for (size_t i = 0; i < ARRAY_SIZE(waiting); i++)
		waiting[i] = submit("true");
	workbench_until(&b, read_pid("running"));
	core_drain(&b.core, clock_now_us());
	for (size_t i = 0; i < ARRAY_SIZE(waiting); i++)
		ck_assert_int_eq(waiting[i]->state, FUTURE_ABORTED);
	folder_write(&dir, "go", "");
	expect_end(running, FUTURE_DONE);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {test_command_is_done,
		test_exit_code_is_a_failure_with_the_result, test_signal_of_a_command_is_its_own,
		test_large_output_comes_in_shared_memory,
		test_result_over_the_pools_limit_is_too_large, test_large_value_goes_as_ext_3,
		test_shared_memory_goes_there_and_back, test_output_can_be_read_while_it_runs,
		test_killed_worker_loses_its_job_and_no_other,
		test_orphans_in_their_own_session_go_with_their_worker,
		test_many_orphans_go_with_their_worker, test_children_from_before_are_let_be,
		test_module_that_exits_is_lost_with_its_exit_code,
		test_zygote_that_is_killed_comes_back,
		test_cancel_rings_and_a_fresh_worker_takes_the_place,
		test_command_that_ignores_the_bell_is_killed_after_its_grace,
		test_cancel_by_kill_is_at_once, test_timeout_ends_the_job,
		test_jobs_ahead_come_back_and_never_start,
		test_drain_ends_what_waits_and_lets_running_jobs_finish};
	Suite *suite = suite_create("workers");
	TCase *tcase = tcase_create("workers");

	tcase_add_unchecked_fixture(tcase, make_folder, remove_folder);
	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_set_timeout(tcase, 120);
	for (size_t i = 0; i < ARRAY_SIZE(tests); i++)
		tcase_add_test(tcase, tests[i]);
	suite_add_tcase(suite, tcase);
	return check_run(suite);
}
