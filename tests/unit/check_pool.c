#include "daemon/core/pool.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#include "tests/lib/check_run.h"
#include "tests/lib/fault.h"

/* Rows: from; columns: to; both in the order of enum slot_state. x: a legal move. */
static const char *const moves[_SLOT_STATE_MAX] = {
	/*                 ESIBRL */
	[SLOT_EMPTY] = ".x....",
	[SLOT_STARTING] = "x.x..x",
	[SLOT_IDLE] = "x..x.x",
	[SLOT_BUSY] = "x.x.xx",
	[SLOT_RINGING] = "x....x",
	[SLOT_LEAVING] = "x.....",
};

static const struct pool_config config = {.name = "default", .n_workers = 3, .ahead_max = 2};
static struct pool *p;

static void setup(void)
{
	ck_assert_int_eq(pool_new(NULL, &config, NULL, &p), 0);
}

static void teardown(void)
{
	ck_assert_ptr_null(pool_free(p));
}

START_TEST(every_pair_of_states)
{
	for (int from = 0; from < _SLOT_STATE_MAX; from++)
		for (int to = 0; to < _SLOT_STATE_MAX; to++)
			ck_assert_msg(slot_may_become(from, to) == (moves[from][to] == 'x'),
				"%d -> %d", from, to);
}
END_TEST

START_TEST(slots_stand_in_the_list_of_their_state)
{
	ck_assert_uint_eq(p->n_by_state[SLOT_EMPTY], 3);
	slot_set_state(p->slots[1], SLOT_STARTING, 50);
	ck_assert_uint_eq(p->n_by_state[SLOT_EMPTY], 2);
	ck_assert_uint_eq(p->n_by_state[SLOT_STARTING], 1);
	ck_assert_ptr_eq(TAILQ_FIRST(&p->by_state[SLOT_STARTING]), p->slots[1]);
	ck_assert_uint_eq(p->slots[1]->since_us, 50);
}
END_TEST

START_TEST(an_illegal_move_is_our_bug)
{
	slot_set_state(p->slots[0], SLOT_BUSY, 1);
}
END_TEST

START_TEST(functions_come_and_go_and_come_back)
{
	struct function *f;

	ck_assert_int_eq(pool_put_function(p, "sha256", "Hashes.", true), 0);
	ck_assert_int_eq(pool_put_function(p, "sha1", "Hashes badly.", false), 0);
	ck_assert_uint_eq(p->n_functions, 2);
	f = pool_find_function(p, "sha1xx", 4);
	ck_assert_str_eq(f->doc, "Hashes badly.");
	ck_assert(!f->is_pure);
	ck_assert_ptr_null(pool_find_function(p, "sha", 3));
	ck_assert_ptr_null(pool_find_function(p, "sha256x", 7));
	pool_clear_functions(p);
	ck_assert_uint_eq(p->n_functions, 0);
	ck_assert_ptr_null(pool_find_function(p, "sha1", 4));
	ck_assert_int_eq(pool_put_function(p, "sha1", "Better.", true), 0);
	ck_assert_ptr_eq(pool_find_function(p, "sha1", 4), f);
	ck_assert_str_eq(f->doc, "Better.");
	ck_assert(f->is_pure);
	ck_assert_uint_eq(p->n_functions, 1);
}
END_TEST

/* A zygote that names a function twice does not make two of it. */
START_TEST(a_function_told_twice_counts_once)
{
	ck_assert_int_eq(pool_put_function(p, "f", "", false), 0);
	ck_assert_int_eq(pool_put_function(p, "f", "", false), 0);
	ck_assert_uint_eq(p->n_functions, 1);
}
END_TEST

START_TEST(a_failed_pool_keeps_the_last_reason)
{
	pool_set_failed(p, "no such module");
	ck_assert_int_eq(p->state, POOL_FAILED);
	pool_set_failed(p, "a thread");
	ck_assert_str_eq(p->reason, "a thread");
	fault_alloc_at(1);
	pool_set_failed(p, "more");
	ck_assert(fault_end());
	ck_assert_ptr_null(p->reason);
}
END_TEST

static struct future finished(struct function *fn, uint64_t run_us)
{
	static struct run run;

	run = (struct run){.head_us = 20, .started_us = 30, .run_us = run_us, .out = {4, 5, 6}};
	return (struct future){.function = fn,
		.state = FUTURE_DONE,
		.run = &run,
		.submitted_us = 10,
		.end.finished_us = 30 + run_us + 5,
		.in_inline_bytes = 1,
		.in_memfd_bytes = 2,
		.in_copied_bytes = 3};
}

START_TEST(what_is_expected_is_the_mean_of_what_was_learnt)
{
	struct function *fn;
	struct future f;

	ck_assert_int_eq(pool_put_function(p, "f", "", false), 0);
	fn = pool_find_function(p, "f", 1);
	ck_assert_uint_eq(function_run_ns(fn), POOL_AHEAD_US * 1000);
	f = finished(fn, 0);
	function_learn(fn, &f);
	ck_assert_uint_eq(function_run_ns(fn), 1);
	for (int i = 0; i < 100; i++) {
		f = finished(fn, 300);
		function_learn(fn, &f);
	}
	ck_assert_uint_eq(function_run_ns(fn), 30000000 / 101);
	for (int i = 0; i < 200; i++) {
		f = finished(fn, 0);
		function_learn(fn, &f);
	}
	ck_assert_uint_eq(function_run_ns(fn), 30000000 / 301);
	ck_assert_uint_eq(fn->n_done, 301);
	ck_assert_uint_eq(fn->cost.total.queued_us, 301 * 10);
	ck_assert_uint_eq(fn->cost.total.handover_us, 301 * 10);
	ck_assert_uint_eq(fn->cost.total.return_us, 301 * 5);
	ck_assert_uint_eq(fn->cost.in.memfd_bytes, 602);
	ck_assert_uint_eq(fn->cost.out.copied_bytes, 301 * 6);
}
END_TEST

/* One run in a hundred takes ten thousand times as long, and is remembered until the next one does.
 */
START_TEST(rare_long_runs_are_not_forgotten_between_them)
{
	struct function *fn;
	struct future f;

	ck_assert_int_eq(pool_put_function(p, "f", "", false), 0);
	fn = pool_find_function(p, "f", 1);
	for (int i = 0; i < 100000; i++) {
		f = finished(fn, i % 100 == 50 ? 50000 : 5);
		function_learn(fn, &f);
		if (i >= 50)
			ck_assert_uint_ge(function_run_ns(fn), 300000);
		/* while who can be taken back waits no longer than that */
		if (i >= 200)
			ck_assert_uint_le(function_wait_ns(fn), 20000);
	}
	/* and in the end they are */
	for (int i = 0; i < 40 * COST_WINDOW; i++) {
		f = finished(fn, 5);
		function_learn(fn, &f);
	}
	ck_assert_uint_eq(function_run_ns(fn), 5000);
}
END_TEST

START_TEST(what_never_ran_teaches_nothing)
{
	struct function *fn;
	struct future f = {.state = FUTURE_CANCELLED,
		.run = future_no_run(),
		.submitted_us = 5,
		.end.finished_us = 9};

	ck_assert_int_eq(pool_put_function(p, "f", "", false), 0);
	fn = pool_find_function(p, "f", 1);
	function_learn(fn, &f);
	ck_assert_uint_eq(fn->n_failed, 1);
	ck_assert_uint_eq(function_mean_run_ns(fn), 0);
	ck_assert_uint_eq(fn->cost.total.queued_us, 0);
}
END_TEST

START_TEST(out_of_memory_leaves_nothing)
{
	struct pool *other = NULL;
	int r = -ENOMEM;

	for (unsigned n = 1; r; n++) {
		fault_alloc_at(n);
		r = pool_new(NULL, &config, NULL, &other);
		ck_assert_int_eq(r, fault_end() ? -ENOMEM : 0);
	}
	pool_free(other);
	r = -ENOMEM;
	for (unsigned n = 1; r; n++) {
		fault_alloc_at(n);
		r = pool_put_function(p, "f", "doc", false);
		ck_assert_int_eq(r, fault_end() ? -ENOMEM : 0);
		ck_assert_uint_eq(p->n_functions, r == 0);
	}
	fault_alloc_at(1);
	r = pool_put_function(p, "f", "new", false);
	ck_assert(fault_end());
	ck_assert_int_eq(r, -ENOMEM);
	ck_assert_str_eq(pool_find_function(p, "f", 1)->doc, "doc");
	ck_assert_ptr_null(pool_free(NULL));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("pool");
	TCase *t = tcase_create("pool");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, every_pair_of_states);
	tcase_add_test(t, slots_stand_in_the_list_of_their_state);
#ifndef NDEBUG
	tcase_add_test_raise_signal(t, an_illegal_move_is_our_bug, SIGABRT);
#endif
	tcase_add_test(t, functions_come_and_go_and_come_back);
	tcase_add_test(t, a_function_told_twice_counts_once);
	tcase_add_test(t, a_failed_pool_keeps_the_last_reason);
	tcase_add_test(t, what_is_expected_is_the_mean_of_what_was_learnt);
	tcase_add_test(t, rare_long_runs_are_not_forgotten_between_them);
	tcase_add_test(t, what_never_ran_teaches_nothing);
	tcase_add_test(t, out_of_memory_leaves_nothing);
	suite_add_tcase(s, t);
	return check_run(s);
}
