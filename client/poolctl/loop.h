/* Waiting for the daemon and for signals at once. */
#pragma once

#include "client/poolctl/ctl.h"

enum {
	LOOP_SIGNAL = 1, /* SIGINT, SIGTERM or SIGHUP came */
	LOOP_INPUT = 2,	 /* the fd that was asked for can be read */
	LOOP_TIME = 4,	 /* the time is over */
};

/* From here on these signals are read by loop_turn() instead of ending the process. 0 or the exit
 * code. */
must_check int loop_catch_signals(struct ctl *ctl);
/* And SIGTSTP, which shows as ctl->signo. */
must_check int loop_catch_signals_and_stops(struct ctl *ctl);
/* Monotonic microseconds. */
uint64_t loop_now(void);
/* Unix seconds. */
double loop_unix_now(void);
/* Now + timeout; POOLD_FOREVER stays. */
uint64_t loop_until(uint64_t timeout_us);
/* Does one round of the library's work; if there is none, waits for the connection, a signal,
 * input_fd (-1: none) or the time until_us. Returns the LOOP_ bits of what came, or -errno. */
must_check int loop_turn(struct ctl *ctl, int input_fd, uint64_t until_us);
/* Asks whether the daemon answers at all, before calls of the library during which no signal is
 * read. 0, -ETIMEDOUT, -EINTR (a signal came), or -errno. */
must_check int loop_ping(struct ctl *ctl);
