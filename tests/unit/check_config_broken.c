/* Broken configurations: what is told, how much of it, and that nothing is left behind. The cases
 * one by one stand in tests/lib/broken_configs.py.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "tests/lib/fault.h"
#include "tests/unit/config_case.h"

#define A64 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define X   "[pool x]\nhandler = exec\n"

START_TEST(errors_are_told_in_the_order_of_reading)
{
	folder_write(&folder, "p.conf", X "workers = 0\nnonsense\n[pools]\nx = 1\n");
	ck_assert_int_eq(mkdir(folder_at(&folder, "p.conf.d"), 0700), 0);
	folder_write(&folder, "p.conf.d/1.conf", "[daemon]\nttl = 0\n");
	ck_assert_int_eq(load(NULL), 1);
	ck_assert_uint_eq(errors.n, 4);
	for (int i = 0; i < 3; i++) {
		ck_assert_str_eq(errors.all[i].file, folder_at(&folder, "p.conf"));
		ck_assert_int_eq(errors.all[i].line, i + 3);
	}
	ck_assert_str_eq(errors.all[3].file, folder_at(&folder, "p.conf.d/1.conf"));
	ck_assert_int_eq(errors.all[3].line, 2);
}
END_TEST

START_TEST(a_file_of_errors_has_an_end)
{
	static char text[4 * 2000 + 1];

	memset(text, 'x', sizeof(text) - 1);
	for (size_t i = 3; i < sizeof(text) - 1; i += 4)
		text[i] = '\n';
	memcpy(text, "[pool x]\n", 9);
	folder_write(&folder, "p.conf", text);
	ck_assert_int_eq(load(NULL), 1);
	ck_assert_uint_eq(errors.n, 1000);
}
END_TEST

START_TEST(too_many_pools_are_refused)
{
	char text[16384] = "";

	for (int i = 0; i < 257; i++)
		sprintf(text + strlen(text), "[pool p%d]\nhandler = exec\n", i);
	folder_write(&folder, "p.conf", text);
	ck_assert_int_eq(load(NULL), 1);
	ck_assert_int_eq(error.line, 513);
	ck_assert_ptr_nonnull(strstr(error.message, "at most 256"));
}
END_TEST

START_TEST(what_a_file_says_cannot_break_the_message)
{
	folder_write(&folder, "p.conf", X "cwd = /\x1b[2J\xff" A64 A64 "\n");
	ck_assert_int_eq(load(NULL), 1);
	ck_assert_ptr_null(strchr(error.message, '\x1b'));
	ck_assert_ptr_nonnull(strstr(error.message, "\\x1b[2J\\xff"));
}
END_TEST

START_TEST(running_out_of_memory_leaves_nothing_behind)
{
	const struct config_override o = {.file = folder_at(&folder, "p.conf")};
	unsigned n = 0;
	bool hit;
	int r;

	folder_write(&folder, "p.conf",
		"[daemon]\nadmin_group = 0\n[pool a]\nhandler = exec\nenv = A=1\nallow = 1 @1\n"
		"[pool b]\nhandler = exec\n");
	ck_assert_int_eq(mkdir(folder_at(&folder, "p.conf.d"), 0700), 0);
	folder_write(
		&folder, "p.conf.d/a.conf", "[pool a]\nenv = A=2\nenv = B=3\nallow = 2\ncwd = /");
	do {
		struct config *c = NULL;

		fault_alloc_at(++n);
		r = config_load(&o, &c, &errors);
		hit = fault_end();
		ck_assert_uint_eq(errors.n, 0);
		ck_assert_int_eq(r, hit ? -ENOMEM : 0);
		ck_assert_int_eq(r == 0, c != NULL);
		config_free(c);
	} while (hit);
	ck_assert_int_eq(r, 0);
	ck_assert_uint_gt(n, 20);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("config_broken");
	TCase *refused = tcase_create("refused");

	tcase_add_checked_fixture(refused, setup, teardown);
	tcase_add_test(refused, errors_are_told_in_the_order_of_reading);
	tcase_add_test(refused, a_file_of_errors_has_an_end);
	tcase_add_test(refused, too_many_pools_are_refused);
	tcase_add_test(refused, what_a_file_says_cannot_break_the_message);
	tcase_add_test(refused, running_out_of_memory_leaves_nothing_behind);
	tcase_set_timeout(refused, 60);
	suite_add_tcase(suite, refused);

	return check_run(suite);
}
