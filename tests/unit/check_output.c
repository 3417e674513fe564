#include "daemon/output.h"

#include <stdio.h>
#include <string.h>

#include "tests/lib/capture.h"
#include "tests/unit/suite.h"

static struct event_base *base;
static struct output output;
static struct log_limit limit;
static int writer;

static void start(void)
{
	base = event_base_new();
	limit = (struct log_limit){.level = LOG_INFO, .what = "output of pool", .of = "check"};
	ck_assert_int_eq(output_init(&output, base, &limit, &writer), 0);
}

static void stop(void)
{
	fd_close(writer);
	output_deinit(&output);
	event_base_free(base);
	libevent_global_shutdown();
}

static void say(const char *text)
{
	ck_assert_int_eq(write(writer, text, strlen(text)), (ssize_t)strlen(text));
	output_drain(&output);
}

static const char *tail(void)
{
	static char text[OUTPUT_TAIL_BYTES + 1];

	text[output_tail(&output, text)] = '\0';
	return text;
}

static unsigned count_lines(const char *text)
{
	unsigned n = 0;

	for (; *text; text++)
		n += *text == '\n';
	return n;
}

START_TEST(test_lines_go_to_the_log_whole)
{
	capture_start();
	start();
	output.pid = 77;
	say("one");
	ck_assert_str_eq(capture_read(), "");
	say(" line\n\n\nand an");
	ck_assert_str_eq(capture_read(), "<6>pool check, process 77: one line\n");
	stop();
	ck_assert_str_eq(capture_read(), "<6>pool check, process 77: and an\n");
	capture_end();
}
END_TEST

START_TEST(test_more_lines_than_allowed_are_counted)
{
	const char *logged;

	capture_start();
	start();
	for (int i = 0; i < 25; i++)
		say("line\n");
	stop();
	logged = capture_read();
	/* at most two windows of a second; what was suppressed is said once in each */
	ck_assert_uint_lt(count_lines(logged), 25);
	ck_assert_uint_ge(count_lines(logged), 11);
	ck_assert_ptr_nonnull(strstr(logged, "output of pool check: "));
	capture_end();
}
END_TEST

START_TEST(test_overlong_line_is_cut_into_several)
{
	char text[3 * OUTPUT_LINE_BYTES + 2];

	capture_start();
	start();
	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 2] = '\n';
	text[sizeof(text) - 1] = '\0';
	say(text);
	ck_assert_uint_eq(count_lines(capture_read()), 3);
	stop();
	capture_end();
}
END_TEST

START_TEST(test_tail_is_the_last_of_it)
{
	char text[101];

	capture_start();
	start();
	ck_assert_str_eq(tail(), "");
	say("short\n");
	ck_assert_str_eq(tail(), "short\n");
	for (int i = 0; i < 100; i++) {
		snprintf(text, sizeof(text), "%099d\n", i);
		say(text);
	}
	ck_assert_uint_eq(strlen(tail()), OUTPUT_TAIL_BYTES);
	ck_assert_ptr_null(strstr(tail(), "short"));
	ck_assert_str_eq(tail() + OUTPUT_TAIL_BYTES - 100, text);
	stop();
	capture_end();
}
END_TEST

START_TEST(test_tail_is_plain_text)
{
	capture_start();
	start();
	say("gr\xc3\xbcn\n\x1b[31mred\xff\ttab\n");
	ck_assert_str_eq(tail(), "gr\xc3\xbcn\n?[31mred?\ttab\n");
	stop();
	capture_end();
}
END_TEST

/* A ring that wraps inside a character does not begin with half of it. */
START_TEST(test_tail_begins_with_a_whole_character)
{
	char text[OUTPUT_TAIL_BYTES];

	capture_start();
	start();
	say("\xc3\xbc");
	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	say(text);
	ck_assert_str_eq(tail(), text);
	stop();
	capture_end();
}
END_TEST

START_TEST(test_last_line_is_the_last_with_text)
{
	size_t len;
	const char *line;

	line = output_last_line("one\ntwo\n\n", 9, &len);
	ck_assert_uint_eq(len, 3);
	ck_assert_mem_eq(line, "two", 3);
	output_last_line("\n\n", 2, &len);
	ck_assert_uint_eq(len, 0);
	output_last_line("", 0, &len);
	ck_assert_uint_eq(len, 0);
}
END_TEST

START_TEST(test_end_of_file_ends_the_watch)
{
	unsigned before = suite_open_fds();

	start();
	writer = fd_close(writer);
	event_base_loop(base, EVLOOP_NONBLOCK);
	ck_assert_int_eq(output.fd, -1);
	ck_assert_int_eq(event_base_get_num_events(base, EVENT_BASE_COUNT_ADDED), 0);
	stop();
	ck_assert_uint_eq(suite_open_fds(), before);
}
END_TEST

SUITE_MAIN("output", test_lines_go_to_the_log_whole, test_more_lines_than_allowed_are_counted,
	test_overlong_line_is_cut_into_several, test_tail_is_the_last_of_it,
	test_tail_is_plain_text, test_tail_begins_with_a_whole_character,
	test_last_line_is_the_last_with_text, test_end_of_file_ends_the_watch)
