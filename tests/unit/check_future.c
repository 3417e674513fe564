#include "daemon/core/future.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#include "tests/lib/check_run.h"
#include "tests/lib/fault.h"

/* Rows: from; columns: to; both in the order of enum future_state. x: a legal move. */
static const char *const moves[_FUTURE_STATE_MAX] = {
	/*                  dbqrc DFCTLA */
	[FUTURE_DELAYED] = ".xx.. ..xx.x",
	[FUTURE_BLOCKED] = "..x.. ..xx.x",
	[FUTURE_QUEUED] = "x..xx .xxxxx",
	[FUTURE_RUNNING] = "x.x.x xx.xx.",
	[FUTURE_CANCELLING] = "x.x.. ..xx.x",
	[FUTURE_DONE] = "..... ......",
	[FUTURE_FAILED] = "..... ......",
	[FUTURE_CANCELLED] = "..... ......",
	[FUTURE_TIMEOUT] = "..... ......",
	[FUTURE_LOST] = "..... ......",
	[FUTURE_ABORTED] = "..... ......",
};

static bool is_x(int from, int to)
{
	return moves[from][to + (to >= FUTURE_DONE)] == 'x';
}

START_TEST(every_pair_of_states)
{
	for (int from = 0; from < _FUTURE_STATE_MAX; from++)
		for (int to = 0; to < _FUTURE_STATE_MAX; to++)
			ck_assert_msg(future_may_become(from, to) == is_x(from, to), "%d -> %d",
				from, to);
}
END_TEST

START_TEST(a_legal_move_is_made)
{
	struct future f = {.state = FUTURE_QUEUED};

	future_set_state(&f, FUTURE_RUNNING);
	ck_assert_int_eq(f.state, FUTURE_RUNNING);
	future_set_state(&f, FUTURE_DONE);
	ck_assert(future_state_is_final(f.state));
}
END_TEST

START_TEST(an_illegal_move_is_our_bug)
{
	struct future f = {.state = FUTURE_DONE};

	future_set_state(&f, FUTURE_FAILED);
}
END_TEST

START_TEST(time_in_the_queue)
{
	struct future f = {.state = FUTURE_QUEUED, .run = future_no_run(), .submitted_us = 100};
	struct future_timing t = future_timing(&f, 130);

	ck_assert_uint_eq(t.queued_us, 30);
	ck_assert_uint_eq(t.handover_us + t.run_us + t.return_us, 0);
	f.state = FUTURE_CANCELLED;
	f.end.finished_us = 120;
	ck_assert_uint_eq(future_timing(&f, 999).queued_us, 20);
}
END_TEST

START_TEST(time_of_a_run)
{
	struct run run = {.head_us = 110};
	struct future f = {.submitted_us = 100, .run = &run, .state = FUTURE_RUNNING};
	struct future_timing t = future_timing(&f, 150);

	ck_assert_uint_eq(t.queued_us, 10);
	ck_assert_uint_eq(t.run_us, 40);
	ck_assert_uint_eq(t.handover_us + t.return_us, 0);
	run.started_us = 115;
	run.run_us = 20;
	f.state = FUTURE_DONE;
	f.end.finished_us = 140;
	t = future_timing(&f, 999);
	ck_assert_uint_eq(t.queued_us, 10);
	ck_assert_uint_eq(t.handover_us, 5);
	ck_assert_uint_eq(t.run_us, 20);
	ck_assert_uint_eq(t.return_us, 5);
}
END_TEST

START_TEST(times_that_contradict_give_no_negative_span)
{
	struct run run = {.head_us = 90, .started_us = 80, .run_us = 50};
	struct future f = {
		.submitted_us = 100, .run = &run, .state = FUTURE_DONE, .end.finished_us = 95};
	struct future_timing t = future_timing(&f, 95);

	ck_assert_uint_eq(t.queued_us + t.handover_us + t.return_us, 0);
}
END_TEST

START_TEST(the_table_finds_what_is_in_it)
{
	struct future *f = calloc(5000, sizeof(*f));
	struct future_table t;

	ck_assert_int_eq(future_table_init(&t), 0);
	for (uint64_t i = 0; i < 5000; i++) {
		f[i].id = 1000 + i * 3;
		future_table_add(&t, &f[i]);
	}
	ck_assert_uint_eq(t.n, 5000);
	ck_assert_uint_eq(t.n_buckets, 4096); /* no more than two in each */
	for (uint64_t i = 0; i < 5000; i += 2)
		future_table_remove(&t, &f[i]);
	for (uint64_t i = 0; i < 5000; i++) {
		ck_assert_ptr_eq(future_table_find(&t, f[i].id), i % 2 ? &f[i] : NULL);
		ck_assert_ptr_null(future_table_find(&t, f[i].id + 1));
	}
	future_table_deinit(&t);
	free(f);
}
END_TEST

START_TEST(without_memory_the_table_goes_on_unchanged)
{
	struct future *f = calloc(2100, sizeof(*f));
	struct future_table t;

	int r;

	fault_alloc_at(1);
	r = future_table_init(&t);
	ck_assert(fault_end());
	ck_assert_int_eq(r, -ENOMEM);
	ck_assert_int_eq(future_table_init(&t), 0);
	fault_alloc_rate(1, 1);
	for (uint64_t i = 0; i < 2100; i++) {
		f[i].id = i;
		future_table_add(&t, &f[i]);
	}
	ck_assert(fault_end());
	ck_assert_uint_eq(t.n_buckets, 1024);
	for (uint64_t i = 0; i < 2100; i++)
		ck_assert_ptr_eq(future_table_find(&t, i), &f[i]);
	future_table_remove(&t, &f[5]);
	future_table_remove(&t, &f[1029]);
	future_table_remove(&t, &f[2053]);
	ck_assert_ptr_null(future_table_find(&t, 5));
	future_table_deinit(&t);
	free(f);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("future");
	TCase *t = tcase_create("future");

	tcase_add_test(t, every_pair_of_states);
	tcase_add_test(t, a_legal_move_is_made);
#ifndef NDEBUG
	tcase_add_test_raise_signal(t, an_illegal_move_is_our_bug, SIGABRT);
#endif
	tcase_add_test(t, time_in_the_queue);
	tcase_add_test(t, time_of_a_run);
	tcase_add_test(t, times_that_contradict_give_no_negative_span);
	tcase_add_test(t, the_table_finds_what_is_in_it);
	tcase_add_test(t, without_memory_the_table_goes_on_unchanged);
	suite_add_tcase(s, t);
	return check_run(s);
}
