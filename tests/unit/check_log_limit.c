#include "daemon/log_limit.h"

#include "daemon/core/heap.h"
#include "tests/lib/capture.h"
#include "tests/unit/suite.h"

enum { LINES = 10, SECOND = 1000000 };

static struct log_limit limit;

static void setup(void)
{
	limit = (struct log_limit){.level = LOG_NOTICE, .what = "refused"};
	capture_start();
}

static unsigned admitted(unsigned n, uint64_t now_us)
{
	unsigned yes = 0;

	while (n-- > 0)
		yes += log_limit_admits(&limit, now_us);
	return yes;
}

START_TEST(test_so_many_in_a_second_and_the_rest_is_told_with_the_next)
{
	setup();
	ck_assert_uint_eq(admitted(25, 5 * SECOND), LINES);
	ck_assert_uint_eq(admitted(25, 6 * SECOND - 1), 0);
	ck_assert_str_eq(capture_read(), "");
	ck_assert_uint_eq(admitted(1, 6 * SECOND), 1);
	ck_assert_str_eq(capture_read(), "<5>refused: 40 more lines suppressed\n");
	log_limit_end(&limit);
	ck_assert_str_eq(capture_read(), "");
	capture_end();
}
END_TEST

START_TEST(test_the_rest_is_told_without_a_next_one)
{
	setup();
	limit.of = "bench";
	ck_assert_uint_eq(log_limit_next_us(&limit), HEAP_NEVER);
	admitted(LINES, 5 * SECOND);
	ck_assert_uint_eq(log_limit_next_us(&limit), HEAP_NEVER);
	admitted(1, 5 * SECOND + 7);
	ck_assert_uint_eq(log_limit_next_us(&limit), 6 * SECOND);
	log_limit_end(&limit);
	ck_assert_str_eq(capture_read(), "<5>refused bench: 1 more lines suppressed\n");
	ck_assert_uint_eq(log_limit_next_us(&limit), HEAP_NEVER);
	capture_end();
}
END_TEST

SUITE_MAIN("log_limit", test_so_many_in_a_second_and_the_rest_is_told_with_the_next,
	test_the_rest_is_told_without_a_next_one)
