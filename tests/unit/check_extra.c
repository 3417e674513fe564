#include "daemon/extra.h"

#include <string.h>

#include "daemon/core/core.h"
#include "proto/shm.h"
#include "tests/unit/suite.h"

static const size_t extra_charge = sizeof(struct annex) + sizeof(struct future_extra);
static struct accounts accounts;
static struct future f;

static void make_future(uint64_t max_bytes, uint64_t max_fds)
{
	struct account_limits limits = {};

	for (int i = 0; i < _ACCOUNT_KIND_MAX; i++)
		limits.uid.n[i] = limits.all.n[i] = 1000000;
	limits.uid.n[ACCOUNT_BYTES] = max_bytes;
	limits.uid.n[ACCOUNT_FDS] = max_fds;
	accounts_init(&accounts, &limits);
	f = (struct future){.run = future_no_run()};
	ck_assert_int_eq(account_get(&accounts, 1000, &f.account), 0);
}

static uint64_t used(enum account_kind kind)
{
	return account_used(f.account)->n[kind];
}

/* What the core does when it forgets a future: all that the record kept goes back. */
static void forget_future(void)
{
	ck_assert_uint_eq(used(ACCOUNT_BYTES), f.kept_bytes);
	ck_assert_uint_eq(used(ACCOUNT_FDS), f.kept_fds);
	extra_free(future_extra(&f));
	free(f.annex);
	f.annex = NULL;
	account_give_one(f.account, ACCOUNT_BYTES, f.kept_bytes);
	account_give_one(f.account, ACCOUNT_FDS, f.kept_fds);
	f.account = account_unref(f.account);
	accounts_deinit(&accounts);
}

START_TEST(test_no_texts_need_no_extra)
{
	struct jobspec spec = {.set = JOBSPEC_BIT(PRIORITY), .priority = 3};
	struct future_extra *e = (struct future_extra *)&spec;

	ck_assert_uint_eq(extra_size(&spec), 0);
	ck_assert_int_eq(extra_new(&spec, &e), 0);
	ck_assert_ptr_null(e);
}
END_TEST

START_TEST(test_texts_are_copied_and_terminated)
{
	struct jobspec spec = {
		.set = JOBSPEC_BIT(LABEL) | JOBSPEC_BIT(TRACE),
		.label = "label",
		.label_len = 5,
		.trace = "",
	};
	struct future_extra *e;

	ck_assert_uint_eq(extra_size(&spec), sizeof(*e) + 6 + 1);
	ck_assert_int_eq(extra_new(&spec, &e), 0);
	ck_assert_str_eq(e->label, "label");
	ck_assert_str_eq(e->trace, "");
	ck_assert_ptr_null(e->reason);
	ck_assert_int_eq(e->output_fd[STREAM_STDOUT], -1);
	ck_assert_int_eq(e->output_fd[STREAM_STDERR], -1);
	extra_free(e);
	ck_assert_ptr_null(extra_free(NULL));
}
END_TEST

START_TEST(test_extra_is_made_once_and_charged)
{
	struct future_extra *e;

	make_future(10000, 10);
	e = extra_of(&f);
	ck_assert_ptr_nonnull(e);
	ck_assert_uint_eq(used(ACCOUNT_BYTES), extra_charge);
	ck_assert_ptr_eq(extra_of(&f), e);
	ck_assert_uint_eq(used(ACCOUNT_BYTES), extra_charge);
	forget_future();
}
END_TEST

START_TEST(test_without_room_there_is_none)
{
	int fd = shm_new("check", 0);
	unsigned before = suite_open_fds();

	make_future(extra_charge - 1, 10);
	ck_assert_ptr_null(extra_of(&f));
	extra_set_reason(&f, "why", 3);
	extra_set_progress(&f, 1, 2, "text", 4);
	extra_set_output(&f, STREAM_STDOUT, fd);
	ck_assert_ptr_null(future_extra(&f));
	ck_assert_uint_eq(used(ACCOUNT_BYTES), 0);
	ck_assert_uint_eq(suite_open_fds(), before - 1);
	forget_future();
}
END_TEST

START_TEST(test_texts_replace_each_other_and_so_do_their_charges)
{
	make_future(10000, 10);
	extra_set_reason(&f, "a longer reason", 15);
	extra_set_reason(&f, "short", 5);
	ck_assert_str_eq(future_extra(&f)->reason, "short");
	extra_set_progress(&f, 1, 10, "begun", 5);
	extra_set_progress(&f, 2, 10, "", 0);
	ck_assert(future_extra(&f)->has_progress);
	ck_assert_uint_eq(future_extra(&f)->progress_done, 2);
	ck_assert_ptr_null(future_extra(&f)->progress_text);
	ck_assert_uint_eq(used(ACCOUNT_BYTES), extra_charge + 6);
	forget_future();
}
END_TEST

START_TEST(test_text_without_room_is_left_out_and_the_rest_kept)
{
	make_future(extra_charge + 4, 10);
	extra_set_progress(&f, 7, 9, "much too long", 13);
	ck_assert_uint_eq(future_extra(&f)->progress_done, 7);
	ck_assert_ptr_null(future_extra(&f)->progress_text);
	extra_set_reason(&f, "yes", 3);
	ck_assert_str_eq(future_extra(&f)->reason, "yes");
	forget_future();
}
END_TEST

START_TEST(test_what_a_job_keeps_late_counts_among_what_jobs_hold)
{
	static struct core core;
	struct pool pool = {.core = &core, .config.max_result_bytes = 100};
	struct function function = {.pool = &pool};
	struct account_limits limits = {};
	size_t bytes = extra_charge + 5;

	for (int i = 0; i < _ACCOUNT_KIND_MAX; i++)
		limits.uid.n[i] = limits.all.n[i] = bytes + 100;
	accounts_init(&core.accounts, &limits);
	f = (struct future){.function = &function, .state = FUTURE_RUNNING};
	ck_assert_int_eq(account_get(&core.accounts, 1000, &f.account), 0);
	extra_set_progress(&f, 1, 2, "half", 4);
	ck_assert_uint_eq(core.accounts.by_jobs.n[ACCOUNT_BYTES], bytes);
	/* more would leave no room for its result */
	extra_set_reason(&f, "x", 1);
	ck_assert_ptr_null(future_extra(&f)->reason);
	extra_set_progress(&f, 2, 2, "", 0);
	ck_assert_uint_eq(core.accounts.by_jobs.n[ACCOUNT_BYTES], bytes - 5);
	core_unkeep(&f, f.kept_bytes);
	ck_assert_uint_eq(core.accounts.by_jobs.n[ACCOUNT_BYTES], 0);
	extra_free(future_extra(&f));
	free(f.annex);
	f.annex = NULL;
	f.account = account_unref(f.account);
	accounts_deinit(&core.accounts);
}
END_TEST

START_TEST(test_a_label_takes_the_place_of_the_one_before)
{
	struct jobspec spec = {.set = JOBSPEC_BIT(LABEL), .label = "born", .label_len = 4};
	struct refusal no;

	make_future(extra_charge + 20, 10);
	ck_assert_int_eq(extra_set_label(&f, "", 0, &no), 0);
	ck_assert_ptr_null(future_extra(&f));
	ck_assert_int_eq(
		extra_set_label(&f, "much too long for the quota", 27, &no), ACCOUNT_E_QUOTA);
	ck_assert_ptr_null(future_extra(&f));
	ck_assert_int_eq(extra_set_label(&f, "labels", 5, &no), 0);
	ck_assert_str_eq(future_extra(&f)->label, "label");
	ck_assert_int_eq(extra_set_label(&f, "other", 5, &no), 0);
	ck_assert_str_eq(future_extra(&f)->label, "other");
	ck_assert_uint_eq(used(ACCOUNT_BYTES), extra_charge + 6);
	ck_assert_int_eq(extra_set_label(&f, "", 0, &no), 0);
	ck_assert_ptr_null(future_extra(&f)->label);
	ck_assert_uint_eq(used(ACCOUNT_BYTES), extra_charge);
	forget_future();

	make_future(1000, 10);
	ck_assert_int_eq(future_take_annex(&f), 0);
	ck_assert_int_eq(extra_new(&spec, &f.annex->extra), 0);
	ck_assert_int_eq(account_take_one(f.account, ACCOUNT_BYTES, extra_size(&spec), NULL), 0);
	f.kept_bytes = extra_size(&spec);
	ck_assert_int_eq(extra_set_label(&f, "set", 3, &no), 0);
	ck_assert_str_eq(future_extra(&f)->label, "set");
	forget_future();
}
END_TEST

START_TEST(test_output_is_charged_once_and_replaced)
{
	unsigned before = suite_open_fds();

	make_future(10000, 10);
	extra_set_output(&f, STREAM_STDOUT, shm_new("check", 0));
	ck_assert_uint_eq(used(ACCOUNT_FDS), 1);
	extra_set_output(&f, STREAM_STDOUT, shm_new("check", 0));
	ck_assert_uint_eq(used(ACCOUNT_FDS), 1);
	extra_set_output(&f, STREAM_STDERR, shm_new("check", 0));
	ck_assert_uint_eq(used(ACCOUNT_FDS), 2);
	ck_assert_uint_eq(suite_open_fds(), before + 2);
	forget_future();
	ck_assert_uint_eq(suite_open_fds(), before);
}
END_TEST

START_TEST(test_output_over_the_limit_of_fds_is_closed)
{
	unsigned before = suite_open_fds();

	make_future(10000, 1);
	extra_set_output(&f, STREAM_STDOUT, shm_new("check", 0));
	extra_set_output(&f, STREAM_STDERR, shm_new("check", 0));
	ck_assert_int_eq(future_extra(&f)->output_fd[STREAM_STDERR], -1);
	ck_assert_uint_eq(suite_open_fds(), before + 1);
	forget_future();
}
END_TEST

SUITE_MAIN("extra", test_no_texts_need_no_extra, test_texts_are_copied_and_terminated,
	test_extra_is_made_once_and_charged, test_without_room_there_is_none,
	test_texts_replace_each_other_and_so_do_their_charges,
	test_text_without_room_is_left_out_and_the_rest_kept,
	test_what_a_job_keeps_late_counts_among_what_jobs_hold,
	test_a_label_takes_the_place_of_the_one_before, test_output_is_charged_once_and_replaced,
	test_output_over_the_limit_of_fds_is_closed)
