/* The process of a pool that loads its code once and then only forks workers. */
#pragma once

#include <event2/event.h>
#include <stdbool.h>

#include "daemon/config.h"
#include "daemon/core/core.h"
#include "daemon/output.h"
#include "daemon/reaper.h"
#include "daemon/worker_link.h"
#include "proto/base.h"

/* Fork requests under way at once. */
#define ZYGOTE_FORKS_MAX 4u

enum zygote_state {
	ZYGOTE_DOWN,  /* no process; started when its timer says so */
	ZYGOTE_SETUP, /* it loads and prepares */
	ZYGOTE_READY,
	ZYGOTE_LEAVING, /* its control socket is closed, or it was killed for good */
	ZYGOTE_GONE,	/* no process, and there will be none */
	_ZYGOTE_STATE_MAX,
};

struct zygote_fork {
	uint32_t msgid;
	struct worker_link *link;
};

struct zygote {
	const struct config_pool *config; /* borrowed, unless it is own_config */
	struct config_pool *own_config;	  /* of a pool that was removed */
	const char *program;		  /* borrowed: path of poold-worker */
	struct links *links;
	struct pool *pool;
	struct cgroup_pool cgroup;
	enum zygote_state state;
	bool is_dead;	   /* its pidfd told so: zygote_bury() is due */
	bool is_short;	   /* no fds or memory for another worker: said once */
	char breach[128];  /* why it had to be killed; empty: it had not */
	bool was_degraded; /* the pool, when that was last told */
	bool has_settled;  /* the pool has been ready, or has failed */
	bool is_prepared;  /* for a configuration that is not decided: its pool is only prepared */
	bool is_retired;  /* another one has its pool, or nobody: goes when nothing is left of it */
	bool is_over;	  /* retired, and nothing is left of it */
	uint64_t rss_kib; /* when it was set up */
	struct process process;
	struct event *on_death;
	struct event *timer; /* down: when to start; set-up or forking: when it is too late */
	struct event *on_packet;
	int control; /* SEQPACKET, ours */
	uint32_t next_msgid;
	struct zygote_fork forks[ZYGOTE_FORKS_MAX];
	unsigned n_forks;
	unsigned n_failed; /* set-ups in a row */
	unsigned n_deaths; /* without a long life between: back-off */
	uint64_t ready_us; /* since when */
	struct output output;
	struct log_limit limit;
	TAILQ_ENTRY(zygote) in_all;
};

/* Starts it at the next turn of the loop. p's shell is the zygote; cgroup is taken over. */
must_check int zygote_init(struct zygote *z, struct links *links, const struct config_pool *config,
	const char *program, const struct cgroup_pool *cgroup, struct pool *p);
/* Its process was reaped, or never was. */
void zygote_deinit(struct zygote *z);
/* Asks for a worker. False: not now. */
must_check bool zygote_fork(struct zygote *z, struct slot *s);
/* is_dead: reads its last words, reaps it, lets what it was to fork fail, and starts the next one
 * unless that is over. False: it is not dead yet. */
must_check bool zygote_bury(struct zygote *z);
/* Is as if it had never been asked for: a worker whose fork is under way comes nevertheless. */
void zygote_retire(struct zygote *z);
/* Goes home, now or as soon as it is there. */
void zygote_dismiss(struct zygote *z);

/* A fresh worker of this size serves: if it is the first one and too large for max_rss, no other
 * will do better, and the pool has failed. */
void zygote_weigh(struct zygote *z, uint64_t rss_kib);

/* Logs whether its pool became degraded, or well again. */
void zygote_tell_health(struct zygote *z);

/* For zygote_reader. */
void zygote_set_state(struct zygote *z, enum zygote_state to);
void zygote_set_timer(struct zygote *z, uint64_t within_us);
/* The pool has failed: no more workers, and what is left of the process goes. */
void zygote_fail(struct zygote *z, const char *reason);
/* Kills it; its death is the rest. */
void zygote_break(struct zygote *z, const char *reason);
