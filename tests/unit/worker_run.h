/* What the tests of the worker protocol share: a worker of the module bench or proof, runs sent to
 * it, and what comes back. */
#pragma once

#include "tests/lib/check_run.h"
#include "tests/unit/worker_peer.h"

static struct peer z, w;

static inline void start_bench(void)
{
	peer_start_module(&z, "bench");
	peer_fork(&z, &w);
}

static inline void start_proof(void)
{
	peer_start_module(&z, "proof");
	peer_fork(&z, &w);
}

static inline void stop(void)
{
	peer_end(&w);
	peer_end(&z);
}

/* Sends one run and compares the answer's value. */
#define expect_run(text, function, format, ...)                                                    \
	do {                                                                                       \
		struct reply run_ = peer_run(&w, function, format, ##__VA_ARGS__);                 \
		ck_assert_msg(!run_.word[0], "%s: %s", run_.word, run_.message);                   \
		ck_assert_str_eq(run_.value, text);                                                \
		peer_forget(&run_);                                                                \
	} while (0)

#define expect_failure(code, data, function, format, ...)                                          \
	do {                                                                                       \
		struct reply run_ = peer_run(&w, function, format, ##__VA_ARGS__);                 \
		ck_assert_str_eq(run_.word, code);                                                 \
		ck_assert_str_eq(run_.value, data);                                                \
		ck_assert_ptr_nonnull(run_.meas);                                                  \
		peer_forget(&run_);                                                                \
	} while (0)

static inline TCase *with_worker(const char *name, void (*start)(void))
{
	TCase *t = tcase_create(name);

	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, start, stop);
	return t;
}
