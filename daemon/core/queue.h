/* The order of waiting jobs of one pool: fair between uids by the time that workers spend on their
 * jobs, by priority and age within a uid, first come first served among equals. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "daemon/core/future.h"

TAILQ_HEAD(lanes, lane);

struct queue {
	struct lane *by_uid; /* uthash */
	struct heap ready;   /* lanes that have jobs, by their time; the first is next */
	struct lanes aside;  /* lanes that have jobs for which there was no room */
	struct heap owing;   /* lanes without jobs whose time lies ahead of the queue's */
	uint64_t n;	     /* jobs that wait */
	uint64_t n_users;    /* and jobs that may come back */
	uint32_t n_lanes;
	uint64_t time_us;    /* where the lane that was served last stood */
	uint64_t n_places;   /* given so far: to jobs */
	uint64_t n_turns;    /* likewise: to lanes */
	uint64_t entered_us; /* when the last one entered */
	uint64_t ageing_us; /* one step of priority weighs as much as having waited so long; 0: more
			     * than any wait */
};

void queue_init(struct queue *q, uint64_t ageing_us);
/* It holds no jobs any more. */
void queue_deinit(struct queue *q);
/* Makes room for f, so that entering cannot fail, until queue_leave(). -ENOMEM. */
__attribute__((warn_unused_result)) int queue_join(struct queue *q, struct future *f);
/* Behind its equals. */
void queue_enter(struct queue *q, struct future *f, uint64_t now_us);
/* A job that was handed over and taken back: where it stood. */
void queue_put_back(struct queue *q, struct future *f);
/* A job that was handed over has run: a worker spent `used_us` on it. It leaves, or enters
 * again. */
void queue_settle(struct queue *q, struct future *f, uint64_t used_us);
/* A job that is not in the queue now will not enter it again. */
void queue_leave(struct queue *q, struct future *f);
/* Takes out a job that waits, for good. */
void queue_remove(struct queue *q, struct future *f);
/* For a job that has not left; it keeps its age. -ENOMEM. */
__attribute__((warn_unused_result)) int queue_set_priority(
	struct queue *q, struct future *f, int32_t priority);

/* From now on priorities weigh this much, also of jobs that wait. They keep their age; if it made
 * no difference before, it counts from the last job that entered. Those that are handed over have
 * to be told first. */
void queue_set_ageing(struct queue *q, uint64_t ageing_us);
/* One that is handed over. */
void queue_rank_anew(const struct queue *q, struct future *f, uint64_t ageing_us);

/* The next job, left where it is. NULL if there is none. */
struct future *queue_first(const struct queue *q);
/* Some job that waits, whether it could start or not. NULL if there is none. */
struct future *queue_any(const struct queue *q);
/* Do jobs of this uid wait? */
bool queue_holds(const struct queue *q, uint32_t uid);
/* The next job of some lane among those that compete, of which there are q->ready.n, and how many
 * jobs it has. */
struct future *queue_of_lane(const struct queue *q, uint32_t number, uint64_t *ret_n);
/* There is no room for what queue_first() gave: its uid's lane stands aside until the account gave
 * something back. */
void queue_stand_aside(struct queue *q, struct future *f);
/* Those whose account gave something back compete again. True if others still stand aside. */
bool queue_rejoin(struct queue *q);
/* What else taking a job out changed. */
struct queue_mark {
	uint64_t time_us;
	uint64_t turn;
};
/* Takes out what queue_first() gave, which is expected to take `charge_us` of a worker. It is put
 * back, or settled. */
struct queue_mark queue_pop(struct queue *q, struct future *f, uint64_t charge_us);
/* As if that had not been: before anything else happens, the last one first. */
void queue_unpop(struct queue *q, struct future *f, const struct queue_mark *mark);
/* How many jobs of the same uid stand before it; counted up to `most`. */
uint64_t queue_ahead(const struct future *f, uint64_t most);
