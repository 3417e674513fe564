/* Who waits to be let in: requests that a limit refused, and that may wait for room. */
#pragma once

#include "daemon/core/account.h"
#include "daemon/core/heap.h"

struct core;

/* What is to be done with one of them. */
enum admission_verdict {
	ADMISSION_TRY, /* ask again: there is room, or it may be refused for another reason now */
	ADMISSION_OVER, /* refuse it by its `why`: nothing can come of waiting, or its time is over */
};

/* Embedded by the shell, which fills in the first four. */
struct admission {
	struct account *account;
	uint64_t parked_bytes; /* held for as long as it waits */
	uint64_t parked_fds;
	uint64_t until_us;
	struct refusal why; /* the last one */
	uint64_t need;	    /* of the limit that refused */
	uint64_t n_gives;   /* what the counter of all gives was then */
	TAILQ_ENTRY(admission) in_queue;
	TAILQ_ENTRY(admission) in_all;
	TAILQ_ENTRY(admission) in_due;
	struct heap_node timer;
	bool is_due; /* stands in that list */
};

TAILQ_HEAD(admission_list, admission);

/* Those of one account, in the order in which they came: only the first is ever let in. */
struct admission_queue {
	struct admission_list list;
	TAILQ_ENTRY(admission_queue) in_queues;
	uint64_t seen;	    /* what the counter of gives was when the first one was looked at */
	uint64_t seen_used; /* and what was held of what refused it */
	bool is_seen;	    /* it was, and it made sense to wait */
	uint64_t look_us;   /* not to be looked at again before */
};

TAILQ_HEAD(admission_queues, admission_queue);

struct admissions {
	struct admission_list all; /* by age */
	struct admission_list due;
	struct admission_queues queues; /* that are not empty; whose turn it is first */
	struct admission *next_try;	/* it and all younger ones are to be tried */
	uint64_t n;
};

void admissions_init(struct admissions *all);
/* Is nobody there? */
static inline bool admissions_are_none(const struct admissions *all)
{
	return TAILQ_EMPTY(&all->all);
}

/* From now on a waits, behind those of its account, since it was refused, and whatever it had taken
 * was given back. more: what it would have wanted of that limit after the refusal, at least. 0; an
 * ACCOUNT_E_ with *ret_refusal: there will never be room, or too many wait; -ENOMEM. */
__attribute__((warn_unused_result)) int admission_wait(struct core *c, struct admission *a,
	const struct refusal *why, uint64_t more, struct refusal *ret_refusal);
/* It was tried, and refused again: it stays where it is. */
void admission_stay(struct core *c, struct admission *a, const struct refusal *why, uint64_t more);
/* It waits no longer. */
void admission_leave(struct core *c, struct admission *a);
/* Nobody of its account came before it. */
bool admission_is_first(const struct admission *a);

/* Who is to be seen to now: then it stays or leaves, before this is asked again. NULL: nobody,
 * until something happens or core_turn() says so. */
struct admission *admission_next(struct core *c, uint64_t now_us, enum admission_verdict *ret);

/* ---- inside the core ---- */

void admission_queue_init(struct admission_queue *q);
/* Does somebody of this account wait already for what is wanted? 0, or his ACCOUNT_E_ with
 * *ret_refusal. */
int admission_check_order(
	struct account *a, const struct amounts *want, struct refusal *ret_refusal);
/* All are tried: who waits for room may be refused for another reason now. */
void admissions_try_all(struct core *c);
void admission_due(struct core *c, struct admission *a);
