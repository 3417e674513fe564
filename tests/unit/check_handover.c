/* Who gets what and when: order, take-back, quota, starting workers. */
#include "daemon/core/reservation.h"

#include "tests/unit/core_fixture.h"

/* ---- order ---- */

static uint64_t order[16];
static unsigned n_order;

static void note_order(struct fake_worker *w, struct future *f)
{
	order[n_order++] = f->id;
}

static void expect_order(const uint64_t *ids, unsigned n)
{
	ck_assert_uint_eq(n_order, n);
	for (unsigned i = 0; i < n; i++)
		ck_assert_uint_eq(order[i], ids[i]);
}

START_TEST(priority_then_age_and_uids_in_turn)
{
	n_order = 0;
	fake.hooks.handed_over = note_order;
	submit_with(0, (struct submission){.priority = -1}); /* 1 */
	submit(0);					     /* 2 */
	submit_with(0, (struct submission){.priority = 5});  /* 3 */
	submit(1);					     /* 4 */
	submit(0);					     /* 5 */
	core_start_workers();
	fake_turn(&fake);
	/* Two run, two stand ahead, one of each function without history. */
	expect_order((uint64_t[]){3, 4, 2, 5}, 4);
}
END_TEST

START_TEST(what_comes_back_from_two_workers_goes_by_age)
{
	core_start_workers();
	for (int i = 0; i < 5; i++)
		submit(0);
	fake_turn(&fake);
	ck_assert_uint_eq(pool->n_ahead, 2);
	fake_receive(worker[0]);
	fake_receive(worker[1]);
	n_order = 0;
	fake.hooks.handed_over = note_order;
	pass(501); /* both run late */
	ck_assert_uint_eq(pool->n_ahead, 0);
	finish(worker[0], 0);
	finish(worker[1], 0);
	fake_turn(&fake);
	expect_order((uint64_t[]){3, 4, 5}, 3);
}
END_TEST

START_TEST(an_idle_worker_gets_what_waits_behind_another_job)
{
	struct future *behind;

	core_start_workers();
	submit(0);
	submit(0);
	behind = submit(0);
	fake_turn(&fake);
	fake_receive(worker[0]);
	fake_receive(worker[1]);
	ck_assert_uint_eq(pool->n_ahead, 1);
	finish(worker[worker_of(behind) == worker[0]], 0);
	fake_turn(&fake);
	ck_assert_uint_eq(pool->n_ahead, 0);
	ck_assert_int_eq(behind->state, FUTURE_RUNNING);
}
END_TEST

START_TEST(nothing_goes_ahead_of_a_late_job_or_a_long_function)
{
	struct fake_worker *w;

	core_start_workers();
	submit_running(&w);
	submit_running(&w);
	pass(501);
	submit(0);
	fake_turn(&fake);
	ck_assert_uint_eq(pool->n_ahead, 0);
	finish(w, 0);
	learn(pool->functions, 750001);
	fake_turn(&fake);
	submit(0);
	fake_turn(&fake);
	ck_assert_uint_eq(pool->n_ahead, 0);
}
END_TEST

START_TEST(the_least_burdened_worker_gets_what_goes_ahead)
{
	core_start_workers();
	learn(pool->functions, 1000);
	for (int i = 0; i < 3; i++)
		submit(0);
	fake_turn(&fake);
	ck_assert_uint_eq(pool->n_ahead, 1);
	ck_assert_uint_eq(slot_first(worker[1]->slot)->id, 1);
	ck_assert_uint_eq(worker[1]->slot->n_line, 2);
	submit(0);
	fake_turn(&fake);
	ck_assert_uint_eq(worker[0]->slot->n_line, 2);
	submit(0);
	submit(0);
	submit(0);
	fake_turn(&fake);
	ck_assert_uint_eq(pool->n_ahead, 4);
	ck_assert_uint_eq(pool->queue.n, 1);
}
END_TEST

/* One that has nothing behind what it runs. */
static struct fake_worker *without_more(struct pool *p)
{
	for (unsigned i = 0; i < p->n_slots; i++)
		if (p->slots[i]->n_line == 1)
			return fake_worker(p, i);
	ck_abort_msg("everybody has jobs ahead of need");
}

/* One idle worker, two inboxes: one of them is enough. */
START_TEST(no_more_is_stolen_than_can_start)
{
	const struct pool_config three = {.name = "three", .n_workers = 3, .ahead_max = 1};
	struct pool *p = fake_pool(&fake, &three);
	struct fake_worker *w;

	fake_turn(&fake);
	for (unsigned i = 0; i < 3; i++)
		fake_ready(fake_worker(p, i));
	for (int i = 0; i < 5; i++)
		submit_with(0, (struct submission){.pool = p});
	fake_turn(&fake);
	ck_assert_uint_eq(p->n_ahead, 2);
	for (unsigned i = 0; i < 3; i++)
		fake_receive(fake_worker(p, i));
	finish(without_more(p), 0);
	fake_turn(&fake);
	ck_assert_uint_eq(fake.n_taken_back, 1);
	ck_assert_uint_eq(p->n_ahead, 1);
	w = without_more(p);
	fake_receive(w);
	finish(w, 0);
	fake_turn(&fake);
	ck_assert_uint_eq(fake.n_taken_back, 2);
	ck_assert_uint_eq(p->n_ahead, 0);
}
END_TEST

static bool refuse_hand_over(struct fake_worker *w, struct future *f)
{
	return false;
}

/* As the shell does with one that was taken back from in vain: it gets nothing more. */
START_TEST(what_is_not_received_for_a_second_comes_back)
{
	struct future *f;

	core_start_workers();
	f = submit(0);
	ck_assert_uint_eq(fake_turn(&fake), fake.now_us + POOL_DEAF_US);
	ck_assert_int_eq(f->state, FUTURE_RUNNING);
	fake.hooks.may_hand_over = refuse_hand_over;
	pass(POOL_DEAF_US - 1);
	ck_assert_uint_eq(fake.n_taken_back, 0);
	pass(1);
	ck_assert_uint_eq(fake.n_taken_back, 1);
	ck_assert_int_eq(f->state, FUTURE_QUEUED);
}
END_TEST

/* What waits behind it comes back at once, and so does it: also if it is handed to the same worker
 * again in every turn. */
START_TEST(a_worker_that_is_asked_again_and_again_has_no_more_time)
{
	core_start_workers();
	fake_die(worker[1]);
	fake_reap(worker[1]);
	submit(0);
	submit(0);
	fake_turn(&fake);
	for (unsigned i = 0; i < POOL_DEAF_US / 1000 - 1; i++) {
		pass(1000);
		ck_assert(!worker[0]->has_kill);
		ck_assert_uint_gt(worker[0]->n_inbox, 0);
	}
	pass(1000);
	ck_assert(worker[0]->has_kill);
	ck_assert_uint_eq(worker[0]->n_inbox, 0);
}
END_TEST

START_TEST(what_was_received_is_looked_for_once)
{
	struct fake_worker *w;
	struct future *f = start_running(&w);

	pass(POOL_DEAF_US);
	ck_assert_int_eq(f->state, FUTURE_RUNNING);
	ck_assert_uint_eq(fake_turn(&fake), HEAP_NEVER);
	/* the one after it, on the same worker, again */
	finish(w, 0);
	f = submit(0);
	fake_turn(&fake);
	ck_assert_ptr_eq(worker_of(f), w);
	pass(POOL_DEAF_US);
	ck_assert_uint_eq(fake.n_taken_back, 1);
}
END_TEST

START_TEST(the_next_turn_is_the_first_timer_or_the_next_try)
{
	core_start_workers();
	submit_with(0, (struct submission){.timeout_us = 600});
	fake_turn(&fake);
	worker[0]->inbox_size = worker[1]->inbox_size = 0;
	submit(0);
	ck_assert_uint_eq(fake_turn(&fake), fake.now_us + 600);
	ck_assert(core->want_turn);
}
END_TEST

START_TEST(a_full_link_is_tried_again_in_its_turn)
{
	n_order = 0;
	core_start_workers();
	worker[0]->inbox_size = worker[1]->inbox_size = 0;
	submit(0);
	submit(1);
	ck_assert_uint_eq(fake_turn(&fake), fake.now_us + 1000);
	ck_assert_uint_eq(used(0, ACCOUNT_BYTES), 0);
	worker[0]->inbox_size = worker[1]->inbox_size = 1;
	fake.hooks.handed_over = note_order;
	fake_turn(&fake);
	expect_order((uint64_t[]){1, 2}, 2);
}
END_TEST

START_TEST(a_worker_that_asks_to_be_replaced_gets_nothing_more)
{
	struct fake_worker *w;
	struct future *f, *behind;

	core_start_workers();
	submit(0);
	f = submit(0);
	behind = submit(0);
	fake_turn(&fake);
	w = worker_of(behind);
	f = slot_first(w->slot);
	fake_receive(w);
	fake_recycle(w);
	fake_read(w);
	ck_assert_ptr_null(behind->run->slot);
	fake_turn(&fake);
	ck_assert_ptr_ne(worker_of(behind), w);
	finish(w, 0);
	ck_assert_int_eq(f->state, FUTURE_DONE);
	ck_assert(w->is_closed);
	fake_recycle(w);
	fake_read(w);
	ck_assert_uint_eq(fake.n_closes, 1);
}
END_TEST

START_TEST(an_idle_worker_that_asks_to_be_replaced_leaves)
{
	core_start_workers();
	fake_recycle(worker[0]);
	fake_read(worker[0]);
	ck_assert(worker[0]->is_closed);
	ck_assert_int_eq(worker[0]->slot->state, SLOT_LEAVING);
	core_worker_ready(worker[0]->slot, fake.now_us);
	ck_assert_int_eq(worker[0]->slot->state, SLOT_LEAVING);
}
END_TEST

/* ---- quota ---- */

START_TEST(a_job_waits_for_room_and_others_do_not_wait_with_it)
{
	struct submission s = {.account = account[0],
		.input = fake_payload(&fake, 950, 0),
		.input_bytes = 950,
		.ttl_us = 1000};
	struct future *object, *f, *other;

	core_start_workers();
	ck_assert_int_eq(core_put(core, &s, fake.now_us, &object, NULL), 0);
	f = submit(0);
	other = submit(1);
	fake_turn(&fake);
	ck_assert_ptr_null(f->run->slot);
	ck_assert_ptr_nonnull(other->run->slot);
	core_release(core, object);
	fake_turn(&fake);
	ck_assert_ptr_nonnull(f->run->slot);
	ck_assert_uint_eq(used(0, ACCOUNT_BYTES), 100);
}
END_TEST

START_TEST(a_job_whose_result_never_fits_fails)
{
	const struct pool_config too_big[2] = {
		{.name = "bytes", .n_workers = 1, .max_result_bytes = 1001},
		{.name = "fds", .n_workers = 1, .max_result_fds = 51},
	};
	struct future *f[2];

	for (int i = 0; i < 2; i++)
		f[i] = submit_with(0, (struct submission){.pool = fake_pool(&fake, &too_big[i])});
	fake_turn(&fake);
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(f[i]->state, FUTURE_FAILED);
		ck_assert_int_eq(f[i]->failure, FAILURE_QUOTA);
	}
	ck_assert_uint_eq(fake.n_hand_overs, 0);
	core->accounts.limits.all.n[ACCOUNT_BYTES] = 99;
	ck_assert(reservation_never_fits(pool));
}
END_TEST

START_TEST(room_that_a_later_pool_gives_back_is_offered)
{
	const struct pool_config other = {
		.name = "other", .n_workers = 1, .max_result_bytes = 1001};
	struct future *f;

	core_start_workers();
	submit(0);
	f = submit_with(
		0, (struct submission){.pool = fake_pool(&fake, &other), .input_bytes = 950});
	core_release(core, f); /* else its input is kept */
	ck_assert_uint_eq(fake_turn(&fake), fake.now_us + 1000);
	fake_turn(&fake);
	ck_assert_uint_eq(fake.n_hand_overs, 1);
}
END_TEST

/* ---- starting workers ---- */

static void die_starting(void)
{
	for (int i = 0; i < 2; i++)
		if (worker[i]->life == FAKE_STARTING)
			bury(worker[i]);
}

START_TEST(workers_that_die_at_once_are_started_ever_more_slowly)
{
	uint64_t last_us = 100000;

	fake_turn(&fake);
	die_starting();
	fake_turn(&fake);
	ck_assert_uint_eq(pool->n_by_state[SLOT_STARTING], 1);
	die_starting();
	for (int i = 0; i < 12; i++) {
		uint64_t next_us = fake_turn(&fake), span_us = next_us - fake.now_us;

		ck_assert_uint_ge(span_us, last_us);
		ck_assert_uint_le(span_us, 10000000);
		ck_assert_uint_eq(pool->n_by_state[SLOT_STARTING], 0);
		last_us = span_us;
		pass(span_us);
		ck_assert_uint_eq(pool->n_by_state[SLOT_STARTING], 1);
		die_starting();
	}
	ck_assert_uint_eq(last_us, 10000000);
}
END_TEST

START_TEST(one_trial_at_a_time_until_something_was_done)
{
	struct future *f;

	fake_turn(&fake);
	for (int i = 0; i < 2; i++)
		bury(worker[i]);
	pass(1000000);
	ck_assert_uint_eq(pool->n_by_state[SLOT_STARTING], 1);
	pass(1000000);
	ck_assert_uint_eq(pool->n_by_state[SLOT_STARTING], 1);
	fake_ready(worker[0]);
	fake_turn(&fake);
	ck_assert_uint_eq(pool->n_by_state[SLOT_STARTING], 1);
	f = submit(0);
	fake_turn(&fake);
	fake_receive(worker_of(f));
	finish(worker_of(f), 0);
	ck_assert_uint_eq(pool->n_failed_starts, 0);
}
END_TEST

START_TEST(an_idle_death_counts_if_nothing_was_done)
{
	struct fake_worker *w;

	core_start_workers();
	bury(worker[0]);
	ck_assert_uint_eq(pool->n_failed_starts, 1);
	/* the answer of one that was there before proves nothing */
	submit_running(&w);
	finish(w, 0);
	ck_assert_uint_eq(pool->n_failed_starts, 1);
	fake_ready(worker[0]);
	pass(9999999);
	ck_assert_uint_eq(pool->n_failed_starts, 1);
	pass(1);
	ck_assert_uint_eq(pool->n_failed_starts, 0);
	bury(worker[0]);
	ck_assert_uint_eq(pool->n_failed_starts, 0);
	ck_assert_uint_eq(pool->n_deaths, 2);
}
END_TEST

static bool refuse_fork(struct fake_worker *w)
{
	return false;
}

START_TEST(no_fork_without_a_zygote_and_later_if_it_is_busy)
{
	core_pool_starting(pool);
	ck_assert_uint_eq(fake_turn(&fake), HEAP_NEVER);
	core_pool_ready(pool);
	fake.hooks.may_fork = refuse_fork;
	ck_assert_uint_eq(fake_turn(&fake), fake.now_us + 1000);
	ck_assert_uint_eq(fake.n_forks, 0);
	fake.hooks.may_fork = NULL;
	ck_assert_uint_eq(fake_turn(&fake), HEAP_NEVER);
	ck_assert_uint_eq(fake.n_forks, 1); /* the first worker of a zygote is on trial */
	fake_ready(worker[0]);
	ck_assert_uint_eq(fake_turn(&fake), HEAP_NEVER);
	ck_assert_uint_eq(fake.n_forks, 2);
}
END_TEST

SUITE_MAIN_WITH("handover", core_setup, core_teardown, priority_then_age_and_uids_in_turn,
	what_comes_back_from_two_workers_goes_by_age,
	an_idle_worker_gets_what_waits_behind_another_job,
	nothing_goes_ahead_of_a_late_job_or_a_long_function,
	the_least_burdened_worker_gets_what_goes_ahead, no_more_is_stolen_than_can_start,
	what_is_not_received_for_a_second_comes_back,
	a_worker_that_is_asked_again_and_again_has_no_more_time,
	what_was_received_is_looked_for_once, the_next_turn_is_the_first_timer_or_the_next_try,
	a_full_link_is_tried_again_in_its_turn, a_worker_that_asks_to_be_replaced_gets_nothing_more,
	an_idle_worker_that_asks_to_be_replaced_leaves,
	a_job_waits_for_room_and_others_do_not_wait_with_it, a_job_whose_result_never_fits_fails,
	room_that_a_later_pool_gives_back_is_offered,
	workers_that_die_at_once_are_started_ever_more_slowly,
	one_trial_at_a_time_until_something_was_done, an_idle_death_counts_if_nothing_was_done,
	no_fork_without_a_zygote_and_later_if_it_is_busy)
