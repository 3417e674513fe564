/* Jobs that wait for the ends of others. */
#include <stdlib.h>

#include "daemon/core/edge.h"
#include "daemon/core/terms.h"
#include "tests/unit/core_fixture.h"

static struct future *submit_after(struct future *on, bool is_any)
{
	struct after after = {.on = on, .is_any = is_any};

	return submit_with(0, (struct submission){.wishes = {.after = &after, .n_after = 1}});
}

static struct future *submit_after_two(struct future *a, struct future *b)
{
	struct after after[] = {{.on = a}, {.on = b}};

	return submit_with(0, (struct submission){.wishes = {.after = after, .n_after = 2}});
}

/* Some worker has received this one: it answers. */
static void end(struct future *f, bool is_failure)
{
	struct fake_worker *w = worker_of(f);

	ck_assert_ptr_eq(slot_first(w->slot), f);
	if (!w->n_held)
		ck_assert(fake_receive(w));
	ck_assert(fake_answer(
		w, (struct fake_answer){.is_failure = is_failure, .failure = FAILURE_FUNCTION}));
	ck_assert(fake_read(w));
}

static void start(struct future *f)
{
	core_start_workers();
	fake_turn(&fake);
	ck_assert_int_eq(f->state, FUTURE_RUNNING);
}

static void expect_aborted(const struct future *f, uint64_t root)
{
	ck_assert_int_eq(f->state, FUTURE_ABORTED);
	ck_assert_int_eq(f->failure, FAILURE_INPUT);
	ck_assert_uint_eq(edges_root(f), root);
	ck_assert_uint_eq(edges_left(f), 0);
}

START_TEST(a_job_waits_until_the_other_is_done)
{
	struct future *a = submit(0), *b = submit_after(a, false);

	ck_assert_int_eq(b->state, FUTURE_BLOCKED);
	ck_assert_ptr_eq(edges_first(b), a);
	start(a);
	ck_assert_int_eq(b->state, FUTURE_BLOCKED);
	end(a, false);
	ck_assert_int_eq(b->state, FUTURE_BLOCKED);
	fake_turn(&fake);
	ck_assert_int_eq(b->state, FUTURE_RUNNING);
	ck_assert_ptr_null(edges_first(b));
	end(b, false);
	ck_assert_int_eq(b->state, FUTURE_DONE);
}
END_TEST

START_TEST(it_waits_for_all_of_them)
{
	struct future *a = submit(0), *b = submit(0), *c = submit_after_two(a, b);

	start(a);
	end(b, false);
	fake_turn(&fake);
	ck_assert_int_eq(c->state, FUTURE_BLOCKED);
	ck_assert_ptr_eq(edges_first(c), a);
	end(a, false);
	fake_turn(&fake);
	ck_assert_int_eq(c->state, FUTURE_RUNNING);
}
END_TEST

START_TEST(after_any_takes_every_end)
{
	struct future *a = submit(0), *b = submit_after(a, true), *c = submit_after(a, false);

	start(a);
	end(a, true);
	fake_turn(&fake);
	ck_assert_int_eq(b->state, FUTURE_RUNNING);
	expect_aborted(c, a->id);
}
END_TEST

/* Each names where it began, not the one before it. */
START_TEST(the_root_cause_is_carried_along)
{
	struct future *a = submit(0), *b = submit_after(a, false), *c = submit_after(b, false);
	struct future *d = submit_after(c, true), *e = submit_after(c, false);

	ck_assert_int_eq(cancel(a, CANCEL_TERM), CANCEL_CANCELLED);
	core_start_workers();
	fake_turn(&fake);
	expect_aborted(b, a->id);
	expect_aborted(c, a->id);
	expect_aborted(e, a->id);
	ck_assert_int_eq(d->state, FUTURE_RUNNING);
	ck_assert_uint_eq(core_unfinished(core), 1);
}
END_TEST

/* The first one that fails decides; the others may still run. */
START_TEST(one_failure_is_enough)
{
	struct future *a = submit(0), *b = submit(0), *c = submit_after_two(a, b);

	start(a);
	end(b, true);
	fake_turn(&fake);
	expect_aborted(c, b->id);
	end(a, true);
	fake_turn(&fake);
	ck_assert_uint_eq(edges_root(c), b->id);
	ck_assert_ptr_null(a->dependents);
}
END_TEST

START_TEST(after_one_that_is_over_already)
{
	struct future *a = submit(0), *b, *c, *d;

	cancel(a, CANCEL_TERM);
	b = submit_after(a, false);
	c = submit_after(a, true);
	d = submit_after(put(5), false);
	ck_assert_int_eq(b->state, FUTURE_BLOCKED); /* nobody was told of its ID yet */
	core_release(core, a);
	fake_turn(&fake);
	expect_aborted(b, 1);
	ck_assert_int_eq(c->state, FUTURE_QUEUED);
	ck_assert_int_eq(d->state, FUTURE_QUEUED);
	ck_assert_ptr_null(core_find(core, 1));
}
END_TEST

START_TEST(the_same_one_twice_counts_twice_and_ends_once)
{
	struct future *a = submit(0), *b = submit_after_two(a, a);

	start(a);
	end(a, false);
	fake_turn(&fake);
	ck_assert_int_eq(b->state, FUTURE_RUNNING);
}
END_TEST

/* What was released while it ran is told to those who wait for it all the same. */
START_TEST(a_released_one_still_counts)
{
	struct future *a = submit(0), *b = submit_after(a, false);

	start(a);
	core_release(core, a);
	end(a, false);
	ck_assert_int_eq(b->state, FUTURE_BLOCKED);
	fake_turn(&fake);
	ck_assert_int_eq(b->state, FUTURE_RUNNING);
	ck_assert_uint_eq(used(0, ACCOUNT_FUTURES), 1);
}
END_TEST

START_TEST(a_blocked_job_can_be_cancelled)
{
	struct future *a = submit(0), *b = submit_after(a, false), *c = submit_after(b, false);

	ck_assert_int_eq(cancel(b, CANCEL_QUEUED), CANCEL_CANCELLED);
	ck_assert_ptr_null(a->dependents);
	fake_turn(&fake);
	expect_aborted(c, b->id);
	ck_assert_int_eq(a->state, FUTURE_QUEUED);
}
END_TEST

START_TEST(a_blocked_job_has_its_deadline)
{
	struct future *a = submit(0), *b, *c;
	struct after after = {.on = a};

	b = submit_with(0,
		(struct submission){.wishes = {.after = &after, .n_after = 1, .deadline_us = 500}});
	c = submit_after(b, false);
	pass(499);
	ck_assert_int_eq(b->state, FUTURE_BLOCKED);
	pass(1);
	ck_assert_int_eq(b->state, FUTURE_TIMEOUT);
	ck_assert_ptr_null(a->dependents);
	expect_aborted(c, b->id);
}
END_TEST

START_TEST(first_its_delay_then_the_others)
{
	struct future *a = submit(0), *b, *c;
	struct after after = {.on = a};
	struct submission s = {.wishes = {.after = &after, .n_after = 1, .delay_us = 500}};

	b = submit_with(0, s);
	ck_assert_int_eq(b->state, FUTURE_DELAYED);
	pass(500);
	ck_assert_int_eq(b->state, FUTURE_BLOCKED);
	c = submit_with(0, s);
	start(a);
	end(a, false);
	fake_turn(&fake);
	ck_assert_int_eq(b->state, FUTURE_RUNNING);
	ck_assert_int_eq(c->state, FUTURE_DELAYED);
	ck_assert_uint_eq(edges_left(c), 0);
	pass(500);
	ck_assert_int_eq(c->state, FUTURE_RUNNING);
}
END_TEST

START_TEST(a_delayed_job_is_aborted_at_once)
{
	struct future *a = submit(0), *b;
	struct after after = {.on = a};

	b = submit_with(
		0, (struct submission){.wishes = {.after = &after, .n_after = 1, .delay_us = 500}});
	cancel(a, CANCEL_TERM);
	fake_turn(&fake);
	expect_aborted(b, a->id);
}
END_TEST

/* An end that is not the last one is none. */
START_TEST(a_retry_is_waited_for)
{
	struct future *a = submit_with(
		0, (struct submission){.wishes = {.retries = 1, .retry_on = RETRY_ON_FAILED}});
	struct future *b = submit_after(a, false);

	start(a);
	end(a, true);
	fake_turn(&fake);
	ck_assert_int_eq(b->state, FUTURE_BLOCKED);
	end(a, false);
	fake_turn(&fake);
	ck_assert_int_eq(b->state, FUTURE_RUNNING);
}
END_TEST

START_TEST(a_drain_aborts_the_blocked)
{
	struct future *a = submit(0), *b = submit_after(a, false);

	start(a);
	core_drain(core, fake.now_us);
	ck_assert_int_eq(b->state, FUTURE_ABORTED);
	ck_assert_int_eq(b->failure, FAILURE_SHUTDOWN);
	end(a, false);
	fake_turn(&fake);
}
END_TEST

START_TEST(withdrawn_ones_leave_no_edge)
{
	struct future *a = submit(0), *b = submit_after(a, false);

	core_withdraw(core, b);
	ck_assert_ptr_null(a->dependents);
	cancel(a, CANCEL_TERM);
	core_withdraw(core, submit_after(a, false));
	fake_turn(&fake);
	ck_assert(TAILQ_EMPTY(&core->settling));
}
END_TEST

/* In the order of their IDs, behind what waits already. */
START_TEST(those_that_become_free_together_keep_their_order)
{
	struct future *a = submit(0), *b[4], *x;

	for (int i = 0; i < 4; i++)
		b[i] = submit_after(a, true);
	cancel(a, CANCEL_TERM);
	x = submit(0);
	fake_turn(&fake);
	core_start_workers();
	fake_turn(&fake);
	ck_assert_uint_gt(b[0]->rank.order, x->rank.order);
	for (int i = 1; i < 4; i++)
		ck_assert_uint_gt(b[i]->rank.order, b[i - 1]->rank.order);
}
END_TEST

START_TEST(thrown_away_as_it_is)
{
	struct future *a = submit(0), *b = submit_after(a, false);

	submit_after(b, true);
	cancel(a, CANCEL_TERM);
	submit_after(a, false);
}
END_TEST

SUITE_MAIN_WITH("edge", core_setup, core_teardown, a_job_waits_until_the_other_is_done,
	it_waits_for_all_of_them, after_any_takes_every_end, the_root_cause_is_carried_along,
	one_failure_is_enough, after_one_that_is_over_already,
	the_same_one_twice_counts_twice_and_ends_once, a_released_one_still_counts,
	a_blocked_job_can_be_cancelled, a_blocked_job_has_its_deadline,
	first_its_delay_then_the_others, a_delayed_job_is_aborted_at_once, a_retry_is_waited_for,
	a_drain_aborts_the_blocked, withdrawn_ones_leave_no_edge,
	those_that_become_free_together_keep_their_order, thrown_away_as_it_is)
