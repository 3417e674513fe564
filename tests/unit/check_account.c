#include "daemon/core/account.h"

#include <errno.h>

#include "tests/lib/fault.h"
#include "tests/unit/suite.h"

static struct accounts all;

static const struct account_limits limits = {
	.uid = {.n = {[ACCOUNT_BYTES] = 100, [ACCOUNT_JOBS] = 2}},
	.all = {.n = {[ACCOUNT_BYTES] = 150, [ACCOUNT_JOBS] = UINT64_MAX}},
};

static struct account *account(uint32_t uid)
{
	struct account *a;

	ck_assert_int_eq(account_get(&all, uid, &a), 0);
	return a;
}

static void setup(void)
{
	accounts_init(&all, &limits);
}

static void teardown(void)
{
	accounts_deinit(&all);
}

START_TEST(one_uid_has_one_account)
{
	struct account *a = account(7), *again = account(7), *other = account(8);

	ck_assert_ptr_eq(a, again);
	ck_assert_ptr_ne(a, other);
	ck_assert_uint_eq(account_uid(a), 7);
	ck_assert_ptr_eq(account_unref(again), NULL);
	ck_assert_ptr_eq(accounts_find(&all, 7), a);
	ck_assert_ptr_eq(account_ref(a), a);
	account_unref(a);
	account_unref(a);
	ck_assert_ptr_null(accounts_find(&all, 7));
	ck_assert_ptr_eq(accounts_next(&all, NULL), other);
	ck_assert_ptr_null(accounts_next(&all, other));
	account_unref(other);
	ck_assert_ptr_null(account_unref(NULL));
}
END_TEST

START_TEST(a_limit_is_reached_but_not_passed)
{
	struct account *a = account(7);
	struct refusal no = {0};

	ck_assert_int_eq(account_take_one(a, ACCOUNT_BYTES, 100, &no), 0);
	ck_assert_int_eq(account_take_one(a, ACCOUNT_BYTES, 0, &no), 0);
	ck_assert_int_eq(account_take_one(a, ACCOUNT_BYTES, UINT64_MAX, &no), ACCOUNT_E_QUOTA);
	ck_assert_uint_eq(no.value, UINT64_MAX);
	ck_assert_int_eq(account_take_one(a, ACCOUNT_BYTES, 1, &no), ACCOUNT_E_QUOTA);
	ck_assert_int_eq(no.kind, ACCOUNT_BYTES);
	ck_assert(no.of_uid);
	ck_assert_uint_eq(no.value, 101);
	ck_assert_uint_eq(no.max, 100);
	ck_assert_int_eq(account_take_one(a, ACCOUNT_BYTES, UINT64_MAX, NULL), ACCOUNT_E_QUOTA);
	ck_assert_uint_eq(account_used(a)->n[ACCOUNT_BYTES], 100);
	account_give_one(a, ACCOUNT_BYTES, 100);
	ck_assert_uint_eq(all.used.n[ACCOUNT_BYTES], 0);
	account_unref(a);
}
END_TEST

START_TEST(the_limit_of_all_is_named_as_such)
{
	struct account *a = account(7), *b = account(8);
	struct refusal no = {0};

	ck_assert_int_eq(account_take_one(a, ACCOUNT_BYTES, 100, NULL), 0);
	ck_assert_int_eq(account_take_one(b, ACCOUNT_BYTES, 51, &no), ACCOUNT_E_FULL);
	ck_assert(!no.of_uid);
	ck_assert_uint_eq(no.value, 151);
	ck_assert_uint_eq(no.max, 150);
	ck_assert_int_eq(account_take_one(b, ACCOUNT_BYTES, 50, NULL), 0);
	account_give_one(a, ACCOUNT_BYTES, 100);
	account_give_one(b, ACCOUNT_BYTES, 50);
	account_unref(a);
	account_unref(b);
}
END_TEST

START_TEST(taking_is_all_or_nothing)
{
	struct account *a = account(7);
	struct amounts fits = {.n = {[ACCOUNT_BYTES] = 60, [ACCOUNT_JOBS] = 1}};
	struct amounts too_many = {.n = {[ACCOUNT_BYTES] = 10, [ACCOUNT_JOBS] = 2}};
	struct refusal no = {0};

	ck_assert_int_eq(account_take(a, &fits, NULL), 0);
	ck_assert_int_eq(account_take(a, &too_many, &no), ACCOUNT_E_QUOTA);
	ck_assert_int_eq(no.kind, ACCOUNT_JOBS);
	ck_assert_uint_eq(no.value, 3);
	ck_assert_uint_eq(account_used(a)->n[ACCOUNT_BYTES], 60);
	ck_assert_uint_eq(all.used.n[ACCOUNT_JOBS], 1);
	account_give(a, &fits);
	account_unref(a);
}
END_TEST

/* A limit that was lowered below what is used refuses, it does not wrap around. */
START_TEST(use_above_a_lowered_limit_refuses)
{
	struct account *a = account(7);

	ck_assert_int_eq(account_take_one(a, ACCOUNT_BYTES, 90, NULL), 0);
	all.limits.uid.n[ACCOUNT_BYTES] = 10;
	ck_assert_int_eq(account_take_one(a, ACCOUNT_BYTES, 1, NULL), ACCOUNT_E_QUOTA);
	ck_assert_int_eq(account_take_one(a, ACCOUNT_BYTES, 0, NULL), 0);
	account_give_one(a, ACCOUNT_BYTES, 90);
	account_unref(a);
}
END_TEST

START_TEST(every_kind_has_a_word)
{
	ck_assert_str_eq(account_kind_name(ACCOUNT_BYTES), "bytes");
	ck_assert_str_eq(account_kind_name(ACCOUNT_WAITS), "waits");
	for (int i = 0; i < _ACCOUNT_KIND_MAX; i++)
		for (int j = 0; j < i; j++)
			ck_assert_str_ne(account_kind_name(i), account_kind_name(j));
}
END_TEST

START_TEST(out_of_memory_leaves_nothing)
{
	struct account *a = NULL;
	int r = -ENOMEM;

	for (unsigned n = 1; r; n++) {
		fault_alloc_at(n);
		r = account_get(&all, 7, &a);
		ck_assert_int_eq(r, fault_end() ? -ENOMEM : 0);
		ck_assert(r == 0 || !accounts_find(&all, 7));
		ck_assert_uint_le(n, 10);
	}
	account_unref(a);
}
END_TEST

START_TEST(many_uids_under_memory_pressure)
{
	struct account *got[500] = {0};

	fault_alloc_rate(5, 1);
	for (uint32_t uid = 0; uid < 500; uid++)
		if (account_get(&all, uid, &got[uid]) != 0)
			got[uid] = NULL;
	ck_assert(fault_end());
	for (uint32_t uid = 0; uid < 500; uid++) {
		ck_assert_ptr_eq(accounts_find(&all, uid), got[uid]);
		account_unref(got[uid]);
	}
}
END_TEST

SUITE_MAIN_WITH("account", setup, teardown, one_uid_has_one_account,
	a_limit_is_reached_but_not_passed, the_limit_of_all_is_named_as_such,
	taking_is_all_or_nothing, use_above_a_lowered_limit_refuses, every_kind_has_a_word,
	out_of_memory_leaves_nothing, many_uids_under_memory_pressure)
