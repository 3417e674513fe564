/* How pools come, change and go while jobs are there, and limits that are lowered. */
#include "tests/unit/core_fixture.h"

static struct pool_config changed(void)
{
	return pool->config;
}

START_TEST(another_ageing_ranks_those_who_wait_anew)
{
	struct pool_config config = changed();
	struct future *old, *urgent;

	config.ageing_us = 1000;
	core_pool_change(pool, &config);
	old = submit_with(0, (struct submission){.priority = 1});
	pass(5000);
	urgent = submit_with(0, (struct submission){.priority = 2});
	ck_assert_ptr_eq(queue_first(&pool->queue), old);
	config.ageing_us = 10000;
	core_pool_change(pool, &config);
	ck_assert_ptr_eq(queue_first(&pool->queue), urgent);
	config.ageing_us = 1000;
	core_pool_change(pool, &config);
	ck_assert_ptr_eq(queue_first(&pool->queue), old);
	config.ageing_us = 0;
	core_pool_change(pool, &config);
	ck_assert_ptr_eq(queue_first(&pool->queue), urgent);
}
END_TEST

START_TEST(a_lowered_limit_strands_no_job)
{
	struct account_limits limits = core->accounts.limits;
	struct future *f[2];
	struct fake_worker *w;

	for (int i = 0; i < 2; i++)
		f[i] = submit_with(0, (struct submission){.input_bytes = 300});
	limits.uid.n[ACCOUNT_BYTES] = limits.all.n[ACCOUNT_BYTES] = 200;
	core_set_limits(core, &limits);
	core_start_workers();
	for (int i = 0; i < 2; i++) {
		fake_turn(&fake);
		ck_assert_uint_eq(pool->n_lines, 1); /* one at a time, beyond the limit */
		w = worker_of(f[i]);
		ck_assert(fake_receive(w));
		finish(w, 50);
		ck_assert_int_eq(f[i]->state, FUTURE_DONE);
	}
}
END_TEST

START_TEST(a_removed_pool_goes_when_nobody_uses_it)
{
	struct pool_config config = changed();
	struct future *f;
	struct pool *p;

	config.name = "more";
	config.n_workers = 0;
	ck_assert_int_eq(core_prepare_pool(core, &config, NULL, &p), 0);
	ck_assert_ptr_null(core_find_pool(core, "more", 4));
	core_join_pool(p);
	ck_assert_ptr_eq(core_find_pool(core, "more", 4), p);
	ck_assert_int_eq(pool_put_function(p, "f", "", false), 0);
	core_pool_ready(p);
	f = submit_with(
		0, (struct submission){.pool = p, .function = pool_find_function(p, "f", 1)});
	core_remove_pool(p, fake.now_us);
	ck_assert_ptr_null(core_find_pool(core, "more", 4));
	ck_assert_int_eq(f->state, FUTURE_ABORTED);
	ck_assert_int_eq(f->failure, FAILURE_POOL);
	core_sweep(core);
	ck_assert_ptr_eq(TAILQ_FIRST(&core->removed), p);
	ck_assert_str_eq(future_pool(f)->name, "more");
	core_release(core, f);
	core_sweep(core);
	ck_assert_ptr_null(TAILQ_FIRST(&core->removed));
	ck_assert_uint_eq(core->gone.n_submitted, 1);
}
END_TEST

START_TEST(another_zygote_brings_its_functions_and_new_workers)
{
	struct pool_config config = changed();
	struct function *known = pool_find_function(pool, "f", 1), *new;
	struct pool *from;

	core_start_workers();
	config.n_workers = 0;
	ck_assert_int_eq(core_prepare_pool(core, &config, NULL, &from), 0);
	ck_assert_int_eq(pool_put_function(from, "f", "new words", true), 0);
	ck_assert_int_eq(pool_put_function(from, "h", "", false), 0);
	core_pool_take_over(pool, from, fake.now_us);
	core_give_up_pool(from);
	ck_assert_ptr_eq(pool_find_function(pool, "f", 1), known);
	ck_assert_str_eq(known->doc, "new words");
	ck_assert_ptr_null(pool_find_function(pool, "g", 1));
	new = pool_find_function(pool, "h", 1);
	ck_assert_ptr_nonnull(new);
	ck_assert_uint_eq(pool->n_by_state[SLOT_LEAVING], 2);
	ck_assert_ptr_eq(future_pool(submit_with(0, (struct submission){.function = new})), pool);
	ck_assert_ptr_eq(future_pool(submit_with(0, (struct submission){.function = known})), pool);
}
END_TEST

static void take_over(void)
{
	struct pool_config config = changed();
	struct pool *from;

	config.n_workers = 0;
	ck_assert_int_eq(core_prepare_pool(core, &config, NULL, &from), 0);
	ck_assert_int_eq(pool_put_function(from, "f", "", false), 0);
	core_pool_take_over(pool, from, fake.now_us);
	core_give_up_pool(from);
}

START_TEST(who_has_the_old_functions_ends_what_it_runs_and_gets_nothing_more)
{
	struct fake_worker *old;
	struct future *f = start_running(&old), *next;

	take_over();
	next = submit(0);
	fake_turn(&fake);
	ck_assert_ptr_eq(worker_of(f), old);
	ck_assert_ptr_ne(next->run->slot, f->run->slot);
	finish(old, 0);
	fake_turn(&fake);
	ck_assert_int_eq(f->state, FUTURE_DONE);
	ck_assert_int_eq(old->slot->state, SLOT_LEAVING);
}
END_TEST

START_TEST(a_worker_of_the_old_zygote_that_still_starts_serves_nobody)
{
	struct future *f;

	fake_turn(&fake);
	ck_assert_uint_eq(pool->n_by_state[SLOT_STARTING], 2);
	take_over();
	f = submit(0);
	core_worker_ready(pool->slots[0], fake.now_us);
	fake_turn(&fake);
	ck_assert_ptr_null(f->run->slot);
	ck_assert_int_eq(pool->slots[0]->state, SLOT_LEAVING);
}
END_TEST

SUITE_MAIN_WITH("pools", core_setup, core_teardown, another_ageing_ranks_those_who_wait_anew,
	a_lowered_limit_strands_no_job, a_removed_pool_goes_when_nobody_uses_it,
	another_zygote_brings_its_functions_and_new_workers,
	who_has_the_old_functions_ends_what_it_runs_and_gets_nothing_more,
	a_worker_of_the_old_zygote_that_still_starts_serves_nobody)
