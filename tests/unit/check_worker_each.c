/* One run whose function is run once for each element of its input. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/worker_run.h"

/* Meta: the job's ID is 7. */
#define send_each(function, format, ...)                                                           \
	do {                                                                                       \
		peer_add(&w, "[iis[s" format "{sist}]]", 0, 5, "run", function, ##__VA_ARGS__,     \
			"id", 7, "each", 1);                                                       \
		peer_send(&w, NULL, 0);                                                            \
	} while (0)

#define expect_each(text, function, format, ...)                                                   \
	do {                                                                                       \
		send_each(function, format, ##__VA_ARGS__);                                        \
		peer_expect_value(&w, 5, text);                                                    \
	} while (0)

#define expect_end(at, before, code, data)                                                         \
	do {                                                                                       \
		struct reply r_ = peer_receive(&w);                                                \
		ck_assert_str_eq(r_.word, code);                                                   \
		ck_assert_uint_eq(r_.index, at);                                                   \
		ck_assert_ptr_nonnull(r_.results);                                                 \
		ck_assert_str_eq(r_.results, before);                                              \
		ck_assert_str_eq(r_.value, data);                                                  \
		ck_assert_ptr_nonnull(r_.meas);                                                    \
		peer_forget(&r_);                                                                  \
	} while (0)

START_TEST(results_are_an_array)
{
	expect_each("[]", "echo", "[]");
	expect_each("[1, \"two\", [3], nil]", "echo", "[is[i]n]", 1, "two", 3);
	expect_each("[nil, nil]", "noop", "[ii]", 1, 2);
	expect_each("[3, 0]", "add", "[[ii][]]", 1, 2);
	expect_run("3", "add", "[ii]", 1, 2);
}
END_TEST

START_TEST(the_next_run_is_an_ordinary_one)
{
	peer_add(&w, "[iis[s[ii]{sist}]]", 0, 1, "run", "echo", 1, 2, "id", 1, "each", 1);
	peer_add(&w, "[iis[s[ii]{si}]]", 0, 2, "run", "echo", 3, 4, "id", 2);
	peer_add(&w, "[iis[s[ii]{sist}]]", 0, 3, "run", "echo", 5, 6, "id", 3, "each", 0);
	peer_add(&w, "[iis[s[sn]{sist}]]", 0, 4, "run", "sum", "a", "id", 4, "each", 1);
	peer_add(&w, "[iis[ss{si}]]", 0, 5, "run", "sum", "b", "id", 5);
	peer_send(&w, NULL, 0);
	peer_expect_value(&w, 1, "[1, 2]");
	peer_expect_value(&w, 2, "[3, 4]");
	peer_expect_value(&w, 3, "[5, 6]");
	peer_expect_error(&w, 4, "failed");
	peer_expect_value(&w, 5, "98");
}
END_TEST

START_TEST(what_is_no_array_fails)
{
	static const char *const values[] = {"\xc0", "\x80", "\xa1x"};

	for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
		struct reply r;

		send_each("echo", "r", values[i], strlen(values[i]));
		r = peer_receive(&w);
		ck_assert_str_eq(r.word, "bad_request");
		ck_assert_ptr_null(r.results);
		peer_forget(&r);
	}
}
END_TEST

START_TEST(the_first_failure_tells_where_and_what_came_before)
{
	send_each("sum", "[ssns]", "a", "b", "c");
	expect_end(2, "[97, 98]", "failed", "nil");
	send_each("fail", "[[ss]]", "my_code", "It broke");
	expect_end(0, "[]", "my_code", "nil");
}
END_TEST

START_TEST(a_value_that_cannot_be_read_is_that_of_its_element)
{
	send_each("echo", "[iI]", 1, (uint64_t)9);
	expect_end(1, "[1]", "bad_request", "nil");
}
END_TEST

START_TEST(elements_may_name_the_same_shared_memory)
{
	int fd = peer_memfd("zero", 4);
	struct reply r;

	peer_add(&w, "[iis[s[FsF]{sist}]]", 0, 1, "run", "sum", 0, "", 0, "id", 1, "each", 1);
	peer_add(&w, "[iis[s[FF]{sist}]]", 0, 2, "run", "echo", 0, 0, "id", 2, "each", 1);
	peer_send(&w, (int[]){fd, fd}, 2);
	peer_expect_value(&w, 1, "[448, 0, 448]");
	r = peer_receive(&w);
	ck_assert_str_eq(r.value, "[fd(0), fd(1)]");
	ck_assert_uint_eq(r.n_fds, 2);
	peer_forget(&r);
	close(fd);
}
END_TEST

START_TEST(the_array_may_lie_in_a_memfd)
{
	static const uint8_t array[] = {0x93, 0x01, 0xc0, 0xa1, 'x'};
	int fd = peer_memfd(array, sizeof(array));

	peer_add(&w, "[iis[sV{sist}]]", 0, 1, "run", "echo", 0, "id", 1, "each", 1);
	peer_send(&w, &fd, 1);
	peer_expect_value(&w, 1, "[1, nil, \"x\"]");
	close(fd);
}
END_TEST

/* ---- of a module that sets results in every way ---- */

START_TEST(results_in_place_follow_each_other)
{
	struct reply r;

	expect_each("[b\"aa\", b\"\", b\"a\"]", "half", "[iii]", 4, 0, 2);
	expect_each("[\"last\", \"last\"]", "replaced", "[nn]");
	send_each("half", "[iii]", 200000, 2, 400000);
	r = peer_receive(&w);
	ck_assert_str_eq(r.value, "[fd(0), b\"a\", fd(1)]");
	ck_assert_uint_eq(r.n_fds, 2);
	peer_forget(&r);
}
END_TEST

START_TEST(failures_have_data_behind_the_results)
{
	send_each("zeros_or_data", "[iib]", 1, 2, "\x91\x01", (size_t)2);
	expect_end(2, "[b\"\\x00\", b\"\\x00\\x00\"]", "with_data", "[1]");
	send_each("errno", "[n]");
	expect_end(0, "[]", "failed", "nil");
	send_each("stubborn", "[n]");
	expect_end(0, "[]", "too_large",
		"{\"limit\": \"inline_bytes\", \"value\": 65537, \"max\": 63488}");
}
END_TEST

START_TEST(data_without_room_beside_the_results_is_left_out)
{
	static uint8_t large[16384] = {0xc5, 0x3f, 0xfd};
	struct reply r;

	send_each("zeros_or_data", "[ib]", 47000, large, sizeof(large));
	r = peer_receive(&w);
	ck_assert_str_eq(r.word, "with_data");
	ck_assert_ptr_nonnull(strstr(r.value, "\\x00\\x00"));
	peer_forget(&r);
	send_each("zeros_or_data", "[ib]", 48000, large, sizeof(large));
	r = peer_receive(&w);
	ck_assert_str_eq(r.word, "with_data");
	ck_assert_str_eq(r.value, "nil");
	ck_assert_uint_eq(r.index, 1);
	peer_forget(&r);
}
END_TEST

START_TEST(an_element_nests_less_deep_than_the_array)
{
	static const char deep[] =
		"\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x01";

	expect_run("[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]", "encoded", "b", deep, sizeof(deep) - 1);
	expect_each(
		"[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]", "encoded", "[b]", deep + 1, sizeof(deep) - 2);
	send_each("encoded", "[b]", deep, sizeof(deep) - 1);
	expect_end(0, "[]", "bad_result", "nil");
}
END_TEST

START_TEST(max_result_counts_for_all_of_it)
{
	static const struct {
		int max, n;
		const char *word;
	} rows[] = {
		{3 + 5 + 2 * 12, 10, ""}, /* three heads, counted at their longest */
		{2 * 12 + 5 - 1, 10, "too_large"},
		{100000, 70000, "too_large"},
		{140200, 70000, ""},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct reply r;

		peer_add(&w, "[iis[s[ii]{sistsi}]]", 0, 5, "run", "bytes", rows[i].n, rows[i].n,
			"id", 7, "each", 1, "max_result", rows[i].max);
		peer_send(&w, NULL, 0);
		r = peer_receive(&w);
		ck_assert_str_eq(r.word, rows[i].word);
		if (*r.word)
			ck_assert_uint_eq(r.index, 1);
		peer_forget(&r);
	}
}
END_TEST

START_TEST(a_cancel_is_looked_at_between_two_elements)
{
	struct reply r;

	send_each("spin_until_cancelled", "[nnn]");
	r = peer_receive(&w);
	ck_assert_str_eq(r.word, "progress");
	peer_forget(&r);
	peer_cancel(&w, 7);
	expect_end(1, "[\"cancelled\"]", "cancelled", "nil");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("worker_each");
	TCase *bench = with_worker("bench", start_bench),
	      *proof = with_worker("proof", start_proof);

	tcase_add_test(bench, results_are_an_array);
	tcase_add_test(bench, the_next_run_is_an_ordinary_one);
	tcase_add_test(bench, what_is_no_array_fails);
	tcase_add_test(bench, the_first_failure_tells_where_and_what_came_before);
	tcase_add_test(bench, a_value_that_cannot_be_read_is_that_of_its_element);
	tcase_add_test(bench, elements_may_name_the_same_shared_memory);
	tcase_add_test(bench, the_array_may_lie_in_a_memfd);
	suite_add_tcase(s, bench);
	tcase_add_test(proof, results_in_place_follow_each_other);
	tcase_add_test(proof, failures_have_data_behind_the_results);
	tcase_add_test(proof, data_without_room_beside_the_results_is_left_out);
	tcase_add_test(proof, an_element_nests_less_deep_than_the_array);
	tcase_add_test(proof, max_result_counts_for_all_of_it);
	tcase_add_test(proof, a_cancel_is_looked_at_between_two_elements);
	suite_add_tcase(s, proof);
	return check_run(s);
}
