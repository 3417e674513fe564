/* Several pure jobs in one packet: who shares it, who bears a death, and how one of them is ended.
 */
#include "tests/unit/pack_case.h"

/* ---- who shares one ---- */

START_TEST(pure_jobs_share_packets)
{
	for (unsigned i = 0; i < MANY; i++)
		jobs[i] = submit_pure((struct submission){0});
	fake_turn(&fake);
	ck_assert_uint_eq(w->slot->n_line, MANY);
	ck_assert_uint_eq(fake.n_packs, 2);
	for (unsigned i = 0; i < MANY; i++)
		ck_assert_uint_eq(jobs[i]->run->place, i % POOL_PACK_JOBS);
}
END_TEST

/* Of three jobs the second is not like the others. */
static void expect_apart(struct submission odd)
{
	submit_pure((struct submission){0});
	if (odd.function)
		submit_with(0, odd);
	else
		submit_pure(odd);
	submit_pure((struct submission){0});
	fake_turn(&fake);
	ck_assert_uint_eq(fake.n_hand_overs, 3);
	ck_assert_uint_eq(fake.n_packs, 0);
}

START_TEST(what_is_not_pure_shares_none)
{
	learn(pool->functions, 1000);
	expect_apart((struct submission){.function = pool->functions});
}
END_TEST

START_TEST(what_brings_fds_or_much_shares_none)
{
	expect_apart((struct submission){.input_fds = 1});
	core_teardown();
	set_up();
	expect_apart((struct submission){.in = {.inline_bytes = POOL_PACK_BYTES + 1}});
}
END_TEST

START_TEST(what_names_other_values_shares_none)
{
	struct future *object = put(1);
	struct after after = {.on = object, .is_input = true};

	submit_pure((struct submission){.wishes = {.after = &after, .n_after = 1}});
	fake_turn(&fake);
	core_release(core, object);
	w->inbox_size = 0;
	core_pool_pause(pool, fake.now_us);
	submit_pure((struct submission){0});
	submit_pure((struct submission){0});
	core_pool_resume(pool);
	w->inbox_size = FAKE_INBOX;
	fake_turn(&fake);
	ck_assert_uint_eq(w->n_inbox, 3);
	ck_assert(!w->inbox[1].shares);
	ck_assert(w->inbox[2].shares);
}
END_TEST

START_TEST(a_packet_is_expected_to_take_no_longer_than_so)
{
	learn(pool->functions->next, POOL_PACK_US * 1000 / 3);
	for (unsigned i = 0; i < 6; i++)
		jobs[i] = submit_pure((struct submission){0});
	fake_turn(&fake);
	ck_assert_uint_eq(fake.n_packs, 2);
	ck_assert_uint_eq(jobs[3]->run->place, 0);
}
END_TEST

START_TEST(what_has_no_history_shares_none)
{
	learn(pool->functions->next, 0);
	submit_pure((struct submission){0});
	submit_pure((struct submission){0});
	fake_turn(&fake);
	ck_assert_uint_eq(fake.n_packs, 0);
}
END_TEST

START_TEST(no_worker_idles_beside_a_full_packet)
{
	pool->config.n_workers = 2;
	fake_turn(&fake);
	ck_assert(fake_ready(worker[w == worker[0]]));
	worker[0]->slot->n_done = worker[1]->slot->n_done = 1;
	for (unsigned i = 0; i < 6; i++)
		submit_pure((struct submission){0});
	fake_turn(&fake);
	ck_assert_uint_eq(worker[0]->slot->n_line, 3);
	ck_assert_uint_eq(worker[1]->slot->n_line, 3);
	ck_assert_uint_eq(fake.n_packs, 2);
}
END_TEST

START_TEST(the_first_job_of_a_worker_comes_alone)
{
	w->slot->n_done = 0;
	submit_pure((struct submission){0});
	submit_pure((struct submission){0});
	fake_turn(&fake);
	ck_assert_uint_eq(fake.n_packs, 0);
}
END_TEST

/* ---- the way there and back ---- */

START_TEST(what_a_full_link_refuses_stands_where_it_stood)
{
	static const unsigned by_rank[] = {1, 3, 0, 2, 4};
	uint64_t used_before = used(0, ACCOUNT_BYTES);

	w->inbox_size = 0;
	for (unsigned i = 0; i < 5; i++)
		jobs[i] = submit_pure((struct submission){.priority = (int32_t)(i % 2)});
	fake_turn(&fake);
	ck_assert_uint_eq(pool->queue.n, 5);
	ck_assert_uint_eq(used(0, ACCOUNT_BYTES), used_before);
	w->inbox_size = 1;
	fake_turn(&fake);
	ck_assert_uint_eq(fake.n_packs, 1);
	for (unsigned i = 0; i < 5; i++)
		ck_assert_uint_eq(w->inbox[i].id, jobs[by_rank[i]]->id);
}
END_TEST

START_TEST(a_packet_comes_back_whole)
{
	hand_over(5);
	core_pool_pause(pool, fake.now_us);
	ck_assert_uint_eq(w->slot->n_line, 0);
	ck_assert_uint_eq(pool->queue.n, 5);
	core_pool_resume(pool);
	fake_turn(&fake);
	ck_assert_uint_eq(w->inbox[0].id, jobs[0]->id);
	ck_assert_uint_eq(w->inbox[4].id, jobs[4]->id);
}
END_TEST

START_TEST(what_was_received_does_not_come_back)
{
	receive(5);
	core_pool_pause(pool, fake.now_us);
	ck_assert_uint_eq(w->slot->n_line, 5);
	for (unsigned i = 0; i < 5; i++) {
		ck_assert_int_eq(jobs[i]->state, FUTURE_RUNNING);
		finish(w, 0);
		ck_assert_int_eq(jobs[i]->state, FUTURE_DONE);
	}
}
END_TEST

START_TEST(what_was_received_is_not_looked_for_again)
{
	receive(5);
	pass(POOL_AHEAD_US + 1);
	ck_assert(w->slot->has_received);
	ck_assert_uint_eq(fake.n_taken_back, 0);
	submit_pure((struct submission){0});
	fake_turn(&fake);
	ck_assert_uint_eq(w->slot->n_line, 5);
}
END_TEST

START_TEST(an_answer_out_of_turn_breaks_the_protocol)
{
	const struct answer second = {.msgid = w->slot->next_msgid + 1};

	receive(3);
	ck_assert_int_eq(core_answered(w->slot, &second, fake.now_us), CORE_E_PROTOCOL);
	ck_assert_uint_eq(w->slot->n_line, 3);
}
END_TEST

/* It answered the first without having received it: all that comes back is known. */
START_TEST(a_lie_about_the_first_loses_no_other)
{
	struct answer unseen = {.msgid = w->slot->next_msgid};

	hand_over(3);
	ck_assert_int_eq(core_answered(w->slot, &unseen, fake.now_us), 0);
	core_pool_pause(pool, fake.now_us);
	ck_assert_uint_eq(fake.n_violations, 1);
	ck_assert_uint_eq(w->slot->n_line, 0);
	ck_assert_uint_eq(pool->queue.n, 2);
}
END_TEST

/* ---- deaths ---- */

START_TEST(a_death_costs_the_first_that_is_not_answered)
{
	receive(4);
	finish(w, 0);
	bury(w);
	ck_assert_int_eq(jobs[0]->state, FUTURE_DONE);
	for (unsigned i = 1; i < 4; i++)
		ck_assert_int_eq(jobs[i]->state, FUTURE_QUEUED);
	ck_assert_uint_eq(future_terms(jobs[1])->n_deaths, 1);
	ck_assert_ptr_null(future_terms(jobs[2]));
	ck_assert_uint_eq(pool->n_deaths, 1);
	pass(1000000);
	w = fake_ready(worker[0]) || !fake_ready(worker[1]) ? worker[0] : worker[1];
	w->slot->n_done = 1;
	fake.n_packs = 0;
	fake_turn(&fake);
	ck_assert_uint_eq(fake.n_packs, 0);
	ck_assert_uint_eq(jobs[1]->run->attempt, 2);
	ck_assert_uint_eq(jobs[2]->run->attempt, 1);
	ck_assert_uint_eq(w->inbox[0].id, jobs[2]->id);
	ck_assert_uint_eq(w->inbox[2].id, jobs[1]->id);
}
END_TEST

START_TEST(a_death_before_the_receive_costs_nobody)
{
	hand_over(4);
	bury(w);
	for (unsigned i = 0; i < 4; i++) {
		ck_assert_int_eq(jobs[i]->state, FUTURE_QUEUED);
		ck_assert_ptr_null(future_terms(jobs[i]));
	}
	ck_assert(!jobs[0]->is_alone);
}
END_TEST

START_TEST(a_death_while_the_daemon_stops_ends_the_others)
{
	receive(3);
	core_drain(core, fake.now_us);
	bury(w);
	fake_turn(&fake);
	ck_assert_int_eq(jobs[0]->state, FUTURE_LOST);
	ck_assert_int_eq(jobs[1]->state, FUTURE_ABORTED);
	ck_assert_int_eq(jobs[2]->state, FUTURE_ABORTED);
}
END_TEST

START_TEST(one_that_does_not_end_does_not_keep_the_others)
{
	receive(4);
	finish(w, 0);
	pass(POOL_STUCK_US - 1);
	ck_assert_uint_eq(fake.n_kills, 0);
	pass(1);
	ck_assert_uint_eq(fake.n_kills, 1);
	bury(w);
	ck_assert(jobs[1]->is_alone);
	ck_assert_uint_eq(pool->queue.n, 3);
}
END_TEST

/* ---- ends ---- */

START_TEST(a_later_one_is_cancelled_without_having_started)
{
	receive(4);
	ck_assert_int_eq(cancel(jobs[2], CANCEL_TERM), CANCEL_CANCELLING);
	ck_assert_uint_eq(fake.n_rings, 1);
	ck_assert_uint_eq(fake.n_kills, 0);
	ck_assert_int_eq(w->slot->state, SLOT_RINGING);
	ck_assert(!fake_hear_bell(w));
	finish(w, 0);
	finish(w, 0); /* and the cancelled one with it */
	ck_assert_uint_eq(w->n_held, 1);
	ck_assert(w->held[0].has_started);
	finish(w, 0);
	ck_assert_int_eq(jobs[2]->state, FUTURE_CANCELLED);
	for (unsigned i = 0; i < 4; i++)
		if (i != 2)
			ck_assert_int_eq(jobs[i]->state, FUTURE_DONE);
	ck_assert(w->is_closed);
}
END_TEST

START_TEST(several_are_cancelled_and_so_is_the_first)
{
	receive(4);
	cancel(jobs[3], CANCEL_KILL);
	cancel(jobs[3], CANCEL_KILL);
	cancel(jobs[1], CANCEL_TERM);
	cancel(jobs[0], CANCEL_TERM);
	ck_assert_uint_eq(fake.n_rings, 3);
	ck_assert_uint_eq(fake.n_kills, 0);
	ck_assert(fake_hear_bell(w));
	finish(w, 0);
	finish(w, 0);
	ck_assert_int_eq(jobs[2]->state, FUTURE_DONE);
	for (unsigned i = 0; i < 4; i++)
		if (i != 2)
			ck_assert_int_eq(jobs[i]->state, FUTURE_CANCELLED);
}
END_TEST

START_TEST(one_that_is_received_is_no_longer_queued)
{
	receive(2);
	ck_assert_int_eq(cancel(jobs[1], CANCEL_QUEUED), CANCEL_RUNNING);
	ck_assert_int_eq(core_signal(core, jobs[1], 10, fake.now_us), CORE_E_NOT_RUNNING);
}
END_TEST

START_TEST(killing_the_first_gives_the_others_back)
{
	receive(3);
	ck_assert_int_eq(cancel(jobs[0], CANCEL_KILL), CANCEL_CANCELLING);
	ck_assert_uint_eq(fake.n_kills, 1);
	bury(w);
	ck_assert_int_eq(jobs[0]->state, FUTURE_CANCELLED);
	ck_assert_int_eq(jobs[1]->state, FUTURE_QUEUED);
	ck_assert_ptr_null(future_terms(jobs[1]));
}
END_TEST

START_TEST(a_timeout_begins_with_the_turn)
{
	for (unsigned i = 0; i < 2; i++)
		jobs[i] = submit_pure((struct submission){.timeout_us = 1000});
	fake_turn(&fake);
	fake_receive(w);
	fake.now_us += 900;
	finish(w, 0);
	pass(900);
	ck_assert_int_eq(jobs[1]->state, FUTURE_RUNNING);
	pass(100);
	ck_assert_int_eq(jobs[1]->state, FUTURE_CANCELLING);
}
END_TEST

START_TEST(a_deadline_ends_a_later_one_too)
{
	jobs[0] = submit_pure((struct submission){0});
	jobs[1] = submit_pure((struct submission){.wishes = {.deadline_us = 300}, .grace_us = 50});
	fake_turn(&fake);
	fake_receive(w);
	pass(300);
	ck_assert_int_eq(jobs[1]->state, FUTURE_CANCELLING);
	pass(100); /* its grace is not over: it has not begun */
	ck_assert_uint_eq(fake.n_kills, 0);
	fake_hear_bell(w);
	finish(w, 0);
	ck_assert_int_eq(jobs[0]->state, FUTURE_DONE);
	ck_assert_int_eq(jobs[1]->state, FUTURE_TIMEOUT);
}
END_TEST

START_TEST(a_grace_begins_with_the_turn)
{
	jobs[0] = submit_pure((struct submission){0});
	jobs[1] = submit_pure((struct submission){.grace_us = 50});
	fake_turn(&fake);
	fake_receive(w);
	cancel(jobs[1], CANCEL_TERM);
	finish(w, 0);
	ck_assert_int_eq(jobs[1]->state, FUTURE_CANCELLING);
	pass(49);
	ck_assert_uint_eq(fake.n_kills, 0);
	pass(1);
	ck_assert_uint_eq(fake.n_kills, 1);
}
END_TEST

START_TEST(the_end_of_the_daemon_stops_all_of_it)
{
	receive(3);
	core_drain(core, fake.now_us);
	core_stop_running(core, CANCEL_TERM, fake.now_us);
	for (unsigned i = 0; i < 3; i++)
		ck_assert_int_eq(jobs[i]->state, FUTURE_CANCELLING);
	fake_hear_bell(w);
	finish(w, 0);
	for (unsigned i = 0; i < 3; i++)
		ck_assert_int_eq(jobs[i]->state, FUTURE_ABORTED);
}
END_TEST

SUITE_MAIN_WITH("pack", set_up, core_teardown, pure_jobs_share_packets,
	what_is_not_pure_shares_none, what_brings_fds_or_much_shares_none,
	what_names_other_values_shares_none, a_packet_is_expected_to_take_no_longer_than_so,
	what_has_no_history_shares_none, no_worker_idles_beside_a_full_packet,
	the_first_job_of_a_worker_comes_alone, what_a_full_link_refuses_stands_where_it_stood,
	a_packet_comes_back_whole, what_was_received_does_not_come_back,
	what_was_received_is_not_looked_for_again, an_answer_out_of_turn_breaks_the_protocol,
	a_lie_about_the_first_loses_no_other, a_death_costs_the_first_that_is_not_answered,
	a_death_before_the_receive_costs_nobody, a_death_while_the_daemon_stops_ends_the_others,
	one_that_does_not_end_does_not_keep_the_others,
	a_later_one_is_cancelled_without_having_started, several_are_cancelled_and_so_is_the_first,
	one_that_is_received_is_no_longer_queued, killing_the_first_gives_the_others_back,
	a_timeout_begins_with_the_turn, a_deadline_ends_a_later_one_too,
	a_grace_begins_with_the_turn, the_end_of_the_daemon_stops_all_of_it)
