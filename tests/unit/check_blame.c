/* What a worker does, and what it costs: answers and times, breaches of the protocol, deaths at
 * each point, time-outs. */
#include "tests/unit/core_fixture.h"

/* ---- answers and times ---- */

START_TEST(an_answer_ends_the_job_and_charges_its_value)
{
	struct fake_worker *w;
	struct future *f;

	f = start_running(&w);
	ck_assert_uint_eq(used(0, ACCOUNT_BYTES), 100);
	finish(w, 30);
	ck_assert_int_eq(f->state, FUTURE_DONE);
	ck_assert_uint_eq(used(0, ACCOUNT_BYTES), 30);
	ck_assert_uint_eq(used(0, ACCOUNT_JOBS), 0);
	ck_assert_int_eq(w->slot->state, SLOT_IDLE);
	f = submit_running(&w);
	fake_answer(w, (struct fake_answer){.is_failure = true, .failure = FAILURE_EXIT});
	fake_read(w);
	ck_assert_int_eq(f->state, FUTURE_FAILED);
	ck_assert_int_eq(f->failure, FAILURE_EXIT);
}
END_TEST

START_TEST(a_value_beyond_the_reservation_may_find_no_room)
{
	struct fake_worker *w;
	struct future *f;

	f = start_running(&w);
	finish(w, 1001);
	ck_assert_int_eq(f->state, FUTURE_FAILED);
	ck_assert_int_eq(f->failure, FAILURE_QUOTA);
	ck_assert_ptr_null(future_value(f));
}
END_TEST

START_TEST(times_are_the_workers_word_within_what_was_seen)
{
	struct {
		uint64_t started_us, run_us;		  /* told, after the hand-over */
		uint64_t queued, handover, run, answered; /* expected */
	} cases[] = {
		{10, 50, 5, 10, 50, 40}, {10, 5000, 5, 10, 90, 0},
		{UINT64_MAX, 60, 5, 20, 60, 20}, /* not told: in the middle */
		{UINT64_MAX, 5000, 5, 0, 100, 0}, {200, 10, 5, 45, 10, 45}, /* in the future */
	};

	core_start_workers();
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct future *f = submit(0);
		struct future_timing t;
		struct fake_worker *w;

		pass(5);
		w = worker_of(f);
		fake_receive(w);
		fake_answer(w, (struct fake_answer){.run_us = cases[i].run_us,
				       .started_us = cases[i].started_us == UINT64_MAX
							     ? 0
							     : fake.now_us + cases[i].started_us});
		fake.now_us += 100;
		fake_read(w);
		t = future_timing(f, fake.now_us);
		ck_assert_uint_eq(t.queued_us, cases[i].queued);
		ck_assert_uint_eq(t.handover_us, cases[i].handover);
		ck_assert_uint_eq(t.run_us, cases[i].run);
		ck_assert_uint_eq(t.return_us, cases[i].answered);
	}
}
END_TEST

/* It started before the daemon heard that the one before had ended. */
START_TEST(a_job_may_start_before_it_was_known_to_be_the_first)
{
	struct future *first, *second;
	struct fake_worker *w = start_two(&first, &second);

	fake_receive(w);
	fake_answer(w, (struct fake_answer){0});
	fake_receive(w);
	fake.now_us += 50;
	fake_answer(w, (struct fake_answer){.started_us = fake.now_us - 50, .run_us = 50});
	fake.now_us += 10;
	fake_read(w);
	ck_assert_uint_eq(future_timing(second, 0).queued_us, 0);
	ck_assert_uint_eq(future_timing(second, 0).run_us, 50);
	ck_assert_uint_eq(future_timing(second, 0).return_us, 10);
}
END_TEST

/* ---- breaches of the protocol ---- */

START_TEST(an_answer_that_nobody_asked_for)
{
	struct fake_worker *w;
	struct future *f;

	f = start_running(&w);
	fake_answer(w, (struct fake_answer){.value_bytes = 7});
	w->outbox[0].msgid += 5;
	fake_read(w);
	ck_assert_uint_eq(fake.n_violations, 1);
	ck_assert_int_eq(f->state, FUTURE_RUNNING);
	bury(w);
	ck_assert_int_eq(f->state, FUTURE_LOST);
	w = worker[w == worker[0]];
	w->outbox[w->n_outbox++] = (struct fake_answer){0};
	fake_read(w);
	ck_assert_uint_eq(fake.n_violations, 2);
}
END_TEST

START_TEST(a_packet_that_was_never_sent)
{
	core_start_workers();
	submit(0);
	fake_turn(&fake);
	ck_assert_int_eq(
		core_taken_back(slot_first(worker[1]->slot)->run->slot, 77), CORE_E_PROTOCOL);
	ck_assert_int_eq(core_taken_back(worker[0]->slot, 0), CORE_E_PROTOCOL);
}
END_TEST

/* Both jobs are with one worker, and it received both. */
static struct fake_worker *greedy(struct future **ret_first, struct future **ret_second)
{
	struct fake_worker *w = start_two(ret_first, ret_second);

	fake_receive(w);
	fake_receive(w);
	ck_assert_uint_eq(w->n_held, 2);
	return w;
}

START_TEST(cancelling_what_a_greedy_worker_holds_back_kills_it)
{
	struct future *first, *second;
	struct fake_worker *w = greedy(&first, &second);

	ck_assert_int_eq(cancel(second, CANCEL_TERM), CANCEL_CANCELLING);
	ck_assert_uint_eq(fake.n_rings, 0);
	ck_assert_uint_eq(fake.n_kills, 1);
	bury(w);
	ck_assert_int_eq(first->state, FUTURE_LOST);
	ck_assert_int_eq(second->state, FUTURE_CANCELLED);
}
END_TEST

START_TEST(what_a_greedy_worker_holds_back_cannot_be_cancelled_as_queued)
{
	struct future *first, *second;

	greedy(&first, &second);
	ck_assert_int_eq(cancel(second, CANCEL_QUEUED), CANCEL_RUNNING);
	ck_assert_int_eq(second->state, FUTURE_QUEUED);
	ck_assert_uint_eq(fake.n_kills, 0);
}
END_TEST

START_TEST(a_greedy_worker_rung_for_one_job_is_rung_for_the_next)
{
	struct future *first, *second;
	struct fake_worker *w = greedy(&first, &second);

	cancel(first, CANCEL_TERM);
	ck_assert_uint_eq(fake.n_rings, 1);
	finish(w, 0);
	ck_assert_int_eq(first->state, FUTURE_CANCELLED);
	ck_assert_int_eq(second->state, FUTURE_RUNNING);
	ck_assert_int_eq(cancel(second, CANCEL_TERM), CANCEL_CANCELLING);
	ck_assert_uint_eq(fake.n_rings, 2);
	finish(w, 0);
	ck_assert_int_eq(second->state, FUTURE_CANCELLED);
	ck_assert_int_eq(w->slot->state, SLOT_LEAVING);
}
END_TEST

START_TEST(a_cancelled_job_that_comes_to_the_head_stays_cancelling)
{
	struct future *first, *second;
	struct fake_worker *w = greedy(&first, &second);

	cancel(second, CANCEL_TERM);
	finish(w, 0);
	ck_assert_int_eq(first->state, FUTURE_DONE);
	ck_assert_int_eq(second->state, FUTURE_CANCELLING);
	ck_assert_uint_eq(second->run->head_us, fake.now_us);
	finish(w, 0);
	ck_assert_int_eq(second->state, FUTURE_CANCELLED);
}
END_TEST

/* ---- deaths ---- */

START_TEST(death_costs_the_job_that_was_received)
{
	struct future *first, *second;
	struct fake_worker *w;

	core_start_workers();
	fake.loss_bytes = 40;
	submit(0);
	submit(0);
	second = submit(0);
	fake_turn(&fake);
	w = worker_of(second);
	first = slot_first(w->slot);
	fake_receive(w);
	bury(w);
	ck_assert_int_eq(first->state, FUTURE_LOST);
	ck_assert_int_eq(first->failure, FAILURE_LOST);
	ck_assert_uint_eq(future_value(first)->bytes, 40);
	ck_assert_int_eq(second->state, FUTURE_QUEUED);
	ck_assert_uint_eq(pool->n_deaths, 1);
	fake_turn(&fake);
	ck_assert_int_eq(w->life, FAKE_STARTING);
	ck_assert_ptr_nonnull(second->run->slot);
}
END_TEST

START_TEST(death_before_receiving_costs_nothing)
{
	struct future *f;
	struct fake_worker *w;

	core_start_workers();
	f = submit(0);
	fake_turn(&fake);
	w = worker_of(f);
	bury(w);
	ck_assert_int_eq(f->state, FUTURE_QUEUED);
	ck_assert_uint_eq(f->run->head_us, 0);
	fake_turn(&fake);
	ck_assert_ptr_ne(worker_of(f), w);
}
END_TEST

START_TEST(death_after_the_answer_costs_nothing)
{
	struct fake_worker *w;
	struct future *f;

	f = start_running(&w);
	fake_answer(w, (struct fake_answer){0});
	bury(w);
	ck_assert_int_eq(f->state, FUTURE_DONE);
}
END_TEST

START_TEST(a_loss_without_room_for_its_details)
{
	struct fake_worker *w;
	struct future *f;

	fake.loss_bytes = 1001;
	f = start_running(&w);
	bury(w);
	ck_assert_int_eq(f->state, FUTURE_LOST);
	ck_assert_ptr_null(future_value(f));
}
END_TEST

/* A program without a handler dies of the bell. */
START_TEST(death_of_the_bell_is_no_loss)
{
	struct fake_worker *w;
	struct future *f;

	f = start_running(&w);
	cancel(f, CANCEL_TERM);
	bury(w);
	ck_assert_int_eq(f->state, FUTURE_CANCELLED);
	ck_assert_uint_eq(pool->n_deaths, 0);
}
END_TEST

START_TEST(found_dead_while_taking_back)
{
	struct future *f;
	struct fake_worker *w;

	core_start_workers();
	f = submit(0);
	fake_turn(&fake);
	w = worker_of(f);
	fake_die(w);
	w->is_deaf = true;
	ck_assert_int_eq(cancel(f, CANCEL_TERM), CANCEL_CANCELLING);
	fake_reap(w);
	ck_assert_int_eq(f->state, FUTURE_CANCELLED);
	ck_assert_int_eq(w->slot->state, SLOT_EMPTY);
}
END_TEST

/* The first attempt to take it back got nothing, the second does: its worker is being killed. */
START_TEST(a_cancelling_job_that_comes_back_ends_with_its_worker)
{
	struct fake_worker *w;
	struct future *f;

	core_start_workers();
	f = submit(0);
	fake_turn(&fake);
	worker_of(f)->is_deaf = true;
	ck_assert_int_eq(cancel(f, CANCEL_KILL), CANCEL_CANCELLING);
	worker_of(f)->is_deaf = false;
	ck_assert_int_eq(cancel(f, CANCEL_KILL), CANCEL_CANCELLING);
	w = worker_of(f);
	bury(w);
	ck_assert_int_eq(f->state, FUTURE_CANCELLED);
	ck_assert(!w->n_inbox);
}
END_TEST

/* Its burial takes longer: until then its slot must not be in the way of others. */
START_TEST(a_dead_worker_that_is_not_buried_yet_blocks_nobody)
{
	struct future *f, *other;
	struct fake_worker *w;

	core_start_workers();
	f = submit(0);
	fake_turn(&fake);
	w = worker_of(f);
	fake_die(w);
	fake_notice_death(w);
	ck_assert_int_eq(f->state, FUTURE_QUEUED);
	other = submit(0);
	fake_turn(&fake);
	ck_assert_ptr_ne(worker_of(f), w);
	ck_assert_ptr_eq(worker_of(other), worker_of(f));
	ck_assert_int_eq(cancel(other, CANCEL_QUEUED), CANCEL_CANCELLED);
	fake_reap(w);
	ck_assert_int_eq(w->slot->state, SLOT_EMPTY);
}
END_TEST

START_TEST(a_full_link_does_not_keep_jobs_from_others)
{
	struct future *f;

	core_start_workers();
	worker[0]->inbox_size = 0;
	f = submit(0);
	fake_turn(&fake);
	ck_assert_ptr_eq(worker_of(f), worker[1]);
	worker[1]->inbox_size = 1;
	submit(0);
	fake_turn(&fake);
	ck_assert(core->want_turn);
	ck_assert_uint_eq(pool->queue.n, 1);
}
END_TEST

/* ---- time-outs ---- */

START_TEST(a_time_out_rings_then_kills)
{
	struct fake_worker *w;
	struct future *f;

	core_start_workers();
	f = submit_with(0, (struct submission){.timeout_us = 1000, .grace_us = 300});
	fake_turn(&fake);
	w = worker_of(f);
	fake_receive(w);
	pass(999);
	ck_assert_int_eq(f->state, FUTURE_RUNNING);
	pass(1);
	ck_assert_int_eq(f->state, FUTURE_CANCELLING);
	ck_assert_uint_eq(fake.n_rings, 1);
	ck_assert_uint_eq(fake.n_kills, 0);
	ck_assert_uint_eq(fake_turn(&fake), fake.now_us + 300);
	pass(300);
	ck_assert_uint_eq(fake.n_kills, 1);
	bury(w);
	ck_assert_int_eq(f->state, FUTURE_TIMEOUT);
	ck_assert_int_eq(f->failure, FAILURE_TIMEOUT);
}
END_TEST

START_TEST(a_time_out_of_what_was_not_received_starts_anew)
{
	struct future *f;

	core_start_workers();
	f = submit_with(0, (struct submission){.timeout_us = 1000});
	fake_turn(&fake);
	pass(1000);
	ck_assert_int_eq(f->state, FUTURE_RUNNING);
	ck_assert_uint_eq(fake.n_taken_back, 1);
	ck_assert_uint_eq(f->timer.key, fake.now_us + 1000);
}
END_TEST

START_TEST(spans_beyond_all_time_never_end)
{
	struct fake_worker *w;
	struct future *f;

	core_start_workers();
	f = submit_with(
		0, (struct submission){.timeout_us = UINT64_MAX, .grace_us = UINT64_MAX - 5});
	fake_turn(&fake);
	w = worker_of(f);
	fake_receive(w);
	pass(1000000);
	ck_assert_int_eq(f->state, FUTURE_RUNNING);
	cancel(f, CANCEL_TERM);
	pass(1000000);
	ck_assert_uint_eq(fake.n_kills, 0);
}
END_TEST

SUITE_MAIN_WITH("blame", core_setup, core_teardown, an_answer_ends_the_job_and_charges_its_value,
	a_value_beyond_the_reservation_may_find_no_room,
	times_are_the_workers_word_within_what_was_seen,
	a_job_may_start_before_it_was_known_to_be_the_first, an_answer_that_nobody_asked_for,
	a_packet_that_was_never_sent, cancelling_what_a_greedy_worker_holds_back_kills_it,
	what_a_greedy_worker_holds_back_cannot_be_cancelled_as_queued,
	a_greedy_worker_rung_for_one_job_is_rung_for_the_next,
	a_cancelled_job_that_comes_to_the_head_stays_cancelling,
	death_costs_the_job_that_was_received, death_before_receiving_costs_nothing,
	death_after_the_answer_costs_nothing, a_loss_without_room_for_its_details,
	death_of_the_bell_is_no_loss, found_dead_while_taking_back,
	a_cancelling_job_that_comes_back_ends_with_its_worker,
	a_dead_worker_that_is_not_buried_yet_blocks_nobody,
	a_full_link_does_not_keep_jobs_from_others, a_time_out_rings_then_kills,
	a_time_out_of_what_was_not_received_starts_anew, spans_beyond_all_time_never_end)
