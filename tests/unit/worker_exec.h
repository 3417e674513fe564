/* What the tests of handler exec share: a worker, commands sent to it, parts of their results. */
#pragma once

#include <string.h>

#include "tests/lib/check_run.h"
#include "tests/unit/worker_peer.h"

static struct peer z, w;

static inline void start(void)
{
	peer_start_exec(&z);
	peer_fork(&z, &w);
}

static inline void stop(void)
{
	peer_end(&w);
	peer_end(&z);
}

/* The answer; notifications before it are dropped. */
static inline struct reply receive_answer(void)
{
	struct reply r = peer_receive(&w);

	while (r.type == RPC_NOTIFICATION) {
		ck_assert(strcmp(r.word, "output") == 0 || strcmp(r.word, "taken") == 0);
		peer_forget(&r);
		r = peer_receive(&w);
	}
	return r;
}

#define run_command(format, ...)                                                                   \
	({                                                                                         \
		peer_add(&w, "[iis[s" format "{si}]]", 0, 5, "run", "exec", ##__VA_ARGS__, "id",   \
			7);                                                                        \
		peer_send(&w, NULL, 0);                                                            \
		receive_answer();                                                                  \
	})

#define run_shell(script) run_command("{ssst}", "argv", script, "shell", 1)

/* "key": value, as it stands in the result map. */
static inline void expect_part(const struct reply *r, const char *part)
{
	ck_assert_msg(r->value && strstr(r->value, part), "%s %s: no %s in %s", r->word,
		r->message ? r->message : "", part, r->value);
}

#define expect_command(word_, part, format, ...)                                                   \
	do {                                                                                       \
		struct reply run_ = run_command(format, ##__VA_ARGS__);                            \
		ck_assert_msg(strcmp(run_.word, word_) == 0, "%s: %s", run_.word, run_.message);   \
		expect_part(&run_, part);                                                          \
		peer_forget(&run_);                                                                \
	} while (0)

#define expect_shell(word, part, script)                                                           \
	expect_command(word, part, "{ssst}", "argv", script, "shell", 1)

/* The job is refused with bad_request, and the message has that text. */
#define expect_refusal(text, format, ...)                                                          \
	do {                                                                                       \
		struct reply run_ = run_command(format, ##__VA_ARGS__);                            \
		ck_assert_str_eq(run_.word, "bad_request");                                        \
		ck_assert_msg(strstr(run_.message, text), "%s", run_.message);                     \
		peer_forget(&run_);                                                                \
	} while (0)
