/* Hand-over: the queue on one side, workers' inboxes on the other.
 *
 * A line is what a worker was given and has neither answered nor lost again by take-back, in the
 * order of giving. The kernel decides who gets a packet, the worker or the daemon; so the first of
 * the line is what the worker works on, and everything behind it can still come back. What a worker
 * received is answered in order, hence an answer always belongs to the first of the line; anything
 * else breaks the protocol.
 *
 * Before a job is handed over, room for its result (max_result) is taken from its owner's account,
 * so that no result ever finds its owner's quota full. A job whose reservation does not fit stays
 * in the queue, and only its own uid's lane waits with it.
 *
 * To end a job that is in a worker's hands: take the inbox back, read the answers, and only if the
 * job is still unanswered ring the bell. Ringing on "not answered yet" alone would hit the next job
 * now and then.
 */
#include "daemon/core/handover.h"

#include <assert.h>

#include "daemon/core/attempt.h"
#include "daemon/core/life.h"
#include "daemon/core/sizing.h"

/* A worker whose link was closed has this long to leave. */
#define LEAVE_US (5 * 1000 * 1000ull)
/* ---- reservations -------------------------------------------------------------------------------
 */

struct amounts handover_reservation(const struct pool *p)
{
	return (struct amounts){.n = {
					[ACCOUNT_BYTES] = p->config.max_result_bytes,
					[ACCOUNT_FDS] = p->config.max_result_fds,
				}};
}

bool handover_never_fits(const struct pool *p)
{
	const struct account_limits *max = &p->core->accounts.limits;
	struct amounts want = handover_reservation(p);

	for (int k = 0; k < _ACCOUNT_KIND_MAX; k++)
		if (want.n[k] > max->uid.n[k] || want.n[k] > max->all.n[k])
			return true;
	return false;
}

/* first_with_room() saw that it fits. */
static void reserve(struct future *f)
{
	struct amounts want = handover_reservation(f->pool);
	int r;

	r = account_take(f->account, &want, NULL);
	assert(r == 0);
	(void)r;
	f->is_reserved = true;
}

static void unreserve(struct future *f)
{
	struct amounts back = handover_reservation(f->pool);

	assert(f->is_reserved);
	account_give(f->account, &back);
	f->is_reserved = false;
}

/* The next job that can start as far as its owner's account goes, or that can never start. What one
 * result takes is the same for all jobs of a pool: without room in an account all of that uid stand
 * aside, without room in all together nobody can start. */
static struct future *first_with_room(struct pool *p)
{
	struct amounts want = handover_reservation(p);
	struct future *f;
	int r;

	while ((f = queue_first(&p->queue))) {
		r = account_check(f->account, &want, NULL);
		if (r == 0 || handover_never_fits(p))
			return f;
		p->core->is_short = true;
		if (r == ACCOUNT_E_FULL)
			return NULL;
		queue_stand_aside(&p->queue, f);
	}
	return NULL;
}

/* ---- the line -----------------------------------------------------------------------------------
 */

static void make_first(struct future *f, uint64_t now_us)
{
	struct core *c = f->pool->core;

	f->head_us = now_us;
	if (f->state == FUTURE_CANCELLING)
		return;
	future_set_state(f, FUTURE_RUNNING);
	life_arm(c, f);
}

static void line_append(struct slot *s, struct future *f, uint64_t now_us)
{
	TAILQ_INSERT_TAIL(&s->line, f, in_line);
	f->slot = s;
	if (s->n_line++ == 0) {
		s->pool->n_lines++;
		make_first(f, now_us);
	} else {
		s->pool->n_ahead++;
	}
}

static void line_remove(struct future *f)
{
	struct slot *s = f->slot;

	TAILQ_REMOVE(&s->line, f, in_line);
	if (--s->n_line > 0)
		s->pool->n_ahead--;
	else
		s->pool->n_lines--;
	f->slot = NULL;
	heap_clear(&s->pool->core->timers, &f->timer);
}

/* No job that a worker worked on is free of charge. */
static uint64_t used_us(const struct future *f, uint64_t end_us)
{
	if (!f->head_us)
		return 0;
	return end_us > f->head_us ? end_us - f->head_us : 1;
}

void handover_end(struct future *f, uint64_t end_us)
{
	line_remove(f);
	unreserve(f);
	queue_settle(&f->pool->queue, f, used_us(f, end_us));
}

struct future *slot_first(const struct slot *s)
{
	return TAILQ_FIRST(&s->line);
}

static enum future_state ending_state(const struct future *f)
{
	switch (f->ending) {
	case ENDING_TIMEOUT: return FUTURE_TIMEOUT;
	case ENDING_SHUTDOWN: return FUTURE_ABORTED;
	default: return FUTURE_CANCELLED;
	}
}

static enum future_failure ending_failure(const struct future *f)
{
	switch (f->ending) {
	case ENDING_TIMEOUT: return FAILURE_TIMEOUT;
	case ENDING_SHUTDOWN: return FAILURE_SHUTDOWN;
	default: return FAILURE_CANCELLED;
	}
}

void handover_finish(struct future *f, uint64_t now_us)
{
	const struct run_end end = {.state = ending_state(f), .failure = ending_failure(f)};

	attempt_over(f->pool->core, f, &end, now_us);
}

/* ---- handing over -------------------------------------------------------------------------------
 */

/* Its running job takes longer than others should wait behind it. */
static bool runs_late(const struct slot *s, uint64_t now_us)
{
	return now_us > heap_after(slot_first(s)->head_us, POOL_AHEAD_US);
}

/* Its link took nothing in this turn. */
static bool is_refusing(const struct slot *s)
{
	return s->refused_turn == s->pool->core->n_turns;
}

static struct slot *slot_idle(struct pool *p)
{
	struct slot *s;

	if (p->n_lines >= p->config.n_workers)
		return NULL; /* those that leave still run as many */
	TAILQ_FOREACH_REVERSE(s, &p->by_state[SLOT_IDLE], slots, in_state)
	if (!is_refusing(s))
		return s; /* the last one: its caches are the warmest */
	return NULL;
}

static bool may_have_ahead(const struct slot *s, unsigned room, uint64_t now_us)
{
	return s->n_line > 0 && s->n_line <= room && s->fate != FATE_ENDS && !is_refusing(s) &&
	       !runs_late(s, now_us);
}

/* The least burdened worker that may have this job ahead of need. */
static struct slot *slot_for_ahead(struct pool *p, const struct function *fn, uint64_t now_us)
{
	unsigned room = pool_ahead(p, fn);
	struct slot *s, *best = NULL;

	if (room == 0)
		return NULL;
	TAILQ_FOREACH (s, &p->by_state[SLOT_BUSY], in_state)
		if (may_have_ahead(s, room, now_us) && (!best || s->n_line < best->n_line))
			best = s;
	return best;
}

static void hand_over(struct slot *s, struct future *f, uint64_t now_us)
{
	struct pool *p = s->pool;

	reserve(f);
	f->msgid = s->next_msgid;
	f->attempt = f->terms ? (uint16_t)(f->terms->n_ended + 1) : 1;
	if (p->core->ops->hand_over(p->core->shell, s, f) != 0) {
		unreserve(f);
		s->refused_turn = p->core->n_turns;
		p->core->want_turn = true;
		return;
	}
	queue_pop(&p->queue, f, f->function->mean_run_us);
	s->next_msgid++;
	line_append(s, f, now_us);
	if (s->state == SLOT_IDLE)
		slot_set_state(s, SLOT_BUSY, now_us);
}

/* True if some job ended in place of starting. */
static bool assign(struct pool *p, uint64_t now_us)
{
	enum future_clock clock;
	bool has_ended = false;
	struct future *f;
	struct slot *s;

	if (queue_rejoin(&p->queue))
		p->core->is_short = true;
	while ((f = first_with_room(p))) {
		if (handover_never_fits(f->pool)) {
			queue_remove(&p->queue, f);
			life_finish(p->core, f, FUTURE_FAILED, FAILURE_QUOTA, now_us);
			has_ended = true;
			continue;
		}
		clock = terms_due(f, now_us);
		if (clock != FUTURE_CLOCK_NONE) {
			attempt_time_out(p->core, f, clock, now_us);
			has_ended = true;
			continue;
		}
		s = slot_idle(p);
		if (!s)
			s = slot_for_ahead(p, f->function, now_us);
		if (!s)
			break;
		hand_over(s, f, now_us);
	}
	return has_ended;
}

/* Jobs in the inbox of a worker whose running job takes long: back, before younger ones start
 * elsewhere. */
static void take_back_late(struct pool *p, uint64_t now_us)
{
	for (unsigned i = 0; i < p->n_slots; i++) {
		struct slot *s = p->slots[i];

		if (s->state == SLOT_BUSY && s->n_line > 1 && runs_late(s, now_us))
			handover_take_back(s, now_us);
	}
}

/* Idle workers, nothing else for them in the queue, but jobs in others' inboxes: back, as many as
 * there are idle workers. */
static void steal(struct pool *p, uint64_t now_us)
{
	uint64_t others = p->queue.n;

	for (unsigned i = 0; i < p->n_slots; i++) {
		struct slot *s = p->slots[i];

		if (p->queue.n >= others + p->n_by_state[SLOT_IDLE])
			break;
		if (s->state == SLOT_BUSY && s->n_line > 1)
			handover_take_back(s, now_us);
	}
}

static void abort_one(struct future *f, enum future_failure why, uint64_t now_us)
{
	struct core *c = f->pool->core;
	struct payload *details = NULL;
	uint64_t bytes = 0;

	if (why == FAILURE_POOL)
		details = c->ops->describe_abort(c->shell, f, &bytes);
	/* Without room for the details the end is told without them. */
	(void)!life_set_value(c, f, details, bytes, 0);
	life_finish(c, f, FUTURE_ABORTED, why, now_us);
}

void handover_abort(struct pool *p, enum future_failure why, uint64_t now_us)
{
	struct future *f;

	for (unsigned i = 0; i < p->n_slots; i++)
		if (p->slots[i]->state == SLOT_BUSY && p->slots[i]->n_line > 1)
			handover_take_back(p->slots[i], now_us);
	while ((f = queue_any(&p->queue)) || (f = TAILQ_FIRST(&p->aside))) {
		attempt_withdraw(f);
		abort_one(f, why, now_us);
	}
}

/* Jobs of this pool that wait for nothing but a worker; more than workers is as good as that. */
static unsigned n_waiting(struct pool *p)
{
	unsigned most = p->config.n_workers;

	if (p->config.sizing == SIZING_STATIC || p->is_paused || !first_with_room(p))
		return 0;
	return p->queue.n < most ? (unsigned)p->queue.n : most;
}

static void take_and_assign(struct pool *p, uint64_t now_us)
{
	if (p->n_ahead)
		take_back_late(p, now_us);
	if (p->is_paused)
		return;
	if (p->queue.n)
		(void)assign(p, now_us);
	do {
		if (!p->n_ahead || !slot_idle(p))
			break;
		steal(p, now_us);
	} while (assign(p, now_us)); /* what was stolen may have been overdue */
}

void handover_turn(struct pool *p, uint64_t now_us)
{
	if (p->core->is_draining) {
		handover_abort(p, FAILURE_SHUTDOWN, now_us);
		return;
	}
	sizing_shrink(p, n_waiting(p), now_us);
	/* If workers die in their first job, waiting ones still have their turn: a trial each. */
	if (p->state == POOL_FAILED || (pool_is_broken(p) && !p->is_failing_in_job))
		handover_abort(p, FAILURE_POOL, now_us);
	take_and_assign(p, now_us);
	sizing_grow(p, n_waiting(p), now_us);
}

/* ---- taking back --------------------------------------------------------------------------------
 */

/* It never started, and stands in the queue again where it stood. */
int core_taken_back(struct slot *s, uint32_t msgid)
{
	struct future *f;

	TAILQ_FOREACH (f, &s->line, in_line)
		if (f->msgid == msgid)
			break;
	if (!f)
		return CORE_E_PROTOCOL;
	if (f->state == FUTURE_CANCELLING)
		return 0; /* rung for, or its worker killed: it ends with that */
	line_remove(f);
	unreserve(f);
	f->head_us = 0;
	if (f->state == FUTURE_RUNNING)
		future_set_state(f, FUTURE_QUEUED);
	queue_put_back(&s->pool->queue, f);
	life_arm(s->pool->core, f);
	return 0;
}

void handover_dismiss(struct slot *s, uint64_t now_us)
{
	struct core *c = s->pool->core;

	slot_set_state(s, SLOT_LEAVING, now_us);
	heap_set(&c->timers, &s->timer, now_us + LEAVE_US, 0);
	c->ops->close_link(c->shell, s);
}

void handover_line_moved(struct slot *s, uint64_t now_us)
{
	struct core *c = s->pool->core;
	struct future *first = slot_first(s);

	if (first && !first->head_us)
		make_first(first, now_us);
	if (first || (s->state != SLOT_BUSY && s->state != SLOT_RINGING))
		return;
	if (s->state == SLOT_BUSY && !c->is_draining && s->fate != FATE_ENDS) {
		slot_set_state(s, SLOT_IDLE, now_us);
		return;
	}
	/* The bell may have rung after the answer: a fresh worker takes this one's place. */
	handover_dismiss(s, now_us);
}

void handover_take_back(struct slot *s, uint64_t now_us)
{
	struct core *c = s->pool->core;

	if (s->state == SLOT_RINGING)
		return; /* in its inbox lies the cancel, and nothing else */
	c->ops->take_back(c->shell, s);
	handover_line_moved(s, now_us);
}

/* ---- ending what runs ---------------------------------------------------------------------------
 */

void handover_kill(struct slot *s, uint64_t now_us)
{
	struct core *c = s->pool->core;

	if (s->state == SLOT_BUSY || s->state == SLOT_RINGING)
		slot_set_state(s, SLOT_LEAVING, now_us);
	c->ops->kill(c->shell, s);
}

void handover_stop(
	struct future *f, enum future_ending ending, enum cancel_mode mode, uint64_t now_us)
{
	struct core *c = f->pool->core;
	struct slot *s = f->slot;

	/* This worker goes, or has nothing left, and others' jobs are back in the queue: if somebody
	 * who was told of an end does this in the middle of a turn, the pool has had its part of it. */
	c->want_turn = true;
	handover_take_back(s, now_us);
	if (f->slot)
		c->ops->read_answers(c->shell, s);
	if (!f->slot)
		return; /* back in the queue, or answered */
	if (f->state == FUTURE_CANCELLING && mode != CANCEL_KILL)
		return; /* somebody who was told of another one's end was quicker */
	if (f->state != FUTURE_CANCELLING) {
		future_set_state(f, FUTURE_CANCELLING);
		f->ending = ending;
		f->cancel_mode = mode;
	}
	/* One that is not the first, or whose worker was rung for another one: this worker receives
	 * what it does not run, and a bell would hit the wrong job. */
	if (mode == CANCEL_KILL || s->state != SLOT_BUSY || f != slot_first(s)) {
		handover_kill(s, now_us);
		return;
	}
	slot_set_state(s, SLOT_RINGING, now_us);
	heap_set(&c->timers, &f->timer, heap_after(now_us, f->grace_us), f->id);
	c->ops->ring(c->shell, s, f);
}
