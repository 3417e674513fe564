/* Values of the worker protocol: in the packet, in shared memory, by reference; results over
 * limits. */
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "tests/unit/worker_run.h"

/* The fd's content as text. */
static char *content(int fd)
{
	struct stat st;
	char *text;

	ck_assert_int_eq(fstat(fd, &st), 0);
	text = calloc(1, (size_t)st.st_size + 1);
	ck_assert_ptr_nonnull(text);
	ck_assert_int_eq(pread(fd, text, (size_t)st.st_size, 0), st.st_size);
	return text;
}

static void expect_content(int fd, const char *text)
{
	char *found = content(fd);

	ck_assert_str_eq(found, text);
	free(found);
}

START_TEST(byte_strings_in_shared_memory_go_back_as_they_are)
{
	struct stat before, after;
	int fd = peer_memfd("in shared memory", 16);
	struct reply r;

	peer_add(&w, "[iis[sF{si}]]", 0, 1, "run", "echo", 0, "id", 1);
	peer_send(&w, &fd, 1);
	r = peer_receive(&w);
	ck_assert_str_eq(r.value, "fd(0)");
	ck_assert_uint_eq(r.n_fds, 1);
	ck_assert_int_eq(fstat(fd, &before) | fstat(r.fds[0], &after), 0);
	ck_assert_uint_eq(before.st_ino, after.st_ino);
	peer_forget(&r);
	fd_close(fd);
}
END_TEST

/* Only those fds go back that the value names, with indexes of its own. */
START_TEST(fds_inside_a_value_get_new_indexes)
{
	int fds[] = {peer_memfd("zero", 4), peer_memfd("one", 3), peer_memfd("two", 3)};
	struct reply r;

	peer_add(&w, "[iis[s[FiFF]{sis{uF}}]]", 0, 1, "run", "echo", 2, 5, 1, 2, "id", 1, "values",
		(uint64_t)9, 0);
	peer_send(&w, fds, 3);
	r = peer_receive(&w);
	ck_assert_str_eq(r.value, "[fd(0), 5, fd(1), fd(0)]");
	ck_assert_uint_eq(r.n_fds, 2);
	expect_content(r.fds[0], "two");
	expect_content(r.fds[1], "one");
	peer_forget(&r);
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		fd_close(fds[i]);
}
END_TEST

START_TEST(each_run_of_a_packet_gets_its_own_fds)
{
	int fds[] = {peer_memfd("zero", 4), peer_memfd("one", 3)};
	struct reply r;

	for (int i = 0; i < 3; i++)
		peer_add(&w, i == 1 ? "[iis[si{si}]]" : "[iis[sF{si}]]", 0, i, "run", "echo", 0,
			"id", i);
	peer_send(&w, fds, 2);
	for (unsigned i = 0; i < 3; i++) {
		r = peer_receive(&w);
		ck_assert_uint_eq(r.msgid, i);
		ck_assert_uint_eq(r.n_fds, i != 1);
		if (i != 1)
			expect_content(r.fds[0], i == 0 ? "zero" : "one");
		peer_forget(&r);
	}
	fd_close(fds[0]);
	fd_close(fds[1]);
}
END_TEST

START_TEST(fds_that_no_message_names_are_closed)
{
	int fds[2], pair[2];
	char byte;

	ck_assert_int_eq(pipe(pair), 0);
	fds[0] = fds[1] = pair[1];
	peer_add(&w, "[iis[sn{si}]]", 0, 1, "run", "noop", "id", 1);
	peer_send(&w, fds, 2);
	peer_expect_value(&w, 1, "nil");
	close(pair[1]);
	/* the next packet takes the place of this one */
	peer_add(&w, "[iis[sn{si}]]", 0, 2, "run", "noop", "id", 1);
	peer_send(&w, NULL, 0);
	peer_expect_value(&w, 2, "nil");
	ck_assert_int_eq(read(pair[0], &byte, 1), 0);
	close(pair[0]);
}
END_TEST

/* An encoding in a memfd, with the encoding as a format. */
#define memfd_of(format, ...)                                                                      \
	({                                                                                         \
		struct buf b_ = BUF_INIT(1u << 20);                                                \
		int fd_;                                                                           \
		literal_pack(&b_, format, ##__VA_ARGS__);                                          \
		fd_ = peer_memfd(buf_head(&b_), buf_used(&b_));                                    \
		buf_deinit(&b_);                                                                   \
		fd_;                                                                               \
	})

START_TEST(inputs_and_values_may_lie_in_memfds)
{
	int fds[] = {peer_memfd("payload", 7), memfd_of("[sF]", "a", 0)};

	/* the input's own fd has index 0, its encoding the next one */
	peer_add(&w, "[iis[sV{si}]]", 0, 1, "run", "echo", 1, "id", 1);
	peer_send(&w, fds, 2);
	peer_expect_value(&w, 1, "[\"a\", fd(0)]");
	fd_close(fds[1]);

	/* a value, by reference */
	fds[1] = memfd_of("[iF]", 5, 0);
	peer_add(&w, "[iis[sI{sis{usuV}}]]", 0, 2, "run", "echo", (uint64_t)9, "id", 1, "values",
		(uint64_t)8, "other", (uint64_t)9, 1);
	peer_send(&w, fds, 2);
	peer_expect_value(&w, 2, "[5, fd(0)]");
	fd_close(fds[1]);

	/* the whole map, with a value in it that lies elsewhere again */
	fds[0] = fd_close(fds[0]);
	fds[0] = memfd_of("[i]", 6);
	fds[1] = memfd_of("{uVus}", (uint64_t)9, 0, (uint64_t)10, "ten");
	peer_add(&w, "[iis[sI{sVsi}]]", 0, 3, "run", "echo", (uint64_t)9, "values", 1, "id", 1);
	peer_send(&w, fds, 2);
	peer_expect_value(&w, 3, "[6]");
	fd_close(fds[0]);
	fd_close(fds[1]);
}
END_TEST

START_TEST(values_that_cannot_be_read_fail_the_job)
{
	int fds[2], pair[2];

	/* not in values */
	expect_failure("bad_request", "nil", "echo", "I", (uint64_t)9);
	/* no memfd */
	ck_assert_int_eq(pipe(pair), 0);
	peer_add(&w, "[iis[sV{si}]]", 0, 1, "run", "echo", 0, "id", 1);
	peer_send(&w, pair, 1);
	peer_expect_error(&w, 1, "bad_request");
	/* no MessagePack, and an index beyond the message's */
	fds[0] = peer_memfd("\xc1", 1);
	fds[1] = memfd_of("[F]", 5);
	for (int i = 0; i < 2; i++) {
		peer_add(&w, "[iis[sV{si}]]", 0, 1, "run", "echo", 0, "id", 1);
		peer_send(&w, &fds[i], 1);
		peer_expect_error(&w, 1, "bad_request");
	}
	/* a pipe instead of a byte string may pass through, but not be read */
	peer_add(&w, "[iis[sF{si}]]", 0, 1, "run", "noop", 0, "id", 1);
	peer_send(&w, pair, 1);
	peer_expect_value(&w, 1, "nil");
	fd_close(fds[0]);
	fd_close(fds[1]);
	fd_close(pair[0]);
	fd_close(pair[1]);
}
END_TEST

START_TEST(modules_see_their_input)
{
	int fds[] = {peer_memfd("zero", 4), peer_memfd("one", 3)};

	expect_run("b\"ab\"", "join", "[ss]", "a", "b");
	expect_failure("failed", "nil", "join", "[si]", "a", 1);
	peer_add(&w, "[iis[s[FI]{sis{uF}}]]", 0, 1, "run", "join", 1, (uint64_t)9, "id", 1,
		"values", (uint64_t)9, 0);
	peer_send(&w, fds, 2);
	peer_expect_value(&w, 1, "b\"onezero\"");
	peer_add(&w, "[iis[s[FI]{sis{us}}]]", 0, 2, "run", "look", 0, (uint64_t)9, "id", 1,
		"values", (uint64_t)9, "12345");
	peer_send(&w, fds, 1);
	peer_expect_value(&w, 2, "\"4 6\"");
	fd_close(fds[0]);
	fd_close(fds[1]);
}
END_TEST

START_TEST(results_in_place_may_be_shortened)
{
	struct reply r;
	struct stat st;

	expect_run("b\"aa\"", "half", "i", 4);
	expect_run("b\"\"", "half", "i", 0);
	r = peer_run(&w, "half", "i", 1000000);
	ck_assert_str_eq(r.value, "fd(0)");
	ck_assert_int_eq(fstat(r.fds[0], &st), 0);
	ck_assert_int_eq(st.st_size, 500000);
	ck_assert_int_eq(fcntl(r.fds[0], F_GET_SEALS) & 0xf, 0xf);
	peer_forget(&r);
	/* shared memory that was shortened to what goes inline */
	r = peer_run(&w, "half", "i", 100000);
	ck_assert_uint_eq(r.n_fds, 0);
	ck_assert_uint_eq(strlen(r.value), 50000 + strlen("b\"\""));
	peer_forget(&r);
	expect_run("\"last\"", "replaced", "n");
}
END_TEST

START_TEST(large_results_travel_in_shared_memory)
{
	struct reply r = peer_run(&w, "bytes", "i", 65533);

	ck_assert_uint_eq(r.n_fds, 0);
	peer_forget(&r);
	r = peer_run(&w, "bytes", "i", 65534);
	ck_assert_str_eq(r.value, "fd(0)");
	ck_assert_ptr_nonnull(strstr(r.meas, "\"copied\": 65534"));
	peer_forget(&r);
}
END_TEST

START_TEST(results_over_a_limit_fail_the_job)
{
	static const char *const functions[] = {"bytes", "half"};

	for (size_t i = 0; i < ARRAY_SIZE(functions); i++) {
		peer_add(&w, "[iis[si{sisi}]]", 0, 1, "run", functions[i], 1001, "id", 1,
			"max_result", 1000);
		peer_send(&w, NULL, 0);
		struct reply r = peer_receive(&w);
		ck_assert_str_eq(r.word, "too_large");
		ck_assert_str_eq(
			r.value, "{\"limit\": \"max_result\", \"value\": 1001, \"max\": 1000}");
		peer_forget(&r);
	}
	/* before any memory is taken: no machine has this much */
	peer_add(&w, "[iis[su{sisi}]]", 0, 1, "run", "half", UINT64_C(1) << 31, "id", 1,
		"max_result", 1000000);
	peer_send(&w, NULL, 0);
	peer_expect_error(&w, 1, "too_large");
	expect_failure("too_large",
		"{\"limit\": \"inline_bytes\", \"value\": 65537, \"max\": 65536}", "stubborn", "n");
}
END_TEST

/* Beyond RLIMIT_FSIZE a write would be a signal, and the end of the worker. What is only passed on
 * is not written. */
START_TEST(results_over_the_limit_of_files_fail_the_job)
{
	static uint8_t bytes[300000];
	int fd = peer_memfd(bytes, sizeof(bytes));
	static const char *const functions[] = {"bytes", "half"};
	struct reply r;

	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &(struct rlimit){200000, 200000}), 0);
	start_proof();
	for (size_t i = 0; i < ARRAY_SIZE(functions); i++) {
		expect_failure("too_large",
			"{\"limit\": \"RLIMIT_FSIZE\", \"value\": 200001, \"max\": 200000}",
			functions[i], "i", 200001);
		r = peer_run(&w, functions[i], "i", 200000);
		ck_assert_str_eq(r.value, "fd(0)");
		peer_forget(&r);
	}
	stop();
	start_bench();
	peer_add(&w, "[iis[sF{si}]]", 0, 1, "run", "echo", 0, "id", 1);
	peer_send(&w, &fd, 1);
	peer_expect_value(&w, 1, "fd(0)");
	fd_close(fd);
	stop();
}
END_TEST

START_TEST(an_echo_of_shared_memory_counts_with_its_bytes)
{
	int fd = peer_memfd("0123456789", 10);

	peer_add(&w, "[iis[sF{sisi}]]", 0, 1, "run", "echo", 0, "id", 1, "max_result", 9);
	peer_add(&w, "[iis[sF{sisi}]]", 0, 2, "run", "echo", 0, "id", 1, "max_result", 10);
	peer_send(&w, (int[]){fd, fd}, 2);
	peer_expect_error(&w, 1, "too_large");
	peer_expect_value(&w, 2, "fd(0)");
	fd_close(fd);
}
END_TEST

START_TEST(encoded_results_are_checked)
{
	static const char deep[] =
		"\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x01";

	expect_run("[1, 2]", "encoded", "b", "\x92\x01\x02", (size_t)3);
	expect_failure("bad_result", "nil", "encoded", "b", "\x92\x01", (size_t)2);
	expect_failure("bad_result", "nil", "encoded", "b", "\x01\x01", (size_t)2);
	expect_failure("bad_result", "nil", "encoded", "b", "", (size_t)0);
	expect_failure("bad_result", "nil", "encoded", "b", "\xd4\x01\x00", (size_t)3);
	expect_failure("bad_result", "nil", "encoded", "b", deep, sizeof(deep) - 1);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("worker_values");
	TCase *bench = with_worker("bench", start_bench), *limit = tcase_create("limit"),
	      *proof = with_worker("proof", start_proof);

	tcase_add_test(bench, byte_strings_in_shared_memory_go_back_as_they_are);
	tcase_add_test(bench, fds_inside_a_value_get_new_indexes);
	tcase_add_test(bench, each_run_of_a_packet_gets_its_own_fds);
	tcase_add_test(bench, fds_that_no_message_names_are_closed);
	tcase_add_test(bench, inputs_and_values_may_lie_in_memfds);
	tcase_add_test(bench, values_that_cannot_be_read_fail_the_job);
	tcase_add_test(bench, an_echo_of_shared_memory_counts_with_its_bytes);
	suite_add_tcase(s, bench);

	tcase_add_test(proof, modules_see_their_input);
	tcase_add_test(proof, results_in_place_may_be_shortened);
	tcase_add_test(proof, large_results_travel_in_shared_memory);
	tcase_add_test(proof, results_over_a_limit_fail_the_job);
	tcase_add_test(proof, encoded_results_are_checked);
	suite_add_tcase(s, proof);

	tcase_set_timeout(limit, 60);
	tcase_add_test(limit, results_over_the_limit_of_files_fail_the_job);
	suite_add_tcase(s, limit);
	return s;
}

int main(void)
{
	return check_run(suite());
}
