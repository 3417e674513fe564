/* Workers that die before they are of any use: how often it is tried again, and when jobs are
 * refused. */
#include "daemon/core/trial.h"

#include "tests/unit/sizing_case.h"

/* For 60 s workers die as `die` says; returns how many there were. */
static unsigned forks_of_a_minute(void (*die)(void))
{
	uint64_t end_us = fake.now_us + 60 * SECOND_US;
	unsigned before = fake.n_forks;

	while (fake.now_us < end_us) {
		fake_turn(&fake);
		die();
		fake.now_us += 20000;
	}
	return fake.n_forks - before;
}

static void die_in_init(void)
{
	for (unsigned i = 0; i < pool->n_slots; i++)
		if (fake_worker(pool, i)->life == FAKE_STARTING)
			bury(fake_worker(pool, i));
}

/* The worker that now has received a job, or NULL. */
static struct fake_worker *receiving(void)
{
	for (unsigned i = 0; i < pool->n_slots; i++)
		if (fake_receive(fake_worker(pool, i)))
			return fake_worker(pool, i);
	return NULL;
}

static unsigned n_lost;

static void die_in_first_job(void)
{
	struct fake_worker *w;
	struct future *f;

	for (unsigned i = 0; i < pool->n_slots; i++)
		fake_ready(fake_worker(pool, i));
	(void)!try_submit(&f); /* refused: one that waits may do as well */
	fake_turn(&fake);
	w = receiving();
	if (!w)
		return;
	bury(w);
	n_lost++;
}

START_TEST(a_module_that_aborts_in_init_is_forked_a_dozen_times_a_minute)
{
	struct future *waiting, *f;

	core_pool_resize(pool, 4, 0, 0);
	core_pool_ready(pool);
	waiting = submit(0);
	ck_assert_uint_le(forks_of_a_minute(die_in_init), 13);
	ck_assert_int_eq(waiting->state, FUTURE_ABORTED);
	ck_assert_int_eq(waiting->failure, FAILURE_POOL);
	ck_assert_int_eq(try_submit(&f), CORE_E_POOL_FAILED);
	ck_assert_str_eq(pool->reason, "it died");
	ck_assert(pool_is_degraded(pool));
	core_release(core, waiting);
}
END_TEST

START_TEST(one_that_aborts_in_its_first_job_too)
{
	n_lost = 0;
	core_pool_resize(pool, 4, 0, 0);
	ck_assert_uint_le(forks_of_a_minute(die_in_first_job), 16 + 1);
	ck_assert_uint_le(n_lost, 17);
	ck_assert(pool_is_degraded(pool));
	/* a worker that answers ends it */
	fake.now_us += 10 * SECOND_US;
	settle();
	worker[0] = receiving();
	if (!worker[0])
		submit_running(&worker[0]);
	finish(worker[0], 0);
	ck_assert(!pool_is_degraded(pool));
	ck_assert_ptr_null(pool->reason);
	settle();
	ck_assert_uint_eq(serving(), 4);
}
END_TEST

/* Every worker is ready, gets what there is, and dies of it. */
static unsigned n_tried, n_refused;

static void die_in_first_jobs(void)
{
	struct fake_worker *w;
	struct future *f;

	for (unsigned i = 0; i < pool->n_slots; i++)
		fake_ready(fake_worker(pool, i));
	for (int i = 0; i < 5; i++)
		if (try_submit(&f) == CORE_E_POOL_FAILED)
			n_refused++;
	fake_turn(&fake);
	for (unsigned i = 0; i < pool->n_slots; i++) {
		w = fake_worker(pool, i);
		if (fake_receive(w)) {
			bury(w);
			n_tried++;
		}
	}
}

START_TEST(of_many_workers_few_are_risked_for_first_jobs_that_kill)
{
	core_pool_resize(pool, 32, 0, 0);
	settle();
	ck_assert_uint_eq(serving(), 32);
	fake.now_us += 60 * SECOND_US; /* that they lived proves nothing */
	n_tried = n_refused = 0;
	ck_assert_uint_le(forks_of_a_minute(die_in_first_jobs), 20);
	/* five at once before anything is known, then one at a time */
	ck_assert_uint_le(n_tried, 5 + 16);
	ck_assert_uint_ge(n_tried, 5 + 5);
	ck_assert_uint_ge(serving(), 32 - 10);
	ck_assert_uint_ge(n_refused, 1000);
	ck_assert(pool_is_degraded(pool));
	/* nothing but a job that is answered makes it well */
	fake.now_us += 60 * SECOND_US;
	settle();
	ck_assert(pool_is_degraded(pool));
	worker[0] = receiving();
	if (!worker[0])
		submit_running(&worker[0]);
	finish(worker[0], 0);
	ck_assert(!pool_is_degraded(pool));
	settle();
	ck_assert_uint_eq(serving(), 32);
}
END_TEST

START_TEST(a_pool_that_died_as_a_whole_in_first_jobs_is_forked_anew_slowly)
{
	unsigned before;

	core->accounts.limits.uid.n[ACCOUNT_JOBS] = 100;
	core_pool_resize(pool, 8, 0, 0);
	settle();
	for (int i = 0; i < 8; i++)
		submit(0);
	fake_turn(&fake);
	for (unsigned i = 0; i < 8; i++)
		if (fake_receive(fake_worker(pool, i)))
			bury(fake_worker(pool, i));
	ck_assert_uint_eq(serving(), 0);
	before = fake.n_forks;
	for (int i = 0; i < 600; i++) {
		fake.now_us += SECOND_US / 10;
		settle();
	}
	ck_assert_uint_ge(fake.n_forks - before, 5);
	ck_assert_uint_le(fake.n_forks - before, 8);
}
END_TEST

START_TEST(after_one_answer_it_is_the_jobs_that_kill_and_others_are_taken)
{
	struct fake_worker *w;
	struct future *f;

	core_pool_resize(pool, 4, 0, 0);
	settle();
	submit_running(&w);
	finish(w, 0);
	bury(w);
	for (int i = 0; i < 8; i++) {
		fake.now_us += 2 * SECOND_US;
		settle();
		submit_running(&w);
		bury(w);
		fake_turn(&fake);
	}
	ck_assert_uint_gt(serving(), 0);
	ck_assert_int_eq(try_submit(&f), 0);
	ck_assert_int_eq(try_submit(&f), 0);
}
END_TEST

START_TEST(a_first_job_that_runs_for_long_proves_something)
{
	struct fake_worker *w;
	struct future *f;

	core_pool_resize(pool, 4, 0, 0);
	for (int i = 0; i < 3; i++) {
		settle();
		fake.now_us += SECOND_US;
		submit_running(&w);
		bury(w);
		fake_turn(&fake);
	}
	ck_assert(pool_is_degraded(pool));
	fake.now_us += SECOND_US;
	settle();
	f = submit_running(&w);
	submit(0);
	fake_turn(&fake);
	ck_assert_uint_eq(pool->n_by_state[SLOT_BUSY], 1); /* the other one waits */
	pass(1500 * 1000);
	ck_assert_uint_eq(pool->n_by_state[SLOT_BUSY], 2); /* but not for ever */
	pass(9 * SECOND_US);
	ck_assert(!pool_is_degraded(pool));
	ck_assert_int_eq(f->state, FUTURE_RUNNING);
}
END_TEST

START_TEST(jobs_that_wait_are_not_aborted_for_those_that_kill)
{
	struct future *last = NULL;
	struct fake_worker *w;

	core_pool_resize(pool, 1, 0, 0);
	for (int i = 0; i < 8; i++)
		last = submit(0);
	for (int i = 0; i < 7; i++) {
		fake.now_us += 10 * SECOND_US;
		settle();
		w = receiving();
		ck_assert_ptr_nonnull(w);
		bury(w);
		fake_turn(&fake);
	}
	ck_assert_int_eq(last->state, FUTURE_QUEUED);
	fake.now_us += 10 * SECOND_US;
	settle();
	fake_receive(worker_of(last));
	finish(worker_of(last), 0);
	ck_assert_int_eq(last->state, FUTURE_DONE);
}
END_TEST

/* The one that starts; it is ready before, or not. */
static void kill_one(bool when_ready)
{
	fake.now_us += 10 * SECOND_US;
	fake_turn(&fake);
	for (unsigned i = 0; i < pool->n_slots; i++) {
		struct fake_worker *w = fake_worker(pool, i);

		if (w->life != FAKE_STARTING)
			continue;
		w->was_killed = true;
		if (when_ready)
			ck_assert(fake_ready(w));
		bury(w);
	}
}

START_TEST(workers_that_somebody_kills_when_they_are_ready_break_no_pool)
{
	struct future *f;

	core_pool_resize(pool, 1, 0, 0);
	for (int i = 0; i < 30; i++)
		kill_one(true);
	ck_assert(pool_is_degraded(pool));
	ck_assert_int_eq(try_submit(&f), 0);
}
END_TEST

START_TEST(those_that_are_killed_before_they_are_ready_do_in_the_end)
{
	struct future *waiting, *f;

	core_pool_resize(pool, 1, 0, 0);
	waiting = submit(0);
	for (int i = 0; i < 9; i++)
		kill_one(false);
	ck_assert_int_eq(try_submit(&f), 0);
	ck_assert_int_eq(waiting->state, FUTURE_QUEUED);
	kill_one(false);
	fake_turn(&fake);
	ck_assert_int_eq(waiting->state, FUTURE_ABORTED);
	ck_assert_int_eq(try_submit(&f), CORE_E_POOL_FAILED);
	ck_assert_str_eq(pool->reason, "it died");
	/* it is tried again, all the same */
	fake.now_us += 10 * SECOND_US;
	settle();
	ck_assert_uint_eq(serving(), 1);
	ck_assert_int_eq(try_submit(&f), 0);
	core_release(core, waiting);
}
END_TEST

SUITE_MAIN_WITH("trial", core_setup, core_teardown,
	a_module_that_aborts_in_init_is_forked_a_dozen_times_a_minute,
	one_that_aborts_in_its_first_job_too,
	of_many_workers_few_are_risked_for_first_jobs_that_kill,
	a_pool_that_died_as_a_whole_in_first_jobs_is_forked_anew_slowly,
	after_one_answer_it_is_the_jobs_that_kill_and_others_are_taken,
	a_first_job_that_runs_for_long_proves_something,
	jobs_that_wait_are_not_aborted_for_those_that_kill,
	workers_that_somebody_kills_when_they_are_ready_break_no_pool,
	those_that_are_killed_before_they_are_ready_do_in_the_end)
