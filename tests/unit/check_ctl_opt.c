/* Option tables: values go where the table says, wrong usage is named and reading goes on. */
#include <string.h>

#include "client/poolctl/opt.h"
#include "tests/unit/suite.h"

struct values {
	bool flag;
	const char *text;
	struct opt_time time;
	struct opt_size size;
	struct opt_number number, count;
	struct opt_list list;
};

static const struct opt opts[] = {
	{'x', "flag", NULL, "a flag", OPT_FLAG, offsetof(struct values, flag)},
	{0, "text", "TEXT", "a text", OPT_TEXT, offsetof(struct values, text)},
	{'t', "time", "TIME", "a time", OPT_TIME, offsetof(struct values, time)},
	{0, "size", "SIZE", "a size", OPT_SIZE, offsetof(struct values, size)},
	{'n', "number", "N", "a number", OPT_NUMBER, offsetof(struct values, number)},
	{'c', "count", "N", "a count", OPT_COUNT, offsetof(struct values, count)},
	{'l', "list", "ITEM", "a list", OPT_LIST, offsetof(struct values, list)},
	{0},
};

static struct values v;
static struct opt_error error;
static int first;

static int parse(bool stop, int argc, const char **argv)
{
	const struct opt_set set = {opts, &v};

	v = (struct values){0};
	return opt_parse(&set, 1, stop, argc, (char **)argv, &first, &error);
}

#define PARSE(stop, ...)                                                                           \
	({                                                                                         \
		const char *argv_[] = {"verb", __VA_ARGS__, NULL};                                 \
		parse(stop, (int)ARRAY_SIZE(argv_) - 1, argv_);                                    \
	})

START_TEST(values_arrive)
{
	ck_assert_int_eq(PARSE(false, "-x", "--text", "a b", "-t5min", "--size=64K", "-n", "-7",
				 "-c1", "-l", "one", "--list=two", "operand"),
		0);
	ck_assert(v.flag);
	ck_assert_str_eq(v.text, "a b");
	ck_assert(v.time.set && v.time.us == 300000000);
	ck_assert(v.size.set && v.size.bytes == 65536);
	ck_assert(v.number.set && v.number.value == -7);
	ck_assert(v.count.set && v.count.value == 1);
	ck_assert_uint_eq(v.list.n, 2);
	ck_assert_str_eq(v.list.items[1], "two");
	ck_assert_int_eq(first, 12);
	opt_release(opts, &v);
}
END_TEST

START_TEST(nothing_given_sets_nothing)
{
	ck_assert_int_eq(PARSE(false, "operand"), 0);
	ck_assert(!v.flag && !v.text && !v.time.set && !v.size.set && !v.number.set);
	ck_assert_int_eq(first, 1);
}
END_TEST

START_TEST(options_behind_operands_count_unless_a_command_follows)
{
	ck_assert_int_eq(PARSE(false, "operand", "-x"), 0);
	ck_assert(v.flag);
	ck_assert_int_eq(PARSE(true, "operand", "-x"), 0);
	ck_assert(!v.flag);
	ck_assert_int_eq(first, 1);
	ck_assert_int_eq(PARSE(true, "--", "-x"), 0);
	ck_assert(!v.flag);
	ck_assert_int_eq(first, 2);
}
END_TEST

static void expect_wrong(int r, const char *part)
{
	ck_assert_int_eq(r, 1);
	ck_assert_msg(
		strstr(error.message, part), "\"%s\" does not say \"%s\"", error.message, part);
}

START_TEST(wrong_usage_is_named)
{
	expect_wrong(PARSE(false, "--bogus"), "unknown option --bogus");
	expect_wrong(PARSE(false, "-z"), "unknown option -z");
	expect_wrong(PARSE(false, "-xz"), "unknown option -z");
	expect_wrong(PARSE(false, "--text"), "--text needs an argument");
	expect_wrong(PARSE(false, "-t"), "-t needs an argument");
	expect_wrong(PARSE(false, "--flag=1"), "--flag=1 takes no argument");
	expect_wrong(PARSE(false, "-t", "soon"), "--time: \"soon\" is not a time");
	expect_wrong(PARSE(false, "--size", "big"), "--size: \"big\" is not a size");
	expect_wrong(PARSE(false, "-n", "1x"), "--number: \"1x\" is not a whole number");
	expect_wrong(PARSE(false, "-n", "99999999999999999999"), "--number");
	expect_wrong(PARSE(false, "-n", "2147483648"), "of 32 bits");
	expect_wrong(PARSE(false, "-c", "0"), "above 0");
}
END_TEST

START_TEST(reading_goes_on_after_wrong_usage)
{
	expect_wrong(PARSE(false, "--bogus", "-t", "soon", "-x"), "--bogus");
	ck_assert(v.flag);
}
END_TEST

START_TEST(help_and_table_have_each_option)
{
	char *text;
	size_t len;
	FILE *to = open_memstream(&text, &len);

	opt_help(opts, to);
	opt_table(opts, "verb", to);
	fclose(to);
	ck_assert_ptr_nonnull(strstr(text, "  -t, --time TIME"));
	ck_assert_ptr_nonnull(strstr(text, "      --text TEXT"));
	ck_assert_ptr_nonnull(strstr(text, "verb\t-t\t--time\tTIME\ta time\n"));
	ck_assert_ptr_nonnull(strstr(text, "verb\t-\t--text\tTEXT\ta text\n"));
	ck_assert_ptr_nonnull(strstr(text, "verb\t-x\t--flag\t-\ta flag\n"));
	free(text);
}
END_TEST

SUITE_MAIN("opt", values_arrive, nothing_given_sets_nothing,
	options_behind_operands_count_unless_a_command_follows, wrong_usage_is_named,
	reading_goes_on_after_wrong_usage, help_and_table_have_each_option)
