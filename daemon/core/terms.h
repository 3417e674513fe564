/* What a job asked for beyond the ordinary: further clocks, a delay, further attempts. Most jobs
 * have none of it: future_terms() is NULL. Charged to the owner while the record is kept. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "daemon/core/edge.h"
#include "daemon/core/heap.h"

/* Attempts that are written down: the newest. */
#define TERMS_ATTEMPTS 8

struct future;
struct payload;

/* What can end a job by time. */
enum future_clock {
	FUTURE_CLOCK_NONE,
	FUTURE_CLOCK_START_WITHIN,
	FUTURE_CLOCK_TIMEOUT,
	FUTURE_CLOCK_DEADLINE,
};

/* Which ends of an attempt permit another one. */
enum {
	RETRY_ON_LOST = 1 << 0,
	RETRY_ON_FAILED = 1 << 1,
	RETRY_ON_TIMEOUT = 1 << 2,
};

/* As a submit says it: spans from then on; 0: not asked for. */
struct wishes {
	uint64_t delay_us;
	uint64_t start_within_us;
	uint64_t deadline_us;
	uint64_t backoff_us;
	uint64_t retry_of;	   /* the job that this one repeats */
	const struct after *after; /* the caller's, for the submit alone */
	uint32_t n_after;
	uint16_t retries;
	uint8_t retry_on;
};

/* A run that was not the end. */
struct attempt {
	STAILQ_ENTRY(attempt) next;
	struct payload *details; /* the shell's words */
	uint32_t bytes;		 /* charged */
};

/* Times are absolute; HEAP_NEVER: none. */
struct terms {
	uint64_t not_before_us; /* delayed until then */
	uint64_t start_by_us;	/* of this stay in the queue */
	uint64_t deadline_us;
	struct wishes wishes;
	STAILQ_HEAD(, attempt) attempts; /* oldest first */
	uint16_t n_kept;
	uint16_t n_ended;      /* runs that were not the end, also those not kept */
	uint16_t n_retries;    /* of them, those that `retries` paid for */
	uint16_t n_deaths;     /* of them, those that lost a worker */
	uint64_t root_id;      /* aborted for what it depended on: where that began */
	uint64_t object_bytes; /* of values of other futures that its last run brought along */
	uint64_t room_bytes; /* for the largest result of those that it waited for at its birth, */
	uint32_t room_fds;   /* and of those that they waited for: see reservation_beside() */
	uint32_t n_edges;
	uint32_t n_left; /* of them, not settled */
	struct edge edges[];
};

/* What the terms of these wishes count for; 0: none are needed. */
size_t terms_bytes(const struct wishes *w);
/* NULL: no memory. */
struct terms *terms_new(const struct wishes *w, uint64_t now_us);
/* No attempt is left. Takes NULL, returns NULL. */
struct terms *terms_free(struct terms *t);

/* The earliest clock that counts in the future's state: HEAP_NEVER if none does. Not of
 * `cancelling`. */
uint64_t terms_next_us(const struct future *f);
/* The clock that ended its time in this state by now, the earlier one of two. */
enum future_clock terms_due(const struct future *f, uint64_t now_us);
