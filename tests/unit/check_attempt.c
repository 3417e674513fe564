/* Clocks of a job that waits or runs, and what lies between one run and the next. */
#include "tests/lib/fault.h"
#include "tests/unit/core_fixture.h"

#define S 1000000ull

static const uint64_t terms_charge = sizeof(struct annex) + sizeof(struct terms);

static struct future *wish(struct wishes w)
{
	return submit_with(0, (struct submission){.wishes = w});
}

/* Handed over and received; the worker holds it. */
static struct fake_worker *run(struct future *f)
{
	struct fake_worker *w;

	fake_turn(&fake);
	ck_assert_ptr_nonnull(f->run->slot);
	w = worker_of(f);
	ck_assert(fake_receive(w));
	return w;
}

/* A run that fails. */
static void flunk(struct future *f)
{
	struct fake_worker *w = run(f);

	ck_assert(fake_answer(
		w, (struct fake_answer){.is_failure = true, .failure = FAILURE_FUNCTION}));
	ck_assert(fake_read(w));
}

/* A run that costs a worker. */
static void lose(struct future *f)
{
	bury(run(f));
}

static void restart(void)
{
	pass(S);
	for (int i = 0; i < 2; i++)
		(void)fake_ready(worker[i]);
}

/* ---- clocks ---- */

START_TEST(a_delay_is_no_time_in_the_queue)
{
	struct future *f = wish((struct wishes){.delay_us = 5000, .start_within_us = 1000});

	ck_assert_int_eq(f->state, FUTURE_DELAYED);
	ck_assert_uint_eq(fake_turn(&fake), fake.now_us + 5000);
	pass(4999);
	ck_assert_int_eq(f->state, FUTURE_DELAYED);
	pass(1);
	ck_assert_int_eq(f->state, FUTURE_QUEUED);
	pass(999);
	ck_assert_int_eq(f->state, FUTURE_QUEUED);
	pass(1);
	ck_assert_int_eq(f->state, FUTURE_TIMEOUT);
	ck_assert_int_eq(f->clock, FUTURE_CLOCK_START_WITHIN);
	ck_assert_uint_eq(fake.n_hand_overs, 0);
}
END_TEST

START_TEST(in_an_inbox_it_is_not_started_yet)
{
	struct future *first[2], *f;

	core_start_workers();
	for (int i = 0; i < 2; i++)
		first[i] = submit(0);
	f = wish((struct wishes){.start_within_us = 100});
	fake_turn(&fake);
	for (int i = 0; i < 2; i++)
		ck_assert(fake_receive(worker_of(first[i])));
	ck_assert_ptr_nonnull(f->run->slot);
	pass(100);
	ck_assert_int_eq(f->state, FUTURE_TIMEOUT);
	ck_assert_int_eq(f->clock, FUTURE_CLOCK_START_WITHIN);
	ck_assert_uint_eq(fake.n_rings, 0);
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(first[i]->state, FUTURE_RUNNING);
}
END_TEST

START_TEST(the_deadline_holds_in_every_state)
{
	struct future *delayed = wish((struct wishes){.delay_us = S, .deadline_us = 500});
	struct future *running, *queued;

	core_start_workers();
	running = wish((struct wishes){.deadline_us = 500});
	run(running);
	queued = wish((struct wishes){.deadline_us = 500});
	pass(500);
	ck_assert_int_eq(delayed->state, FUTURE_TIMEOUT);
	ck_assert_int_eq(running->state, FUTURE_CANCELLING);
	finish(worker_of(running), 0);
	ck_assert_int_eq(running->state, FUTURE_TIMEOUT);
	ck_assert_int_eq(delayed->clock, FUTURE_CLOCK_DEADLINE);
	ck_assert_int_eq(running->clock, FUTURE_CLOCK_DEADLINE);
	ck_assert(future_state_is_final(queued->state) || queued->run->slot);
}
END_TEST

START_TEST(the_earlier_clock_counts)
{
	struct run run = {.head_us = 100};
	struct future f = {.state = FUTURE_RUNNING, .run = &run, .timeout_us = 50};
	struct terms t = {.deadline_us = 160, .start_by_us = 120};
	struct annex annex = {.terms = &t};

	f.annex = &annex;
	ck_assert_uint_eq(terms_next_us(&f), 150);
	ck_assert_int_eq(terms_due(&f, 149), FUTURE_CLOCK_NONE);
	ck_assert_int_eq(terms_due(&f, 200), FUTURE_CLOCK_TIMEOUT);
	t.deadline_us = 150;
	ck_assert_int_eq(terms_due(&f, 200), FUTURE_CLOCK_DEADLINE);
	f.state = FUTURE_QUEUED;
	ck_assert_uint_eq(terms_next_us(&f), 120);
	ck_assert_int_eq(terms_due(&f, 200), FUTURE_CLOCK_START_WITHIN);
	f.timeout_us = UINT64_MAX;
	f.state = FUTURE_RUNNING;
	t.deadline_us = HEAP_NEVER;
	ck_assert_uint_eq(terms_next_us(&f), HEAP_NEVER);
}
END_TEST

/* ---- further runs ---- */

START_TEST(between_two_runs_it_holds_its_input_and_no_room)
{
	struct future *f;

	core_start_workers();
	f = submit_with(0,
		(struct submission){.input_bytes = 70,
			.wishes = {.retries = 1, .retry_on = RETRY_ON_FAILED, .backoff_us = 1000}});
	flunk(f);
	ck_assert_int_eq(f->state, FUTURE_DELAYED);
	ck_assert_uint_eq(used(0, ACCOUNT_BYTES), 70 + terms_charge);
	ck_assert_uint_eq(used(0, ACCOUNT_JOBS), 1);
	pass(1250);
	ck_assert_int_eq(f->state, FUTURE_RUNNING);
	ck_assert_uint_eq(f->run->attempt, 2);
	ck_assert_uint_eq(used(0, ACCOUNT_BYTES), 170 + terms_charge);
	ck_assert(fake_receive(worker_of(f)));
	finish(worker_of(f), 30);
	ck_assert_int_eq(f->state, FUTURE_DONE);
	ck_assert_ptr_null(f->input);
	ck_assert_uint_eq(used(0, ACCOUNT_BYTES), 30 + terms_charge);
}
END_TEST

START_TEST(the_back_off_doubles_and_has_an_end)
{
	struct future *f;
	uint64_t least_us = 600 * S;

	core_start_workers();
	f = wish(
		(struct wishes){.retries = 9, .retry_on = RETRY_ON_FAILED, .backoff_us = least_us});
	for (int i = 0; i < 9; i++) {
		uint64_t wait_us;

		flunk(f);
		ck_assert_int_eq(f->state, FUTURE_DELAYED);
		wait_us = future_terms(f)->not_before_us - fake.now_us;
		ck_assert_uint_ge(wait_us, least_us);
		ck_assert_uint_le(wait_us, least_us + least_us / 4);
		pass(wait_us);
		least_us = least_us * 2 < 3600 * S ? least_us * 2 : 3600 * S;
	}
	flunk(f);
	ck_assert_int_eq(f->state, FUTURE_FAILED);
	ck_assert_uint_eq(f->run->attempt, 10);
}
END_TEST

START_TEST(what_is_written_down_is_charged_and_bounded)
{
	uint64_t kept;
	struct future *f;

	fake.attempt_bytes = 10;
	core_start_workers();
	f = wish((struct wishes){.retries = 20, .retry_on = RETRY_ON_FAILED});
	for (int i = 1; i <= 20; i++) {
		flunk(f);
		kept = i < TERMS_ATTEMPTS ? (uint64_t)i : TERMS_ATTEMPTS;
		ck_assert_uint_eq(future_terms(f)->n_kept, kept);
		ck_assert_uint_eq(future_terms(f)->n_ended, i);
		ck_assert_uint_eq(used(0, ACCOUNT_BYTES),
			terms_charge + kept * (10 + sizeof(struct attempt)));
	}
	flunk(f);
	core_release(core, f);
	fake_turn(&fake);
	ck_assert_uint_eq(used(0, ACCOUNT_BYTES), 0);
}
END_TEST

START_TEST(a_deadline_in_the_back_off_ends_it_at_once)
{
	struct future *f;

	core_start_workers();
	f = wish((struct wishes){
		.retries = 9, .retry_on = RETRY_ON_FAILED, .backoff_us = 1000, .deadline_us = 900});
	flunk(f);
	ck_assert_int_eq(f->state, FUTURE_TIMEOUT);
	ck_assert_int_eq(f->clock, FUTURE_CLOCK_DEADLINE);
}
END_TEST

START_TEST(a_cancel_between_two_runs_is_immediate)
{
	struct future *f;

	core_start_workers();
	f = wish((struct wishes){.retries = 9, .retry_on = RETRY_ON_FAILED, .backoff_us = 1000});
	flunk(f);
	ck_assert_int_eq(cancel(f, CANCEL_TERM), CANCEL_CANCELLED);
	ck_assert_int_eq(f->state, FUTURE_CANCELLED);
	pass(10 * S);
	ck_assert_uint_eq(fake.n_hand_overs, 1);
}
END_TEST

START_TEST(a_cancel_while_it_times_out_is_the_end)
{
	struct fake_worker *w;
	struct future *f;

	core_start_workers();
	f = submit_with(0, (struct submission){.timeout_us = 100,
				   .wishes = {.retries = 9, .retry_on = RETRY_ON_TIMEOUT}});
	w = run(f);
	pass(100);
	ck_assert_int_eq(f->state, FUTURE_CANCELLING);
	ck_assert_int_eq(cancel(f, CANCEL_QUEUED), CANCEL_RUNNING);
	ck_assert_int_eq(cancel(f, CANCEL_TERM), CANCEL_CANCELLING);
	finish(w, 0);
	ck_assert_int_eq(f->state, FUTURE_CANCELLED);
	ck_assert_uint_eq(f->cancel_uid, 42);
}
END_TEST

START_TEST(a_drain_ends_what_waits_for_its_time)
{
	struct future *delayed = wish((struct wishes){.delay_us = S}), *f;

	core_start_workers();
	f = wish((struct wishes){.retries = 9, .retry_on = RETRY_ON_FAILED, .backoff_us = 1000});
	flunk(f);
	core_drain(core, fake.now_us);
	ck_assert_int_eq(delayed->state, FUTURE_ABORTED);
	ck_assert_int_eq(f->state, FUTURE_ABORTED);
	ck_assert_uint_eq(core_unfinished(core), 0);
}
END_TEST

START_TEST(who_costs_workers_is_poison)
{
	struct future *f;

	core_start_workers();
	f = wish((struct wishes){.retries = 100, .retry_on = RETRY_ON_LOST});
	for (int i = 0; i < 3; i++) {
		ck_assert_int_ne(f->state, FUTURE_FAILED);
		lose(f);
		restart();
	}
	ck_assert_int_eq(f->state, FUTURE_FAILED);
	ck_assert_int_eq(f->failure, FAILURE_POISON);
}
END_TEST

START_TEST(a_pure_function_runs_again_by_itself)
{
	struct future *f;

	ck_assert_int_eq(pool_put_function(pool, "f", "", true), 0);
	core_start_workers();
	f = submit(0);
	lose(f);
	ck_assert_int_eq(f->state, FUTURE_QUEUED);
	ck_assert_uint_eq(used(0, ACCOUNT_BYTES), terms_charge);
	restart();
	finish(run(f), 10);
	ck_assert_int_eq(f->state, FUTURE_DONE);
	ck_assert_uint_eq(f->run->attempt, 2);
}
END_TEST

START_TEST(without_memory_for_its_terms_it_is_lost)
{
	ck_assert_int_eq(pool_put_function(pool, "f", "", true), 0);
	core_start_workers();
	for (unsigned n = 2; n <= 3; n++) { /* the first is the pool's reason */
		struct future *f = submit(0);
		struct fake_worker *w = run(f);

		fault_alloc_at(n);
		bury(w);
		ck_assert(fault_end());
		ck_assert_int_eq(f->state, FUTURE_LOST);
		ck_assert_ptr_null(f->annex);
		ck_assert_uint_eq(used(0, ACCOUNT_BYTES), 0);
		restart();
	}
}
END_TEST

START_TEST(without_room_for_its_terms_it_is_lost)
{
	struct future *f;

	ck_assert_int_eq(pool_put_function(pool, "f", "", true), 0);
	core_start_workers();
	f = submit(0);
	run(f);
	core->accounts.limits.uid.n[ACCOUNT_BYTES] = terms_charge - 1;
	bury(worker_of(f));
	ck_assert_int_eq(f->state, FUTURE_LOST);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("attempt");
	TCase *t = tcase_create("attempt");

	tcase_add_checked_fixture(t, core_setup, core_teardown);
	tcase_add_test(t, a_delay_is_no_time_in_the_queue);
	tcase_add_test(t, in_an_inbox_it_is_not_started_yet);
	tcase_add_test(t, the_deadline_holds_in_every_state);
	tcase_add_test(t, the_earlier_clock_counts);
	tcase_add_test(t, between_two_runs_it_holds_its_input_and_no_room);
	tcase_add_test(t, the_back_off_doubles_and_has_an_end);
	tcase_add_test(t, what_is_written_down_is_charged_and_bounded);
	tcase_add_test(t, a_deadline_in_the_back_off_ends_it_at_once);
	tcase_add_test(t, a_cancel_between_two_runs_is_immediate);
	tcase_add_test(t, a_cancel_while_it_times_out_is_the_end);
	tcase_add_test(t, a_drain_ends_what_waits_for_its_time);
	tcase_add_test(t, who_costs_workers_is_poison);
	tcase_add_test(t, a_pure_function_runs_again_by_itself);
	tcase_add_test(t, without_memory_for_its_terms_it_is_lost);
	tcase_add_test(t, without_room_for_its_terms_it_is_lost);
	suite_add_tcase(s, t);
	return check_run(s);
}
