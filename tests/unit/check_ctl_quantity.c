/* Times and sizes as people write them. */
#include "proto/quantity.h"
#include "tests/lib/check_run.h"

static const struct {
	const char *text;
	uint64_t us;
} times[] = {
	{"30s", 30000000},
	{"30", 30000000},
	{"0", 0},
	{"0.5", 500000},
	{"500ms", 500000},
	{"7us", 7},
	{"5min", 300000000},
	{"5m", 300000000},
	{"1h", 3600000000},
	{"1.5h", 5400000000},
	{"1h30min", 5400000000},
	{"1h 30min 2s", 5402000000},
	{"2d", 172800000000},
	{"1w", 604800000000},
	{".25s", 250000},
};

static const char *const bad_times[] = {"", "s", "-1", "+1", "1x", "1 s", "inf", "nan", "0x10",
	"1e3", "1s2", "1h-5s", ".", "5mins", "101000000000000", "40000d", " 1", "1s ,"};

START_TEST(time_is_read)
{
	uint64_t us = 1;

	ck_assert(quantity_time(times[_i].text, &us));
	ck_assert_uint_eq(us, times[_i].us);
}
END_TEST

START_TEST(wrong_time_is_refused)
{
	uint64_t us = 42;

	ck_assert_msg(!quantity_time(bad_times[_i], &us), "\"%s\" was taken", bad_times[_i]);
	ck_assert_uint_eq(us, 42);
}
END_TEST

static const struct {
	const char *text;
	uint64_t bytes;
} sizes[] = {
	{"0", 0},
	{"4096", 4096},
	{"64K", 65536},
	{"64KiB", 65536},
	{"1.5M", 1572864},
	{"2G", 2147483648},
	{"1T", 1099511627776},
	{"7B", 7},
};

static const char *const bad_sizes[] = {
	"", "K", "-1", "64k!", "1KB", "1 K", "9223372036854775808", "9000000T"};

START_TEST(size_is_read)
{
	uint64_t bytes = 1;

	ck_assert(quantity_size(sizes[_i].text, &bytes));
	ck_assert_uint_eq(bytes, sizes[_i].bytes);
}
END_TEST

START_TEST(wrong_size_is_refused)
{
	uint64_t bytes = 42;

	ck_assert_msg(!quantity_size(bad_sizes[_i], &bytes), "\"%s\" was taken", bad_sizes[_i]);
	ck_assert_uint_eq(bytes, 42);
}
END_TEST

static const struct {
	double seconds;
	const char *text;
} spans[] = {
	{0, "0s"},
	{-1, "0s"},
	{0.0000421, "42us"},
	{0.0123, "12.3ms"},
	{0.99996, "1s"},
	{4.214, "4.21s"},
	{185, "3min 5s"},
	{180, "3min"},
	{7800, "2h 10min"},
	{442800, "5d 3h"},
};

START_TEST(span_is_written)
{
	char text[QUANTITY_TEXT];

	ck_assert_str_eq(quantity_time_text(spans[_i].seconds, text), spans[_i].text);
}
END_TEST

START_TEST(size_is_written)
{
	char text[QUANTITY_TEXT];

	ck_assert_str_eq(quantity_size_text(512, text), "512");
	ck_assert_str_eq(quantity_size_text(1536, text), "1.5K");
	ck_assert_str_eq(quantity_size_text(20 << 20, text), "20M");
	ck_assert_str_eq(quantity_size_text((1 << 20) - 1, text), "1.0M");
	ck_assert_str_eq(quantity_size_text(UINT64_MAX, text), "16E");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("quantity");
	TCase *t = tcase_create("quantity");

	tcase_add_loop_test(t, time_is_read, 0, ARRAY_SIZE(times));
	tcase_add_loop_test(t, wrong_time_is_refused, 0, ARRAY_SIZE(bad_times));
	tcase_add_loop_test(t, size_is_read, 0, ARRAY_SIZE(sizes));
	tcase_add_loop_test(t, wrong_size_is_refused, 0, ARRAY_SIZE(bad_sizes));
	tcase_add_loop_test(t, span_is_written, 0, ARRAY_SIZE(spans));
	tcase_add_test(t, size_is_written);
	suite_add_tcase(s, t);
	return check_run(s);
}
