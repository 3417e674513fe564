#include "daemon/core/queue.h"

#include <errno.h>

#include "tests/lib/check_run.h"
#include "tests/lib/fault.h"

enum {
	N = 40,
};

static struct queue q;
static struct accounts accounts;
static struct account *account[3];
static struct future jobs[N];
static unsigned n_jobs;

static void setup(void)
{
	const struct account_limits none = {0};

	accounts_init(&accounts, &none);
	for (uint32_t uid = 0; uid < 3; uid++)
		ck_assert_int_eq(account_get(&accounts, uid, &account[uid]), 0);
	queue_init(&q);
	n_jobs = 0;
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

static struct future *job(uint32_t uid, int32_t priority)
{
	struct future *f = &jobs[n_jobs];

	*f = (struct future){.id = 100 + n_jobs++, .account = account[uid], .priority = priority};
	return f;
}

static struct future *push(uint32_t uid, int32_t priority)
{
	struct future *f = job(uid, priority);

	ck_assert_int_eq(queue_push(&q, f), 0);
	return f;
}

static struct future *pop(void)
{
	struct future *f = queue_first(&q, NULL);

	ck_assert_ptr_nonnull(f);
	queue_pop(&q, f);
	return f;
}

/* The next one, gone for good. */
static void expect(struct future *f)
{
	ck_assert_uint_eq(queue_first(&q, NULL)->id, f->id);
	queue_remove(&q, f);
	ck_assert_ptr_null(f->lane);
}

START_TEST(equals_leave_in_the_order_they_came)
{
	struct future *a = push(0, 0), *b = push(0, 0), *c = push(0, 0);

	ck_assert_uint_eq(q.n, 3);
	expect(a);
	expect(b);
	expect(c);
	ck_assert_ptr_null(queue_first(&q, NULL));
	ck_assert_uint_eq(q.n, 0);
}
END_TEST

START_TEST(higher_priority_goes_first)
{
	struct future *low = push(0, -1), *zero = push(0, 0), *high = push(0, 5);
	struct future *least = push(0, INT32_MIN), *most = push(0, INT32_MAX), *high2 = push(0, 5);

	expect(most);
	expect(high);
	expect(high2);
	expect(zero);
	expect(low);
	expect(least);
}
END_TEST

START_TEST(uids_take_turns)
{
	struct future *a1 = push(0, 0), *a2 = push(0, 9), *b1 = push(1, 0), *c1 = push(2, -3);
	struct future *b2 = push(1, 0);

	ck_assert_ptr_eq(pop(), a2);
	ck_assert_ptr_eq(pop(), b1);
	ck_assert_ptr_eq(pop(), c1);
	ck_assert_ptr_eq(pop(), a1);
	ck_assert_ptr_eq(pop(), b2);
	queue_leave(&q, a1);
	queue_leave(&q, a2);
	queue_leave(&q, b1);
	queue_leave(&q, b2);
	queue_leave(&q, c1);
	ck_assert_ptr_null(q.by_uid);
}
END_TEST

START_TEST(what_comes_back_stands_where_it_stood)
{
	struct future *a = push(0, 0), *b = push(0, 0), *c = push(0, 0), *high = push(0, 1);

	ck_assert_ptr_eq(pop(), high);
	ck_assert_ptr_eq(pop(), a);
	ck_assert_ptr_eq(pop(), b);
	/* From two workers, so not in their order. */
	queue_put_back(&q, a);
	queue_put_back(&q, b);
	queue_put_back(&q, high);
	expect(high);
	expect(a);
	expect(b);
	expect(c);
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

static bool is_uid_0(struct future *f)
{
	return future_uid(f) == 0;
}

static bool is_anybody(struct future *f)
{
	return true;
}

START_TEST(a_skipped_uid_keeps_its_turn)
{
	struct future *a = push(0, 0), *b1 = push(1, 0), *b2 = push(1, 0);

	ck_assert_ptr_eq(queue_first(&q, is_uid_0), b1);
	queue_pop(&q, b1);
	ck_assert_ptr_null(queue_first(&q, is_anybody));
	ck_assert_ptr_eq(queue_first(&q, NULL), a);
	queue_leave(&q, b1);
	expect(a);
	expect(b2);
}
END_TEST

START_TEST(removing_from_the_middle)
{
	struct future *a = push(0, 0), *b = push(0, 0), *c = push(0, 3), *d = push(0, 2);

	queue_remove(&q, b);
	queue_remove(&q, d);
	expect(c);
	expect(a);
}
END_TEST

START_TEST(out_of_memory_leaves_nothing)
{
	struct future *f = job(0, 1);
	int r = -ENOMEM;

	for (unsigned n = 1; r; n++) {
		fault_alloc_at(n);
		r = queue_push(&q, f);
		ck_assert_int_eq(r, fault_end() ? -ENOMEM : 0);
		ck_assert_uint_eq(q.n, r == 0);
		ck_assert_ptr_eq(queue_first(&q, NULL), r == 0 ? f : NULL);
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
		f = queue_first(&q, NULL);
		for (k = 0; k < N; k++)
			if (!is_out[k] && jobs[k].account == f->account &&
				(!best || jobs[k].priority > best->priority))
				best = &jobs[k];
		ck_assert_ptr_eq(f, best);
		queue_pop(&q, f);
		is_out[f - jobs] = true;
		if (q.n == 0)
			for (k = 0; k < N; k++, is_out[k - 1] = false)
				queue_put_back(&q, &jobs[k]);
	}
	for (unsigned k = 0; k < N; k++)
		if (is_out[k])
			queue_leave(&q, &jobs[k]);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("queue");
	TCase *t = tcase_create("queue");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, equals_leave_in_the_order_they_came);
	tcase_add_test(t, higher_priority_goes_first);
	tcase_add_test(t, uids_take_turns);
	tcase_add_test(t, what_comes_back_stands_where_it_stood);
	tcase_add_test(t, putting_back_needs_no_memory);
	tcase_add_test(t, a_skipped_uid_keeps_its_turn);
	tcase_add_test(t, removing_from_the_middle);
	tcase_add_test(t, out_of_memory_leaves_nothing);
	tcase_add_test(t, any_mixture_keeps_lanes_sorted);
	suite_add_tcase(s, t);
	return check_run(s);
}
