/* Groups and keys, as the core keeps them. */
#include <errno.h>

#include "tests/lib/fault.h"
#include "tests/unit/core_fixture.h"

static struct submission with(const char *group, const char *key, uint64_t content)
{
	return (struct submission){.tags = {.group = group,
					   .group_len = group ? strlen(group) : 0,
					   .key = key,
					   .key_len = key ? strlen(key) : 0,
					   .content = content}};
}

static unsigned no_memory_at; /* 0: there is enough */
static bool was_short;

/* What core_submit() answers; the input is dropped if it is not kept. */
static int try_submit(uint32_t uid, struct submission s, struct future **ret)
{
	int r;

	s.account = account[uid];
	s.pool = pool;
	s.function = pool->functions;
	s.ttl_us = 5000;
	s.input = fake_payload(&fake, 0, 0);
	fault_alloc_at(no_memory_at);
	r = core_submit(core, &s, fake.now_us, ret, NULL);
	was_short = fault_end();
	if (r)
		fake_drop_payload(s.input);
	return r;
}

static size_t count(uint32_t uid, const char *group)
{
	struct tag_list *tags = core_find_group(core, uid, group, strlen(group));
	struct tag *t;
	size_t n = 0;

	if (tags)
		TAILQ_FOREACH (t, tags, in_name)
			n++;
	return n;
}

START_TEST(a_group_has_the_futures_of_one_uid_by_age)
{
	struct future *first = submit_with(0, with("g", NULL, 0)), *second;
	struct tag_list *tags;

	submit_with(1, with("g", NULL, 0));
	submit_with(0, with("gg", NULL, 0));
	second = submit_with(0, with("g", NULL, 0));
	tags = core_find_group(core, 0, "g", 1);
	ck_assert_ptr_eq(TAILQ_FIRST(tags)->future, first);
	ck_assert_ptr_eq(TAILQ_LAST(tags, tag_list)->future, second);
	ck_assert_uint_eq(count(0, "g"), 2);
	ck_assert_uint_eq(count(1, "g"), 1);
	ck_assert_uint_eq(count(1, "gg"), 0);
	ck_assert_str_eq(future_group(second), "g");
	ck_assert_ptr_null(future_group(submit(0)));
}
END_TEST

START_TEST(a_group_goes_with_its_last_member)
{
	struct future *f = submit_with(0, with("g", NULL, 0));
	uint64_t held = used(0, ACCOUNT_BYTES);

	ck_assert_uint_gt(held, 0);
	core_release(core, f); /* it is still queued: a member until its end */
	ck_assert_uint_eq(count(0, "g"), 1);
	cancel(f, CANCEL_TERM);
	ck_assert_uint_eq(count(0, "g"), 0);
	ck_assert_ptr_null(core->groups.by_text);
	ck_assert_uint_eq(used(0, ACCOUNT_BYTES), 0);
}
END_TEST

START_TEST(a_key_leads_to_the_same_future_as_long_as_it_is_kept)
{
	struct future *f = submit_with(0, with(NULL, "k", 7)), *again = NULL;

	ck_assert_int_eq(try_submit(0, with(NULL, "k", 7), &again), CORE_E_KNOWN);
	ck_assert_ptr_eq(again, f);
	cancel(f, CANCEL_TERM);
	ck_assert_int_eq(try_submit(0, with(NULL, "k", 7), &again), CORE_E_KNOWN);
	ck_assert_ptr_eq(again, f);
	ck_assert_uint_eq(used(0, ACCOUNT_FUTURES), 1);
	core_release(core, f);
	ck_assert_int_eq(try_submit(0, with(NULL, "k", 7), &again), 0);
	ck_assert_ptr_ne(again, f);
}
END_TEST

START_TEST(other_content_under_a_key_is_a_conflict)
{
	struct future *f = submit_with(0, with(NULL, "k", 7)), *other = NULL;

	ck_assert_int_eq(try_submit(0, with(NULL, "k", 8), &other), CORE_E_KEY_CONFLICT);
	ck_assert_ptr_eq(other, f);
	ck_assert_uint_eq(used(0, ACCOUNT_FUTURES), 1);
	ck_assert_uint_eq(core->next_id, f->id + 1);
}
END_TEST

START_TEST(keys_of_other_uids_and_groups_are_other_names)
{
	struct future *f = submit_with(0, with("g", "k", 7)), *other = NULL;

	ck_assert_int_eq(try_submit(1, with(NULL, "k", 8), &other), 0);
	ck_assert_int_eq(try_submit(0, with("g", "g", 8), &other), 0);
	ck_assert_int_eq(try_submit(0, with("g", "k", 7), &other), CORE_E_KNOWN);
	ck_assert_ptr_eq(other, f);
}
END_TEST

START_TEST(a_key_ends_with_the_time_to_live)
{
	struct future *f = NULL, *again = NULL;

	ck_assert_int_eq(try_submit(0, with(NULL, "k", 7), &f), 0);
	cancel(f, CANCEL_TERM);
	pass(5000);
	ck_assert_int_eq(try_submit(0, with(NULL, "k", 8), &again), 0);
}
END_TEST

/* A released job that still runs is not found by its key any more, so the key is free. */
START_TEST(a_key_ends_with_the_release)
{
	struct fake_worker *w;
	struct future *f, *again = NULL;

	core_start_workers();
	f = submit_with(0, with(NULL, "k", 7));
	fake_turn(&fake);
	w = worker_of(f);
	fake_receive(w);
	core_release(core, f);
	ck_assert_int_eq(try_submit(0, with(NULL, "k", 8), &again), 0);
	finish(w, 0);
	ck_assert_int_eq(try_submit(0, with(NULL, "k", 8), &f), CORE_E_KNOWN);
	ck_assert_ptr_eq(f, again);
}
END_TEST

/* Who submits again after a lost answer gets the future, full, draining or not. */
START_TEST(a_known_key_needs_no_room)
{
	struct future *f = submit_with(0, with(NULL, "k", 7)), *again = NULL;

	while (used(0, ACCOUNT_JOBS) < 10)
		submit(0);
	ck_assert_int_eq(try_submit(0, with(NULL, "x", 7), &again), CORE_E_QUOTA);
	ck_assert_int_eq(try_submit(0, with(NULL, "k", 7), &again), CORE_E_KNOWN);
	core_drain(core, fake.now_us);
	ck_assert_int_eq(try_submit(0, with(NULL, "k", 7), &again), CORE_E_KNOWN);
	ck_assert_ptr_eq(again, f);
}
END_TEST

START_TEST(objects_have_keys_too)
{
	struct submission s = with("g", "k", 7);
	struct future *f, *again = NULL;

	s.account = account[0];
	s.ttl_us = 5000;
	ck_assert_int_eq(core_put(core, &s, fake.now_us, &f, NULL), 0);
	ck_assert_int_eq(core_put(core, &s, fake.now_us, &again, NULL), CORE_E_KNOWN);
	ck_assert_ptr_eq(again, f);
	ck_assert_uint_eq(count(0, "g"), 1);
	ck_assert_int_eq(try_submit(0, with(NULL, "k", 8), &again), CORE_E_KEY_CONFLICT);
}
END_TEST

START_TEST(a_withdrawn_job_leaves_no_name)
{
	core_withdraw(core, submit_with(0, with("g", "k", 7)));
	ck_assert_ptr_null(core->groups.by_text);
	ck_assert_ptr_null(core->keys.by_text);
}
END_TEST

START_TEST(without_memory_nothing_is_left)
{
	struct future *f = NULL;

	do {
		no_memory_at++;
		if (try_submit(0, with("g", "k", 7), &f) != 0) {
			ck_assert_ptr_null(core->groups.by_text);
			ck_assert_ptr_null(core->keys.by_text);
			ck_assert_uint_eq(used(0, ACCOUNT_BYTES), 0);
		}
	} while (was_short);
	ck_assert_uint_gt(no_memory_at, 5);
	ck_assert_ptr_nonnull(f);
}
END_TEST

SUITE_MAIN_WITH("tag", core_setup, core_teardown, a_group_has_the_futures_of_one_uid_by_age,
	a_group_goes_with_its_last_member, a_key_leads_to_the_same_future_as_long_as_it_is_kept,
	other_content_under_a_key_is_a_conflict, keys_of_other_uids_and_groups_are_other_names,
	a_key_ends_with_the_time_to_live, a_key_ends_with_the_release, a_known_key_needs_no_room,
	objects_have_keys_too, a_withdrawn_job_leaves_no_name, without_memory_nothing_is_left)
