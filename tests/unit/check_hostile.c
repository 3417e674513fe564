/* Workers and zygotes that break their protocol: their own job is lost, their pool backs off or
 * fails, and nothing else changes. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "daemon/clock.h"
#include "daemon/extra.h"
#include "daemon/final_hook.h"
#include "tests/lib/check_run.h"
#include "tests/lib/workbench.h"

#define WORKER "tests/lib/hostile_worker"

static struct workbench b;

/* Pools: the hostile one, and an honest one beside it. */
static struct pool *start(const char *how)
{
	struct config_pool *p;

	workbench_init(&b, WORKER);
	p = workbench_add_pool(&b, how, HANDLER_MODULE, 1);
	if (strstr(how, "_never"))
		p->start_timeout_us = 1000000;
	workbench_add_pool(&b, "honest", HANDLER_MODULE, 1);
	workbench_start(&b);
	return workbench_pool(&b, how);
}

static struct future *submit(const char *pool)
{
	struct future *f;
	char address[128];

	snprintf(address, sizeof(address), "%s/run", pool);
	f = workbench_number(&b, address, 1);
	f->is_each = strncmp(pool, "each_", 5) == 0;
	return f;
}

static void check_honest(void)
{
	struct future *f = submit("honest");

	workbench_await(&b, f);
	ck_assert_int_eq(f->state, FUTURE_DONE);
	ck_assert_uint_eq(workbench_pool(&b, "honest")->n_deaths, 0);
}

static const char *const bad_answers[] = {"run_garbage", "run_no_rpc", "run_cut_short",
	"run_huge_count", "run_empty", "run_wrong_msgid", "run_result_no_array", "run_meas_no_map",
	"run_error_and_result", "run_error_no_code", "run_request", "run_unknown_notification",
	"run_ready_again", "run_deep", "run_very_deep", "run_too_long", "run_ext_2", "run_ext_3",
	"run_many_fds", "run_fd_unnamed", "run_fd_missing", "run_fd_gap", "run_fds_over_limit",
	"run_fd_in_meas", "run_shut_down", "run_bad_progress", "run_bad_taken",
	"run_output_no_stream", "run_output_twice", "run_output_gap", "each_index_alone",
	"each_results_alone", "each_index_no_number", "each_results_no_array", "each_results_deep",
	"each_fd_in_data",
	/* of what is no memfd as it should be */
	"run_unsealed", "run_writable", "run_growing", "run_shrinking", "run_half_sealed",
	"run_future_write", "run_huge_pages", "run_output_huge_pages", "run_sealed_huge_pages",
	"run_output_sealed_huge_pages", "run_pipe", "run_output_pipe", "run_socket",
	"run_output_socket", "run_zero", "run_output_zero", "run_procfs", "run_output_procfs",
	"run_file", "run_output_file", "run_directory", "run_output_directory", "run_path",
	"run_output_path", "run_pidfd", "run_output_pidfd"};

START_TEST(test_bad_answer_costs_its_own_job)
{
	struct pool *p = start(bad_answers[_i]);
	struct future *f = submit(p->name), *next;

	workbench_await(&b, f);
	ck_assert_int_eq(f->state, FUTURE_LOST);
	ck_assert(workbench_entry_is(f, "reason", "protocol"));
	check_honest();
	/* the next worker serves the next job as badly */
	next = submit(p->name);
	workbench_await(&b, next);
	ck_assert_int_eq(next->state, FUTURE_LOST);
	workbench_stop(&b);
}
END_TEST

/* They are the job's as much as those of a result are; one without `each` names none outside of its
 * data. */
START_TEST(test_fds_of_results_before_a_failure_are_kept)
{
	struct pool *p = start("each_fd_in_results");
	struct future *f = submit(p->name), *other;

	workbench_await(&b, f);
	ck_assert_int_eq(f->state, FUTURE_FAILED);
	ck_assert_uint_eq(future_value(f)->n_fds, 1);
	ck_assert_uint_eq(workbench_entry_uint(f, "index"), 1);
	ck_assert_uint_eq(p->n_deaths, 0);
	other = submit(p->name);
	other->is_each = false;
	workbench_await(&b, other);
	ck_assert_int_eq(other->state, FUTURE_LOST);
	workbench_stop(&b);
}
END_TEST

static const char *const second_answers[] = {"run_answer_twice", "run_trailing"};

START_TEST(test_answer_before_the_breach_counts)
{
	struct pool *p = start(second_answers[_i]);
	struct future *f = submit(p->name);

	workbench_await(&b, f);
	ck_assert_int_eq(f->state, FUTURE_DONE);
	workbench_until(&b, p->n_deaths == 1);
	check_honest();
	workbench_stop(&b);
}
END_TEST

static const char *const bad_starts[] = {"start_answer", "start_garbage", "start_many_functions",
	"start_protocol_2", "start_never", "start_exit", "start_progress", "fork_init", "fork_self",
	"fork_daemon", "fork_negative", "fork_wrong_msgid", "fork_exit", "fork_error",
	"fork_never"};

START_TEST(test_bad_start_backs_off_and_its_jobs_wait)
{
	struct pool *p = start(bad_starts[_i]);
	struct future *f = submit(p->name);

	workbench_until(&b, p->n_failed_starts >= 2);
	check_honest();
	ck_assert_int_eq(f->state, FUTURE_QUEUED);
	ck_assert_int_eq(core_cancel(&b.core, f, CANCEL_TERM, 0, clock_now_us()), CANCEL_CANCELLED);
	workbench_stop(&b);
}
END_TEST

START_TEST(test_answer_that_nobody_asked_for_costs_the_worker)
{
	struct pool *p = start("start_answer_early");

	workbench_until(&b, p->n_deaths >= 2);
	check_honest();
	workbench_stop(&b);
}
END_TEST

static const struct {
	const char *how;
	const char *reason;
} bad_setups[] = {
	{"zygote_garbage", "broke the protocol: a packet that is no answer"},
	{"zygote_many_functions", "broke the protocol: too many functions"},
	{"zygote_bad_name", "broke the protocol: a function's name is none"},
	{"zygote_exit", "exit code 3: no such luck"},
	{"zygote_never", "takes too long"},
	{"zygote_error", "the moon is in the wrong\\x0ahouse"},
};

START_TEST(test_bad_setup_fails_the_pool)
{
	struct pool *p = start(bad_setups[_i].how);

	ck_assert_int_eq(p->state, POOL_FAILED);
	ck_assert_msg(strstr(p->reason, bad_setups[_i].reason), "reason: %s", p->reason);
	check_honest();
	workbench_stop(&b);
}
END_TEST

START_TEST(test_news_of_others_are_nobodys)
{
	struct pool *p = start("nice_news");
	struct future *f = submit(p->name), *other = submit(p->name);

	workbench_await(&b, f);
	ck_assert_int_eq(f->state, FUTURE_DONE);
	ck_assert_ptr_nonnull(future_extra(f));
	ck_assert_uint_eq(future_extra(f)->progress_done, 4999);
	ck_assert_ptr_nonnull(strstr(future_extra(f)->progress_text, "news"));
	ck_assert_ptr_null(strchr(future_extra(f)->progress_text, '\x1b'));
	ck_assert_int_eq(future_extra(f)->output_fd[STREAM_STDERR], -1);
	workbench_await(&b, other);
	ck_assert_int_eq(other->state, FUTURE_DONE);
	ck_assert_int_eq(future_extra(other)->output_fd[STREAM_STDERR], -1);
	workbench_stop(&b);
}
END_TEST

/* It never receives: what it was given is taken back, and a fresh worker takes its place. */
START_TEST(test_deaf_worker_is_replaced)
{
	struct pool *p = start("start_deaf");
	struct future *f;

	f = submit(p->name);
	f->timeout_us = 1100000;
	workbench_until(&b, p->n_deaths >= 1);
	check_honest();
	ck_assert(!future_state_is_final(f->state));
	core_cancel(&b.core, f, CANCEL_TERM, 0, clock_now_us());
	workbench_await(&b, f);
	ck_assert_int_eq(f->state, FUTURE_CANCELLED);
	workbench_stop(&b);
}
END_TEST

START_TEST(test_worker_that_asks_to_be_replaced_is)
{
	struct pool *p = start("nice_recycle");
	struct future *jobs[5];

	for (size_t i = 0; i < ARRAY_SIZE(jobs); i++)
		jobs[i] = submit(p->name);
	for (size_t i = 0; i < ARRAY_SIZE(jobs); i++) {
		workbench_await(&b, jobs[i]);
		ck_assert_int_eq(jobs[i]->state, FUTURE_DONE);
	}
	workbench_until(&b, p->n_by_state[SLOT_IDLE] == 1);
	/* it may have received the next job before its wish was read */
	ck_assert_uint_gt(p->n_spawned, 1);
	ck_assert_uint_eq(p->n_deaths, 0);
	workbench_stop(&b);
}
END_TEST

START_TEST(test_flood_of_output_holds_nobody_up)
{
	struct pool *p = start("nice_flood");
	struct future *f = submit(p->name);

	check_honest();
	workbench_await(&b, f);
	ck_assert_int_eq(f->state, FUTURE_DONE);
	workbench_stop(&b);
}
END_TEST

/* They are shared with the daemon's duplicate. */
START_TEST(test_flags_of_the_link_are_the_workers_own)
{
	struct pool *p = start("nice_flags");
	struct future *jobs[20];

	for (size_t i = 0; i < ARRAY_SIZE(jobs); i++)
		jobs[i] = submit(p->name);
	for (size_t i = 0; i < ARRAY_SIZE(jobs); i++) {
		workbench_await(&b, jobs[i]);
		ck_assert_int_eq(jobs[i]->state, FUTURE_DONE);
	}
	ck_assert_uint_eq(p->n_deaths, 0);
	workbench_stop(&b);
}
END_TEST

START_TEST(test_strange_failure_is_made_plain)
{
	struct pool *p = start("nice_strange_failure");
	struct future *f = submit(p->name);
	struct cursor data;

	workbench_await(&b, f);
	ck_assert_int_eq(f->state, FUTURE_FAILED);
	ck_assert_int_eq(f->failure, FAILURE_FUNCTION);
	ck_assert(workbench_entry_is(f, "code", "Not a \\x01 code"));
	ck_assert(workbench_entry_is(f, "message", "\\xff\\xfe broken\\x0atext"));
	data = workbench_entry(f, "data");
	ck_assert(cursor_nil(&data));
	/* a message would carry an fd that it does not name */
	ck_assert_uint_eq(future_value(f)->n_fds, 0);
	ck_assert_uint_eq(p->n_deaths, 0);
	workbench_stop(&b);
}
END_TEST

static const struct {
	const char *how, *limit;
	uint64_t value, max;
} large_results[] = {
	{"nice_large_inline", "inline_bytes", PROTO_INLINE_BYTES + 105, PROTO_INLINE_BYTES},
	{"nice_large_memfd", "max_result", (2u << 20) + 3, 1u << 20},
	{"nice_holes", "max_result", (1ull << 40) + 3, 1u << 20},
};

START_TEST(test_result_over_a_limit_is_too_large_and_the_worker_stays)
{
	struct pool *p = start(large_results[_i].how);
	struct future *f = submit(p->name);

	workbench_await(&b, f);
	ck_assert_int_eq(f->state, FUTURE_FAILED);
	ck_assert_int_eq(f->failure, FAILURE_TOO_LARGE);
	ck_assert(workbench_entry_is(f, "limit", large_results[_i].limit));
	ck_assert_uint_eq(workbench_entry_uint(f, "value"), large_results[_i].value);
	ck_assert_uint_eq(workbench_entry_uint(f, "max"), large_results[_i].max);
	ck_assert_uint_eq(p->n_deaths, 0);
	workbench_stop(&b);
}
END_TEST

START_TEST(test_last_words_come_with_the_loss)
{
	struct pool *p = start("nice_crash");
	struct future *f = submit(p->name);

	workbench_await(&b, f);
	ck_assert_int_eq(f->state, FUTURE_LOST);
	ck_assert_uint_eq(workbench_entry_uint(f, "signal"), SIGABRT);
	ck_assert(workbench_entry_is(f, "stderr_tail", "about ? to? crash\n"));
	workbench_stop(&b);
}
END_TEST

START_TEST(test_last_words_are_not_shown_across_uids)
{
	struct pool *p = start("nice_crash_second");
	struct future *f, *g;

	f = submit(p->name);
	workbench_await(&b, f);
	ck_assert_int_eq(f->state, FUTURE_DONE);
	workbench_be(&b, 1000 + (uint32_t)_i);
	g = submit(p->name);
	workbench_await(&b, g);
	ck_assert_int_eq(g->state, FUTURE_LOST);
	ck_assert_int_eq(workbench_has_entry(g, "stderr_tail"), _i == 0);
	workbench_stop(&b);
}
END_TEST

static struct future *second;
static enum cancel_outcome outcome;

static void cancel_second(struct final_hook *h, struct future *f)
{
	outcome = core_cancel(&b.core, second, CANCEL_TERM, 0, clock_now_us());
}

/* Whoever hears of the first answer cancels the second job, whose answer is in the same packet: it
 * was answered before the bell, so nothing is rung. */
START_TEST(test_rest_of_a_packet_is_read_inside_its_reading)
{
	struct pool *p = start("nice_pair");
	static const struct final_hook_ops hook_ops = {.on_final = cancel_second};
	struct final_hook hook = {.ops = &hook_ops};
	struct future *first = submit(p->name);

	second = submit(p->name);
	core_wait(&b.core, first, &hook.waiter);
	workbench_await(&b, first);
	ck_assert_int_eq(outcome, CANCEL_TOO_LATE);
	ck_assert_int_eq(first->state, FUTURE_DONE);
	ck_assert_int_eq(second->state, FUTURE_DONE);
	ck_assert_mem_eq(future_value(first)->bytes, "\0", 1);
	ck_assert_mem_eq(future_value(second)->bytes, "\1", 1);
	check_honest();
	ck_assert_uint_eq(p->n_deaths, 0);
	workbench_stop(&b);
}
END_TEST

START_TEST(test_answer_of_a_dead_worker_counts)
{
	struct pool *p = start("nice_last_answer");
	struct future *f, *ahead;
	siginfo_t si;

	workbench_until(&b, p->n_by_state[SLOT_IDLE] == 1);
	f = submit(p->name);
	ahead = submit(p->name);
	core_turn(&b.core, clock_now_us());
	ck_assert_ptr_nonnull(f->run->slot);
	/* all of it is there before any of it is read */
	ck_assert_int_eq(waitid(P_PID, (id_t)workers_pid(f->run->slot), &si, WEXITED | WNOWAIT), 0);
	workbench_await(&b, f);
	ck_assert_int_eq(f->state, FUTURE_DONE);
	ck_assert_uint_eq(future_extra(f)->progress_done, 99);
	workbench_await(&b, ahead);
	ck_assert_int_eq(ahead->state, FUTURE_DONE);
	ck_assert_uint_eq(p->n_finished[FUTURE_LOST], 0);
	workbench_stop(&b);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("hostile");
	TCase *tcase = tcase_create("hostile");

	tcase_set_timeout(tcase, 120);
	tcase_add_loop_test(tcase, test_bad_answer_costs_its_own_job, 0, ARRAY_SIZE(bad_answers));
	tcase_add_test(tcase, test_fds_of_results_before_a_failure_are_kept);
	tcase_add_loop_test(
		tcase, test_answer_before_the_breach_counts, 0, ARRAY_SIZE(second_answers));
	tcase_add_loop_test(
		tcase, test_bad_start_backs_off_and_its_jobs_wait, 0, ARRAY_SIZE(bad_starts));
	tcase_add_test(tcase, test_answer_that_nobody_asked_for_costs_the_worker);
	tcase_add_loop_test(tcase, test_bad_setup_fails_the_pool, 0, ARRAY_SIZE(bad_setups));
	tcase_add_test(tcase, test_news_of_others_are_nobodys);
	tcase_add_test(tcase, test_deaf_worker_is_replaced);
	tcase_add_test(tcase, test_worker_that_asks_to_be_replaced_is);
	tcase_add_test(tcase, test_flood_of_output_holds_nobody_up);
	tcase_add_test(tcase, test_flags_of_the_link_are_the_workers_own);
	tcase_add_test(tcase, test_strange_failure_is_made_plain);
	tcase_add_test(tcase, test_rest_of_a_packet_is_read_inside_its_reading);
	tcase_add_test(tcase, test_answer_of_a_dead_worker_counts);
	tcase_add_loop_test(tcase, test_result_over_a_limit_is_too_large_and_the_worker_stays, 0,
		ARRAY_SIZE(large_results));
	tcase_add_test(tcase, test_last_words_come_with_the_loss);
	tcase_add_loop_test(tcase, test_last_words_are_not_shown_across_uids, 0, 2);
	suite_add_tcase(suite, tcase);
	return check_run(suite);
}
