/* What is changed of a future later, and what it says that it waits for. */
#include <errno.h>

#include "daemon/core/explain.h"
#include "tests/lib/fault.h"
#include "tests/unit/core_fixture.h"

/* Nothing is handed over: the workers are not up. */
static struct future *first(void)
{
	return queue_first(&pool->queue);
}

START_TEST(a_priority_counts_from_when_it_is_set)
{
	struct future *a = submit(0), *b = submit(0);

	ck_assert_ptr_eq(first(), a);
	ck_assert_int_eq(core_set_priority(b, 1), 0);
	ck_assert_ptr_eq(first(), b);
	fault_alloc_at(1);
	ck_assert_int_eq(core_set_priority(a, 2), 0); /* there is room by now */
	fault_end();
	ck_assert_ptr_eq(first(), a);
}
END_TEST

START_TEST(a_priority_without_memory_stays)
{
	struct future *a = submit(0), *b = submit(0);

	fault_alloc_at(1);
	ck_assert_int_eq(core_set_priority(b, 1), -ENOMEM);
	ck_assert(fault_end());
	ck_assert_int_eq(b->priority, 0);
	ck_assert_ptr_eq(first(), a);
}
END_TEST

START_TEST(a_priority_of_one_in_an_inbox_counts_when_it_is_back)
{
	struct future *running, *next, *waiting[2];

	core_start_workers();
	running = submit(0);
	fake_turn(&fake);
	submit(0);
	next = submit(0);
	fake_turn(&fake);
	waiting[0] = submit(0);
	waiting[1] = submit(0);
	fake_turn(&fake);
	ck_assert_ptr_nonnull(next->run->slot);
	ck_assert_int_eq(core_set_priority(next, -1), 0);
	ck_assert_int_eq(core_set_priority(running, 3), 0);
	fake_receive(worker[0]);
	fake_receive(worker[1]);
	pass(501); /* those that run are late */
	ck_assert_ptr_null(next->run->slot);
	ck_assert_ptr_eq(first(), waiting[0]);
	ck_assert_uint_eq(queue_ahead(next, 9), 2);
}
END_TEST

START_TEST(what_is_over_has_no_priority)
{
	struct future *f = submit(0), *object = put(10);

	cancel(f, CANCEL_TERM);
	ck_assert_int_eq(core_set_priority(f, 1), CORE_E_OVER);
	ck_assert_int_eq(core_set_priority(object, 1), CORE_E_OVER);
}
END_TEST

START_TEST(a_ttl_counts_from_the_end)
{
	struct future *f = submit(0), *object = put(10);
	uint64_t id = f->id;
	uint32_t uid;

	core_set_ttl(core, object, UINT64_MAX);
	core_set_ttl(core, f, 100);
	pass(6000);
	ck_assert_ptr_nonnull(core_find(core, object->id));
	cancel(f, CANCEL_TERM);
	pass(99);
	ck_assert_ptr_nonnull(core_find(core, id));
	core_set_ttl(core, f, 99);
	pass(0);
	ck_assert_ptr_null(core_find(core, id));
	ck_assert(core_find_expired(core, id, &uid));
	core_set_ttl(core, object, 1);
	pass(0);
	ck_assert_uint_eq(used(0, ACCOUNT_FUTURES), 0);
}
END_TEST

/* ---- what the record holds ---- */

START_TEST(what_is_kept_is_charged_and_given_back)
{
	struct future *f = submit(0), *object = put(10);
	struct refusal no;

	ck_assert_int_eq(core_keep(f, 300, &no), 0);
	ck_assert_int_eq(core_keep(object, 50, &no), 0);
	ck_assert_uint_eq(used(0, ACCOUNT_BYTES), 10 + 50 + 300);
	core_unkeep(f, 100);
	ck_assert_uint_eq(used(0, ACCOUNT_BYTES), 10 + 50 + 200);
	cancel(f, CANCEL_TERM);
	core_unkeep(f, 150);
	ck_assert_int_eq(core_keep(f, 7, &no), 0);
	core_unkeep(object, 50);
	ck_assert_uint_eq(used(0, ACCOUNT_BYTES), 10 + 57);
	ck_assert_int_eq(core_keep(object, 1000, &no), CORE_E_QUOTA);
	ck_assert_uint_eq(no.value, 1067);
	core_release(core, f);
	core_release(core, object);
	ck_assert_uint_eq(used(0, ACCOUNT_BYTES), 0);
}
END_TEST

START_TEST(what_waiting_jobs_keep_leaves_room_for_a_result)
{
	struct future *f = submit(0);
	struct refusal no;

	ck_assert_int_eq(core_keep(f, 901, &no), CORE_E_QUOTA);
	ck_assert_uint_eq(no.max, 1000);
	ck_assert_uint_eq(no.value, 1001);
	ck_assert_int_eq(core_keep(f, 900, &no), 0);
	core_start_workers();
	fake_turn(&fake);
	ck_assert_int_eq(f->state, FUTURE_RUNNING);
}
END_TEST

/* ---- what it waits for ---- */

static struct explanation why(const struct future *f)
{
	return explain(f, 9, fake.now_us);
}

START_TEST(a_queued_job_waits_for_the_first_worker_then_for_a_free_one)
{
	struct future *f[6];
	struct explanation e;

	for (int i = 0; i < 6; i++)
		f[i] = submit(0);
	e = why(f[4]);
	ck_assert_int_eq(e.kind, EXPLAIN_STARTING);
	ck_assert_ptr_eq(e.pool, pool);
	ck_assert_uint_eq(e.ahead, 4);
	ck_assert_uint_eq(e.until_us, 0);
	core_start_workers();
	fake_turn(&fake);
	ck_assert_int_eq(why(f[0]).kind, EXPLAIN_NOTHING);
	ck_assert_ptr_nonnull(f[2]->run->slot); /* in an inbox */
	ck_assert_int_eq(why(f[2]).kind, EXPLAIN_WORKER);
	ck_assert_uint_eq(why(f[2]).ahead, 0);
	e = why(f[5]);
	ck_assert_int_eq(e.kind, EXPLAIN_WORKER);
	ck_assert(e.has_ahead);
	ck_assert_uint_eq(e.ahead, 1);
	ck_assert(!explain(f[5], 0, fake.now_us).has_ahead);
	cancel(f[5], CANCEL_TERM);
	ck_assert_int_eq(why(f[5]).kind, EXPLAIN_NOTHING);
}
END_TEST

START_TEST(a_worker_that_is_backed_off_tells_until_when)
{
	struct future *f;

	core_start_workers();
	bury(worker[0]);
	bury(worker[1]);
	f = submit(0);
	pool->spawn_at_us = fake.now_us + 77;
	ck_assert_int_eq(why(f).kind, EXPLAIN_STARTING);
	ck_assert_uint_eq(why(f).until_us, fake.now_us + 77);
}
END_TEST

START_TEST(a_worker_that_is_on_trial_has_no_time)
{
	struct future *f;

	core_start_workers();
	pool->config.spawns_per_s = 1;
	pool->rate_us = fake.now_us + 2000000;
	bury(worker[0]);
	bury(worker[1]);
	f = submit(0);
	ck_assert_uint_eq(why(f).until_us, fake.now_us + 2000000);
	pool->rate_us = 0;
	fake_turn(&fake);
	ck_assert_uint_gt(pool->n_by_state[SLOT_STARTING], 0);
	ck_assert_int_eq(why(f).kind, EXPLAIN_STARTING);
	ck_assert_uint_eq(why(f).until_us, 0);
}
END_TEST

START_TEST(workers_that_die_at_start_are_a_reason)
{
	struct explanation e;
	struct future *f = submit(0);

	for (int i = 0; i < 3; i++) { /* two at once count as one */
		fake_turn(&fake);
		bury(TAILQ_FIRST(&pool->by_state[SLOT_STARTING])->shell);
	}
	e = why(f);
	ck_assert_int_eq(e.kind, EXPLAIN_DEGRADED);
	ck_assert_str_eq(e.reason, "it died");
	ck_assert_ptr_eq(e.pool, pool);
	ck_assert_uint_eq(e.until_us, fake.now_us + 100000);
}
END_TEST

START_TEST(in_a_paused_pool_that_comes_first)
{
	struct future *f, *later;

	core_start_workers();
	f = submit(0);
	later = submit_with(0, (struct submission){.wishes = {.delay_us = 1000}});
	core_pool_pause(pool, fake.now_us);
	fake_turn(&fake);
	ck_assert_int_eq(why(f).kind, EXPLAIN_PAUSED);
	ck_assert_ptr_eq(why(f).pool, pool);
	ck_assert_int_eq(why(later).kind, EXPLAIN_DELAY);
	core_pool_drain(pool);
	core_pool_resume(pool);
	ck_assert_int_eq(why(f).kind, EXPLAIN_WORKER);
}
END_TEST

START_TEST(a_drain_keeps_nobody_waiting)
{
	struct future *f[7];

	core_start_workers();
	for (int i = 0; i < 7; i++)
		f[i] = submit(0);
	fake_turn(&fake);
	core_pool_drain(pool);
	fake_turn(&fake);
	ck_assert_int_eq(why(f[6]).kind, EXPLAIN_WORKER);
}
END_TEST

START_TEST(without_room_for_a_result_it_is_the_quota)
{
	struct submission s = {.account = account[0],
		.input = fake_payload(&fake, 950, 0),
		.input_bytes = 950,
		.ttl_us = 1000};
	struct future *object, *f;

	core_start_workers();
	ck_assert_int_eq(core_put(core, &s, fake.now_us, &object, NULL), 0);
	f = submit(0);
	fake_turn(&fake);
	ck_assert_int_eq(why(f).kind, EXPLAIN_QUOTA);
	ck_assert_int_eq(why(f).refusal.kind, ACCOUNT_BYTES);
	ck_assert(why(f).refusal.of_uid);
	ck_assert_uint_eq(why(f).refusal.value, 1050);
	ck_assert_uint_eq(why(f).refusal.max, 1000);
	core_release(core, object);
	ck_assert_int_eq(why(f).kind, EXPLAIN_WORKER);
}
END_TEST

SUITE_MAIN_WITH("change", core_setup, core_teardown, a_priority_counts_from_when_it_is_set,
	a_priority_without_memory_stays, a_priority_of_one_in_an_inbox_counts_when_it_is_back,
	what_is_over_has_no_priority, a_ttl_counts_from_the_end,
	what_is_kept_is_charged_and_given_back, what_waiting_jobs_keep_leaves_room_for_a_result,
	a_queued_job_waits_for_the_first_worker_then_for_a_free_one,
	a_worker_that_is_backed_off_tells_until_when, a_worker_that_is_on_trial_has_no_time,
	workers_that_die_at_start_are_a_reason, in_a_paused_pool_that_comes_first,
	a_drain_keeps_nobody_waiting, without_room_for_a_result_it_is_the_quota)
