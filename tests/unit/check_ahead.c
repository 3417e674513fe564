/* How far ahead of need jobs are handed over. */
#include "tests/unit/core_fixture.h"

/* Two functions: what is short does not go behind what will take long, though it has only begun. */
START_TEST(nothing_goes_ahead_of_a_job_that_is_expected_to_take_long)
{
	struct function *longer = pool->functions->next;
	struct future *f;

	core_start_workers();
	learn(pool->functions, 5000);
	learn(longer, 50000000);
	submit_with(0, (struct submission){.function = longer});
	submit(0);
	f = submit(0);
	fake_turn(&fake);
	ck_assert_uint_eq(pool->n_ahead, 1);
	ck_assert_ptr_ne(slot_first(f->run->slot)->function, longer);
	/* nor what takes long behind what is short */
	submit_with(0, (struct submission){.function = longer});
	fake_turn(&fake);
	ck_assert_uint_eq(pool->n_ahead, 1);
}
END_TEST

static void raise_limits(uint64_t bytes)
{
	struct account_limits limits = core->accounts.limits;

	limits.uid.n[ACCOUNT_BYTES] = limits.all.n[ACCOUNT_BYTES] = bytes;
	limits.uid.n[ACCOUNT_JOBS] = limits.all.n[ACCOUNT_JOBS] = 1000;
	limits.uid.n[ACCOUNT_FUTURES] = limits.all.n[ACCOUNT_FUTURES] = 1000;
	limits.uid.n[ACCOUNT_FDS] = limits.all.n[ACCOUNT_FDS] = 1000;
	core_set_limits(core, &limits);
}

/* Jobs that both workers get beyond what they run. */
static unsigned reach(uint64_t mean_ns, uint64_t limit_bytes)
{
	core_teardown();
	core_setup();
	raise_limits(limit_bytes);
	pool->config.ahead_max = 64;
	learn(pool->functions, mean_ns);
	core_start_workers();
	for (unsigned i = 0; i < 200; i++)
		submit(0);
	fake_turn(&fake);
	return pool->n_ahead;
}

START_TEST(short_jobs_go_ahead_as_far_as_their_time_reaches)
{
	ck_assert_uint_eq(reach(1, 1000000), 2 * 64);
	ck_assert_uint_eq(reach(5000, 1000000), 2 * 64);
	ck_assert_uint_eq(reach(10000, 1000000), 2 * 50);
	ck_assert_uint_eq(reach(100000, 1000000), 2 * 5);
	ck_assert_uint_eq(reach(250001, 1000000), 2 * 1);
	ck_assert_uint_eq(reach(500001, 1000000), 2 * 1);
	ck_assert_uint_eq(reach(750001, 1000000), 0);
	ck_assert_uint_eq(reach(0, 1000000), 2 * 1);
}
END_TEST

/* As long as a job runs no longer than twice what is expected, one waits behind it. */
START_TEST(what_takes_a_little_longer_than_expected_is_not_late)
{
	struct fake_worker *w;

	learn(pool->functions, 600000);
	core_start_workers();
	submit_running(&w);
	submit_running(&w);
	pass(1200);
	submit(0);
	fake_turn(&fake);
	ck_assert_uint_eq(pool->n_ahead, 1);
	pass(1);
	ck_assert_uint_eq(pool->n_ahead, 0);
	ck_assert_uint_eq(pool->queue.n, 1);
}
END_TEST

/* The room for a result is 100: what goes ahead leaves half of an account, but for two jobs. */
START_TEST(rooms_of_jobs_that_go_ahead_leave_half_of_an_account)
{
	ck_assert_uint_eq(reach(1, 4000), 20 - 2);
	ck_assert_uint_eq(reach(1, 700), 2 * POOL_AHEAD_LEAST);
}
END_TEST

/* The sum of what is expected of a line follows it, whatever leaves it. */
START_TEST(what_has_gone_makes_room_for_others)
{
	struct future *f[8];

	core_start_workers();
	raise_limits(10000);
	pool->config.ahead_max = 64;
	pool->config.n_workers = 1;
	learn(pool->functions, 100000);
	for (unsigned i = 0; i < 8; i++)
		f[i] = submit(0);
	fake_turn(&fake);
	ck_assert_uint_eq(f[0]->run->slot->ahead_ns, 500000);
	fake_receive(worker_of(f[0]));
	finish(worker_of(f[0]), 0);
	ck_assert_uint_eq(f[1]->run->slot->ahead_ns, 400000);
	fake_turn(&fake);
	ck_assert_ptr_nonnull(f[7]->run->slot);
	fake_receive(worker_of(f[1]));
	cancel(f[3], CANCEL_QUEUED);
	ck_assert_uint_eq(f[1]->run->slot->ahead_ns, 0);
}
END_TEST

SUITE_MAIN_WITH("ahead", core_setup, core_teardown,
	nothing_goes_ahead_of_a_job_that_is_expected_to_take_long,
	short_jobs_go_ahead_as_far_as_their_time_reaches,
	what_takes_a_little_longer_than_expected_is_not_late,
	rooms_of_jobs_that_go_ahead_leave_half_of_an_account, what_has_gone_makes_room_for_others)
