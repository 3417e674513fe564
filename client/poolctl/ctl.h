/* One run of poolctl: the global options, the connection, and how failures are said. */
#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "client/poold.h"
#include "client/poolctl/exitcode.h"
#include "client/poolctl/opt.h"
#include "proto/base.h"

/* For an answer that the daemon need not wait for: one that takes longer hangs. $POOLD_TIMEOUT is
 * in its place. */
#define CTL_PATIENCE_US 30000000u

struct ctl {
	const char *socket; /* --socket; NULL: looked up */
	const char *color;
	bool json;
	bool quiet;
	bool no_legend;
	bool help;
	bool version;
	bool for_job;	       /* the verb hands the exit code of one job on */
	poold *client;	       /* NULL until ctl_connect() */
	uint64_t patience_us;  /* likewise */
	int signal_fd;	       /* of loop_catch_signals(); -1 */
	uint64_t signal_at_us; /* when the last one came */
	int signo;	       /* which it was */
	int owed_signo;	       /* one that came before there was an ID */
	bool has_pong;	       /* of loop_ping() */
};

/* The global options; they fill struct ctl. */
extern const struct opt ctl_options[];

void ctl_close(struct ctl *ctl);

/* Each says what failed (in JSON also on standard output) and returns the exit code. code is the
 * word for programs. */
int ctl_fail(struct exitcode e, const char *code, json_t *details, const char *format, ...)
	printf_like(4, 5);
/* Wrong arguments. */
int ctl_usage(struct ctl *ctl, const char *format, ...) printf_like(2, 3);
/* 0, or as ctl_usage() if there are more operands than that. */
must_check int ctl_most_operands(struct ctl *ctl, int most, int argc, char **argv);
/* poolctl itself failed: -errno, and at what (NULL: nothing to add). */
int ctl_own_failure(struct ctl *ctl, int r, const char *what);

/* Connects at the first call. 0 or the exit code. */
must_check int ctl_connect(struct ctl *ctl);
/* What the daemon says of itself. 0 or the exit code. */
must_check int ctl_hello(struct ctl *ctl, json_t **ret);
/* Is it the user's own daemon? Only that one gets working directory and environment. 0 or the exit
 * code. */
must_check int ctl_is_own(struct ctl *ctl, bool *ret);
/* A call to the library returned r: says so, be it that the connection is lost, that the daemon
 * does not answer (-ETIMEDOUT), or that a signal came (-EINTR). Returns the exit code. */
int ctl_call_failed(struct ctl *ctl, int r);
/* The daemon answered with an error: says which. Returns the exit code. */
int ctl_refused(struct ctl *ctl, poold_reply *reply);
/* Sends a request (consuming params, an array), waits for the answer, and gives the result as JSON.
 * 0, or the exit code after saying why not. */
must_check int ctl_ask(struct ctl *ctl, const char *method, json_t *params, json_t **ret);
