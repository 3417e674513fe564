/* One run of the simulator: the core, its fake shell, and what a witness who sees everything knows
 * about each future. Everything follows from the seed. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "tests/lib/fake_shell.h"

enum {
	WORLD_UIDS = 3,
	WORLD_POOLS = 4, /* the last one comes and goes */
	WORLD_WAITERS = 48,
	WORLD_PINS = 8,
	WORLD_AFTER = 3,
	WORLD_SLOTS = 16, /* of a pool, at most */
	WORLD_VISITS = 12,
};

/* How a worker behaves; chosen when it is forked. */
enum worker_kind {
	KIND_GOOD,
	KIND_FRAGILE, /* dies of the bell, as a program without a handler does */
	KIND_DEAF,    /* hears no bell, sees no end of file, receives late */
	KIND_OLD,     /* asks to be replaced now and then */
	KIND_SILENT,  /* never answers */
	/* From here on it breaks the protocol. */
	KIND_WRONG,  /* answers with numbers of its own */
	KIND_TWICE,  /* answers twice */
	KIND_GREEDY, /* receives while it still holds a job */
	KIND_EAGER,  /* answers what it has not received */
	_KIND_MAX,
};

/* What the witness knows of one future. */
struct record {
	uint64_t id;
	uint64_t input_bytes;
	uint64_t extra_bytes;
	uint32_t kept_bytes; /* of it, what came later */
	bool has_annex;	     /* from its birth on */
	uint64_t timeout_us;
	uint64_t ttl_us;
	uint64_t submitted_us;
	struct wishes wishes;
	uint64_t after[WORLD_AFTER];
	bool is_after_any[WORLD_AFTER];
	bool is_input[WORLD_AFTER];
	bool is_too_large; /* with its inputs */
	uint64_t named_in; /* the last ledger in which an unfinished job named it */
	unsigned n_users;  /* of it as an input; counted anew */
	unsigned n_after;
	uint64_t room[2]; /* bytes and fds, for results of those that it waited for */
	uint64_t root;	  /* aborted for its input: what it names */
	const char *group, *key;
	uint64_t content;
	bool is_maybe_pure;   /* its function is, now and then */
	bool may_run_again;   /* its last run ended in a way that permits it */
	bool is_end_in_sight; /* a cancel was acknowledged: no further run */
	bool must_be_alone;   /* a worker died that had received it */
	unsigned n_free_runs; /* that ended with another one's */
	unsigned n_deaths;    /* of workers that had received it */
	unsigned n_rung;
	uint32_t uid;
	uint16_t input_fds;
	bool is_job;
	bool is_released;
	bool is_withdrawn;
	bool is_cancel_asked;
	bool is_gone;	/* not in the core any more */
	bool is_exempt; /* a hostile worker had it: no promise about its one answer */
	bool died_with; /* a worker that had received it died before it answered */
	unsigned n_started;
	bool is_answered; /* sent, perhaps not read */
	bool is_answer_failure;
	int32_t priority;
	uint64_t entered_us;	/* the queue, this time */
	uint64_t not_before_us; /* it does not start: somebody was told so */
	uint64_t entry;		/* as which of all */
	uint64_t wait_ns;	/* when it was handed over */
	bool is_charged;	/* its uid, with charge_us for this job */
	uint64_t charge_us;
	bool is_final;
	bool is_end_seen; /* else it ended and was forgotten in one step */
	enum future_state state;
	enum future_failure failure;
	uint64_t final_seq;
	const struct payload *value;
};

struct world_waiter {
	struct fake_waiter fake;
	bool is_waiting;
	uint64_t id;
};

/* A request that waits to be let in: so many of the same, all or none. */
struct world_visit {
	struct admission a;
	bool is_waiting;
	uint64_t number; /* the lower came first */
	uint32_t uid;
	bool is_job;
	const char *pool;
	struct submission s; /* but for what is made for each try */
	uint64_t after_id;   /* 0: none */
	unsigned n;
};

/* What the witness knows of the fairness between uids in one pool. */
struct shares {
	uint64_t now_us;     /* where the uid stood that was served last */
	uint64_t entered_us; /* when the last job entered */
	struct share {
		uint64_t time_us;
		uint64_t lifted_us; /* of it, for idleness while a job was still running */
	} of[WORLD_UIDS];
	/* overtaken[a][b]: b was served since a, who waits, was. */
	bool overtaken[WORLD_UIDS][WORLD_UIDS];
};

#define WORLD_RSS_KIB 2000

/* What the witness knows of the size of one pool. */
struct sizes {
	bool is_paused;
	bool is_draining;
	uint64_t n_forks;
	unsigned n_failed;	    /* starts in a row */
	unsigned blame;		    /* points for them */
	bool has_answered;	    /* any of its workers */
	bool is_proved;		    /* before the turn: a first job ran for long */
	bool may_try;		    /* after it: somebody may get a first job */
	uint64_t failed_us;	    /* the last one */
	bool failed_in_job;	    /* likewise */
	uint64_t failed_fork;	    /* forks up to this one are older */
	uint64_t proven_us;	    /* a younger worker has lived long enough then; UINT64_MAX */
	uint64_t no_fork_before_us; /* somebody was told so */
	struct sized {
		uint64_t fork; /* which of all */
		uint64_t ready_us;
		uint64_t busy_since_us;
		bool has_answered;
		bool was_ending;	/* before the turn */
		uint64_t idle_since_us; /* likewise; UINT64_MAX: it was not */
	} of[WORLD_SLOTS];
};

struct world {
	struct fake fake;
	struct core *core; /* of fake */
	uint64_t seed;
	uint64_t noise;
	unsigned step;
	uint64_t n_ledgers;
	bool has_named; /* some job named values of other futures */
	bool is_verbose;
	struct account_limits limits;
	/* Since they changed there were jobs, which may exceed them by one result. */
	bool is_lenient, is_lenient_to[WORLD_UIDS];
	struct amounts last, last_of[WORLD_UIDS]; /* held when it was last counted */
	struct pool *pools[WORLD_POOLS];
	unsigned n_pools;
	unsigned n_stay; /* of them; one more comes and goes */
	struct account *accounts[WORLD_UIDS];
	struct record *records; /* by ID, from first_id on */
	unsigned n_records;
	unsigned records_size;
	uint64_t first_id;
	unsigned first_alive; /* all records before it are gone */
	struct world_waiter waiters[WORLD_WAITERS];
	struct future *pins[WORLD_PINS];
	struct world_visit visits[WORLD_VISITS];
	uint64_t n_visits; /* that there were */
	struct shares shares[WORLD_POOLS];
	struct sizes sizes[WORLD_POOLS];
	unsigned n_sent_off; /* bells and kills before the turn */
	uint64_t n_entries;  /* of jobs to queues */
	uint64_t n_submitted[WORLD_POOLS];
	/* How this run is: one in so many; 0: never. */
	unsigned full_in;
	unsigned fork_refused_in;
	unsigned death_in;
	unsigned race_in;
	unsigned hostile_in;
	unsigned kind;		      /* of half of these */
	uint64_t turn_us;	      /* when the last turn began */
	struct future *const *packed; /* being handed over */
	unsigned n_packed;
	bool is_quick; /* answers tell of no time, jobs are mostly pure, and small */
	unsigned no_memory_in;
	uint64_t n_retries; /* runs that were not the first */
	uint64_t n_poisoned;
	unsigned slow_start_in;
	unsigned reenter_in;
	unsigned graph_in;
	unsigned patient_in;
	struct after after[WORLD_AFTER]; /* of the submission that is being made */
	uint32_t slow_uid;		 /* its jobs take long */
	unsigned slow_in;
	uint64_t long_us; /* about how long a time-out is, and how far the clock jumps */
	bool may_fail_pool;
	unsigned reload_in;
	unsigned operate_in; /* an operator does something to a pool */
	bool is_ending;	     /* no more mischief: everything must come to its end */
	struct {
		uint64_t submits, refused, done, failed, cancelled, timeouts, lost, aborted;
		uint64_t retries, poisoned;
		uint64_t packs, hand_overs, taken_back, rings, kills, violations;
		uint64_t waited, let_in;
	} sum;
};

/* Makes a world from its seed. */
void world_init(struct world *w, uint64_t seed, bool is_verbose);
/* Ends it in one of three ways: all jobs run out, a drain, or the core is thrown away as it is. */
void world_end(struct world *w);

/* ---- chance ---- */

/* 0 … n-1. */
uint64_t world_below(struct world *w, uint64_t n);
/* True once in n; never if n is 0. */
bool world_once_in(struct world *w, unsigned n);

/* ---- the witness ---- */

struct record *world_record(struct world *w, uint64_t id);
void world_add_record(struct world *w, const struct record *r);
/* That jobs can be given to: it was not removed. */
struct pool *world_some_pool(struct world *w);
unsigned world_pool_index(const struct world *w, const struct pool *p);
/* Says what promise was broken, by which seed at which step, and exits with 1. */
__attribute__((noreturn, format(printf, 2, 3))) void world_fail(
	struct world *w, const char *format, ...);
__attribute__((format(printf, 2, 3))) void world_say(struct world *w, const char *format, ...);

/* ---- what happens (clients.c, workers.c) ---- */

/* Something that a client does, or the clock. */
void clients_move(struct world *w);
/* Somebody cancels something: also from within the telling of another end. */
void clients_cancel(struct world *w);
void clients_signal(struct world *w);
/* The end of a turn of the daemon's loop. */
void clients_turn(struct world *w);
/* Nobody sends any more. */
void clients_unpin(struct world *w);
/* Nor waits. */
void clients_leave(struct world *w);
void clients_release_final(struct world *w);
/* Something that a worker, a zygote or the kernel does, or that the daemon hears of it. */
void workers_move(struct world *w);
/* Every worker does what it has to, and the daemon hears it. */
void workers_settle(struct world *w);
/* Where it stands, for messages. */
static inline unsigned workers_number(const struct fake_worker *fw)
{
	return fw->slot->number;
}
static inline const char *workers_pool(const struct fake_worker *fw)
{
	return fw->slot->pool->name;
}
/* One that is up does something. */
void workers_live(struct world *w, struct fake_worker *fw);

/* ---- what the daemon asks, and is seen to do (witness.c) ---- */

void witness_hooks(struct fake_hooks *hooks);

/* Some future that was not released, or NULL. */
struct future *clients_some_future(struct world *w);

/* ---- births (births.c) ---- */

void births_submit(struct world *w);
/* All or none. */
void births_submit_many(struct world *w);
void births_put(struct world *w);
uint64_t births_some_ttl(struct world *w);
/* Where requests wait, one uid has hardly any: he can only hope for the time. */
bool births_has_jobs(struct world *w, uint32_t uid);
/* What core_submit() or core_put() has to answer to n of these, one after the other; told from what
 * is held. */
/* That its record holds from its birth on, beside its input. */
uint64_t births_kept_bytes(const struct submission *s);
bool births_may_fit(const struct world *w, const struct pool *p);
int births_expected(struct world *w, const struct submission *s, unsigned n);
/* 0, or what the core answers, which is as expected; then what s brought along is dropped. */
int births_make(
	struct world *w, const struct submission *s, struct future **ret, struct refusal *ret_no);
void births_withdraw(struct world *w, struct future *f);

/* ---- who waits to be let in (lobby.c) ---- */

/* A client that may wait, or that leaves. */
void lobby_move(struct world *w);
/* The end of the turn. Returns whether anything happened. */
bool lobby_turn(struct world *w);
void lobby_check_after_turn(struct world *w);
void lobby_leave(struct world *w);
unsigned lobby_n_waiting(const struct world *w);
/* What those of this uid have left there. */
struct amounts lobby_held(const struct world *w, uint32_t uid);
/* Must who wants this stand behind somebody? 0, or CORE_E_QUOTA or CORE_E_FULL. */
int lobby_expected(struct world *w, const struct submission *s, const uint64_t *want);

/* ---- reloads (reload.c) ---- */

/* Limits change; a pool comes or goes. */
void reload_move(struct world *w);
/* What jobs brought along, and whether one result is let in that does not fit beside it. */
struct by_jobs {
	struct amounts uid, all;
	bool is_first, is_first_of_all;
};
void reload_count_jobs(struct world *w, uint32_t uid, struct by_jobs *ret);
/* Limits that all jobs were admitted by hold without leniency. */
void reload_note_jobs(struct world *w);
struct account_limits world_some_limits(struct world *w);
/* A pool that was removed, and that nobody needs, is gone. */
void reload_check_swept(struct world *w);
void reload_hooks(struct fake_hooks *hooks);
/* Behind those that are there, ready. */
struct pool *world_add_pool(struct world *w, const char *name);
/* Of the pools that are there. */
void world_count_pool(struct world *w, const struct pool *p);

/* ---- dependencies (graph.c) ---- */

struct future *graph_some_future(struct world *w, const struct account *a);
void graph_choose(struct world *w, struct submission *s);
void graph_remember(struct world *w, const struct submission *s, struct record *r);
/* The room, in bytes and fds, that has to be left for any result of those that s waits for. */
void graph_room(struct world *w, const struct submission *s, uint64_t room[2]);
/* Does what it is to bring along exceed what a run may have? Once so, always so. */
bool graph_is_too_large(struct world *w, struct record *r);
/* It is started: all that it waited for is as it wished. */
void graph_check_start(struct world *w, const struct record *r);
/* Is f aborted for its input with right, and does it name the root? */
bool graph_explains(struct world *w, const struct record *r, const struct future *f);
void graph_check(struct world *w);
void graph_check_after_turn(struct world *w, uint64_t now_us, uint64_t next_us);

/* ---- groups and keys (names.c) ---- */

void names_choose(struct world *w, struct submission *s, bool may_have_key);
void names_remember(const struct submission *s, struct record *r);
/* 0, or CORE_E_KNOWN or CORE_E_KEY_CONFLICT with whose key it is. */
int names_expected(struct world *w, const struct submission *s, uint64_t *ret_id);
void names_check(struct world *w);
/* Nothing is kept any more. */
void names_check_none(struct world *w);

/* ---- operators, and how many workers there are (sizing.c) ---- */

void sizes_configure(struct world *w, struct pool_config *config);
void sizes_begin(struct world *w, unsigned pool);
void sizes_hooks(struct fake_hooks *hooks);
/* An operator resizes, pauses, resumes, drains or renews a pool. */
void sizes_move(struct world *w);
/* All pools do again what they are for. */
void sizes_resume(struct world *w);
/* The daemon takes nothing new, and finishes what is there. */
void sizes_close(struct world *w);
void sizes_forked(struct world *w, struct fake_worker *fw);
void sizes_handed_over(struct world *w, const struct fake_worker *fw);
void sizes_before_turn(struct world *w);
void sizes_after_turn(struct world *w, uint64_t now_us, bool is_quiet);
struct sizes *sizes_of(const struct fake_worker *fw);
struct sized *sized_of(const struct fake_worker *fw);

/* ---- workers that are of no use (trial.c) ---- */

void trials_before_turn(struct world *w, const struct pool *p);
void trials_after_turn(struct world *w, const struct pool *p);
void trials_forked(struct world *w, const struct fake_worker *fw);
void trials_handed_over(struct world *w, const struct fake_worker *fw);
void trials_ready(struct fake_worker *fw);
void trials_answered(struct fake_worker *fw);
void trials_died(struct fake_worker *fw);
bool trials_is_starting(const struct sizes *sizes, const struct pool *p);
uint64_t trials_next_start_us(const struct sizes *sizes, const struct pool *p);
bool trials_is_wary(const struct sizes *sizes);
bool trials_may_serve(const struct world *w, const struct slot *s);
/* They died so often that jobs are refused if none is left; none is. */
bool trials_has_broken(const struct world *w, const struct pool *p);
bool trials_is_broken(const struct world *w, const struct pool *p);

/* ---- what is counted (ledger.c) ---- */

void ledger_check(struct world *w);
/* Bytes that the record of a future holds, beside its input and value. */
uint64_t ledger_kept(const struct future *f, const struct record *r);
/* What f holds as a job: its own, and of its owner's values that it names those that no other job
 * named yet since n_ledgers was counted up. */
struct amounts ledger_held(struct world *w, const struct future *f, const struct record *r);

/* ---- what must hold (invariants.c, order.c, progress.c, reasons.c) ---- */

/* After every step. */
void check_always(struct world *w);
/* After core_turn(now_us), which returned next_us. */
void check_after_turn(struct world *w, uint64_t now_us, uint64_t next_us);
/* The pool is gone, or the daemon stops: who is not with a worker is not there. */
void check_nobody_waits(struct world *w, const struct pool *p);
/* When these are handed over in one packet: they may be, and the worker has no more ahead of need
 * than it may. */
void check_pack(struct world *w, const struct slot *s, struct future *const *jobs, unsigned n);
/* A job was made. */
void order_born(struct world *w, const struct future *f);
/* Sees which jobs are over, before their records are freed. */
void order_settle(struct world *w);
/* When f is handed over: nobody who should have come first was left waiting. */
void check_hand_over(struct world *w, const struct future *f);
/* Jobs that are handed over before f, which waits, if nothing else comes. */
uint64_t order_ahead(struct world *w, const struct future *f);
/* Whoever waits is told why. is_quiet: after a turn that left nothing to do. */
void check_reasons(struct world *w, bool is_quiet);
/* Who waits for nothing has not been overtaken. */
void check_overtaken(struct world *w);
/* Would one more result of this pool fit beside what the uid holds? */
bool check_has_room(struct world *w, const struct pool *p, uint32_t uid);
