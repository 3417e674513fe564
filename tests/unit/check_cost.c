/* What a function's jobs cost, and which remedies the figures call for. */
#include "daemon/core/cost.h"

#include "daemon/core/pool.h"
#include "daemon/core/terms.h"
#include "tests/unit/suite.h"

#define LARGE (3u << 20)

static struct cost cost;

static void set_up(void)
{
	cost = (struct cost){};
}

/* So many jobs of this kind end. */
static void learn_both(
	unsigned n, uint64_t run_us, uint64_t move_us, struct moved in, struct moved out)
{
	struct run run = {.started_us = 1, .out = out};
	struct future f = {.state = FUTURE_DONE, .run = &run};
	struct future_timing t = {
		.run_us = run_us, .handover_us = move_us - move_us / 2, .return_us = move_us / 2};

	future_set_in(&f, &in);
	while (n-- > 0) {
		cost_learn_run(&cost, &t);
		cost_learn_job(&cost, &f);
	}
}

static void learn(unsigned n, uint64_t run_us, uint64_t move_us, struct moved in)
{
	learn_both(n, run_us, move_us, in, (struct moved){});
}

static void learn_size(unsigned n, uint64_t bytes)
{
	learn(n, 2, 40, (struct moved){.memfd_bytes = bytes});
}

#define REMEDY(word) (1u << COST_REMEDY_##word)

START_TEST(the_decision_is_exact_at_each_limit)
{
	static const struct {
		unsigned n;
		uint64_t run_us, move_us;
		struct moved in;
		bool is_pure;
		unsigned remedies;
	} cases[] = {
		/* too few */
		{99, 2, 40, {}, false, 0},
		{100, 2, 40, {}, false, REMEDY(PURE)},
		{99, 2, 40, {.memfd_bytes = LARGE}, false, 0},
		{100, 2, 40, {.memfd_bytes = LARGE}, false, REMEDY(PUT)},
		/* a share of a half is fine */
		{1000, 40, 40, {.memfd_bytes = LARGE}, false, 0},
		{1000, 40, 41, {.memfd_bytes = LARGE}, false, REMEDY(PUT)},
		{1000, 40, 40, {}, false, 0},
		{1000, 40, 41, {}, false, REMEDY(PURE)},
		{1000, 0, 0, {}, false, 0},
		{1000, 0, 1, {}, false, REMEDY(PURE)},
		/* short, by the mean */
		{1000, 49, 400, {}, false, REMEDY(PURE)},
		{1000, 49, 400, {}, true, REMEDY(BATCH)},
		{1000, 50, 400, {}, false, REMEDY(LARGER)},
		{1000, 50, 400, {}, true, REMEDY(LARGER)},
		/* large: what does not travel inline */
		{1000, 2, 40, {.memfd_bytes = COST_LARGE_BYTES}, true, REMEDY(BATCH)},
		{1000, 2, 40, {.memfd_bytes = COST_LARGE_BYTES + 1}, true, REMEDY(PUT)},
		{1000, 2, 40, {COST_LARGE_BYTES, 1, 0}, true, REMEDY(PUT)},
		/* copied: much a run, and half of all */
		{1000, 2, 40, {16384, 0, 16383}, false, REMEDY(PURE)},
		{1000, 2, 40, {16384, 0, 16384}, false, REMEDY(MEMFD)},
		{1000, 2, 40, {50000, 0, 24999}, false, REMEDY(PURE)},
		{1000, 2, 40, {50000, 0, 25000}, false, REMEDY(MEMFD)},
		{1000, 2, 40, {LARGE, 0, LARGE}, false, REMEDY(PUT) | REMEDY(MEMFD)},
		/* the window moves on with the sums */
		{100000, 2, 40, {LARGE, 0, LARGE}, false, REMEDY(PUT) | REMEDY(MEMFD)},
		{100000, 49, 400, {}, false, REMEDY(PURE)},
		{100000, 50, 400, {}, false, REMEDY(LARGER)},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		set_up();
		learn(cases[i].n, cases[i].run_us, cases[i].move_us, cases[i].in);
		ck_assert_msg(cost_remedies(&cost, cases[i].is_pure) == cases[i].remedies,
			"case %zu: %x", i, cost_remedies(&cost, cases[i].is_pure));
	}
}
END_TEST

START_TEST(nine_of_ten_inputs_are_of_one_size)
{
	for (unsigned i = 0; i < 100; i++) {
		learn_size(9, LARGE);
		learn_size(1, LARGE + i);
	}
	/* the first of LARGE + i is LARGE itself */
	ck_assert_uint_eq(cost.size.n, 901);
	ck_assert_uint_eq(cost_remedies(&cost, false), REMEDY(PUT));
	learn_size(2, 70000); /* 901 of 1002 */
	ck_assert_uint_eq(cost_remedies(&cost, false), REMEDY(PURE));
	learn_size(8, LARGE); /* 909 of 1010 */
	ck_assert_uint_eq(cost_remedies(&cost, false), REMEDY(PUT));
}
END_TEST

START_TEST(small_inputs_count_as_others)
{
	learn_size(900, LARGE);
	learn_size(100, 8);
	ck_assert_uint_eq(cost_remedies(&cost, false), REMEDY(PUT));
	learn_size(1, 8);
	ck_assert_uint_eq(cost_remedies(&cost, false), REMEDY(PURE));
}
END_TEST

START_TEST(sizes_that_differ_are_no_size)
{
	for (unsigned i = 0; i < 10000; i++)
		learn_size(1, LARGE + i % 3);
	ck_assert_uint_eq(cost_remedies(&cost, false), REMEDY(PURE));
}
END_TEST

START_TEST(another_size_takes_its_place)
{
	learn_size(100000, LARGE);
	learn_size(2 * COST_WINDOW, 100000);
	ck_assert_uint_eq(cost.size.bytes, 100000);
	ck_assert_uint_gt(cost.size.n, COST_WINDOW / 2);
	ck_assert_uint_eq(cost_remedies(&cost, false), REMEDY(PUT));
}
END_TEST

START_TEST(how_often_it_came_is_exact)
{
	learn_size(100000, LARGE);
	ck_assert_uint_eq(cost.size.n, 100000);
	ck_assert_uint_eq(cost.in.memfd_bytes, 100000ull * LARGE);
	ck_assert_uint_eq(cost.n_runs, 100000);
	ck_assert_uint_eq(cost.total.run_us, 200000);
}
END_TEST

/* Who followed the advice is not advised for ever. */
START_TEST(what_was_mended_is_forgotten)
{
	struct function fn = {};
	struct future f = {.state = FUTURE_DONE, .run = future_no_run(), .function = &fn};

	learn(100000, 2, 40, (struct moved){.memfd_bytes = LARGE});
	learn(5 * COST_WINDOW, 400, 40, (struct moved){});
	ck_assert_uint_eq(cost_remedies(&cost, false), 0);
	ck_assert_uint_le(cost.window.n_runs, COST_WINDOW);
	/* one of two */
	set_up();
	learn(100000, 2, 40, (struct moved){50000, 0, 50000});
	ck_assert_uint_eq(cost_remedies(&cost, false), REMEDY(MEMFD));
	learn(20 * COST_WINDOW, 2, 40, (struct moved){});
	ck_assert_uint_eq(cost_remedies(&cost, false), REMEDY(PURE));
	/* and of the other way */
	fn.cost = cost;
	cost_copied_out(&f, 2ull * COST_WINDOW * COST_COPIED_BYTES);
	ck_assert_uint_eq(cost_remedies(&fn.cost, false), REMEDY(FDS));
	cost = fn.cost;
	learn(20 * COST_WINDOW, 2, 40, (struct moved){});
	ck_assert_uint_eq(cost_remedies(&cost, false), REMEDY(PURE));
}
END_TEST

START_TEST(results_are_bytes_too)
{
	learn_both(1000, 2, 40, (struct moved){20000, 0, 20000}, (struct moved){20000, 0, 0});
	ck_assert_uint_eq(cost_remedies(&cost, false), REMEDY(MEMFD));
	learn_both(1, 2, 40, (struct moved){20000, 0, 20000}, (struct moved){30000, 0, 0});
	ck_assert_uint_eq(cost_remedies(&cost, false), REMEDY(PURE));
}
END_TEST

START_TEST(a_size_that_half_have_gives_way)
{
	learn_size(1, LARGE);
	learn_size(1, LARGE + 1);
	ck_assert_uint_eq(cost.size.bytes, LARGE + 1);
	learn_size(1, LARGE + 1);
	learn_size(1, LARGE);
	ck_assert_uint_eq(cost.size.bytes, LARGE + 1);
}
END_TEST

START_TEST(values_of_others_are_counted)
{
	struct terms terms = {.object_bytes = 7};
	struct annex annex = {.terms = &terms};
	struct run run = {.started_us = 1};
	struct future f = {.state = FUTURE_DONE, .run = &run, .annex = &annex};

	cost_learn_job(&cost, &f);
	cost_learn_job(&cost, &f);
	ck_assert_uint_eq(cost.object_bytes, 14);
	ck_assert_uint_eq(cost.in.memfd_bytes, 0);
}
END_TEST

START_TEST(sums_add_up)
{
	const struct cost c = {
		.n_runs = 2,
		.total = {.queued_us = 3, .handover_us = 5, .run_us = 7, .return_us = 11},
		.in = {13, 17, 19},
		.out = {23, 29, 31},
		.object_bytes = 37,
	};

	for (unsigned i = 1; i <= 3; i++) {
		cost_add(&cost, &c);
		ck_assert_uint_eq(cost.n_runs, 2 * i);
		ck_assert_uint_eq(cost.total.queued_us, 3 * i);
		ck_assert_uint_eq(cost.total.handover_us, 5 * i);
		ck_assert_uint_eq(cost.total.run_us, 7 * i);
		ck_assert_uint_eq(cost.total.return_us, 11 * i);
		ck_assert_uint_eq(cost.in.inline_bytes, 13 * i);
		ck_assert_uint_eq(cost.in.memfd_bytes, 17 * i);
		ck_assert_uint_eq(cost.in.copied_bytes, 19 * i);
		ck_assert_uint_eq(cost.out.inline_bytes, 23 * i);
		ck_assert_uint_eq(cost.out.memfd_bytes, 29 * i);
		ck_assert_uint_eq(cost.out.copied_bytes, 31 * i);
		ck_assert_uint_eq(cost.object_bytes, 37 * i);
	}
}
END_TEST

START_TEST(the_mean_is_of_the_last_runs_and_never_nothing)
{
	ck_assert_uint_eq(cost_mean_run_ns(&cost), 0);
	learn(1, 0, 40, (struct moved){});
	ck_assert_uint_eq(cost_mean_run_ns(&cost), 1);
	learn(2, 2, 40, (struct moved){});
	ck_assert_uint_eq(cost_mean_run_ns(&cost), 1333);
	learn(20 * COST_WINDOW, 9, 40, (struct moved){});
	ck_assert_uint_ge(cost_mean_run_ns(&cost), 8990);
	ck_assert_uint_le(cost_mean_run_ns(&cost), 9000);
	set_up();
	/* 300 years are no more than a number */
	learn(3, 10000000000000000, 0, (struct moved){});
	learn(1, 10000000000000002, 0, (struct moved){});
	ck_assert_uint_eq(cost_mean_run_ns(&cost), 10000000000000000500u);
}
END_TEST

START_TEST(what_never_ran_is_counted_as_bytes_alone)
{
	struct future f = {
		.state = FUTURE_CANCELLED, .run = future_no_run(), .in_memfd_bytes = LARGE};

	for (unsigned i = 0; i < 1000; i++)
		cost_learn_job(&cost, &f);
	ck_assert_uint_eq(cost.in.memfd_bytes, 1000ull * LARGE);
	ck_assert_uint_eq(cost.size.n, 0);
	ck_assert_uint_eq(cost_remedies(&cost, false), 0);
	ck_assert(cost_share(&cost.total) < 0);
}
END_TEST

START_TEST(bytes_copied_for_clients_are_their_functions)
{
	struct function fn = {};
	struct future object = {.state = FUTURE_DONE, .run = future_no_run()},
		      f = {.state = FUTURE_DONE, .run = future_no_run(), .function = &fn};

	cost_copied_out(&object, 5);
	ck_assert_uint_eq(object.end.copied_bytes, 5);
	learn(100, 2, 40, (struct moved){});
	fn.cost = cost;
	cost_copied_out(&f, 100 * COST_COPIED_BYTES);
	ck_assert_uint_eq(f.end.copied_bytes, 100 * COST_COPIED_BYTES);
	ck_assert_uint_eq(fn.cost.out.copied_bytes, 100 * COST_COPIED_BYTES);
	ck_assert_uint_eq(cost_remedies(&fn.cost, false), REMEDY(FDS));
}
END_TEST

START_TEST(the_share_leaves_out_the_queue)
{
	struct future_timing t = {
		.queued_us = 1000000, .handover_us = 30, .run_us = 60, .return_us = 10};

	ck_assert(cost_share(&t) == 0.6);
	ck_assert(cost_share(&(struct future_timing){.queued_us = 9}) < 0);
	ck_assert(cost_share(&(struct future_timing){.return_us = 9}) == 0);
	ck_assert(cost_share(&(struct future_timing){.run_us = 9}) == 1);
}
END_TEST

SUITE_MAIN_WITH("cost", set_up, NULL, the_decision_is_exact_at_each_limit,
	nine_of_ten_inputs_are_of_one_size, small_inputs_count_as_others,
	sizes_that_differ_are_no_size, another_size_takes_its_place, how_often_it_came_is_exact,
	what_was_mended_is_forgotten, results_are_bytes_too, a_size_that_half_have_gives_way,
	values_of_others_are_counted, sums_add_up, the_mean_is_of_the_last_runs_and_never_nothing,
	what_never_ran_is_counted_as_bytes_alone, bytes_copied_for_clients_are_their_functions,
	the_share_leaves_out_the_queue)
