/* The middle of poold: jobs, futures, workers, limits. Events go in through these functions,
 * actions come out through struct core_ops. No system call, clock, random number, event loop or
 * MessagePack: time and bytes are the caller's, so a simulator can drive all of it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/core/account.h"
#include "daemon/core/admission.h"
#include "daemon/core/future.h"
#include "daemon/core/pool.h"
#include "daemon/core/roll.h"
#include "daemon/core/shelf.h"
#include "daemon/core/siphash.h"
#include "daemon/core/slab.h"
#include "daemon/core/tag.h"

enum {
	CORE_E_QUOTA = ACCOUNT_E_QUOTA,
	CORE_E_FULL = ACCOUNT_E_FULL,
	CORE_E_DRAINING = 3,	 /* the daemon stops, or the pool takes no more */
	CORE_E_POOL_FAILED = 4,	 /* its preload failed, or no worker starts: pool->reason */
	CORE_E_LATER = 5,	 /* of hand_over: the link takes nothing now */
	CORE_E_PROTOCOL = 6,	 /* the worker answered what was not asked */
	CORE_E_KNOWN = 7,	 /* the key is that of a future with the same content */
	CORE_E_KEY_CONFLICT = 8, /* the key is that of a future with other content */
	CORE_E_OVER = 9,	 /* it is final */
	CORE_E_NOT_RUNNING = 10, /* no worker has received it yet */
	CORE_E_TOO_LARGE = 11,	 /* of hand_over: no run can bring so much along */
};

/* What the shell does for the core. None of them may free a future, slot or pool. */
struct core_ops {
	/* Sends `run` for each of jobs[n] (its msgid), at most POOL_PACK_JOBS; each whose place is 0
	 * begins a packet. 0 and *ret_n: so many of them, whole packets, at least one; the others
	 * stay queued, for now. CORE_E_LATER: all do; CORE_E_TOO_LARGE: it, being alone, cannot
	 * run; -errno: as LATER, and the shell will report the worker's death. */
	int (*hand_over)(void *shell, struct slot *s, struct future *const *jobs, unsigned n,
		unsigned *ret_n);
	/* Takes back what lies in the worker's inbox: calls core_taken_back() for each packet, in
	 * order. */
	void (*take_back)(void *shell, struct slot *s);
	/* Reads what the worker sent so far: calls core_answered() for each answer. */
	void (*read_answers)(void *shell, struct slot *s);
	/* Sends `cancel` and rings the bell (SIGTERM). */
	void (*ring)(void *shell, struct slot *s, struct future *f);
	/* Passes a client's signal on to f, which the worker has received. 0, or -errno. */
	int (*signal)(void *shell, struct slot *s, struct future *f, int signo);
	/* SIGKILL. */
	void (*kill)(void *shell, struct slot *s);
	/* Closes the link: a worker that sees end of file exits. */
	void (*close_link)(void *shell, struct slot *s);
	/* Asks the zygote for a worker in this slot; the answer is core_worker_ready() or
	 * core_worker_died(). False: not now; asked again by the next core_turn(). */
	bool (*fork_worker)(void *shell, struct slot *s);
	/* f is final; w is out of its list. May find, pin, unpin, release, wait, unwait and
	 * cancel, nothing else of the core. */
	void (*tell)(void *shell, struct waiter *w, struct future *f);
	/* f is in another state, which is not final, and w watches it. May use nothing of the core.
	 */
	void (*moved)(void *shell, struct waiter *w, struct future *f);
	/* Details of the loss of f, which this dead worker had received, and their size: becomes
	 * f->value. NULL: none. */
	struct payload *(*describe_loss)(
		void *shell, struct slot *s, struct future *f, uint64_t *ret_bytes);
	/* Details of the end of f, which its pool cannot run, and their size: becomes f->value.
	 * NULL: none. */
	struct payload *(*describe_abort)(void *shell, struct future *f, uint64_t *ret_bytes);
	/* What a run came to that is not the end of its job: f->failure, with f->value as its
	 * details (may be NULL); it would have become `state`. The same answer. */
	struct payload *(*describe_attempt)(
		void *shell, struct future *f, enum future_state state, uint64_t *ret_bytes);
	/* f is about to go, or its input is no longer needed: drop the references. */
	void (*drop_payload)(void *shell, struct payload *p);
	void (*drop_extra)(void *shell, struct future_extra *e);
	/* p was removed and nobody uses it any more: it is about to be freed. May be NULL. */
	void (*drop_pool)(void *shell, struct pool *p);
};

/* A uid's million futures may expire at once: others have their turn meanwhile. */
#define CORE_DUE_A_TURN 2048u

struct core {
	const struct core_ops *ops;
	void *shell;
	struct accounts accounts;
	struct admissions admissions;
	struct pools pools;
	uint64_t n_pool_changes; /* goes up whenever one comes or goes */
	struct pools removed;	 /* pools that somebody still uses */
	struct pool_sums gone;	 /* of pools that are freed */
	struct future_table table;
	struct roll roll;   /* their IDs */
	struct slab memory; /* of futures */
	struct slab runs;
	struct futures freed;	 /* to be freed at the end of the turn */
	struct futures settling; /* final, and not all of their dependents know */
	bool is_awaited;	 /* then who found no room for a result is to look again */
	struct futures over;	 /* to be forgotten right now */
	bool is_forgetting;
	struct siphash_key seed;
	struct tag_table groups;
	struct tag_table keys;
	struct heap timers; /* but for: */
	struct shelf shelf; /* most of what is final, by its time to live */
	uint32_t n_timers;  /* objects that own one */
	struct tombstones *tombstones;
	uint64_t n_unfinished;
	uint64_t n_turns;
	unsigned due_most; /* timers that one turn sees to: CORE_DUE_A_TURN */
	bool want_turn;	   /* something could not be done now: try again soon */
	bool is_short;	   /* in this turn a job was left waiting for its owner's quota */
	uint64_t next_id;
	uint64_t id_end; /* first one that is not ours to give out */
	uint64_t final_seq;
	bool is_closed;	  /* nothing new is taken */
	bool is_draining; /* nothing is started either */
};

/* IDs from first_id on, below id_end; the seed, which nobody else knows, is of the tables of texts
 * that clients choose. -ENOMEM. */
__attribute__((warn_unused_result)) int core_init(struct core *c,
	const struct account_limits *limits, const struct core_ops *ops, void *shell,
	uint64_t first_id, uint64_t id_end, const struct siphash_key *seed);
/* Frees everything, calling only drop_payload and drop_extra. No waiter is left. */
void core_deinit(struct core *c);

/* ---- time ---- */

/* Does what is due (some of it, if that is much), then hands over, asks for workers, steals for
 * idle ones. At the end of every turn of the loop. Returns when it must be called next (HEAP_NEVER:
 * after the next event). */
uint64_t core_turn(struct core *c, uint64_t now_us);
/* Frees what was forgotten. After core_turn(), when nobody holds a pointer from before. */
void core_sweep(struct core *c);

/* ---- pools ---- */

__attribute__((warn_unused_result)) int core_add_pool(
	struct core *c, const struct pool_config *config, void *shell, struct pool **ret);
/* All, behind the others those that were removed and are still used. NULL at the end. */
struct pool *core_first_pool(const struct core *c);
struct pool *core_next_pool(const struct pool *p);
struct pool *core_find_pool(struct core *c, const char *name, size_t len);
/* In two steps: a pool that nobody finds yet, with room for all that the second step needs; it is
 * joined, or given up. */
__attribute__((warn_unused_result)) int core_prepare_pool(
	struct core *c, const struct pool_config *config, void *shell, struct pool **ret);
void core_join_pool(struct pool *p);
/* Takes NULL. */
void core_give_up_pool(struct pool *p);
/* Its zygote died and starts again: no forks until it is ready. */
void core_pool_starting(struct pool *p);
/* The zygote is up; functions were put. */
void core_pool_ready(struct pool *p);
/* Its waiting jobs are aborted, new ones refused. */
void core_pool_failed(struct pool *p, const char *reason, uint64_t now_us);

/* Other numbers of workers. What runs goes on; who is too many leaves. */
void core_pool_resize(struct pool *p, unsigned n_workers, unsigned min_spare, unsigned max_spare);
/* Every worker is replaced, with a successor that is ready before it leaves. */
void core_pool_renew(struct pool *p);
/* Other settings, of which its name is none; with the numbers as core_pool_resize(). Time-outs and
 * graces count for later jobs, everything else at once. */
void core_pool_change(struct pool *p, const struct pool_config *config);
/* It has another zygote, which is up and whose functions were put into `from`, a pool that was only
 * prepared: they are p's from now on. Who has the old functions is given nothing more: it ends what
 * it runs, and leaves. */
void core_pool_take_over(struct pool *p, struct pool *from, uint64_t now_us);
/* Nobody finds it from now on. Waiting jobs are aborted, running ones end; then its workers leave.
 * It is freed by the first core_sweep() that finds no future of it, no worker and no holder. */
void core_remove_pool(struct pool *p, uint64_t now_us);
/* Keeps it in memory. */
void core_hold_pool(struct pool *p);
void core_let_pool_go(struct pool *p);
/* Nobody loses what he has; who waited for room looks again. */
void core_set_limits(struct core *c, const struct account_limits *limits);
/* Nothing is handed over until it is resumed; what no worker received yet comes back. */
void core_pool_pause(struct pool *p, uint64_t now_us);
/* No new jobs until it is resumed; workers leave as jobs run out. */
void core_pool_drain(struct pool *p);
/* Ends a pause and a drain. */
void core_pool_resume(struct pool *p);
/* Workers that there are. */
unsigned pool_workers(const struct pool *p);
/* Workers die at start, more than once in a row. */
bool pool_is_degraded(const struct pool *p);
/* Workers die at start, one after the other, and none is left: jobs are refused with the reason. */
bool pool_is_broken(const struct pool *p);

/* ---- jobs ---- */

/* What becomes the future's on success (input, extra) stays the caller's on failure. */
struct submission {
	struct account *account;
	struct pool *pool;
	struct function *function;
	struct payload *input;
	struct future_extra *extra;
	uint64_t input_bytes; /* to charge */
	uint32_t extra_bytes; /* likewise; 0: it has none, and gets none from the caller */
	uint16_t input_fds;
	struct moved in;
	int32_t priority;
	uint64_t timeout_us; /* 0: the pool's */
	uint64_t grace_us;   /* 0: the pool's */
	uint64_t ttl_us;
	struct wishes wishes; /* of a job */
	struct tag_wishes tags;
	bool is_patient; /* it may wait for room, and so not overtake those of its account who do */
};

/* Whether its key is taken. 0, CORE_E_KNOWN or CORE_E_KEY_CONFLICT with the future that has it. */
__attribute__((warn_unused_result)) int core_find_known(
	const struct core *c, const struct submission *s, struct future **ret);
/* Room for one result must remain beside what waiting jobs hold, so that none of them waits for
 * ever. 0, CORE_E_KNOWN or CORE_E_KEY_CONFLICT as core_find_known(), CORE_E_QUOTA or CORE_E_FULL
 * with *ret_refusal (if it is patient also for those that wait already, see admission.h),
 * CORE_E_DRAINING, CORE_E_POOL_FAILED, -ENOMEM, -EAGAIN: the IDs up to id_end are used up. */
__attribute__((warn_unused_result)) int core_submit(struct core *c, const struct submission *s,
	uint64_t now_us, struct future **ret, struct refusal *ret_refusal);
/* A job that was submitted in this turn never was: undoes half of an all-or-none. No waiter is on
 * it; its input and extra are dropped. */
void core_withdraw(struct core *c, struct future *f);
/* An object: a future that is `done` with the submission's input as its value; pool and function
 * are NULL. */
__attribute__((warn_unused_result)) int core_put(struct core *c, const struct submission *s,
	uint64_t now_us, struct future **ret, struct refusal *ret_refusal);

enum cancel_outcome {
	CANCEL_CANCELLED,
	CANCEL_CANCELLING,
	CANCEL_TOO_LATE,
	CANCEL_RUNNING, /* mode queued only */
};

enum cancel_outcome core_cancel(
	struct core *c, struct future *f, enum cancel_mode mode, uint32_t by_uid, uint64_t now_us);
/* Passes a signal on to a job that runs: take back, read, then tell, so that it never hits another
 * one. 0, CORE_E_NOT_RUNNING, CORE_E_OVER, -errno of the shell. */
__attribute__((warn_unused_result)) int core_signal(
	struct core *c, struct future *f, int signo, uint64_t now_us);
/* Some end of the run that it is in, or waits for, would be followed by another run. */
bool core_may_run_again(const struct future *f);
/* Nobody finds it from now on; it goes at its end, or at once. */
void core_release(struct core *c, struct future *f);

/* Also while it waits; it keeps its age. 0, CORE_E_OVER, -ENOMEM. */
__attribute__((warn_unused_result)) int core_set_priority(struct future *f, int32_t priority);
/* Counts from its end, also if that was before. */
void core_set_ttl(struct core *c, struct future *f, uint64_t ttl_us);
/* The shell keeps more for f, until core_unkeep() or until f is forgotten: charged like what it
 * brought along. 0, CORE_E_QUOTA or CORE_E_FULL with *ret_refusal. */
__attribute__((warn_unused_result)) int core_keep(
	struct future *f, uint32_t bytes, struct refusal *ret_refusal);
void core_unkeep(struct future *f, uint32_t bytes);

/* Above all IDs. */
#define CORE_ID_END UINT64_MAX

/* A future that was not released. NULL. */
struct future *core_find(const struct core *c, uint64_t id);
/* Of all futures, also those that were released and still run: the next one below this ID, whether
 * that is still there or not (CORE_ID_END: the youngest); above it (0: the oldest). NULL. */
struct future *core_older(struct core *c, uint64_t id);
struct future *core_newer(struct core *c, uint64_t id);
/* Through all, the oldest first; they may be forgotten meanwhile, but not swept. */
#define CORE_FOREACH(f, c) for ((f) = core_newer(c, 0); (f); (f) = core_newer(c, (f)->id))
/* The futures of a uid that were submitted into this group, by ID; also those that were released
 * and still run. NULL if there are none. */
struct tag_list *core_find_group(const struct core *c, uint32_t uid, const char *group, size_t len);
/* Whose future with this ID went by time; false if none did. */
bool core_find_expired(const struct core *c, uint64_t id, uint32_t *ret_uid);

/* w is told when f is final. If it is already, it is told at once. */
void core_wait(struct core *c, struct future *f, struct waiter *w);
/* As core_wait(), and w is told of all states before. */
void core_watch(struct core *c, struct future *f, struct waiter *w);
/* No longer; one that waits for nothing is fine. */
void core_unwait(struct core *c, struct waiter *w);
/* The shell still sends from f: it stays in memory until unpinned, also if released or expired. */
void core_pin(struct future *f);
void core_unpin(struct core *c, struct future *f);

/* ---- workers ---- */

void core_worker_ready(struct slot *s, uint64_t now_us);

/* It asks to be replaced: it gets nothing more, and leaves when it is through. */
void core_worker_recycles(struct slot *s, uint64_t now_us);

/* An answer, taken apart and checked by the shell. */
struct answer {
	uint32_t msgid;
	bool is_failure;
	enum future_failure failure;
	struct payload *value; /* the core's from the call on, whatever it returns */
	uint64_t value_bytes;
	uint16_t value_fds;
	struct moved out;
	uint64_t copied_bytes; /* of the value, by the worker */
	uint64_t run_us;
	uint64_t started_us; /* 0: the worker did not say */
	uint64_t rss_kib;    /* of the worker, after the run; 0: it did not say */
};

/* 0, or CORE_E_PROTOCOL: nobody waits for this answer; the shell kills the worker. */
__attribute__((warn_unused_result)) int core_answered(
	struct slot *s, const struct answer *a, uint64_t now_us);
/* A packet came back from the inbox, whose first run has this number. CORE_E_PROTOCOL if that was
 * not in the line. */
__attribute__((warn_unused_result)) int core_taken_back(struct slot *s, uint32_t msgid);
/* How a worker ended. */
struct worker_end {
	const char *how; /* for people: the pool's reason if it was of no use. NULL: not known */
	bool was_killed; /* by somebody else: an operator, or the kernel for want of memory */
};

/* The worker is dead, its tree is gone, its answers and its inbox have been read. */
void core_worker_died(struct slot *s, const struct worker_end *end, uint64_t now_us);
/* Should the worker have received the first of its line by now? */
bool slot_is_deaf(const struct slot *s, uint64_t now_us);
/* The job that this worker has received as far as one can know, or NULL. */
struct future *slot_first(const struct slot *s);

/* ---- the end ---- */

/* From now on submits are refused; what is there goes on, and workers leave as jobs run out. */
void core_close(struct core *c);
/* The same, and what waits is aborted. */
void core_drain(struct core *c, uint64_t now_us);
/* After core_drain(): what still runs is rung, or killed; it ends `aborted`. No grace lasts longer
 * than the pool's from now on. */
void core_stop_running(struct core *c, enum cancel_mode mode, uint64_t now_us);
/* Jobs that are not final. */
uint64_t core_unfinished(const struct core *c);
/* Workers that have a job. */
unsigned core_running(const struct core *c);
