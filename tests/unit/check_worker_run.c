/* The worker protocol: runs in, answers out, ends. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "tests/unit/worker_run.h"

#define EXIT_PROTOCOL 76

START_TEST(values_come_back)
{
	expect_run("nil", "noop", "n");
	expect_run("nil", "noop_serial", "i", 1);
	expect_run("[1, -2, \"x\", b\"\\x00\", {\"k\": [true, nil]}]", "echo", "[iisb{s[tn]}]", 1,
		-2, "x", "", (size_t)1, "k", 1);
	expect_run("[ext(2, 8)]", "echo", "[I]", (uint64_t)7);
	expect_run("100000", "alloc", "i", 100000);
	expect_run("nil", "spin", "i", 300);
	expect_run("nil", "sleep", "i", 300);
}
END_TEST

START_TEST(failures_come_back)
{
	struct reply r;

	expect_failure("my_code", "nil", "fail", "[ss]", "my_code", "It broke");
	expect_failure("bad_input", "nil", "fail", "i", 1);
	r = peer_run(&w, "fail", "[ss]", "my_code", "two\nlines, \xff");
	ck_assert_str_eq(r.message, "two lines, ?");
	peer_forget(&r);
	expect_failure("bad_input", "nil", "spin", "s", "long");
	expect_failure("bad_input", "nil", "exit", "i", 256);
	expect_failure("unknown_function", "nil", "nothing", "n");
	expect_failure("failed", "nil", "alloc", "u", UINT64_MAX);
}
END_TEST

START_TEST(measurements_come_with_each_answer)
{
	struct reply r = peer_run(&w, "spin", "i", 2000);
	unsigned long long run, cpu, rss, copied, started;

	ck_assert_int_eq(sscanf(r.meas,
				 "{\"run_us\": %llu, \"cpu_us\": %llu, \"rss_kib\": %llu, "
				 "\"copied\": %llu, \"started_us\": %llu}",
				 &run, &cpu, &rss, &copied, &started),
		5);
	ck_assert_uint_ge(run, 2000);
	ck_assert_uint_gt(cpu, 0);
	ck_assert_uint_gt(rss, 0);
	ck_assert_uint_eq(copied, 0);
	ck_assert_uint_gt(started, 0);
	peer_forget(&r);
}
END_TEST

START_TEST(answers_of_a_packet_come_in_order)
{
	for (unsigned i = 0; i < 1000; i++)
		peer_add(&w, "[iis[si{si}]]", 0, (int)i, "run", "echo", (int)i, "id", (int)i);
	peer_send(&w, NULL, 0);
	for (unsigned i = 0; i < 1000; i++) {
		char text[16];

		snprintf(text, sizeof(text), "%u", i);
		peer_expect_value(&w, i, text);
	}
}
END_TEST

/* A run that is like the one before it is not read anew. */
START_TEST(runs_of_a_packet_are_each_what_they_say)
{
	static const char *const texts[] = {
		"1 2 3 proof t 1 1",
		"2 2 3 proof t 1 1",
		"300000 2 3 proof t 1 1",
		"4 2 3 proof u 1 1",
		"5 2 4 proof  1 1",
		"6 2 4 proof  1 1",
		"7 2 4 proof  1 1",
		"8 1 0 proof  1 1",
		"9 1 0 proof  1 1",
	};
	static const char *const traces[] = {"t", "t", "t", "u"};
	char text[64];

	for (int i = 0; i < 4; i++)
		peer_add(&w, "[iis[sn{sisisiss}]]", 0, i, "run", "about", "id",
			i == 2 ? 300000 : i + 1, "attempt", 2, "uid", 3, "trace", traces[i]);
	for (int i = 4; i < 6; i++)
		peer_add(&w, "[iis[s[i]{sisisi}]]", 0, i, "run", "about", i, "id", i + 1, "attempt",
			2, "uid", 4);
	peer_add(&w, "[iis[sn{sisisi}]]", 0, 6, "run", "about", "attempt", 2, "id", 7, "uid", 4);
	for (int i = 7; i < 9; i++)
		peer_add(&w, "[iis[sn{si}]]", 0, i, "run", "about", "id", i + 1);
	for (int i = 9; i < 11; i++)
		peer_add(
			&w, "[iis[si{sist}]]", 0, i, "run", "bytes", i - 9, "id", i, "each", false);
	peer_add(&w, "[iis[s[ii]{sist}]]", 0, 11, "run", "bytes", 2, 3, "id", 11, "each", true);
	peer_add(&w, "[is[i]]", 2, "cancel", 12);
	for (int i = 12; i < 14; i++)
		peer_add(&w, "[iis[s[ii]{sist}]]", 0, 500 * i, "run", "bytes", 1, i - 12, "id", i,
			"each", true);
	peer_add(&w, "[iis[s[ii]{sist}ii]]", 0, 14, "run", "bytes", 1, 1, "id", 14, "each", true, 1,
		2);
	peer_add(&w, "[iis[s[ii]]]", 0, 15, "run", "bytes", 1, 1);
	peer_send(&w, NULL, 0);
	for (unsigned i = 0; i < ARRAY_SIZE(texts); i++) {
		snprintf(text, sizeof(text), "\"%s\"", texts[i]);
		peer_expect_value(&w, i, text);
	}
	peer_expect_value(&w, 9, "b\"\"");
	peer_expect_value(&w, 10, "b\"\\x00\"");
	peer_expect_value(&w, 11, "[b\"\\x00\\x00\", b\"\\x00\\x00\\x00\"]");
	peer_expect_value(&w, 6000, "[b\"\\x00\", b\"\"]");
	peer_expect_value(&w, 6500, "[b\"\\x00\", b\"\\x00\"]");
	peer_expect_value(&w, 14, "[b\"\\x00\", b\"\\x00\"]");
	peer_expect_error(&w, 15, "bad_request");
}
END_TEST

START_TEST(failures_may_have_data)
{
	static char large[16384 + 1];
	struct reply r;

	expect_failure("with_data", "[1]", "fail_data", "b", "\x91\x01", (size_t)2);
	expect_failure("with_data", "nil", "fail_data", "b", "\x91", (size_t)1);
	/* a bin 16 of 16381 bytes is as long as may be */
	memcpy(large, "\xc5\x3f\xfd", 3);
	r = peer_run(&w, "fail_data", "b", large, (size_t)16384);
	ck_assert_ptr_nonnull(strstr(r.value, "\\x00\\x00"));
	peer_forget(&r);
	memcpy(large, "\xc5\x3f\xfe", 3);
	expect_failure("with_data", "nil", "fail_data", "b", large, (size_t)16385);
	expect_failure("failed", "nil", "fail_badly", "n");
	r = peer_run(&w, "errno", "n");
	ck_assert_str_eq(r.message, "errno: Not a directory");
	peer_forget(&r);
}
END_TEST

START_TEST(progress_is_told_but_not_each_time)
{
	unsigned n = 0;
	struct reply r;

	r = peer_run(&w, "progress", "n");
	for (; r.type == RPC_NOTIFICATION; n++) {
		ck_assert_str_eq(r.word, "progress");
		if (n == 0)
			ck_assert_str_eq(r.value, "7, 0, 100, \"on the way\"");
		else if (strstr(r.value, "7, 100, 100, \"\""))
			n += 1000;
		peer_forget(&r);
		r = peer_receive(&w);
	}
	/* the first and the last one in any case */
	ck_assert_uint_ge(n, 1002);
	ck_assert_str_eq(r.word, "");
	peer_forget(&r);
}
END_TEST

START_TEST(a_run_that_is_wrong_is_answered)
{
	peer_add(&w, "[iis[]]", 0, 1, "run");
	peer_add(&w, "[iis[sn]]", 0, 2, "run", "noop");
	peer_add(&w, "[iis[snn]]", 0, 3, "run", "noop");
	peer_add(&w, "[iis[sn{}]]", 0, 4, "run", "noop");
	peer_add(&w, "[iis[in{si}]]", 0, 5, "run", 1, "id", 1);
	peer_add(&w, "[iis[sn{ss}]]", 0, 6, "run", "noop", "id", "x");
	peer_add(&w, "[iis[sn{sisi}]]", 0, 7, "run", "noop", "id", 1, "values", 1);
	peer_add(&w, "[iis[sn{sisn}]]", 0, 8, "run", "noop", "id", 1, "timeout");
	peer_add(&w, "[iis[]]", 0, 9, "walk");
	peer_add(&w, "[is[]]", 2, "unheard_of");
	peer_add(&w, "[iinn]", 1, 77);
	peer_add(&w, "[iis[sn{si}]]", 0, 10, "run", "noop", "id", 1);
	peer_send(&w, NULL, 0);
	for (unsigned i = 1; i <= 7; i++)
		peer_expect_error(&w, i, "bad_request");
	peer_expect_value(&w, 8, "nil");
	peer_expect_error(&w, 9, "unknown_method");
	peer_expect_value(&w, 10, "nil");
}
END_TEST

/* What the worker does with a packet that is none of the protocol's: it ends, and says so. */
static void expect_protocol_exit(void)
{
	int status = peer_await_end(&w);

	ck_assert_msg(
		WIFEXITED(status) && WEXITSTATUS(status) == EXIT_PROTOCOL, "status %#x", status);
	peer_end(&z);
}

static void send_bytes(const void *bytes, size_t n)
{
	ck_assert_int_eq(buf_append(&w.out, bytes, n), 0);
	peer_send(&w, NULL, 0);
}

static const struct {
	const char *bytes;
	size_t n;
} broken[] = {
	{"\xc1", 1},				     /* no MessagePack */
	{"\x94\x00\x01", 3},			     /* ends early */
	{"\x01", 1},				     /* no envelope */
	{"\x93\x00\x01\xa3run", 6},		     /* a request of three */
	{"\x94\x05\x01\xa3run\x90", 8},		     /* no such type */
	{"\xdd\xff\xff\xff\xff", 5},		     /* more elements than bytes */
	{"\x94\x00\x01\xa3run\x91\xd4\x01\x40", 11}, /* an index over 63 */
};

START_TEST(broken_packets_end_the_worker)
{
	start_bench();
	send_bytes(broken[_i].bytes, broken[_i].n);
	expect_protocol_exit();
}
END_TEST

START_TEST(what_came_before_the_break_is_answered)
{
	start_bench();
	peer_add(&w, "[iis[sn{si}]]", 0, 1, "run", "noop", "id", 1);
	send_bytes("\xc1", 1);
	peer_expect_value(&w, 1, "nil");
	expect_protocol_exit();
}
END_TEST

START_TEST(a_break_behind_runs_of_one_form_is_one)
{
	static const char cut[] = "\x94\x00\x03\xa3run\x93\xa4noop";

	start_bench();
	for (int i = 1; i <= 2; i++)
		peer_add(&w, "[iis[sn{si}]]", 0, i, "run", "noop", "id", i);
	send_bytes(cut, sizeof(cut) - 1);
	peer_expect_value(&w, 1, "nil");
	peer_expect_value(&w, 2, "nil");
	expect_protocol_exit();
}
END_TEST

START_TEST(fds_that_are_missing_end_the_worker)
{
	int fd = peer_memfd("x", 1);

	start_bench();
	peer_add(&w, "[iis[s[FF]{si}]]", 0, 1, "run", "noop", 0, 1, "id", 1);
	peer_send(&w, &fd, 1);
	expect_protocol_exit();
	fd_close(fd);
}
END_TEST

START_TEST(a_crash_is_the_worker_s_end_and_its_status)
{
	static const int signals[] = {SIGSEGV, SIGABRT, SIGKILL, SIGBUS, SIGFPE, SIGUSR1};
	int status;

	start_bench();
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++) {
		struct peer victim;

		peer_fork(&z, &victim);
		peer_add(&victim, "[iis[si{si}]]", 0, 1, "run", "crash", signals[i], "id", 1);
		peer_send(&victim, NULL, 0);
		status = peer_await_end(&victim);
		ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == signals[i], "status %#x",
			status);
	}
	peer_add(&w, "[iis[si{si}]]", 0, 1, "run", "exit", 42, "id", 1);
	peer_send(&w, NULL, 0);
	ck_assert_int_eq(peer_await_end(&w), W_EXITCODE(42, 0));
	peer_end(&z);
}
END_TEST

/* The daemon blames the first job that is not answered: so those before it have to be. */
START_TEST(a_death_loses_no_answer_of_the_packet)
{
	static const char *const functions[] = {"crash", "exit"};

	peer_start_module(&z, "bench");
	for (size_t i = 0; i < ARRAY_SIZE(functions); i++) {
		peer_fork(&z, &w);
		for (int id = 0; id < 3; id++)
			peer_add(&w, "[iis[sn{si}]]", 0, id, "run", "noop", "id", id);
		peer_add(&w, "[iis[si{si}]]", 0, 3, "run", functions[i], 11, "id", 3);
		peer_add(&w, "[iis[sn{si}]]", 0, 4, "run", "noop", "id", 4);
		peer_send(&w, NULL, 0);
		for (unsigned id = 0; id < 3; id++)
			peer_expect_value(&w, id, "nil");
		peer_expect_end_of_file(&w);
		ck_assert_int_eq(peer_await_end(&w), i == 0 ? SIGSEGV : W_EXITCODE(11, 0));
	}
	peer_end(&z);
}
END_TEST

#ifndef __SANITIZE_ADDRESS__
START_TEST(a_stack_overflow_loses_no_answer_of_the_packet)
{
	peer_start_module(&z, "proof");
	peer_fork(&z, &w);
	peer_add(&w, "[iis[sn{si}]]", 0, 1, "run", "about", "id", 1);
	peer_add(&w, "[iis[sn{si}]]", 0, 2, "run", "overflow", "id", 2);
	peer_send(&w, NULL, 0);
	peer_expect_value(&w, 1, "\"1 1 0 proof  1 1\"");
	ck_assert_int_eq(peer_await_end(&w) & 0x7f, SIGSEGV);
	peer_end(&z);
}
END_TEST
#endif

static Suite *suite(void)
{
	Suite *s = suite_create("worker_run");
	TCase *bench = with_worker("bench", start_bench),
	      *proof = with_worker("proof", start_proof);
	TCase *end = tcase_create("end");

	tcase_add_test(bench, values_come_back);
	tcase_add_test(bench, failures_come_back);
	tcase_add_test(bench, measurements_come_with_each_answer);
	tcase_add_test(bench, answers_of_a_packet_come_in_order);
	tcase_add_test(bench, a_run_that_is_wrong_is_answered);
	suite_add_tcase(s, bench);

	tcase_add_test(proof, runs_of_a_packet_are_each_what_they_say);
	tcase_add_test(proof, failures_may_have_data);
	tcase_add_test(proof, progress_is_told_but_not_each_time);
	suite_add_tcase(s, proof);

	tcase_set_timeout(end, 60);
	tcase_add_loop_test(end, broken_packets_end_the_worker, 0, (int)ARRAY_SIZE(broken));
	tcase_add_test(end, what_came_before_the_break_is_answered);
	tcase_add_test(end, a_break_behind_runs_of_one_form_is_one);
	tcase_add_test(end, fds_that_are_missing_end_the_worker);
	tcase_add_test(end, a_crash_is_the_worker_s_end_and_its_status);
	tcase_add_test(end, a_death_loses_no_answer_of_the_packet);
#ifndef __SANITIZE_ADDRESS__
	tcase_add_test(end, a_stack_overflow_loses_no_answer_of_the_packet);
#endif
	suite_add_tcase(s, end);
	return s;
}

int main(void)
{
	return check_run(suite());
}
