/* One job from the hand-in to its end. */
#pragma once

#include "client/poolctl/ending.h"
#include "client/poolctl/jobargs.h"

static inline void future_freep(poold_future **f)
{
	*f = poold_future_unref(*f);
}

/* poold_submit(), or poold_put() if function is NULL, as soon as there is room. 0 or -errno. */
must_check int job_submit(struct ctl *ctl, const char *function, const struct input *in,
	const poold_options *options, poold_future **ret);
/* Connects, hands in and waits for the ID; in is used up. 0, or the exit code after saying why it
 * was refused. */
must_check int job_hand_in(struct ctl *ctl, const char *function, struct input *in,
	const poold_options *options, poold_future **ret);
/* Waits until it is settled, the time until_us comes (and job_ask() says no), or a signal
 * (loop_catch_signals()). 0 and *ret_came, the LOOP_ bits (0: it is settled), and *ret_state, how
 * it stands; or the exit code after saying what failed. */
must_check int job_await(
	struct ctl *ctl, poold_future *f, uint64_t until_us, int *ret_came, poold_state *ret_state);
/* The time is over: has it ended nevertheless? The daemon is asked, for with a time of 0 nothing
 * may have arrived yet. 0 and *ret_state, settled if the future is, or -errno. */
must_check int job_ask(struct ctl *ctl, poold_future *f, poold_state *ret_state);
/* The future of an ID, as soon as there is room to ask for it. 0 or -errno. */
must_check int job_open(struct ctl *ctl, uint64_t id, poold_future **ret);
/* Says how it ended, as a verb does that hands the job's code on: with --json a document, else a
 * sentence if it is not plain from the code. Returns the exit code. */
int job_tell_end(struct ctl *ctl, poold_future *f);
/* The daemon did not take it, or does not know it: says why. Returns the exit code. */
int job_tell_refusal(struct ctl *ctl, poold_future *f);
/* Poolctl got a signal; the job goes on. Returns the exit code. */
int job_tell_interrupt(struct ctl *ctl, uint64_t id);
/* Waiting ended before the job, which is in this state. Returns the exit code. */
int job_tell_unfinished(struct ctl *ctl, uint64_t id, poold_state state);
/* Says the ID of a new "job" or "object": alone, unless a person reads it. */
void job_print_id(struct ctl *ctl, uint64_t id, const char *what);
