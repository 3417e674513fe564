/* The record of one job, or of one `put` value: its state, its value or failure, its times. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "daemon/core/account.h"
#include "daemon/core/heap.h"
#include "daemon/core/terms.h"

/* What a node of the core's timers belongs to: heap_node.owner. */
enum core_timer {
	CORE_TIMER_FUTURE,
	CORE_TIMER_SLOT,
	CORE_TIMER_POOL,
	CORE_TIMER_ADMISSION,
};

struct core;
struct edge;
struct function;
struct lane;
struct pool;
struct slot;
struct tags;

/* The shell's: bytes and fds of a value, and texts that the core does not look at. */
struct payload;
struct future_extra;

enum future_state {
	FUTURE_DELAYED,
	FUTURE_BLOCKED,
	FUTURE_QUEUED, /* also in a worker's inbox behind another job: it can be taken back */
	FUTURE_RUNNING,
	FUTURE_CANCELLING, /* the bell was rung; `ending` tells what it will become */
	FUTURE_DONE,	   /* this and all behind it are final */
	FUTURE_FAILED,
	FUTURE_CANCELLED,
	FUTURE_TIMEOUT,
	FUTURE_LOST,
	FUTURE_ABORTED,
	_FUTURE_STATE_MAX,
};

static inline bool future_state_is_final(enum future_state s)
{
	return s >= FUTURE_DONE;
}

/* Why a future is not `done`. */
enum future_failure {
	FAILURE_NONE,
	FAILURE_FUNCTION,  /* the function said so: details in `value` */
	FAILURE_EXIT,	   /* a command's exit code */
	FAILURE_SIGNAL,	   /* a command's signal */
	FAILURE_TOO_LARGE, /* the result */
	FAILURE_INPUTS,	   /* what its inputs bring along is more than one run may have */
	FAILURE_QUOTA,	   /* max_result exceeds the owner's whole quota */
	FAILURE_HELD,	   /* it exceeds what jobs' inputs leave of it */
	FAILURE_TIMEOUT,   /* by f->clock */
	FAILURE_POISON,	   /* too many workers died under it */
	FAILURE_CANCELLED,
	FAILURE_LOST,	  /* details in `value` */
	FAILURE_SHUTDOWN, /* aborted: the daemon stops */
	FAILURE_POOL,	  /* aborted: the pool is gone */
	FAILURE_INPUT,	  /* aborted: what it depended on is not done */
};

enum future_ending {
	ENDING_NONE,
	ENDING_CANCEL,
	ENDING_TIMEOUT,
	ENDING_SHUTDOWN,
};

enum cancel_mode {
	CANCEL_QUEUED,
	CANCEL_TERM,
	CANCEL_KILL,
};

/* Somebody who wants to know the end. Embedded by the shell; told once, then out of the list. One
 * that watches is told of every other state before it, and stands before those that do not. */
struct waiter {
	struct waiter *prev, *next; /* in the ring of its future */
	struct future *future;	    /* that it waits for, or did last; NULL */
	bool is_waiting;
	bool is_watching;
	bool is_await; /* the embedder's: what kind it is */
};

/* Bytes by the way they went. */
struct moved {
	uint64_t inline_bytes;
	uint64_t memfd_bytes;
	uint64_t copied_bytes;
};

/* What a job has from when it is handed over until it is back in the queue, or forgotten. */
struct run {
	struct slot *slot; /* until it was answered, or lost with its worker */
	uint32_t msgid;	   /* on the link of its slot */
	uint32_t wait_ns;  /* how long it is expected to keep others waiting */
	uint16_t attempt;
	uint8_t place;	       /* in its packet */
	uint16_t result_fds;   /* the room that it has for the result */
	uint64_t result_bytes; /* likewise */
	uint64_t head_us;      /* first in its worker's line; 0: never */
	uint64_t started_us;
	uint64_t run_us;
	struct moved out;
	/* Of one that was not the end, while it is written down. */
	struct payload *value;
	uint64_t finished_us;
};

/* Of a future without one. Nobody writes to it. */
extern const struct run run_none;

static inline struct run *future_no_run(void)
{
	return (struct run *)(uintptr_t)&run_none;
}

/* What a future came to: once it is final. */
struct ending {
	struct payload *value; /* result, or details of a failure */
	uint64_t finished_us;
	uint64_t seq;	       /* order of completion */
	uint64_t copied_bytes; /* of the value and of output, by the daemon, for clients */
};

/* What few futures have. Made for the first of it and charged to the owner; goes with the record. */
struct annex {
	struct terms *terms; /* NULL: an ordinary job, or an object */
	struct tags *tags;   /* NULL: neither group nor key */
	struct future_extra *extra;
};

struct future {
	struct future *next_in_table;
	struct account *account;
	struct function *function; /* NULL: an object */
	struct payload *input;	   /* gone when it is done; one that is lent, at any end */
	struct annex *annex;	   /* NULL: as most */
	struct edge *dependents;   /* who waits for its end; a ring */
	struct waiter *waiters;	   /* the first one; a ring as utlist.h has it */

	enum future_state state : 8;
	enum future_failure failure : 8;
	enum future_ending ending : 8;
	enum cancel_mode cancel_mode : 8;
	bool is_released : 1;	/* nobody finds it any more; it goes when its last waiter is told */
	bool is_reserved : 1;	/* room for its result is taken */
	bool is_settling : 1;	/* final, and not all dependents know: pinned */
	bool is_ranked : 1;	/* in its lane's heap when it waits, not in the list */
	bool is_watched : 1;	/* its first waiter watches */
	bool is_input_lent : 1; /* the client has use for it too: kept no longer than it may run */
	bool is_over : 1;	/* about to be forgotten */
	bool is_each : 1;	/* its input is an array, the function runs once for each element */
	bool is_alone : 1;	/* shares no packet: a worker died while one had it */
	uint8_t shelf_row : 3;	/* 1 + where it stands until it goes; 0: its timer is in the heap */
	enum future_clock clock : 2; /* that ended it, or the run being stopped */
	uint32_t n_pins;	     /* the shell still sends from it, or it is an input of a job */
	uint32_t n_users; /* jobs of its owner that are not final, and whose input it is */
	int32_t priority;
	uint32_t cancel_uid; /* who cancelled it */

	struct run *run;	     /* or run_none */
	TAILQ_ENTRY(future) in_line; /* queue, slot, aside, shelf, or the freed */
	TAILQ_ENTRY(future) in_uid;  /* all of one uid, by ID */
	union {
		struct heap_node timer; /* whatever clock is next; of equal ones the older's */
		struct {
			uint64_t timer_key;
			uint64_t id;
		};
	};
	/* The one until it left the queue for good, the other from then on. */
	union {
		struct {
			struct lane *lane;
			struct heap_node rank; /* when its turn comes there; the queue's */
		};
		struct ending end;
	};

	uint64_t input_bytes; /* charged to the account while the input is kept */
	uint64_t kept_bytes;  /* charged as long as the record: texts, value */
	uint16_t input_fds;
	uint16_t kept_fds;
	union {
		uint32_t texts_bytes; /* of kept_bytes, what counts as the job's, until its end */
		uint32_t later_bytes; /* final, with users: of them, what does not as jobs' */
	};

	uint64_t timeout_us; /* 0: none */
	uint64_t grace_us;
	uint64_t ttl_us;
	uint64_t submitted_us;
	uint64_t in_memfd_bytes; /* future_in() */
	uint32_t in_inline_bytes;
	uint32_t in_copied_bytes; /* no more than fits */
};

/* ---- the table of all futures, by ID ---- */

/* Futures to a bucket, before there are twice as many buckets. */
#define FUTURE_TABLE_CHAIN 2u

struct future_table {
	struct future **buckets;
	uint32_t n_buckets; /* a power of two */
	uint32_t n;
};

__attribute__((warn_unused_result)) int future_table_init(struct future_table *t);
void future_table_deinit(struct future_table *t);
void future_table_add(struct future_table *t, struct future *f);
void future_table_remove(struct future_table *t, struct future *f);
struct future *future_table_find(const struct future_table *t, uint64_t id);

/* ---- one future ---- */

/* The one door: asserts that the move is legal. Tells those who watch, unless it is the end. */
void future_set_state(struct future *f, enum future_state to);
bool future_may_become(enum future_state from, enum future_state to);
/* Seconds of its life, in µs; what did not happen is 0. */
struct future_timing {
	uint64_t queued_us;
	uint64_t handover_us;
	uint64_t run_us;
	uint64_t return_us;
};
struct future_timing future_timing(const struct future *f, uint64_t now_us);
uint32_t future_uid(const struct future *f);
/* Of one that is not final, what its run came to. NULL. */
static inline struct payload *future_value(const struct future *f)
{
	return future_state_is_final(f->state) ? f->end.value : f->run->value;
}
/* Likewise; 0: it goes on. */
static inline uint64_t future_finished_us(const struct future *f)
{
	return future_state_is_final(f->state) ? f->end.finished_us : f->run->finished_us;
}
/* Until it left the queue for good; NULL. */
static inline struct lane *future_lane(const struct future *f)
{
	return future_state_is_final(f->state) ? NULL : f->lane;
}
/* Of one that is final and has users: of kept_bytes, what counts as jobs'. */
static inline uint64_t future_lent_bytes(const struct future *f)
{
	return f->kept_bytes - f->later_bytes;
}
/* NULL, each of them. */
static inline struct terms *future_terms(const struct future *f)
{
	return f->annex ? f->annex->terms : NULL;
}
static inline struct tags *future_tags(const struct future *f)
{
	return f->annex ? f->annex->tags : NULL;
}
static inline struct future_extra *future_extra(const struct future *f)
{
	return f->annex ? f->annex->extra : NULL;
}
/* What an annex will count for; 0: f has it. */
static inline uint32_t future_annex_bytes(const struct future *f)
{
	return f->annex ? 0 : sizeof(struct annex);
}
/* One that has it is fine. Who calls has charged it. -ENOMEM. */
__attribute__((warn_unused_result)) int future_take_annex(struct future *f);
/* What it was given, as it came. */
static inline struct moved future_in(const struct future *f)
{
	return (struct moved){f->in_inline_bytes, f->in_memfd_bytes, f->in_copied_bytes};
}
static inline void future_set_in(struct future *f, const struct moved *in)
{
	f->in_memfd_bytes = in->memfd_bytes;
	f->in_inline_bytes = (uint32_t)in->inline_bytes;
	f->in_copied_bytes = in->copied_bytes < UINT32_MAX ? (uint32_t)in->copied_bytes
							   : UINT32_MAX;
}
/* What it gave back, as it went. */
struct moved future_out(const struct future *f);
/* -ENOMEM. */
__attribute__((warn_unused_result)) int future_take_run(struct core *c, struct future *f);
/* One that has none is fine. */
void future_give_run(struct core *c, struct future *f);
/* Of those who watch, the one behind w (NULL: the first); NULL. */
struct waiter *future_next_watcher(const struct future *f, struct waiter *w);
/* NULL: it was submitted into none. */
const char *future_group(const struct future *f);
