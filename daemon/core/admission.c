/* Who waits to be let in.
 *
 * A request that a limit refused, and that may wait for room (admit_within), stands in the queue of
 * its account. The first of each queue is tried again when what refused it has room for it, so far
 * as is known: how much it needs is what the refusal said it would have come to, beyond what was
 * held when it had given everything back. So nobody is tried in vain each time that something small
 * is given back. Behind him nobody is let in who may wait and wants something of the same limit,
 * however little, or many small ones would keep a large one out for ever; accounts do not wait for
 * each other.
 *
 * Nobody waits for what only he could do. Whoever is first must have some hope:
 *
 *	a limit of his uid    a job of his that is not over, or enough of his futures that go by
 *	                      time before his own time is over
 *	a limit of all        a job of anybody, or what others hold, which is theirs to release
 *
 * and is refused as soon as there is none. To count what goes by time takes a walk along his
 * futures, so that is not done again before a while has passed that is long beside the walk.
 *
 * Nothing is called from here: the shell asks for verdicts (admission_next()) at the end of its
 * turn.
 */
#include "daemon/core/admission.h"

#include <assert.h>

#include "daemon/core/life.h"

/* Between two walks along somebody's futures: for each of them, and in any case. */
#define LOOK_EACH_US 1
#define LOOK_US	     1000

void admissions_init(struct admissions *all)
{
	*all = (struct admissions){};
	TAILQ_INIT(&all->all);
	TAILQ_INIT(&all->due);
	TAILQ_INIT(&all->queues);
}

void admission_queue_init(struct admission_queue *q)
{
	*q = (struct admission_queue){};
	TAILQ_INIT(&q->list);
}

/* ---- what was refused ---------------------------------------------------------------------------
 */

static const struct amounts *max_of(const struct core *c, const struct refusal *why)
{
	return why->of_uid ? &c->accounts.limits.uid : &c->accounts.limits.all;
}

static uint64_t max_for(const struct core *c, const struct admission *a)
{
	return max_of(c, &a->why)->n[a->why.kind];
}

/* What is held of it now, by whom the limit is for. */
static uint64_t used_for(const struct core *c, const struct admission *a)
{
	const struct amounts *used;

	if (a->why.of_uid)
		used = a->why.of_jobs ? account_by_jobs(a->account) : account_used(a->account);
	else
		used = a->why.of_jobs ? &c->accounts.by_jobs : &c->accounts.used;
	return used->n[a->why.kind];
}

static bool has_room(const struct core *c, const struct admission *a)
{
	uint64_t used = used_for(c, a), max = max_for(c, a);

	return a->need == 0 || (used <= max && a->need <= max - used);
}

/* Whatever anybody gives back. */
static bool is_too_large(const struct core *c, const struct admission *a)
{
	return a->need > a->why.for_others && a->need - a->why.for_others > max_for(c, a);
}

static void note_refusal(
	struct core *c, struct admission *a, const struct refusal *why, uint64_t more)
{
	struct admission_queue *q = account_admissions(a->account);
	uint64_t used;

	a->why = *why;
	used = used_for(c, a);
	a->need = why->value > used ? why->value - used : 1;
	if (__builtin_add_overflow(a->need, more, &a->need))
		a->need = UINT64_MAX;
	if (why->is_behind)
		a->need = a->why.for_others = 0;
	a->n_gives = c->accounts.n_gives;
	if (a == TAILQ_FIRST(&q->list))
		q->is_seen = false;
}

/* ---- coming and going ---------------------------------------------------------------------------
 */

static void give_parked(struct admission *a)
{
	account_give_one(a->account, ACCOUNT_PARKED_BYTES, a->parked_bytes);
	account_give_one(a->account, ACCOUNT_PARKED_FDS, a->parked_fds);
}

static int take_parked(struct admission *a, struct refusal *ret_refusal)
{
	int r;

	r = account_take_one(a->account, ACCOUNT_PARKED_BYTES, a->parked_bytes, ret_refusal);
	if (r)
		return r;
	r = account_take_one(a->account, ACCOUNT_PARKED_FDS, a->parked_fds, ret_refusal);
	if (r)
		account_give_one(a->account, ACCOUNT_PARKED_BYTES, a->parked_bytes);
	return r;
}

int admission_wait(struct core *c, struct admission *a, const struct refusal *why, uint64_t more,
	struct refusal *ret_refusal)
{
	struct admission_queue *q = account_admissions(a->account);
	int r;

	note_refusal(c, a, why, more);
	if (is_too_large(c, a)) {
		*ret_refusal = *why;
		return why->of_uid ? ACCOUNT_E_QUOTA : ACCOUNT_E_FULL;
	}
	r = take_parked(a, ret_refusal);
	if (r)
		return r;
	r = life_add_timer(c);
	if (r < 0) {
		give_parked(a);
		return r;
	}
	a->timer = (struct heap_node){.owner = CORE_TIMER_ADMISSION};
	a->is_due = false;
	heap_set(&c->timers, &a->timer, a->until_us, 0);
	if (TAILQ_EMPTY(&q->list)) {
		q->is_seen = false;
		TAILQ_INSERT_TAIL(&c->admissions.queues, q, in_queues);
	}
	TAILQ_INSERT_TAIL(&q->list, a, in_queue);
	TAILQ_INSERT_TAIL(&c->admissions.all, a, in_all);
	c->admissions.n++;
	return 0;
}

void admission_stay(struct core *c, struct admission *a, const struct refusal *why, uint64_t more)
{
	note_refusal(c, a, why, more);
}

static void drop_due(struct core *c, struct admission *a)
{
	if (a->is_due)
		TAILQ_REMOVE(&c->admissions.due, a, in_due);
	a->is_due = false;
}

void admission_leave(struct core *c, struct admission *a)
{
	struct admission_queue *q = account_admissions(a->account);
	struct admissions *all = &c->admissions;

	if (all->next_try == a)
		all->next_try = TAILQ_NEXT(a, in_all);
	if (a == TAILQ_FIRST(&q->list))
		q->is_seen = false;
	drop_due(c, a);
	heap_clear(&c->timers, &a->timer);
	c->n_timers--;
	TAILQ_REMOVE(&q->list, a, in_queue);
	TAILQ_REMOVE(&all->all, a, in_all);
	all->n--;
	if (TAILQ_EMPTY(&q->list))
		TAILQ_REMOVE(&all->queues, q, in_queues);
	give_parked(a);
}

bool admission_is_first(const struct admission *a)
{
	return a == TAILQ_FIRST(&account_admissions(a->account)->list);
}

int admission_check_order(
	struct account *account, const struct amounts *want, struct refusal *ret_refusal)
{
	const struct admission *first = TAILQ_FIRST(&account_admissions(account)->list);

	if (!first || want->n[first->why.kind] == 0)
		return 0;
	if (ret_refusal) {
		*ret_refusal = first->why;
		ret_refusal->is_behind = true;
	}
	return first->why.of_uid ? ACCOUNT_E_QUOTA : ACCOUNT_E_FULL;
}

void admissions_try_all(struct core *c)
{
	c->admissions.next_try = TAILQ_FIRST(&c->admissions.all);
}

/* Its time is over, or it is time to look at it again. */
void admission_due(struct core *c, struct admission *a)
{
	a->is_due = true;
	TAILQ_INSERT_TAIL(&c->admissions.due, a, in_due);
}

/* ---- hope ---------------------------------------------------------------------------------------
 */

/* Pinned ones stay: for a client that reads slowly, or for a job that is kept itself. */
static bool goes_by_itself(const struct future *f, uint64_t until_us)
{
	return future_state_is_final(f->state) && !f->n_pins && life_is_armed(f) &&
	       f->timer.key <= until_us;
}

static uint64_t held_by(const struct future *f, enum account_kind kind)
{
	switch (kind) {
	case ACCOUNT_BYTES: return f->kept_bytes + f->input_bytes;
	case ACCOUNT_FDS: return (uint64_t)f->kept_fds + f->input_fds;
	case ACCOUNT_FUTURES: return 1;
	default: return 0;
	}
}

/* Do enough of its uid's futures go before its time is over? */
static bool goes_in_time(const struct admission *a, uint64_t wanted)
{
	const struct future *f;

	TAILQ_FOREACH (f, account_futures(a->account), in_uid) {
		uint64_t held = goes_by_itself(f, a->until_us) ? held_by(f, a->why.kind) : 0;

		if (held >= wanted)
			return true;
		wanted -= held;
	}
	return false;
}

static bool has_hope(const struct core *c, const struct admission *a)
{
	const struct amounts *mine = account_used(a->account), *all = &c->accounts.used;
	uint64_t used = used_for(c, a), max = max_for(c, a), wanted, others;

	if (is_too_large(c, a))
		return false;
	if (a->why.for_others || (a->why.of_uid ? mine : all)->n[ACCOUNT_JOBS] > 0)
		return true;
	wanted = used - (max - a->need);
	others = a->why.of_uid ? 0 : used - mine->n[a->why.kind];
	return wanted <= others || goes_in_time(a, wanted - others);
}

/* ---- verdicts -----------------------------------------------------------------------------------
 */

/* Those whose results it left room for may be over: how much it needs now, only trying tells. */
static bool may_need_less(const struct core *c, const struct admission *a)
{
	return a->why.for_others && a->n_gives != c->accounts.n_gives;
}

static uint64_t n_gives_for(const struct core *c, const struct admission *a)
{
	return a->why.of_uid ? account_n_gives(a->account) : c->accounts.n_gives;
}

/* And made sense, and nothing has changed since. */
static bool was_seen(const struct core *c, const struct admission_queue *q)
{
	const struct admission *a = TAILQ_FIRST(&q->list);

	return q->is_seen && q->seen == n_gives_for(c, a) && used_for(c, a) <= q->seen_used &&
	       !may_need_less(c, a);
}

/* The first of its account. False: it goes on waiting. */
static bool judge(
	struct core *c, struct admission_queue *q, uint64_t now_us, enum admission_verdict *ret)
{
	struct admission *a = TAILQ_FIRST(&q->list);

	*ret = has_room(c, a) ? ADMISSION_TRY : ADMISSION_OVER;
	if (*ret == ADMISSION_TRY)
		return true;
	if (was_seen(c, q))
		return false;
	if (now_us < q->look_us) {
		heap_set(&c->timers, &a->timer, q->look_us < a->until_us ? q->look_us : a->until_us,
			0);
		return false;
	}
	q->look_us = now_us + LOOK_US + LOOK_EACH_US * account_used(a->account)->n[ACCOUNT_FUTURES];
	if (may_need_less(c, a))
		*ret = ADMISSION_TRY;
	if (*ret == ADMISSION_TRY || !has_hope(c, a))
		return true;
	q->is_seen = true;
	q->seen = n_gives_for(c, a);
	q->seen_used = used_for(c, a); /* more leaves less hope */
	heap_set(&c->timers, &a->timer, a->until_us, 0);
	return false;
}

/* Those whose time is over. Others are looked at with the rest. */
static struct admission *next_over(struct core *c, uint64_t now_us)
{
	struct admission *a;

	while ((a = TAILQ_FIRST(&c->admissions.due))) {
		if (now_us >= a->until_us)
			return a;
		drop_due(c, a);
		heap_set(&c->timers, &a->timer, a->until_us, 0);
	}
	return NULL;
}

struct admission *admission_next(struct core *c, uint64_t now_us, enum admission_verdict *ret)
{
	struct admissions *all = &c->admissions;
	struct admission *a = next_over(c, now_us);
	struct admission_queue *q;

	if (a) {
		*ret = ADMISSION_OVER;
		return a;
	}
	if (all->next_try) {
		a = all->next_try;
		all->next_try = TAILQ_NEXT(a, in_all);
		*ret = ADMISSION_TRY;
		return a;
	}
	TAILQ_FOREACH (q, &all->queues, in_queues)
		if (judge(c, q, now_us, ret)) {
			/* the others' turn comes first, next time */
			TAILQ_REMOVE(&all->queues, q, in_queues);
			TAILQ_INSERT_TAIL(&all->queues, q, in_queues);
			return TAILQ_FIRST(&q->list);
		}
	return NULL;
}
