#include "proto/outcome.h"

#include <string.h>

#include "tests/unit/suite.h"

START_TEST(states_have_the_words_of_the_wire)
{
	static const char *const words[] = {"delayed", "blocked", "queued", "running", "cancelling",
		"done", "failed", "cancelled", "timeout", "lost", "aborted"};

	ck_assert_uint_eq(ARRAY_SIZE(words), _OUTCOME_STATE_MAX);
	for (unsigned s = 0; s < _OUTCOME_STATE_MAX; s++) {
		ck_assert_str_eq(outcome_state_name(s), words[s]);
		ck_assert_uint_eq(outcome_state_from(words[s], strlen(words[s])), s);
		ck_assert_int_eq(outcome_state_is_final(s), s >= 5);
	}
	ck_assert_uint_eq(outcome_state_from("Done", 4), _OUTCOME_STATE_MAX);
	ck_assert_uint_eq(outcome_state_from("done", 3), _OUTCOME_STATE_MAX);
	ck_assert_uint_eq(outcome_state_from("", 0), _OUTCOME_STATE_MAX);
}
END_TEST

START_TEST(codes_have_the_words_of_the_wire)
{
	for (unsigned c = OUTCOME_E_NONE + 1; c < _OUTCOME_CODE_MAX; c++) {
		const char *word = outcome_code_name(c);

		ck_assert_uint_gt(strlen(word), 0);
		ck_assert_uint_eq(outcome_code_from(word, strlen(word)), c);
	}
	ck_assert_str_eq(outcome_code_name(OUTCOME_E_NONE), "");
	ck_assert_str_eq(outcome_code_name(OUTCOME_E_UNKNOWN_FUTURE), "unknown_future");
	ck_assert_str_eq(outcome_code_name(OUTCOME_E_ABORTED), "aborted");
	ck_assert_uint_eq(outcome_code_from("", 0), OUTCOME_E_NONE);
	ck_assert_uint_eq(outcome_code_from("own", 3), OUTCOME_E_NONE);
}
END_TEST

SUITE_MAIN("outcome", states_have_the_words_of_the_wire, codes_have_the_words_of_the_wire)
