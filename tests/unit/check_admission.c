/* Who waits to be let in: when it is tried, and when it is refused at last. */
#include <errno.h>
#include <string.h>

#include "tests/lib/fault.h"
#include "tests/unit/core_fixture.h"

static struct admission waiting[4];
static enum admission_verdict verdict;

static void setup(void)
{
	struct account_limits *l;

	core_setup();
	l = &core->accounts.limits;
	l->uid.n[ACCOUNT_PARKED_BYTES] = l->all.n[ACCOUNT_PARKED_BYTES] = 100;
	memset(waiting, 0, sizeof(waiting));
}

static int try_to_put(uint32_t uid, uint64_t bytes, bool is_patient, struct refusal *ret_why)
{
	struct submission s = {.account = account[uid],
		.input = fake_payload(&fake, bytes, 0),
		.input_bytes = bytes,
		.ttl_us = 3600 * 1000000ull,
		.is_patient = is_patient};
	struct future *f;
	int r = core_put(core, &s, fake.now_us, &f, ret_why);

	if (r)
		fake_drop_payload(s.input);
	return r;
}

static int put_patiently(uint32_t uid, uint64_t bytes, struct refusal *ret_why)
{
	return try_to_put(uid, bytes, true, ret_why);
}

/* Of a put that is refused. */
static int begin_to_wait(struct admission *a, uint32_t uid, uint64_t bytes, uint64_t within_us)
{
	struct refusal why, no = {0};
	int r;

	ck_assert_int_gt(put_patiently(uid, bytes, &why), 0);
	*a = (struct admission){
		.account = account[uid], .parked_bytes = 30, .until_us = fake.now_us + within_us};
	r = admission_wait(core, a, &why, 0, &no);
	ck_assert(r <= 0 || no.value > no.max);
	return r;
}

static struct admission *next(void)
{
	return admission_next(core, fake.now_us, &verdict);
}

static void expect(const struct admission *a, enum admission_verdict want)
{
	ck_assert_ptr_eq(next(), a);
	ck_assert_int_eq(verdict, want);
}

/* It is let in. */
static void let_in(struct admission *a, uint32_t uid, uint64_t bytes)
{
	expect(a, ADMISSION_TRY);
	ck_assert(admission_is_first(a));
	ck_assert_int_eq(try_to_put(uid, bytes, false, NULL), 0);
	admission_leave(core, a);
}

static void release_all(void)
{
	struct future *f;

	CORE_FOREACH (f, core)
		core_release(core, f);
	core_sweep(core);
}

START_TEST(it_is_tried_when_there_is_room_for_it)
{
	struct future *object[2] = {put(400), put(400)};

	submit(0);
	ck_assert_int_eq(begin_to_wait(&waiting[0], 0, 700, 1000000), 0);
	ck_assert_uint_eq(used(0, ACCOUNT_PARKED_BYTES), 30);
	ck_assert_ptr_null(next());
	core_release(core, object[0]);
	ck_assert_ptr_null(next()); /* it wants more than that */
	core_release(core, object[1]);
	let_in(&waiting[0], 0, 700);
	ck_assert_uint_eq(used(0, ACCOUNT_PARKED_BYTES), 0);
	ck_assert_ptr_null(next());
}
END_TEST

START_TEST(what_comes_behind_it_counts_too)
{
	struct future *object = put(500);
	struct refusal why, no;

	submit(0);
	ck_assert_int_gt(put_patiently(0, 501, &why), 0);
	waiting[0] = (struct admission){.account = account[0], .until_us = UINT64_MAX};
	ck_assert_int_eq(admission_wait(core, &waiting[0], &why, 450, &no), 0);
	core_release(core, put(1));
	ck_assert_ptr_null(next()); /* there is room for the first of them */
	core_release(core, object);
	expect(&waiting[0], ADMISSION_TRY);
	admission_leave(core, &waiting[0]);
	ck_assert_int_eq(admission_wait(core, &waiting[0], &why, 600, &no), ACCOUNT_E_QUOTA);
}
END_TEST

START_TEST(nobody_overtakes_who_wants_the_same)
{
	struct future *object = put(900);
	struct refusal why = {0};

	submit(0);
	ck_assert_int_eq(begin_to_wait(&waiting[0], 0, 500, 1000000), 0);
	ck_assert_int_eq(put_patiently(0, 1, &why), CORE_E_QUOTA);
	ck_assert(why.is_behind);
	ck_assert_int_eq(begin_to_wait(&waiting[1], 0, 1, 1000000), 0);
	ck_assert_ptr_null(next());
	ck_assert_int_eq(put_patiently(1, 500, NULL), 0); /* somebody else */
	ck_assert_int_eq(put_patiently(0, 0, NULL), 0);	  /* who wants none of it */
	core_release(core, object);
	let_in(&waiting[0], 0, 500);
	let_in(&waiting[1], 0, 1);
	ck_assert_ptr_null(next());
}
END_TEST

START_TEST(accounts_have_their_turns)
{
	struct future *mine = put(900), *theirs;
	struct submission s = {.account = account[1], .input_bytes = 600, .ttl_us = UINT64_MAX};

	s.input = fake_payload(&fake, 600, 0);
	ck_assert_int_eq(core_put(core, &s, fake.now_us, &theirs, NULL), 0);
	ck_assert_int_eq(begin_to_wait(&waiting[0], 0, 20, 1000000), 0);
	ck_assert_int_eq(begin_to_wait(&waiting[1], 0, 20, 1000000), 0);
	ck_assert_int_eq(begin_to_wait(&waiting[2], 1, 20, 1000000), 0);
	ck_assert(!waiting[0].why.of_uid);
	ck_assert_ptr_null(next());
	core_release(core, theirs);
	let_in(&waiting[0], 0, 20);
	let_in(&waiting[2], 1, 20);
	let_in(&waiting[1], 0, 20);
	core_release(core, mine);
}
END_TEST

START_TEST(nothing_is_hoped_for_that_does_not_come)
{
	struct future *kept = put(600), *brief = put(400);

	core_set_ttl(core, kept, UINT64_MAX);
	ck_assert_int_eq(begin_to_wait(&waiting[0], 0, 500, 1000000), 0);
	expect(&waiting[0], ADMISSION_OVER); /* the other one is too little */
	admission_leave(core, &waiting[0]);
	fake.now_us += 2000;
	ck_assert_int_eq(begin_to_wait(&waiting[0], 0, 400, 1000), 0);
	expect(&waiting[0], ADMISSION_OVER); /* it goes too late */
	admission_leave(core, &waiting[0]);
	fake.now_us += 2000;
	ck_assert_int_eq(begin_to_wait(&waiting[0], 0, 400, 1000000), 0);
	ck_assert_ptr_null(next());
	core_set_ttl(core, brief, UINT64_MAX);
	ck_assert_ptr_null(next()); /* it was looked at just now */
	ck_assert_uint_lt(core_turn(core, fake.now_us), fake.now_us + 2000);
	pass(2000);
	expect(&waiting[0], ADMISSION_OVER);
	admission_leave(core, &waiting[0]);
}
END_TEST

START_TEST(what_goes_by_time_makes_room)
{
	put(1000);
	ck_assert_int_eq(begin_to_wait(&waiting[0], 0, 1000, 1000000), 0);
	ck_assert_ptr_null(next());
	pass(5000);
	let_in(&waiting[0], 0, 1000);
}
END_TEST

START_TEST(the_last_job_takes_the_hope_along)
{
	struct future *f = submit(0);

	core_set_ttl(core, put(1000), UINT64_MAX);
	ck_assert_int_eq(begin_to_wait(&waiting[0], 0, 1000, 1000000), 0);
	ck_assert_ptr_null(next());
	pass(2000);
	cancel(f, CANCEL_TERM);
	expect(&waiting[0], ADMISSION_OVER);
	admission_leave(core, &waiting[0]);
}
END_TEST

/* What goes in time makes room for the one, and not for both. */
START_TEST(who_takes_more_meanwhile_has_less_hope)
{
	put(500);
	ck_assert_int_eq(begin_to_wait(&waiting[0], 0, 700, 1000000), 0);
	ck_assert_ptr_null(next());
	ck_assert_int_eq(try_to_put(0, 400, false, NULL), 0);
	ck_assert_ptr_null(next());
	pass(2000);
	expect(&waiting[0], ADMISSION_OVER);
	admission_leave(core, &waiting[0]);
}
END_TEST

START_TEST(its_time_is_over)
{
	submit(0);
	put(1000);
	ck_assert_int_eq(begin_to_wait(&waiting[0], 0, 1000, 3000), 0);
	ck_assert_int_eq(begin_to_wait(&waiting[1], 0, 1, 1000), 0);
	ck_assert_ptr_null(next());
	pass(1000);
	expect(&waiting[1], ADMISSION_OVER);
	ck_assert_int_eq(waiting[1].why.kind, ACCOUNT_BYTES);
	admission_leave(core, &waiting[1]);
	ck_assert_ptr_null(next());
	pass(2000);
	expect(&waiting[0], ADMISSION_OVER);
	admission_leave(core, &waiting[0]);
	ck_assert(admissions_are_none(&core->admissions));
}
END_TEST

START_TEST(what_never_fits_does_not_wait)
{
	submit(0);
	ck_assert_int_eq(begin_to_wait(&waiting[0], 0, 1001, 1000), ACCOUNT_E_QUOTA);
	ck_assert_int_eq(begin_to_wait(&waiting[0], 0, UINT64_MAX, 1000), ACCOUNT_E_QUOTA);
	ck_assert(admissions_are_none(&core->admissions));
}
END_TEST

START_TEST(not_too_many_wait)
{
	submit(0);
	put(1000);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(begin_to_wait(&waiting[i], 0, 10, 1000), 0);
	ck_assert_int_eq(begin_to_wait(&waiting[3], 0, 10, 1000), ACCOUNT_E_QUOTA);
	admission_leave(core, &waiting[1]);
	ck_assert_int_eq(begin_to_wait(&waiting[3], 0, 10, 1000), 0);
	admission_leave(core, &waiting[0]);
	admission_leave(core, &waiting[2]);
	admission_leave(core, &waiting[3]);
}
END_TEST

START_TEST(without_memory_nobody_waits)
{
	unsigned n_timers;
	struct refusal why, no;

	submit(0);
	put(1000);
	n_timers = core->n_timers;
	ck_assert_int_gt(put_patiently(0, 10, &why), 0);
	waiting[0] = (struct admission){
		.account = account[0], .parked_bytes = 30, .until_us = UINT64_MAX};
	core->n_timers = core->timers.size; /* there is room for no more */
	fault_alloc_at(1);
	ck_assert_int_eq(admission_wait(core, &waiting[0], &why, 0, &no), -ENOMEM);
	ck_assert(fault_end());
	core->n_timers = n_timers;
	ck_assert(admissions_are_none(&core->admissions));
	ck_assert_uint_eq(used(0, ACCOUNT_PARKED_BYTES), 0);
}
END_TEST

START_TEST(a_closed_door_is_told_to_all)
{
	submit(0);
	put(1000);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(begin_to_wait(&waiting[i], 0, 10, 1000), 0);
	ck_assert_ptr_null(next());
	core_close(core);
	expect(&waiting[0], ADMISSION_TRY);
	admission_leave(core, &waiting[1]);
	expect(&waiting[2], ADMISSION_TRY);
	ck_assert_int_eq(put_patiently(0, 10, NULL), CORE_E_DRAINING);
	ck_assert_ptr_null(next());
	admission_leave(core, &waiting[0]);
	admission_leave(core, &waiting[2]);
}
END_TEST

START_TEST(higher_limits_let_in_and_lower_ones_refuse)
{
	struct account_limits l = core->accounts.limits;

	submit(0);
	put(1000);
	ck_assert_int_eq(begin_to_wait(&waiting[0], 0, 10, 1000000), 0);
	ck_assert_int_eq(begin_to_wait(&waiting[1], 0, 10, 1000000), 0);
	ck_assert_ptr_null(next());
	l.uid.n[ACCOUNT_BYTES] = 1015;
	core_set_limits(core, &l);
	let_in(&waiting[0], 0, 10);
	ck_assert_ptr_null(next());
	pass(2000);
	l.uid.n[ACCOUNT_BYTES] = 9;
	core_set_limits(core, &l);
	expect(&waiting[1], ADMISSION_OVER);
	admission_leave(core, &waiting[1]);
}
END_TEST

static void teardown(void)
{
	release_all();
	core_teardown();
}

SUITE_MAIN_WITH("admission", setup, teardown, it_is_tried_when_there_is_room_for_it,
	what_comes_behind_it_counts_too, nobody_overtakes_who_wants_the_same,
	accounts_have_their_turns, nothing_is_hoped_for_that_does_not_come,
	what_goes_by_time_makes_room, the_last_job_takes_the_hope_along,
	who_takes_more_meanwhile_has_less_hope, its_time_is_over, what_never_fits_does_not_wait,
	not_too_many_wait, without_memory_nobody_waits, a_closed_door_is_told_to_all,
	higher_limits_let_in_and_lower_ones_refuse)
