/* From the core to real workers and back, with everything that may happen to a worker. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "daemon/clock.h"
#include "daemon/extra.h"
#include "proto/shm.h"
#include "tests/lib/check_run.h"
#include "tests/lib/folder.h"
#include "tests/lib/workbench.h"

#define WORKER "daemon/worker/poold-worker"

static struct workbench b;
static struct folder folder; /* of all cases */
static char dir[128];	     /* of this one */

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
	snprintf(dir, sizeof(dir), "%s/XXXXXX", folder.path);
	ck_assert_ptr_nonnull(mkdtemp(dir));
	workbench_init(&b, WORKER);
}

static void start_commands(unsigned n_workers)
{
	workbench_add_pool(&b, "default", HANDLER_EXEC, n_workers)->cwd = dir;
	workbench_start(&b);
}

static const char *in_dir(const char *name)
{
	static char path[256];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static bool exists(const char *name)
{
	struct stat st;

	return stat(in_dir(name), &st) == 0;
}

/* A number that a job wrote into a file; 0: not yet. */
static pid_t read_pid(const char *name)
{
	FILE *f = fopen(in_dir(name), "re");
	int pid = 0;

	if (!f)
		return 0;
	if (fscanf(f, "%d\n", &pid) != 1)
		pid = 0;
	fclose(f);
	return pid;
}

static bool is_gone(pid_t pid)
{
	return kill(pid, 0) < 0;
}

static off_t size_of(const char *name)
{
	struct stat st;

	return stat(in_dir(name), &st) == 0 ? st.st_size : 0;
}

static pid_t worker_of(const struct future *f)
{
	return workers_pid(f->slot);
}

/* ---- commands ---- */

START_TEST(test_command_is_done)
{
	struct future *f;

	start_commands(1);
	f = workbench_shell(&b, "echo hi", 0, 0);
	workbench_await(&b, f);
	ck_assert_int_eq(f->state, FUTURE_DONE);
	ck_assert_uint_eq(workbench_entry_uint(f, "exit_code"), 0);
	ck_assert(workbench_entry_is(f, "stdout", "hi\n"));
	ck_assert_uint_gt(f->run_us, 0);
	workbench_stop(&b);
}
END_TEST

START_TEST(test_exit_code_is_a_failure_with_the_result)
{
	struct future *f;
	struct cursor oom;
	bool is_oom;

	start_commands(1);
	f = workbench_shell(&b, "echo out; echo err >&2; exit 3", 0, 0);
	workbench_await(&b, f);
	ck_assert_int_eq(f->state, FUTURE_FAILED);
	ck_assert_int_eq(f->failure, FAILURE_EXIT);
	ck_assert_uint_eq(workbench_entry_uint(f, "exit_code"), 3);
	ck_assert(workbench_entry_is(f, "stderr", "err\n"));
	oom = workbench_entry(f, "oom");
	ck_assert(cursor_bool(&oom, &is_oom) && !is_oom);
	workbench_stop(&b);
}
END_TEST

START_TEST(test_signal_of_a_command_is_its_own)
{
	struct future *f;

	start_commands(1);
	f = workbench_shell(&b, "kill -USR1 $$", 0, 0);
	workbench_await(&b, f);
	ck_assert_int_eq(f->state, FUTURE_FAILED);
	ck_assert_int_eq(f->failure, FAILURE_SIGNAL);
	ck_assert_uint_eq(workbench_entry_uint(f, "signal"), SIGUSR1);
	workbench_stop(&b);
}
END_TEST

START_TEST(test_large_output_comes_in_shared_memory)
{
	struct future *f;

	start_commands(1);
	f = workbench_shell(&b, "head -c 300000 /dev/zero", 0, 0);
	workbench_await(&b, f);
	ck_assert_int_eq(f->state, FUTURE_DONE);
	ck_assert_uint_eq(f->value->n_fds, 1);
	ck_assert_uint_eq(f->value->memfd_bytes, 300000);
	ck_assert_uint_eq(f->out.memfd_bytes, 300000);
	workbench_stop(&b);
}
END_TEST

START_TEST(test_result_over_the_pools_limit_is_too_large)
{
	struct future *f;
	uint8_t input[5000];

	workbench_add_module(&b, "bench", 1);
	b.pools[0].max_result_bytes = 4096;
	workbench_start(&b);
	memset(input, 'x', sizeof(input));
	input[0] = 0xda; /* a str of the rest */
	input[1] = (sizeof(input) - 3) >> 8;
	input[2] = (sizeof(input) - 3) & 0xff;
	f = workbench_submit(&b, "bench/echo", input, sizeof(input), 0, 0);
	workbench_await(&b, f);
	ck_assert_int_eq(f->state, FUTURE_FAILED);
	ck_assert_int_eq(f->failure, FAILURE_TOO_LARGE);
	ck_assert(workbench_entry_is(f, "limit", "max_result"));
	ck_assert_uint_eq(workbench_entry_uint(f, "max"), 4096);
	workbench_stop(&b);
}
END_TEST

/* A value above inline_bytes lies in a memfd, whose encoding the worker reads. */
START_TEST(test_large_value_goes_as_ext_3)
{
	static uint8_t input[100000];
	struct future *f;

	workbench_add_module(&b, "bench", 1);
	workbench_start(&b);
	memset(input, 1, sizeof(input));
	input[0] = 0xc6; /* a bin of the rest */
	input[1] = 0;
	input[2] = (sizeof(input) - 5) >> 16;
	input[3] = (sizeof(input) - 5) >> 8 & 0xff;
	input[4] = (sizeof(input) - 5) & 0xff;
	f = workbench_submit(&b, "bench/noop", input, sizeof(input), 0, 0);
	ck_assert_int_ge(f->input->spill_fd, 0);
	workbench_await(&b, f);
	ck_assert_int_eq(f->state, FUTURE_DONE);
	ck_assert_uint_eq(f->in.copied_bytes, sizeof(input)); /* once, when it came in */
	workbench_stop(&b);
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
	ck_assert_uint_eq(f->in.memfd_bytes, sizeof(bytes));
	workbench_await(&b, f);
	ck_assert_int_eq(f->state, FUTURE_DONE);
	ck_assert_uint_eq(f->value->n_fds, 1);
	ck_assert_int_eq(pread(f->value->fds[0], back, 16, sizeof(bytes) - 16), 16);
	ck_assert_mem_eq(back, bytes, 16);
	workbench_stop(&b);
}
END_TEST

/* The memfd that grows is there while the command runs. */
START_TEST(test_output_can_be_read_while_it_runs)
{
	struct future *f;
	char bytes[8];

	start_commands(1);
	f = workbench_shell(&b, "echo here; until [ -e go ]; do sleep 0.01; done", 0, 0);
	workbench_until(&b, f->extra && f->extra->output_fd[STREAM_STDOUT] >= 0);
	ck_assert_int_eq(f->extra->output_fd[STREAM_STDERR], -1);
	workbench_until(&b, pread(f->extra->output_fd[STREAM_STDOUT], bytes, 8, 0) == 5);
	ck_assert_mem_eq(bytes, "here\n", 5);
	ck_assert_int_eq(f->state, FUTURE_RUNNING);
	fclose(fopen(in_dir("go"), "we"));
	workbench_await(&b, f);
	ck_assert_int_eq(f->state, FUTURE_DONE);
	workbench_stop(&b);
}
END_TEST

/* ---- deaths ---- */

START_TEST(test_killed_worker_loses_its_job_and_no_other)
{
	struct future *first, *others[4];
	pid_t pid;

	start_commands(1);
	first = workbench_shell(&b, "echo $$ >running; exec sleep 1000", 0, 0);
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		others[i] = workbench_shell(&b, "true", 0, 0);
	workbench_until(&b, read_pid("running"));
	pid = worker_of(first);
	kill(pid, SIGKILL);
	workbench_await(&b, first);
	ck_assert_int_eq(first->state, FUTURE_LOST);
	ck_assert_uint_eq(workbench_entry_uint(first, "pid"), (uint64_t)pid);
	ck_assert_uint_eq(workbench_entry_uint(first, "signal"), SIGKILL);
	ck_assert_uint_eq(workbench_entry_uint(first, "attempt"), 1);
	ck_assert(!workbench_has_entry(first, "reason"));
	/* its command went before it was called lost */
	ck_assert(is_gone(read_pid("running")));
	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		workbench_await(&b, others[i]);
		ck_assert_int_eq(others[i]->state, FUTURE_DONE);
	}
	ck_assert_uint_eq(workbench_pool(&b, "default")->n_deaths, 1);
	workbench_stop(&b);
}
END_TEST

START_TEST(test_orphans_in_their_own_session_go_with_their_worker)
{
	struct future *f;

	start_commands(1);
	f = workbench_shell(&b,
		"setsid sh -c 'echo $$ >a; setsid sh -c \"echo \\$\\$ >b; exec sleep 1000\" & exec "
		"sleep 1000' & wait",
		0, 0);
	workbench_until(&b, read_pid("a") && read_pid("b"));
	kill(worker_of(f), SIGKILL);
	workbench_await(&b, f);
	ck_assert_int_eq(f->state, FUTURE_LOST);
	ck_assert(is_gone(read_pid("a")));
	ck_assert(is_gone(read_pid("b")));
	workbench_stop(&b);
}
END_TEST

START_TEST(test_many_orphans_go_with_their_worker)
{
	struct future *f;

	start_commands(1);
	f = workbench_shell(&b,
		"for i in 1 2 3 4 5 6 7 8; do setsid sh -c '"
		"for j in 1 2 3 4; do setsid sleep 1000 & done; echo >>count; wait' & done; wait",
		0, 0);
	workbench_until(&b, size_of("count") == 8);
	kill(worker_of(f), SIGKILL);
	workbench_await(&b, f);
	ck_assert_int_eq(f->state, FUTURE_LOST);
	/* strangers would still be children here */
	workbench_stop(&b);
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
	start_commands(1);
	f = workbench_shell(&b, "echo $$ >running; exec sleep 1000", 0, 0);
	workbench_until(&b, read_pid("running"));
	kill(worker_of(f), SIGKILL);
	workbench_await(&b, f);
	ck_assert_int_eq(f->state, FUTURE_LOST);
	ck_assert_int_eq(kill(before, SIGKILL), 0);
	/* dead, it is reaped as any stranger */
	workbench_until(&b, is_gone(before));
	workbench_stop(&b);
}
END_TEST

START_TEST(test_module_that_exits_is_lost_with_its_exit_code)
{
	struct future *f;

	workbench_add_module(&b, "bench", 1);
	workbench_start(&b);
	f = workbench_number(&b, "bench/exit", 7);
	workbench_await(&b, f);
	ck_assert_int_eq(f->state, FUTURE_LOST);
	ck_assert_uint_eq(workbench_entry_uint(f, "exit_code"), 7);
	workbench_stop(&b);
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
		f = workbench_shell(&b, "true", 0, 0);
		workbench_await(&b, f);
		ck_assert_int_eq(f->state, FUTURE_DONE);
		workbench_until(&b, p->state == POOL_READY);
	}
	ck_assert_uint_eq(p->n_deaths, 0);
	workbench_stop(&b);
}
END_TEST

/* ---- ending jobs ---- */

START_TEST(test_cancel_rings_and_a_fresh_worker_takes_the_place)
{
	struct future *f, *next;
	pid_t pid;

	start_commands(1);
	f = workbench_shell(&b,
		"trap 'echo >rung; exit 0' TERM; echo $$ >running; while :; do sleep 0.01; done", 0,
		0);
	workbench_until(&b, read_pid("running"));
	pid = worker_of(f);
	ck_assert_int_eq(
		core_cancel(&b.core, f, CANCEL_TERM, 1000, clock_now_us()), CANCEL_CANCELLING);
	workbench_await(&b, f);
	ck_assert_int_eq(f->state, FUTURE_CANCELLED);
	ck_assert(exists("rung"));
	ck_assert(is_gone(read_pid("running")));
	next = workbench_shell(&b, "true", 0, 0);
	workbench_await(&b, next);
	ck_assert_int_eq(next->state, FUTURE_DONE);
	ck_assert(is_gone(pid));
	workbench_stop(&b);
}
END_TEST

START_TEST(test_command_that_ignores_the_bell_is_killed_after_its_grace)
{
	struct future *f;

	start_commands(1);
	f = workbench_shell(
		&b, "trap '' TERM; echo $$ >running; while :; do sleep 0.01; done", 0, 100000);
	workbench_until(&b, read_pid("running"));
	ck_assert_int_eq(
		core_cancel(&b.core, f, CANCEL_TERM, 1000, clock_now_us()), CANCEL_CANCELLING);
	workbench_await(&b, f);
	ck_assert_int_eq(f->state, FUTURE_CANCELLED);
	ck_assert(is_gone(read_pid("running")));
	workbench_stop(&b);
}
END_TEST

START_TEST(test_cancel_by_kill_is_at_once)
{
	struct future *f;

	start_commands(1);
	f = workbench_shell(
		&b, "trap '' TERM; echo $$ >running; while :; do sleep 0.01; done", 0, 0);
	workbench_until(&b, read_pid("running"));
	core_cancel(&b.core, f, CANCEL_KILL, 1000, clock_now_us());
	workbench_await(&b, f);
	ck_assert_int_eq(f->state, FUTURE_CANCELLED);
	ck_assert(is_gone(read_pid("running")));
	workbench_stop(&b);
}
END_TEST

START_TEST(test_timeout_ends_the_job)
{
	struct future *f;

	start_commands(1);
	f = workbench_shell(&b, "exec sleep 1000", 50000, 0);
	workbench_await(&b, f);
	ck_assert_int_eq(f->state, FUTURE_TIMEOUT);
	workbench_stop(&b);
}
END_TEST

START_TEST(test_jobs_ahead_come_back_and_never_start)
{
	struct future *first, *second, *third;

	start_commands(1);
	first = workbench_shell(&b, "echo $$ >running; until [ -e go ]; do sleep 0.01; done", 0, 0);
	second = workbench_shell(&b, "echo >second", 0, 0);
	third = workbench_shell(&b, "echo >third", 0, 0);
	workbench_until(&b, read_pid("running"));
	/* a function without history: one is ahead */
	workbench_until(&b, second->slot != NULL);
	ck_assert_int_eq(
		core_cancel(&b.core, second, CANCEL_TERM, 1000, clock_now_us()), CANCEL_CANCELLED);
	ck_assert_int_eq(second->state, FUTURE_CANCELLED);
	fclose(fopen(in_dir("go"), "we"));
	workbench_await(&b, first);
	workbench_await(&b, third);
	ck_assert_int_eq(first->state, FUTURE_DONE);
	ck_assert_int_eq(third->state, FUTURE_DONE);
	ck_assert(exists("third"));
	ck_assert(!exists("second"));
	workbench_stop(&b);
}
END_TEST

START_TEST(test_drain_ends_what_waits_and_lets_running_jobs_finish)
{
	struct future *running, *waiting[3];

	start_commands(1);
	running = workbench_shell(
		&b, "echo $$ >running; until [ -e go ]; do sleep 0.01; done", 0, 0);
	for (size_t i = 0; i < ARRAY_SIZE(waiting); i++)
		waiting[i] = workbench_shell(&b, "true", 0, 0);
	workbench_until(&b, read_pid("running"));
	core_drain(&b.core, clock_now_us());
	for (size_t i = 0; i < ARRAY_SIZE(waiting); i++)
		ck_assert_int_eq(waiting[i]->state, FUTURE_ABORTED);
	fclose(fopen(in_dir("go"), "we"));
	workbench_await(&b, running);
	ck_assert_int_eq(running->state, FUTURE_DONE);
	workbench_stop(&b);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("workers");
	TCase *tcase = tcase_create("workers");

	tcase_add_unchecked_fixture(tcase, make_folder, remove_folder);
	tcase_add_checked_fixture(tcase, set_up, NULL);
	tcase_set_timeout(tcase, 120);
	tcase_add_test(tcase, test_command_is_done);
	tcase_add_test(tcase, test_exit_code_is_a_failure_with_the_result);
	tcase_add_test(tcase, test_signal_of_a_command_is_its_own);
	tcase_add_test(tcase, test_large_output_comes_in_shared_memory);
	tcase_add_test(tcase, test_result_over_the_pools_limit_is_too_large);
	tcase_add_test(tcase, test_large_value_goes_as_ext_3);
	tcase_add_test(tcase, test_shared_memory_goes_there_and_back);
	tcase_add_test(tcase, test_output_can_be_read_while_it_runs);
	tcase_add_test(tcase, test_killed_worker_loses_its_job_and_no_other);
	tcase_add_test(tcase, test_orphans_in_their_own_session_go_with_their_worker);
	tcase_add_test(tcase, test_many_orphans_go_with_their_worker);
	tcase_add_test(tcase, test_children_from_before_are_let_be);
	tcase_add_test(tcase, test_module_that_exits_is_lost_with_its_exit_code);
	tcase_add_test(tcase, test_zygote_that_is_killed_comes_back);
	tcase_add_test(tcase, test_cancel_rings_and_a_fresh_worker_takes_the_place);
	tcase_add_test(tcase, test_command_that_ignores_the_bell_is_killed_after_its_grace);
	tcase_add_test(tcase, test_cancel_by_kill_is_at_once);
	tcase_add_test(tcase, test_timeout_ends_the_job);
	tcase_add_test(tcase, test_jobs_ahead_come_back_and_never_start);
	tcase_add_test(tcase, test_drain_ends_what_waits_and_lets_running_jobs_finish);
	suite_add_tcase(suite, tcase);
	return check_run(suite);
}
