/* Several packets at once: jobs that share none reach a worker by one call of the link, too. */
#include "tests/unit/pack_case.h"

/* What each call of the link took. */
static unsigned n_calls, n_taken[8];

static void count_call(struct fake_worker *to, struct future *const *those, unsigned n)
{
	(void)to;
	(void)those;
	if (n > 0)
		n_taken[n_calls++ % ARRAY_SIZE(n_taken)] = n;
}

static void set_up_calls(void)
{
	set_up();
	learn(pool->functions, 1000);
	fake.hooks.packed = count_call;
	n_calls = 0;
}

static struct future *submit_plain(struct submission s)
{
	return submit_with(0, s);
}

static void submit_several(unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		jobs[i] = submit_plain((struct submission){0});
}

START_TEST(each_has_a_packet_of_its_own)
{
	submit_several(5);
	fake_turn(&fake);
	ck_assert_uint_eq(n_calls, 1);
	ck_assert_uint_eq(n_taken[0], 5);
	ck_assert_uint_eq(fake.n_packs, 0);
	for (unsigned i = 0; i < 5; i++) {
		ck_assert_uint_eq(jobs[i]->run->place, 0);
		ck_assert(!w->inbox[i].shares);
		ck_assert_uint_eq(w->inbox[i].id, jobs[i]->id);
	}
	ck_assert_uint_eq(used(0, ACCOUNT_BYTES), 5 * 100);
}
END_TEST

START_TEST(packets_of_one_and_of_several_go_together)
{
	static const uint8_t places[] = {0, 1, 0, 0, 1};

	for (unsigned i = 0; i < 5; i++)
		jobs[i] = i == 2 ? submit_plain((struct submission){0})
				 : submit_pure((struct submission){0});
	fake_turn(&fake);
	ck_assert_uint_eq(n_calls, 1);
	ck_assert_uint_eq(fake.n_packs, 2);
	for (unsigned i = 0; i < 5; i++)
		ck_assert_uint_eq(jobs[i]->run->place, places[i]);
}
END_TEST

START_TEST(they_are_no_more_than_one_packet_may_be)
{
	learn(pool->functions, POOL_PACK_US * 1000 / 3);
	submit_several(4);
	fake_turn(&fake);
	ck_assert_uint_eq(n_taken[0], 3);
	ck_assert_uint_eq(n_taken[1], 1);
	ck_assert_uint_eq(w->slot->n_line, 4);
}
END_TEST

START_TEST(much_goes_by_itself)
{
	submit_plain((struct submission){.in = {.inline_bytes = POOL_PACK_BYTES}});
	submit_plain((struct submission){.in = {.inline_bytes = 1}});
	submit_plain((struct submission){.input_fds = 1});
	submit_plain((struct submission){0});
	fake_turn(&fake);
	ck_assert_uint_eq(n_calls, 4);
}
END_TEST

START_TEST(what_has_no_history_goes_by_itself)
{
	learn(pool->functions, 0);
	submit_several(2);
	fake_turn(&fake);
	ck_assert_uint_eq(n_taken[0], 1);
}
END_TEST

START_TEST(what_may_be_what_a_worker_died_of_has_its_own)
{
	receive(3);
	bury(w);
	pass(1000000);
	w = fake_ready(worker[0]) || !fake_ready(worker[1]) ? worker[0] : worker[1];
	w->slot->n_done = 1;
	n_calls = 0;
	fake_turn(&fake);
	ck_assert_uint_eq(n_calls, 1);
	ck_assert_uint_eq(n_taken[0], 3);
	for (unsigned i = 0; i < 3; i++)
		ck_assert_uint_eq(jobs[i]->run->place, 0);
}
END_TEST

/* Half of it is 500 bytes. */
START_TEST(their_rooms_leave_half_of_an_account)
{
	const struct account_limits few = {
		.uid = {.n = {1000, 1000, 1000, 1000}}, .all = {.n = {1000, 1000, 1000, 1000}}};

	core_set_limits(core, &few);
	submit_several(8);
	fake_turn(&fake);
	ck_assert_uint_eq(w->slot->n_line, 5);
}
END_TEST

/* Half of it is 350 bytes: a packet of its own has 100 of them, and what others of a later packet
 * may take is what is left then. */
START_TEST(a_packet_in_the_midst_leaves_less_to_those_behind)
{
	const struct account_limits few = {
		.uid = {.n = {700, 1000, 1000, 1000}}, .all = {.n = {700, 1000, 1000, 1000}}};

	core_set_limits(core, &few);
	pool->config.packed_result_bytes = 10;
	for (unsigned i = 0; i < 12; i++)
		if (i == 2)
			submit_plain((struct submission){0});
		else
			submit_pure((struct submission){0});
	fake_turn(&fake);
	ck_assert_uint_eq(n_calls, 1);
	ck_assert_uint_eq(w->slot->n_line, 8);
	ck_assert_uint_eq(used(0, ACCOUNT_BYTES), 3 * 100 + 5 * 10);
}
END_TEST

START_TEST(no_worker_idles_beside_them)
{
	pool->config.n_workers = 2;
	fake_turn(&fake);
	ck_assert(fake_ready(worker[w == worker[0]]));
	worker[0]->slot->n_done = worker[1]->slot->n_done = 1;
	submit_several(5);
	fake_turn(&fake);
	ck_assert_uint_eq(worker[0]->slot->n_line + worker[1]->slot->n_line, 5);
	ck_assert_uint_ge(worker[0]->slot->n_line, 2);
	ck_assert_uint_ge(worker[1]->slot->n_line, 2);
}
END_TEST

/* Two of five find room. */
START_TEST(what_a_full_link_does_not_take_stands_where_it_stood)
{
	uint64_t used_before = used(0, ACCOUNT_BYTES);

	w->inbox_size = 2;
	submit_several(5);
	fake_turn(&fake);
	ck_assert_uint_eq(n_taken[0], 2);
	ck_assert_uint_eq(w->slot->n_line, 2);
	ck_assert_int_eq(jobs[0]->state, FUTURE_RUNNING);
	ck_assert_uint_eq(pool->queue.n, 3);
	ck_assert(core->want_turn);
	ck_assert_uint_eq(used(0, ACCOUNT_BYTES), used_before + 2 * 100);
	for (unsigned i = 2; i < 5; i++)
		ck_assert_ptr_null(jobs[i]->run->slot);
	w->inbox_size = 8;
	fake_turn(&fake);
	for (unsigned i = 0; i < 5; i++)
		ck_assert_uint_eq(w->inbox[i].id, jobs[i]->id);
	ck_assert_uint_eq(jobs[4]->run->msgid, jobs[0]->run->msgid + 4);
}
END_TEST

/* A packet is taken whole, or not at all. */
START_TEST(a_packet_is_not_cut)
{
	w->inbox_size = 2;
	jobs[0] = submit_plain((struct submission){0});
	for (unsigned i = 1; i < 4; i++)
		jobs[i] = submit_pure((struct submission){0});
	jobs[4] = submit_plain((struct submission){0});
	fake_turn(&fake);
	ck_assert_uint_eq(n_taken[0], 4);
	ck_assert_uint_eq(w->slot->n_line, 4);
	ck_assert_ptr_null(jobs[4]->run->slot);
}
END_TEST

START_TEST(all_of_them_come_back)
{
	submit_several(5);
	fake_turn(&fake);
	ck_assert(fake_receive(w));
	core_pool_pause(pool, fake.now_us);
	ck_assert_uint_eq(w->slot->n_line, 1); /* a packet was received */
	ck_assert_uint_eq(pool->queue.n, 4);
	core_pool_resume(pool);
	fake_turn(&fake);
	for (unsigned i = 0; i < 4; i++)
		ck_assert_uint_eq(w->inbox[i].id, jobs[i + 1]->id);
}
END_TEST

START_TEST(a_death_costs_one_packet)
{
	submit_several(4);
	fake_turn(&fake);
	ck_assert(fake_receive(w));
	bury(w);
	ck_assert_int_eq(jobs[0]->state, FUTURE_LOST);
	for (unsigned i = 1; i < 4; i++)
		ck_assert_int_eq(jobs[i]->state, FUTURE_QUEUED);
}
END_TEST

SUITE_MAIN_WITH("pack_several", set_up_calls, core_teardown, each_has_a_packet_of_its_own,
	packets_of_one_and_of_several_go_together, they_are_no_more_than_one_packet_may_be,
	much_goes_by_itself, what_has_no_history_goes_by_itself,
	what_may_be_what_a_worker_died_of_has_its_own, their_rooms_leave_half_of_an_account,
	a_packet_in_the_midst_leaves_less_to_those_behind, no_worker_idles_beside_them,
	what_a_full_link_does_not_take_stands_where_it_stood, a_packet_is_not_cut,
	all_of_them_come_back, a_death_costs_one_packet)
