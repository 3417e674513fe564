/* Jobs whose inputs name values of other futures: how long those stay, and whose room they take. */
#include <stdlib.h>

#include "daemon/core/edge.h"
#include "daemon/core/terms.h"
#include "tests/unit/core_fixture.h"

static uint64_t edge_bytes(void)
{
	struct after after = {0};
	struct wishes w = {.after = &after, .n_after = 1};

	return sizeof(struct annex) + terms_bytes(&w);
}

static struct future *submit_naming(struct future *on, struct wishes wishes)
{
	struct after after = {.on = on, .is_input = true};

	wishes.after = &after;
	wishes.n_after = 1;
	return submit_with(0, (struct submission){.wishes = wishes});
}

/* Of uid 0 all but this is free then for a job that names it. */
static struct future *put_leaving(uint64_t bytes)
{
	return put(1000 - edge_bytes() - bytes);
}

START_TEST(a_released_value_stays_until_the_job_is_through)
{
	struct future *object = put(100), *f = submit_naming(object, (struct wishes){0});
	struct fake_worker *w;

	core_start_workers();
	core_release(core, object);
	ck_assert_ptr_null(core_find(core, object->id));
	fake_turn(&fake);
	ck_assert_ptr_nonnull(future_value(object));
	w = worker_of(f);
	ck_assert(fake_receive(w));
	ck_assert_uint_eq(core->accounts.by_jobs.n[ACCOUNT_BYTES], edge_bytes() + 100);
	finish(w, 0);
	ck_assert_int_eq(f->state, FUTURE_DONE);
	ck_assert_uint_eq(core->accounts.by_jobs.n[ACCOUNT_BYTES], 0);
	ck_assert_uint_eq(used(0, ACCOUNT_BYTES), edge_bytes());
	ck_assert_uint_eq(used(0, ACCOUNT_FUTURES), 1);
}
END_TEST

START_TEST(named_by_two_it_counts_once)
{
	struct future *object = put(100), *f[2];

	for (int i = 0; i < 2; i++)
		f[i] = submit_naming(object, (struct wishes){0});
	ck_assert_uint_eq(core->accounts.by_jobs.n[ACCOUNT_BYTES], 2 * edge_bytes() + 100);
	cancel(f[0], CANCEL_TERM);
	ck_assert_uint_eq(core->accounts.by_jobs.n[ACCOUNT_BYTES], edge_bytes() + 100);
	cancel(f[1], CANCEL_TERM);
	ck_assert_uint_eq(core->accounts.by_jobs.n[ACCOUNT_BYTES], 0);
}
END_TEST

START_TEST(a_job_without_room_beside_its_inputs_fails)
{
	struct future *object = put_leaving(99), *f = submit_naming(object, (struct wishes){0});

	core_start_workers();
	fake_turn(&fake);
	ck_assert_int_eq(f->state, FUTURE_FAILED);
	ck_assert_int_eq(f->failure, FAILURE_HELD);
	ck_assert_uint_eq(fake.n_hand_overs, 0);
}
END_TEST

START_TEST(with_just_that_room_it_runs)
{
	struct future *object = put_leaving(100), *f = submit_naming(object, (struct wishes){0});

	core_start_workers();
	fake_turn(&fake);
	ck_assert_ptr_nonnull(f->run->slot);
}
END_TEST

/* It may end, and what it holds is given back then. */
START_TEST(beside_one_that_is_delayed_it_waits)
{
	struct wishes later = {.delay_us = 1000, .deadline_us = 2000};
	struct future *small = put(1), *delayed = submit_naming(small, later),
		      *large = put_leaving(99 + edge_bytes() + 1),
		      *f = submit_naming(large, (struct wishes){0});

	core_start_workers();
	pass(500);
	ck_assert_int_eq(f->state, FUTURE_QUEUED);
	core_release(core, small);
	cancel(delayed, CANCEL_TERM);
	core_release(core, delayed);
	fake_turn(&fake);
	ck_assert_ptr_nonnull(f->run->slot);
}
END_TEST

START_TEST(when_the_delay_is_over_nothing_else_will_help)
{
	struct wishes later = {.delay_us = 1000};
	struct future *small = put(1), *delayed = submit_naming(small, later),
		      *large = put_leaving(99 + edge_bytes() + 1),
		      *f = submit_naming(large, (struct wishes){0});

	core_start_workers();
	pass(500);
	ck_assert_int_eq(f->state, FUTURE_QUEUED);
	pass(1000);
	ck_assert_int_eq(f->failure, FAILURE_HELD);
	ck_assert_int_eq(
		delayed->state, FUTURE_QUEUED); /* the large one is its owner's to release */
	core_release(core, large);
	core_release(core, f);
	fake_turn(&fake);
	ck_assert_ptr_nonnull(delayed->run->slot);
}
END_TEST

START_TEST(what_is_kept_and_not_named_is_waited_for)
{
	struct future *object = put_leaving(99), *f = submit_naming(put(1), (struct wishes){0});

	core_start_workers();
	fake_turn(&fake);
	ck_assert_int_eq(f->state, FUTURE_QUEUED);
	core_release(core, object);
	fake_turn(&fake);
	ck_assert_ptr_nonnull(f->run->slot);
}
END_TEST

SUITE_MAIN_WITH("input", core_setup, core_teardown, a_released_value_stays_until_the_job_is_through,
	named_by_two_it_counts_once, a_job_without_room_beside_its_inputs_fails,
	with_just_that_room_it_runs, beside_one_that_is_delayed_it_waits,
	when_the_delay_is_over_nothing_else_will_help, what_is_kept_and_not_named_is_waited_for)
