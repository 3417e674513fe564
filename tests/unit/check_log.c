#include "daemon/log.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>

#include "tests/lib/capture.h"
#include "tests/lib/check_run.h"

static void setup(void)
{
	capture_start();
}

static void teardown(void)
{
	log_set_level(LOG_INFO);
	capture_end();
}

START_TEST(a_line_has_its_priority_in_front)
{
	log_err("a %d", 1);
	log_warning("b");
	log_notice("c");
	log_info("d");
	ck_assert_str_eq(capture_read(), "<3>a 1\n<4>b\n<5>c\n<6>d\n");
}
END_TEST

START_TEST(less_important_lines_are_dropped)
{
	log_debug("not to begin with");
	ck_assert_str_eq(capture_read(), "");
	log_set_level(LOG_DEBUG);
	log_debug("now");
	log_set_level(LOG_ERR);
	log_warning("no");
	log_err("yes");
	ck_assert_str_eq(capture_read(), "<7>now\n<3>yes\n");
}
END_TEST

START_TEST(every_level_has_a_word)
{
	static const char *const words[] = {"err", "warning", "notice", "info", "debug"};
	enum log_level level;

	for (unsigned i = 0; i < ARRAY_SIZE(words); i++) {
		ck_assert(log_level_from(words[i], &level));
		ck_assert_int_eq(level, LOG_ERR + (int)i);
	}
	ck_assert(!log_level_from("", &level));
	ck_assert(!log_level_from("Info", &level));
	ck_assert(!log_level_from("error", &level));
}
END_TEST

START_TEST(a_peer_cannot_forge_a_line)
{
	log_info("%s", "x\n<3>fake\r\x1b[2J\x7f\xc2\x9b");
	ck_assert_str_eq(capture_read(), "<6>x\\x0a<3>fake\\x0d\\x1b[2J\\x7f\\xc2\\x9b\n");
}
END_TEST

START_TEST(text_stays_readable_and_broken_utf8_is_escaped)
{
	log_info("%s", "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80 \"q\" \\");
	ck_assert_str_eq(
		capture_read(), "<6>gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80 \"q\" \\\n");
	log_info("%s", "\xff \xc3 \xe2\x82 \xed\xa0\x80 \xc0\x80");
	ck_assert_str_eq(capture_read(), "<6>\\xff \\xc3 \\xe2\\x82 \\xed\\xa0\\x80 \\xc0\\x80\n");
}
END_TEST

START_TEST(an_overlong_line_is_cut_and_marked)
{
	char long_text[10000];
	const char *got;

	memset(long_text, '\n', sizeof(long_text) - 1);
	for (int i = 0; i < 2; i++) {
		long_text[sizeof(long_text) - 1] = '\0';
		log_info("%s", long_text);
		got = capture_read();
		ck_assert_uint_gt(strlen(got), 2000);
		ck_assert_uint_le(strlen(got), 4096);
		ck_assert_str_eq(got + strlen(got) - 4, "...\n");
		ck_assert_ptr_eq(strchr(got, '\n'), got + strlen(got) - 1);
		memset(long_text, 'y', sizeof(long_text) - 1);
	}
}
END_TEST

START_TEST(nobody_reading_loses_lines_but_does_not_block)
{
	const char *got;

	for (int i = 0; i < 20000; i++)
		log_info("line %d", i);
	got = capture_read();
	ck_assert_ptr_nonnull(strstr(got, "<6>line 0\n"));
	ck_assert_ptr_null(strstr(got, "line 19999\n"));
	log_info("read again");
	got = capture_read();
	ck_assert_ptr_nonnull(strstr(got, "<4>"));
	ck_assert_ptr_nonnull(
		strstr(got, " log lines were lost: nobody read them\n<6>read again\n"));
}
END_TEST

START_TEST(a_terminal_sees_no_prefix)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC), slave, before;
	struct termios settings;
	char got[32] = "";

	if (master < 0 || grantpt(master) < 0 || unlockpt(master) < 0) {
		puts("skipped: no pseudo terminal");
		return;
	}
	slave = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
	ck_assert_int_ge(slave, 0);
	ck_assert_int_eq(tcgetattr(slave, &settings), 0);
	settings.c_oflag = 0;
	ck_assert_int_eq(tcsetattr(slave, TCSANOW, &settings), 0);
	before = dup(STDERR_FILENO);
	dup2(slave, STDERR_FILENO);
	log_info("hello");
	dup2(before, STDERR_FILENO);
	ck_assert_int_gt(read(master, got, sizeof(got) - 1), 0);
	ck_assert_str_eq(got, "hello\n");
	close(before);
	close(slave);
	close(master);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("log");
	TCase *lines = tcase_create("lines");

	tcase_add_checked_fixture(lines, setup, teardown);
	tcase_add_test(lines, a_line_has_its_priority_in_front);
	tcase_add_test(lines, less_important_lines_are_dropped);
	tcase_add_test(lines, every_level_has_a_word);
	tcase_add_test(lines, a_peer_cannot_forge_a_line);
	tcase_add_test(lines, text_stays_readable_and_broken_utf8_is_escaped);
	tcase_add_test(lines, an_overlong_line_is_cut_and_marked);
	tcase_add_test(lines, nobody_reading_loses_lines_but_does_not_block);
	tcase_add_test(lines, a_terminal_sees_no_prefix);
	suite_add_tcase(suite, lines);
	return check_run(suite);
}
