/* Cancelling: the daemon sends `cancel`, then rings the bell, SIGTERM. It may ring before, during
 * and after the run. */
#include <signal.h>
#include <string.h>

#include "tests/unit/worker_run.h"

static void expect_waited(unsigned msgid)
{
	struct reply r = peer_receive(&w);

	ck_assert_uint_eq(r.msgid, msgid);
	ck_assert_str_eq(r.word, "waited");
	ck_assert_str_eq(r.message, "1 1");
	peer_forget(&r);
}

/* Whether the bell rings before the run is received, before it waits, or while it waits, is up to
 * the scheduler: all must end it. */
START_TEST(a_waiting_function_hears_the_bell)
{
	for (int i = 0; i < 200; i++) {
		peer_add(&w, "[iis[sn{si}]]", 0, i, "run", "wait", "id", i);
		peer_send(&w, NULL, 0);
		peer_cancel(&w, (uint64_t)i);
		expect_waited((unsigned)i);
	}
}
END_TEST

START_TEST(a_spinning_function_hears_the_bell)
{
	struct reply r = peer_run(&w, "spin_until_cancelled", "n");

	ck_assert_str_eq(r.word, "progress");
	peer_forget(&r);
	peer_cancel(&w, 7);
	peer_expect_value(&w, 5, "\"cancelled\"");
}
END_TEST

START_TEST(a_bell_after_the_answer_harms_nothing)
{
	for (int i = 0; i < 100; i++) {
		peer_add(&w, "[iis[sn{si}]]", 0, 1, "run", "noop", "id", 1);
		peer_send(&w, NULL, 0);
		peer_expect_value(&w, 1, "nil");
		peer_cancel(&w, 1);
		peer_add(&w, "[iis[si{si}]]", 0, 2, "run", "sleep", 1, "id", 2);
		peer_send(&w, NULL, 0);
		peer_expect_value(&w, 2, "nil");
	}
}
END_TEST

START_TEST(a_cancel_of_another_job_is_ignored)
{
	struct reply r = peer_run(&w, "spin_until_cancelled", "n");

	peer_forget(&r);
	peer_cancel(&w, 8);
	peer_cancel(&w, 6);
	peer_add(&w, "[is[s]]", 2, "cancel", "7");
	peer_add(&w, "[is[]]", 2, "cancel");
	peer_add(&w, "[is[u]]", 2, "cancel", (uint64_t)7);
	peer_send(&w, NULL, 0);
	ck_assert_int_eq(kill(w.pid, SIGTERM), 0);
	peer_expect_value(&w, 5, "\"cancelled\"");
}
END_TEST

START_TEST(a_bell_without_a_cancel_is_ignored)
{
	for (int i = 0; i < 100; i++) {
		peer_add(&w, "[iis[si{si}]]", 0, i, "run", "sleep", 500, "id", i);
		peer_send(&w, NULL, 0);
		ck_assert_int_eq(kill(w.pid, SIGTERM), 0);
		peer_expect_value(&w, (unsigned)i, "nil");
	}
}
END_TEST

START_TEST(a_later_run_of_the_packet_is_not_started)
{
	struct reply r;

	peer_add(&w, "[iis[sn{si}]]", 0, 1, "run", "spin_until_cancelled", "id", 1);
	for (int i = 2; i <= 4; i++)
		peer_add(&w, "[iis[sn{si}]]", 0, i, "run", "about", "id", i);
	peer_send(&w, NULL, 0);
	r = peer_receive(&w);
	ck_assert_str_eq(r.word, "progress");
	peer_forget(&r);
	/* two packets, whose bells may be heard as one */
	peer_cancel(&w, 3);
	peer_cancel(&w, 1);
	peer_expect_value(&w, 1, "\"cancelled\"");
	peer_expect_value(&w, 2, "\"2 1 0 proof  1 1\"");
	peer_expect_error(&w, 3, "cancelled");
	peer_expect_value(&w, 4, "\"4 1 0 proof  1 1\"");
	/* it counts for this packet, not for the ID */
	peer_add(&w, "[iis[sn{si}]]", 0, 5, "run", "about", "id", 3);
	peer_send(&w, NULL, 0);
	peer_expect_value(&w, 5, "\"3 1 0 proof  1 1\"");
}
END_TEST

/* Though the run that the bell rang in did not look. */
START_TEST(a_later_run_is_not_started_behind_one_that_does_not_listen)
{
	struct reply r;

	peer_add(&w, "[iis[sn{si}]]", 0, 1, "run", "inattentive", "id", 1);
	peer_add(&w, "[iis[sn{si}]]", 0, 2, "run", "about", "id", 2);
	peer_send(&w, NULL, 0);
	r = peer_receive(&w);
	ck_assert_str_eq(r.word, "progress");
	peer_forget(&r);
	peer_cancel(&w, 2);
	peer_expect_value(&w, 1, "nil");
	peer_expect_error(&w, 2, "cancelled");
}
END_TEST

/* A bell of somebody else's beside a full inbox: the run that the look takes is run in its turn,
 * with its fds. */
START_TEST(a_run_that_is_found_when_listening_is_not_lost)
{
	int fd = peer_memfd("x", 1);
	struct reply r;

	for (int i = 0; i < 50; i++) {
		peer_add(&w, "[iis[si{si}]]", 0, 1, "run", "sleep", 1000, "id", 1);
		peer_send(&w, NULL, 0);
		peer_add(&w, "[iis[sF{si}]]", 0, 2, "run", "echo", 0, "id", 2);
		peer_send(&w, &fd, 1);
		peer_add(&w, "[iis[sn{si}]]", 0, 3, "run", "noop", "id", 3);
		peer_send(&w, NULL, 0);
		ck_assert_int_eq(kill(w.pid, SIGTERM), 0);
		peer_expect_value(&w, 1, "nil");
		r = peer_receive(&w);
		ck_assert_str_eq(r.value, "fd(0)");
		peer_forget(&r);
		peer_expect_value(&w, 3, "nil");
	}
	fd_close(fd);
}
END_TEST

START_TEST(sleep_is_cancellable)
{
	peer_add(&w, "[iis[si{si}]]", 0, 1, "run", "sleep", 1000000000, "id", 1);
	peer_send(&w, NULL, 0);
	peer_cancel(&w, 1);
	peer_expect_error(&w, 1, "stopped");
	peer_add(&w, "[iis[si{si}]]", 0, 2, "run", "spin", 1000000000, "id", 2);
	peer_send(&w, NULL, 0);
	peer_cancel(&w, 2);
	peer_expect_error(&w, 2, "stopped");
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("worker_cancel");
	TCase *bench = with_worker("bench", start_bench),
	      *proof = with_worker("proof", start_proof);

	tcase_add_test(proof, a_waiting_function_hears_the_bell);
	tcase_add_test(proof, a_spinning_function_hears_the_bell);
	tcase_add_test(proof, a_cancel_of_another_job_is_ignored);
	tcase_add_test(proof, a_later_run_of_the_packet_is_not_started);
	tcase_add_test(proof, a_later_run_is_not_started_behind_one_that_does_not_listen);
	suite_add_tcase(s, proof);

	tcase_add_test(bench, a_bell_after_the_answer_harms_nothing);
	tcase_add_test(bench, a_bell_without_a_cancel_is_ignored);
	tcase_add_test(bench, a_run_that_is_found_when_listening_is_not_lost);
	tcase_add_test(bench, sleep_is_cancellable);
	suite_add_tcase(s, bench);
	return s;
}

int main(void)
{
	return check_run(suite());
}
