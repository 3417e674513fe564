/* What the tests of the core start from: two uids, a pool of two workers, limits in round numbers.
 */
#pragma once

#include "tests/lib/fake_shell.h"
#include "tests/unit/suite.h"

extern struct fake fake;
extern struct core *core;
extern struct pool *pool;
extern struct account *account[2];
extern struct fake_worker *worker[2];

/* Limits: bytes 1000 (1500 in all), jobs 10, futures 20, fds 50. Results: up to 100 bytes, 1 fd. */
void core_setup(void);
/* Nobody holds anything any more: looked at. */
void core_teardown(void);
/* Both workers are up and idle. */
void core_start_workers(void);

/* A job of uid 0 or 1 with these; ttl one hour. */
struct future *submit_with(uint32_t uid, struct submission s);
struct future *submit(uint32_t uid);
/* An object of uid 0, one fd; ttl 5 ms. */
struct future *put(uint64_t bytes);
/* By uid 42. */
enum cancel_outcome cancel(struct future *f, enum cancel_mode mode);
/* One more, handed over to the worker and received by it. The pool's other jobs are nowhere. */
struct future *submit_running(struct fake_worker **ret_worker);
/* Both workers are started, then that. */
struct future *start_running(struct fake_worker **ret_worker);
/* Both workers are started, and one has two jobs in its inbox. */
struct fake_worker *start_two(struct future **ret_first, struct future **ret_second);
/* Its worker. */
struct fake_worker *worker_of(const struct future *f);
/* The worker answers what it holds, `done` with this many bytes, and the daemon reads it. */
void finish(struct fake_worker *w, uint64_t bytes);
/* The worker dies, and is reaped. */
void bury(struct fake_worker *w);
/* The function's jobs are expected to take so long. */
void learn(struct function *fn, uint64_t run_ns);
/* Time passes, then the loop turns. */
void pass(uint64_t us);
uint64_t used(uint32_t uid, enum account_kind kind);
