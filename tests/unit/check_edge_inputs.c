/* Jobs that need the values of others: what keeps those, and until when. */
#include "daemon/core/edge.h"
#include "tests/unit/core_fixture.h"

static struct future *submit_using(struct future *on)
{
	struct after after = {.on = on, .is_input = true};

	return submit_with(0, (struct submission){.wishes = {.after = &after, .n_after = 1}});
}

static void run_to_end(struct future *f, bool is_failure)
{
	struct fake_worker *w = worker_of(f);

	if (!w->n_held)
		ck_assert(fake_receive(w));
	ck_assert(fake_answer(
		w, (struct fake_answer){.is_failure = is_failure, .failure = FAILURE_FUNCTION}));
	ck_assert(fake_read(w));
}

START_TEST(a_released_value_goes_with_its_last_user)
{
	uint64_t before = used(0, ACCOUNT_FUTURES);
	struct future *object = put(300), *first = submit_using(object),
		      *second = submit_using(object);

	core_release(core, object);
	ck_assert_ptr_null(core_find(core, object->id));
	ck_assert_uint_ge(used(0, ACCOUNT_BYTES), 300);
	core_start_workers();
	fake_turn(&fake);
	ck_assert_ptr_eq(edges_next_input(first, NULL)->on, object);
	ck_assert_ptr_nonnull(future_value(object));
	run_to_end(first, false);
	fake_turn(&fake);
	ck_assert_ptr_null(edges_next_input(first, NULL));
	ck_assert_uint_eq(used(0, ACCOUNT_FUTURES), before + 3);
	run_to_end(second, false);
	fake_turn(&fake);
	ck_assert_uint_eq(used(0, ACCOUNT_FUTURES), before + 2);
	core_release(core, first);
	core_release(core, second);
}
END_TEST

START_TEST(a_job_that_failed_keeps_what_it_needs_to_run_again)
{
	struct future *object = put(10), *job = submit_using(object);

	core_release(core, object);
	core_start_workers();
	fake_turn(&fake);
	run_to_end(job, true);
	fake_turn(&fake);
	ck_assert_int_eq(job->state, FUTURE_FAILED);
	ck_assert_ptr_eq(edges_next_input(job, NULL)->on, object);
	core_release(core, job);
	ck_assert_uint_eq(used(0, ACCOUNT_FUTURES), 0);
}
END_TEST

START_TEST(one_whose_input_is_lent_may_be_aborted)
{
	struct future *first = submit(0), *job = submit_using(first);

	job->is_input_lent = true;
	ck_assert_int_eq(cancel(first, CANCEL_TERM), CANCEL_CANCELLED);
	fake_turn(&fake);
	ck_assert_int_eq(job->state, FUTURE_ABORTED);
	ck_assert_uint_eq(edges_root(job), first->id);
	ck_assert_ptr_null(edges_next_input(job, NULL));
}
END_TEST

static bool is_too_large(struct fake_worker *w, struct future *f)
{
	return edges_next_input(f, NULL);
}

START_TEST(inputs_that_no_run_can_have_fail_the_job)
{
	struct future *object = put(10), *job = submit_using(object), *other = submit(0);

	fake.hooks.is_too_large = is_too_large;
	core_start_workers();
	fake_turn(&fake);
	ck_assert_int_eq(job->state, FUTURE_FAILED);
	ck_assert_int_eq(job->failure, FAILURE_INPUTS);
	ck_assert_int_eq(other->state, FUTURE_RUNNING);
	run_to_end(other, false);
}
END_TEST

/* Each keeps the one before it alive; all go with the last, none by calling itself. */
START_TEST(a_chain_goes_link_by_link)
{
	struct future *chain[3];

	chain[0] = submit(0);
	for (int i = 1; i < 3; i++)
		chain[i] = submit_using(chain[i - 1]);
	cancel(chain[0], CANCEL_TERM);
	fake_turn(&fake);
	for (int i = 0; i < 2; i++)
		core_release(core, chain[i]);
	ck_assert_uint_eq(used(0, ACCOUNT_FUTURES), 3);
	core_release(core, chain[2]);
	ck_assert_uint_eq(used(0, ACCOUNT_FUTURES), 0);
	core_sweep(core);
}
END_TEST

START_TEST(withdrawn_ones_let_go)
{
	struct future *object = put(10), *job = submit_using(object);

	core_withdraw(core, job);
	fake_turn(&fake);
	ck_assert_uint_eq(object->n_pins, 0);
	core_release(core, object);
	ck_assert_uint_eq(used(0, ACCOUNT_FUTURES), 0);
}
END_TEST

SUITE_MAIN_WITH("edge_inputs", core_setup, core_teardown, a_released_value_goes_with_its_last_user,
	a_job_that_failed_keeps_what_it_needs_to_run_again, one_whose_input_is_lent_may_be_aborted,
	inputs_that_no_run_can_have_fail_the_job, a_chain_goes_link_by_link, withdrawn_ones_let_go)
