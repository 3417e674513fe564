/* What ends a job before its time: cancelling in each mode and at each point, a drain, a failed
 * pool.
 */
#include "tests/unit/core_fixture.h"

/* ---- cancelling ---- */

START_TEST(cancelled_in_the_queue)
{
	struct future *f = submit(0);

	ck_assert_int_eq(cancel(f, CANCEL_QUEUED), CANCEL_CANCELLED);
	ck_assert_int_eq(f->state, FUTURE_CANCELLED);
	ck_assert_int_eq(f->failure, FAILURE_CANCELLED);
	ck_assert_uint_eq(f->cancel_uid, 42);
	ck_assert_int_eq(cancel(f, CANCEL_TERM), CANCEL_CANCELLED);
	core_start_workers();
	fake_turn(&fake);
	ck_assert_uint_eq(fake.n_hand_overs, 0);
}
END_TEST

START_TEST(cancelled_in_an_inbox_before_anybody_received_it)
{
	struct future *first, *behind;

	core_start_workers();
	for (int i = 0; i < 2; i++)
		submit(0);
	first = core_find(core, 1);
	behind = submit(0);
	fake_turn(&fake);
	ck_assert(first->run->slot && behind->run->slot);
	ck_assert_int_eq(cancel(behind, CANCEL_QUEUED), CANCEL_CANCELLED);
	ck_assert_int_eq(cancel(first, CANCEL_TERM), CANCEL_CANCELLED);
	ck_assert_uint_eq(fake.n_rings, 0);
	ck_assert_uint_eq(used(0, ACCOUNT_BYTES), 100);
	ck_assert_uint_eq(core_unfinished(core), 1);
}
END_TEST

START_TEST(cancelled_while_it_runs)
{
	struct fake_worker *w;
	struct future *f;

	f = start_running(&w);
	ck_assert_int_eq(cancel(f, CANCEL_QUEUED), CANCEL_RUNNING);
	ck_assert_uint_eq(fake.n_rings, 0);
	ck_assert_int_eq(cancel(f, CANCEL_TERM), CANCEL_CANCELLING);
	ck_assert_int_eq(f->state, FUTURE_CANCELLING);
	ck_assert_int_eq(w->slot->state, SLOT_RINGING);
	ck_assert_uint_eq(fake.n_rings, 1);
	ck_assert_int_eq(cancel(f, CANCEL_QUEUED), CANCEL_CANCELLING);
	ck_assert_int_eq(cancel(f, CANCEL_TERM), CANCEL_CANCELLING);
	ck_assert_uint_eq(fake.n_rings, 1);
	ck_assert(fake_hear_bell(w));
	finish(w, 30);
	ck_assert_int_eq(f->state, FUTURE_CANCELLED);
	ck_assert_ptr_null(future_value(f));
	ck_assert(w->is_closed);
	ck_assert_uint_eq(fake.n_kills, 0);
	bury(w);
	ck_assert_uint_eq(pool->n_deaths, 0);
	fake_turn(&fake);
	ck_assert_uint_eq(fake.n_forks, 3);
}
END_TEST

START_TEST(killed_while_it_runs)
{
	struct fake_worker *w;
	struct future *f;

	f = start_running(&w);
	ck_assert_int_eq(cancel(f, CANCEL_TERM), CANCEL_CANCELLING);
	ck_assert_int_eq(core_cancel(core, f, CANCEL_KILL, 7, fake.now_us), CANCEL_CANCELLING);
	ck_assert_uint_eq(fake.n_kills, 1);
	bury(w);
	ck_assert_int_eq(f->state, FUTURE_CANCELLED);
	ck_assert_uint_eq(f->cancel_uid, 7);
	ck_assert_int_eq(f->cancel_mode, CANCEL_KILL);
}
END_TEST

START_TEST(too_late_if_the_answer_was_sent)
{
	struct fake_worker *w;
	struct future *f;

	f = start_running(&w);
	fake_answer(w, (struct fake_answer){0});
	ck_assert_int_eq(cancel(f, CANCEL_KILL), CANCEL_TOO_LATE);
	ck_assert_int_eq(f->state, FUTURE_DONE);
	ck_assert_int_eq(w->slot->state, SLOT_IDLE);
	ck_assert_uint_eq(fake.n_rings + fake.n_kills, 0);
}
END_TEST

/* While the daemon is cancelling one job the worker goes on to the next. */
START_TEST(the_next_job_is_rung_if_it_is_the_one)
{
	struct fake_worker *w;
	struct future *first, *second;

	w = start_two(&first, &second);
	fake_receive(w);
	fake_answer(w, (struct fake_answer){0});
	fake_receive(w);
	ck_assert_int_eq(cancel(second, CANCEL_TERM), CANCEL_CANCELLING);
	ck_assert_int_eq(first->state, FUTURE_DONE);
	ck_assert_int_eq(second->state, FUTURE_CANCELLING);
	ck_assert_uint_eq(fake.n_rings, 1);
}
END_TEST

/* ---- the end ---- */

START_TEST(a_drain_aborts_what_waits_and_lets_run_what_runs)
{
	struct future *running[2], *ahead, *queued[3];

	core_start_workers();
	for (int i = 0; i < 2; i++)
		running[i] = submit(0);
	ahead = submit(0);
	for (int i = 0; i < 3; i++)
		queued[i] = submit(0);
	fake_turn(&fake);
	fake_receive(worker[0]);
	fake_receive(worker[1]);
	core_drain(core, fake.now_us);
	ck_assert_int_eq(ahead->state, FUTURE_ABORTED);
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(queued[i]->state, FUTURE_ABORTED);
		ck_assert_int_eq(queued[i]->failure, FAILURE_SHUTDOWN);
	}
	finish(worker_of(running[0]), 5);
	ck_assert_int_eq(running[0]->state, FUTURE_DONE);
	ck_assert_uint_eq(fake.n_closes, 1);
	core_stop_running(core, CANCEL_TERM, fake.now_us);
	ck_assert_int_eq(running[1]->state, FUTURE_CANCELLING);
	bury(worker_of(running[1]));
	ck_assert_int_eq(running[1]->state, FUTURE_ABORTED);
	ck_assert_int_eq(running[1]->failure, FAILURE_SHUTDOWN);
	ck_assert_uint_eq(core_unfinished(core), 0);
	fake_turn(&fake);
	ck_assert_uint_eq(fake.n_forks, 2);
}
END_TEST

START_TEST(stopping_also_stops_what_came_to_the_head_meanwhile)
{
	struct future *first, *second;
	struct fake_worker *w;

	w = start_two(&first, &second);
	fake_receive(w);
	fake_answer(w, (struct fake_answer){0});
	fake_receive(w);
	core_drain(core, fake.now_us);
	core_stop_running(core, CANCEL_TERM, fake.now_us);
	ck_assert_int_eq(first->state, FUTURE_DONE);
	ck_assert_int_eq(second->state, FUTURE_CANCELLING);
	ck_assert_uint_eq(w->n_rung, 1);
}
END_TEST

START_TEST(a_stop_in_haste_kills_what_runs_and_what_was_rung)
{
	struct future *rung, *running;
	struct fake_worker *workers[2];

	rung = start_running(&workers[0]);
	running = submit_running(&workers[1]);
	ck_assert_int_eq(cancel(rung, CANCEL_TERM), CANCEL_CANCELLING);
	core_drain(core, fake.now_us);
	core_stop_running(core, CANCEL_KILL, fake.now_us);
	ck_assert_uint_eq(fake.n_kills, 2);
	ck_assert_uint_eq(workers[1]->n_rung, 0);
	bury(workers[0]);
	bury(workers[1]);
	ck_assert_int_eq(rung->state, FUTURE_CANCELLED);
	ck_assert_int_eq(running->state, FUTURE_ABORTED);
	ck_assert_int_eq(running->failure, FAILURE_SHUTDOWN);
}
END_TEST

static unsigned n_ends;

/* A client that is told of one end leaves, and its other jobs are cancelled with it. */
static void cancel_the_others(struct fake *unused, struct fake_waiter *w, struct future *f)
{
	n_ends++;
	for (uint64_t id = 1; id < core->next_id; id++)
		core_cancel(core, core_find(core, id), CANCEL_TERM, 9, fake.now_us);
}

START_TEST(who_is_told_of_one_end_may_cancel_the_others)
{
	static struct fake_waiter eight[8];

	core_start_workers();
	learn(pool->functions, 1000);
	for (int i = 0; i < 8; i++) {
		eight[i] = (struct fake_waiter){0};
		core_wait(core, submit(0), &eight[i].w);
	}
	fake_turn(&fake);
	ck_assert_uint_eq(pool->n_ahead, 4);
	fake_receive(worker[0]);
	fake.hooks.told = cancel_the_others;
	n_ends = 0;
	switch (_i) {
	case 0: core_drain(core, fake.now_us); break;
	case 1: core_pool_failed(pool, "", fake.now_us); break;
	case 2: finish(worker[0], 0); break;
	case 3: bury(worker[0]); break;
	}
	/* What was received and not answered is rung. */
	ck_assert_uint_eq(core_unfinished(core), _i < 2);
	ck_assert_uint_eq(n_ends, _i < 2 ? 7 : 8);
	ck_assert_uint_eq(fake.n_rings, _i < 2);
	if (_i < 2)
		core_unwait(core, slot_first(worker[0]->slot)->waiters);
	for (int i = 0; i < 8; i++)
		ck_assert(!eight[i].w.is_waiting);
}
END_TEST

/* While the worker's answers are read for the one cancel, the other comes. */
START_TEST(cancelled_twice_at_once)
{
	static struct fake_waiter w;
	struct future *second;

	core_start_workers();
	submit(0);
	submit(0);
	second = submit(0);
	fake_turn(&fake);
	w = (struct fake_waiter){0};
	core_wait(core, slot_first(second->run->slot), &w.w);
	fake_receive(worker_of(second));
	fake_answer(worker_of(second), (struct fake_answer){0});
	fake_receive(worker_of(second));
	fake.hooks.told = cancel_the_others;
	ck_assert_int_eq(cancel(second, CANCEL_TERM), CANCEL_CANCELLING);
	ck_assert_uint_eq(fake.n_rings, 1);
	ck_assert_uint_eq(fake.n_kills, 0);
}
END_TEST

START_TEST(what_a_failed_pools_worker_never_received_is_aborted)
{
	struct future *f;

	core_start_workers();
	f = submit(0);
	fake_turn(&fake);
	core_pool_failed(pool, "", fake.now_us);
	ck_assert_int_eq(f->state, FUTURE_RUNNING);
	bury(worker_of(f));
	fake_turn(&fake);
	ck_assert_int_eq(f->state, FUTURE_ABORTED);
	ck_assert_int_eq(f->failure, FAILURE_POOL);
}
END_TEST

START_TEST(a_drain_sends_workers_home)
{
	core_start_workers();
	bury(worker[1]);
	pass(20 * 1000000);
	ck_assert_int_eq(worker[1]->slot->state, SLOT_STARTING);
	core_drain(core, fake.now_us);
	ck_assert(worker[0]->is_closed);
	ck_assert_int_eq(worker[0]->slot->state, SLOT_LEAVING);
	fake_ready(worker[1]);
	ck_assert(worker[1]->is_closed);
	ck_assert_uint_eq(fake.n_kills, 0);
	pass(5 * 1000000); /* they do not leave */
	ck_assert_uint_eq(fake.n_kills, 2);
}
END_TEST

START_TEST(a_failed_pool_aborts_what_waits)
{
	struct future *running[2], *ahead, *queued;

	core_start_workers();
	for (int i = 0; i < 2; i++)
		running[i] = submit(0);
	ahead = submit(0);
	fake_turn(&fake);
	fake_receive(worker[0]);
	fake_receive(worker[1]);
	queued = submit(0);
	core_pool_failed(pool, "a thread was started", fake.now_us);
	ck_assert_int_eq(ahead->state, FUTURE_ABORTED);
	ck_assert_int_eq(queued->state, FUTURE_ABORTED);
	ck_assert_int_eq(queued->failure, FAILURE_POOL);
	ck_assert_str_eq(pool->reason, "a thread was started");
	finish(worker_of(running[0]), 0);
	ck_assert_int_eq(running[0]->state, FUTURE_DONE);
}
END_TEST

START_TEST(everything_is_thrown_away_whatever_its_state)
{
	struct future *f;

	core_start_workers();
	for (int i = 0; i < 8; i++)
		submit_with(0, (struct submission){.input_bytes = 5, .priority = i % 3});
	fake_turn(&fake);
	fake_receive(worker[0]);
	f = put(10);
	core_pin(f);
	core_release(core, f);
	core_release(core, core_find(core, 2));
	fake_answer(worker[0], (struct fake_answer){.value_bytes = 10});
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ending");
	TCase *t = tcase_create("ending");

	tcase_add_checked_fixture(t, core_setup, core_teardown);
	tcase_add_test(t, cancelled_in_the_queue);
	tcase_add_test(t, cancelled_in_an_inbox_before_anybody_received_it);
	tcase_add_test(t, cancelled_while_it_runs);
	tcase_add_test(t, killed_while_it_runs);
	tcase_add_test(t, too_late_if_the_answer_was_sent);
	tcase_add_test(t, the_next_job_is_rung_if_it_is_the_one);
	tcase_add_test(t, a_drain_aborts_what_waits_and_lets_run_what_runs);
	tcase_add_test(t, stopping_also_stops_what_came_to_the_head_meanwhile);
	tcase_add_test(t, a_stop_in_haste_kills_what_runs_and_what_was_rung);
	tcase_add_loop_test(t, who_is_told_of_one_end_may_cancel_the_others, 0, 4);
	tcase_add_test(t, cancelled_twice_at_once);
	tcase_add_test(t, what_a_failed_pools_worker_never_received_is_aborted);
	tcase_add_test(t, a_drain_sends_workers_home);
	tcase_add_test(t, a_failed_pool_aborts_what_waits);
	tcase_add_test(t, everything_is_thrown_away_whatever_its_state);
	suite_add_tcase(s, t);
	return check_run(s);
}
