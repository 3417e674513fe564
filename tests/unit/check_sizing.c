/* How many workers a pool has: growing, shrinking, replacement, pauses and drains. */
#include "daemon/core/sizing.h"

#include "tests/lib/fault.h"
#include "tests/unit/sizing_case.h"

/* ---- replacement ---- */

START_TEST(a_successor_is_ready_before_a_worker_leaves)
{
	struct fake_worker *w;
	struct future *f;

	pool->config.max_jobs = 3;
	settle();
	for (int i = 0; i < 3; i++) {
		f = submit(0);
		fake_turn(&fake);
		w = worker_of(f);
		fake_receive(w);
		finish(w, 0);
	}
	fake_turn(&fake);
	ck_assert_int_eq(w->slot->fate, FATE_RETIRES);
	ck_assert_uint_eq(pool->n_by_state[SLOT_STARTING], 1);
	ck_assert_uint_eq(serving(), 2);
	/* it serves on as long as the successor needs */
	f = submit(0);
	fake_turn(&fake);
	ck_assert_ptr_eq(worker_of(f), w);
	fake_receive(w);
	ck_assert(fake_ready(fake_worker(pool, 2)));
	fake_turn(&fake);
	ck_assert_int_eq(w->slot->fate, FATE_ENDS);
	ck_assert(!w->is_closed);
	finish(w, 0);
	ck_assert(w->is_closed);
	ck_assert_uint_eq(serving(), 2);
	ck_assert_int_eq(f->state, FUTURE_DONE);
}
END_TEST

START_TEST(two_never_run_where_one_may)
{
	struct future *first, *second;

	core_pool_resize(pool, 1, 0, 0);
	settle();
	first = submit(0);
	fake_turn(&fake);
	fake_receive(worker_of(first));
	core_pool_renew(pool);
	settle();
	ck_assert_uint_eq(pool->n_by_state[SLOT_IDLE], 1);
	second = submit(0);
	fake_turn(&fake);
	ck_assert_ptr_null(second->run->slot);
	finish(worker_of(first), 0);
	fake_turn(&fake);
	ck_assert_int_eq(second->state, FUTURE_RUNNING);
}
END_TEST

START_TEST(a_renewal_replaces_each_worker_once)
{
	settle();
	core_pool_renew(pool);
	settle();
	ck_assert_uint_eq(serving(), 2);
	ck_assert_uint_eq(fake.n_forks, 4);
	ck_assert_uint_eq(fake.n_closes, 2);
	ck_assert_uint_eq(pool->n_by_fate[FATE_STAYS][SLOT_IDLE], 2);
	/* one that starts is old already */
	core_pool_resize(pool, 3, 0, 0);
	fake_turn(&fake);
	ck_assert_uint_eq(pool->n_by_state[SLOT_STARTING], 1);
	core_pool_renew(pool);
	settle();
	ck_assert_uint_eq(fake.n_forks, 4 + 1 + 3);
	ck_assert_uint_eq(pool->n_by_fate[FATE_STAYS][SLOT_IDLE], 3);
}
END_TEST

START_TEST(age_and_size_retire_a_worker)
{
	struct fake_worker *w;

	pool->config.max_age_us = 8 * SECOND_US;
	pool->config.max_rss_kib = 1000;
	settle();
	fake.now_us += 7 * SECOND_US - 1;
	settle();
	ck_assert_uint_eq(fake.n_forks, 2);
	fake.now_us += SECOND_US + 1;
	settle();
	ck_assert_uint_eq(fake.n_forks, 4);
	submit_running(&w);
	ck_assert(fake_answer(w, (struct fake_answer){.rss_kib = 1000}));
	fake_read(w);
	ck_assert_int_eq(w->slot->fate, FATE_STAYS);
	submit_running(&w);
	ck_assert(fake_answer(w, (struct fake_answer){.rss_kib = 1001}));
	fake_read(w);
	ck_assert_int_eq(w->slot->fate, FATE_RETIRES);
}
END_TEST

/* ---- more and fewer ---- */

START_TEST(shrinking_ends_no_job)
{
	struct future *f[2];

	core_start_workers();
	for (int i = 0; i < 2; i++) {
		f[i] = submit(0);
		fake_turn(&fake);
		fake_receive(worker_of(f[i]));
	}
	core_pool_resize(pool, 1, 0, 0);
	settle();
	ck_assert_uint_eq(fake.n_kills + fake.n_rings, 0);
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(f[i]->state, FUTURE_RUNNING);
		finish(worker_of(f[i]), 0);
	}
	settle();
	ck_assert_uint_eq(pool_workers(pool), 1);
}
END_TEST

START_TEST(growing_waits_for_memory)
{
	settle();
	core_pool_resize(pool, 20, 0, 0);
	fault_alloc_at(1);
	fake_turn(&fake);
	ck_assert(fault_end());
	ck_assert_uint_eq(pool_workers(pool), 2);
	ck_assert(core->want_turn);
	settle();
	ck_assert_uint_eq(serving(), 20);
}
END_TEST

START_TEST(a_dynamic_pool_keeps_some_in_reserve)
{
	struct future *f[3];
	uint64_t next_us;

	pool->config.sizing = SIZING_DYNAMIC;
	pool->config.idle_us = SECOND_US;
	core_pool_resize(pool, 4, 1, 1);
	settle();
	ck_assert_uint_eq(serving(), 1);
	for (int i = 0; i < 3; i++) {
		f[i] = submit(0);
		settle();
		fake_receive(worker_of(f[i]));
		ck_assert_uint_eq(pool->n_by_state[SLOT_IDLE], 1);
	}
	ck_assert_uint_eq(serving(), 4);
	for (int i = 0; i < 3; i++)
		finish(worker_of(f[i]), 0);
	next_us = fake_turn(&fake);
	ck_assert_uint_eq(next_us, fake.now_us + SECOND_US);
	ck_assert_uint_eq(serving(), 4);
	fake.now_us = next_us;
	settle();
	ck_assert_uint_eq(serving(), 1);
}
END_TEST

START_TEST(an_ondemand_pool_forks_for_work_that_can_start)
{
	struct future *f;

	pool->config.sizing = SIZING_ONDEMAND;
	pool->config.idle_us = SECOND_US;
	settle();
	ck_assert_uint_eq(fake.n_forks, 0);
	put(950);
	f = submit(0); /* its result does not fit in the quota */
	settle();
	ck_assert_uint_eq(fake.n_forks, 0);
	ck_assert_int_eq(f->state, FUTURE_QUEUED);
	submit(1);
	settle();
	ck_assert_uint_gt(pool->n_by_state[SLOT_BUSY], 0);
}
END_TEST

START_TEST(no_worker_is_forked_for_a_job_without_room)
{
	pool->config.sizing = SIZING_ONDEMAND;
	pool->config.ahead_max = 0;
	core_pool_resize(pool, 4, 0, 0);
	settle();
	for (int i = 0; i < 3; i++) /* results of 100 bytes: one fits */
		submit(0);
	put(850);
	fake_turn(&fake);
	settle();
	ck_assert_uint_eq(fake.n_forks, 1);
	for (int i = 0; i < 2; i++) /* and three of the other uid */
		submit(1);
	settle();
	ck_assert_uint_eq(fake.n_forks, 3);
}
END_TEST

START_TEST(forks_keep_to_the_rate)
{
	uint64_t begin_us = fake.now_us;

	pool->config.spawns_per_s = 10;
	core_pool_resize(pool, 30, 0, 0);
	settle();
	ck_assert_uint_eq(serving(), 10); /* those of the first second */
	while (serving() < 30) {
		fake.now_us = fake_turn(&fake);
		settle();
	}
	ck_assert_uint_eq(fake.now_us - begin_us, 2 * SECOND_US);
}
END_TEST

/* ---- pauses and drains ---- */

START_TEST(a_pause_takes_inboxes_back)
{
	struct future *first, *second;
	struct fake_worker *w = start_two(&first, &second);

	fake_receive(w);
	core_pool_pause(pool, fake.now_us);
	ck_assert_uint_eq(w->n_inbox, 0);
	ck_assert_ptr_null(second->run->slot);
	ck_assert_int_eq(first->state, FUTURE_RUNNING);
	finish(w, 0);
	fake_turn(&fake);
	ck_assert_int_eq(second->state, FUTURE_QUEUED);
	ck_assert_ptr_null(second->run->slot);
	core_pool_resume(pool);
	fake_turn(&fake);
	ck_assert_int_eq(second->state, FUTURE_RUNNING);
}
END_TEST

START_TEST(a_drain_lets_workers_go_as_jobs_run_out)
{
	struct fake_worker *w;
	struct future *f = start_running(&w);

	core_pool_drain(pool);
	ck_assert_int_eq(try_submit(&f), CORE_E_DRAINING);
	settle();
	ck_assert_uint_eq(pool_workers(pool), 1);
	ck_assert_uint_eq(pool->n_unfinished, 1);
	finish(w, 0);
	settle();
	ck_assert_uint_eq(pool_workers(pool), 0);
	ck_assert_uint_eq(pool->n_unfinished, 0);
	core_pool_resume(pool);
	settle();
	ck_assert_uint_eq(serving(), 2);
}
END_TEST

START_TEST(who_is_on_standby_takes_the_place_of_who_dies)
{
	struct fake_worker *w;
	struct future *f, *next, *third;

	pool->config.n_workers = 1;
	pool->config.n_standby = 1;
	settle();
	ck_assert_uint_eq(serving(), 2);
	f = submit(0);
	fake_turn(&fake);
	w = worker_of(f);
	fake_receive(w);
	next = submit(0);
	third = submit(0);
	fake_turn(&fake);
	ck_assert_uint_eq(pool->n_by_state[SLOT_IDLE], 1);
	ck_assert_uint_eq(pool->n_lines, 1);
	bury(w);
	ck_assert_int_eq(f->state, FUTURE_LOST);
	fake_turn(&fake);
	ck_assert_int_eq(next->state, FUTURE_RUNNING);
	ck_assert_ptr_ne(worker_of(next), w);
	ck_assert_uint_eq(pool->n_by_state[SLOT_STARTING], 1);
	settle();
	ck_assert_uint_eq(serving(), 2);
	ck_assert_int_eq(third->state, FUTURE_QUEUED);
	/* a drain has no use for it */
	core_pool_drain(pool);
	settle();
	ck_assert_uint_eq(pool_workers(pool), 1);
}
END_TEST

START_TEST(an_ondemand_pool_has_somebody_on_standby_while_it_works)
{
	struct fake_worker *w;

	pool->config.sizing = SIZING_ONDEMAND;
	pool->config.n_standby = 1;
	pool->config.idle_us = 1000;
	settle();
	pass(1000);
	settle();
	ck_assert_uint_eq(serving(), 0);
	submit(0);
	settle();
	ck_assert_uint_eq(serving(), 2);
	ck_assert_uint_eq(pool->n_lines, 1);
	w = fake_worker(pool, pool->slots[0]->n_line ? 0 : 1);
	fake_receive(w);
	finish(w, 0);
	pass(1000);
	settle();
	ck_assert_uint_eq(serving(), 0);
}
END_TEST

SUITE_MAIN_WITH("sizing", core_setup, core_teardown, a_successor_is_ready_before_a_worker_leaves,
	two_never_run_where_one_may, a_renewal_replaces_each_worker_once,
	age_and_size_retire_a_worker, shrinking_ends_no_job, growing_waits_for_memory,
	a_dynamic_pool_keeps_some_in_reserve, an_ondemand_pool_forks_for_work_that_can_start,
	no_worker_is_forked_for_a_job_without_room, forks_keep_to_the_rate,
	who_is_on_standby_takes_the_place_of_who_dies,
	an_ondemand_pool_has_somebody_on_standby_while_it_works, a_pause_takes_inboxes_back,
	a_drain_lets_workers_go_as_jobs_run_out)
