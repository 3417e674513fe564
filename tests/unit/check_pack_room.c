/* Room for the results of those that share a packet. One alone has 100 bytes and an fd, one behind
 * the first of a packet 10 bytes. */
#include "tests/unit/pack_case.h"

static void set_up_rooms(void)
{
	set_up();
	pool->config.packed_result_bytes = 10;
}

static void expect_rooms(unsigned full, unsigned packed)
{
	ck_assert_uint_eq(used(0, ACCOUNT_BYTES), full * 100 + packed * 10);
	ck_assert_uint_eq(used(0, ACCOUNT_FDS), full);
}

/* The worker answers its first run, and the daemon hears of it. */
static void answer(struct fake_answer a)
{
	ck_assert(fake_answer(w, a));
	ck_assert(fake_read(w));
}

START_TEST(only_the_first_has_room_for_any_result)
{
	receive(5);
	expect_rooms(1, 4);
	ck_assert_uint_eq(jobs[4]->run->result_bytes, 10);
	finish(w, 0);
	expect_rooms(0, 4);
	finish(w, 0);
	expect_rooms(0, 3);
}
END_TEST

START_TEST(what_comes_back_gives_its_room)
{
	hand_over(5);
	core_pool_pause(pool, fake.now_us);
	expect_rooms(0, 0);
}
END_TEST

/* Half of it is 500 bytes: a full packet leaves none for the first of another one. */
START_TEST(rooms_behind_the_first_leave_half_of_an_account)
{
	const struct account_limits few = {
		.uid = {.n = {1000, 1000, 1000, 1000}}, .all = {.n = {1000, 1000, 1000, 1000}}};

	core_set_limits(core, &few);
	for (unsigned i = 0; i < 50; i++)
		submit_pure((struct submission){0});
	fake_turn(&fake);
	ck_assert_uint_eq(w->slot->n_line, POOL_PACK_JOBS);
	expect_rooms(1, POOL_PACK_JOBS - 1);
}
END_TEST

/* ---- results that are larger ---- */

static void expect_waits_alone(const struct future *f)
{
	ck_assert_int_eq(f->state, FUTURE_QUEUED);
	ck_assert(f->is_alone);
	ck_assert_ptr_null(f->run->slot);
	ck_assert_ptr_null(future_terms(f));
}

/* It runs by itself now, and `bytes` are taken. */
static void expect_done_alone(const struct future *f, uint64_t bytes)
{
	fake_turn(&fake);
	ck_assert(fake_receive(w));
	ck_assert_uint_eq(w->held[0].id, f->id);
	ck_assert_uint_eq(f->run->place, 0);
	ck_assert_uint_eq(f->run->attempt, 1);
	expect_rooms(1, 0);
	finish(w, bytes);
	ck_assert_int_eq(f->state, FUTURE_DONE);
	ck_assert_uint_eq(future_value(f)->bytes, bytes);
}

START_TEST(a_larger_result_is_had_by_another_run_alone)
{
	receive(3);
	finish(w, 0);
	finish(w, 11);
	expect_waits_alone(jobs[1]);
	ck_assert_int_eq(jobs[2]->state, FUTURE_RUNNING);
	finish(w, 10);
	ck_assert_int_eq(jobs[2]->state, FUTURE_DONE);
	core_release(core, jobs[2]);
	expect_done_alone(jobs[1], 100);
	ck_assert_uint_eq(fake.n_violations, 0);
}
END_TEST

START_TEST(a_worker_that_says_so_is_believed)
{
	receive(2);
	finish(w, 0);
	answer((struct fake_answer){.is_failure = true, .failure = FAILURE_TOO_LARGE});
	expect_waits_alone(jobs[1]);
	expect_done_alone(jobs[1], 100);
}
END_TEST

START_TEST(what_is_too_large_alone_fails)
{
	receive(2);
	answer((struct fake_answer){.is_failure = true, .failure = FAILURE_TOO_LARGE});
	ck_assert_int_eq(jobs[0]->state, FUTURE_FAILED);
	answer((struct fake_answer){.is_failure = true, .failure = FAILURE_TOO_LARGE});
	fake_turn(&fake);
	ck_assert(fake_receive(w));
	answer((struct fake_answer){.is_failure = true, .failure = FAILURE_TOO_LARGE});
	ck_assert_int_eq(jobs[1]->state, FUTURE_FAILED);
	ck_assert_int_eq(jobs[1]->failure, FAILURE_TOO_LARGE);
}
END_TEST

START_TEST(the_first_of_a_packet_runs_once)
{
	receive(2);
	finish(w, 100);
	ck_assert_int_eq(jobs[0]->state, FUTURE_DONE);
}
END_TEST

START_TEST(what_is_being_cancelled_does_not_run_again)
{
	receive(2);
	finish(w, 0);
	ck_assert_int_eq(cancel(jobs[1], CANCEL_TERM), CANCEL_CANCELLING);
	finish(w, 11);
	ck_assert_int_eq(jobs[1]->state, FUTURE_CANCELLED);
	ck_assert_ptr_null(future_value(jobs[1]));
}
END_TEST

static void run_one(void)
{
	ck_assert(fake_receive(w));
	ck_assert_uint_eq(w->n_held, 1);
	finish(w, 0);
}

/* Once it was seen that its results may be large, its jobs come one by one for a while. */
START_TEST(functions_of_large_results_share_no_packets)
{
	receive(2);
	finish(w, 11);
	finish(w, 0);
	fake.n_packs = 0;
	for (unsigned left = POOL_APART_RESULTS - 1; left > 1; left--) {
		core_release(core, submit_pure((struct submission){0}));
		fake_turn(&fake);
		run_one();
	}
	core_release(core, submit_pure((struct submission){0}));
	core_release(core, submit_pure((struct submission){0}));
	fake_turn(&fake);
	run_one();
	run_one();
	ck_assert_uint_eq(fake.n_packs, 0);
	hand_over(5);
}
END_TEST

SUITE_MAIN_WITH("pack_room", set_up_rooms, core_teardown, only_the_first_has_room_for_any_result,
	what_comes_back_gives_its_room, rooms_behind_the_first_leave_half_of_an_account,
	a_larger_result_is_had_by_another_run_alone, a_worker_that_says_so_is_believed,
	what_is_too_large_alone_fails, the_first_of_a_packet_runs_once,
	what_is_being_cancelled_does_not_run_again, functions_of_large_results_share_no_packets)
