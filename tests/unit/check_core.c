/* What clients see of the core: submits, objects, waiting, forgetting. */
#include <errno.h>
#include <string.h>

#include "tests/lib/fault.h"
#include "tests/unit/core_fixture.h"

/* ---- births ---- */

START_TEST(a_submit_is_charged_and_found)
{
	struct future *f = submit_with(0, (struct submission){.input_bytes = 70,
						  .input_fds = 2,
						  .extra_bytes = 30,
						  .extra = fake_extra(&fake, 30)});

	ck_assert_uint_eq(f->id, 1);
	ck_assert_int_eq(f->state, FUTURE_QUEUED);
	ck_assert_ptr_eq(core_find(core, 1), f);
	ck_assert_ptr_null(core_find(core, 2));
	ck_assert_uint_eq(used(0, ACCOUNT_BYTES), 100 + sizeof(struct annex));
	ck_assert_uint_eq(used(0, ACCOUNT_FDS), 2);
	ck_assert_uint_eq(used(0, ACCOUNT_JOBS), 1);
	ck_assert_uint_eq(used(0, ACCOUNT_FUTURES), 1);
	ck_assert_uint_eq(used(1, ACCOUNT_FUTURES), 0);
	ck_assert_uint_eq(core_unfinished(core), 1);
	ck_assert_uint_eq(submit(1)->id, 2);
}
END_TEST

static int try_submit(uint32_t uid, uint64_t bytes, struct refusal *ret_refusal)
{
	struct submission s = {.account = account[uid],
		.pool = pool,
		.function = pool->functions,
		.input_bytes = bytes};
	struct future *f;

	return core_submit(core, &s, fake.now_us, &f, ret_refusal);
}

START_TEST(a_refusal_names_limit_value_and_max)
{
	struct refusal no;

	ck_assert_int_eq(try_submit(0, 1001, &no), CORE_E_QUOTA);
	ck_assert_int_eq(no.kind, ACCOUNT_BYTES);
	ck_assert_uint_eq(no.value, 1001);
	ck_assert_uint_eq(no.max, 1000);
	submit_with(0, (struct submission){.input_bytes = 900});
	ck_assert_int_eq(try_submit(1, 601, &no), CORE_E_FULL);
	ck_assert_uint_eq(no.value, 1501);
	ck_assert_uint_eq(no.max, 1500);
	ck_assert_uint_eq(used(1, ACCOUNT_BYTES), 0);
	for (int i = 0; i < 10; i++)
		submit(1);
	ck_assert_int_eq(try_submit(1, 0, &no), CORE_E_QUOTA);
	ck_assert_int_eq(no.kind, ACCOUNT_JOBS);
}
END_TEST

/* Else an account full of waiting inputs would never start one of them. */
START_TEST(waiting_jobs_leave_room_for_a_result)
{
	struct refusal no;

	submit_with(0, (struct submission){.input_bytes = 500});
	submit_with(0, (struct submission){.input_bytes = 400});
	ck_assert_int_eq(try_submit(0, 1, &no), CORE_E_QUOTA);
	ck_assert_int_eq(no.kind, ACCOUNT_BYTES);
	ck_assert_uint_eq(no.value, 1001);
	submit_with(1, (struct submission){.input_bytes = 500});
	ck_assert_int_eq(try_submit(1, 1, &no), CORE_E_FULL);
	core_start_workers();
	fake_turn(&fake);
	ck_assert_uint_eq(fake.n_hand_overs, 1);
}
END_TEST

START_TEST(no_births_without_pool_ids_or_time)
{
	core_pool_failed(pool, "no module", fake.now_us);
	ck_assert_int_eq(try_submit(0, 0, NULL), CORE_E_POOL_FAILED);
	core_pool_ready(pool);
	core->id_end = core->next_id;
	ck_assert_int_eq(try_submit(0, 0, NULL), -EAGAIN);
	core->id_end++;
	core_drain(core, fake.now_us);
	ck_assert_int_eq(try_submit(0, 0, NULL), CORE_E_DRAINING);
}
END_TEST

START_TEST(without_memory_nothing_is_held)
{
	struct future *f;
	int r;

	fault_alloc_at(1);
	r = core_put(core, &(struct submission){.account = account[0], .input_bytes = 5},
		fake.now_us, &f, NULL);
	ck_assert(fault_end());
	ck_assert_int_eq(r, -ENOMEM);
	ck_assert_uint_eq(used(0, ACCOUNT_BYTES), 0);
	for (unsigned n = 1; r; n++) {
		struct submission s = {.account = account[0],
			.pool = pool,
			.function = pool->functions,
			.input_bytes = 10,
			.extra_bytes = 5,
			.priority = 1,
			.input = fake_payload(&fake, 10, 0),
			.extra = fake_extra(&fake, 5)};

		fault_alloc_at(n);
		r = core_submit(core, &s, fake.now_us, &f, NULL);
		ck_assert_int_eq(r, fault_end() ? -ENOMEM : 0);
		core_sweep(core);
		ck_assert_uint_eq(used(0, ACCOUNT_BYTES), r ? 0 : 15 + sizeof(struct annex));
		ck_assert_uint_eq(core_unfinished(core), r == 0);
		if (r == 0)
			break;
		fake_drop_payload(s.input);
		fake_drop_extra(s.extra);
	}
}
END_TEST

START_TEST(the_core_itself_without_memory)
{
	const struct pool_config config = {.name = "other", .n_workers = 20};
	const struct account_limits none = {0};
	struct core other;
	struct pool *p;
	int r = -ENOMEM;

	for (unsigned n = 1; r; n++) {
		fault_alloc_at(n);
		r = core_init(&other, &none, core->ops, &fake, 1, 2, &(struct siphash_key){{1, 2}});
		ck_assert_int_eq(r, fault_end() ? -ENOMEM : 0);
	}
	r = -ENOMEM;
	for (unsigned n = 1; r; n++) {
		fault_alloc_at(n);
		r = core_add_pool(&other, &config, NULL, &p);
		ck_assert_int_eq(r, fault_end() ? -ENOMEM : 0);
	}
	ck_assert_ptr_eq(core_find_pool(&other, "other!", 5), p);
	ck_assert_ptr_null(core_find_pool(&other, "othe", 4));
	ck_assert_ptr_null(core_find_pool(&other, "pools", 5));
	core_deinit(&other);
}
END_TEST

START_TEST(half_of_all_or_none_is_withdrawn)
{
	struct future *f = submit_with(0, (struct submission){.input_bytes = 10});

	core_withdraw(core, f);
	ck_assert_ptr_null(core_find(core, 1));
	ck_assert_uint_eq(used(0, ACCOUNT_FUTURES), 0);
	ck_assert_uint_eq(pool->n_submitted, 0);
	ck_assert_uint_eq(core_unfinished(core), 0);
	core_start_workers();
	fake_turn(&fake);
	ck_assert_uint_eq(fake.n_hand_overs, 0);
}
END_TEST

START_TEST(an_object_is_done_from_the_start)
{
	struct future *f = put(50);

	ck_assert_int_eq(f->state, FUTURE_DONE);
	ck_assert_uint_eq(future_value(f)->bytes, 50);
	ck_assert_uint_eq(f->end.seq, 1);
	ck_assert_uint_eq(used(0, ACCOUNT_BYTES), 50);
	ck_assert_uint_eq(used(0, ACCOUNT_FDS), 1);
	ck_assert_uint_eq(used(0, ACCOUNT_JOBS), 0);
	ck_assert_int_eq(core_cancel(core, f, CANCEL_KILL, 0, fake.now_us), CANCEL_TOO_LATE);
	core_release(core, f);
	ck_assert_uint_eq(used(0, ACCOUNT_BYTES), 0);
	core_drain(core, fake.now_us);
	ck_assert_int_eq(
		core_put(core, &(struct submission){.account = account[0]}, fake.now_us, &f, NULL),
		CORE_E_DRAINING);
}
END_TEST

START_TEST(a_core_that_is_closed_finishes_what_it_has)
{
	struct future *running, *waiting, *f;
	struct fake_worker *w;

	running = start_running(&w);
	waiting = submit_with(0, (struct submission){.wishes.delay_us = 1000});
	core_close(core);
	fake_turn(&fake);
	ck_assert_int_eq(try_submit(0, 0, NULL), CORE_E_DRAINING);
	ck_assert_int_eq(
		core_put(core, &(struct submission){.account = account[0]}, fake.now_us, &f, NULL),
		CORE_E_DRAINING);
	core_pool_resume(pool);
	ck_assert_int_eq(try_submit(0, 0, NULL), CORE_E_DRAINING);
	core_pool_drain(pool);
	finish(w, 5);
	ck_assert_int_eq(running->state, FUTURE_DONE);
	pass(2000);
	ck_assert_int_eq(waiting->state, FUTURE_RUNNING);
	fake_receive(worker_of(waiting));
	finish(worker_of(waiting), 5);
	ck_assert_int_eq(waiting->state, FUTURE_DONE);
	fake_turn(&fake);
	ck_assert_uint_eq(core_unfinished(core), 0);
	ck_assert_uint_eq(pool->n_by_state[SLOT_IDLE] + pool->n_by_state[SLOT_BUSY], 0);
}
END_TEST

/* ---- waiting and forgetting ---- */

static struct fake_waiter waiter[3];
static struct future *seen;

static void unwait_the_next(struct fake *unused, struct fake_waiter *w, struct future *f)
{
	seen = f;
	if (w != &waiter[0])
		return;
	core_unwait(core, &waiter[1].w);
	core_release(core, f);
	ck_assert_ptr_null(core_find(core, f->id));
	core_pin(f);
	core_unpin(core, f);
}

START_TEST(each_waiter_is_told_once)
{
	struct future *f = submit(0);

	for (int i = 0; i < 3; i++) {
		waiter[i] = (struct fake_waiter){0};
		core_wait(core, f, &waiter[i].w);
	}
	fake.hooks.told = unwait_the_next;
	cancel(f, CANCEL_QUEUED);
	ck_assert_uint_eq(waiter[0].n_told, 1);
	ck_assert_uint_eq(waiter[1].n_told, 0);
	ck_assert_uint_eq(waiter[2].n_told, 1);
	ck_assert_int_eq(waiter[2].state, FUTURE_CANCELLED);
	ck_assert_ptr_eq(seen, f);
	ck_assert_uint_eq(used(0, ACCOUNT_FUTURES), 0);
	core_sweep(core);
}
END_TEST

START_TEST(who_waits_for_what_is_over_is_told_at_once)
{
	struct future *f = put(1);

	waiter[0] = (struct fake_waiter){0};
	core_wait(core, f, &waiter[0].w);
	ck_assert_uint_eq(waiter[0].n_told, 1);
	core_unwait(core, &waiter[0].w);
}
END_TEST

START_TEST(a_waiter_that_left_is_not_told)
{
	struct future *f = submit(0);

	waiter[0] = (struct fake_waiter){0};
	core_wait(core, f, &waiter[0].w);
	core_unwait(core, &waiter[0].w);
	cancel(f, CANCEL_QUEUED);
	ck_assert_uint_eq(waiter[0].n_told, 0);
}
END_TEST

START_TEST(who_watches_is_told_of_each_state_and_then_the_end)
{
	struct fake_worker *w;
	struct future *f = start_running(&w);

	memset(waiter, 0, sizeof(waiter));
	core_wait(core, f, &waiter[2].w);
	core_watch(core, f, &waiter[0].w);
	core_watch(core, f, &waiter[1].w);
	ck_assert_ptr_eq(future_next_watcher(f, NULL), &waiter[1].w);
	ck_assert_ptr_eq(future_next_watcher(f, &waiter[1].w), &waiter[0].w);
	ck_assert_ptr_null(future_next_watcher(f, &waiter[0].w));
	core_unwait(core, &waiter[1].w);
	ck_assert(f->is_watched);
	ck_assert_int_eq(cancel(f, CANCEL_TERM), CANCEL_CANCELLING);
	ck_assert_uint_eq(waiter[0].n_moves, 1);
	ck_assert_int_eq(waiter[0].state, FUTURE_CANCELLING);
	ck_assert_uint_eq(waiter[0].n_told, 0);
	finish(w, 0);
	ck_assert_uint_eq(waiter[0].n_moves, 1);
	ck_assert_uint_eq(waiter[0].n_told, 1);
	ck_assert_int_eq(waiter[0].state, FUTURE_CANCELLED);
	ck_assert_uint_eq(waiter[1].n_moves, 0);
	ck_assert_uint_eq(waiter[1].n_told, 0);
	ck_assert_uint_eq(waiter[2].n_moves, 0);
	ck_assert_uint_eq(waiter[2].n_told, 1);
	ck_assert(!f->is_watched);
}
END_TEST

START_TEST(a_watcher_of_what_is_over_is_told_at_once)
{
	struct future *f = put(1);

	waiter[0] = (struct fake_waiter){0};
	core_watch(core, f, &waiter[0].w);
	ck_assert_uint_eq(waiter[0].n_told, 1);
	ck_assert(!f->is_watched);
	ck_assert(!waiter[0].w.is_watching);
}
END_TEST

START_TEST(a_released_job_goes_on_and_is_forgotten_at_its_end)
{
	struct fake_worker *w;
	struct future *f;
	uint32_t uid;

	f = start_running(&w);
	core_release(core, f);
	ck_assert_ptr_null(core_find(core, 1));
	ck_assert_uint_eq(used(0, ACCOUNT_JOBS), 1);
	finish(w, 10);
	ck_assert_uint_eq(used(0, ACCOUNT_FUTURES), 0);
	ck_assert(!core_find_expired(core, 1, &uid));
	core_sweep(core);
}
END_TEST

START_TEST(what_is_pinned_stays_in_memory)
{
	struct future *f = put(10);

	core_pin(f);
	core_release(core, f);
	core_sweep(core);
	ck_assert_uint_eq(future_value(f)->bytes, 10);
	core_unpin(core, f);
	ck_assert_uint_eq(used(0, ACCOUNT_FUTURES), 0);
}
END_TEST

START_TEST(what_runs_out_of_time_leaves_a_tombstone)
{
	struct future *f = put(10);
	uint32_t uid = 9;

	pass(4999);
	ck_assert_ptr_eq(core_find(core, f->id), f);
	pass(1);
	ck_assert_ptr_null(core_find(core, 1));
	ck_assert(core_find_expired(core, 1, &uid));
	ck_assert_uint_eq(uid, 0);
	ck_assert_uint_eq(used(0, ACCOUNT_BYTES), 0);
}
END_TEST

START_TEST(what_was_released_by_hand_leaves_none)
{
	struct future *f = put(10);
	uint32_t uid;

	core_pin(f);
	core_release(core, f);
	pass(6000);
	ck_assert(!core_find_expired(core, 1, &uid));
	core_unpin(core, f);
}
END_TEST

START_TEST(what_is_due_at_once_is_done_in_several_turns)
{
	uint64_t next_us;

	core->due_most = 3;
	for (int i = 0; i < 7; i++)
		(void)put(1);
	fake.now_us += 5000;
	for (unsigned left = 4; left > 0; left = left > 3 ? left - 3 : 0) {
		next_us = core_turn(core, fake.now_us);
		core_sweep(core);
		ck_assert_uint_eq(used(0, ACCOUNT_FUTURES), left);
		ck_assert_uint_le(next_us, fake.now_us);
	}
	next_us = core_turn(core, fake.now_us);
	core_sweep(core);
	ck_assert_uint_eq(used(0, ACCOUNT_FUTURES), 0);
	ck_assert_uint_gt(next_us, fake.now_us);
}
END_TEST

SUITE_MAIN_WITH("core", core_setup, core_teardown, a_submit_is_charged_and_found,
	a_refusal_names_limit_value_and_max, waiting_jobs_leave_room_for_a_result,
	no_births_without_pool_ids_or_time, without_memory_nothing_is_held,
	the_core_itself_without_memory, half_of_all_or_none_is_withdrawn,
	an_object_is_done_from_the_start, a_core_that_is_closed_finishes_what_it_has,
	each_waiter_is_told_once, who_waits_for_what_is_over_is_told_at_once,
	a_waiter_that_left_is_not_told, who_watches_is_told_of_each_state_and_then_the_end,
	a_watcher_of_what_is_over_is_told_at_once,
	a_released_job_goes_on_and_is_forgotten_at_its_end, what_is_pinned_stays_in_memory,
	what_runs_out_of_time_leaves_a_tombstone, what_was_released_by_hand_leaves_none,
	what_is_due_at_once_is_done_in_several_turns)
