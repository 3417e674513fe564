/* The end of a run: the job's end, or not yet. Inside the core only. */
#pragma once

#include "daemon/core/core.h"

/* How a run ended. */
struct run_end {
	enum future_state state; /* what the job becomes if it may not run again */
	enum future_failure failure;
	struct payload *value; /* result or details: the core's */
	uint64_t value_bytes;
	uint16_t value_fds;
};

/* f is out of its line, keeps its place in the queue, and holds no reservation. */
void attempt_over(struct core *c, struct future *f, const struct run_end *e, uint64_t now_us);
/* Would the end of the run that is being stopped be no end of the job? */
bool attempt_may_follow(const struct future *f);
/* What is written down of the runs before. */
void attempt_forget_all(struct core *c, struct future *f);

/* ---- where a job waits; it has its place in the queue's books ---- */

/* Into the queue: at its birth, after a delay, after a run. */
void attempt_queue(struct core *c, struct future *f, uint64_t now_us);
/* A job that was just made: delayed, blocked or in the queue, as its terms say. */
void attempt_first(struct core *c, struct future *f, uint64_t now_us);
/* What it stood aside for is over: it is blocked, or enters the queue. */
void attempt_wake(struct core *c, struct future *f, uint64_t now_us);
/* Out of wherever it waits, for good: it is not with a worker. */
void attempt_withdraw(struct future *f);
/* That, and final: a clock ended its wait. */
void attempt_time_out(struct core *c, struct future *f, enum future_clock clock, uint64_t now_us);
