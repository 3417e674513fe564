/* The workers' half of the daemon by itself: a real loop and core, workers_* wired straight to it,
 * real processes. No clients: futures are looked at where they are. */
#pragma once

#include <check.h>

#include "daemon/config.h"
#include "daemon/core/core.h"
#include "daemon/payload.h"
#include "daemon/workers.h"
#include "proto/cursor.h"

#define WORKBENCH_POOLS 2

struct workbench {
	struct event_base *base;
	struct event *timer;
	struct config config;
	struct config_pool pools[WORKBENCH_POOLS];
	struct core core;
	struct account *account; /* whose jobs are submitted */
	struct workers *workers;
	unsigned n_fds; /* before */
	char worker[4096];
};

/* Not started yet: pools may be changed. `worker` is a path in the build tree. */
void workbench_init(struct workbench *b, const char *worker);
struct config_pool *workbench_add_pool(
	struct workbench *b, const char *name, enum config_handler handler, unsigned n_workers);
/* A module pool of a module in the build tree. */
void workbench_add_module(struct workbench *b, const char *name, unsigned n_workers);
/* The loop and the core, without workers. */
void workbench_prepare(struct workbench *b);
/* Returns when every pool is ready or has failed. */
void workbench_start(struct workbench *b);
/* Drains, waits until the last process is gone, and finds everything as it was before. */
void workbench_stop(struct workbench *b);

/* One turn of the loop; waits for events, yet no longer than a moment. */
void workbench_turn(struct workbench *b);
/* Turns until `is_so`; a test that waits too long fails. */
#define workbench_until(b, is_so)                                                                  \
	do {                                                                                       \
		uint64_t end_us_ = workbench_deadline_us();                                        \
		while (!(is_so)) {                                                                 \
			ck_assert_msg(!workbench_is_late(end_us_), "not in time: %s", #is_so);     \
			workbench_turn(b);                                                         \
		}                                                                                  \
	} while (0)
uint64_t workbench_deadline_us(void);
bool workbench_is_late(uint64_t deadline_us);

/* The pool's name is part of the address: "pool/function". 0: the pool's time-out, grace. */
struct future *workbench_submit(struct workbench *b, const char *address, const void *input,
	size_t len, uint64_t timeout_us, uint64_t grace_us);
/* `sh -c script` in pool `default`. */
struct future *workbench_shell(
	struct workbench *b, const char *script, uint64_t timeout_us, uint64_t grace_us);
struct future *workbench_number(struct workbench *b, const char *address, uint64_t n);
/* A byte string in shared memory; fd is consumed. */
struct future *workbench_memfd(struct workbench *b, const char *address, int fd);
/* Jobs are this uid's from now on. */
void workbench_be(struct workbench *b, uint32_t uid);
void workbench_await(struct workbench *b, const struct future *f);
/* The first child that is none of the pool's workers. */
pid_t workbench_zygote(const struct pool *p);
struct pool *workbench_pool(struct workbench *b, const char *name);

/* An entry of the map that f's value is; the test fails if there is none. */
struct cursor workbench_entry(const struct future *f, const char *key);
bool workbench_has_entry(const struct future *f, const char *key);
uint64_t workbench_entry_uint(const struct future *f, const char *key);
bool workbench_entry_is(const struct future *f, const char *key, const char *text);
