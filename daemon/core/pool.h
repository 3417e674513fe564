/* A pool as the core sees it: functions, worker slots, and the queue before them. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "daemon/core/cost.h"
#include "daemon/core/future.h"
#include "daemon/core/queue.h"

enum pool_state {
	POOL_STARTING, /* the zygote has not reported yet */
	POOL_READY,
	POOL_FAILED,  /* its preload failed: jobs are refused with the reason */
	POOL_REMOVED, /* nobody finds it: what runs ends, what is kept can be read */
};

/* How much work a worker is given beyond its running job, at most, as far as history tells. */
#define POOL_AHEAD_US 500
/* One job alone may be expected to take longer, up to three quarters of this: a small command takes
 * as long as it takes to start it, and its worker is not to wait for the next one besides. */
#define POOL_SOON_US 1000
/* One packet for a worker: jobs, their inputs, and what they are expected to take together. */
#define POOL_PACK_JOBS	32
#define POOL_PACK_BYTES (64 * 1024)
#define POOL_PACK_US	100
/* So many jobs go ahead of need whatever room for their results takes of an account; more do only
 * as long as it is half empty. */
#define POOL_AHEAD_LEAST 2
/* After a result that has no room behind the first of a packet. */
#define POOL_APART_RESULTS 1000
/* A worker in whose inbox a job lay so long, since it last received any, is stopped, or hangs. */
#define POOL_DEAF_US 1000000
/* So long others that share its packet wait for a job; then its worker is killed. */
#define POOL_STUCK_US 1000000

enum slot_state {
	SLOT_EMPTY,    /* no worker; one is wanted */
	SLOT_STARTING, /* a fork was asked for; not ready yet */
	SLOT_IDLE,
	SLOT_BUSY,    /* jobs are handed over */
	SLOT_RINGING, /* a bell was rung: nothing more goes to this worker */
	SLOT_LEAVING, /* its link is closed, or it was killed; its death is awaited */
	_SLOT_STATE_MAX,
};

/* Whether a worker will be replaced while it still serves. */
enum slot_fate {
	FATE_STAYS,
	FATE_RETIRES, /* serves until there are enough without it */
	FATE_ENDS,    /* gets nothing more, and leaves when it is through */
	_FATE_MAX,
};

enum pool_sizing {
	SIZING_STATIC,	 /* n_workers */
	SIZING_DYNAMIC,	 /* as many as are busy, and some spare ones; n_workers at most */
	SIZING_ONDEMAND, /* none without work; n_workers at most */
	_SIZING_MAX,
};

const char *pool_sizing_name(enum pool_sizing s);

/* A function of a pool. Lives as long as the pool, also when a restarted zygote no longer has it.
 * What a future points to stays in its pool. */
struct function {
	char *name;
	size_t name_len;
	char *doc;
	struct pool *pool;
	bool is_pure;
	bool is_gone;
	bool is_stale;	      /* it ran since the means were taken */
	uint64_t mean_run_ns; /* of the last thousands, by function_mean_run_ns(); 0: no history */
	uint64_t soon_ns;     /* likewise, of each no more than POOL_SOON_US */
	uint64_t n_done;
	uint64_t n_failed; /* in whatever way */
	unsigned n_apart; /* so many results have to be small before its jobs share packets again */
	struct cost cost;
	struct function *next;
};

/* NULL: an object. */
static inline struct pool *future_pool(const struct future *f)
{
	return f->function ? f->function->pool : NULL;
}

/* A place for a worker: when its worker dies, the next one takes the same place. */
struct slot {
	struct pool *pool;
	unsigned number; /* within the pool, from 0 */
	enum slot_state state;
	enum slot_fate fate;
	void *shell; /* the worker's link */
	/* Handed over, neither answered nor taken back; the first is running. */
	struct futures line;
	unsigned n_line;
	uint64_t ahead_ns;   /* what all but the first are expected to take */
	bool has_received;   /* the first of the line, as a look into the inbox showed */
	uint64_t unheard_us; /* how long jobs lay there that came back, since it received one */
	uint32_t next_msgid;
	uint64_t refused_turn;	/* in this turn of the core its link took nothing */
	uint64_t serial;	/* of this worker in its pool, from 1 */
	uint64_t ready_us;	/* when this worker was ready */
	uint64_t n_done;	/* answers of this worker */
	uint64_t n_done_most;	/* retires then; 0: never */
	uint64_t rss_kib;	/* after its last job; 0: not known */
	uint64_t since_us;	/* in this state */
	uint64_t busy_us;	/* when it last had nothing to do, and got a job */
	struct heap_node timer; /* leaving: when to kill; else: when it is too old */
	struct heap_node taker; /* among those that may have jobs ahead of need */
	TAILQ_ENTRY(slot) in_state;
};

TAILQ_HEAD(slots, slot);

struct pool_config {
	const char *name;
	enum pool_sizing sizing;
	unsigned n_workers;    /* also the most jobs that run at once */
	unsigned n_standby;    /* workers beyond these: ready to take the place of one that dies */
	unsigned min_spare;    /* dynamic: idle ones, at least */
	unsigned max_spare;    /* dynamic: idle ones, at most */
	uint64_t idle_us;      /* those beyond that leave when they were idle so long */
	unsigned spawns_per_s; /* 0: any number */
	uint64_t max_jobs;     /* a worker is replaced after so many, about; 0: never */
	uint64_t max_age_us;   /* after this time, about; 0: never */
	uint64_t max_rss_kib;  /* when it was larger after a job; 0: never */
	unsigned ahead_max;    /* jobs handed over beyond the running one, at most */
	uint64_t max_result_bytes;
	uint16_t max_result_fds;
	uint64_t packed_result_bytes; /* likewise, behind the first of a packet; no fds then */
	uint64_t grace_us;	      /* default of its jobs */
	uint64_t timeout_us;	      /* default of its jobs; 0: none */
	uint64_t ageing_us; /* what one step of priority weighs, as time waited; 0: more than any */
	unsigned poison;    /* a job under which so many workers died ends; 0: no such limit */
};

struct pool {
	struct core *core;
	char *name;
	size_t name_len;
	struct pool_config config; /* name: the pool's own copy */
	enum pool_state state;
	char *reason;	  /* failed, or workers die at start: why */
	bool is_paused;	  /* nothing is handed over */
	bool is_draining; /* takes no new jobs, and needs no workers without jobs */
	void *shell;
	struct function *functions;
	unsigned n_functions;
	struct slot **slots; /* each where it is for good */
	unsigned n_slots;
	struct slots by_state[_SLOT_STATE_MAX];
	unsigned n_by_state[_SLOT_STATE_MAX];
	unsigned n_by_fate[_FATE_MAX][_SLOT_STATE_MAX];
	unsigned n_lines;   /* slots that have a line: jobs that run */
	unsigned n_ahead;   /* jobs handed over that are not the first in their line */
	struct heap takers; /* while jobs are handed over: the least burdened worker first */
	struct queue queue;
	struct futures aside; /* jobs that wait, and are not in the queue: delayed */
	uint64_t n_aside;
	bool is_proven;		  /* a worker of this zygote was ready once */
	bool has_answered;	  /* a worker of this code answered a job */
	unsigned n_failed_starts; /* in a row */
	unsigned blame;		  /* points for these */
	bool is_failing_in_job;	  /* the last of them died in its first job */
	bool may_try;		  /* then: somebody is there for one job */
	uint64_t failed_us;	  /* when that was known */
	uint64_t failed_serial;	  /* workers up to this one were forked before that */
	uint64_t old_serial;	  /* workers up to this one run other code */
	uint64_t recover_at_us;	  /* the worker on trial has proved itself; HEAP_NEVER */
	uint64_t spawn_at_us;	  /* not before: back-off */
	uint64_t rate_us;	  /* when the spawns so far were due at the bounded rate */
	uint64_t look_us;	  /* a job may lie in a deaf worker's inbox then; HEAP_NEVER */
	uint64_t wake_us;	  /* something is due then; HEAP_NEVER */
	struct heap_node timer;	  /* that time */
	uint64_t n_unfinished;	  /* jobs that are not final */
	uint64_t n_users;	  /* futures, and others who hold it: it is not freed before */
	uint64_t n_finished[_FUTURE_STATE_MAX]; /* final states so far */
	uint64_t n_submitted;
	uint64_t n_spawned;
	uint64_t n_deaths; /* not by our wish */
	TAILQ_ENTRY(pool) in_core;
};

TAILQ_HEAD(pools, pool);

/* What pools came to so far. */
struct pool_sums {
	uint64_t n_submitted;
	uint64_t n_finished[_FUTURE_STATE_MAX];
	struct cost cost; /* not what the last runs were like */
};
void pool_add_sums(struct pool_sums *sums, const struct pool *p);

__attribute__((warn_unused_result)) int pool_new(
	struct core *core, const struct pool_config *config, void *shell, struct pool **ret);
/* One more place for a worker, empty. The caller has a timer for it. -ENOMEM. */
__attribute__((warn_unused_result)) int pool_add_slot(struct pool *p);
/* Its queue and its slots' lines are empty. */
struct pool *pool_free(struct pool *p);
/* The one door; `now_us` starts the time in the new state. */
void slot_set_state(struct slot *s, enum slot_state to, uint64_t now_us);
bool slot_may_become(enum slot_state from, enum slot_state to);
void slot_set_fate(struct slot *s, enum slot_fate to);
/* Sends its worker home. */
void slot_dismiss(struct slot *s, uint64_t now_us);
/* Its worker is killed; nothing more is expected of it. */
void slot_kill(struct slot *s, uint64_t now_us);

/* Adds a function, or brings back one that was gone, with new words. -ENOMEM. */
__attribute__((warn_unused_result)) int pool_put_function(
	struct pool *p, const char *name, const char *doc, bool is_pure);
/* All functions are gone until pool_put_function() brings them back: before a zygote's report. */
void pool_clear_functions(struct pool *p);
/* NULL if there is none, or it is gone. */
struct function *pool_find_function(struct pool *p, const char *name, size_t len);
/* Why it is as it is; the text is copied (out of memory: no reason). NULL: nothing is wrong. */
void pool_set_reason(struct pool *p, const char *reason);
void pool_set_failed(struct pool *p, const char *reason);
/* It will never run a job again, unless it is made anew. */
static inline bool pool_is_closed(const struct pool *p)
{
	return p->state >= POOL_FAILED;
}
/* p has the functions of `from`, which loses them; others of p are gone. */
void pool_take_functions(struct pool *p, struct pool *from);
/* How long a job of this function is expected to run; and how long to keep others waiting that can
 * be taken back. Without history: as long as what may be handed over ahead of need, so that there
 * is one of it. */
uint64_t function_run_ns(struct function *fn);
uint64_t function_wait_ns(struct function *fn);
/* The means themselves. They are taken when somebody asks. */
uint64_t function_mean_run_ns(struct function *fn);
uint64_t function_soon_ns(struct function *fn);
/* Its jobs nearly always keep others waiting too long. */
bool function_is_long(struct function *fn);
/* What runs longer than twice as long as expected, and than POOL_AHEAD_US, runs late. */
uint64_t function_late_us(struct function *fn);
/* Learns from the end of a job, and of its last run. */
void function_learn(struct function *fn, const struct future *f);
/* Learns from a run that is not the end. */
void function_learn_run(struct function *fn, const struct future *f);
/* Whether an answer would have had room behind the first of a packet. */
void function_learn_result(struct function *fn, bool is_small);
