/* What poolctl exits with. poolctl(1) says the same in words; nowhere else is a code chosen.
 *
 * Verbs that stand for one job (run, submit --wait, wait) hand the job's own code on, so they use
 * 124 and above for themselves; all others use 0 to 4. */
#pragma once

#include <stdbool.h>

#include "proto/outcome.h"

enum {
	EXITCODE_OK = 0,
	EXITCODE_FALSE = 1, /* the thing asked for failed or is false */
	EXITCODE_USAGE = 2,
	EXITCODE_NO_FUTURE = 3,
	EXITCODE_NO_DAEMON = 4,
	EXITCODE_TIMEOUT = 124,	  /* a time limit: the job's or the wait's */
	EXITCODE_POOLD = 125,	  /* poold or poolctl failed */
	EXITCODE_NOT_FOUND = 127, /* command, pool or function */
	EXITCODE_SIGNAL = 128,	  /* + the signal that killed it */
	EXITCODE_INTERRUPTED = 130,
};

/* X(NAME, word): who the code comes from, `exit_source` in JSON. */
#define EXITCODE_SOURCES(X)                                                                        \
	X(JOB, "job")                                                                              \
	X(SIGNAL, "signal")                                                                        \
	X(TIMEOUT, "timeout")                                                                      \
	X(WAIT_TIMEOUT, "wait_timeout")                                                            \
	X(CANCELLED, "cancelled")                                                                  \
	X(LOST, "lost")                                                                            \
	X(ABORTED, "aborted")                                                                      \
	X(POOLD, "poold")                                                                          \
	X(POOLCTL, "poolctl")

enum exitcode_source {
#define X(name, word) EXITCODE_FROM_##name,
	EXITCODE_SOURCES(X)
#undef X
		_EXITCODE_SOURCE_MAX,
};

struct exitcode {
	int code;
	enum exitcode_source source;
};

const char *exitcode_source_name(enum exitcode_source s);

/* A job in this state, with the code of its failure; exit_code and signal_no of its command are -1
 * and 0 if it has none. A state that is not final means that waiting ended first. */
struct exitcode exitcode_of_job(
	enum outcome_state state, enum outcome_code code, int exit_code, int signal_no);
/* The same of a verb that does not hand the code on: 0, 1, or 130 if it was cancelled. */
struct exitcode exitcode_plain(struct exitcode of_job);
/* The daemon refused the request. for_job: the verb stands for one job. */
struct exitcode exitcode_of_refusal(bool for_job, enum outcome_code code);
/* The connection cannot be made or broke. */
struct exitcode exitcode_of_connection(bool for_job);
/* Wrong arguments. */
struct exitcode exitcode_of_usage(bool for_job);
/* A signal ended poolctl. */
struct exitcode exitcode_of_interrupt(void);
/* poolctl itself failed: a file, its output. */
struct exitcode exitcode_of_own(bool for_job);
