/* The room for a result that stays free beside what waiting jobs hold: who waits for others leaves
 * it for theirs, too. No worker has started, so nothing runs. */
#include "tests/unit/core_fixture.h"

/* So much may be held; results of one pool are small, of the other large. */
#define MAX_BYTES   100000u
#define LARGE_BYTES 60000u

static struct pool *large;
static struct future *first; /* waits in it */

static void setup(void)
{
	const struct pool_config config = {.name = "large",
		.n_workers = 1,
		.max_result_bytes = LARGE_BYTES,
		.max_result_fds = 1};
	struct account_limits *l;

	core_setup();
	l = &core->accounts.limits;
	l->uid.n[ACCOUNT_BYTES] = l->all.n[ACCOUNT_BYTES] = MAX_BYTES;
	l->uid.n[ACCOUNT_PARKED_BYTES] = l->all.n[ACCOUNT_PARKED_BYTES] = 100;
	large = fake_pool(&fake, &config);
	first = submit_with(0, (struct submission){.pool = large});
}

/* A job with so many bytes after `on` (NULL: after none). 0, with the job, or an error. */
static int try_after(struct pool *p, struct future *on, uint64_t bytes, struct future **ret,
	struct refusal *ret_why)
{
	const struct after after = {.on = on};
	struct submission s = {.account = account[0],
		.pool = p,
		.function = p->functions,
		.input = fake_payload(&fake, bytes, 0),
		.input_bytes = bytes,
		.ttl_us = 3600 * 1000000ull,
		.wishes = {.after = &after, .n_after = on != NULL}};
	int r = core_submit(core, &s, fake.now_us, ret, ret_why);

	if (r)
		fake_drop_payload(s.input);
	return r;
}

static struct future *submit_after(struct future *on)
{
	struct future *f = NULL;

	ck_assert_int_eq(try_after(pool, on, 0, &f, NULL), 0);
	return f;
}

/* Beside them there is room for a small result, not for a large one. */
static int try_much(struct future *on, struct refusal *ret_why)
{
	struct future *f;

	return try_after(pool, on, MAX_BYTES / 2, &f, ret_why);
}

START_TEST(who_waits_for_nobody_leaves_room_for_his_own_result)
{
	ck_assert_int_eq(try_much(NULL, NULL), 0);
}
END_TEST

START_TEST(who_waits_for_another_leaves_room_for_that_ones)
{
	struct refusal why = {0};

	ck_assert_int_eq(try_much(first, &why), CORE_E_QUOTA);
	ck_assert(why.of_jobs);
	ck_assert_uint_eq(why.for_others, LARGE_BYTES - 100);
	ck_assert_uint_gt(why.value, MAX_BYTES);
}
END_TEST

START_TEST(who_waits_for_one_who_waits_does_so_too)
{
	ck_assert_int_eq(try_much(submit_after(submit_after(first)), NULL), CORE_E_QUOTA);
}
END_TEST

START_TEST(whose_end_is_there_needs_no_room)
{
	cancel(first, CANCEL_KILL);
	ck_assert_int_eq(try_much(first, NULL), 0);
}
END_TEST

START_TEST(what_will_fail_needs_no_room)
{
	large->config.max_result_bytes = MAX_BYTES + 1;
	ck_assert_int_eq(try_much(first, NULL), 0);
}
END_TEST

START_TEST(what_is_kept_later_leaves_that_room)
{
	struct future *f = submit_after(first);
	struct refusal why;

	ck_assert_int_eq(core_keep(f, MAX_BYTES / 2, &why), CORE_E_QUOTA);
	ck_assert_int_eq(core_keep(submit(0), MAX_BYTES / 2, &why), 0);
}
END_TEST

/* It had no room while `first` waited, and has it as soon as that is over. */
START_TEST(it_is_tried_when_there_is_no_need_for_that_room)
{
	struct admission a = {
		.account = account[0], .parked_bytes = 30, .until_us = fake.now_us + 1000000};
	enum admission_verdict verdict;
	struct refusal why, no;

	ck_assert_int_eq(try_much(first, &why), CORE_E_QUOTA);
	ck_assert_int_eq(admission_wait(core, &a, &why, 0, &no), 0);
	ck_assert_ptr_null(admission_next(core, fake.now_us, &verdict));
	pass(100000);
	ck_assert_ptr_null(admission_next(core, fake.now_us, &verdict));
	cancel(first, CANCEL_KILL);
	pass(100000);
	ck_assert_ptr_eq(admission_next(core, fake.now_us, &verdict), &a);
	ck_assert_int_eq(verdict, ADMISSION_TRY);
	ck_assert_int_eq(try_much(first, NULL), 0);
	admission_leave(core, &a);
}
END_TEST

/* It holds what `first` needs, and has it as long as that other uid's job wants. */
START_TEST(who_waits_for_another_uid_may_still_run)
{
	struct future *its = submit(1), *f;

	ck_assert_int_eq(try_after(pool, its, MAX_BYTES / 2, &f, NULL), 0);
	fake_turn(&fake);
	ck_assert_int_eq(first->state, FUTURE_QUEUED);
	cancel(its, CANCEL_KILL);
	fake_turn(&fake);
	ck_assert_int_eq(f->failure, FAILURE_INPUT);
	ck_assert_int_eq(first->state, FUTURE_QUEUED);
}
END_TEST

/* A value that one of them names leaves no room for any. The first is told so while another one
 * still waits for his end, and then that one has no room either. */
START_TEST(none_waits_for_ever_for_room)
{
	struct future *told, *waits, *names, *object;
	struct after after = {.on = NULL, .is_any = true};
	uint64_t before;

	cancel(first, CANCEL_KILL);
	told = submit(0);
	after.on = told;
	before = used(0, ACCOUNT_BYTES);
	waits = submit_with(0, (struct submission){.wishes = {.after = &after, .n_after = 1}});
	before += MAX_BYTES - 2 * used(0, ACCOUNT_BYTES); /* as many for `names` as for `waits` */
	object = put(before - 50);
	after = (struct after){.on = object, .is_input = true};
	names = submit_with(0, (struct submission){.wishes = {.after = &after, .n_after = 1}});
	for (unsigned i = 0; i < 3; i++)
		fake_turn(&fake);
	ck_assert_int_eq(told->failure, FAILURE_HELD);
	ck_assert_int_eq(names->failure, FAILURE_HELD);
	ck_assert_int_eq(waits->state, FUTURE_QUEUED); /* now there is room */
}
END_TEST

/* Without that room, too, it is too much. */
START_TEST(what_never_fits_does_not_wait_for_others)
{
	struct admission a = {.account = account[0], .until_us = fake.now_us + 1000000};
	struct future *f;
	struct refusal why, no;

	ck_assert_int_eq(try_after(pool, first, MAX_BYTES - 50, &f, &why), CORE_E_QUOTA);
	ck_assert_int_eq(admission_wait(core, &a, &why, 0, &no), ACCOUNT_E_QUOTA);
}
END_TEST

SUITE_MAIN_WITH("room", setup, core_teardown, who_waits_for_nobody_leaves_room_for_his_own_result,
	who_waits_for_another_leaves_room_for_that_ones, who_waits_for_one_who_waits_does_so_too,
	whose_end_is_there_needs_no_room, what_will_fail_needs_no_room,
	what_is_kept_later_leaves_that_room, it_is_tried_when_there_is_no_need_for_that_room,
	who_waits_for_another_uid_may_still_run, none_waits_for_ever_for_room,
	what_never_fits_does_not_wait_for_others)
