/* Every way in which a job or poolctl can end has the exit code that poolctl(1) promises. */
#include "client/poolctl/exitcode.h"
#include "proto/base.h"
#include "tests/lib/check_run.h"

static const struct {
	enum outcome_state state;
	enum outcome_code code;
	int exit_code, signal_no;
	int want;
	const char *source;
} jobs[] = {
	{OUTCOME_DONE, OUTCOME_E_NONE, 0, 0, 0, "job"},
	{OUTCOME_DONE, OUTCOME_E_NONE, -1, 0, 0, "job"},
	{OUTCOME_FAILED, OUTCOME_E_EXIT, 3, 0, 3, "job"},
	{OUTCOME_FAILED, OUTCOME_E_EXIT, 124, 0, 124, "job"},
	{OUTCOME_FAILED, OUTCOME_E_EXIT, 126, 0, 126, "job"},
	{OUTCOME_FAILED, OUTCOME_E_EXIT, 127, 0, 127, "job"},
	{OUTCOME_FAILED, OUTCOME_E_EXIT, 255, 0, 255, "job"},
	{OUTCOME_FAILED, OUTCOME_E_SIGNAL, -1, 9, 137, "signal"},
	{OUTCOME_FAILED, OUTCOME_E_SIGNAL, -1, 15, 143, "signal"},
	{OUTCOME_FAILED, OUTCOME_E_FAILED, -1, 0, 1, "job"},
	{OUTCOME_FAILED, OUTCOME_E_NONE, -1, 0, 1, "job"},
	{OUTCOME_FAILED, OUTCOME_E_POISON, -1, 0, 125, "poold"},
	{OUTCOME_FAILED, OUTCOME_E_TOO_LARGE, -1, 0, 125, "poold"},
	{OUTCOME_FAILED, OUTCOME_E_QUOTA, -1, 0, 125, "poold"},
	{OUTCOME_TIMEOUT, OUTCOME_E_TIMEOUT, -1, 0, 124, "timeout"},
	{OUTCOME_CANCELLED, OUTCOME_E_CANCELLED, -1, 0, 130, "cancelled"},
	{OUTCOME_LOST, OUTCOME_E_LOST, -1, 9, 125, "lost"},
	{OUTCOME_ABORTED, OUTCOME_E_ABORTED, -1, 0, 125, "aborted"},
	{OUTCOME_QUEUED, OUTCOME_E_NONE, -1, 0, 124, "wait_timeout"},
	{OUTCOME_RUNNING, OUTCOME_E_NONE, -1, 0, 124, "wait_timeout"},
};

START_TEST(job_gives_its_code)
{
	struct exitcode e = exitcode_of_job(
		jobs[_i].state, jobs[_i].code, jobs[_i].exit_code, jobs[_i].signal_no);

	ck_assert_int_eq(e.code, jobs[_i].want);
	ck_assert_str_eq(exitcode_source_name(e.source), jobs[_i].source);
}
END_TEST

START_TEST(verbs_for_a_job_keep_the_low_codes_for_it)
{
	int code;

	for (code = OUTCOME_E_NONE; code < _OUTCOME_CODE_MAX; code++)
		ck_assert_int_ge(exitcode_of_refusal(true, code).code, 124);
	ck_assert_int_eq(exitcode_of_connection(true).code, 125);
	ck_assert_int_eq(exitcode_of_usage(true).code, 125);
	ck_assert_int_eq(exitcode_of_own(true).code, 125);
	ck_assert_int_eq(exitcode_of_refusal(true, OUTCOME_E_UNKNOWN_FUTURE).code, 125);
	ck_assert_int_eq(exitcode_of_refusal(true, OUTCOME_E_QUOTA).code, 125);
	ck_assert_int_eq(exitcode_of_refusal(true, OUTCOME_E_UNKNOWN_POOL).code, 127);
	ck_assert_int_eq(exitcode_of_refusal(true, OUTCOME_E_UNKNOWN_FUNCTION).code, 127);
}
END_TEST

START_TEST(other_verbs_use_0_to_4)
{
	ck_assert_int_eq(exitcode_of_refusal(false, OUTCOME_E_UNKNOWN_FUTURE).code, 3);
	ck_assert_int_eq(exitcode_of_refusal(false, OUTCOME_E_EXPIRED).code, 3);
	ck_assert_int_eq(exitcode_of_refusal(false, OUTCOME_E_NOT_ALLOWED).code, 1);
	ck_assert_int_eq(exitcode_of_refusal(false, OUTCOME_E_UNKNOWN_POOL).code, 1);
	ck_assert_int_eq(exitcode_of_connection(false).code, 4);
	ck_assert_int_eq(exitcode_of_usage(false).code, 2);
	ck_assert_int_eq(exitcode_of_own(false).code, 1);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("exitcode");
	TCase *t = tcase_create("exitcode");

	tcase_add_loop_test(t, job_gives_its_code, 0, ARRAY_SIZE(jobs));
	tcase_add_test(t, verbs_for_a_job_keep_the_low_codes_for_it);
	tcase_add_test(t, other_verbs_use_0_to_4);
	suite_add_tcase(s, t);
	return check_run(s);
}
