#include "daemon/core/queue.h"

#include <errno.h>

#include "daemon/core/pool.h"
#include "tests/lib/fault.h"
#include "tests/unit/suite.h"

enum { N = 40 };

static struct queue q;
static struct accounts accounts;
static struct account *account[3];
static struct future jobs[N];
static unsigned n_jobs;
static uint64_t now_us;

static void setup(void)
{
	const struct account_limits none = {0};

	accounts_init(&accounts, &none);
	for (uint32_t uid = 0; uid < 3; uid++)
		ck_assert_int_eq(account_get(&accounts, uid, &account[uid]), 0);
	queue_init(&q, 0);
	n_jobs = 0;
	now_us = 1000;
}

static void teardown(void)
{
	for (unsigned i = 0; i < n_jobs; i++)
		if (jobs[i].lane)
			queue_remove(&q, &jobs[i]);
	queue_deinit(&q);
	for (uint32_t uid = 0; uid < 3; uid++)
		account_unref(account[uid]);
	accounts_deinit(&accounts);
}

/* An empty queue with this ageing. */
static void age_by(uint64_t ageing_us)
{
	queue_deinit(&q);
	queue_init(&q, ageing_us);
}

static struct future *job(uint32_t uid, int32_t priority)
{
	struct future *f = &jobs[n_jobs];

	*f = (struct future){.id = 100 + n_jobs++,
		.run = future_no_run(),
		.account = account[uid],
		.priority = priority,
		.state = FUTURE_QUEUED};
	return f;
}

static void leave(struct future *f, uint64_t used_us)
{
	queue_settle(&q, f, used_us);
	queue_leave(&q, f);
}

static struct future *push(uint32_t uid, int32_t priority)
{
	struct future *f = job(uid, priority);

	ck_assert_int_eq(queue_join(&q, f), 0);
	queue_enter(&q, f, now_us);
	return f;
}

/* Thought to take so long. */
static struct future *pop_for(uint64_t charge_us)
{
	struct future *f = queue_first(&q);

	ck_assert_ptr_nonnull(f);
	queue_pop(&q, f, charge_us);
	return f;
}

static struct future *pop(void)
{
	return pop_for(0);
}

/* The next one, gone for good. */
static void expect(struct future *f)
{
	ck_assert_uint_eq(queue_first(&q)->id, f->id);
	queue_remove(&q, f);
	ck_assert_ptr_null(f->lane);
}

/* For each of these futures, named f. */
#define each(f, what, ...)                                                                         \
	do {                                                                                       \
		struct future *list_[] = {__VA_ARGS__};                                            \
		for (unsigned i_ = 0; i_ < ARRAY_SIZE(list_); i_++) {                              \
			struct future *f = list_[i_];                                              \
			what;                                                                      \
		}                                                                                  \
	} while (0)

START_TEST(equals_leave_in_the_order_they_came)
{
	struct future *a = push(0, 0), *b = push(0, 0), *c = push(0, 0);

	ck_assert_uint_eq(q.n, 3);
	each(f, expect(f), a, b, c);
	ck_assert_ptr_null(queue_first(&q));
	ck_assert_uint_eq(q.n, 0);
}
END_TEST

START_TEST(higher_priority_goes_first)
{
	struct future *low = push(0, -1), *zero = push(0, 0), *high = push(0, 5);
	struct future *least = push(0, INT32_MIN), *most = push(0, INT32_MAX), *high2 = push(0, 5);

	each(f, expect(f), most, high, high2, zero, low, least);
}
END_TEST

START_TEST(uids_take_turns)
{
	struct future *a1 = push(0, 0), *a2 = push(0, 9), *b1 = push(1, 0), *c1 = push(2, -3);
	struct future *b2 = push(1, 0);

	each(f, ck_assert_ptr_eq(pop(), f), a2, b1, c1, a1, b2);
	each(f, leave(f, 0), a1, a2, b1, b2, c1);
	ck_assert_ptr_null(q.by_uid);
}
END_TEST

START_TEST(what_comes_back_stands_where_it_stood)
{
	struct future *a = push(0, 0), *b = push(0, 0), *c = push(0, 0), *high = push(0, 1);

	each(f, ck_assert_ptr_eq(pop(), f), high, a, b);
	/* From two workers, so not in their order. */
	each(f, queue_put_back(&q, f), a, b, high);
	each(f, expect(f), high, a, b, c);
}
END_TEST

START_TEST(putting_back_needs_no_memory)
{
	struct future *f[20];

	for (int i = 0; i < 20; i++)
		f[i] = push(0, i);
	for (int i = 0; i < 20; i++)
		pop();
	fault_alloc_at(1);
	for (int i = 0; i < 20; i++)
		queue_put_back(&q, f[i]);
	ck_assert(!fault_end());
	for (int i = 19; i >= 0; i--)
		expect(f[i]);
}
END_TEST

START_TEST(a_lane_without_room_stands_aside_and_keeps_its_turn)
{
	struct future *a = push(0, 0), *b1 = push(1, 0), *b2 = push(1, 0);

	queue_stand_aside(&q, a);
	ck_assert_ptr_eq(pop(), b1);
	queue_stand_aside(&q, b2);
	ck_assert_ptr_null(queue_first(&q));
	ck_assert_ptr_eq(queue_any(&q), a);
	ck_assert(queue_rejoin(&q));
	ck_assert_ptr_null(queue_first(&q));
	account_give_one(account[0], ACCOUNT_JOBS, 0);
	ck_assert(queue_rejoin(&q));
	ck_assert_ptr_eq(queue_first(&q), a);
	account_give_one(account[1], ACCOUNT_JOBS, 0);
	ck_assert(!queue_rejoin(&q));
	leave(b1, 0);
	each(f, expect(f), a, b2);
}
END_TEST

START_TEST(what_is_pushed_or_removed_aside_stays_aside)
{
	struct future *a = push(0, 0), *b;

	queue_stand_aside(&q, a);
	b = push(0, 1);
	ck_assert_ptr_null(queue_first(&q));
	queue_remove(&q, a);
	ck_assert_ptr_null(queue_first(&q));
	ck_assert_ptr_eq(queue_any(&q), b);
	queue_remove(&q, b);
	ck_assert_ptr_null(q.by_uid);
	expect(push(0, 0));
}
END_TEST

/* ---- ageing ---- */

START_TEST(a_step_of_priority_is_worth_the_ageing)
{
	struct future *low, *old, *high, *late;

	age_by(100);
	low = push(0, -1);
	old = push(0, 0);
	now_us += 199;
	high = push(0, 2);
	late = push(0, 0);
	each(f, expect(f), high, old, low);
	now_us += 1;
	high = push(0, 2);
	each(f, expect(f), high, late);
}
END_TEST

START_TEST(who_waited_long_enough_is_not_overtaken)
{
	struct future *low, *high, *most, *least;

	age_by(3600000000);
	low = push(0, 0);
	now_us += 5 * 3600000000 + 1;
	high = push(0, 5);
	least = push(0, INT32_MIN);
	most = push(0, INT32_MAX);
	each(f, expect(f), most, low, high, least);
}
END_TEST

/* ---- changing the priority ---- */

START_TEST(a_new_priority_keeps_age_and_place)
{
	struct future *a, *b, *c;

	age_by(100);
	a = push(0, 0);
	b = push(0, 0);
	c = push(0, 7);
	ck_assert_int_eq(queue_set_priority(&q, b, 9), 0);
	ck_assert_ptr_eq(queue_first(&q), b);
	ck_assert_int_eq(queue_set_priority(&q, c, 0), 0);
	ck_assert_int_eq(queue_set_priority(&q, b, INT32_MIN), 0);
	ck_assert_ptr_eq(queue_first(&q), a);
	ck_assert_int_eq(queue_set_priority(&q, b, 0), 0);
	each(f, expect(f), a, b, c);
}
END_TEST

START_TEST(a_new_priority_of_one_that_is_handed_over_counts_when_it_returns)
{
	struct future *a = push(0, 0), *b = push(0, 0);
	struct run run = {.slot = &(struct slot){0}};

	each(f, ck_assert_ptr_eq(pop(), f), a, b);
	b->run = &run;
	fault_alloc_at(1);
	ck_assert_int_eq(queue_set_priority(&q, b, 1), -ENOMEM);
	ck_assert(fault_end());
	ck_assert_int_eq(b->priority, 0);
	ck_assert_int_eq(queue_set_priority(&q, b, 1), 0);
	b->run = future_no_run();
	each(f, queue_put_back(&q, f), a, b);
	each(f, expect(f), b, a);
}
END_TEST

START_TEST(how_many_stand_before_one)
{
	struct future *f[20];

	for (int i = 0; i < 20; i++)
		f[i] = push(0, i % 4);
	push(1, 9);
	ck_assert_uint_eq(queue_ahead(f[3], 100), 0);
	ck_assert_uint_eq(queue_ahead(f[19], 100), 4);
	ck_assert_uint_eq(queue_ahead(f[1], 100), 10);
	ck_assert_uint_eq(queue_ahead(f[16], 100), 19);
	ck_assert_uint_eq(queue_ahead(f[16], 17), 17);
	ck_assert_uint_eq(queue_ahead(f[16], 3), 3);
}
END_TEST

/* ---- between uids ---- */

START_TEST(uids_share_the_time_of_workers_not_the_number_of_jobs)
{
	unsigned n[2] = {0};

	for (int i = 0; i < 20; i++)
		push((uint32_t)i % 2, 0);
	/* The jobs of uid 0 take nine times as long. */
	for (int i = 0; i < 11; i++) {
		struct future *f = pop_for(500);
		uint32_t uid = future_uid(f);

		n[uid]++;
		leave(f, uid == 0 ? 900 : 100);
	}
	ck_assert_uint_eq(n[0], 2);
	ck_assert_uint_eq(n[1], 9);
}
END_TEST

START_TEST(a_debt_outlives_the_lane_while_others_wait)
{
	struct future *a = push(0, 0), *b = push(1, 0);

	push(1, 0);
	ck_assert_ptr_eq(pop_for(10), a);
	leave(a, 1000);
	a = push(0, 0);
	for (int i = 0; i < 2; i++) {
		b = pop_for(400);
		ck_assert_uint_eq(future_uid(b), 1);
		leave(b, 400);
	}
	ck_assert_ptr_eq(pop_for(10), a);
	leave(a, 5000);
	/* With nobody left there is nobody to owe to. */
	ck_assert_ptr_null(q.by_uid);
	a = push(0, 0);
	b = push(1, 0);
	each(f, expect(f), a, b);
}
END_TEST

START_TEST(idleness_saves_nothing_up)
{
	struct future *a;

	for (int i = 0; i < 12; i++)
		push(1, 0);
	for (int i = 0; i < 10; i++)
		leave(pop_for(100), 100);
	a = push(0, 0);
	push(0, 0);
	/* It begins where the queue stands: one each. */
	ck_assert_ptr_eq(pop_for(100), a);
	ck_assert_uint_eq(future_uid(pop_for(100)), 1);
	ck_assert_uint_eq(future_uid(pop_for(100)), 0);
	ck_assert_uint_eq(future_uid(pop_for(100)), 1);
	for (unsigned i = 0; i < n_jobs; i++)
		if (jobs[i].lane)
			leave(&jobs[i], 100);
}
END_TEST

START_TEST(what_comes_back_costs_nothing)
{
	struct future *a1 = push(0, 0), *b = push(1, 0);

	push(0, 0);
	ck_assert_ptr_eq(pop_for(1000), a1);
	queue_put_back(&q, a1);
	push(1, 0);
	/* Of equals the one that was not served last. */
	ck_assert_ptr_eq(pop_for(7), b);
	ck_assert_ptr_eq(pop_for(6), a1);
	ck_assert_uint_eq(future_uid(queue_first(&q)), 0);
	leave(a1, 6);
	leave(b, 7);
}
END_TEST

START_TEST(removing_from_the_middle)
{
	struct future *a = push(0, 0), *b = push(0, 0), *c = push(0, 3), *d = push(0, 2);

	queue_remove(&q, b);
	queue_remove(&q, d);
	each(f, expect(f), c, a);
}
END_TEST

START_TEST(out_of_memory_leaves_nothing)
{
	struct future *f = job(0, 1);
	int r = -ENOMEM;

	for (unsigned n = 1; r; n++) {
		fault_alloc_at(n);
		r = queue_join(&q, f);
		if (r == 0)
			queue_enter(&q, f, now_us);
		ck_assert_int_eq(r, fault_end() ? -ENOMEM : 0);
		ck_assert_uint_eq(q.n, r == 0);
		ck_assert_ptr_eq(queue_first(&q), r == 0 ? f : NULL);
		if (r)
			ck_assert_ptr_null(q.by_uid);
		ck_assert_uint_le(n, 10);
	}
	expect(f);
}
END_TEST

/* Against a plain model: every lane is sorted by priority and ID at any time. */
START_TEST(any_mixture_keeps_lanes_sorted)
{
	uint32_t noise = 3;
	bool is_out[N] = {0};

	for (int i = 0; i < N; i++)
		push((uint32_t)i % 3, i % 5 - 2 > 0 ? i % 5 - 2 : 0);
	for (int i = 0; i < 5000; i++) {
		struct future *f, *best = NULL;
		unsigned k;

		noise = noise * 1664525 + 1013904223;
		k = noise / 13 % N;
		if (is_out[k]) {
			queue_put_back(&q, &jobs[k]);
			is_out[k] = false;
			continue;
		}
		f = queue_first(&q);
		for (k = 0; k < N; k++)
			if (!is_out[k] && jobs[k].account == f->account &&
				(!best || jobs[k].priority > best->priority))
				best = &jobs[k];
		ck_assert_ptr_eq(f, best);
		queue_pop(&q, f, 1);
		is_out[f - jobs] = true;
		if (q.n == 0)
			for (k = 0; k < N; k++, is_out[k - 1] = false)
				queue_put_back(&q, &jobs[k]);
	}
	for (unsigned k = 0; k < N; k++)
		if (is_out[k])
			leave(&jobs[k], 1);
}
END_TEST

SUITE_MAIN_WITH("queue", setup, teardown, equals_leave_in_the_order_they_came,
	higher_priority_goes_first, uids_take_turns, what_comes_back_stands_where_it_stood,
	putting_back_needs_no_memory, a_lane_without_room_stands_aside_and_keeps_its_turn,
	what_is_pushed_or_removed_aside_stays_aside, a_step_of_priority_is_worth_the_ageing,
	who_waited_long_enough_is_not_overtaken, a_new_priority_keeps_age_and_place,
	a_new_priority_of_one_that_is_handed_over_counts_when_it_returns, how_many_stand_before_one,
	uids_share_the_time_of_workers_not_the_number_of_jobs,
	a_debt_outlives_the_lane_while_others_wait, idleness_saves_nothing_up,
	what_comes_back_costs_nothing, removing_from_the_middle, out_of_memory_leaves_nothing,
	any_mixture_keeps_lanes_sorted)
