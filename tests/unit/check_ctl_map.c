/* Where map's arguments come from and what becomes of them in a command. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "client/poolctl/map_command.h"
#include "client/poolctl/map_source.h"
#include "tests/unit/suite.h"

static void expect_command(
	const char *const *words, const char *argument, bool quote, const char *want)
{
	char **made = map_command_make((char *const *)words, argument, quote), *text;

	ck_assert_ptr_nonnull(made);
	text = map_command_text(made);
	ck_assert_str_eq(text, want);
	free(text);
	map_command_free(made);
}

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

START_TEST(argument_takes_each_place)
{
	expect_command(WORDS("cp", "{}", "{}.bak"), "a b", false, "cp a b a b.bak");
	expect_command(WORDS("x{}y{}z"), "-", false, "x-y-z");
	expect_command(WORDS("echo", "{}"), "", false, "echo ");
	expect_command(WORDS("echo", "{", "}"), "a", false, "echo { } a");
	/* A place inside the argument is no place. */
	expect_command(WORDS("echo", "{}"), "{}", false, "echo {}");
}
END_TEST

START_TEST(without_a_place_it_stands_at_the_end)
{
	expect_command(WORDS("echo"), "a", false, "echo a");
	expect_command(WORDS("echo", "x"), "$(a)", false, "echo x $(a)");
}
END_TEST

START_TEST(the_shell_gets_it_quoted)
{
	expect_command(WORDS("echo {}; echo {}"), "a b", true, "echo 'a b'; echo 'a b'");
	expect_command(WORDS("echo"), "$(it's)", true, "echo '$(it'\\''s)'");
	expect_command(WORDS("echo"), "", true, "echo ''");
}
END_TEST

static void expect_next(struct map_source *s, const char *want)
{
	char *argument;

	ck_assert_int_eq(map_source_next(s, &argument), MAP_SOURCE_ONE);
	ck_assert_str_eq(argument, want);
	free(argument);
}

START_TEST(words_come_in_order)
{
	char first[] = "a", second[] = "", third[] = "c d";
	char *words[] = {first, second, third}, *argument;
	struct map_source s;

	map_source_init_words(&s, words, ARRAY_SIZE(words));
	ck_assert_uint_eq(map_source_total(&s), 3);
	expect_next(&s, "a");
	expect_next(&s, "");
	expect_next(&s, "c d");
	ck_assert_int_eq(map_source_next(&s, &argument), MAP_SOURCE_END);
	map_source_deinit(&s);
}
END_TEST

/* Makes these bytes standard input; returns what it was. */
static int feed(const void *bytes, size_t len)
{
	int fds[2], old = dup(STDIN_FILENO);

	ck_assert_int_eq(pipe(fds), 0);
	ck_assert_int_eq(write(fds[1], bytes, len), (ssize_t)len);
	close(fds[1]);
	ck_assert_int_eq(dup2(fds[0], STDIN_FILENO), STDIN_FILENO);
	close(fds[0]);
	return old;
}

static void restore(int old)
{
	dup2(old, STDIN_FILENO);
	close(old);
}

START_TEST(lines_of_standard_input)
{
	static const char text[] = "one\n\ntwo words\nlast";
	int old = feed(text, sizeof(text) - 1);
	struct map_source s;
	char *argument;

	map_source_init_stdin(&s, '\n');
	ck_assert_int_eq(map_source_next(&s, &argument), MAP_SOURCE_WAIT);
	ck_assert_int_eq(map_source_read(&s), 0);
	expect_next(&s, "one");
	expect_next(&s, "");
	expect_next(&s, "two words");
	ck_assert_int_eq(map_source_next(&s, &argument), MAP_SOURCE_WAIT);
	ck_assert_int_eq(map_source_read(&s), 0);
	expect_next(&s, "last");
	ck_assert_int_eq(map_source_next(&s, &argument), MAP_SOURCE_END);
	map_source_deinit(&s);
	restore(old);
}
END_TEST

START_TEST(nul_ends_arguments_with_newlines)
{
	static const char text[] = "a\nb\0c";
	int old = feed(text, sizeof(text));
	struct map_source s;
	char *argument;

	map_source_init_stdin(&s, '\0');
	ck_assert_int_eq(map_source_read(&s), 0);
	expect_next(&s, "a\nb");
	expect_next(&s, "c");
	ck_assert_int_eq(map_source_read(&s), 0);
	ck_assert_int_eq(map_source_next(&s, &argument), MAP_SOURCE_END);
	map_source_deinit(&s);
	restore(old);
}
END_TEST

START_TEST(endless_argument_is_refused)
{
	int old = dup(STDIN_FILENO), zero, r = 0;
	struct map_source s;
	size_t i;

	ck_assert_ptr_nonnull(freopen("/dev/zero", "r", stdin));
	zero = fileno(stdin);
	ck_assert_int_eq(zero, STDIN_FILENO);
	map_source_init_stdin(&s, '\n');
	for (i = 0; r == 0 && i < MAP_SOURCE_ARGUMENT_BYTES; i++)
		r = map_source_read(&s);
	ck_assert_int_eq(r, -E2BIG);
	map_source_deinit(&s);
	restore(old);
}
END_TEST

SUITE_MAIN("map", argument_takes_each_place, without_a_place_it_stands_at_the_end,
	the_shell_gets_it_quoted, words_come_in_order, lines_of_standard_input,
	nul_ends_arguments_with_newlines, endless_argument_is_refused)
